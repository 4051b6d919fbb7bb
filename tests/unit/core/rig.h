/* SPDX-License-Identifier: GPL-3.0-or-later */
/* rig.h - runs every case of a program over both engines, and over io_uring as an old kernel has it.
 *
 * A case is `static void name(struct rig *g)`; rig_main() makes a reactor for each and runs it
 * from the test's thread.  Code that must run on the reactor goes through on_reactor(). */
#ifndef HOLDFAST_TESTS_CORE_RIG_H
#define HOLDFAST_TESTS_CORE_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "config.h"
#include "core/core.h"

struct rig {
	struct reactor *r;
	enum reactor_engine engine;
	void *arg;
};
struct rig_case {
	const char *name;
	void (*run)(struct rig *g);
	unsigned spin_max_us;
	uint64_t buf_limit_bytes;
};

/* Wait, at most twenty seconds, for something another thread brings about. */
#define wait_for(cond)                                                                         \
	do {                                                                                   \
		uint64_t until_ = reactor_clock_ns() + UINT64_C(20000000000);                  \
		while (!(cond)) {                                                              \
			if (reactor_clock_ns() > until_)                                       \
				fail_msg("waited too long for: %s", #cond);                    \
			usleep(1000);                                                          \
		}                                                                              \
	} while (0)

static inline void on_reactor(struct rig *g, int (*fn)(void *arg), void *arg)
{
	assert_int_equal(reactor_call(g->r, fn, arg), 0);
}

#ifdef HAVE_LIBURING
extern bool uring_pretend_old;           /* core/uring_priv.h */
#else
static bool uring_pretend_old;
#endif

static const struct rig_kind {
	const char *name;
	enum reactor_engine engine;
	bool old;
} rig_kinds[] = {
	{ "io_uring", REACTOR_URING, false },
	{ "io_uring of Linux 5.11", REACTOR_URING, true },
	{ "epoll", REACTOR_EPOLL, false },
};

struct rig_run {
	const struct rig_case *c;
	const struct rig_kind *kind;
};

static inline bool rig_has_engine(enum reactor_engine engine)
{
	struct reactor_opts opts = { .engine = engine, .cpu = -1 };
	struct reactor *r = NULL;
	int err = reactor_new(&opts, &r);

	reactor_free(r);
	return err != -ENOSYS;
}

static inline void rig_run_one(void **state)
{
	struct rig_run *run = *state;
	struct rig g = { .engine = run->kind->engine };
	struct reactor_opts opts = { .name = "test", .engine = g.engine, .cpu = -1,
				     .spin_max_us = run->c->spin_max_us,
				     .buf_limit_bytes = run->c->buf_limit_bytes };
	uring_pretend_old = run->kind->old;
	assert_int_equal(reactor_new(&opts, &g.r), 0);
	assert_int_equal(reactor_engine(g.r), g.engine);
	assert_int_equal(reactor_start(g.r), 0);
	run->c->run(&g);
	reactor_stop(g.r);
	reactor_free(g.r);
}

/* RIG_ONLY=text in the environment: only cases whose name contains it. */
static inline int rig_main(const char *group, const struct rig_case *cases, size_t count)
{
	struct CMUnitTest *tests = calloc(ARRAY_COUNT(rig_kinds) * count, sizeof(*tests));
	struct rig_run *runs = calloc(ARRAY_COUNT(rig_kinds) * count, sizeof(*runs));
	const char *only = getenv("RIG_ONLY");
	size_t n = 0;

	for (const struct rig_kind *k = rig_kinds; k < rig_kinds + ARRAY_COUNT(rig_kinds); k++) {
		/* Not cmocka's skip(): 1.1.5 reports it as "not ok". */
		if (!rig_has_engine(k->engine)) {
			printf("# %s is not built or refused by the kernel: its cases are left out\n", k->name);
			continue;
		}
		for (size_t i = 0; i < count; i++) {
			char *name;
			if (asprintf(&name, "%s: %s", k->name, cases[i].name) < 0)
				abort();
			if (only && !strstr(name, only)) {
				free(name);
				continue;
			}
			runs[n] = (struct rig_run){ &cases[i], k };
			tests[n] = (struct CMUnitTest){ name, rig_run_one, NULL, NULL, &runs[n] };
			n++;
		}
	}
	int failed = _cmocka_run_group_tests(group, tests, n, NULL, NULL);
	for (size_t i = 0; i < n; i++)
		free((void *)(uintptr_t)tests[i].name);
	free(tests);
	free(runs);
	return failed;
}
#define RIG_MAIN(group, cases) rig_main(group, cases, ARRAY_COUNT(cases))

#endif
