/* SPDX-License-Identifier: GPL-3.0-or-later */
/* nvme_priv.h - what the files of nvme/ share.  The story is in README.md. */
#ifndef HOLDFAST_NVME_NVME_PRIV_H
#define HOLDFAST_NVME_NVME_PRIV_H

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "block/block.h"
#include "nvme/nvme.h"
#include "wire/nvme.h"

extern struct log_topic log_nvme;

/* ---- results, status.c --------------------------------------------------------------------------------- */
enum nvme_result {
#define STATUS(id, code, dnr, noted, text) RES_##id,
#include "nvme/status.def"
#undef STATUS
	NVME_RESULTS,
};
uint16_t result_status(enum nvme_result r);
bool result_is_noted(enum nvme_result r);        /* in the error log */
/* The one table from the inside's errno to results. */
enum nvme_result result_of_errno(int err, bool writing);

/* ---- rows, ops*.c ------------------------------------------------------------------------------------------ */
struct job;
enum step {
	STEP_END,                        /* finished: the job's result is set (RES_OK at first) */
	STEP_WAIT,                       /* somebody will call job_continue() */
};
typedef enum step step_fn(struct job *j, int status);
typedef enum nvme_result parse_fn(struct job *j);
enum op_flags {
	OP_NS = 0x0001,                  /* names one namespace */
	OP_RESV_READ = 0x0002,           /* conflicts with Exclusive Access of another */
	OP_RESV_WRITE = 0x0004,          /* conflicts with Write Exclusive of another too */
	OP_WRITES = 0x0008,              /* refused when write protected */
	OP_MEDIUM = 0x0010,              /* NOT READY while the volume is offline */
	OP_DISCOVERY = 0x0020,           /* discovery controllers know it too */
	OP_READ_STATS = 0x0040, OP_WRITE_STATS = 0x0080,
	OP_FUSE_FIRST = 0x0100, OP_FUSE_SECOND = 0x0200,
	OP_WHOLE = 0x0400,               /* once begun it goes on to its end */
	OP_WAITS = 0x0800,               /* stays until something happens: asynchronous event request */
	OP_LBA = 0x1000,                 /* CDW10 and CDW11 are an LBA, for the error log */
};
struct nvme_op {
	uint8_t opcode;
	uint16_t flags;                  /* enum op_flags */
	uint16_t effects;                /* of the Commands Supported and Effects log, beside "supported" */
	const char *name, *spec;
	parse_fn *parse;                 /* direction, length, operands; NULL: no data */
	step_fn *run;
};
extern const struct nvme_op nvme_ops_admin[], nvme_ops_io[];
extern const size_t nvme_ops_admin_count, nvme_ops_io_count;
void nvme_ops_index(void);               /* once, before the first lookup */
const struct nvme_op *nvme_op_find(bool admin, uint8_t opcode); /* or NULL */

/* ---- room.c: a message that visits every reactor ------------------------------------------------------------ */
struct visit {
	struct msg msg;
	unsigned at;
	void (*here)(struct visit *v);   /* on each reactor */
	void (*over)(struct visit *v);   /* on the last */
};
void nvme_visit(struct visit *v);        /* any thread */
struct home {                            /* what the room keeps per reactor */
	struct reactor *reactor;
	struct list ctrls;               /* those that live there */
	struct list queues;
};
struct home *nvme_home_here(void);
extern uint64_t nvme_start_ns;           /* when the room was started */

/* ---- namespaces, ns.c: one per volume, whoever serves it -------------------------------------------------------- */
enum ns_event { NS_EVENT_ATTRIBUTES = 1 };
struct ns_loss {                         /* reservation news on their way round */
	struct ns_loss *next;
	size_t count;
	struct resv_change change[];
};
struct ns {
	_Atomic(unsigned) refs;
	struct list link;
	struct volume *volume;
	unsigned block_shift;
	_Atomic(uint32_t) max_io_bytes;
	_Atomic(bool) read_only, can_unmap, unmap_zeroes;
	struct volume_watcher watcher;
	_Atomic(unsigned) pending;       /* enum ns_event */
	_Atomic(struct ns_loss *) losses;
	_Atomic(bool) busy;              /* the visit is under way */
	unsigned events;
	struct ns_loss *told;
	struct visit visit;
};
static inline bool resv_id_is(const struct resv_id *a, const struct resv_id *b)
{
	return a->len == b->len && !memcmp(a->bytes, b->bytes, a->len);
}
int ns_get(struct volume *v, struct ns **ret_ns);
void ns_put(struct ns *s);
static inline uint64_t ns_blocks(const struct ns *s)
{
	return volume_block_count(s->volume);
}

/* ---- namespace maps, map.c --------------------------------------------------------------------------------------- */
struct ns_slot {
	uint32_t nsid, ana_group;
	bool read_only;
	struct ns *ns;
};
struct nvme_ns_map {
	_Atomic(unsigned) refs;
	size_t count;
	struct ns_slot *entry;           /* sorted by NSID */
	uint32_t slot_count;
	uint16_t *slot;                  /* by NSID: 1 + index in entry, 0 none */
};
static inline const struct ns_slot *map_find(const struct nvme_ns_map *m, uint32_t nsid)
{
	return nsid < m->slot_count && m->slot[nsid] ? &m->entry[m->slot[nsid] - 1] : NULL;
}

/* ---- subsystems, subsystem.c ---------------------------------------------------------------------------------------- */
struct nvme_subsystem {
	_Atomic(unsigned) refs;
	char *nqn;
	char serial[21], model[41], firmware[9];
	bool discovery;
	pthread_mutex_t mutex;           /* guards what follows */
	struct list ctrls;
	uint16_t next_cntlid;
};
/* Allots CNTLID: a new one, or the first free of first to last (static model).  -ENOSPC; -EBUSY none is free. */
int subsystem_enter(struct nvme_subsystem *s, struct nvme_ctrl *c, uint16_t first, uint16_t last);
void subsystem_leave(struct nvme_subsystem *s, struct nvme_ctrl *c);
/* Controller ids from first on, ascending, that reach ns (NULL: any); returns their number. */
size_t subsystem_cntlids(struct nvme_subsystem *s, const struct ns *ns, uint16_t first, uint16_t *ids, size_t room);
/* The lowest controller of a host, 0xffff when none. */
uint16_t subsystem_cntlid_of(struct nvme_subsystem *s, const uint8_t host_id[16]);

/* ---- controllers, ctrl.c ----------------------------------------------------------------------------------------------- */
#define AER_MAX 4
#define ERROR_MAX 64
#define CHANGED_MAX 1024
#define RESV_NEWS_MAX 64
#define DISCOVERY_IDLE_MS 120000u        /* a discovery controller without keep alive that nobody uses */
enum event {                             /* kinds of asynchronous events; rows in event.c */
	EVENT_NS_CHANGED, EVENT_ANA, EVENT_DISCOVERY, EVENT_RESV, EVENTS
};
struct error_note {
	uint64_t count, lba;
	uint32_t nsid;
	uint16_t sqid, cid, status, location;
	uint8_t opcode;
};
struct resv_news {
	uint64_t count;
	uint32_t nsid;
	uint8_t type;
};
struct resv_mask {
	uint32_t nsid;
	uint8_t mask;
};
struct features {                        /* what a host may set */
	uint32_t arbitration, power, temperature[2], error_recovery, atomicity, async_event;
	uint64_t timestamp_ms, timestamp_ns;     /* set to, and when (monotonic); 0: never */
	uint16_t copy_formats;           /* CDFE */
	uint8_t acre;
};
struct nvme_ctrl {
	_Atomic(unsigned) refs;
	_Atomic(uint32_t) csts;
	_Atomic(bool) traffic;           /* since the keep alive timer looked last */
	struct list link;                /* in its reactor's list */
	struct list sub_link;            /* in the subsystem's, under its mutex */
	struct nvme_subsystem *subsystem;
	struct reactor *reactor;
	struct home *home;
	char *host_nqn;
	uint8_t host_id[16];
	struct resv_id resv_id;
	uint16_t cntlid, port_id;
	uint16_t max_queues, max_entries;
	_Atomic(uint16_t) granted_queues;
	uint32_t in_capsule_bytes, max_transfer_bytes;
	void (*dead)(void *arg, const char *why);
	void (*reset)(void *arg);
	void *arg, *portal;
	_Atomic(uint16_t) copy_formats;  /* of features, for I/O queues */
	_Atomic(uint8_t) ana_state;      /* enum nvme_ana_state */
	bool is_static;

	pthread_mutex_t mutex;           /* guards what follows, for I/O queues elsewhere */
	struct nvme_ns_map *map;
	struct nvme_queue **queue;       /* by qid, max_queues + 1 */
	unsigned live_queues;            /* not freed yet */
	bool closing;
	uint64_t error_count;
	struct error_note error[ERROR_MAX];

	/* Its reactor's own. */
	uint32_t cc, kato_ms;
	struct timer alive;
	struct msg close_msg;
	bool close_posted;
	void (*closed)(void *arg);
	void *closed_arg;
	struct job *aer[AER_MAX];
	unsigned aer_count, aborts;
	unsigned events_pending, events_sent; /* bit per enum event */
	uint32_t changed[CHANGED_MAX];
	unsigned changed_count;          /* CHANGED_MAX + 1: more than fit */
	uint64_t ana_changes;
	uint64_t resv_count;
	unsigned resv_news_count, resv_news_at;
	struct resv_news resv_news[RESV_NEWS_MAX];
	struct resv_mask *resv_mask;
	size_t resv_mask_count;
	uint8_t resv_mask_all;
	struct features feat;
	uint64_t start_ns;
};
static inline bool ctrl_is_ready(const struct nvme_ctrl *c)
{
	return atomic_load_explicit(&c->csts, memory_order_relaxed) & NVME_CSTS_RDY;
}
enum nvme_result ctrl_ana_result(const struct nvme_ctrl *c);      /* RES_OK: accessible by this path */
void ctrl_keep_alive(struct nvme_ctrl *c);       /* the timer starts again */
void ctrl_queue_gone(struct nvme_ctrl *c);       /* one was freed; any thread */
void ctrl_note_error(struct nvme_ctrl *c, const struct error_note *e);   /* any thread */
uint32_t nvme_max_transfer(const struct nvme_ctrl *c);

/* property.c */
void ctrl_properties_reset(struct nvme_ctrl *c);

/* event.c */
void event_raise(struct nvme_ctrl *c, enum event e);
void event_read(struct nvme_ctrl *c, enum event e);      /* its log page was read */
void event_aer_end(struct nvme_ctrl *c, unsigned i);     /* the request ends as its result says */
void event_aers_end(struct nvme_ctrl *c);                /* all requests end, aborted */
void event_ns_changed(struct nvme_ctrl *c, uint32_t nsid);
void event_ns(struct nvme_ctrl *c, const struct ns *s, unsigned events);
void event_resv(struct nvme_ctrl *c, const struct ns *s, const struct ns_loss *l);

/* ---- queues, queue.c -------------------------------------------------------------------------------------------------- */
struct view {                            /* a map, held for those commands that were parsed with it */
	struct nvme_ns_map *map;
	unsigned users;
	bool stale;
};
struct nvme_queue {
	struct list link;                /* in its reactor's list */
	struct nvme_ctrl *ctrl;
	struct reactor *reactor;
	uint16_t qid, entries;
	struct view *view;
	struct list jobs;                /* from parse to end */
	unsigned job_count;
	struct job *fused_first;         /* parsed, its second half has not been */
	bool fused_refused;              /* the first half was refused: so must be the second */
	bool closing, close_posted;
	unsigned pins;                   /* under ctrl->mutex: messages on their way to us */
	bool map_posted;                 /* under ctrl->mutex */
	struct msg map_msg, close_msg;
	void (*closed)(void *arg);
	void *closed_arg;
	struct nexus_stats stats;
};
void queue_settle(struct nvme_queue *q);         /* goes on with a close that waited */
void queue_map_changed(struct nvme_queue *q);    /* under ctrl->mutex; any thread */
void queue_preempt(struct nvme_queue *q, const struct ns *s);
void view_put(struct view *v);
void queue_unpin(struct nvme_queue *q);          /* on its reactor */

/* ---- jobs: nvme's own part of a struct nvme_cmd; cmd.c ------------------------------------------------------------------ */
#define TRANSFER_MAX_BYTES (8u << 20)
#define PIECES_MAX (TRANSFER_MAX_BYTES / BUF_PIECE_BYTES)
#define CONTROL_DATA_MAX (256u << 10)
enum job_state {
	JOB_FREE,
	JOB_REFUSED,                     /* by parse; waits for release */
	JOB_PARSED,                      /* waits for the transport: execute or drop */
	JOB_FUSED,                       /* executed; waits for its other half */
	JOB_NO_BUFFER,                   /* waits for memory */
	JOB_RUNNING,                     /* with a handler or the backend */
	JOB_ENDED,                       /* done() has run; waits for release */
};
struct job {
	struct list link;                /* in queue->jobs from parse to end */
	struct nvme_cmd *c;
	struct nvme_queue *queue;
	const struct nvme_op *op;
	struct view *view;
	const struct ns_slot *slot;      /* the namespace; NULL: none was named */
	uint8_t state;                   /* enum job_state */
	uint8_t result;                  /* enum nvme_result */
	uint8_t doom;                    /* enum nvme_result: ends so when its turn comes */
	bool pumping, io_ready, silent, has_location;
	bool has_begun;                  /* the backend had a part of it */
	unsigned wipe_count;             /* of the volume, when it was parsed */
	uint8_t error_bit;
	uint16_t error_byte;
	uint64_t error_lba;
	struct job *mate;                /* the other half of a fused pair */
	uint64_t start_ns;
	/* operands */
	uint64_t lba, count_blocks;
	uint32_t scratch_bytes;          /* memory of its own that run needs */
	uint32_t in_bytes;               /* to host: memory to get */
	/* progress of handlers */
	uint64_t done_blocks, mark, mark2;
	struct volume *src;              /* COPY: borrowed from the view */
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
		struct resv_request resv;
		struct volume_barrier barrier;
		struct {
			struct msg msg;
			struct nvme_queue *queue;
			struct reactor *home;
			uint16_t cid;
			bool hit;
		} abort;
	};
};
static_assert(sizeof(struct job) <= sizeof(((struct nvme_cmd *)0)->priv), "nvme.h: NVME_CMD_PRIV");
static inline struct job *job_of(struct nvme_cmd *c)
{
	return (struct job *)(void *)c->priv;
}
static inline const struct nvme_sqe *job_sqe(const struct job *j)
{
	return (const struct nvme_sqe *)(const void *)j->c->sqe;
}
static inline struct ns *job_ns(const struct job *j)
{
	return j->slot->ns;
}
static inline uint32_t job_cdw(const struct job *j, unsigned n)  /* 2 .. 15 */
{
	le32 v;
	memcpy(&v, j->c->sqe + 4 * n, sizeof(v));
	return le32_get(v);
}
static inline uint64_t job_cdw_pair(const struct job *j, unsigned n)
{
	le64 v;
	memcpy(&v, j->c->sqe + 4 * n, sizeof(v));
	return le64_get(v);
}
void job_continue(struct job *j, int status);            /* after STEP_WAIT, on its reactor */
void job_end(struct job *j);
/* Ends a command that is not at the backend; false: it must be waited for. */
bool job_kill(struct job *j, enum nvme_result why, bool silent);
enum step job_io(struct job *j, step_fn *next);          /* submits j->io */
enum step job_fail(struct job *j, enum nvme_result r);
enum step job_fail_errno(struct job *j, int err, bool writing, uint64_t lba);
/* For parse: the field at fault, a byte of the entry and a bit of it. */
enum nvme_result job_field(struct job *j, unsigned byte, unsigned bit);
enum nvme_result job_cdw_field(struct job *j, unsigned cdw, unsigned bit);
/* Checks SGL1 against what the command moves. */
enum nvme_result parse_to_host(struct job *j, uint64_t len_bytes);       /* exactly */
enum nvme_result parse_from_host(struct job *j, uint64_t len_bytes);     /* exactly */
enum nvme_result parse_list(struct job *j, uint64_t len_bytes);          /* from host: at least */
enum nvme_result parse_answer(struct job *j, uint64_t len_bytes);        /* to host, made by us: at least */
/* Reservation, write protection, readiness of a namespace: at parse and again before it runs. */
enum nvme_result job_check(const struct job *j);
bool slot_is_protected(const struct ns_slot *s);
/* The half or halves that can start now. */
void job_start(struct job *j);

/* fused.c */
enum nvme_result fused_parse(struct job *j);             /* FUSE of this command, and what it does to an earlier half */
void fused_parsed(struct job *j, enum nvme_result r);    /* it was accepted or refused */
bool fused_execute(struct job *j);                       /* true: it waits, or both have started */
void fused_leave(struct job *j);                         /* one half goes without having run */

/* ---- buffers, buffer.c ------------------------------------------------------------------------------------------------------ */
int nvme_buffer_get(struct job *j, uint64_t len_bytes, struct buf_waiter *w);
int nvme_scratch_get(struct job *j, struct buf_waiter *w);
void nvme_buffer_put(struct job *j);

#endif
