/* SPDX-License-Identifier: GPL-3.0-or-later */
/* keeper_smb_text.c - lines of a Samba configuration that the keeper must not take, as somebody would write them who has the daemon. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "broker/keeper_priv.h"

static void test_lines(void **state)
{
	(void)state;
	static const struct {
		const char *line;
		bool taken;
	} cases[] = {
		{ "\tread only = no", true }, { "# root preexec = id", true }, { "; path = /etc", true }, { "", true }, { "\tcomment = preexec and include and script", true },
		{ "[docs]", true }, { "[with space]", true }, { "\tpath = /srv/pool/docs", true }, { "\tpath = /srv/pool/homes/%U", true },
		{ "\tvfs objects = full_audit recycle", true }, { "\tfruit:aapl = yes", true }, { "\tHosts  Allow=10.0.0.0/8", true }, { "\tveto files = /*.exe/", true },
		/* runs a program */
		{ "\tpreexec = id", false }, { "\troot preexec = id", false }, { "\tROOT PreExec=id", false }, { "rootpreexec=id", false }, { "\tr o o t postexec = id", false },
		{ "\texec = id", false }, { "\tpreexec close = yes", false }, { "\tpanic action = id", false }, { "\tmagic script = x", false }, { "\tmagicoutput = x", false },
		{ "\tadd user script = id", false }, { "\tcheck password script = id", false }, { "\tmessage command = id", false }, { "\tdfree command = id", false },
		{ "\tget quota command = id", false }, { "\tprint command = id", false }, { "\tlpq command = id", false }, { "\tpasswd program = id", false },
		{ "\tshutdown script = id", false }, { "\tusername map script = id", false }, { "\tperfcount module = x", false }, { "\tsvcctl list = x", false },
		{ "\tgpo update command = id", false }, { "\tprintable = yes", false }, { "\tidmap config * : script = id", false }, { "\twins hook = id", false },
		/* reads or takes files */
		{ "\tinclude = /etc/x", false }, { "\tconfig file = /tmp/x", false }, { "\tregistry shares = yes", false }, { "\tconfig backend = registry", false },
		{ "\tusername map = /tmp/x", false }, { "\tpassdb backend = tdbsam:/tmp/x", false }, { "\tprivate dir = /tmp", false }, { "\tlock directory = /tmp", false },
		{ "\tlog file = /etc/cron.d/x", false }, { "\tlogging = syslog", false }, { "\troot directory = /", false }, { "\tusershare path = /tmp", false },
		{ "\tpreload modules = /tmp/x.so", false }, { "\thosts equiv = /tmp/x", false }, { "\tcopy = docs", false }, { "\tsmb passwd file = /tmp/x", false },
		/* makes somebody of nobody */
		{ "\tadmin users = alice", false }, { "\tforce user = root", false }, { "\tforce group = shadow", false }, { "\tforce group = users", true }, { "\tforce group = +users", false }, { "\tforce group = root", false }, { "\tgroup = shadow", false }, { "\tguest account = root", false },
		{ "\tsecurity = ads", false }, { "\trealm = EVIL.EXAMPLE.COM", false }, { "\tidmap config CORP : backend = ad", false }, { "\twinbind use default domain = yes", false },
		{ "\tkerberos method = dedicated keytab", false }, { "\tdedicated keytab file = /tmp/x", false }, { "\tvalid users = S-1-5-21-1-2-3-1104 \"CORP\\anna\"", true }, { "\tserver role = active directory domain controller", false }, { "\tusers = x", false },
		/* out of the folder */
		{ "\tpath = /etc", false }, { "\tpath = /", false }, { "\tpath = relative", false }, { "\tpath = /srv/../etc", false }, { "\tpath = /srv/x/..", false },
		{ "\tpath = /srv/%H", false }, { "\tpath = //etc", false }, { "\tpath = /./root", false }, { "\tpath = /home/", false }, { "\tpath = //root/%U", false },
		{ "\tsync machine password to keytab = /etc/x:account_name", false }, { "\tsync always = yes", true }, { "\tdirectory = /root", false }, { "\tpath = /usr/share", false }, { "\twide links = yes", false },
		{ "\tallow insecure wide links = yes", false }, { "\tpath = \"/etc\"", false },
		{ "\tvfs objects = shell_snap", false }, { "\tvfs objects = full_audit,/tmp/x.so", false }, { "\tvfs object = unityed_media", false },
		{ "\tshell_snap:check path command = id", false }, { "\tvirusfilter:x = y", false }, { "\tspoolss:x = y", false }, { "\trpc_server:spoolss = external", false },
		/* two parsers, two meanings */
		{ "\tcomment = x \\", false }, { "\tcomment = x\\\t", false }, { "\tcomment = x\r", false }, { "\tcomment = x\v", false }, { "no equals sign", false },
		{ "= value", false }, { "[half", false }, { "half]", false }, { "[a]b]", false }, { "[a] x = y", false }, { "[homes]", false }, { "[printers]", false },
		{ "[IPC$]", false }, { "[%U]", false }, { "[]", false }, { "\tna\"me = x", false }, { "\tn\xc3\xa4me = x", false },
	};
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		char text[512];
		unsigned line = 0;
		const char *why = "";
		int n = snprintf(text, sizeof(text), "[global]\n\tworkgroup = X\n%s\n", cases[i].line);
		int r = keeper_smb_text(text, (size_t)n, &line, &why);
		if ((r == 0) != cases[i].taken)
			fail_msg("'%s': %d %s", cases[i].line, r, why);
		if (r < 0 && (line != 3 || !why[0]))
			fail_msg("'%s': line %u, '%s'", cases[i].line, line, why);
	}
}

static void test_texts(void **state)
{
	(void)state;
	static char lines[8192] = "[global]\n";
	unsigned line;
	const char *why;
	assert_int_equal(keeper_smb_text("", 0, &line, &why), 0);
	assert_true(keeper_smb_text("[global]\n\tx = y", 15, &line, &why) < 0);  /* no end */
	assert_true(keeper_smb_text("[global]\n\0\n", 11, &line, &why) < 0);
	assert_true(keeper_smb_text("\tinclude = x\n", 13, &line, &why) < 0);
	assert_true(keeper_smb_text("[docs]\n", 7, &line, &why) < 0);            /* not [global] first */
	memset(lines + 9, 'x', sizeof(lines) - 11);
	lines[sizeof(lines) - 2] = '\n';
	assert_true(keeper_smb_text(lines, sizeof(lines) - 1, &line, &why) < 0); /* one line of 8,000 bytes */
}

/* In place, so it never grows. */
static void test_shorten(void **state)
{
	static const char *const cases[][2] = {
		{ "", "" }, { "one\n", "one" }, { "one\ntwo\nthree\n", "one;two;three" }, { "Load smb config files from x\none\ntwo\n", "one; two" },
		{ "one\n\ntwo", "one; two" }, { "one\nIgnoring x\ntwo\nError loading services.\n", "one; two" }, { "a\nb\nc\nd\ne\nf\ng\n", "a;b;c;d;e;f;g" },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		char *out = strdup(cases[i][0]); /* of just that size: the sanitizer sees one byte more */
		assert_non_null(out);
		keeper_smb_shorten(out);
		assert_string_equal(out, cases[i][1]);
		free(out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_lines), cmocka_unit_test(test_texts), cmocka_unit_test(test_shorten) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
