/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cache.c - descriptors of extents: opened on first use, on a worker; closed by a clock when there
 * are more than half of what the process may have.  An extent in use is never closed; one with
 * changes that are not durable is synced first, so that no write-back error goes unseen. */
#include <fcntl.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "file_priv.h"

#define EXTENT_HINT_BYTES (64 << 10)     /* allocation unit asked of XFS, against fragmentation */

static struct {
	pthread_mutex_t lock;
	struct file *all;
	unsigned open, limit;
	bool hint_told;
} cache = { .lock = PTHREAD_MUTEX_INITIALIZER, .limit = 64 };

void cache_add(struct file *f)
{
	struct rlimit r;
	pthread_mutex_lock(&cache.lock);
	if (getrlimit(RLIMIT_NOFILE, &r) == 0) {
		rlim_t half = r.rlim_cur / 2;
		cache.limit = half < 16 ? 16 : half > 1 << 20 ? 1 << 20 : (unsigned)half;
	}
	f->next = cache.all;
	cache.all = f;
	pthread_mutex_unlock(&cache.lock);
}

/* Under the lock.  No user is left and none can come. */
static void close_fds(struct extent *e)
{
	close(e->fd);
	cache.open--;
	int fua = atomic_exchange(&e->fua_fd, 0);
	if (fua) {
		close(fua - 1);
		cache.open--;
	}
}

static bool try_close(struct extent *e)
{
	uint32_t idle = EXTENT_OPEN | EXTENT_EXISTS;
	if (!atomic_compare_exchange_strong(&e->word, &idle, EXTENT_EXISTS))
		return false;
	close_fds(e);
	return true;
}

static bool is_clean(const struct extent *e)
{
	return atomic_load(&((struct extent *)(uintptr_t)e)->written) == e->synced;
}

/* One step of the clock in one volume: true when something was closed.  Under the cache lock. */
static bool evict_one(struct file *f, bool dirty_too)
{
	uint64_t count = (atomic_load(&f->size_bytes) + f->extent_bytes - 1) >> f->extent_shift;
	if (pthread_mutex_trylock(&f->sync))
		return false;                    /* being flushed */
	bool closed = false;
	for (uint64_t n = 0; n < count && !closed; n++) {
		struct extent *e = &f->extent[f->clock++ % count];
		uint32_t w = atomic_load(&e->word);
		if (!(w & EXTENT_OPEN) || (w & EXTENT_USERS))
			continue;
		if (atomic_exchange(&e->used, 0) && !dirty_too)
			continue;
		if (!is_clean(e) && (!dirty_too || extent_sync(f, e)))
			continue;
		/* Should a write slip in before this, its data is in the page cache and its bit in
		 * f->dirty; the flush opens the file anew and sees an error nobody has seen yet. */
		closed = try_close(e);
	}
	pthread_mutex_unlock(&f->sync);
	return closed;
}

static void make_room(void)
{
	pthread_mutex_lock(&cache.lock);
	for (int dirty = 0; dirty < 2 && cache.open + 2 > cache.limit; dirty++)
		for (struct file *f = cache.all; f && cache.open + 2 > cache.limit; f = f->next)
			while (cache.open + 2 > cache.limit && evict_one(f, dirty))
				;
	pthread_mutex_unlock(&cache.lock);
}

static void count_open(int by)
{
	pthread_mutex_lock(&cache.lock);
	cache.open += (unsigned)by;
	pthread_mutex_unlock(&cache.lock);
}

/* Asks the file system to allocate in larger pieces; elsewhere than on XFS it is refused, fine. */
static void hint(struct file *f, int fd)
{
	struct fsxattr x;
	int err = ioctl(fd, FS_IOC_FSGETXATTR, &x) ? errno : 0;
	if (!err) {
		x.fsx_xflags |= FS_XFLAG_EXTSIZE | FS_XFLAG_COWEXTSIZE;
		x.fsx_extsize = EXTENT_HINT_BYTES;
		x.fsx_cowextsize = EXTENT_HINT_BYTES;
		err = ioctl(fd, FS_IOC_FSSETXATTR, &x) ? errno : 0;
	}
	if (err && !cache.hint_told) {
		cache.hint_told = true;
		file_host->log(HF_LOG_DEBUG, f->uuid,
			       "the file system takes no allocation size hint, continuing without it: %s", strerror(err));
	}
}

static int open_fd(struct file *f, uint64_t index, bool create)
{
	char name[32];
	extent_file_name(index, name);
	int flags = (f->read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NOFOLLOW | (f->direct ? O_DIRECT : 0);
	int fd = openat(f->dir_fd, name, flags | (create ? O_CREAT : 0), 0600);
	return fd < 0 ? -errno : fd;
}

static int open_new(struct file *f, uint64_t index)
{
	int fd = open_fd(f, index, true);
	if (fd < 0)
		return fd;
	hint(f, fd);
	if (ftruncate(fd, (off_t)f->extent_bytes)) { /* sparse: so that reads need not think of its end */
		int err = -errno;
		close(fd);
		return err;
	}
	atomic_fetch_add(&f->created, 1);
	return fd;
}

int extent_open(struct file *f, struct extent *e, bool create)
{
	uint64_t index = (uint64_t)(e - f->extent);
	if (extent_get(e))
		return 0;
	make_room();
	pthread_mutex_lock(&f->open);
	int err = 0;
	if (!extent_get(e)) {
		bool exists = extent_exists(e);
		int fd = exists ? open_fd(f, index, false) : create ? open_new(f, index) : -ENOENT;
		if (fd == -ENOENT && exists)
			err = -ESHUTDOWN;        /* somebody has removed it */
		else if (fd < 0)
			err = fd;
		if (!err) {
			count_open(1);
			e->fd = fd;
			atomic_store(&e->used, 1);
			/* Open, there, and one user, in one step: else it might be closed at once. */
			atomic_fetch_add_explicit(&e->word, EXTENT_OPEN + (exists ? 0 : EXTENT_EXISTS) + 1,
						  memory_order_release);
		}
	}
	pthread_mutex_unlock(&f->open);
	return err;
}

int extent_open_fua(struct file *f, struct extent *e)
{
	int err = 0;
	pthread_mutex_lock(&f->open);
	if (!atomic_load(&e->fua_fd)) {
		int fd = open_fd(f, (uint64_t)(e - f->extent), false);
		if (fd < 0) {
			err = fd;
		} else {
			count_open(1);
			atomic_store(&e->fua_fd, fd + 1);
		}
	}
	pthread_mutex_unlock(&f->open);
	return err;
}

void cache_close_from(struct file *f, uint64_t first_index)
{
	pthread_mutex_lock(&f->sync);
	pthread_mutex_lock(&cache.lock);
	for (uint64_t i = first_index; i < EXTENTS_MAX; i++) {
		struct extent *e = &f->extent[i];
		uint32_t w = atomic_load(&e->word);
		if (!w)
			continue;
		if (w & EXTENT_OPEN)
			close_fds(e);
		atomic_store(&e->word, 0);
		e->synced = atomic_load(&e->written);
		atomic_fetch_and(&f->dirty[i / 64], ~((uint64_t)1 << (i % 64)));
	}
	pthread_mutex_unlock(&cache.lock);
	pthread_mutex_unlock(&f->sync);
}

void cache_remove(struct file *f)
{
	pthread_mutex_lock(&cache.lock);
	for (struct file **at = &cache.all; *at; at = &(*at)->next)
		if (*at == f) {
			*at = f->next;
			break;
		}
	pthread_mutex_unlock(&cache.lock);
	cache_close_from(f, 0);
}
