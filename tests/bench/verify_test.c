/* SPDX-License-Identifier: GPL-3.0-or-later */
/* verify_test.c - the judge is judged: what load_verify.c must accept and what it must not.
 * The kill -9 tests stand on it. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>
#include <unistd.h>

#include "load.h"

enum { BLOCK = 512, CELL = 2048, CELLS = 4 };

static struct load_opts opts = { .io_bytes = CELL, .span_bytes = CELL * CELLS };

/* A volume with cell 1 at version a (flushed), and a later write to it b. */
struct story {
	struct verify v;
	uint8_t a[CELL], b[CELL], other[CELL];
	uint64_t version_a, version_b;
};

static void flush(struct verify *v)
{
	verify_flush_start(v);
	assert_int_equal(verify_flush_done(v), 0);
}

static void story_start(struct story *s)
{
	memset(s, 0, sizeof(*s));
	assert_int_equal(verify_open(&s->v, &opts, BLOCK, 100), 0);
	s->version_a = verify_write_start(&s->v, 1, s->a);
	assert_int_equal(verify_write_done(&s->v, 1, s->version_a, false), 0);
	(void)verify_write_done(&s->v, 2, verify_write_start(&s->v, 2, s->other), false);
	flush(&s->v);
	s->version_b = verify_write_start(&s->v, 1, s->b);
}

enum what { A, B, MIXED, ZEROES, FLIPPED, TORN, MISPLACED };
static const struct {
	const char *name;
	enum { B_IN_FLIGHT, B_ACKED, B_FLUSHED, B_FUA } then;
	bool killed;
	enum what there;
	bool good;
} cases[] = {
	{ "acknowledged, server alive: the new one", B_ACKED, false, B, true },
	{ "acknowledged, server alive: the old one is stale", B_ACKED, false, A, false },
	{ "acknowledged, not flushed, killed: the new one", B_ACKED, true, B, true },
	{ "acknowledged, not flushed, killed: the old one", B_ACKED, true, A, true },
	{ "acknowledged, not flushed, killed: a mixture by blocks", B_ACKED, true, MIXED, true },
	{ "in flight, killed: the old one", B_IN_FLIGHT, true, A, true },
	{ "in flight, killed: the new one", B_IN_FLIGHT, true, B, true },
	{ "in flight, killed: zeroes lose the flushed one", B_IN_FLIGHT, true, ZEROES, false },
	{ "flushed, killed: the new one", B_FLUSHED, true, B, true },
	{ "flushed, killed: the old one is a lost flush", B_FLUSHED, true, A, false },
	{ "flushed, killed: a mixture is a lost flush", B_FLUSHED, true, MIXED, false },
	{ "FUA, killed: the old one is a lost write", B_FUA, true, A, false },
	{ "FUA, killed: the new one", B_FUA, true, B, true },
	{ "one bit flipped", B_ACKED, false, FLIPPED, false },
	{ "torn inside a block", B_ACKED, true, TORN, false },
	{ "the block of another place", B_FLUSHED, true, MISPLACED, false },
};

static void judge_case(struct story *s, size_t i)
{
	uint8_t there[CELL] = { 0 };
	story_start(s);
	if (cases[i].then != B_IN_FLIGHT)
		(void)verify_write_done(&s->v, 1, s->version_b, cases[i].then == B_FUA);
	if (cases[i].then == B_FLUSHED)
		flush(&s->v);
	if (cases[i].killed)
		verify_lost(&s->v);
	if (cases[i].there != ZEROES)
		memcpy(there, cases[i].there == A ? s->a : cases[i].there == MISPLACED ? s->other : s->b, CELL);
	if (cases[i].there == MIXED)
		memcpy(there + BLOCK, s->a + BLOCK, BLOCK);
	if (cases[i].there == TORN)
		memcpy(there + BLOCK + 100, s->a + BLOCK + 100, BLOCK - 100);
	if (cases[i].there == FLIPPED)
		there[CELL - 1] ^= 1;
	print_message("# %s\n", cases[i].name);
	assert_int_equal(verify_read(&s->v, 1, 0, there, CELL), cases[i].good);
	assert_int_equal(s->v.bad_blocks > 0, !cases[i].good);
	verify_close(&s->v);
}

static void judges_rightly(void **state)
{
	(void)state;
	static struct story s;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++)
		judge_case(&s, i);
}

static void pieces_of_a_cell(void **state)
{
	(void)state;
	static struct story s;
	story_start(&s);
	assert_true(verify_read(&s.v, 2, 2 * BLOCK, s.other + 2 * BLOCK, BLOCK));
	assert_false(verify_read(&s.v, 2, BLOCK, s.other + 2 * BLOCK, BLOCK));
	assert_true(verify_read(&s.v, 3, 0, s.a, CELL)); /* never written: anything may be there */
	verify_close(&s.v);
}

/* A flush covers what was acknowledged before it was sent, not what came while it ran. */
static void flush_covers_what_was_before(void **state)
{
	(void)state;
	static struct story s;
	story_start(&s);
	verify_flush_start(&s.v);
	(void)verify_write_done(&s.v, 1, s.version_b, false);
	assert_int_equal(verify_flush_done(&s.v), 0);
	assert_true(s.v.cells[1].floor == s.version_a);
	flush(&s.v);
	assert_true(s.v.cells[1].floor == s.version_b);
	verify_close(&s.v);
}

static void journal_outlives_the_writer(void **state)
{
	(void)state;
	static struct story s;
	char path[] = "/tmp/holdfast-journal-XXXXXX";
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	close(fd);
	opts.journal = path;
	story_start(&s);
	(void)verify_write_done(&s.v, 1, s.version_b, false);
	uint8_t a[CELL], b[CELL];
	memcpy(a, s.a, CELL);
	memcpy(b, s.b, CELL);
	FILE *f = s.v.journal;
	assert_true(fprintf(f, "f 1 9999") > 0); /* killed in the middle of a line */
	verify_close(&s.v);

	static struct verify later;
	opts.check_only = true;
	assert_int_equal(verify_open(&later, &opts, BLOCK, 100), 0);
	assert_true(verify_read(&later, 1, 0, a, CELL));
	assert_true(verify_read(&later, 1, 0, b, CELL));
	memset(a, 0, BLOCK);
	assert_false(verify_read(&later, 1, 0, a, CELL));
	assert_true(verify_read(&later, 0, 0, a, CELL));
	verify_close(&later);
	opts.span_bytes = CELL;
	assert_int_equal(verify_open(&later, &opts, BLOCK, 100), -EINVAL); /* another span */
	verify_close(&later);
	opts.span_bytes = CELL * CELLS;
	opts.journal = NULL;
	opts.check_only = false;
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(judges_rightly),
		cmocka_unit_test(pieces_of_a_cell),
		cmocka_unit_test(flush_covers_what_was_before),
		cmocka_unit_test(journal_outlives_the_writer),
	};
	return cmocka_run_group_tests_name("bench/verify", tests, NULL, NULL);
}
