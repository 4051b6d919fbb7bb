/* SPDX-License-Identifier: GPL-3.0-or-later */
/* reserve.c - reservations between three hosts, and what each is told. */
#include "rig.h"

static struct rig rig;
static struct volume *volume;
static struct nvme_subsystem *sub;
static struct nvme_ns_map *map;
static struct host host[3];
static uint8_t in[4096], out[4096];

static int setup(void **state)
{
	(void)state;
	rig_start(&rig, 2);
	assert_int_equal(nvme_start(rig.reactor, 2), 0);
	sub = subsystem(false);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	nvme_subsystem_unref(sub);
	nvme_stop();
	rig_stop(&rig);
	return 0;
}

static int open_hosts(void **state)
{
	(void)state;
	volume = rig_volume("ram", 1 << 20, 512);
	map = map_of(volume, 1, false);
	for (unsigned i = 0; i < 3; i++)
		host_open(&host[i], rig.reactor[i % 2], sub, map, (uint8_t)(i + 1));
	return 0;
}

static int close_hosts(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 3; i++)
		host_close(&host[i]);
	nvme_ns_map_unref(map);
	rig_calm(&rig);
	rig_close(volume);
	return 0;
}

static uint16_t resv(unsigned h, uint8_t opcode, uint32_t cdw10, uint64_t crkey, uint64_t key)
{
	struct nvme_resv_keys k = { le64_of(crkey), le64_of(key) };
	struct cmd c = { .opcode = opcode, .nsid = 1, .cdw10 = cdw10, .len = sizeof(k), .out = &k };
	return cmd_do(&host[h], 1, &c);
}
static uint16_t reg(unsigned h, uint32_t action, uint64_t crkey, uint64_t key)
{
	return resv(h, NVME_IO_RESV_REGISTER, action, crkey, key);
}
static uint16_t acquire(unsigned h, uint32_t action, unsigned rtype, uint64_t crkey, uint64_t prkey)
{
	return resv(h, NVME_IO_RESV_ACQUIRE, action | rtype << 8, crkey, prkey);
}
static uint16_t rel(unsigned h, uint32_t action, unsigned rtype, uint64_t crkey)
{
	return resv(h, NVME_IO_RESV_RELEASE, action | rtype << 8, crkey, 0);
}
static uint16_t rw(unsigned h, uint8_t opcode)
{
	struct cmd c = { .opcode = opcode, .nsid = 1, .len = 512, .in = in, .out = out };
	return cmd_do(&host[h], 1, &c);
}
/* The notification that host h finds: type, 0 when none. */
static uint8_t news(unsigned h)
{
	struct cmd c = { .opcode = NVME_ADM_GET_LOG_PAGE, .nsid = NVME_NSID_ALL, .cdw10 = NVME_LOG_RESV | 15 << 16,
			 .len = 64, .in = in };
	rig_calm(&rig);
	assert_int_equal(cmd_do(&host[h], 0, &c), 0);
	return in[8];
}

static void registering(void **state)
{
	static const struct {
		const char *what;
		uint32_t action;
		uint64_t crkey, key;
		uint16_t status;
	} cases[] = {
		{ "unregister before", NVME_RREGA_UNREGISTER, 0, 0, NVME_SC_RESV_CONFLICT },
		{ "replace before", NVME_RREGA_REPLACE, 0, 5, NVME_SC_RESV_CONFLICT },
		{ "key 0", NVME_RREGA_REGISTER, 0, 0, NVME_SC_INVALID_FIELD },
		{ "register", NVME_RREGA_REGISTER, 99, 0xa1, 0 },
		{ "the same again", NVME_RREGA_REGISTER, 0, 0xa1, 0 },
		{ "another key", NVME_RREGA_REGISTER, 0, 0xa2, NVME_SC_RESV_CONFLICT },
		{ "replace, wrong key", NVME_RREGA_REPLACE, 1, 0xa2, NVME_SC_RESV_CONFLICT },
		{ "replace", NVME_RREGA_REPLACE, 0xa1, 0xa2, 0 },
		{ "replace, any key", NVME_RREGA_REPLACE | NVME_RESV_IEKEY, 0, 0xa3, 0 },
		{ "reserved action", 3, 0xa3, 0xa4, NVME_SC_INVALID_FIELD },
		{ "reserved CPTPL", 1u << 30, 0, 0xa3, NVME_SC_INVALID_FIELD },
		{ "unregister, wrong key", NVME_RREGA_UNREGISTER, 1, 0, NVME_SC_RESV_CONFLICT },
		{ "unregister", NVME_RREGA_UNREGISTER, 0xa3, 0, 0 },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		uint16_t s = reg(0, cases[i].action, cases[i].crkey, cases[i].key);
		if (s != cases[i].status)
			fail_msg("%s: %x", cases[i].what, s);
	}
}

/* Host 0 holds, host 1 is registered, host 2 is not: who may read, who may write. */
static void access_rules(void **state)
{
	static const struct {
		unsigned rtype;
		bool read[3], write[3];
	} cases[] = {
		{ 1, { true, true, true }, { true, false, false } }, { 2, { true, false, false }, { true, false, false } },
		{ 3, { true, true, true }, { true, true, false } },  { 4, { true, true, false }, { true, true, false } },
		{ 5, { true, true, true }, { true, true, false } },  { 6, { true, true, false }, { true, true, false } },
	};
	(void)state;
	assert_int_equal(reg(0, 0, 0, 0xa), 0);
	assert_int_equal(reg(1, 0, 0, 0xb), 0);
	assert_int_equal(acquire(2, 0, 1, 0xc, 0), NVME_SC_RESV_CONFLICT);
	assert_int_equal(acquire(0, 0, 7, 0xa, 0), NVME_SC_INVALID_FIELD);
	assert_int_equal(acquire(0, 0, 0, 0xa, 0), NVME_SC_INVALID_FIELD);
	assert_int_equal(acquire(0, NVME_RESV_IEKEY, 1, 0xa, 0), NVME_SC_INVALID_FIELD);
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		assert_int_equal(acquire(0, 0, cases[i].rtype, 0xa, 0), 0);
		assert_int_equal(acquire(0, 0, cases[i].rtype, 0xa, 0), 0);
		for (unsigned h = 0; h < 3; h++)
			if (rw(h, NVME_IO_READ) != (cases[i].read[h] ? 0 : NVME_SC_RESV_CONFLICT) ||
			    rw(h, NVME_IO_WRITE) != (cases[i].write[h] ? 0 : NVME_SC_RESV_CONFLICT))
				fail_msg("type %u host %u", cases[i].rtype, h);
		assert_int_equal(rel(0, 0, cases[i].rtype % 6 + 1, 0xa), NVME_SC_INVALID_FIELD);
		assert_int_equal(rel(0, 0, cases[i].rtype, 0xa), 0);
		assert_int_equal(news(1), cases[i].rtype > 2 ? NVME_RESV_LOG_RELEASED : 0);
		assert_int_equal(news(0), 0);
	}
}

static void preempting(void **state)
{
	struct cmd aer = { .opcode = NVME_ADM_ASYNC_EVENT };
	(void)state;
	assert_int_equal(reg(0, 0, 0, 0xa), 0);
	assert_int_equal(reg(1, 0, 0, 0xb), 0);
	assert_int_equal(reg(2, 0, 0, 0xc), 0);
	assert_int_equal(acquire(0, 0, 1, 0xa, 0), 0);
	cmd_send(&host[0], 0, &aer);
	assert_int_equal(acquire(1, NVME_RACQA_PREEMPT, 1, 0xb, 0x77), NVME_SC_RESV_CONFLICT);
	assert_int_equal(acquire(1, NVME_RACQA_PREEMPT, 1, 0xb, 0), NVME_SC_INVALID_FIELD);
	assert_int_equal(acquire(1, NVME_RACQA_PREEMPT, 1, 0xb, 0xa), 0);
	cmd_wait(&aer);
	assert_int_equal(aer.result, 0x800006);
	assert_int_equal(news(0), NVME_RESV_LOG_REGISTRATION_PREEMPTED);
	assert_int_equal(in[12], 1);
	assert_int_equal(rw(0, NVME_IO_WRITE), NVME_SC_RESV_CONFLICT);
	assert_int_equal(rw(1, NVME_IO_WRITE), 0);
	/* What a host does not want to hear. */
	struct cmd m = { .opcode = NVME_ADM_SET_FEATURES, .nsid = NVME_NSID_ALL, .cdw10 = NVME_FEAT_RESV_MASK, .cdw11 = 8 };
	assert_int_equal(cmd_do(&host[2], 0, &m), 0);
	assert_int_equal(rel(1, NVME_RRELA_CLEAR, 0, 0xb), 0);
	assert_int_equal(news(2), 0);
	assert_int_equal(rw(0, NVME_IO_WRITE), 0);
}

static void report(void **state)
{
	(void)state;
	assert_int_equal(reg(0, 0, 0, 0xa), 0);
	assert_int_equal(reg(1, 0, 0, 0xb), 0);
	assert_int_equal(acquire(1, 0, 3, 0xb, 0), 0);
	struct cmd c = { .opcode = NVME_IO_RESV_REPORT, .nsid = 1, .cdw10 = 1023, .cdw11 = 1, .len = 4096, .in = in };
	assert_int_equal(cmd_do(&host[2], 1, &c), 0);
	struct nvme_resv_status s;
	struct nvme_resv_registrant r[2];
	memcpy(&s, in, sizeof(s));
	memcpy(r, in + sizeof(s), sizeof(r));
	assert_int_equal(le32_get(s.generation), 2);
	assert_int_equal(s.rtype, 3);
	assert_int_equal(le16_get(s.registrant_count), 2);
	for (unsigned i = 0; i < 2; i++) {
		assert_memory_equal(r[i].host_id, host[i].spec.host_id, 16);
		assert_int_equal(le64_get(r[i].rkey), 0xa + i);
		assert_int_equal(r[i].rcsts, i);
		assert_int_equal(le16_get(r[i].cntlid), nvme_ctrl_id(host[i].c));
	}
	struct cmd shorter = { .opcode = NVME_IO_RESV_REPORT, .nsid = 1, .cdw10 = 17, .cdw11 = 1, .len = 72, .in = in };
	assert_int_equal(cmd_do(&host[2], 1, &shorter), 0);
	assert_int_equal(shorter.in_len, 72);
	struct cmd old = { .opcode = NVME_IO_RESV_REPORT, .nsid = 1, .cdw10 = 1023, .len = 4096, .in = in };
	assert_int_equal(cmd_do(&host[2], 1, &old), NVME_SC_HOSTID_FORMAT);
}

/* Half a fused pair needs read access, the other write access. */
static void fused_conflict(void **state)
{
	(void)state;
	assert_int_equal(reg(0, 0, 0, 0xa), 0);
	assert_int_equal(acquire(0, 0, 1, 0xa, 0), 0);
	struct cmd c = { .opcode = NVME_IO_COMPARE, .fuse = 1, .nsid = 1, .len = 512, .out = out };
	struct cmd w = { .opcode = NVME_IO_WRITE, .fuse = 2, .nsid = 1, .len = 512, .out = out };
	cmd_send(&host[1], 1, &c);
	cmd_send(&host[1], 1, &w);
	cmd_wait(&c);
	cmd_wait(&w);
	assert_int_equal(c.status, NVME_SC_FUSED_FAILED);
	assert_int_equal(w.status, NVME_SC_RESV_CONFLICT);
}

int main(void)
{
#define WITH_HOSTS(f) cmocka_unit_test_setup_teardown(f, open_hosts, close_hosts)
	const struct CMUnitTest tests[] = {
		WITH_HOSTS(registering), WITH_HOSTS(access_rules), WITH_HOSTS(preempting), WITH_HOSTS(report),
		WITH_HOSTS(fused_conflict),
	};
	return cmocka_run_group_tests_name("nvme reservations", tests, setup, teardown);
}
