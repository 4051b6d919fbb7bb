/* SPDX-License-Identifier: GPL-3.0-or-later */
/* read_lio.c - saveconfig.json of LIO (targetcli).
 * Identity: the unit serial is the storage object's "wwn"; the NAA name is 6001405h and the first 25 hexadecimal digits of it. */
#include "remote/read_priv.h"

#include <stdio.h>
#include <string.h>

static bool is_on(const json_t *attributes, const char *name, bool otherwise)
{
	const json_t *v = json_object_get(attributes, name);
	if (json_is_integer(v))
		return json_integer_value(v) != 0;
	if (json_is_string(v))
		return text_is_yes(json_string_value(v));
	return json_is_boolean(v) ? json_is_true(v) : otherwise;
}

static void naa_of_serial(const char *serial, char naa[40])
{
	static const char digits[] = "0123456789abcdef";
	size_t n = 11;
	memcpy(naa, "naa.6001405", n);
	for (const char *p = serial; *p && n < 36; p++) {
		char c = *p >= 'A' && *p <= 'F' ? (char)(*p + ('a' - 'A')) : *p;
		if (strchr(digits, c))
			naa[n++] = c;
	}
	while (n < 36)
		naa[n++] = '0';
	naa[n] = '\0';
}

static void storage_object(struct reading *r, const json_t *o)
{
	const char *plugin = json_text(o, "plugin"), *name = json_text(o, "name"), *serial = json_text(o, "wwn"), *dev = json_text(o, "dev");
	const json_t *attributes = json_object_get(o, "attributes"), *size = json_object_get(o, "size");
	bool file = strcmp(plugin, "fileio") == 0, block = strcmp(plugin, "block") == 0, ram = strcmp(plugin, "ramdisk") == 0;
	int line = line_of(r, name);
	char naa[40], both[300];
	if (!file && !block && !ram) {
		found(r, line, LOST, "storage object %.60s is of type %.20s: %s", name, plugin,
		      strcmp(plugin, "pscsi") == 0 ? "devices that are passed through are not served; use its block device" :
		      strcmp(plugin, "user") == 0  ? "what a handler in user space serves (rbd and the like) has to be imported by iSCSI" :
						     "we know of no such type");
		return;
	}
	if ((file || block) && dev[0] != '/') {
		found(r, line, LOST, "storage object %.60s has no absolute path in \"dev\"", name);
		return;
	}
	snprintf(both, sizeof(both), "%.20s/%.200s", plugin, name);
	json_t *d = disk_add(r, line, both);
	if (!d)
		return;
	if (file || block)
		set_text(d, "path", dev);
	if (ram)
		found(r, line, CHANGED, "ram disk %.60s begins empty: what it holds is in the memory of the other software", name);
	if (ram && is_on(o, "nullio", false))
		found(r, line, CHANGED, "ram disk %.60s threw away what was written; this one keeps it", name);
	if (json_is_integer(size) && json_integer_value(size) > 0)
		set_int(d, "size_bytes", json_integer_value(size));
	if (json_is_integer(json_object_get(attributes, "block_size")))
		json_object_set(d, "block_size", json_object_get(attributes, "block_size"));
	set_true(d, "read_only", is_on(o, "readonly", false));
	set_text(d, "vendor", "LIO-ORG");
	snprintf(both, 17, "%s", is_on(attributes, "emulate_model_alias", true) ? name : file ? "FILEIO" : block ? "IBLOCK" : "RAMDISK-MCP");
	set_text(d, "product", both);
	if (*serial) {
		naa_of_serial(serial, naa);
		set_text(d, "naa", naa);
		set_text(d, "serial", serial);
	} else {
		found(r, line, CHANGED, "storage object %.60s has no \"wwn\": LIO made a new one at each start; it gets names of ours", name);
	}
	if (is_on(o, "write_back", false) || is_on(attributes, "emulate_write_cache", false))
		found(r, line, KEPT, "storage object %.60s has a write cache, as ours have: durable after a flush", name);
	if (is_on(attributes, "pi_prot_type", false))
		found(r, line, LOST, "storage object %.60s has protection information (T10 PI), which is not served", name);
	if (json_object_get(o, "alua_tpgs") && json_array_size(json_object_get(o, "alua_tpgs")) > 1)
		found(r, line, LOST, "storage object %.60s has ALUA groups; set path states with: holdfast target ana", name);
}

/* "/backstores/fileio/disk1" -> "fileio/disk1" */
static const char *disk_of(const char *storage_object)
{
	static const char prefix[] = "/backstores/";
	return strncmp(storage_object, prefix, sizeof(prefix) - 1) == 0 ? storage_object + sizeof(prefix) - 1 : storage_object;
}

static void chap_of(json_t *to, const json_t *o)
{
	static const char *const rows[][2] = { { "chap_userid", "user" }, { "chap_password", "secret" }, { "chap_mutual_userid", "mutual_user" }, { "chap_mutual_password", "mutual_secret" } };
	json_t *chap = json_object();
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++)
		set_text(chap, rows[i][1], json_text(o, rows[i][0]));
	json_object_set_new(to, "chap", chap);
}

static bool has_chap(const json_t *o)
{
	return *json_text(o, "chap_userid") || *json_text(o, "chap_password");
}

static void node_acl(struct reading *r, json_t *target, const json_t *acl, const json_t *luns, bool authentication)
{
	const char *iqn = json_text(acl, "node_wwn");
	int line = line_of(r, iqn);
	json_t *h = host_add(r, target, line, strrchr(iqn, ':') ? strrchr(iqn, ':') + 1 : iqn), *m, *l;
	size_t i, k;
	if (!h || !*iqn)
		return;
	json_array_append_new(json_object_get(h, "iqns"), text_json(iqn));
	json_object_set_new(h, "luns", json_array());
	json_array_foreach(json_object_get(acl, "mapped_luns"), i, m)
		json_array_foreach(luns, k, l)
			if (json_is_integer(json_object_get(l, "index")) && json_equal(json_object_get(l, "index"), json_object_get(m, "tpg_lun")))
				lun_add(r, h, (unsigned)json_integer_value(json_object_get(m, "index")) & 0xffff, disk_of(json_text(l, "storage_object")), is_on(m, "write_protect", false));
	if (authentication)
		chap_of(h, acl);         /* without a name there: LIO refuses it, and so do we */
	else if (has_chap(acl))
		found(r, line, CHANGED, "host %.200s has CHAP, but the target does not ask for it (authentication=0): it is left out; set it with: holdfast host set", iqn);
}

static void tpg(struct reading *r, const json_t *owner, const json_t *group, bool first)
{
	const char *iqn = json_text(owner, "wwn");
	const json_t *attributes = json_object_get(group, "attributes");
	json_t *luns = json_object_get(group, "luns"), *x;
	bool authentication = is_on(attributes, "authentication", false), any = is_on(attributes, "generate_node_acls", false);
	int line = line_of(r, iqn);
	size_t i;
	if (!first) {
		found(r, line, LOST, "target %.200s has more than one portal group (TPG); the first is kept", iqn);
		return;
	}
	json_t *t = target_add(r, line, iqn);
	if (!t)
		return;
	set_true(t, "enabled", is_on(group, "enable", true));
	set_true(t, "any", any);
	/* Hosts without a rule of their own may only read, unless that is switched off. */
	bool protect = any && is_on(attributes, "demo_mode_write_protect", true);
	if (any) {
		json_array_foreach(luns, i, x)
			if (json_is_integer(json_object_get(x, "index")))
				lun_add(r, t, (unsigned)json_integer_value(json_object_get(x, "index")) & 0xffff, disk_of(json_text(x, "storage_object")), protect);
		if (authentication)
			chap_of(t, group);
	} else if (has_chap(group) && authentication && json_array_size(json_object_get(group, "node_acls"))) {
		found(r, line, CHANGED, "target %.200s has CHAP for hosts without a rule, of which it lets none in: it is left out", iqn);
	}
	json_array_foreach(json_object_get(group, "node_acls"), i, x)
		node_acl(r, t, x, luns, authentication);
	if (!any)
		json_array_foreach(luns, i, x)
			if (json_is_integer(json_object_get(x, "index")) && !json_array_size(json_object_get(group, "node_acls")))
				lun_add(r, t, (unsigned)json_integer_value(json_object_get(x, "index")) & 0xffff, disk_of(json_text(x, "storage_object")), false);
	json_array_foreach(json_object_get(group, "portals"), i, x) {
		if (is_on(x, "iser", false))
			found(r, line, LOST, "portal %.60s of target %.100s served iSER; it becomes plain iSCSI over TCP", json_text(x, "ip_address"), iqn);
		portal_add(r, t, json_text(x, "ip_address"), (unsigned)json_integer_value(json_object_get(x, "port")));
	}
	const char *header = json_text(json_object_get(group, "parameters"), "HeaderDigest"), *data = json_text(json_object_get(group, "parameters"), "DataDigest");
	if (*header && !strstr(header, "None"))
		found(r, line, CHANGED, "target %.200s demands header digests: holdfast target set --header-digest-required on", iqn);
	if (*data && !strstr(data, "None"))
		found(r, line, CHANGED, "target %.200s demands data digests: holdfast target set --data-digest-required on", iqn);
}

static void target(struct reading *r, const json_t *o)
{
	json_t *g;
	size_t i;
	if (strcmp(json_text(o, "fabric"), "iscsi") != 0) {
		found(r, line_of(r, json_text(o, "wwn")), LOST, "target %.200s is for %.40s; only iSCSI is served", json_text(o, "wwn"), json_text(o, "fabric"));
		return;
	}
	json_array_foreach(json_object_get(o, "tpgs"), i, g)
		tpg(r, o, g, i == 0);
}

void read_lio(struct reading *r)
{
	json_error_t e;
	json_t *doc = json_loadb(r->text, strlen(r->text), JSON_REJECT_DUPLICATES, &e), *o;
	size_t i;
	if (!json_is_object(doc) || (!json_is_array(json_object_get(doc, "storage_objects")) && !json_is_array(json_object_get(doc, "targets")))) {
		if (doc)
			snprintf(r->why, sizeof(r->why), "this is JSON, but has no storage_objects and targets as saveconfig.json of LIO has");
		else
			snprintf(r->why, sizeof(r->why), "line %d: %.200s", e.line, e.text);
		json_decref(doc);
		return;
	}
	json_array_foreach(json_object_get(doc, "storage_objects"), i, o)
		storage_object(r, o);
	json_array_foreach(json_object_get(doc, "targets"), i, o)
		target(r, o);
	json_array_foreach(json_object_get(doc, "fabric_modules"), i, o)
		if (has_chap(o) || *json_text(o, "userid") || *json_text(o, "discovery_userid") || json_object_get(o, "discovery_auth"))
			found(r, 0, LOST, "discovery asked for CHAP; set it with: holdfast setting set iscsi_discovery_host HOST");
	json_decref(doc);
	san_emit(r);
}
