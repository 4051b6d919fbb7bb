/* SPDX-License-Identifier: GPL-3.0-or-later */
/* nfs.c - from shares to the description, from the description to what each NFS server reads. */
#include "broker/nfs_priv.h"
#include "share/nfs_priv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* ---- clients ------------------------------------------------------------------------------------------------ */
static void test_who(void **state)
{
	(void)state;
	static const struct {
		const char *text, *who;
		bool ro, rw, root;
		int answer;
	} cases[] = {
		{ "10.0.0.0/24", "10.0.0.0/24", false, false, false, 0 },
		{ "10.0.0.7:ro", "10.0.0.7", true, false, false, 0 },
		{ "10.0.0.7:rw:root", "10.0.0.7", false, true, true, 0 },
		{ "10.0.0.7:root:rw", "10.0.0.7", false, true, true, 0 },
		{ "fd00::1", "fd00::1", false, false, false, 0 },
		{ "fd00::/64:root", "fd00::/64", false, false, true, 0 },
		{ "@nodes:ro", "@nodes", true, false, false, 0 },
		{ "host.example", "host.example", false, false, false, 0 },
		{ "*", "*", false, false, false, 0 },
		{ "10.0.0.7:ro:rw", NULL, false, false, false, -EINVAL },
		{ ":ro", ":ro", false, false, false, 0 },
		{ "", NULL, false, false, false, -EINVAL },
	};
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct nfs_who w = { .read_only = false };
		print_message("# %s\n", cases[i].text);
		assert_int_equal(nfs_who_parse(cases[i].text, &w), cases[i].answer);
		if (cases[i].answer)
			continue;
		assert_string_equal(w.who, cases[i].who);
		assert_int_equal(w.read_only, cases[i].ro);
		assert_int_equal(w.read_write, cases[i].rw);
		assert_int_equal(w.root, cases[i].root);
	}
}

/* ---- shares to description ------------------------------------------------------------------------------------ */
#define TEXTS(...) { (const char *const[]){ __VA_ARGS__ }, sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *) }
static char refused[512];
static void note_failure(const struct share_spec *s, const char *why)
{
	snprintf(refused, sizeof(refused), "%s: %s", s->name, why);
}

static char *describe(const struct share_spec *s)
{
	const struct share_portal portal = { .id = "p", .nfs = true, .address = "0.0.0.0", .port = 2049 };
	const struct share_world w = { .shares = s, .share_count = 1, .portals = &portal, .portal_count = 1,
				       .settings = { .nfs_grace_s = 5, .nfs_lease_s = 10, .nfs_mountd_port = 20048 } };
	struct share_text t = { 0 };
	refused[0] = '\0';
	nfs_describe(&t, &w, "holdfast-x", note_failure);
	assert_false(t.failed);
	return t.bytes;
}

#define HEAD "holdfast-nfs 1\nprovider auto\nlisten 0.0.0.0 2049\nports 20048 0 0\ntimes 10 10\nthreads 0\nidentity holdfast-x\n"
#define ONE(versions, squash, rest) \
	HEAD "export 7\nname docs\npath /pool/docs\nversions " versions "\nsecurity 1\nsquash " squash "\nanon 65534 65534\nsync 1\n" rest

static void test_describe(void **state)
{
	(void)state;
	const struct share_spec plain = { .id = "i", .name = "docs", .folder = "/pool/docs", .export_id = 7, .enabled = true, .nfs = true,
					  .nfs_squash = SHARE_SQUASH_ROOT, .nfs_anon_uid = 65534, .nfs_anon_gid = 65534, .nfs_sync = true };
	struct share_spec s[14];
	for (size_t i = 0; i < ARRAY_COUNT(s); i++)
		s[i] = plain;
	s[1].allow = (struct share_texts)TEXTS("alice", "10.0.0.0/8:ro", "@staff");
	s[2].allow = (struct share_texts)TEXTS("alice", "@staff:rw");
	s[3].nfs_clients = (struct share_texts)TEXTS("*:ro", "10.0.0.0/8", "10.1.2.3:root", "@nodes", "10.1.0.0/16:ro", "a.example");
	s[3].deny = (struct share_texts)TEXTS("bob", "10.9.9.9");
	s[4].read_only = true;
	s[4].nfs_clients = (struct share_texts)TEXTS("10.0.0.1:rw");
	s[5].preset = SHARE_VMWARE;
	s[6].preset = SHARE_VMWARE;
	s[6].nfs_clients = (struct share_texts)TEXTS("10.0.0.11", "10.0.0.12");
	s[7] = s[6];
	s[7].nfs_versions = SHARE_NFS41;
	s[8] = s[6];
	s[8].nfs_versions = SHARE_NFS3 | SHARE_NFS41;
	s[9].enabled = false;
	s[10].nfs = false;
	s[11].nfs_squash = SHARE_SQUASH_ALL;
	s[11].nfs_versions = SHARE_NFS3;
	s[12].preset = SHARE_LIBRARY;
	s[13].name = "a\nb";
	const struct {
		const char *what;
		const struct share_spec *s;
		const char *text, *refused;
	} cases[] = {
		{ "everybody, when nobody is named", &s[0], ONE("15", "root", "client rw - *\n"), "" },
		{ "the addresses of allow", &s[1], ONE("15", "root", "client ro - 10.0.0.0/8\n"), "" },
		{ "users only: no machine", &s[2], HEAD, "docs: nobody may mount it over NFS" },
		{ "the narrow before the wide, denied first", &s[3],
		  ONE("15", "root", "client none - 10.9.9.9\nclient rw root 10.1.2.3\nclient rw - a.example\nclient ro - 10.1.0.0/16\n"
				    "client rw - 10.0.0.0/8\nclient rw - @nodes\nclient ro - *\n"), "" },
		{ "read-only is stronger than :rw", &s[4], ONE("15", "root", "client ro - 10.0.0.1\n"), "" },
		{ "a datastore for everybody", &s[5], HEAD, "docs: name the ESXi hosts" },
		{ "a datastore: version 3, root for its hosts", &s[6],
		  ONE("1", "root", "client rw root 10.0.0.11\nclient rw root 10.0.0.12\n"), "" },
		{ "a datastore over 4.1", &s[7], ONE("4", "root", "client rw root 10.0.0.11\nclient rw root 10.0.0.12\n"), "" },
		{ "a datastore over both", &s[8], HEAD, "docs: a VMware datastore" },
		{ "disabled", &s[9], HEAD, "" },
		{ "not over NFS", &s[10], HEAD, "" },
		{ "all squashed, one version", &s[11], ONE("1", "all", "client rw - *\n"), "" },
		{ "a library is read-only", &s[12], ONE("15", "root", "client ro - *\n"), "" },
		{ "no line is smuggled in", &s[13], HEAD, "a\nb: its name or folder has a line break" },
	};
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		print_message("# %s\n", cases[i].what);
		_cleanup_(freep) char *text = describe(cases[i].s);
		assert_string_equal(text, cases[i].text);
		assert_memory_equal(refused, cases[i].refused, strlen(cases[i].refused));
		assert_int_equal(!refused[0], !cases[i].refused[0]);
		/* What is sent is what the keeper takes. */
		struct nfs_spec spec;
		char why[256];
		assert_int_equal(nfs_spec_parse(text, &spec, why, sizeof(why)), 0);
		assert_int_equal(spec.port, 2049);
		nfs_spec_done(&spec);
	}
}

/* ---- the description, from anybody -------------------------------------------------------------------------- */
#define EXPORT "export 1\nname a\npath /p/a\n"
static void test_parse(void **state)
{
	(void)state;
	static const struct {
		const char *what, *text;
		int answer;
	} cases[] = {
		{ "nothing but the version", "holdfast-nfs 1\n", 0 },
		{ "empty", "", -EINVAL },
		{ "another version", "holdfast-nfs 2\n", -EINVAL },
		{ "an export", "holdfast-nfs 1\n" EXPORT "client rw root 10.0.0.0/8\n", 0 },
		{ "no path", "holdfast-nfs 1\nexport 1\nname a\n", -EINVAL },
		{ "no name", "holdfast-nfs 1\nexport 1\npath /a\n", -EINVAL },
		{ "the same number twice", "holdfast-nfs 1\n" EXPORT "export 1\nname b\npath /b\n", -EINVAL },
		{ "the same name twice", "holdfast-nfs 1\n" EXPORT "export 2\nname a\npath /b\n", -EINVAL },
		{ "number 0", "holdfast-nfs 1\nexport 0\n", -EINVAL },
		{ "number 65536", "holdfast-nfs 1\nexport 65536\n", -EINVAL },
		{ "a line before its export", "holdfast-nfs 1\nname a\n", -EINVAL },
		{ "a relative path", "holdfast-nfs 1\nexport 1\nname a\npath p\n", -EINVAL },
		{ "a path through ..", "holdfast-nfs 1\nexport 1\nname a\npath /p/../etc\n", -EINVAL },
		{ "a path that ends in ..", "holdfast-nfs 1\nexport 1\nname a\npath /p/..\n", -EINVAL },
		{ "the root", "holdfast-nfs 1\nexport 1\nname a\npath /\n", -EINVAL },
		{ "a backslash at the end", "holdfast-nfs 1\nexport 1\nname a\npath /p\\\n", -EINVAL },
		{ "a carriage return", "holdfast-nfs 1\nexport 1\nname a\npath /p\rq\n", -EINVAL },
		{ "a name with a slash", "holdfast-nfs 1\nexport 1\nname a/b\npath /p\n", -EINVAL },
		{ "a client that closes its block", "holdfast-nfs 1\n" EXPORT "client rw - 10.0.0.1;}\n", -EINVAL },
		{ "a client with options", "holdfast-nfs 1\n" EXPORT "client rw - a(rw)\n", -EINVAL },
		{ "a client of two words", "holdfast-nfs 1\n" EXPORT "client rw - a b\n", -EINVAL },
		{ "a network too narrow", "holdfast-nfs 1\n" EXPORT "client rw - 10.0.0.0/33\n", -EINVAL },
		{ "a network of IPv6", "holdfast-nfs 1\n" EXPORT "client none - fd00::/64\n", 0 },
		{ "a netgroup without a name", "holdfast-nfs 1\n" EXPORT "client rw - @\n", -EINVAL },
		{ "an access nobody knows", "holdfast-nfs 1\n" EXPORT "client all - *\n", -EINVAL },
		{ "no version", "holdfast-nfs 1\n" EXPORT "versions 0\n", -EINVAL },
		{ "a version nobody knows", "holdfast-nfs 1\n" EXPORT "versions 16\n", -EINVAL },
		{ "an anonymous user of -1", "holdfast-nfs 1\n" EXPORT "anon 4294967295 0\n", -EINVAL },
		{ "listening nowhere", "holdfast-nfs 1\nlisten here 2049\n", -EINVAL },
		{ "port 0", "holdfast-nfs 1\nlisten 0.0.0.0 0\n", -EINVAL },
		{ "an identity with quotes", "holdfast-nfs 1\nidentity a\"b\n", -EINVAL },
		{ "a line nobody knows", "holdfast-nfs 1\nplugin /tmp/x.so\n", -EINVAL },
		{ "an include", "holdfast-nfs 1\n%include /etc/passwd\n", -EINVAL },
	};
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct nfs_spec s;
		char why[256] = "";
		_cleanup_(freep) char *text = strdup(cases[i].text);
		print_message("# %s\n", cases[i].what);
		assert_int_equal(nfs_spec_parse(text, &s, why, sizeof(why)), cases[i].answer);
		assert_int_equal(!why[0], !cases[i].answer);
		nfs_spec_done(&s);
	}
}

/* ---- what the servers read ----------------------------------------------------------------------------------- */
static const char two[] =
	"holdfast-nfs 1\nlisten 10.0.0.5 2049\nports 20048 32803 662\ntimes 15 10\nidentity holdfast-x\n"
	"export 7\nname docs\npath /pool/docs\nclient none - 10.9.9.9\nclient rw root 10.1.2.3\nclient ro - *\n"
	"export 300\nname we \"ird\"\npath /pool/a 'b' \"c\\d\nversions 4\nsecurity 7\nsquash all\nanon 1000 100\nsync 0\nclient rw - fd00::/64\n"
	"export 8\nname gone\npath /pool/gone\nclient rw - *\n"
	"export 9\nname three\npath /pool/three\nversions 1\nclient rw - @nodes\n";

static char *printed(void (*print)(FILE *f, const struct nfs_spec *s))
{
	struct nfs_spec s;
	char why[256], *text = strdup(two), *out = NULL;
	size_t len;
	assert_int_equal(nfs_spec_parse(text, &s, why, sizeof(why)), 0);
	free(text);
	snprintf(s.exports[2].failed, sizeof(s.exports[2].failed), "gone");
	s.exports[0].own_fsid = true;
	FILE *f = open_memstream(&out, &len);
	print(f, &s);
	fclose(f);
	nfs_spec_done(&s);
	return out;
}
static void exports_3(FILE *f, const struct nfs_spec *s) { nfs_ganesha_exports(f, s, true); }
static void exports_4(FILE *f, const struct nfs_spec *s) { nfs_ganesha_exports(f, s, false); }
static void core_3(FILE *f, const struct nfs_spec *s) { nfs_ganesha_core(f, s, "/var/lib/h \"x\"/nas", true, &(struct nfs_krb5){ 0 }, false); }
static void core_krb5(FILE *f, const struct nfs_spec *s)
{
	nfs_ganesha_core(f, s, "/nas", true, &(struct nfs_krb5){ .source = NFS_KEYTAB_DOMAIN, .keytab = "/nas/smb/private/krb5.keytab", .realm = "HF.TEST", .domain = "HF.TEST" }, false);
}
static void table(FILE *f, const struct nfs_spec *s) { nfs_kernel_exports(f, s); }

static void test_ganesha(void **state)
{
	(void)state;
	_cleanup_(freep) char *with3 = printed(exports_3), *with4 = printed(exports_4), *core = printed(core_3);
	assert_string_equal(with3,
		"EXPORT { Export_Id = 7; Path = \"/pool/docs\"; Pseudo = \"/docs\"; Filesystem_Id = 7.1; Protocols = 3, 4; SecType = sys; "
		"Anonymous_uid = 65534; Anonymous_gid = 65534; FSAL { Name = VFS; }"
		" CLIENT { Clients = 10.9.9.9; Access_Type = None; Squash = Root_Squash; }"
		" CLIENT { Clients = 10.1.2.3; Access_Type = RW; Squash = No_Root_Squash; }"
		" CLIENT { Clients = *; Access_Type = RO; Squash = Root_Squash; } }\n"
		"EXPORT { Export_Id = 300; Path = \"/pool/a 'b' \\\"c\\\\d\"; Pseudo = \"/we \\\"ird\\\"\"; Protocols = 4; SecType = sys, krb5, krb5i; "
		"Anonymous_uid = 1000; Anonymous_gid = 100; FSAL { Name = VFS; }"
		" CLIENT { Clients = fd00::/64; Access_Type = RW; Squash = All_Squash; } }\n"
		"# nobody\n"
		"EXPORT { Export_Id = 9; Path = \"/pool/three\"; Pseudo = \"/three\"; Protocols = 3; SecType = sys; "
		"Anonymous_uid = 65534; Anonymous_gid = 65534; FSAL { Name = VFS; }"
		" CLIENT { Clients = @nodes; Access_Type = RW; Squash = Root_Squash; } }\n");
	assert_non_null(strstr(with4, "Pseudo = \"/docs\"; Filesystem_Id = 7.1; Protocols = 4;"));
	assert_null(strstr(with4, "/three"));
	assert_string_equal(core,
		"# Written by holdfastd --keeper; changes are lost.\n"
		"NFS_CORE_PARAM {\n\tBind_addr = 10.0.0.5;\n\tProtocols = 3, 4;\n\tNFS_Port = 2049;\n\tMNT_Port = 20048;\n\tNLM_Port = 32803;\n"
		"\tEnable_NLM = true;\n\tNFSACL_Program = 1073742051;\n\tEnable_RQUOTA = false;\n\tEnable_UDP = false;\n\tShort_File_Handle = true;\n\tMount_Path_Pseudo = true;\n}\n"
		"NFSV4 {\n\tGraceless = false;\n\tGrace_Period = 15;\n\tLease_Lifetime = 10;\n\tRecoveryBackend = fs;\n"
		"\tRecoveryRoot = \"/var/lib/h \\\"x\\\"/nas/nfs/recovery\";\n\tIdmapConf = \"/var/lib/h \\\"x\\\"/nas/nfs/etc/idmapd.conf\";\n\tMinor_Versions = 0, 1, 2;\n\tOnly_Numeric_Owners = true;\n"
		"\tAllow_Numeric_Owners = true;\n\tDelegations = false;\n\tServer_Scope = \"holdfast-x\";\n\tServer_Owner = \"holdfast-x\";\n}\n"
		"NFS_KRB5 {\n\tActive_krb5 = false;\n}\nMDCACHE {\n\tFD_LWMark_Percent = 0;\n\tLRU_Run_Interval = 10;\n}\n"
		"LOG {\n\tDefault_Log_Level = EVENT;\n}\n"
		"EXPORT_DEFAULTS {\n\tTransports = TCP;\n\tAccess_Type = None;\n\tSecType = sys;\n\tSquash = Root_Squash;\n\tAttr_Expiration_Time = 1;\n}\n"
		"%include \"/var/lib/h \\\"x\\\"/nas/nfs/etc/exports.conf\"\n");
	_cleanup_(freep) char *krb5 = printed(core_krb5);
	assert_non_null(strstr(krb5, "NFS_KRB5 {\n\tActive_krb5 = true;\n\tPrincipalName = nfs;\n\tKeytabPath = \"/nas/smb/private/krb5.keytab\";\n"
				     "\tCCacheDir = \"/nas/nfs/run\";\n\t# realm HF.TEST domain HF.TEST\n}\n"));
}

static void test_refused_line(void **state)
{
	(void)state;
	static const struct {
		const char *line;
		unsigned answer;
	} cases[] = {
		{ "20/11/2026 [main] config_errs_to_log :CONFIG :CRIT :Config File (/x/nfs/etc/exports.conf:3): Errors processing block (EXPORT)", 3 },
		{ "[main] :CONFIG :CRIT :Config File (/x/nfs/etc/exports.conf:2): Errors processing block (CLIENT)", 0 },
		{ "[main] :CONFIG :CRIT :Config File (/x/nfs/etc/exports.conf:5): 3 (export create error) errors found block EXPORT", 0 },
		{ "[main] :EVENT :Reread exports complete", 0 },
		{ "", 0 },
	};
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++)
		assert_int_equal(nfs_ganesha_refused_line(cases[i].line), cases[i].answer);
}

static void test_kernel(void **state)
{
	(void)state;
	_cleanup_(freep) char *text = printed(table);
	assert_string_equal(text,
		"/\t*(ro,sync,no_subtree_check,insecure,fsid=0)\n"
		"/docs\t10.9.9.9(ro,sync,no_subtree_check,insecure,fsid=7,anonuid=65534,anongid=65534,sec=sys,root_squash,no_all_squash)\n"
		"/docs\t10.1.2.3(rw,sync,no_subtree_check,insecure,fsid=7,anonuid=65534,anongid=65534,sec=sys,no_root_squash,no_all_squash)\n"
		"/docs\t*(ro,sync,no_subtree_check,insecure,fsid=7,anonuid=65534,anongid=65534,sec=sys,root_squash,no_all_squash)\n"
		"/we\\040\\042ird\\042\tfd00::/64(rw,async,no_subtree_check,insecure,fsid=300,anonuid=1000,anongid=100,"
		"sec=sys:krb5:krb5i,root_squash,all_squash)\n"
		"/three\t@nodes(rw,sync,no_subtree_check,insecure,fsid=9,anonuid=65534,anongid=65534,sec=sys,root_squash,no_all_squash)\n");
}

/* ---- sessions -------------------------------------------------------------------------------------------------- */
static unsigned used_id;
static bool used(unsigned id, int64_t since_s)
{
	return id == used_id && since_s > 0;
}

static void test_sessions(void **state)
{
	(void)state;
	json_t *a = json_array();
	nfs_sessions_append(a, "conn 10.0.0.2 785 100 2000\nconn 10.0.0.2 786 1 2\nconn fd00::2 700 5 6\n"
			       "client 3 10.0.0.2:785 4.2 Linux NFSv4.2 guest\nclient 4 [fd00::2]:700 4.1 b\nconn broken\n\n", "", used);
	assert_int_equal(json_array_size(a), 4);
	json_t *one = json_array_get(a, 0);
	assert_string_equal(json_string_value(json_object_get(one, "id")), "nfs-10.0.0.2");
	assert_int_equal(json_integer_value(json_object_get(one, "connections")), 2);
	assert_int_equal(json_integer_value(json_object_get(one, "read_bytes")), 2002);
	assert_int_equal(json_integer_value(json_object_get(one, "written_bytes")), 101);
	assert_true(json_integer_value(json_object_get(one, "since")) > 0);
	one = json_array_get(a, 2);
	assert_string_equal(json_string_value(json_object_get(one, "id")), "nfs-kernel-3");
	assert_string_equal(json_string_value(json_object_get(one, "address")), "10.0.0.2");
	assert_string_equal(json_string_value(json_object_get(one, "dialect")), "NFS 4.2");
	assert_string_equal(json_string_value(json_object_get(one, "host")), "Linux NFSv4.2 guest");
	assert_string_equal(json_string_value(json_object_get(json_array_get(a, 3), "address")), "fd00::2");
	json_decref(a);
}

static void test_shares_of_sessions(void **state)
{
	(void)state;
	static const char three[] = "export 1\nname docs\npath /p/docs\nclient rw - 10.0.0.0/8\n"
				  "export 2\nname a b\npath /p/x\nclient none - 10.0.0.9\nclient ro root 10.0.0.0/24\n"
				  "export 3\nname host\npath /p/h\nclient rw - host.example\n";
	static const struct {
		const char *what, *described, *address, *shares;
		unsigned used;
	} rows[] = {
		{ "the one that was used", three, "10.0.0.2", "[\"a b\"]", 2 },
		{ "another", three, "10.0.0.2", "[\"docs\"]", 1 },
		{ "by name, perhaps", three, "10.0.0.2", "[\"host\"]", 3 },
		{ "none was used, and it may several", three, "10.0.0.2", "[]", 0 },
		{ "used by somebody else: it may not", three, "10.0.0.9", "[]", 2 },
		{ "the only one that it may", "export 1\nname docs\nclient rw - 10.0.0.0/8\n", "10.0.0.2", "[\"docs\"]", 0 },
		{ "none that it may", "export 1\nname docs\nclient rw - 10.0.0.0/8\n", "192.0.2.1", "[]", 1 },
		{ "everybody", "export 1\nname docs\nclient rw - *\n", "fd00::1", "[\"docs\"]", 1 },
		{ "nothing is described", "", "fd00::1", "[]", 1 },
	};
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		char line[128];
		json_t *a = json_array();
		used_id = rows[i].used;
		snprintf(line, sizeof(line), "conn %s 700 1 2\n", rows[i].address);
		nfs_sessions_append(a, line, rows[i].described, used);
		char *shares = json_dumps(json_object_get(json_array_get(a, 0), "shares"), JSON_COMPACT);
		if (strcmp(shares, rows[i].shares) != 0)
			fail_msg("%s: %s", rows[i].what, shares);
		free(shares);
		json_decref(a);
	}
}

static void test_who_fits(void **state)
{
	(void)state;
	static const struct {
		const char *who, *address;
		int fits;
	} rows[] = {
		{ "*", "10.0.0.1", 1 }, { "10.0.0.1", "10.0.0.1", 1 }, { "10.0.0.1", "10.0.0.2", 0 }, { "10.0.0.0/25", "10.0.0.127", 1 },
		{ "10.0.0.0/25", "10.0.0.128", 0 }, { "0.0.0.0/0", "192.0.2.1", 1 }, { "0.0.0.0/0", "fd00::1", 0 }, { "fd00::/16", "fd00:1::5", 1 },
		{ "fd00::/16", "fe00::1", 0 }, { "fd00::/16", "10.0.0.1", 0 }, { "host.example", "10.0.0.1", -1 }, { "@net", "10.0.0.1", -1 }, { "*.example", "10.0.0.1", -1 },
		{ "10.0.0.1", "rubbish", 0 },
	};
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++)
		if (nfs_who_fits(rows[i].who, rows[i].address) != rows[i].fits)
			fail_msg("%s %s", rows[i].who, rows[i].address);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_who),
		cmocka_unit_test(test_who_fits),
		cmocka_unit_test(test_shares_of_sessions),
		cmocka_unit_test(test_describe),
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_ganesha),
		cmocka_unit_test(test_refused_line),
		cmocka_unit_test(test_kernel),
		cmocka_unit_test(test_sessions),
	};
	return cmocka_run_group_tests_name("share/nfs", tests, NULL, NULL);
}
