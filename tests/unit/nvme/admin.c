/* SPDX-License-Identifier: GPL-3.0-or-later */
/* admin.c - a controller's life and its admin commands: properties, Identify, log pages, features, events. */
#include "rig.h"

static struct rig rig;
static struct volume *volume, *big;
static struct nvme_subsystem *sub;
static struct nvme_ns_map *map;
static struct host host;
static uint8_t in[1 << 20];

static int setup(void **state)
{
	(void)state;
	rig_start(&rig, 2);
	assert_int_equal(nvme_start(rig.reactor, 2), 0);
	volume = rig_volume("ram", 8 << 20, 512);
	big = rig_volume("ram", 16 << 20, 4096);
	sub = subsystem(false);
	struct nvme_ns_entry e[] = { { .nsid = 300, .ana_group = 2, .volume = big },
				     { .nsid = 5, .ana_group = 1, .volume = volume } };
	assert_int_equal(nvme_ns_map_new(e, 2, &map), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	nvme_ns_map_unref(map);
	nvme_subsystem_unref(sub);
	rig_calm(&rig);
	nvme_stop();
	rig_close(volume);
	rig_close(big);
	rig_stop(&rig);
	return 0;
}

static int open_host(void **state)
{
	(void)state;
	host_open(&host, rig.reactor[0], sub, map, 1);
	return 0;
}

static int close_host(void **state)
{
	(void)state;
	host_close(&host);
	return 0;
}

static uint16_t identify(uint8_t cns, uint32_t nsid)
{
	struct cmd c = { .opcode = NVME_ADM_IDENTIFY, .nsid = nsid, .cdw10 = cns, .len = 4096, .in = in };
	memset(in, 0xee, 4096);
	uint16_t r = cmd_do(&host, 0, &c);
	assert_int_equal(c.in_len, r ? 0 : 4096);
	return r;
}

static uint16_t log_page(uint8_t lid, uint32_t bytes, uint64_t offset, bool retain)
{
	struct cmd c = { .opcode = NVME_ADM_GET_LOG_PAGE, .nsid = NVME_NSID_ALL,
			 .cdw10 = lid | (bytes / 4 - 1) << 16 | (retain ? 1u << 15 : 0), .cdw11 = (bytes / 4 - 1) >> 16,
			 .cdw12 = (uint32_t)offset, .cdw13 = (uint32_t)(offset >> 32), .len = bytes, .in = in };
	memset(in, 0xee, bytes);
	return cmd_do(&host, 0, &c);
}

static uint16_t feature(uint8_t id, unsigned select, uint32_t cdw11, uint64_t *ret)
{
	struct cmd c = { .opcode = NVME_ADM_GET_FEATURES, .cdw10 = id | select << 8, .cdw11 = cdw11, .len = 512, .in = in };
	uint16_t r = cmd_do(&host, 0, &c);
	*ret = c.result;
	return r;
}

static uint16_t set_feature(uint8_t id, uint32_t nsid, uint32_t cdw11)
{
	struct cmd c = { .opcode = NVME_ADM_SET_FEATURES, .nsid = nsid, .cdw10 = id, .cdw11 = cdw11 };
	return cmd_do(&host, 0, &c);
}

/* ---- properties ------------------------------------------------------------------------------------------------- */
static uint64_t value;
static uint32_t offset;
static bool eight;
static int get_property(void *arg)
{
	(void)arg;
	return nvme_property_get(host.c, offset, eight, &value);
}

static uint64_t property(uint32_t at, bool eight_bytes)
{
	offset = at;
	eight = eight_bytes;
	assert_int_equal(reactor_call(rig.reactor[0], get_property, NULL), 0);
	return value;
}

static void enabling(void **state)
{
	(void)state;
	host_connect(&host, rig.reactor[0], sub, map, 1);
	uint64_t cap = property(NVME_REG_CAP, true);
	assert_int_equal(cap & 0xffff, 127);
	assert_true(cap & NVME_CAP_CQR && cap & NVME_CAP_CSS_NVM);
	assert_int_equal(property(NVME_REG_VS, false), NVME_VS_2_1);
	assert_int_equal(property(NVME_REG_CSTS, false), 0);
	assert_int_equal(identify(NVME_CNS_CTRL, 0), NVME_SC_SEQUENCE);
	assert_int_equal(host_queue(&host, rig.reactor[1], 1), -ESHUTDOWN);
	host_set_cc(&host, NVME_CC_EN);                          /* no entry sizes */
	assert_int_equal(property(NVME_REG_CSTS, false), NVME_CSTS_CFS);
	host_set_cc(&host, 0);
	assert_int_equal(property(NVME_REG_CSTS, false), 0);
	host_set_cc(&host, CC_ON | NVME_CC_CSS_ALL);
	assert_int_equal(property(NVME_REG_CSTS, false), NVME_CSTS_RDY);
	assert_int_equal(identify(NVME_CNS_CTRL, 0), 0);
	assert_int_equal(host_queue(&host, rig.reactor[1], 1), 0);
	assert_int_equal(host_queue(&host, rig.reactor[1], 5), -EINVAL);
	struct nvme_queue *q = host.q[1];
	assert_int_equal(host_queue(&host, rig.reactor[0], 1), -EBUSY);
	host.q[1] = q;
	host.on[1] = rig.reactor[1];
	host_drop_queue(&host, 1);
	assert_int_equal(host_queue(&host, rig.reactor[0], 1), 0);       /* its id is free at once */
	unsigned before = host.resets;
	host_set_cc(&host, CC_ON | 1 << 14);
	assert_int_equal(property(NVME_REG_CSTS, false), NVME_CSTS_RDY | NVME_CSTS_SHST_DONE);
	host_set_cc(&host, 0);
	assert_int_equal(host.resets, before + 2);
	host_close(&host);
}

static void ids(void **state)
{
	static struct host a, b;
	(void)state;
	host_connect(&a, rig.reactor[0], sub, map, 1);
	host_connect(&b, rig.reactor[1], sub, map, 2);
	uint16_t id = nvme_ctrl_id(b.c);
	assert_int_not_equal(nvme_ctrl_id(a.c), id);
	static const uint8_t right[16] = { 2, 0x55 }, wrong[16] = { 3, 0x55 };
	struct nvme_ctrl *c = nvme_ctrl_find(sub, id, "nqn.2026-11.test:host", right);
	assert_ptr_equal(c, b.c);
	nvme_ctrl_unref(c);
	assert_null(nvme_ctrl_find(sub, id, "nqn.2026-11.test:host", wrong));
	assert_null(nvme_ctrl_find(sub, id, "nqn.2026-11.test:other", right));
	host_close(&b);
	assert_null(nvme_ctrl_find(sub, id, "nqn.2026-11.test:host", right));
	host_close(&a);
}

static void keep_alive(void **state)
{
	(void)state;
	host_connect(&host, rig.reactor[0], sub, map, 1);
	host_set_cc(&host, CC_ON);
	assert_int_equal(set_feature(NVME_FEAT_KEEP_ALIVE, 0, 150), 0);
	uint64_t v;
	assert_int_equal(feature(NVME_FEAT_KEEP_ALIVE, 0, 0, &v), 0);
	assert_int_equal(v, 200);                                /* granularity 100 ms */
	for (unsigned i = 0; i < 6; i++) {
		usleep(100000);
		struct cmd k = { .opcode = NVME_ADM_KEEP_ALIVE };
		assert_int_equal(cmd_do(&host, 0, &k), 0);
	}
	assert_int_equal(host.deaths, 0);
	for (unsigned i = 0; i < 300 && !host.deaths; i++)
		usleep(10000);
	assert_int_equal(host.deaths, 1);
	host_close(&host);
}

/* ---- Identify ------------------------------------------------------------------------------------------------------- */
static void identify_ctrl(void **state)
{
	struct nvme_id_ctrl d;
	(void)state;
	assert_int_equal(identify(NVME_CNS_CTRL, 0), 0);
	memcpy(&d, in, sizeof(d));
	assert_memory_equal(d.sn, "0123456789abcdef0123", 20);
	assert_memory_equal(d.mn, "Holdfast                                ", 40);
	assert_int_equal(d.mdts, 8);                             /* 1 MiB */
	assert_int_equal(le16_get(d.fuses), 1);
	assert_int_equal(le16_get(d.oncs) & 0x1fd, 0x1fd);
	assert_int_equal(le32_get(d.ioccsz), (64 + 8192) / 16);
	assert_int_equal(d.cmic, 0x0b);
	assert_true(le16_get(d.kas) > 0);
	assert_int_equal(d.sqes, 0x66);
	assert_string_equal(d.subnqn, "nqn.2026-11.test:disk");
	assert_int_equal(identify(NVME_CNS_CSI_CTRL, 0), 0);
	assert_int_equal(in[1], 14);
	assert_int_equal(identify(NVME_CNS_CTRLS, 0), 0);
	assert_int_equal(in[0], 1);
	assert_int_equal(in[2] | in[3] << 8, nvme_ctrl_id(host.c));
	assert_int_equal(identify(NVME_CNS_COMMAND_SETS, 0), NVME_SC_INVALID_FIELD);     /* for controller 0 */
	struct cmd c = { .opcode = NVME_ADM_IDENTIFY, .cdw10 = 0xffff001c, .len = 4096, .in = in };
	assert_int_equal(cmd_do(&host, 0, &c), 0);
	assert_int_equal(in[0], 1);
	assert_int_equal(identify(0x7f, 0), NVME_SC_INVALID_FIELD);
}

static void identify_ns(void **state)
{
	struct nvme_id_ns d;
	static const uint8_t none[8];
	(void)state;
	assert_int_equal(identify(NVME_CNS_NS, 5), 0);
	memcpy(&d, in, sizeof(d));
	assert_int_equal(le64_get(d.nsze), 16384);
	assert_int_equal(d.lbaf[0].lbads, 9);
	assert_int_equal(d.nmic, 1);
	assert_memory_equal(d.nguid, volume_uuid(volume), 16);
	assert_memory_equal(d.eui64, none, 8);
	assert_int_equal(le32_get(d.anagrpid), 1);
	assert_int_equal(d.rescap, 0xff);
	assert_int_equal(identify(NVME_CNS_NS, 300), 0);
	assert_int_equal(in[130], 12);
	assert_int_equal(get64(in), 4096);
	assert_int_equal(identify(NVME_CNS_NS, 6), 0);           /* inactive: zeroes */
	assert_int_equal(get64(in), 0);
	assert_int_equal(identify(NVME_CNS_NS, 0), NVME_SC_INVALID_NAMESPACE);
	assert_int_equal(identify(NVME_CNS_NS, NVME_NSID_MAX + 1), NVME_SC_INVALID_NAMESPACE);
	assert_int_equal(identify(NVME_CNS_NS, NVME_NSID_ALL), NVME_SC_INVALID_NAMESPACE);       /* no namespace management */
	assert_int_equal(identify(NVME_CNS_DESC, 5), 0);
	assert_int_equal(in[0], NVME_NIDT_NGUID);
	assert_memory_equal(in + 4, volume_uuid(volume), 16);
	assert_int_equal(in[20], NVME_NIDT_UUID);
	assert_int_equal(in[40], NVME_NIDT_CSI);
	assert_int_equal(identify(NVME_CNS_DESC, 6), NVME_SC_INVALID_NAMESPACE);
	assert_int_equal(identify(NVME_CNS_NS_INDEPENDENT, 300), 0);
	assert_int_equal(get32(in + 4), 2);
	assert_int_equal(in[14], NVME_NSTAT_READY);
}

static void identify_lists(void **state)
{
	static const struct {
		uint8_t cns;
		uint32_t after, first, second;
		uint16_t status;
	} cases[] = {
		{ NVME_CNS_ACTIVE, 0, 5, 300, 0 }, { NVME_CNS_ACTIVE, 5, 300, 0, 0 }, { NVME_CNS_ACTIVE, 300, 0, 0, 0 },
		{ NVME_CNS_CSI_ACTIVE, 4, 5, 300, 0 }, { NVME_CNS_ALLOCATED, 6, 300, 0, 0 },
		{ NVME_CNS_ACTIVE, 0xfffffffe, 0, 0, NVME_SC_INVALID_NAMESPACE },
		{ NVME_CNS_ACTIVE, 0xffffffff, 0, 0, NVME_SC_INVALID_NAMESPACE },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		assert_int_equal(identify(cases[i].cns, cases[i].after), cases[i].status);
		if (!cases[i].status) {
			assert_int_equal(get32(in), cases[i].first);
			assert_int_equal(get32(in + 4), cases[i].second);
		}
	}
}

/* ---- log pages -------------------------------------------------------------------------------------------------------- */
static void logs(void **state)
{
	(void)state;
	assert_int_equal(log_page(NVME_LOG_SUPPORTED, 1024, 0, false), 0);
	for (unsigned lid = 0; lid < 256; lid++) {
		uint8_t supported[1024];
		memcpy(supported, in, sizeof(supported));
		if (lid == NVME_LOG_RESV)
			continue;
		assert_int_equal(log_page((uint8_t)lid, 4, 0, true), get32(supported + 4 * lid) & 1 ? 0 : NVME_SC_LOG_PAGE);
		memcpy(in, supported, sizeof(supported));
	}
	assert_int_equal(log_page(NVME_LOG_HEALTH, 512, 0, false), 0);
	assert_int_equal(in[0], 0);
	assert_int_equal(log_page(NVME_LOG_FIRMWARE, 512, 0, false), 0);
	assert_int_equal(in[0], 1);
	assert_int_equal(log_page(NVME_LOG_EFFECTS, 4096, 0, false), 0);
	assert_int_equal(get32(in + 4 * NVME_ADM_IDENTIFY) & 1, 1);
	assert_int_equal(get32(in + 1024 + 4 * NVME_IO_WRITE) & 3, 3);
	assert_int_equal(get32(in + 1024 + 4 * NVME_IO_WRITE_UNCORRECTABLE), 0);
	/* The same page through a window. */
	uint8_t whole[4096];
	memcpy(whole, in, sizeof(whole));
	assert_int_equal(log_page(NVME_LOG_EFFECTS, 100, 1020, false), 0);
	assert_memory_equal(in, whole + 1020, 100);
	assert_int_equal(log_page(NVME_LOG_EFFECTS, 100, 4090, false), NVME_SC_INVALID_FIELD);   /* not aligned */
	assert_int_equal(log_page(NVME_LOG_EFFECTS, 100, 4100, false), NVME_SC_INVALID_FIELD);   /* behind the end */
	assert_int_equal(log_page(NVME_LOG_ANA, 128, 0, false), 0);
	assert_int_equal(in[8], 2);
	assert_int_equal(get32(in + 16), 1);
	assert_int_equal(in[32], 1);
	assert_int_equal(get32(in + 48), 5);
	assert_int_equal(get32(in + 52), 2);
	assert_int_equal(log_page(NVME_LOG_FEATURES, 1024, 0, false), 0);
	assert_true(get32(in + 4 * NVME_FEAT_QUEUES) & 1);
	assert_int_equal(log_page(NVME_LOG_DISCOVERY, 1024, 0, false), NVME_SC_LOG_PAGE);
}

static void errors(void **state)
{
	(void)state;
	struct cmd r = { .opcode = NVME_IO_READ, .nsid = 5, .cdw10 = 99999, .cdw12 = 0, .len = 512, .cid = 0x1234 };
	assert_int_equal(cmd_do(&host, 1, &r), NVME_SC_LBA_RANGE);
	assert_true(r.full & NVME_STATUS_MORE);
	struct cmd s = { .opcode = NVME_ADM_SET_FEATURES, .cdw10 = 0x77 };
	assert_int_equal(cmd_do(&host, 0, &s), NVME_SC_INVALID_FIELD);
	assert_int_equal(log_page(NVME_LOG_ERROR, 192, 0, false), 0);
	struct nvme_error_entry e[3];
	memcpy(e, in, sizeof(e));
	assert_int_equal(le64_get(e[0].count), 2);
	assert_int_equal(le16_get(e[0].sqid), 0);
	assert_int_equal(le16_get(e[0].param_location), 40);     /* CDW10 */
	assert_int_equal(le64_get(e[1].count), 1);
	assert_int_equal(le16_get(e[1].cid), 0x1234);
	assert_int_equal(le64_get(e[1].lba), 99999);
	assert_int_equal(le16_get(e[1].status), r.full << 1);
	assert_int_equal(le64_get(e[2].count), 0);
}

/* ---- features ----------------------------------------------------------------------------------------------------------- */
static void features(void **state)
{
	static const struct {
		const char *what;
		uint8_t id;
		uint32_t nsid, cdw11;
		uint16_t status;
	} sets[] = {
		{ "arbitration", NVME_FEAT_ARBITRATION, 0, 3, 0 },
		{ "power state 0", NVME_FEAT_POWER, 0, 0, 0 },
		{ "power state 1", NVME_FEAT_POWER, 0, 1, NVME_SC_INVALID_FIELD },
		{ "65536 queues", NVME_FEAT_QUEUES, 0, 0xffff, NVME_SC_INVALID_FIELD },
		{ "queues when there are some", NVME_FEAT_QUEUES, 0, 0x00010001, NVME_SC_SEQUENCE },
		{ "host identifier", NVME_FEAT_HOST_ID, 0, 1, NVME_SC_SEQUENCE },
		{ "unknown", 0xc0, 0, 0, NVME_SC_INVALID_FIELD },
		{ "of a namespace", NVME_FEAT_ARBITRATION, 5, 3, NVME_SC_FEATURE_NOT_PER_NS },
		{ "reservation mask", NVME_FEAT_RESV_MASK, 5, 2, 0 },
		{ "reservation mask of none", NVME_FEAT_RESV_MASK, 6, 2, NVME_SC_INVALID_NAMESPACE },
		{ "persistence as it is", NVME_FEAT_RESV_PERSIST, 5, 0, 0 },
		{ "persistence that nobody can keep", NVME_FEAT_RESV_PERSIST, 5, 1, NVME_SC_INTERNAL },
	};
	uint64_t v;
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(sets); i++) {
		uint16_t s = set_feature(sets[i].id, sets[i].nsid, sets[i].cdw11);
		if (s != sets[i].status)
			fail_msg("%s: %x", sets[i].what, s);
	}
	assert_int_equal(feature(NVME_FEAT_ARBITRATION, 0, 0, &v), 0);
	assert_int_equal(v, 3);
	assert_int_equal(feature(NVME_FEAT_ARBITRATION, 1, 0, &v), 0);
	assert_int_equal(v, 7);
	assert_int_equal(feature(NVME_FEAT_ARBITRATION, 3, 0, &v), 0);
	assert_int_equal(v, 4);
	assert_int_equal(feature(NVME_FEAT_HOST_ID, 0, 1, &v), 0);
	assert_memory_equal(in, host.spec.host_id, 16);
	assert_int_equal(feature(NVME_FEAT_HOST_ID, 0, 0, &v), NVME_SC_INVALID_FIELD);
	struct cmd save = { .opcode = NVME_ADM_SET_FEATURES, .cdw10 = NVME_FEAT_ARBITRATION | 1u << 31 };
	assert_int_equal(cmd_do(&host, 0, &save), NVME_SC_FEATURE_NOT_SAVEABLE);
	le64 stamp = le64_of(0x123456789a);
	struct cmd t = { .opcode = NVME_ADM_SET_FEATURES, .cdw10 = NVME_FEAT_TIMESTAMP, .len = 8, .out = &stamp };
	assert_int_equal(cmd_do(&host, 0, &t), 0);
	assert_int_equal(feature(NVME_FEAT_TIMESTAMP, 0, 0, &v), 0);
	assert_in_range(get64(in) & 0xffffffffffff, 0x123456789a, 0x123456789a + 5000);
	assert_int_equal(in[6], 2);
	host_drop_queue(&host, 1);
	assert_int_equal(set_feature(NVME_FEAT_QUEUES, 0, 0x00010002), 0);
	assert_int_equal(nvme_ctrl_queue_limit(host.c), 2);
	assert_int_equal(host_queue(&host, rig.reactor[0], 3), -EINVAL);
}

/* ---- events ---------------------------------------------------------------------------------------------------------------- */
static void events(void **state)
{
	struct cmd a[5];
	(void)state;
	memset(a, 0, sizeof(a));
	for (unsigned i = 0; i < 5; i++) {
		a[i].opcode = NVME_ADM_ASYNC_EVENT;
		cmd_send(&host, 0, &a[i]);
	}
	cmd_wait(&a[4]);
	assert_int_equal(a[4].status, NVME_SC_AER_LIMIT);
	char why[128];
	assert_int_equal(volume_resize(volume, 10 << 20, why, sizeof(why)), 0);
	rig_calm(&rig);
	assert_false(cmd_is_over(&a[0], 5));                     /* nobody asked for it yet */
	assert_int_equal(set_feature(NVME_FEAT_ASYNC_EVENT, 0, NVME_OAES_NS | NVME_OAES_ANA), 0);
	assert_int_equal(volume_resize(volume, 12 << 20, why, sizeof(why)), 0);
	cmd_wait(&a[0]);
	assert_int_equal(a[0].result, 0x040002);
	struct nvme_ns_map *less = map_of(volume, 5, true);
	host_set_map(&host, less);
	rig_calm(&rig);
	assert_false(cmd_is_over(&a[1], 5));                     /* until the list has been read */
	assert_int_equal(log_page(NVME_LOG_NS_CHANGED, 4096, 0, true), 0);
	assert_false(cmd_is_over(&a[1], 5));
	assert_int_equal(log_page(NVME_LOG_NS_CHANGED, 4096, 0, false), 0);
	assert_int_equal(get32(in), 5);
	assert_int_equal(get32(in + 4), 300);
	assert_int_equal(get32(in + 8), 0);
	cmd_wait(&a[1]);
	assert_int_equal(log_page(NVME_LOG_NS_CHANGED, 4096, 0, false), 0);
	assert_int_equal(get32(in), 0);
	assert_int_equal(identify(NVME_CNS_NS, 5), 0);
	assert_int_equal(get64(in), (12 << 20) / 512);
	assert_int_equal(in[99], 1);                             /* write protected */
	host_set_map(&host, map);
	nvme_ns_map_unref(less);
	cmd_wait(&a[2]);
	/* Abort takes one back, and says when there is nothing to take. */
	struct cmd b = { .opcode = NVME_ADM_ABORT, .cdw10 = (uint32_t)a[3].cid << 16 };
	assert_int_equal(cmd_do(&host, 0, &b), 0);
	assert_int_equal(b.result, 0);
	cmd_wait(&a[3]);
	assert_int_equal(a[3].status, NVME_SC_ABORT_REQUESTED);
	struct cmd n = { .opcode = NVME_ADM_ABORT, .cdw10 = 0x77770001 };
	assert_int_equal(cmd_do(&host, 0, &n), 0);
	assert_int_equal(n.result, 1);
	struct cmd q = { .opcode = NVME_ADM_ABORT, .cdw10 = 3 };
	assert_int_equal(cmd_do(&host, 0, &q), NVME_SC_INVALID_FIELD);
	struct cmd last = { .opcode = NVME_ADM_ASYNC_EVENT };
	cmd_send(&host, 0, &last);
	host_close(&host);
	cmd_wait(&last);
	assert_true(last.aborted);
	host_open(&host, rig.reactor[0], sub, map, 1);
}

/* ---- discovery --------------------------------------------------------------------------------------------------------------- */
static int discovery_log(void *arg, const char *host_nqn, void *portal, bool port_local, uint8_t **ret_log, size_t *ret_bytes)
{
	assert_string_equal(host_nqn, "nqn.2026-11.test:host");
	assert_ptr_equal(portal, NULL);
	assert_false(port_local);
	(void)arg;
	*ret_bytes = 2048;
	*ret_log = calloc(1, *ret_bytes);
	(*ret_log)[0] = 9;
	(*ret_log)[2047] = 8;
	return 0;
}

static void discovery(void **state)
{
	struct nvme_subsystem *d = subsystem(true);
	struct nvme_discovery_source src = { .log = discovery_log };
	(void)state;
	nvme_set_discovery_source(&src);
	host_connect(&host, rig.reactor[0], d, NULL, 1);
	host_set_cc(&host, NVME_CC_EN);
	assert_int_equal(identify(NVME_CNS_CTRL, 0), 0);
	assert_int_equal(in[111], NVME_CNTRLTYPE_DISCOVERY);
	assert_int_equal(identify(NVME_CNS_NS, 1), NVME_SC_INVALID_FIELD);
	assert_int_equal(log_page(NVME_LOG_DISCOVERY, 1024, 1024, false), 0);
	assert_int_equal(in[1023], 8);
	assert_int_equal(log_page(NVME_LOG_HEALTH, 512, 0, false), NVME_SC_LOG_PAGE);
	assert_int_equal(set_feature(NVME_FEAT_ARBITRATION, 0, 0), NVME_SC_INVALID_FIELD);
	assert_int_equal(set_feature(NVME_FEAT_ASYNC_EVENT, 0, 1u << 31), 0);
	struct cmd b = { .opcode = NVME_ADM_ABORT };
	assert_int_equal(cmd_do(&host, 0, &b), NVME_SC_INVALID_OPCODE);
	assert_int_equal(host_queue(&host, rig.reactor[0], 1), -EINVAL);
	host_close(&host);
	nvme_set_discovery_source(NULL);
	nvme_subsystem_unref(d);
}

int main(void)
{
#define WITH_HOST(f) cmocka_unit_test_setup_teardown(f, open_host, close_host)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(enabling), cmocka_unit_test(ids), cmocka_unit_test(keep_alive),
		WITH_HOST(identify_ctrl), WITH_HOST(identify_ns), WITH_HOST(identify_lists), WITH_HOST(logs),
		WITH_HOST(errors), WITH_HOST(features), WITH_HOST(events), cmocka_unit_test(discovery),
	};
	return cmocka_run_group_tests_name("nvme admin", tests, setup, teardown);
}
