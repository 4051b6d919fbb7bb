/* SPDX-License-Identifier: GPL-3.0-or-later */
/* buffer.c - memory of tasks, from the reactor's bounded pool, in pieces of at most 1 MiB.
 * A task gets all that it needs or nothing and waits, so that two big ones never hold half each. */
#include "scsi/scsi_priv.h"

int buffer_get(struct task *p, uint64_t len_bytes, struct buf_waiter *w)
{
	struct bufpool *pool = reactor_bufs(p->itl->nexus->reactor);
	uint16_t n = 0;
	for (uint64_t left = len_bytes; left; n++) {
		size_t some = left < PIECE_BYTES ? (size_t)left : PIECE_BYTES;
		void *b = buf_get(pool, some);
		if (unlikely(!b)) {
			while (n)
				n--, buf_put(pool, p->piece[n].iov_base, p->piece[n].iov_len);
			buf_wait(pool, w);
			return -EAGAIN;
		}
		p->piece[n] = (struct iovec){ b, some };
		left -= some;
	}
	p->piece_count = n;
	p->t->iov = p->piece;
	p->t->iov_count = n;
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
	while (p->piece_count) {
		struct iovec *v = &p->piece[--p->piece_count];
		buf_put(pool, v->iov_base, v->iov_len);
	}
	if (p->scratch)
		buf_put(pool, p->scratch, p->scratch_got_bytes);
	p->scratch = NULL;
	p->t->iov = NULL;
	p->t->iov_count = 0;
}

uint16_t iov_cut(const struct iovec *from, unsigned from_count, uint64_t offset, uint64_t len, struct iovec *to)
{
	uint16_t n = 0;
	for (unsigned k = 0; k < from_count && len; k++) {
		if (offset >= from[k].iov_len) {
			offset -= from[k].iov_len;
			continue;
		}
		uint64_t some = min_u64(from[k].iov_len - offset, len);
		to[n++] = (struct iovec){ (uint8_t *)from[k].iov_base + offset, (size_t)some };
		len -= some;
		offset = 0;
	}
	return n;
}

int scsi_task_buffer(struct scsi_task *t, uint64_t want_bytes, struct buf_waiter *w)
{
	struct task *p = task_of(t);
	if (p->piece_count)
		return 0;
	return buffer_get(p, min_u64(want_bytes, t->data_len_bytes), w);
}
