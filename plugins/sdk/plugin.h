/* SPDX-License-Identifier: GPL-3.0-or-later */
/* plugin.h - the one header a Holdfast backend plugin includes.
 *
 * A plugin is a shared object that defines one `struct hf_plugin` and registers it:
 *
 *	static struct hf_plugin plugin = {
 *		.name = "example", .summary = "...", .options = options,
 *		.open = example_open, .close = example_close, .get_info = example_get_info,
 *		.read = example_read, .write = example_write,
 *	};
 *	HOLDFAST_REGISTER_PLUGIN(plugin)
 *
 * Compatibility: fields are only appended.  The server copies min(its size, the plugin's size)
 * into zeroes, and so does a plugin with `struct hf_host`, so old and new mix both ways.
 *
 * Two ways to serve I/O; a plugin sets one of them:
 *  - asynchronous: submit(); answers now (HF_DONE) or later through host->io_done, from any thread.
 *  - blocking: read/write/flush/...; the server runs them on a worker pool, several at a time
 *    unless HF_SERIAL is set.
 *
 * Units are bytes.  The server has checked every request: inside the size, multiples of
 * block_bytes, at most max_io_bytes, not across a multiple of boundary_bytes, and of a kind that
 * get_info() said the plugin can do.  What it cannot do, the server emulates. */
#ifndef HOLDFAST_PLUGIN_H
#define HOLDFAST_PLUGIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#define HOLDFAST_PLUGIN_ABI 1

/* ---- requests -------------------------------------------------------------------------------- */
enum hf_op {
	HF_READ,
	HF_WRITE,
	HF_FLUSH,                        /* all writes that were done before it is submitted are durable after it */
	HF_UNMAP,                        /* range reads as zeroes afterwards when info.unmap_zeroes, else undefined */
	HF_ZERO,                         /* range reads as zeroes; HF_MAY_UNMAP allows to free the space */
	HF_COPY,                         /* from src_offset_bytes of the same volume; ranges never overlap */
	HF_OPS
};
enum hf_io_flags {
	HF_FUA = 1,                      /* WRITE, ZERO, COPY: durable before done; only when info.can_fua */
	HF_MAY_UNMAP = 2,                /* ZERO */
};
struct hf_io {
	uint8_t op;                      /* enum hf_op */
	uint8_t flags;
	uint16_t iov_count;              /* READ, WRITE; otherwise 0 */
	uint32_t queue;                  /* which reactor asks: 0 .. 63 */
	uint64_t offset_bytes;
	uint64_t len_bytes;
	const struct iovec *iov;         /* together len_bytes; borrowed until done */
	uint64_t src_offset_bytes;       /* COPY */
	/* Set by whoever made the request; a plugin ends requests with host->io_done(), never with
	 * this.  A stacked plugin sets it in the requests it makes itself. */
	void (*done)(struct hf_io *io, int status);
	uint64_t host_priv[8];           /* the server's */
	uint64_t scratch[48];            /* the plugin's, uninitialised, until done; see hf_file_op */
};
/* submit() returns a status <= 0 (0 or -errno) when the request is done, HF_PENDING when
 * host->io_done(io, status) will follow or has already run. */
#define HF_PENDING 1
/* Statuses with a meaning of their own: -ENOSPC no space in the pool; -EIO medium error;
 * -ESHUTDOWN backend is gone (volume becomes NOT READY); -EROFS; -ENOMEM; -EAGAIN busy. */

/* ---- what a backend is ---------------------------------------------------------------------- */
struct hf_info {
	uint64_t size_bytes;
	uint32_t block_bytes;            /* smallest unit of I/O: a power of two, 1 .. 4096; 512 when unsure */
	uint32_t physical_bytes;         /* best alignment, >= block_bytes */
	uint32_t align_bytes;            /* memory alignment of iov that it wants; 1: any */
	uint32_t max_io_bytes;           /* 0: no limit */
	uint64_t boundary_bytes;         /* requests never cross a multiple of it; 0: none */
	uint32_t unmap_granularity_bytes;/* 0: cannot unmap */
	bool read_only;
	bool volatile_cache;             /* a write is durable only after HF_FLUSH */
	bool can_fua, can_zero, can_copy;
	bool unmap_zeroes;
	bool rotational;
	bool thin;                       /* space is allocated when written */
	bool serial;                     /* blocking plugins: one call at a time */
};

/* ---- options: rows, from which the CLI, the API, the form and the man page come -------------- */
enum hf_option_type { HF_STRING, HF_PATH, HF_SIZE, HF_INT, HF_BOOL, HF_ENUM, HF_SECRET };
enum hf_option_flags { HF_REQUIRED = 1, HF_CREATE_ONLY = 2, HF_LIVE = 4 };
struct hf_option {
	const char *name;
	uint8_t type;                    /* enum hf_option_type */
	uint8_t flags;
	const char *values;              /* ENUM: "a|b|c"; INT, SIZE: "min..max"; else NULL */
	const char *default_value;       /* NULL: none */
	const char *help;                /* one sentence */
};
struct hf_setting {
	const char *name, *value;
};
/* What the volume is, given to create() and open(). */
struct hf_volume {
	const char *name;                /* for messages only: it can change */
	const char *uuid;                /* 36 characters, for ever the same */
	const char *pool_path;           /* folder of the pool, or NULL when it has none */
	uint64_t size_bytes;             /* as configured */
	uint32_t block_bytes;            /* logical block size */
	bool read_only;
	const struct hf_setting *settings; /* checked against the rows; defaults filled in */
	size_t setting_count;
};

/* ---- services of the server ------------------------------------------------------------------ */
enum hf_log_level { HF_LOG_ERROR, HF_LOG_WARN, HF_LOG_INFO, HF_LOG_DEBUG };
/* Asynchronous file I/O on the asking reactor (io_uring or workers).  Put it in hf_io.scratch. */
enum hf_file_opcode { HF_FILE_READV, HF_FILE_WRITEV, HF_FILE_FDATASYNC, HF_FILE_FALLOCATE };
struct hf_file_op {
	uint64_t priv[20];               /* the server's */
	void (*done)(struct hf_file_op *op, int64_t result); /* bytes or -errno; same reactor */
	int opcode, fd, flags;           /* RWF_* or FALLOC_FL_* */
	unsigned iov_count;
	const struct iovec *iov;
	uint64_t offset_bytes, len_bytes;
};
struct hf_work {
	uint64_t priv[8];
	void (*work)(struct hf_work *w); /* on a worker thread; may block */
	void (*done)(struct hf_work *w); /* back on the asking reactor */
};
struct hf_timer {
	uint64_t priv[8];
	void (*fire)(struct hf_timer *t); /* on the asking reactor */
};
struct hf_next;                          /* stacked plugins: the backend below */
struct hf_host {
	uint32_t abi, struct_bytes;
	void (*io_done)(struct hf_io *io, int status);           /* any thread, once */
	void (*log)(enum hf_log_level level, const char *volume, const char *fmt, ...)
		__attribute__((format(printf, 3, 4)));
	void (*file_op)(struct hf_io *io, struct hf_file_op *op); /* only inside submit or a callback of it */
	void (*work)(struct hf_io *io, struct hf_work *w);        /* any thread */
	/* The size or state below changed (a device was resized, went away, came back). Any thread. */
	void (*changed)(void *handle);
	/* Opens a block device or a file that needs privilege; descriptor or -errno.  Only in
	 * create() and open().  flags as open(2). */
	int (*open_path)(const char *path, int flags);
	/* Stacked plugins only: the backend below this one.  io is either the very request that
	 * submit() was given (then forget it: it is answered by the backend below, and its scratch
	 * belongs to that), or one of the plugin's own with done set; then a status <= 0 means that
	 * done will not run, as with submit(). */
	int (*next_submit)(struct hf_next *next, struct hf_io *io);
	int (*next_info)(struct hf_next *next, struct hf_info *ret_info);
	/* Runs t->fire once after delay_ms; like file_op only inside submit or a callback of it. */
	void (*after)(struct hf_io *io, struct hf_timer *t, uint64_t delay_ms);
};

struct hf_extent {
	uint64_t offset_bytes, len_bytes;
	bool mapped;                     /* false: hole, reads as zeroes */
};

/* ---- the plugin ------------------------------------------------------------------------------ */
enum hf_plugin_flags { HF_STACKED = 1 };
struct hf_plugin {
	uint32_t abi, struct_bytes;      /* set by HOLDFAST_REGISTER_PLUGIN */
	const char *name;                /* [a-z][a-z0-9-]* */
	const char *summary;             /* one sentence, for lists */
	const char *version;
	uint32_t flags;                  /* enum hf_plugin_flags */
	const struct hf_option *options;
	size_t option_count;

	/* Once, before anything else.  host is borrowed for ever. */
	int (*load)(const struct hf_host *host);
	void (*unload)(void);

	/* Management: on the control thread or a worker, never on a reactor; may block.
	 * Errors are -errno; error text may be written to why (why_bytes long) for the person.
	 * open() with size_bytes 0 means: whatever the backing store holds. */
	int (*create)(const struct hf_volume *v, char *why, size_t why_bytes); /* make the backing store; NULL: none to make */
	int (*destroy)(const struct hf_volume *v, char *why, size_t why_bytes); /* remove it, data and all */
	int (*open)(const struct hf_volume *v, struct hf_next *next, void **ret_handle, char *why, size_t why_bytes);
	void (*close)(void *handle);     /* nothing in flight */
	int (*get_info)(void *handle, struct hf_info *ret_info); /* asked once per open and after resize */
	int (*resize)(void *handle, uint64_t new_size_bytes, char *why, size_t why_bytes); /* I/O may be in flight */
	int (*used_bytes)(void *handle, uint64_t *ret_bytes);    /* allocated space; NULL: unknown */
	int (*set_option)(void *handle, const char *name, const char *value); /* HF_LIVE options */

	/* I/O, asynchronous way: on a reactor, must not block. */
	int (*submit)(void *handle, struct hf_io *io);

	/* I/O, blocking way: 0 or -errno; any of them but read may be NULL. */
	int (*read)(void *handle, void *buf, size_t len_bytes, uint64_t offset_bytes);
	int (*write)(void *handle, const void *buf, size_t len_bytes, uint64_t offset_bytes, unsigned flags);
	int (*flush)(void *handle);
	int (*unmap)(void *handle, uint64_t len_bytes, uint64_t offset_bytes);
	int (*zero)(void *handle, uint64_t len_bytes, uint64_t offset_bytes, unsigned flags);
	/* Which parts are allocated: fills up to *count extents from offset on; NULL: all mapped.
	 * On a worker thread. */
	int (*extents)(void *handle, uint64_t offset_bytes, uint64_t len_bytes, struct hf_extent *ext, size_t *count);

	/* A short text of the server's (HF_NOTE_BYTES with its NUL) that stays with the data; NULL: there is no place for it.
	 * Management calls.  note_read(): -ENOENT when none was written; note_write(): durable, the old text or the new. */
	int (*note_read)(void *handle, char *buf, size_t buf_bytes);
	int (*note_write)(void *handle, const char *text);
};
#define HF_NOTE_BYTES 1024

#define HOLDFAST_REGISTER_PLUGIN(p)                                              \
	__attribute__((visibility("default"))) struct hf_plugin *hf_plugin_init(void); \
	struct hf_plugin *hf_plugin_init(void)                                   \
	{                                                                        \
		(p).abi = HOLDFAST_PLUGIN_ABI;                                   \
		(p).struct_bytes = (uint32_t)sizeof(p);                          \
		return &(p);                                                     \
	}

/* The value of a setting, or NULL. */
static inline const char *hf_setting(const struct hf_volume *v, const char *name)
{
	for (size_t i = 0; i < v->setting_count; i++)
		if (__builtin_strcmp(v->settings[i].name, name) == 0)
			return v->settings[i].value;
	return NULL;
}

#endif
