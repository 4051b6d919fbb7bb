/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cursor.c - walking over scattered memory: take a slice, copy, compare.  Pure. */
#include "block/block_priv.h"

#include <string.h>

/* The rest of the vector the cursor stands in; empty vectors are passed over. */
static struct iovec here(struct cursor *c)
{
	for (;;) {
		if (c->at >= c->iov_count) {
			if (!c->cyclic || !c->iov_count)
				return (struct iovec){ NULL, 0 };
			c->at = 0;
			c->skip = 0;
		}
		const struct iovec *v = &c->iov[c->at];
		if (c->skip < v->iov_len)
			return (struct iovec){ (char *)v->iov_base + c->skip, v->iov_len - c->skip };
		c->at++;
		c->skip = 0;
	}
}

void cursor_skip(struct cursor *c, uint64_t bytes)
{
	while (bytes) {
		struct iovec v = here(c);
		if (!v.iov_len)
			return;
		size_t n = (size_t)min_u64(v.iov_len, bytes);
		c->skip += n;
		bytes -= n;
	}
}

size_t cursor_take(struct cursor *c, size_t len_bytes, struct iovec *to, unsigned max, unsigned *ret_count)
{
	size_t taken = 0;
	unsigned n = 0;
	while (taken < len_bytes && n < max) {
		struct iovec v = here(c);
		if (!v.iov_len)
			break;
		if (v.iov_len > len_bytes - taken)
			v.iov_len = len_bytes - taken;
		to[n++] = v;
		c->skip += v.iov_len;
		taken += v.iov_len;
	}
	*ret_count = n;
	return taken;
}

void cursor_copy_out(struct cursor *c, void *to, size_t len_bytes)
{
	char *p = to;
	while (len_bytes) {
		struct iovec v;
		unsigned n;
		size_t got = cursor_take(c, len_bytes, &v, 1, &n);
		if (!got)
			return;
		memcpy(p, v.iov_base, got);
		p += got;
		len_bytes -= got;
	}
}

void cursor_copy_in(struct cursor *c, const void *from, size_t len_bytes)
{
	const char *p = from;
	while (len_bytes) {
		struct iovec v;
		unsigned n;
		size_t got = cursor_take(c, len_bytes, &v, 1, &n);
		if (!got)
			return;
		memcpy(v.iov_base, p, got);
		p += got;
		len_bytes -= got;
	}
}

static size_t common_prefix(const uint8_t *a, const uint8_t *b, size_t len)
{
	if (memcmp(a, b, len) == 0)
		return len;
	size_t i = 0;
	while (a[i] == b[i])
		i++;
	return i;
}

size_t cursor_compare(struct cursor *c, const void *mem, size_t len_bytes)
{
	const uint8_t *p = mem;
	size_t same = 0;
	while (same < len_bytes) {
		struct iovec v;
		unsigned n;
		size_t got = cursor_take(c, len_bytes - same, &v, 1, &n);
		if (!got)
			return same;
		size_t equal = common_prefix(v.iov_base, p + same, got);
		same += equal;
		if (equal < got)
			return same;
	}
	return same;
}
