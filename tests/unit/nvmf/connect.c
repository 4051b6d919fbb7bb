/* SPDX-License-Identifier: GPL-3.0-or-later */
/* connect.c - what a Connect may not say, and where its answer says the fault is.  NVMe Base 6.3. */
#include "nvmf/connect.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "wire/nvme.h"

#define SUBSYSTEM "nqn.2026-11.com.example:s1"
#define HOST "nqn.2014-08.org.nvmexpress:uuid:11111111-2222-3333-4444-555555555555"
#define PARAM (NVME_SC_CONNECT_PARAM | NVME_STATUS_DNR)

static const struct {
	const char *name;
	uint16_t format, qid, sq_size, cntlid;
	const char *subsystem, *host;
	uint8_t host_id;
	uint16_t status;
	uint32_t info;                   /* IPO, and IATTR at bit 16 */
} cases[] = {
	{ "admin", 0, 0, 31, 0xffff, SUBSYSTEM, HOST, 1, 0, 0 },
	{ "I/O", 0, 1, 127, 1, SUBSYSTEM, HOST, 1, 0, 0 },
	{ "the smallest queue", 0, 1, 1, 1, SUBSYSTEM, HOST, 1, 0, 0 },
	{ "the largest queue", 0, 1, 1023, 1, SUBSYSTEM, HOST, 1, 0, 0 },
	{ "the last queue", 0, 8, 127, 1, SUBSYSTEM, HOST, 1, 0, 0 },
	{ "discovery", 0, 0, 31, 0xffff, NVME_NQN_DISCOVERY, HOST, 1, 0, 0 },
	{ "discovery without a host identifier", 0, 0, 31, 0xffff, NVME_NQN_DISCOVERY, HOST, 0, 0, 0 },
	{ "format 1", 1, 0, 31, 0xffff, SUBSYSTEM, HOST, 1, NVME_SC_CONNECT_FORMAT | NVME_STATUS_DNR, 0 },
	{ "a queue of one", 0, 1, 0, 1, SUBSYSTEM, HOST, 1, PARAM, 44 },
	{ "a queue too large", 0, 1, 1024, 1, SUBSYSTEM, HOST, 1, PARAM, 44 },
	{ "the largest number", 0, 1, 0xffff, 1, SUBSYSTEM, HOST, 1, PARAM, 44 },
	{ "too many queues", 0, 9, 127, 1, SUBSYSTEM, HOST, 1, PARAM, 42 },
	{ "no subsystem", 0, 0, 31, 0xffff, "", HOST, 1, PARAM, 0x10000 | 256 },
	{ "an IQN", 0, 0, 31, 0xffff, "iqn.2026-11.com.example:s1", HOST, 1, PARAM, 0x10000 | 256 },
	{ "no host", 0, 0, 31, 0xffff, SUBSYSTEM, "", 1, PARAM, 0x10000 | 512 },
	{ "a static controller", 0, 0, 31, 1, SUBSYSTEM, HOST, 1, 0, 0 },
	{ "any static controller", 0, 0, 31, 0xfffe, SUBSYSTEM, HOST, 1, 0, 0 },
	{ "a static controller of discovery", 0, 0, 31, 0xfffe, NVME_NQN_DISCOVERY, HOST, 1, PARAM, 0x10000 | 16 },
	{ "an I/O queue of any controller", 0, 1, 31, 0xffff, SUBSYSTEM, HOST, 1, PARAM, 0x10000 | 16 },
	{ "no host identifier", 0, 0, 31, 0xffff, SUBSYSTEM, HOST, 0, PARAM, 0x10000 | 0 },
	{ "an I/O queue of discovery", 0, 1, 31, 1, NVME_NQN_DISCOVERY, HOST, 1, PARAM, 42 },
};

static void fill(size_t i, struct nvme_fabrics_connect *k, struct nvme_connect_data *d)
{
	*k = (struct nvme_fabrics_connect){
		.format = le16_of(cases[i].format), .qid = le16_of(cases[i].qid), .sq_size = le16_of(cases[i].sq_size),
	};
	*d = (struct nvme_connect_data){ .host_id = { cases[i].host_id }, .cntlid = le16_of(cases[i].cntlid) };
	memcpy(d->subsystem_nqn, cases[i].subsystem, strlen(cases[i].subsystem));
	memcpy(d->host_nqn, cases[i].host, strlen(cases[i].host));
}

static void table(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct nvme_fabrics_connect k;
		struct nvme_connect_data d;
		uint64_t info;
		const char *why = NULL;
		fill(i, &k, &d);
		uint16_t status = nvmf_connect_check(&k, &d, 8, &info, &why);
		if (status != cases[i].status || info != cases[i].info)
			fail_msg("%s: status 0x%x at 0x%llx", cases[i].name, status, (unsigned long long)info);
		assert_true(!status || why);
	}
}

/* Names without an end must not be read beyond their field. */
static void endless(void **state)
{
	struct nvme_fabrics_connect k;
	struct nvme_connect_data d;
	uint64_t info;
	const char *why;

	(void)state;
	fill(0, &k, &d);
	memset(d.host_nqn + strlen(HOST), 'x', sizeof(d.host_nqn) - strlen(HOST));
	memset(d.rsvd768, 'x', sizeof(d.rsvd768));
	assert_int_equal(nvmf_connect_check(&k, &d, 8, &info, &why), PARAM);
	assert_int_equal(info, 0x10000 | 512);
	fill(0, &k, &d);
	memset(d.subsystem_nqn + strlen(SUBSYSTEM), 'x', sizeof(d.subsystem_nqn) - strlen(SUBSYSTEM));
	assert_int_equal(nvmf_connect_check(&k, &d, 8, &info, &why), PARAM);
	assert_int_equal(info, 0x10000 | 256);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(table), cmocka_unit_test(endless) };
	return cmocka_run_group_tests_name("nvmf/connect", tests, NULL, NULL);
}
