/* SPDX-License-Identifier: GPL-3.0-or-later */
/* smb_conf.c - Samba's configuration for each preset, as text; and words from outside that must not break out of their line. */
#include "share/smb_priv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "broker/keeper_priv.h"

static const struct share_portal any = { .id = "p", .address = "0.0.0.0", .port = 445 };

static char *conf_of(const struct share_spec *s, const struct share_settings *settings)
{
	struct smb_raw items[4];
	struct smb_raws raws = { .items = items, .room = 4 };
	struct share_text t = { 0 };
	struct share_world w = { .shares = s, .share_count = 1, .portals = &any, .portal_count = 1 };
	if (settings)
		w.settings = *settings;
	assert_int_equal(smb_conf(&w, NULL, &t, &raws), 0);
	return t.bytes;
}

static const char *const domain[] = { "CORP\\anna", "@corp\\Domain Users:ro", "alice", "CORP\\gone" }, *const sids[] = { "CORP\\anna=S-1-5-21-1-2-3-1104", "CORP\\Domain Users=S-1-5-21-1-2-3-513" };
static const char *const staff[] = { "@staff", "alice:ro", "10.0.0.0/8" };
static const struct {
	const char *golden;
	struct share_spec s;
} presets[] = {
	{ "general", { .preset = SHARE_GENERAL, .comment = "Papers", .smb_oplocks = true, .smb_durable_handles = true } },
	{ "general-all", { .preset = SHARE_GENERAL, .smb_oplocks = true, .nfs = true, .smb_recycle = true, .smb_previous_versions = true, .smb_audit = true,
			   .smb_acl = SHARE_ACL_WINDOWS, .smb_encryption = SHARE_ENCRYPTION_REQUIRED, .smb_case = SHARE_CASE_SENSITIVE, .hidden = true,
			   .allow = { staff, 3 }, .deny = { staff, 1 }, .smb_raw = "\tveto files = /*.exe/" } },
	{ "guest", { .preset = SHARE_GENERAL, .guest = true, .read_only = true, .smb_oplocks = true } },
	{ "homes", { .preset = SHARE_HOMES, .smb_oplocks = true, .smb_durable_handles = true } },
	{ "time-machine", { .preset = SHARE_TIME_MACHINE, .smb_oplocks = true, .smb_durable_handles = true, .quota_bytes = UINT64_C(500) << 30 } },
	{ "library", { .preset = SHARE_LIBRARY, .smb_oplocks = true, .smb_durable_handles = true, .allow = { staff, 3 } } },
	{ "domain", { .preset = SHARE_GENERAL, .smb_oplocks = true, .smb_durable_handles = true, .allow = { domain, 3 }, .deny = { domain + 3, 1 }, .identities = { sids, 2 } } },
	{ "drop-box", { .preset = SHARE_DROP_BOX, .smb_oplocks = true, .smb_durable_handles = true } },
};

/* HF_GOLDEN=write makes them anew; read the difference before it is committed. */
static void test_presets(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(presets); i++) {
		struct share_spec s = presets[i].s;
		char path[512], want[16384] = "";
		s.id = s.name = "docs";
		s.pool_folder = "/srv/pool";
		s.folder = "/srv/pool/docs";
		s.enabled = s.smb = true;
		_cleanup_(freep) char *got = conf_of(&s, NULL);
		snprintf(path, sizeof(path), "%s/tests/unit/share/golden/%s.conf", HF_SRCDIR, presets[i].golden);
		const char *how = getenv("HF_GOLDEN");
		FILE *f = fopen(path, how && strcmp(how, "write") == 0 ? "w+" : "r");
		if (!f)
			fail_msg("cannot open %s", path);
		if (how && strcmp(how, "write") == 0) {
			fputs(got, f);
			rewind(f);
		}
		want[fread(want, 1, sizeof(want) - 1, f)] = '\0';
		fclose(f);
		if (strcmp(got, want) != 0)
			fail_msg("%s: got\n%s\nwant\n%s", presets[i].golden, got, want);
		/* What we write is what the keeper takes. */
		unsigned line;
		const char *why = "";
		if (keeper_smb_text(got, strlen(got), &line, &why) < 0)
			fail_msg("%s: the keeper refuses line %u: %s", presets[i].golden, line, why);
	}
}

static size_t count(const char *text, const char *what)
{
	size_t n = 0;
	for (const char *p = text; (p = strstr(p, what)); p += strlen(what))
		n++;
	return n;
}

static void test_words_stay_in_their_line(void **state)
{
	(void)state;
	static const char *const hostile[] = {
		"x\n\troot preexec = /bin/sh", "x\r\n[global]\n\tpanic action = id", "ends with a backslash\\", "ends with more \\\\\\ ", "%$(PATH) %U %m",
		"\"quoted\" 'twice'", "# not a comment", "; nor this", "[section]", "\x01\x02\x7f", "\t\t", "= = =", "\\",
	};
	for (size_t i = 0; i < ARRAY_COUNT(hostile); i++) {
		const struct share_spec s = { .id = "i", .name = "docs", .comment = hostile[i], .pool_folder = "/srv/p", .folder = "/srv/p/docs", .enabled = true, .smb = true };
		const struct share_settings settings = { .smb_workgroup = hostile[i], .smb_server_name = hostile[i] };
		const struct share_spec plain = { .id = "i", .name = "docs", .comment = "x", .pool_folder = "/srv/p", .folder = "/srv/p/docs", .enabled = true, .smb = true };
		const struct share_settings plain_settings = { .smb_workgroup = "x", .smb_server_name = "x" };
		_cleanup_(freep) char *text = conf_of(&s, &settings), *same = conf_of(&plain, &plain_settings);
		unsigned line;
		const char *why = "";
		if (count(text, "\n") != count(same, "\n"))
			fail_msg("'%s' makes lines of its own:\n%s", hostile[i], text);
		assert_null(strstr(text, "\\\n"));
		if (strchr(hostile[i], '%'))
			assert_null(strchr(text, '%'));
		if (keeper_smb_text(text, strlen(text), &line, &why) < 0)
			fail_msg("'%s': the keeper refuses line %u: %s", hostile[i], line, why);
	}
}

static void test_names(void **state)
{
	(void)state;
	static const struct {
		const char *name, *folder;
		bool fits;
	} cases[] = {
		{ "docs", "/srv/p/docs", true }, { "with space", "/srv/p/x", true }, { "\xc3\xbc\xe2\x98\x82", "/srv/p/x", true }, { "a'b", "/srv/p/x", true }, { "pay$", "/srv/p/x", true },
		{ "a]b", "/srv/p/x", false }, { "a\nb", "/srv/p/x", false }, { "%U", "/srv/p/x", false }, { "global", "/srv/p/x", false }, { "IPC$", "/srv/p/x", false },
		{ "", "/srv/p/x", false }, { " a", "/srv/p/x", false }, { "a ", "/srv/p/x", false }, { "-a", "/srv/p/x", false }, { "a/b", "/srv/p/x", false }, { "a\\b", "/srv/p/x", false },
		{ "docs", "/srv/p/100%", false }, { "docs", "/srv/p/\"x\"", false }, { "docs", "/srv/p/x\\", false }, { "docs", "/srv/p/x\ny", false }, { "docs", "/srv/p/x ", false },
	};
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		char why[256] = "";
		const struct share_spec s = { .id = "i", .name = cases[i].name, .pool_folder = "/srv/p", .folder = cases[i].folder };
		if ((smb_conf_check(&s, why, sizeof(why)) == 0) != cases[i].fits)
			fail_msg("'%s' in '%s': %s", cases[i].name, cases[i].folder, why);
		if (!cases[i].fits)
			assert_true(why[0] != '\0');
	}
}

static void test_only_nfs(void **state)
{
	(void)state;
	char why[256];
	for (unsigned p = SHARE_VMWARE; p <= SHARE_KUBERNETES; p++) {
		const struct share_spec s = { .id = "i", .name = "x", .preset = (enum share_preset)p, .pool_folder = "/srv/p", .folder = "/srv/p/x" };
		assert_int_equal(smb_conf_check(&s, why, sizeof(why)), -EINVAL);
	}
}

static void test_raw_sections(void **state)
{
	(void)state;
	assert_int_equal(smb_conf_section(NULL), 0);
	assert_int_equal(smb_conf_section("a = b\nc = d"), 0);
	assert_int_equal(smb_conf_section("a = b\n \t[x]\n"), 2);
	assert_int_equal(smb_conf_section("[x]"), 1);
}

static void test_portals(void **state)
{
	(void)state;
	static const struct {
		const char *what;
		struct share_portal p[4];
		size_t count;
		int answer;
	} cases[] = {
		{ "none", { { 0 } }, 0, 0 },
		{ "one", { { .address = "10.0.0.1", .port = 445 } }, 1, 0 },
		{ "two addresses, one port", { { .address = "10.0.0.1", .port = 445 }, { .address = "10.0.0.2", .port = 445 } }, 2, 0 },
		{ "two of each, no grid", { { .address = "10.0.0.1", .port = 445 }, { .address = "10.0.0.2", .port = 446 } }, 2, -EINVAL },
		{ "NFS beside it", { { .address = "10.0.0.1", .port = 445 }, { .nfs = true, .address = "10.0.0.2", .port = 2049 } }, 2, 0 },
		{ "all addresses", { { .address = "0.0.0.0", .port = 445 }, { .address = "::", .port = 445 } }, 2, 0 },
	};
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		char why[512] = "";
		const struct share_world w = { .portals = cases[i].p, .portal_count = cases[i].count };
		if (smb_conf_check_portals(&w, why, sizeof(why)) != cases[i].answer)
			fail_msg("%s: %s", cases[i].what, why);
	}
}

/* In a domain "every user" does not mean everybody there is in it. */
static void test_members(void **state)
{
	(void)state;
	static const char *const networks[] = { "10.0.0.0/8" };
	static const struct {
		bool in_domain, guest;
		const char *const *allow;
		size_t allow_count;
		const char *has;
	} cases[] = {
		{ true, false, NULL, 0, "\tvalid users = +users\n" }, { true, false, networks, 1, "\tvalid users = +users\n" }, { true, false, staff, 1, "\tvalid users = +staff\n" },
		{ false, false, NULL, 0, NULL }, { true, true, NULL, 0, NULL },
	};
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct share_spec s = { .id = "s", .name = "docs", .pool_folder = "/srv/pool", .folder = "/srv/pool/docs", .enabled = true, .smb = true, .guest = cases[i].guest,
					.allow = { cases[i].allow, cases[i].allow_count } };
		const struct share_settings settings = { .in_domain = cases[i].in_domain };
		_cleanup_(freep) char *got = conf_of(&s, &settings);
		if (cases[i].has ? !strstr(got, cases[i].has) : strstr(got, "valid users") != NULL)
			fail_msg("case %zu: %s", i, got);
		assert_null(strstr(got, "force group"));
	}
}

static void test_entries(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int answer;
		enum share_who who;
		enum share_right right;
		const char *name;
	} cases[] = {
		{ "alice", 0, SHARE_WHO_USER, SHARE_RIGHT_DEFAULT, "alice" }, { "alice:ro", 0, SHARE_WHO_USER, SHARE_RIGHT_READ, "alice" },
		{ "@staff:rw", 0, SHARE_WHO_GROUP, SHARE_RIGHT_WRITE, "staff" }, { "10.0.0.0/8", 0, SHARE_WHO_ADDRESS, SHARE_RIGHT_DEFAULT, "10.0.0.0/8" },
		{ "10.1.2.3:ro", 0, SHARE_WHO_ADDRESS, SHARE_RIGHT_READ, "10.1.2.3" }, { "fd00::/8", 0, SHARE_WHO_ADDRESS, SHARE_RIGHT_DEFAULT, "fd00::/8" },
		{ "CORP\\anna:rw", 0, SHARE_WHO_USER, SHARE_RIGHT_WRITE, "CORP\\anna" }, { "@CORP\\Domain Users", 0, SHARE_WHO_GROUP, SHARE_RIGHT_DEFAULT, "CORP\\Domain Users" },
		{ "CORP\\", -EINVAL, 0, 0, NULL }, { "\\anna", -EINVAL, 0, 0, NULL }, { "A\\B\\c", -EINVAL, 0, 0, NULL }, { "CORP\\an\"na", -EINVAL, 0, 0, NULL }, { "CORP\\%U", -EINVAL, 0, 0, NULL },
		{ "fd00::1:rw", 0, SHARE_WHO_ADDRESS, SHARE_RIGHT_WRITE, "fd00::1" },
		{ "", -EINVAL, 0, 0, NULL }, { "@", -EINVAL, 0, 0, NULL }, { ":ro", -EINVAL, 0, 0, NULL }, { "a b", -EINVAL, 0, 0, NULL }, { "a\nb", -EINVAL, 0, 0, NULL },
		{ "@a,b", -EINVAL, 0, 0, NULL }, { "%U", -EINVAL, 0, 0, NULL }, { "+wheel", -EINVAL, 0, 0, NULL }, { "-x", -EINVAL, 0, 0, NULL }, { "10.0.0.0 EXCEPT x", -EINVAL, 0, 0, NULL },
	};
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct share_entry e;
		int r = share_entry_parse(cases[i].text, &e);
		if (r != cases[i].answer || (r == 0 && (e.who != cases[i].who || e.right != cases[i].right || strcmp(e.name, cases[i].name) != 0)))
			fail_msg("'%s': %d", cases[i].text, r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_presets), cmocka_unit_test(test_words_stay_in_their_line), cmocka_unit_test(test_names), cmocka_unit_test(test_only_nfs),
		cmocka_unit_test(test_raw_sections), cmocka_unit_test(test_portals), cmocka_unit_test(test_members), cmocka_unit_test(test_entries),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
