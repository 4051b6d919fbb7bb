/* SPDX-License-Identifier: GPL-3.0-or-later */
/* admin.c - what an administrator does to targets and hosts: very many LUNs, redirects, bans; and what a host hears of
 * another's LUN reset.  RFC 7143 4.2.3.4, 11.13.5. */
#include "rig.h"

#include "core/ban.h"

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

/* All that flat addressing has room for.  SAM-5 4.7.7.3 */
static void many_luns(void **state)
{
	static struct iscsi_lun luns[SCSI_LUN_MAX + 1];
	struct iscsi_target_spec s = rig_spec(&rig);
	const uint8_t report[12] = { 0xa0, [6] = 0, 2, 0, 8 };
	uint8_t h[ISCSI_BHS_BYTES] = { 0x01, CMD_READ, [8] = 0x7f, 0xff };
	uint8_t cdb[10];

	(void)state;
	for (unsigned k = 0; k <= SCSI_LUN_MAX; k++)
		luns[k] = (struct iscsi_lun){ .lun = (uint16_t)k, .unit = rig.unit[k % 2] };
	s.luns = luns;
	s.lun_count = SCSI_LUN_MAX + 1;
	assert_int_equal(iscsi_target_update(rig.target, &s, NULL, 0), 0);
	ini_session(&i, rig.port, "");
	ini_command(&i, CMD_READ, 0, report, 12, 0x20008, NULL, 0);
	assert_int_equal(ini_recv(&i), ISCSI_DATA_IN);
	assert_int_equal(i.len, 0x20008);
	assert_int_equal(get32(i.data), 8 * (SCSI_LUN_MAX + 1));
	for (unsigned k = 0; k <= SCSI_LUN_MAX; k++) {
		unsigned lun = (unsigned)i.data[8 + 8 * k] << 8 | i.data[9 + 8 * k];
		if (lun != (k < 256 ? k : 0x4000 | k))
			fail_msg("LUN %u is reported as %04x", k, lun);
	}
	cdb_rw(cdb, 0x28, 0, 1);
	for (unsigned tries = 0;; tries++) {             /* its unit attentions first */
		put32(h + 16, i.itt++);
		put32(h + 20, 512);
		put32(h + 24, i.cmdsn++);
		memcpy(h + 32, cdb, sizeof(cdb));
		ini_send(&i, h, NULL, 0);
		if (ini_recv(&i) == ISCSI_DATA_IN)
			break;
		assert_true(tries < 4);
	}
	assert_int_equal(i.len, 512);
	ini_logout(&i);
	s = rig_spec(&rig);
	assert_int_equal(iscsi_target_update(rig.target, &s, NULL, 0), 0);
}

static void elsewhere(void **state)
{
	struct iscsi_target_spec s = rig_spec(&rig);
	const struct iscsi_portal_spec p = { .address = "127.0.0.1", .tpgt = 2, .listen_fd = -1 };
	struct iscsi_redirect to[2] = { { 2, "192.0.2.9:3260" }, { 0, "[2001:db8::9]:3261" } };
	struct iscsi_portal *second;
	unsigned refused = rig.events[ISCSI_REFUSED];
	char here[64];

	(void)state;
	assert_int_equal(iscsi_portal_add(&p, &second), 0);
	s.redirects = to;
	s.redirect_count = 2;
	assert_int_equal(iscsi_target_update(rig.target, &s, NULL, 0), 0);
	ini_connect(&i, iscsi_portal_port(second));
	assert_int_equal(ini_login(&i, 0x87, LOGIN_NAMES "X-a=b"), 0x0101);
	assert_true(ini_has(&i, "TargetAddress=192.0.2.9:3260"));
	assert_int_equal(ini_recv(&i), -1);
	ini_close(&i);
	s.redirect_permanent = true;
	assert_int_equal(iscsi_target_update(rig.target, &s, NULL, 0), 0);
	ini_connect(&i, rig.port);
	assert_int_equal(ini_login(&i, 0x87, LOGIN_NAMES "X-a=b"), 0x0102);
	assert_true(ini_has(&i, "TargetAddress=[2001:db8::9]:3261"));
	ini_close(&i);
	assert_int_equal(rig.events[ISCSI_REFUSED], refused);    /* nobody knocked in vain */
	snprintf(here, sizeof(here), "127.0.0.1:%u", rig.port);
	to[1].address = here;                                    /* to where it is already: let in */
	assert_int_equal(iscsi_target_update(rig.target, &s, NULL, 0), 0);
	ini_session(&i, rig.port, "");
	ini_logout(&i);
	s = rig_spec(&rig);
	assert_int_equal(iscsi_target_update(rig.target, &s, NULL, 0), 0);
	iscsi_portal_remove(second);
}

static void count_ban(void *arg, const struct ban *b)
{
	*(struct ban *)arg = *b;
}
static void bans(void **state)
{
	struct iscsi_session_info info = { 0 };
	struct ban ban = { 0 };
	uint64_t id = 0;

	(void)state;
	assert_int_equal(iscsi_session_ban(12345, 60, &id), -ENOENT);
	ini_session(&i, rig.port, "");
	iscsi_session_each(take_info, &info);
	assert_int_equal(iscsi_session_ban(info.id, 60, &id), 0);
	assert_int_equal(ini_recv(&i), ISCSI_ASYNC);
	ini_logout(&i);
	ban_each(count_ban, &ban);
	assert_int_equal(ban.id, id);
	assert_string_equal(ban.initiator, HOST);
	assert_string_equal(ban.target, TARGET);
	assert_int_equal(ban.until_unix_s - ban.since_unix_s, 60);
	ini_connect(&i, rig.port);
	assert_int_equal(ini_login(&i, 0x87, LOGIN_NAMES "X-a=b"), 0x0202);
	assert_non_null(strstr(rig_reason(&rig), "banned"));
	ini_close(&i);
	ini_connect(&i, rig.port);                               /* another host is not concerned */
	assert_int_equal(ini_login(&i, 0x87, "InitiatorName=iqn.x:y;TargetName=" TARGET), 0);
	ini_logout(&i);
	assert_int_equal(ban_lift(id), 0);
	assert_int_equal(ban_lift(id), -ENOENT);
	ini_session(&i, rig.port, "");
	iscsi_session_each(take_info, &info);
	assert_int_equal(iscsi_session_ban(info.id, 1, &id), 0);  /* it ends by itself */
	assert_int_equal(ini_recv(&i), ISCSI_ASYNC);
	ini_logout(&i);
	rig_sleep_ms(2100);
	ini_session(&i, rig.port, "");
	ini_logout(&i);
}

/* Somebody else resets the LUN: who agreed on FastAbort is told that its tasks are gone. */
static void fast_abort(void **state)
{
	const uint8_t write8[10] = { 0x2a, [8] = 8 };
	uint8_t h[ISCSI_BHS_BYTES] = { 0x42, 0x80 | ISCSI_LUN_RESET };

	(void)state;
	ini_session(&i, rig.port, "TaskReporting=FastAbort;");
	assert_true(ini_has(&i, "TaskReporting=FastAbort"));
	ini_settle(&i);
	ini_command(&i, CMD_WRITE, 0, write8, 10, 4096, NULL, 0);
	assert_int_equal(ini_recv(&i), ISCSI_R2T);
	ini_command(&i, CMD_WRITE, 0, write8, 10, 4096, NULL, 0);
	assert_int_equal(ini_recv(&i), ISCSI_R2T);
	ini_connect(&j, rig.port);
	j.isid[5] = 9;
	assert_int_equal(ini_login(&j, 0x87, LOGIN_NAMES "X-a=b"), 0);
	put32(h + 16, 77);
	put32(h + 20, 0xffffffff);
	put32(h + 24, j.cmdsn);
	ini_send(&j, h, NULL, 0);
	assert_int_equal(ini_recv(&j), ISCSI_TASK_RESPONSE);
	assert_int_equal(j.h[2], 0);
	assert_int_equal(ini_recv(&i), ISCSI_ASYNC);
	assert_int_equal(i.h[36], ISCSI_ASYNC_TASKS_ABORTED);
	assert_true(ini_is_silent(&i));                          /* once for all of them */
	ini_settle(&i);
	ini_logout(&i);
	ini_logout(&j);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(many_luns), cmocka_unit_test(elsewhere), cmocka_unit_test(bans), cmocka_unit_test(fast_abort),
	};
	return cmocka_run_group_tests_name("iscsi/admin", tests, setup, teardown);
}
