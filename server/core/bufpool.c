/* SPDX-License-Identifier: GPL-3.0-or-later */
/* bufpool.c - page-aligned buffers from one bounded range of addresses per reactor.
 *
 * Buffers come in powers of two from 4 KiB to 4 MiB, each aligned to its own length, so that two
 * halves ("buddies") can become one again.  A buffer that is put goes on top of its class's stack
 * and is the next to leave it: it is still in the cache.  Memory that was never used is taken from
 * `fresh` on; halves are joined only when a request cannot be served otherwise.
 *
 *	base            fresh                                   base + limit
 *	| in use, or on a class's stack | never touched, costs nothing |
 *
 * When nothing has been in use for a while, the kernel gets the pages back. */
#include "core/reactor_priv.h"

#include <string.h>
#include <sys/mman.h>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#define ASAN_UNPOISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#endif

#define PAGE_SHIFT 12
#define CLASSES 11
#define CHUNK_PAGES (1u << (CLASSES - 1)) /* BUF_MAX_BYTES */
#define NONE UINT32_MAX
#define TRIM_KEEP_PAGES 512u             /* 2 MiB are not worth a timer */
_Static_assert((CHUNK_PAGES << PAGE_SHIFT) == BUF_MAX_BYTES, "classes cover BUF_MAX_BYTES");

_Atomic(uint64_t) bufpool_trim_after_ns = UINT64_C(10000000000);

enum { PAGE_INNER = 0, PAGE_FREE = 0x40, PAGE_USED = 0x80 }; /* | class, on a buffer's first page */

struct bufpool {
	struct reactor *reactor;
	uint8_t *base;
	size_t map_bytes;
	void *map;
	uint32_t pages, fresh, used_pages, free_pages;
	uint32_t top[CLASSES];           /* stacks of free buffers, by first page */
	uint8_t *kind;                   /* per page */
	uint32_t *next, *prev;           /* per first page of a free buffer */
	bool joined;                     /* no put since the last join */
	uint64_t gets, gets_at_arming;
	struct list waiters, mark;
	struct defer wake;
	struct timer trim;
};

static uint8_t *page_addr(struct bufpool *p, uint32_t page)
{
	return p->base + ((size_t)page << PAGE_SHIFT);
}

static unsigned class_of(size_t len_bytes)
{
	size_t pages = (len_bytes + (1u << PAGE_SHIFT) - 1) >> PAGE_SHIFT;
	return pages <= 1 ? 0 : 64u - (unsigned)__builtin_clzll(pages - 1);
}

static void free_push(struct bufpool *p, uint32_t page, unsigned class)
{
	p->kind[page] = (uint8_t)(PAGE_FREE | class);
	p->prev[page] = NONE;
	p->next[page] = p->top[class];
	if (p->top[class] != NONE)
		p->prev[p->top[class]] = page;
	p->top[class] = page;
}

static void free_take(struct bufpool *p, uint32_t page, unsigned class)
{
	if (p->prev[page] != NONE)
		p->next[p->prev[page]] = p->next[page];
	else
		p->top[class] = p->next[page];
	if (p->next[page] != NONE)
		p->prev[p->next[page]] = p->prev[page];
	p->kind[page] = PAGE_INNER;
}

static uint32_t take_fresh(struct bufpool *p, unsigned class)
{
	uint32_t count = 1u << class;

	if (p->pages - p->fresh < count)
		return NONE;
	while (p->fresh & (count - 1)) { /* the gap in front becomes smaller free buffers */
		unsigned gap = (unsigned)__builtin_ctz(p->fresh);
		if (p->pages - p->fresh < (1u << gap) + count)
			return NONE;
		free_push(p, p->fresh, gap);
		p->free_pages += 1u << gap;
		p->fresh += 1u << gap;
	}
	uint32_t page = p->fresh;
	p->fresh += count;
	p->free_pages += count;          /* as if it had been on a stack */
	return page;
}

static uint32_t take_split(struct bufpool *p, unsigned class)
{
	unsigned from = class;

	while (from < CLASSES && p->top[from] == NONE)
		from++;
	if (from == CLASSES)
		return NONE;
	uint32_t page = p->top[from];
	free_take(p, page, from);
	while (from > class) {
		from--;
		free_push(p, page + (1u << from), from);
	}
	return page;
}

static void join_all(struct bufpool *p)
{
	for (unsigned class = 0; class < CLASSES - 1; class++) {
		uint32_t count = 1u << class;
		for (uint32_t page = 0; page + 2 * count <= p->fresh; page += 2 * count) {
			if (p->kind[page] != (PAGE_FREE | class) ||
			    p->kind[page + count] != (PAGE_FREE | class))
				continue;
			free_take(p, page, class);
			free_take(p, page + count, class);
			free_push(p, page, class + 1);
		}
	}
	p->joined = true;
}

void *buf_get(struct bufpool *p, size_t len_bytes)
{
	if (unlikely(len_bytes > BUF_MAX_BYTES))
		return NULL;
	unsigned class = class_of(len_bytes);
	uint32_t page = p->top[class];

	if (likely(page != NONE)) {
		free_take(p, page, class);
	} else {
		page = take_fresh(p, class);
		if (page == NONE)
			page = take_split(p, class);
		if (page == NONE && !p->joined && p->free_pages >= 1u << class) {
			join_all(p);
			page = take_split(p, class);
		}
		if (page == NONE)
			return NULL;
	}
	p->kind[page] = (uint8_t)(PAGE_USED | class);
	p->free_pages -= 1u << class;
	p->used_pages += 1u << class;
	p->gets++;
	ASAN_UNPOISON_MEMORY_REGION(page_addr(p, page), len_bytes);
	return page_addr(p, page);
}

void buf_put(struct bufpool *p, void *buf, size_t len_bytes)
{
	if (!buf)
		return;
	uint32_t page = (uint32_t)((size_t)((uint8_t *)buf - p->base) >> PAGE_SHIFT);
	unsigned class = class_of(len_bytes);

	if (page >= p->pages || p->kind[page] != (PAGE_USED | class)) {
		log_error(&log_reactor, "a buffer came back that is not ours or not of that length",
			  "len_bytes=%zu", len_bytes);
		abort();
	}
	ASAN_POISON_MEMORY_REGION(buf, (size_t)1 << (class + PAGE_SHIFT));
	free_push(p, page, class);
	p->free_pages += 1u << class;
	p->used_pages -= 1u << class;
	p->joined = false;
	if (!list_is_empty(&p->waiters))
		reactor_defer(p->reactor, &p->wake);
	if (!p->used_pages && p->fresh > TRIM_KEEP_PAGES && !timer_is_armed(&p->trim)) {
		p->gets_at_arming = p->gets;
		timer_start(p->reactor, &p->trim, bufpool_trim_after_ns);
	}
}

static void stacks_clear(struct bufpool *p)
{
	memset(p->kind, PAGE_INNER, p->pages);
	for (unsigned class = 0; class < CLASSES; class++)
		p->top[class] = NONE;
	p->fresh = p->free_pages = 0;
}

static void trim(struct timer *t)
{
	struct bufpool *p = container_of(t, struct bufpool, trim);

	if (p->used_pages)
		return;                  /* the last put arms it again */
	if (p->gets != p->gets_at_arming) {
		p->gets_at_arming = p->gets;
		timer_start(p->reactor, t, bufpool_trim_after_ns);
		return;
	}
	madvise(p->base, (size_t)p->fresh << PAGE_SHIFT, MADV_DONTNEED);
	stacks_clear(p);
}

void buf_wait(struct bufpool *p, struct buf_waiter *w)
{
	list_add_tail(&p->waiters, &w->link);
}

void buf_wait_cancel(struct buf_waiter *w)
{
	if (w->link.next)
		list_del(&w->link);
}

static void wake(struct defer *d)
{
	struct bufpool *p = container_of(d, struct bufpool, wake);

	/* Those that wait again from ready() come after the mark. */
	list_add_tail(&p->waiters, &p->mark);
	while (p->waiters.next != &p->mark) {
		struct buf_waiter *w = list_entry(p->waiters.next, struct buf_waiter, link);
		list_del(&w->link);
		w->ready(w);
	}
	list_del(&p->mark);
}

int bufpool_new(struct reactor *r, uint64_t limit_bytes, struct bufpool **ret_pool)
{
	struct bufpool *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	limit_bytes = min_u64(limit_bytes ? limit_bytes : UINT64_C(64) << 20, UINT64_C(1) << 40);
	limit_bytes = (limit_bytes + BUF_MAX_BYTES - 1) / BUF_MAX_BYTES * BUF_MAX_BYTES;
	p->reactor = r;
	p->pages = (uint32_t)(limit_bytes >> PAGE_SHIFT);
	p->map_bytes = limit_bytes + BUF_MAX_BYTES;
	p->map = mmap(NULL, p->map_bytes, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	p->kind = calloc(p->pages, sizeof(*p->kind));
	p->next = calloc(p->pages, sizeof(*p->next));
	p->prev = calloc(p->pages, sizeof(*p->prev));
	if (p->map == MAP_FAILED)
		p->map = NULL;
	if (!p->map || !p->kind || !p->next || !p->prev) {
		bufpool_free(p);
		return -ENOMEM;
	}
	p->base = (uint8_t *)(((uintptr_t)p->map + BUF_MAX_BYTES - 1) & ~(uintptr_t)(BUF_MAX_BYTES - 1));
	ASAN_POISON_MEMORY_REGION(p->base, limit_bytes);
	list_init(&p->waiters);
	p->wake.run = wake;
	p->trim.fire = trim;
	stacks_clear(p);
	*ret_pool = p;
	return 0;
}

void bufpool_free(struct bufpool *p)
{
	if (!p)
		return;
	if (p->map) {
		if (p->base)
			ASAN_UNPOISON_MEMORY_REGION(p->base, (size_t)p->pages << PAGE_SHIFT);
		munmap(p->map, p->map_bytes);
	}
	free(p->kind);
	free(p->next);
	free(p->prev);
	free(p);
}
