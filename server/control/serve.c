/* SPDX-License-Identifier: GPL-3.0-or-later */
/* serve.c - one wish, one transaction: this volume for that host.  Finds out what is there, and makes the rest: pool,
 * volume, host, target, LUN, access, portal.
 *
 * Left to itself it never shows a volume to anybody else: a target that others may use is taken only when the caller
 * names it. */
#include "control/control_priv.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "control/operate.h"

#define NAME_MAX_BYTES 63

struct wish {
	const json_t *body;
	bool dry_run, may_admin;
	const struct config_actor *who;
	struct config_error *e;
	json_t *result;

	struct bundle b;
	const char *protocol;            /* "iscsi" or "nvme" */
	char volume[64], host[64], target[64];
	json_t *volume_row, *target_row, *host_row; /* as they are now; NULL: to be made */
	int64_t lun;                     /* -1: the lowest free one */
};

static bool given(const json_t *o, const char *member)
{
	const json_t *v = json_object_get(o, member);
	return v && !json_is_null(v);
}

/* ---- shapes ------------------------------------------------------------------------------------------------------ */
static int members_are(const json_t *o, const char *where, const char *const *names, struct config_error *e)
{
	const char *key;
	json_t *v;
	json_object_foreach((json_t *)o, key, v) {
		bool known = false;
		for (const char *const *n = names; *n; n++)
			known |= strcmp(*n, key) == 0;
		if (!known) {
			char field[64];
			snprintf(field, sizeof(field), "%.30s%s%.30s", where, *where ? "." : "", key);
			return config_fail(e, -EINVAL, field, "there is no such member here");
		}
	}
	return 0;
}

static int shape(const struct wish *w)
{
	static const char *const top[] = { "volume", "protocol", "host", "any", "target", "lun", "read_only", "portal", NULL };
	static const char *const portal[] = { "address", "port", NULL };
	static const char *const host[] = { "name", "iqn", "nqn", "chap_user", "chap_secret", "mutual_user", "mutual_secret", NULL };
	const char *protocol = text_of(w->body, "protocol");
	int r = members_are(w->body, "", top, w->e);
	if (r)
		return r;
	if (!json_is_object(json_object_get(w->body, "volume")))
		return config_fail(w->e, -EINVAL, "volume", "say which volume: {\"name\"} of one that is there, with size_bytes to make one");
	if (given(w->body, "protocol") && strcmp(protocol, "iscsi") != 0 && strcmp(protocol, "nvme") != 0)
		return config_fail(w->e, -EINVAL, "protocol", "it is iscsi or nvme");
	if (given(w->body, "host") == true_of(w->body, "any"))
		return config_fail(w->e, -EINVAL, "host", "say who may use it: a host, or any (without authentication), one of them");
	if (given(w->body, "host") && (!json_is_object(json_object_get(w->body, "host")) || members_are(json_object_get(w->body, "host"), "host", host, w->e)))
		return w->e->code ? w->e->code : config_fail(w->e, -EINVAL, "host", "it is an object with name, iqn or nqn");
	if (given(w->body, "portal") && (!json_is_object(json_object_get(w->body, "portal")) || members_are(json_object_get(w->body, "portal"), "portal", portal, w->e)))
		return w->e->code ? w->e->code : config_fail(w->e, -EINVAL, "portal", "it is an object with address and port");
	if (given(w->body, "lun") && (!json_is_integer(json_object_get(w->body, "lun")) || int_of(w->body, "lun") < 0 || int_of(w->body, "lun") > SCSI_LUN_MAX))
		return config_fail(w->e, -EINVAL, "lun", "it is a number from 0 to %d", SCSI_LUN_MAX);
	return 0;
}

static int find(enum model_kind k, const char *name, json_t **ret_row, struct config_error *e)
{
	*ret_row = NULL;
	int r = *name ? config_get(ctl.db, k, name, ret_row, e) : -ENOENT;
	if (r == -ENOENT) {
		*e = (struct config_error){ 0 };
		return 0;
	}
	return r;
}

/* ---- the volume, and a pool for it --------------------------------------------------------------------------------- */
static int need_admin(const struct wish *w, const char *what)
{
	return w->may_admin ? 0 : config_fail(w->e, -EPERM, "", "%s must be made first, which needs the role admin", what);
}

/* "pool_path" makes a pool in a folder, when there is none yet. */
static int wish_pool(struct wish *w, json_t *volume)
{
	json_t *path = json_object_get(volume, "pool_path"), *rows;
	if (!path)
		return 0;
	_cleanup_(freep) char *folder = strdup(text_of(volume, "pool_path"));
	if (!folder)
		return -ENOMEM;
	path_tidy(folder);
	int r = config_list(ctl.db, MODEL_POOL, NULL, &rows, w->e);
	if (r)
		return r;
	bool first = json_array_size(rows) == 0;
	json_decref(rows);
	const char *name = given(volume, "pool") ? text_of(volume, "pool") : "pool";
	json_t *have;
	r = find(MODEL_POOL, name, &have, w->e);
	if (!r && !have) {
		r = need_admin(w, "a pool");
		if (!r)
			r = bundle_create(&w->b, MODEL_POOL, json_pack("{s:s, s:O}", "name", name, "path", path));
		if (!r)
			json_object_set_new(volume, "pool", json_string(name));
	} else if (!r && !first && strcmp(text_of(have, "path"), folder) != 0) {
		r = config_fail(w->e, -EEXIST, "volume.pool_path", "there is a pool %s already, in %s", name, text_of(have, "path"));
	}
	json_decref(have);
	json_object_del(volume, "pool_path");
	return r;
}

static int wish_volume(struct wish *w)
{
	const json_t *wish = json_object_get(w->body, "volume");
	const char *name = text_of(wish, "name");
	if (!*name || strlen(name) > NAME_MAX_BYTES)
		return config_fail(w->e, -EINVAL, "volume.name", "the volume needs a name of up to %d letters, digits, '.', '_' and '-'", NAME_MAX_BYTES);
	snprintf(w->volume, sizeof(w->volume), "%s", name);
	int r = find(MODEL_VOLUME, name, &w->volume_row, w->e);
	if (r)
		return r;
	if (w->volume_row) {
		if (given(wish, "size_bytes") && int_of(wish, "size_bytes") != int_of(w->volume_row, "size_bytes"))
			return config_fail(w->e, -EEXIST, "volume.size_bytes", "there is a volume %s already, of %" PRId64 " bytes; leave the size out to serve it as it is", name,
					   int_of(w->volume_row, "size_bytes"));
		if (true_of(wish, "encrypted") && !true_of(w->volume_row, "encrypted"))
			return config_fail(w->e, -EEXIST, "volume.encrypted", "there is a volume %s already, and it is not encrypted: that is chosen when a volume is made", name);
		return bundle_found(&w->b, MODEL_VOLUME, w->volume_row);
	}
	if (!given(wish, "size_bytes"))
		return config_fail(w->e, -EINVAL, "volume.size_bytes", "there is no volume called %s; give its size to make it", name);
	json_t *body = json_deep_copy(wish);
	r = body ? wish_pool(w, body) : -ENOMEM;
	if (r) {
		json_decref(body);
		return r;
	}
	return bundle_create(&w->b, MODEL_VOLUME, body);
}

/* ---- the host ---------------------------------------------------------------------------------------------------------- */
static const char *names_field(const char *protocol)
{
	return strcmp(protocol, "nvme") == 0 ? "nqns" : "iqns";
}

static bool list_has(const json_t *array, const char *text)
{
	json_t *v;
	size_t i;
	json_array_foreach((json_t *)array, i, v)
		if (strcmp(json_string_value(v) ? json_string_value(v) : "", text) == 0)
			return true;
	return false;
}

static int host_by_qualified_name(const char *protocol, const char *qualified, json_t **ret_row, struct config_error *e)
{
	json_t *rows, *row;
	size_t i;
	*ret_row = NULL;
	int r = config_list(ctl.db, MODEL_HOST, NULL, &rows, e);
	if (r)
		return r;
	json_array_foreach(rows, i, row)
		if (!*ret_row && list_has(json_object_get(row, names_field(protocol)), qualified))
			*ret_row = json_incref(row);
	json_decref(rows);
	return 0;
}

/* "iqn.1993-08.org.debian:01:abc" -> "abc", "nqn.2014-08.org.nvmexpress:uuid:4c4c4544-.." -> "4c4c4544-..". */
static void host_name_from(const char *qualified, char name[64])
{
	const char *last = strrchr(qualified, ':');
	size_t n = 0;
	last = last && last[1] ? last + 1 : qualified;
	for (; *last && n < 48; last++)
		name[n++] = isalnum((unsigned char)*last) || strchr("._-", *last) ? *last : '-';
	name[n] = '\0';
	if (!isalnum((unsigned char)*name))
		snprintf(name, 64, "host");
}

/* The name itself, or with a number that makes it free. */
static int free_name(enum model_kind k, char name[64], struct config_error *e)
{
	char base[56];
	json_t *have;
	snprintf(base, sizeof(base), "%.55s", name);
	for (unsigned i = 2; i < 1000; i++) {
		int r = find(k, name, &have, e);
		if (r || !have)
			return r;
		json_decref(have);
		snprintf(name, 64, "%s-%u", base, i);
	}
	return config_fail(e, -EEXIST, "", "there are too many objects called %s", base);
}

static int host_make(struct bundle *b, const char *protocol, const json_t *wish, const char *qualified, char name[64], struct config_error *e)
{
	static const char *const secrets[] = { "chap_user", "chap_secret", "mutual_user", "mutual_secret" };
	if (!*name) {
		host_name_from(qualified, name);
		int r = free_name(MODEL_HOST, name, e);
		if (r)
			return r;
	}
	json_t *body = json_pack("{s:s, s:[s]}", "name", name, names_field(protocol), qualified);
	for (size_t i = 0; body && i < ARRAY_COUNT(secrets); i++)
		if (given(wish, secrets[i]))
			json_object_set(body, secrets[i], json_object_get(wish, secrets[i]));
	return bundle_create(b, MODEL_HOST, body);
}

int bundle_host(struct bundle *b, const char *protocol, const json_t *wish, char name[64], struct config_error *e)
{
	const char *wanted = text_of(wish, "name"), *qualified = text_of(wish, strcmp(protocol, "nvme") == 0 ? "nqn" : "iqn");
	json_t *row;
	if (strlen(wanted) > NAME_MAX_BYTES)
		return config_fail(e, -EINVAL, "host.name", "a name has up to %d bytes", NAME_MAX_BYTES);
	snprintf(name, 64, "%s", wanted);
	int r = *wanted ? find(MODEL_HOST, wanted, &row, e) : host_by_qualified_name(protocol, qualified, &row, e);
	if (r)
		return r;
	if (!row && !*qualified)
		return config_fail(e, -EINVAL, "host", "there is no host called \"%.63s\"; give its %s to make it", wanted, strcmp(protocol, "nvme") == 0 ? "nqn" : "iqn");
	if (!row)
		return host_make(b, protocol, wish, qualified, name, e);
	snprintf(name, 64, "%s", text_of(row, "name"));
	const json_t *names = json_object_get(row, names_field(protocol));
	if (!*qualified && json_array_size(names) == 0 && (strcmp(protocol, "nvme") == 0 || json_array_size(json_object_get(row, "addresses")) == 0))
		r = config_fail(e, -EINVAL, "host", "host %s has no %s yet; give it", name, strcmp(protocol, "nvme") == 0 ? "nqn" : "iqn");
	else if (!*qualified || list_has(names, qualified))
		r = bundle_found(b, MODEL_HOST, row);
	else {
		json_t *more = json_deep_copy(names);
		json_array_append_new(more, json_string(qualified));
		r = bundle_update(b, MODEL_HOST, text_of(row, "id"), name, json_pack("{s:o}", names_field(protocol), more));
	}
	json_decref(row);
	return r;
}

/* ---- the target ---------------------------------------------------------------------------------------------------------- */
/* Would a LUN there be seen by this host (or, with any, by all) and by nobody else? */
static int target_is_for(const json_t *target, const char *host, bool any, bool *ret_is, struct config_error *e)
{
	struct config_query q = { .where_field = "target", .where_value = text_of(target, "name") };
	json_t *rows, *row;
	size_t i;
	int r = config_list(ctl.db, MODEL_ACCESS, &q, &rows, e);
	if (r)
		return r;
	*ret_is = true_of(target, "allow_any") == any;
	json_array_foreach(rows, i, row)
		if (any || strcmp(text_of(row, "host"), host) != 0)
			*ret_is = false;
	json_decref(rows);
	return 0;
}

static int pick_target(struct wish *w, bool any)
{
	char name[64];
	snprintf(name, sizeof(name), "%s", any ? w->volume : w->host);
	for (unsigned i = 2; i < 1000; i++) {
		bool fits = false;
		int r = find(MODEL_TARGET, name, &w->target_row, w->e);
		if (r)
			return r;
		if (w->target_row && strcmp(text_of(w->target_row, "protocol"), w->protocol) == 0)
			r = target_is_for(w->target_row, w->host, any, &fits, w->e);
		if (r)
			return r;
		if (!w->target_row || fits) {
			snprintf(w->target, sizeof(w->target), "%s", name);
			return 0;
		}
		json_decref(TAKE(w->target_row));
		snprintf(name, sizeof(name), "%.50s-%s-%u", any ? w->volume : w->host, w->protocol, i);
		if (i == 2)
			snprintf(name, sizeof(name), "%.50s-%s", any ? w->volume : w->host, w->protocol);
	}
	return config_fail(w->e, -EEXIST, "target", "no free name for a target is left; give one");
}

static int wish_target(struct wish *w)
{
	const char *name = text_of(w->body, "target");
	bool any = true_of(w->body, "any");
	int r;
	if (!*name) {
		r = pick_target(w, any);
	} else {
		snprintf(w->target, sizeof(w->target), "%.63s", name);
		r = find(MODEL_TARGET, name, &w->target_row, w->e);
		if (!r && w->target_row && strcmp(text_of(w->target_row, "protocol"), w->protocol) != 0)
			r = config_fail(w->e, -EINVAL, "target", "target %s speaks %s, not %s", name, text_of(w->target_row, "protocol"), w->protocol);
	}
	if (r)
		return r;
	if (!w->target_row)
		return bundle_create(&w->b, MODEL_TARGET, json_pack("{s:s, s:s, s:b}", "name", w->target, "protocol", w->protocol, "allow_any", (int)any));
	if (any && !true_of(w->target_row, "allow_any"))
		return bundle_update(&w->b, MODEL_TARGET, text_of(w->target_row, "id"), w->target, json_pack("{s:b}", "allow_any", 1));
	return bundle_found(&w->b, MODEL_TARGET, w->target_row);
}

/* ---- LUN, access, portal ----------------------------------------------------------------------------------------------------- */
static int wish_lun(struct wish *w)
{
	struct config_query q = { .where_field = "target", .where_value = w->target, .where_field2 = "volume", .where_value2 = w->volume };
	json_t *rows = NULL, *body;
	w->lun = given(w->body, "lun") ? int_of(w->body, "lun") : -1;
	if (w->target_row && w->volume_row) {
		int r = config_list(ctl.db, MODEL_LUN, &q, &rows, w->e);
		if (r)
			return r;
		if (json_array_size(rows)) {
			w->lun = int_of(json_array_get(rows, 0), "lun");
			r = bundle_found(&w->b, MODEL_LUN, json_array_get(rows, 0));
			json_decref(rows);
			return r;
		}
		json_decref(rows);
	}
	body = json_pack("{s:s, s:s, s:b}", "target", w->target, "volume", w->volume, "read_only", (int)true_of(w->body, "read_only"));
	if (body && w->lun < 0 && w->target_row) { /* a mask of the host wants to know the number */
		if (prepare_create(MODEL_LUN, body, w->e) == 0)
			w->lun = int_of(body, "lun");
		*w->e = (struct config_error){ 0 };
	} else if (body && w->lun >= 0) {
		json_object_set_new(body, "lun", json_integer(w->lun));
	}
	return bundle_create(&w->b, MODEL_LUN, body);
}

/* lun: the one that a mask must let through; -1: none in particular. */
int bundle_access(struct bundle *b, const json_t *target, const char *host, int64_t lun, struct config_error *e)
{
	struct config_query q = { .where_field = "target", .where_value = text_of(target, "name") };
	char number[24];
	json_t *rows = NULL, *row, *found = NULL;
	size_t i;
	int r = *text_of(target, "id") ? config_list(ctl.db, MODEL_ACCESS, &q, &rows, e) : 0;
	if (r)
		return r;
	json_array_foreach(rows, i, row)
		if (strcmp(text_of(row, "host"), host) == 0)
			found = row;
	const json_t *luns = json_object_get(found, "luns");
	snprintf(number, sizeof(number), "%" PRId64, lun);
	if (!found)
		r = bundle_create(b, MODEL_ACCESS, json_pack("{s:s, s:s}", "target", text_of(target, "name"), "host", host));
	else if (lun < 0 || json_array_size(luns) == 0 || list_has(luns, number))
		r = bundle_found(b, MODEL_ACCESS, found);
	else {
		json_t *more = json_deep_copy(luns);
		json_array_append_new(more, json_string(number));
		r = bundle_update(b, MODEL_ACCESS, text_of(found, "id"), NULL, json_pack("{s:o}", "luns", more));
	}
	json_decref(rows);
	return r;
}

static int wish_access(struct wish *w)
{
	json_t *fresh = NULL;
	int r;
	if (true_of(w->body, "any"))
		return 0;
	if (!w->target_row)
		fresh = json_pack("{s:s}", "name", w->target);
	r = bundle_access(&w->b, w->target_row ? w->target_row : fresh, w->host, w->lun, w->e);
	json_decref(fresh);
	return r;
}

static int wish_portal(struct wish *w, json_t *portals)
{
	const json_t *wish = json_object_get(w->body, "portal");
	bool nvme = strcmp(w->protocol, "nvme") == 0;
	json_t *p;
	size_t i;
	const char *address = given(wish, "address") ? text_of(wish, "address") : "0.0.0.0";
	int64_t port = given(wish, "port") ? int_of(wish, "port") : nvme ? 4420 : 3260;
	if (!wish && json_array_size(portals)) {
		json_array_foreach(portals, i, p)
			bundle_found(&w->b, MODEL_PORTAL, p);
		return 0;
	}
	json_array_foreach(portals, i, p)
		if (strcmp(text_of(p, "address"), address) == 0 && int_of(p, "port") == port)
			return bundle_found(&w->b, MODEL_PORTAL, p);
	int r = need_admin(w, "a portal");
	if (r)
		return r;
	p = json_pack("{s:s, s:s, s:I}", "protocol", nvme ? "nvme-tcp" : "iscsi", "address", address, "port", (json_int_t)port);
	if (p)
		json_array_append(portals, p);
	return bundle_create(&w->b, MODEL_PORTAL, p);
}

/* ---- all ------------------------------------------------------------------------------------------------------------------------- */
/* The name that hosts use: of the target as it is, or as it has just been made. */
static const char *qualified_name_of(const struct wish *w)
{
	json_t *o;
	size_t i;
	if (w->target_row)
		return text_of(w->target_row, "qualified_name");
	json_array_foreach(w->b.objects, i, o)
		if (strcmp(text_of(o, "kind"), "target") == 0)
			return text_of(json_object_get(o, "object"), "qualified_name");
	return "";
}

static int wish_run(struct wish *w, json_t *portals, json_t **ret_plan)
{
	int r = shape(w);
	if (!r)
		r = wish_volume(w);
	if (!r && given(w->body, "host"))
		r = bundle_host(&w->b, w->protocol, json_object_get(w->body, "host"), w->host, w->e);
	if (!r)
		r = wish_target(w);
	if (!r)
		r = wish_lun(w);
	if (!r)
		r = wish_access(w);
	if (!r)
		r = wish_portal(w, portals);
	return r ? r : bundle_run(&w->b, w->who, w->dry_run, ret_plan, w->e);
}

static int serve_run(void *arg)
{
	struct wish *w = arg;
	struct config_error ignored;
	json_t *plan = NULL;
	w->protocol = strcmp(text_of(w->body, "protocol"), "nvme") == 0 ? "nvme" : "iscsi";
	json_t *portals = portals_of(w->protocol);
	int r = bundle_init(&w->b);
	if (!r)
		r = wish_run(w, portals, &plan);
	if (r && !w->e->code)
		config_fail(w->e, r, "", "%s", strerror(-r));
	if (!r) {
		if (*w->host && config_get(ctl.db, MODEL_HOST, w->host, &w->host_row, &ignored))
			w->host_row = NULL;
		const json_t *wish_host = json_object_get(w->body, "host");
		w->result = connect_json(w->protocol, qualified_name_of(w), portals, w->host_row ? w->host_row : wish_host);
		json_object_set(w->result, "objects", w->b.objects);
		json_object_set_new(w->result, "plan", plan ? json_incref(plan) : json_null());
	}
	bundle_done(&w->b);
	json_decref(plan);
	json_decref(portals);
	json_decref(w->volume_row);
	json_decref(w->target_row);
	json_decref(w->host_row);
	return r;
}

int control_serve(const json_t *body, bool dry_run, bool may_admin, const struct config_actor *who, json_t **ret_result, struct config_error *e)
{
	struct wish w = { .body = body, .dry_run = dry_run, .may_admin = may_admin, .who = who, .e = e };
	*e = (struct config_error){ 0 };
	int r = reactor_call(ctl.reactor, serve_run, &w);
	if (!r)
		*ret_result = w.result;
	return r;
}
