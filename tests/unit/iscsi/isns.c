/* SPDX-License-Identifier: GPL-3.0-or-later */
/* isns.c - messages to an iSNS server as the document lays them out.  RFC 4171 5, 6. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "iscsi/isns.h"

static const struct isns_portal portal = {
	.addr = { { { [10] = 0xff, [11] = 0xff, [12] = 192, [13] = 0, [14] = 2, [15] = 1 } } }, .port = 3260, .tpgt = 2,
};

static void registration(void **state)
{
	static const uint8_t want[] = {
		0, 0, 0, 32, 0, 0, 0, 8, 'i', 'q', 'n', '.', 'x', 0, 0, 0,               /* source: name, NUL, up to four */
		0, 0, 0, 1, 0, 0, 0, 4, 'n', 'a', 's', 0,                               /* key: the entity */
		0, 0, 0, 0, 0, 0, 0, 0,                                                 /* delimiter */
		0, 0, 0, 1, 0, 0, 0, 4, 'n', 'a', 's', 0,
		0, 0, 0, 2, 0, 0, 0, 4, 0, 0, 0, 2,                                     /* iSCSI */
		0, 0, 0, 6, 0, 0, 0, 4, 0, 0, 1, 0x2c,                                  /* 300 s */
		0, 0, 0, 16, 0, 0, 0, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 1,
		0, 0, 0, 17, 0, 0, 0, 4, 0, 0, 0x0c, 0xbc,                              /* TCP 3260 */
		0, 0, 0, 32, 0, 0, 0, 8, 'i', 'q', 'n', '.', 'x', 0, 0, 0,
		0, 0, 0, 33, 0, 0, 0, 4, 0, 0, 0, 1,                                    /* a target */
		0, 0, 0, 34, 0, 0, 0, 4, 'a', 0, 0, 0,
		0, 0, 0, 48, 0, 0, 0, 8, 'i', 'q', 'n', '.', 'x', 0, 0, 0,
		0, 0, 0, 49, 0, 0, 0, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 1,
		0, 0, 0, 50, 0, 0, 0, 4, 0, 0, 0x0c, 0xbc,
		0, 0, 0, 51, 0, 0, 0, 4, 0, 0, 0, 2,
	};
	uint8_t buf[512];
	struct isns_message m = { .buf = buf, .room = sizeof(buf) };

	(void)state;
	isns_reg_begin(&m, "iqn.x", "nas", 300);
	isns_reg_portal(&m, &portal);
	isns_reg_target(&m, "iqn.x", "a");
	isns_reg_group(&m, "iqn.x", &portal);
	assert_false(m.full);
	assert_int_equal(m.len, sizeof(want));
	assert_memory_equal(buf, want, sizeof(want));
	/* One byte less: it says so, and what stands there is whole. */
	m = (struct isns_message){ .buf = buf, .room = sizeof(want) - 1 };
	isns_reg_begin(&m, "iqn.x", "nas", 300);
	isns_reg_portal(&m, &portal);
	isns_reg_target(&m, "iqn.x", "a");
	isns_reg_group(&m, "iqn.x", &portal);
	assert_true(m.full);
	assert_int_equal(m.len, sizeof(want) - 12);
}

static void cuts(void **state)
{
	static uint8_t buf[200000];
	struct isns_message m = { .buf = buf, .room = sizeof(buf) };
	size_t at = 0, pdus = 0;

	(void)state;
	while (m.len < 150000)
		isns_reg_target(&m, "iqn.2026-11.com.example:a-target-with-a-name", "and an alias");
	for (; at < m.len; pdus++) {
		size_t n = isns_cut(buf, m.len, at);
		assert_true(n > 0 && n <= ISNS_PDU_PAYLOAD_MAX && n % 4 == 0);
		at += n;
	}
	assert_int_equal(at, m.len);
	assert_int_equal(pdus, 3);
	memset(buf, 0xff, 16);                                   /* an attribute longer than all there is */
	assert_int_equal(isns_cut(buf, 16, 0), 0);
	assert_int_equal(isns_cut(buf, 7, 0), 0);
}

static const struct {
	const char *what;
	uint8_t pdu[16];
	size_t len;
	int r;
	uint32_t status;
} answers[] = {
	{ "success", { 0, 1, 0x80, 1, 0, 4, 0x4c, 0, 0, 7, 0, 0, 0, 0, 0, 0 }, 16, 0, 0 },
	{ "rejected", { 0, 1, 0x80, 1, 0, 4, 0x4c, 0, 0, 7, 0, 0, 0, 0, 0, 21 }, 16, 0, 21 },
	{ "of another transaction", { 0, 1, 0x80, 1, 0, 4, 0x4c, 0, 0, 8, 0, 0, 0, 0, 0, 0 }, 16, -EPROTO, 0 },
	{ "to another question", { 0, 1, 0x80, 4, 0, 4, 0x4c, 0, 0, 7, 0, 0, 0, 0, 0, 0 }, 16, -EPROTO, 0 },
	{ "not an answer", { 0, 1, 0, 1, 0, 4, 0x4c, 0, 0, 7, 0, 0, 0, 0, 0, 0 }, 16, -EPROTO, 0 },
	{ "another version", { 0, 2, 0x80, 1, 0, 4, 0x4c, 0, 0, 7, 0, 0, 0, 0, 0, 0 }, 16, -EPROTO, 0 },
	{ "cut off", { 0, 1, 0x80, 1, 0, 4, 0x4c, 0, 0, 7, 0, 0, 0, 0, 0, 0 }, 15, -EPROTO, 0 },
};
static void what_is_answered(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(answers); i++) {
		uint32_t status = 0;
		int r = isns_answer(answers[i].pdu, answers[i].len, ISNS_DEV_ATTR_REG, 7, &status);
		if (r != answers[i].r || status != answers[i].status)
			fail_msg("%s: %d, %u", answers[i].what, r, status);
	}
	assert_string_equal(isns_status_text(21), "registration rejected");
	assert_string_equal(isns_status_text(4), "refused");
	assert_string_equal(isns_status_text(0xffffffff), "refused");
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(registration), cmocka_unit_test(cuts), cmocka_unit_test(what_is_answered) };
	return cmocka_run_group_tests_name("iscsi/isns", tests, NULL, NULL);
}
