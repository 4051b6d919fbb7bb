/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pdu.c - request headers in, verdicts out; serial numbers at their edges. */
#include "iscsi/pdu.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const struct iscsi_pdu_limits full = { .max_data_bytes = 262144 };
static const struct iscsi_pdu_limits login = { .max_data_bytes = 8192, .login = true };
static const struct iscsi_pdu_limits discovery = { .max_data_bytes = 262144, .discovery = true };

static const struct {
	const char *what;
	uint8_t opcode, flags, ahs_words;
	uint32_t data_bytes;
	const struct iscsi_pdu_limits *limits;
	enum iscsi_pdu_verdict verdict;
	uint8_t reject;
	uint8_t ahs[16];
} cases[] = {
	{ "a read", 0x01, 0xc1, 0, 0, &full, ISCSI_PDU_OK, 0, { 0 } },
	{ "an immediate command", 0x41, 0xc1, 0, 0, &full, ISCSI_PDU_OK, 0, { 0 } },
	{ "data as long as we allow", 0x05, 0x80, 0, 262144, &full, ISCSI_PDU_OK, 0, { 0 } },
	{ "one byte more", 0x05, 0x80, 0, 262145, &full, ISCSI_PDU_DROP, 0x04, { 0 } },
	{ "the longest data there is", 0x05, 0x80, 0, 0xffffff, &full, ISCSI_PDU_DROP, 0x04, { 0 } },
	{ "a target's opcode", 0x25, 0x80, 0, 0, &full, ISCSI_PDU_DROP, 0x04, { 0 } },
	{ "an opcode nobody knows", 0x1d, 0x80, 0, 0, &full, ISCSI_PDU_REJECTED, 0x05, { 0 } },
	{ "a login in full feature phase", 0x43, 0x87, 0, 0, &full, ISCSI_PDU_DROP, 0x04, { 0 } },
	{ "a login in login", 0x43, 0x87, 0, 8192, &login, ISCSI_PDU_OK, 0, { 0 } },
	{ "a login with too much text", 0x43, 0x87, 0, 8193, &login, ISCSI_PDU_DROP, 0x04, { 0 } },
	{ "a command in login", 0x01, 0xc1, 0, 0, &login, ISCSI_PDU_DROP, 0x04, { 0 } },
	{ "a text request in discovery", 0x04, 0x80, 0, 16, &discovery, ISCSI_PDU_OK, 0, { 0 } },
	{ "a logout in discovery", 0x46, 0x80, 0, 0, &discovery, ISCSI_PDU_OK, 0, { 0 } },
	{ "a command in discovery", 0x01, 0xc1, 0, 0, &discovery, ISCSI_PDU_REJECTED, 0x04, { 0 } },
	{ "task management with data", 0x42, 0x81, 0, 4, &full, ISCSI_PDU_REJECTED, 0x04, { 0 } },
	{ "task management without F", 0x42, 0x01, 0, 0, &full, ISCSI_PDU_REJECTED, 0x09, { 0 } },
	{ "a logout without F", 0x46, 0x00, 0, 0, &full, ISCSI_PDU_REJECTED, 0x09, { 0 } },
	{ "immediate Data-Out", 0x45, 0x80, 0, 4, &full, ISCSI_PDU_REJECTED, 0x09, { 0 } },
	{ "a NOP with an additional header", 0x40, 0x80, 1, 0, &full, ISCSI_PDU_REJECTED, 0x09, { 0 } },
	{ "a long CDB of 32 bytes", 0x01, 0xc1, 5, 0, &full, ISCSI_PDU_OK, 0, { 0, 17, 1, 0 } },
	{ "a long CDB that leaves its header", 0x01, 0xc1, 2, 0, &full, ISCSI_PDU_REJECTED, 0x09, { 0, 17, 1, 0 } },
	{ "an additional header of no length", 0x01, 0xc1, 1, 0, &full, ISCSI_PDU_REJECTED, 0x09, { 0, 0, 1, 0 } },
	{ "a header length of 65535", 0x01, 0xc1, 1, 0, &full, ISCSI_PDU_REJECTED, 0x09, { 0xff, 0xff, 1, 0 } },
	{ "an unknown additional header", 0x01, 0xc1, 1, 0, &full, ISCSI_PDU_REJECTED, 0x09, { 0, 1, 9, 0 } },
	{ "a bidirectional length", 0x01, 0xe1, 2, 0, &full, ISCSI_PDU_OK, 0, { 0, 5, 2, 0, 0, 0, 2, 0 } },
	{ "text that goes on and is final", 0x04, 0xc0, 0, 4, &full, ISCSI_PDU_REJECTED, 0x09, { 0 } },
	{ "text that goes on", 0x04, 0x40, 0, 4, &full, ISCSI_PDU_OK, 0, { 0 } },
	{ "a bidirectional length twice", 0x01, 0xe1, 4, 0, &full, ISCSI_PDU_REJECTED, 0x09,
	  { 0, 5, 2, 0, 0, 0, 2, 0, 0, 5, 2, 0, 0, 0, 2, 0 } },
};

static void verdicts(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		uint8_t h[ISCSI_BHS_BYTES + ISCSI_AHS_MAX_BYTES] = { cases[i].opcode, cases[i].flags, [4] = cases[i].ahs_words };
		struct iscsi_pdu pdu;
		h[5] = (uint8_t)(cases[i].data_bytes >> 16);
		h[6] = (uint8_t)(cases[i].data_bytes >> 8);
		h[7] = (uint8_t)cases[i].data_bytes;
		memcpy(h + ISCSI_BHS_BYTES, cases[i].ahs, sizeof(cases[i].ahs));
		enum iscsi_pdu_verdict v = iscsi_pdu_parse(h, cases[i].limits, &pdu);
		if (v != cases[i].verdict || pdu.reject != cases[i].reject || (v != ISCSI_PDU_OK && !pdu.why))
			fail_msg("%s: verdict %d reject %02x", cases[i].what, v, pdu.reject);
	}
}

static void fields(void **state)
{
	const uint8_t h[ISCSI_BHS_BYTES + 20] = {
		0x41, 0x81, 0, 0, 5, 0, 1, 2, [16] = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16,
		[48] = 0, 17, 1, 0, 0x7f, 0x80,
	};
	struct iscsi_pdu pdu;

	(void)state;
	assert_int_equal(iscsi_pdu_parse(h, &full, &pdu), ISCSI_PDU_OK);
	assert_true(pdu.immediate && pdu.final);
	assert_int_equal(pdu.data_len_bytes, 258);
	assert_int_equal(pdu.itt, 0x01020304);
	assert_int_equal(pdu.ttt, 0x05060708);
	assert_int_equal(pdu.cmdsn, 0x090a0b0c);
	assert_int_equal(pdu.exp_statsn, 0x0d0e0f10);
	assert_int_equal(pdu.ext_cdb_len, 16);
	assert_int_equal(pdu.ext_cdb[0], 0x7f);
	assert_int_equal(iscsi_pdu_header_bytes(h, true), 48 + 20 + 4);
	assert_int_equal(iscsi_pad_bytes(258), 2);
	assert_int_equal(iscsi_pad_bytes(256), 0);
	assert_int_equal(iscsi_pad_bytes(255), 1);
}

/* RFC 7143 4.2.2.1 and RFC 1982: the window may lie across the end of the numbers. */
static const struct {
	const char *what;
	uint32_t sn, first, last;
	bool in;
} windows[] = {
	{ "first", 10, 10, 20, true },
	{ "last", 20, 10, 20, true },
	{ "before", 9, 10, 20, false },
	{ "behind", 21, 10, 20, false },
	{ "empty window", 10, 10, 9, false },
	{ "before the wrap", 0xffffffff, 0xfffffff0, 0x0f, true },
	{ "behind the wrap", 0, 0xfffffff0, 0x0f, true },
	{ "last behind the wrap", 0x0f, 0xfffffff0, 0x0f, true },
	{ "one too far", 0x10, 0xfffffff0, 0x0f, false },
	{ "one too early", 0xffffffef, 0xfffffff0, 0x0f, false },
	{ "half a world away", 0x7fffffff, 0xfffffff0, 0x0f, false },
};
static void serial_numbers(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(windows); i++)
		if (iscsi_sn_in(windows[i].sn, windows[i].first, windows[i].last) != windows[i].in)
			fail_msg("%s", windows[i].what);
	assert_true(iscsi_sn_lt(0xffffffff, 0));
	assert_false(iscsi_sn_lt(0, 0xffffffff));
	assert_false(iscsi_sn_lt(5, 5));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(verdicts),
		cmocka_unit_test(fields),
		cmocka_unit_test(serial_numbers),
	};
	return cmocka_run_group_tests_name("iscsi/pdu", tests, NULL, NULL);
}
