/* SPDX-License-Identifier: GPL-3.0-or-later */
/* buffer.c - memory of commands, from the reactor's bounded pool. */
#include "nvme/nvme_priv.h"

int nvme_buffer_get(struct job *j, uint64_t len_bytes, struct buf_waiter *w)
{
	if (buf_pieces_get(reactor_bufs(j->queue->reactor), len_bytes, j->piece, &j->piece_count, w) < 0)
		return -EAGAIN;
	j->c->iov = j->piece;
	j->c->iov_count = j->piece_count;
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
	buf_pieces_put(pool, j->piece, &j->piece_count);
	if (j->scratch)
		buf_put(pool, j->scratch, j->scratch_got_bytes);
	j->scratch = NULL;
	j->c->iov = NULL;
	j->c->iov_count = 0;
}

int nvme_cmd_buffer(struct nvme_cmd *c, struct buf_waiter *w)
{
	struct job *j = job_of(c);
	if (j->piece_count || c->direction != NVME_FROM_HOST)
		return 0;
	return nvme_buffer_get(j, c->data_len_bytes, w);
}
