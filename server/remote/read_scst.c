/* SPDX-License-Identifier: GPL-3.0-or-later */
/* read_scst.c - scst.conf of SCST: blocks of WORD NAME { KEY VALUE .. }.
 * Identity: usn is the serial number, naa_id the NAA name, t10_vend_id and prod_id what INQUIRY says. */
#include "remote/read_priv.h"

#include <stdio.h>
#include <string.h>

#define DEPTH 8
struct scope {
	char what[32], name[256];
	int line;
};
struct scst {
	struct reading *r;
	struct scope scope[DEPTH];
	size_t depth;
	json_t *disk, *target, *owner;   /* borrowed: what lines belong to; owner: target or host list */
	json_t *group_luns;              /* of the GROUP: [{"lun","disk","read_only"}], owned */
	json_t *group_hosts;             /* its INITIATORs, owned */
	json_t *last_lun;                /* its attributes follow in braces */
	json_t *chap;                    /* of the target, owned */
	bool unknown;                    /* a block that is left out */
};

static const char *inside(const struct scst *s, size_t up)
{
	return s->depth > up ? s->scope[s->depth - 1 - up].what : "";
}

static const char *value_of(const struct line *l, size_t i)
{
	return l->count > i ? l->word[i] : "";
}

/* ---- devices ------------------------------------------------------------------------------------------------------------ */
static void device_open(struct scst *s, const char *name, int line)
{
	const char *handler = s->depth > 1 ? s->scope[s->depth - 2].name : "";
	bool file = strcmp(handler, "vdisk_fileio") == 0, block = strcmp(handler, "vdisk_blockio") == 0, cd = strcmp(handler, "vcdrom") == 0;
	s->disk = NULL;
	if (strcmp(handler, "vdisk_nullio") == 0) {
		found(s->r, line, LOST, "device %.60s keeps nothing (vdisk_nullio); make a volume with --plugin null", name);
	} else if (!file && !block && !cd) {
		found(s->r, line, LOST, "device %.60s is passed through by %.60s; use its block device", name, handler);
	} else {
		s->disk = disk_add(s->r, line, name);
		if (!s->disk)
			return;
		set_text(s->disk, "vendor", file ? "SCST_FIO" : block ? "SCST_BIO" : "SCST_CD");
		char product[17];
		snprintf(product, sizeof(product), "%s", name);
		set_text(s->disk, "product", product);
		if (cd)
			set_text(s->disk, "type", "cdrom");
	}
}

static void naa_take(struct scst *s, const char *value, int line)
{
	char naa[40];
	size_t n = strlen(value);
	if (strncmp(value, "0x", 2) == 0) {
		value += 2;
		n -= 2;
	}
	if ((n != 16 && n != 32) || strspn(value, "0123456789abcdefABCDEF") != n || (n == 32) != (value[0] == '6') || !strchr("2356", value[0])) {
		found(s->r, line, CHANGED, "naa_id %.60s is no NAA name; the volume gets ours", value);
		return;
	}
	snprintf(naa, sizeof(naa), "naa.%s", value);
	for (char *p = naa; *p; p++)
		if (*p >= 'A' && *p <= 'F')
			*p = (char)(*p + ('a' - 'A'));
	set_text(s->disk, "naa", naa);
}

static void device_line(struct scst *s, const struct line *l)
{
	static const char *const texts[][2] = { { "filename", "path" }, { "usn", "serial" }, { "t10_vend_id", "vendor" }, { "prod_id", "product" } };
	static const char *const plain[] = { "nv_cache", "rotational", "thin_provisioned", "write_through", "o_direct", "async", "threads_num", "threads_pool_type", "active", "tst",
					     "expl_alua", "zero_copy", "dif_mode", "cluster_mode", "size_mb", "size", "numa_node_id", "bind_alua_state", "removable", "read_only", "blocksize" };
	const char *key = l->word[0], *value = value_of(l, 1);
	if (!s->disk)
		return;
	for (size_t i = 0; i < ARRAY_COUNT(texts); i++)
		if (strcmp(key, texts[i][0]) == 0) {
			set_text(s->disk, texts[i][1], value);
			return;
		}
	if (strcmp(key, "naa_id") == 0)
		naa_take(s, value, l->number);
	else if (strcmp(key, "t10_dev_id") == 0)
		found(s->r, l->number, CHANGED, "t10_dev_id %.60s is left out: the T10 name is made of vendor and serial; hosts that look at the NAA name see the same disk", value);
	else if (strcmp(key, "prod_rev_lvl") == 0 || strcmp(key, "vend_specific_id") == 0 || strcmp(key, "scsi_device_name") == 0 || strcmp(key, "inq_vend_specific") == 0 || strcmp(key, "eui64_id") == 0)
		found(s->r, l->number, LOST, "%s is left out", key);
	else if (strcmp(key, "blocksize") == 0)
		set_int(s->disk, "block_size", strtoll(value, NULL, 10));
	else if (strcmp(key, "read_only") == 0)
		set_true(s->disk, "read_only", text_is_yes(value));
	else if (strcmp(key, "removable") == 0 && text_is_yes(value))
		set_text(s->disk, "type", "removable");
	else if (strcmp(key, "size") == 0)
		set_int(s->disk, "size_bytes", strtoll(value, NULL, 10));
	else if (strcmp(key, "size_mb") == 0)
		set_int(s->disk, "size_bytes", (long long)(strtoull(value, NULL, 10) & 0xffffffffff) << 20);
	else if (strcmp(key, "cluster_mode") == 0 && text_is_yes(value))
		found(s->r, l->number, LOST, "cluster_mode is left out: reservations are kept by this server alone");
	else if (strcmp(key, "dif_mode") == 0)
		found(s->r, l->number, LOST, "protection information (dif_mode) is not served");
	else {
		for (size_t i = 0; i < ARRAY_COUNT(plain); i++)
			if (strcmp(key, plain[i]) == 0)
				return;
		found(s->r, l->number, LOST, "attribute %.60s of device %.60s is not known here", key, json_text(s->disk, "name"));
	}
}

static void device_close(struct scst *s)
{
	if (s->disk && !*json_text(s->disk, "path") && strcmp(json_text(s->disk, "type"), "cdrom") != 0)
		found(s->r, s->scope[s->depth - 1].line, LOST, "device %.60s has no filename: it becomes a volume in memory", json_text(s->disk, "name"));
	if (s->disk && !*json_text(s->disk, "naa"))
		found(s->r, s->scope[s->depth - 1].line, CHANGED, "device %.60s has no naa_id in the file: hosts see a new NAA name; the serial number is kept if usn is there",
		      json_text(s->disk, "name"));
	s->disk = NULL;
}

/* ---- targets -------------------------------------------------------------------------------------------------------------- */
static void target_open(struct scst *s, const char *name, int line)
{
	const char *driver = s->depth > 1 ? s->scope[s->depth - 2].name : "";
	s->target = NULL;
	if (strcmp(driver, "iscsi") != 0 && strcmp(driver, "iscsi-scst") != 0) {
		found(s->r, line, LOST, "target %.200s is for %.60s; only iSCSI is served", name, driver);
		return;
	}
	s->target = target_add(s->r, line, name);
	if (s->target)
		set_true(s->target, "enabled", false);
}

static void two_words(const char *value, const struct line *l, char *user, char *secret)
{
	/* IncomingUser "joe secret", or as two words. */
	const char *blank = strchr(value, ' ');
	snprintf(user, 256, "%.*s", blank ? (int)(blank - value) : (int)strlen(value), value);
	snprintf(secret, 256, "%s", blank ? blank + 1 : value_of(l, 2));
}

static void chap_line(struct scst *s, const struct line *l, bool out)
{
	char user[256], secret[256];
	two_words(value_of(l, 1), l, user, secret);
	if (!out && json_object_get(s->chap, "user"))
		found(s->r, l->number, LOST, "a second IncomingUser (%.60s) is left out: a host has one CHAP name here; make a host of its own for it", user);
	if (!s->chap)
		s->chap = json_object();
	if (!json_object_get(s->chap, out ? "mutual_user" : "user")) {
		set_text(s->chap, out ? "mutual_user" : "user", user);
		set_text(s->chap, out ? "mutual_secret" : "secret", secret);
	}
	explicit_bzero(secret, sizeof(secret));
}

static void lun_line(struct scst *s, const struct line *l)
{
	char *end;
	unsigned long lun = strtoul(value_of(l, 1), &end, 10);
	s->last_lun = NULL;
	if (*end || end == value_of(l, 1) || lun > 0xffff || !*value_of(l, 2)) {
		found(s->r, l->number, LOST, "\"LUN %.20s\" has no number and device", value_of(l, 1));
		return;
	}
	json_t *list = s->group_luns ? s->group_luns : json_object_get(s->target, "luns");
	if (json_array_size(list) >= OBJECTS_MAX / 8) {
		s->r->too_much = true;
		return;
	}
	json_t *o = json_pack("{s:i, s:o?, s:b}", "lun", (int)lun, "disk", text_json(l->word[2]), "read_only", 0);
	if (o && !json_array_append_new(list, o))
		s->last_lun = o;
}

static void initiator_line(struct scst *s, const struct line *l)
{
	char name[256];
	snprintf(name, sizeof(name), "%s", value_of(l, 1));
	char *hash = strchr(name, '#');
	if (hash)
		*hash = '\0';            /* the portal it comes by */
	if (*name == '!' || !*name) {
		found(s->r, l->number, LOST, "initiator %.200s, which is everybody else, cannot be kept", name);
		return;
	}
	if (json_array_size(s->group_hosts) < OBJECTS_MAX / 8)
		json_array_append_new(s->group_hosts, json_pack("{s:i, s:o?}", "line", l->number, "name", text_json(name)));
	else
		s->r->too_much = true;
}

static void group_close(struct scst *s)
{
	json_t *g, *lun;
	size_t i, k;
	json_array_foreach(s->group_hosts, i, g) {
		const char *name = json_text(g, "name");
		json_t *h = s->target ? host_add(s->r, s->target, (int)json_integer_value(json_object_get(g, "line")), strrchr(name, ':') ? strrchr(name, ':') + 1 : name) : NULL;
		if (!h)
			break;
		json_array_append(json_object_get(h, "iqns"), json_object_get(g, "name"));
		json_object_set_new(h, "luns", json_array());
		json_array_foreach(s->group_luns, k, lun)
			lun_add(s->r, h, (unsigned)json_integer_value(json_object_get(lun, "lun")), json_text(lun, "disk"), json_is_true(json_object_get(lun, "read_only")));
	}
	s->last_lun = NULL;
	json_decref(TAKE(s->group_luns));
	json_decref(TAKE(s->group_hosts));
}

static void target_close(struct scst *s)
{
	json_t *h;
	size_t i;
	if (s->target) {
		/* Who is in no group has the target's own LUNs. */
		if (json_array_size(json_object_get(s->target, "luns")))
			set_true(s->target, "any", true);
		if (s->chap && json_object_get(s->chap, "user")) {
			json_object_set(s->target, "chap", s->chap);
			json_array_foreach(json_object_get(s->target, "hosts"), i, h)
				json_object_set(h, "chap", s->chap);
		}
	}
	json_decref(TAKE(s->chap));
	s->target = s->last_lun = NULL;
}

static void target_line(struct scst *s, const struct line *l)
{
	const char *key = l->word[0], *value = value_of(l, 1);
	if (!s->target)
		return;
	if (strcmp(key, "enabled") == 0)
		set_true(s->target, "enabled", text_is_yes(value));
	else if (strcmp(key, "LUN") == 0)
		lun_line(s, l);
	else if (strcmp(key, "INITIATOR") == 0 && s->group_hosts)
		initiator_line(s, l);
	else if (strcmp(key, "IncomingUser") == 0 || strcmp(key, "OutgoingUser") == 0)
		chap_line(s, l, *key == 'O');
	else if (strcmp(key, "allowed_portal") == 0 && !strpbrk(value, "*?"))
		portal_add(s->r, s->target, value, 3260);
	else if (strcmp(key, "allowed_portal") == 0)
		found(s->r, l->number, CHANGED, "allowed_portal %.60s is a pattern: the target is offered on every portal; choose with portal groups", value);
	else if (strcmp(key, "HeaderDigest") == 0 || strcmp(key, "DataDigest") == 0) {
		if (!strstr(value, "None"))
			found(s->r, l->number, CHANGED, "%s is demanded: holdfast target set --%s-digest-required on", key, *key == 'H' ? "header" : "data");
	} else if (strcmp(key, "rel_tgt_id") == 0)
		found(s->r, l->number, CHANGED, "rel_tgt_id %.20s becomes the tag of the portal group", value);
	else if (strcmp(key, "io_grouping_type") == 0 || strcmp(key, "cpu_mask") == 0 || strcmp(key, "black_hole") == 0)
		found(s->r, l->number, LOST, "attribute %.60s is left out", key);
	/* What iSCSI negotiates is negotiated anew. */
}

/* ---- blocks -------------------------------------------------------------------------------------------------------------------- */
static void scope_enter(struct scst *s, const struct line *l, size_t words)
{
	static const char *const known[] = { "HANDLER", "DEVICE", "TARGET_DRIVER", "TARGET", "GROUP", "LUN", "INITIATOR" };
	struct scope *n = &s->scope[s->depth++];
	const char *what = words ? l->word[0] : "";
	bool is_known = false;
	snprintf(n->what, sizeof(n->what), "%s", what);
	snprintf(n->name, sizeof(n->name), "%s", words > 1 ? l->word[1] : "");
	n->line = l->number;
	for (size_t i = 0; i < ARRAY_COUNT(known); i++)
		is_known |= strcmp(known[i], what) == 0;
	if (strcmp(what, "DEVICE_GROUP") == 0)
		found(s->r, l->number, LOST, "device group %.60s (ALUA) is left out; set path states with: holdfast target ana", n->name);
	else if (!is_known)
		found(s->r, l->number, LOST, "block %.60s is left out", what);
	if (!is_known)
		n->what[0] = '\0';
	if (strcmp(what, "DEVICE") == 0 && strcmp(inside(s, 1), "HANDLER") == 0)
		device_open(s, n->name, l->number);
	else if (strcmp(what, "TARGET") == 0 && strcmp(inside(s, 1), "TARGET_DRIVER") == 0)
		target_open(s, n->name, l->number);
	else if (strcmp(what, "GROUP") == 0 && s->target && !s->group_luns) {
		s->group_luns = json_array();
		s->group_hosts = json_array();
	} else if (strcmp(what, "LUN") == 0 && s->target) {
		lun_line(s, l);
	} else if (strcmp(what, "INITIATOR") == 0 && s->group_hosts) {
		initiator_line(s, l);
	}
}

static void scope_leave(struct scst *s, int line)
{
	if (!s->depth) {
		found(s->r, line, LOST, "a } that nothing opened");
		return;
	}
	const char *what = inside(s, 0);
	if (strcmp(what, "LUN") == 0)
		s->last_lun = NULL;
	else if (strcmp(what, "DEVICE") == 0)
		device_close(s);
	else if (strcmp(what, "GROUP") == 0)
		group_close(s);
	else if (strcmp(what, "TARGET") == 0)
		target_close(s);
	s->depth--;
}

static void statement(struct scst *s, const struct line *l)
{
	const char *what = inside(s, 0);
	if (strcmp(what, "DEVICE") == 0)
		device_line(s, l);
	else if (strcmp(what, "TARGET") == 0 || strcmp(what, "GROUP") == 0)
		target_line(s, l);
	else if (strcmp(what, "LUN") == 0 && s->last_lun && strcmp(l->word[0], "read_only") == 0)
		set_true(s->last_lun, "read_only", text_is_yes(value_of(l, 1)));
	else if (strcmp(what, "TARGET_DRIVER") == 0 && strcmp(l->word[0], "IncomingUser") == 0)
		found(s->r, l->number, LOST, "discovery asked for CHAP; make a host with it and: holdfast setting set iscsi_discovery_host HOST");
	else if (!s->depth)
		found(s->r, l->number, LOST, "option %.60s is left out", l->word[0]);
}

/* A line may open and close blocks: "LUN 0 disk { read_only 1 }". */
static void take_line(struct scst *s, struct line *l)
{
	struct line part = { .number = l->number };
	for (size_t i = 0; i <= l->count; i++) {
		bool open = i < l->count && strcmp(l->word[i], "{") == 0, close = i < l->count && strcmp(l->word[i], "}") == 0;
		if (i < l->count && !open && !close) {
			part.word[part.count++] = l->word[i];
			continue;
		}
		if (open && s->depth == DEPTH) {
			snprintf(s->r->why, sizeof(s->r->why), "line %d: blocks are nested too deep", l->number);
			return;
		}
		if (open)
			scope_enter(s, &part, part.count);
		else if (part.count)
			statement(s, &part);
		if (close)
			scope_leave(s, l->number);
		part.count = 0;
	}
}

void read_scst(struct reading *r)
{
	struct scst s = { .r = r };
	struct line *l = calloc(1, sizeof(*l));
	size_t at = 0;
	int number = 0;
	if (!l)
		r->out_of_memory = true;
	while (l && !r->too_much && !*r->why && line_next(r, &at, &number, l, true)) {
		if (l->too_long)
			found(r, l->number, LOST, "the line is too long");
		else
			take_line(&s, l);
	}
	if (s.depth && !*r->why)
		found(r, number, LOST, "the last block is not closed");
	while (s.depth)
		scope_leave(&s, number);
	json_decref(s.group_luns);
	json_decref(s.group_hosts);
	json_decref(s.chap);
	if (l)
		explicit_bzero(l, sizeof(*l));
	free(l);
	bool chosen = false;
	json_t *t;
	size_t i;
	json_array_foreach(r->targets, i, t)
		chosen |= json_array_size(json_object_get(t, "portals")) > 0;
	if (!chosen)
		portal_add(r, NULL, "0.0.0.0", 3260);
	san_emit(r);
}
