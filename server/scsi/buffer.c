/* SPDX-License-Identifier: GPL-3.0-or-later */
/* buffer.c - memory of tasks, from the reactor's bounded pool. */
#include "scsi/scsi_priv.h"

int buffer_get(struct task *p, uint64_t len_bytes, struct buf_waiter *w)
{
	if (buf_pieces_get(reactor_bufs(p->itl->nexus->reactor), len_bytes, p->piece, &p->piece_count, w) < 0)
		return -EAGAIN;
	p->t->iov = p->piece;
	p->t->iov_count = p->piece_count;
	return 0;
}

int scratch_get(struct task *p, struct buf_waiter *w)
{
	struct bufpool *pool = reactor_bufs(p->itl->nexus->reactor);
	p->scratch = buf_get(pool, p->scratch_bytes);
	if (!p->scratch) {
		buf_wait(pool, w);
		return -EAGAIN;
	}
	p->scratch_got_bytes = p->scratch_bytes;
	return 0;
}

void buffer_put(struct task *p)
{
	struct bufpool *pool;
	if (!p->piece_count && !p->scratch)
		return;
	pool = reactor_bufs(reactor_self());
	buf_pieces_put(pool, p->piece, &p->piece_count);
	if (p->scratch)
		buf_put(pool, p->scratch, p->scratch_got_bytes);
	p->scratch = NULL;
	p->t->iov = NULL;
	p->t->iov_count = 0;
}

int scsi_task_buffer(struct scsi_task *t, uint64_t want_bytes, struct buf_waiter *w)
{
	struct task *p = task_of(t);
	if (p->piece_count)
		return 0;
	return buffer_get(p, min_u64(want_bytes, t->data_len_bytes), w);
}
