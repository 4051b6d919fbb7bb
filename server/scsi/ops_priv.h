/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ops_priv.h - the handlers that rows name, file by file. */
#ifndef HOLDFAST_SCSI_OPS_PRIV_H
#define HOLDFAST_SCSI_OPS_PRIV_H

#include "scsi/scsi_priv.h"

/* inquiry.c, vpd.c */
parse_fn parse_inquiry;
step_fn run_inquiry;
struct out;
/* False: there is no such page here. */
bool vpd_page(uint8_t page, const struct task *p, struct out *o);

/* request_sense.c */
parse_fn parse_request_sense;
step_fn run_request_sense;

/* report.c */
parse_fn parse_report_luns, parse_report_opcodes, parse_maintenance_in, parse_set_timestamp;
step_fn run_report_luns, run_report_opcodes, run_report_tmf, run_report_timestamp, run_set_timestamp;

/* tpg.c */
parse_fn parse_set_tpg;
step_fn run_report_tpg, run_set_tpg;

/* mode_sense.c, mode_select.c */
parse_fn parse_mode_sense_6, parse_mode_sense_10, parse_mode_select_6, parse_mode_select_10;
step_fn run_mode_sense, run_mode_select;

/* log_sense.c */
parse_fn parse_log_sense;
step_fn run_log_sense;

/* rw.c */
parse_fn parse_read_6, parse_read_10, parse_read_12, parse_read_16;
parse_fn parse_write_6, parse_write_10, parse_write_12, parse_write_16;
step_fn run_read, run_write;
/* Does the range lie on the unit, and is it not more than one command may move? */
enum scsi_result check_range(struct task *p);
enum scsi_result check_transfer(struct task *p, uint64_t max_blocks, unsigned count_byte);
/* Reads lba and count_blocks out of a CDB of 6, 10, 12 or 16 bytes. */
void decode_rw(struct task *p, const uint8_t *cdb, unsigned cdb_len);
/* Sets p->io to the next part of the transfer, from done_blocks on. */
void rw_next_part(struct task *p, uint64_t total_blocks);

/* verify.c */
parse_fn parse_verify_10, parse_verify_12, parse_verify_16;
parse_fn parse_write_verify_10, parse_write_verify_12, parse_write_verify_16;
step_fn run_verify, run_write_verify;

/* caw.c, orwrite.c */
parse_fn parse_compare_and_write, parse_orwrite;
step_fn run_compare_and_write, run_orwrite;

/* write_atomic.c */
parse_fn parse_write_atomic;
step_fn run_write_atomic;

/* sanitize.c */
parse_fn parse_sanitize;
step_fn run_sanitize;

/* cd.c */
parse_fn parse_read_toc, parse_get_configuration, parse_get_event, parse_read_disc_info, parse_read_track_info;
parse_fn parse_mechanism_status;
step_fn run_read_toc, run_get_configuration, run_get_event, run_read_disc_info, run_read_track_info;
step_fn run_mechanism_status, run_set_speed;

/* xcopy.c, odx.c, copy_record.c */
parse_fn parse_xcopy, parse_populate_token, parse_write_token, parse_copy_abort, parse_copy_status, parse_token_info;
step_fn run_xcopy, run_populate_token, run_write_token, run_copy_abort, run_copy_status, run_token_info;
step_fn run_copy_parameters;
/* vpd_copy.c: page 8Fh */
void vpd_third_party(const struct task *p, struct out *o);

/* unmap.c, write_same.c */
parse_fn parse_unmap, parse_write_same_10, parse_write_same_16;
step_fn run_unmap, run_write_same;

/* lba_status.c */
parse_fn parse_get_lba_status;
step_fn run_get_lba_status;

/* block_misc.c */
step_fn run_test_unit_ready;
parse_fn parse_read_capacity_10, parse_read_capacity_16;
step_fn run_read_capacity_10, run_read_capacity_16;
parse_fn parse_sync_cache_10, parse_sync_cache_16, parse_pre_fetch_10, parse_pre_fetch_16;
step_fn run_sync_cache, run_pre_fetch;
parse_fn parse_start_stop, parse_prevent;
step_fn run_start_stop, run_prevent;
parse_fn parse_read_defect_10, parse_read_defect_12;
step_fn run_read_defect_10, run_read_defect_12;

/* reserve.c, pr_in.c, pr_out.c */
step_fn run_reserve, run_release;
bool spc2_is_reserved(const struct task *p);
/* Ends the task when everything that the volume has in flight now has ended. */
enum step task_barrier(struct task *p);
parse_fn parse_pr_in, parse_pr_out;
step_fn run_pr_in, run_pr_out;

/* Limits that VPD B0 tells and parse enforces. */
#define CAW_MAX_BLOCKS 255u
#define ATOMIC_MAX_BYTES (1u << 20)
#define SAME_MAX_BYTES (16ull << 20)
#define UNMAP_MAX_DESCRIPTORS 256u
#define UNMAP_MAX_BYTES (512ull << 20)
uint32_t limit_transfer_blocks(const struct scsi_unit *u);
uint64_t limit_same_blocks(const struct scsi_unit *u);
uint32_t limit_unmap_blocks(const struct scsi_unit *u);

#endif
