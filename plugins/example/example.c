/* SPDX-License-Identifier: GPL-3.0-or-later */
/* example.c - the smallest backend that does everything: start here when you write one.
 *
 * A plugin is a folder plugins/NAME with NAME.c that fills in one struct hf_plugin.  This one keeps
 * a volume in one plain file of the pool and serves it in the blocking way: ordinary functions
 * that read and write, which the server runs on worker threads, several at a time.  The contract,
 * with every field, is sdk/plugin.h; what you leave out, the server does for you.
 *
 * Rules that all plugins keep:
 *  - Functions return 0 or a negative errno, never a count.
 *  - Write a sentence for a person to `why` when create, open, destroy or resize fail.
 *  - A write may be acknowledged before it is durable only if get_info() says volatile_cache;
 *    then flush() must make everything durable that was written before it.
 *  - open() never makes a backing store: a missing one is an error, the server shows it. */
#include "sdk/plugin.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What open() hands out, and every other function gets back. */
struct example {
	int fd;
};

static int path_of(const struct hf_volume *v, char *path, size_t path_bytes, char *why, size_t why_bytes)
{
	if (!v->pool_path) {
		snprintf(why, why_bytes, "a volume of the plugin example needs a pool");
		return -EINVAL;
	}
	int n = snprintf(path, path_bytes, "%s/%s.img", v->pool_path, v->uuid);
	return n > 0 && (size_t)n < path_bytes ? 0 : -ENAMETOOLONG;
}

static int example_create(const struct hf_volume *v, char *why, size_t why_bytes)
{
	char path[4096];
	int err = path_of(v, path, sizeof(path), why, why_bytes);
	if (err)
		return err;
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 || ftruncate(fd, (off_t)v->size_bytes) || fsync(fd)) {
		err = -errno;
		snprintf(why, why_bytes, "%s cannot be made: %s", path, strerror(errno));
		if (fd >= 0)
			unlink(path);
	}
	if (fd >= 0)
		close(fd);
	return err;
}

static int example_destroy(const struct hf_volume *v, char *why, size_t why_bytes)
{
	char path[4096];
	int err = path_of(v, path, sizeof(path), why, why_bytes);
	if (!err && unlink(path) && errno != ENOENT) {
		err = -errno;
		snprintf(why, why_bytes, "%s cannot be removed: %s", path, strerror(errno));
	}
	return err;
}

static int example_open(const struct hf_volume *v, struct hf_next *next, void **ret_handle, char *why, size_t why_bytes)
{
	char path[4096];
	struct stat st;
	(void)next;                              /* only stacked plugins have a backend below */
	int err = path_of(v, path, sizeof(path), why, why_bytes);
	if (err)
		return err;
	struct example *e = calloc(1, sizeof(*e));
	if (!e)
		return -ENOMEM;
	e->fd = open(path, (v->read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC);
	if (e->fd < 0 || fstat(e->fd, &st)) {
		err = -errno;
		snprintf(why, why_bytes, "%s: %s", path, strerror(errno));
	} else if (v->size_bytes && (uint64_t)st.st_size != v->size_bytes) {
		err = -EINVAL;
		snprintf(why, why_bytes, "%s has %lld bytes, the volume is configured with %llu", path,
			 (long long)st.st_size, (unsigned long long)v->size_bytes);
	}
	if (err) {
		if (e->fd >= 0)
			close(e->fd);
		free(e);
		return err;
	}
	*ret_handle = e;
	return 0;
}

static void example_close(void *handle)
{
	struct example *e = handle;
	close(e->fd);
	free(e);
}

static int example_get_info(void *handle, struct hf_info *ret_info)
{
	struct example *e = handle;
	struct stat st;
	if (fstat(e->fd, &st))
		return -errno;
	*ret_info = (struct hf_info){
		.size_bytes = (uint64_t)st.st_size,
		.block_bytes = 1,                /* any byte range will do */
		.physical_bytes = 4096,
		.align_bytes = 1,
		.volatile_cache = true,          /* the page cache: hence flush() below */
		.thin = true,
	};
	return 0;
}

/* One call may move less than asked for: go on until all of it is there. */
static int example_read(void *handle, void *buf, size_t len_bytes, uint64_t offset_bytes)
{
	struct example *e = handle;
	for (size_t at = 0; at < len_bytes;) {
		ssize_t n = pread(e->fd, (char *)buf + at, len_bytes - at, (off_t)(offset_bytes + at));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -EIO;             /* the file is shorter than it was: do not invent data */
		at += (size_t)n;
	}
	return 0;
}

static int example_write(void *handle, const void *buf, size_t len_bytes, uint64_t offset_bytes, unsigned flags)
{
	struct example *e = handle;
	(void)flags;                             /* HF_FUA comes only to those who say can_fua */
	for (size_t at = 0; at < len_bytes;) {
		ssize_t n = pwrite(e->fd, (const char *)buf + at, len_bytes - at, (off_t)(offset_bytes + at));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;           /* -ENOSPC has a meaning of its own: the pool is full */
		at += (size_t)n;
	}
	return 0;
}

static int example_flush(void *handle)
{
	struct example *e = handle;
	return fdatasync(e->fd) ? -errno : 0;
}

static int example_resize(void *handle, uint64_t new_size_bytes, char *why, size_t why_bytes)
{
	struct example *e = handle;
	if (ftruncate(e->fd, (off_t)new_size_bytes) == 0 && fsync(e->fd) == 0)
		return 0;
	int err = -errno;
	snprintf(why, why_bytes, "the file cannot be resized: %s", strerror(errno));
	return err;
}

static int example_used_bytes(void *handle, uint64_t *ret_bytes)
{
	struct example *e = handle;
	struct stat st;
	if (fstat(e->fd, &st))
		return -errno;
	*ret_bytes = (uint64_t)st.st_blocks * 512;
	return 0;
}

static struct hf_plugin plugin = {
	.name = "example",
	.summary = "Keeps the volume in one file, in the simplest way; for those who write plugins",
	.version = "1",
	.create = example_create,
	.destroy = example_destroy,
	.open = example_open,
	.close = example_close,
	.get_info = example_get_info,
	.resize = example_resize,
	.used_bytes = example_used_bytes,
	.read = example_read,
	.write = example_write,
	.flush = example_flush,
};
HOLDFAST_REGISTER_PLUGIN(plugin)
