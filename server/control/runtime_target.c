/* SPDX-License-Identifier: GPL-3.0-or-later */
/* runtime_target.c - from the rows of a target, its LUNs, accesses, hosts and groups to the spec that iscsi/ serves;
 * targets of protocol nvme go to runtime_subsystem.c. */
#include "control/control_priv.h"

#include "tls/tls.h"

#include <stdio.h>
#include <string.h>

#define SECRET_BYTES 256
#define TEXTS_MAX 64

/* One rule's strings and bytes; the spec points into it. */
struct rule_hold {
	const char *iqns[TEXTS_MAX], *addresses[TEXTS_MAX];
	uint8_t chap[SECRET_BYTES], mutual[SECRET_BYTES];
	uint16_t *luns;                  /* owned */
};
struct spec_hold {
	struct iscsi_target_spec spec;
	struct iscsi_lun *luns;          /* all owned from here */
	struct iscsi_rule *rules;
	struct rule_hold *holds;
	uint16_t tpgts[TEXTS_MAX];
	struct scsi_path *paths;         /* owned */
	struct iscsi_redirect redirects[TEXTS_MAX];
	uint8_t chap[SECRET_BYTES], mutual[SECRET_BYTES];
	size_t rule_room;
	const json_t *host_states;       /* borrowed from the target that runs; may be NULL */
	json_t *keep;                    /* array: the objects that strings are borrowed from */
};

static void spec_done(struct spec_hold *h)
{
	for (size_t i = 0; i < h->rule_room; i++) {
		explicit_bzero(h->holds[i].chap, SECRET_BYTES);
		explicit_bzero(h->holds[i].mutual, SECRET_BYTES);
		free(h->holds[i].luns);
	}
	explicit_bzero(h->chap, SECRET_BYTES);
	explicit_bzero(h->mutual, SECRET_BYTES);
	free(h->holds);
	free(h->rules);
	free(h->paths);
	free(h->luns);
	json_decref(h->keep);
}

static size_t fill_texts(const json_t *array, const char **to)
{
	size_t i, n = 0;
	json_t *v;
	json_array_foreach((json_t *)array, i, v)
		if (n < TEXTS_MAX)
			to[n++] = json_string_value(v);
	return n;
}

static int get_secret(const json_t *host, const char *field, uint8_t *buf, size_t *ret_len)
{
	struct config_error e;
	const char *name = text_of(host, "name");
	int r = config_secret(ctl.db, MODEL_HOST, text_of(host, "id"), field, buf, SECRET_BYTES, ret_len, &e);
	if (r)
		alert_raise(LOG_LEVEL_ERROR, "host.secret", name, "host %s may not log in: %s", name, e.why);
	return r;
}

/* A host that says nothing about iSCSI (only NVMe names, or nothing) gets no rule: an empty one would let everybody in. */
static bool host_speaks_iscsi(const json_t *host)
{
	return json_array_size(json_object_get(host, "iqns")) || json_array_size(json_object_get(host, "addresses")) || *text_of(host, "chap_user");
}

static int add_rule(struct spec_hold *h, const json_t *host, const json_t *luns)
{
	struct rule_hold *hold = &h->holds[h->spec.rule_count];
	struct iscsi_rule *rule = &h->rules[h->spec.rule_count];
	if (!host_speaks_iscsi(host) || h->spec.rule_count == h->rule_room)
		return 0;
	*rule = (struct iscsi_rule){ .host = text_of(host, "name"), .iqns = hold->iqns, .addresses = hold->addresses };
	rule->iqn_count = fill_texts(json_object_get(host, "iqns"), hold->iqns);
	rule->address_count = fill_texts(json_object_get(host, "addresses"), hold->addresses);
	if (*text_of(host, "chap_user")) {
		rule->chap_user = text_of(host, "chap_user");
		rule->chap_secret = hold->chap;
		if (get_secret(host, "chap_secret", hold->chap, &rule->chap_secret_len))
			return 0;        /* no rule: nobody gets in without the secret that was asked for */
	}
	if (*text_of(host, "mutual_user")) {
		rule->mutual_user = text_of(host, "mutual_user");
		rule->mutual_secret = hold->mutual;
		if (get_secret(host, "mutual_secret", hold->mutual, &rule->mutual_secret_len))
			return 0;
	}
	size_t n = json_array_size(luns);
	if (n) {
		rule->luns = hold->luns = calloc(n, sizeof(*hold->luns));
		if (!hold->luns)
			return -ENOMEM;
		for (size_t i = 0; i < n; i++)
			hold->luns[i] = (uint16_t)strtoul(json_string_value(json_array_get(luns, i)), NULL, 10);
		rule->lun_count = n;
	}
	if (!config_key_problem(ctl.db))
		alert_resolve("host.secret", rule->host);
	h->spec.rule_count++;
	return 0;
}

static int fill_luns(struct spec_hold *h, const char *target_id)
{
	struct config_error e;
	json_t *rows, *row;
	size_t i;
	int r = rows_where(MODEL_LUN, "target", target_id, &rows, &e);
	if (r)
		return r;
	h->luns = calloc(json_array_size(rows) + 1, sizeof(*h->luns));
	json_array_foreach(rows, i, row) {
		struct rt_volume *v = rt_volume_find(text_of(row, "volume"));
		if (h->luns && v && v->unit)
			h->luns[h->spec.lun_count++] = (struct iscsi_lun){ .lun = (uint16_t)int_of(row, "lun"), .read_only = true_of(row, "read_only"), .unit = v->unit };
	}
	json_decref(rows);
	h->spec.luns = h->luns;
	return h->luns ? 0 : -ENOMEM;
}

int access_hosts(const json_t *access, json_t *list, struct config_error *e)
{
	json_t *luns = json_object_get(access, "luns"), *host, *group, *member;
	const char *id = json_string_value(json_object_get(access, "host"));
	size_t i;
	int r = 0;
	if (id) {
		r = row_get(MODEL_HOST, id, &host, e);
		return r ? r : json_array_append_new(list, json_pack("{s:o, s:O}", "host", host, "luns", luns));
	}
	r = row_get(MODEL_HOST_GROUP, text_of(access, "group"), &group, e);
	if (r)
		return r;
	json_array_foreach(json_object_get(group, "hosts"), i, member) {
		r = row_get(MODEL_HOST, json_string_value(member), &host, e);
		if (r)
			break;
		json_array_append_new(list, json_pack("{s:o, s:O}", "host", host, "luns", luns));
	}
	json_decref(group);
	return r;
}

static int fill_rules(struct spec_hold *h, const char *target_id)
{
	struct config_error e;
	json_t *rows, *row;
	size_t i;
	int r = rows_where(MODEL_ACCESS, "target", target_id, &rows, &e);
	if (r)
		return r;
	json_array_foreach(rows, i, row)
		if (!r)
			r = access_hosts(row, h->keep, &e);
	json_decref(rows);
	h->rule_room = json_array_size(h->keep);
	h->rules = calloc(h->rule_room + 1, sizeof(*h->rules));
	h->holds = calloc(h->rule_room + 1, sizeof(*h->holds));
	if (!h->rules || !h->holds)
		r = -ENOMEM;
	json_array_foreach(h->keep, i, row)
		if (!r)
			r = add_rule(h, json_object_get(row, "host"), json_object_get(row, "luns"));
	h->spec.rules = h->rules;
	return r;
}

/* What the target asks of hosts without CHAP of their own.  A secret that cannot be had locks them out. */
static int fill_chap(struct spec_hold *h, const json_t *row)
{
	struct config_error e;
	const char *id = text_of(row, "id");
	int r = 0;
	if (!*text_of(row, "chap_user"))
		return 0;
	h->spec.chap_user = text_of(row, "chap_user");
	h->spec.chap_secret = h->chap;
	r = config_secret(ctl.db, MODEL_TARGET, id, "chap_secret", h->chap, SECRET_BYTES, &h->spec.chap_secret_len, &e);
	if (!r && *text_of(row, "mutual_user")) {
		h->spec.mutual_user = text_of(row, "mutual_user");
		h->spec.mutual_secret = h->mutual;
		r = config_secret(ctl.db, MODEL_TARGET, id, "mutual_secret", h->mutual, SECRET_BYTES, &h->spec.mutual_secret_len, &e);
	}
	if (!r) {
		if (!config_key_problem(ctl.db))
			alert_resolve("target.secret", text_of(row, "name"));
		return 0;
	}
	alert_raise(LOG_LEVEL_ERROR, "target.secret", text_of(row, "name"), "nobody without CHAP of their own may log in to target %s: %s", text_of(row, "name"), e.why);
	h->spec.mutual_user = NULL;
	h->spec.chap_secret_len = 32;
	return tls_random(h->chap, 32);
}

static void fill_places(struct spec_hold *h, const json_t *row)
{
	const json_t *groups = json_object_get(row, "portal_groups"), *redirects = json_object_get(row, "redirects");
	json_t *v;
	size_t i;
	json_array_foreach((json_t *)groups, i, v)
		if (h->spec.tpgt_count < TEXTS_MAX)
			h->tpgts[h->spec.tpgt_count++] = (uint16_t)strtoul(json_string_value(v), NULL, 10);
	json_array_foreach((json_t *)redirects, i, v) {
		const char *s = json_string_value(v), *equals = strchr(s, '=');
		if (h->spec.redirect_count < TEXTS_MAX)
			h->redirects[h->spec.redirect_count++] =
				(struct iscsi_redirect){ equals ? (uint16_t)strtoul(s, NULL, 10) : 0, equals ? equals + 1 : s };
	}
	h->spec.tpgts = h->tpgts;
	h->spec.redirects = h->redirects;
	h->spec.redirect_permanent = true_of(row, "redirect_permanent");
}

static void add_path(struct spec_hold *h, const json_t *states, uint16_t group)
{
	bool offered = !h->spec.tpgt_count;
	for (size_t i = 0; i < h->spec.tpgt_count; i++)
		offered |= h->tpgts[i] == group;
	for (size_t i = 0; i < h->spec.path_count; i++)
		if (h->paths[i].group == group)
			return;
	if (offered)
		h->paths[h->spec.path_count++] = path_state_of(states, h->host_states, group);
}

/* The portal groups that the target is reached by: hosts hear of all of them on each. */
static int fill_paths(struct spec_hold *h, const json_t *row)
{
	const json_t *states = json_object_get(row, "path_states");
	struct config_error e;
	json_t *rows, *portal, *state;
	const char *group;
	size_t i;
	int r = rows_where(MODEL_PORTAL, "protocol", "iscsi", &rows, &e);
	if (r)
		return r;
	h->paths = calloc(json_array_size(rows) + json_object_size(states) + 1, sizeof(*h->paths));
	json_array_foreach(rows, i, portal)
		if (h->paths)
			add_path(h, states, (uint16_t)int_of(portal, "group_tag"));
	json_object_foreach((json_t *)states, group, state)
		if (h->paths)
			add_path(h, states, (uint16_t)strtoul(group, NULL, 10));
	json_decref(rows);
	h->spec.paths = h->paths;
	return h->paths ? 0 : -ENOMEM;
}

static int spec_make(const json_t *row, struct spec_hold *h)
{
	const struct rt_target *t = rt_target_find(text_of(row, "id"));
	*h = (struct spec_hold){ .keep = json_array(), .host_states = t ? t->host_states : NULL };
	h->spec.hosts_set_paths = true_of(row, "explicit_alua");
	h->spec.name = text_of(row, "qualified_name");
	h->spec.alias = text_of(row, "alias");
	h->spec.enabled = true_of(row, "enabled");
	h->spec.allow_any = true_of(row, "allow_any");
	h->spec.header_digest_required = true_of(row, "header_digest_required");
	h->spec.data_digest_required = true_of(row, "data_digest_required");
	fill_places(h, row);
	int r = h->keep ? fill_luns(h, text_of(row, "id")) : -ENOMEM;
	if (!r)
		r = fill_paths(h, row);
	if (!r)
		r = fill_chap(h, row);
	if (!r)
		r = fill_rules(h, text_of(row, "id"));
	if (r)
		spec_done(h);
	return r;
}

/* ---- life ------------------------------------------------------------------------------------------------ */
struct rt_target *rt_target_find(const char *id)
{
	struct node *n = registry_find(&ctl.targets, id);
	return n ? container_of(n, struct rt_target, node) : NULL;
}

/* Makes what serves the target, or updates it. */
static int target_apply(struct rt_target *t, const json_t *row, char *why, size_t why_bytes)
{
	struct spec_hold h;
	if (t->nvme)
		return rt_subsystem_apply(row, &t->subsystem, why, why_bytes);
	int r = spec_make(row, &h);
	if (r)
		return r;
	r = t->target ? iscsi_target_update(t->target, &h.spec, why, why_bytes) : iscsi_target_add(&h.spec, &t->target, why, why_bytes);
	spec_done(&h);
	return r;
}

int rt_target_add(const json_t *row, char *why, size_t why_bytes)
{
	struct rt_target *t = calloc(1, sizeof(*t));
	if (!t)
		return -ENOMEM;
	t->nvme = strcmp(text_of(row, "protocol"), "nvme") == 0;
	int r = target_apply(t, row, why, why_bytes);
	if (r && ctl.started) {
		free(t);
		return r;
	}
	snprintf(t->name, sizeof(t->name), "%s", text_of(row, "qualified_name"));
	registry_add(&ctl.targets, &t->node, text_of(row, "id"));
	if (r) {                         /* at start a broken one keeps its place */
		snprintf(t->reason, sizeof(t->reason), "%s", *why ? why : strerror(-r));
		alert_raise(LOG_LEVEL_ERROR, "target.failed", text_of(row, "name"), "target %s is not served: %s", text_of(row, "name"), t->reason);
		retry_soon(VOLUME_RETRY_S);
	}
	return 0;
}

int rt_target_update(const json_t *row, char *why, size_t why_bytes)
{
	struct rt_target *t = rt_target_find(text_of(row, "id"));
	if (!t) {
		snprintf(why, why_bytes, "the target is not running");
		return -ENOENT;
	}
	int r = target_apply(t, row, why, why_bytes);
	if (!r)
		alert_resolve("target.failed", text_of(row, "name"));
	return r;
}

void rt_target_remove(const char *id)
{
	struct rt_target *t = rt_target_find(id);
	if (!t)
		return;
	if (t->target)
		iscsi_target_remove(t->target);
	if (t->subsystem)
		nvmf_subsystem_remove(t->subsystem);
	registry_remove(&ctl.targets, &t->node);
	json_decref(t->host_states);
	free(t);
}

void rt_target_preview(const json_t *row, unsigned *ret_touched, unsigned *ret_closed)
{
	struct spec_hold h;
	struct rt_target *t = rt_target_find(text_of(row, "id"));
	*ret_touched = *ret_closed = 0;
	if (t && t->subsystem)
		rt_subsystem_preview(row, t->subsystem, ret_touched, ret_closed);
	if (!t || !t->target || spec_make(row, &h))
		return;
	if (iscsi_target_preview(t->target, &h.spec, ret_touched, ret_closed))
		*ret_touched = *ret_closed = 0;
	spec_done(&h);
}

bool target_retry_all(void)
{
	bool left = false;
	struct node *n;
	list_for_each(n, &ctl.targets.all, all) {
		struct rt_target *t = container_of(n, struct rt_target, node);
		struct config_error e;
		char why[256] = "";
		json_t *row;
		if (t->target || t->subsystem || row_get(MODEL_TARGET, t->node.id, &row, &e))
			continue;
		if (rt_target_update(row, why, sizeof(why)))
			left = true;
		json_decref(row);
	}
	return left;
}

int rt_target_update_by_volume(const char *volume_id)
{
	struct config_error e;
	json_t *rows, *row;
	size_t i;
	int r = rows_where(MODEL_LUN, "volume", volume_id, &rows, &e);
	if (r)
		return r;
	json_array_foreach(rows, i, row) {
		char why[256] = "";
		json_t *target;
		if (row_get(MODEL_TARGET, text_of(row, "target"), &target, &e))
			continue;
		int one = rt_target_update(target, why, sizeof(why));
		r = r ? r : one;
		json_decref(target);
	}
	json_decref(rows);
	return r;
}

struct count_sessions {
	const char *name;
	unsigned n;
};
static void count_session(void *arg, const struct iscsi_session_info *s)
{
	struct count_sessions *c = arg;
	c->n += !s->discovery && strcmp(s->target, c->name) == 0;
}
static void count_association(void *arg, const struct nvmf_session_info *s)
{
	struct count_sessions *c = arg;
	c->n += !s->discovery && strcmp(s->subsystem, c->name) == 0;
}
unsigned target_session_count(const char *name)
{
	struct count_sessions c = { name, 0 };
	iscsi_session_each(count_session, &c);
	nvmf_session_each(count_association, &c);
	return c.n;
}
