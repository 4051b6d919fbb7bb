/* SPDX-License-Identifier: GPL-3.0-or-later */
/* domain_text.c - what a domain may be called, what its members' texts are, what Samba's programs say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "broker/domain_priv.h"

static void test_values(void **state)
{
	(void)state;
	static const struct {
		const char *realm, *name, *workgroup, *dns;
		unsigned first;
		bool fits;
	} cases[] = {
		{ "corp.example.com", "nas1", "corp", "", 1000000, true }, { "CORP.EXAMPLE.COM", "N-1", "", "192.0.2.1", 300000, true }, { "a.b", "0x", "", "2001:db8::1", 999999999, true },
		{ "corp", "nas1", "", "", 1000000, false }, { "", "nas1", "", "", 1000000, false }, { "corp..com", "nas1", "", "", 1000000, false }, { ".corp.com", "nas1", "", "", 1000000, false },
		{ "corp.com.", "nas1", "", "", 1000000, false }, { "-corp.com", "nas1", "", "", 1000000, false }, { "corp-.com", "nas1", "", "", 1000000, false },
		{ "corp.com\n\tpanic action = id", "nas1", "", "", 1000000, false }, { "corp .com", "nas1", "", "", 1000000, false }, { "co_rp.com", "nas1", "", "", 1000000, false },
		{ "corp.com", "", "", "", 1000000, false }, { "corp.com", "123456789012345", "", "", 1000000, false }, { "corp.com", "-nas", "", "", 1000000, false },
		{ "corp.com", "na s", "", "", 1000000, false }, { "corp.com", "nas.1", "", "", 1000000, false }, { "corp.com", "nas\n", "", "", 1000000, false },
		{ "corp.com", "corp", "corp", "", 1000000, false }, { "corp.com", "nas1", "co rp", "", 1000000, false },
		{ "corp.com", "nas1", "", "dns.corp.com", 1000000, false }, { "corp.com", "nas1", "", "192.0.2.1\noptions x", 1000000, false }, { "corp.com", "nas1", "", "192.0.2.1/24", 1000000, false },
		{ "corp.com", "nas1", "", "", 20000, false }, { "corp.com", "nas1", "", "", 0, false }, { "corp.com", "nas1", "", "", 2000000000, false },
	};
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct domain d = { .first_id = cases[i].first };
		const char *why = "";
		snprintf(d.realm, sizeof(d.realm), "%s", cases[i].realm);
		snprintf(d.name, sizeof(d.name), "%s", cases[i].name);
		snprintf(d.workgroup, sizeof(d.workgroup), "%s", cases[i].workgroup);
		snprintf(d.dns, sizeof(d.dns), "%s", cases[i].dns);
		if ((domain_check(&d, &why) == 0) != cases[i].fits)
			fail_msg("%s %s %s %s: '%s'", cases[i].realm, cases[i].name, cases[i].workgroup, cases[i].dns, why);
		if (!cases[i].fits && !why[0])
			fail_msg("%s %s: no reason", cases[i].realm, cases[i].name);
	}
}

static const struct domain corp = { .realm = "CORP.EXAMPLE.COM", .workgroup = "CORP", .name = "NAS1", .first_id = 1000000 };

static void test_note(void **state)
{
	(void)state;
	char line[512];
	struct domain d;
	domain_note(&corp, line, sizeof(line));
	assert_string_equal(line, "CORP.EXAMPLE.COM CORP NAS1 1000000 -\n");
	assert_int_equal(domain_note_parse(line, &d), 0);
	assert_memory_equal(&d, &corp, sizeof(d));
	struct domain with = corp;
	snprintf(with.dns, sizeof(with.dns), "192.0.2.53");
	domain_note(&with, line, sizeof(line));
	assert_int_equal(domain_note_parse(line, &d), 0);
	assert_string_equal(d.dns, "192.0.2.53");
	static const char *const bad[] = { "", "CORP.EXAMPLE.COM", "CORP.EXAMPLE.COM CORP NAS1 1000000", "x CORP NAS1 1000000 -", "CORP.EXAMPLE.COM CORP NAS1 5 -", "CORP.EXAMPLE.COM CORP CORP 1000000 -",
					   "CORP.EXAMPLE.COM CORP NAS1 1000000 here" };
	for (size_t i = 0; i < ARRAY_COUNT(bad); i++)
		if (domain_note_parse(bad[i], &d) == 0)
			fail_msg("'%s' was taken", bad[i]);
}

static char *text_of(void (*writer)(FILE *f))
{
	static char *text;
	size_t len;
	free(text);
	FILE *f = open_memstream(&text, &len);
	writer(f);
	fclose(f);
	return text;
}
static void smb(FILE *f)
{
	domain_smb_lines(&corp, f);
}
static void krb5(FILE *f)
{
	domain_krb5(&corp, "/x/nas", f);
}
static void machines(FILE *f)
{
	domain_nsswitch("# people\npasswd:         files systemd  # of us\n group: files\nshadow: files\nhosts: files mdns4_minimal [NOTFOUND=return] resolve dns\n", false, f);
}
static void with_dns(FILE *f)
{
	domain_nsswitch("passwd: files winbind\nhosts: files resolve\n", true, f);
}

static void test_texts(void **state)
{
	(void)state;
	const char *t = text_of(smb);
	/* What makes it a member, and nothing that a line of another meaning could follow. */
	assert_non_null(strstr(t, "\tsecurity = ads\n\trealm = CORP.EXAMPLE.COM\n\tnetbios name = NAS1\n"));
	assert_non_null(strstr(t, "\tidmap config CORP : backend = rid\n\tidmap config CORP : range = 1000000-1999999999\n"));
	assert_null(strstr(t, "["));
	t = text_of(krb5);
	assert_non_null(strstr(t, "\tdefault_realm = CORP.EXAMPLE.COM\n"));
	assert_non_null(strstr(t, "FILE:/x/nas/smb/private/krb5.keytab"));
	assert_string_equal(text_of(machines), "\npasswd:         files systemd   winbind\n group: files winbind\nshadow: files\nhosts: files mdns4_minimal [NOTFOUND=return] resolve dns\n");
	assert_string_equal(text_of(with_dns), "passwd: files winbind\nhosts: files dns\ngroup: files winbind\n");
}

static void test_explain(void **state)
{
	(void)state;
	static const struct {
		const char *output, *has;
		int error;
	} cases[] = {
		{ "Failed to join domain: failed to lookup DC info for domain 'X' over rpc: The attempted logon is invalid. This is either due to a bad username or authentication information.\n",
		  "wrong user name or password", -EACCES },
		{ "Failed to join domain: failed to connect to AD: Clock skew too great\n", "clock", -ETIME },
		{ "Failed to join domain: failed to precreate account in ou No/Such: No such object\n", "organizational unit", -EINVAL },
		{ "Failed to join domain: Failed to set account flags for machine account (NT_STATUS_ACCESS_DENIED)\n", "may not add", -EPERM },
		{ "Failed to join domain: failed to find DC for domain X - {Operation Failed}\n", "no domain controller was found", -EHOSTUNREACH },
		{ "Error reading password from file descriptor 0: empty password\nsomething that\tno version said before\n", "joining: something that no version said before", -EIO },
		{ "", "Samba does not say why", -EIO },
	};
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		char why[512];
		int r = domain_explain(cases[i].output, "joining", why, sizeof(why));
		if (r != cases[i].error || !strstr(why, cases[i].has))
			fail_msg("'%s': %d '%s'", cases[i].output, r, why);
	}
	char value[64];
	static const char info[] = "LDAP server: 192.0.2.1\nLDAP server name: dc1.x\n\tPre-Win2k Domain: CORP\r\nServer time offset: -7\n";
	assert_string_equal(domain_value(info, "LDAP server", value, sizeof(value)), "192.0.2.1");
	assert_string_equal(domain_value(info, "Pre-Win2k Domain", value, sizeof(value)), "CORP");
	assert_string_equal(domain_value(info, "Server time offset", value, sizeof(value)), "-7");
	assert_string_equal(domain_value(info, "Realm", value, sizeof(value)), "");
}

static void found(FILE *f)
{
	domain_found("Got 3 replies\n\nsAMAccountName: anna\nsAMAccountType: 805306368\ndisplayName: Anna A.\n\ncn: x\nsAMAccountType: 268435456\nsAMAccountName: Domain Users\n\n"
		     "sAMAccountName: no type\n\nsAMAccountType: 805306368\nsAMAccountName: last\n\n", 50, f);
}
static void few(FILE *f)
{
	assert_int_equal(domain_found("sAMAccountName: a\nsAMAccountType: 805306368\n\nsAMAccountName: b\nsAMAccountType: 805306368\n\n", 1, f), 1);
}

static void test_people(void **state)
{
	(void)state;
	char buf[64];
	assert_int_equal(domain_ldap_escape("an)(cn=*\\", buf, sizeof(buf)), 0);
	assert_string_equal(buf, "an\\29\\28cn=\\2a\\5c");
	assert_int_equal(domain_ldap_escape("************************", buf, sizeof(buf)), -E2BIG);
	assert_string_equal(text_of(found), "user\tanna\tAnna A.\ngroup\tDomain Users\t\nuser\tlast\t\n");
	assert_string_equal(text_of(few), "user\ta\t\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values), cmocka_unit_test(test_note), cmocka_unit_test(test_texts), cmocka_unit_test(test_explain), cmocka_unit_test(test_people),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
