/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pdu.c - headers of the host: what passes, and for the rest the fault and its offset.  NVMe/TCP 3.6. */
#include "nvmf/pdu.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

enum { H = 1, D = 2, OPEN = 4 };         /* digests negotiated; OPEN: no ICReq yet */
static const struct {
	const char *name;
	unsigned state;
	uint8_t type, flags, hlen, pdo;
	uint32_t plen;
	uint16_t fault;
	uint32_t info;
	uint32_t data_bytes, pad_bytes;
} cases[] = {
	{ "ICReq", OPEN, 0, 0, 128, 0, 128, 0, 0, 0, 0 },
	{ "a second ICReq", 0, 0, 0, 128, 0, 128, NVME_TCP_FES_SEQUENCE, 0, 0, 0 },
	{ "a capsule before ICReq", OPEN, 4, 0, 72, 0, 72, NVME_TCP_FES_SEQUENCE, 0, 0, 0 },
	{ "data before ICReq", OPEN, 6, 4, 24, 24, 28, NVME_TCP_FES_SEQUENCE, 0, 0, 0 },
	{ "TermReq before ICReq", OPEN, 2, 0, 24, 0, 24, 0, 0, 0, 0 },
	{ "TermReq with a header", 0, 2, 0, 24, 0, 152, 0, 0, 128, 0 },
	{ "TermReq too long", 0, 2, 0, 24, 0, 156, NVME_TCP_FES_FIELD, 4, 0, 0 },
	{ "ICReq short header", OPEN, 0, 0, 127, 0, 128, NVME_TCP_FES_FIELD, 2, 0, 0 },
	{ "ICReq short", OPEN, 0, 0, 128, 0, 127, NVME_TCP_FES_FIELD, 4, 0, 0 },
	{ "ICReq with data", OPEN, 0, 0, 128, 0, 132, NVME_TCP_FES_FIELD, 4, 0, 0 },
	{ "ICResp from a host", OPEN, 1, 0, 128, 0, 128, NVME_TCP_FES_FIELD, 0, 0, 0 },
	{ "C2HTermReq from a host", 0, 3, 0, 24, 0, 24, NVME_TCP_FES_FIELD, 0, 0, 0 },
	{ "CapsuleResp from a host", 0, 5, 0, 24, 0, 24, NVME_TCP_FES_FIELD, 0, 0, 0 },
	{ "C2HData from a host", 0, 7, 0, 24, 24, 28, NVME_TCP_FES_FIELD, 0, 0, 0 },
	{ "R2T from a host", 0, 9, 0, 24, 0, 24, NVME_TCP_FES_FIELD, 0, 0, 0 },
	{ "type 8", 0, 8, 0, 24, 0, 24, NVME_TCP_FES_FIELD, 0, 0, 0 },
	{ "type 10", 0, 10, 0, 24, 0, 24, NVME_TCP_FES_FIELD, 0, 0, 0 },
	{ "type 16 is not type 0", OPEN, 16, 0, 128, 0, 128, NVME_TCP_FES_FIELD, 0, 0, 0 },
	{ "type 20 is not type 4", 0, 20, 0, 72, 0, 72, NVME_TCP_FES_FIELD, 0, 0, 0 },
	{ "type 255", 0, 255, 0, 72, 0, 72, NVME_TCP_FES_FIELD, 0, 0, 0 },
	{ "capsule", 0, 4, 0, 72, 0, 72, 0, 0, 0, 0 },
	{ "capsule with data", 0, 4, 0, 72, 72, 72 + 4096, 0, 0, 4096, 0 },
	{ "capsule with all data", 0, 4, 0, 72, 72, 72 + 8192, 0, 0, 8192, 0 },
	{ "capsule with too much data", 0, 4, 0, 72, 72, 72 + 8193, NVME_TCP_FES_FIELD, 4, 0, 0 },
	{ "capsule of 4 GiB", 0, 4, 0, 72, 72, UINT32_MAX, NVME_TCP_FES_FIELD, 4, 0, 0 },
	{ "capsule with padding", 0, 4, 0, 72, 128, 128 + 512, 0, 0, 512, 56 },
	{ "capsule, data in the header", 0, 4, 0, 72, 68, 72 + 512, NVME_TCP_FES_FIELD, 3, 0, 0 },
	{ "capsule, data at 0", 0, 4, 0, 72, 0, 72 + 512, NVME_TCP_FES_FIELD, 3, 0, 0 },
	{ "capsule, odd data offset", 0, 4, 0, 72, 73, 72 + 512, NVME_TCP_FES_FIELD, 3, 0, 0 },
	{ "capsule, data behind the end", 0, 4, 0, 72, 128, 100, NVME_TCP_FES_FIELD, 3, 0, 0 },
	{ "capsule, padding only", 0, 4, 0, 72, 128, 128, NVME_TCP_FES_FIELD, 4, 0, 0 },
	{ "capsule, wrong header length", 0, 4, 0, 64, 0, 72, NVME_TCP_FES_FIELD, 2, 0, 0 },
	{ "capsule, shorter than its header", 0, 4, 0, 72, 0, 71, NVME_TCP_FES_FIELD, 4, 0, 0 },
	{ "capsule, length 0", 0, 4, 0, 72, 0, 0, NVME_TCP_FES_FIELD, 4, 0, 0 },
	{ "capsule, header digest", H, 4, 1, 72, 0, 76, 0, 0, 0, 0 },
	{ "capsule, header digest missing", H, 4, 0, 72, 0, 72, NVME_TCP_FES_FIELD, 1, 0, 0 },
	{ "capsule, header digest not negotiated", 0, 4, 1, 72, 0, 76, NVME_TCP_FES_FIELD, 1, 0, 0 },
	{ "capsule, header digest cut off", H, 4, 1, 72, 0, 75, NVME_TCP_FES_FIELD, 4, 0, 0 },
	{ "capsule, both digests", H | D, 4, 3, 72, 76, 76 + 512 + 4, 0, 0, 512, 0 },
	{ "capsule, data over its digest", H, 4, 1, 72, 72, 76 + 512, NVME_TCP_FES_FIELD, 3, 0, 0 },
	{ "capsule, data digest", D, 4, 2, 72, 72, 72 + 512 + 4, 0, 0, 512, 0 },
	{ "capsule, data digest flag without data", D, 4, 2, 72, 0, 72, 0, 0, 0, 0 },
	{ "capsule, data digest missing", D, 4, 0, 72, 72, 72 + 512, NVME_TCP_FES_FIELD, 1, 0, 0 },
	{ "capsule, data digest not negotiated", 0, 4, 2, 72, 72, 72 + 512, NVME_TCP_FES_FIELD, 1, 0, 0 },
	{ "capsule, nothing but the data digest", D, 4, 2, 72, 72, 76, NVME_TCP_FES_FIELD, 4, 0, 0 },
	{ "data", 0, 6, 4, 24, 24, 24 + 512, 0, 0, 512, 0 },
	{ "data, as much as MAXH2CDATA", 0, 6, 0, 24, 24, 24 + NVMF_MAX_H2C_BYTES, 0, 0, NVMF_MAX_H2C_BYTES, 0 },
	{ "data, more than MAXH2CDATA", 0, 6, 0, 24, 24, 25 + NVMF_MAX_H2C_BYTES, NVME_TCP_FES_LIMIT, 0, 0, 0 },
	{ "data without data", 0, 6, 4, 24, 24, 24, NVME_TCP_FES_FIELD, 4, 0, 0 },
	{ "data, both digests and padding", H | D, 6, 7, 24, 32, 32 + 8 + 4, 0, 0, 8, 4 },
};

static void headers(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		uint8_t header[NVMF_HEADER_MAX_BYTES + 4] = { cases[i].type, cases[i].flags, cases[i].hlen, cases[i].pdo };
		const struct nvmf_pdu_limits limits = {
			.connected = !(cases[i].state & OPEN), .header_digest = cases[i].state & H, .data_digest = cases[i].state & D,
		};
		struct nvmf_pdu pdu;
		nvmf_put32(header + 4, cases[i].plen);
		bool ok = nvmf_pdu_begin(header, &limits, &pdu);
		if (ok != !cases[i].fault || pdu.fault != cases[i].fault || pdu.info != cases[i].info ||
		    (ok && (pdu.data_bytes != cases[i].data_bytes || pdu.pad_bytes != cases[i].pad_bytes)))
			fail_msg("%s: fault %u at %u, data %u after %u", cases[i].name, pdu.fault, pdu.info, pdu.data_bytes, pdu.pad_bytes);
		assert_true(ok || pdu.why);
	}
}

static const struct {
	const char *name;
	unsigned at;
	uint8_t value;
	uint16_t fault;
	uint32_t info;
} greetings[] = {
	{ "nothing asked", 127, 0, 0, 0 },
	{ "version 1", 8, 1, NVME_TCP_FES_UNSUPPORTED, 8 },
	{ "version 256", 9, 1, NVME_TCP_FES_UNSUPPORTED, 8 },
	{ "largest alignment", 10, 31, 0, 0 },
	{ "alignment too large", 10, 32, NVME_TCP_FES_FIELD, 10 },
	{ "both digests", 11, 3, 0, 0 },
	{ "an unknown digest", 11, 4, NVME_TCP_FES_FIELD, 11 },
	{ "reserved bytes count for nothing", 100, 7, 0, 0 },
};
static void ic(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(greetings); i++) {
		uint8_t header[128] = { NVME_TCP_IC_REQ, 0, 128, 0, 128 };
		const struct nvmf_pdu_limits limits = { 0 };
		struct nvmf_pdu pdu;
		header[greetings[i].at] = greetings[i].value;
		bool ok = nvmf_pdu_parse(header, &limits, &pdu);
		if (ok != !greetings[i].fault || pdu.fault != greetings[i].fault || pdu.info != greetings[i].info)
			fail_msg("%s: fault %u at %u", greetings[i].name, pdu.fault, pdu.info);
	}
}

static void digest(void **state)
{
	uint8_t header[76] = { NVME_TCP_CMD, NVME_TCP_HDGST, 72, 0, 76 };
	const struct nvmf_pdu_limits limits = { .connected = true, .header_digest = true };
	struct nvmf_pdu pdu;

	(void)state;
	nvmf_put32(header + 72, crc32c(0, header, 72));
	assert_true(nvmf_pdu_parse(header, &limits, &pdu));
	header[40] ^= 1;
	assert_false(nvmf_pdu_parse(header, &limits, &pdu));
	assert_int_equal(pdu.fault, NVME_TCP_FES_HDGST);
	assert_int_equal(pdu.info, nvmf_get32(header + 72));
}

static void data_length(void **state)
{
	uint8_t header[24] = { NVME_TCP_H2C_DATA, NVME_TCP_LAST, 24, 24, 24 + 16 };
	const struct nvmf_pdu_limits limits = { .connected = true };
	struct nvmf_pdu pdu;

	(void)state;
	nvmf_put32(header + 16, 16);
	assert_true(nvmf_pdu_parse(header, &limits, &pdu));
	nvmf_put32(header + 16, 17);
	assert_false(nvmf_pdu_parse(header, &limits, &pdu));
	assert_int_equal(pdu.fault, NVME_TCP_FES_FIELD);
	assert_int_equal(pdu.info, 16);
}

static const struct {
	const char *name;
	uint8_t flags, type;
	uint64_t address;
	uint32_t len, capsule;
	uint16_t status;
	bool in_capsule;
} sgls[] = {
	{ "by R2T", 0x40, 0x5a, 0, 4096, 0, 0, false },
	{ "none", 0x40, 0x5a, 0, 0, 0, 0, false },
	{ "empty", 0x40, 0x00, 0, 0, 0, 0, false },
	{ "in the capsule", 0x40, 0x01, 0, 512, 512, 0, true },
	{ "at an offset", 0x40, 0x01, 512, 512, 1024, 0, true },
	{ "less than the capsule has", 0x40, 0x01, 0, 512, 1024, 0, true },
	{ "more than the capsule has", 0x40, 0x01, 0, 513, 512, NVME_SC_SGL_OFFSET, false },
	{ "behind the capsule", 0x40, 0x01, 1, 512, 512, NVME_SC_SGL_OFFSET, false },
	{ "an offset that wraps", 0x40, 0x01, UINT64_MAX, 2, 512, NVME_SC_SGL_OFFSET, false },
	{ "PRP", 0x00, 0x5a, 0, 512, 0, NVME_SC_INVALID_FIELD, false },
	{ "a metadata segment", 0x80, 0x5a, 0, 512, 0, NVME_SC_INVALID_FIELD, false },
	{ "an address", 0x40, 0x00, 4096, 512, 0, NVME_SC_SGL_TYPE, false },
	{ "a key", 0x40, 0x40, 0, 512, 0, NVME_SC_SGL_TYPE, false },
	{ "a segment", 0x40, 0x21, 0, 16, 16, NVME_SC_SGL_TYPE, false },
};
static void sgl(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(sgls); i++) {
		struct nvme_sqe sqe = { .flags = sgls[i].flags };
		const struct nvme_sgl s = { .address = le64_of(sgls[i].address), .len_bytes = le32_of(sgls[i].len), .type = sgls[i].type };
		struct nvmf_sgl got;
		memcpy(sqe.sgl1, &s, sizeof(s));
		uint16_t status = nvmf_sgl_parse(&sqe, sgls[i].capsule, &got);
		if (status != sgls[i].status || (!status && (got.in_capsule != sgls[i].in_capsule || got.len_bytes != sgls[i].len)))
			fail_msg("%s: status 0x%x", sgls[i].name, status);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(headers), cmocka_unit_test(ic), cmocka_unit_test(digest), cmocka_unit_test(data_length), cmocka_unit_test(sgl),
	};
	return cmocka_run_group_tests_name("nvmf/pdu", tests, NULL, NULL);
}
