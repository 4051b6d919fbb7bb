/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sanitize.c - SANITIZE: what it leaves, what others hear meanwhile, and that nothing stops it; and
 * WRITE ATOMIC(16).  SBC-3 4.11, 5.24; SBC-4 5.48. */
#include "rig.h"

#include "../block/cipher.h"
#include "scsi/scsi_priv.h"

#define BLOCKS 65536u
static struct rig rig;
static struct volume *volume;
static struct scsi_unit *unit;
static struct scsi_lun_map *map;
static struct nx nx, other;
static uint8_t in[1 << 20], out[2 << 20];

static int setup(void **state)
{
	(void)state;
	rig_start(&rig, 2);
	assert_int_equal(scsi_start(rig.reactor, 2), 0);
	volume = rig_volume("ram", BLOCKS * 512ull, 512);
	unit = unit_on(volume);
	map = map_of(unit, 0, false);
	nx_open(&nx, rig.reactor[0], "iqn.2026-11.test:a,i,0x00023d000001", 1, map);
	nx_open(&other, rig.reactor[1], "iqn.2026-11.test:b,i,0x00023d000002", 1, map);
	nx_calm(&nx, 0);
	nx_calm(&other, 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	nx_close(&nx);
	nx_close(&other);
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

static unsigned overwrite(uint8_t count, unsigned pattern_len, unsigned list_len, uint8_t flags)
{
	uint8_t b[600] = { count, 0, (uint8_t)(pattern_len >> 8), (uint8_t)pattern_len };
	for (unsigned i = 4; i < sizeof(b); i++)
		b[i] = (uint8_t)i;
	struct cmd c = { CDB(0x48, (uint8_t)(1 | flags), [7] = (uint8_t)(list_len >> 8), [8] = (uint8_t)list_len), .out = b,
			 .out_len = list_len };
	return cmd_do(&nx, 0, &c) == SCSI_CHECK_CONDITION ? cmd_sense(&c) : c.status;
}

static void patterns(void **state)
{
	(void)state;
	sanitize_least_ns = 0;
	fill(0, 8, 0xaa);
	assert_int_equal(overwrite(1, 512, 516, 0), SCSI_GOOD);
	for (uint64_t lba = 0; lba < BLOCKS; lba += BLOCKS - 1)
		assert_true(block(lba)[0] == 4 && in[1] == 5 && in[511] == (uint8_t)(4 + 511));
	assert_int_equal(overwrite(1, 3, 7, 0), SCSI_GOOD);      /* repeated, cut at the block's end */
	assert_true(block(77)[0] == 4 && in[3] == 4 && in[510] == 4 && in[511] == 5);
	assert_int_equal(overwrite(0x82, 1, 5, 0), SCSI_GOOD);   /* two passes, the second inverted */
	assert_int_equal(block(5)[9], 0xfb);
	struct cmd erase = { CDB(0x48, 2) };
	assert_int_equal(cmd_do(&nx, 0, &erase), SCSI_GOOD);
	assert_true(block(0)[0] == 0 && block(BLOCKS - 1)[511] == 0);
	struct cmd status = { CDB(0x9e, 0x12, [13] = 64), .in = in, .in_room = sizeof(in) };
	assert_int_equal(cmd_do(&nx, 0, &status), SCSI_GOOD);
	assert_int_equal(status.in_len, 24);     /* one extent .. */
	assert_int_equal(in[20], 1);             /* .. that is deallocated */
}

static void refusals(void **state)
{
	static const struct {
		const char *what;
		uint8_t count;
		unsigned pattern_len, list_len, sense;
	} cases[] = {
		{ "no list", 1, 4, 0, 0x052400 },        { "no pattern", 1, 4, 4, 0x052400 },
		{ "longer than a block", 1, 513, 517, 0x052400 }, { "count 0", 0, 4, 8, 0x052600 },
		{ "pattern length 0", 1, 0, 8, 0x052600 }, { "pattern that is not there", 1, 100, 8, 0x052600 },
		{ "a test mode", 0x21, 4, 8, 0x052600 },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		unsigned got = overwrite(cases[i].count, cases[i].pattern_len, cases[i].list_len, 0);
		if (got != cases[i].sense)
			print_error("%s: %06x\n", cases[i].what, got);
		assert_int_equal(got, cases[i].sense);
	}
	struct cmd crypto = { CDB(0x48, 3) };
	cmd_do(&nx, 0, &crypto);
	assert_int_equal(cmd_sense(&crypto), 0x052400);  /* nothing is encrypted */
}

static void nothing_stops_it(void **state)
{
	static const struct {
		const char *what;
		uint8_t cdb[16];
		bool answered;
	} cases[] = {
		{ "TEST UNIT READY", { 0 }, false },     { "READ", { 0x28, [8] = 1 }, false },
		{ "START STOP UNIT", { 0x1b, [4] = 1 }, false }, { "INQUIRY", { 0x12, [4] = 36 }, true },
		{ "REPORT LUNS", { 0xa0, [9] = 64 }, true }, { "REQUEST SENSE", { 3, [4] = 18 }, true },
		{ "MODE SENSE", { 0x1a, 0, 0x3f, 0, 64 }, false }, { "SANITIZE", { 0x48, 0x82 }, false },
	};
	(void)state;
	sanitize_least_ns = 1500000000;
	struct cmd erase = { CDB(0x48, 2) };
	fill(0, 8, 0xaa);
	cmd_send(&nx, 0, &erase);
	usleep(200000);
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct cmd c = { .in = in, .in_room = sizeof(in) };
		memcpy(c.cdb, cases[i].cdb, 16);
		cmd_do(&other, 0, &c);
		assert_int_equal(cmd_sense(&c), cases[i].answered ? 0 : 0x02041b);
		if (!cases[i].answered)
			assert_int_equal(c.sense[15], 0x80);     /* progress */
	}
	struct mgmt m;
	mgmt_send(&nx, 0, SCSI_ABORT_TASK_SET, 0, &m);
	assert_int_equal(mgmt_wait(&m), SCSI_TMF_COMPLETE);
	cmd_wait(&erase);
	assert_true(erase.aborted);
	mgmt_send(&other, 0, SCSI_LUN_RESET, 0, &m);
	assert_int_equal(mgmt_wait(&m), SCSI_TMF_COMPLETE);
	struct cmd sense = { CDB(3, [4] = 18), .in = in, .in_room = sizeof(in) };
	cmd_do(&other, 0, &sense);               /* the reset */
	sense = (struct cmd){ CDB(3, [4] = 18), .in = in, .in_room = sizeof(in) };
	assert_int_equal(cmd_do(&other, 0, &sense), SCSI_GOOD);
	assert_int_equal(in[2] << 16 | in[12] << 8 | in[13], 0x02041b);
	bool over = false;
	for (unsigned i = 0; i < 400 && !over; i++) {
		struct cmd t = { CDB(0) };
		over = cmd_do(&other, 0, &t) == SCSI_GOOD;
		usleep(20000);
	}
	assert_true(over);
	nx_calm(&nx, 0);
	assert_int_equal(block(3)[7], 0);
	sanitize_least_ns = 0;
}

static void immediately(void **state)
{
	(void)state;
	sanitize_least_ns = 500000000;
	struct cmd erase = { CDB(0x48, 0x82) };
	assert_int_equal(cmd_do(&nx, 0, &erase), SCSI_GOOD);
	struct cmd t = { CDB(0) };
	cmd_do(&nx, 0, &t);
	assert_int_equal(cmd_sense(&t), 0x02041b);
	for (unsigned i = 0; i < 400; i++) {
		t = (struct cmd){ CDB(0) };
		if (cmd_do(&nx, 0, &t) == SCSI_GOOD)
			break;
		usleep(20000);
	}
	assert_int_equal(t.status, SCSI_GOOD);
	sanitize_least_ns = 0;
}

/* Accepted before the sanitize, with data that come during it, or when it is over: refused, and nothing lands. */
static void late_data(void **state)
{
	struct cmd w[3], t = { CDB(0) };
	static uint8_t data[512];
	(void)state;
	memset(data, 0x99, sizeof(data));
	for (unsigned i = 0; i < 3; i++) {
		w[i] = (struct cmd){ CDB(0x2a, [5] = (uint8_t)(50 + i), [8] = 1), .out = data, .out_len = 512, .hold = true };
		cmd_send(&nx, 0, &w[i]);
	}
	assert_int_equal(cmd_do(&nx, 0, &t), SCSI_GOOD);         /* they are parsed */
	sanitize_least_ns = 500000000;
	struct cmd erase = { CDB(0x48, 0x82) };
	assert_int_equal(cmd_do(&other, 0, &erase), SCSI_GOOD);
	cmd_go(&w[0]);
	cmd_wait(&w[0]);
	assert_int_equal(cmd_sense(&w[0]), 0x02041b);
	for (unsigned i = 0; i < 1500; i++) {
		t = (struct cmd){ CDB(0) };
		if (cmd_do(&other, 0, &t) == SCSI_GOOD)
			break;
		usleep(20000);
	}
	assert_int_equal(t.status, SCSI_GOOD);
	cmd_go(&w[1]);
	cmd_wait(&w[1]);
	assert_int_equal(cmd_sense(&w[1]), 0x02041b);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(block(50 + i)[0], 0);
	sanitize_least_ns = 0;
	erase = (struct cmd){ CDB(0x48, 2) };            /* another one changes nothing for it */
	assert_int_equal(cmd_do(&other, 0, &erase), SCSI_GOOD);
	cmd_go(&w[2]);
	cmd_wait(&w[2]);
	assert_int_equal(cmd_sense(&w[2]), 0x02041b);
	fill(50, 1, 0x31);
	assert_int_equal(block(50)[0], 0x31);
}

static struct {
	struct volume_io io;
	struct iovec iov;
	uint8_t data[512];
	int status;
} direct;
static void direct_done(struct volume_io *io, int status)
{
	(void)io;
	direct.status = status;
}
static int direct_run(void *arg)
{
	direct.iov = (struct iovec){ direct.data, sizeof(direct.data) };
	direct.io = *(struct volume_io *)arg;
	direct.io.count_blocks = 1;
	direct.io.long_count_blocks = 1;
	direct.io.iov = &direct.iov;
	direct.io.iov_count = 1;
	direct.io.done = direct_done;
	volume_submit(volume, &direct.io);
	return direct.status;
}

/* A further step of a command that had begun, of whatever protocol, does not pass the volume. */
static void nobody_else_writes(void **state)
{
	static const struct {
		const char *what;
		uint8_t op, flags;
		int status;
	} cases[] = {
		{ "READ", VOLUME_READ, 0, 0 }, { "FLUSH", VOLUME_FLUSH, 0, 0 }, { "WRITE", VOLUME_WRITE, 0, -EINPROGRESS },
		{ "SAME", VOLUME_SAME, 0, -EINPROGRESS }, { "ZERO", VOLUME_ZERO, 0, -EINPROGRESS }, { "UNMAP", VOLUME_UNMAP, 0, -EINPROGRESS },
		{ "COPY", VOLUME_COPY, 0, -EINPROGRESS }, { "the wipe's own", VOLUME_SAME, VOLUME_WIPING, 0 },
	};
	(void)state;
	for (unsigned failed = 0; failed < 2; failed++) {
		assert_int_equal(volume_wipe_set(volume, failed ? VOLUME_WIPE_FAILED : VOLUME_WIPE_RUNS), 0);
		for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
			struct volume_io io = { .op = cases[i].op, .flags = cases[i].flags, .lba = 9 };
			direct.status = 1;
			(void)reactor_call(rig.reactor[0], direct_run, &io);
			for (unsigned k = 0; k < 3000 && direct.status == 1; k++)
				usleep(10000);
			if (direct.status != cases[i].status)
				fail_msg("%s: %d", cases[i].what, direct.status);
		}
	}
	assert_int_equal(volume_wipe_set(volume, VOLUME_WIPE_NONE), 0);
}

static void atomic_writes(void **state)
{
	static const struct {
		const char *what;
		uint8_t cdb[16];
		size_t len;
		unsigned sense;
	} cases[] = {
		{ "one block", { 0x9c, [13] = 1 }, 512, 0 },     { "none", { 0x9c }, 0, 0 },
		{ "1 MiB", { 0x9c, [12] = 8 }, 1 << 20, 0 },     { "more", { 0x9c, [12] = 8, [13] = 1 }, 0x801 * 512, 0x052400 },
		{ "with FUA and DPO", { 0x9c, 0x18, [13] = 8 }, 4096, 0 },
		{ "boundaries", { 0x9c, [11] = 8, [13] = 8 }, 4096, 0x052400 },
		{ "past the end", { 0x9c, [7] = 1, [13] = 8 }, 4096, 0x052100 },
		{ "protected", { 0x9c, 0x20, [13] = 8 }, 4096, 0x052400 },
		{ "half of the data: nothing is written", { 0x9c, [9] = 100, [13] = 8 }, 2048, 0x050e03 },
	};
	(void)state;
	fill(100, 8, 0x33);
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct cmd c = { .out = out, .out_len = cases[i].len };
		memset(out, 0x44, sizeof(out));
		memcpy(c.cdb, cases[i].cdb, 16);
		cmd_do(&nx, 0, &c);
		if (cmd_sense(&c) != cases[i].sense)
			print_error("%s: %06x\n", cases[i].what, cmd_sense(&c));
		assert_int_equal(cmd_sense(&c), cases[i].sense);
		if (i == 3)
			fill(100, 8, 0x33);
	}
	assert_int_equal(block(0)[0], 0x44);
	assert_int_equal(block(100)[0], 0x33);
	struct cmd v = { CDB(0x12, 1, 0xb0, 0, 64), .in = in, .in_room = sizeof(in) };
	assert_int_equal(cmd_do(&nx, 0, &v), SCSI_GOOD);
	assert_int_equal(get32(in + 44), 2048);
}

/* What is kept over a restart. */
static struct {
	unsigned begun, ended;
	int error;
} kept;
static int keep(void *arg, const char *uuid, bool wiped)
{
	(void)arg;
	assert_int_equal(strlen(uuid), 36);
	if (!kept.error)
		wiped ? kept.begun++ : kept.ended++;
	return kept.error;
}

static unsigned sense_after(uint8_t opcode, uint8_t action)
{
	struct cmd c = { CDB(opcode, action) };
	cmd_do(&nx, 0, &c);
	return cmd_sense(&c);
}

static void kept_over_a_restart(void **state)
{
	enum { TUR = 0, SANITIZE = 0x48, ERASE = 2, EXIT = 0x1f, FAILED = 0x033103 };
	(void)state;
	sanitize_least_ns = 0;
	volume_wipe_on_save(keep, NULL);
	assert_int_equal(sense_after(SANITIZE, ERASE), 0);
	assert_int_equal(kept.begun, 1);
	assert_int_equal(kept.ended, 1);
	assert_int_equal(volume_wipe(volume), VOLUME_WIPE_NONE);
	kept.error = -EIO;                       /* it cannot be kept: nothing is overwritten */
	fill(7, 1, 0x77);
	assert_int_not_equal(sense_after(SANITIZE, ERASE), 0);
	assert_int_equal(sense_after(TUR, 0), 0);
	assert_int_equal(block(7)[0], 0x77);
	kept.error = 0;
	/* The daemon comes back: the unit is made anew on a volume whose sanitize was cut off. */
	volume_wipe_was_cut_off(volume);
	struct scsi_unit *again = unit_on(volume);
	struct scsi_lun_map *m = map_of(again, 0, false);
	struct nx old = nx;
	nx_open(&nx, rig.reactor[0], "iqn.2026-11.test:c,i,0x00023d000003", 1, m);
	assert_int_equal(sense_after(TUR, 0), 0x062900);
	assert_int_equal(sense_after(TUR, 0), FAILED);
	assert_int_equal(sense_after(0x28, 0), FAILED);
	assert_int_equal(sense_after(SANITIZE, ERASE), 0);       /* done again, to its end */
	assert_int_equal(sense_after(TUR, 0), 0);
	assert_int_equal(kept.begun, 1);         /* it was still kept */
	assert_int_equal(kept.ended, 2);
	nx_close(&nx);
	scsi_lun_map_unref(m);
	scsi_unit_unref(again);
	volume_wipe_was_cut_off(volume);
	again = unit_on(volume);
	m = map_of(again, 0, false);
	nx_open(&nx, rig.reactor[0], "iqn.2026-11.test:c,i,0x00023d000003", 1, m);
	nx_calm(&nx, 0);
	assert_int_equal(sense_after(TUR, 0), FAILED);
	kept.error = -EIO;
	assert_int_equal(sense_after(SANITIZE, EXIT), 0x044400);
	assert_int_equal(sense_after(TUR, 0), FAILED);
	kept.error = 0;
	assert_int_equal(sense_after(SANITIZE, EXIT), 0);        /* forgiven */
	assert_int_equal(sense_after(TUR, 0), 0);
	assert_int_equal(volume_wipe(volume), VOLUME_WIPE_NONE);
	nx_close(&nx);
	scsi_lun_map_unref(m);
	scsi_unit_unref(again);
	nx = old;
	volume_wipe_on_save(NULL, NULL);
}

/* ---- an encrypted volume ------------------------------------------------------------------------------------- */
static const uint8_t key[VOLUME_KEY_BYTES] = "two halves that differ, 32 bytes each, make the key of a volume";
static struct {
	struct volume *volume;
	unsigned calls;
	int error;
} renewed;
static int nothing_to_save(void *arg)
{
	(void)arg;
	return 0;
}
static int renew(void *arg, const char *uuid)
{
	uint8_t fresh[VOLUME_KEY_BYTES];
	(void)arg;
	assert_string_equal(uuid, RIG_UUID);
	memcpy(fresh, key, sizeof(fresh));
	fresh[0] ^= (uint8_t)++renewed.calls;
	return renewed.error ? renewed.error : volume_rekey(renewed.volume, fresh, nothing_to_save, NULL);
}

static bool crypto_is_reported(struct nx *n)
{
	struct cmd c = { CDB(0xa3, 0x0c, 0x02, 0x48, 0, 3, [9] = 64), .in = in, .in_room = sizeof(in) };
	return cmd_do(n, 0, &c) == SCSI_GOOD && (in[1] & 7) == 3;
}

static void a_new_key(void **state)
{
	enum { TUR = 0, SANITIZE = 0x48, CRYPTO = 3, FAILED = 0x033103 };
	struct volume_spec s = { .name = "e", .uuid = RIG_UUID, .plugin = "ram", .size_bytes = BLOCKS * 512ull, .block_bytes = 512, .encrypted = true, .key = key };
	struct nx old = nx;
	(void)state;
	assert_false(crypto_is_reported(&nx));
	cipher_install();
	sanitize_least_ns = 0;
	assert_int_equal(volume_open(&s, &renewed.volume), 0);
	assert_int_equal(volume_state(renewed.volume), VOLUME_ONLINE);
	struct scsi_unit *u = unit_on(renewed.volume);
	struct scsi_lun_map *m = map_of(u, 0, false);
	nx_open(&nx, rig.reactor[0], "iqn.2026-11.test:d,i,0x00023d000004", 1, m);
	nx_calm(&nx, 0);
	assert_true(crypto_is_reported(&nx));
	struct cmd v = { CDB(0x12, 1, 0xb1, 0, 64), .in = in, .in_room = sizeof(in) };
	assert_int_equal(cmd_do(&nx, 0, &v), SCSI_GOOD);
	assert_int_equal(in[7] & 0x30, 0x10);    /* WACEREQ */
	fill(9, 8, 0x55);
	assert_int_not_equal(sense_after(SANITIZE, CRYPTO), 0);  /* nobody keeps keys: none is thrown away */
	assert_int_equal(sense_after(TUR, 0), FAILED);
	volume_key_on_renew(renew, NULL);
	renewed.error = -EIO;
	assert_int_equal(sense_after(SANITIZE, CRYPTO), FAILED);
	assert_int_equal(sense_after(SANITIZE, 0x1f), 0);
	assert_int_equal(block(9)[0], 0x55);
	renewed.error = 0;
	assert_int_equal(sense_after(SANITIZE, CRYPTO), 0);
	assert_int_equal(renewed.calls, 2);
	assert_int_equal(sense_after(TUR, 0), 0);
	for (unsigned i = 0; i < 16; i++)
		assert_true(block(i)[0] == 0 && in[511] == 0);
	fill(9, 8, 0x66);
	assert_int_equal(block(10)[3], 0x66);
	/* Where nothing may be written no key is thrown away. */
	assert_int_equal(volume_set_read_only(renewed.volume, true), 0);
	nx_calm(&nx, 0);
	assert_int_equal(sense_after(SANITIZE, CRYPTO), 0x072700);
	assert_int_equal(renewed.calls, 2);
	volume_key_on_renew(NULL, NULL);
	nx_close(&nx);
	scsi_lun_map_unref(m);
	scsi_unit_unref(u);
	rig_close(renewed.volume);
	nx = old;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(patterns), cmocka_unit_test(refusals), cmocka_unit_test(nothing_stops_it),
		cmocka_unit_test(immediately), cmocka_unit_test(kept_over_a_restart), cmocka_unit_test(late_data),
		cmocka_unit_test(nobody_else_writes), cmocka_unit_test(a_new_key), cmocka_unit_test(atomic_writes),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
