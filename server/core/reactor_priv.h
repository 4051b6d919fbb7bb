/* SPDX-License-Identifier: GPL-3.0-or-later */
/* reactor_priv.h - what the parts of the loop share, and what an engine must offer.
 *
 *	reactor.c       life, the turn, messages, deferred work, when to spin and when to sleep
 *	timers.c        the heap of armed timers
 *	stream.c        what a byte stream means: sinks, pause, batching, ways to end
 *	listener.c      accepting, and waiting out a lack of descriptors
 *	workers.c       threads for what blocks
 *	bufpool.c       bounded buffers
 *	engine_*.c      how the kernel is asked */
#ifndef HOLDFAST_CORE_REACTOR_PRIV_H
#define HOLDFAST_CORE_REACTOR_PRIV_H

#include <pthread.h>
#include <stdatomic.h>

#include "config.h"
#include "core/base.h"
#include "core/log.h"
#include "core/reactor.h"

extern struct log_topic log_reactor;

#define TIMER_GRAIN_NS 1000000u
#define SLEEP_FOREVER UINT64_MAX
#define SCRATCH_BYTES (64u << 10)
#define GATHER_MAX 1024                  /* vectors of one sendmsg(), IOV_MAX of Linux */

/* An engine waits for the kernel and calls back.  All of it runs on the loop's thread. */
struct engine {
	enum reactor_engine kind;
	const char *name;
	int (*probe)(void);                      /* 0, or why the kernel refuses; any thread */
	int (*open)(struct reactor *r);
	void (*close)(struct reactor *r);        /* nothing calls back afterwards; NULL engine is fine */
	/* Take what is there, sleep at most timeout_ns when there is nothing; set r->now_ns; run
	 * callbacks.  Returns how many events there were, without the wake-up by reactor_wake(). */
	unsigned (*poll)(struct reactor *r, uint64_t timeout_ns);
	/* May be something there?  Cheap guess for the spin; NULL: ask poll. */
	bool (*peek)(struct reactor *r);

	int (*watch_start)(struct reactor *r, struct watch *w);
	int (*watch_change)(struct watch *w);
	void (*watch_stop)(struct watch *w);

	/* listener_on_accept() is called with descriptors or -errno; on = false stops it at once. */
	int (*listener_set)(struct listener *l, bool on);

	/* stream_attach: the descriptor may be used from now on.  stream_update: what the stream
	 * wants (stream_wants_*()) has changed.  stream_detach: no call after this one. */
	int (*stream_attach)(struct stream *s);
	void (*stream_update)(struct stream *s);
	void (*stream_detach)(struct stream *s);

	void (*file)(struct reactor *r, struct file_op *op);
};
extern const struct engine engine_epoll;
#ifdef HAVE_LIBURING
extern const struct engine engine_uring;
#endif

struct defer_queue {
	struct defer *head, **tail;
};

struct reactor {
	/* The loop's own, touched at every turn. */
	const struct engine *engine;
	void *engine_data;
	uint64_t now_ns, busy_from_ns, read_ns;  /* read_ns: reactor_read_ns() */
	struct defer_queue deferred;
	struct timer **heap;
	size_t heap_count, heap_cap;
	struct list streams;                     /* those that are open */
	unsigned file_ops;                       /* and works in flight: done() still to come */
	uint64_t spin_ns;
	unsigned spin_score;                     /* 0..1024: how often a spin would have won */
	bool draining;                           /* told to quit, waiting for what is in flight */
	bool may_fall_back;                      /* opts: engine AUTO */
	bool may_wait;                           /* opts: may wait for other reactors */
	uint8_t *scratch;                        /* SCRATCH_BYTES, hot: small things arrive here */
	struct iovec gather[GATHER_MAX];
	struct bufpool *bufs;
	struct reactor_stats stats;

	/* Shared with other threads. */
	_Alignas(64) _Atomic(struct msg *) inbox; /* newest first */
	_Atomic(bool) asleep;
	_Atomic(bool) quit;
	int wake_fd;

	pthread_t thread;
	bool thread_made;
	pthread_mutex_t life_lock;
	pthread_cond_t life_cond;
	enum { LIFE_NEW, LIFE_RUNNING, LIFE_OVER } life; /* under life_lock */
	int start_error;
	int cpu;
	unsigned index;
	char name[16];
};

static inline void stat_add(uint64_t *counter, uint64_t by)
{
	__atomic_store_n(counter, *counter + by, __ATOMIC_RELAXED);
}

/* Any thread: make a sleeping loop look at its inbox. */
void reactor_wake(struct reactor *r);

/* timers.c */
void timers_done(struct reactor *r);
uint64_t timers_next_ns(const struct reactor *r);        /* SLEEP_FOREVER: none is armed */
unsigned timers_run(struct reactor *r);

/* stream.c, for engines */
struct stream_priv {
	struct list link;
	struct timer linger;
	struct defer resume;
	uint8_t *carry;                          /* received, not taken yet: paused */
	size_t carry_at, carry_end, carry_cap;
	int error;
	bool paused, blocked, eof;
	bool bulk;                               /* sinks are large: receive straight into them */
	uint8_t without_sink;                    /* receives since the last large sink, while bulk */
	bool flood;                              /* many bytes at a time, in small things: see uring_recv.c */
	uint8_t calm;                            /* receives of few bytes in a row, while flood */
	uint64_t engine[8];
} __attribute__((may_alias));
_Static_assert(sizeof(struct stream_priv) <= sizeof(((struct stream *)0)->priv), "door: struct stream");
static inline struct stream_priv *stream_priv(struct stream *s)
{
	return (struct stream_priv *)s->priv;
}
enum stream_state { STREAM_FREE, STREAM_OPEN, STREAM_FLUSHING, STREAM_LINGER, STREAM_ENDING, STREAM_STATES };
bool stream_wants_read(struct stream *s);
bool stream_wants_write(struct stream *s);
void stream_on_readable(struct stream *s);       /* receives once */
void stream_on_writable(struct stream *s);
void stream_on_received(struct stream *s, const uint8_t *p, size_t len_bytes); /* by the engine */
void stream_on_end(struct stream *s, int err);   /* 0: end of file */
void streams_stop(struct reactor *r);            /* ends them all with -ESHUTDOWN */

/* listener.c, for engines */
struct listener_priv {
	struct timer pause;
	uint64_t engine[8];
} __attribute__((may_alias));
_Static_assert(sizeof(struct listener_priv) <= sizeof(((struct listener *)0)->priv), "door: struct listener");
static inline struct listener_priv *listener_priv(struct listener *l)
{
	return (struct listener_priv *)l->priv;
}
void listener_on_accept(struct listener *l, int fd_or_error);

/* workers.c */
extern _Atomic(unsigned) workers_idle_ms;                 /* a thread leaves after so long; tests shorten it */
void workers_add(struct msg *m);                 /* m->run on some worker thread; any thread */
void workers_file(struct file_op *op);           /* carries it out and posts the reply */
int64_t file_op_run(const struct file_op *op);   /* blocking */

/* bufpool.c */
extern _Atomic(uint64_t) bufpool_trim_after_ns;           /* unused for so long: pages go back; as above */
int bufpool_new(struct reactor *r, uint64_t limit_bytes, struct bufpool **ret_pool);
void bufpool_free(struct bufpool *p);

#endif
