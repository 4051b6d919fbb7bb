/* SPDX-License-Identifier: GPL-3.0-or-later */
/* login.c - login conversations over a real socket: a request's text in, a status out; CHAP; text
 * over several PDUs; logins that have no end.  RFC 7143 6.3, 11.12, 11.13. */
#include "rig.h"

#include "tls/tls.h"

static struct rig rig;
static const uint8_t secret[] = "sixteen-byte-sec", mutual[] = "another--16-byte";

static int setup(void **state)
{
	const struct iscsi_opts o = { .login_timeout_s = 1 };

	(void)state;
	rig_start(&rig, &o);
	return 0;
}
static int teardown(void **state)
{
	(void)state;
	rig_stop(&rig);
	return 0;
}

enum { SEC_OPER = 0x81, SEC_FULL = 0x83, OPER_FULL = 0x87, SEC_STAY = 0x00, OPER_STAY = 0x04 };
#define NAMES "InitiatorName=" HOST ";TargetName=" TARGET
static const struct {
	const char *what;
	uint8_t flags;
	const char *text;
	int status;
	const char *has;                 /* a pair of the answer */
} cases[] = {
	{ "straight to the operational stage", OPER_FULL, NAMES, 0, "TargetPortalGroupTag=1" },
	{ "our limit is told", OPER_FULL, NAMES, 0, "MaxRecvDataSegmentLength=262144" },
	{ "our alias is told", OPER_FULL, NAMES, 0, "TargetAlias=first" },
	{ "security, nothing to prove", SEC_OPER, NAMES ";AuthMethod=None", 0, "AuthMethod=None" },
	{ "security to full feature at once", SEC_FULL, NAMES ";AuthMethod=CHAP,None", 0, "AuthMethod=None" },
	{ "security without a word on it", SEC_OPER, NAMES, 0, NULL },
	{ "only CHAP, and we have no secret", SEC_OPER, NAMES ";AuthMethod=CHAP", 0x0201, "AuthMethod=Reject" },
	{ "only Kerberos", SEC_OPER, NAMES ";AuthMethod=KRB5", 0x0201, "AuthMethod=Reject" },
	{ "CHAP out of the blue", SEC_OPER, NAMES ";CHAP_A=5", 0x0200, NULL },
	{ "nobody", OPER_FULL, "TargetName=" TARGET, 0x0207, NULL },
	{ "an empty name", OPER_FULL, "InitiatorName=;TargetName=" TARGET, 0x0207, NULL },
	{ "a name with a space", OPER_FULL, "InitiatorName=a b;TargetName=" TARGET, 0x0200, NULL },
	{ "to nowhere", OPER_FULL, "InitiatorName=" HOST, 0x0207, NULL },
	{ "to an unknown target", OPER_FULL, "InitiatorName=" HOST ";TargetName=iqn.2026-11.com.example:none", 0x0203, NULL },
	{ "a target in other letters", OPER_FULL, "InitiatorName=" HOST ";TargetName=IQN.2026-11.com.EXAMPLE:T1", 0, NULL },
	{ "discovery", OPER_FULL, "InitiatorName=" HOST ";SessionType=Discovery", 0, NULL },
	{ "discovery, type last", OPER_FULL, "InitiatorName=" HOST ";MaxBurstLength=4096;SessionType=Discovery", 0, "MaxBurstLength=Irrelevant" },
	{ "another kind of session", OPER_FULL, NAMES ";SessionType=Copy", 0x0209, NULL },
	{ "text that is none", OPER_FULL, NAMES ";rubbish", 0x0200, NULL },
	{ "a key twice", OPER_FULL, NAMES ";MaxBurstLength=4096;MaxBurstLength=4096", 0x0200, NULL },
	{ "a key that only we may send", OPER_FULL, NAMES ";TargetPortalGroupTag=1", 0x0200, NULL },
	{ "an unknown key", OPER_FULL, NAMES ";X-org.example.a=b", 0, "X-org.example.a=NotUnderstood" },
	{ "a stage that is none", 0x8b, NAMES, 0x020b, NULL },
	{ "full feature as the first stage", 0x8f, NAMES, 0x020b, NULL },
	{ "back to security", 0x84, NAMES, 0x0200, NULL },
	{ "to the stage it is in", 0x85, NAMES, 0x0200, NULL },
	{ "transit and more text at once", 0xc7, NAMES, 0x0200, NULL },
	{ "negotiation", OPER_FULL, NAMES ";MaxBurstLength=16776192;ErrorRecoveryLevel=2;DefaultTime2Retain=0;MaxConnections=4;MaxOutstandingR2T=16", 0,
	  "MaxConnections=4" },
};

static void one_request(void **state)
{
	static struct ini i;

	(void)state;
	for (size_t k = 0; k < ARRAY_COUNT(cases); k++) {
		ini_connect(&i, rig.port);
		int status = ini_login(&i, cases[k].flags, cases[k].text);
		if (status != cases[k].status)
			fail_msg("%s: status %04x", cases[k].what, (unsigned)status);
		if (cases[k].has && !ini_has(&i, cases[k].has))
			fail_msg("%s: no %s in the answer", cases[k].what, cases[k].has);
		if (status && ini_recv(&i) != -1)
			fail_msg("%s: refused, but the connection stays", cases[k].what);
		ini_close(&i);
	}
	rig_wait(rig_sessions() == 0);
}

static void final_response(void **state)
{
	static struct ini i;

	(void)state;
	ini_connect(&i, rig.port);
	assert_int_equal(ini_login(&i, SEC_OPER, NAMES ";AuthMethod=None"), 0);
	assert_int_equal(i.h[1], 0x81);                          /* T, CSG 0, NSG 1 */
	assert_int_equal(i.h[14] << 8 | i.h[15], 0);             /* no TSIH before the end */
	assert_int_equal(ini_login(&i, OPER_STAY, "HeaderDigest=None"), 0);
	assert_int_equal(i.h[1], 0x04);
	assert_int_equal(ini_login(&i, OPER_FULL, "DataDigest=None"), 0);
	assert_int_equal(i.h[1], 0x87);
	assert_int_not_equal(i.h[14] << 8 | i.h[15], 0);
	assert_memory_equal(i.h + 8, i.isid, 6);
	assert_int_equal(get32(i.h + 28), 100);                  /* ExpCmdSN: logins do not count */
	assert_true(iscsi_sn_lt(100, get32(i.h + 32)));          /* MaxCmdSN */
	assert_int_equal(get32(i.h + 24), 3);                    /* StatSN: one per response */
	i.tsih = (uint16_t)(i.h[14] << 8 | i.h[15]);
	ini_logout(&i);
	rig_wait(rig_sessions() == 0);
}

static void text_over_several_pdus(void **state)
{
	static struct ini i;

	(void)state;
	ini_connect(&i, rig.port);
	assert_int_equal(ini_login(&i, 0x44, "InitiatorName=" HOST ";Target"), 0);
	assert_int_equal(i.len, 0);
	assert_int_equal(i.h[1], 0x04);
	assert_int_equal(ini_login(&i, 0x44, "Name=iqn.2026-11.com.exam"), 0);
	assert_int_equal(ini_login(&i, OPER_FULL, "ple:t1;MaxBurstLength=8192"), 0);
	assert_true(ini_has(&i, "MaxBurstLength=8192"));
	ini_close(&i);
}

static void changing_ones_mind(void **state)
{
	static struct ini i;

	(void)state;
	ini_connect(&i, rig.port);
	assert_int_equal(ini_login(&i, SEC_STAY, NAMES ";AuthMethod=None"), 0);
	i.isid[5]++;
	assert_int_equal(ini_login(&i, SEC_OPER, ""), 0x020b);
	ini_close(&i);
	ini_connect(&i, rig.port);
	assert_int_equal(ini_login(&i, SEC_STAY, NAMES ";AuthMethod=None"), 0);
	assert_int_equal(ini_login(&i, OPER_FULL, ""), 0x020b);  /* the stage was not left */
	ini_close(&i);
}

/* Who came for discovery does not become a host, nor the other way round. */
static void changing_session_type(void **state)
{
	static struct ini i;

	(void)state;
	ini_connect(&i, rig.port);
	assert_int_equal(ini_login(&i, OPER_STAY, "InitiatorName=" HOST ";SessionType=Discovery"), 0);
	assert_int_equal(ini_login(&i, OPER_FULL, "SessionType=Normal"), 0x0200);
	ini_close(&i);
	ini_connect(&i, rig.port);
	assert_int_equal(ini_login(&i, OPER_STAY, NAMES), 0);
	assert_int_equal(ini_login(&i, OPER_FULL, "SessionType=Discovery"), 0x0200);
	ini_close(&i);
}

static void other_pdus_during_login(void **state)
{
	uint8_t h[ISCSI_BHS_BYTES] = { 0x40, 0x80 };             /* a NOP */
	static struct ini i;

	(void)state;
	ini_connect(&i, rig.port);
	ini_send(&i, h, NULL, 0);
	assert_int_equal(ini_recv(&i), ISCSI_LOGIN_RESPONSE);
	assert_int_equal(i.h[36] << 8 | i.h[37], 0x020b);
	assert_int_equal(ini_recv(&i), -1);
	ini_close(&i);
	ini_connect(&i, rig.port);
	h[0] = 0x43;
	h[1] = 0x87;
	h[3] = 1;                                                /* Version-min */
	ini_send(&i, h, NULL, 0);
	assert_int_equal(ini_recv(&i), ISCSI_LOGIN_RESPONSE);
	assert_int_equal(i.h[36] << 8 | i.h[37], 0x0205);
	ini_close(&i);
}

static void endless_logins(void **state)
{
	static char text[8000];
	static struct ini i;
	int status = 0, rounds = 0;

	(void)state;
	ini_connect(&i, rig.port);                               /* empty requests */
	status = ini_login(&i, OPER_STAY, NAMES);
	while (!status && rounds++ < 200)
		status = ini_login(&i, OPER_STAY, "");
	assert_int_equal(status, 0x0200);
	ini_close(&i);
	ini_connect(&i, rig.port);                               /* text without end */
	memset(text, 'x', sizeof(text) - 1);
	memcpy(text, "X-a=", 4);
	for (rounds = 0, status = 0; !status && rounds < 20; rounds++)
		status = ini_login(&i, 0x44, text);
	assert_int_equal(status, 0x0200);
	ini_close(&i);
	ini_connect(&i, rig.port);                               /* silence: 1 s */
	assert_int_equal(ini_recv(&i), -1);
	ini_close(&i);
	ini_connect(&i, rig.port);                               /* silence in the middle */
	assert_int_equal(ini_login(&i, OPER_STAY, NAMES), 0);
	assert_int_equal(ini_recv(&i), -1);
	ini_close(&i);
	ini_connect(&i, rig.port);                               /* half a header */
	ini_raw(&i, "\x43\x87", 2);
	assert_int_equal(ini_recv(&i), -1);
	ini_close(&i);
}

static void bytes_one_by_one(void **state)
{
	const char text[] = "InitiatorName=" HOST "\0TargetName=" TARGET;
	uint8_t pdu[ISCSI_BHS_BYTES + sizeof(text) + 3] = { 0x43, 0x87, [7] = sizeof(text), [8] = 0, 2, 0x3d };
	static struct ini i;

	(void)state;
	ini_connect(&i, rig.port);
	memcpy(pdu + ISCSI_BHS_BYTES, text, sizeof(text));
	for (size_t k = 0; k < ISCSI_BHS_BYTES + ((sizeof(text) + 3) & ~3u); k++)
		ini_raw(&i, pdu + k, 1);
	assert_int_equal(ini_recv(&i), ISCSI_LOGIN_RESPONSE);
	assert_int_equal(i.h[36] << 8 | i.h[37], 0);
	ini_close(&i);
}

/* ---- CHAP ----------------------------------------------------------------------------------------------- */
static size_t value_of(const struct ini *i, const char *key, char *out, size_t room)
{
	size_t n = strlen(key);

	for (size_t k = 0; k + n < i->len; k++)
		if ((!k || !i->data[k - 1]) && !memcmp(i->data + k, key, n) && i->data[k + n] == '=')
			return (size_t)snprintf(out, room, "%s", (const char *)i->data + k + n + 1);
	fail_msg("no %s in the answer", key);
	return 0;
}
static void hex(const uint8_t *p, size_t len, char *out)
{
	snprintf(out, 3, "0x");
	for (size_t k = 0; k < len; k++)
		snprintf(out + 2 + 2 * k, 3, "%02x", p[k]);
}
static void prove(const char *id, const char *challenge, enum tls_hash hash, const uint8_t *key, size_t key_len, char *out)
{
	uint8_t c[1024], h[TLS_HASH_MAX], i = (uint8_t)strtoul(id, NULL, 0);
	size_t len;

	assert_int_equal(iscsi_text_binary(challenge, c, sizeof(c), &len), 0);
	const struct tls_part parts[] = { { &i, 1 }, { key, key_len }, { c, len } };
	assert_int_equal(tls_digest(hash, parts, 3, h), 0);
	hex(h, tls_hash_bytes(hash), out);
}

static void use_chap(bool on)
{
	struct iscsi_target_spec s = rig_spec(&rig);
	const struct iscsi_rule rule = {
		.host = "h", .chap_user = "alice", .chap_secret = secret, .chap_secret_len = 16,
		.mutual_user = "server", .mutual_secret = mutual, .mutual_secret_len = 16,
	};

	if (on) {
		s.rules = &rule;
		s.rule_count = 1;
		s.allow_any = false;
	}
	assert_int_equal(iscsi_target_update(rig.target, &s, NULL, 0), 0);
}

static const struct {
	const char *what, *algorithms, *chosen, *user;
	enum tls_hash hash;
	bool right, both, reflect;
	int status;
} handshakes[] = {
	{ "MD5", "5", "CHAP_A=5", "alice", TLS_MD5, true, false, false, 0 },
	{ "SHA-1", "6,5", "CHAP_A=6", "alice", TLS_SHA1, true, false, false, 0 },
	{ "SHA-256", "7,5", "CHAP_A=7", "alice", TLS_SHA256, true, false, false, 0 },
	{ "SHA3-256", "8,7,6,5", "CHAP_A=8", "alice", TLS_SHA3_256, true, false, false, 0 },
	{ "both ways", "7", "CHAP_A=7", "alice", TLS_SHA256, true, true, false, 0 },
	{ "wrong secret", "7", "CHAP_A=7", "alice", TLS_SHA256, false, false, false, 0x0201 },
	{ "wrong secret both ways", "7", "CHAP_A=7", "alice", TLS_SHA256, false, true, false, 0x0201 },
	{ "wrong user", "5", "CHAP_A=5", "mallory", TLS_MD5, true, false, false, 0x0201 },
	{ "our challenge comes back", "5", "CHAP_A=5", "alice", TLS_MD5, true, true, true, 0x0201 },
};
static void chap(void **state)
{
	static struct ini i;

	(void)state;
	use_chap(true);
	for (size_t k = 0; k < ARRAY_COUNT(handshakes); k++) {
		char text[2000], id[16], challenge[200], answer[200], proof[200], want[200];
		ini_connect(&i, rig.port);
		assert_int_equal(ini_login(&i, SEC_OPER, NAMES ";AuthMethod=CHAP,None"), 0);
		assert_true(ini_has(&i, "AuthMethod=CHAP"));
		assert_int_equal(i.h[1], 0x00);                  /* not before the proof */
		snprintf(text, sizeof(text), "CHAP_A=%s", handshakes[k].algorithms);
		assert_int_equal(ini_login(&i, SEC_STAY, text), 0);
		assert_true(ini_has(&i, handshakes[k].chosen));
		value_of(&i, "CHAP_I", id, sizeof(id));
		value_of(&i, "CHAP_C", challenge, sizeof(challenge));
		prove(id, challenge, handshakes[k].hash, handshakes[k].right ? secret : mutual, 16, answer);
		const char *theirs = handshakes[k].reflect ? challenge : "0x00112233445566778899aabbccddeeff";
		int n = snprintf(text, sizeof(text), "CHAP_N=%s;CHAP_R=%s", handshakes[k].user, answer);
		if (handshakes[k].both)
			snprintf(text + n, sizeof(text) - (size_t)n, ";CHAP_I=9;CHAP_C=%s", theirs);
		int status = ini_login(&i, SEC_OPER, text);
		if (status != handshakes[k].status)
			fail_msg("%s: %04x", handshakes[k].what, (unsigned)status);
		if (status) {
			assert_int_equal(ini_recv(&i), -1);
			ini_close(&i);
			continue;
		}
		assert_int_equal(i.h[1], 0x81);
		if (handshakes[k].both) {
			assert_true(ini_has(&i, "CHAP_N=server"));
			value_of(&i, "CHAP_R", proof, sizeof(proof));
			prove("9", theirs, handshakes[k].hash, mutual, 16, want);
			assert_string_equal(proof, want);
		}
		assert_int_equal(ini_login(&i, OPER_FULL, ""), 0);
		ini_close(&i);
	}
	rig_wait(rig_sessions() == 0);
}

static const struct {
	const char *what;
	uint8_t flags;
	const char *text;
	int status;
} evasions[] = {
	{ "without the security stage", OPER_FULL, NAMES, 0x0201 },
	{ "with None alone", SEC_OPER, NAMES ";AuthMethod=None", 0x0201 },
	{ "without AuthMethod", SEC_OPER, NAMES, 0x0201 },
	{ "without AuthMethod, to full feature", SEC_FULL, NAMES, 0x0201 },
	{ "an answer before the challenge", SEC_OPER, NAMES ";AuthMethod=CHAP;CHAP_N=alice;CHAP_R=0x00", 0x0201 },
	{ "unknown algorithms", SEC_STAY, NAMES ";AuthMethod=CHAP;CHAP_A=1,2", 0x0201 },
};
static void evading_chap(void **state)
{
	static struct ini i;

	(void)state;
	use_chap(true);
	for (size_t k = 0; k < ARRAY_COUNT(evasions); k++) {
		ini_connect(&i, rig.port);
		int status = ini_login(&i, evasions[k].flags, evasions[k].text);
		if (status != evasions[k].status)
			fail_msg("%s: %04x", evasions[k].what, (unsigned)status);
		ini_close(&i);
	}
	/* Leaving the stage after AuthMethod, without the proof. */
	ini_connect(&i, rig.port);
	assert_int_equal(ini_login(&i, SEC_FULL, NAMES ";AuthMethod=CHAP"), 0);
	assert_int_equal(i.h[1], 0);
	assert_int_equal(ini_login(&i, SEC_FULL, ""), 0);
	assert_int_equal(i.h[1], 0);
	assert_int_equal(ini_login(&i, OPER_FULL, ""), 0x020b);
	ini_close(&i);
	use_chap(false);
	assert_int_equal(rig_sessions(), 0);
}

static void discovery_chap(void **state)
{
	static struct ini i;

	(void)state;
	assert_int_equal(iscsi_discovery_auth("alice", secret, 16, NULL, NULL, 0), 0);
	assert_int_equal(iscsi_discovery_auth("alice", secret, 11, NULL, NULL, 0), -EINVAL);
	ini_connect(&i, rig.port);
	assert_int_equal(ini_login(&i, SEC_OPER, "InitiatorName=" HOST ";SessionType=Discovery;AuthMethod=None"), 0x0201);
	ini_close(&i);
	ini_connect(&i, rig.port);
	assert_int_equal(ini_login(&i, SEC_OPER, "InitiatorName=" HOST ";SessionType=Discovery;AuthMethod=CHAP"), 0);
	assert_true(ini_has(&i, "AuthMethod=CHAP"));
	ini_close(&i);
	assert_int_equal(iscsi_discovery_auth(NULL, NULL, 0, NULL, NULL, 0), 0);
}

static void rules(void **state)
{
	struct iscsi_target_spec s = rig_spec(&rig);
	const char *iqns[] = { "iqn.2026-11.com.example:h*" }, *others[] = { "iqn.2026-11.com.example:other" };
	const char *here[] = { "127.0.0.0/8" }, *there[] = { "192.0.2.0/24" };
	struct iscsi_rule rule = { .host = "h" };
	static struct ini i;
	const struct {
		const char *what;
		const char *const *iqns, *const *addresses;
		int status;
	} table[] = {
		{ "by name", iqns, NULL, 0 }, { "another name", others, NULL, 0x0202 },
		{ "by address", NULL, here, 0 }, { "from elsewhere", NULL, there, 0x0202 },
		{ "both", iqns, here, 0 }, { "name right, address wrong", iqns, there, 0x0202 },
	};

	(void)state;
	s.allow_any = false;
	for (size_t k = 0; k < ARRAY_COUNT(table); k++) {
		rule.iqns = table[k].iqns;
		rule.iqn_count = table[k].iqns != NULL;
		rule.addresses = table[k].addresses;
		rule.address_count = table[k].addresses != NULL;
		s.rules = &rule;
		s.rule_count = 1;
		assert_int_equal(iscsi_target_update(rig.target, &s, NULL, 0), 0);
		ini_connect(&i, rig.port);
		int status = ini_login(&i, OPER_FULL, NAMES);
		if (status != table[k].status)
			fail_msg("%s: %04x", table[k].what, (unsigned)status);
		ini_close(&i);
		rig_wait(rig_sessions() == 0);
	}
	s = rig_spec(&rig);
	s.enabled = false;
	assert_int_equal(iscsi_target_update(rig.target, &s, NULL, 0), 0);
	ini_connect(&i, rig.port);
	assert_int_equal(ini_login(&i, OPER_FULL, NAMES), 0x0301);
	ini_close(&i);
	s.enabled = true;
	const uint16_t tpgt = 2;
	s.tpgts = &tpgt;
	s.tpgt_count = 1;
	assert_int_equal(iscsi_target_update(rig.target, &s, NULL, 0), 0);
	ini_connect(&i, rig.port);
	assert_int_equal(ini_login(&i, OPER_FULL, NAMES), 0x0203);
	ini_close(&i);
	s = rig_spec(&rig);
	s.header_digest_required = true;
	assert_int_equal(iscsi_target_update(rig.target, &s, NULL, 0), 0);
	ini_connect(&i, rig.port);
	assert_int_equal(ini_login(&i, OPER_FULL, NAMES), 0x0200);
	ini_close(&i);
	ini_connect(&i, rig.port);
	assert_int_equal(ini_login(&i, OPER_FULL, NAMES ";HeaderDigest=None,CRC32C"), 0);
	assert_true(ini_has(&i, "HeaderDigest=CRC32C"));
	ini_close(&i);
	s = rig_spec(&rig);
	assert_int_equal(iscsi_target_update(rig.target, &s, NULL, 0), 0);
	pthread_mutex_lock(&rig.lock);
	assert_true(rig.events[ISCSI_REFUSED] > 20);
	assert_true(rig.events[ISCSI_LOGIN] > 10);
	pthread_mutex_unlock(&rig.lock);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_request), cmocka_unit_test(final_response), cmocka_unit_test(text_over_several_pdus),
		cmocka_unit_test(changing_ones_mind), cmocka_unit_test(changing_session_type), cmocka_unit_test(other_pdus_during_login),
		cmocka_unit_test(endless_logins), cmocka_unit_test(bytes_one_by_one), cmocka_unit_test(chap),
		cmocka_unit_test(evading_chap), cmocka_unit_test(discovery_chap), cmocka_unit_test(rules),
	};
	return cmocka_run_group_tests_name("iscsi/login", tests, setup, teardown);
}
