/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ram.c - a volume in memory: fast, sparse, gone when it is closed.
 *
 * Memory comes in chunks of 64 MiB of address space, mapped when first written and kept until the
 * volume is closed.  Pages appear when touched: huge ones where the kernel has them, so a volume
 * with a few scattered blocks takes up to 2 MiB for each.  UNMAP gives pages back with madvise(),
 * which the kernel does safely under concurrent reads.  One bit per page says "written": a page
 * without it reads as zeroes and is not touched, so reading a hole costs no memory.
 *
 * Order: a write copies, then sets the bit; an unmap clears the bit, then frees the page.  So a
 * page that holds data has its bit whenever both have ended, in any interleaving. */
#include "sdk/plugin.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define PAGE_SHIFT 12
#define PAGE_BYTES ((uint64_t)1 << PAGE_SHIFT)
#define HUGE_BYTES ((size_t)2 << 20)
#define CHUNK_SHIFT 26
#define CHUNK_BYTES ((uint64_t)1 << CHUNK_SHIFT)
#define CHUNK_PAGES (CHUNK_BYTES >> PAGE_SHIFT)
#define TABLE_MAX ((uint64_t)1 << 20)    /* 64 TiB */
#define INLINE_UNMAP_BYTES ((uint64_t)1 << 20)

static const struct hf_host *host;

struct chunk {
	uint8_t *data;
	_Atomic(uint64_t) written[CHUNK_PAGES / 64];
};
struct table {
	struct table *older;             /* replaced by a resize, freed at close: readers may be in it */
	uint64_t count;
	_Atomic(struct chunk *) chunk[];
};
struct ram {
	_Atomic(struct table *) table;
	_Atomic(uint64_t) size_bytes;
	uint32_t block_bytes;
	bool preallocate;
};

/* memcpy() that the race detector leaves alone: two writers of one block race as on any disk. */
#if defined(__SANITIZE_THREAD__)
__attribute__((no_sanitize("thread"), noinline)) static void copy(void *to, const void *from, size_t n)
{
	volatile uint8_t *t = to;
	const volatile uint8_t *f = from;
	while (n--)
		*t++ = *f++;
}
#else
static inline void copy(void *to, const void *from, size_t n)
{
	memcpy(to, from, n);
}
#endif

static struct chunk *chunk_at(struct ram *r, uint64_t offset)
{
	struct table *t = atomic_load_explicit(&r->table, memory_order_acquire);
	uint64_t i = offset >> CHUNK_SHIFT;
	return i < t->count ? atomic_load_explicit(&t->chunk[i], memory_order_acquire) : NULL;
}

static void chunk_free(struct chunk *c)
{
	if (!c)
		return;
	munmap(c->data, CHUNK_BYTES);
	free(c);
}

/* Address space that huge pages fit into: random access over small ones is mostly misses of the
 * address cache.  Where the kernel has none, small ones serve. */
static uint8_t *chunk_map(void)
{
	uint8_t *p = mmap(NULL, CHUNK_BYTES + HUGE_BYTES, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED)
		return NULL;
	size_t before = -(uintptr_t)p & (HUGE_BYTES - 1);
	if (before)
		munmap(p, before);
	munmap(p + before + CHUNK_BYTES, HUGE_BYTES - before);
	(void)madvise(p + before, CHUNK_BYTES, MADV_HUGEPAGE);
	return p + before;
}

/* The chunk, made if it is missing.  Two makers race: the loser throws its own away. */
static struct chunk *chunk_make(struct ram *r, uint64_t offset)
{
	struct table *t = atomic_load_explicit(&r->table, memory_order_acquire);
	uint64_t i = offset >> CHUNK_SHIFT;
	if (i >= t->count)
		return NULL;
	struct chunk *c = atomic_load_explicit(&t->chunk[i], memory_order_acquire);
	if (c)
		return c;
	c = calloc(1, sizeof(*c));
	if (!c)
		return NULL;
	c->data = chunk_map();
	if (!c->data) {
		free(c);
		return NULL;
	}
	/* Sparse: small pages, or the first write to 2 MiB would clear all of it on the reactor, and
	 * UNMAP of less would give nothing back.  Preallocated: large ones, they are faster to use. */
	(void)madvise(c->data, CHUNK_BYTES, r->preallocate ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
	struct chunk *theirs = NULL;
	if (atomic_compare_exchange_strong(&t->chunk[i], &theirs, c))
		return c;
	chunk_free(c);
	return theirs;
}

static bool page_is_written(struct chunk *c, uint64_t page)
{
	return atomic_load_explicit(&c->written[page / 64], memory_order_acquire) >> (page % 64) & 1;
}

static void pages_mark(struct chunk *c, uint64_t first, uint64_t last)
{
	for (uint64_t p = first; p <= last; p++) {
		uint64_t bit = (uint64_t)1 << (p % 64);
		if (!(atomic_load_explicit(&c->written[p / 64], memory_order_relaxed) & bit))
			atomic_fetch_or_explicit(&c->written[p / 64], bit, memory_order_release);
	}
}

/* One run that stays inside of a chunk. */
static void read_run(struct ram *r, uint8_t *to, uint64_t offset, size_t len)
{
	struct chunk *c = chunk_at(r, offset);
	uint64_t at = offset & (CHUNK_BYTES - 1);
	while (len) {
		size_t n = (size_t)(PAGE_BYTES - (at & (PAGE_BYTES - 1)));
		if (n > len)
			n = len;
		if (c && page_is_written(c, at >> PAGE_SHIFT))
			copy(to, c->data + at, n);
		else
			memset(to, 0, n);
		to += n;
		at += n;
		len -= n;
	}
}

static int write_run(struct ram *r, const uint8_t *from, uint64_t offset, size_t len)
{
	struct chunk *c = chunk_make(r, offset);
	uint64_t at = offset & (CHUNK_BYTES - 1);
	if (!c)
		return -ENOSPC;
	copy(c->data + at, from, len);
	pages_mark(c, at >> PAGE_SHIFT, (at + len - 1) >> PAGE_SHIFT);
	return 0;
}

static int move(struct ram *r, const struct hf_io *io)
{
	uint64_t offset = io->offset_bytes;
	for (unsigned i = 0; i < io->iov_count; i++) {
		uint8_t *p = io->iov[i].iov_base;
		size_t left = io->iov[i].iov_len;
		while (left) {
			uint64_t room = CHUNK_BYTES - (offset & (CHUNK_BYTES - 1));
			size_t n = left < room ? left : (size_t)room;
			if (io->op == HF_READ) {
				read_run(r, p, offset, n);
			} else {
				int err = write_run(r, p, offset, n);
				if (err)
					return err;
			}
			p += n;
			offset += n;
			left -= n;
		}
	}
	return 0;
}

/* Part of one page; one that was never written is zero already. */
static void clear_part(struct chunk *c, uint64_t at, uint64_t len)
{
	if (len && page_is_written(c, at >> PAGE_SHIFT))
		memset(c->data + at, 0, (size_t)len);
}

/* Whole pages are given back, the rest is written over. */
static void clear(struct ram *r, uint64_t offset, uint64_t len)
{
	while (len) {
		uint64_t at = offset & (CHUNK_BYTES - 1);
		uint64_t n = CHUNK_BYTES - at < len ? CHUNK_BYTES - at : len;
		struct chunk *c = chunk_at(r, offset);
		uint64_t first = (at + PAGE_BYTES - 1) >> PAGE_SHIFT, end = (at + n) >> PAGE_SHIFT;
		offset += n;
		len -= n;
		if (!c)
			continue;
		if (first > end) {               /* inside of one page */
			clear_part(c, at, n);
			continue;
		}
		clear_part(c, at, (first << PAGE_SHIFT) - at);
		clear_part(c, end << PAGE_SHIFT, at + n - (end << PAGE_SHIFT));
		for (uint64_t p = first; p < end; p++)
			atomic_fetch_and_explicit(&c->written[p / 64], ~((uint64_t)1 << (p % 64)),
						  memory_order_acq_rel);
		if (end > first)
			madvise(c->data + (first << PAGE_SHIFT), (size_t)((end - first) << PAGE_SHIFT),
				MADV_DONTNEED);
	}
}

struct clear_job {
	struct hf_work work;
	struct ram *ram;
	struct hf_io *io;
};
_Static_assert(sizeof(struct clear_job) <= sizeof(((struct hf_io *)0)->scratch), "scratch");

static void clear_work(struct hf_work *w)
{
	struct clear_job *j = (struct clear_job *)w;
	clear(j->ram, j->io->offset_bytes, j->io->len_bytes);
}

static void clear_done(struct hf_work *w)
{
	host->io_done(((struct clear_job *)w)->io, 0);
}

/* Giving many pages back takes milliseconds: not on the reactor. */
static int clear_submit(struct ram *r, struct hf_io *io)
{
	if (io->len_bytes <= INLINE_UNMAP_BYTES) {
		clear(r, io->offset_bytes, io->len_bytes);
		return 0;
	}
	struct clear_job *j = (struct clear_job *)(void *)io->scratch;
	j->work.work = clear_work;
	j->work.done = clear_done;
	j->ram = r;
	j->io = io;
	host->work(io, &j->work);
	return HF_PENDING;
}

static int ram_submit(void *handle, struct hf_io *io)
{
	struct ram *r = handle;
	switch (io->op) {
	case HF_READ:
	case HF_WRITE:
		return move(r, io);
	case HF_FLUSH:
		return 0;
	case HF_UNMAP:
	case HF_ZERO:
		return clear_submit(r, io);
	default:
		return -EOPNOTSUPP;
	}
}

/* ---- management ------------------------------------------------------------------------------------ */
static struct table *table_new(uint64_t size_bytes)
{
	uint64_t count = (size_bytes + CHUNK_BYTES - 1) >> CHUNK_SHIFT;
	struct table *t = calloc(1, sizeof(*t) + count * sizeof(t->chunk[0]));
	if (t)
		t->count = count;
	return t;
}

static void ram_close(void *handle)
{
	struct ram *r = handle;
	struct table *t = atomic_load(&r->table);
	for (uint64_t i = 0; t && i < t->count; i++)
		chunk_free(atomic_load(&t->chunk[i]));
	while (t) {                              /* older tables point to the same chunks */
		struct table *older = t->older;
		free(t);
		t = older;
	}
	free(r);
}

static int preallocate(struct ram *r, uint64_t from, uint64_t to, char *why, size_t why_bytes)
{
	for (uint64_t at = from & ~(CHUNK_BYTES - 1); at < to; at += CHUNK_BYTES) {
		struct chunk *c = chunk_make(r, at);
		uint64_t n = to - at < CHUNK_BYTES ? to - at : CHUNK_BYTES;
#ifdef MADV_POPULATE_WRITE
		if (c && madvise(c->data, (size_t)n, MADV_POPULATE_WRITE) && errno == ENOMEM)
			c = NULL;
#endif
		if (!c) {
			snprintf(why, why_bytes, "there is not enough memory to preallocate %llu bytes",
				 (unsigned long long)to);
			return -ENOMEM;
		}
	}
	return 0;
}

static int check_table(uint64_t size_bytes, char *why, size_t why_bytes)
{
	if (size_bytes && size_bytes >> CHUNK_SHIFT < TABLE_MAX)
		return 0;
	snprintf(why, why_bytes, size_bytes ? "a volume in memory has at most 64 TiB" : "a volume in memory needs a size");
	return -EINVAL;
}

static int ram_open(const struct hf_volume *v, struct hf_next *next, void **ret_handle, char *why, size_t why_bytes)
{
	(void)next;
	int err = check_table(v->size_bytes, why, why_bytes);
	if (err)
		return err;
	struct ram *r = calloc(1, sizeof(*r));
	struct table *t = table_new(v->size_bytes);
	if (!r || !t) {
		free(r);
		free(t);
		return -ENOMEM;
	}
	atomic_init(&r->table, t);
	atomic_init(&r->size_bytes, v->size_bytes);
	r->block_bytes = v->block_bytes;
	const char *pre = hf_setting(v, "preallocate");
	r->preallocate = pre && strcmp(pre, "on") == 0;
	if (r->preallocate)
		err = preallocate(r, 0, v->size_bytes, why, why_bytes);
	if (err) {
		ram_close(r);
		return err;
	}
	*ret_handle = r;
	return 0;
}

static int ram_get_info(void *handle, struct hf_info *ret_info)
{
	struct ram *r = handle;
	*ret_info = (struct hf_info){
		.size_bytes = atomic_load(&r->size_bytes),
		.block_bytes = 512,
		.physical_bytes = 4096,
		.align_bytes = 1,
		.unmap_granularity_bytes = (uint32_t)PAGE_BYTES,
		.can_fua = true,
		.can_zero = true,
		.unmap_zeroes = true,
		.thin = true,
	};
	return 0;
}

static int ram_resize(void *handle, uint64_t new_size_bytes, char *why, size_t why_bytes)
{
	struct ram *r = handle;
	uint64_t old = atomic_load(&r->size_bytes);
	int err = check_table(new_size_bytes, why, why_bytes);
	if (err)
		return err;
	struct table *t = atomic_load(&r->table);
	uint64_t count = (new_size_bytes + CHUNK_BYTES - 1) >> CHUNK_SHIFT;
	if (new_size_bytes < old) {              /* nothing is in flight: what leaves must not come back */
		uint64_t end = t->count << CHUNK_SHIFT;
		clear(r, new_size_bytes, (old < end ? old : end) - new_size_bytes);
	} else if (count > t->count) {
		struct table *more = table_new(new_size_bytes);
		if (!more)
			return -ENOMEM;
		/* Make every chunk of the old table first: a write in flight may publish one there. */
		for (uint64_t i = 0; i < t->count; i++) {
			struct chunk *c = chunk_make(r, i << CHUNK_SHIFT);
			if (!c) {
				free(more);
				return -ENOMEM;
			}
			atomic_init(&more->chunk[i], c);
		}
		more->older = t;
		atomic_store_explicit(&r->table, more, memory_order_release);
	}
	atomic_store(&r->size_bytes, new_size_bytes);
	return 0;
}

/* Calls fn for each run of pages that are all written or all not. */
static int ram_extents(void *handle, uint64_t offset_bytes, uint64_t len_bytes, struct hf_extent *ext, size_t *count)
{
	struct ram *r = handle;
	size_t n = 0;
	uint64_t at = offset_bytes, end = offset_bytes + len_bytes;
	while (at < end) {
		struct chunk *c = chunk_at(r, at);
		bool mapped = c && page_is_written(c, (at & (CHUNK_BYTES - 1)) >> PAGE_SHIFT);
		uint64_t next = c ? (at & ~(PAGE_BYTES - 1)) + PAGE_BYTES : (at & ~(CHUNK_BYTES - 1)) + CHUNK_BYTES;
		if (next > end)
			next = end;
		if (n && ext[n - 1].mapped == mapped) {
			ext[n - 1].len_bytes += next - at;
		} else {
			if (n == *count)
				break;
			ext[n++] = (struct hf_extent){ at, next - at, mapped };
		}
		at = next;
	}
	*count = n;
	return 0;
}

static int ram_used_bytes(void *handle, uint64_t *ret_bytes)
{
	struct ram *r = handle;
	struct table *t = atomic_load(&r->table);
	uint64_t pages = 0;
	for (uint64_t i = 0; i < t->count; i++) {
		struct chunk *c = atomic_load(&t->chunk[i]);
		for (uint64_t w = 0; c && w < CHUNK_PAGES / 64; w++)
			pages += (uint64_t)__builtin_popcountll(atomic_load_explicit(&c->written[w],
										      memory_order_relaxed));
	}
	*ret_bytes = pages << PAGE_SHIFT;
	return 0;
}

static int ram_load(const struct hf_host *h)
{
	host = h;
	return 0;
}

static const struct hf_option options[] = {
	{ "preallocate", HF_BOOL, HF_CREATE_ONLY, NULL, "off", "Take all memory when the volume is opened" },
};

static struct hf_plugin plugin = {
	.name = "ram",
	.summary = "Keeps the volume in memory; its data is gone when the server stops",
	.version = "1",
	.options = options,
	.option_count = sizeof(options) / sizeof(options[0]),
	.load = ram_load,
	.open = ram_open,
	.close = ram_close,
	.get_info = ram_get_info,
	.resize = ram_resize,
	.used_bytes = ram_used_bytes,
	.submit = ram_submit,
	.extents = ram_extents,
};
HOLDFAST_REGISTER_PLUGIN(plugin)
