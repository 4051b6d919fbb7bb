/* SPDX-License-Identifier: GPL-3.0-or-later */
/* block.c - a volume on a raw block device: a disk, a partition, a logical volume; or on an image file: read-only, or
 * read-write when it lies in the pool of the volume.
 * Direct I/O through the reactor's ring; what has only a blocking ioctl runs on workers.  The
 * device is opened by the server (which may ask its broker), exclusively, so a mounted or otherwise
 * used device is refused. */
#include "sdk/plugin.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <limits.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static const struct hf_host *host;

struct device {
	int fd;
	uint64_t size_bytes;
	uint32_t logical_bytes, physical_bytes, discard_bytes;
	bool read_only, rotational, write_cache, is_image, is_adopted;
	char uuid[37];
};

/* One request, in hf_io.scratch. */
struct request {
	struct hf_file_op op;
	struct hf_work work;
	struct hf_io *io;
	struct device *device;
	int status;
};
_Static_assert(sizeof(struct request) <= sizeof(((struct hf_io *)0)->scratch), "hf_io.scratch");

static int status_of(int64_t result)
{
	if (result >= 0)
		return 0;
	switch (result) {
	case -ENOSPC:
	case -EDQUOT:
		return -ENOSPC;                  /* a thin logical volume whose pool is full */
	case -ENXIO:
	case -ENODEV:
	case -ENOMEDIUM:
		return -ESHUTDOWN;               /* the device was pulled */
	case -EROFS:
	case -EPERM:
		return -EROFS;
	case -ENOMEM:
	case -EOPNOTSUPP:
		return (int)result;
	default:
		return -EIO;
	}
}

/* ---- what the device is ------------------------------------------------------------------------------ */
/* A number from the device's queue folder; partitions share that of their disk. */
static uint64_t queue_number(const struct stat *st, const char *name)
{
	for (int i = 0; i < 2; i++) {
		char path[128], text[32] = "";
		snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/%squeue/%s", major(st->st_rdev),
			 minor(st->st_rdev), i ? "../" : "", name);
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			continue;
		ssize_t n = read(fd, text, sizeof(text) - 1);
		close(fd);
		if (n > 0 && strcmp(name, "write_cache") == 0)
			return strncmp(text, "write back", 10) == 0;
		if (n > 0)
			return strtoull(text, NULL, 10);
	}
	return strcmp(name, "write_cache") == 0; /* unknown: believe that there is one */
}

/* An administrator made the pool, so what lies in its folder may be written; but the volumes that are there have their own
 * owner.  The path is that of the descriptor, so links lead nowhere else. */
static bool lies_in_pool(int fd, const char *pool_path)
{
	char link[64], path[PATH_MAX], pool[PATH_MAX];
	if (!pool_path || !realpath(pool_path, pool))
		return false;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	ssize_t n = readlink(link, path, sizeof(path) - 1);
	if (n <= 0)
		return false;
	path[n] = '\0';
	size_t len = strlen(pool);
	return strncmp(path, pool, len) == 0 && path[len] == '/' && strncmp(path + len, "/volumes/", 9) != 0;
}

/* Read-write when it may be: -EBUSY when another volume has it. */
static int image_open(const char *path, const struct hf_volume *v, bool *ret_adopted)
{
	*ret_adopted = false;
	if (!v->read_only && v->pool_path) {
		int fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
		if (fd < 0 && errno != ELOOP)
			return -errno;
		if (fd >= 0 && lies_in_pool(fd, v->pool_path)) {
			if (flock(fd, LOCK_EX | LOCK_NB)) {
				close(fd);
				return -EBUSY;
			}
			*ret_adopted = true;
			return fd;
		}
		if (fd >= 0)
			close(fd);
	}
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	return fd < 0 ? -errno : fd;
}

static int probe(struct device *d, const char *path, char *why, size_t why_bytes)
{
	struct stat st;
	unsigned physical = 0;
	int logical = 0;
	if (!fstat(d->fd, &st) && S_ISREG(st.st_mode)) {
		/* An image, such as an ISO.  What its owner keeps from others is not for hosts either. */
		if (!d->is_adopted && !(st.st_mode & S_IROTH)) {
			snprintf(why, why_bytes, "%s may not be read by everybody (chmod o+r)", path);
			return -EACCES;
		}
		d->size_bytes = (uint64_t)st.st_size / 512 * 512;
		d->logical_bytes = d->physical_bytes = 512;
		d->is_image = true;
		d->read_only = !d->is_adopted;
		if (d->is_adopted) {
			d->write_cache = true;
			d->physical_bytes = d->discard_bytes = 4096;
		}
		return 0;
	}
	if (fstat(d->fd, &st) || !S_ISBLK(st.st_mode)) {
		snprintf(why, why_bytes, "%s is neither a block device nor an image file", path);
		return -ENOTBLK;
	}
	if (ioctl(d->fd, BLKGETSIZE64, &d->size_bytes) || ioctl(d->fd, BLKSSZGET, &logical) ||
	    ioctl(d->fd, BLKPBSZGET, &physical) || logical <= 0) {
		snprintf(why, why_bytes, "%s does not tell its size: %s", path, strerror(errno));
		return -EIO;
	}
	d->logical_bytes = (uint32_t)logical;
	d->physical_bytes = physical;
	if (queue_number(&st, "discard_max_bytes"))
		d->discard_bytes = (uint32_t)queue_number(&st, "discard_granularity");
	d->rotational = queue_number(&st, "rotational") != 0;
	d->write_cache = queue_number(&st, "write_cache") != 0;
	return 0;
}

static void device_close(void *handle)
{
	struct device *d = handle;
	if (d->fd >= 0)
		close(d->fd);
	free(d);
}

static int device_open(const struct hf_volume *v, struct hf_next *next, void **ret_handle, char *why, size_t why_bytes)
{
	const char *path = hf_setting(v, "path");
	(void)next;
	struct device *d = calloc(1, sizeof(*d));
	if (!d)
		return -ENOMEM;
	d->read_only = v->read_only;
	snprintf(d->uuid, sizeof(d->uuid), "%s", v->uuid);
	struct stat st;
	if (!stat(path, &st) && S_ISREG(st.st_mode)) {   /* with our own rights, and through the page cache */
		d->fd = image_open(path, v, &d->is_adopted);
	} else {
		d->fd = host->open_path(path, (v->read_only ? O_RDONLY : O_RDWR) | O_DIRECT | O_EXCL | O_CLOEXEC);
	}
	int err = d->fd < 0 ? d->fd : 0;
	if (err)
		snprintf(why, why_bytes, "%s: %s", path, err == -EBUSY ? "it is in use (mounted, part of something, or another volume)"
								      : strerror(-err));
	else
		err = probe(d, path, why, why_bytes);
	if (!err && v->size_bytes > d->size_bytes) {
		snprintf(why, why_bytes, "%s holds %llu bytes, the volume is configured with %llu", path,
			 (unsigned long long)d->size_bytes, (unsigned long long)v->size_bytes);
		err = -EINVAL;
	}
	if (err) {
		device_close(d);
		return err;
	}
	*ret_handle = d;
	return 0;
}

static int device_get_info(void *handle, struct hf_info *ret_info)
{
	const struct device *d = handle;
	*ret_info = (struct hf_info){
		.size_bytes = d->size_bytes,
		.block_bytes = d->logical_bytes,
		.physical_bytes = d->physical_bytes,
		.align_bytes = d->is_image ? 1 : d->logical_bytes,
		.max_io_bytes = 4 << 20,
		.unmap_granularity_bytes = d->discard_bytes,
		.read_only = d->read_only,
		.volatile_cache = d->write_cache,
		.can_fua = true,
		.can_zero = !d->is_image || d->is_adopted,
		.unmap_zeroes = d->is_adopted,   /* a discard is a hint to a device */
		.thin = d->is_adopted,
		.rotational = d->rotational,
	};
	return 0;
}

/* The device has the size that it has; the volume may use less. */
static int device_resize(void *handle, uint64_t new_size_bytes, char *why, size_t why_bytes)
{
	struct device *d = handle;
	if (d->is_image) {
		struct stat st;
		if (!fstat(d->fd, &st))
			d->size_bytes = (uint64_t)st.st_size / 512 * 512;
	} else if (ioctl(d->fd, BLKGETSIZE64, &d->size_bytes)) {
		snprintf(why, why_bytes, "the device does not tell its size: %s", strerror(errno));
		return -EIO;
	}
	if (new_size_bytes <= d->size_bytes)
		return 0;
	snprintf(why, why_bytes, "the device holds %llu bytes; make it larger first",
		 (unsigned long long)d->size_bytes);
	return -ENOSPC;
}

/* ---- requests -------------------------------------------------------------------------------------------- */
static void ioctl_work(struct hf_work *w)
{
	struct request *r = (struct request *)((char *)w - offsetof(struct request, work));
	struct hf_io *io = r->io;
	uint64_t range[2] = { io->offset_bytes, io->len_bytes };
	int fd = r->device->fd;
	int err;
	if (r->device->is_image) {
		err = fallocate(fd, FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE, (off_t)range[0], (off_t)range[1]) ? -errno : 0;
		if (err == -EOPNOTSUPP && io->op == HF_UNMAP)
			err = 0;                 /* a hint */
	} else {
		err = ioctl(fd, io->op == HF_UNMAP ? BLKDISCARD : BLKZEROOUT, range) ? -errno : 0;
	}
	if (!err && (io->flags & HF_FUA) && fdatasync(fd))
		err = -errno;
	r->status = status_of(err);
}

static void ioctl_done(struct hf_work *w)
{
	struct request *r = (struct request *)((char *)w - offsetof(struct request, work));
	host->io_done(r->io, r->status);
}

static void rest_work(struct hf_work *w)
{
	struct request *r = (struct request *)((char *)w - offsetof(struct request, work));
	const struct hf_io *io = r->io;
	uint64_t at = io->offset_bytes;
	int err = 0;
	for (unsigned i = 0; i < io->iov_count && !err; i++) {
		char *p = io->iov[i].iov_base;
		for (size_t left = io->iov[i].iov_len; left && !err;) {
			ssize_t n = io->op == HF_READ ? pread(r->device->fd, p, left, (off_t)at)
						      : pwrite(r->device->fd, p, left, (off_t)at);
			if (n < 0 && (errno == EINTR || errno == EAGAIN))
				continue;
			if (n <= 0) {
				err = n ? -errno : -EIO; /* the device has shrunk */
				continue;
			}
			p += n;
			at += (uint64_t)n;
			left -= (size_t)n;
		}
	}
	if (!err && (io->flags & HF_FUA) && fdatasync(r->device->fd))
		err = -errno;
	r->status = status_of(err);
}

static void start_work(struct request *r, void (*work)(struct hf_work *w))
{
	r->work.work = work;
	r->work.done = ioctl_done;
	host->work(r->io, &r->work);
}

static void op_done(struct hf_file_op *op, int64_t result)
{
	struct request *r = (struct request *)((char *)op - offsetof(struct request, op));
	struct hf_io *io = r->io;
	bool moves = io->op == HF_READ || io->op == HF_WRITE;
	if (moves && result != (int64_t)io->len_bytes && (result >= 0 || result == -EAGAIN || result == -EINTR))
		start_work(r, rest_work);        /* short: again, patiently */
	else
		host->io_done(io, status_of(result));
}

static int device_submit(void *handle, struct hf_io *io)
{
	struct request *r = (struct request *)(void *)io->scratch;
	r->io = io;
	r->device = handle;
	switch (io->op) {
	case HF_READ:
	case HF_WRITE:
	case HF_FLUSH:
		r->op.opcode = io->op == HF_READ ? HF_FILE_READV : io->op == HF_WRITE ? HF_FILE_WRITEV : HF_FILE_FDATASYNC;
		r->op.flags = io->op == HF_WRITE && (io->flags & HF_FUA) ? RWF_DSYNC : 0;
		r->op.done = op_done;
		r->op.fd = r->device->fd;
		r->op.iov = io->iov;
		r->op.iov_count = io->iov_count;
		r->op.offset_bytes = io->offset_bytes;
		r->op.len_bytes = io->len_bytes;
		host->file_op(io, &r->op);
		return HF_PENDING;
	case HF_UNMAP:
	case HF_ZERO:
		start_work(r, ioctl_work);
		return HF_PENDING;
	default:
		return -EOPNOTSUPP;
	}
}

static int device_load(const struct hf_host *h)
{
	host = h;
	return 0;
}

static const struct hf_option options[] = {
	{ "path", HF_PATH, HF_REQUIRED, NULL, NULL, "The block device, best by a name that stays: /dev/disk/by-id/.." },
};

static struct hf_plugin plugin = {
	.name = "block",
	.summary = "Serves a block device of this machine: a disk, a partition, a logical volume",
	.version = "1",
	.options = options,
	.option_count = sizeof(options) / sizeof(options[0]),
	.load = device_load,
	.open = device_open,
	.close = device_close,
	.get_info = device_get_info,
	.resize = device_resize,
	.submit = device_submit,
};
HOLDFAST_REGISTER_PLUGIN(plugin)
