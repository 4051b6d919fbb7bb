/* SPDX-License-Identifier: GPL-3.0-or-later */
/* file.c - a volume as a folder of extent files on a local file system: the plugin's rows, opening
 * and closing, resize.  README.md has the layout and the reasons. */
#include <dirent.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "file_priv.h"

const struct hf_host *file_host;

static int file_load(const struct hf_host *host)
{
	file_host = host;
	return 0;
}

static bool is_set(const struct hf_volume *v, const char *name, const char *value)
{
	const char *set = hf_setting(v, name);
	return set && strcmp(set, value) == 0;
}

static int find_extents(struct file *f, const struct header *h, char *why, size_t why_bytes)
{
	int fd = openat(f->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	if (!d) {
		snprintf(why, why_bytes, "the folder of the volume cannot be read: %s", strerror(errno));
		if (fd >= 0)
			close(fd);
		return -EIO;
	}
	const struct dirent *e;
	uint64_t index;
	while ((errno = 0, e = readdir(d)) != NULL)
		if (extent_file_index(e->d_name, &index) && index < extent_count(h))
			atomic_store(&f->extent[index].word, EXTENT_EXISTS);
	int err = errno;
	closedir(d);
	if (err)                         /* what it did not list would be read as zeroes */
		snprintf(why, why_bytes, "the folder of the volume cannot be read: %s", strerror(err));
	return err ? -EIO : 0;
}

/* Can it punch holes?  Asked of the header, behind its end, where it changes nothing. */
static void probe_punch(struct file *f)
{
	int fd = openat(f->dir_fd, "volume", O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return;
	f->can_punch = fallocate(fd, FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE, 1 << 20, 4096) == 0;
	close(fd);
}

/* The smallest unit of direct I/O here, found by trying; 0: there is none. */
static uint32_t probe_direct(struct file *f)
{
	void *buf = NULL;
	uint32_t unit = 0;
	int fd = openat(f->dir_fd, "volume", O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_DIRECT);
	if (fd < 0 || posix_memalign(&buf, 4096, 4096)) {
		if (fd >= 0)
			close(fd);
		return 0;
	}
	if (pread(fd, buf, 512, 512) == 512)
		unit = 512;
	else if (pread(fd, buf, 4096, 0) == 4096)
		unit = 4096;
	free(buf);
	close(fd);
	return unit;
}

static bool disk_is_rotational(int fd)
{
	static const char *const forms[] = { "/sys/dev/block/%u:%u/queue/rotational",
					     "/sys/dev/block/%u:%u/../queue/rotational" };
	struct stat st;
	if (fstat(fd, &st))
		return false;
	for (int i = 0; i < 2; i++) {
		char path[96], c = '0';
		snprintf(path, sizeof(path), i ? forms[1] : forms[0], major(st.st_dev), minor(st.st_dev));
		int sys = open(path, O_RDONLY | O_CLOEXEC);
		if (sys < 0)
			continue;
		ssize_t n = read(sys, &c, 1);
		close(sys);
		return n == 1 && c == '1';
	}
	return false;
}

static void file_free(struct file *f)
{
	if (!f)
		return;
	if (f->dir_fd >= 0)
		close(f->dir_fd);                /* and with it the lock */
	pthread_mutex_destroy(&f->open);
	pthread_mutex_destroy(&f->sync);
	pthread_mutex_destroy(&f->queue);
	free(f);
}

static int file_setup(struct file *f, const struct hf_volume *v, char *why, size_t why_bytes)
{
	struct header *h = &f->header;
	snprintf(f->uuid, sizeof(f->uuid), "%s", v->uuid);
	f->read_only = v->read_only;
	f->preallocate = is_set(v, "preallocate", "full");
	f->extent_bytes = h->extent_bytes;
	f->extent_shift = (unsigned)__builtin_ctzll(h->extent_bytes);
	f->block_bytes = h->block_bytes;
	atomic_init(&f->size_bytes, h->size_bytes);
	f->align_bytes = 1;
	f->unit_bytes = 512;
	if (!f->read_only) {
		int err = store_trim(f->dir_fd, h);
		if (err) {
			snprintf(why, why_bytes, "what is past the end of the volume cannot be removed: %s",
				 strerror(-err));
			return err;
		}
		probe_punch(f);
	}
	if (is_set(v, "cache", "direct")) {
		f->direct = true;
		f->unit_bytes = probe_direct(f);
		f->align_bytes = f->unit_bytes;
		if (!f->unit_bytes) {
			snprintf(why, why_bytes, "the file system of the pool has no direct I/O; use cache=writeback");
			return -EINVAL;
		}
	}
	atomic_init(&f->nowait_read, !f->direct);
	atomic_init(&f->nowait_write, !f->direct);
	f->rotational = disk_is_rotational(f->dir_fd);
	return find_extents(f, h, why, why_bytes);
}

static int file_open(const struct hf_volume *v, struct hf_next *next, void **ret_handle, char *why, size_t why_bytes)
{
	(void)next;
	struct file *f = calloc(1, sizeof(*f));  /* large, but only what is used gets pages */
	if (!f)
		return -ENOMEM;
	f->dir_fd = -1;
	f->flush_tail = &f->flush_head;
	pthread_mutex_init(&f->open, NULL);
	pthread_mutex_init(&f->sync, NULL);
	pthread_mutex_init(&f->queue, NULL);
	int err = store_open(v, &f->dir_fd, &f->header, why, why_bytes);
	if (!err)
		err = file_setup(f, v, why, why_bytes);
	if (err) {
		file_free(f);
		return err;
	}
	cache_add(f);
	*ret_handle = f;
	return 0;
}

static void file_close(void *handle)
{
	struct file *f = handle;
	cache_remove(f);
	file_free(f);
}

static int file_get_info(void *handle, struct hf_info *ret_info)
{
	const struct file *f = handle;
	*ret_info = (struct hf_info){
		.size_bytes = atomic_load(&((struct file *)handle)->size_bytes),
		.block_bytes = f->unit_bytes,
		.physical_bytes = 4096,
		.align_bytes = f->align_bytes,
		.boundary_bytes = f->extent_bytes,
		.unmap_granularity_bytes = f->can_punch && !f->preallocate ? 4096 : 0,
		.read_only = f->read_only,
		.volatile_cache = true,
		.can_fua = true,
		.can_zero = true,
		.can_copy = true,
		.unmap_zeroes = true,
		.rotational = f->rotational,
		.thin = !f->preallocate,
	};
	return 0;
}

static int file_submit(void *handle, struct hf_io *io)
{
	struct file *f = handle;
	switch (io->op) {
	case HF_READ:
		return read_submit(f, io);
	case HF_WRITE:
		return write_submit(f, io);
	case HF_FLUSH:
		return flush_submit(f, io);
	case HF_UNMAP:
	case HF_ZERO:
		return space_submit(f, io);
	case HF_COPY:
		return copy_submit(f, io);
	default:
		return -EOPNOTSUPP;
	}
}

static int file_resize(void *handle, uint64_t new_size_bytes, char *why, size_t why_bytes)
{
	struct file *f = handle;
	struct header h = f->header;
	uint64_t old = h.size_bytes;
	if (new_size_bytes > h.extent_bytes * EXTENTS_MAX) {
		snprintf(why, why_bytes, "a volume made of extents of %llu MiB grows to at most %llu GiB",
			 (unsigned long long)(h.extent_bytes >> 20),
			 (unsigned long long)((h.extent_bytes * EXTENTS_MAX) >> 30));
		return -EINVAL;
	}
	h.size_bytes = new_size_bytes;
	int err = new_size_bytes > old && f->untrimmed ? store_trim(f->dir_fd, &f->header) : 0;
	if (err) {
		snprintf(why, why_bytes, "what an earlier, smaller size has cut off cannot be removed: %s", strerror(-err));
		return err;
	}
	if (new_size_bytes > old)
		f->untrimmed = false;
	if (new_size_bytes > old && f->preallocate) {
		err = store_preallocate(f->dir_fd, &h, old, why, why_bytes);
		if (err)                         /* give back what was taken */
			f->untrimmed = store_trim(f->dir_fd, &f->header) != 0;
	}
	if (!err)
		err = store_write_header(f->dir_fd, &h);
	if (err) {
		if (!*why)
			snprintf(why, why_bytes, "the header of the volume cannot be written: %s", strerror(-err));
		return err;
	}
	f->header = h;
	atomic_store(&f->size_bytes, new_size_bytes);
	if (new_size_bytes < old) {              /* nothing is in flight */
		cache_close_from(f, extent_count(&h));
		err = store_trim(f->dir_fd, &h);
		f->untrimmed = err != 0;
		if (err)                         /* it is smaller all the same; opening it or growing tries again */
			file_host->log(HF_LOG_WARN, f->uuid, "what is past the end cannot be removed yet: %s",
				       strerror(-err));
		return 0;
	}
	return f->preallocate ? find_extents(f, &h, why, why_bytes) : 0;
}

static int file_note_read(void *handle, char *buf, size_t buf_bytes)
{
	return store_note_read(((struct file *)handle)->dir_fd, buf, buf_bytes);
}

static int file_note_write(void *handle, const char *text)
{
	return store_note_write(((struct file *)handle)->dir_fd, text);
}

static const struct hf_option options[] = {
	{ "cache", HF_ENUM, 0, "writeback|direct", "writeback",
	  "writeback: through the page cache; direct: past it (O_DIRECT). Both are durable after a flush" },
	{ "preallocate", HF_ENUM, HF_CREATE_ONLY, "off|full", "off", "Take all space when the volume is made" },
	{ "extent_size", HF_SIZE, HF_CREATE_ONLY, "0..1T", "0",
	  "Size of one file of the volume, a power of two from 1M; 0: 256M, or more for very large volumes" },
};

static struct hf_plugin plugin = {
	.name = "file",
	.summary = "Keeps the volume in files of a pool on a local file system",
	.version = "1",
	.options = options,
	.option_count = sizeof(options) / sizeof(options[0]),
	.load = file_load,
	.create = store_create,
	.destroy = store_destroy,
	.open = file_open,
	.close = file_close,
	.get_info = file_get_info,
	.resize = file_resize,
	.used_bytes = file_used_bytes,
	.submit = file_submit,
	.extents = file_extents,
	.note_read = file_note_read,
	.note_write = file_note_write,
};
HOLDFAST_REGISTER_PLUGIN(plugin)
