/* SPDX-License-Identifier: GPL-3.0-or-later */
/* queue.c - queues over a socket: greeting, Connect, data both ways, digests, faults and their TermReq,
 * the end of associations, discovery. */
#include "rig.h"

static struct rig rig;
static struct host admin, io;

static int up(void **state)
{
	(void)state;
	rig_start(&rig);
	return 0;
}
static int down(void **state)
{
	(void)state;
	rig_stop(&rig);
	return 0;
}
static uint16_t port(void)
{
	return nvmf_portal_port(rig.portal);
}
struct seen {
	unsigned count;
	struct nvmf_session_info last;
};
static void see(void *arg, const struct nvmf_session_info *s)
{
	struct seen *n = arg;
	n->count++;
	n->last = *s;
}
static unsigned sessions(void)
{
	struct seen n = { 0 };
	nvmf_session_each(see, &n);
	return n.count;
}
static void fill(uint8_t *p, size_t len, unsigned seed)
{
	for (size_t i = 0; i < len; i++)
		p[i] = (uint8_t)(seed + i * 7 + i / 512);
}

/* ---- data ------------------------------------------------------------------------------------------ */
static void data_both_ways(void **state)
{
	static uint8_t buf[1 << 20];
	static const uint32_t sizes[] = { 1, 8, 16, 17, 127, 256, 2048 };
	(void)state;
	for (unsigned digests = 0; digests < 4; digests++) {
		uint16_t id = host_admin(&admin, port(), SUBSYSTEM, (uint8_t)digests);
		host_io(&io, port(), 1, id, (uint8_t)digests);
		for (size_t i = 0; i < ARRAY_COUNT(sizes); i++) {
			for (unsigned capsule = 0; capsule < 2; capsule++) {
				if (capsule && sizes[i] > 16)
					continue;
				fill(buf, sizes[i] * 512, digests + (unsigned)i + capsule);
				assert_int_equal(host_rw(&io, NVME_IO_WRITE, i * 3, sizes[i], buf, capsule), 0);
				assert_int_equal(host_rw(&io, NVME_IO_READ, i * 3, sizes[i], NULL, false), 0);
				assert_int_equal(io.data_bytes, sizes[i] * 512);
				assert_memory_equal(io.data, buf, sizes[i] * 512);
			}
		}
		host_close(&io);
		host_close(&admin);
		rig_wait(sessions() == 0);
	}
}

static void byte_by_byte(void **state)
{
	uint8_t buf[1024];
	(void)state;
	uint16_t id = host_admin(&admin, port(), SUBSYSTEM, 3);
	host_io(&io, port(), 1, id, 3);
	io.one_by_one = true;
	fill(buf, sizeof(buf), 9);
	assert_int_equal(host_rw(&io, NVME_IO_WRITE, 5, 2, buf, true), 0);
	assert_int_equal(host_rw(&io, NVME_IO_WRITE, 7, 2, buf, false), 0);
	assert_int_equal(host_rw(&io, NVME_IO_READ, 5, 4, NULL, false), 0);
	assert_memory_equal(io.data, buf, 1024);
	assert_memory_equal(io.data + 1024, buf, 1024);
	host_close(&io);
	host_close(&admin);
}

static void alignment(void **state)
{
	static const uint8_t alignments[] = { 0, 1, 15, 31 };
	(void)state;
	uint16_t id = host_admin(&admin, port(), SUBSYSTEM, 0);
	for (size_t i = 0; i < ARRAY_COUNT(alignments); i++) {
		host_dial(&io, port());
		host_greet(&io, 1, alignments[i]);
		assert_int_equal(host_connect(&io, SUBSYSTEM, (uint16_t)(i + 1), id, 16, NVME_CATTR_NO_SQ_FLOW), 0);
		assert_int_equal(le16_get(io.cqe.sq_head), 0xffff);
		struct nvme_sqe s = { .opcode = NVME_IO_READ, .nsid = le32_of(1) };
		host_command(&io, &s, NULL, 512);
		assert_int_equal(host_recv(&io), NVME_TCP_C2H_DATA);
		assert_int_equal(io.head[3] % ((alignments[i] + 1) * 4), 0);
		assert_int_equal(io.head[1], NVME_TCP_HDGST | NVME_TCP_LAST | NVME_TCP_SUCCESS);
		host_close(&io);
	}
	host_close(&admin);
}

/* A bad data digest fails the command, not the connection. */
static void data_digest(void **state)
{
	uint8_t buf[512] = { 1 };
	(void)state;
	uint16_t id = host_admin(&admin, port(), SUBSYSTEM, 0);
	host_io(&io, port(), 1, id, 2);
	struct nvme_tcp_cmd c = { .ch = { .type = NVME_TCP_CMD, .flags = NVME_TCP_DDGST, .header_bytes = 72, .data_offset = 72,
					  .len_bytes = le32_of(72 + 512 + 4) },
				  .sqe = { .opcode = NVME_IO_WRITE, .flags = NVME_PSDT_SGL, .nsid = le32_of(1), .cid = le16_of(++io.cid) } };
	const struct nvme_sgl s = { .len_bytes = le32_of(512), .type = 1 };
	memcpy(c.sqe.sgl1, &s, sizeof(s));
	host_send(&io, &c, sizeof(c));
	host_send(&io, buf, sizeof(buf));
	host_send(&io, "bad!", 4);
	assert_int_equal(host_answer(&io, NULL), NVME_SC_TRANSIENT_TRANSPORT);
	assert_int_equal(host_rw(&io, NVME_IO_WRITE, 0, 1, buf, true), 0);
	host_close(&io);
	host_close(&admin);
}

/* SQHD follows the queue round. */
static void sq_head(void **state)
{
	(void)state;
	uint16_t id = host_admin(&admin, port(), SUBSYSTEM, 0);
	host_dial(&io, port());
	host_greet(&io, 0, 0);
	assert_int_equal(host_connect(&io, SUBSYSTEM, 1, id, 4, 0), 0);
	assert_int_equal(le16_get(io.cqe.sq_head), 1);
	for (unsigned i = 2; i < 11; i++) {
		assert_int_equal(host_rw(&io, NVME_IO_READ, 0, 1, NULL, false), 0);
		assert_int_equal(le16_get(io.cqe.sq_head), i % 4);
	}
	host_close(&io);
	host_close(&admin);
}

/* ---- Connect ----------------------------------------------------------------------------------------- */
static void connect_refused(void **state)
{
	(void)state;
	unsigned before = rig_events(&rig, NVMF_REFUSED);
	host_dial(&admin, port());
	host_greet(&admin, 0, 0);
	assert_int_equal(host_property(&admin, false, 0, true, 0), NVME_SC_SEQUENCE | NVME_STATUS_DNR);
	assert_int_equal(host_connect(&admin, "nqn.2026-11.com.example:none", 0, 0xffff, 32, 0), NVME_SC_CONNECT_PARAM | NVME_STATUS_DNR);
	assert_int_equal(host_result(&admin), 0x10000 | 256);
	assert_int_equal(host_connect(&admin, SUBSYSTEM, 0, 7, 32, 0), NVME_SC_CONNECT_PARAM | NVME_STATUS_DNR);
	assert_int_equal(host_result(&admin), 0x10000 | 16);
	assert_int_equal(host_connect(&admin, SUBSYSTEM, 1, 0x1234, 32, 0), NVME_SC_CONNECT_PARAM | NVME_STATUS_DNR);
	assert_int_equal(host_result(&admin), 0x10000 | 16);
	rig_wait(rig_events(&rig, NVMF_REFUSED) == before + 3);
	assert_int_equal(host_connect(&admin, SUBSYSTEM, 0, 0xffff, 32, 0), 0);
	assert_int_equal(host_connect(&admin, SUBSYSTEM, 0, 0xffff, 32, 0), NVME_SC_SEQUENCE | NVME_STATUS_DNR);
	uint16_t id = (uint16_t)0;
	host_close(&admin);
	rig_wait(sessions() == 0);
	/* A queue twice, another host's controller, a queue that was not granted. */
	id = host_admin(&admin, port(), SUBSYSTEM, 0);
	host_io(&io, port(), 1, id, 0);
	struct host other;
	host_dial(&other, port());
	host_greet(&other, 0, 0);
	assert_int_equal(host_connect(&other, SUBSYSTEM, 1, id, 32, 0), NVME_SC_SEQUENCE);  /* after having waited */
	assert_int_equal(host_connect(&other, SUBSYSTEM, 9, id, 32, 0), NVME_SC_CONNECT_PARAM | NVME_STATUS_DNR);
	assert_int_equal(host_result(&other), 42);
	other.nqn = "nqn.2026-11.com.example:other";
	assert_int_equal(host_connect(&other, SUBSYSTEM, 2, id, 32, 0), NVME_SC_CONNECT_HOST | NVME_STATUS_DNR);
	other.nqn = HOST;
	/* The older connection goes: the same queue can be made again at once. */
	host_close(&io);
	rig_sleep_ms(20);
	assert_int_equal(host_connect(&other, SUBSYSTEM, 1, id, 32, 0), 0);
	/* The admin queue goes, and with it the others; the controller is not found any more. */
	host_close(&admin);
	assert_int_equal(host_recv(&other), -1);
	host_close(&other);
	host_dial(&other, port());
	host_greet(&other, 0, 0);
	assert_int_equal(host_connect(&other, SUBSYSTEM, 1, id, 32, 0), NVME_SC_CONNECT_PARAM | NVME_STATUS_DNR);
	host_close(&other);
	rig_wait(sessions() == 0);
}

static void disconnect(void **state)
{
	struct nvme_fabrics_disconnect k = { .opcode = NVME_FABRICS, .type = NVME_FCT_DISCONNECT };
	(void)state;
	uint16_t id = host_admin(&admin, port(), SUBSYSTEM, 0);
	host_io(&io, port(), 1, id, 0);
	host_command(&admin, (void *)&k, NULL, 0);
	assert_int_equal(host_answer(&admin, NULL), NVME_SC_DISCONNECT_QUEUE | NVME_STATUS_DNR);
	host_command(&io, (void *)&k, NULL, 0);
	assert_int_equal(host_answer(&io, NULL), 0);
	assert_int_equal(host_recv(&io), -1);
	host_close(&io);
	unsigned before = rig_events(&rig, NVMF_DISCONNECT);
	assert_int_equal(host_property(&admin, true, NVME_PROPERTY_CC, false, CC_ON | 1 << 14), 0);
	host_close(&admin);
	rig_wait(rig_events(&rig, NVMF_DISCONNECT) == before + 1);
}

/* ---- faults -------------------------------------------------------------------------------------------- */
static void expect_term(struct host *h, uint16_t fault, uint32_t info)
{
	assert_int_equal(host_recv(h), NVME_TCP_C2H_TERM);
	const struct nvme_tcp_term *t = (const void *)h->head;
	assert_int_equal(le16_get(t->fault), fault);
	assert_int_equal(le32_get(t->info), info);
	shutdown(h->fd, SHUT_WR);
	assert_int_equal(host_recv(h), -1);
	host_close(h);
}
static void terms(void **state)
{
	static const struct {
		uint16_t tag_xor, cid_xor, fault;
		uint8_t last;
		uint32_t offset, len, info;
	} cases[] = {
		{ 1, 0, NVME_TCP_FES_FIELD, 0, 0, 512, 10 },
		{ 0x800, 0, NVME_TCP_FES_FIELD, 0, 0, 512, 10 },
		{ 0xffff, 0, NVME_TCP_FES_FIELD, 0, 0, 512, 10 },
		{ 0, 1, NVME_TCP_FES_FIELD, 0, 0, 512, 8 },
		{ 0, 0, NVME_TCP_FES_RANGE, 0, 0, 16384 + 4, 0 },
		{ 0, 0, NVME_TCP_FES_RANGE, 0, 16384, 4, 0 },
		{ 0, 0, NVME_TCP_FES_RANGE, 0, 0xfffffffc, 512, 0 },
		{ 0, 0, NVME_TCP_FES_FIELD, 0, 512, 512, 12 },
		{ 0, 0, NVME_TCP_FES_FIELD, NVME_TCP_LAST, 0, 512, 1 },
	};
	static uint8_t buf[32768];
	(void)state;
	host_dial(&io, port());
	host_send(&io, "GET / HTTP/1.1\r\n\r\n", 18);
	expect_term(&io, NVME_TCP_FES_FIELD, 0);
	uint16_t id = host_admin(&admin, port(), SUBSYSTEM, 0);
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		host_io(&io, port(), (uint16_t)(i % 8 + 1), id, 0);
		struct nvme_sqe s = { .opcode = NVME_IO_WRITE, .nsid = le32_of(1), .cdw12 = le32_of(31) };
		host_command(&io, &s, NULL, 16384);
		assert_int_equal(host_recv(&io), NVME_TCP_R2T);
		const struct nvme_tcp_data *r = (const void *)io.head;
		struct nvme_tcp_data p = { .ch = { .type = NVME_TCP_H2C_DATA, .flags = cases[i].last },
					   .cid = le16_of(le16_get(r->cid) ^ cases[i].cid_xor),
					   .tag = le16_of(le16_get(r->tag) ^ cases[i].tag_xor),
					   .offset_bytes = le32_of(cases[i].offset), .len_bytes = le32_of(cases[i].len) };
		host_pdu(&io, &p, sizeof(p), buf, cases[i].len);
		expect_term(&io, cases[i].fault, cases[i].info);
	}
	/* The admin queue has not noticed. */
	assert_int_equal(host_property(&admin, false, 0x1c, false, 0), 0);
	host_close(&admin);
	rig_wait(sessions() == 0);
}

/* A connection that goes while an R2T is open takes its command with it. */
static void gone_in_the_middle(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 20; i++) {
		uint16_t id = host_admin(&admin, port(), SUBSYSTEM, 0);
		host_io(&io, port(), 1, id, 0);
		struct nvme_sqe s = { .opcode = i % 2 ? NVME_IO_WRITE : NVME_IO_READ, .nsid = le32_of(1), .cdw12 = le32_of(1023) };
		for (unsigned k = 0; k < 8; k++)
			host_command(&io, &s, NULL, 1024 * 512);
		setsockopt(io.fd, SOL_SOCKET, SO_LINGER, &(struct linger){ 1, 0 }, sizeof(struct linger));
		host_close(i % 3 ? &io : &admin);
		host_close(i % 3 ? &admin : &io);
	}
	rig_wait(sessions() == 0);
}

/* ---- what is served ------------------------------------------------------------------------------------- */
static void rules(void **state)
{
	static const char *const nqns[] = { HOST };
	static const char *const far_away[] = { "192.0.2.0/24" };
	struct nvmf_rule rule = { .host = "h1", .nqns = nqns, .nqn_count = 1 };
	struct nvmf_subsystem_spec s = rig_spec(&rig);
	unsigned touched, closed;
	struct seen n = { 0 };
	char why[256];
	(void)state;
	s.allow_any = false;
	s.rules = &rule;
	s.rule_count = 1;
	assert_int_equal(nvmf_subsystem_update(rig.subsystem, &s, why, sizeof(why)), 0);
	host_admin(&admin, port(), SUBSYSTEM, 3);
	nvmf_session_each(see, &n);
	assert_int_equal(n.count, 1);
	assert_string_equal(n.last.host, "h1");
	assert_string_equal(n.last.host_nqn, HOST);
	assert_true(n.last.header_digest && n.last.data_digest && n.last.id > UINT32_MAX);
	host_dial(&io, port());
	host_greet(&io, 0, 0);
	io.nqn = "nqn.2026-11.com.example:other";
	assert_int_equal(host_connect(&io, SUBSYSTEM, 0, 0xffff, 32, 0), NVME_SC_CONNECT_HOST | NVME_STATUS_DNR);
	host_close(&io);
	rule.addresses = far_away;
	rule.address_count = 1;
	assert_int_equal(nvmf_subsystem_preview(rig.subsystem, &s, &touched, &closed), 0);
	assert_int_equal(closed, 1);
	assert_int_equal(nvmf_subsystem_update(rig.subsystem, &s, why, sizeof(why)), 0);
	assert_int_equal(host_recv(&admin), -1);
	host_close(&admin);
	s = rig_spec(&rig);
	assert_int_equal(nvmf_subsystem_update(rig.subsystem, &s, why, sizeof(why)), 0);
	rig_wait(sessions() == 0);
	host_admin(&admin, port(), SUBSYSTEM, 0);
	assert_int_equal(sessions(), 1);
	nvmf_session_each(see, &n);
	assert_int_equal(nvmf_session_close(n.last.id), 0);
	assert_int_equal(host_recv(&admin), -1);
	host_close(&admin);
	rig_wait(sessions() == 0);
	assert_int_equal(nvmf_session_close(n.last.id), -ENOENT);
}

static unsigned discover(uint16_t at, uint64_t *ret_generation)
{
	struct nvme_sqe s = { .opcode = NVME_ADM_GET_LOG_PAGE, .cdw10 = le32_of(NVME_LOG_DISCOVERY | (16384 / 4 - 1) << 16) };
	unsigned found = 0;
	host_admin(&admin, at, NVME_NQN_DISCOVERY, 0);
	host_command(&admin, &s, NULL, 16384);
	assert_int_equal(host_answer(&admin, NULL), 0);
	const struct nvme_discovery_header *h = (const void *)admin.data;
	const struct nvme_discovery_entry *e = (const void *)(admin.data + sizeof(*h));
	*ret_generation = le64_get(h->generation);
	for (uint64_t i = 0; i < le64_get(h->entry_count); i++) {
		assert_int_equal(e[i].trtype, NVME_TRTYPE_TCP);
		assert_int_equal(e[i].adrfam, NVME_ADRFAM_IPV4);
		assert_memory_equal(e[i].traddr, "127.0.0.1 ", 10);
		if (e[i].subtype == NVME_SUBTYPE_NVME) {
			found++;
			assert_string_equal(e[i].subnqn, SUBSYSTEM);
			assert_int_equal(strtol(e[i].trsvcid, NULL, 10), port());
		}
	}
	host_close(&admin);
	return found;
}
static void discovery(void **state)
{
	struct nvmf_subsystem_spec s = rig_spec(&rig);
	uint64_t first, second;
	char why[256];
	(void)state;
	assert_int_equal(discover(nvmf_portal_port(rig.discovery), &first), 1);
	assert_int_equal(discover(port(), &second), 1);
	assert_int_equal(first, second);
	s.allow_any = false;
	assert_int_equal(nvmf_subsystem_update(rig.subsystem, &s, why, sizeof(why)), 0);
	assert_int_equal(discover(port(), &second), 0);
	assert_true(second > first);
	s = rig_spec(&rig);
	assert_int_equal(nvmf_subsystem_update(rig.subsystem, &s, why, sizeof(why)), 0);
	host_dial(&io, nvmf_portal_port(rig.discovery));
	host_greet(&io, 0, 0);
	assert_int_equal(host_connect(&io, SUBSYSTEM, 0, 0xffff, 32, 0), NVME_SC_CONNECT_PARAM | NVME_STATUS_DNR);
	host_close(&io);
	rig_wait(sessions() == 0);
}

/* A discovery connection that is kept hears of changes, each once until it has read the log. */
static void persistent_discovery(void **state)
{
	struct nvme_sqe events = { .opcode = NVME_ADM_SET_FEATURES, .cdw10 = le32_of(NVME_FEAT_ASYNC_EVENT), .cdw11 = le32_of(1u << 31) };
	struct nvme_sqe aer = { .opcode = NVME_ADM_ASYNC_EVENT };
	struct nvme_sqe log = { .opcode = NVME_ADM_GET_LOG_PAGE, .cdw10 = le32_of(NVME_LOG_DISCOVERY | (1024 / 4 - 1) << 16) };
	struct nvme_sqe alive = { .opcode = NVME_ADM_KEEP_ALIVE };
	const struct nvmf_referral referral = { "192.0.2.9", 8009 };
	struct nvmf_subsystem_spec s = rig_spec(&rig);
	char why[256];
	(void)state;
	host_admin(&admin, nvmf_portal_port(rig.discovery), NVME_NQN_DISCOVERY, 0);
	host_command(&admin, &events, NULL, 0);
	assert_int_equal(host_answer(&admin, NULL), 0);
	for (unsigned i = 0; i < 3; i++) {
		host_command(&admin, &aer, NULL, 0);
		uint16_t cid = admin.cid;
		host_command(&admin, &alive, NULL, 0);   /* nothing has happened: only this is answered */
		assert_int_equal(host_answer(&admin, NULL), 0);
		admin.cid = cid;
		if (i == 0) {
			s.allow_any = false;
			assert_int_equal(nvmf_subsystem_update(rig.subsystem, &s, why, sizeof(why)), 0);
		} else {
			assert_int_equal(nvmf_set_referrals(&referral, 2 - i), 0);
		}
		assert_int_equal(host_answer(&admin, NULL), 0);
		assert_int_equal(host_result(&admin), 0x70f002);
		admin.cid = (uint16_t)(cid + 1);
		host_command(&admin, &log, NULL, 1024);
		assert_int_equal(host_answer(&admin, NULL), 0);
		assert_int_equal(admin.data[8], i == 1 ? 3 : 2);         /* two portals, and the referral */
	}
	s = rig_spec(&rig);
	assert_int_equal(nvmf_subsystem_update(rig.subsystem, &s, why, sizeof(why)), 0);
	host_close(&admin);
	rig_wait(sessions() == 0);
}

/* The discovery log of one portal alone, and what a referral is. */
static void discovery_entries(void **state)
{
	static const uint8_t port_local = NVME_DISCOVERY_PORT_LOCAL;
	const struct nvmf_referral referral = { "2001:db8::7", 8009 };
	struct nvme_sqe log = { .opcode = NVME_ADM_GET_LOG_PAGE, .cdw10 = le32_of(NVME_LOG_DISCOVERY | (8192 / 4 - 1) << 16) };
	(void)state;
	assert_int_equal(nvmf_set_referrals(&referral, 1), 0);
	host_admin(&admin, port(), NVME_NQN_DISCOVERY, 0);
	host_command(&admin, &log, NULL, 8192);
	assert_int_equal(host_answer(&admin, NULL), 0);
	const struct nvme_discovery_entry *e = (const void *)(admin.data + sizeof(struct nvme_discovery_header));
	assert_int_equal(admin.data[8], 4);              /* two discovery services, one subsystem, one referral */
	assert_int_equal(e[0].subtype, NVME_SUBTYPE_DISCOVERY);
	assert_int_equal(le16_get(e[0].eflags), NVME_EFLAGS_DUPLICATE | NVME_EFLAGS_EXPLICIT_PERSIST);
	assert_int_equal(e[2].subtype, NVME_SUBTYPE_NVME);
	assert_int_equal(le16_get(e[2].cntlid), 0xffff);
	assert_int_equal(e[2].treq, NVME_TREQ_NO_SQ_FLOW);       /* nvme-cli 2.3 asks for TLS when it is "not required" */
	assert_int_equal(e[3].subtype, NVME_SUBTYPE_REFERRAL);
	assert_int_equal(e[3].adrfam, NVME_ADRFAM_IPV6);
	assert_memory_equal(e[3].traddr, "2001:db8::7 ", 12);
	assert_memory_equal(e[3].trsvcid, "8009 ", 5);
	assert_string_equal(e[3].subnqn, NVME_NQN_DISCOVERY);
	log.cdw10 = le32_of(le32_get(log.cdw10) | (uint32_t)port_local << 8);
	host_command(&admin, &log, NULL, 8192);
	assert_int_equal(host_answer(&admin, NULL), 0);
	assert_int_equal(admin.data[8], 2);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(strtol(e[i].trsvcid, NULL, 10), port());
	host_close(&admin);
	assert_int_equal(nvmf_set_referrals(NULL, 0), 0);
	rig_wait(sessions() == 0);
}

/* Compare in the capsule, Write by R2T, others in between and behind: one operation all the same. */
static void fused_by_r2t(void **state)
{
	static uint8_t old[512], new[512], big[65536];
	(void)state;
	uint16_t id = host_admin(&admin, port(), SUBSYSTEM, 0);
	for (unsigned digests = 0; digests < 4; digests += 3)
		for (unsigned how = 0; how < 4; how++) { /* bit 0: Compare by R2T; bit 1: Write by R2T */
			host_io(&io, port(), (uint16_t)(1 + how + digests), id, (uint8_t)digests);
			fill(old, sizeof(old), how);
			fill(new, sizeof(new), how + 100);
			assert_int_equal(host_rw(&io, NVME_IO_WRITE, 9, 1, old, true), 0);
			struct nvme_sqe c = { .opcode = NVME_IO_COMPARE, .flags = NVME_FUSE_FIRST, .nsid = le32_of(1), .cdw10 = le32_of(9) };
			struct nvme_sqe w = { .opcode = NVME_IO_WRITE, .flags = NVME_FUSE_SECOND, .nsid = le32_of(1), .cdw10 = le32_of(9) };
			struct nvme_sqe r = { .opcode = NVME_IO_READ, .nsid = le32_of(1), .cdw12 = le32_of(127) };
			host_command(&io, &c, how & 1 ? NULL : old, 512);
			uint16_t first = io.cid;
			host_command(&io, &w, how & 2 ? NULL : new, 512);
			host_command(&io, &r, NULL, sizeof(big));
			unsigned ends = 0, tags = 0;
			struct { le16 cid, tag; } open[2];
			while (ends < 3) {
				int type = host_recv(&io);
				const struct nvme_tcp_data *d = (const void *)io.head;
				if (type == NVME_TCP_R2T) {
					open[tags].cid = d->cid;
					open[tags++].tag = d->tag;
				} else if (type == NVME_TCP_RESP) {
					memcpy(&io.cqe, io.head + 8, sizeof(io.cqe));
					assert_int_equal(le16_get(io.cqe.status), 0);
					ends++;
				} else {
					assert_int_equal(type, NVME_TCP_C2H_DATA);
				}
				/* The read goes by while both wait; then their data come, last one first. */
				if (!ends || tags != (how & 1) + (how >> 1))
					continue;
				while (tags--) {
					struct nvme_tcp_data p = { .ch = { .type = NVME_TCP_H2C_DATA, .flags = NVME_TCP_LAST },
								   .cid = open[tags].cid, .tag = open[tags].tag, .len_bytes = le32_of(512) };
					host_pdu(&io, &p, sizeof(p), le16_get(open[tags].cid) == first ? old : new, 512);
				}
			}
			assert_int_equal(host_rw(&io, NVME_IO_READ, 9, 1, NULL, false), 0);
			assert_memory_equal(io.data, new, 512);
			host_close(&io);
		}
	host_close(&admin);
	rig_wait(sessions() == 0);
}

/* A host that falls silent is let go; commands on any queue keep it alive. */
static void silence(void **state)
{
	struct nvme_sqe kato = { .opcode = NVME_ADM_SET_FEATURES, .cdw10 = le32_of(NVME_FEAT_KEEP_ALIVE), .cdw11 = le32_of(300) };
	(void)state;
	uint16_t id = host_admin(&admin, port(), SUBSYSTEM, 0);
	host_io(&io, port(), 1, id, 0);
	unsigned before = rig_events(&rig, NVMF_LOST);
	host_command(&admin, &kato, NULL, 0);
	assert_int_equal(host_answer(&admin, NULL), 0);
	for (unsigned i = 0; i < 12; i++) {              /* 1.2 s of reads, no Keep Alive */
		rig_sleep_ms(100);
		assert_int_equal(host_rw(&io, NVME_IO_READ, 0, 1, NULL, false), 0);
	}
	assert_int_equal(rig_events(&rig, NVMF_LOST), before);
	assert_int_equal(host_recv(&admin), -1);         /* then nothing */
	assert_int_equal(host_recv(&io), -1);
	rig_wait(rig_events(&rig, NVMF_LOST) == before + 1);
	assert_string_equal(rig.reason, "keep alive timeout");
	host_close(&io);
	host_close(&admin);
	rig_wait(sessions() == 0);
}

/* Controllers with fixed ids: one of them, any of them, none is free. */
static void static_controllers(void **state)
{
	static const struct {
		const char *what;
		uint16_t cntlid, status;
		uint32_t info;           /* or the controller that it got */
	} cases[] = {
		{ "dynamic", 0xffff, NVME_SC_CONNECT_PARAM | NVME_STATUS_DNR, 0x10000 | 16 },
		{ "beyond the last", 3, NVME_SC_CONNECT_PARAM | NVME_STATUS_DNR, 0x10000 | 16 },
		{ "0", 0, NVME_SC_CONNECT_PARAM | NVME_STATUS_DNR, 0x10000 | 16 },
		{ "the second", 2, 0, 2 },
		{ "the second again", 2, NVME_SC_CONNECT_BUSY, 0 },
		{ "any", 0xfffe, 0, 1 },
		{ "any, and none is free", 0xfffe, NVME_SC_CONNECT_BUSY, 0 },
	};
	static struct host h[ARRAY_COUNT(cases)];
	struct nvmf_subsystem_spec s = rig_spec(&rig);
	char why[256];
	(void)state;
	s.static_controllers = 2;
	assert_int_equal(nvmf_subsystem_update(rig.subsystem, &s, why, sizeof(why)), 0);
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		host_dial(&h[i], port());
		host_greet(&h[i], 0, 0);
		uint16_t status = host_connect(&h[i], SUBSYSTEM, 0, cases[i].cntlid, 32, 0);
		if (status != cases[i].status || (uint32_t)host_result(&h[i]) != cases[i].info)
			fail_msg("%s: %x %x", cases[i].what, status, (unsigned)host_result(&h[i]));
	}
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++)
		host_close(&h[i]);
	s = rig_spec(&rig);
	assert_int_equal(nvmf_subsystem_update(rig.subsystem, &s, why, sizeof(why)), 0);
	rig_wait(sessions() == 0);
}

/* States of paths by portal group: in the log, in what I/O answers, and told. */
static void path_states(void **state)
{
	static const struct {
		enum nvmf_path_state path;
		uint8_t ana;
		uint16_t io;
	} cases[] = {
		{ NVMF_PATH_NONOPTIMIZED, 2, 0 },
		{ NVMF_PATH_INACCESSIBLE, 3, NVME_SC_ANA_INACCESSIBLE },
		{ NVMF_PATH_CHANGE, 15, NVME_SC_ANA_TRANSITION },
		{ NVMF_PATH_OPTIMIZED, 1, 0 },
	};
	struct nvme_sqe events = { .opcode = NVME_ADM_SET_FEATURES, .cdw10 = le32_of(NVME_FEAT_ASYNC_EVENT), .cdw11 = le32_of(1 << 11) };
	struct nvme_sqe aer = { .opcode = NVME_ADM_ASYNC_EVENT };
	struct nvme_sqe log = { .opcode = NVME_ADM_GET_LOG_PAGE, .cdw10 = le32_of(NVME_LOG_ANA | (52 / 4 - 1) << 16) };
	struct nvmf_path paths[] = { { 7, NVMF_PATH_INACCESSIBLE }, { 1, NVMF_PATH_OPTIMIZED } };
	struct nvmf_subsystem_spec s = rig_spec(&rig);
	unsigned touched, closed;
	char why[256];
	(void)state;
	s.paths = paths;
	s.path_count = 2;
	uint16_t id = host_admin(&admin, port(), SUBSYSTEM, 0);
	host_io(&io, port(), 1, id, 0);
	host_command(&admin, &events, NULL, 0);
	assert_int_equal(host_answer(&admin, NULL), 0);
	assert_int_equal(nvmf_subsystem_update(rig.subsystem, &s, why, sizeof(why)), 0);
	assert_int_equal(host_rw(&io, NVME_IO_READ, 0, 1, NULL, false), 0);      /* another group's state */
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		paths[1].state = cases[i].path;
		host_command(&admin, &aer, NULL, 0);
		assert_int_equal(nvmf_subsystem_preview(rig.subsystem, &s, &touched, &closed), 0);
		assert_true(touched == 1 && closed == 0);
		assert_int_equal(nvmf_subsystem_update(rig.subsystem, &s, why, sizeof(why)), 0);
		assert_int_equal(host_answer(&admin, NULL), 0);
		assert_int_equal(host_result(&admin), 0x0c0302);
		host_command(&admin, &log, NULL, 52);
		assert_int_equal(host_answer(&admin, NULL), 0);
		assert_int_equal(admin.data[0], i + 1);          /* change count */
		assert_int_equal(admin.data[8], 1);              /* one group .. */
		assert_int_equal(admin.data[16], 1);             /* .. with this id */
		assert_int_equal(admin.data[32], cases[i].ana);
		assert_int_equal(host_rw(&io, NVME_IO_READ, 0, 1, NULL, false), cases[i].io);
	}
	s = rig_spec(&rig);
	assert_int_equal(nvmf_subsystem_update(rig.subsystem, &s, why, sizeof(why)), 0);
	host_close(&io);
	host_close(&admin);
	rig_wait(sessions() == 0);
}

static void removed(void **state)
{
	(void)state;
	uint16_t id = host_admin(&admin, port(), SUBSYSTEM, 0);
	host_io(&io, port(), 1, id, 0);
	nvmf_subsystem_remove(rig.subsystem);
	assert_int_equal(sessions(), 0);
	assert_int_equal(host_recv(&admin), -1);
	assert_int_equal(host_recv(&io), -1);
	host_close(&io);
	host_close(&admin);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(data_both_ways), cmocka_unit_test(byte_by_byte), cmocka_unit_test(alignment), cmocka_unit_test(data_digest),
		cmocka_unit_test(sq_head), cmocka_unit_test(connect_refused), cmocka_unit_test(disconnect), cmocka_unit_test(terms),
		cmocka_unit_test(gone_in_the_middle), cmocka_unit_test(rules), cmocka_unit_test(discovery),
		cmocka_unit_test(persistent_discovery), cmocka_unit_test(discovery_entries), cmocka_unit_test(fused_by_r2t), cmocka_unit_test(silence),
		cmocka_unit_test(static_controllers), cmocka_unit_test(path_states), cmocka_unit_test(removed),
	};
	return cmocka_run_group_tests_name("nvmf/queue", tests, up, down);
}
