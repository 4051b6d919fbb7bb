/* SPDX-License-Identifier: GPL-3.0-or-later */
/* out.h - writes data of any length through a window: a host asks for some bytes from an offset on, what
 * lies before and behind them is counted and dropped, so no length or offset can hurt. */
#ifndef HOLDFAST_NVME_OUT_H
#define HOLDFAST_NVME_OUT_H

#include <string.h>

#include "core/core.h"

struct out {
	uint8_t *p;
	size_t room;
	uint64_t skip, len;              /* window's start; bytes written so far, seen or not */
};
static inline void out_bytes(struct out *o, const void *from, size_t n)
{
	const uint8_t *b = from;
	uint64_t at = o->len;
	o->len += n;
	if (at < o->skip) {
		uint64_t gone = min_u64(o->skip - at, n);
		b += gone;
		n -= (size_t)gone;
		at += gone;
	}
	at -= o->skip;
	if (n && at < o->room)
		memcpy(o->p + at, b, n < o->room - at ? n : o->room - (size_t)at);
}
static inline void out_le32(struct out *o, uint32_t v)
{
	le32 b = le32_of(v);
	out_bytes(o, &b, sizeof(b));
}

#endif
