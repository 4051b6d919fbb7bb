/* SPDX-License-Identifier: GPL-3.0-or-later */
/* basic.c - a host meets a disk: INQUIRY, REPORT LUNS, capacity, READ and WRITE of all lengths. */
#include "rig.h"

#define BLOCKS 65536u
static struct rig rig;
static struct volume *volume;
static struct scsi_unit *unit;
static struct scsi_lun_map *map;
static struct nx nx;

static int setup(void **state)
{
	(void)state;
	rig_start(&rig, 2);
	assert_int_equal(scsi_start(rig.reactor, 2), 0);
	volume = rig_volume("ram", BLOCKS * 512ull, 512);
	unit = unit_on(volume);
	map = map_of(unit, 0, false);
	nx_open(&nx, rig.reactor[0], "iqn.2026-11.test:host,i,0x00023d000001", 1, map);
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

static void first_words(void **state)
{
	uint8_t in[256];
	(void)state;
	struct cmd inq = { CDB(0x12, 0, 0, 0, 255), .in = in, .in_room = sizeof(in) };
	assert_int_equal(cmd_do(&nx, 0, &inq), SCSI_GOOD);       /* does not consume the UA */
	assert_int_equal(inq.in_len, 96);
	assert_int_equal(in[0], 0);
	assert_int_equal(in[2], 6);
	assert_int_equal(in[4], 91);
	assert_memory_equal(in + 8, "HOLDFASTVolume          ", 24);
	struct cmd tur = { CDB(0) };
	assert_int_equal(cmd_do(&nx, 0, &tur), SCSI_CHECK_CONDITION);
	assert_int_equal(cmd_sense(&tur), 0x062900);
	struct cmd again = { CDB(0) };
	assert_int_equal(cmd_do(&nx, 0, &again), SCSI_GOOD);
	struct cmd luns = { CDB(0xa0, 0, 0, 0, 0, 0, 0, 0, 0, 64), .in = in, .in_room = sizeof(in) };
	assert_int_equal(cmd_do(&nx, 0, &luns), SCSI_GOOD);
	assert_int_equal(luns.in_len, 16);
	assert_int_equal(get32(in), 8);
}

static void capacity(void **state)
{
	uint8_t in[64];
	(void)state;
	struct cmd c10 = { CDB(0x25), .in = in, .in_room = sizeof(in) };
	assert_int_equal(cmd_do(&nx, 0, &c10), SCSI_GOOD);
	assert_int_equal(c10.in_len, 8);
	assert_int_equal(get32(in), BLOCKS - 1);
	assert_int_equal(get32(in + 4), 512);
	struct cmd c16 = { CDB(0x9e, 0x10, [13] = 32), .in = in, .in_room = sizeof(in) };
	assert_int_equal(cmd_do(&nx, 0, &c16), SCSI_GOOD);
	assert_int_equal(c16.in_len, 32);
	assert_int_equal(get64(in), BLOCKS - 1);
	assert_int_equal(in[14] & 0x80, 0x80);
}

/* A CDB for an LBA and a count in each of the four lengths. */
static void rw_cdb(uint8_t *cdb, unsigned len, bool write, uint64_t lba, uint32_t count)
{
	memset(cdb, 0, 16);
	switch (len) {
	case 6:
		put32(cdb, (uint32_t)lba);
		cdb[0] = write ? 0x0a : 0x08;
		cdb[4] = (uint8_t)count;
		break;
	case 10:
		cdb[0] = write ? 0x2a : 0x28;
		put32(cdb + 2, (uint32_t)lba);
		put16(cdb + 7, count);
		break;
	case 12:
		cdb[0] = write ? 0xaa : 0xa8;
		put32(cdb + 2, (uint32_t)lba);
		put32(cdb + 6, count);
		break;
	default:
		cdb[0] = write ? 0x8a : 0x88;
		put64(cdb + 2, lba);
		put32(cdb + 10, count);
	}
}

static void read_what_was_written(void **state)
{
	static const struct {
		const char *what;
		unsigned len;
		uint64_t lba;
		uint32_t count;
	} cases[] = {
		{ "6: one block", 6, 5, 1 },
		{ "6: 0 means 256", 6, 1000, 0 },
		{ "10: one", 10, 7, 1 },
		{ "10: over 1 MiB, two pieces of memory", 10, 64, 2100 },
		{ "10: all that one command may move", 10, 100, 16384 },
		{ "12", 12, 3000, 33 },
		{ "16", 16, BLOCKS - 8, 8 },
	};
	static uint8_t out[8 << 20], in[8 << 20];
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		size_t bytes = (cases[i].count ? cases[i].count : 256) * 512;
		rig_fill(out, bytes, i << 32, 1);
		struct cmd w = { .out = out, .out_len = bytes };
		rw_cdb(w.cdb, cases[i].len, true, cases[i].lba, cases[i].count);
		assert_int_equal(cmd_do(&nx, 0, &w), SCSI_GOOD);
		struct cmd r = { .in = in, .in_room = sizeof(in) };
		rw_cdb(r.cdb, cases[i].len, false, cases[i].lba, cases[i].count);
		assert_int_equal(cmd_do(&nx, 0, &r), SCSI_GOOD);
		if (r.in_len != bytes || memcmp(in, out, bytes))
			print_error("%s\n", cases[i].what);
		assert_int_equal(r.in_len, bytes);
		assert_memory_equal(in, out, bytes);
	}
}

static void short_data(void **state)
{
	uint8_t out[2048], in[2048];
	(void)state;
	memset(out, 0x11, sizeof(out));
	struct cmd w = { CDB(0x2a, [5] = 40, [8] = 4), .out = out, .out_len = sizeof(out) };
	assert_int_equal(cmd_do(&nx, 0, &w), SCSI_GOOD);
	memset(out, 0x22, sizeof(out));
	struct cmd s = { CDB(0x2a, [5] = 40, [8] = 4), .out = out, .out_len = 1024 };
	assert_int_equal(cmd_do(&nx, 0, &s), SCSI_GOOD);
	struct cmd r = { CDB(0x28, [5] = 40, [8] = 4), .in = in, .in_room = sizeof(in) };
	assert_int_equal(cmd_do(&nx, 0, &r), SCSI_GOOD);
	assert_int_equal(in[1023], 0x22);        /* two whole blocks */
	assert_int_equal(in[1024], 0x11);
	memset(out, 0x33, sizeof(out));
	struct cmd half = { CDB(0x2a, [5] = 40, [8] = 4), .out = out, .out_len = 1200 };
	cmd_do(&nx, 0, &half);
	assert_int_equal(cmd_sense(&half), 0x050e03);    /* not whole blocks: none is written */
	assert_int_equal(cmd_do(&nx, 0, &r), SCSI_GOOD);
	assert_int_equal(in[0], 0x22);
}

static void refusals(void **state)
{
	static const struct {
		const char *what;
		uint8_t cdb[16];
		unsigned sense;
	} cases[] = {
		{ "one past the end", { 0x28, [3] = 1, [8] = 1 }, 0x052100 },
		{ "runs over the end", { 0x28, [4] = 0xff, 0xff, [8] = 2 }, 0x052100 },
		{ "no blocks past the end", { 0x28, [2] = 1 }, 0x052100 },
		{ "wraps around 2^64", { 0x88, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 2 }, 0x052100 },
		{ "RDPROTECT", { 0x28, 0x20, [8] = 1 }, 0x052400 },
		{ "WRPROTECT", { 0x2a, 0x20, [8] = 1 }, 0x052400 },
		{ "more than one command may move", { 0x28, [7] = 0x40, 1 }, 0x052400 },
		{ "NACA", { 0x00, 0, 0, 0, 0, 4 }, 0x052400 },
		{ "reserved byte of TEST UNIT READY", { 0x00, 0, 1 }, 0x052400 },
		{ "no such command", { 0xff }, 0x052000 },
		{ "no such service action", { 0x9e, 0x1f }, 0x052400 },
		{ "page without EVPD", { 0x12, 0, 0x80, 0, 64 }, 0x052400 },
		{ "no such VPD page", { 0x12, 1, 0x77, 0, 64 }, 0x052400 },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct cmd c = { 0 };
		memcpy(c.cdb, cases[i].cdb, 16);
		uint8_t status = cmd_do(&nx, 0, &c);
		if (status != SCSI_CHECK_CONDITION || cmd_sense(&c) != cases[i].sense)
			print_error("%s: status %02x sense %06x\n", cases[i].what, status, cmd_sense(&c));
		assert_int_equal(status, SCSI_CHECK_CONDITION);
		assert_int_equal(cmd_sense(&c), cases[i].sense);
	}
}

static void no_unit_there(void **state)
{
	uint8_t in[128];
	(void)state;
	struct cmd inq = { CDB(0x12, 0, 0, 0, 96), .in = in, .in_room = sizeof(in) };
	assert_int_equal(cmd_do(&nx, 3, &inq), SCSI_GOOD);
	assert_int_equal(in[0], 0x7f);
	struct cmd tur = { CDB(0) };
	assert_int_equal(cmd_do(&nx, 3, &tur), SCSI_CHECK_CONDITION);
	assert_int_equal(cmd_sense(&tur), 0x052500);
	struct cmd rs = { CDB(0x03, 0, 0, 0, 18), .in = in, .in_room = sizeof(in) };
	assert_int_equal(cmd_do(&nx, 3, &rs), SCSI_GOOD);
	assert_int_equal(in[2], 5);
	assert_int_equal(in[12], 0x25);
	struct cmd luns = { CDB(0xa0, [9] = 64) };
	assert_int_equal(cmd_do(&nx, 3, &luns), SCSI_CHECK_CONDITION);
	struct cmd flat = { CDB(0x12, 0, 0, 0, 96), .in = in, .in_room = sizeof(in) };
	assert_int_equal(cmd_do(&nx, 300, &flat), SCSI_GOOD);
	assert_int_equal(in[0], 0x7f);
}

/* What the volume says that its reads took is part of what the host says that its commands took, also
 * when they are over within the turn of the loop that brought them. */
static void latency_of_inline_reads(void **state)
{
	static uint8_t in[1 << 20];
	struct volume_stats before, after;
	(void)state;
	const struct nexus_stats *s = scsi_nexus_stats(nx.n);
	volume_stats(volume, &before);
	uint64_t nexus_ns = s->latency.sum_ns, count = s->latency.count;
	for (unsigned i = 0; i < 64; i++) {
		struct cmd r = { CDB(0x88, [12] = 8), .in = in, .in_room = sizeof(in) };
		assert_int_equal(cmd_do(&nx, 0, &r), SCSI_GOOD);
	}
	volume_stats(volume, &after);
	uint64_t volume_ns = after.kind[STATS_READ].latency.sum_ns - before.kind[STATS_READ].latency.sum_ns;
	nexus_ns = s->latency.sum_ns - nexus_ns;
	if (nexus_ns < volume_ns)
		print_error("nexus %llu ns, volume %llu ns\n", (unsigned long long)nexus_ns, (unsigned long long)volume_ns);
	assert_int_equal(s->latency.count - count, 64);
	assert_true(volume_ns > 0);
	assert_true(nexus_ns >= volume_ns);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_words),
		cmocka_unit_test(capacity),
		cmocka_unit_test(read_what_was_written),
		cmocka_unit_test(short_data),
		cmocka_unit_test(latency_of_inline_reads),
		cmocka_unit_test(refusals),
		cmocka_unit_test(no_unit_there),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
