/* SPDX-License-Identifier: GPL-3.0-or-later */
/* both.c - one volume, two NVMe hosts and a SCSI initiator: reservations of either bind and tell the other
 * (SPC-4 5.13.11, Base 2.1 8.1.22), and who is fenced writes no more. */
#include "initiator.h"
#include "rig.h"

#define CONFLICT 0x18000000u
#define PROUT_REGISTER 0u
#define PROUT_RESERVE 1u
#define PROUT_RELEASE 2u
#define PROUT_CLEAR 3u
#define PROUT_PREEMPT 4u
#define PROUT_PREEMPT_ABORT 5u

static struct rig rig;
static struct volume *volume;
static struct nvme_subsystem *sub;
static struct nvme_ns_map *map;
static struct host host[2];
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
static int open_all(void **state)
{
	(void)state;
	volume = rig_volume("fault:ram", 1 << 20, 512);
	map = map_of(volume, 1, false);
	for (unsigned i = 0; i < 2; i++)
		host_open(&host[i], rig.reactor[i], sub, map, (uint8_t)(i + 1));
	initiator_open(rig.reactor, 2, rig.reactor[1], volume);
	return 0;
}
static int close_all(void **state)
{
	(void)state;
	initiator_close();
	for (unsigned i = 0; i < 2; i++)
		host_close(&host[i]);
	nvme_ns_map_unref(map);
	rig_calm(&rig);
	rig_close(volume);
	return 0;
}

static void resv_cmd(struct cmd *c, struct nvme_resv_keys *k, uint8_t opcode, uint32_t cdw10, uint64_t crkey, uint64_t key)
{
	*k = (struct nvme_resv_keys){ le64_of(crkey), le64_of(key) };
	*c = (struct cmd){ .opcode = opcode, .nsid = 1, .cdw10 = cdw10, .len = sizeof(*k), .out = k };
}
static uint16_t resv(unsigned h, uint8_t opcode, uint32_t cdw10, uint64_t crkey, uint64_t key)
{
	struct nvme_resv_keys k;
	struct cmd c;
	resv_cmd(&c, &k, opcode, cdw10, crkey, key);
	return cmd_do(&host[h], 1, &c);
}
static uint16_t reg(unsigned h, uint64_t key)
{
	return resv(h, NVME_IO_RESV_REGISTER, NVME_RREGA_REGISTER, 0, key);
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
static uint8_t news(unsigned h)
{
	struct cmd c = { .opcode = NVME_ADM_GET_LOG_PAGE, .nsid = NVME_NSID_ALL, .cdw10 = NVME_LOG_RESV | 15 << 16, .len = 64, .in = in };
	rig_calm(&rig);
	assert_int_equal(cmd_do(&host[h], 0, &c), 0);
	return in[8];
}
static unsigned attention(void)
{
	rig_calm(&rig);
	return initiator_tur();
}

/* ---- who is told what ------------------------------------------------------------------------------------------- */
static void scsi_hears_of_nvme(void **state)
{
	(void)state;
	assert_int_equal(initiator_pr_out(PROUT_REGISTER, 0, 0, 0x5c), 0);
	assert_int_equal(reg(0, 0xa), 0);
	assert_int_equal(acquire(0, 0, 3, 0xa, 0), 0);   /* Write Exclusive - Registrants Only */
	assert_int_equal(attention(), 0);
	assert_int_equal(initiator_write(), 0);
	assert_int_equal(rw(1, NVME_IO_WRITE), NVME_SC_RESV_CONFLICT);
	assert_int_equal(rel(0, NVME_RRELA_RELEASE, 3, 0xa), 0);
	assert_int_equal(attention(), 0x062a04);         /* RESERVATIONS RELEASED */
	assert_int_equal(attention(), 0);
	assert_int_equal(acquire(0, 0, 1, 0xa, 0), 0);
	assert_int_equal(initiator_write(), CONFLICT);
	assert_int_equal(acquire(0, NVME_RACQA_PREEMPT, 1, 0xa, 0x5c), 0);
	assert_int_equal(attention(), 0x062a05);         /* REGISTRATIONS PREEMPTED */
	assert_int_equal(initiator_pr_out(PROUT_RESERVE, 1, 0x5c, 0), CONFLICT);
	assert_int_equal(rel(0, NVME_RRELA_RELEASE, 1, 0xa), 0);
	assert_int_equal(initiator_pr_out(PROUT_REGISTER, 0, 0, 0x5c), 0);
	assert_int_equal(rel(0, NVME_RRELA_CLEAR, 0, 0xa), 0);
	assert_int_equal(attention(), 0x062a03);         /* RESERVATIONS PREEMPTED */
	assert_int_equal(initiator_write(), 0);
}

static void nvme_hears_of_scsi(void **state)
{
	struct cmd aer = { .opcode = NVME_ADM_ASYNC_EVENT };
	(void)state;
	assert_int_equal(initiator_pr_out(PROUT_REGISTER, 0, 0, 0x5c), 0);
	assert_int_equal(reg(0, 0xa), 0);
	assert_int_equal(initiator_pr_out(PROUT_RESERVE, 5, 0x5c, 0), 0);
	assert_int_equal(rw(0, NVME_IO_WRITE), 0);
	assert_int_equal(rw(1, NVME_IO_WRITE), NVME_SC_RESV_CONFLICT);
	assert_int_equal(rw(1, NVME_IO_READ), 0);
	cmd_send(&host[0], 0, &aer);
	assert_int_equal(initiator_pr_out(PROUT_RELEASE, 5, 0x5c, 0), 0);
	cmd_wait(&aer);
	assert_int_equal(aer.result, 0x800006);
	assert_int_equal(news(0), NVME_RESV_LOG_RELEASED);
	assert_int_equal(initiator_pr_out(PROUT_RESERVE, 1, 0x5c, 0), 0);
	assert_int_equal(rw(0, NVME_IO_WRITE), NVME_SC_RESV_CONFLICT);
	assert_int_equal(initiator_pr_out(PROUT_PREEMPT, 1, 0x5c, 0xa), 0);
	assert_int_equal(news(0), NVME_RESV_LOG_REGISTRATION_PREEMPTED);
	assert_int_equal(initiator_pr_out(PROUT_RELEASE, 1, 0x5c, 0), 0);
	assert_int_equal(reg(0, 0xa), 0);
	assert_int_equal(initiator_pr_out(PROUT_CLEAR, 0, 0x5c, 0), 0);
	assert_int_equal(news(0), NVME_RESV_LOG_PREEMPTED);
	assert_int_equal(attention(), 0);                /* it did all this itself */
}

/* ---- fencing: nothing of the fenced host reaches the medium after the answer -------------------------------------------- */
static void stuck(bool on)
{
	assert_int_equal(volume_set_option(volume, "stuck", on ? "true" : "false"), 0);
}

static void preempt_and_abort_waits(void **state)
{
	static const uint32_t actions[] = { NVME_RACQA_PREEMPT, NVME_RACQA_PREEMPT_ABORT };
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(actions); i++) {
		struct cmd w = { .opcode = NVME_IO_WRITE, .nsid = 1, .len = 512, .out = out };
		struct cmd waiting = { .opcode = NVME_IO_WRITE, .nsid = 1, .len = 512, .out = out, .hold = true };
		struct nvme_resv_keys k;
		struct cmd p;
		bool abort = actions[i] == NVME_RACQA_PREEMPT_ABORT;
		assert_int_equal(reg(0, 0xa), 0);
		assert_int_equal(reg(1, 0xb), 0);
		assert_int_equal(acquire(1, 0, 1, 0xb, 0), 0);
		stuck(true);
		cmd_send(&host[1], 1, &w);
		cmd_send(&host[1], 1, &waiting);
		rig_calm(&rig);
		resv_cmd(&p, &k, NVME_IO_RESV_ACQUIRE, actions[i] | 1 << 8, 0xa, 0xb);
		cmd_send(&host[0], 1, &p);
		assert_int_equal(cmd_is_over(&p, 50), !abort);
		assert_false(cmd_is_over(&w, 0));
		rig_calm(&rig);
		cmd_go(&waiting);
		cmd_wait(&waiting);
		assert_int_equal(waiting.status, abort ? NVME_SC_ABORT_PREEMPTED : NVME_SC_RESV_CONFLICT);
		assert_false(cmd_is_over(&w, 0));
		stuck(false);
		cmd_wait(&p);
		assert_int_equal(p.status, 0);
		cmd_wait(&w);
		assert_int_equal(w.status, 0);
		assert_int_equal(rw(1, NVME_IO_WRITE), NVME_SC_RESV_CONFLICT);
		assert_int_equal(rel(0, NVME_RRELA_CLEAR, 0, 0xa), 0);
	}
}

/* Either command set fences the other's hosts as well. */
static void fences_both(void **state)
{
	struct nvme_resv_keys k;
	struct cmd p, w = { .opcode = NVME_IO_WRITE, .nsid = 1, .len = 512, .out = out };
	(void)state;
	assert_int_equal(initiator_pr_out(PROUT_REGISTER, 0, 0, 0x5c), 0);
	assert_int_equal(reg(0, 0xa), 0);
	stuck(true);
	initiator_send_write();
	rig_calm(&rig);
	resv_cmd(&p, &k, NVME_IO_RESV_ACQUIRE, NVME_RACQA_PREEMPT_ABORT | 1 << 8, 0xa, 0x5c);
	cmd_send(&host[0], 1, &p);
	assert_false(cmd_is_over(&p, 50));
	stuck(false);
	cmd_wait(&p);
	assert_int_equal(p.status, 0);
	(void)initiator_wait();
	assert_int_equal(attention(), 0x062a05);
	assert_int_equal(rel(0, NVME_RRELA_CLEAR, 0, 0xa), 0);

	assert_int_equal(initiator_pr_out(PROUT_REGISTER, 0, 0, 0x5c), 0);
	assert_int_equal(reg(0, 0xa), 0);
	assert_int_equal(initiator_pr_out(PROUT_RESERVE, 5, 0x5c, 0), 0);
	stuck(true);
	cmd_send(&host[0], 1, &w);
	rig_calm(&rig);
	initiator_send_pr_out(PROUT_PREEMPT_ABORT, 5, 0x5c, 0xa);
	assert_false(initiator_is_over(50));     /* it waits for the write that the backend has */
	stuck(false);
	assert_int_equal(initiator_wait(), 0);
	cmd_wait(&w);
	assert_int_equal(rw(0, NVME_IO_WRITE), NVME_SC_RESV_CONFLICT);
}

/* RESERVE(6) is for one initiator and against everybody, NVMe hosts too. */
static void reserve_6(void **state)
{
	static const uint8_t reserve[16] = { 0x16 }, release[16] = { 0x17 };
	struct cmd w = { .opcode = NVME_IO_WRITE, .nsid = 1, .len = 512, .out = out };
	(void)state;
	assert_int_equal(reg(0, 0xa), 0);
	assert_int_equal(initiator_do(reserve, NULL, 0), CONFLICT);      /* somebody is registered */
	assert_int_equal(resv(0, NVME_IO_RESV_REGISTER, NVME_RREGA_UNREGISTER, 0xa, 0), 0);
	assert_int_equal(initiator_do(reserve, NULL, 0), 0);
	assert_int_equal(rw(0, NVME_IO_WRITE), NVME_SC_RESV_CONFLICT);
	assert_int_equal(rw(0, NVME_IO_READ), NVME_SC_RESV_CONFLICT);
	assert_int_equal(reg(0, 0xa), NVME_SC_RESV_CONFLICT);
	assert_int_equal(initiator_write(), 0);
	assert_int_equal(initiator_do(release, NULL, 0), 0);
	assert_int_equal(rw(0, NVME_IO_WRITE), 0);
	stuck(true);                             /* what an NVMe host has begun ends before RESERVE is granted */
	cmd_send(&host[0], 1, &w);
	rig_calm(&rig);
	initiator_send(reserve, NULL, 0);
	assert_false(initiator_is_over(50));
	stuck(false);
	assert_int_equal(initiator_wait(), 0);
	cmd_wait(&w);
	assert_int_equal(rw(1, NVME_IO_WRITE), NVME_SC_RESV_CONFLICT);
	initiator_close();                       /* the nexus goes, and with it its RESERVE */
	assert_int_equal(rw(1, NVME_IO_WRITE), 0);
	initiator_open(rig.reactor, 2, rig.reactor[1], volume);
}

/* A SANITIZE from SCSI's side: what asks for the medium is told, the rest is answered. */
static void sanitized_by_scsi(void **state)
{
	static const struct {
		enum volume_wipe wipe;
		unsigned status;
	} cases[] = { { VOLUME_WIPE_RUNS, NVME_SC_SANITIZE_RUNS }, { VOLUME_WIPE_FAILED, NVME_SC_SANITIZE_FAILED }, { VOLUME_WIPE_NONE, 0 } };
	struct cmd late = { .opcode = NVME_IO_WRITE, .nsid = 1, .len = 512, .out = out, .hold = true };
	(void)state;
	cmd_send(&host[0], 1, &late);
	rig_calm(&rig);
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		assert_int_equal(volume_wipe_set(volume, cases[i].wipe), 0);
		assert_int_equal(rw(0, NVME_IO_READ), cases[i].status);
		assert_int_equal(rw(1, NVME_IO_WRITE), cases[i].status);
		assert_int_equal(reg(0, 0xa), 0);
		assert_int_equal(resv(0, NVME_IO_RESV_REGISTER, NVME_RREGA_UNREGISTER, 0xa, 0), 0);
	}
	cmd_go(&late);                           /* accepted before it, data that come when it is over */
	cmd_wait(&late);
	assert_int_equal(late.status, NVME_SC_SANITIZE_RUNS);
}

/* ---- persistence through power loss ---------------------------------------------------------------------------------------- */
static char kept[4096];
static int keep_result;
static int keep(void *arg, const char *uuid, const char *text)
{
	(void)arg;
	(void)uuid;
	if (!keep_result)
		snprintf(kept, sizeof(kept), "%s", text);
	return keep_result;
}
static uint32_t persists(void)
{
	struct cmd c = { .opcode = NVME_ADM_GET_FEATURES, .nsid = 1, .cdw10 = NVME_FEAT_RESV_PERSIST };
	assert_int_equal(cmd_do(&host[0], 0, &c), 0);
	return (uint32_t)c.result;
}
static uint16_t set_persists(uint32_t on)
{
	struct cmd c = { .opcode = NVME_ADM_SET_FEATURES, .nsid = 1, .cdw10 = NVME_FEAT_RESV_PERSIST, .cdw11 = on };
	return cmd_do(&host[0], 0, &c);
}
static void persistence(void **state)
{
	static const struct {
		const char *what;
		uint32_t cptpl;
		bool on;
	} cases[] = { { "as it is", 0, false }, { "on", 3u << 30, true }, { "stays on", 0, true }, { "off", 2u << 30, false } };
	(void)state;
	volume_resv_on_save(keep, NULL);
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		if (resv(0, NVME_IO_RESV_REGISTER, NVME_RREGA_REPLACE | NVME_RESV_IEKEY | cases[i].cptpl, 0, 0xa))
			assert_int_equal(reg(0, 0xa), 0);        /* the first time */
		if (persists() != cases[i].on || !*kept != !cases[i].on)
			fail_msg("%s", cases[i].what);
	}
	assert_int_equal(set_persists(1), 0);
	assert_int_equal(persists(), 1);
	assert_int_equal(acquire(0, 0, 1, 0xa, 0), 0);
	/* A power loss: another volume object, from what was kept. */
	struct volume *again = rig_volume("ram", 1 << 20, 512);
	struct resv_state s;
	assert_int_equal(volume_resv_load(again, kept), 0);
	assert_int_equal(volume_resv_read(again, &s), 1);
	assert_int_equal(s.type, RESV_WRITE_EXCLUSIVE);
	assert_true(s.aptpl && s.registrants[0].holder && s.registrants[0].key == 0xa);
	assert_memory_equal(s.registrants[0].id.bytes, host[0].spec.host_id, 16);
	free(s.registrants);
	rig_close(again);
	/* What cannot be made durable is refused, and nothing changes. */
	keep_result = -EIO;
	assert_int_equal(rel(0, NVME_RRELA_RELEASE, 1, 0xa), NVME_SC_INTERNAL);
	assert_int_equal(set_persists(0), NVME_SC_INTERNAL);
	assert_int_equal(rw(1, NVME_IO_WRITE), NVME_SC_RESV_CONFLICT);
	keep_result = 0;
	assert_int_equal(rel(0, NVME_RRELA_CLEAR, 0, 0xa), 0);
	volume_resv_on_save(NULL, NULL);
}

int main(void)
{
#define WITH_ALL(f) cmocka_unit_test_setup_teardown(f, open_all, close_all)
	const struct CMUnitTest tests[] = {
		WITH_ALL(scsi_hears_of_nvme), WITH_ALL(nvme_hears_of_scsi), WITH_ALL(preempt_and_abort_waits), WITH_ALL(fences_both),
		WITH_ALL(reserve_6), WITH_ALL(sanitized_by_scsi), WITH_ALL(persistence),
	};
	return cmocka_run_group_tests_name("nvme and scsi", tests, setup, teardown);
}
