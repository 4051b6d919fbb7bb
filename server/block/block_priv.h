/* SPDX-License-Identifier: GPL-3.0-or-later */
/* block_priv.h - what the files of block/ share: the volume, its queues, one request's state.
 *
 * Who owns what:
 *   struct volume        shared; its changeable facts are written under v->mgmt and copied to
 *   struct volume_view   one per reactor and volume, changed only on that reactor (by message)
 *   struct volume_queue  one per reactor and volume: everything the fast path touches
 *   struct block_thread  one per reactor: pools shared by all volumes
 *   struct vio           one per request, inside volume_io.priv */
#ifndef HOLDFAST_BLOCK_PRIV_H
#define HOLDFAST_BLOCK_PRIV_H

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>

#include "block/block.h"
#include "core/core.h"
#include "sdk/plugin.h"

extern struct log_topic log_block;

#define WHY_BYTES 256
#define KIB ((uint64_t)1 << 10)
#define MIB ((uint64_t)1 << 20)
#define GIB ((uint64_t)1 << 30)

/* ---- the room --------------------------------------------------------------------------------- */
#define CHILD_IOVS 32
#define CHILD_MAX 512                    /* per reactor: parts of split requests in flight */
#define CHILD_PER_REQUEST 8
#define BOUNCE_BYTES ((size_t)256 << 10)
#define BOUNCE_MAX 32                    /* per reactor */
#define SCRATCH_BYTES ((size_t)1 << 20)
#define SCRATCH_MAX 16                   /* per reactor: compare, copy, patterns */
#define POOL_KEEP 4                      /* idle big buffers that are kept */

struct pool_buf {
	struct pool_buf *next;
};
/* Bounded LIFO of equal buffers.  Those who found it empty wait in order and run again. */
struct pool {
	struct pool_buf *free;
	unsigned free_count, keep, made, max;
	size_t bytes, align;
	struct volume_io *wait_head, **wait_tail;
	struct reactor *reactor;
	struct defer wake;
};
void pool_init(struct pool *p, struct reactor *r, size_t bytes, size_t align, unsigned max, unsigned keep);
void pool_done(struct pool *p);
void *pool_get(struct pool *p);          /* NULL: bound reached or no memory */
void pool_put(struct pool *p, void *buf);
/* After pool_get() gave NULL: resume(io) runs when it is worth trying again, at the end of a turn.
 * -ENOMEM: nothing is out, so nothing will come back; not waiting. */
int pool_wait(struct pool *p, struct volume_io *io, void (*resume)(struct volume_io *io)) _must_check_;

/* What encryption needs of a reactor; crypt.c. */
struct crypt_thread {
	struct pool ops, small, large;
	struct hf_io *wait_head, **wait_tail;    /* found a pool empty, in order */
	struct defer wake;
};
struct block_thread {
	struct reactor *reactor;
	unsigned slot;                   /* 0 .. reactor_count-1; hf_io.queue */
	struct pool children, bounce, scratch, copies;
	struct crypt_thread crypt;
};
struct block_room {
	unsigned generation;             /* 0: not started */
	unsigned reactor_count;
	struct block_thread threads[REACTOR_MAX];
	struct block_thread *by_index[REACTOR_MAX]; /* by reactor_index() */
	char **plugin_dirs;
	unsigned plugin_dir_count;
	int (*open_path)(const char *path, int flags);
	bool have_membarrier;
};
extern struct block_room block_room;
/* This reactor's own; it must be one of those given to block_start(). */
struct block_thread *block_thread(void);
extern const uint8_t block_zeroes[64 << 10];

/* ---- plugins ------------------------------------------------------------------------------------ */
/* Loads it when needed; returned struct lives until block_stop(). */
int plugin_get(const char *name, const struct hf_plugin **ret_plugin);
void plugin_stop(void);
extern const struct hf_host block_host;
/* Options of one layer: checks them against the rows, fills defaults in. */
struct settings {
	struct hf_setting *row;
	size_t count;
};
void settings_free(struct settings *s);
int settings_check_value(const struct hf_option *o, const char *value, char **ret_normal, char *why, size_t why_bytes);
int settings_build(const struct hf_plugin *p, const struct volume_setting *in, size_t in_count,
		   struct settings *ret_settings, char *why, size_t why_bytes);
const struct hf_option *option_find(const struct hf_plugin *p, const char *name);
int parse_size(const char *text, uint64_t *ret_bytes); /* "10G", "4096", "1MiB" */

/* ---- backend: the chain of plugins below one volume -------------------------------------------- */
struct blocking;
struct layer {                           /* also what a stacked plugin knows as struct hf_next */
	const struct hf_plugin *plugin;
	void *handle;
	struct layer *below;
	struct hf_info info;
	struct volume *volume;
	struct blocking *serial;         /* blocking plugins that want one call at a time */
	struct list all;                 /* registry for host->changed() */
};
/* One request at one layer, in hf_io.host_priv. */
struct layer_io {
	struct msg msg;
	struct reactor *reactor;
	struct layer *layer;
	void *arg;                       /* struct hf_work that another thread wants started */
	int status;
};
static_assert(sizeof(struct layer_io) <= sizeof(((struct hf_io *)0)->host_priv), "host_priv");

int backend_open(struct volume *v, uint64_t size_bytes, struct layer **ret_top, char *why, size_t why_bytes);
void backend_close(struct layer *top);   /* NULL is fine; may block */
int backend_refresh(struct layer *top);  /* asks get_info again, bottom up */
int backend_resize(struct layer *top, uint64_t old_bytes, uint64_t new_bytes, char *why, size_t why_bytes);
int layer_extents(struct layer *l, uint64_t offset_bytes, uint64_t len_bytes, struct hf_extent *ext, size_t *count);
struct volume *layer_find_volume(void *handle); /* returns owned, or NULL */
/* Plugin names of a stack "a:b", top first. */
#define STACK_MAX 4
struct stack {
	const struct hf_plugin *plugin[STACK_MAX];
	unsigned count;
};
int stack_parse(const char *names, struct stack *ret_stack, char *why, size_t why_bytes);

/* crypt.c: the layer on top of the stack of an encrypted volume. */
extern const struct hf_plugin crypt_plugin;
void crypt_thread_init(struct block_thread *t);
void crypt_thread_done(struct block_thread *t);
/* crypt_key.c: the cipher's states, one per reactor; what a key becomes. */
struct crypt_states {
	unsigned count;
	void *state[];
};
extern const struct volume_cipher *crypt_cipher;         /* NULL: none is installed */
int crypt_states_new(const uint8_t key[VOLUME_KEY_BYTES], uint32_t unit_bytes, struct crypt_states **ret_states);
void crypt_states_free(struct crypt_states *s);
int crypt_note_check(struct layer *below, const struct crypt_states *s, char *why, size_t why_bytes);
struct crypt_states *crypt_states(void *handle);         /* returns borrowed */
struct crypt_states *crypt_swap(void *handle, struct crypt_states *fresh);       /* nothing is in flight; returns owned */

/* Hands io to a layer: status <= 0, or HF_PENDING and io->done will run (or has). */
int blocking_submit(struct layer *l, struct hf_io *io);
int blocking_new(struct blocking **ret_blocking);
void blocking_free(struct blocking *b);
static inline int layer_submit(struct layer *l, struct hf_io *io, struct reactor *r)
{
	struct layer_io *h = (struct layer_io *)(void *)io->host_priv;
	h->reactor = r;
	h->layer = l;
	return l->plugin->submit ? l->plugin->submit(l->handle, io) : blocking_submit(l, io);
}

/* ---- range lock ----------------------------------------------------------------------------------
 * 64 stripes hashed by 64 KiB granule.  Ordinary requests hold stripes shared by a plain counter
 * of their own reactor; compare-and-write and atomic writes hold them exclusively. */
#define RANGE_GRANULE_SHIFT 16
#define RANGE_STRIPES 64
struct range_wait {
	struct list link;
	struct msg msg;
	struct reactor *reactor;
	uint64_t mask;                   /* stripes held or wanted; 0: none */
	bool exclusive;
	bool slow;                       /* shared, but counted under the mutex */
};
struct range_lock {
	_Atomic(uint64_t) claimed;       /* stripes that are exclusive, or about to be */
	pthread_mutex_t mutex;           /* guards what follows, and every change of claimed */
	struct list waiting;             /* in order of arrival */
	struct list draining;            /* claimed, waiting for shared holders to leave */
	uint32_t slow[RANGE_STRIPES];    /* shared holders that had to wait */
};
uint64_t range_mask(uint64_t offset_bytes, uint64_t len_bytes);
void range_lock_init(struct range_lock *l);
void range_lock_done(struct range_lock *l);
struct volume_queue;
/* True: held.  False: w->msg will be posted to this reactor when it is. */
bool range_lock_shared(struct volume_queue *q, struct range_wait *w, uint64_t mask);
bool range_lock_exclusive(struct volume_queue *q, struct range_wait *w, uint64_t mask);
void range_unlock(struct volume_queue *q, struct range_wait *w);

/* ---- volume -------------------------------------------------------------------------------------- */
struct volume_view {
	struct layer *top;               /* NULL: offline or closed */
	uint64_t block_count;
	uint32_t block_shift, block_bytes;
	bool read_only;
	unsigned epoch;                  /* which opening of the backend */
	struct hf_info info;
};
struct queue_stats {
	struct {
		_Atomic(uint64_t) ops, bytes, errors;
		struct hist latency;
	} kind[STATS_KINDS];
};
struct resv_cache;
struct volume_queue {
	_Alignas(64) struct volume *volume;
	struct block_thread *thread;
	_Atomic(uint64_t) in_flight;     /* written by its reactor only */
	uint64_t begun[2];               /* not ended yet, held ones too, by the side they began on; barrier.c */
	uint8_t side;
	struct volume_barrier *barrier;  /* waits for begun[!side] to become 0 */
	unsigned held;                   /* quiesce depth */
	bool closed;                     /* held for ever: requests fail instead of waiting */
	struct volume_view view;
	_Atomic(uint32_t) shared[RANGE_STRIPES]; /* written by its reactor only */
	struct volume_io *pending_head, **pending_tail;
	struct volume_map_io *pending_map;
	_Atomic(struct queue_stats *) stats;
	struct msg offline_msg;
	struct resv_cache *resv_cache;
};
struct resv;
struct volume {
	_Atomic(unsigned) refs;
	_Atomic(int) state;              /* enum volume_state */
	_Atomic(uint64_t) size_bytes;
	_Atomic(int) flush_error;        /* sticky until the backend is opened anew */
	_Atomic(uint64_t) full_told_ns;
	uint32_t block_bytes, block_shift;
	uint8_t uuid[16];
	char uuid_text[37];
	char *stack_names, *pool_path;
	struct volume_setting *settings;
	size_t setting_count;

	pthread_mutex_t mgmt;            /* one management call at a time */
	pthread_mutex_t facts;           /* name, reason, limits; held shortly */
	_Atomic(char *) name;
	struct old_name *old_names;      /* until the end: volume_name() lends them */
	char reason[WHY_BYTES];
	struct volume_limits limits;
	bool read_only_wanted;           /* as configured; the backend may add its own */
	uint64_t spec_size_bytes;
	bool encrypted, has_key;
	uint8_t key[VOLUME_KEY_BYTES];   /* under mgmt */
	char key_why[WHY_BYTES];         /* without a key */

	struct layer *top;               /* under mgmt */
	unsigned epoch;

	pthread_mutex_t drain;           /* with drained: a held queue has become empty */
	pthread_cond_t drained;
	bool close_when_drained;
	struct work close_work;
	_Atomic(bool) gone;              /* the backend said so, and every queue has been told */

	_Atomic(unsigned) change_count;  /* of changes; the write path asks only this, .. */
	_Atomic(bool) write_through;     /* .. and these beside it */
	_Atomic(int) wipe;               /* enum volume_wipe */
	_Atomic(unsigned) wipe_count;
	pthread_mutex_t changes_lock;
	struct list changes;             /* struct volume_change */

	pthread_mutex_t watch;           /* recursive */
	struct list watchers;

	struct range_lock range;
	struct resv *resv;
	pthread_mutex_t barrier_mutex;
	struct volume_barrier *barrier_head, **barrier_tail; /* one after another */
	unsigned queue_count;
	struct volume_queue queue[];
};
void volume_tell(struct volume *v, enum volume_event e);
void volume_tell_lost(struct volume *v, const struct resv_change *c, size_t count);
/* The backend answered -ESHUTDOWN on this reactor: OFFLINE, once. */
void volume_gone(struct volume_queue *q);
void volume_full(struct volume *v);
void volume_backend_changed(struct volume *v);
/* Runs fn on each queue's reactor, one after another, and waits.  Control thread. */
void volume_each_queue(struct volume *v, void (*fn)(struct volume_queue *q, void *arg), void *arg);
void volume_release_pending(struct volume_queue *q);
void volume_set_reason(struct volume *v, const char *why);
void volume_move(struct volume *v, enum volume_state to);
int spec_check_shape(const struct volume_spec *s, char *why, size_t why_bytes); /* without its plugin */
int volume_drain(struct volume *v, unsigned deadline_ms);
void queue_became_idle(struct volume_queue *q);
void volume_map_start(struct volume_queue *q, struct volume_map_io *m);

/* ---- one request ---------------------------------------------------------------------------------- */
/* A position in an iovec array; with `cyclic` it starts again at its end (patterns). */
struct cursor {
	const struct iovec *iov;
	unsigned iov_count, at;
	size_t skip;
	bool cyclic;
};
void cursor_skip(struct cursor *c, uint64_t bytes);
/* Describes the next len_bytes in at most max vectors; returns how many bytes it could. */
size_t cursor_take(struct cursor *c, size_t len_bytes, struct iovec *to, unsigned max, unsigned *ret_count);
void cursor_copy_out(struct cursor *c, void *to, size_t len_bytes);
void cursor_copy_in(struct cursor *c, const void *from, size_t len_bytes);
/* Length of the common prefix of the next len_bytes and mem. */
size_t cursor_compare(struct cursor *c, const void *mem, size_t len_bytes);

/* One run of backend requests over a range: one when it fits, else parts from the pool. */
struct xfer {
	uint8_t op, flags;               /* enum hf_op, enum hf_io_flags */
	bool pumping;
	uint16_t in_flight;
	int status;
	uint64_t offset_bytes, len_bytes, at_bytes, src_offset_bytes;
	struct cursor data;              /* READ, WRITE */
	void (*then)(struct volume_io *io, int status);
};
/* A part of a split request. */
struct child {
	struct hf_io io;
	struct volume_io *parent;
	void *bounce;
	struct cursor back;              /* where a bounced read goes */
	struct iovec iov[CHILD_IOVS];
};
struct vio {
	struct volume_queue *q;
	struct volume_io *next;          /* pending and waiting lists */
	void (*resume)(struct volume_io *io);
	uint64_t start_ns;
	struct range_wait lock;
	void *scratch;
	uint8_t step;
	uint8_t side;                    /* of its queue when it came */
	bool must_flush;                 /* with FUA: only a flush makes all of it durable */
	struct iovec pattern;
	uint64_t compared_bytes;
	uint64_t head_bytes, tail_bytes; /* ZERO by UNMAP: what is not whole granules */
	struct xfer x;
	struct hf_io io;
};
static_assert(sizeof(struct vio) <= sizeof(((struct volume_io *)0)->priv), "VOLUME_IO_PRIV");
static inline struct vio *vio_of(struct volume_io *io)
{
	return (struct vio *)(void *)io->priv;
}
static inline struct volume_io *vio_io(struct vio *p)
{
	return (struct volume_io *)(void *)((char *)p - offsetof(struct volume_io, priv));
}
void vio_begin(struct volume_queue *q, struct volume_io *io);
void vio_end(struct volume_io *io, int status);
/* Ends a request that changed data: FUA by flush where the backend needs it. */
void vio_end_write(struct volume_io *io, int status);
uint8_t vio_write_flags(const struct volume_io *io);
void vio_submit_direct(struct volume *v, struct volume_io *io);
/* x filled in but for progress; x.then runs once, on this reactor, possibly at once. */
void xfer_start(struct volume_io *io);
void xfer_data(struct volume_io *io, enum hf_op op, uint64_t offset_bytes, uint64_t len_bytes,
	       void (*then)(struct volume_io *io, int status));
/* True: p->scratch is there (SCRATCH_BYTES).  False: resume(io) will run, or io has ended. */
bool vio_scratch(struct volume_io *io, void (*resume)(struct volume_io *io));
static inline uint64_t bytes_of(const struct volume_queue *q, uint64_t blocks)
{
	return blocks << q->view.block_shift;
}

void change_note(struct volume *v, uint64_t lba, uint64_t count_blocks);
void change_all(struct volume *v);

void op_unmap(struct volume_io *io);
void op_zero(struct volume_io *io);
void op_same(struct volume_io *io);
void op_compare(struct volume_io *io);
void op_compare_write(struct volume_io *io);
void op_copy(struct volume_io *io);
extern const size_t copy_bytes;          /* one entry of block_thread.copies */
#define COPY_MAX 4                       /* per reactor: COPY by reading and writing, at the same time */

void stats_add(struct volume_queue *q, enum volume_op op, uint64_t bytes, int status, uint64_t start_ns);

/* barrier.c */
static inline void barrier_enter(struct volume_queue *q, struct vio *p)
{
	p->side = q->side;
	q->begun[p->side]++;
}
void barrier_drained(struct volume_queue *q);
static inline void barrier_leave(struct volume_queue *q, const struct vio *p)
{
	uint64_t left = --q->begun[p->side];
	if (unlikely(q->barrier && !left && p->side != q->side))
		barrier_drained(q);
}

/* ---- reservations ---------------------------------------------------------------------------------- */
int resv_new(struct volume *v, struct resv **ret_resv);
void resv_free(struct resv *r);
void resv_cache_free(struct resv_cache *c);

#endif
