/* SPDX-License-Identifier: GPL-3.0-or-later */
/* scsi_priv.h - what the files of scsi/ share.  The story is in README.md. */
#ifndef HOLDFAST_SCSI_SCSI_PRIV_H
#define HOLDFAST_SCSI_SCSI_PRIV_H

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>

#include "block/block.h"
#include "scsi/scsi.h"
#include "wire/scsi.h"

extern struct log_topic log_scsi;

/* ---- results, sense.c ------------------------------------------------------------------------------- */
enum scsi_result {
#define RESULT(id, status, key, asc, text) RES_##id,
#include "scsi/results.def"
#undef RESULT
	SCSI_RESULTS,
	RES_LAST_GOOD = RES_CONDITION_MET /* those up to it are no errors */
};
struct scsi_sense {                      /* what a sense data block says, before it has a format */
	uint8_t key;
	uint16_t asc;                    /* ASC and ASCQ */
	bool has_info, has_pointer, pointer_in_cdb, pointer_has_bit, has_progress;
	uint8_t pointer_bit;
	uint16_t progress;               /* of 65536; NOT READY says it instead of a pointer */
	uint16_t pointer;                /* byte of the CDB or the parameter list */
	uint64_t info;
};
/* Bytes written; at most room. */
size_t scsi_sense_format(const struct scsi_sense *s, bool descriptor, uint8_t *to, size_t room);
const char *scsi_result_text(enum scsi_result r);
uint8_t scsi_result_status(enum scsi_result r);
uint8_t scsi_result_key(enum scsi_result r);
uint16_t scsi_result_asc(enum scsi_result r);

/* ---- rows, ops*.c ------------------------------------------------------------------------------------ */
struct task;
enum step {
	STEP_END,                        /* finished: the task's result is set (RES_OK at first) */
	STEP_WAIT,                       /* somebody will call task_continue() */
};
typedef enum step step_fn(struct scsi_task *t, struct task *p, int status);
typedef enum scsi_result parse_fn(struct scsi_task *t, struct task *p);

#define NO_ACTION 0xffff
enum op_flags {
	OP_RESV_READ = 0x0001,           /* conflicts with Exclusive Access of another */
	OP_RESV_WRITE = 0x0002,          /* conflicts with Write Exclusive of another too */
	OP_RESV_SELF = 0x0004,           /* has a rule of its own; with none of the three: always allowed */
	OP_SPC2_OK = 0x0008,             /* allowed while another holds a RESERVE(6) */
	OP_UA_OK = 0x0010,               /* neither reports nor clears unit attentions */
	OP_NO_LUN_OK = 0x0020,           /* answers where no unit is */
	OP_MEDIUM = 0x0040,              /* NOT READY while the volume is offline */
	OP_WRITES = 0x0080,              /* refused when write protected */
	OP_THIN = 0x0100,                /* only on volumes that can unmap */
	OP_READ_STATS = 0x0200, OP_WRITE_STATS = 0x0400,
	OP_LONG = 0x0800,                /* RSOC: may take minutes */
	OP_SHORT_OK = 0x1000,            /* copes with less Data-Out than the CDB asks for */
	OP_EXACT = 0x4000,               /* refuses more Data-Out than the CDB asks for */
	OP_WHOLE = 0x2000,               /* once begun it goes on to its end, aborted or not */
	OP_DISK = 0x10000, OP_CD = 0x20000,      /* only what has that device type has it */
	OP_MEDIUM_OUT_OK = 0x40000,      /* with OP_MEDIUM: answered while the medium is ejected */
	OP_SANITIZE_OK = 0x8000,         /* answered while the unit is being sanitized */
	OP_EXPLICIT = 0x80000,           /* only where hosts may set the states of paths */
	OP_ENCRYPTED = 0x100000,         /* only on encrypted volumes */
};
struct scsi_op {
	uint8_t opcode, len_bytes;
	uint16_t action;                 /* service action in byte 1, or NO_ACTION */
	uint32_t flags;                  /* enum op_flags */
	const char *name, *spec;
	uint8_t usage[16];               /* SPC-4 6.35.3: bits that are looked at; byte 0 the opcode */
	parse_fn *parse;                 /* direction, length, operands; NULL: no data */
	step_fn *run;
};
extern const struct scsi_op scsi_ops_primary[], scsi_ops_block[], scsi_ops_reserve[], scsi_ops_copy[], scsi_ops_cd[];
extern const size_t scsi_ops_primary_count, scsi_ops_block_count, scsi_ops_reserve_count, scsi_ops_copy_count,
	scsi_ops_cd_count;
void ops_index(void);                    /* once, before the first lookup */
/* The row, or NULL; *ret_action_unknown tells whether at least the opcode is known. */
const struct scsi_op *ops_find(const uint8_t *cdb, size_t cdb_len, bool *ret_action_unknown);
size_t ops_count(void);
const struct scsi_op *ops_at(size_t i);  /* sorted by opcode and service action */
bool ops_has_action(const struct scsi_op *op);
struct scsi_unit;
struct itl;
bool op_is_supported(const struct scsi_op *op, const struct itl *i);      /* of an I_T_L nexus that has a unit */

/* ---- units, unit.c ----------------------------------------------------------------------------------- */
enum unit_event { EVENT_CAPACITY = 1, EVENT_MODE = 2, EVENT_THIN = 4, EVENT_RESV_LOST = 8, EVENT_INQUIRY = 16, EVENT_MEDIUM = 32, EVENT_CLOCK = 64 };
struct fan {                             /* visits every reactor in turn; fan.c */
	struct msg msg;
	unsigned at;
	struct reactor *home;            /* where over() runs; NULL: on the last */
	/* On each reactor.  False: fan_next() will be called there later. */
	bool (*visit)(struct fan *f);
	void (*over)(struct fan *f);
};
#define MODE_PAGES 8
#define MODE_PAGE_MAX 32
struct mode_saved {                      /* what a host has saved, by row of mode_pages.c */
	pthread_mutex_t lock;
	pthread_mutex_t saving;          /* one after the other, as they are stored; held while it is */
	bool has[MODE_PAGES];
	uint8_t page[MODE_PAGES][MODE_PAGE_MAX];
};
struct scsi_unit {
	_Atomic(unsigned) refs;
	struct volume *volume;
	uint8_t naa[16], naa_bytes;      /* 8: the rest is 0 */
	char vendor[9], product[17], serial[37];
	unsigned block_shift;
	uint32_t physical_bytes;
	uint8_t device;                  /* enum scsi_device */
	_Atomic(bool) ejected;
	_Atomic(unsigned) prevents;      /* I_T nexuses that prevent removal */
	_Atomic(uint32_t) max_io_bytes;  /* the volume's limit, kept fresh by events */
	_Atomic(bool) can_unmap, unmap_zeroes, read_only;
	/* mode parameters that a host can change; one set for all nexuses */
	_Atomic(bool) d_sense, swp, tas;
	struct mode_saved saved;
	_Atomic(uint64_t) threshold;     /* of mode page 1Ch/02h: THRESHOLD_SET, _ON, and a count of sets; thin.c */
	_Atomic(uint64_t) free_sets, low_sets;   /* of the pool, plus 1; 0: not known, never */
	_Atomic(bool) is_low;
	_Atomic(int64_t) clock_ahead_ms; /* SET TIMESTAMP */
	_Atomic(bool) clock_set;
	_Atomic(uint64_t) spc2_holder;   /* nexus id that holds RESERVE(6); 0: nobody */
	_Atomic(unsigned) sanitize;      /* enum sanitize_state, and its progress of 65536 */
	_Atomic(unsigned) sanitize_progress;
	struct token_store *tokens;      /* ROD tokens of its contents; token.c */
	/* events on their way to all nexuses */
	struct volume_watcher watcher;
	_Atomic(unsigned) pending;       /* enum unit_event */
	_Atomic(bool) fan_busy;
	unsigned fan_events;
	struct fan fan;
};
bool unit_try_ref(struct scsi_unit *u);   /* false: its last holder is just letting go */
void unit_raise(struct scsi_unit *u, unsigned events);   /* any thread */
void unit_limits_refresh(struct scsi_unit *u);
void itl_prevent(struct itl *i, bool on);                /* removal of the medium; block_misc.c */

/* ---- space of thin volumes, thin.c: counted in sets of 1 MiB ---------------------------------------------- */
bool thin_free_sets(const struct scsi_unit *u, uint32_t *ret_sets);
/* The threshold in force, as mode page 1Ch/02h says it; false: none. */
bool thin_threshold(const struct scsi_unit *u, bool defaults, uint32_t *ret_sets);
void thin_threshold_set(struct scsi_unit *u, bool on, uint32_t sets);    /* by a host */
void thin_threshold_reset(struct scsi_unit *u);

/* ---- LUN maps, lun.c ------------------------------------------------------------------------------------ */
struct scsi_lun_map {
	_Atomic(unsigned) refs;
	size_t count;
	struct scsi_lun_entry *entry;    /* sorted by LUN */
	uint16_t slot_count;
	uint16_t *slot;                  /* by LUN: 1 + index in entry, 0 none */
	size_t path_count;
	struct scsi_path *path;          /* by group */
	bool hosts_set_paths;
};
/* -1: no entry. */
int lun_map_find(const struct scsi_lun_map *m, uint16_t lun);
bool lun_map_same_states(const struct scsi_lun_map *a, const struct scsi_lun_map *b);
uint8_t lun_map_path_state(const struct scsi_lun_map *m, uint16_t group);
bool lun_map_has_unit(const struct scsi_lun_map *m, const struct scsi_unit *u);
/* Peripheral and flat addressing; -EINVAL for others. */
int lun_decode(const uint8_t wire[8], uint16_t *ret_lun);
void lun_encode(uint16_t lun, uint8_t wire[8]);

/* ---- nexuses, nexus.c ------------------------------------------------------------------------------------- */
#define UA_MAX 16
struct itl {                             /* one I_T_L nexus: unit attentions and a task set */
	struct scsi_nexus *nexus;
	struct scsi_unit *unit;          /* NULL: the place for commands to LUNs without a unit */
	uint16_t lun;
	bool read_only;
	bool gone;                       /* no longer in the map; freed with its last task */
	bool prevents;                   /* PREVENT ALLOW MEDIUM REMOVAL */
	bool kicking;
	unsigned busy;                   /* frames on the stack that use it */
	unsigned ordered_count;          /* unfinished ORDERED tasks */
	unsigned dormant_count;          /* tasks that wait for older ones */
	struct list tasks;               /* struct task, oldest first */
	struct list link;                /* in nexus->leaving once gone */
	uint8_t ua_count;
	uint16_t ua[UA_MAX];             /* ASC and ASCQ, in order of report */
};
struct scsi_nexus {
	struct list link;                /* in its reactor's list */
	struct reactor *reactor;
	struct home *home;
	uint64_t id;                     /* never reused */
	uint64_t next_seq;
	char *initiator_port, *target_port, *target_device;
	uint16_t relative_port_id, port_group;
	uint8_t path_state;              /* enum scsi_path_state of port_group */
	void (*aborting)(struct scsi_task *t);   /* of the transport; NULL: it need not know */
	struct list asked;               /* struct stpg: what it asks for now; tpg.c */
	struct resv_id resv_id;
	struct scsi_lun_map *map;
	struct itl **itl;                /* parallel to map->entry */
	struct itl *lun_none;
	struct list leaving;
	struct list copies;              /* struct copy_record, newest first; copy_record.c */
	unsigned copy_count;
	unsigned task_count, tmf_count;
	bool closing, close_posted;
	void (*closed)(void *arg);
	void *closed_arg;
	struct msg close_msg;
	struct nexus_stats stats;
};
struct home {                            /* what the room keeps per reactor */
	struct reactor *reactor;
	struct list nexuses;
	struct list waits;               /* struct drain, drain.c */
};
struct home *home_here(void);
struct home *home_of(struct reactor *r);
#define for_each_itl(it, n)                                                          \
	for (size_t it##_i_ = 0; it##_i_ < (n)->map->count; it##_i_++)               \
		for (struct itl *it = (n)->itl[it##_i_]; it; it = NULL)
void itl_abort(struct itl *i, bool silent); /* all its tasks; those at the backend end later; tmf.c */
void itl_let_go(struct itl *i);          /* what its nexus has only while it is there: RESERVE(6), prevention */
void itl_release(struct itl *i);         /* frees it when it is gone and unused */
void nexus_settle(struct scsi_nexus *n); /* goes on with a close that waited */
/* The identity under which a nexus registers: initiator port, target port; -EINVAL too long. */
int nexus_resv_id(const char *initiator_port, const char *target_port, uint16_t rel_port,
		  struct resv_id *ret_id);
/* The name of the target port of a group, as RFC 7143 makes it. */
#define PORT_NAME_MAX 256
void nexus_port_name(const struct scsi_nexus *n, uint16_t group, char buf[PORT_NAME_MAX]);
/* The initiator port's name inside an id that nexus_resv_id() made. */
const char *resv_id_initiator(const struct resv_id *id, uint16_t *ret_rel_port);

/* ---- states of paths, tpg.c ------------------------------------------------------------------------------- */
/* Do the maps differ in states that the nexus itself has just asked for, and in nothing else? */
bool stpg_is_own_change(const struct scsi_nexus *n, const struct scsi_lun_map *before, const struct scsi_lun_map *now);

/* ---- reservations that another command set changed, pr_out.c ---- */
extern const char scsi_resv_mark;        /* resv_request.from of our own */
void pr_news_from_elsewhere(struct scsi_unit *u, const struct resv_change *c, size_t count); /* any thread */

/* ---- unit attentions, ua.c ---------------------------------------------------------------------------------- */
void ua_push(struct itl *i, uint16_t asc);
bool ua_pop(struct itl *i, uint16_t *ret_asc);
void ua_drop(struct itl *i, uint16_t asc);

/* ---- fan.c, drain.c ------------------------------------------------------------------------------------------ */
bool room_is_open(void);                 /* between start and stop; otherwise nobody is there to be told */
void fan_start(struct fan *f);           /* any thread; the room is open */
void fan_next(struct fan *f);
/* Waits on one reactor until no task is left that it concerns. */
struct drain {
	struct list link;
	bool (*concerns)(struct drain *d, const struct itl *i, const struct task *p);
	void (*empty)(struct drain *d);
};
/* True: nothing to wait for.  Otherwise empty() runs later. */
bool drain_start(struct drain *d);
void drain_check(struct home *h);        /* a task has ended here */

/* ---- tasks, task.c ---------------------------------------------------------------------------------------------- */
#define TRANSFER_MAX_BYTES (8u << 20)
#define PIECES_MAX (TRANSFER_MAX_BYTES / BUF_PIECE_BYTES)
enum task_state {
	TASK_FREE,
	TASK_REFUSED,                    /* by parse; waits for release */
	TASK_PARSED,                     /* waits for the transport: execute or drop */
	TASK_DORMANT,                    /* waits for older tasks to end: order.c */
	TASK_NO_BUFFER,                  /* waits for memory */
	TASK_RUNNING,                    /* with a handler or the backend */
	TASK_ENDED,                      /* done() has run; waits for release */
};
struct task {                            /* scsi's own part of a struct scsi_task */
	struct list link;                /* in itl->tasks from parse to end */
	struct scsi_task *t;
	struct itl *itl;
	const struct scsi_op *op;
	uint8_t state;                   /* enum task_state */
	uint8_t result;                  /* enum scsi_result */
	bool aborting, abort_silent;     /* abort_silent: no response even with TAS */
	bool pumping, io_ready;
	struct scsi_sense sense;
	uint64_t seq, start_ns;
	unsigned wipe_count;             /* of the volume, when it was parsed */
	uint64_t got_bytes;
	/* operands */
	uint64_t lba, count_blocks;
	uint32_t alloc_bytes;            /* allocation or parameter list length */
	uint32_t scratch_bytes;          /* memory of its own that run needs */
	uint32_t in_bytes;               /* Data-In: memory to get */
	uint8_t flags;                   /* byte 1 of the CDB, mostly */
	/* progress of handlers */
	uint64_t done_blocks;
	uint64_t mark, mark2;
	void *heap;                      /* freed at release */
	void (*cleanup)(struct task *p); /* runs before done(), once, when a handler has set it */
	uint8_t *scratch;
	uint32_t scratch_got_bytes;
	/* the machine below */
	step_fn *next;
	int io_status;
	uint16_t piece_count;
	struct iovec piece[PIECES_MAX + 1]; /* parse clears what stands before it */
	struct iovec cut[PIECES_MAX + 1];
	struct buf_waiter waiter;
	union {
		struct volume_io io;
		struct volume_map_io map;
		struct resv_request resv;
		struct work work;
		struct {
			struct fan fan;
			struct drain drain;
		} hold;                  /* RESERVE */
		struct volume_barrier barrier;
	};
};
static_assert(sizeof(struct task) <= sizeof(((struct scsi_task *)0)->priv), "scsi.h: SCSI_TASK_PRIV");
static inline struct task *task_of(struct scsi_task *t)
{
	return (struct task *)(void *)t->priv;
}
static inline struct scsi_unit *task_unit(const struct task *p)
{
	return p->itl->unit;
}
static inline struct volume *task_volume(const struct task *p)
{
	return p->itl->unit->volume;
}
/* May the nexus do this on the unit now?  Reservations, write protection, readiness.  For a unit that
 * is not the task's own: it must be in the nexus's map, or RES_COPY_UNREACHABLE. */
enum scsi_result task_may(const struct task *p, const struct scsi_unit *u, bool write);
void task_continue(struct task *p, int status);          /* after STEP_WAIT, on its reactor */
void task_abort(struct task *p, bool silent);
void task_start(struct task *p);         /* order.c lets it go */
void task_end(struct task *p);
/* Submits p->io; next() gets its status. */
enum step task_io(struct task *p, step_fn *next);
enum step task_io_on(struct task *p, struct volume *v, step_fn *next);   /* of another unit */
/* Ends the task when all nexuses of its unit but its own have been told. */
enum step unit_tell_others(struct task *p, unsigned events);
/* Sets the result and ends. */
enum step task_fail(struct task *p, enum scsi_result r);
enum step task_fail_info(struct task *p, enum scsi_result r, uint64_t information);
enum step task_fail_param(struct task *p, unsigned byte, int bit);
enum step task_fail_at(struct task *p, enum scsi_result r, unsigned byte);       /* with that place in the parameter list */
enum step task_fail_errno(struct task *p, int err, bool writing, uint64_t lba);
/* For parse: field of the CDB at fault; bit -1: the whole byte. */
enum scsi_result cdb_field(struct task *p, unsigned byte, int bit);
/* Data-In of control commands: memory for min(alloc_bytes, most), then the answer's true length. */
#define CONTROL_DATA_MAX (256u << 10)
enum scsi_result parse_data_in(struct task *p, uint32_t alloc_bytes);
enum scsi_result parse_data_out(struct task *p, uint64_t len_bytes);
struct out;
/* Where a control command writes its Data-In, and its end. */
struct out task_out(struct task *p);
enum step task_out_end(struct task *p, const struct out *o);
bool task_is_write_protected(const struct task *p, enum scsi_result *ret_why);

/* ---- buffers, buffer.c --------------------------------------------------------------------------------------------- */
/* All or nothing; -EAGAIN: w waits. */
int buffer_get(struct task *p, uint64_t len_bytes, struct buf_waiter *w);
int scratch_get(struct task *p, struct buf_waiter *w);
void buffer_put(struct task *p);

/* ---- order.c ------------------------------------------------------------------------------------------------------- */
void order_enter(struct task *p);
void order_leave(struct task *p);
bool order_may_run(const struct task *p);
void order_kick(struct itl *i);

/* ---- sanitize.c ------------------------------------------------------------------------------------------------------ */
enum sanitize_state { SANITIZE_NONE, SANITIZE_RUNS, SANITIZE_FAILED };
/* What a command hears meanwhile: RES_OK, RES_SANITIZING (with progress), RES_SANITIZE_FAILED. */
enum scsi_result sanitize_check(const struct scsi_unit *u, struct scsi_sense *s);
extern uint64_t sanitize_least_ns;       /* how long one takes at least; tests make it shorter */
bool sanitize_stop_all(void);            /* the room closes; on any thread, reactors still run.  False: one is with a backend that hangs */

/* ---- identity.c ------------------------------------------------------------------------------------------------------ */
void identity_naa(const uint8_t uuid[16], uint8_t ret_naa[16]);

#endif
