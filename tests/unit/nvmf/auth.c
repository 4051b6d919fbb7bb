/* SPDX-License-Identifier: GPL-3.0-or-later */
/* auth.c - DH-HMAC-CHAP as a machine: what each state takes, what is due, what is refused, and that nothing
 * counts as proof but a proof.  The arithmetic is checked by tests/system/test_nvme_auth.py, which has one of
 * its own; here the hashes of tls/ (which have vectors) make the answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "nvmf/auth.h"

#define HOST "nqn.2014-08.org.nvmexpress:uuid:x"
#define SUBSYSTEM "nqn.2026-11.com.example:s1"

static struct nvmf_auth auth;
static uint8_t out[NVMF_AUTH_MAX_BYTES];
static size_t out_bytes;

static void fresh(void)
{
	nvmf_auth_done(&auth);
	auth = (struct nvmf_auth){ .policy = nvmf_auth_policy_default, .seqnum = 0xffffffff };
	snprintf(auth.host_nqn, sizeof(auth.host_nqn), HOST);
	snprintf(auth.subsystem_nqn, sizeof(auth.subsystem_nqn), SUBSYSTEM);
	auth.keys.has_host = auth.keys.has_ctrl = true;
	auth.keys.host = (struct keytext){ .len_bytes = 32, .bytes = { 1 } };
	auth.keys.ctrl = (struct keytext){ .len_bytes = 32, .bytes = { 2 } };
}

static void negotiate(uint8_t sc_c)
{
	struct {
		struct nvme_auth_negotiate m;
		struct nvme_auth_protocol p;
	} n = { .m = { .head = { .id = NVME_AUTH_NEGOTIATE, .t_id = le16_of(7) }, .sc_c = sc_c, .count = 1 },
		.p = { .id = 1, .hash_count = 1, .group_count = 1, .hashes = { NVME_AUTH_SHA256 }, .groups = { sc_c ? NVME_AUTH_DH_2048 : 0 } } };
	nvmf_auth_send(&auth, (void *)&n, sizeof(n));
}
static int receive(void)
{
	return nvmf_auth_receive(&auth, out, sizeof(out), &out_bytes);
}
static void plain(uint8_t type, uint8_t id)
{
	struct nvme_auth_success2 m = { .head = { .type = type, .id = id, .t_id = le16_of(7) } };
	nvmf_auth_send(&auth, (void *)&m, sizeof(m));
}
/* The reply of a host that has the key; mutual: it wants a proof as well.  No Diffie-Hellman. */
static void reply(bool mutual, uint8_t flip)
{
	uint8_t m[16 + 64] = { NVME_AUTH_DHCHAP, NVME_AUTH_REPLY, 0, 0, 7, 0, 32, 0, mutual, 0, 0, 0, mutual };
	const struct nvme_auth_challenge *c = (const void *)out;
	static const uint8_t zero;
	const struct tls_part parts[] = {
		{ out + 16, 32 }, { &c->seqnum, 4 }, { &c->head.t_id, 2 }, { &zero, 1 }, { "HostHost", 8 },
		{ HOST, strlen(HOST) }, { &zero, 1 }, { SUBSYSTEM, strlen(SUBSYSTEM) },
	};
	assert_int_equal(tls_hmac(TLS_SHA256, auth.keys.host.bytes, 32, parts, ARRAY_COUNT(parts), m + 16), 0);
	m[16] ^= flip;
	memset(m + 48, 9, 32);
	nvmf_auth_send(&auth, m, sizeof(m));
}
static void expect_failure1(uint8_t explanation)
{
	assert_int_equal(auth.state, AUTH_FAILURE1);
	assert_false(auth.done);
	assert_non_null(auth.why);
	assert_int_equal(receive(), 0);
	const struct nvme_auth_failure *f = (const void *)out;
	assert_int_equal(out_bytes, sizeof(*f));
	assert_int_equal(f->head.id, NVME_AUTH_FAILURE1);
	assert_int_equal(f->reason, 1);
	assert_int_equal(f->explanation, explanation);
	assert_int_equal(auth.state, AUTH_OVER);
	assert_int_equal(receive(), -ENODATA);
	negotiate(0);                    /* nothing begins any more */
	assert_int_equal(auth.state, AUTH_OVER);
}

static void in_order(void **state)
{
	(void)state;
	for (int mutual = 0; mutual < 2; mutual++) {
		fresh();
		assert_int_equal(receive(), -ENODATA);
		negotiate(0);
		assert_int_equal(nvmf_auth_receive(&auth, out, 47, &out_bytes), -EMSGSIZE);
		assert_int_equal(receive(), 0);
		assert_int_equal(out_bytes, 48);
		const struct nvme_auth_challenge *c = (const void *)out;
		assert_int_equal(le32_get(c->seqnum), 0xffffffff);
		assert_int_equal(auth.seqnum, 1); /* never 0 */
		assert_int_equal(receive(), -ENODATA);
		reply(mutual, 0);
		assert_false(auth.done);
		assert_int_equal(receive(), 0);
		assert_int_equal(out_bytes, mutual ? 48 : 16);
		assert_int_equal(auth.done, !mutual);
		plain(NVME_AUTH_DHCHAP, NVME_AUTH_SUCCESS2);
		assert_true(auth.done);
		assert_int_equal(auth.mutual, mutual);
		assert_int_equal(auth.state, AUTH_IDLE);
		assert_null(auth.why);
	}
}

/* Every message in every state in which it has no place. */
static void out_of_order(void **state)
{
	static const struct {
		uint8_t type, id;
		bool fits[AUTH_STATES];
	} messages[] = {
		{ NVME_AUTH_DHCHAP, NVME_AUTH_SUCCESS2, { [AUTH_SUCCESS2] = true } },
		{ NVME_AUTH_COMMON, NVME_AUTH_FAILURE2, { [AUTH_SUCCESS2] = true } },
		{ NVME_AUTH_DHCHAP, NVME_AUTH_CHALLENGE, { false } },
		{ NVME_AUTH_DHCHAP, NVME_AUTH_SUCCESS1, { false } },
		{ NVME_AUTH_COMMON, NVME_AUTH_FAILURE1, { false } },
		{ NVME_AUTH_COMMON, NVME_AUTH_REPLY, { false } },
		{ 0x55, NVME_AUTH_REPLY, { false } },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(messages); i++)
		for (enum nvmf_auth_state s = AUTH_IDLE; s <= AUTH_SUCCESS2; s++) {
			if (messages[i].fits[s])
				continue;
			fresh();
			if (s >= AUTH_CHALLENGE)
				negotiate(0);
			if (s >= AUTH_REPLY)
				assert_int_equal(receive(), 0);
			if (s >= AUTH_SUCCESS1)
				reply(true, 0);
			if (s >= AUTH_SUCCESS2)
				assert_int_equal(receive(), 0);
			assert_int_equal(auth.state, s);
			plain(messages[i].type, messages[i].id);
			expect_failure1(NVME_AUTH_MESSAGE);
		}
}

static void refused(void **state)
{
	(void)state;
	fresh();
	negotiate(0);
	assert_int_equal(receive(), 0);
	reply(false, 1);
	expect_failure1(NVME_AUTH_FAILED);
	fresh();
	auth.keys.has_ctrl = false;
	negotiate(0);
	assert_int_equal(receive(), 0);
	reply(true, 0);
	expect_failure1(NVME_AUTH_FAILED);
	fresh();
	auth.keys.has_host = false;
	negotiate(0);
	expect_failure1(NVME_AUTH_NO_PROTOCOL);
	fresh();
	negotiate(NVME_AUTH_SC_NEW_PSK);
	expect_failure1(NVME_AUTH_CONCAT);
	fresh();
	auth.may_new_psk = auth.must_concat = true;
	negotiate(0);
	expect_failure1(NVME_AUTH_CONCAT);
	fresh();
	auth.may_new_psk = true;
	negotiate(NVME_AUTH_SC_NEW_PSK);
	assert_int_equal(receive(), 0);
	assert_int_equal(out_bytes, 16 + 32 + 256);
	nvmf_auth_send(&auth, out, 5);   /* cut off */
	expect_failure1(NVME_AUTH_PAYLOAD);
	/* The host does not believe us: nothing is due, and it is over. */
	fresh();
	negotiate(0);
	assert_int_equal(receive(), 0);
	reply(true, 0);
	assert_int_equal(receive(), 0);
	plain(NVME_AUTH_COMMON, NVME_AUTH_FAILURE2);
	assert_false(auth.done);
	assert_int_equal(auth.state, AUTH_OVER);
	assert_int_equal(receive(), -ENODATA);
	/* Too slow: forgotten, and it may begin anew. */
	fresh();
	negotiate(0);
	nvmf_auth_forget(&auth);
	assert_int_equal(auth.state, AUTH_IDLE);
	assert_int_equal(receive(), -ENODATA);
}

static void policies(void **state)
{
	static const struct {
		const char *hashes, *groups;
		bool good;
	} cases[] = {
		{ "sha256", "null", true },
		{ "sha512 sha384 sha256", "ffdhe8192, ffdhe2048,null", true },
		{ " sha384 ", ",ffdhe3072,", true },
		{ "", "null", false },
		{ "sha256", "", false },
		{ "sha256 sha256", "null", false },
		{ "sha1", "null", false },
		{ "sha256", "null null", false },
		{ "sha256", "ffdhe1024", false },
		{ "sha25", "null", false },
	};
	struct nvmf_auth_policy p;
	const char *why;

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++)
		if (nvmf_auth_policy_parse(cases[i].hashes, cases[i].groups, &p, &why) != (cases[i].good ? 0 : -EINVAL))
			fail_msg("\"%s\" \"%s\"", cases[i].hashes, cases[i].groups);
	assert_int_equal(nvmf_auth_policy_parse("sha512 sha256", "ffdhe4096 null", &p, &why), 0);
	assert_int_equal(p.hashes[0], NVME_AUTH_SHA512);
	assert_int_equal(p.hashes[1], NVME_AUTH_SHA256);
	assert_int_equal(p.group_count, 2);
	assert_int_equal(p.groups[0], NVME_AUTH_DH_4096);
	assert_int_equal(p.groups[1], NVME_AUTH_DH_NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(in_order), cmocka_unit_test(out_of_order), cmocka_unit_test(refused), cmocka_unit_test(policies),
	};
	int r = cmocka_run_group_tests(tests, NULL, NULL);
	nvmf_auth_done(&auth);
	return r;
}
