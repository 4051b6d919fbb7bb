/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cache.c - a write cache that can be lost: written blocks live here until a flush has carried them
 * down, so losing them is real.
 *
 * A read takes a copy of the cached blocks of its range when it is submitted and lays it over what
 * comes from below; a flush removes a block only when no newer version has come meanwhile. */
#include "fault_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define RUN_BLOCKS 128

struct cached {
	struct cached *next;
	uint64_t block, version;
	uint8_t data[];
};

/* A request of our own to the backend below. */
struct below {
	struct hf_io io;
	struct iovec iov;
	struct fault *fault;
	struct hf_io *parent;
	struct carry *carry;
	struct cached *over;             /* READ: what to lay over it */
	uint64_t version[RUN_BLOCKS];
	uint8_t *data;                   /* owned; aligned for any backend */
};
/* A flush on its way down. */
struct carry {
	struct fault *fault;
	struct hf_io *parent;
	struct below *runs;              /* linked by io.src_offset_bytes */
	unsigned in_flight;
	int status;
	bool starting, flushed;
};

static struct cached **bucket_of(struct fault *f, uint64_t block)
{
	return &f->bucket[(block * 0x9e3779b97f4a7c15ull) >> 52];
}

/* Under the lock. */
static struct cached *find(struct fault *f, uint64_t block)
{
	struct cached *c = *bucket_of(f, block);
	while (c && c->block != block)
		c = c->next;
	return c;
}

static void forget(struct fault *f, uint64_t block)
{
	for (struct cached **at = bucket_of(f, block); *at; at = &(*at)->next)
		if ((*at)->block == block) {
			struct cached *c = *at;
			*at = c->next;
			free(c);
			f->cached_count--;
			return;
		}
}

void cache_drop_from(struct fault *f, uint64_t offset_bytes)
{
	pthread_mutex_lock(&f->lock);
	for (unsigned i = 0; i < BUCKETS; i++)
		for (struct cached **at = &f->bucket[i]; *at;) {
			struct cached *c = *at;
			if (c->block < offset_bytes / f->block_bytes) {
				at = &c->next;
				continue;
			}
			*at = c->next;
			free(c);
			f->cached_count--;
		}
	pthread_mutex_unlock(&f->lock);
}

/* Copies between a block-aligned range of the request's vectors and memory. */
static void vectors_copy(const struct hf_io *io, uint64_t at, uint8_t *mem, size_t len, bool into_vectors)
{
	for (unsigned i = 0; i < io->iov_count && len; i++) {
		const struct iovec *v = &io->iov[i];
		if (at >= v->iov_len) {
			at -= v->iov_len;
			continue;
		}
		size_t n = v->iov_len - (size_t)at < len ? v->iov_len - (size_t)at : len;
		uint8_t *p = (uint8_t *)v->iov_base + at;
		if (into_vectors)
			memcpy(p, mem, n);
		else
			memcpy(mem, p, n);
		mem += n;
		len -= n;
		at = 0;
	}
}

static int cache_write(struct fault *f, struct hf_io *io)
{
	uint64_t first = io->offset_bytes / f->block_bytes, count = io->len_bytes / f->block_bytes;
	int err = 0;
	pthread_mutex_lock(&f->lock);
	for (uint64_t i = 0; i < count && !err; i++) {
		struct cached *c = find(f, first + i);
		if (!c) {
			c = malloc(sizeof(*c) + f->block_bytes);
			if (!c) {
				err = -ENOMEM;
				break;
			}
			struct cached **at = bucket_of(f, first + i);
			c->block = first + i;
			c->next = *at;
			*at = c;
			f->cached_count++;
		}
		c->version = ++f->version;
		vectors_copy(io, i * f->block_bytes, c->data, f->block_bytes, false);
	}
	pthread_mutex_unlock(&f->lock);
	return err;
}

/* ---- reading ---------------------------------------------------------------------------------------------- */
static void free_chain(struct cached *c)
{
	while (c) {
		struct cached *next = c->next;
		free(c);
		c = next;
	}
}

static void lay_over(struct below *b)
{
	uint64_t first = b->parent->offset_bytes / b->fault->block_bytes;
	for (struct cached *c = b->over; c; c = c->next)
		vectors_copy(b->parent, (c->block - first) * b->fault->block_bytes, c->data, b->fault->block_bytes, true);
}

static int read_over(struct below *b, int status)
{
	if (!status)
		lay_over(b);
	free_chain(b->over);
	free(b);
	return status;
}

static void read_done(struct hf_io *io, int status)
{
	struct below *b = (struct below *)io;
	struct hf_io *parent = b->parent;
	fault_host->io_done(parent, read_over(b, status));
}

static int copy_range(struct fault *f, const struct hf_io *io, struct cached **ret_over)
{
	uint64_t first = io->offset_bytes / f->block_bytes, count = io->len_bytes / f->block_bytes;
	struct cached *over = NULL;
	int err = 0;
	pthread_mutex_lock(&f->lock);
	for (uint64_t i = 0; i < count && f->cached_count && !err; i++) {
		const struct cached *c = find(f, first + i);
		struct cached *copy = c ? malloc(sizeof(*c) + f->block_bytes) : NULL;
		if (copy) {
			memcpy(copy, c, sizeof(*c) + f->block_bytes);
			copy->next = over;
			over = copy;
		} else if (c) {
			err = -ENOMEM;
		}
	}
	pthread_mutex_unlock(&f->lock);
	if (err) {
		free_chain(over);
		over = NULL;
	}
	*ret_over = over;
	return err;
}

static int cache_read(struct fault *f, struct hf_io *io)
{
	struct cached *over = NULL;
	int err = copy_range(f, io, &over);
	if (err)
		return err;
	if (!over)
		return fault_host->next_submit(f->next, io);
	struct below *b = calloc(1, sizeof(*b));
	if (!b) {
		free_chain(over);
		return -ENOMEM;
	}
	b->fault = f;
	b->parent = io;
	b->over = over;
	b->io = (struct hf_io){ .op = HF_READ, .queue = io->queue, .offset_bytes = io->offset_bytes,
				.len_bytes = io->len_bytes, .iov = io->iov, .iov_count = io->iov_count,
				.done = read_done };
	int status = fault_host->next_submit(f->next, &b->io);
	return status == HF_PENDING ? HF_PENDING : read_over(b, status);
}

/* ---- flushing --------------------------------------------------------------------------------------------- */
static int by_block(const void *a, const void *b)
{
	const struct cached *x = *(struct cached *const *)a, *y = *(struct cached *const *)b;
	return x->block < y->block ? -1 : x->block > y->block;
}

static struct below *run_new(struct fault *f, struct hf_io *parent, struct carry *y, struct cached **c, size_t left)
{
	struct hf_info info = { 0 };
	(void)fault_host->next_info(f->next, &info);
	uint64_t edge = info.boundary_bytes / f->block_bytes, most = info.max_io_bytes / f->block_bytes;
	size_t n = 1;
	while (n < left && n < RUN_BLOCKS && c[n]->block == c[0]->block + n && (!most || n < most) &&
	       (!edge || c[n]->block % edge))
		n++;
	struct below *b = calloc(1, sizeof(*b));
	uint8_t *data = aligned_alloc(4096, (n * f->block_bytes + 4095) & ~(size_t)4095);
	if (!b || !data) {
		free(b);
		free(data);
		return NULL;
	}
	b->data = data;
	b->fault = f;
	b->parent = parent;
	b->carry = y;
	for (size_t i = 0; i < n; i++) {
		memcpy(b->data + i * f->block_bytes, c[i]->data, f->block_bytes);
		b->version[i] = c[i]->version;
	}
	b->iov = (struct iovec){ b->data, n * f->block_bytes };
	b->io = (struct hf_io){ .op = HF_WRITE, .queue = parent->queue, .offset_bytes = c[0]->block * f->block_bytes,
				.len_bytes = n * f->block_bytes, .iov = &b->iov, .iov_count = 1 };
	return b;
}

/* All cached blocks, or with `torn` about half of them, as runs linked by io.src_offset_bytes.
 * Under the lock. */
static int collect(struct fault *f, struct hf_io *parent, struct carry *y, bool torn, struct below **ret_runs)
{
	struct cached **list = malloc((f->cached_count + 1) * sizeof(*list));
	size_t n = 0;
	int err = 0;
	if (!list)
		return -ENOMEM;
	for (unsigned i = 0; i < BUCKETS; i++)
		for (struct cached *c = f->bucket[i]; c; c = c->next)
			list[n++] = c;
	qsort(list, n, sizeof(*list), by_block);
	size_t kept = 0;
	for (size_t i = 0; i < n; i++)
		if (!torn || fault_random(f) & 1)
			list[kept++] = list[i];
	for (size_t i = 0; i < kept && !err;) {
		struct below *b = run_new(f, parent, y, list + i, kept - i);
		if (!b) {
			err = -ENOMEM;
			break;
		}
		b->io.src_offset_bytes = (uint64_t)(uintptr_t)*ret_runs;
		*ret_runs = b;
		i += b->io.len_bytes / f->block_bytes;
	}
	free(list);
	return err;
}

static struct below *take_run(struct below **runs)
{
	struct below *b = *runs;
	if (b)
		*runs = (struct below *)(uintptr_t)b->io.src_offset_bytes;
	return b;
}

static void start_flush(struct fault *f, struct hf_io *io);

/* Blocks that are durable now and have not been written again are forgotten. */
static void forget_runs(struct fault *f, struct below *runs, bool durable)
{
	struct below *b;
	while ((b = take_run(&runs)) != NULL) {
		uint64_t first = b->io.offset_bytes / f->block_bytes;
		pthread_mutex_lock(&f->lock);
		for (uint64_t i = 0; durable && i < b->io.len_bytes / f->block_bytes; i++) {
			const struct cached *c = find(f, first + i);
			if (c && c->version == b->version[i])
				forget(f, first + i);
		}
		pthread_mutex_unlock(&f->lock);
		free(b->data);
		free(b);
	}
}

static void next_flush_done(struct hf_work *w)
{
	struct request *r = (struct request *)((char *)w - offsetof(struct request, work));
	start_flush(r->fault, r->io);
}

static void nothing(struct hf_work *w)
{
	(void)w;
}

/* Under the lock. */
static void forget_range(struct fault *f, const struct hf_io *io)
{
	uint64_t end = (io->offset_bytes + io->len_bytes) / f->block_bytes;
	for (uint64_t b = io->offset_bytes / f->block_bytes; f->cached_count && b < end; b++)
		forget(f, b);
}

static void discard_late(struct hf_work *w)
{
	struct request *r = (struct request *)((char *)w - offsetof(struct request, work));
	struct hf_io *io = r->io;
	int status = fault_host->next_submit(r->fault->next, io);
	if (status != HF_PENDING)
		fault_host->io_done(io, status);
}

/* Under the lock.  Takes what waits from the line, up to the next flush: what discards is forgotten before that
 * flush collects. */
static struct request *next_in_line(struct fault *f, struct request **ret_discards)
{
	struct request *r;
	while ((r = f->flush_head) != NULL) {
		f->flush_head = r->next;
		if (!f->flush_head)
			f->flush_tail = &f->flush_head;
		if (r->io->op == HF_FLUSH)
			break;
		forget_range(f, r->io);
		r->next = *ret_discards;
		*ret_discards = r;
	}
	return r;
}

/* On its own reactor. */
static void go_on(struct request *r, void (*done)(struct hf_work *w))
{
	r->work.work = nothing;
	r->work.done = done;
	fault_host->work(r->io, &r->work);
}

static void carry_end(struct carry *y)
{
	struct fault *f = y->fault;
	struct hf_io *io = y->parent;
	int status = y->status;
	struct request *discards = NULL;
	forget_runs(f, y->runs, status == 0);
	free(y);
	pthread_mutex_lock(&f->lock);
	struct request *next = next_in_line(f, &discards);
	if (!next)
		f->flushing = false;
	pthread_mutex_unlock(&f->lock);
	while (discards) {
		struct request *r = discards;
		discards = r->next;
		go_on(r, discard_late);
	}
	if (next)
		go_on(next, next_flush_done);
	fault_host->io_done(io, status);
}

static void carry_flush_done(struct hf_io *io, int status)
{
	struct below *b = (struct below *)io;
	struct carry *y = b->carry;
	free(b);
	if (status && !y->status)
		y->status = status;
	carry_end(y);
}

static void carry_flush(struct carry *y)
{
	struct hf_info info = { 0 };
	(void)fault_host->next_info(y->fault->next, &info);
	if (y->status || !info.volatile_cache) {
		carry_end(y);
		return;
	}
	struct below *b = calloc(1, sizeof(*b));
	if (!b) {
		y->status = -ENOMEM;
		carry_end(y);
		return;
	}
	b->carry = y;
	b->io = (struct hf_io){ .op = HF_FLUSH, .queue = y->parent->queue, .done = carry_flush_done };
	int status = fault_host->next_submit(y->fault->next, &b->io);
	if (status != HF_PENDING)
		carry_flush_done(&b->io, status);
}

static void run_over(struct carry *y, int status)
{
	if (status && !y->status)
		y->status = status;
	if (!--y->in_flight && !y->starting)
		carry_flush(y);
}

static void run_done(struct hf_io *io, int status)
{
	run_over(((struct below *)io)->carry, status); /* the run stays in carry->runs */
}

static void start_flush(struct fault *f, struct hf_io *io)
{
	struct carry *y = calloc(1, sizeof(*y));
	if (!y) {
		fault_host->io_done(io, -ENOMEM);
		return;
	}
	y->fault = f;
	y->parent = io;
	pthread_mutex_lock(&f->lock);
	y->status = collect(f, io, y, false, &y->runs);
	pthread_mutex_unlock(&f->lock);
	y->starting = true;
	for (struct below *b = y->status ? NULL : y->runs; b;
	     b = (struct below *)(uintptr_t)b->io.src_offset_bytes) {
		b->io.done = run_done;
		y->in_flight++;
		int status = fault_host->next_submit(f->next, &b->io);
		if (status != HF_PENDING)
			run_over(y, status);
	}
	y->starting = false;
	if (!y->in_flight)
		carry_flush(y);
}

/* Under the lock: behind the flush that is on its way? */
static bool joined(struct fault *f, struct hf_io *io)
{
	struct request *r = request_of(io);
	if (!f->flushing)
		return false;
	r->next = NULL;
	*f->flush_tail = r;
	f->flush_tail = &r->next;
	return true;
}

static int cache_flush(struct fault *f, struct hf_io *io)
{
	pthread_mutex_lock(&f->lock);
	bool wait = joined(f, io);
	f->flushing = true;
	pthread_mutex_unlock(&f->lock);
	if (!wait)
		start_flush(f, io);
	return HF_PENDING;
}

/* UNMAP, ZERO: a flush may be carrying older data of the range down, which must not come after it. */
static int cache_discard(struct fault *f, struct hf_io *io)
{
	pthread_mutex_lock(&f->lock);
	bool wait = joined(f, io);
	if (!wait)
		forget_range(f, io);
	pthread_mutex_unlock(&f->lock);
	return wait ? HF_PENDING : fault_host->next_submit(f->next, io);
}

int cache_submit(struct fault *f, struct hf_io *io)
{
	switch (io->op) {
	case HF_READ:
		return cache_read(f, io);
	case HF_WRITE:
		return cache_write(f, io);
	case HF_FLUSH:
		return cache_flush(f, io);
	default:
		return cache_discard(f, io);
	}
}

/* ---- power cut -------------------------------------------------------------------------------------------- */
static void survivors_over(struct carry *y)
{
	struct hf_io *io = y->parent;
	forget_runs(y->fault, y->runs, false);
	free(y);
	fault_host->io_done(io, -ESHUTDOWN);
}

static void survivor_done(struct hf_io *io, int status)
{
	struct carry *y = ((struct below *)io)->carry;
	(void)status;
	if (!--y->in_flight && !y->starting)
		survivors_over(y);
}

int cache_power_cut(struct fault *f, struct hf_io *io)
{
	struct carry *y = calloc(1, sizeof(*y));
	pthread_mutex_lock(&f->lock);
	bool first = !f->survivors_done;
	f->survivors_done = true;
	if (first && y && atomic_load(&f->torn))
		(void)collect(f, io, y, true, &y->runs);
	pthread_mutex_unlock(&f->lock);
	if (first)
		cache_drop_from(f, 0);
	if (!y || !y->runs) {
		free(y);
		return -ESHUTDOWN;
	}
	y->fault = f;
	y->parent = io;
	y->starting = true;
	for (struct below *b = y->runs; b; b = (struct below *)(uintptr_t)b->io.src_offset_bytes) {
		b->io.done = survivor_done;
		y->in_flight++;
		if (fault_host->next_submit(f->next, &b->io) != HF_PENDING)
			survivor_done(&b->io, 0);
	}
	y->starting = false;
	if (!y->in_flight)
		survivors_over(y);
	return HF_PENDING;
}
