/* SPDX-License-Identifier: GPL-3.0-or-later */
/* atomic.c - COMPARE_WRITE and atomic writes against everything else, from two reactors.
 *
 * Counting lanes read a block and try to replace it by its successor with COMPARE_WRITE: at the
 * end the block has counted every success.  One writing lane per block replaces it by plain WRITE
 * with the next `written`; a COMPARE_WRITE carries `written` on.  Had a write come between a
 * compare and its write, `written` would go back, or a count would be lost.
 * Atomic lanes write ranges of one value, and reading lanes must never see two. */
#include "rig.h"

#define BLOCKS 4                         /* all in one stripe */
#define WIDE_LBA 64
#define WIDE_BLOCKS 16
enum kind { COUNTS, WRITES, WIDE_WRITES, WIDE_READS, ZEROES };

struct cell {
	uint64_t count, written, rest[62];
};
static struct rig rig;
static struct volume *vol;
static _Atomic(uint64_t) successes[BLOCKS];
static _Atomic(unsigned) open_lanes;

struct lane {
	struct volume_io io;
	struct msg msg;
	struct iovec iov;
	enum kind kind;
	unsigned block, left;
	uint64_t written, value;
	struct cell cell[2];
	uint8_t wide[WIDE_BLOCKS * 512];
};

static void say_and_stop(const char *what, const struct lane *l, uint64_t a, uint64_t b)
{
	print_error("%s: block %u, %llu against %llu\n", what, l->block, (unsigned long long)a, (unsigned long long)b);
	abort();
}

static void ask(struct lane *l, enum volume_op op, unsigned flags, uint64_t lba, void *buf, uint32_t count, size_t bytes,
		 void (*done)(struct volume_io *io, int status))
{
	l->iov = (struct iovec){ buf, bytes };
	l->io = (struct volume_io){ .op = (uint8_t)op, .flags = (uint8_t)flags, .lba = lba, .count_blocks = count,
				    .long_count_blocks = count, .iov = &l->iov, .iov_count = 1, .done = done };
	volume_submit(vol, &l->io);
}

static void lane_next(struct lane *l);
static void again(struct msg *m)
{
	lane_next(container_of(m, struct lane, msg));
}
/* By message: a backend that answers inline must not recurse. */
static void repeat(struct lane *l)
{
	l->msg.run = again;
	reactor_post(reactor_self(), &l->msg);
}

static void fill(struct cell *c, uint64_t count, uint64_t written)
{
	*c = (struct cell){ .count = count, .written = written };
	for (int i = 0; i < 62; i++)
		c->rest[i] = rig_mix(count ^ written << 32);
}

static void counted(struct volume_io *io, int status)
{
	struct lane *l = container_of(io, struct lane, io);
	if (status == 0)
		atomic_fetch_add(&successes[l->block], 1);
	else if (status != -EILSEQ)
		say_and_stop("compare-and-write", l, (uint64_t)-status, 0);
	repeat(l);
}

static void count_read(struct volume_io *io, int status)
{
	struct lane *l = container_of(io, struct lane, io);
	struct cell whole;
	if (status)
		say_and_stop("read", l, (uint64_t)-status, 0);
	fill(&whole, l->cell[0].count, l->cell[0].written);
	if (memcmp(&whole, &l->cell[0], 512) && (l->cell[0].count || l->cell[0].written)) {
		repeat(l);                       /* a plain write was on its way: torn reads are allowed */
		return;
	}
	fill(&l->cell[1], l->cell[0].count + 1, l->cell[0].written);
	ask(l, VOLUME_COMPARE_WRITE, 0, l->block, l->cell, 1, 1024, counted);
}

static void write_checked(struct volume_io *io, int status)
{
	struct lane *l = container_of(io, struct lane, io);
	if (status)
		say_and_stop("read", l, (uint64_t)-status, 0);
	if (l->cell[0].written != l->written)
		say_and_stop("a write was lost", l, l->cell[0].written, l->written);
	repeat(l);
}
static void written(struct volume_io *io, int status)
{
	struct lane *l = container_of(io, struct lane, io);
	if (status)
		say_and_stop("write", l, (uint64_t)-status, 0);
	ask(l, VOLUME_READ, 0, l->block, l->cell, 1, 512, write_checked);
}

static void wide_done(struct volume_io *io, int status)
{
	struct lane *l = container_of(io, struct lane, io);
	if (status)
		say_and_stop("wide", l, (uint64_t)-status, 0);
	if (l->kind == WIDE_READS)
		for (size_t i = 1; i < sizeof(l->wide); i++)
			if (l->wide[i] != l->wide[0])
				say_and_stop("half of an atomic write was seen", l, l->wide[i], l->wide[0]);
	repeat(l);
}

static void lane_next(struct lane *l)
{
	if (!l->left--) {
		atomic_fetch_sub(&open_lanes, 1);
		return;
	}
	switch (l->kind) {
	case COUNTS:
		ask(l, VOLUME_READ, 0, l->block, l->cell, 1, 512, count_read);
		return;
	case WRITES:                             /* the only plain writer of its block */
		fill(&l->cell[0], 0, ++l->written);
		ask(l, VOLUME_WRITE, 0, l->block, l->cell, 1, 512, written);
		return;
	case WIDE_WRITES:
		memset(l->wide, (int)++l->value, sizeof(l->wide));
		ask(l, VOLUME_WRITE, VOLUME_ATOMIC, WIDE_LBA, l->wide, WIDE_BLOCKS, sizeof(l->wide), wide_done);
		return;
	case WIDE_READS:
		ask(l, VOLUME_READ, 0, WIDE_LBA, l->wide, WIDE_BLOCKS, sizeof(l->wide), wide_done);
		return;
	case ZEROES:                             /* other ops in the same stripe */
		ask(l, l->left % 2 ? VOLUME_ZERO : VOLUME_UNMAP, 0, 96, NULL, 16, 0, wide_done);
		return;
	}
}

static void run(const char *plugin, const char *option, const char *value, unsigned rounds)
{
	static const struct { enum kind kind; unsigned block; } plan[] = {
		{ COUNTS, 0 }, { COUNTS, 0 }, { COUNTS, 1 }, { COUNTS, 1 }, { COUNTS, 0 }, { COUNTS, 0 },
		{ COUNTS, 3 }, { COUNTS, 3 }, { COUNTS, 3 }, { WRITES, 3 },
		{ WIDE_WRITES, 0 }, { WIDE_WRITES, 0 }, { WIDE_READS, 0 }, { WIDE_READS, 0 }, { ZEROES, 0 }, { ZEROES, 0 },
	};
	static struct lane lanes[ARRAY_COUNT(plan)];
	struct volume_setting set = { option, value };
	struct volume_spec s = { .name = "v", .uuid = RIG_UUID, .plugin = plugin, .size_bytes = 1 << 20, .block_bytes = 512,
				 .settings = &set, .setting_count = option ? 1 : 0 };
	assert_int_equal(volume_open(&s, &vol), 0);
	assert_int_equal(volume_state(vol), VOLUME_ONLINE);
	for (unsigned b = 0; b < BLOCKS; b++)
		atomic_store(&successes[b], 0);
	atomic_store(&open_lanes, ARRAY_COUNT(plan));
	for (size_t i = 0; i < ARRAY_COUNT(plan); i++) {
		memset(&lanes[i], 0, sizeof(lanes[i]));
		lanes[i].kind = plan[i].kind;
		lanes[i].block = plan[i].block;
		lanes[i].left = rounds;
		lanes[i].value = i * 16;
		lanes[i].msg.run = again;
		reactor_post(rig.reactor[i % rig.count], &lanes[i].msg);
	}
	for (unsigned ms = 0; atomic_load(&open_lanes) && ms < 50000; ms++)
		usleep(1000);
	assert_int_equal(atomic_load(&open_lanes), 0);
	struct cell c;
	for (unsigned b = 0; b < 2; b++) {
		assert_int_equal(rig_rw(rig.reactor[0], vol, VOLUME_READ, 0, b, &c, 1), 0);
		assert_int_equal(c.count, atomic_load(&successes[b]));
		assert_true(c.count > 0);
	}
	struct volume_stats st;
	volume_stats(vol, &st);
	assert_int_equal(st.in_flight, 0);
	rig_close(vol);
}

static void in_memory(void **state)
{
	(void)state;
	run("ram", NULL, NULL, 4000);
}
/* The time between compare and write is milliseconds here, not nanoseconds. */
static void with_delays(void **state)
{
	(void)state;
	run("fault:ram", "delay_random_ms", "2", 120);
}

static int setup(void **state)
{
	(void)state;
	rig_start(&rig, 2);
	return 0;
}
static int teardown(void **state)
{
	(void)state;
	rig_stop(&rig);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(in_memory),
		cmocka_unit_test(with_delays),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
