/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fault_priv.h - what the files of this plugin share. */
#ifndef HOLDFAST_PLUGIN_FAULT_PRIV_H
#define HOLDFAST_PLUGIN_FAULT_PRIV_H

#include <pthread.h>
#include <stdatomic.h>

#include "sdk/plugin.h"

extern const struct hf_host *fault_host;

/* Which requests a fault concerns. */
enum { ON_READ = 1, ON_WRITE = 2, ON_FLUSH = 4, ON_ALL = 7 };

struct request;
struct cached;
#define BUCKETS 4096
struct fault {
	struct hf_next *next;
	char uuid[37];
	uint32_t block_bytes;
	bool keeps;                      /* unflushed writes are kept here, so that they can be lost */

	_Atomic(uint64_t) random;
	_Atomic(uint32_t) error_per_million, error_ops, error_no_space, delay_ms, delay_random_ms, delay_ops;
	_Atomic(uint64_t) bad_offset, bad_length;
	_Atomic(bool) stuck, torn, cut;

	pthread_mutex_t lock;            /* guards what follows */
	struct request *held;            /* stuck */
	struct cached *bucket[BUCKETS];
	uint64_t cached_count, version;
	bool flushing;
	struct request *flush_head, **flush_tail;
	bool survivors_done;
};

/* One request, in hf_io.scratch, until it is passed down. */
struct request {
	struct hf_timer timer;
	struct hf_work work;
	struct fault *fault;
	struct hf_io *io;
	struct request *next;
};
_Static_assert(sizeof(struct request) <= sizeof(((struct hf_io *)0)->scratch), "hf_io.scratch");
static inline struct request *request_of(struct hf_io *io)
{
	return (struct request *)(void *)io->scratch;
}
uint64_t fault_random(struct fault *f);

/* ---- cache.c: the writes that are not flushed yet ------------------------------------------------------ */
int cache_submit(struct fault *f, struct hf_io *io);
void cache_drop_from(struct fault *f, uint64_t offset_bytes);
/* The power went: some blocks may reach the backend (torn), the rest is gone.  -ESHUTDOWN, or
 * HF_PENDING while the survivors are written. */
int cache_power_cut(struct fault *f, struct hf_io *io);

#endif
