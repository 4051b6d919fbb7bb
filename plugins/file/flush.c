/* SPDX-License-Identifier: GPL-3.0-or-later */
/* flush.c - making durable what was written.
 *
 * Every change counts up its extent's `written` after it has ended and before it is answered, and
 * sets the extent's bit.  A flush is durable for what was answered before it came, so it must look
 * at the counters after it was asked.  Flushes of one volume go in rounds: those that arrive while
 * a round runs wait for the next one and share it.  One round at a time also means that no two
 * fdatasync() of one descriptor race for the one error report that the kernel gives. */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "file_priv.h"

static void mark(struct file *f, uint64_t index)
{
	uint64_t bit = (uint64_t)1 << (index % 64);
	_Atomic(uint64_t) *word = &f->dirty[index / 64];
	if (!(atomic_load(word) & bit))
		atomic_fetch_or(word, bit);
}

void extent_changed(struct file *f, struct extent *e)
{
	/* Count, then look at the bit; the syncer clears the bit, then looks at the count. */
	atomic_fetch_add(&e->written, 1);
	mark(f, (uint64_t)(e - f->extent));
}

static void lose(struct file *f, int err, const char *what)
{
	int none = 0;
	if (atomic_compare_exchange_strong(&f->lost, &none, err))
		file_host->log(HF_LOG_ERROR, f->uuid, "%s: %s; written data may be lost", what, strerror(-err));
}

int extent_sync(struct file *f, struct extent *e)
{
	uint64_t upto = atomic_load(&e->written);
	if (upto == e->synced)
		return 0;
	if (fdatasync(e->fd)) {
		lose(f, file_status(-errno), "write-back failed");
		return atomic_load(&f->lost);
	}
	e->synced = upto;
	uint64_t index = (uint64_t)(e - f->extent);
	atomic_fetch_and(&f->dirty[index / 64], ~((uint64_t)1 << (index % 64)));
	if (atomic_load(&e->written) != upto)
		mark(f, index);
	return 0;
}

static int sync_folder(struct file *f)
{
	uint64_t made = atomic_load(&f->created);
	if (made == atomic_load(&f->created_synced))
		return 0;
	if (fsync(f->dir_fd)) {
		lose(f, file_status(-errno), "the folder cannot be made durable");
		return atomic_load(&f->lost);
	}
	atomic_store(&f->created_synced, made);
	return 0;
}

/* Lets write-back of all extents begin before the first one is waited for. */
static void start_all(struct file *f)
{
	if (f->direct)
		return;
	for (uint64_t w = 0; w < DIRTY_WORDS; w++)
		for (uint64_t bits = atomic_load(&f->dirty[w]); bits; bits &= bits - 1) {
			struct extent *e = &f->extent[w * 64 + (uint64_t)__builtin_ctzll(bits)];
			if (!extent_get(e))
				continue;
			(void)sync_file_range(e->fd, 0, 0, SYNC_FILE_RANGE_WRITE);
			extent_put(e);
		}
}

static int sync_all(struct file *f)
{
	int err = 0;
	start_all(f);
	pthread_mutex_lock(&f->sync);
	for (uint64_t w = 0; w < DIRTY_WORDS && !err; w++)
		for (uint64_t bits = atomic_load(&f->dirty[w]); bits && !err; bits &= bits - 1) {
			struct extent *e = &f->extent[w * 64 + (uint64_t)__builtin_ctzll(bits)];
			err = extent_open(f, e, false);
			if (err) {
				lose(f, file_status(err), "an extent with unwritten data cannot be opened");
				err = atomic_load(&f->lost);
				break;
			}
			err = extent_sync(f, e);
			extent_put(e);
		}
	if (!err)
		err = sync_folder(f);
	pthread_mutex_unlock(&f->sync);
	return err ? err : atomic_load(&f->lost);
}

static bool is_all_durable(struct file *f)
{
	if (atomic_load(&f->created) != atomic_load(&f->created_synced))
		return false;
	uint64_t words = ((atomic_load(&f->size_bytes) >> f->extent_shift) + 64) / 64;
	for (uint64_t w = 0; w < words && w < DIRTY_WORDS; w++)
		if (atomic_load(&f->dirty[w]))
			return false;
	return true;
}

bool flush_needs_folder(struct file *f)
{
	return atomic_load(&f->created) != atomic_load(&f->created_synced);
}

/* On a worker: one round, for all who are in line.  The leader is answered by round_done(). */
static void round_work(struct hf_work *w)
{
	struct file_io *leader = (struct file_io *)((char *)w - offsetof(struct file_io, work));
	struct file *f = leader->file;
	pthread_mutex_lock(&f->queue);
	struct file_io *all = f->flush_head;
	f->flush_head = NULL;
	f->flush_tail = &f->flush_head;
	pthread_mutex_unlock(&f->queue);
	int status = sync_all(f);
	while (all) {
		struct file_io *p = all;
		all = p->next;
		p->status = status;
		if (p != leader)
			file_host->io_done(p->io, status);
	}
	pthread_mutex_lock(&f->queue);
	struct file_io *next = f->flush_head;
	if (!next)
		f->flushing = false;
	pthread_mutex_unlock(&f->queue);
	if (next)
		file_host->work(next->io, &next->work);
}

static void round_done(struct hf_work *w)
{
	struct file_io *leader = (struct file_io *)((char *)w - offsetof(struct file_io, work));
	file_host->io_done(leader->io, leader->status);
}

int flush_submit(struct file *f, struct hf_io *io)
{
	struct file_io *p = file_io_of(io);
	if (is_all_durable(f))
		return atomic_load(&f->lost);
	file_io_init(f, io);
	p->work.work = round_work;
	p->work.done = round_done;
	pthread_mutex_lock(&f->queue);
	*f->flush_tail = p;
	f->flush_tail = &p->next;
	bool lead = !f->flushing;
	f->flushing = true;
	pthread_mutex_unlock(&f->queue);
	if (lead)
		file_host->work(io, &p->work);
	return HF_PENDING;
}
