/* SPDX-License-Identifier: GPL-3.0-or-later */
/* file_priv.h - what the files of this plugin share.  README.md has the layout on disk. */
#ifndef HOLDFAST_PLUGIN_FILE_PRIV_H
#define HOLDFAST_PLUGIN_FILE_PRIV_H

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

#include "sdk/plugin.h"

#define EXTENT_BYTES_DEFAULT ((uint64_t)256 << 20)
#define EXTENT_BYTES_MIN ((uint64_t)1 << 20)
#define EXTENT_BYTES_MAX ((uint64_t)1 << 40)
#define EXTENTS_WANTED 16384             /* a larger volume gets larger extents */
#define EXTENTS_MAX 65536                /* how far it can grow */
#define DIRTY_WORDS (EXTENTS_MAX / 64)

extern const struct hf_host *file_host;

/* ---- store.c: the folder, its header, and every change to them ------------------------------------ */
struct header {
	char uuid[37];
	uint64_t size_bytes, extent_bytes;
	uint32_t block_bytes;
};
int store_create(const struct hf_volume *v, char *why, size_t why_bytes);
int store_destroy(const struct hf_volume *v, char *why, size_t why_bytes);
/* Opens and locks the folder and reads its header.  Never makes anything. */
int store_open(const struct hf_volume *v, int *ret_dir_fd, struct header *ret_header, char *why, size_t why_bytes);
int store_write_header(int dir_fd, const struct header *h);
int store_note_read(int dir_fd, char *buf, size_t buf_bytes);    /* -ENOENT: none yet */
int store_note_write(int dir_fd, const char *text);
/* Removes extents past the end, and what the last one holds past it. */
int store_trim(int dir_fd, const struct header *h);
int store_preallocate(int dir_fd, const struct header *h, uint64_t from_bytes, char *why, size_t why_bytes);
void extent_file_name(uint64_t index, char name[32]);
bool extent_file_index(const char *name, uint64_t *ret_index);
static inline uint64_t extent_count(const struct header *h)
{
	return (h->size_bytes + h->extent_bytes - 1) / h->extent_bytes;
}

/* ---- the open volume --------------------------------------------------------------------------------- */
#define EXTENT_OPEN 0x80000000u          /* fd is valid; closed only when no user is left */
#define EXTENT_EXISTS 0x40000000u        /* the file is there; without it all reads as zeroes */
#define EXTENT_USERS 0x3fffffffu
struct extent {
	_Atomic(uint32_t) word;
	int fd;
	_Atomic(int) fua_fd;             /* descriptor + 1; 0: not open.  Its own description: an error of an older
	                                  * write-back must reach fdatasync on fd as well */
	_Atomic(uint8_t) used;           /* for the clock of the descriptor cache */
	_Atomic(uint64_t) written;       /* changes that have ended */
	uint64_t synced;                 /* of those, durable; under file->sync */
};
struct file_io;
struct file {
	struct file *next;               /* cache.c: all open volumes */
	char uuid[37];
	int dir_fd;
	_Atomic(uint64_t) size_bytes;
	uint64_t extent_bytes;
	unsigned extent_shift;
	uint32_t block_bytes, align_bytes, unit_bytes;
	bool direct, preallocate, read_only, can_punch, rotational;
	_Atomic(bool) nowait_read, nowait_write;
	_Atomic(int) lost;               /* a write-back failed: no flush succeeds any more */
	_Atomic(uint64_t) created;       /* extents made */
	_Atomic(uint64_t) created_synced;/* of those, durable in the folder */
	_Atomic(uint64_t) dirty[DIRTY_WORDS];
	pthread_mutex_t open;            /* opening and making extents */
	pthread_mutex_t sync;            /* fdatasync */
	pthread_mutex_t queue;           /* flushes in line */
	bool flushing;
	struct file_io *flush_head, **flush_tail;
	struct header header;            /* management only */
	bool untrimmed;                  /* management only: what a smaller size cut off is still there */
	uint64_t clock;                  /* cache.c */
	struct extent extent[EXTENTS_MAX];
};

/* One request, in hf_io.scratch. */
struct file_io {
	struct hf_file_op op;
	struct hf_work work;
	struct hf_io *io;
	struct file *file;
	struct extent *extent;           /* held while set */
	struct file_io *next;            /* in line for a flush */
	int status;
};
_Static_assert(sizeof(struct file_io) <= sizeof(((struct hf_io *)0)->scratch), "hf_io.scratch");
static inline struct file_io *file_io_of(struct hf_io *io)
{
	return (struct file_io *)(void *)io->scratch;
}

/* ---- cache.c: descriptors --------------------------------------------------------------------------- */
void cache_add(struct file *f);
void cache_remove(struct file *f);       /* closes all of its descriptors */
void cache_close_from(struct file *f, uint64_t first_index);
/* Takes a user of an open extent; false: not open. */
static inline bool extent_get(struct extent *e)
{
	if (atomic_fetch_add_explicit(&e->word, 1, memory_order_acquire) & EXTENT_OPEN) {
		if (!atomic_load_explicit(&e->used, memory_order_relaxed))
			atomic_store_explicit(&e->used, 1, memory_order_relaxed);
		return true;
	}
	atomic_fetch_sub_explicit(&e->word, 1, memory_order_relaxed);
	return false;
}
static inline void extent_put(struct extent *e)
{
	atomic_fetch_sub_explicit(&e->word, 1, memory_order_release);
}
static inline bool extent_exists(struct extent *e)
{
	return atomic_load_explicit(&e->word, memory_order_acquire) & EXTENT_EXISTS;
}
/* On a worker: opens it (makes it with `create`), takes a user.  -ENOENT: not there. */
int extent_open(struct file *f, struct extent *e, bool create);
int extent_open_fua(struct file *f, struct extent *e);

/* ---- flush.c ------------------------------------------------------------------------------------------ */
void extent_changed(struct file *f, struct extent *e); /* after a change, before it is answered */
int flush_submit(struct file *f, struct hf_io *io);
int extent_sync(struct file *f, struct extent *e); /* under f->sync */
bool flush_needs_folder(struct file *f);

/* ---- data.c, space.c ----------------------------------------------------------------------------------- */
int read_submit(struct file *f, struct hf_io *io);
int write_submit(struct file *f, struct hf_io *io);
int space_submit(struct file *f, struct hf_io *io); /* UNMAP, ZERO */
int copy_submit(struct file *f, struct hf_io *io);
void file_io_init(struct file *f, struct hf_io *io);
/* Lets go of the extent and answers; with FUA still wanted, after a flush. */
void file_io_end(struct file_io *p, int status, bool needs_flush);
int file_status(int64_t result);         /* a status from an errno */
int file_used_bytes(void *handle, uint64_t *ret_bytes);
int file_extents(void *handle, uint64_t offset_bytes, uint64_t len_bytes, struct hf_extent *ext, size_t *count);

static inline struct extent *extent_of(struct file *f, uint64_t offset_bytes)
{
	return &f->extent[offset_bytes >> f->extent_shift];
}
static inline uint64_t offset_in(const struct file *f, uint64_t offset_bytes)
{
	return offset_bytes & (f->extent_bytes - 1);
}

#endif
