/* SPDX-License-Identifier: GPL-3.0-or-later */
/* bundle.c - several changes that make one wish true: gathered with what they are about, run as one batch.
 * What is there already is listed too, so that people see the whole. */
#include "control/control_priv.h"

#include <stdio.h>
#include <string.h>

int bundle_init(struct bundle *b)
{
	*b = (struct bundle){ .keep = json_array(), .objects = json_array() };
	return b->keep && b->objects ? 0 : -ENOMEM;
}

void bundle_done(struct bundle *b)
{
	json_decref(TAKE(b->keep));
	json_decref(TAKE(b->objects));
}

static const char *const verb_names[] = { [CONTROL_CREATE] = "create", [CONTROL_UPDATE] = "update", [CONTROL_DELETE] = "delete" };

static int add(struct bundle *b, enum control_verb verb, enum model_kind k, const char *id, const char *name, json_t *body)
{
	json_t *key = id ? json_string(id) : NULL;
	if ((!body && verb != CONTROL_DELETE) || (id && !key) || b->count == ARRAY_COUNT(b->change)) {
		json_decref(body);
		json_decref(key);
		return b->count == ARRAY_COUNT(b->change) ? -E2BIG : -ENOMEM;
	}
	if (body)
		json_array_append_new(b->keep, body);
	if (key)
		json_array_append_new(b->keep, key);
	b->change[b->count++] = (struct control_change){ .verb = verb, .kind = k, .id = json_string_value(key), .body = body };
	json_array_append_new(b->objects, json_pack("{s:s, s:s, s:s?, s:s?, s:i}", "kind", models[k].name, "verb", verb_names[verb], "id", id, "name", name,
						    "\x01change", (int)b->count - 1));
	return 0;
}

int bundle_create(struct bundle *b, enum model_kind k, json_t *body)
{
	const char *name = text_of(body, "name");
	return add(b, CONTROL_CREATE, k, NULL, *name ? name : NULL, body);
}

int bundle_update(struct bundle *b, enum model_kind k, const char *id, const char *name, json_t *patch)
{
	return add(b, CONTROL_UPDATE, k, id, name, patch);
}

int bundle_delete(struct bundle *b, enum model_kind k, const char *id, const char *name)
{
	return add(b, CONTROL_DELETE, k, id, name, NULL);
}

int bundle_found(struct bundle *b, enum model_kind k, const json_t *row)
{
	char label[160];
	object_label(k, row, label, sizeof(label));
	return json_array_append_new(b->objects, json_pack("{s:s, s:s, s:s, s:s}", "kind", models[k].name, "verb", "keep", "id", text_of(row, "id"), "name", label)) ? -ENOMEM : 0;
}

/* The member of the wish that a refusal is about: "volume.size_bytes". */
static void tell_failure(const struct bundle *b, const struct control_result *results, struct config_error *e)
{
	for (size_t i = 0; i < b->count; i++) {
		const struct config_error *r = &results[i].error;
		if (r->code == 0 || r->code == -ECANCELED)
			continue;
		*e = *r;
		snprintf(e->field, sizeof(e->field), "%.20s%s%.40s", models[b->change[i].kind].name, *r->field ? "." : "", r->field);
		return;
	}
}

static void fill_objects(struct bundle *b, const struct control_result *results)
{
	json_t *o, *at;
	size_t i;
	json_array_foreach(b->objects, i, o) {
		if (!(at = json_object_get(o, "\x01change")))
			continue;
		size_t n = (size_t)json_integer_value(at);
		const json_t *object = results[n].object;
		char label[160];
		if (object) {
			object_label(b->change[n].kind, object, label, sizeof(label));
			json_object_set_new(o, "name", json_string(label));
			json_object_set(o, "id", json_object_get(object, "id"));
			json_object_set(o, "object", (json_t *)object);
		}
		json_object_del(o, "\x01change");
	}
}

int bundle_run(struct bundle *b, const struct config_actor *who, bool dry_run, json_t **ret_plan, struct config_error *e)
{
	struct control_result results[ARRAY_COUNT(b->change)] = { 0 };
	struct batch batch = { .change = b->change, .count = b->count, .result = results };
	int r = 0;
	for (size_t i = 0; i < b->count; i++) {
		b->change[i].actor = *who;
		b->change[i].dry_run = dry_run;
	}
	if (b->count) {
		r = batch_run(&batch, who, dry_run);
		batch_done(&batch);
	}
	if (r) {
		config_fail(e, r, "", "%s", strerror(-r));
		tell_failure(b, results, e);
	} else {
		fill_objects(b, results);
		*ret_plan = results[0].plan ? json_incref(results[0].plan) : dry_run ? json_pack("{s:[], s:i, s:i}", "steps", "sessions_touched", 0, "sessions_closed", 0) : NULL;
	}
	for (size_t i = 0; i < b->count; i++)
		control_result_done(&results[i]);
	return r;
}
