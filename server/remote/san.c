/* SPDX-License-Identifier: GPL-3.0-or-later */
/* san.c - disks, targets and hosts of other target software become our objects.
 *
 * The differences are always the same: there a LUN map may belong to a host, here it belongs to the target and a host sees
 * a part of it; there a secret may have six characters, here twelve at least.  Nothing is made more open than it was: where a
 * rule cannot be kept, the access is left out, and a finding says so. */
#include "remote/read_priv.h"

#include <stdio.h>
#include <string.h>

#define SECRET_MIN 12
#define SECRET_MAX 255
#define LUN_MAX 16383

/* ---- what readers gather ------------------------------------------------------------------------------------------ */
static json_t *add(struct reading *r, json_t *array, json_t *o)
{
	if (json_array_size(array) >= OBJECTS_MAX / 4) {
		r->too_much = true;
		json_decref(o);
		return NULL;
	}
	if (!o || json_array_append_new(array, o)) {
		r->out_of_memory = true;
		return NULL;
	}
	return o;
}

json_t *disk_add(struct reading *r, int line, const char *name)
{
	return add(r, r->disks, json_pack("{s:i, s:o?}", "line", line, "name", text_json(name)));
}

json_t *target_add(struct reading *r, int line, const char *iqn)
{
	return add(r, r->targets, json_pack("{s:i, s:o?, s:b, s:[], s:[], s:[]}", "line", line, "iqn", text_json(iqn), "enabled", 1, "luns", "hosts", "portals"));
}

json_t *host_add(struct reading *r, json_t *target, int line, const char *name)
{
	return add(r, json_object_get(target, "hosts"), json_pack("{s:i, s:o?, s:[], s:[]}", "line", line, "name", text_json(name), "iqns", "addresses"));
}

void lun_add(struct reading *r, json_t *owner, unsigned lun, const char *disk, bool read_only)
{
	json_t *luns = json_object_get(owner, "luns");
	if (!luns) {
		luns = json_array();
		json_object_set_new(owner, "luns", luns);
	}
	add(r, luns, json_pack("{s:i, s:o?, s:b}", "lun", (int)(lun > INT32_MAX ? INT32_MAX : lun), "disk", text_json(disk), "read_only", read_only));
}

void portal_add(struct reading *r, json_t *target, const char *address, unsigned port)
{
	json_t *list = target ? json_object_get(target, "portals") : r->portals, *p;
	char clean[64];
	size_t i, n = strlen(address);
	bool brackets = n > 2 && address[0] == '[' && address[n - 1] == ']';
	snprintf(clean, sizeof(clean), "%.*s", brackets ? (int)n - 2 : (int)n, address + brackets);
	if (strcmp(clean, "::0") == 0)
		snprintf(clean, sizeof(clean), "::");
	json_array_foreach(list, i, p)
		if (strcmp(json_text(p, "address"), clean) == 0 && json_integer_value(json_object_get(p, "port")) == port)
			return;
	add(r, list, json_pack("{s:o?, s:i}", "address", text_json(clean), "port", (int)(port & 0xffff)));
}

/* ---- disks ----------------------------------------------------------------------------------------------------------- */
static void copy_text(json_t *to, const char *name, const json_t *from, const char *as, size_t most, struct reading *r, int line)
{
	const char *s = json_text(from, name);
	while (*s == ' ')
		s++;
	if (!*s)
		return;
	for (const char *p = s; *p; p++)
		if (*p < 0x20 || *p > 0x7e) {
			found(r, line, CHANGED, "%s \"%.60s\" is not printable ASCII; hosts see ours", name, s);
			return;
		}
	if (strlen(s) > most) {
		found(r, line, CHANGED, "%s \"%.60s\" has more than %zu characters; hosts see ours", name, s, most);
		return;
	}
	json_object_set_new(to, as, json_string(s));
}

/* Two of the same name or serial would be one disk to a host. */
static bool is_second(struct reading *r, json_t *seen, json_t *body, const char *member, int line)
{
	const char *s = json_text(body, member);
	if (!*s)
		return false;
	if (json_object_get(seen, s)) {
		found(r, line, CHANGED, "another disk has the %s %s already; this one gets ours", strcmp(member, "serial") == 0 ? "serial" : "name", s);
		json_object_del(body, member);
		return true;
	}
	json_object_set_new(seen, s, json_true());
	return false;
}

static bool disk_place(struct reading *r, const json_t *disk, json_t *body, int line)
{
	const char *path = json_text(disk, "path");
	char pool[64], below[4096];
	if (!*path) {
		json_object_set_new(body, "plugin", json_string("ram"));
		return true;
	}
	json_object_set_new(body, "plugin", json_string("block"));
	json_object_set_new(body, "options", json_pack("{s:s}", "path", path));
	if (strncmp(path, "/dev/", 5) == 0)
		return true;
	if (strcmp(json_text(disk, "type"), "cdrom") != 0 && !json_is_true(json_object_get(disk, "read_only"))) {
		if (!pool_for(r, line, path, pool, below))
			return false;
		if (strcmp(below, "volumes") == 0 || strncmp(below, "volumes/", 8) == 0) {
			found(r, line, LOST, "%.200s lies where the pool keeps volumes of ours", path);
			return false;
		}
		json_object_set_new(body, "pool", json_string(pool));
	}
	return true;
}

static void disk_emit(struct reading *r, json_t *disk, json_t *seen_naa, json_t *seen_serial)
{
	int line = (int)json_integer_value(json_object_get(disk, "line"));
	long long block = json_integer_value(json_object_get(disk, "block_size")), size = json_integer_value(json_object_get(disk, "size_bytes"));
	json_t *body = json_object();
	char name[64];
	if (!body || !disk_place(r, disk, body, line)) {
		json_decref(body);
		return;
	}
	if (block && block != 512 && block != 4096 && strcmp(json_text(disk, "type"), "cdrom") != 0) {
		found(r, line, LOST, "disk %.60s has blocks of %lld bytes; 512 and 4096 are served", json_text(disk, "name"), block);
		json_decref(body);
		return;
	}
	name_make(r, "volume", json_text(disk, "name"), name);
	json_object_set_new(body, "name", json_string(name));
	if (block == 4096)
		set_int(body, "block_size", 4096);
	if (size > 0)
		set_int(body, "size_bytes", size / (block == 4096 ? 4096 : 512) * (block == 4096 ? 4096 : 512));
	if (json_is_true(json_object_get(disk, "read_only")))
		set_true(body, "read_only", true);
	if (*json_text(disk, "type"))
		set_text(body, "type", json_text(disk, "type"));
	copy_text(body, "naa", disk, "naa_override", 36, r, line);
	copy_text(body, "serial", disk, "serial", 36, r, line);
	copy_text(body, "vendor", disk, "vendor", 8, r, line);
	copy_text(body, "product", disk, "product", 16, r, line);
	is_second(r, seen_naa, body, "naa_override", line);
	is_second(r, seen_serial, body, "serial", line);
	json_object_set_new(disk, "volume", json_string(name));
	found(r, line, KEPT, "disk %.60s becomes volume %s%s%s%s%s", json_text(disk, "name"), name, *json_text(body, "naa_override") ? ", " : "", json_text(body, "naa_override"),
	      *json_text(body, "serial") ? ", serial " : "", json_text(body, "serial"));
	object_add(r, "volume", line, body);
}

/* The volume of a disk that a map names; NULL: it is not kept. */
static const char *volume_of(const struct reading *r, const char *disk)
{
	json_t *d;
	size_t i;
	json_array_foreach(r->disks, i, d)
		if (strcmp(json_text(d, "name"), disk) == 0)
			return *json_text(d, "volume") ? json_text(d, "volume") : NULL;
	return NULL;
}

/* ---- LUNs: the maps of a target and of its hosts become one ----------------------------------------------------------------- */
struct lun_map {
	json_t *by_disk;                 /* disk -> {"lun","read_only"} */
	json_t *by_lun;                  /* "7" -> disk */
};

static void map_take(struct reading *r, struct lun_map *m, json_t *luns, const char *whose, int line)
{
	json_t *l;
	size_t i;
	json_array_foreach(luns, i, l) {
		const char *disk = json_text(l, "disk");
		long long lun = json_integer_value(json_object_get(l, "lun"));
		bool read_only = json_is_true(json_object_get(l, "read_only"));
		json_t *have = json_object_get(m->by_disk, disk);
		char key[24];
		if (have) {
			if (json_integer_value(json_object_get(have, "lun")) != lun)
				found(r, line, CHANGED, "%.100s saw disk %.60s as LUN %lld and sees it as LUN %lld: a target has one number for a disk", whose, disk, lun,
				      (long long)json_integer_value(json_object_get(have, "lun")));
			if (json_is_true(json_object_get(have, "read_only")) != read_only) {
				found(r, line, CHANGED, "disk %.60s was read-only for some hosts of the target and is now for all: it is a property of the LUN", disk);
				json_object_set_new(have, "read_only", json_true());
			}
			continue;
		}
		if (!volume_of(r, disk)) {
			found(r, line, LOST, "LUN %lld of %.100s: disk %.60s is not kept", lun, whose, disk);
			continue;
		}
		long long got = lun;
		for (;;) {
			snprintf(key, sizeof(key), "%lld", got);
			if (got <= LUN_MAX && !json_object_get(m->by_lun, key))
				break;
			got = got >= LUN_MAX ? 0 : got + 1;
		}
		if (got != lun)
			found(r, line, CHANGED, "disk %.60s was LUN %lld for %.100s and becomes LUN %lld: that number is taken on the target", disk, lun, whose, got);
		json_object_set_new(m->by_lun, key, json_string(disk));
		json_object_set_new(m->by_disk, disk, json_pack("{s:I, s:b}", "lun", (json_int_t)got, "read_only", read_only));
	}
}

static void luns_emit(struct reading *r, const struct lun_map *m, const char *target, int line)
{
	const char *disk;
	json_t *l;
	json_object_foreach(m->by_disk, disk, l)
		object_add(r, "lun", line, json_pack("{s:s, s:s, s:O, s:b}", "target", target, "volume", volume_of(r, disk), "lun", json_object_get(l, "lun"), "read_only",
						     json_is_true(json_object_get(l, "read_only"))));
}

/* The numbers that a host sees of the target's map, as texts; NULL: all of them. */
static json_t *mask_of(const struct lun_map *m, const json_t *host)
{
	json_t *luns = json_object_get(host, "luns"), *l, *mask = json_array();
	size_t i, all = json_object_size(m->by_disk);
	json_array_foreach(luns, i, l) {
		json_t *have = json_object_get(m->by_disk, json_text(l, "disk"));
		if (have)
			json_array_append_new(mask, json_sprintf("%lld", (long long)json_integer_value(json_object_get(have, "lun"))));
	}
	if (luns && json_array_size(mask) < all)
		return mask;
	json_decref(mask);
	return NULL;
}

/* ---- CHAP ------------------------------------------------------------------------------------------------------------------------- */
/* What is wrong with it; NULL: it can be kept. */
static const char *chap_problem(const json_t *chap)
{
	size_t len = strlen(json_text(chap, "secret")), mutual = strlen(json_text(chap, "mutual_secret"));
	if (!*json_text(chap, "user") || len == 0)
		return "has no complete CHAP name and secret";
	if (len < SECRET_MIN || len > SECRET_MAX || strlen(json_text(chap, "user")) > 255)
		return "has a CHAP secret with fewer than 12 characters (or more than 255), which RFC 7143 calls too weak and we refuse";
	if (!*json_text(chap, "mutual_user") && !mutual)
		return NULL;
	if (!*json_text(chap, "mutual_user") || mutual < SECRET_MIN || mutual > SECRET_MAX)
		return "has a CHAP secret for the other direction with fewer than 12 characters";
	if (strcmp(json_text(chap, "secret"), json_text(chap, "mutual_secret")) == 0)
		return "has the same CHAP secret for both directions, which RFC 7143 forbids";
	return NULL;
}

static void chap_copy(json_t *body, const json_t *chap)
{
	set_text(body, "chap_user", json_text(chap, "user"));
	set_text(body, "chap_secret", json_text(chap, "secret"));
	set_text(body, "mutual_user", json_text(chap, "mutual_user"));
	set_text(body, "mutual_secret", json_text(chap, "mutual_secret"));
}

/* ---- hosts ------------------------------------------------------------------------------------------------------------------------- */
/* One host object for hosts that are the same in several targets. */
static const char *host_find(const json_t *made, const json_t *host)
{
	json_t *h;
	size_t i;
	json_array_foreach((json_t *)made, i, h)
		if (json_equal(json_object_get(h, "iqns"), json_object_get(host, "iqns")) && json_equal(json_object_get(h, "addresses"), json_object_get(host, "addresses")) &&
		    json_equal(json_object_get(h, "chap"), json_object_get(host, "chap")))
			return json_text(h, "made");
	return NULL;
}

static void host_emit(struct reading *r, json_t *made, json_t *host, const struct lun_map *m, const char *target)
{
	int line = (int)json_integer_value(json_object_get(host, "line"));
	const json_t *chap = json_object_get(host, "chap");
	const char *problem = chap ? chap_problem(chap) : NULL, *known = host_find(made, host);
	char name[64];
	if (problem) {
		found(r, line, LOST, "host %.100s %s; it gets no access to %s until you make it with another secret", json_text(host, "name"), problem, target);
		return;
	}
	if (!json_array_size(json_object_get(host, "iqns")) && !json_array_size(json_object_get(host, "addresses")) && !chap)
		return;
	if (!known) {
		json_t *body = json_pack("{s:O, s:O}", "iqns", json_object_get(host, "iqns"), "addresses", json_object_get(host, "addresses"));
		name_make(r, "host", json_text(host, "name"), name);
		json_object_set_new(body, "name", json_string(name));
		if (chap)
			chap_copy(body, chap);
		object_add(r, "host", line, body);
		json_object_set_new(host, "made", json_string(name));
		json_array_append(made, host);
		known = json_text(host, "made");
	}
	json_t *access = json_pack("{s:s, s:s}", "target", target, "host", known), *mask = mask_of(m, host);
	if (mask && json_array_size(mask) == 0) {
		found(r, line, LOST, "host %.100s had no LUN of target %s", known, target);
		json_decref(mask);
		json_decref(access);
		return;
	}
	if (mask)
		json_object_set_new(access, "luns", mask);
	object_add(r, "access", line, access);
}

/* ---- portals: one group where all targets are reached alike, else one for each portal ---------------------------------- */
static bool same_portals(const struct reading *r)
{
	json_t *t, *first = NULL;
	size_t i;
	json_array_foreach(r->targets, i, t) {
		if (first && !json_equal(first, json_object_get(t, "portals")))
			return false;
		first = json_object_get(t, "portals");
	}
	return true;
}

static bool is_wildcard(const json_t *portal)
{
	return strcmp(json_text(portal, "address"), "0.0.0.0") == 0 || strcmp(json_text(portal, "address"), "::") == 0;
}

/* Who listens on all addresses listens on each: the port cannot be had twice. */
static void drop_covered(struct reading *r)
{
	json_t *p, *q;
	size_t i, k;
	for (i = 0; i < json_array_size(r->portals);) {
		bool covered = false;
		p = json_array_get(r->portals, i);
		json_array_foreach(r->portals, k, q)
			covered |= is_wildcard(q) && !is_wildcard(p) && json_equal(json_object_get(p, "port"), json_object_get(q, "port")) &&
				   !strchr(json_text(p, "address"), ':') == !strchr(json_text(q, "address"), ':');
		if (covered) {
			found(r, 0, CHANGED, "portal %.60s is part of the one on all addresses, where all targets are offered", json_text(p, "address"));
			json_array_remove(r->portals, i);
		} else {
			i++;
		}
	}
}

static void portals_emit(struct reading *r, bool grouped)
{
	json_t *t, *p;
	size_t i, k;
	json_array_foreach(r->targets, i, t)
		json_array_foreach(json_object_get(t, "portals"), k, p)
			portal_add(r, NULL, json_text(p, "address"), (unsigned)json_integer_value(json_object_get(p, "port")));
	drop_covered(r);
	json_array_foreach(r->portals, i, p)
		object_add(r, "portal", 0, json_pack("{s:s, s:O, s:O, s:i}", "protocol", "iscsi", "address", json_object_get(p, "address"), "port", json_object_get(p, "port"), "group_tag",
						     grouped ? (int)i + 1 : 1));
}

static json_t *groups_of(const struct reading *r, const json_t *target)
{
	json_t *tags = json_array(), *p, *q;
	size_t i, k;
	json_array_foreach(json_object_get(target, "portals"), i, p)
		json_array_foreach(r->portals, k, q)
			if (json_equal(p, q))
				json_array_append_new(tags, json_sprintf("%zu", k + 1));
	return tags;
}

/* ---- targets ------------------------------------------------------------------------------------------------------------------------ */
/* A target for everybody shows its whole map: only when its own map is all that there is. */
static bool may_be_open(struct reading *r, const json_t *target, size_t own_luns, size_t all_luns, int line)
{
	const json_t *chap = json_object_get(target, "chap");
	const char *problem = chap ? chap_problem(chap) : NULL;
	if (!json_is_true(json_object_get(target, "any")))
		return false;
	if (problem) {
		found(r, line, LOST, "target %.200s %s; nobody gets in until you allow it", json_text(target, "iqn"), problem);
		return false;
	}
	if (own_luns < all_luns) {
		found(r, line, LOST, "target %.200s let every host see %zu of its %zu disks; give the hosts access one by one, so that none sees more than before", json_text(target, "iqn"), own_luns,
		      all_luns);
		return false;
	}
	return true;
}

static void target_emit(struct reading *r, json_t *target, json_t *made, bool grouped)
{
	int line = (int)json_integer_value(json_object_get(target, "line"));
	const char *iqn = json_text(target, "iqn"), *colon = strrchr(iqn, ':');
	struct lun_map m = { json_object(), json_object() };
	json_t *h, *body;
	size_t i;
	char name[64];
	name_make(r, "target", colon && colon[1] ? colon + 1 : iqn, name);
	map_take(r, &m, json_object_get(target, "luns"), iqn, line);
	size_t own = json_object_size(m.by_disk);
	json_array_foreach(json_object_get(target, "hosts"), i, h)
		map_take(r, &m, json_object_get(h, "luns"), json_text(h, "name"), (int)json_integer_value(json_object_get(h, "line")));
	bool open = may_be_open(r, target, own, json_object_size(m.by_disk), line);
	body = json_pack("{s:s, s:s, s:O, s:O, s:b}", "name", name, "protocol", "iscsi", "qualified_name", json_object_get(target, "iqn"), "enabled", json_object_get(target, "enabled"),
			 "allow_any", open);
	if (open && json_object_get(target, "chap"))
		chap_copy(body, json_object_get(target, "chap"));
	if (grouped)
		json_object_set_new(body, "portal_groups", groups_of(r, target));
	found(r, line, KEPT, "target %.200s keeps its name, with %zu LUNs", iqn, json_object_size(m.by_disk));
	object_add(r, "target", line, body);
	luns_emit(r, &m, name, line);
	json_array_foreach(json_object_get(target, "hosts"), i, h)
		host_emit(r, made, h, &m, name);
	json_decref(m.by_disk);
	json_decref(m.by_lun);
}

void san_emit(struct reading *r)
{
	json_t *naa = json_object(), *serial = json_object(), *made = json_array(), *o;
	size_t i;
	bool grouped = !same_portals(r);
	json_array_foreach(r->disks, i, o)
		disk_emit(r, o, naa, serial);
	portals_emit(r, grouped);
	json_array_foreach(r->targets, i, o)
		target_emit(r, o, made, grouped);
	json_decref(naa);
	json_decref(serial);
	json_decref(made);
}
