/* SPDX-License-Identifier: GPL-3.0-or-later */
/* block.h - the door of block/: volumes, requests on them, reservations.
 *
 * A volume is what SCSI and NVMe serve.  Its identity (uuid) never changes; its backend may be
 * missing for a while (OFFLINE), then every request fails with -ESHUTDOWN and the volume stays.
 *
 * Threads: management calls (open, close, resize, ..) come from the control thread and may block.
 * Requests come from reactors; done() runs on the reactor that submitted.  On the fast path there
 * is no lock, no allocation and no hand-off between threads. */
#ifndef HOLDFAST_BLOCK_BLOCK_H
#define HOLDFAST_BLOCK_BLOCK_H

#include <stdatomic.h>

#include "core/core.h"

struct hf_extent;
struct hf_option;
struct resv_change;
struct volume;

/* ---- start and stop of the room ---------------------------------------------------------------- */
struct block_opts {
	struct reactor *const *reactors; /* those that submit requests */
	unsigned reactor_count;
	const char *const *plugin_dirs;  /* where NAME.so or NAME/.libs/NAME.so is looked for, in order */
	unsigned plugin_dir_count;
	/* Opens what needs privilege (the broker); NULL: plain open(2).  fd or -errno. */
	int (*open_path)(const char *path, int flags);
};
int block_start(const struct block_opts *opts) _must_check_;
void block_stop(void);                   /* all volumes are closed */

/* ---- plugins -------------------------------------------------------------------------------- */
struct plugin_desc {
	const char *name, *summary, *version, *file;
	bool stacked;
	const struct hf_option *options;
	size_t option_count;
};
/* Loads it if needed. -ENOENT no such plugin; -ENOEXEC not a plugin or another ABI. */
int plugin_describe(const char *name, struct plugin_desc *ret_desc);
/* Calls fn for every plugin found in the folders. */
void plugin_each(void (*fn)(void *arg, const struct plugin_desc *d), void *arg);

/* ---- encryption -------------------------------------------------------------------------------- */
/* How blocks of encrypted volumes become what is stored; installed before the first such volume is opened (this room
 * stands beside tls/).  A state is used by one thread at a time; unit: number of the volume's block; whole blocks; from
 * may be to.  0 or -errno. */
#define VOLUME_KEY_BYTES 64
struct volume_cipher {
	int (*open)(const uint8_t key[VOLUME_KEY_BYTES], uint32_t unit_bytes, void **ret_state);
	void (*close)(void *state);
	int (*encrypt)(void *state, uint64_t unit, const void *from, void *to, size_t len_bytes);
	int (*decrypt)(void *state, uint64_t unit, const void *from, void *to, size_t len_bytes);
};
void volume_cipher_set(const struct volume_cipher *c);   /* borrows for ever */

/* ---- volumes -------------------------------------------------------------------------------- */
struct volume_setting {
	const char *name, *value;
};
struct volume_spec {
	const char *name;                /* current name, for log lines */
	const char *uuid;                /* 36 characters */
	const char *plugin;              /* "file", "ram", .. or a stack "fault:file", top first */
	const char *pool_path;           /* NULL: none */
	uint64_t size_bytes;             /* a multiple of block_bytes; 0: all that the backing store holds */
	uint32_t block_bytes;            /* 512, 2048 or 4096 */
	bool read_only;
	const struct volume_setting *settings;
	size_t setting_count;
	bool encrypted;
	const uint8_t *key;              /* encrypted: VOLUME_KEY_BYTES, or NULL: it is OFFLINE, because of .. */
	const char *key_why;
};
enum volume_state { VOLUME_ONLINE, VOLUME_OFFLINE, VOLUME_CLOSED };

/* Checks names, options, sizes; why gets a sentence for the person.  -EINVAL, -ENOENT (plugin). */
int volume_check(const struct volume_spec *s, char *why, size_t why_bytes);
/* Makes / removes the backing store (files, folder).  Blocks.  -EEXIST, -ENOSPC, .. */
int volume_create_backing(const struct volume_spec *s, char *why, size_t why_bytes);
int volume_destroy_backing(const struct volume_spec *s, char *why, size_t why_bytes);

/* Returns owned (one reference).  When the backend cannot be opened the volume exists all the
 * same, OFFLINE, and volume_reason() says why; only -ENOMEM and -EINVAL are errors. */
int volume_open(const struct volume_spec *s, struct volume **ret_volume) _must_check_;
struct volume *volume_ref(struct volume *v);             /* any thread */
void volume_unref(struct volume *v);                     /* any thread; NULL is fine */
DEFINE_FREEP(struct volume, volume_unref)
/* Ends service: new requests fail with -ESHUTDOWN, waits until those in flight are done or
 * deadline_ms is over (-ETIMEDOUT: the backend is closed when they end), closes the backend. */
int volume_close(struct volume *v, unsigned deadline_ms);
/* Tries to open the backend of an OFFLINE volume again, or of one whose flush has failed (such a
 * volume fails every later flush until this).  0 when ONLINE now. */
int volume_reopen(struct volume *v);
bool volume_has_lost_writes(const struct volume *v);     /* a flush has failed, and every later one will; any thread */
/* Grows or shrinks the backend and tells the watchers. why as above.  On an OFFLINE volume whose
 * backing store has another size than configured: brings it to this size, and ONLINE. */
int volume_resize(struct volume *v, uint64_t new_size_bytes, char *why, size_t why_bytes);
int volume_rename(struct volume *v, const char *new_name);
int volume_set_read_only(struct volume *v, bool on);
int volume_set_option(struct volume *v, const char *name, const char *value);
/* An encrypted volume gets another key, so that what it holds is noise from then on.  save() makes the key durable, while no
 * request is in flight; when it fails nothing has changed.  0, -ENOTSUP not encrypted, -ETIMEDOUT, what save() says. */
int volume_rekey(struct volume *v, const uint8_t key[VOLUME_KEY_BYTES], int (*save)(void *arg), void *arg) _must_check_;
/* Asks whoever keeps keys, control/, for another one: SANITIZE's cryptographic erase.  On a worker; 0 when the new key is
 * durable and in force and the old one is gone, -ENOTSUP. */
int volume_key_renew(struct volume *v) _must_check_;
typedef int volume_key_renew_fn(void *arg, const char *volume_uuid);
void volume_key_on_renew(volume_key_renew_fn *fn, void *arg);
/* Holds new requests back and returns when none is in flight; resume lets them go.  Calls nest.
 * Blocks (control thread). -ETIMEDOUT: resumed. */
int volume_quiesce(struct volume *v, unsigned deadline_ms);
void volume_resume(struct volume *v);

/* Facts; any thread. */
const char *volume_name(const struct volume *v);         /* returns borrowed, until rename */
const uint8_t *volume_uuid(const struct volume *v);      /* 16 bytes */
const char *volume_uuid_text(const struct volume *v);
uint64_t volume_size_bytes(const struct volume *v);
uint64_t volume_block_count(const struct volume *v);
uint32_t volume_block_bytes(const struct volume *v);
bool volume_is_encrypted(const struct volume *v);
enum volume_state volume_state(const struct volume *v);
void volume_reason(const struct volume *v, char *buf, size_t buf_bytes); /* why OFFLINE */
int volume_used_bytes(struct volume *v, uint64_t *ret_bytes);            /* blocks; -ENOTSUP */

/* The volume is being wiped for good (SCSI SANITIZE), or that failed: hosts of all protocols are told.  Whoever wipes sets
 * it; control/ keeps it, and a wipe that was cut off has failed. */
enum volume_wipe { VOLUME_WIPE_NONE, VOLUME_WIPE_RUNS, VOLUME_WIPE_FAILED };
enum volume_wipe volume_wipe(const struct volume *v);
bool volume_is_ready(const struct volume *v);            /* online and not wiped: one question for the data path */
int volume_wipe_set(struct volume *v, enum volume_wipe w) _must_check_; /* on a worker: waits until it is durable.  -errno: nothing changed */
void volume_wipe_was_cut_off(struct volume *v);          /* before anybody sees the volume */
/* How many wipes have begun.  A command that was taken before one must not write after it, however late its data come: whoever
 * takes commands compares before the first request; between two requests of one command VOLUME_WIPING does it. */
unsigned volume_wipe_count(const struct volume *v);
typedef int volume_wipe_save_fn(void *arg, const char *volume_uuid, bool wiped);
void volume_wipe_on_save(volume_wipe_save_fn *fn, void *arg);    /* installed by control/; NULL: nothing is kept */

struct volume_limits {
	uint32_t physical_bytes;
	uint32_t max_io_bytes;           /* largest READ or WRITE request; larger ones must be cut by the caller */
	uint32_t unmap_granularity_bytes;/* 0: volume is thick, UNMAP is refused with -ENOTSUP */
	uint64_t max_zero_bytes;         /* advertised limit of one ZERO, UNMAP */
	bool read_only;
	bool volatile_cache;             /* of the backend; see volume_set_write_through() */
	bool unmap_zeroes;
	bool rotational;
	bool thin;
};
void volume_limits(const struct volume *v, struct volume_limits *ret_limits);
/* Every change of data that begins from now on is durable before it is done, as with VOLUME_FUA, whoever asks for it. */
void volume_set_write_through(struct volume *v, bool on);        /* any thread */
bool volume_write_through(const struct volume *v);

/* ---- requests -------------------------------------------------------------------------------- */
enum volume_op {
	VOLUME_READ,
	VOLUME_WRITE,
	VOLUME_FLUSH,
	VOLUME_UNMAP,                    /* hint; granules that are not whole are left */
	VOLUME_ZERO,
	VOLUME_COMPARE,                  /* iov against the volume */
	VOLUME_COMPARE_WRITE,            /* first half of iov is compared, second half is written; atomic */
	VOLUME_COPY,                     /* from io->src (may be another volume) at src_lba */
	VOLUME_SAME,                     /* iov holds one block, written count_blocks times */
	VOLUME_OPS
};
enum volume_io_flags {
	VOLUME_FUA = 1,
	VOLUME_MAY_UNMAP = 2,            /* ZERO */
	VOLUME_ATOMIC = 4,               /* WRITE: no reader or writer sees half of it */
	VOLUME_WIPING = 8,               /* of the wipe itself; other changes end with -EINPROGRESS while it runs and when it has failed */
};
#define VOLUME_IO_PRIV 112               /* 64-bit words */
struct volume_io {
	uint8_t op, flags;
	uint16_t iov_count;
	uint32_t count_blocks;           /* READ, WRITE, COMPARE, COMPARE_WRITE: what iov holds */
	uint64_t lba;                    /* first block, in the volume's block size, from 0 */
	uint64_t long_count_blocks;      /* UNMAP, ZERO, COPY, SAME: count (count_blocks is ignored) */
	const struct iovec *iov;         /* borrowed until done */
	struct volume *src;              /* COPY: borrowed until done; NULL: same volume */
	uint64_t src_lba;
	/* Runs once, on the submitting reactor, possibly before volume_submit() returns.
	 * 0           done (FUA: durable)
	 * -EIO        medium error        -ENOSPC    pool is full
	 * -ESHUTDOWN  volume is offline   -EROFS     read-only
	 * -EILSEQ     compare failed; miscompare_bytes is the offset of the first difference
	 * -ERANGE     leaves the volume (also after a resize in between)
	 * -EINPROGRESS the volume is being wiped, or that failed
	 * -ENOTSUP    op not possible here -EINVAL   count or iov malformed -ENOMEM */
	void (*done)(struct volume_io *io, int status);
	uint64_t miscompare_bytes;
	bool compared;                   /* COMPARE_WRITE: it was equal, so what failed is the write */
	uint64_t priv[VOLUME_IO_PRIV];   /* block's own */
};
/* On a reactor given to block_start(). */
void volume_submit(struct volume *v, struct volume_io *io);

/* Runs done, on the calling reactor and never inside, when every request that was in flight at the call has
 * ended, on whichever reactor; later ones are not waited for.  What must not reach the medium after a host was
 * fenced: first the reservation is in force, then the barrier, then the answer. */
struct volume_barrier {
	void (*done)(struct volume_barrier *b);
	struct msg msg;                  /* private from here */
	struct volume_barrier *next;
	struct volume *volume;
	struct reactor *reactor;
	unsigned at;
};
void volume_barrier(struct volume *v, struct volume_barrier *b);

/* Allocation map from lba on.  Blocks in a worker; done() on the calling reactor. */
struct volume_map_io {
	struct work work;                /* private */
	struct volume_map_io *next;      /* private */
	void *top;                       /* private */
	struct volume *volume;
	uint64_t lba, count_blocks;
	struct hf_extent *ext;           /* caller's array */
	size_t ext_count;                /* in: room; out: filled */
	int status;
	void (*done)(struct volume_map_io *m);
};
void volume_map(struct volume *v, struct volume_map_io *m);

/* ---- has a range been written? ------------------------------------------------------------------ */
struct volume_extent {
	uint64_t lba, count_blocks;
};
struct volume_change {
	struct list link;                /* list_init() before the first watch */
	const struct volume_extent *extent;      /* borrowed while watched */
	size_t extent_count;
	uint64_t until_ns;               /* of reactor_clock_ns(): later it counts as changed */
	_Atomic(bool) changed;           /* a write has begun there, or the volume became another one */
};
/* Any thread.  Writes that begin after it are noticed, of every front end. */
void volume_change_watch(struct volume *v, struct volume_change *c);
void volume_change_unwatch(struct volume *v, struct volume_change *c);   /* fine when not watched any more */

/* ---- events ---------------------------------------------------------------------------------- */
enum volume_event { VOLUME_RESIZED, VOLUME_STATE_CHANGED, VOLUME_LIMITS_CHANGED, VOLUME_FULL, VOLUME_RESERVATION, VOLUME_WRITES_LOST };
struct volume_watcher {
	struct list link;
	void (*event)(struct volume_watcher *w, struct volume *v, enum volume_event e); /* any thread */
	/* May be NULL.  Who lost what by a reservation request, whichever command set it came from; the
	 * same list that the request's done() gets.  Any thread; borrowed during the call. */
	void (*lost)(struct volume_watcher *w, struct volume *v, const struct resv_change *c, size_t count);
};
void volume_watch(struct volume *v, struct volume_watcher *w);
void volume_unwatch(struct volume *v, struct volume_watcher *w); /* event() will not run after it */

/* ---- statistics ------------------------------------------------------------------------------- */
enum stats_kind { STATS_READ, STATS_WRITE, STATS_OTHER, STATS_KINDS };
struct volume_stats {
	struct {
		uint64_t ops, bytes, errors;
		struct hist latency;
	} kind[STATS_KINDS];
	uint64_t in_flight;
};
/* Sum over all reactors since open. Any thread. */
void volume_stats(const struct volume *v, struct volume_stats *ret_stats);
/* The counters without the histograms: cheap enough for every volume every few seconds. */
struct volume_counts {
	uint64_t ops[STATS_KINDS], bytes[STATS_KINDS], errors[STATS_KINDS];
};
void volume_counts(const struct volume *v, struct volume_counts *ret_counts);
/* Counters of one nexus or queue; embedded by its owner, one writer. */
struct nexus_stats {
	uint64_t read_ops, read_bytes, write_ops, write_bytes, other_ops, errors;
	struct hist latency;
};

/* ---- reservations, shared by SCSI persistent reservations and NVMe reservations ---------------- */
/* Who: an I_T nexus or an NVMe host, as stable bytes.  SCSI: "iqn..,i,0x<isid>" + target port;
 * NVMe: the 128-bit host identifier.  Compared as bytes. */
#define RESV_ID_MAX 256
struct resv_id {
	uint16_t len;
	uint8_t bytes[RESV_ID_MAX];
};
enum resv_type {                         /* numbers as in SPC PR TYPE; NVMe RTYPE is mapped by nvme/ */
	RESV_NONE = 0,
	RESV_WRITE_EXCLUSIVE = 1,
	RESV_EXCLUSIVE_ACCESS = 3,
	RESV_WRITE_EXCLUSIVE_REG_ONLY = 5,
	RESV_EXCLUSIVE_ACCESS_REG_ONLY = 6,
	RESV_WRITE_EXCLUSIVE_ALL_REG = 7,
	RESV_EXCLUSIVE_ACCESS_ALL_REG = 8,
};
struct resv_registrant {
	struct resv_id id;
	uint64_t key;
	bool holder;
};
enum resv_action { RESV_REGISTER, RESV_REGISTER_IGNORE, RESV_RESERVE, RESV_RELEASE, RESV_CLEAR,
		   RESV_PREEMPT, RESV_MOVE, RESV_PERSIST };
enum resv_loss { RESV_LOST_REGISTRATION, RESV_LOST_RESERVATION, RESV_TYPE_CHANGED, RESV_PREEMPTED };
struct resv_change {
	struct resv_id id;
	enum resv_loss loss;
	bool abort;                      /* its commands that wait must end: preempt and abort */
	const void *from;                /* of the request */
};
struct resv_request {
	enum resv_action action;
	enum resv_type type;
	uint64_t key, new_key;           /* RESERVATION KEY, SERVICE ACTION RESERVATION KEY */
	const struct resv_id *id;        /* who asks */
	const struct resv_id *move_to;   /* MOVE */
	const struct resv_id *extra;     /* REGISTER: also these (SPEC_I_PT, ALL_TG_PT) */
	size_t extra_count;
	bool names_others;               /* SPEC_I_PT: only for an asker without a registration, and only of those without one */
	int aptpl;                       /* REGISTER, PERSIST: 1 on, 0 off, -1 as it is */
	bool unregister_moved;           /* MOVE: UNREG */
	bool abort;                      /* PREEMPT: comes back in the changes; see volume_barrier() */
	const void *from;                /* the room's mark, so that it knows its own changes */
	/* Runs on the calling reactor once the change is in force and, with aptpl, durable.
	 * 0; -EACCES reservation conflict; -EINVAL; -ENOSPC no room; -EIO could not be made durable
	 * (nothing changed).  affected: who lost what, for unit attentions; borrowed during the call. */
	void (*done)(struct resv_request *rq, int status, const struct resv_change *affected, size_t count);
	struct msg msg;                  /* private from here */
	uint64_t priv[8];
};
void volume_resv_request(struct volume *v, struct resv_request *rq);
/* The whole volume for one holder, as SPC-2's RESERVE has it: all others conflict, reservation requests of
 * everybody too.  0; -EACCES another holds it, or somebody is registered.  Any thread. */
int volume_claim(struct volume *v, const struct resv_id *id);
void volume_unclaim(struct volume *v, const struct resv_id *id); /* NULL: whoever it is; of another: nothing happens */
/* A copy of the state: generation, holder, type, registrants. Returns their number. */
struct resv_state {
	uint32_t generation;
	enum resv_type type;
	bool aptpl;
	size_t count;
	struct resv_registrant *registrants; /* returns owned: free() */
};
int volume_resv_read(struct volume *v, struct resv_state *ret_state);
/* May this nexus do it?  Fast path: one relaxed load when nothing is reserved. */
enum resv_access { RESV_ACCESS_READ, RESV_ACCESS_WRITE };
bool volume_resv_allows(struct volume *v, const struct resv_id *id, enum resv_access a);
/* Durability: called (on a worker thread) with the state to keep before done(); 0 or -errno.
 * "" means that nothing is to be kept.  Without a callback APTPL is refused with -EIO.
 * Installed by control/.  The text form is ours, versioned, and is what volume_resv_load takes. */
typedef int volume_resv_save_fn(void *arg, const char *volume_uuid, const char *state_text);
void volume_resv_on_save(volume_resv_save_fn *fn, void *arg);
int volume_resv_load(struct volume *v, const char *state_text); /* -EINVAL: refused, nothing changed */

#endif
