/* SPDX-License-Identifier: GPL-3.0-or-later */
/* read.c - foreign configuration: what the samples become, what cannot be kept, and hostile text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "remote/remote.h"

static char *file_text(const char *name, size_t *ret_len)
{
	char path[512];
	const char *src = getenv("HF_SRCDIR");
	snprintf(path, sizeof(path), "%s/tests/unit/remote/samples/%s", src ? src : HF_SRCDIR, name);
	FILE *f = fopen(path, "r");
	if (!f)
		fail_msg("%s", path);
	char *text = calloc(1, 65536);
	*ret_len = fread(text, 1, 65535, f);
	fclose(f);
	return text;
}

static json_t *read_sample(const char *name, const char *format)
{
	size_t len;
	char *text = file_text(name, &len), why[256];
	json_t *pools = json_pack("[{s:s, s:s}]", "name", "big", "path", "/srv/iso"), *names = json_pack("{s:{s:b}}", "volume", "data", 1), *report = NULL;
	struct remote_config c = { .format = format, .text = text, .len_bytes = len, .pools = pools, .names = names };
	if (remote_config_read(&c, &report, why, sizeof(why)))
		fail_msg("%s: %s", name, why);
	free(text);
	json_decref(pools);
	json_decref(names);
	return report;
}

/* The nth body of a kind whose member has the value. */
static json_t *body(json_t *report, const char *kind, const char *member, const char *value)
{
	json_t *o;
	size_t i;
	json_array_foreach(json_object_get(report, "objects"), i, o) {
		const char *s = json_string_value(json_object_get(json_object_get(o, "body"), member));
		if (strcmp(json_string_value(json_object_get(o, "kind")), kind) == 0 && s && strcmp(s, value) == 0)
			return json_object_get(o, "body");
	}
	char *all = json_dumps(report, JSON_INDENT(1));
	print_error("%s\n", all);
	free(all);
	fail_msg("no %s with %s=%s", kind, member, value);
	return NULL;
}

static void has(json_t *o, const char *member, const char *want)
{
	const char *s = json_string_value(json_object_get(o, member));
	char *text = s ? strdup(s) : json_dumps(json_object_get(o, member), JSON_ENCODE_ANY | JSON_COMPACT);
	if (strcmp(text ? text : "(absent)", want) != 0)
		fail_msg("%s is %s, not %s", member, text ? text : "(absent)", want);
	free(text);
}

static size_t count(json_t *report, const char *kind)
{
	json_t *o;
	size_t i, n = 0;
	json_array_foreach(json_object_get(report, "objects"), i, o)
		n += strcmp(json_string_value(json_object_get(o, "kind")), kind) == 0;
	return n;
}

static void says(json_t *report, int line, const char *level, const char *part)
{
	json_t *f;
	size_t i;
	json_array_foreach(json_object_get(report, "findings"), i, f)
		if (json_integer_value(json_object_get(f, "line")) == line && strcmp(json_string_value(json_object_get(f, "level")), level) == 0 &&
		    strstr(json_string_value(json_object_get(f, "text")), part))
			return;
	char *all = json_dumps(json_object_get(report, "findings"), JSON_INDENT(1));
	print_error("%s\n", all);
	free(all);
	fail_msg("line %d does not say \"%s\" (%s)", line, part, level);
}

static void lio(void **state)
{
	json_t *r = read_sample("saveconfig.json", NULL), *o;
	(void)state;
	has(r, "format", "lio");
	o = body(r, "volume", "name", "fileio-disk1");
	has(o, "naa_override", "naa.6001405b7cc0ffe12344abc9def00112");
	has(o, "serial", "b7cc0ffe-1234-4abc-9def-00112233aabb");
	has(o, "vendor", "LIO-ORG");
	has(o, "product", "disk1");
	has(o, "plugin", "block");
	has(o, "options", "{\"path\":\"/srv/lio/disk1.img\"}");
	has(o, "pool", "lio");
	has(o, "size_bytes", "67108864");
	has(body(r, "pool", "name", "lio"), "path", "/srv/lio");
	o = body(r, "volume", "name", "block-data");
	has(o, "naa_override", "naa.60014050d9f2a445b1e4d7a8c397f6e5");
	has(o, "pool", "(absent)");
	has(body(r, "volume", "name", "ramdisk-scratch"), "plugin", "ram");
	o = body(r, "target", "qualified_name", "iqn.2003-01.org.linux-iscsi.array:sn.5d4c3b2a1908");
	has(o, "allow_any", "false");
	has(body(r, "lun", "volume", "fileio-disk1"), "lun", "0");
	has(body(r, "lun", "volume", "block-data"), "lun", "5");
	o = body(r, "host", "name", "esx1");
	has(o, "iqns", "[\"iqn.1998-01.com.vmware:esx1\"]");
	has(o, "chap_user", "esx1");
	has(o, "chap_secret", "a-long-secret-1");
	has(o, "mutual_secret", "another-secret-2");
	has(body(r, "access", "host", "esx1"), "luns", "(absent)");
	assert_int_equal(count(r, "host"), 1);
	assert_int_equal(count(r, "portal"), 2);
	has(body(r, "portal", "address", "2001:db8::1"), "port", "3260");
	says(r, 49, "lost", "fewer than 12");
	says(r, 23, "lost", "pscsi");
	says(r, 59, "lost", "vhost");
	json_decref(r);
}

static void tgt(void **state)
{
	json_t *r = read_sample("targets.conf", NULL), *o;
	(void)state;
	has(r, "format", "tgt");
	/* Sorted: iso is number 1; vm says 7. */
	o = body(r, "volume", "serial", "SN-0001");
	has(o, "naa_override", "naa.60000000000000000e00000000070003");
	has(o, "vendor", "ACME");
	has(o, "product", "Fast Disk");
	has(o, "block_size", "4096");
	o = body(r, "volume", "serial", "beaf71");
	has(o, "naa_override", "naa.60000000000000000e00000000070001");
	has(o, "vendor", "IET");
	o = body(r, "volume", "serial", "beaf11");
	has(o, "type", "cdrom");
	has(o, "pool", "(absent)");
	o = body(r, "host", "chap_user", "web");
	has(o, "iqns", "[\"iqn.1994-05.com.redhat:web\"]");
	has(o, "addresses", "[\"192.0.2.0/24\"]");
	has(o, "mutual_user", "array");
	has(body(r, "target", "name", "vm"), "allow_any", "false");
	has(body(r, "target", "name", "iso"), "allow_any", "true");
	has(body(r, "lun", "target", "iso"), "lun", "1");
	says(r, 3, "lost", "not followed");
	says(r, 28, "lost", "rbd");
	says(r, 32, "lost", "frobnicate");
	json_decref(r);
}

static void scst(void **state)
{
	json_t *r = read_sample("scst.conf", NULL), *o;
	(void)state;
	has(r, "format", "scst");
	o = body(r, "volume", "name", "vm1");
	has(o, "naa_override", "naa.600140550a1b2c3d4e5f60718293a4b5");
	has(o, "serial", "509f7d73");
	has(o, "vendor", "SCST_FIO");
	o = body(r, "volume", "name", "vm2");
	has(o, "naa_override", "naa.5000c500a1b2c3d4");
	has(o, "options", "{\"path\":\"/srv/scst/vm 2.img\"}");
	has(o, "product", "VM disk");
	has(o, "vendor", "ACME");
	o = body(r, "volume", "name", "db");
	has(o, "options", "{\"path\":\"/dev/vg0/db\"}");
	has(o, "vendor", "SCST_BIO");
	o = body(r, "target", "qualified_name", "iqn.2006-10.net.vlnb:array");
	has(o, "portal_groups", "[\"1\"]");
	has(body(r, "target", "qualified_name", "iqn.2006-10.net.vlnb:open"), "enabled", "false");
	/* LUN 0 of two groups: the second gets another number, and nobody sees more than before. */
	o = body(r, "host", "name", "esx");
	has(o, "iqns", "[\"iqn.1998-01.com.vmware:esx*\"]");
	has(o, "chap_secret", "joes-secret-123");
	has(body(r, "lun", "volume", "vm1"), "read_only", "true");
	has(body(r, "lun", "volume", "db"), "lun", "2");
	has(body(r, "access", "host", "db"), "luns", "[\"2\"]");
	says(r, 43, "changed", "becomes LUN 2");
	says(r, 51, "lost", "ALUA");
	json_decref(r);
}

static void samba(void **state)
{
	json_t *r = read_sample("smb.conf", NULL), *o;
	(void)state;
	has(r, "format", "samba");
	o = body(r, "share", "name", "Projects-2026");
	has(o, "pool", "files");
	has(o, "path", "projects");
	has(o, "smb", "true");
	has(o, "read_only", "false");
	has(o, "allow", "[\"alice\",\"@staff\",\"bob\",\"@guests:ro\",\"192.0.2.0/24\",\"10.1.0.0/16\"]");
	has(o, "deny", "[\"mallory\"]");
	has(o, "smb_acl", "windows");
	has(o, "smb_recycle", "true");
	has(o, "smb_audit", "true");
	has(o, "smb_raw", "create mask = 0660\nforce group = staff\n");
	has(body(r, "share", "name", "tm"), "preset", "time-machine");
	has(body(r, "share", "name", "docs"), "hidden", "true");
	has(body(r, "share", "name", "docs"), "guest", "true");
	has(body(r, "share", "name", "docs"), "read_only", "true");
	has(body(r, "setting", "key", "smb_workgroup"), "value", "OFFICE");
	has(body(r, "setting", "key", "smb_min_protocol"), "value", "SMB3_00");
	(void)body(r, "user", "name", "alice");
	(void)body(r, "group", "name", "staff");
	assert_int_equal(count(r, "share"), 3);
	says(r, 21, "lost", "runs a program");
	says(r, 19, "lost", "glusterfs");
	says(r, 37, "lost", "depends on the client");
	says(r, 39, "lost", "directly in");
	says(r, 29, "changed", "preset homes");
	json_decref(r);
}

/* Nothing becomes more open than it was: what cannot be said here shuts the share, and what [global] says of shares counts. */
static void samba_access(void **state)
{
	static const struct {
		const char *what, *text, *member, *want;
	} cases[] = {
		{ "a list of writers", "read only = yes\nvalid users = alice bob @devs\nwrite list = alice @devs\n", "allow", "[\"bob\",\"alice:rw\",\"@devs:rw\"]" },
		{ "a list of writers", "read only = yes\nvalid users = alice bob\nwrite list = alice\n", "preset", "library" },
		{ "a list of writers", "read only = yes\nvalid users = alice bob\nwrite list = alice\n", "read_only", "false" },
		{ "a list of readers", "writable = yes\nvalid users = alice bob\nread list = bob\n", "allow", "[\"alice\",\"bob:ro\"]" },
		{ "hosts but one", "hosts allow = 192.168.1. EXCEPT 192.168.1.66\n", "allow", "[\"192.168.1.0/24\"]" },
		{ "hosts but one", "hosts allow = 192.168.1. EXCEPT 192.168.1.66\n", "deny", "[\"192.168.1.66\"]" },
		{ "all but one host", "allow hosts = ALL EXCEPT 10.0.0.7\n", "deny", "[\"10.0.0.7\"]" },
		{ "an old mask", "hosts allow = 10.2.0.0/255.255.0.0 fd00::/8\n", "allow", "[\"10.2.0.0/16\",\"fd00::/8\"]" },
		{ "names of hosts", "hosts allow = trusted.example.com @netgroup\n", "enabled", "false" },
		{ "names of hosts beside addresses", "hosts allow = trusted.example.com 10.0.0.7\n", "enabled", "(absent)" },
		{ "names of hosts beside addresses", "hosts allow = trusted.example.com 10.0.0.7\n", "allow", "[\"10.0.0.7\"]" },
		{ "a denied name of a host", "hosts deny = bad.example.com\n", "enabled", "false" },
		{ "nobody at all", "hosts deny = ALL\n", "deny", "[\"0.0.0.0/0\",\"::/0\"]" },
		{ "deny all but", "hosts deny = ALL EXCEPT 10.0.0.0/8\n", "allow", "[\"10.0.0.0/8\"]" },
		{ "allow counts there", "hosts allow = 10.0.0.7\nhosts deny = 10.0.0.0/8\n", "deny", "(absent)" },
		{ "a macro", "valid users = %S\n", "enabled", "false" },
		{ "some can be named", "valid users = %S alice\n", "allow", "[\"alice\"]" },
		{ "a denied group", "invalid users = \"@Some Group\" root\n", "enabled", "false" },
		{ "root never comes in", "invalid users = root nobody j.smith\n", "enabled", "(absent)" },
		{ "the last one counts", "read only = yes\nread only = no\n", "read_only", "false" },
		{ "a copy", "copy = other\n", "enabled", "false" },
		{ "quotes", "comment = \"Our papers\"\n", "comment", "Our papers" },
		{ "said for all", "[global]\nhosts allow = 10.0.0.0/8\nwritable = yes\nvalid users = @crew\n[s]\npath = /srv/t/s\n", "allow", "[\"@crew\",\"10.0.0.0/8\"]" },
		{ "said for all", "[global]\nwritable = yes\nread only = no\n[s]\npath = /srv/t/s\n", "read_only", "false" },
		{ "said for all, and otherwise", "[global]\nvalid users = @crew\n[s]\npath = /srv/t/s\nvalid users = alice\n", "allow", "[\"alice\"]" },
		{ "two lists of hosts", "[global]\nhosts allow = 10.0.0.0/8\n[s]\npath = /srv/t/s\nhosts allow = 10.1.0.0/16 192.0.2.1\n", "enabled", "false" },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		char text[1024], why[256];
		snprintf(text, sizeof(text), "%s%s", *cases[i].text == '[' ? "" : "[s]\npath = \"/srv/t/s\"\n", cases[i].text);
		struct remote_config c = { .format = "samba", .text = text, .len_bytes = strlen(text) };
		json_t *r = NULL;
		print_message("%s: %s\n", cases[i].what, cases[i].member);
		assert_int_equal(remote_config_read(&c, &r, why, sizeof(why)), 0);
		has(body(r, "share", "name", "s"), cases[i].member, cases[i].want);
		has(body(r, "share", "name", "s"), "path", "s");
		json_decref(r);
	}
}

static void exports(void **state)
{
	json_t *r = read_sample("exports", NULL), *o;
	(void)state;
	has(r, "format", "exports");
	o = body(r, "share", "name", "home");
	has(o, "nfs_clients", "[\"192.0.2.0/24:rw\",\"backup.example:ro:root\"]");
	has(o, "pool", "nfs");
	o = body(r, "share", "name", "with-blank");
	has(o, "path", "with blank");
	has(o, "nfs_squash", "all");
	has(o, "nfs_anon_uid", "1005");
	has(o, "nfs_clients", "[\"0.0.0.0/0:ro\"]");
	o = body(r, "share", "name", "oct-al");
	has(o, "path", "oct al");
	has(o, "nfs_sync", "false");
	has(o, "nfs_clients", "[\"@trusted:rw\",\"2001:db8::/64:ro\"]");
	has(body(r, "share", "name", "krb"), "nfs_security", "[\"krb5i\"]");
	says(r, 4, "lost", "pattern of host names");
	json_decref(r);
}

/* There each client has options of its own, here the share has some: the stricter counts. */
static void exports_access(void **state)
{
	static const struct {
		const char *text, *member, *want;
	} cases[] = {
		{ "a(sec=krb5p) b(sec=krb5p:krb5i)", "nfs_security", "[\"krb5p\"]" },
		{ "a(sec=krb5p) b", "nfs_security", "[\"krb5p\"]" },
		{ "a b(sec=krb5p)", "nfs_security", "[\"krb5p\"]" },
		{ "a(sec=sys:krb5) b(sec=krb5)", "nfs_security", "[\"krb5\"]" },
		{ "a(sec=krb5) b(sec=sys:krb5)", "nfs_security", "[\"krb5\"]" },
		{ "a(sec=sys) b", "nfs_security", "(absent)" },
		{ "a(sec=none) b(rw)", "nfs_clients", "[\"b:rw\"]" },
		{ "-sec=krb5i,rw a b(ro)", "nfs_security", "[\"krb5i\"]" },
		{ "-sec=krb5i,rw a b(ro)", "nfs_clients", "[\"a:rw\",\"b:ro\"]" },
		{ "a(async) b", "nfs_sync", "(absent)" },
		{ "a(async) b(async)", "nfs_sync", "false" },
		{ "10.0.0.0/255.0.255.0(rw) b", "nfs_clients", "[\"b:ro\"]" },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		char text[256], why[256];
		snprintf(text, sizeof(text), "/srv/t/s %s\n", cases[i].text);
		struct remote_config c = { .format = "exports", .text = text, .len_bytes = strlen(text) };
		json_t *r = NULL;
		print_message("%s\n", cases[i].text);
		assert_int_equal(remote_config_read(&c, &r, why, sizeof(why)), 0);
		has(body(r, "share", "name", "s"), cases[i].member, cases[i].want);
		json_decref(r);
	}
}

static void refused(void **state)
{
	static const struct {
		const char *what, *format, *text, *why;
	} cases[] = {
		{ "nothing at all", NULL, "", "looks like none" },
		{ "prose", NULL, "hello world\n", "looks like none" },
		{ "no such format", "xml", "<a/>", "format is one of" },
		{ "JSON of something else", NULL, "{\"a\": 1}", "no storage_objects" },
		{ "broken JSON", NULL, "{\n\"storage_objects\": [", "line 2" },
		{ "blocks too deep", "scst", "A a { B b { C c { D d { E e { F f { G g { H h { I i { J j {\n", "too deep" },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct remote_config c = { .format = cases[i].format, .text = cases[i].text, .len_bytes = strlen(cases[i].text) };
		json_t *r = NULL;
		char why[256];
		if (remote_config_read(&c, &r, why, sizeof(why)) != -EINVAL || !strstr(why, cases[i].why))
			fail_msg("%s: %s", cases[i].what, why);
	}
	struct remote_config zero = { .format = "tgt", .text = "a\0b", .len_bytes = 3 };
	json_t *r = NULL;
	char why[256];
	assert_int_equal(remote_config_read(&zero, &r, why, sizeof(why)), -EINVAL);
}

/* A system folder makes no pool, and a path cannot climb out of one. */
static void paths(void **state)
{
	static const char *const bad[] = { "/data *(ro)\n", "/etc/keys *(ro)\n", "/srv/../etc/x *(ro)\n", "/srv/a/.. *(ro)\n", "/ *(ro)\n", "/dev/sdb *(ro)\n" };
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
		struct remote_config c = { .format = "exports", .text = bad[i], .len_bytes = strlen(bad[i]) };
		json_t *r = NULL;
		char why[256];
		assert_int_equal(remote_config_read(&c, &r, why, sizeof(why)), 0);
		if (json_array_size(json_object_get(r, "objects")) != 0)
			fail_msg("%s makes something", bad[i]);
		json_decref(r);
	}
}

/* Every sample with bytes changed, cut, doubled: an answer or a reason, never a crash (ASan looks on). */
static void hostile(void **state)
{
	static const char *const rows[][2] = { { "saveconfig.json", "lio" }, { "targets.conf", "tgt" }, { "scst.conf", "scst" }, { "smb.conf", "samba" }, { "exports", "exports" } };
	unsigned seed = 20261120;
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		size_t len;
		char *text = file_text(rows[i][0], &len);
		for (int round = 0; round < 300; round++) {
			char *copy = malloc(2 * len);
			size_t n = len;
			memcpy(copy, text, len);
			for (int k = 0; k < 1 + round % 7; k++) {
				seed = seed * 1103515245 + 12345;
				size_t at = (seed >> 8) % n;
				copy[at] = (char)(round % 3 ? "{}[]<>\"'\\#=,:()\n \t-@%/\xff\xc3\x01"[(seed >> 3) % 25] : (char)seed);
			}
			if (round % 5 == 0)
				n = (seed >> 4) % len;
			else if (round % 5 == 1) {
				memcpy(copy + len, text, len);
				n = 2 * len;
			}
			struct remote_config c = { .format = rows[i][1], .text = copy, .len_bytes = n };
			json_t *r = NULL;
			char why[256];
			int e = remote_config_read(&c, &r, why, sizeof(why));
			if (e != 0 && e != -EINVAL)
				fail_msg("%s: %d", rows[i][0], e);
			json_decref(r);
			free(copy);
		}
		free(text);
	}
}

/* A LUN's attributes where its group has gone: nothing is written to what was let go of. */
static void scst_astray(void **state)
{
	static const char *const texts[] = {
		"TARGET_DRIVER iscsi {\nTARGET iqn.a:t {\nGROUP g {\nLUN 0 d {\nread_only 1\n}\n}\n}\n}\nLUN 1 d {\nread_only 1\n}\n",
		"TARGET_DRIVER iscsi {\nTARGET iqn.a:t {\nGROUP g {\nLUN 0 d {\nGROUP h {\n}\nread_only 1\n}\n}\n}\n}\n",
		"TARGET_DRIVER iscsi {\nTARGET iqn.a:t {\nGROUP g {\nLUN 0 d {\nTARGET u {\n}\nread_only 1\n}\n}\n}\n}\n",
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
		struct remote_config c = { .format = "scst", .text = texts[i], .len_bytes = strlen(texts[i]) };
		json_t *r = NULL;
		char why[256];
		assert_int_equal(remote_config_read(&c, &r, why, sizeof(why)), 0);
		json_decref(r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lio), cmocka_unit_test(tgt), cmocka_unit_test(scst), cmocka_unit_test(scst_astray), cmocka_unit_test(samba), cmocka_unit_test(samba_access), cmocka_unit_test(exports), cmocka_unit_test(exports_access),
		cmocka_unit_test(refused), cmocka_unit_test(paths), cmocka_unit_test(hostile),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
