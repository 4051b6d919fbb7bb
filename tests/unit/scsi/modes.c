/* SPDX-License-Identifier: GPL-3.0-or-later */
/* modes.c - mode pages that are saved, and the write cache that a host turns off: on a backend whose cache can be lost.
 * SPC-4 6.10, 7.5; SBC-3 6.5.5. */
#include "rig.h"

#include "scsi/scsi_priv.h"

#define BLOCKS 4096u
static struct rig rig;
static struct volume *volume;
static struct scsi_unit *unit;
static struct scsi_lun_map *map;
static struct nx nx, other;
static uint8_t in[65536], out[65536];
static char kept[1024];
static int keep_error, keep_calls;

static int keep(void *arg, const char *uuid, const char *text)
{
	(void)arg;
	assert_string_equal(uuid, volume_uuid_text(volume));
	keep_calls++;
	if (!keep_error)
		snprintf(kept, sizeof(kept), "%s", text);
	return keep_error;
}

static void serve(const char *modes)
{
	struct scsi_unit_spec s = { .volume = volume, .modes = modes };
	assert_int_equal(scsi_unit_new(&s, &unit), 0);
	map = map_of(unit, 0, false);
	nx_open(&nx, rig.reactor[0], "iqn.2026-11.test:a,i,0x00023d000001", 1, map);
	nx_open(&other, rig.reactor[1], "iqn.2026-11.test:b,i,0x00023d000002", 1, map);
	nx_calm(&nx, 0);
	nx_calm(&other, 0);
}

static void leave(void)
{
	nx_close(&nx);
	nx_close(&other);
	scsi_lun_map_unref(map);
	scsi_unit_unref(unit);
}

static int setup(void **state)
{
	struct volume_setting cache = { "lose_unflushed", "on" };
	struct volume_spec s = { .name = "v", .uuid = RIG_UUID, .plugin = "fault:ram", .size_bytes = BLOCKS * 512ull, .block_bytes = 512,
				 .settings = &cache, .setting_count = 1 };
	(void)state;
	rig_start(&rig, 2);
	assert_int_equal(scsi_start(rig.reactor, 2), 0);
	assert_int_equal(volume_open(&s, &volume), 0);
	assert_int_equal(volume_state(volume), VOLUME_ONLINE);
	scsi_on_save_modes(keep, NULL);
	serve(NULL);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	leave();
	scsi_on_save_modes(NULL, NULL);
	scsi_stop();
	rig_close(volume);
	rig_stop(&rig);
	return 0;
}

static void option(const char *name, const char *value)
{
	assert_int_equal(volume_set_option(volume, name, value), 0);
}

/* The page's byte; which: current, changeable, default, saved. */
static uint8_t mode_byte(unsigned which, unsigned page, unsigned byte)
{
	struct cmd c = { CDB(0x1a, 0x08, (uint8_t)(which << 6 | page), 0, 64), .in = in, .in_room = sizeof(in) };
	assert_int_equal(cmd_do(&nx, 0, &c), SCSI_GOOD);
	assert_int_equal(in[4], 0x80 | page);            /* PS: it can be saved */
	return in[4 + byte];
}

static unsigned select_page(const uint8_t *page, unsigned len, bool save)
{
	uint8_t list[64] = { 0 };
	memcpy(list + 4, page, len);
	struct cmd c = { CDB(0x15, (uint8_t)(0x10 | save), 0, 0, (uint8_t)(4 + len)), .out = list, .out_len = 4 + len };
	return cmd_do(&nx, 0, &c) == SCSI_GOOD ? 0 : cmd_sense(&c);
}

static unsigned set_cache(bool on, bool save)
{
	const uint8_t page[20] = { 0x08, 18, on ? 4 : 0 };
	return select_page(page, sizeof(page), save);
}

static unsigned set_control(uint8_t d_sense, uint8_t swp, bool save)
{
	const uint8_t page[12] = { 0x0a, 10, 0x22 | d_sense, 0x10, swp };
	return select_page(page, sizeof(page), save);
}

static void fill(uint64_t lba, unsigned count, uint8_t byte)
{
	memset(out, byte, count * 512);
	struct cmd w = { CDB(0x8a), .out = out, .out_len = count * 512 };
	put64(w.cdb + 2, lba);
	put32(w.cdb + 10, count);
	assert_int_equal(cmd_do(&nx, 0, &w), SCSI_GOOD);
}

static const uint8_t *blocks(uint64_t lba, unsigned count)
{
	struct cmd r = { CDB(0x88), .in = in, .in_room = sizeof(in) };
	put64(r.cdb + 2, lba);
	put32(r.cdb + 10, count);
	assert_int_equal(cmd_do(&nx, 0, &r), SCSI_GOOD);
	return in;
}

static void flush(void)
{
	struct cmd c = { CDB(0x35) };
	assert_int_equal(cmd_do(&nx, 0, &c), SCSI_GOOD);
}

static unsigned hears(struct nx *x)
{
	struct cmd c = { CDB(0) };
	cmd_do(x, 0, &c);
	return cmd_sense(&c);
}

/* ---- WCE ------------------------------------------------------------------------------------------------- */
static void cache_loses(void **state)
{
	(void)state;
	assert_int_equal(mode_byte(0, 8, 2), 4);
	assert_int_equal(mode_byte(1, 8, 2), 4);
	fill(0, 8, 0x11);
	flush();
	fill(0, 8, 0x22);
	option("trigger", "drop_cache");
	assert_int_equal(blocks(0, 8)[0], 0x11);         /* the test can fail */
	fill(0, 8, 0x33);
	assert_int_equal(set_cache(false, false), 0);    /* what is in it becomes durable */
	option("trigger", "drop_cache");
	assert_int_equal(blocks(0, 8)[0], 0x33);
	assert_int_equal(mode_byte(0, 8, 2), 0);
	assert_int_equal(mode_byte(2, 8, 2), 4);
	assert_int_equal(hears(&other), 0x062a01);
	struct cmd mine = { CDB(0) };
	assert_int_equal(cmd_do(&nx, 0, &mine), SCSI_GOOD);
}

static void all_writes_are_durable(void **state)
{
	static const struct {
		const char *what;
		uint8_t cdb[16];
		unsigned out_blocks;
		bool old_first;          /* COMPARE AND WRITE: the first half of its data is what is there */
	} cases[] = {
		{ "WRITE(6)", { 0x0a, 0, 0, 16, 4 }, 4, false },
		{ "WRITE(10)", { 0x2a, [5] = 16, [8] = 4 }, 4, false },
		{ "WRITE(12)", { 0xaa, [5] = 16, [9] = 4 }, 4, false },
		{ "WRITE(16)", { 0x8a, [9] = 16, [13] = 4 }, 4, false },
		{ "WRITE AND VERIFY(16)", { 0x8e, [9] = 16, [13] = 4 }, 4, false },
		{ "WRITE ATOMIC(16)", { 0x9c, [9] = 16, [13] = 4 }, 4, false },
		{ "ORWRITE(16)", { 0x8b, [9] = 16, [13] = 4 }, 4, false },
		{ "WRITE SAME(16)", { 0x93, [9] = 16, [13] = 4 }, 1, false },
		{ "WRITE SAME(16), unmap", { 0x93, 0x08, [9] = 16, [13] = 4 }, 1, false },
		{ "WRITE SAME(16), no data", { 0x93, 0x01, [9] = 16, [13] = 4 }, 0, false },
		{ "COMPARE AND WRITE", { 0x89, [9] = 16, [13] = 1 }, 2, true },
		{ "UNMAP", { 0x42, [8] = 24 }, 0, false },
	};
	static uint8_t is[2048];
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		fill(16, 4, 0x41);
		flush();
		struct cmd c = { .out = out, .out_len = cases[i].out_blocks * 512u };
		memcpy(c.cdb, cases[i].cdb, 16);
		memset(out, c.cdb[0] == 0x93 && c.cdb[1] & 8 ? 0 : 0x5a, sizeof(out));
		if (cases[i].old_first)
			memset(out, 0x41, 512);
		if (c.cdb[0] == 0x42) {
			memset(out, 0, 24);
			out[1] = 22;
			out[3] = 16;
			put64(out + 8, 16);
			put32(out + 16, 4);
			c.out_len = 24;
		}
		cmd_do(&nx, 0, &c);
		if (c.status)
			fail_msg("%s: status %u sense %06x", cases[i].what, c.status, cmd_sense(&c));
		memcpy(is, blocks(16, 4), sizeof(is));
		if (is[0] == 0x41 && c.cdb[0] != 0x42)
			fail_msg("%s wrote nothing", cases[i].what);
		option("trigger", "drop_cache");
		if (memcmp(is, blocks(16, 4), sizeof(is)))
			fail_msg("%s was lost with the cache", cases[i].what);
	}
	/* Of another protocol, or a copy: the volume does it, whoever asks. */
	assert_true(volume_write_through(volume));
	assert_int_equal(set_cache(true, false), 0);
	assert_int_equal(mode_byte(0, 8, 2), 4);
	fill(16, 4, 0x77);
	option("trigger", "drop_cache");
	assert_int_not_equal(blocks(16, 4)[0], 0x77);
	nx_calm(&other, 0);
}

static void cache_that_cannot_go(void **state)
{
	(void)state;
	fill(0, 1, 0x12);
	option("error_ops", "flush");
	option("error_per_million", "1000000");
	assert_int_equal(set_cache(false, false), 0x030c00);
	option("error_per_million", "0");
	assert_int_equal(mode_byte(0, 8, 2), 4);
	assert_false(volume_write_through(volume));
	assert_int_equal(volume_reopen(volume), 0);      /* a flush that failed lasts */
	nx_calm(&nx, 0);
	nx_calm(&other, 0);
}

/* When the host that changes something hears GOOD, the others have been told already. */
static void others_are_told_first(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 100; i++) {
		assert_int_equal(set_control(i % 2 ? 0 : 4, 0, false), 0);
		assert_int_equal(hears(&other), 0x062a01);
		assert_int_equal(hears(&other), 0);
		assert_int_equal(hears(&nx), 0);
		uint8_t clock[12] = { [9] = (uint8_t)i };
		struct cmd t = { CDB(0xa4, 0x0f, [9] = 12), .out = clock, .out_len = 12 };
		assert_int_equal(cmd_do(&nx, 0, &t), SCSI_GOOD);
		assert_int_equal(hears(&other), 0x062a10);
	}
}

/* ---- saved ------------------------------------------------------------------------------------------------- */
static void lun_reset(void)
{
	struct cmd c = { CDB(0) };
	struct mgmt m;
	mgmt_send(&nx, 0, SCSI_LUN_RESET, 0, &m);
	assert_int_equal(mgmt_wait(&m), SCSI_TMF_COMPLETE);
	for (unsigned i = 0; i < 100 && cmd_do(&nx, 0, &c) != SCSI_GOOD; i++)
		c = (struct cmd){ CDB(0) };
	nx_calm(&other, 0);
}

static void saved_values(void **state)
{
	(void)state;
	assert_int_equal(mode_byte(3, 0x0a, 2), 0x22);   /* nothing was saved: the defaults */
	assert_int_equal(mode_byte(3, 8, 2), 4);
	assert_int_equal(set_control(4, 0, false), 0);
	assert_int_equal(mode_byte(3, 0x0a, 2), 0x22);
	assert_int_equal(keep_calls, 0);
	lun_reset();
	assert_int_equal(mode_byte(0, 0x0a, 2), 0x22);
	/* All that can be saved is, with what is current. */
	assert_int_equal(set_control(4, 0, false), 0);
	assert_int_equal(set_cache(false, true), 0);
	assert_int_equal(keep_calls, 1);
	assert_int_equal(mode_byte(3, 0x0a, 2), 0x26);
	assert_int_equal(mode_byte(3, 8, 2), 0);
	assert_int_equal(mode_byte(2, 8, 2), 4);
	assert_int_equal(set_control(0, 0, false), 0);
	lun_reset();
	assert_int_equal(mode_byte(0, 0x0a, 2), 0x26);
	assert_int_equal(mode_byte(0, 8, 2), 0);
	/* What cannot be stored is neither in force nor saved. */
	keep_error = -EIO;
	assert_int_equal(set_control(0, 8, true), 0x044400);
	assert_int_equal(mode_byte(0, 0x0a, 2), 0x26);
	assert_int_equal(mode_byte(0, 0x0a, 4), 0);
	assert_int_equal(mode_byte(3, 0x0a, 4), 0);
	assert_int_equal(set_cache(true, false), 0);
	assert_int_equal(set_cache(false, true), 0x044400);
	assert_false(volume_write_through(volume));
	keep_error = 0;
	/* SP without pages saves what is current. */
	struct cmd sp = { CDB(0x15, 0x11) };
	assert_int_equal(cmd_do(&nx, 0, &sp), SCSI_GOOD);
	assert_int_equal(mode_byte(3, 8, 2), 4);
	assert_int_equal(set_cache(false, true), 0);
	nx_calm(&other, 0);
}

static void survive(void **state)
{
	(void)state;
	leave();
	volume_set_write_through(volume, false);
	serve(kept);
	assert_int_equal(mode_byte(0, 0x0a, 2), 0x26);
	assert_int_equal(mode_byte(3, 0x0a, 2), 0x26);
	assert_int_equal(mode_byte(0, 8, 2), 0);
	fill(0, 4, 0x66);
	option("trigger", "drop_cache");
	assert_int_equal(blocks(0, 4)[0], 0x66);
	/* As by default: nothing is kept. */
	assert_int_equal(set_control(0, 0, false), 0);
	assert_int_equal(set_cache(true, true), 0);
	assert_string_equal(kept, "");
	nx_calm(&other, 0);
}

static void what_cannot_be_read(void **state)
{
	static const struct {
		const char *what, *text;
		uint8_t control;         /* byte 2 */
	} cases[] = {
		{ "nothing", "", 0x22 }, { "no hexadecimal", "zz", 0x22 }, { "a page that is cut", "0a0a26", 0x22 },
		{ "half a byte", "0a0", 0x22 }, { "a header that is cut", "4a01", 0x22 },
		{ "a page of the future, and one of today", "3e020000" "8a0a26100000000000000000", 0x26 },
		{ "another length than ours", "8a0b2610000000000000000000", 0x22 },
		{ "bits that nobody may change", "8a0affffffff00000000ffff", 0x26 },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		leave();
		serve(cases[i].text);
		if (mode_byte(0, 0x0a, 2) != cases[i].control)
			fail_msg("%s: %02x", cases[i].what, mode_byte(0, 0x0a, 2));
	}
	leave();
	serve(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cache_loses), cmocka_unit_test(all_writes_are_durable), cmocka_unit_test(cache_that_cannot_go),
		cmocka_unit_test(others_are_told_first),
		cmocka_unit_test(saved_values), cmocka_unit_test(survive), cmocka_unit_test(what_cannot_be_read),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
