/* SPDX-License-Identifier: GPL-3.0-or-later */
/* check.c - the checks on bodies: a table of what is taken and what is refused, and at which member. */
#include "help.h"

static const struct {
	const char *what;
	enum model_kind kind;
	const char *body;
	const char *field; /* NULL: fine */
} cases[] = {
	{ "a pool", MODEL_POOL, "{\"name\":\"p\",\"path\":\"/data\"}", NULL },
	{ "a pool without path", MODEL_POOL, "{\"name\":\"p\"}", "path" },
	{ "a relative path", MODEL_POOL, "{\"name\":\"p\",\"path\":\"data\"}", "path" },
	{ "a path with ..", MODEL_POOL, "{\"name\":\"p\",\"path\":\"/data/../etc\"}", "path" },
	{ "a path with dots in a name", MODEL_POOL, "{\"name\":\"p\",\"path\":\"/data/..x\"}", NULL },
	{ "a member that is not there", MODEL_POOL, "{\"name\":\"p\",\"path\":\"/d\",\"nme\":1}", "nme" },
	{ "a member with a name that is cut", MODEL_POOL, "{\"name\":\"p\",\"path\":\"/d\",\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\xc3\xa4\":1}", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\xc3\xa4" },
	{ "a member with a long name", MODEL_POOL, "{\"name\":\"p\",\"path\":\"/d\",\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\xc3\xa4\":1}",
	  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" },
	{ "a member of the server", MODEL_POOL, "{\"name\":\"p\",\"path\":\"/d\",\"free_bytes\":1}", "free_bytes" },
	{ "not an object", MODEL_POOL, "[]", "" },
	{ "an empty name", MODEL_POOL, "{\"name\":\"\",\"path\":\"/d\"}", "name" },
	{ "a name that starts with a dash", MODEL_POOL, "{\"name\":\"-p\",\"path\":\"/d\"}", "name" },
	{ "a name with a slash", MODEL_POOL, "{\"name\":\"a/b\",\"path\":\"/d\"}", "name" },
	{ "a name that is a number", MODEL_POOL, "{\"name\":7,\"path\":\"/d\"}", "name" },
	{ "a name of 63 bytes", MODEL_POOL, "{\"name\":\"a23456789012345678901234567890123456789012345678901234567890123\",\"path\":\"/d\"}", NULL },
	{ "a name of 64 bytes", MODEL_POOL, "{\"name\":\"a234567890123456789012345678901234567890123456789012345678901234\",\"path\":\"/d\"}", "name" },
	{ "a volume", MODEL_VOLUME, "{\"name\":\"v\",\"size_bytes\":1048576,\"plugin\":\"fault:file\",\"options\":{\"cache\":\"direct\"}}", NULL },
	{ "size as text", MODEL_VOLUME, "{\"name\":\"v\",\"size_bytes\":\"10G\"}", "size_bytes" },
	{ "size as a real", MODEL_VOLUME, "{\"name\":\"v\",\"size_bytes\":1e9}", "size_bytes" },
	{ "size of one byte", MODEL_VOLUME, "{\"name\":\"v\",\"size_bytes\":1}", "size_bytes" },
	{ "size beyond 2^56", MODEL_VOLUME, "{\"name\":\"v\",\"size_bytes\":72057594037927937}", "size_bytes" },
	{ "block size 1024", MODEL_VOLUME, "{\"name\":\"v\",\"size_bytes\":4096,\"block_size\":1024}", "block_size" },
	{ "plugin with a path", MODEL_VOLUME, "{\"name\":\"v\",\"size_bytes\":4096,\"plugin\":\"../evil\"}", "plugin" },
	{ "plugin stack that ends in a colon", MODEL_VOLUME, "{\"name\":\"v\",\"size_bytes\":4096,\"plugin\":\"fault:\"}", "plugin" },
	{ "path states", MODEL_TARGET, "{\"name\":\"t\",\"path_states\":{\"1\":\"change\",\"65535\":\"inaccessible\"}}", NULL },
	{ "path state of group 0", MODEL_TARGET, "{\"name\":\"t\",\"path_states\":{\"0\":\"change\"}}", "path_states/0" },
	{ "path state of group 65536", MODEL_TARGET, "{\"name\":\"t\",\"path_states\":{\"65536\":\"change\"}}", "path_states/65536" },
	{ "path state of a named group", MODEL_TARGET, "{\"name\":\"t\",\"path_states\":{\"left\":\"change\"}}", "path_states/left" },
	{ "unknown path state", MODEL_TARGET, "{\"name\":\"t\",\"path_states\":{\"1\":\"standby\"}}", "path_states/1" },
	{ "option that is a number", MODEL_VOLUME, "{\"name\":\"v\",\"size_bytes\":4096,\"options\":{\"a\":1}}", "options/a" },
	{ "option with a strange name", MODEL_VOLUME, "{\"name\":\"v\",\"size_bytes\":4096,\"options\":{\"a b\":\"1\"}}", "options/a b" },
	{ "read_only as a number", MODEL_VOLUME, "{\"name\":\"v\",\"size_bytes\":4096,\"read_only\":1}", "read_only" },
	{ "a comment of two lines", MODEL_VOLUME, "{\"name\":\"v\",\"size_bytes\":4096,\"comment\":\"a\\nb\"}", NULL },
	{ "a comment with an escape", MODEL_VOLUME, "{\"name\":\"v\",\"size_bytes\":4096,\"comment\":\"a\\u001b[2J\"}", "comment" },
	{ "a portal", MODEL_PORTAL, "{\"protocol\":\"iscsi\",\"address\":\"0.0.0.0\",\"port\":3260}", NULL },
	{ "a portal on ::", MODEL_PORTAL, "{\"protocol\":\"https\",\"address\":\"::\",\"port\":8443}", NULL },
	{ "a portal with a scope", MODEL_PORTAL, "{\"protocol\":\"iscsi\",\"address\":\"fe80::1%eth0\",\"port\":3260}", NULL },
	{ "a scope where none belongs", MODEL_PORTAL, "{\"protocol\":\"iscsi\",\"address\":\"2001:db8::1%eth0\",\"port\":3260}", "address" },
	{ "a portal by name", MODEL_PORTAL, "{\"protocol\":\"iscsi\",\"address\":\"localhost\",\"port\":3260}", "address" },
	{ "port 0", MODEL_PORTAL, "{\"protocol\":\"iscsi\",\"address\":\"::1\",\"port\":0}", "port" },
	{ "port 65536", MODEL_PORTAL, "{\"protocol\":\"iscsi\",\"address\":\"::1\",\"port\":65536}", "port" },
	{ "a protocol nobody knows", MODEL_PORTAL, "{\"protocol\":\"ftp\",\"address\":\"::1\",\"port\":21}", "protocol" },
	{ "a prefix of a protocol", MODEL_PORTAL, "{\"protocol\":\"isc\",\"address\":\"::1\",\"port\":21}", "protocol" },
	{ "a target", MODEL_TARGET, "{\"name\":\"t\",\"qualified_name\":\"iqn.2026-11.com.example:a.b-c\"}", NULL },
	{ "a target in upper case", MODEL_TARGET, "{\"name\":\"t\",\"qualified_name\":\"iqn.2026-11.com.Example\"}", "qualified_name" },
	{ "a target in month 13", MODEL_TARGET, "{\"name\":\"t\",\"qualified_name\":\"iqn.2026-13.com.example\"}", "qualified_name" },
	{ "a target with nothing after the colon", MODEL_TARGET, "{\"name\":\"t\",\"qualified_name\":\"iqn.2026-11.com.example:\"}", "qualified_name" },
	{ "a target by NAA", MODEL_TARGET, "{\"name\":\"t\",\"qualified_name\":\"naa.52004567BA64678D\"}", NULL },
	{ "a target by EUI that is short", MODEL_TARGET, "{\"name\":\"t\",\"qualified_name\":\"eui.02004567\"}", "qualified_name" },
	{ "a subsystem", MODEL_TARGET, "{\"name\":\"t\",\"protocol\":\"nvme\",\"qualified_name\":\"nqn.2026-11.com.example:a\"}", NULL },
	{ "a LUN", MODEL_LUN, "{\"target\":\"t\",\"volume\":\"v\",\"lun\":16383}", NULL },
	{ "a LUN out of range", MODEL_LUN, "{\"target\":\"t\",\"volume\":\"v\",\"lun\":16384}", "lun" },
	{ "a LUN without volume", MODEL_LUN, "{\"target\":\"t\"}", "volume" },
	{ "a host", MODEL_HOST, "{\"name\":\"h\",\"iqns\":[\"iqn.1993-08.org.debian:*\"],\"addresses\":[\"192.0.2.0/24\",\"2001:db8::/32\",\"192.0.2.7\"]}", NULL },
	{ "an IQN twice", MODEL_HOST, "{\"name\":\"h\",\"iqns\":[\"iqn.a\",\"iqn.a\"]}", "iqns/1" },
	{ "an IQN in upper case", MODEL_HOST, "{\"name\":\"h\",\"iqns\":[\"iqn.1993-08.org.Debian:x\"]}", "iqns/0" },
	{ "an NQN", MODEL_HOST, "{\"name\":\"h\",\"nqns\":[\"nqn.2014-08.org.nvmexpress:uuid:6ba7b810-9dad-11d1-80b4-00c04fd430c8\"]}", NULL },
	{ "an NQN that is none", MODEL_HOST, "{\"name\":\"h\",\"nqns\":[\"nqn.hello\"]}", "nqns/0" },
	{ "host bits after the prefix", MODEL_HOST, "{\"name\":\"h\",\"addresses\":[\"192.0.2.7/24\"]}", "addresses/0" },
	{ "a prefix of 33 bits", MODEL_HOST, "{\"name\":\"h\",\"addresses\":[\"192.0.2.0/33\"]}", "addresses/0" },
	{ "a prefix that is no number", MODEL_HOST, "{\"name\":\"h\",\"addresses\":[\"192.0.2.0/2x\"]}", "addresses/0" },
	{ "everybody", MODEL_HOST, "{\"name\":\"h\",\"addresses\":[\"0.0.0.0/0\",\"::/0\"]}", NULL },
	{ "a CHAP secret of 11 bytes", MODEL_HOST, "{\"name\":\"h\",\"chap_secret\":\"12345678901\"}", "chap_secret" },
	{ "a CHAP secret of 12 bytes", MODEL_HOST, "{\"name\":\"h\",\"chap_secret\":\"123456789012\"}", NULL },
	{ "null for what may be null", MODEL_HOST, "{\"name\":\"h\",\"chap_user\":null}", NULL },
	{ "null for a name", MODEL_HOST, "{\"name\":null}", "name" },
	{ "access to LUNs", MODEL_ACCESS, "{\"target\":\"t\",\"host\":\"h\",\"luns\":[\"0\",\"16383\"]}", NULL },
	{ "access to LUN 007", MODEL_ACCESS, "{\"target\":\"t\",\"host\":\"h\",\"luns\":[\"007\"]}", "luns/0" },
	{ "access to LUN 16384", MODEL_ACCESS, "{\"target\":\"t\",\"host\":\"h\",\"luns\":[\"16384\"]}", "luns/0" },
	{ "members of a group as a text", MODEL_HOST_GROUP, "{\"name\":\"g\",\"hosts\":\"h\"}", "hosts" },
	{ "a share", MODEL_SHARE, "{\"name\":\"s\",\"path\":\"a/b c\",\"allow\":[\"alice\",\"@staff:ro\",\"10.0.0.0/8\",\"2001:db8::/32:rw\"],\"nfs_versions\":[\"3\",\"4.2\"]}", NULL },
	{ "a share outside of its pool", MODEL_SHARE, "{\"name\":\"s\",\"path\":\"a/../../etc\"}", "path" },
	{ "a share by an absolute path", MODEL_SHARE, "{\"name\":\"s\",\"path\":\"/etc\"}", "path" },
	{ "a share in a hidden folder", MODEL_SHARE, "{\"name\":\"s\",\"path\":\".holdfast\"}", "path" },
	{ "a share that ends in a slash", MODEL_SHARE, "{\"name\":\"s\",\"path\":\"a/\"}", "path" },
	{ "a share with an empty part", MODEL_SHARE, "{\"name\":\"s\",\"path\":\"a//b\"}", "path" },
	{ "a share whose path expands", MODEL_SHARE, "{\"name\":\"s\",\"path\":\"%U\"}", "path" },
	{ "a share whose path ends a quote", MODEL_SHARE, "{\"name\":\"s\",\"path\":\"a\\\"b\"}", "path" },
	{ "a share for what is no user", MODEL_SHARE, "{\"name\":\"s\",\"allow\":[\"Alice B\"]}", "allow/0" },
	{ "a share for a group that is none", MODEL_SHARE, "{\"name\":\"s\",\"allow\":[\"alice\",\"@\"]}", "allow/1" },
	{ "a share for a network with host bits", MODEL_SHARE, "{\"name\":\"s\",\"deny\":[\"10.0.0.1/8\"]}", "deny/0" },
	{ "a share both :ro and :rw", MODEL_SHARE, "{\"name\":\"s\",\"allow\":[\"alice:ro:rw\"]}", "allow/0" },
	{ "a share for people of a domain", MODEL_SHARE, "{\"name\":\"s\",\"allow\":[\"CORP\\\\anna\",\"@CORP\\\\Domain Users:ro\",\"anna@corp.example.com:rw\"],\"deny\":[\"@staff@corp.example.com\"]}", NULL },
	{ "a share for a domain", MODEL_SHARE, "{\"name\":\"s\",\"allow\":[\"CORP\\\\\"]}", "allow/0" },
	{ "a share for nobody's somebody", MODEL_SHARE, "{\"name\":\"s\",\"allow\":[\"\\\\anna\"]}", "allow/0" },
	{ "a share for a name that ends a quote", MODEL_SHARE, "{\"name\":\"s\",\"allow\":[\"CORP\\\\an\\\"na\"]}", "allow/0" },
	{ "a share for a name that expands", MODEL_SHARE, "{\"name\":\"s\",\"allow\":[\"CORP\\\\%U\"]}", "allow/0" },
	{ "a share for two domains at once", MODEL_SHARE, "{\"name\":\"s\",\"allow\":[\"A\\\\B\\\\anna\"]}", "allow/0" },
	{ "identities given by a client", MODEL_SHARE, "{\"name\":\"s\",\"identities\":[\"CORP\\\\anna=S-1-5-32-544\"]}", "identities" },
	{ "NFS clients", MODEL_SHARE, "{\"name\":\"s\",\"nfs_clients\":[\"*\",\"10.0.0.0/24:rw:root\",\"host.example\",\"*.example.org:ro\",\"@farm\",\"2001:db8::1:root\"]}", NULL },
	{ "an NFS client both :ro and :rw", MODEL_SHARE, "{\"name\":\"s\",\"nfs_clients\":[\"10.0.0.1:ro:rw\"]}", "nfs_clients/0" },
	{ "an NFS client with a blank", MODEL_SHARE, "{\"name\":\"s\",\"nfs_clients\":[\"a b\"]}", "nfs_clients/0" },
	{ "an NFS client that is an address out of range", MODEL_SHARE, "{\"name\":\"s\",\"nfs_clients\":[\"10.0.0.256\"]}", "nfs_clients/0" },
	{ "NFS 2", MODEL_SHARE, "{\"name\":\"s\",\"nfs_versions\":[\"2\"]}", "nfs_versions/0" },
	{ "NFS without security", MODEL_SHARE, "{\"name\":\"s\",\"nfs_security\":[]}", "nfs_security" },
	{ "a mode that is no octal", MODEL_SHARE, "{\"name\":\"s\",\"mode\":\"0789\"}", "mode" },
	{ "an owner by number", MODEL_SHARE, "{\"name\":\"s\",\"owner\":\"20000\",\"group\":\"4294967294\"}", NULL },
	{ "an owner that is nobody", MODEL_SHARE, "{\"name\":\"s\",\"owner\":\"4294967295\"}", "owner" },
	{ "a quota of one byte", MODEL_SHARE, "{\"name\":\"s\",\"quota_bytes\":1}", "quota_bytes" },
	{ "a user", MODEL_USER, "{\"name\":\"alice\",\"full_name\":\"Alice Example\",\"password\":\"se:cret \u00e4\"}", NULL },
	{ "a user in capital letters", MODEL_USER, "{\"name\":\"Alice\"}", "name" },
	{ "a user that starts with a digit", MODEL_USER, "{\"name\":\"1alice\"}", "name" },
	{ "a user of 33 bytes", MODEL_USER, "{\"name\":\"a23456789012345678901234567890123\"}", "name" },
	{ "a user with the number of root", MODEL_USER, "{\"name\":\"alice\",\"uid\":0}", "uid" },
	{ "a full name with a colon", MODEL_USER, "{\"name\":\"alice\",\"full_name\":\"a:b\"}", "full_name" },
	{ "a password of two lines", MODEL_USER, "{\"name\":\"alice\",\"password\":\"a\\nb\"}", "password" },
	{ "a group", MODEL_GROUP, "{\"name\":\"staff\",\"members\":[\"alice\"],\"gid\":2000}", NULL },
	{ "a quota", MODEL_QUOTA, "{\"share\":\"s\",\"user\":\"alice\",\"limit_bytes\":1048576}", NULL },
	{ "a quota without limit", MODEL_QUOTA, "{\"share\":\"s\",\"user\":\"alice\"}", "limit_bytes" },
};

static void bodies(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		json_t *body = help_json(cases[i].body);
		struct config_error e = { 0 };
		int r = model_check(cases[i].kind, body, true, &e);
		if (!cases[i].field && r)
			fail_msg("%s: refused: %s", cases[i].what, e.why);
		if (cases[i].field && !r)
			fail_msg("%s: taken", cases[i].what);
		if (cases[i].field && strcmp(e.field, cases[i].field) != 0)
			fail_msg("%s: refused at \"%s\": %s", cases[i].what, e.field, e.why);
		if (r && (r != -EINVAL || !*e.why))
			fail_msg("%s: code %d", cases[i].what, r);
		json_t *why = json_pack("{s:s, s:s}", "why", e.why, "field", e.field); /* NULL: it cannot be told */
		if (!why)
			fail_msg("%s: the reason is no text", cases[i].what);
		json_decref(why);
		json_decref(body);
	}
}

/* Every check that a row names must exist: one that nobody wrote would take everything. */
static void checks_exist(void **state)
{
	static const char nonsense[] = "\x01 /nonsense";
	(void)state;
	for (size_t k = 0; k < MODEL_KINDS; k++)
		for (size_t i = 0; i < models[k].field_count; i++) {
			const struct field *f = &models[k].fields[i];
			struct config_error e;
			json_t *body = json_object();
			if (!f->check || f->type == FIELD_INT) {
				json_decref(body);
				continue;
			}
			size_t skip = f->type != FIELD_SECRET; /* what is no secret has no control characters in any case */
			json_t *v = json_stringn(nonsense + skip, sizeof(nonsense) - 1 - skip);
			json_object_set_new(body, f->name, f->type == FIELD_TEXTS ? json_pack("[o]", v) : v);
			if (model_check((enum model_kind)k, body, false, &e) == 0)
				fail_msg("%s.%s: check %s takes nonsense", models[k].name, f->name, f->check);
			json_decref(body);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(bodies), cmocka_unit_test(checks_exist) };
	return cmocka_run_group_tests_name("check", tests, NULL, NULL);
}
