/* SPDX-License-Identifier: GPL-3.0-or-later */
/* store.c - the folder of a volume: made, changed, removed.
 *
 * Each change has one step that makes it true, a rename that is made durable by fsync of the folder
 * above; what comes before can be thrown away, what comes after can be done again.  So a crash
 * between any two system calls leaves the old state or the new one (tests/unit/plugins/file_crash).
 *
 *	create    .UUID.new filled      rename to UUID
 *	destroy                         rename to .UUID.gone     contents removed
 *	resize    header.new written    rename to header         extents past the end removed */
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "file_priv.h"

#define HEADER "volume"
#define HEADER_NEW "volume.new"
#define NOTE "note"
#define NOTE_NEW "note.new"
#define HEADER_BYTES 4096                /* padded: one block, also for direct I/O */
#define TITLE "holdfast-volume 1\n"

#define say(...) snprintf(why, why_bytes, __VA_ARGS__)

static void closep(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}
#define _close_ __attribute__((cleanup(closep)))

void extent_file_name(uint64_t index, char name[32])
{
	snprintf(name, 32, "%010" PRIu64 ".ext", index);
}

bool extent_file_index(const char *name, uint64_t *ret_index)
{
	char again[32];
	char *end;
	if (name[0] < '0' || name[0] > '9')
		return false;
	uint64_t index = strtoull(name, &end, 10);
	extent_file_name(index, again);
	if (strcmp(again, name) != 0)
		return false;
	*ret_index = index;
	return true;
}

/* ---- header -------------------------------------------------------------------------------------------- */
static bool take_number(const char **at, const char *word, uint64_t *n)
{
	size_t len = strlen(word);
	char *end;
	if (strncmp(*at, word, len) != 0 || (*at)[len] < '0' || (*at)[len] > '9')
		return false;
	errno = 0;
	*n = strtoull(*at + len, &end, 10);
	if (errno || *end != '\n')
		return false;
	*at = end + 1;
	return true;
}

static bool is_pow2(uint64_t x)
{
	return x && !(x & (x - 1));
}

static bool header_parse(const char *at, struct header *h)
{
	uint64_t block = 0;
	if (strncmp(at, TITLE, strlen(TITLE)) != 0)
		return false;
	at += strlen(TITLE);
	if (strncmp(at, "uuid ", 5) != 0 || strnlen(at + 5, 37) < 37 || at[5 + 36] != '\n')
		return false;
	memcpy(h->uuid, at + 5, 36);
	h->uuid[36] = 0;
	at += 5 + 37;
	if (!take_number(&at, "size ", &h->size_bytes) || !take_number(&at, "block ", &block) ||
	    !take_number(&at, "extent ", &h->extent_bytes))
		return false;
	h->block_bytes = (uint32_t)block;
	return h->size_bytes && (block == 512 || block == 4096) && h->size_bytes % block == 0 &&
	       is_pow2(h->extent_bytes) && h->extent_bytes >= EXTENT_BYTES_MIN &&
	       h->extent_bytes <= EXTENT_BYTES_MAX && h->size_bytes <= h->extent_bytes * EXTENTS_MAX;
}

static int header_read(int dir_fd, struct header *ret_header, char *why, size_t why_bytes)
{
	char text[HEADER_BYTES + 1];
	_close_ int fd = openat(dir_fd, HEADER, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0) {
		say("the folder of the volume has no header: %s", strerror(errno));
		return errno == ENOENT ? -ENOENT : -EIO;
	}
	ssize_t n = read(fd, text, HEADER_BYTES);
	if (n < 0) {
		say("the header of the volume cannot be read: %s", strerror(errno));
		return -EIO;
	}
	text[n] = 0;
	struct header h = { .size_bytes = 0 };
	if (!header_parse(text, &h)) {
		say("the header of the volume is damaged, or of a newer version");
		return -EINVAL;
	}
	*ret_header = h;
	return 0;
}

static int write_all(int fd, const char *p, size_t len)
{
	while (len) {
		ssize_t n = write(fd, p, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

/* Durable: the old text or the new one. */
static int replace(int dir_fd, const char *fresh, const char *name, const char *text, size_t len)
{
	_close_ int fd = openat(dir_fd, fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	int err = write_all(fd, text, len);
	if (!err && fsync(fd))
		err = -errno;
	if (!err && renameat(dir_fd, fresh, dir_fd, name))
		err = -errno;
	if (!err && fsync(dir_fd))
		err = -errno;
	return err;
}

int store_write_header(int dir_fd, const struct header *h)
{
	char text[HEADER_BYTES];
	char when[32];
	time_t now = time(NULL);
	struct tm tm;
	memset(text, '\n', sizeof(text));
	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &tm));
	int n = snprintf(text, sizeof(text),
			 TITLE "uuid %s\nsize %" PRIu64 "\nblock %u\nextent %" PRIu64 "\nwritten %s\n", h->uuid,
			 h->size_bytes, h->block_bytes, h->extent_bytes, when);
	text[n] = '\n';
	return replace(dir_fd, HEADER_NEW, HEADER, text, sizeof(text));
}

/* ---- the server's note ---------------------------------------------------------------------------------- */
int store_note_read(int dir_fd, char *buf, size_t buf_bytes)
{
	_close_ int fd = openat(dir_fd, NOTE, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, buf_bytes - 1);
	if (n < 0)
		return -errno;
	buf[n] = 0;
	return 0;
}

int store_note_write(int dir_fd, const char *text)
{
	return replace(dir_fd, NOTE_NEW, NOTE, text, strlen(text));
}

/* ---- folders -------------------------------------------------------------------------------------------- */
static int open_dir(int at, const char *name)
{
	int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	return fd < 0 ? -errno : fd;
}

/* POOL/volumes; made with `create`. */
static int open_volumes(const struct hf_volume *v, bool create, char *why, size_t why_bytes)
{
	if (!v->pool_path) {
		say("a volume of the plugin file needs a pool");
		return -EINVAL;
	}
	_close_ int pool = open(v->pool_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (pool < 0) {
		int err = -errno;
		say("the folder of the pool, %s: %s", v->pool_path, strerror(errno));
		return err;
	}
	int fd = open_dir(pool, "volumes");
	if (fd == -ENOENT && create) {
		if (mkdirat(pool, "volumes", 0700) && errno != EEXIST) {
			fd = -errno;
			say("%s/volumes cannot be made: %s", v->pool_path, strerror(errno));
			return fd;
		}
		if (fsync(pool)) {
			fd = -errno;
			say("%s cannot be made durable: %s", v->pool_path, strerror(errno));
			return fd;
		}
		fd = open_dir(pool, "volumes");
	}
	if (fd < 0)
		say("%s/volumes: %s", v->pool_path, strerror(-fd));
	return fd;
}

/* Removes a folder of ours, one level deep. */
static int remove_folder(int volumes, const char *name)
{
	int fd = open_dir(volumes, name);
	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	DIR *d = fdopendir(fd);
	if (!d) {
		close(fd);
		return -ENOMEM;
	}
	const struct dirent *e;
	int err = 0;
	while (!err && (e = readdir(d)) != NULL)
		if (strcmp(e->d_name, ".") && strcmp(e->d_name, "..") && unlinkat(dirfd(d), e->d_name, 0))
			err = errno == ENOENT ? 0 : -errno;
	closedir(d);
	if (!err && unlinkat(volumes, name, AT_REMOVEDIR) && errno != ENOENT)
		err = -errno;
	return err;
}

static uint64_t choose_extent_bytes(const struct hf_volume *v)
{
	const char *set = hf_setting(v, "extent_size");
	uint64_t bytes = set ? strtoull(set, NULL, 10) : 0;
	if (bytes)
		return bytes;
	bytes = EXTENT_BYTES_DEFAULT;
	while (v->size_bytes / bytes > EXTENTS_WANTED && bytes < EXTENT_BYTES_MAX)
		bytes *= 2;
	return bytes;
}

static bool wants_preallocation(const struct hf_volume *v)
{
	const char *set = hf_setting(v, "preallocate");
	return set && strcmp(set, "full") == 0;
}

int store_preallocate(int dir_fd, const struct header *h, uint64_t from_bytes, char *why, size_t why_bytes)
{
	for (uint64_t i = from_bytes / h->extent_bytes; i < extent_count(h); i++) {
		char name[32];
		extent_file_name(i, name);
		uint64_t left = h->size_bytes - i * h->extent_bytes;
		uint64_t len = left < h->extent_bytes ? left : h->extent_bytes;
		/* Not where hosts may be writing: without help of the file system, what looks empty is written to. */
		uint64_t at = from_bytes > i * h->extent_bytes ? from_bytes - i * h->extent_bytes : 0;
		_close_ int fd = openat(dir_fd, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
		int err = fd < 0 ? errno : posix_fallocate(fd, (off_t)at, (off_t)(len - at));
		if (!err && ftruncate(fd, (off_t)h->extent_bytes))
			err = errno;
		if (!err && fsync(fd))
			err = errno;
		if (err) {
			say("the space for the volume cannot be taken: %s", strerror(err));
			return -err;
		}
	}
	if (fsync(dir_fd)) {
		say("the folder cannot be made durable: %s", strerror(errno));
		return -errno;
	}
	return 0;
}

static int fill_new(int volumes, const char *name, const struct hf_volume *v, const struct header *h, char *why,
		    size_t why_bytes)
{
	int err = remove_folder(volumes, name); /* of an attempt that was cut off */
	if (!err && mkdirat(volumes, name, 0700))
		err = -errno;
	_close_ int dir = err ? -1 : open_dir(volumes, name);
	if (!err && dir < 0)
		err = dir;
	if (!err && wants_preallocation(v))
		err = store_preallocate(dir, h, 0, why, why_bytes);
	if (!err)
		err = store_write_header(dir, h);
	return err;
}

int store_create(const struct hf_volume *v, char *why, size_t why_bytes)
{
	struct header h = { .size_bytes = v->size_bytes, .block_bytes = v->block_bytes };
	h.extent_bytes = choose_extent_bytes(v);
	snprintf(h.uuid, sizeof(h.uuid), "%s", v->uuid);
	if (!v->size_bytes) {
		say("a volume of the plugin file needs a size");
		return -EINVAL;
	}
	if (!is_pow2(h.extent_bytes) || h.size_bytes > h.extent_bytes * EXTENTS_MAX) {
		say("extents of %" PRIu64 " bytes do not fit a volume of %" PRIu64, h.extent_bytes, h.size_bytes);
		return -EINVAL;
	}
	char fresh[48];
	snprintf(fresh, sizeof(fresh), ".%s.new", v->uuid);
	_close_ int volumes = open_volumes(v, true, why, why_bytes);
	if (volumes < 0)
		return volumes;
	struct stat st;
	if (fstatat(volumes, v->uuid, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		say("%s/volumes/%s exists already", v->pool_path, v->uuid);
		return -EEXIST;
	}
	int err = fill_new(volumes, fresh, v, &h, why, why_bytes);
	if (!err && renameat(volumes, fresh, volumes, v->uuid))
		err = -errno;
	if (!err && fsync(volumes))
		err = -errno;
	if (err) {
		(void)remove_folder(volumes, fresh);
		if (!*why)
			say("%s/volumes/%s cannot be made: %s", v->pool_path, v->uuid, strerror(-err));
	}
	return err;
}

int store_destroy(const struct hf_volume *v, char *why, size_t why_bytes)
{
	char gone[48], fresh[48];
	snprintf(gone, sizeof(gone), ".%s.gone", v->uuid);
	snprintf(fresh, sizeof(fresh), ".%s.new", v->uuid);
	_close_ int volumes = open_volumes(v, false, why, why_bytes);
	if (volumes < 0)
		return volumes;
	_close_ int dir = open_dir(volumes, v->uuid);
	int err = dir < 0 && dir != -ENOENT ? dir : 0;
	if (dir >= 0 && flock(dir, LOCK_EX | LOCK_NB)) {
		say("%s/volumes/%s is in use", v->pool_path, v->uuid);
		return -EBUSY;
	}
	if (dir >= 0) {
		err = remove_folder(volumes, gone);
		if (!err && renameat(volumes, v->uuid, volumes, gone))
			err = -errno;
		if (!err && fsync(volumes))
			err = -errno;
	}
	if (!err)
		err = remove_folder(volumes, gone);
	if (!err)
		err = remove_folder(volumes, fresh);
	if (err)
		say("%s/volumes/%s cannot be removed: %s", v->pool_path, v->uuid, strerror(-err));
	return err;
}

/* ---- opening ---------------------------------------------------------------------------------------------- */
static int check_header(const struct hf_volume *v, const struct header *h, char *why, size_t why_bytes)
{
	if (strcasecmp(h->uuid, v->uuid) != 0) {
		say("the folder belongs to the volume %s", h->uuid);
	} else if (h->block_bytes != v->block_bytes) {
		say("the volume was made with blocks of %u bytes", h->block_bytes);
	} else if (v->size_bytes && v->size_bytes != h->size_bytes) {
		say("the folder holds %" PRIu64 " bytes, the volume is configured with %" PRIu64
		    "; resize the volume to the size that is right",
		    h->size_bytes, v->size_bytes);
	} else {
		return 0;
	}
	return -EINVAL;
}

int store_open(const struct hf_volume *v, int *ret_dir_fd, struct header *ret_header, char *why, size_t why_bytes)
{
	_close_ int volumes = open_volumes(v, false, why, why_bytes);
	if (volumes < 0)
		return volumes;
	_close_ int dir = open_dir(volumes, v->uuid);
	if (dir < 0) {
		say("%s/volumes/%s: %s", v->pool_path, v->uuid, strerror(-dir));
		return dir;
	}
	if (flock(dir, LOCK_EX | LOCK_NB)) {
		say("%s/volumes/%s is in use by another server", v->pool_path, v->uuid);
		return -EBUSY;
	}
	int err = header_read(dir, ret_header, why, why_bytes);
	if (!err)
		err = check_header(v, ret_header, why, why_bytes);
	if (err)
		return err;
	*ret_dir_fd = dir;
	dir = -1;
	return 0;
}

/* The last extent may hold data past the end of a volume that was cut; it must not come back. */
static int trim_tail(int dir_fd, const struct header *h)
{
	uint64_t tail = h->size_bytes % h->extent_bytes;
	char name[32];
	if (!tail)
		return 0;
	extent_file_name(h->size_bytes / h->extent_bytes, name);
	_close_ int fd = openat(dir_fd, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	if (lseek(fd, (off_t)tail, SEEK_DATA) < 0 && errno == ENXIO)
		return 0;
	if (ftruncate(fd, (off_t)tail) || ftruncate(fd, (off_t)h->extent_bytes) || fsync(fd))
		return -errno;
	return 0;
}

int store_trim(int dir_fd, const struct header *h)
{
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	if (!d) {
		closep(&fd);
		return -EIO;
	}
	const struct dirent *e;
	int err = 0;
	while (!err && (errno = 0, e = readdir(d)) != NULL) {
		uint64_t index;
		if (!extent_file_index(e->d_name, &index) || index < extent_count(h))
			continue;
		if (unlinkat(dir_fd, e->d_name, 0) && errno != ENOENT)
			err = -errno;
	}
	if (!err && errno)
		err = -errno;
	closedir(d);
	return err ? err : trim_tail(dir_fd, h);
}
