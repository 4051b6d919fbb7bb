/* SPDX-License-Identifier: GPL-3.0-or-later */
/* data_out.c - every way a write's data can come, and every way it can come wrong; Data-In for all
 * sizes of PDU; residuals.  RFC 7143 4.2.5.2, 11.4.5, 11.7, 11.8. */
#include "rig.h"

static struct rig rig;
static struct ini i;
static uint8_t pattern[262144], got[262144];

static int setup(void **state)
{
	(void)state;
	rig_start(&rig, NULL);
	for (unsigned k = 0; k < sizeof(pattern); k++)
		pattern[k] = (uint8_t)(k * 31 + (k >> 8) * 17 + 3);
	return 0;
}
static int teardown(void **state)
{
	(void)state;
	rig_stop(&rig);
	return 0;
}

/* Answers R2Ts until a response comes; pdu_bytes: the size of our Data-Out PDUs. */
static uint8_t serve(uint32_t itt, uint32_t pdu_bytes, uint32_t max_burst, unsigned *ret_r2ts)
{
	unsigned r2ts = 0;

	while (ini_recv(&i) == ISCSI_R2T) {
		uint32_t ttt = get32(i.h + 20), at = get32(i.h + 40), n = get32(i.h + 44), sn = 0;
		assert_int_equal(get32(i.h + 16), itt);
		assert_int_equal(get32(i.h + 36), r2ts);         /* R2TSN */
		assert_true(n && n <= max_burst);
		r2ts++;
		for (uint32_t done = 0; done < n;) {
			uint32_t some = n - done < pdu_bytes ? n - done : pdu_bytes;
			ini_data_out(&i, itt, ttt, sn++, at + done, pattern + at + done, some, done + some == n);
			done += some;
		}
	}
	assert_int_equal(i.h[0], ISCSI_SCSI_RESPONSE);
	assert_int_equal(get32(i.h + 36), r2ts);                 /* ExpDataSN */
	if (ret_r2ts)
		*ret_r2ts = r2ts;
	return i.h[3];
}

static void check(uint32_t lba, uint32_t bytes)
{
	uint32_t at = 0, sn = 0;

	ini_read10(&i, 0, lba, (uint16_t)(bytes / 512));
	do {
		assert_int_equal(ini_recv(&i), ISCSI_DATA_IN);
		assert_int_equal(get32(i.h + 40), at);
		assert_int_equal(get32(i.h + 36), sn++);
		memcpy(got + at, i.data, i.len);
		at += i.len;
	} while (!(i.h[1] & 1));
	assert_int_equal(at, bytes);
	assert_memory_equal(got, pattern, bytes);
}

static const struct {
	const char *keys;
	uint32_t bytes, immediate, unsolicited, pdu_bytes, max_burst;
	unsigned r2ts;
} writes[] = {
	{ "", 512, 512, 0, 8192, 262144, 0 },
	{ "", 4096, 4096, 0, 8192, 262144, 0 },
	{ "", 4096, 0, 0, 8192, 262144, 1 },
	{ "", 4096, 1000, 0, 512, 262144, 1 },
	{ "", 65536, 65536, 0, 65536, 262144, 0 },
	{ "", 131072, 65536, 0, 65536, 262144, 1 },
	{ "InitialR2T=No;", 65536, 0, 65536, 8192, 262144, 0 },
	{ "InitialR2T=No;", 65536, 4096, 61440, 262144, 262144, 0 },
	{ "InitialR2T=No;", 131072, 8192, 57344, 16384, 262144, 1 },
	{ "InitialR2T=No;FirstBurstLength=512;", 2048, 0, 512, 512, 262144, 1 },
	{ "MaxBurstLength=4096;", 65536, 0, 0, 1024, 4096, 16 },
	{ "MaxBurstLength=4096;MaxOutstandingR2T=4;", 65536, 0, 0, 4096, 4096, 16 },
	{ "MaxBurstLength=4096;MaxOutstandingR2T=4;", 65536, 2048, 0, 4096, 4096, 16 },
	{ "MaxBurstLength=512;MaxOutstandingR2T=8;", 65536, 0, 0, 512, 512, 128 },
	{ "ImmediateData=No;", 65536, 0, 0, 65536, 262144, 1 },
	{ "HeaderDigest=CRC32C;DataDigest=CRC32C;MaxBurstLength=16384;", 262144, 3000, 0, 5000, 16384, 16 },
	{ "", 262144, 0, 0, 262144, 262144, 1 },
};
static void all_ways_to_write(void **state)
{
	(void)state;
	for (size_t k = 0; k < ARRAY_COUNT(writes); k++) {
		unsigned r2ts;
		uint32_t n = writes[k].bytes, at = writes[k].immediate, sn = 0;
		ini_session(&i, rig.port, writes[k].keys);
		ini_settle(&i);
		uint8_t flags = writes[k].unsolicited ? CMD_WRITE & ~NOT_FINAL : CMD_WRITE;
		uint32_t itt = ini_write10(&i, flags, 8, (uint16_t)(n / 512), pattern, at);
		for (uint32_t end = at + writes[k].unsolicited; at < end;) {
			uint32_t some = end - at < writes[k].pdu_bytes ? end - at : writes[k].pdu_bytes;
			ini_data_out(&i, itt, 0xffffffff, sn++, at, pattern + at, some, at + some == end);
			at += some;
		}
		if (serve(itt, writes[k].pdu_bytes, writes[k].max_burst, &r2ts) || r2ts != writes[k].r2ts)
			fail_msg("case %zu: status %u, %u R2Ts", k, i.h[3], r2ts);
		check(8, n);
		ini_logout(&i);
	}
}

/* ---- data that comes wrong -------------------------------------------------------------------------- */
enum { W_DATASN, W_OFFSET, W_SHORT, W_LONG, W_NO_FINAL };
static const struct {
	const char *what;
	int wrong;
	uint32_t sense;
} wrongs[] = {
	{ "DataSN", W_DATASN, 0x0b4b00 },        { "offset", W_OFFSET, 0x0b4b00 }, { "the end too early", W_SHORT, 0x0b0c0d },
	{ "more than was asked for", W_LONG, 0x0b4b02 },
};
static void solicited_data_wrong(void **state)
{
	(void)state;
	ini_session(&i, rig.port, "");
	ini_settle(&i);
	for (size_t k = 0; k < ARRAY_COUNT(wrongs); k++) {
		int w = wrongs[k].wrong;
		uint32_t itt = ini_write10(&i, CMD_WRITE, 0, 8, NULL, 0);
		assert_int_equal(ini_recv(&i), ISCSI_R2T);
		uint32_t ttt = get32(i.h + 20);
		uint32_t n = w == W_SHORT ? 2048 : w == W_LONG ? 8192 : 4096;
		ini_data_out(&i, itt, ttt, w == W_DATASN ? 5 : 0, w == W_OFFSET ? 512 : 0, pattern, n, true);
		assert_int_equal(ini_recv(&i), ISCSI_SCSI_RESPONSE);
		if (i.h[3] != 2 || ini_sense(&i) != wrongs[k].sense)
			fail_msg("%s: status %u sense %06x", wrongs[k].what, i.h[3], ini_sense(&i));
	}
	/* Nobody asked for this: it is thrown away, and the session lives. */
	ini_data_out(&i, 12345, 0x00770000, 0, 0, pattern, 4096, true);
	ini_data_out(&i, 12345, 0xffffff00, 0, 0, pattern, 4096, true);
	ini_data_out(&i, 12345, 0xffffffff, 0, 0, pattern, 4096, true);
	uint32_t itt = ini_write10(&i, CMD_WRITE, 0, 8, NULL, 0);
	assert_int_equal(ini_recv(&i), ISCSI_R2T);
	uint32_t ttt = get32(i.h + 20);
	ini_data_out(&i, itt, ttt + 0x10000, 0, 0, got, 4096, true);    /* another generation */
	ini_data_out(&i, itt + 1, ttt, 0, 0, got, 4096, true);          /* another task */
	assert_true(ini_is_silent(&i));
	ini_data_out(&i, itt, ttt, 0, 0, pattern, 4096, true);
	assert_int_equal(ini_recv(&i), ISCSI_SCSI_RESPONSE);
	assert_int_equal(i.h[3], 0);
	check(0, 4096);
	ini_logout(&i);
}

static void unsolicited_data_wrong(void **state)
{
	(void)state;
	/* More than FirstBurstLength at once. */
	ini_session(&i, rig.port, "FirstBurstLength=1024;");
	ini_settle(&i);
	ini_write10(&i, CMD_WRITE, 0, 8, pattern, 2048);
	assert_int_equal(ini_recv(&i), ISCSI_SCSI_RESPONSE);
	assert_int_equal(ini_sense(&i), 0x0b0c0c);
	/* Unsolicited Data-Out where every burst has to be asked for. */
	uint32_t itt = ini_write10(&i, CMD_WRITE & ~NOT_FINAL, 0, 8, NULL, 0);
	ini_data_out(&i, itt, 0xffffffff, 0, 0, pattern, 512, true);
	assert_int_equal(ini_recv(&i), ISCSI_SCSI_RESPONSE);
	assert_int_equal(ini_sense(&i), 0x0b0c0c);
	ini_logout(&i);
	ini_session(&i, rig.port, "ImmediateData=No;");
	ini_settle(&i);
	ini_write10(&i, CMD_WRITE, 0, 8, pattern, 4096);
	assert_int_equal(ini_recv(&i), ISCSI_SCSI_RESPONSE);
	assert_int_equal(ini_sense(&i), 0x0b0c0c);
	ini_logout(&i);
	ini_session(&i, rig.port, "InitialR2T=No;FirstBurstLength=1024;");
	ini_settle(&i);
	itt = ini_write10(&i, CMD_WRITE & ~NOT_FINAL, 0, 8, pattern, 512);
	ini_data_out(&i, itt, 0xffffffff, 0, 512, pattern, 1024, true); /* beyond the first burst */
	assert_int_equal(ini_recv(&i), ISCSI_SCSI_RESPONSE);
	assert_int_equal(ini_sense(&i), 0x0b0c0c);
	ini_logout(&i);
}

/* A command that is refused at once still takes its data off the wire. */
static void refused_writes(void **state)
{
	(void)state;
	ini_session(&i, rig.port, "InitialR2T=No;");
	ini_settle(&i);
	uint8_t cdb[10];
	cdb_rw(cdb, 0x2a, BLOCKS, 8);                            /* behind the end */
	uint32_t itt = ini_command(&i, CMD_WRITE & ~NOT_FINAL, 0, cdb, 10, 4096, pattern, 1024);
	ini_data_out(&i, itt, 0xffffffff, 0, 1024, pattern, 3072, true);
	assert_int_equal(ini_recv(&i), ISCSI_SCSI_RESPONSE);
	assert_int_equal(ini_sense(&i), 0x052100);
	cdb[0] = 0xff;
	ini_command(&i, CMD_WRITE, 0, cdb, 10, 4096, pattern, 4096);
	assert_int_equal(ini_recv(&i), ISCSI_SCSI_RESPONSE);
	assert_int_equal(ini_sense(&i), 0x052000);
	/* Both directions at once: none of our commands does that. */
	const uint8_t ahs[8] = { 0, 5, 2, 0, 0, 0, 2, 0 };
	uint8_t h[ISCSI_BHS_BYTES] = { 0x01, 0xe1 };
	put32(h + 16, i.itt++);
	put32(h + 20, 512);
	put32(h + 24, i.cmdsn++);
	h[32] = 0x53;
	ini_send_ahs(&i, h, ahs, 2, NULL, 0);
	assert_int_equal(ini_recv(&i), ISCSI_SCSI_RESPONSE);
	assert_int_equal(ini_sense(&i), 0x050e03);
	ini_logout(&i);
}

/* ---- Data-In --------------------------------------------------------------------------------------------- */
static void all_sizes_of_data_in(void **state)
{
	static const struct {
		uint32_t limit, burst, bytes;
	} table[] = {
		{ 512, 262144, 512 }, { 512, 262144, 65536 }, { 512, 2048, 65536 }, { 8192, 262144, 262144 },
		{ 1000, 3000, 131072 }, { 262144, 262144, 262144 }, { 65536, 16384, 262144 }, { 262144, 512, 4096 },
	};

	(void)state;
	ini_session(&i, rig.port, "");
	ini_settle(&i);
	uint32_t itt = ini_write10(&i, CMD_WRITE, 0, 512, NULL, 0);
	assert_int_equal(serve(itt, 65536, 1u << 20, NULL), 0);
	ini_logout(&i);
	for (size_t k = 0; k < ARRAY_COUNT(table); k++) {
		char login[300];
		ini_connect(&i, rig.port);
		snprintf(login, sizeof(login), LOGIN_NAMES "MaxRecvDataSegmentLength=%u;MaxBurstLength=%u", table[k].limit, table[k].burst);
		assert_int_equal(ini_login(&i, 0x87, login), 0);
		ini_settle(&i);
		uint32_t at = 0, in_burst = 0;
		ini_read10(&i, 0, 0, (uint16_t)(table[k].bytes / 512));
		do {
			assert_int_equal(ini_recv(&i), ISCSI_DATA_IN);
			assert_true(i.len <= table[k].limit);
			memcpy(got + at, i.data, i.len);
			at += i.len;
			in_burst += i.len;
			assert_true(in_burst <= table[k].burst);
			if (in_burst == table[k].burst)
				assert_true(i.h[1] & 0x80);      /* a sequence ends with F */
			if (i.h[1] & 0x80)
				in_burst = 0;
		} while (!(i.h[1] & 1));
		assert_int_equal(at, table[k].bytes);
		assert_memory_equal(got, pattern, at);
		ini_logout(&i);
	}
}

/* ---- residuals ---------------------------------------------------------------------------------------------- */
static const struct {
	const char *what;
	uint8_t op, flags;
	uint16_t blocks;
	uint32_t edtl;
	uint8_t residual_flags;
	uint32_t residual, data_in;
} residuals[] = {
	{ "read, exact", 0x28, CMD_READ, 2, 1024, 0, 0, 1024 },
	{ "read, more expected", 0x28, CMD_READ, 2, 10000, 0x02, 8976, 1024 },
	{ "read, less expected", 0x28, CMD_READ, 2, 200, 0x04, 824, 200 },
	{ "read, nothing expected", 0x28, CMD_NONE, 2, 0, 0x04, 1024, 0 },
	{ "read of nothing", 0x28, CMD_READ, 0, 512, 0x02, 512, 0 },
	{ "write, exact", 0x2a, CMD_WRITE, 2, 1024, 0, 0, 0 },
	{ "write, more expected", 0x2a, CMD_WRITE, 2, 10000, 0x02, 8976, 0 },
	{ "write, less expected", 0x2a, CMD_WRITE, 2, 512, 0x04, 512, 0 },
	{ "test unit ready with data", 0x00, CMD_READ, 0, 512, 0x02, 512, 0 },
};
static void residual_counts(void **state)
{
	(void)state;
	ini_session(&i, rig.port, "");
	ini_settle(&i);
	for (size_t k = 0; k < ARRAY_COUNT(residuals); k++) {
		uint8_t cdb[10];
		uint32_t data_in = 0;
		cdb_rw(cdb, residuals[k].op, 0, residuals[k].blocks);
		bool out = residuals[k].flags == CMD_WRITE;
		ini_command(&i, residuals[k].flags, 0, cdb, 10, residuals[k].edtl, pattern, out ? residuals[k].edtl : 0);
		int op = ini_recv(&i);
		if (op == ISCSI_DATA_IN)
			data_in = i.len;
		uint8_t flags = i.h[1] & 0x06;
		uint32_t residual = flags ? get32(i.h + 44) : 0;
		if (i.h[3] || flags != residuals[k].residual_flags || residual != residuals[k].residual || data_in != residuals[k].data_in)
			fail_msg("%s: status %u flags %02x residual %u data %u", residuals[k].what, i.h[3], flags, residual, data_in);
	}
	ini_logout(&i);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_ways_to_write), cmocka_unit_test(solicited_data_wrong), cmocka_unit_test(unsolicited_data_wrong),
		cmocka_unit_test(refused_writes), cmocka_unit_test(all_sizes_of_data_in), cmocka_unit_test(residual_counts),
	};
	return cmocka_run_group_tests_name("iscsi/data_out", tests, setup, teardown);
}
