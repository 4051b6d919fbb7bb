/* SPDX-License-Identifier: GPL-3.0-or-later */
/* io.c - I/O commands: reads, writes, compare, fused pairs, zeroes, deallocation, verify, copy. */
#include "rig.h"

#define BLOCKS 65536u
static struct rig rig;
static struct volume *volume, *other;
static struct nvme_subsystem *sub;
static struct nvme_ns_map *map;
static struct host host;
static uint8_t in[2 << 20], out[2 << 20];

static int setup(void **state)
{
	(void)state;
	rig_start(&rig, 2);
	assert_int_equal(nvme_start(rig.reactor, 2), 0);
	volume = rig_volume("ram", BLOCKS * 512ull, 512);
	other = rig_volume("fault:ram", 1024 * 512ull, 512);
	sub = subsystem(false);
	struct nvme_ns_entry e[] = { { .nsid = 7, .ana_group = 1, .volume = other },
				     { .nsid = 1, .ana_group = 1, .volume = volume },
				     { .nsid = 9, .ana_group = 1, .volume = other, .read_only = true } };
	assert_int_equal(nvme_ns_map_new(e, 3, &map), 0);
	host_open(&host, rig.reactor[0], sub, map, 1);
	assert_int_equal(host_queue(&host, rig.reactor[1], 2), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	host_close(&host);
	nvme_ns_map_unref(map);
	nvme_subsystem_unref(sub);
	rig_calm(&rig);
	nvme_stop();
	rig_close(volume);
	rig_close(other);
	rig_stop(&rig);
	return 0;
}

#define RW(op, lba, blocks, ...) { .opcode = (op), .nsid = 1, .cdw10 = (uint32_t)(lba),            \
				   .cdw11 = (uint32_t)((uint64_t)(lba) >> 32), .cdw12 = (blocks) - 1u, \
				   .len = (blocks) * 512ul, .in = in, .out = out, ##__VA_ARGS__ }

static void fill(uint64_t lba, unsigned count, uint8_t byte)
{
	memset(out, byte, count * 512);
	struct cmd w = RW(NVME_IO_WRITE, lba, count);
	assert_int_equal(cmd_do(&host, 1, &w), 0);
}

static bool block_is(uint32_t nsid, uint64_t lba, uint8_t byte)
{
	struct cmd r = RW(NVME_IO_READ, lba, 1);
	r.nsid = nsid;
	memset(in, ~byte, 512);
	assert_int_equal(cmd_do(&host, 2, &r), 0);
	assert_int_equal(r.in_len, 512);
	for (unsigned i = 0; i < 512; i++)
		if (in[i] != byte)
			return false;
	return true;
}

static void read_write(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(out); i++)
		out[i] = (uint8_t)(i * 7 + i / 512);
	struct cmd w = RW(NVME_IO_WRITE, 100, 2048);     /* 1 MiB: all that MDTS allows */
	assert_int_equal(cmd_do(&host, 1, &w), 0);
	struct cmd r = RW(NVME_IO_READ, 100, 2048);
	assert_int_equal(cmd_do(&host, 2, &r), 0);
	assert_int_equal(r.in_len, 1 << 20);
	assert_memory_equal(in, out, 1 << 20);
	struct cmd f = { .opcode = NVME_IO_FLUSH, .nsid = 1 };
	assert_int_equal(cmd_do(&host, 1, &f), 0);
	struct cmd fua = RW(NVME_IO_WRITE, 5, 1);
	fua.cdw12 |= NVME_RW_FUA;
	assert_int_equal(cmd_do(&host, 1, &fua), 0);
	struct nexus_stats *s = nvme_queue_stats(host.q[1]);
	assert_int_equal(s->write_ops, 2);
	assert_int_equal(s->write_bytes, (1 << 20) + 512);
}

/* What the document says to each entry that must be refused. */
static void refusals(void **state)
{
	static const struct {
		const char *what;
		uint8_t opcode;
		uint32_t nsid;
		uint64_t lba;
		uint32_t cdw12, len, status;
		bool dnr, no_sgl;
	} cases[] = {
		{ "last block", NVME_IO_READ, 1, BLOCKS - 1, 0, 512, 0, false, false },
		{ "one past the end", NVME_IO_READ, 1, BLOCKS, 0, 512, NVME_SC_LBA_RANGE, true, false },
		{ "over the end", NVME_IO_WRITE, 1, BLOCKS - 1, 1, 1024, NVME_SC_LBA_RANGE, true, false },
		{ "wraps around", NVME_IO_WRITE, 1, UINT64_MAX, 1, 1024, NVME_SC_LBA_RANGE, true, false },
		{ "no namespace", NVME_IO_READ, 0, 0, 0, 512, NVME_SC_INVALID_NAMESPACE, true, false },
		{ "all namespaces", NVME_IO_READ, NVME_NSID_ALL, 0, 0, 512, NVME_SC_INVALID_NAMESPACE, true, false },
		{ "a namespace that is not", NVME_IO_READ, 2, 0, 0, 512, NVME_SC_INVALID_NAMESPACE, true, false },
		{ "a namespace out of bounds", NVME_IO_READ, 60000, 0, 0, 512, NVME_SC_INVALID_NAMESPACE, true, false },
		{ "SGL too short", NVME_IO_READ, 1, 0, 1, 512, NVME_SC_SGL_DATA_LENGTH, true, false },
		{ "SGL too long", NVME_IO_WRITE, 1, 0, 0, 1024, NVME_SC_SGL_DATA_LENGTH, true, false },
		{ "PRP", NVME_IO_READ, 1, 0, 0, 512, NVME_SC_INVALID_FIELD, true, true },
		{ "more than MDTS", NVME_IO_READ, 1, 0, 2048, 2049 * 512, NVME_SC_INVALID_FIELD, true, false },
		{ "protection information", NVME_IO_READ, 1, 0, NVME_RW_PRINFO, 512, NVME_SC_INVALID_FIELD, true, false },
		{ "write protected", NVME_IO_WRITE, 9, 0, 0, 512, NVME_SC_WRITE_PROTECTED, true, false },
		{ "read of write protected", NVME_IO_READ, 9, 0, 0, 512, 0, false, false },
		{ "unknown opcode", 0x7e, 1, 0, 0, 0, NVME_SC_INVALID_OPCODE, true, false },
		{ "write uncorrectable", NVME_IO_WRITE_UNCORRECTABLE, 1, 0, 0, 0, NVME_SC_INVALID_OPCODE, true, false },
		{ "flush of all", NVME_IO_FLUSH, NVME_NSID_ALL, 0, 0, 0, NVME_SC_INVALID_NAMESPACE, true, false },
		{ "zeroes over the end", NVME_IO_WRITE_ZEROES, 1, BLOCKS - 1, 1, 0, NVME_SC_LBA_RANGE, true, false },
		{ "copy of unknown format", NVME_IO_COPY, 1, 0, 0x500, 32, NVME_SC_INVALID_FIELD, true, false },
		{ "copy of format not enabled", NVME_IO_COPY, 1, 0, 0x200, 32, NVME_SC_INVALID_FIELD, true, false },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct cmd c = { .opcode = cases[i].opcode, .nsid = cases[i].nsid, .cdw10 = (uint32_t)cases[i].lba,
				 .cdw11 = (uint32_t)(cases[i].lba >> 32), .cdw12 = cases[i].cdw12, .len = cases[i].len,
				 .in = in, .out = out, .no_sgl = cases[i].no_sgl };
		cmd_do(&host, 1, &c);
		if (c.status != cases[i].status || !!(c.full & NVME_STATUS_DNR) != cases[i].dnr)
			fail_msg("%s: status %x", cases[i].what, c.full);
	}
}

static void compare(void **state)
{
	(void)state;
	fill(40, 4, 0x11);
	struct cmd ok = RW(NVME_IO_COMPARE, 40, 4);
	assert_int_equal(cmd_do(&host, 1, &ok), 0);
	out[3 * 512] = 0x12;
	struct cmd bad = RW(NVME_IO_COMPARE, 40, 4);
	assert_int_equal(cmd_do(&host, 1, &bad), NVME_SC_COMPARE_FAILURE);
}

/* ---- fused ------------------------------------------------------------------------------------------------------ */
static void fused_works(void **state)
{
	static uint8_t old[512], new[512];
	(void)state;
	for (unsigned order = 0; order < 4; order++) {
		fill(50, 1, 0x20);
		memset(old, order & 2 ? 0x21 : 0x20, sizeof(old));
		memset(new, 0x30, sizeof(new));
		struct cmd c = RW(NVME_IO_COMPARE, 50, 1), w = RW(NVME_IO_WRITE, 50, 1), r = RW(NVME_IO_READ, 51, 1);
		c.fuse = NVME_FUSE_FIRST;
		c.out = old;
		w.fuse = NVME_FUSE_SECOND;
		w.out = new;
		c.hold = w.hold = true;
		cmd_send(&host, 1, &c);
		cmd_send(&host, 1, &w);
		assert_int_equal(cmd_do(&host, 1, &r), 0);       /* others go by */
		cmd_go(order & 1 ? &w : &c);
		assert_false(cmd_is_over(&c, 3) || cmd_is_over(&w, 3));
		cmd_go(order & 1 ? &c : &w);
		cmd_wait(&c);
		cmd_wait(&w);
		assert_int_equal(c.status, order & 2 ? NVME_SC_COMPARE_FAILURE : 0);
		assert_int_equal(w.status, order & 2 ? NVME_SC_FUSED_FAILED : 0);
		assert_true(block_is(1, 50, order & 2 ? 0x20 : 0x30));
	}
}

static void fused_illegal(void **state)
{
	static const struct {
		const char *what;
		struct { uint8_t opcode, fuse; uint32_t nsid, lba; } first, second;
		uint16_t first_status, second_status;
	} cases[] = {
		{ "second alone", { NVME_IO_READ, 0, 1, 0 }, { NVME_IO_WRITE, 2, 1, 0 }, 0, NVME_SC_FUSED_MISSING },
		{ "first, then a read", { NVME_IO_COMPARE, 1, 1, 0 }, { NVME_IO_READ, 0, 1, 0 }, NVME_SC_FUSED_MISSING, 0 },
		{ "other block", { NVME_IO_COMPARE, 1, 1, 0 }, { NVME_IO_WRITE, 2, 1, 1 },
		  NVME_SC_INVALID_FIELD, NVME_SC_INVALID_FIELD },
		{ "other namespace", { NVME_IO_COMPARE, 1, 1, 0 }, { NVME_IO_WRITE, 2, 7, 0 },
		  NVME_SC_INVALID_FIELD, NVME_SC_INVALID_FIELD },
		{ "two reads", { NVME_IO_READ, 1, 1, 0 }, { NVME_IO_READ, 2, 1, 0 },
		  NVME_SC_INVALID_FIELD, NVME_SC_FUSED_FAILED },
		{ "write first", { NVME_IO_WRITE, 1, 1, 0 }, { NVME_IO_WRITE, 2, 1, 0 },
		  NVME_SC_INVALID_FIELD, NVME_SC_FUSED_FAILED },
		{ "compare twice", { NVME_IO_COMPARE, 1, 1, 0 }, { NVME_IO_COMPARE, 2, 1, 0 },
		  NVME_SC_INVALID_FIELD, NVME_SC_INVALID_FIELD },
		{ "first refused", { NVME_IO_COMPARE, 1, 1, BLOCKS }, { NVME_IO_WRITE, 2, 1, BLOCKS },
		  NVME_SC_LBA_RANGE, NVME_SC_FUSED_FAILED },
		{ "write protected", { NVME_IO_COMPARE, 1, 9, 0 }, { NVME_IO_WRITE, 2, 9, 0 },
		  NVME_SC_FUSED_FAILED, NVME_SC_WRITE_PROTECTED },
		{ "reserved value", { NVME_IO_COMPARE, 3, 1, 0 }, { NVME_IO_WRITE, 0, 1, 0 }, NVME_SC_INVALID_FIELD, 0 },
	};
	(void)state;
	memset(out, 0, 1024);
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++)
		for (unsigned late = 0; late < 2; late++) {
			struct cmd a = RW(cases[i].first.opcode, cases[i].first.lba, 1);
			struct cmd b = RW(cases[i].second.opcode, cases[i].second.lba, 1);
			a.fuse = cases[i].first.fuse;
			a.nsid = cases[i].first.nsid;
			b.fuse = cases[i].second.fuse;
			b.nsid = cases[i].second.nsid;
			a.hold = late;
			cmd_send(&host, 1, &a);
			cmd_send(&host, 1, &b);
			cmd_wait(&b);
			if (late && !a.refused)
				cmd_go(&a);
			cmd_wait(&a);
			if (a.status != cases[i].first_status || b.status != cases[i].second_status)
				fail_msg("%s (%u): %x %x", cases[i].what, late, a.full, b.full);
		}
	struct cmd f = RW(NVME_IO_COMPARE, 0, 1), r = RW(NVME_IO_READ, 0, 1);
	f.fuse = 1;
	f.hold = true;
	cmd_send(&host, 1, &f);          /* its data never come */
	assert_int_equal(cmd_do(&host, 2, &r), 0);
	rig_calm(&rig);
	cmd_drop(&f);
	cmd_wait(&f);
	struct cmd w = RW(NVME_IO_WRITE, 0, 1);
	w.fuse = 2;
	assert_int_equal(cmd_do(&host, 1, &w), NVME_SC_FUSED_FAILED);
}

/* Increments from two queues on two reactors: none may be lost. */
static void fused_atomic(void **state)
{
	static uint8_t seen[2][512], next[2][512];
	unsigned done[2] = { 0, 0 };
	(void)state;
	fill(60, 1, 0);
	while (done[0] + done[1] < 400) {
		struct cmd c[2], w[2];
		struct cmd r = RW(NVME_IO_READ, 60, 1);
		assert_int_equal(cmd_do(&host, 1, &r), 0);
		for (unsigned q = 0; q < 2; q++) {
			memcpy(seen[q], in, 512);
			memcpy(next[q], in, 512);
			le32 n = le32_of(get32(in) + 1);
			memcpy(next[q], &n, sizeof(n));
			c[q] = (struct cmd)RW(NVME_IO_COMPARE, 60, 1);
			w[q] = (struct cmd)RW(NVME_IO_WRITE, 60, 1);
			c[q].fuse = 1;
			c[q].out = seen[q];
			w[q].fuse = 2;
			w[q].out = next[q];
			cmd_send(&host, (uint16_t)(q + 1), &c[q]);
			cmd_send(&host, (uint16_t)(q + 1), &w[q]);
		}
		for (unsigned q = 0; q < 2; q++) {
			cmd_wait(&c[q]);
			cmd_wait(&w[q]);
			assert_int_equal(!c[q].status, !w[q].status);
			done[q] += !w[q].status;
		}
	}
	struct cmd r = RW(NVME_IO_READ, 60, 1);
	assert_int_equal(cmd_do(&host, 1, &r), 0);
	assert_int_equal(get32(in), done[0] + done[1]);
}

/* ---- ranges ------------------------------------------------------------------------------------------------------- */
static void zeroes(void **state)
{
	(void)state;
	for (unsigned deac = 0; deac < 2; deac++) {
		fill(1000, 64, 0x77);
		struct cmd z = { .opcode = NVME_IO_WRITE_ZEROES, .nsid = 1, .cdw10 = 1001,
				 .cdw12 = 61 | (deac ? NVME_WZ_DEAC : 0) };
		assert_int_equal(cmd_do(&host, 1, &z), 0);
		assert_true(block_is(1, 1000, 0x77) && block_is(1, 1001, 0) && block_is(1, 1062, 0));
		assert_true(block_is(1, 1063, 0x77));
	}
	struct cmd v = { .opcode = NVME_IO_VERIFY, .nsid = 1, .cdw10 = 0, .cdw12 = 0xffff };
	assert_int_equal(cmd_do(&host, 1, &v), 0);
}

static void deallocate(void **state)
{
	struct nvme_dsm_range r[256];
	(void)state;
	memset(r, 0, sizeof(r));
	fill(2048, 64, 0x44);
	r[0] = (struct nvme_dsm_range){ .count_blocks = le32_of(64), .lba = le64_of(2048) };
	r[1] = (struct nvme_dsm_range){ .count_blocks = le32_of(1), .lba = le64_of(BLOCKS) };
	struct cmd bad = { .opcode = NVME_IO_DSM, .nsid = 1, .cdw10 = 1, .cdw11 = NVME_DSM_DEALLOCATE, .len = 4096, .out = r };
	assert_int_equal(cmd_do(&host, 1, &bad), NVME_SC_LBA_RANGE);
	assert_true(block_is(1, 2048, 0x44));    /* all or nothing */
	/* As Linux sends it: a page, of which one range counts. */
	struct cmd ok = { .opcode = NVME_IO_DSM, .nsid = 1, .cdw10 = 0, .cdw11 = NVME_DSM_DEALLOCATE, .len = 4096, .out = r };
	assert_int_equal(cmd_do(&host, 1, &ok), 0);
	assert_true(block_is(1, 2048, 0));
	struct cmd few = { .opcode = NVME_IO_DSM, .nsid = 1, .cdw10 = 1, .cdw11 = NVME_DSM_DEALLOCATE, .len = 16, .out = r };
	assert_int_equal(cmd_do(&host, 1, &few), NVME_SC_SGL_DATA_LENGTH);
	struct cmd many = { .opcode = NVME_IO_DSM, .nsid = 1, .cdw10 = 255, .len = 4096, .out = r };
	assert_int_equal(cmd_do(&host, 1, &many), NVME_SC_SIZE_LIMIT);
}

static void copy(void **state)
{
	struct nvme_copy_range r[2];
	(void)state;
	memset(r, 0, sizeof(r));
	fill(3000, 8, 0x51);
	fill(3100, 8, 0x52);
	r[0].lba = le64_of(3000);
	r[0].count_blocks = le16_of(7);
	r[1].lba = le64_of(3100);
	r[1].count_blocks = le16_of(3);
	struct cmd c = { .opcode = NVME_IO_COPY, .nsid = 1, .cdw10 = 3200, .cdw12 = 1, .len = sizeof(r), .out = r };
	assert_int_equal(cmd_do(&host, 1, &c), 0);
	assert_true(block_is(1, 3207, 0x51) && block_is(1, 3208, 0x52) && block_is(1, 3211, 0x52) && block_is(1, 3212, 0));
	struct cmd lap = { .opcode = NVME_IO_COPY, .nsid = 1, .cdw10 = 3098, .cdw12 = 1, .len = sizeof(r), .out = r };
	assert_int_equal(cmd_do(&host, 1, &lap), NVME_SC_OVERLAP);
	assert_int_equal(lap.result, 1);
	/* Across namespaces, once the host has said that it knows how. */
	struct nvme_host_behavior b = { .cdfe = le16_of(1 << 2) };
	struct cmd set = { .opcode = NVME_ADM_SET_FEATURES, .cdw10 = NVME_FEAT_HOST_BEHAVIOR, .len = sizeof(b), .out = &b };
	assert_int_equal(cmd_do(&host, 0, &set), 0);
	r[0].snsid = r[1].snsid = le32_of(1);
	struct cmd x = { .opcode = NVME_IO_COPY, .nsid = 7, .cdw10 = 10, .cdw12 = 1 | 2 << 8, .len = sizeof(r), .out = r };
	assert_int_equal(cmd_do(&host, 1, &x), 0);
	assert_true(block_is(7, 10, 0x51) && block_is(7, 18, 0x52));
	r[1].snsid = le32_of(3);         /* masked: it cannot be a source */
	struct cmd masked = { .opcode = NVME_IO_COPY, .nsid = 7, .cdw10 = 10, .cdw12 = 1 | 2 << 8, .len = sizeof(r), .out = r };
	assert_int_equal(cmd_do(&host, 1, &masked), NVME_SC_INVALID_NAMESPACE);
}

/* A namespace that is taken away while the data of a write are on their way is not written. */
static void masked_meanwhile(void **state)
{
	struct nvme_ns_map *less = map_of(other, 7, false);
	(void)state;
	fill(70, 1, 0x01);
	memset(out, 0x02, 512);
	struct cmd w = RW(NVME_IO_WRITE, 70, 1), r = RW(NVME_IO_READ, 70, 1);
	w.hold = true;
	cmd_send(&host, 1, &w);
	host_set_map(&host, less);
	rig_calm(&rig);
	cmd_go(&w);
	cmd_wait(&w);
	assert_int_equal(w.status, NVME_SC_INVALID_NAMESPACE);
	assert_int_equal(cmd_do(&host, 1, &r), NVME_SC_INVALID_NAMESPACE);
	host_set_map(&host, map);
	rig_calm(&rig);
	assert_true(block_is(1, 70, 0x01));
	nvme_ns_map_unref(less);
}

/* Which half a medium error belongs to. */
static void fused_medium_errors(void **state)
{
	static const struct {
		const char *ops;
		uint16_t compare, write;
	} cases[] = {
		{ "read", NVME_SC_READ_ERROR, NVME_SC_FUSED_FAILED },
		{ "write", NVME_SC_FUSED_FAILED, NVME_SC_WRITE_FAULT },
	};
	(void)state;
	memset(out, 0, 512);
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct cmd c = RW(NVME_IO_COMPARE, 3, 1), w = RW(NVME_IO_WRITE, 3, 1);
		assert_int_equal(volume_set_option(other, "error_ops", cases[i].ops), 0);
		assert_int_equal(volume_set_option(other, "error_per_million", "1000000"), 0);
		c.fuse = NVME_FUSE_FIRST;
		w.fuse = NVME_FUSE_SECOND;
		c.nsid = w.nsid = 7;
		cmd_send(&host, 1, &c);
		cmd_send(&host, 1, &w);
		cmd_wait(&c);
		cmd_wait(&w);
		if (c.status != cases[i].compare || w.status != cases[i].write)
			fail_msg("%s: %x %x", cases[i].ops, c.full, w.full);
		assert_int_equal(volume_set_option(other, "error_per_million", "0"), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(read_write), cmocka_unit_test(refusals), cmocka_unit_test(compare),
		cmocka_unit_test(fused_works), cmocka_unit_test(fused_illegal), cmocka_unit_test(fused_medium_errors), cmocka_unit_test(fused_atomic),
		cmocka_unit_test(zeroes), cmocka_unit_test(deallocate), cmocka_unit_test(copy),
		cmocka_unit_test(masked_meanwhile),
	};
	return cmocka_run_group_tests_name("nvme io", tests, setup, teardown);
}
