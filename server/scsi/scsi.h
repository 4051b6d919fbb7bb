/* SPDX-License-Identifier: GPL-3.0-or-later */
/* scsi.h - the door of scsi/: a SCSI device server that knows no transport.  SAM-5, SPC-4/5, SBC-3/4.
 *
 * Objects.  A unit is a logical unit: one per volume, whoever serves it, so that its identity,
 * mode pages and reservations are one.  A LUN map says which unit answers at which LUN; it is
 * immutable and swapped whole.  A nexus is one I_T nexus (an iSCSI session); it lives on one
 * reactor, owns its unit attentions and its tasks.  A task is one command.
 *
 * A command goes through two steps.  scsi_task_parse() looks at the CDB: it refuses (then the task
 * is finished, with status and sense) or says how much data moves and where; nothing has happened
 * yet.  The transport brings Data-Out, then scsi_task_execute() runs it; done() follows. */
#ifndef HOLDFAST_SCSI_SCSI_H
#define HOLDFAST_SCSI_SCSI_H

#include "core/core.h"

struct volume;
struct scsi_unit;
struct scsi_lun_map;
struct scsi_nexus;
struct nexus_stats;

/* reactors: those that nexuses live on. */
int scsi_start(struct reactor *const *reactors, unsigned count) _must_check_;
bool scsi_stop(void);                    /* false: a backend sits on a sanitize, which still needs everything */

/* ---- logical units ------------------------------------------------------------------------------ */
enum scsi_device { SCSI_DISK, SCSI_REMOVABLE, SCSI_CDROM };     /* a disk, one that can be ejected, a CD-ROM drive */
struct scsi_unit_spec {
	struct volume *volume;           /* the unit takes a reference of its own */
	const char *vendor;              /* at most 8 characters; NULL: "HOLDFAST" */
	const char *product;             /* at most 16; NULL: "Volume"; the same on all units (ESXi) */
	const char *serial;              /* at most 36; NULL: the uuid's 32 hex digits */
	const char *naa;                 /* "naa." and 16 or 32 hex digits; NULL: made from the uuid */
	enum scsi_device device;         /* CDROM: never written; the volume has blocks of 2048 bytes */
	uint32_t physical_bytes;         /* what hosts are told of physical blocks; 0: the logical block size */
	const char *modes;               /* what scsi_save_modes_fn was given last; NULL or "": nothing was saved */
};
/* NAA and serial derive from the volume's uuid, unless it brings those of the array that it came from; they never change.
 * -EINVAL: text not printable or too long, or no NAA name. */
int scsi_unit_new(const struct scsi_unit_spec *spec, struct scsi_unit **ret_unit) _must_check_;
struct scsi_unit *scsi_unit_ref(struct scsi_unit *u);
void scsi_unit_unref(struct scsi_unit *u);
DEFINE_FREEP(struct scsi_unit, scsi_unit_unref)
struct volume *scsi_unit_volume(struct scsi_unit *u);    /* returns borrowed */
/* Keeps what a host has saved of a unit's mode parameters ("": nothing).  On a worker thread; 0 when it is durable. */
typedef int scsi_save_modes_fn(void *arg, const char *volume_uuid, const char *text);
void scsi_on_save_modes(scsi_save_modes_fn *fn, void *arg);      /* installed by control/; NULL: nothing is kept */
/* The bytes of "naa.6.." (8 or 16 of them; formats 2, 3, 5 have 8, format 6 has 16).  -EINVAL */
int scsi_naa_parse(const char *text, uint8_t ret_naa[16], uint8_t *ret_len_bytes) _must_check_;
/* Space that the unit's pool has left, and from where on hosts are to be warned (0: never) unless one of them has
 * said otherwise: a unit attention THIN PROVISIONING SOFT THRESHOLD REACHED, once each time that it falls so low. */
void scsi_unit_space(struct scsi_unit *u, uint64_t free_bytes, uint64_t low_bytes);      /* any thread */
/* "naa.6..." as hosts show it; for the API and the page. */
void scsi_unit_naa_text(const struct scsi_unit *u, char buf[40]);

/* ---- LUN maps ---------------------------------------------------------------------------------- */
#define SCSI_LUN_MAX 16383               /* flat addressing, SAM-5 4.7.7.3 */
struct scsi_lun_entry {
	uint16_t lun;
	bool read_only;
	struct scsi_unit *unit;          /* the map takes a reference of its own */
};
/* Entries in any order; -EINVAL on a LUN used twice or out of range. */
int scsi_lun_map_new(const struct scsi_lun_entry *e, size_t count, struct scsi_lun_map **ret_map) _must_check_;
struct scsi_lun_map *scsi_lun_map_ref(struct scsi_lun_map *m);   /* any thread */
void scsi_lun_map_unref(struct scsi_lun_map *m);
DEFINE_FREEP(struct scsi_lun_map, scsi_lun_map_unref)
size_t scsi_lun_map_count(const struct scsi_lun_map *m);
/* The target's ports, one per portal group, and what hosts are told of the paths through them (ALUA, implicit).
 * Copied; before anybody else knows the map.  A nexus whose group is not among them is active/optimized. */
enum scsi_path_state { SCSI_PATH_OPTIMIZED = 0x0, SCSI_PATH_NONOPTIMIZED = 0x1, SCSI_PATH_UNAVAILABLE = 0x3,
		       SCSI_PATH_TRANSITIONING = 0xf };
struct scsi_path {
	uint16_t group;                  /* also the relative port: "TARGET,t,0xGROUP" is the port's name */
	uint8_t state;                   /* enum scsi_path_state */
	bool by_host;                    /* a host asked for this state; otherwise nobody or the administrator did */
};
int scsi_lun_map_set_paths(struct scsi_lun_map *m, const struct scsi_path *p, size_t count) _must_check_;
/* Hosts may set them (ALUA, explicit, too): SET TARGET PORT GROUPS.  Before anybody else knows the map. */
void scsi_lun_map_let_hosts_set_paths(struct scsi_lun_map *m);
bool scsi_lun_map_same_paths(const struct scsi_lun_map *a, const struct scsi_lun_map *b);        /* and who may set them */
/* Makes the states of paths to a target (its device name) those that a host asks for; the others stay.  On a worker thread; returns when they
 * are durable and every nexus of the target has a map that says so.  -errno: nothing changed. */
typedef int scsi_set_paths_fn(void *arg, const char *target_device, const char *initiator_port, const struct scsi_path *p, size_t count);
void scsi_on_set_paths(scsi_set_paths_fn *fn, void *arg);        /* installed by control/; NULL: hosts hear that it failed */

/* ---- nexuses ------------------------------------------------------------------------------------ */
struct scsi_task;
struct scsi_nexus_spec {
	const char *initiator_port;      /* "iqn...,i,0x00023d000001" */
	const char *target_port;         /* "iqn...,t,0x0001" */
	const char *target_device;       /* "iqn..." */
	uint16_t relative_port_id;       /* VPD 83 */
	uint16_t port_group;
	struct scsi_lun_map *map;        /* takes a reference of its own */
	/* May be NULL.  A task is about to end without a response, by task management or another nexus; its done() follows, at once
	 * or when the backend has ended with it.  What is sent after this is not concerned. */
	void (*aborting)(struct scsi_task *t);
};
/* On the reactor it will live on.  Starts with UA 29h/.. (power on or nexus loss) on every LUN. */
int scsi_nexus_new(const struct scsi_nexus_spec *spec, struct scsi_nexus **ret_nexus) _must_check_;
/* Ends it: tasks that have not finished are aborted; done() of each has run, and closed(arg) runs
 * last, when the nexus no longer exists.  I_T nexus loss, SAM-5 6.3.4. */
void scsi_nexus_close(struct scsi_nexus *n, void (*closed)(void *arg), void *arg);
/* The initiator logs out: what it has for as long as it is there (RESERVE(6), prevention of removal) it has no
 * longer, so that nobody who hears of the logout finds it still there.  Nothing while tasks are left. */
void scsi_nexus_let_go(struct scsi_nexus *n);
/* Swaps the LUN map.  LUNs that came, went or changed raise REPORTED LUNS DATA HAS CHANGED; tasks
 * on a LUN that went are aborted. */
void scsi_nexus_set_map(struct scsi_nexus *n, struct scsi_lun_map *map);
/* The transport has ended commands of this LUN (SAM-5 byte order) and the nexus stays: the next command is told so by
 * UA 47h/7Fh, RFC 7143 11.14.5. */
void scsi_nexus_commands_cleared(struct scsi_nexus *n, const uint8_t lun[8]);
struct nexus_stats *scsi_nexus_stats(struct scsi_nexus *n);

/* ---- tasks -------------------------------------------------------------------------------------- */
enum scsi_status {                       /* SAM-5 5.3.1 */
	SCSI_GOOD = 0x00, SCSI_CHECK_CONDITION = 0x02, SCSI_CONDITION_MET = 0x04, SCSI_BUSY = 0x08,
	SCSI_RESERVATION_CONFLICT = 0x18, SCSI_TASK_SET_FULL = 0x28, SCSI_ACA_ACTIVE = 0x30,
	SCSI_TASK_ABORTED = 0x40,
};
enum scsi_attribute { SCSI_SIMPLE, SCSI_ORDERED, SCSI_HEAD_OF_QUEUE, SCSI_ACA };
enum scsi_direction { SCSI_NO_DATA, SCSI_DATA_IN, SCSI_DATA_OUT };
#define SCSI_CDB_MAX 260
#define SCSI_SENSE_MAX 252
#define SCSI_TASK_PRIV 200               /* 64-bit words */

struct scsi_task {
	/* The transport fills these before parse. */
	struct scsi_nexus *nexus;
	uint8_t lun[8];                  /* as on the wire, SAM-5 4.7 */
	const uint8_t *cdb;              /* borrowed until done */
	uint16_t cdb_len;
	enum scsi_attribute attribute;
	/* Data-Out that the initiator announced (iSCSI: Expected Data Transfer Length); 0: it did not.  Commands
	 * that must not misread their data (COMPARE AND WRITE, WRITE SAME) refuse more than their CDB says. */
	uint64_t offered_bytes;
	uint64_t tag;                    /* unique within the nexus while the task lives */
	/* Runs once after parse returned 0: from execute (also inside of it), or before execute when the
	 * task is aborted while the transport still brings its data; then execute and drop are no
	 * longer called (they do nothing), a buf_waiter is the transport's to cancel, and iov stays valid
	 * until release. */
	void (*done)(struct scsi_task *t);

	/* parse fills these. */
	enum scsi_direction direction;
	uint64_t data_len_bytes;         /* what the CDB asks to move; Data-In may turn out shorter */

	/* Data.  Data-Out: scsi_task_buffer() fills iov.  Data-In: execute fills it. */
	struct iovec *iov;
	uint16_t iov_count;

	/* Results, valid in done(). */
	uint8_t status;                  /* enum scsi_status */
	bool aborted;                    /* by task management or nexus loss: send no response (TAS=0) */
	uint16_t sense_len;
	uint8_t sense[SCSI_SENSE_MAX];
	uint64_t data_in_bytes;          /* Data-In: how much of iov is valid */

	uint64_t priv[SCSI_TASK_PRIV];   /* scsi's own */
};
/* 0: go on with data and execute.  1: finished already (refused); status and sense are set, done()
 * will not run.  Either way scsi_task_release() must follow some day. */
int scsi_task_parse(struct scsi_task *t) _must_check_;
/* Data-Out memory for data_len_bytes (or want_bytes, if smaller: a transport that gets less data
 * than the CDB asks), in pieces of 1 MiB, the last one shorter.  -EAGAIN: none free now, ready() runs when it is worth trying again. */
int scsi_task_buffer(struct scsi_task *t, uint64_t want_bytes, struct buf_waiter *w) _must_check_;
/* got_bytes: Data-Out that arrived; less than data_len_bytes means that only so much is written, and
 * nothing when it is not whole blocks. */
void scsi_task_execute(struct scsi_task *t, uint64_t got_bytes);
/* Gives buffers back; the task may be used for another command. */
void scsi_task_release(struct scsi_task *t);
/* A parsed task that will not be executed (its data never came). done() will not run. */
void scsi_task_drop(struct scsi_task *t);
/* For a transport that has a fault of its own to report: fills status and fixed-format sense. */
void scsi_task_sense(struct scsi_task *t, uint8_t key, uint8_t asc, uint8_t ascq);

/* ---- task management, SAM-5 7 --------------------------------------------------------------------- */
enum scsi_tmf { SCSI_ABORT_TASK, SCSI_ABORT_TASK_SET, SCSI_CLEAR_ACA, SCSI_CLEAR_TASK_SET, SCSI_LUN_RESET,
		SCSI_TARGET_RESET, SCSI_QUERY_TASK, SCSI_QUERY_TASK_SET, SCSI_NEXUS_RESET, SCSI_QUERY_ASYNC };
enum scsi_tmf_answer { SCSI_TMF_COMPLETE, SCSI_TMF_SUCCEEDED, SCSI_TMF_NO_TASK, SCSI_TMF_NO_LUN, SCSI_TMF_UNSUPPORTED };
struct scsi_tmf_request {
	struct scsi_nexus *nexus;
	enum scsi_tmf function;
	uint8_t lun[8];
	uint64_t tag;                    /* ABORT TASK, QUERY TASK */
	/* Runs on the nexus's reactor when every task concerned has ended (their done() has run, with
	 * aborted set or with the result they had already reached). */
	void (*done)(struct scsi_tmf_request *rq, enum scsi_tmf_answer answer);
	uint8_t info[3];                 /* QUERY ASYNC that succeeded: SAM-5 7.10's additional response information */
	struct msg msg;                  /* private from here */
	uint64_t priv[24];
};
/* done() of aborted tasks may run inside of it; the request's own done() never does. */
void scsi_tmf(struct scsi_tmf_request *rq);

#endif
