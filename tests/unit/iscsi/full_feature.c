/* SPDX-License-Identifier: GPL-3.0-or-later */
/* full_feature.c - order of commands, NOP, rejects, logout, text, digests: conversations over a
 * real socket.  RFC 7143 4.2.2, 11.10, 11.14, 11.17, 11.18. */
#include "rig.h"

static struct rig rig;
static struct ini i;

static int setup(void **state)
{
	const struct iscsi_opts o = { .nop_interval_s = 3, .nop_timeout_s = 1 }; /* a busy machine may pause for 1 s */

	(void)state;
	rig_start(&rig, &o);
	return 0;
}
static int teardown(void **state)
{
	(void)state;
	rig_stop(&rig);
	return 0;
}

static void request(uint8_t opcode, uint8_t flags, uint32_t itt, uint32_t word20, uint32_t cmdsn, const void *data, uint32_t len)
{
	uint8_t h[ISCSI_BHS_BYTES] = { opcode, flags };

	put32(h + 16, itt);
	put32(h + 20, word20);
	put32(h + 24, cmdsn);
	put32(h + 28, i.exp_statsn);
	ini_send(&i, h, data, len);
}

static void nop(void **state)
{
	const char ping[] = "is anybody there?";

	(void)state;
	ini_session(&i, rig.port, "");
	request(0x40, 0x80, 77, 0xffffffff, i.cmdsn, ping, sizeof(ping));
	assert_int_equal(ini_recv(&i), ISCSI_NOP_IN);
	assert_int_equal(get32(i.h + 16), 77);
	assert_int_equal(get32(i.h + 20), 0xffffffff);
	assert_int_equal(i.len, sizeof(ping));
	assert_memory_equal(i.data, ping, sizeof(ping));
	assert_int_equal(get32(i.h + 28), i.cmdsn);              /* immediate: ExpCmdSN stays */
	uint32_t statsn = get32(i.h + 24), max = get32(i.h + 32);
	request(0x00, 0x80, 78, 0xffffffff, i.cmdsn++, NULL, 0);
	assert_int_equal(ini_recv(&i), ISCSI_NOP_IN);
	assert_int_equal(get32(i.h + 28), i.cmdsn);
	assert_int_equal(get32(i.h + 24), statsn + 1);
	assert_int_equal(get32(i.h + 32), max + 1);
	request(0x40, 0x80, 0xffffffff, 0xffffffff, i.cmdsn, NULL, 0); /* wants no answer */
	assert_true(ini_is_silent(&i));
	ini_logout(&i);
}

static void ping(void **state)
{
	(void)state;
	ini_session(&i, rig.port, "");
	assert_int_equal(ini_recv(&i), ISCSI_NOP_IN);            /* after some silence */
	assert_int_equal(get32(i.h + 16), 0xffffffff);
	uint32_t ttt = get32(i.h + 20), statsn = get32(i.h + 24);
	assert_int_not_equal(ttt, 0xffffffff);
	request(0x40, 0x80, 0xffffffff, ttt, i.cmdsn, NULL, 0);
	assert_int_equal(ini_recv(&i), ISCSI_NOP_IN);
	assert_int_equal(get32(i.h + 24), statsn);               /* a ping takes no StatSN */
	assert_int_equal(ini_recv(&i), -1);                      /* unanswered: the end */
	ini_close(&i);
	rig_wait(rig_sessions() == 0);
}

/* ---- the window ------------------------------------------------------------------------------------- */
static void tur(uint32_t cmdsn, uint32_t itt)
{
	uint8_t h[ISCSI_BHS_BYTES] = { 0x01, 0x81 };

	put32(h + 16, itt);
	put32(h + 24, cmdsn);
	ini_send(&i, h, NULL, 0);
}

static void outside_of_the_window(void **state)
{
	(void)state;
	ini_session(&i, rig.port, "");
	ini_settle(&i);
	uint32_t max = get32(i.h + 32);
	tur(max + 1, 1000);
	assert_true(ini_is_silent(&i));
	tur(i.cmdsn - 1, 1001);
	assert_true(ini_is_silent(&i));
	tur(i.cmdsn + 0x80000000u, 1002);
	assert_true(ini_is_silent(&i));
	tur(i.cmdsn++, 1003);
	assert_int_equal(ini_recv(&i), ISCSI_SCSI_RESPONSE);
	assert_int_equal(get32(i.h + 16), 1003);
	ini_logout(&i);
}

static void early_commands_wait(void **state)
{
	uint32_t order[4];

	(void)state;
	ini_session(&i, rig.port, "");
	ini_settle(&i);
	tur(i.cmdsn + 3, 303);
	tur(i.cmdsn + 1, 301);
	tur(i.cmdsn + 2, 302);
	tur(i.cmdsn + 2, 399);                                   /* a duplicate */
	assert_true(ini_is_silent(&i));
	tur(i.cmdsn, 300);
	for (unsigned k = 0; k < 4; k++) {
		assert_int_equal(ini_recv(&i), ISCSI_SCSI_RESPONSE);
		order[k] = get32(i.h + 16);
	}
	for (uint32_t k = 0; k < 4; k++)
		assert_int_equal(order[k], 300 + k);
	i.cmdsn += 4;
	assert_int_equal(get32(i.h + 28), i.cmdsn);
	assert_true(ini_is_silent(&i));
	ini_logout(&i);
}

/* A write that comes early brings its data with it: immediate and unsolicited. */
static void early_write(void **state)
{
	static uint8_t data[8192];
	uint8_t cdb[10], h[ISCSI_BHS_BYTES] = { 0x01, 0x21 };    /* W, not final */

	(void)state;
	ini_session(&i, rig.port, "InitialR2T=No;FirstBurstLength=8192;");
	ini_settle(&i);
	for (unsigned k = 0; k < sizeof(data); k++)
		data[k] = (uint8_t)(k * 7 + 1);
	cdb_rw(cdb, 0x2a, 64, 16);
	put32(h + 16, 500);
	put32(h + 20, 8192);
	put32(h + 24, i.cmdsn + 1);
	memcpy(h + 32, cdb, 10);
	ini_send(&i, h, data, 4096);
	ini_data_out(&i, 500, 0xffffffff, 0, 4096, data + 4096, 2048, false);
	ini_data_out(&i, 500, 0xffffffff, 1, 6144, data + 6144, 2048, true);
	assert_true(ini_is_silent(&i));
	tur(i.cmdsn, 499);
	assert_int_equal(ini_recv(&i), ISCSI_SCSI_RESPONSE);
	assert_int_equal(get32(i.h + 16), 499);
	assert_int_equal(ini_recv(&i), ISCSI_SCSI_RESPONSE);
	assert_int_equal(get32(i.h + 16), 500);
	assert_int_equal(i.h[3], 0);
	i.cmdsn += 2;
	ini_read10(&i, 0, 64, 16);
	assert_int_equal(ini_recv(&i), ISCSI_DATA_IN);
	assert_int_equal(i.len, 8192);
	assert_memory_equal(i.data, data, 8192);
	ini_logout(&i);
}

static void a_window_full_at_once(void **state)
{
	(void)state;
	ini_session(&i, rig.port, "");
	ini_settle(&i);
	uint32_t max = get32(i.h + 32);
	assert_int_equal(max - i.cmdsn + 1, 256);
	for (unsigned k = 0; k < 1000; k++) {
		unsigned n = 0;
		for (; n < 256; n++)
			ini_read10(&i, 0, n % BLOCKS, 1);
		for (; n; n--) {
			assert_int_equal(ini_recv(&i), ISCSI_DATA_IN);
			assert_int_equal(i.h[1], 0x81);
			assert_int_equal(i.h[3], 0);
		}
		assert_int_equal(get32(i.h + 32) - i.cmdsn + 1, 256);
		if (k > 20 && k < 990)
			k = 990;
	}
	ini_logout(&i);
}

/* ---- rejects ------------------------------------------------------------------------------------------ */
static void rejects(void **state)
{
	const struct {
		const char *what;
		uint8_t opcode, flags, reason;
		uint32_t len;
	} table[] = {
		{ "an unknown opcode", 0x5c, 0x80, 0x05, 0 },
		{ "an unknown opcode with data", 0x5c, 0x80, 0x05, 64 },
		{ "SNACK", 0x10, 0x81, 0x03, 0 },
		{ "task management with data", 0x42, 0x81, 0x04, 16 },
		{ "a NOP without F", 0x40, 0x00, 0x09, 0 },
	};
	static const uint8_t data[64];

	(void)state;
	ini_session(&i, rig.port, "");
	for (size_t k = 0; k < ARRAY_COUNT(table); k++) {
		request(table[k].opcode, table[k].flags, 4711, 0xffffffff, i.cmdsn, data, table[k].len);
		if (ini_recv(&i) != ISCSI_REJECT || i.h[2] != table[k].reason)
			fail_msg("%s: reason %02x", table[k].what, i.h[2]);
		assert_int_equal(get32(i.h + 16), 0xffffffff);
		assert_int_equal(i.len, ISCSI_BHS_BYTES);
		assert_int_equal(i.data[0], table[k].opcode);
		assert_int_equal(get32(i.data + 16), 4711);
	}
	/* A tag that is in use: the write waits for its data. */
	uint32_t itt = ini_write10(&i, CMD_WRITE, 0, 8, NULL, 0);
	do                                                       /* unit attention first */
		assert_true(ini_recv(&i) >= 0);
	while (i.h[0] == ISCSI_SCSI_RESPONSE && (itt = ini_write10(&i, CMD_WRITE, 0, 8, NULL, 0)));
	assert_int_equal(i.h[0], ISCSI_R2T);
	tur(i.cmdsn++, itt);
	assert_int_equal(ini_recv(&i), ISCSI_REJECT);
	assert_int_equal(i.h[2], 0x07);
	ini_close(&i);
	rig_wait(rig_sessions() == 0);
}

/* RFC 7143 7.4: a rejected command does not count as received.  Another with its CmdSN takes its place, or it is aborted. */
static void rejected_commands(void **state)
{
	const uint8_t long_cdb[4] = { 0, 1, 9, 0 };              /* an additional header of no known type */
	const struct {
		const char *what;
		uint8_t opcode, flags;
		uint32_t itt;
		bool ahs;
	} table[] = {
		{ "an unknown additional header", 0x01, CMD_NONE, 7000, true },
		{ "the reserved task tag", 0x01, CMD_NONE, 0xffffffff, false },
		{ "a NOP that wants no answer and is not immediate", 0x00, 0x80, 0xffffffff, false },
		{ "task management without F", 0x02, 0x01, 7001, false },
		{ "text that is final and goes on", 0x04, 0xc0, 7002, false },
	};

	(void)state;
	ini_session(&i, rig.port, "");
	ini_settle(&i);
	for (size_t k = 0; k < ARRAY_COUNT(table); k++)
		for (int early = 0; early < 2; early++) {        /* in its turn, and before it */
			uint8_t h[ISCSI_BHS_BYTES] = { table[k].opcode, table[k].flags };
			uint32_t first = i.cmdsn;
			put32(h + 16, table[k].itt);
			put32(h + 20, 0xffffffff);
			put32(h + 24, first + (uint32_t)early);
			put32(h + 28, i.exp_statsn);
			ini_send_ahs(&i, h, long_cdb, table[k].ahs, NULL, 0);
			if (ini_recv(&i) != ISCSI_REJECT || i.h[2] != 0x09 || get32(i.h + 28) != first)
				fail_msg("%s: reason %02x, ExpCmdSN %u for %u", table[k].what, i.h[2], get32(i.h + 28), first);
			tur(first + 1, 8001);                    /* waits for the place to be filled */
			tur(first, 8000);
			for (uint32_t itt = 8000; itt < 8002; itt++) {
				assert_int_equal(ini_recv(&i), ISCSI_SCSI_RESPONSE);
				assert_int_equal(get32(i.h + 16), itt);
			}
			i.cmdsn += 2;
		}
	ini_logout(&i);
}

/* Immediate commands have no window, so there is a bound of another kind: Reject 06h. */
static void too_many_at_once(void **state)
{
	uint8_t h[ISCSI_BHS_BYTES] = { 0x41, CMD_WRITE, [32] = 0x2a, [40] = 8 };
	unsigned sent = 0, rejected = 0;

	(void)state;
	ini_session(&i, rig.port, "");
	ini_settle(&i);
	for (; sent < 100; sent++) {                             /* writes whose data never come */
		put32(h + 16, 6000 + sent);
		put32(h + 20, 4096);
		put32(h + 24, i.cmdsn);
		put32(h + 28, i.exp_statsn);
		ini_send(&i, h, NULL, 0);
	}
	request(0x40, 0x80, 5, 0xffffffff, i.cmdsn, NULL, 0);
	while (ini_recv(&i) != ISCSI_NOP_IN) {
		if (i.h[0] != ISCSI_REJECT)
			assert_int_equal(i.h[0], ISCSI_R2T);
		else
			assert_int_equal(i.h[2], 0x06);
		rejected += i.h[0] == ISCSI_REJECT;
	}
	assert_in_range(rejected, 1, sent - 1);
	assert_int_equal(get32(i.h + 28), i.cmdsn);
	ini_logout(&i);
}

/* No command of ours is bidirectional; what it did not bring is told for both directions.  11.4.5 */
static void bidirectional(void **state)
{
	const uint8_t length[8] = { 0, 5, 2, 0, 0, 0, 0x12, 0 };
	uint8_t h[ISCSI_BHS_BYTES] = { 0x01, 0xe1, [32] = 0x53 };
	static uint8_t data[512];

	(void)state;
	ini_session(&i, rig.port, "");
	ini_settle(&i);
	put32(h + 16, 9000);
	put32(h + 20, sizeof(data));
	put32(h + 24, i.cmdsn++);
	put32(h + 28, i.exp_statsn);
	ini_send_ahs(&i, h, length, 2, data, sizeof(data));
	assert_int_equal(ini_recv(&i), ISCSI_SCSI_RESPONSE);
	assert_int_equal(i.h[1], 0x80 | 0x08 | 0x02);
	assert_int_equal(i.h[3], SCSI_CHECK_CONDITION);
	assert_int_equal(get32(i.h + 40), 0x1200);
	assert_int_equal(get32(i.h + 44), sizeof(data));
	ini_logout(&i);
}

/* RFC 7143 11.4.9: when the window opens and no answer is there to tell it, a NOP-In does. */
static void window_opens_without_an_answer(void **state)
{
	static struct ini other;
	uint8_t reset[ISCSI_BHS_BYTES] = { 0x42, 0x80 | ISCSI_LUN_RESET };
	int op;

	(void)state;
	ini_session(&i, rig.port, "");
	ini_settle(&i);
	ini_connect(&other, rig.port);
	other.isid[5] = 2;
	assert_int_equal(ini_login(&other, 0x87, LOGIN_NAMES), 0);
	ini_settle(&other);
	for (unsigned k = 0; k < 256; k++)                       /* writes that wait for their data */
		ini_write10(&i, CMD_WRITE, 0, 8, NULL, 0);
	request(0x40, 0x80, 5, 0xffffffff, i.cmdsn, NULL, 0);
	while (ini_recv(&i) == ISCSI_R2T)
		;
	assert_int_equal(i.h[0], ISCSI_NOP_IN);
	assert_int_equal(get32(i.h + 28), i.cmdsn);
	assert_int_equal(get32(i.h + 32), i.cmdsn - 1);          /* MaxCmdSN: shut */
	put32(reset + 16, 1);
	put32(reset + 24, other.cmdsn);
	ini_send(&other, reset, NULL, 0);
	assert_int_equal(ini_recv(&other), ISCSI_TASK_RESPONSE);
	do {
		op = ini_recv(&i);
	} while (op == ISCSI_R2T);
	assert_int_equal(op, ISCSI_NOP_IN);
	assert_true(iscsi_sn_le(i.cmdsn, get32(i.h + 32)));
	ini_close(&i);
	ini_logout(&other);
	rig_wait(rig_sessions() == 0);
}

static void fatal(void **state)
{
	const struct {
		const char *what;
		uint8_t opcode;
		uint32_t len;
	} table[] = {
		{ "more data than we allow", 0x40, 262145 },
		{ "a target's PDU", 0x21, 0 },
		{ "a login", 0x43, 0 },
	};

	(void)state;
	for (size_t k = 0; k < ARRAY_COUNT(table); k++) {
		uint8_t h[ISCSI_BHS_BYTES] = { table[k].opcode, 0x80 };
		ini_session(&i, rig.port, "");
		h[5] = (uint8_t)(table[k].len >> 16);
		h[6] = (uint8_t)(table[k].len >> 8);
		h[7] = (uint8_t)table[k].len;
		ini_raw(&i, h, sizeof(h));
		if (ini_recv(&i) != ISCSI_REJECT || i.h[2] != 0x04)
			fail_msg("%s", table[k].what);
		assert_int_equal(ini_recv(&i), -1);
		ini_close(&i);
		rig_wait(rig_sessions() == 0);
	}
}

/* ---- digests -------------------------------------------------------------------------------------------- */
static void digests(void **state)
{
	static const char *const keys[] = { "HeaderDigest=CRC32C;", "DataDigest=CRC32C;", "HeaderDigest=CRC32C;DataDigest=CRC32C;" };
	static uint8_t data[65536];
	uint8_t inquiry[6] = { 0x12, 0, 0, 0, 37 };              /* a length that needs padding */

	(void)state;
	for (unsigned k = 0; k < sizeof(data); k++)
		data[k] = (uint8_t)(k >> 3 ^ k);
	for (size_t k = 0; k < ARRAY_COUNT(keys); k++) {
		ini_session(&i, rig.port, keys[k]);
		assert_true(k == 1 || i.header_digest);
		assert_true(k == 0 || i.data_digest);
		ini_settle(&i);
		uint32_t itt = ini_write10(&i, CMD_WRITE, 100, 128, data, 10000);
		assert_int_equal(ini_recv(&i), ISCSI_R2T);
		uint32_t ttt = get32(i.h + 20), at = get32(i.h + 40), n = get32(i.h + 44);
		assert_int_equal(at, 10000);
		assert_int_equal(n, 55536);
		ini_data_out(&i, itt, ttt, 0, at, data + at, 50000, false);
		ini_data_out(&i, itt, ttt, 1, at + 50000, data + at + 50000, n - 50000, true);
		assert_int_equal(ini_recv(&i), ISCSI_SCSI_RESPONSE);
		assert_int_equal(i.h[3], 0);
		ini_read10(&i, 0, 100, 128);
		assert_int_equal(ini_recv(&i), ISCSI_DATA_IN);
		assert_memory_equal(i.data, data, sizeof(data));
		ini_command(&i, CMD_READ, 0, inquiry, 6, 37, NULL, 0);
		assert_int_equal(ini_recv(&i), ISCSI_DATA_IN);
		assert_int_equal(i.len, 37);
		ini_logout(&i);
	}
}

static void spoiled_digests(void **state)
{
	static uint8_t data[512];
	uint8_t h[ISCSI_BHS_BYTES + 4] = { 0x40, 0x80 };

	(void)state;
	ini_session(&i, rig.port, "DataDigest=CRC32C;");
	ini_settle(&i);
	/* A Data-Out PDU whose digest is wrong: it is rejected, and its command ends with a CRC error. */
	uint32_t itt = ini_write10(&i, CMD_WRITE, 0, 1, NULL, 0);
	assert_int_equal(ini_recv(&i), ISCSI_R2T);
	uint8_t out[ISCSI_BHS_BYTES] = { 0x05, 0x80, [6] = 2 };
	put32(out + 16, itt);
	memcpy(out + 20, i.h + 20, 4);
	ini_raw(&i, out, sizeof(out));
	ini_raw(&i, data, sizeof(data));
	ini_raw(&i, "\1\2\3\4", 4);
	assert_int_equal(ini_recv(&i), ISCSI_REJECT);
	assert_int_equal(i.h[2], 0x02);
	assert_int_equal(ini_recv(&i), ISCSI_SCSI_RESPONSE);
	assert_int_equal(ini_sense(&i), 0x0b4705);
	/* The session lives on. */
	ini_read10(&i, 0, 0, 1);
	assert_int_equal(ini_recv(&i), ISCSI_DATA_IN);
	ini_logout(&i);
	/* A header whose digest is wrong: nothing after it can be believed. */
	ini_session(&i, rig.port, "HeaderDigest=CRC32C;");
	ini_raw(&i, h, sizeof(h));
	assert_int_equal(ini_recv(&i), -1);
	ini_close(&i);
	rig_wait(rig_sessions() == 0);
}

/* ---- logout --------------------------------------------------------------------------------------------- */
static void logouts(void **state)
{
	const struct {
		uint8_t reason;
		uint16_t cid;
		uint8_t response;
		bool over;
	} table[] = { { 1, 9, 1, false }, { 2, 0, 2, false }, { 5, 0, 3, false }, { 1, 0, 0, true } };

	(void)state;
	ini_session(&i, rig.port, "");
	for (size_t k = 0; k < ARRAY_COUNT(table); k++) {
		request(0x46, 0x80 | table[k].reason, 50, (uint32_t)table[k].cid << 16, i.cmdsn, NULL, 0);
		assert_int_equal(ini_recv(&i), ISCSI_LOGOUT_RESPONSE);
		assert_int_equal(i.h[2], table[k].response);
		if (table[k].over)
			assert_int_equal(ini_recv(&i), -1);
	}
	ini_close(&i);
	rig_wait(rig_sessions() == 0);
}

/* ---- text ------------------------------------------------------------------------------------------------- */
static void text(void **state)
{
	const char targets[] = "SendTargets=", limit[] = "MaxRecvDataSegmentLength=512";

	(void)state;
	ini_session(&i, rig.port, "");
	ini_settle(&i);
	request(0x44, 0x80, 60, 0xffffffff, i.cmdsn, targets, sizeof(targets));
	assert_int_equal(ini_recv(&i), ISCSI_TEXT_RESPONSE);
	assert_int_equal(i.h[1], 0x80);
	assert_true(ini_has(&i, "TargetName=" TARGET));
	request(0x44, 0x80, 61, 0xffffffff, i.cmdsn, "SendTargets=All", 16);
	assert_int_equal(ini_recv(&i), ISCSI_TEXT_RESPONSE);
	assert_true(ini_has(&i, "SendTargets=Reject"));
	request(0x44, 0x80, 62, 0xffffffff, i.cmdsn, "MaxBurstLength=512", 19);
	assert_int_equal(ini_recv(&i), ISCSI_TEXT_RESPONSE);
	assert_true(ini_has(&i, "MaxBurstLength=Reject"));
	/* Two PDUs for one request. */
	request(0x44, 0x40, 63, 0xffffffff, i.cmdsn, "X-a", 3);
	assert_int_equal(ini_recv(&i), ISCSI_TEXT_RESPONSE);
	assert_int_equal(i.h[1], 0);
	request(0x44, 0x80, 63, get32(i.h + 20), i.cmdsn, "b=c", 4);
	assert_int_equal(ini_recv(&i), ISCSI_TEXT_RESPONSE);
	assert_true(ini_has(&i, "X-ab=NotUnderstood"));
	/* A smaller limit holds at once. */
	request(0x44, 0x80, 64, 0xffffffff, i.cmdsn, limit, sizeof(limit));
	assert_int_equal(ini_recv(&i), ISCSI_TEXT_RESPONSE);
	ini_read10(&i, 0, 0, 2);
	assert_int_equal(ini_recv(&i), ISCSI_DATA_IN);
	assert_int_equal(i.len, 512);
	assert_int_equal(ini_recv(&i), ISCSI_DATA_IN);
	/* Somebody else's tag, and text that is none. */
	request(0x44, 0x80, 65, 0x12345678, i.cmdsn, targets, sizeof(targets));
	assert_int_equal(ini_recv(&i), ISCSI_REJECT);
	assert_int_equal(i.h[2], 0x09);
	request(0x44, 0x80, 66, 0xffffffff, i.cmdsn, "rubbish", 8);
	assert_int_equal(ini_recv(&i), ISCSI_REJECT);
	assert_int_equal(i.h[2], 0x04);
	ini_logout(&i);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nop), cmocka_unit_test(ping), cmocka_unit_test(outside_of_the_window),
		cmocka_unit_test(early_commands_wait), cmocka_unit_test(early_write), cmocka_unit_test(a_window_full_at_once),
		cmocka_unit_test(rejects), cmocka_unit_test(rejected_commands),
		cmocka_unit_test(too_many_at_once), cmocka_unit_test(bidirectional), cmocka_unit_test(window_opens_without_an_answer), cmocka_unit_test(fatal), cmocka_unit_test(digests), cmocka_unit_test(spoiled_digests),
		cmocka_unit_test(logouts), cmocka_unit_test(text),
	};
	return cmocka_run_group_tests_name("iscsi/full_feature", tests, setup, teardown);
}
