/* SPDX-License-Identifier: GPL-3.0-or-later */
/* bufpool.c - buffers: alignment, the bound, waiting, reuse, joining of halves, and a long shuffle
 * that checks that no two buffers overlap. */
#include "rig.h"

#include <stdatomic.h>
#include <sys/mman.h>

#define LIMIT_BYTES (8u << 20)

static int fail_line;
#define check(cond)                             \
	do {                                    \
		if (!(cond)) {                  \
			fail_line = __LINE__;   \
			return -1;              \
		}                               \
	} while (0)

static void run_checks(struct rig *g, int (*fn)(void *arg))
{
	fail_line = 0;
	if (reactor_call(g->r, fn, NULL) != 0)
		fail_msg("check in line %d", fail_line);
}

static int alignment_fn(void *arg)
{
	static const size_t lens[] = { 1, 512, 4096, 4097, 8192, 65536, 100000, 131072, 131073, 1 << 20, 4 << 20 };
	struct bufpool *p = reactor_bufs(reactor_self());

	(void)arg;
	for (size_t i = 0; i < ARRAY_COUNT(lens); i++) {
		uint8_t *b = buf_get(p, lens[i]);
		check(b && (uintptr_t)b % 4096 == 0);
		memset(b, 0xab, lens[i]);
		buf_put(p, b, lens[i]);
		check(buf_get(p, lens[i]) == b); /* last used, first out */
		buf_put(p, b, lens[i]);
	}
	check(!buf_get(p, BUF_MAX_BYTES + 1));
	check(!buf_get(p, SIZE_MAX));
	void *none = buf_get(p, 0);
	check(none);
	buf_put(p, none, 0);
	buf_put(p, NULL, 4096);
	return 0;
}

static void alignment_and_reuse(struct rig *g)
{
	run_checks(g, alignment_fn);
}

static void *held[LIMIT_BYTES / 4096 + 1];

static int bound_fn(void *arg)
{
	struct bufpool *p = reactor_bufs(reactor_self());
	size_t count = 0;
	void *big[2];

	(void)arg;
	while ((held[count] = buf_get(p, 4096)))
		count++;
	check(count == LIMIT_BYTES / 4096);
	check(!buf_get(p, 1) && !buf_get(p, BUF_MAX_BYTES));
	/* All small ones back: the large ones must be there again. */
	for (size_t i = 0; i < count; i++)
		buf_put(p, held[(i * 769) % count], 4096);
	for (size_t i = 0; i < 2; i++)
		check((big[i] = buf_get(p, BUF_MAX_BYTES)));
	check(!buf_get(p, 4096));
	buf_put(p, big[0], BUF_MAX_BYTES);
	/* A large one is cut into what is asked for. */
	for (size_t i = 0; i < 32; i++)
		check((held[i] = buf_get(p, 128 << 10)));
	check(!buf_get(p, 4096));
	for (size_t i = 0; i < 32; i++)
		buf_put(p, held[i], 128 << 10);
	buf_put(p, big[1], BUF_MAX_BYTES);
	return 0;
}

static void the_bound_holds(struct rig *g)
{
	run_checks(g, bound_fn);
	run_checks(g, bound_fn);
}

static int shuffle_fn(void *arg)
{
	struct bufpool *p = reactor_bufs(reactor_self());
	static struct {
		uint8_t *at;
		size_t len_bytes;
		uint8_t mark;
	} h[200];
	unsigned seed = 42, refused = 0, total = 0;

	(void)arg;
	memset(h, 0, sizeof(h));
	for (unsigned round = 0; round < 20000; round++) {
		size_t i = (size_t)rand_r(&seed) % ARRAY_COUNT(h);
		if (h[i].at) {
			/* both ends still carry our mark: nobody else was given this memory */
			check(h[i].at[0] == h[i].mark && h[i].at[h[i].len_bytes - 1] == h[i].mark);
			buf_put(p, h[i].at, h[i].len_bytes);
			h[i].at = NULL;
			continue;
		}
		h[i].len_bytes = ((size_t)rand_r(&seed) % (1u << (9 + rand_r(&seed) % 12))) + 1;
		h[i].at = buf_get(p, h[i].len_bytes);
		total++;
		if (!h[i].at) {
			refused++;
			continue;
		}
		h[i].mark = (uint8_t)round;
		h[i].at[0] = h[i].at[h[i].len_bytes - 1] = h[i].mark;
	}
	for (size_t i = 0; i < ARRAY_COUNT(h); i++)
		buf_put(p, h[i].at, h[i].len_bytes);
	check(refused < total);
	return bound_fn(NULL);           /* and nothing was lost */
}

static void shuffle(struct rig *g)
{
	run_checks(g, shuffle_fn);
}

static struct buf_waiter waiters[3], cancelled;
static _Atomic(unsigned) ready_count[3], cancelled_ready;
static void *big[2], *got[3];

static void ready(struct buf_waiter *w)
{
	size_t i = (size_t)(w - waiters);
	struct bufpool *p = reactor_bufs(reactor_self());

	ready_count[i]++;
	got[i] = buf_get(p, BUF_MAX_BYTES);
	if (!got[i])
		buf_wait(p, w);
}

static void cancelled_is_ready(struct buf_waiter *w)
{
	(void)w;
	cancelled_ready++;
}

static int wait_fn(void *arg)
{
	struct bufpool *p = reactor_bufs(reactor_self());

	(void)arg;
	cancelled_ready = 0;
	for (size_t i = 0; i < 2; i++)
		check((big[i] = buf_get(p, BUF_MAX_BYTES)));
	for (size_t i = 0; i < 3; i++) {
		ready_count[i] = 0;
		got[i] = NULL;
		waiters[i] = (struct buf_waiter){ .ready = ready };
		buf_wait(p, &waiters[i]);
	}
	cancelled = (struct buf_waiter){ .ready = cancelled_is_ready };
	buf_wait_cancel(&cancelled);
	buf_wait(p, &cancelled);
	buf_wait_cancel(&cancelled);
	buf_wait_cancel(&cancelled);
	buf_put(p, big[0], BUF_MAX_BYTES);
	check(ready_count[0] == 0);      /* not from inside buf_put() */
	return 0;
}

static int wait_more_fn(void *arg)
{
	struct bufpool *p = reactor_bufs(reactor_self());

	(void)arg;
	check(got[0] && !got[1] && !got[2]);
	buf_put(p, big[1], BUF_MAX_BYTES);
	buf_put(p, got[0], BUF_MAX_BYTES);
	return 0;
}

static int wait_end_fn(void *arg)
{
	struct bufpool *p = reactor_bufs(reactor_self());

	(void)arg;
	check(got[1] && got[2] && cancelled_ready == 0);
	buf_put(p, got[1], BUF_MAX_BYTES);
	buf_put(p, got[2], BUF_MAX_BYTES);
	return 0;
}

static void waiting(struct rig *g)
{
	run_checks(g, wait_fn);
	wait_for(ready_count[0] == 1);
	run_checks(g, wait_more_fn);
	wait_for(ready_count[1] >= 2 && ready_count[2] >= 2);
	usleep(1000);
	run_checks(g, wait_end_fn);
}

/* Idle memory goes back to the kernel, and the pool works as before. */

extern _Atomic(uint64_t) bufpool_trim_after_ns;   /* core/reactor_priv.h */

static unsigned resident_pages(void *at, size_t len_bytes)
{
	static unsigned char vec[BUF_MAX_BYTES / 4096];
	unsigned count = 0;

	if (mincore(at, len_bytes, vec))
		return 0;
	for (size_t i = 0; i < len_bytes / 4096; i++)
		count += vec[i] & 1;
	return count;
}

static void *trimmed;

static int touch_fn(void *arg)
{
	struct bufpool *p = reactor_bufs(reactor_self());

	(void)arg;
	trimmed = buf_get(p, BUF_MAX_BYTES);
	check(trimmed);
	memset(trimmed, 1, BUF_MAX_BYTES);
	check(resident_pages(trimmed, BUF_MAX_BYTES) == BUF_MAX_BYTES / 4096);
	buf_put(p, trimmed, BUF_MAX_BYTES);
	return 0;
}

static void idle_memory_goes_back(struct rig *g)
{
	uint64_t usual = bufpool_trim_after_ns;

	bufpool_trim_after_ns = 20000000;
	run_checks(g, touch_fn);
	wait_for(resident_pages(trimmed, BUF_MAX_BYTES) == 0);
	bufpool_trim_after_ns = usual;
	run_checks(g, shuffle_fn);
}

static const struct rig_case cases[] = {
	{ .name = "alignment and reuse", .run = alignment_and_reuse, .buf_limit_bytes = LIMIT_BYTES },
	{ .name = "the bound holds, halves become whole", .run = the_bound_holds, .buf_limit_bytes = LIMIT_BYTES },
	{ .name = "a long shuffle", .run = shuffle, .buf_limit_bytes = LIMIT_BYTES },
	{ .name = "idle memory goes back", .run = idle_memory_goes_back, .buf_limit_bytes = LIMIT_BYTES },
	{ .name = "waiting for buffers", .run = waiting, .buf_limit_bytes = LIMIT_BYTES },
};

int main(void)
{
	return RIG_MAIN("core/bufpool", cases);
}
