/* SPDX-License-Identifier: GPL-3.0-or-later */
/* null.c - a volume that holds nothing: reads are zeroes, writes are forgotten.
 * For measuring everything else: it is the cost of the path without a backing store. */
#include "sdk/plugin.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_BYTES ((uint64_t)1 << 30)

struct null_volume {
	uint64_t size_bytes;
	uint32_t block_bytes;
};

static int null_open(const struct hf_volume *v, struct hf_next *next, void **ret_handle, char *why, size_t why_bytes)
{
	(void)next;
	(void)why;
	(void)why_bytes;
	struct null_volume *n = calloc(1, sizeof(*n));
	if (!n)
		return -ENOMEM;
	n->size_bytes = v->size_bytes ? v->size_bytes : DEFAULT_BYTES;
	n->block_bytes = v->block_bytes;
	*ret_handle = n;
	return 0;
}

static void null_close(void *handle)
{
	free(handle);
}

static int null_get_info(void *handle, struct hf_info *ret_info)
{
	const struct null_volume *n = handle;
	*ret_info = (struct hf_info){
		.size_bytes = n->size_bytes,
		.block_bytes = 512,
		.physical_bytes = n->block_bytes,
		.align_bytes = 1,
		.unmap_granularity_bytes = n->block_bytes,
		.can_fua = true,
		.can_zero = true,
		.can_copy = true,
		.unmap_zeroes = true,
		.thin = true,
	};
	return 0;
}

static int null_resize(void *handle, uint64_t new_size_bytes, char *why, size_t why_bytes)
{
	struct null_volume *n = handle;
	(void)why;
	(void)why_bytes;
	n->size_bytes = new_size_bytes;
	return 0;
}

static int null_used_bytes(void *handle, uint64_t *ret_bytes)
{
	(void)handle;
	*ret_bytes = 0;
	return 0;
}

static int null_submit(void *handle, struct hf_io *io)
{
	(void)handle;
	if (io->op == HF_READ)
		for (unsigned i = 0; i < io->iov_count; i++)
			memset(io->iov[i].iov_base, 0, io->iov[i].iov_len);
	return 0;
}

static int null_extents(void *handle, uint64_t offset_bytes, uint64_t len_bytes, struct hf_extent *ext, size_t *count)
{
	(void)handle;
	ext[0] = (struct hf_extent){ offset_bytes, len_bytes, false };
	*count = 1;
	return 0;
}

static struct hf_plugin plugin = {
	.name = "null",
	.summary = "Reads zeroes and forgets what is written; for measurements",
	.version = "1",
	.open = null_open,
	.close = null_close,
	.get_info = null_get_info,
	.resize = null_resize,
	.used_bytes = null_used_bytes,
	.submit = null_submit,
	.extents = null_extents,
};
HOLDFAST_REGISTER_PLUGIN(plugin)
