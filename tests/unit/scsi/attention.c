/* SPDX-License-Identifier: GPL-3.0-or-later */
/* attention.c - unit attentions: who hears what, in which order, and which commands neither hear nor
 * clear.  Two nexuses on two reactors.  SAM-5 5.14, SPC-4 5.9. */
#include "rig.h"

#include "scsi/scsi_priv.h"

static struct rig rig;
static struct volume *volume, *second;
static struct scsi_unit *unit, *unit2;
static struct scsi_lun_map *map, *both;
static struct nx a, b;
static uint8_t in[4096];

static int setup(void **state)
{
	(void)state;
	rig_start(&rig, 2);
	assert_int_equal(scsi_start(rig.reactor, 2), 0);
	volume = rig_volume("ram", 32 << 20, 512);
	second = rig_volume("ram", 32 << 20, 4096);
	unit = unit_on(volume);
	unit2 = unit_on(second);
	map = map_of(unit, 0, false);
	struct scsi_lun_entry e[] = { { .lun = 5, .unit = unit2 }, { .lun = 0, .unit = unit } };
	assert_int_equal(scsi_lun_map_new(e, 2, &both), 0);
	nx_open(&a, rig.reactor[0], "iqn.2026-11.test:a,i,0x00023d000001", 1, map);
	nx_open(&b, rig.reactor[1], "iqn.2026-11.test:b,i,0x00023d000002", 1, map);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	nx_close(&a);
	nx_close(&b);
	scsi_lun_map_unref(map);
	scsi_lun_map_unref(both);
	scsi_unit_unref(unit);
	scsi_unit_unref(unit2);
	scsi_stop();
	rig_close(volume);
	rig_close(second);
	rig_stop(&rig);
	return 0;
}

static unsigned next_attention(struct nx *x, unsigned lun)
{
	struct cmd c = { CDB(0) };
	return cmd_do(x, lun, &c) == SCSI_CHECK_CONDITION ? cmd_sense(&c) : 0;
}

/* Events travel; they may take a moment. */
static unsigned wait_attention(struct nx *x, unsigned lun)
{
	for (unsigned i = 0; i < 1000; i++) {
		unsigned s = next_attention(x, lun);
		if (s)
			return s;
		usleep(1000);
	}
	return 0;
}

static void power_on(void **state)
{
	(void)state;
	struct cmd inq = { CDB(0x12, [4] = 96) };
	assert_int_equal(cmd_do(&a, 0, &inq), SCSI_GOOD);
	struct cmd luns = { CDB(0xa0, [9] = 16) };
	assert_int_equal(cmd_do(&a, 0, &luns), SCSI_GOOD);
	struct cmd rd = { CDB(0x28, [8] = 1) };
	assert_int_equal(cmd_do(&a, 0, &rd), SCSI_CHECK_CONDITION);
	assert_int_equal(cmd_sense(&rd), 0x062900);
	assert_int_equal(next_attention(&a, 0), 0);
	assert_int_equal(next_attention(&b, 0), 0x062900);
	assert_int_equal(next_attention(&b, 0), 0);
}

static void resize(void **state)
{
	char why[256] = "";
	(void)state;
	assert_int_equal(volume_resize(volume, 48 << 20, why, sizeof(why)), 0);
	assert_int_equal(wait_attention(&a, 0), 0x062a09);
	assert_int_equal(wait_attention(&b, 0), 0x062a09);
	nx_calm(&a, 0);
	nx_calm(&b, 0);
	struct cmd c = { CDB(0x25), .in = in, .in_room = sizeof(in) };
	assert_int_equal(cmd_do(&a, 0, &c), SCSI_GOOD);
	assert_int_equal(get32(in), (48u << 20) / 512 - 1);
	assert_int_equal(volume_resize(volume, 32 << 20, why, sizeof(why)), 0);
	assert_int_equal(wait_attention(&a, 0), 0x062a09);
	nx_calm(&b, 0);
	struct cmd r = { CDB(0x28, [3] = 1, [8] = 1) };  /* LBA 65536 is gone */
	cmd_do(&a, 0, &r);
	assert_int_equal(cmd_sense(&r), 0x052100);
}

static void in_order_and_once(void **state)
{
	(void)state;
	nx_calm(&a, 0);
	nx_calm(&b, 0);
	unit_raise(unit, EVENT_THIN);
	assert_int_equal(wait_attention(&b, 0), 0x063807);
	unit_raise(unit, EVENT_CAPACITY);
	assert_int_equal(wait_attention(&b, 0), 0x062a09);
	unit_raise(unit, EVENT_THIN);
	assert_int_equal(wait_attention(&b, 0), 0x063807);
	assert_int_equal(next_attention(&a, 0), 0x063807);       /* twice raised, once told */
	assert_int_equal(next_attention(&a, 0), 0x062a09);
	assert_int_equal(next_attention(&a, 0), 0);
}

static void resets_come_first(void **state)
{
	static const struct {
		const char *what;
		uint16_t push[4], want[4];
	} cases[] = {
		{ "as they come", { 0x2a01, 0x2a09 }, { 0x2a01, 0x2a09 } },
		{ "once each", { 0x2a01, 0x2a09, 0x2a01 }, { 0x2a01, 0x2a09 } },
		{ "reset jumps the queue", { 0x2a01, 0x2903 }, { 0x2903, 0x2a01 } },
		{ "the newer reset", { 0x2907, 0x2903 }, { 0x2903 } },
		{ "power on outranks", { 0x2900, 0x2903, 0x3f0e }, { 0x2900, 0x3f0e } },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct itl l = { 0 };
		uint16_t got = 0;
		for (unsigned k = 0; k < 4 && cases[i].push[k]; k++)
			ua_push(&l, cases[i].push[k]);
		for (unsigned k = 0; k < 4 && cases[i].want[k]; k++) {
			assert_true(ua_pop(&l, &got));
			assert_int_equal(got, cases[i].want[k]);
		}
		assert_false(ua_pop(&l, &got));
	}
	struct itl full = { 0 };
	for (unsigned k = 0; k < 40; k++)
		ua_push(&full, (uint16_t)(0x2a00 + k));
	ua_push(&full, SCSI_ASC_POWER_ON);
	assert_int_equal(full.ua_count, UA_MAX);
	assert_int_equal(full.ua[0], SCSI_ASC_POWER_ON);
}

static void map_changes(void **state)
{
	(void)state;
	nx_calm(&a, 0);
	nx_set_map(&a, both);
	assert_int_equal(next_attention(&a, 5), 0x062900);
	assert_int_equal(next_attention(&a, 5), 0x063f0e);
	struct cmd luns = { CDB(0xa0, [9] = 64), .in = in, .in_room = sizeof(in) };
	assert_int_equal(cmd_do(&a, 0, &luns), SCSI_GOOD);       /* the host has seen it: cleared everywhere */
	assert_int_equal(luns.in_len, 24);
	assert_int_equal(in[17], 5);
	assert_int_equal(next_attention(&a, 0), 0);
	assert_int_equal(next_attention(&b, 0), 0);              /* b's map has not changed */
	nx_set_map(&a, both);
	assert_int_equal(next_attention(&a, 0), 0);              /* nothing changed */
	nx_set_map(&a, map);
	assert_int_equal(next_attention(&a, 0), 0x063f0e);
	struct cmd gone = { CDB(0) };
	cmd_do(&a, 5, &gone);
	assert_int_equal(cmd_sense(&gone), 0x052500);
	struct scsi_lun_map *ro = map_of(unit, 0, true);
	nx_set_map(&a, ro);
	assert_int_equal(next_attention(&a, 0), 0x062a01);
	struct cmd w = { CDB(0x2a, [8] = 1), .out = in, .out_len = 512 };
	cmd_do(&a, 0, &w);
	assert_int_equal(cmd_sense(&w), 0x072700);
	nx_set_map(&a, map);
	scsi_lun_map_unref(ro);
	nx_calm(&a, 0);
}

/* Another unit takes a LUN over: nothing of the old one may answer. */
static void swapped(void **state)
{
	(void)state;
	struct scsi_lun_map *other = map_of(unit2, 0, false);
	nx_set_map(&a, other);
	assert_int_equal(next_attention(&a, 0), 0x062900);
	assert_int_equal(next_attention(&a, 0), 0x063f0e);
	struct cmd c = { CDB(0x25), .in = in, .in_room = sizeof(in) };
	assert_int_equal(cmd_do(&a, 0, &c), SCSI_GOOD);
	assert_int_equal(get32(in + 4), 4096);
	nx_set_map(&a, map);
	scsi_lun_map_unref(other);
	nx_calm(&a, 0);
}

static void reserve_6(void **state)
{
	(void)state;
	nx_calm(&a, 0);
	nx_calm(&b, 0);
	struct cmd r = { CDB(0x16) }, r2 = { CDB(0x16) }, r3 = { CDB(0x56) };
	assert_int_equal(cmd_do(&a, 0, &r), SCSI_GOOD);
	assert_int_equal(cmd_do(&a, 0, &r2), SCSI_GOOD);
	assert_int_equal(cmd_do(&b, 0, &r3), SCSI_RESERVATION_CONFLICT);
	static const struct {
		const char *what;
		uint8_t cdb[16], status;
	} cases[] = {
		{ "TEST UNIT READY", { 0 }, SCSI_RESERVATION_CONFLICT },
		{ "READ", { 0x28, [8] = 1 }, SCSI_RESERVATION_CONFLICT },
		{ "WRITE", { 0x2a, [8] = 1 }, SCSI_RESERVATION_CONFLICT },
		{ "COMPARE AND WRITE", { 0x89, [13] = 1 }, SCSI_RESERVATION_CONFLICT },
		{ "READ KEYS", { 0x5e, [8] = 8 }, SCSI_RESERVATION_CONFLICT },
		{ "INQUIRY", { 0x12, [4] = 36 }, SCSI_GOOD },
		{ "REPORT LUNS", { 0xa0, [9] = 16 }, SCSI_GOOD },
		{ "REQUEST SENSE", { 0x03, [4] = 18 }, SCSI_GOOD },
		{ "READ CAPACITY", { 0x25 }, SCSI_GOOD },
		{ "RELEASE of another's does nothing", { 0x17 }, SCSI_GOOD },
		{ "and so READ", { 0x08, [4] = 1 }, SCSI_RESERVATION_CONFLICT },
	};
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct cmd c = { .out = in, .out_len = 1024 };
		memcpy(c.cdb, cases[i].cdb, 16);
		if (cmd_do(&b, 0, &c) != cases[i].status)
			print_error("%s: %02x\n", cases[i].what, c.status);
		assert_int_equal(c.status, cases[i].status);
	}
	struct cmd keys = { CDB(0x5e, [8] = 8) };
	assert_int_equal(cmd_do(&a, 0, &keys), SCSI_RESERVATION_CONFLICT);       /* SPC-2 5.5.1: even one's own */
	struct cmd rel = { CDB(0x17) }, tur = { CDB(0) };
	assert_int_equal(cmd_do(&a, 0, &rel), SCSI_GOOD);
	assert_int_equal(cmd_do(&b, 0, &tur), SCSI_GOOD);
	/* A nexus that ends takes its reservation along. */
	struct nx c;
	nx_open(&c, rig.reactor[1], "iqn.2026-11.test:c,i,0x00023d000003", 1, map);
	nx_calm(&c, 0);
	struct cmd rc = { CDB(0x16) }, t1 = { CDB(0) }, t2 = { CDB(0) };
	assert_int_equal(cmd_do(&c, 0, &rc), SCSI_GOOD);
	assert_int_equal(cmd_do(&a, 0, &t1), SCSI_RESERVATION_CONFLICT);
	nx_close(&c);
	assert_int_equal(cmd_do(&a, 0, &t2), SCSI_GOOD);
}

/* RESERVE is granted only when what others had begun to write is over. */
static void reserve_waits_for_writes(void **state)
{
	(void)state;
	uint8_t data[1024] = { 0 };
	assert_int_equal(volume_quiesce(volume, 1000), 0);
	struct cmd w = { CDB(0x89, [13] = 1), .out = data, .out_len = 1024 };
	cmd_send(&b, 0, &w);
	assert_false(cmd_is_over(&w, 20));
	struct cmd r = { CDB(0x16) };
	cmd_send(&a, 0, &r);
	assert_false(cmd_is_over(&r, 20));
	volume_resume(volume);
	cmd_wait(&w);
	cmd_wait(&r);
	assert_int_equal(r.status, SCSI_GOOD);
	assert_int_equal(w.aborted, false);
	struct cmd rel = { CDB(0x17) };
	assert_int_equal(cmd_do(&a, 0, &rel), SCSI_GOOD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(power_on), cmocka_unit_test(resize), cmocka_unit_test(in_order_and_once),
		cmocka_unit_test(resets_come_first), cmocka_unit_test(map_changes), cmocka_unit_test(swapped),
		cmocka_unit_test(reserve_6), cmocka_unit_test(reserve_waits_for_writes),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
