/* SPDX-License-Identifier: GPL-3.0-or-later */
/* reactor.h - one thread, one loop: sockets, file I/O, timers, messages.
 *
 * Two engines behind this door, chosen at start and run by the same tests: io_uring, and epoll
 * with a worker pool for file I/O.  Everything here, unless it says "any thread", is called on
 * the reactor's own thread, and every callback runs there.
 *
 * A turn of the loop: take what the kernel has, run callbacks, run messages, run due timers, run
 * deferred work (streams flush here, so replies of one turn leave in one send), then sleep.
 * Idle means asleep until the next armed timer.  Under load the loop spins for at most
 * spin_max_us before it sleeps, and only while spinning has lately been worth it. */
#ifndef HOLDFAST_CORE_REACTOR_H
#define HOLDFAST_CORE_REACTOR_H

#include <sys/socket.h>
#include <sys/uio.h>

#include "core/base.h"

struct reactor;
struct bufpool;

enum reactor_engine { REACTOR_AUTO, REACTOR_URING, REACTOR_EPOLL };

struct reactor_opts {
	const char *name;                /* thread name, at most 15 bytes; borrowed */
	enum reactor_engine engine;      /* AUTO: io_uring, or epoll where the kernel refuses */
	int cpu;                         /* pin to this CPU; -1: do not */
	unsigned spin_max_us;            /* 0: never spin */
	uint64_t buf_limit_bytes;        /* bound of the buffer pool; 0: 64 MiB */
	bool may_wait;                   /* may reactor_call() others: control, never the data path */
};

/* Life.  Any thread; start returns when the loop runs; stop joins the thread and returns when
 * no callback will run again; free needs a stopped reactor.
 * -ENOSYS  engine URING was asked for and the kernel refuses it */
int reactor_new(const struct reactor_opts *opts, struct reactor **ret_reactor) _must_check_;
void reactor_free(struct reactor *r);
int reactor_start(struct reactor *r) _must_check_;
void reactor_stop(struct reactor *r);
DEFINE_FREEP(struct reactor, reactor_free)
/* Run the loop on the calling thread instead, until reactor_stop() or reactor_quit(). */
int reactor_run(struct reactor *r);
void reactor_quit(struct reactor *r);                    /* any thread; does not wait */

struct reactor *reactor_self(void);                      /* NULL outside of a reactor thread */
enum reactor_engine reactor_engine(const struct reactor *r); /* the one chosen */
const char *reactor_name(const struct reactor *r);
unsigned reactor_index(const struct reactor *r);         /* 0, 1, ..: in order of creation, reused */
#define REACTOR_MAX 64

/* CLOCK_MONOTONIC in ns: cached at the turn's start and after each batch of completions (cheap),
 * or fresh. */
uint64_t reactor_now_ns(const struct reactor *r);
uint64_t reactor_clock_ns(void);                         /* any thread */
/* On the reactor: reads the clock and remembers it; and the later of what was remembered and the cached
 * time, for those who account after somebody below them has read the clock anyway. */
uint64_t reactor_read_ns(struct reactor *r);
uint64_t reactor_latest_ns(const struct reactor *r);

/* Messages.  Any thread may post; runs once, in order per sender.  The storage is borrowed until
 * run() starts; posting wakes a sleeping reactor.  One that was stopped runs nothing any more. */
struct msg {
	struct msg *next;
	void (*run)(struct msg *m);
};
void reactor_post(struct reactor *r, struct msg *m);
/* Run fn(arg) on r and wait for its result.  From another thread than r's (on r itself it is a
 * plain call).  A reactor thread must not wait for another reactor, unless it was made with may_wait.
 * -ESHUTDOWN  r was stopped; fn did not run */
int reactor_call(struct reactor *r, int (*fn)(void *arg), void *arg);

/* Deferred work: runs once at the end of the current turn.  Queuing it twice is one run. */
struct defer {
	struct defer *next;
	void (*run)(struct defer *d);
	bool queued;
};
void reactor_defer(struct reactor *r, struct defer *d);

/* Timers.  Coalesced to 1 ms; storage is the caller's, stop before freeing it. */
struct timer {
	void (*fire)(struct timer *t);
	struct reactor *reactor;         /* set while armed */
	uint64_t due_ns;
	size_t heap_at;                  /* private */
};
void timer_start(struct reactor *r, struct timer *t, uint64_t delay_ns); /* re-arms if armed */
void timer_stop(struct timer *t);                        /* fine when not armed */
static inline bool timer_is_armed(const struct timer *t)
{
	return t->reactor != NULL;
}

/* A descriptor that becomes readable or writable (level-triggered). */
enum { WATCH_READ = 1, WATCH_WRITE = 2, WATCH_HANGUP = 4 };
struct watch {
	void (*ready)(struct watch *w, unsigned events);
	struct reactor *reactor;         /* private from here */
	int fd;
	unsigned events;
	uint64_t priv[4];
};
int watch_start(struct reactor *r, struct watch *w, int fd, unsigned events) _must_check_;
int watch_change(struct watch *w, unsigned events) _must_check_;
void watch_stop(struct watch *w);                        /* ready() will not run again */

/* A listening socket.  fd stays the caller's; accepted() owns the new descriptor (non-blocking,
 * close-on-exec).  Connections that the kernel has accepted for us but that accepted() has not seen
 * when listening stops are closed. */
struct listener {
	void (*accepted)(struct listener *l, int fd);
	void (*failed)(struct listener *l, int err);     /* -EMFILE ..: accepting goes on after a pause */
	struct reactor *reactor;         /* private from here */
	int fd;
	uint64_t priv[24];
};
int listener_start(struct reactor *r, struct listener *l, int fd) _must_check_;
void listener_stop(struct listener *l);

/* A connected byte stream.
 *
 * Receiving: data() is handed bytes that are borrowed during the call.  It returns how many it
 * took: all of them, unless it called stream_pause(); the rest is handed again after
 * stream_resume().  stream_sink() says that the next len_bytes go straight to memory and not
 * through data(); sunk() runs when they are there.  A sink set from data() applies to what follows
 * the bytes that data() takes.  Setting the next sink from sunk() is usual.
 *
 * Sending: stream_send() queues; all that was queued in a turn leaves in one system call at its
 * end.  The vectors and what they point to are borrowed until sent().
 *
 * Ending: on end of file, error or stream_close() every queued stream_out gets sent() with
 * -ECANCELED, then closed() runs once, and after it the storage is the caller's again.  closed()
 * never runs from inside stream_close() or stream_send(). */
struct stream;
struct stream_out {
	struct stream_out *next;
	void (*sent)(struct stream_out *o, int status); /* 0 or -ECANCELED */
	const struct iovec *iov;
	unsigned iov_count;
	uint32_t done_iov;               /* private: progress */
	size_t done_bytes;
};
struct stream_ops {
	size_t (*data)(struct stream *s, const uint8_t *p, size_t len_bytes);
	void (*sunk)(struct stream *s);
	void (*closed)(struct stream *s, int err);       /* 0: the peer or we closed in order */
};
struct stream {
	const struct stream_ops *ops;
	struct reactor *reactor;         /* private from here */
	int fd;
	unsigned state;
	uint8_t *sink;
	size_t sink_left_bytes;
	struct stream_out *out_head, **out_tail;
	size_t out_bytes;
	struct defer flush, end;
	uint64_t priv[32];
};
/* Takes fd (also on error).  Receiving starts at once. */
int stream_open(struct reactor *r, struct stream *s, int fd, const struct stream_ops *ops) _must_check_;
void stream_sink(struct stream *s, void *to, size_t len_bytes);
void stream_pause(struct stream *s);
void stream_resume(struct stream *s);
void stream_send(struct stream *s, struct stream_out *o);
size_t stream_unsent_bytes(const struct stream *s);
/* abort: drop what is unsent; otherwise send it first (bounded by 2 s), then close. */
void stream_close(struct stream *s, bool abort);
static inline int stream_fd(const struct stream *s)
{
	return s->fd;
}

/* File I/O, for regular files and block devices.  Runs on the kernel's ring or on the worker pool;
 * done() always runs later, never inside reactor_file().  result: bytes moved, or -errno; a short
 * count is possible as with preadv2().  Storage and vectors are borrowed until done(). */
enum file_opcode { FILE_READV, FILE_WRITEV, FILE_FDATASYNC, FILE_FALLOCATE };
struct file_op {
	struct msg msg;                  /* private: work queue, reply */
	void (*done)(struct file_op *op, int64_t result);
	enum file_opcode opcode;
	int fd;
	int flags;                       /* READV/WRITEV: RWF_*; FALLOCATE: FALLOC_FL_* */
	unsigned iov_count;
	const struct iovec *iov;
	uint64_t offset_bytes;
	uint64_t len_bytes;              /* FALLOCATE only */
	struct reactor *reactor;         /* private from here */
	int64_t result;
};
void reactor_file(struct reactor *r, struct file_op *op);

/* Blocking work on the worker pool (shared by all reactors, grows on demand to a bound).
 * work() runs on a worker; done() on the reactor that asked.  Storage borrowed until done(). */
struct work {
	struct msg msg;                  /* private */
	void (*work)(struct work *w);
	void (*done)(struct work *w);    /* may be NULL: then storage is free after work() */
	struct reactor *reactor;         /* private */
};
void reactor_work(struct reactor *r, struct work *w);    /* r may be NULL when done is NULL */

/* Buffers: page-aligned, last used first out, bounded per reactor.  get returns NULL when the
 * bound is reached: then wait, and ready() runs when it is worth trying again. */
struct bufpool *reactor_bufs(struct reactor *r);
void *buf_get(struct bufpool *p, size_t len_bytes);
void buf_put(struct bufpool *p, void *buf, size_t len_bytes); /* the len given to buf_get */
struct buf_waiter {
	struct list link;
	void (*ready)(struct buf_waiter *w);
};
void buf_wait(struct bufpool *p, struct buf_waiter *w);
void buf_wait_cancel(struct buf_waiter *w);              /* fine when not waiting */
#define BUF_MAX_BYTES (4u << 20)         /* the largest single buffer */
/* len_bytes in pieces of at most 1 MiB: all of them, or none, and w waits (-EAGAIN). */
#define BUF_PIECE_BYTES (1u << 20)
int buf_pieces_get(struct bufpool *p, uint64_t len_bytes, struct iovec *piece, uint16_t *ret_count, struct buf_waiter *w) _must_check_;
void buf_pieces_put(struct bufpool *p, const struct iovec *piece, uint16_t *count); /* count becomes 0 */
/* len bytes from offset on, as views into from[]; to[] has room for as many.  Returns how many it wrote. */
uint16_t iov_cut(const struct iovec *from, unsigned from_count, uint64_t offset, uint64_t len, struct iovec *to);

/* Counters of the loop, for statistics; any thread, approximate. */
struct reactor_stats {
	uint64_t turns, sleeps, spins_won, spins_lost, messages, busy_ns;
	uint64_t recvs, sends;           /* streams: deliveries from and system calls to the kernel */
};
void reactor_stats(const struct reactor *r, struct reactor_stats *ret_stats);

#endif
