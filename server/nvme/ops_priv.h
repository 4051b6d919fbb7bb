/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ops_priv.h - the handlers that rows name, file by file, and the limits that Identify tells. */
#ifndef HOLDFAST_NVME_OPS_PRIV_H
#define HOLDFAST_NVME_OPS_PRIV_H

#include "nvme/nvme_priv.h"
#include "nvme/out.h"

/* Where a command that makes its answer writes it (all zero at first), and its end. */
struct out job_out(struct job *j, uint64_t skip);
enum step job_out_end(struct job *j);

/* identify.c, identify_ns.c */
parse_fn parse_identify;
step_fn run_identify;
struct nvme_id_ctrl;
typedef enum nvme_result identify_fn(struct job *j, struct out *o);
identify_fn identify_ns, identify_ns_nvm, identify_ns_independent, identify_ns_desc, identify_active,
	identify_ns_ctrls;

/* log_page.c, log_state.c */
parse_fn parse_log_page;
step_fn run_log_page;
typedef enum nvme_result log_fn(struct job *j, struct out *o);
log_fn log_error_info, log_health, log_firmware, log_ns_changed, log_effects, log_ana, log_discovery, log_resv;
log_fn log_supported, log_features;

/* feature.c */
parse_fn parse_get_features, parse_set_features;
step_fn run_get_features, run_set_features;

/* event.c, abort.c */
step_fn run_async_event, run_abort, run_keep_alive;

/* rw.c, fused.c */
parse_fn parse_read, parse_write, parse_compare;
step_fn run_nvme_read, run_nvme_write, run_compare, run_flush;
enum step run_fused(struct job *j);
/* LBA and count of CDW10..12 against the namespace. */
enum nvme_result parse_range(struct job *j);
void nvme_next_part(struct job *j);

/* zero.c */
parse_fn parse_write_zeroes, parse_dsm, parse_verify;
step_fn run_write_zeroes, run_dsm, run_nvme_verify;

/* copy.c */
parse_fn parse_copy;
step_fn run_copy;

/* resv.c */
parse_fn parse_resv_register, parse_resv_acquire, parse_resv_release, parse_resv_report;
step_fn run_resv_register, run_resv_acquire, run_resv_release, run_resv_report;
void resv_set_persist(struct job *j, struct volume *v, bool on);  /* then the job waits */
unsigned resv_rtype(enum resv_type t);   /* the number that NVMe has for it */

/* Limits: told by Identify, enforced by parse. */
#define FUSED_MAX_BLOCKS 255u            /* ACWU + 1 */
#define WZ_MAX_LOG2 14u                  /* WZSL: 64 MiB, in units of 4096 bytes */
#define VERIFY_MAX_LOG2 14u
#define DSM_MAX_RANGES 255u              /* DMRL */
#define DSM_RANGE_MAX_BLOCKS (16u << 20) /* DMRSL; both count blocks, whatever their size */
#define DSM_MAX_BLOCKS (128u << 20)      /* DMSL */
#define COPY_MAX_RANGES 128u             /* MSRC + 1 */
#define COPY_RANGE_MAX_BYTES (16u << 20) /* MSSRL */
#define COPY_MAX_BYTES (64u << 20)       /* MCL */
#define COPY_FORMATS 0x000f              /* CDFS: 0 to 3 */
static inline uint64_t limit_blocks(const struct ns *s, uint64_t bytes)
{
	return bytes >> s->block_shift;
}

#endif
