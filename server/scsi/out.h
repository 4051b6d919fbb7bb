/* SPDX-License-Identifier: GPL-3.0-or-later */
/* out.h - writes parameter data of any length into memory of bounded length.
 * What does not fit is counted and dropped, so no allocation length can hurt; lengths are
 * patched afterwards. */
#ifndef HOLDFAST_SCSI_OUT_H
#define HOLDFAST_SCSI_OUT_H

#include <string.h>

#include "core/core.h"

struct out {
	uint8_t *p;
	size_t room, len;                /* len may pass room */
};
static inline void out_bytes(struct out *o, const void *from, size_t n)
{
	if (o->len < o->room)
		memcpy(o->p + o->len, from, n < o->room - o->len ? n : o->room - o->len);
	o->len += n;
}
static inline void out_zero(struct out *o, size_t n)
{
	if (o->len < o->room)
		memset(o->p + o->len, 0, n < o->room - o->len ? n : o->room - o->len);
	o->len += n;
}
static inline void out_8(struct out *o, unsigned v)
{
	uint8_t b = (uint8_t)v;
	out_bytes(o, &b, 1);
}
static inline void out_16(struct out *o, unsigned v)
{
	be16 b = be16_of((uint16_t)v);
	out_bytes(o, &b, sizeof(b));
}
static inline void out_24(struct out *o, uint32_t v)
{
	be24 b = be24_of(v);
	out_bytes(o, &b, sizeof(b));
}
static inline void out_32(struct out *o, uint32_t v)
{
	be32 b = be32_of(v);
	out_bytes(o, &b, sizeof(b));
}
static inline void out_64(struct out *o, uint64_t v)
{
	be64 b = be64_of(v);
	out_bytes(o, &b, sizeof(b));
}
/* A string in a field of n bytes, filled with blanks, as SPC likes them. */
static inline void out_padded(struct out *o, const char *s, size_t n)
{
	for (size_t i = 0, end = 0; i < n; i++) {
		end = end || !s[i];
		out_8(o, end ? ' ' : (uint8_t)s[i]);
	}
}
static inline void out_patch(struct out *o, size_t at, const void *from, size_t n)
{
	for (size_t i = 0; i < n && at + i < o->room; i++)
		o->p[at + i] = ((const uint8_t *)from)[i];
}
static inline void out_patch_8(struct out *o, size_t at, size_t v)
{
	uint8_t b = (uint8_t)v;
	out_patch(o, at, &b, 1);
}
static inline void out_patch_16(struct out *o, size_t at, size_t v)
{
	be16 b = be16_of((uint16_t)v);
	out_patch(o, at, &b, sizeof(b));
}
static inline void out_patch_32(struct out *o, size_t at, size_t v)
{
	be32 b = be32_of((uint32_t)v);
	out_patch(o, at, &b, sizeof(b));
}

#endif
