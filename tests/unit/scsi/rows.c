/* SPDX-License-Identifier: GPL-3.0-or-later */
/* rows.c - REPORT SUPPORTED OPERATION CODES against what the target really does: every command that it
 * lists exists, and every bit that a usage map leaves out is refused, by its place.  SPC-4 6.35, 4.2.5. */
#include "rig.h"

#include "scsi/scsi_priv.h"

static struct rig rig;
static struct volume *volume, *thick;
static struct scsi_unit *unit, *thick_unit;
static struct scsi_lun_map *map;
static struct nx nx;

static int setup(void **state)
{
	(void)state;
	rig_start(&rig, 1);
	assert_int_equal(scsi_start(rig.reactor, 1), 0);
	volume = rig_volume("ram", 32 << 20, 512);
	thick = rig_volume("null", 32 << 20, 512);
	unit = unit_on(volume);
	thick_unit = unit_on(thick);
	struct scsi_lun_entry e[] = { { .lun = 0, .unit = unit }, { .lun = 1, .unit = thick_unit } };
	assert_int_equal(scsi_lun_map_new(e, 2, &map), 0);
	nx_open(&nx, rig.reactor[0], "iqn.2026-11.test:host,i,0x00023d000001", 1, map);
	nx_calm(&nx, 0);
	nx_calm(&nx, 1);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	nx_close(&nx);
	scsi_lun_map_unref(map);
	scsi_unit_unref(unit);
	scsi_unit_unref(thick_unit);
	scsi_stop();
	rig_close(volume);
	rig_close(thick);
	rig_stop(&rig);
	return 0;
}

struct row {
	uint8_t opcode, len;
	uint16_t action;
	bool has_action;
	uint8_t usage[16];
};
static struct row rows[128];
static size_t row_count;

static void read_rows(unsigned lun, bool timeouts)
{
	static uint8_t in[8192];
	struct cmd all = { CDB(0xa3, 0x0c, timeouts ? 0x80 : 0, [8] = 0x20), .in = in, .in_room = sizeof(in) };
	assert_int_equal(cmd_do(&nx, lun, &all), SCSI_GOOD);
	size_t each = timeouts ? 20 : 8;
	assert_int_equal(get32(in), all.in_len - 4);     /* without its own field */
	assert_int_equal(get32(in) % each, 0);
	row_count = 0;
	for (size_t at = 4; at < all.in_len; at += each) {
		struct row *r = &rows[row_count++];
		*r = (struct row){ .opcode = in[at], .action = (uint16_t)(in[at + 2] << 8 | in[at + 3]),
				   .has_action = in[at + 5] & 1, .len = in[at + 7] };
		assert_int_equal(!!(in[at + 5] & 2), timeouts);
		if (timeouts)
			assert_int_equal(in[at + 9], 10);
	}
}

static void one_by_one(void **state)
{
	uint8_t in[64];
	(void)state;
	read_rows(0, true);
	read_rows(0, false);
	assert_in_range(row_count, 55, 127);
	for (size_t i = 0; i < row_count; i++) {
		struct row *r = &rows[i];
		struct cmd c = { CDB(0xa3, 0x0c, r->has_action ? 2 : 1, r->opcode, (uint8_t)(r->action >> 8),
				     (uint8_t)r->action, 0, 0, 0, 64), .in = in, .in_room = sizeof(in) };
		assert_int_equal(cmd_do(&nx, 0, &c), SCSI_GOOD);
		assert_int_equal(in[1], 3);
		assert_int_equal(in[3], r->len);
		assert_int_equal(c.in_len, 4 + r->len);
		assert_int_equal(in[4], r->opcode);
		memcpy(r->usage, in + 4, r->len);
		if (r->has_action)
			assert_int_equal(r->usage[1] & 0x1f, r->action);
		/* The group code tells the length, SPC-4 4.2.5.1. */
		static const uint8_t lens[8] = { 6, 10, 10, 0, 16, 12, 0, 0 };
		assert_int_equal(r->len, lens[r->opcode >> 5]);
	}
}

static void masks_are_enforced(void **state)
{
	unsigned tried = 0;
	(void)state;
	for (size_t i = 0; i < row_count; i++)
		for (unsigned byte = 1; byte < rows[i].len; byte++)
			for (unsigned bit = 0; bit < 8; bit++) {
				const struct row *r = &rows[i];
				if (r->usage[byte] & 1u << bit || (byte == 1 && r->has_action && bit < 5))
					continue;
				struct cmd c = { CDB(r->opcode, (uint8_t)(r->has_action ? r->action : 0)) };
				c.cdb[byte] |= (uint8_t)(1u << bit);
				cmd_do(&nx, 0, &c);
				if (cmd_sense(&c) != 0x052400)
					print_error("%02x/%02x byte %u bit %u\n", r->opcode, r->action, byte, bit);
				assert_int_equal(cmd_sense(&c), 0x052400);
				assert_int_equal(c.sense[15], 0xc8 | bit);       /* SKSV, C/D, BPV */
				assert_int_equal(c.sense[16] << 8 | c.sense[17], byte);
				tried++;
			}
	assert_true(tried > 500);
}

static void unlisted_is_refused(void **state)
{
	(void)state;
	for (unsigned code = 0; code < 256; code++) {
		bool listed = false;
		for (size_t i = 0; i < row_count; i++)
			listed |= rows[i].opcode == code;
		struct cmd c = { CDB((uint8_t)code) };
		if (listed)
			continue;
		cmd_do(&nx, 0, &c);
		assert_int_equal(cmd_sense(&c), 0x052000);
		uint8_t in[16];
		struct cmd q = { CDB(0xa3, 0x0c, 1, (uint8_t)code, [9] = 16), .in = in, .in_room = sizeof(in) };
		assert_int_equal(cmd_do(&nx, 0, &q), SCSI_GOOD);
		assert_int_equal(in[1], 1);
	}
}

static void questions(void **state)
{
	static const struct {
		const char *what;
		uint8_t option, opcode, action;
		unsigned sense;
		uint8_t support;
	} cases[] = {
		{ "opcode with actions asked without", 1, 0x9e, 0, 0x052400, 0 },
		{ "opcode without actions asked with", 2, 0x28, 0, 0x052400, 0 },
		{ "unknown action", 2, 0x9e, 0x1f, 0, 1 },
		{ "either: plain", 3, 0x28, 0, 0, 3 },
		{ "either: with action", 3, 0x9e, 0x10, 0, 3 },
		{ "either: plain with an action", 3, 0x28, 1, 0, 1 },
		{ "no such option", 4, 0x28, 0, 0x052400, 0 },
	};
	uint8_t in[32];
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct cmd c = { CDB(0xa3, 0x0c, cases[i].option, cases[i].opcode, 0, cases[i].action, 0, 0, 0, 32),
				 .in = in, .in_room = sizeof(in) };
		cmd_do(&nx, 0, &c);
		if (cmd_sense(&c) != cases[i].sense)
			print_error("%s\n", cases[i].what);
		assert_int_equal(cmd_sense(&c), cases[i].sense);
		if (!cases[i].sense)
			assert_int_equal(in[1], cases[i].support);
	}
}

/* A volume that cannot unmap does not list UNMAP and refuses it. */
static void thick_volume(void **state)
{
	uint8_t in[64];
	(void)state;
	atomic_store(&thick_unit->can_unmap, false);
	struct cmd u = { CDB(0x42) };
	cmd_do(&nx, 1, &u);
	assert_int_equal(cmd_sense(&u), 0x052000);
	struct cmd q = { CDB(0xa3, 0x0c, 1, 0x42, [9] = 16), .in = in, .in_room = sizeof(in) };
	assert_int_equal(cmd_do(&nx, 1, &q), SCSI_GOOD);
	assert_int_equal(in[1], 1);
}

/* Every row's handler with every allocation length near its answer: never more than asked for. */
static void short_allocation(void **state)
{
	static const struct {
		uint8_t cdb[16], at, width;
	} cases[] = {
		{ { 0x12 }, 3, 2 },        { { 0x12, 1, 0x83 }, 3, 2 }, { { 0x12, 1, 0xb0 }, 3, 2 },
		{ { 0x1a, 0, 0x3f, 0xff }, 4, 1 }, { { 0x5a, 0x10, 0x3f, 0xff }, 7, 2 },
		{ { 0xa3, 0x0c }, 6, 4 },  { { 0xa3, 0x2a }, 6, 4 },    { { 0x9e, 0x10 }, 10, 4 },
		{ { 0x9e, 0x12 }, 10, 4 }, { { 0x4d, 0, 0x40 }, 7, 2 }, { { 0x03 }, 4, 1 },
		{ { 0x5e, 3 }, 7, 2 },     { { 0x37 }, 7, 2 },          { { 0xb7 }, 6, 4 },
	};
	static uint8_t in[4096];
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++)
		for (unsigned len = 0; len < 250; len++) {
			struct cmd c = { .in = in, .in_room = sizeof(in) };
			memcpy(c.cdb, cases[i].cdb, 16);
			c.cdb[cases[i].at + cases[i].width - 1] = (uint8_t)len;
			assert_int_equal(cmd_do(&nx, 0, &c), SCSI_GOOD);
			assert_true(c.in_len <= len);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_by_one),
		cmocka_unit_test(masks_are_enforced),
		cmocka_unit_test(unlisted_is_refused),
		cmocka_unit_test(questions),
		cmocka_unit_test(thick_volume),
		cmocka_unit_test(short_allocation),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
