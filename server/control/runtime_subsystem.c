/* SPDX-License-Identifier: GPL-3.0-or-later */
/* runtime_subsystem.c - from the rows of a target of protocol nvme to the spec that nvmf/ serves: the twin of
 * runtime_target.c's way to iscsi/.  Namespace ids are the LUNs of its rows. */
#include "control/control_priv.h"

#include <stdio.h>
#include <string.h>

#include "core/keytext.h"

#define TEXTS_MAX 64

struct rule_hold {                       /* one rule's strings; the spec points into it */
	const char *nqns[TEXTS_MAX], *addresses[TEXTS_MAX];
	uint32_t *nsids;                 /* owned */
	char dhchap[KEY_TEXT_BYTES], dhchap_ctrl[KEY_TEXT_BYTES], tls_psk[KEY_TEXT_BYTES];
};
struct spec_hold {
	struct nvmf_subsystem_spec spec;
	char serial[24];
	struct nvmf_ns *namespaces;      /* all owned from here */
	struct nvmf_rule *rules;
	struct rule_hold *holds;
	size_t rule_room;
	struct nvmf_path *paths;
	json_t *keep;                    /* array: the objects that strings are borrowed from */
};

static void spec_done(struct spec_hold *h)
{
	for (size_t i = 0; i < h->rule_room && h->holds; i++)
		free(h->holds[i].nsids);
	if (h->holds)
		explicit_bzero(h->holds, h->rule_room * sizeof(*h->holds));
	free(h->holds);
	free(h->rules);
	free(h->paths);
	free(h->namespaces);
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

/* No rule for a host that says nothing about NVMe: an empty one would let everybody in. */
static bool host_may_have_rule(const json_t *host)
{
	return json_array_size(json_object_get(host, "nqns")) || json_array_size(json_object_get(host, "addresses"));
}

/* One key of a host as text; *ret_text stays NULL without one.  A key that cannot be had, or is none, makes the rule
 * one that refuses: without a rule, or without the key, the host could get in unproved. */
static void fill_key(const json_t *host, const char *field, enum keytext_kind kind, char *buf, const char **ret_text, struct nvmf_rule *rule)
{
	struct config_error e = { 0 };
	struct keytext key = { 0 };
	size_t len = 0;
	const char *why;
	if (!true_of(host, field) || rule->refuse)
		return;
	int r = config_secret(ctl.db, MODEL_HOST, text_of(host, "id"), field, (uint8_t *)buf, KEY_TEXT_BYTES - 1, &len, &e);
	buf[r ? 0 : len] = '\0';
	if (!r && keytext_parse(kind, buf, &key, &why)) {
		r = -EINVAL;
		snprintf(e.why, sizeof(e.why), "its %s %s", field, why);
	}
	explicit_bzero(&key, sizeof(key));
	if (!r) {
		*ret_text = buf;
		return;
	}
	alert_raise(LOG_LEVEL_ERROR, "host.nvme-key", rule->host, "host %s may not connect: %s", rule->host, e.why);
	rule->refuse = "the key that is set for the host cannot be used; see the alerts of the server";
}

static void fill_keys(const json_t *host, struct rule_hold *hold, struct nvmf_rule *rule)
{
	fill_key(host, "dhchap_key", KEY_DHCHAP, hold->dhchap, &rule->dhchap_key, rule);
	fill_key(host, "dhchap_ctrl_key", KEY_DHCHAP, hold->dhchap_ctrl, &rule->dhchap_ctrl_key, rule);
	fill_key(host, "tls_psk", KEY_TLS_PSK, hold->tls_psk, &rule->tls_psk, rule);
	if (rule->refuse)
		rule->dhchap_key = rule->dhchap_ctrl_key = rule->tls_psk = NULL;
	else
		alert_resolve("host.nvme-key", rule->host);
}

static int add_rule(struct spec_hold *h, const json_t *host, const json_t *luns)
{
	struct rule_hold *hold = &h->holds[h->spec.rule_count];
	struct nvmf_rule *rule = &h->rules[h->spec.rule_count];
	size_t n = json_array_size(luns);
	if (h->spec.rule_count == h->rule_room || !host_may_have_rule(host))
		return 0;
	*rule = (struct nvmf_rule){ .host = text_of(host, "name"), .nqns = hold->nqns, .addresses = hold->addresses };
	rule->nqn_count = fill_texts(json_object_get(host, "nqns"), hold->nqns);
	rule->address_count = fill_texts(json_object_get(host, "addresses"), hold->addresses);
	fill_keys(host, hold, rule);
	if (n) {
		rule->nsids = hold->nsids = calloc(n, sizeof(*hold->nsids));
		if (!hold->nsids)
			return -ENOMEM;
		for (size_t i = 0; i < n; i++)
			hold->nsids[i] = (uint32_t)strtoul(json_string_value(json_array_get(luns, i)), NULL, 10);
		rule->nsid_count = n;
	}
	h->spec.rule_count++;
	return 0;
}

static int fill_namespaces(struct spec_hold *h, const char *target_id)
{
	struct config_error e;
	json_t *rows, *row;
	size_t i;
	int r = rows_where(MODEL_LUN, "target", target_id, &rows, &e);
	if (r)
		return r;
	h->namespaces = calloc(json_array_size(rows) + 1, sizeof(*h->namespaces));
	json_array_foreach(rows, i, row) {
		struct rt_volume *v = rt_volume_find(text_of(row, "volume"));
		if (h->namespaces && v && v->volume)
			h->namespaces[h->spec.namespace_count++] =
				(struct nvmf_ns){ .nsid = (uint32_t)int_of(row, "lun"), .read_only = true_of(row, "read_only"), .volume = v->volume };
	}
	json_decref(rows);
	h->spec.namespaces = h->namespaces;
	return h->namespaces ? 0 : -ENOMEM;
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
		return -ENOMEM;
	json_array_foreach(h->keep, i, row)
		if (!r)
			r = add_rule(h, json_object_get(row, "host"), json_object_get(row, "luns"));
	h->spec.rules = h->rules;
	return r;
}

static int fill_paths(struct spec_hold *h, const json_t *row)
{
	static const char *const states[] = {
		[NVMF_PATH_OPTIMIZED] = "optimized", [NVMF_PATH_NONOPTIMIZED] = "non-optimized",
		[NVMF_PATH_INACCESSIBLE] = "inaccessible", [NVMF_PATH_CHANGE] = "change",
	};
	json_t *map = json_object_get(row, "path_states"), *state;
	const char *group;
	h->paths = calloc(json_object_size(map) + 1, sizeof(*h->paths));
	if (!h->paths)
		return -ENOMEM;
	json_object_foreach(map, group, state)
		for (size_t i = 0; i < ARRAY_COUNT(states); i++)
			if (strcmp(json_string_value(state), states[i]) == 0)
				h->paths[h->spec.path_count++] = (struct nvmf_path){ (uint16_t)strtoul(group, NULL, 10), (enum nvmf_path_state)i };
	h->spec.paths = h->paths;
	return 0;
}

/* The serial: the first 20 hex digits of the target's id, so it stays for the target's life. */
static void fill_serial(struct spec_hold *h, const char *id)
{
	size_t n = 0;
	for (; *id && n < 20; id++)
		if (*id != '-')
			h->serial[n++] = *id;
	h->spec.serial = h->serial;
}

static int spec_make(const json_t *row, struct spec_hold *h)
{
	*h = (struct spec_hold){ .keep = json_array() };
	h->spec.nqn = text_of(row, "qualified_name");
	h->spec.enabled = true_of(row, "enabled");
	h->spec.allow_any = true_of(row, "allow_any");
	h->spec.require_auth = true_of(row, "require_auth");
	h->spec.require_tls = true_of(row, "require_tls");
	h->spec.static_controllers = (uint16_t)int_of(row, "static_controllers");
	fill_serial(h, text_of(row, "id"));
	int r = h->keep ? fill_namespaces(h, text_of(row, "id")) : -ENOMEM;
	if (!r)
		r = fill_paths(h, row);
	if (!r)
		r = fill_rules(h, text_of(row, "id"));
	if (r)
		spec_done(h);
	return r;
}

int rt_subsystem_apply(const json_t *row, struct nvmf_subsystem **subsystem, char *why, size_t why_bytes)
{
	struct spec_hold h;
	int r = spec_make(row, &h);
	if (r)
		return r;
	r = *subsystem ? nvmf_subsystem_update(*subsystem, &h.spec, why, why_bytes) : nvmf_subsystem_add(&h.spec, subsystem, why, why_bytes);
	spec_done(&h);
	return r;
}

void rt_subsystem_preview(const json_t *row, struct nvmf_subsystem *n, unsigned *ret_touched, unsigned *ret_closed)
{
	struct spec_hold h;
	if (spec_make(row, &h))
		return;
	if (nvmf_subsystem_preview(n, &h.spec, ret_touched, ret_closed))
		*ret_touched = *ret_closed = 0;
	spec_done(&h);
}
