/* SPDX-License-Identifier: GPL-3.0-or-later */
/* data.c - READ and WRITE.
 *
 * Page cache: first inline with RWF_NOWAIT, which costs one system call when the pages are there;
 * what would wait goes to the reactor's ring or workers.  Direct I/O goes there at once.  An extent
 * that is not open is opened on a worker first.  FUA is RWF_DSYNC, through a description of its
 * own, unless the extent's name is not durable yet: then a flush follows. */
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "file_priv.h"

void file_io_init(struct file *f, struct hf_io *io)
{
	struct file_io *p = file_io_of(io);
	p->io = io;
	p->file = f;
	p->extent = NULL;
	p->next = NULL;
	p->status = 0;
}

int file_status(int64_t result)
{
	switch (result) {
	case -ENOSPC:
	case -EDQUOT:
	case -EFBIG:
		return -ENOSPC;
	case -EROFS:
	case -ENOMEM:
	case -ESHUTDOWN:
	case -EOPNOTSUPP:
		return (int)result;
	case -ENXIO:
	case -ENODEV:
	case -ESTALE:
		return -ESHUTDOWN;
	default:
		return result < 0 ? -EIO : 0;
	}
}

void file_io_end(struct file_io *p, int status, bool needs_flush)
{
	struct hf_io *io = p->io;
	if (p->extent) {
		extent_put(p->extent);
		p->extent = NULL;
	}
	if (!status && needs_flush) {
		status = flush_submit(p->file, io);
		if (status == HF_PENDING)
			return;
	}
	file_host->io_done(io, status);
}

static void zero_vectors(const struct hf_io *io)
{
	for (unsigned i = 0; i < io->iov_count; i++)
		memset(io->iov[i].iov_base, 0, io->iov[i].iov_len);
}

static struct file_io *of_op(struct hf_file_op *op)
{
	return (struct file_io *)((char *)op - offsetof(struct file_io, op));
}

static struct file_io *of_work(struct hf_work *w)
{
	return (struct file_io *)((char *)w - offsetof(struct file_io, work));
}

static bool is_fua(const struct hf_io *io)
{
	return io->flags & HF_FUA;
}

/* ---- the slow way: plain blocking calls on a worker --------------------------------------------------- */
static int read_piece(int fd, uint8_t *p, size_t left, uint64_t at)
{
	while (left) {
		ssize_t n = pread(fd, p, left, (off_t)at);
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n < 0)
			return -errno;
		if (n == 0) {                    /* past the end of a file that was cut off: zeroes */
			memset(p, 0, left);
			return 0;
		}
		p += n;
		left -= (size_t)n;
		at += (uint64_t)n;
	}
	return 0;
}

static int write_piece(int fd, const uint8_t *p, size_t left, uint64_t at)
{
	while (left) {
		ssize_t n = pwrite(fd, p, left, (off_t)at);
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		p += n;
		left -= (size_t)n;
		at += (uint64_t)n;
	}
	return 0;
}

static void blocking_work(struct hf_work *w)
{
	struct file_io *p = of_work(w);
	const struct hf_io *io = p->io;
	uint64_t at = offset_in(p->file, io->offset_bytes);
	int err = 0;
	for (unsigned i = 0; i < io->iov_count && !err; i++) {
		const struct iovec *v = &io->iov[i];
		err = io->op == HF_READ ? read_piece(p->extent->fd, v->iov_base, v->iov_len, at)
					: write_piece(p->extent->fd, v->iov_base, v->iov_len, at);
		at += v->iov_len;
	}
	if (io->op == HF_WRITE)
		extent_changed(p->file, p->extent);
	p->status = file_status(err);
}

static void blocking_done(struct hf_work *w)
{
	struct file_io *p = of_work(w);
	file_io_end(p, p->status, is_fua(p->io));
}

static void go_blocking(struct file_io *p)
{
	p->work.work = blocking_work;
	p->work.done = blocking_done;
	file_host->work(p->io, &p->work);
}

/* ---- by the reactor ---------------------------------------------------------------------------------------- */
static void op_done(struct hf_file_op *op, int64_t result)
{
	struct file_io *p = of_op(op);
	struct hf_io *io = p->io;
	bool whole = result == (int64_t)io->len_bytes;
	if (!whole && (result >= 0 || result == -EAGAIN || result == -EINTR || result == -EOPNOTSUPP)) {
		go_blocking(p);                  /* short: again, all of it, the patient way */
		return;
	}
	bool dsync = op->flags & RWF_DSYNC;
	if (io->op == HF_WRITE && !dsync)
		extent_changed(p->file, p->extent);
	if (io->op == HF_WRITE && dsync && result < 0)
		extent_changed(p->file, p->extent); /* some of it may be in the page cache */
	file_io_end(p, file_status(result), is_fua(io) && !dsync);
}

static void go_op(struct file_io *p, int opcode, int fd, int flags)
{
	const struct hf_io *io = p->io;
	p->op.done = op_done;
	p->op.opcode = opcode;
	p->op.fd = fd;
	p->op.flags = flags;
	p->op.iov = io->iov;
	p->op.iov_count = io->iov_count;
	p->op.offset_bytes = offset_in(p->file, io->offset_bytes);
	p->op.len_bytes = io->len_bytes;
	file_host->file_op(p->io, &p->op);
}

/* ---- an extent that is not open ------------------------------------------------------------------------- */
static void open_work(struct hf_work *w)
{
	struct file_io *p = of_work(w);
	struct extent *e = extent_of(p->file, p->io->offset_bytes);
	int err = extent_open(p->file, e, p->io->op == HF_WRITE);
	if (!err) {
		p->extent = e;
		if (is_fua(p->io) && p->io->op == HF_WRITE)
			err = extent_open_fua(p->file, e);
	}
	p->status = err;
}

static void start_write(struct file_io *p);

static void open_done(struct hf_work *w)
{
	struct file_io *p = of_work(w);
	if (p->status == -ENOENT && p->io->op == HF_READ) {
		zero_vectors(p->io);
		file_io_end(p, 0, false);
	} else if (p->status) {
		file_io_end(p, file_status(p->status), false);
	} else if (p->io->op == HF_READ) {
		go_op(p, HF_FILE_READV, p->extent->fd, 0);
	} else {
		start_write(p);
	}
}

static int go_open(struct file_io *p)
{
	p->work.work = open_work;
	p->work.done = open_done;
	file_host->work(p->io, &p->work);
	return HF_PENDING;
}

/* ---- entries ------------------------------------------------------------------------------------------------ */
int read_submit(struct file *f, struct hf_io *io)
{
	struct extent *e = extent_of(f, io->offset_bytes);
	struct file_io *p = file_io_of(io);
	if (!extent_exists(e)) {
		zero_vectors(io);
		return 0;
	}
	if (!extent_get(e)) {
		file_io_init(f, io);
		return go_open(p);
	}
	if (atomic_load_explicit(&f->nowait_read, memory_order_relaxed)) {
		ssize_t n = preadv2(e->fd, io->iov, io->iov_count, (off_t)offset_in(f, io->offset_bytes), RWF_NOWAIT);
		if (n == (ssize_t)io->len_bytes) {
			extent_put(e);
			return 0;
		}
		if (n < 0 && errno == EOPNOTSUPP)
			atomic_store(&f->nowait_read, false);
	}
	file_io_init(f, io);
	p->extent = e;
	go_op(p, HF_FILE_READV, e->fd, 0);
	return HF_PENDING;
}

/* The extent is open, and for FUA has its second description. */
static void start_write(struct file_io *p)
{
	bool dsync = is_fua(p->io) && !flush_needs_folder(p->file);
	if (dsync)
		go_op(p, HF_FILE_WRITEV, atomic_load(&p->extent->fua_fd) - 1, RWF_DSYNC);
	else
		go_op(p, HF_FILE_WRITEV, p->extent->fd, 0);
}

int write_submit(struct file *f, struct hf_io *io)
{
	struct extent *e = extent_of(f, io->offset_bytes);
	struct file_io *p = file_io_of(io);
	if (!extent_get(e)) {
		file_io_init(f, io);
		return go_open(p);
	}
	if (is_fua(io) && !atomic_load(&e->fua_fd)) {
		extent_put(e);
		file_io_init(f, io);
		return go_open(p);
	}
	if (!is_fua(io) && atomic_load_explicit(&f->nowait_write, memory_order_relaxed)) {
		ssize_t n = pwritev2(e->fd, io->iov, io->iov_count, (off_t)offset_in(f, io->offset_bytes), RWF_NOWAIT);
		if (n == (ssize_t)io->len_bytes) {
			extent_changed(f, e);
			extent_put(e);
			return 0;
		}
		if (n < 0 && errno == EOPNOTSUPP)
			atomic_store(&f->nowait_write, false);
	}
	file_io_init(f, io);
	p->extent = e;
	start_write(p);
	return HF_PENDING;
}
