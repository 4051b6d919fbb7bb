/* SPDX-License-Identifier: GPL-3.0-or-later */
/* space.c - UNMAP, ZERO, COPY, and which parts are allocated. */
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file_priv.h"

static struct file_io *of_work(struct hf_work *w)
{
	return (struct file_io *)((char *)w - offsetof(struct file_io, work));
}

/* ---- UNMAP and ZERO ----------------------------------------------------------------------------------- */
static int space_mode(const struct file *f, const struct hf_io *io)
{
	bool give_back = io->op == HF_UNMAP || ((io->flags & HF_MAY_UNMAP) && !f->preallocate);
	return FALLOC_FL_KEEP_SIZE | (give_back ? FALLOC_FL_PUNCH_HOLE : FALLOC_FL_ZERO_RANGE);
}

static void space_op_done(struct hf_file_op *op, int64_t result)
{
	struct file_io *p = (struct file_io *)((char *)op - offsetof(struct file_io, op));
	extent_changed(p->file, p->extent);
	if (result == -ENOTTY || result == -ENOSYS)
		result = -EOPNOTSUPP;
	file_io_end(p, file_status(result), p->io->flags & HF_FUA);
}

static void space_start(struct file_io *p)
{
	p->op.done = space_op_done;
	p->op.opcode = HF_FILE_FALLOCATE;
	p->op.fd = p->extent->fd;
	p->op.flags = space_mode(p->file, p->io);
	p->op.iov = NULL;
	p->op.iov_count = 0;
	p->op.offset_bytes = offset_in(p->file, p->io->offset_bytes);
	p->op.len_bytes = p->io->len_bytes;
	file_host->file_op(p->io, &p->op);
}

static void space_open_work(struct hf_work *w)
{
	struct file_io *p = of_work(w);
	struct extent *e = extent_of(p->file, p->io->offset_bytes);
	p->status = extent_open(p->file, e, false);
	if (!p->status)
		p->extent = e;
}

static void space_open_done(struct hf_work *w)
{
	struct file_io *p = of_work(w);
	if (p->status)
		file_io_end(p, p->status == -ENOENT ? 0 : file_status(p->status), false);
	else
		space_start(p);
}

int space_submit(struct file *f, struct hf_io *io)
{
	struct extent *e = extent_of(f, io->offset_bytes);
	struct file_io *p = file_io_of(io);
	if (!extent_exists(e))                   /* zeroes already, and nothing to make durable */
		return 0;
	file_io_init(f, io);
	if (!extent_get(e)) {
		p->work.work = space_open_work;
		p->work.done = space_open_done;
		file_host->work(io, &p->work);
		return HF_PENDING;
	}
	p->extent = e;
	space_start(p);
	return HF_PENDING;
}

/* ---- COPY ------------------------------------------------------------------------------------------------ */
static int copy_range(struct file *f, int from, off_t from_at, int to, off_t to_at, uint64_t len)
{
	struct file_clone_range c = { .src_fd = from, .src_offset = (uint64_t)from_at, .src_length = len,
				      .dest_offset = (uint64_t)to_at };
	if (!((c.src_offset | c.dest_offset | len) & 4095) && ioctl(to, FICLONERANGE, &c) == 0)
		return 0;
	if (f->direct)
		return -EOPNOTSUPP;
	while (len) {
		ssize_t n = copy_file_range(from, &from_at, to, &to_at, len, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EXDEV || errno == EINVAL || errno == ENOSYS || errno == EOPNOTSUPP))
			return -EOPNOTSUPP;
		if (n <= 0)
			return n ? -errno : -EIO;
		len -= (uint64_t)n;
	}
	return 0;
}

static int copy_extents(struct file *f, const struct hf_io *io, struct extent *from, struct extent *to)
{
	off_t from_at = (off_t)offset_in(f, io->src_offset_bytes), to_at = (off_t)offset_in(f, io->offset_bytes);
	int err = extent_open(f, from, false);
	if (err == -ENOENT) {                    /* a copy of zeroes */
		if (!extent_exists(to))
			return 0;
		err = extent_open(f, to, false);
		if (err)
			return err;
		if (fallocate(to->fd, FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE, to_at, (off_t)io->len_bytes))
			err = -errno;
	} else if (!err) {
		err = extent_open(f, to, true);
		if (!err)
			err = copy_range(f, from->fd, from_at, to->fd, to_at, io->len_bytes);
		else
			to = NULL;
		extent_put(from);
	} else {
		to = NULL;
	}
	if (to) {
		extent_changed(f, to);
		extent_put(to);
	}
	return err;
}

static void copy_work(struct hf_work *w)
{
	struct file_io *p = of_work(w);
	const struct hf_io *io = p->io;
	struct file *f = p->file;
	p->status = file_status(copy_extents(f, io, extent_of(f, io->src_offset_bytes), extent_of(f, io->offset_bytes)));
}

static void copy_done(struct hf_work *w)
{
	struct file_io *p = of_work(w);
	file_io_end(p, p->status, p->io->flags & HF_FUA);
}

int copy_submit(struct file *f, struct hf_io *io)
{
	struct file_io *p = file_io_of(io);
	file_io_init(f, io);
	p->work.work = copy_work;
	p->work.done = copy_done;
	file_host->work(io, &p->work);
	return HF_PENDING;
}

/* ---- questions ----------------------------------------------------------------------------------------------- */
int file_used_bytes(void *handle, uint64_t *ret_bytes)
{
	struct file *f = handle;
	uint64_t used = 0;
	uint64_t count = (atomic_load(&f->size_bytes) + f->extent_bytes - 1) >> f->extent_shift;
	for (uint64_t i = 0; i < count; i++) {
		struct stat st;
		char name[32];
		if (!extent_exists(&f->extent[i]))
			continue;
		extent_file_name(i, name);
		if (fstatat(f->dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
			used += (uint64_t)st.st_blocks * 512;
	}
	*ret_bytes = used;
	return 0;
}

/* How far from `at` on the file is data, or a hole. */
static int run_at(int fd, uint64_t at, uint64_t limit, bool *mapped, uint64_t *len)
{
	off_t data = lseek(fd, (off_t)at, SEEK_DATA);
	if (data < 0 && errno != ENXIO)
		return -errno;
	uint64_t next = data < 0 ? limit : (uint64_t)data;
	*mapped = next == at;
	if (*mapped) {
		off_t hole = lseek(fd, (off_t)at, SEEK_HOLE);
		if (hole < 0)
			return -errno;
		next = (uint64_t)hole;
	}
	*len = (next < limit ? next : limit) - at;
	return 0;
}

static bool add_run(struct hf_extent *ext, size_t *n, size_t max, uint64_t offset, uint64_t len, bool mapped)
{
	if (*n && ext[*n - 1].mapped == mapped) {
		ext[*n - 1].len_bytes += len;
		return true;
	}
	if (*n == max)
		return false;
	ext[(*n)++] = (struct hf_extent){ offset, len, mapped };
	return true;
}

int file_extents(void *handle, uint64_t offset_bytes, uint64_t len_bytes, struct hf_extent *ext, size_t *count)
{
	struct file *f = handle;
	uint64_t at = offset_bytes, end = offset_bytes + len_bytes;
	size_t n = 0;
	while (at < end) {
		struct extent *e = extent_of(f, at);
		uint64_t in = offset_in(f, at);
		uint64_t limit = f->extent_bytes - in < end - at ? f->extent_bytes : in + (end - at);
		uint64_t len = limit - in;
		bool mapped = false;
		int err = extent_exists(e) ? extent_open(f, e, false) : -ENOENT;
		if (!err) {
			err = run_at(e->fd, in, limit, &mapped, &len);
			extent_put(e);
		}
		if (err && err != -ENOENT)
			return file_status(err);
		if (!add_run(ext, &n, *count, at, len, mapped))
			break;
		at += len;
	}
	*count = n;
	return 0;
}
