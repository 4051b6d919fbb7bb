/* SPDX-License-Identifier: GPL-3.0-or-later */
/* disk.c - what SBC-3 says beyond plain reads and writes: verification, COMPARE AND WRITE, ORWRITE,
 * WRITE SAME, UNMAP, GET LBA STATUS, cache, start and stop. */
#include "rig.h"

#include "scsi/scsi_priv.h"

#define BLOCKS 65536u
static struct rig rig;
static struct volume *volume;
static struct scsi_unit *unit;
static struct scsi_lun_map *map;
static struct nx nx;
static uint8_t in[1 << 20], out[1 << 20];

static int setup(void **state)
{
	(void)state;
	rig_start(&rig, 1);
	assert_int_equal(scsi_start(rig.reactor, 1), 0);
	volume = rig_volume("ram", BLOCKS * 512ull, 512);
	unit = unit_on(volume);
	map = map_of(unit, 0, false);
	nx_open(&nx, rig.reactor[0], "iqn.2026-11.test:a,i,0x00023d000001", 1, map);
	nx_calm(&nx, 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	nx_close(&nx);
	scsi_lun_map_unref(map);
	scsi_unit_unref(unit);
	scsi_stop();
	rig_close(volume);
	rig_stop(&rig);
	return 0;
}

static void fill(uint64_t lba, unsigned count, uint8_t byte)
{
	memset(out, byte, count * 512);
	struct cmd w = { CDB(0x8a), .out = out, .out_len = count * 512 };
	put64(w.cdb + 2, lba);
	put32(w.cdb + 10, count);
	assert_int_equal(cmd_do(&nx, 0, &w), SCSI_GOOD);
}

static const uint8_t *block(uint64_t lba)
{
	struct cmd r = { CDB(0x88, [13] = 1), .in = in, .in_room = sizeof(in) };
	put64(r.cdb + 2, lba);
	assert_int_equal(cmd_do(&nx, 0, &r), SCSI_GOOD);
	return in;
}

static bool block_is(uint64_t lba, uint8_t byte)
{
	const uint8_t *b = block(lba);
	for (unsigned i = 0; i < 512; i++)
		if (b[i] != byte)
			return false;
	return true;
}

/* One row: a CDB, data made of one repeated byte, the answer, and INFORMATION where it says something. */
struct answer {
	const char *what;
	uint8_t cdb[16];
	size_t out_len;
	uint8_t out_byte;
	uint8_t status;
	unsigned sense;
	int64_t info;                    /* -1: none */
};
static void check(const struct answer *a, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct cmd c = { .out = out, .out_len = a[i].out_len, .in = in, .in_room = sizeof(in) };
		memset(out, a[i].out_byte, a[i].out_len);
		memcpy(c.cdb, a[i].cdb, 16);
		cmd_do(&nx, 0, &c);
		if (c.status != a[i].status || cmd_sense(&c) != a[i].sense)
			print_error("%s: status %02x sense %06x\n", a[i].what, c.status, cmd_sense(&c));
		assert_int_equal(c.status, a[i].status);
		assert_int_equal(cmd_sense(&c), a[i].sense);
		if (c.status == SCSI_CHECK_CONDITION && a[i].info >= 0) {
			assert_int_equal(c.sense[0], 0xf0);
			assert_int_equal(get32(c.sense + 3), a[i].info);
		}
	}
}

static void verify(void **state)
{
	(void)state;
	fill(100, 16, 0x5a);
	fill(108, 1, 0x5b);
	static const struct answer cases[] = {
		{ "medium, no data", { 0x2f, 0, 0, 0, 0, 100, 0, 0, 16 }, 0, 0, 0, 0, -1 },
		{ "nothing", { 0x2f, 0x02, 0, 0, 0, 100, 0, 0, 0 }, 0, 0, 0, 0, -1 },
		{ "data are the same", { 0x2f, 0x02, 0, 0, 0, 100, 0, 0, 8 }, 4096, 0x5a, 0, 0, -1 },
		{ "data differ", { 0x2f, 0x02, 0, 0, 0, 100, 0, 0, 16 }, 8192, 0x5a, 2, 0x0e1d00, 4096 },
		{ "one block for all: same", { 0x2f, 0x06, 0, 0, 0, 100, 0, 0, 8 }, 512, 0x5a, 0, 0, -1 },
		{ "one block for all: differs", { 0x2f, 0x06, 0, 0, 0, 100, 0, 0, 16 }, 512, 0x5a, 2, 0x0e1d00, 0 },
		{ "reserved BYTCHK", { 0x2f, 0x04, 0, 0, 0, 100, 0, 0, 1 }, 0, 0, 2, 0x052400, -1 },
		{ "VRPROTECT", { 0x2f, 0x22, 0, 0, 0, 100, 0, 0, 1 }, 512, 0x5a, 2, 0x052400, -1 },
		{ "medium, all of it", { 0x8f, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0 }, 0, 0, 0, 0, -1 },
		{ "one more", { 0xaf, 0, 0, 0, 0, 0, 0, 1, 0, 1 }, 0, 0, 2, 0x052100, 0 },
		{ "64 Ki blocks", { 0xaf, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff }, 0, 0, 0, 0, -1 },
		{ "write and verify, no check", { 0x2e, 0, 0, 0, 0, 110, 0, 0, 4 }, 2048, 0x77, 0, 0, -1 },
		{ "write and verify, check", { 0x8e, 2, 0, 0, 0, 0, 0, 0, 0, 110, 0, 0, 0, 4 }, 2048, 0x78, 0, 0, -1 },
		{ "write and verify, reserved", { 0x2e, 6, 0, 0, 0, 110, 0, 0, 4 }, 2048, 0x78, 2, 0x052400, -1 },
		{ "write and verify, half of the data", { 0x2e, 2, 0, 0, 0, 110, 0, 0, 4 }, 1024, 0x79, 0, 0, -1 },
	};
	check(cases, ARRAY_COUNT(cases));
	assert_true(block_is(111, 0x79));
	assert_true(block_is(112, 0x78));
	assert_true(block_is(113, 0x78));
}

static void compare_and_write(void **state)
{
	(void)state;
	fill(200, 4, 0x11);
	memset(out, 0x11, 512);
	memset(out + 512, 0x22, 512);
	struct cmd c = { CDB(0x89, [9] = 200, [13] = 1), .out = out, .out_len = 1024 };
	assert_int_equal(cmd_do(&nx, 0, &c), SCSI_GOOD);
	assert_true(block_is(200, 0x22));
	out[100] ^= 1;
	struct cmd m = { CDB(0x89, [9] = 201, [13] = 1), .out = out, .out_len = 1024 };
	memset(out, 0x11, 512);
	out[100] = 0;
	assert_int_equal(cmd_do(&nx, 0, &m), SCSI_CHECK_CONDITION);
	assert_int_equal(cmd_sense(&m), 0x0e1d00);
	assert_int_equal(get32(m.sense + 3), 100);
	assert_true(block_is(201, 0x11));
	static const struct answer cases[] = {
		{ "nothing", { 0x89, [9] = 200 }, 0, 0, 0, 0, -1 },
		{ "past the end", { 0x89, [7] = 1, [13] = 1 }, 1024, 0, 2, 0x052100, 65536 },
		{ "half of the data", { 0x89, [9] = 200, [13] = 1 }, 512, 0x22, 2, 0x050e03, -1 },
		{ "reserved byte", { 0x89, [9] = 200, [12] = 1, [13] = 1 }, 0, 0, 2, 0x052400, -1 },
	};
	check(cases, ARRAY_COUNT(cases));
	/* more data than the CDB speaks of: which of it would be compared? */
	struct cmd more = { CDB(0x89, [9] = 200, [13] = 1), .out = out, .out_len = 1024, .t = { .offered_bytes = 2048 } };
	cmd_do(&nx, 0, &more);
	assert_int_equal(cmd_sense(&more), 0x052400);
	assert_int_equal(more.sense[17], 13);
	struct cmd same = { CDB(0x41, [5] = 200, [8] = 1), .out = out, .out_len = 512, .t = { .offered_bytes = 1024 } };
	cmd_do(&nx, 0, &same);
	assert_int_equal(cmd_sense(&same), 0x052400);
	/* as many as VPD B0 says */
	fill(1000, 255, 0x33);
	memset(out, 0x33, 255 * 512);
	memset(out + 255 * 512, 0x44, 255 * 512);
	struct cmd many = { CDB(0x89, [8] = 3, 0xe8, [13] = 255), .out = out, .out_len = 2 * 255 * 512 };
	assert_int_equal(cmd_do(&nx, 0, &many), SCSI_GOOD);
	assert_true(block_is(1254, 0x44));
}

static void orwrite(void **state)
{
	(void)state;
	fill(300, 300, 0x0f);
	memset(out, 0xf0, 300 * 512);
	struct cmd c = { CDB(0x8b, [8] = 1, 44, [12] = 1, 44), .out = out, .out_len = 300 * 512 };
	assert_int_equal(cmd_do(&nx, 0, &c), SCSI_GOOD);
	assert_true(block_is(300, 0xff));
	assert_true(block_is(599, 0xff));
}

static void write_same(void **state)
{
	(void)state;
	static const struct answer cases[] = {
		{ "10", { 0x41, 0, 0, 0, 2, 0, 0, 0, 8 }, 512, 0x66, 0, 0, -1 },
		{ "16", { 0x93, 0, 0, 0, 0, 0, 0, 0, 2, 8, 0, 0, 0, 8 }, 512, 0x67, 0, 0, -1 },
		{ "zeroes, may unmap", { 0x93, 8, 0, 0, 0, 0, 0, 0, 2, 16, 0, 0, 0, 8 }, 512, 0, 0, 0, -1 },
		{ "no data", { 0x93, 1, 0, 0, 0, 0, 0, 0, 2, 24, 0, 0, 0, 8 }, 0, 0, 0, 0, -1 },
		{ "no data, unmap", { 0x93, 9, 0, 0, 0, 0, 0, 0, 2, 32, 0, 0, 0, 8 }, 0, 0, 0, 0, -1 },
		{ "unmap with data that are no zeroes", { 0x93, 8, 0, 0, 0, 0, 0, 0, 2, 40, 0, 0, 0, 8 }, 512, 0x68, 0, 0, -1 },
		{ "0 blocks: WSNZ", { 0x93, 0, 0, 0, 0, 0, 0, 0, 2, 0 }, 512, 0, 2, 0x052400, -1 },
		{ "anchor", { 0x93, 0x18, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 1 }, 512, 0, 2, 0x052400, -1 },
		{ "NDOB in 10 bytes", { 0x41, 1, 0, 0, 2, 0, 0, 0, 8 }, 0, 0, 2, 0x052400, -1 },
		{ "past the end", { 0x41, 0, 0, 0, 0xff, 0xff, 0, 0, 2 }, 512, 0, 2, 0x052100, 65535 },
		{ "no block", { 0x41, 0, 0, 0, 2, 0, 0, 0, 8 }, 100, 0, 2, 0x050e03, -1 },
	};
	fill(512, 64, 0xaa);
	check(cases, ARRAY_COUNT(cases));
	assert_true(block_is(512, 0x66));
	assert_true(block_is(519, 0x66));
	assert_true(block_is(520, 0x67));
	assert_true(block_is(528, 0));
	assert_true(block_is(536, 0));
	assert_true(block_is(544, 0));
	assert_true(block_is(552, 0x68));
	assert_true(block_is(560, 0xaa));
}

static size_t unmap_list(uint8_t *b, unsigned count, uint64_t (*range)[2])
{
	memset(b, 0, 8);
	put16(b, 6 + count * 16);
	put16(b + 2, count * 16);
	for (unsigned i = 0; i < count; i++) {
		put64(b + 8 + i * 16, range[i][0]);
		put32(b + 16 + i * 16, (uint32_t)range[i][1]);
		put32(b + 20 + i * 16, 0);
	}
	return 8 + count * 16;
}

static void unmap(void **state)
{
	static const struct {
		const char *what;
		unsigned count;
		uint64_t range[3][2];
		unsigned sense;
	} cases[] = {
		{ "nothing", 0, { { 0, 0 } }, 0 },
		{ "one", 1, { { 8192, 2048 } }, 0 },
		{ "of no blocks", 1, { { 8192, 0 } }, 0 },
		{ "three", 3, { { 0, 8 }, { 65528, 8 }, { 4096, 4096 } }, 0 },
		{ "past the end", 2, { { 0, 8 }, { 65529, 8 } }, 0x052100 },
		{ "wraps around 2^64", 1, { { UINT64_MAX, 2 } }, 0x052100 },
	};
	(void)state;
	fill(8192, 2000, 0x99);
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		uint64_t range[3][2];
		memcpy(range, cases[i].range, sizeof(range));
		size_t len = unmap_list(out, cases[i].count, range);
		struct cmd c = { CDB(0x42, [8] = (uint8_t)len), .out = out, .out_len = len };
		cmd_do(&nx, 0, &c);
		if (cmd_sense(&c) != cases[i].sense)
			print_error("%s\n", cases[i].what);
		assert_int_equal(cmd_sense(&c), cases[i].sense);
	}
	assert_true(block_is(8192, 0));
	/* less than a granule: it stays allocated, and reads as zeroes since LBPRZ says so */
	static uint64_t few[1][2] = { { 9001, 3 } };
	fill(9000, 5, 0x98);
	size_t some = unmap_list(out, 1, few);
	struct cmd edge = { CDB(0x42, [8] = (uint8_t)some), .out = out, .out_len = some };
	assert_int_equal(cmd_do(&nx, 0, &edge), SCSI_GOOD);
	assert_true(block_is(9000, 0x98) && block_is(9001, 0) && block_is(9003, 0) && block_is(9004, 0x98));
	static const struct answer odd[] = {
		{ "no list", { 0x42 }, 0, 0, 0, 0, -1 },
		{ "shorter than its header", { 0x42, [8] = 7 }, 7, 0, 2, 0x051a00, -1 },
		{ "header alone", { 0x42, [8] = 8 }, 8, 0, 0, 0, -1 },
		{ "anchor", { 0x42, 1, [8] = 8 }, 8, 0, 2, 0x052400, -1 },
		{ "less data than said", { 0x42, [8] = 24 }, 8, 0, 2, 0x050e03, -1 },
	};
	check(odd, ARRAY_COUNT(odd));
	/* A length that promises more than is there reads nothing beyond. */
	memset(out, 0, 24);
	put16(out, 0xffff);
	put16(out + 2, 0xfff0);
	struct cmd lie = { CDB(0x42, [8] = 24), .out = out, .out_len = 24 };
	assert_int_equal(cmd_do(&nx, 0, &lie), SCSI_GOOD);
	static uint64_t many[257][2];
	size_t len = unmap_list(out, 257, many);
	struct cmd c = { CDB(0x42, [7] = (uint8_t)(len >> 8), (uint8_t)len), .out = out, .out_len = len };
	cmd_do(&nx, 0, &c);
	assert_int_equal(cmd_sense(&c), 0x052600);       /* one more than VPD B0 allows */
}

static void lba_status(void **state)
{
	(void)state;
	static uint64_t all[1][2] = { { 0, BLOCKS } };
	size_t len = unmap_list(out, 1, all);
	struct cmd u = { CDB(0x42, [8] = (uint8_t)len), .out = out, .out_len = len };
	assert_int_equal(cmd_do(&nx, 0, &u), SCSI_GOOD);
	fill(16384, 2048, 1);                            /* one chunk of the ram volume */
	struct cmd c = { CDB(0x9e, 0x12, [12] = 4), .in = in, .in_room = sizeof(in) };
	assert_int_equal(cmd_do(&nx, 0, &c), SCSI_GOOD);
	assert_int_equal(get32(in), c.in_len - 4);
	assert_int_equal((c.in_len - 8) % 16, 0);
	uint64_t at = 0;
	bool seen = false;
	for (size_t k = 8; k < c.in_len; k += 16) {
		assert_int_equal(get64(in + k), at);     /* adjacent, from the LBA that was asked for */
		seen |= in[k + 12] == 0 && at <= 16384 && at + get32(in + k + 8) > 16384;
		at += get32(in + k + 8);
	}
	assert_int_equal(at, BLOCKS);
	assert_true(seen);
	/* A unit that is fully provisioned has no other blocks than mapped ones. */
	atomic_store(&unit->can_unmap, false);
	struct cmd thick = { CDB(0x9e, 0x12, [12] = 4), .in = in, .in_room = sizeof(in) };
	assert_int_equal(cmd_do(&nx, 0, &thick), SCSI_GOOD);
	atomic_store(&unit->can_unmap, true);
	assert_int_equal(thick.in_len, 24);
	assert_int_equal(get32(in + 16), BLOCKS);
	assert_int_equal(in[20], 0);
	struct cmd last = { CDB(0x9e, 0x12, [8] = 0xff, 0xff, [13] = 24), .in = in, .in_room = sizeof(in) };
	assert_int_equal(cmd_do(&nx, 0, &last), SCSI_GOOD);
	assert_int_equal(get32(in + 16), 1);
	struct cmd past = { CDB(0x9e, 0x12, [7] = 1, [13] = 24) };
	cmd_do(&nx, 0, &past);
	assert_int_equal(cmd_sense(&past), 0x052100);
}

static void small_ones(void **state)
{
	static const struct answer cases[] = {
		{ "self-test", { 0x1d, 4 }, 0, 0, 0, 0, -1 },
		{ "self-test, long", { 0x1d, 0x44 }, 0, 0, 2, 0x052400, -1 },
		{ "diagnostic page", { 0x1d, 0x10, 0, 0, 4 }, 4, 0, 2, 0x052400, -1 },
		{ "task management functions, no room", { 0xa3, 0x0d, [9] = 3 }, 0, 0, 2, 0x052400, -1 },
		{ "sync, all", { 0x35 }, 0, 0, 0, 0, -1 },
		{ "sync, to the end", { 0x35, 0, 0, 0, 0xff, 0xff }, 0, 0, 0, 0, -1 },
		{ "sync, IMMED", { 0x91, 2 }, 0, 0, 0, 0, -1 },
		{ "sync, past the end", { 0x35, 0, 0, 1 }, 0, 0, 2, 0x052100, 65536 },
		{ "prefetch", { 0x34, [8] = 8 }, 0, 0, 0, 0, -1 },
		{ "prefetch 16 past the end", { 0x90, [7] = 1, [13] = 8 }, 0, 0, 2, 0x052100, -1 },
		{ "start", { 0x1b, [4] = 1 }, 0, 0, 0, 0, -1 },
		{ "stop", { 0x1b }, 0, 0, 0, 0, -1 },
		{ "stop without flush", { 0x1b, [4] = 4 }, 0, 0, 0, 0, -1 },
		{ "eject", { 0x1b, [4] = 2 }, 0, 0, 2, 0x052400, -1 },
		{ "standby", { 0x1b, [4] = 0x30 }, 0, 0, 0, 0, -1 },
		{ "active, LOEJ is ignored", { 0x1b, [4] = 0x12 }, 0, 0, 0, 0, -1 },
		{ "prevent", { 0x1e, [4] = 1 }, 0, 0, 0, 0, -1 },
		{ "allow", { 0x1e }, 0, 0, 0, 0, -1 },
		{ "prevent, reserved", { 0x1e, [4] = 2 }, 0, 0, 2, 0x052400, -1 },
		{ "defects", { 0x37, 0, 0x18, [8] = 8 }, 0, 0, 0, 0, -1 },
		{ "defects 12", { 0xb7, 0x18, [9] = 8 }, 0, 0, 0, 0, -1 },
		{ "ATA PASS-THROUGH, as smartd asks", { 0x85 }, 0, 0, 2, 0x052000, -1 },
	};
	(void)state;
	check(cases, ARRAY_COUNT(cases));
}

/* A sync of "0 blocks" on exactly 2^32 blocks is a sync to the end; a 32-bit count would make it none. */
static void two_to_the_32(void **state)
{
	(void)state;
	struct volume *v = rig_volume("null", 1ull << 41, 512);
	struct scsi_unit *u = unit_on(v);
	struct scsi_lun_map *m = map_of(u, 9, false);
	struct nx x;
	nx_open(&x, rig.reactor[0], "iqn.2026-11.test:big,i,0x00023d000009", 1, m);
	nx_calm(&x, 9);
	uint64_t before, after;
	struct volume_stats *s = malloc(sizeof(*s));
	volume_stats(v, s);
	before = s->kind[STATS_OTHER].ops;
	struct cmd c = { CDB(0x91) };
	assert_int_equal(cmd_do(&x, 9, &c), SCSI_GOOD);
	struct cmd c10 = { CDB(0x35) };
	assert_int_equal(cmd_do(&x, 9, &c10), SCSI_GOOD);
	volume_stats(v, s);
	after = s->kind[STATS_OTHER].ops;
	free(s);
	assert_int_equal(after - before, 2);
	struct cmd cap = { CDB(0x25), .in = in, .in_room = sizeof(in) };
	assert_int_equal(cmd_do(&x, 9, &cap), SCSI_GOOD);
	assert_int_equal(get32(in), 0xffffffff);
	struct cmd cap16 = { CDB(0x9e, 0x10, [13] = 32), .in = in, .in_room = sizeof(in) };
	assert_int_equal(cmd_do(&x, 9, &cap16), SCSI_GOOD);
	assert_int_equal(get64(in), 0xffffffffull);
	/* and UNMAP says how much it takes at once, and means it */
	struct cmd b0 = { CDB(0x12, 1, 0xb0, [4] = 64), .in = in, .in_room = sizeof(in) };
	assert_int_equal(cmd_do(&x, 9, &b0), SCSI_GOOD);
	uint64_t most[1][2] = { { 1ull << 31, get32(in + 20) } };
	for (unsigned over = 0; over < 2; over++) {
		most[0][1] += over;
		size_t len = unmap_list(out, 1, most);
		struct cmd un = { CDB(0x42, [8] = (uint8_t)len), .out = out, .out_len = len };
		cmd_do(&x, 9, &un);
		assert_int_equal(cmd_sense(&un), over ? 0x052600 : 0);
	}
	nx_close(&x);
	scsi_lun_map_unref(m);
	scsi_unit_unref(u);
	rig_close(v);
}

/* A volume that is away: NOT READY, never "no such LUN"; what needs no medium still works. */
static void offline(void **state)
{
	static const struct {
		const char *what;
		uint8_t cdb[16];
		unsigned sense;
	} cases[] = {
		{ "TEST UNIT READY", { 0 }, 0x020400 },
		{ "READ", { 0x28, [8] = 1 }, 0x020400 },
		{ "WRITE", { 0x2a, [8] = 1 }, 0x020400 },
		{ "SYNCHRONIZE CACHE", { 0x35 }, 0x020400 },
		{ "START", { 0x1b, [4] = 1 }, 0x020400 },
		{ "INQUIRY", { 0x12, [4] = 96 }, 0 },
		{ "VPD B0", { 0x12, 1, 0xb0, [4] = 96 }, 0 },
		{ "MODE SENSE", { 0x1a, 0, 0x3f, [4] = 255 }, 0 },
		{ "REPORT LUNS", { 0xa0, [9] = 64 }, 0 },
		{ "READ CAPACITY", { 0x25 }, 0 },
		{ "READ KEYS", { 0x5e, [8] = 64 }, 0 },
		{ "RESERVE", { 0x16 }, 0 },
		{ "RELEASE", { 0x17 }, 0 },
	};
	(void)state;
	struct volume_spec s = { .name = "away", .uuid = RIG_UUID, .plugin = "no-such-plugin", .size_bytes = 1 << 20,
				 .block_bytes = 4096 };
	struct volume *v = NULL;
	if (volume_open(&s, &v))
		skip();
	assert_int_equal(volume_state(v), VOLUME_OFFLINE);
	struct scsi_unit *u = unit_on(v);
	struct scsi_lun_map *m = map_of(u, 0, false);
	struct nx x;
	nx_open(&x, rig.reactor[0], "iqn.2026-11.test:c,i,0x00023d000003", 1, m);
	struct cmd ua = { CDB(0) };
	cmd_do(&x, 0, &ua);
	assert_int_equal(cmd_sense(&ua), 0x062900);
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct cmd c = { .out = out, .out_len = 4096 };
		memcpy(c.cdb, cases[i].cdb, 16);
		cmd_do(&x, 0, &c);
		if (cmd_sense(&c) != cases[i].sense)
			print_error("%s: %06x\n", cases[i].what, cmd_sense(&c));
		assert_int_equal(cmd_sense(&c), cases[i].sense);
	}
	struct cmd rs = { CDB(0x03, [4] = 18), .in = in, .in_room = sizeof(in) };
	assert_int_equal(cmd_do(&x, 0, &rs), SCSI_GOOD);
	assert_int_equal(in[2], 2);
	nx_close(&x);
	scsi_lun_map_unref(m);
	scsi_unit_unref(u);
	volume_unref(v);
}

/* PRE-FETCH reads what it is asked for, in pieces, and bounded where it says "to the end". */
static void pre_fetch(void **state)
{
	static const struct {
		const char *what;
		uint8_t cdb[16];
		uint64_t bytes;
	} cases[] = {
		{ "eight blocks", { 0x34, [8] = 8 }, 4096 },
		{ "more than a piece", { 0x90, [12] = 0x10, [13] = 1 }, 0x1001 * 512 },
		{ "to the end, from near it", { 0x34, [2] = 0, 0, 0xff, 0xf0 }, 16 * 512 },
		{ "to the end, all of it", { 0x34 }, 32 << 20 },
	};
	struct volume_counts before, after;
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct cmd c = { 0 };
		memcpy(c.cdb, cases[i].cdb, 16);
		volume_counts(volume, &before);
		assert_int_equal(cmd_do(&nx, 0, &c), SCSI_GOOD);
		volume_counts(volume, &after);
		if (after.bytes[STATS_READ] - before.bytes[STATS_READ] != cases[i].bytes)
			print_error("%s\n", cases[i].what);
		assert_int_equal(after.bytes[STATS_READ] - before.bytes[STATS_READ], cases[i].bytes);
	}
}

/* A removable disk: what is out has no capacity, and a power condition puts nothing out. */
static void removable(void **state)
{
	(void)state;
	struct volume *v = rig_volume("ram", 1 << 20, 512);
	struct scsi_unit_spec spec = { .volume = v, .device = SCSI_REMOVABLE };
	struct scsi_unit *u;
	assert_int_equal(scsi_unit_new(&spec, &u), 0);
	struct scsi_lun_map *m = map_of(u, 0, false);
	struct nx x;
	nx_open(&x, rig.reactor[0], "iqn.2026-11.test:r,i,0x00023d000009", 1, m);
	nx_calm(&x, 0);
	static const struct {
		const char *what;
		uint8_t cdb[16];
		unsigned sense;
	} steps[] = {
		{ "capacity", { 0x25 }, 0 },
		{ "idle, LOEJ set", { 0x1b, [4] = 0x22 }, 0 },
		{ "is still in", { 0 }, 0 },
		{ "reserved power condition", { 0x1b, [4] = 0xf0 }, 0 },
		{ "eject", { 0x1b, [4] = 2 }, 0 },
		{ "not ready", { 0 }, 0x023a00 },
		{ "capacity (10)", { 0x25 }, 0x023a00 },
		{ "capacity (16)", { 0x9e, 0x10, [13] = 32 }, 0x023a00 },
		{ "inquiry", { 0x12, [4] = 36 }, 0 },
		{ "load", { 0x1b, [4] = 3 }, 0 },
		{ "capacity again", { 0x9e, 0x10, [13] = 32 }, 0 },
	};
	for (size_t i = 0; i < ARRAY_COUNT(steps); i++) {
		struct cmd c = { .in = in, .in_room = sizeof(in) };
		memcpy(c.cdb, steps[i].cdb, 16);
		cmd_do(&x, 0, &c);
		if (cmd_sense(&c) != steps[i].sense)
			print_error("%s: %06x\n", steps[i].what, cmd_sense(&c));
		assert_int_equal(cmd_sense(&c), steps[i].sense);
	}
	nx_close(&x);
	scsi_lun_map_unref(m);
	scsi_unit_unref(u);
	rig_close(v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(removable), cmocka_unit_test(pre_fetch),
		cmocka_unit_test(verify), cmocka_unit_test(compare_and_write), cmocka_unit_test(orwrite),
		cmocka_unit_test(write_same), cmocka_unit_test(unmap), cmocka_unit_test(lba_status),
		cmocka_unit_test(small_ones), cmocka_unit_test(two_to_the_32), cmocka_unit_test(offline),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
