/* SPDX-License-Identifier: GPL-3.0-or-later */
/* session.c - sessions as hosts and the administrator make and end them: reinstatement, closing,
 * changes of a target while it is used, discovery, task management.  RFC 7143 4.4.3, 6.3.5. */
#include "rig.h"

static struct rig rig;
static struct ini i, j;

static int setup(void **state)
{
	(void)state;
	rig_start(&rig, NULL);
	return 0;
}
static int teardown(void **state)
{
	(void)state;
	rig_stop(&rig);
	return 0;
}
static void take_info(void *arg, const struct iscsi_session_info *s)
{
	*(struct iscsi_session_info *)arg = *s;
}

static void what_is_told(void **state)
{
	struct iscsi_session_info s = { 0 };

	(void)state;
	ini_session(&i, rig.port, "InitiatorAlias=web;HeaderDigest=CRC32C;MaxBurstLength=65536;");
	ini_settle(&i);
	for (unsigned k = 0; k < 10; k++) {
		ini_read10(&i, 0, k, 2);
		assert_int_equal(ini_recv(&i), ISCSI_DATA_IN);
	}
	assert_int_equal(rig_sessions(), 1);
	iscsi_session_each(take_info, &s);
	assert_string_equal(s.initiator, HOST);
	assert_string_equal(s.initiator_alias, "web");
	assert_string_equal(s.target, TARGET);
	assert_string_equal(s.auth, "none");
	assert_int_equal(s.tsih, i.tsih);
	assert_int_equal(s.tpgt, 1);
	assert_true(s.header_digest && !s.data_digest && !s.discovery);
	assert_int_equal(s.max_burst_bytes, 65536);
	assert_int_equal(s.max_recv_bytes, 262144);
	assert_int_equal(s.read_ops, 10);
	assert_int_equal(s.read_bytes, 10240);
	assert_true(s.latency_p99_ns > 0);
	assert_true(!strncmp(s.peer, "127.0.0.1:", 10));
	ini_logout(&i);
	rig_wait(rig_sessions() == 0);
	assert_int_equal(iscsi_session_close(s.id), -ENOENT);
}

/* The same initiator port again: the old session ends, whatever it is doing. */
static void reinstatement(void **state)
{
	(void)state;
	ini_session(&i, rig.port, "");
	ini_settle(&i);
	uint32_t itt = ini_command(&i, CMD_WRITE, 0, "\x2a\0\0\0\0\0\0\0\x08", 10, 4096, NULL, 0);
	(void)itt;
	assert_int_equal(ini_recv(&i), ISCSI_R2T);               /* its data never comes */
	for (unsigned k = 0; k < 20; k++) {
		ini_session(k % 2 ? &i : &j, rig.port, "");
		struct ini *old = k % 2 ? &j : &i;
		assert_int_equal(ini_recv(old), -1);
		ini_close(old);
		rig_wait(rig_sessions() == 1);
	}
	ini_settle(&i);
	j = i;
	ini_logout(&i);
	/* Another ISID is another session. */
	ini_session(&i, rig.port, "");
	ini_connect(&j, rig.port);
	j.isid[5] = 2;
	assert_int_equal(ini_login(&j, 0x87, LOGIN_NAMES "MaxBurstLength=4096"), 0);
	assert_int_equal(rig_sessions(), 2);
	ini_logout(&i);
	ini_logout(&j);
	rig_wait(rig_sessions() == 0);
}

static void existing_sessions(void **state)
{
	(void)state;
	ini_session(&i, rig.port, "");
	ini_connect(&j, rig.port);                               /* another connection */
	j.tsih = i.tsih;
	j.cid = 1;
	assert_int_equal(ini_login(&j, 0x87, LOGIN_NAMES "X-a=b"), 0x0206);
	ini_close(&j);
	ini_connect(&j, rig.port);                               /* no such session */
	j.tsih = (uint16_t)(i.tsih + 1);
	assert_int_equal(ini_login(&j, 0x87, LOGIN_NAMES "X-a=b"), 0x020a);
	ini_close(&j);
	ini_connect(&j, rig.port);                               /* another initiator's */
	j.tsih = i.tsih;
	assert_int_equal(ini_login(&j, 0x87, "InitiatorName=iqn.x:y;TargetName=" TARGET), 0x020a);
	ini_close(&j);
	ini_settle(&i);                                          /* nobody disturbed it */
	ini_connect(&j, rig.port);                               /* the same connection again */
	j.tsih = i.tsih;
	j.cmdsn = i.cmdsn;
	assert_int_equal(ini_login(&j, 0x87, LOGIN_NAMES "X-a=b"), 0);
	assert_int_equal(j.h[14] << 8 | j.h[15], i.tsih);
	assert_int_equal(ini_recv(&i), -1);
	ini_close(&i);
	ini_settle(&j);
	ini_logout(&j);
	rig_wait(rig_sessions() == 0);
}

static void closed_by_the_administrator(void **state)
{
	struct iscsi_session_info s = { 0 };

	(void)state;
	ini_session(&i, rig.port, "");
	iscsi_session_each(take_info, &s);
	assert_int_equal(iscsi_session_close(s.id), 0);
	assert_int_equal(ini_recv(&i), ISCSI_ASYNC);             /* please log out .. */
	assert_int_equal(i.h[36], 1);
	assert_int_equal(i.h[42] << 8 | i.h[43], 3);             /* .. within 3 s */
	ini_logout(&i);
	rig_wait(rig_sessions() == 0);
	ini_session(&i, rig.port, "");
	iscsi_session_each(take_info, &s);
	assert_int_equal(iscsi_session_close(s.id), 0);
	assert_int_equal(iscsi_session_close(s.id), 0);          /* twice is once */
	assert_int_equal(ini_recv(&i), ISCSI_ASYNC);
	assert_int_equal(ini_recv(&i), -1);                      /* it did not, so we do */
	ini_close(&i);
	rig_wait(rig_sessions() == 0);
}

/* ---- targets that change ------------------------------------------------------------------------------ */
static void luns_come_and_go(void **state)
{
	struct iscsi_target_spec s = rig_spec(&rig);
	unsigned touched, closed;

	(void)state;
	ini_session(&i, rig.port, "");
	ini_settle(&i);
	s.alias = "renamed";
	assert_int_equal(iscsi_target_preview(rig.target, &s, &touched, &closed), 0);
	assert_int_equal(touched + closed, 0);
	assert_int_equal(iscsi_target_update(rig.target, &s, NULL, 0), 0);
	ini_read10(&i, 0, 0, 1);                                 /* no unit attention */
	assert_int_equal(ini_recv(&i), ISCSI_DATA_IN);
	s.lun_count = 1;
	assert_int_equal(iscsi_target_preview(rig.target, &s, &touched, &closed), 0);
	assert_int_equal(touched, 1);
	assert_int_equal(closed, 0);
	assert_int_equal(iscsi_target_update(rig.target, &s, NULL, 0), 0);
	assert_int_equal(ini_recv(&i), ISCSI_ASYNC);             /* it is told at once .. */
	assert_int_equal(i.h[36], ISCSI_ASYNC_SENSE);
	assert_int_equal(ini_sense(&i), 0x063f0e);               /* .. and by a unit attention */
	ini_read10(&i, 0, 0, 1);
	assert_int_equal(ini_recv(&i), ISCSI_SCSI_RESPONSE);
	assert_int_equal(ini_sense(&i), 0x063f0e);               /* reported LUNs have changed */
	ini_read10(&i, 1, 0, 1);
	assert_int_equal(ini_recv(&i), ISCSI_SCSI_RESPONSE);
	assert_int_equal(ini_sense(&i), 0x052500);
	s = rig_spec(&rig);
	iscsi_set_limits(&(struct iscsi_opts){ .lun_events_off = 1 });
	assert_int_equal(iscsi_target_update(rig.target, &s, NULL, 0), 0);
	iscsi_set_limits(&(struct iscsi_opts){ 0 });
	ini_settle(&i);
	ini_read10(&i, 1, 0, 1);
	assert_int_equal(ini_recv(&i), ISCSI_DATA_IN);
	ini_logout(&i);
}

static void masking(void **state)
{
	struct iscsi_target_spec s = rig_spec(&rig);
	const char *mine[] = { HOST };
	const uint16_t one = 1;
	const struct iscsi_rule rule = { .host = "masked", .iqns = mine, .iqn_count = 1, .luns = &one, .lun_count = 1 };
	struct iscsi_session_info info;

	(void)state;
	s.rules = &rule;
	s.rule_count = 1;
	assert_int_equal(iscsi_target_update(rig.target, &s, NULL, 0), 0);
	ini_session(&i, rig.port, "");
	iscsi_session_each(take_info, &info);
	assert_string_equal(info.host, "masked");
	ini_read10(&i, 0, 0, 1);
	assert_int_equal(ini_recv(&i), ISCSI_SCSI_RESPONSE);
	assert_int_equal(ini_sense(&i), 0x052500);
	do
		ini_read10(&i, 1, 0, 1);
	while (ini_recv(&i) == ISCSI_SCSI_RESPONSE && i.h[3] == 2 && ini_sense(&i) >> 16 == 6);
	assert_int_equal(i.h[0], ISCSI_DATA_IN);
	ini_logout(&i);
	s = rig_spec(&rig);
	assert_int_equal(iscsi_target_update(rig.target, &s, NULL, 0), 0);
}

static void host_no_longer_allowed(void **state)
{
	struct iscsi_target_spec s = rig_spec(&rig);
	unsigned touched, closed;

	(void)state;
	ini_session(&i, rig.port, "");
	s.allow_any = false;
	assert_int_equal(iscsi_target_preview(rig.target, &s, &touched, &closed), 0);
	assert_int_equal(closed, 1);
	uint64_t from_ns = reactor_clock_ns();
	assert_int_equal(iscsi_target_update(rig.target, &s, NULL, 0), 0);
	assert_int_equal(ini_recv(&i), -1);                      /* at once, nobody is asked */
	rig_wait(rig_sessions() == 0);
	assert_true(reactor_clock_ns() - from_ns < 1000000000);
	assert_string_equal(rig_reason(&rig), "the host is no longer allowed");
	ini_close(&i);
	ini_connect(&i, rig.port);
	assert_int_equal(ini_login(&i, 0x87, LOGIN_NAMES "X-a=b"), 0x0202);
	ini_close(&i);
	s = rig_spec(&rig);
	assert_int_equal(iscsi_target_update(rig.target, &s, NULL, 0), 0);
}

static void removal(void **state)
{
	struct iscsi_target_spec s = rig_spec(&rig);
	struct iscsi_target *t;
	char why[200];

	(void)state;
	assert_int_equal(iscsi_target_add(&s, &t, why, sizeof(why)), -EEXIST);
	s.name = "iqn.2026-11.com.example:gone";
	assert_int_equal(iscsi_target_add(&s, &t, why, sizeof(why)), 0);
	ini_connect(&i, rig.port);
	assert_int_equal(ini_login(&i, 0x87, "InitiatorName=" HOST ";TargetName=iqn.2026-11.com.example:gone"), 0);
	ini_session(&j, rig.port, "");
	iscsi_target_remove(t);
	assert_int_equal(ini_recv(&i), -1);
	rig_wait(rig_sessions() == 1);                           /* the other target's stays */
	ini_close(&i);
	ini_connect(&i, rig.port);
	assert_int_equal(ini_login(&i, 0x87, "InitiatorName=" HOST ";TargetName=iqn.2026-11.com.example:gone"), 0x0204);
	ini_close(&i);
	ini_logout(&j);
}

static void bad_targets(void **state)
{
	const uint8_t secret[16] = "sixteen-byte-se";
	const char *nets[] = { "192.0.2.0/40" };
	struct iscsi_rule rule = { .host = "h" };
	struct iscsi_target_spec s = rig_spec(&rig);
	struct iscsi_lun twice[2] = { { 3, false, rig.unit[0] }, { 3, false, rig.unit[1] } };
	struct iscsi_target *t;
	char why[200] = "";

	(void)state;
	s.name = "disk";
	assert_int_equal(iscsi_target_add(&s, &t, why, sizeof(why)), -EINVAL);
	assert_true(why[0]);
	s.name = "iqn.2026-11.com.example:bad";
	s.luns = twice;
	assert_int_equal(iscsi_target_add(&s, &t, why, sizeof(why)), -EINVAL);
	s = rig_spec(&rig);
	s.name = "iqn.2026-11.com.example:bad";
	s.rules = &rule;
	s.rule_count = 1;
	rule.addresses = nets;
	rule.address_count = 1;
	assert_int_equal(iscsi_target_add(&s, &t, why, sizeof(why)), -EINVAL);
	rule.address_count = 0;
	rule.chap_user = "u";
	rule.chap_secret = secret;
	rule.chap_secret_len = 11;
	assert_int_equal(iscsi_target_add(&s, &t, why, sizeof(why)), -EINVAL);
	rule.chap_secret_len = 16;
	rule.mutual_user = "m";
	rule.mutual_secret = secret;
	rule.mutual_secret_len = 16;
	assert_int_equal(iscsi_target_add(&s, &t, why, sizeof(why)), -EINVAL); /* one secret for both */
	assert_non_null(strstr(why, "differ"));
}

/* ---- discovery -------------------------------------------------------------------------------------------- */
static void send_targets(const char *value)
{
	uint8_t h[ISCSI_BHS_BYTES] = { 0x44, 0x80 };
	char text[300];
	int n = snprintf(text, sizeof(text), "SendTargets=%s", value);

	put32(h + 16, i.itt++);
	put32(h + 20, 0xffffffff);
	put32(h + 24, i.cmdsn);
	ini_send(&i, h, text, (uint32_t)n + 1);
	assert_int_equal(ini_recv(&i), ISCSI_TEXT_RESPONSE);
}
static void discovery(void **state)
{
	struct iscsi_target_spec s = rig_spec(&rig);
	const char *others[] = { "iqn.2026-11.com.example:other" };
	const struct iscsi_rule rule = { .host = "o", .iqns = others, .iqn_count = 1 };
	const uint16_t two = 2;
	struct iscsi_target *hidden, *elsewhere, *many[40];
	struct iscsi_portal *any;
	char pair[200];

	(void)state;
	s.name = "iqn.2026-11.com.example:hidden";
	s.allow_any = false;
	s.rules = &rule;
	s.rule_count = 1;
	assert_int_equal(iscsi_target_add(&s, &hidden, NULL, 0), 0);
	s = rig_spec(&rig);
	s.name = "iqn.2026-11.com.example:elsewhere";
	s.tpgts = &two;
	s.tpgt_count = 1;
	assert_int_equal(iscsi_target_add(&s, &elsewhere, NULL, 0), 0);
	const struct iscsi_portal_spec p = { .address = "0.0.0.0", .tpgt = 2, .listen_fd = -1 };
	assert_int_equal(iscsi_portal_add(&p, &any), 0);
	ini_connect(&i, rig.port);
	assert_int_equal(ini_login(&i, 0x87, "InitiatorName=" HOST ";SessionType=Discovery;MaxRecvDataSegmentLength=512"), 0);
	send_targets("All");
	assert_true(ini_has(&i, "TargetName=" TARGET));
	snprintf(pair, sizeof(pair), "TargetAddress=127.0.0.1:%u,1", rig.port);
	assert_true(ini_has(&i, pair));
	assert_false(ini_has(&i, "TargetName=iqn.2026-11.com.example:hidden"));
	assert_true(ini_has(&i, "TargetName=iqn.2026-11.com.example:elsewhere"));
	snprintf(pair, sizeof(pair), "TargetAddress=127.0.0.1:%u,2", iscsi_portal_port(any)); /* not 0.0.0.0 */
	assert_true(ini_has(&i, pair));
	send_targets(TARGET);
	assert_true(ini_has(&i, "TargetName=" TARGET));
	assert_false(ini_has(&i, "TargetName=iqn.2026-11.com.example:elsewhere"));
	send_targets("iqn.2026-11.com.example:hidden");
	assert_int_equal(i.len, 0);
	send_targets("");
	assert_true(ini_has(&i, "SendTargets=Reject"));
	/* An answer that needs several PDUs. */
	for (unsigned k = 0; k < ARRAY_COUNT(many); k++) {
		s = rig_spec(&rig);
		snprintf(pair, sizeof(pair), "iqn.2026-11.com.example:many-%u", k);
		s.name = pair;
		assert_int_equal(iscsi_target_add(&s, &many[k], NULL, 0), 0);
	}
	send_targets("All");
	unsigned names = 0, pdus = 0;
	char all[20000];
	size_t len = 0;
	for (;; pdus++) {
		assert_true(i.len <= 512);
		memcpy(all + len, i.data, i.len);
		len += i.len;
		if (i.h[1] & 0x80)
			break;
		assert_int_equal(i.h[1], 0x40);
		uint8_t h[ISCSI_BHS_BYTES] = { 0x44, 0x80 };
		put32(h + 16, i.itt - 1);
		memcpy(h + 20, i.h + 20, 4);
		put32(h + 24, i.cmdsn);
		ini_send(&i, h, NULL, 0);
		assert_int_equal(ini_recv(&i), ISCSI_TEXT_RESPONSE);
	}
	for (size_t k = 0; k + 11 < len; k++)
		names += !memcmp(all + k, "TargetName=", 11);
	assert_int_equal(names, 2 + ARRAY_COUNT(many));
	assert_true(pdus > 5);
	/* Commands have no place here. */
	const uint8_t tur[6] = { 0 };
	ini_command(&i, CMD_NONE, 0, tur, 6, 0, NULL, 0);
	assert_int_equal(ini_recv(&i), ISCSI_REJECT);
	ini_logout(&i);
	for (unsigned k = 0; k < ARRAY_COUNT(many); k++)
		iscsi_target_remove(many[k]);
	iscsi_target_remove(hidden);
	iscsi_target_remove(elsewhere);
	iscsi_portal_remove(any);
}

static void portals(void **state)
{
	struct iscsi_portal *p;
	struct iscsi_portal_spec s = { .address = "127.0.0.1", .port = rig.port, .tpgt = 1, .listen_fd = -1 };

	(void)state;
	assert_int_equal(iscsi_portal_add(&s, &p), -EADDRINUSE);
	s.address = "192.0.2.1";
	s.port = 0;
	assert_int_equal(iscsi_portal_add(&s, &p), -EADDRNOTAVAIL);
	s.address = "localhost";
	assert_int_equal(iscsi_portal_add(&s, &p), -EINVAL);
	s.address = "127.0.0.1";
	assert_int_equal(iscsi_portal_add(&s, &p), 0);
	ini_session(&i, iscsi_portal_port(p), "");
	iscsi_portal_remove(p);                                  /* sessions that came in by it stay */
	ini_settle(&i);
	ini_logout(&i);
}

/* ---- task management ------------------------------------------------------------------------------------------ */
static int manage(unsigned function, unsigned lun, uint32_t ref_itt, uint32_t ref_cmdsn)
{
	uint8_t h[ISCSI_BHS_BYTES] = { 0x42, (uint8_t)(0x80 | function), [9] = (uint8_t)lun };

	put32(h + 16, 0x70000000u + i.itt++);
	put32(h + 20, ref_itt);
	put32(h + 24, i.cmdsn);
	put32(h + 32, ref_cmdsn);
	ini_send(&i, h, NULL, 0);
	assert_int_equal(ini_recv(&i), ISCSI_TASK_RESPONSE);
	return i.h[2];
}

/* Level 2: the connection goes while a write waits for memory; on another one it waits on, and gets it. */
static void write_without_memory_is_reassigned(void **state)
{
	enum { BIG = 8192, SMALL = 512, MANY = 24 };
	static uint8_t data[SMALL * 512], back[SMALL * 512];
	uint32_t first = 0, last, begun = 0;
	uint8_t isid[6];

	(void)state;
	memset(data, 0x5a, sizeof(data));
	ini_session(&i, rig.port, "ErrorRecoveryLevel=2;ImmediateData=No;DefaultTime2Retain=20;");
	assert_true(ini_has(&i, "ErrorRecoveryLevel=2"));
	ini_settle(&i);
	for (unsigned k = 0; k < MANY; k++) {
		uint32_t itt = ini_write10(&i, CMD_WRITE, 0, BIG, NULL, 0);
		first = k ? first : itt;
	}
	last = ini_write10(&i, CMD_WRITE, 0, SMALL, NULL, 0);
	while (!ini_is_silent(&i)) {
		assert_int_equal(ini_recv(&i), ISCSI_R2T);
		assert_int_not_equal(get32(i.h + 16), last);
		begun++;
	}
	assert_true(begun && begun < MANY);              /* the rest waits for memory */
	const struct ini was = i;
	memcpy(isid, i.isid, sizeof(isid));
	setsockopt(i.fd, SOL_SOCKET, SO_LINGER, &(struct linger){ 1, 0 }, sizeof(struct linger));
	ini_close(&i);
	ini_connect(&i, rig.port);
	memcpy(i.isid, isid, sizeof(isid));
	i.tsih = was.tsih;
	i.cid = 1;
	i.itt = was.itt;
	i.cmdsn = was.cmdsn;
	assert_int_equal(ini_login(&i, 0x87, LOGIN_NAMES "MaxRecvDataSegmentLength=262144"), 0);
	assert_int_equal(manage(ISCSI_TASK_REASSIGN, 0, last, 0), ISCSI_TASK_COMPLETE);
	assert_true(ini_is_silent(&i));
	assert_int_equal(manage(ISCSI_ABORT_TASK, 0, first, was.cmdsn - MANY - 1), ISCSI_TASK_COMPLETE);
	assert_int_equal(ini_recv(&i), ISCSI_R2T);
	assert_int_equal(get32(i.h + 16), last);
	ini_data_out(&i, last, get32(i.h + 20), 0, 0, data, sizeof(data), true);
	assert_int_equal(ini_recv(&i), ISCSI_SCSI_RESPONSE);
	assert_int_equal(i.h[3], 0);
	ini_read10(&i, 0, 0, SMALL);
	for (uint32_t at = 0; at < sizeof(back); at += i.len) {
		assert_int_equal(ini_recv(&i), ISCSI_DATA_IN);
		memcpy(back + at, i.data, i.len);
	}
	assert_memory_equal(back, data, sizeof(back));
	ini_logout(&i);
}

static void task_management(void **state)
{
	const uint8_t write8[10] = { 0x2a, [8] = 8 };

	(void)state;
	ini_session(&i, rig.port, "");
	ini_settle(&i);
	/* A write that waits for its data: aborted, and the data that comes after all is thrown away. */
	uint32_t itt = ini_command(&i, CMD_WRITE, 0, write8, 10, 4096, NULL, 0);
	assert_int_equal(ini_recv(&i), ISCSI_R2T);
	uint32_t ttt = get32(i.h + 20);
	static const uint8_t data[4096];
	assert_int_equal(manage(ISCSI_QUERY_TASK, 0, itt, i.cmdsn - 1), ISCSI_TASK_SUCCEEDED);
	assert_int_equal(manage(ISCSI_ABORT_TASK, 0, itt, i.cmdsn - 1), ISCSI_TASK_COMPLETE);
	assert_int_equal(manage(ISCSI_QUERY_TASK, 0, itt, i.cmdsn - 1), ISCSI_TASK_COMPLETE);
	ini_data_out(&i, itt, ttt, 0, 0, data, 4096, true);
	assert_true(ini_is_silent(&i));
	ini_read10(&i, 0, 0, 1);
	assert_int_equal(ini_recv(&i), ISCSI_DATA_IN);
	uint32_t done = i.itt - 1;
	assert_int_equal(manage(ISCSI_ABORT_TASK, 0, done, i.cmdsn - 1), ISCSI_TASK_COMPLETE); /* it has just ended */
	assert_int_equal(manage(ISCSI_ABORT_TASK, 0, 999999, i.cmdsn + 100000), ISCSI_TASK_NO_TASK);
	assert_int_equal(manage(ISCSI_ABORT_TASK_SET, 7, 0xffffffff, 0), ISCSI_TASK_NO_LUN);
	assert_int_equal(manage(ISCSI_TASK_REASSIGN, 0, 0xffffffff, 0), ISCSI_TASK_NO_REASSIGN);
	assert_int_equal(manage(99, 0, 0xffffffff, 0), ISCSI_TASK_UNSUPPORTED);
	/* Three waiting writes, two on LUN 0. */
	for (unsigned k = 0; k < 3; k++) {
		ini_command(&i, CMD_WRITE, k / 2, write8, 10, 4096, NULL, 0);
		assert_int_equal(ini_recv(&i), ISCSI_R2T);
	}
	assert_int_equal(manage(ISCSI_ABORT_TASK_SET, 0, 0xffffffff, 0), ISCSI_TASK_COMPLETE);
	assert_int_equal(manage(ISCSI_QUERY_TASK, 1, i.itt - 2, 0), ISCSI_TASK_SUCCEEDED);
	assert_int_equal(manage(ISCSI_LUN_RESET, 1, 0xffffffff, 0), ISCSI_TASK_COMPLETE);
	ini_read10(&i, 1, 0, 1);
	assert_int_equal(ini_recv(&i), ISCSI_SCSI_RESPONSE);
	assert_int_equal(ini_sense(&i) & 0xffff00, 0x062900);    /* the reset is told */
	assert_int_equal(manage(ISCSI_TARGET_WARM_RESET, 0, 0xffffffff, 0), ISCSI_TASK_COMPLETE);
	ini_settle(&i);
	/* A command that is still on its way is aborted before it comes: it counts as received. */
	uint8_t h[ISCSI_BHS_BYTES] = { 0x42, 0x81 };
	put32(h + 16, 0x71000000);
	put32(h + 20, 4242);
	put32(h + 24, i.cmdsn + 1);
	put32(h + 32, i.cmdsn);
	ini_send(&i, h, NULL, 0);
	assert_int_equal(ini_recv(&i), ISCSI_TASK_RESPONSE);
	assert_int_equal(i.h[2], ISCSI_TASK_COMPLETE);
	i.cmdsn++;
	ini_read10(&i, 0, 0, 1);
	assert_int_equal(ini_recv(&i), ISCSI_DATA_IN);
	ini_logout(&i);
}

/* Hosts that come and vanish in the middle of everything. */
static void vanishing(void **state)
{
	(void)state;
	for (unsigned k = 0; k < 100; k++) {
		ini_session(&i, rig.port, k % 3 ? "" : "InitialR2T=No;DataDigest=CRC32C;");
		uint8_t cdb[10];
		for (unsigned n = 0; n < k; n++) {
			cdb_rw(cdb, n % 2 ? 0x28 : 0x2a, n, 128);
			ini_command(&i, n % 2 ? CMD_READ : n % 4 ? CMD_WRITE : CMD_WRITE & ~NOT_FINAL, n % 2, cdb, 10, 65536, NULL, 0);
		}
		if (k % 2)
			ini_recv(&i);
		if (k % 5 == 0)
			setsockopt(i.fd, SOL_SOCKET, SO_LINGER, &(struct linger){ 1, 0 }, sizeof(struct linger));
		ini_close(&i);
	}
	rig_wait(rig_sessions() == 0);
}

/* Two hosts ask for four times the memory there is and do not read: nothing is refused, nobody else
 * is stopped for good, and in the end everybody has all of it. */
static void slow_readers(void **state)
{
	static struct ini *const both[] = { &i, &j };
	uint8_t cdb[10];

	(void)state;
	for (unsigned k = 0; k < 2; k++) {
		ini_connect(both[k], rig.port);
		both[k]->isid[5] = (uint8_t)(1 + k);
		assert_int_equal(ini_login(both[k], 0x87, LOGIN_NAMES "MaxRecvDataSegmentLength=262144"), 0);
		ini_settle(both[k]);
		cdb_rw(cdb, 0x28, 0, 1024);
		for (unsigned n = 0; n < 256; n++)
			ini_command(both[k], CMD_READ, 0, cdb, 10, 524288, NULL, 0);
	}
	rig_sleep_ms(300);
	for (unsigned k = 0; k < 2; k++)
		for (unsigned n = 0; n < 256;) {
			assert_int_equal(ini_recv(both[k]), ISCSI_DATA_IN);
			if (both[k]->h[1] & 1) {
				assert_int_equal(both[k]->h[3], 0);
				n++;
			}
		}
	ini_logout(&i);
	ini_logout(&j);
}

/* A write of more than there is memory for at once: commands wait for it, none is refused. */
static void more_writes_than_memory(void **state)
{
	static uint8_t data[262144];
	uint8_t cdb[10];

	(void)state;
	ini_session(&i, rig.port, "");
	ini_settle(&i);
	cdb_rw(cdb, 0x2a, 0, 1024);
	for (unsigned n = 0; n < 200; n++)               /* 100 MiB against 64 MiB */
		ini_command(&i, CMD_WRITE, 0, cdb, 10, 524288, NULL, 0);
	rig_sleep_ms(1200);                              /* longer than a blocked socket may wait */
	for (unsigned n = 0; n < 200;) {
		int op = ini_recv(&i);
		if (op == ISCSI_SCSI_RESPONSE) {
			assert_int_equal(i.h[3], 0);
			n++;
			continue;
		}
		assert_int_equal(op, ISCSI_R2T);
		ini_data_out(&i, get32(i.h + 16), get32(i.h + 20), 0, get32(i.h + 40), data, get32(i.h + 44), true);
	}
	ini_logout(&i);
}

static void ipv6(void **state)
{
	const struct iscsi_portal_spec s = { .address = "::1", .tpgt = 1, .listen_fd = -1 };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	struct iscsi_session_info info = { 0 };
	struct iscsi_portal *p;
	char pair[100];

	(void)state;
	if (iscsi_portal_add(&s, &p) < 0)
		skip();
	ini_connect(&i, rig.port);
	close(i.fd);
	i.fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	in6.sin6_port = htons(iscsi_portal_port(p));
	assert_int_equal(connect(i.fd, (struct sockaddr *)&in6, sizeof(in6)), 0);
	assert_int_equal(ini_login(&i, 0x87, LOGIN_NAMES "X-a=b"), 0);
	iscsi_session_each(take_info, &info);
	assert_int_equal(strncmp(info.peer, "[::1]:", 6), 0);
	send_targets("");
	snprintf(pair, sizeof(pair), "TargetAddress=[::1]:%u,1", iscsi_portal_port(p));
	assert_true(ini_has(&i, pair));
	ini_logout(&i);
	iscsi_portal_remove(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_told), cmocka_unit_test(reinstatement), cmocka_unit_test(existing_sessions),
		cmocka_unit_test(closed_by_the_administrator), cmocka_unit_test(luns_come_and_go), cmocka_unit_test(masking),
		cmocka_unit_test(host_no_longer_allowed), cmocka_unit_test(removal), cmocka_unit_test(bad_targets),
		cmocka_unit_test(discovery), cmocka_unit_test(portals), cmocka_unit_test(write_without_memory_is_reassigned), cmocka_unit_test(task_management),
		cmocka_unit_test(vanishing), cmocka_unit_test(slow_readers), cmocka_unit_test(more_writes_than_memory),
		cmocka_unit_test(ipv6),
	};
	return cmocka_run_group_tests_name("iscsi/session", tests, setup, teardown);
}
