/* SPDX-License-Identifier: GPL-3.0-or-later */
/* persistent.c - PERSISTENT RESERVE IN and OUT as two hosts on two reactors see them.  SPC-4 5.13, 6.15,
 * 6.16.  The rules themselves are tested with block/; here it is their bytes, conflicts and attentions. */
#include "rig.h"

#include "scsi/pr_priv.h"

static struct rig rig;
static struct volume *volume;
static struct scsi_unit *unit;
static struct scsi_lun_map *map;
static struct nx a, b;
static uint8_t in[8192], data[4096];

enum { REGISTER, RESERVE, RELEASE, CLEAR, PREEMPT, PREEMPT_ABORT, REGISTER_IGNORE, MOVE };
enum { WE = 1, EA = 3, WERO = 5, EARO = 6, WEAR = 7, EAAR = 8 };
#define KEY_A 0xaaaaaaaa00000001ull
#define KEY_B 0xbbbbbbbb00000002ull

static int setup(void **state)
{
	(void)state;
	rig_start(&rig, 2);
	assert_int_equal(scsi_start(rig.reactor, 2), 0);
	volume = rig_volume("ram", 32 << 20, 512);
	unit = unit_on(volume);
	map = map_of(unit, 0, false);
	nx_open(&a, rig.reactor[0], "iqn.2026-11.test:a,i,0x00023d000001", 1, map);
	nx_open(&b, rig.reactor[1], "iqn.2026-11.test:b,i,0x00023d000002", 1, map);
	nx_calm(&a, 0);
	nx_calm(&b, 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	nx_close(&a);
	nx_close(&b);
	scsi_lun_map_unref(map);
	scsi_unit_unref(unit);
	scsi_stop();
	rig_close(volume);
	rig_stop(&rig);
	return 0;
}

static uint8_t prout(struct nx *x, unsigned action, unsigned type, uint64_t key, uint64_t sa_key, struct cmd *c)
{
	uint8_t list[24] = { 0 };
	put64(list, key);
	put64(list + 8, sa_key);
	*c = (struct cmd){ CDB(0x5f, (uint8_t)action, (uint8_t)type, [8] = 24), .out = list, .out_len = 24 };
	return cmd_do(x, 0, c);
}

static size_t prin(unsigned action)
{
	struct cmd c = { CDB(0x5e, (uint8_t)action, [7] = 0x10), .in = in, .in_room = sizeof(in) };
	assert_int_equal(cmd_do(&a, 0, &c), SCSI_GOOD);
	return c.in_len;
}

static void clean(void)
{
	struct cmd c;
	prout(&a, REGISTER_IGNORE, 0, 0, KEY_A, &c);
	prout(&a, CLEAR, 0, KEY_A, 0, &c);
	nx_calm(&a, 0);
	nx_calm(&b, 0);
}

static void keys(void **state)
{
	struct cmd c;
	(void)state;
	assert_int_equal(prin(0), 8);
	uint32_t generation = get32(in);
	assert_int_equal(prout(&a, REGISTER, 0, 0, KEY_A, &c), SCSI_GOOD);
	assert_int_equal(prout(&b, REGISTER, 0, 0, KEY_B, &c), SCSI_GOOD);
	assert_int_equal(prout(&b, REGISTER, 0, 1, KEY_B, &c), SCSI_RESERVATION_CONFLICT);       /* wrong key */
	assert_int_equal(prin(0), 24);
	assert_int_equal(get32(in), generation + 2);
	assert_int_equal(get32(in + 4), 16);
	assert_int_equal(get64(in + 8), KEY_A);
	assert_int_equal(get64(in + 16), KEY_B);
	assert_int_equal(prin(1), 8);                    /* nothing is reserved */
	assert_int_equal(prout(&a, RESERVE, WE, KEY_A, 0, &c), SCSI_GOOD);
	assert_int_equal(prout(&b, RESERVE, WE, KEY_B, 0, &c), SCSI_RESERVATION_CONFLICT);
	assert_int_equal(prin(1), 24);
	assert_int_equal(get32(in + 4), 16);
	assert_int_equal(get64(in + 8), KEY_A);
	assert_int_equal(in[21], WE);
	assert_int_equal(prin(2), 8);
	assert_int_equal(in[1], 8);
	assert_int_equal(in[3] & 0x80, 0x80);
	assert_int_equal(in[4], 0xea);
	assert_int_equal(in[5], 0x01);
	size_t len = prin(3);
	assert_int_equal(get32(in + 4), len - 8);
	assert_int_equal(get64(in + 8), KEY_A);
	assert_int_equal(in[8 + 12] & 1, 1);             /* the holder */
	assert_int_equal(in[8 + 13], WE);
	assert_int_equal(in[8 + 19], 1);                 /* relative target port */
	assert_int_equal(get32(in + 8 + 20), 4 + 36);
	assert_int_equal(in[8 + 24], 0x45);
	assert_string_equal((char *)in + 8 + 28, "iqn.2026-11.test:a,i,0x00023d000001");
	clean();
}

static void bad_requests(void **state)
{
	static const struct {
		const char *what;
		uint8_t cdb[16];
		size_t out_len;
		uint8_t flags;
		unsigned sense;
	} cases[] = {
		{ "scope", { 0x5f, RESERVE, 0x11, [8] = 24 }, 24, 0, 0x052400 },
		{ "type 2", { 0x5f, RESERVE, 2, [8] = 24 }, 24, 0, 0x052400 },
		{ "type 0", { 0x5f, RESERVE, 0, [8] = 24 }, 24, 0, 0x052400 },
		{ "no such action", { 0x5f, 0x0f, 0, [8] = 24 }, 24, 0, 0x052400 },
		{ "list too short", { 0x5f, REGISTER, 0, [8] = 20 }, 20, 0, 0x051a00 },
		{ "list too long", { 0x5f, RESERVE, 1, [8] = 28 }, 28, 0, 0x051a00 },
		{ "list too long, without SPEC_I_PT", { 0x5f, REGISTER, 0, [8] = 28 }, 28, 0, 0x051a00 },
		{ "list of 2 GiB", { 0x5f, REGISTER, 0, [5] = 0x80 }, 0, 0, 0x051a00 },
		{ "SPEC_I_PT with IGNORE", { 0x5f, REGISTER_IGNORE, 0, [8] = 24 }, 24, 8, 0x052600 },
		{ "SPEC_I_PT without a list", { 0x5f, REGISTER, 0, [8] = 24 }, 24, 8, 0x051a00 },
		{ "less data than said", { 0x5f, REGISTER, 0, [8] = 24 }, 12, 0, 0x050e03 },
		{ "READ: no such action", { 0x5e, 4, [8] = 8 }, 0, 0, 0x052400 },
		{ "READ: no such action, range", { 0x5e, 0x1f, [8] = 8 }, 0, 0, 0x052400 },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		uint8_t list[64] = { [15] = 9, [20] = cases[i].flags };
		struct cmd c = { .out = list, .out_len = cases[i].out_len };
		memcpy(c.cdb, cases[i].cdb, 16);
		cmd_do(&a, 0, &c);
		if (cmd_sense(&c) != cases[i].sense)
			print_error("%s: %06x\n", cases[i].what, cmd_sense(&c));
		assert_int_equal(cmd_sense(&c), cases[i].sense);
	}
	assert_int_equal(prin(0), 8);
	/* RELEASE with another type than the reservation's */
	struct cmd c;
	prout(&a, REGISTER, 0, 0, KEY_A, &c);
	prout(&a, RESERVE, WE, KEY_A, 0, &c);
	assert_int_equal(prout(&a, RELEASE, EA, KEY_A, 0, &c), SCSI_CHECK_CONDITION);
	assert_int_equal(cmd_sense(&c), 0x052604);
	clean();
}

/* SPC-4 table 66 and SBC-3 table 13: b against a's reservation, b registered or not. */
static void conflicts(void **state)
{
	enum { OK = SCSI_GOOD, NO = SCSI_RESERVATION_CONFLICT };
	static const struct {
		const char *what;
		uint8_t cdb[16];
		uint8_t we, ea, we_registered, ea_registered, wero_registered, earo_registered;
	} cases[] = {
		{ "READ", { 0x28, [8] = 1 }, OK, NO, OK, NO, OK, OK },
		{ "WRITE", { 0x2a, [8] = 1 }, NO, NO, NO, NO, OK, OK },
		{ "COMPARE AND WRITE", { 0x89 }, NO, NO, NO, NO, OK, OK },
		{ "VERIFY", { 0x2f, [8] = 1 }, OK, NO, OK, NO, OK, OK },
		{ "SYNCHRONIZE CACHE", { 0x35 }, NO, NO, NO, NO, OK, OK },
		{ "UNMAP", { 0x42 }, NO, NO, NO, NO, OK, OK },
		{ "MODE SENSE", { 0x1a, 0, 0x3f, [4] = 4 }, OK, NO, OK, NO, OK, OK },
		{ "MODE SELECT", { 0x15, 0x10 }, NO, NO, NO, NO, OK, OK },
		{ "TEST UNIT READY", { 0 }, OK, OK, OK, OK, OK, OK },
		{ "INQUIRY", { 0x12, [4] = 5 }, OK, OK, OK, OK, OK, OK },
		{ "LOG SENSE", { 0x4d, 0, 0x40, [8] = 8 }, OK, OK, OK, OK, OK, OK },
		{ "READ CAPACITY(16)", { 0x9e, 0x10, [13] = 32 }, OK, OK, OK, OK, OK, OK },
		{ "REPORT TARGET PORT GROUPS", { 0xa3, 0x0a, [9] = 8 }, OK, OK, OK, OK, OK, OK },
		{ "REPORT SUPPORTED OPCODES", { 0xa3, 0x0c, [9] = 8 }, OK, NO, OK, NO, OK, OK },
		{ "START", { 0x1b, [4] = 1 }, OK, OK, OK, OK, OK, OK },
		{ "STOP", { 0x1b }, NO, NO, NO, NO, OK, OK },
		{ "ALLOW", { 0x1e }, OK, OK, OK, OK, OK, OK },
		{ "PREVENT", { 0x1e, [4] = 1 }, NO, NO, NO, NO, OK, OK },
		{ "READ KEYS", { 0x5e, [8] = 8 }, OK, OK, OK, OK, OK, OK },
		{ "RESERVE(6)", { 0x16 }, NO, NO, NO, NO, NO, NO },
	};
	static const struct {
		uint8_t type;
		bool registered;
		size_t column;
	} columns[] = {
		{ WE, false, offsetof(__typeof__(cases[0]), we) },
		{ EA, false, offsetof(__typeof__(cases[0]), ea) },
		{ WERO, false, offsetof(__typeof__(cases[0]), we) },
		{ EAAR, false, offsetof(__typeof__(cases[0]), ea) },
		{ WE, true, offsetof(__typeof__(cases[0]), we_registered) },
		{ EA, true, offsetof(__typeof__(cases[0]), ea_registered) },
		{ WERO, true, offsetof(__typeof__(cases[0]), wero_registered) },
		{ WEAR, true, offsetof(__typeof__(cases[0]), wero_registered) },
		{ EARO, true, offsetof(__typeof__(cases[0]), earo_registered) },
		{ EAAR, true, offsetof(__typeof__(cases[0]), earo_registered) },
	};
	struct cmd c;
	(void)state;
	for (size_t k = 0; k < ARRAY_COUNT(columns); k++) {
		assert_int_equal(prout(&a, REGISTER, 0, 0, KEY_A, &c), SCSI_GOOD);
		if (columns[k].registered)
			assert_int_equal(prout(&b, REGISTER, 0, 0, KEY_B, &c), SCSI_GOOD);
		assert_int_equal(prout(&a, RESERVE, columns[k].type, KEY_A, 0, &c), SCSI_GOOD);
		for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
			uint8_t want = ((const uint8_t *)&cases[i])[columns[k].column];
			struct cmd t = { .out = data, .out_len = 512 };
			memcpy(t.cdb, cases[i].cdb, 16);
			uint8_t got = cmd_do(&b, 0, &t);
			if (got != want)
				print_error("%s, type %u, %sregistered: %02x sense %06x\n", cases[i].what, columns[k].type,
					    columns[k].registered ? "" : "not ", got, cmd_sense(&t));
			assert_int_equal(got, want);
		}
		struct cmd w = { CDB(0x2a, [8] = 1), .out = data, .out_len = 512 };
		assert_int_equal(cmd_do(&a, 0, &w), SCSI_GOOD);  /* the holder may */
		clean();
	}
}

static unsigned heard(struct nx *x)
{
	struct cmd c = { CDB(0) };
	return cmd_do(x, 0, &c) == SCSI_CHECK_CONDITION ? cmd_sense(&c) : 0;
}

static void both_register(void)
{
	struct cmd c;
	assert_int_equal(prout(&a, REGISTER, 0, 0, KEY_A, &c), SCSI_GOOD);
	assert_int_equal(prout(&b, REGISTER, 0, 0, KEY_B, &c), SCSI_GOOD);
}

static void attentions(void **state)
{
	struct cmd c;
	(void)state;
	both_register();
	prout(&a, RESERVE, WERO, KEY_A, 0, &c);
	assert_int_equal(prout(&a, RELEASE, WERO, KEY_A, 0, &c), SCSI_GOOD);
	assert_int_equal(heard(&b), 0x062a04);
	assert_int_equal(heard(&a), 0);
	prout(&a, RESERVE, WE, KEY_A, 0, &c);
	assert_int_equal(prout(&b, PREEMPT, WE, KEY_B, KEY_A, &c), SCSI_GOOD);
	assert_int_equal(heard(&a), 0x062a05);
	struct cmd w = { CDB(0x2a, [8] = 1), .out = data, .out_len = 512 };
	assert_int_equal(cmd_do(&a, 0, &w), SCSI_RESERVATION_CONFLICT);
	assert_int_equal(prout(&a, REGISTER, 0, 0, KEY_A, &c), SCSI_GOOD);
	assert_int_equal(prout(&a, CLEAR, 0, KEY_A, 0, &c), SCSI_GOOD);
	assert_int_equal(heard(&b), 0x062a03);
	assert_int_equal(prin(0), 8);
}

static void preempt_and_abort(void **state)
{
	struct cmd c;
	(void)state;
	both_register();
	prout(&a, RESERVE, WE, KEY_A, 0, &c);
	assert_int_equal(volume_quiesce(volume, 1000), 0);
	struct cmd w = { CDB(0x2a, [8] = 1), .out = data, .out_len = 512 };
	struct cmd held = { CDB(0x2a, [8] = 1), .out = data, .out_len = 512, .hold = true };
	cmd_send(&a, 0, &w);
	cmd_send(&a, 0, &held);
	usleep(5000);
	uint8_t list[24];
	put64(list, KEY_B);
	put64(list + 8, KEY_A);
	put64(list + 16, 0);
	struct cmd p = { CDB(0x5f, PREEMPT_ABORT, WE, [8] = 24), .out = list, .out_len = 24 };
	cmd_send(&b, 0, &p);
	assert_true(cmd_is_over(&held, 500));
	assert_true(held.aborted);
	assert_false(cmd_is_over(&p, 20));               /* one is still at the backend */
	volume_resume(volume);
	cmd_wait(&p);
	assert_int_equal(p.status, SCSI_GOOD);
	assert_true(cmd_is_over(&w, 0));
	assert_true(w.aborted);
	assert_int_equal(heard(&a), 0x062a05);
	clean();
}

static void transport_ids(void **state)
{
	static const struct {
		const char *what;
		uint8_t bytes[64];
		size_t room;
		bool good;
	} cases[] = {
		{ "port", { 0x45, 0, 0, 36, 'i', 'q', 'n', '.', 'x', ',', 'i', ',', '0', 'x', '1', '2' }, 40, true },
		{ "device only", { 0x05, 0, 0, 20, 'i', 'q', 'n', '.', 'x' }, 24, false },
		{ "without ISID", { 0x45, 0, 0, 20, 'i', 'q', 'n', '.', 'x' }, 24, false },
		{ "Fibre Channel", { 0x00, 0, 0, 20 }, 24, false },
		{ "past the end", { 0x45, 0, 0, 36, 'i', ',', 'i', ',', '0', 'x' }, 39, false },
		{ "odd length", { 0x45, 0, 0, 21, 'i', ',', 'i', ',', '0', 'x' }, 40, false },
		{ "too short", { 0x45, 0, 0, 16, 'i', ',', 'i', ',', '0', 'x' }, 40, false },
		{ "no room for a header", { 0x45 }, 3, false },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		char port[RESV_ID_MAX];
		size_t len;
		bool good = !transport_id_read(cases[i].bytes, cases[i].room, port, &len);
		if (good != cases[i].good)
			print_error("%s\n", cases[i].what);
		assert_int_equal(good, cases[i].good);
	}
	uint8_t full[24];
	memset(full, 'x', sizeof(full));
	full[0] = 0x45;
	full[1] = full[2] = 0;
	full[3] = 20;
	char port[RESV_ID_MAX];
	size_t len;
	assert_int_equal(transport_id_read(full, 24, port, &len), -EINVAL);      /* not terminated */
}

static size_t id_of_b(uint8_t *to)
{
	static const char name[] = "iqn.2026-11.test:b,i,0x00023d000002";
	memset(to, 0, 40);
	to[0] = 0x45;
	to[3] = 36;
	memcpy(to + 4, name, sizeof(name));
	return 40;
}

static void register_for_others(void **state)
{
	uint8_t list[128] = { 0 };
	struct cmd c;
	(void)state;
	put64(list + 8, KEY_A);
	list[20] = 8;
	size_t len = id_of_b(list + 28);
	put32(list + 24, (uint32_t)len);
	struct cmd r = { CDB(0x5f, REGISTER, 0, [8] = 68), .out = list, .out_len = 68 };
	assert_int_equal(cmd_do(&a, 0, &r), SCSI_GOOD);
	assert_int_equal(prin(0), 24);
	assert_int_equal(prout(&b, RESERVE, WE, KEY_A, 0, &c), SCSI_GOOD);       /* b is registered, with a's key */
	put32(list + 24, 41);
	struct cmd bad = { CDB(0x5f, REGISTER, 0, [8] = 68), .out = list, .out_len = 68 };
	cmd_do(&a, 0, &bad);
	assert_int_equal(cmd_sense(&bad), 0x051a00);
	clean();
}

/* SPC-4 5.13.7, table of REGISTER: SPEC_I_PT is for who is not registered yet, and changes nobody's registration. */
static void who_may_register_others(void **state)
{
	uint8_t list[68] = { 0 };
	struct cmd c, r = { CDB(0x5f, REGISTER, 0, [8] = 68), .out = list, .out_len = 68 };
	(void)state;
	list[20] = 8;
	put32(list + 24, (uint32_t)id_of_b(list + 28));
	assert_int_equal(prout(&b, REGISTER, 0, 0, KEY_B, &c), SCSI_GOOD);
	/* Of no key, by a host without a registration: nothing happens, b stays. */
	assert_int_equal(cmd_do(&a, 0, &r), SCSI_GOOD);
	assert_int_equal(prin(0), 16);
	/* b has a registration: its key is not a's to change. */
	put64(list + 8, KEY_A);
	assert_int_equal(cmd_do(&a, 0, &r), SCSI_GOOD);
	assert_int_equal(prin(0), 24);
	assert_int_equal(prout(&b, RESERVE, WE, KEY_B, 0, &c), SCSI_GOOD);
	/* Who is registered may not; the key is asked first. */
	assert_int_equal(cmd_do(&a, 0, &r), SCSI_RESERVATION_CONFLICT);
	for (int some = 0; some < 2; some++) {
		put64(list, KEY_A);
		put64(list + 8, some ? KEY_A + 1 : 0);
		cmd_do(&a, 0, &r);
		assert_int_equal(cmd_sense(&r), 0x052600);
		assert_int_equal(prin(0), 24);
	}
	clean();
}

/* SPC-4 5.13.11.4: scope and type count only when the reservation itself is preempted. */
static void preempt_ignores_the_type(void **state)
{
	struct cmd c;
	(void)state;
	both_register();
	assert_int_equal(prout(&a, PREEMPT, 0, KEY_A, KEY_B, &c), SCSI_GOOD);    /* a registration alone */
	assert_int_equal(heard(&b), 0x062a05);
	assert_int_equal(prout(&b, REGISTER, 0, 0, KEY_B, &c), SCSI_GOOD);
	assert_int_equal(prout(&b, RESERVE, WE, KEY_B, 0, &c), SCSI_GOOD);
	assert_int_equal(prout(&a, PREEMPT, 0x11, KEY_A, KEY_B, &c), SCSI_CHECK_CONDITION);
	assert_int_equal(cmd_sense(&c), 0x052400);
	assert_int_equal(prout(&a, PREEMPT_ABORT, 2, KEY_A, KEY_B, &c), SCSI_CHECK_CONDITION);
	assert_int_equal(cmd_sense(&c), 0x052400);
	assert_int_equal(prout(&a, PREEMPT, WE, KEY_A, 0, &c), SCSI_CHECK_CONDITION);
	assert_int_equal(cmd_sense(&c), 0x052600);
	assert_int_equal(prout(&a, PREEMPT, EA, KEY_A, KEY_B, &c), SCSI_GOOD);
	assert_int_equal(heard(&b), 0x062a05);
	clean();
}

static void move(void **state)
{
	uint8_t list[128] = { 0 };
	struct cmd c;
	(void)state;
	prout(&a, REGISTER, 0, 0, KEY_A, &c);
	prout(&a, RESERVE, EA, KEY_A, 0, &c);
	put64(list, KEY_A);
	put64(list + 8, KEY_B);
	list[17] = 2;                                    /* UNREG */
	put16(list + 18, 1);
	put32(list + 20, 40);
	id_of_b(list + 24);
	struct cmd m = { CDB(0x5f, MOVE, 0, [8] = 64), .out = list, .out_len = 64 };
	assert_int_equal(cmd_do(&a, 0, &m), SCSI_GOOD);
	struct cmd rb = { CDB(0x28, [8] = 1) }, ra = { CDB(0x28, [8] = 1) };
	assert_int_equal(cmd_do(&b, 0, &rb), SCSI_GOOD);
	assert_int_equal(cmd_do(&a, 0, &ra), SCSI_RESERVATION_CONFLICT);
	assert_int_equal(prin(0), 16);
	assert_int_equal(get64(in + 8), KEY_B);
	put16(list + 18, 9);                             /* a port that we do not know */
	put64(list, KEY_B);
	struct cmd far = { CDB(0x5f, MOVE, 0, [8] = 64), .out = list, .out_len = 64 };
	cmd_do(&b, 0, &far);
	assert_int_equal(cmd_sense(&far), 0x052600);
	clean();
}

static unsigned saves;
static int save(void *arg, const char *uuid, const char *text)
{
	(void)arg;
	(void)uuid;
	saves++;
	return strstr(text, "fail") ? -EIO : 0;
}

static void durable(void **state)
{
	uint8_t list[24] = { 0 };
	(void)state;
	volume_resv_on_save(save, NULL);
	put64(list + 8, KEY_A);
	list[20] = 1;                                    /* APTPL */
	struct cmd r = { CDB(0x5f, REGISTER, 0, [8] = 24), .out = list, .out_len = 24 };
	assert_int_equal(cmd_do(&a, 0, &r), SCSI_GOOD);
	assert_true(saves > 0);
	assert_int_equal(prin(2), 8);
	assert_int_equal(in[3] & 1, 1);
	clean();
	volume_resv_on_save(NULL, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys), cmocka_unit_test(bad_requests), cmocka_unit_test(conflicts),
		cmocka_unit_test(attentions), cmocka_unit_test(preempt_and_abort), cmocka_unit_test(transport_ids),
		cmocka_unit_test(register_for_others), cmocka_unit_test(who_may_register_others), cmocka_unit_test(preempt_ignores_the_type), cmocka_unit_test(move), cmocka_unit_test(durable),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
