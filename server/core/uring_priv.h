/* SPDX-License-Identifier: GPL-3.0-or-later */
/* uring_priv.h - what the two halves of the io_uring engine share: engine_uring.c has the ring, the
 * loop, watches, listeners and files; uring_recv.c has streams and their receive buffers. */
#ifndef HOLDFAST_CORE_URING_PRIV_H
#define HOLDFAST_CORE_URING_PRIV_H

#include <liburing.h>

#include "core/reactor_priv.h"

/* For the tests: behave as on Linux 5.11, the oldest kernel we take.  Set before a reactor is made. */
extern bool uring_pretend_old;

/* A request in flight that belongs to an object which may go away before its completions: the
 * completion finds the slot, and the slot no longer finds an owner.  Slots are freed by the last
 * completion, so a number is never reused too early.  0 stands for "none". */
enum slot_kind { SLOT_FREE, SLOT_WAKE, SLOT_WATCH, SLOT_ACCEPT, SLOT_ACCEPT_POLL, SLOT_RECV,
		 SLOT_POLL_IN, SLOT_POLL_OUT };
struct slot {
	void *owner;                     /* NULL: gone */
	uint32_t next_free;
	uint8_t kind;
	bool cancelled;
};

struct uring {
	struct io_uring ring;
	bool ring_ready;
	bool has_taskrun_flag;           /* the kernel says when it has something for us */
	bool multishot_recv, multishot_accept;
	struct slot *slots;
	uint32_t slots_count, slots_free;
	struct uring_bufs *bufs;         /* with multishot_recv */
};
static inline struct uring *uring_of(struct reactor *r)
{
	return r->engine_data;
}

struct io_uring_sqe *uring_sqe(struct uring *u);         /* never NULL */
/* Puts the slot's number on the request; returns it. */
uint32_t uring_slot_new(struct uring *u, struct io_uring_sqe *sqe, enum slot_kind kind, void *owner);
void uring_slot_cancel(struct uring *u, uint32_t *slot); /* owner forgets, slot waits for its end */
void uring_slot_interrupt(struct uring *u, uint32_t slot); /* the owner wants to see the end */
uint32_t uring_poll(struct uring *u, int fd, unsigned mask, enum slot_kind kind, void *owner);

/* uring_recv.c */
int uring_bufs_open(struct uring *u);                    /* -EINVAL ..: no provided buffers here */
void uring_bufs_close(struct uring *u);
void uring_bufs_refill(struct uring *u);                 /* once a turn */
void uring_bufs_drop(struct uring *u, uint32_t cqe_flags); /* a buffer nobody wants */
int uring_stream_attach(struct stream *s);
void uring_stream_update(struct stream *s);
void uring_stream_detach(struct stream *s);
void uring_stream_event(struct uring *u, enum slot_kind kind, struct stream *s, int res, uint32_t flags);

#endif
