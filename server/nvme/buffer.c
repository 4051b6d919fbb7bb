/* SPDX-License-Identifier: GPL-3.0-or-later */
/* buffer.c - memory of commands, from the reactor's bounded pool, in pieces of at most 1 MiB.
 * A command gets all that it needs or nothing and waits, so that two big ones never hold half each. */
#include "nvme/nvme_priv.h"

int nvme_buffer_get(struct job *j, uint64_t len_bytes, struct buf_waiter *w)
{
	struct bufpool *pool = reactor_bufs(j->queue->reactor);
	uint16_t n = 0;
	for (uint64_t left = len_bytes; left; n++) {
		size_t some = left < PIECE_BYTES ? (size_t)left : PIECE_BYTES;
		void *b = buf_get(pool, some);
		if (unlikely(!b)) {
			while (n)
				n--, buf_put(pool, j->piece[n].iov_base, j->piece[n].iov_len);
			buf_wait(pool, w);
			return -EAGAIN;
		}
		j->piece[n] = (struct iovec){ b, some };
		left -= some;
	}
	j->piece_count = n;
	j->c->iov = j->piece;
	j->c->iov_count = n;
	return 0;
}

int nvme_scratch_get(struct job *j, struct buf_waiter *w)
{
	struct bufpool *pool = reactor_bufs(j->queue->reactor);
	j->scratch = buf_get(pool, j->scratch_bytes);
	if (!j->scratch) {
		buf_wait(pool, w);
		return -EAGAIN;
	}
	j->scratch_got_bytes = j->scratch_bytes;
	return 0;
}

void nvme_buffer_put(struct job *j)
{
	if (!j->piece_count && !j->scratch)
		return;
	struct bufpool *pool = reactor_bufs(reactor_self());
	while (j->piece_count) {
		struct iovec *v = &j->piece[--j->piece_count];
		buf_put(pool, v->iov_base, v->iov_len);
	}
	if (j->scratch)
		buf_put(pool, j->scratch, j->scratch_got_bytes);
	j->scratch = NULL;
	j->c->iov = NULL;
	j->c->iov_count = 0;
}

uint16_t nvme_iov_cut(const struct iovec *from, unsigned from_count, uint64_t offset, uint64_t len, struct iovec *to)
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

int nvme_cmd_buffer(struct nvme_cmd *c, struct buf_waiter *w)
{
	struct job *j = job_of(c);
	if (j->piece_count || c->direction != NVME_FROM_HOST)
		return 0;
	return nvme_buffer_get(j, c->data_len_bytes, w);
}
