/* SPDX-License-Identifier: GPL-3.0-or-later */
/* answer.c - where commands that make their own answer write it. */
#include "nvme/ops_priv.h"

struct out job_out(struct job *j, uint64_t skip)
{
	struct iovec *v = j->piece_count ? &j->piece[0] : NULL;
	if (v)
		memset(v->iov_base, 0, v->iov_len);
	return (struct out){ .p = v ? v->iov_base : NULL, .room = v ? v->iov_len : 0, .skip = skip };
}

enum step job_out_end(struct job *j)
{
	if (!j->result)
		j->c->data_in_bytes = j->c->data_len_bytes;
	return STEP_END;
}
