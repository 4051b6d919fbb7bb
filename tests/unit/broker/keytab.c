/* SPDX-License-Identifier: GPL-3.0-or-later */
/* keytab.c - keytabs as programs write them and as they must not be, and who a principal is for libnfsidmap. */
#include "broker/nfs_priv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* An entry: parts, realm, the name's texts, kind, time, version, type, key of 4 bytes, version with 32 bits. */
#define REALM "\0\7HF.TEST"
#define NFS "\0\2" REALM "\0\3nfs\0\3n.x\0\0\0\1" "\0\0\0\0" "\5" "\0\22" "\0\4keys"
#define HOST "\0\2" REALM "\0\4host\0\3n.x\0\0\0\1" "\0\0\0\0" "\3" "\0\27" "\0\4keys"
#define USER "\0\1" REALM "\0\4nas$\0\0\0\1" "\0\0\0\0" "\1" "\0\21" "\0\4keys"

static const struct {
	const char *name, *bytes;
	size_t len;
	const char *keys;                /* NULL: this is no keytab */
	const char *why;                 /* NULL: it has a key of nfs/HOST */
} cases[] = {
#define ROW(name, bytes, keys, why) { name, bytes, sizeof(bytes) - 1, keys, why }
	ROW("one key", "\5\2\0\0\0\x26" NFS, "nfs/n.x@HF.TEST 5 aes256-cts-hmac-sha1-96\n", NULL),
	ROW("a version with 32 bits", "\5\2\0\0\0\x2a" NFS "\0\0\1\2", "nfs/n.x@HF.TEST 258 aes256-cts-hmac-sha1-96\n", NULL),
	ROW("several", "\5\2\0\0\0\x27" HOST "\0\0\0\x22" USER "\0\0\0\x26" NFS,
	    "host/n.x@HF.TEST 3 arcfour-hmac\nnas$@HF.TEST 1 aes128-cts-hmac-sha1-96\nnfs/n.x@HF.TEST 5 aes256-cts-hmac-sha1-96\n", NULL),
	ROW("a hole", "\5\2\xff\xff\xff\xfc" "gone\0\0\0\x26" NFS, "nfs/n.x@HF.TEST 5 aes256-cts-hmac-sha1-96\n", NULL),
	ROW("an end that is written down", "\5\2\0\0\0\x26" NFS "\0\0\0\0rest", "nfs/n.x@HF.TEST 5 aes256-cts-hmac-sha1-96\n", NULL),
	ROW("none of nfs/HOST", "\5\2\0\0\0\x27" HOST, "host/n.x@HF.TEST 3 arcfour-hmac\n", "the keytab has 1 key and none of nfs/HOST"),
	ROW("no key", "\5\2", "", "the keytab has 0 keys and none of nfs/HOST"),
	ROW("nothing", "", NULL, "this is no keytab"),
	ROW("another file", "root:x:0:0:root:/root:/bin/sh\n", NULL, "this is no keytab"),
	ROW("version 1", "\5\1\0\0\0\x26" NFS, NULL, "this is no keytab"),
	ROW("an entry that is longer than the file", "\5\2\0\0\1\0" NFS, NULL, "this is no keytab"),
	ROW("an entry that is shorter than what is in it", "\5\2\0\0\0\x20" NFS, NULL, "this is no keytab"),
	ROW("a hole of 2 GiB", "\5\2\x80\0\0\0" NFS, NULL, "this is no keytab"),
	ROW("a name of many parts", "\5\2\0\0\0\x0b\xff\xff" REALM, NULL, "this is no keytab"),
	ROW("no part", "\5\2\0\0\0\x1c\0\0" REALM "\0\0\0\1" "\0\0\0\0" "\5" "\0\22" "\0\4keys", NULL, "this is no keytab"),
	ROW("a line end in a name", "\5\2\0\0\0\x22\0\1" REALM "\0\4n\nf$\0\0\0\1" "\0\0\0\0" "\1" "\0\21" "\0\4keys", NULL, "this is no keytab"),
	ROW("another realm in the name", "\5\2\0\0\0\x22\0\1" REALM "\0\4n@f$\0\0\0\1" "\0\0\0\0" "\1" "\0\21" "\0\4keys", NULL, "this is no keytab"),
	ROW("half a length", "\5\2\0\0\0\x26" NFS "\0\0", "nfs/n.x@HF.TEST 5 aes256-cts-hmac-sha1-96\n", NULL),
};

static void print(void *arg, const struct keytab_key *k)
{
	char type[32];
	keytab_type_name(k->type, type);
	assert_string_equal(k->principal + k->realm_at, "HF.TEST");
	fprintf(arg, "%s %u %s\n", k->principal, (unsigned)k->version, type);
}

static void test_keys(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		char *out = NULL, realm[256] = "", why[256] = "";
		size_t len = 0;
		FILE *f = open_memstream(&out, &len);
		uint8_t *bytes = malloc(cases[i].len + !cases[i].len); /* so that a byte too far is seen */
		assert_true(f && bytes);
		memcpy(bytes, cases[i].bytes, cases[i].len);
		int r = keytab_each(bytes, cases[i].len, print, f), check = nfs_keytab_check(bytes, cases[i].len, realm, why, sizeof(why));
		fclose(f);
		if ((r < 0) != !cases[i].keys || (cases[i].keys && strcmp(out, cases[i].keys) != 0))
			fail_msg("%s: %d\n%s", cases[i].name, r, out);
		if ((check < 0) != !!cases[i].why || (cases[i].why && !strstr(why, cases[i].why)) || (!cases[i].why && strcmp(realm, "HF.TEST") != 0))
			fail_msg("%s: %d, %s, %s", cases[i].name, check, realm, why);
		free(out);
		free(bytes);
	}
}

static void test_who(void **state)
{
	(void)state;
	static const struct {
		const char *realm, *domain, *text;
	} rows[] = {
		{ "HF.TEST", "", "[General]\nDomain = hf.test\nLocal-Realms = HF.TEST\n[Translation]\nMethod = nsswitch\nGSS-Methods = nsswitch\n" },
		{ "HF.TEST", "HF.TEST", "[General]\nDomain = hf.test\n[Translation]\nMethod = regex\nGSS-Methods = regex\n"
					"[Regex]\nUser-Regex = ^([^@/]+@HF[.]TEST)$\nGroup-Regex = ^([^@/]+@HF[.]TEST)$\n" },
		{ "MIT.TEST", "HF.TEST", "[General]\nDomain = hf.test\nLocal-Realms = MIT.TEST\n[Translation]\nMethod = regex\nGSS-Methods = regex,nsswitch\n"
					 "[Regex]\nUser-Regex = ^([^@/]+@HF[.]TEST)$\nGroup-Regex = ^([^@/]+@HF[.]TEST)$\n" },
		{ "", "", "[General]\nDomain = localdomain\n[Translation]\nMethod = nsswitch\nGSS-Methods = nsswitch\n" },
	};
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		struct nfs_krb5 k = { .source = NFS_KEYTAB_GIVEN };
		char *out = NULL;
		size_t len = 0;
		FILE *f = open_memstream(&out, &len);
		snprintf(k.realm, sizeof(k.realm), "%s", rows[i].realm);
		snprintf(k.domain, sizeof(k.domain), "%s", rows[i].domain);
		assert_non_null(f);
		nfs_krb5_idmap(f, &k);
		fclose(f);
		assert_string_equal(strchr(out, '\n') + 1, rows[i].text);
		free(out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_keys), cmocka_unit_test(test_who) };
	return cmocka_run_group_tests_name("broker/keytab", tests, NULL, NULL);
}
