/* SPDX-License-Identifier: GPL-3.0-or-later */
/* host.c - the services that plugins get: struct hf_host. */
#include "block/block_priv.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>

static struct layer_io *link_of(struct hf_io *io)
{
	return (struct layer_io *)(void *)io->host_priv;
}

static void io_done_here(struct msg *m)
{
	struct layer_io *h = container_of(m, struct layer_io, msg);
	struct hf_io *io = (struct hf_io *)(void *)((char *)h - offsetof(struct hf_io, host_priv));
	io->done(io, h->status);
}

static void host_io_done(struct hf_io *io, int status)
{
	struct layer_io *h = link_of(io);
	if (likely(h->reactor == reactor_self())) {
		io->done(io, status);
		return;
	}
	h->status = status;
	h->msg.run = io_done_here;
	reactor_post(h->reactor, &h->msg);
}

static void host_log(enum hf_log_level level, const char *volume, const char *fmt, ...)
{
	static const enum log_level levels[] = { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };
	char text[512];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	enum log_level l = (unsigned)level < ARRAY_COUNT(levels) ? levels[level] : LOG_LEVEL_INFO;
	log_at(&log_block, l, text, "volume=%s", volume ? volume : "-");
}

struct file_link {
	struct file_op op;
	struct hf_file_op *theirs;
};
static_assert(sizeof(struct file_link) <= sizeof(((struct hf_file_op *)0)->priv), "hf_file_op.priv");

static void file_done(struct file_op *op, int64_t result)
{
	struct hf_file_op *f = container_of(op, struct file_link, op)->theirs;
	f->done(f, result);
}

static void host_file_op(struct hf_io *io, struct hf_file_op *f)
{
	static const enum file_opcode opcodes[] = {
		[HF_FILE_READV] = FILE_READV,
		[HF_FILE_WRITEV] = FILE_WRITEV,
		[HF_FILE_FDATASYNC] = FILE_FDATASYNC,
		[HF_FILE_FALLOCATE] = FILE_FALLOCATE,
	};
	struct file_link *l = (struct file_link *)(void *)f->priv;
	l->theirs = f;
	l->op.done = file_done;
	l->op.opcode = opcodes[f->opcode];
	l->op.fd = f->fd;
	l->op.flags = f->flags;
	l->op.iov_count = f->iov_count;
	l->op.iov = f->iov;
	l->op.offset_bytes = f->offset_bytes;
	l->op.len_bytes = f->len_bytes;
	reactor_file(link_of(io)->reactor, &l->op);
}

struct work_link {
	struct work work;
	struct hf_work *theirs;
};
static_assert(sizeof(struct work_link) <= sizeof(((struct hf_work *)0)->priv), "hf_work.priv");

static void work_run(struct work *w)
{
	struct hf_work *theirs = container_of(w, struct work_link, work)->theirs;
	theirs->work(theirs);
}

static void work_done(struct work *w)
{
	struct hf_work *theirs = container_of(w, struct work_link, work)->theirs;
	theirs->done(theirs);
}

static void work_start(struct msg *m)
{
	struct layer_io *h = container_of(m, struct layer_io, msg);
	struct work_link *l = (struct work_link *)(void *)((struct hf_work *)h->arg)->priv;
	reactor_work(h->reactor, &l->work);
}

static void host_work(struct hf_io *io, struct hf_work *w)
{
	struct work_link *l = (struct work_link *)(void *)w->priv;
	struct layer_io *h = link_of(io);
	l->theirs = w;
	l->work.work = work_run;
	l->work.done = work_done;
	if (h->reactor == reactor_self()) {
		reactor_work(h->reactor, &l->work);
		return;
	}
	h->arg = w;
	h->msg.run = work_start;
	reactor_post(h->reactor, &h->msg);
}

struct timer_link {
	struct timer timer;
	struct hf_timer *theirs;
};
static_assert(sizeof(struct timer_link) <= sizeof(((struct hf_timer *)0)->priv), "hf_timer.priv");

static void timer_fired(struct timer *t)
{
	struct hf_timer *theirs = container_of(t, struct timer_link, timer)->theirs;
	theirs->fire(theirs);
}

static void host_after(struct hf_io *io, struct hf_timer *t, uint64_t delay_ms)
{
	struct timer_link *l = (struct timer_link *)(void *)t->priv;
	l->theirs = t;
	l->timer = (struct timer){ .fire = timer_fired };
	timer_start(link_of(io)->reactor, &l->timer, delay_ms * 1000000);
}

static int host_open_path(const char *path, int flags)
{
	if (block_room.open_path)
		return block_room.open_path(path, flags);
	int fd = open(path, flags | O_CLOEXEC);
	return fd >= 0 ? fd : -errno;
}

static int host_next_submit(struct hf_next *next, struct hf_io *io)
{
	return layer_submit((struct layer *)(void *)next, io, reactor_self());
}

static int host_next_info(struct hf_next *next, struct hf_info *ret_info)
{
	*ret_info = ((struct layer *)(void *)next)->info;
	return 0;
}

struct change {
	struct work work;
	struct volume *volume;
};

static void changed_work(struct work *w)
{
	struct change *c = container_of(w, struct change, work);
	volume_backend_changed(c->volume);
	volume_unref(c->volume);
	free(c);
}

static void host_changed(void *handle)
{
	struct volume *v = layer_find_volume(handle);
	struct change *c = v ? calloc(1, sizeof(*c)) : NULL;
	if (!c) {
		volume_unref(v);
		return;
	}
	c->work.work = changed_work;
	c->volume = v;
	reactor_work(NULL, &c->work);
}

const struct hf_host block_host = {
	.abi = HOLDFAST_PLUGIN_ABI,
	.struct_bytes = sizeof(struct hf_host),
	.io_done = host_io_done,
	.log = host_log,
	.file_op = host_file_op,
	.work = host_work,
	.changed = host_changed,
	.open_path = host_open_path,
	.next_submit = host_next_submit,
	.next_info = host_next_info,
	.after = host_after,
};
