/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pieces.c - the memory of a command: pieces of at most 1 MiB from a bounded pool, and windows on them. */
#include "core/reactor.h"

/* All or nothing, so that two big commands never hold half each. */
int buf_pieces_get(struct bufpool *pool, uint64_t len_bytes, struct iovec *piece, uint16_t *ret_count, struct buf_waiter *w)
{
	uint16_t n = 0;

	for (uint64_t left = len_bytes; left; n++) {
		size_t some = left < BUF_PIECE_BYTES ? (size_t)left : BUF_PIECE_BYTES;
		void *b = buf_get(pool, some);
		if (unlikely(!b)) {
			buf_pieces_put(pool, piece, &n);
			buf_wait(pool, w);
			return -EAGAIN;
		}
		piece[n] = (struct iovec){ b, some };
		left -= some;
	}
	*ret_count = n;
	return 0;
}

void buf_pieces_put(struct bufpool *pool, const struct iovec *piece, uint16_t *count)
{
	while (*count) {
		--*count;
		buf_put(pool, piece[*count].iov_base, piece[*count].iov_len);
	}
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
