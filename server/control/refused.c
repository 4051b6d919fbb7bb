/* SPDX-License-Identifier: GPL-3.0-or-later */
/* refused.c - the inbox: hosts that knocked and were not let in, so that a person can let them in.
 *
 * Whoever can reach a portal can cause refusals, so the list is bounded: one entry per protocol, name, target, address
 * and reason, counted; an event for the first of a minute.  An entry's id is made from what it is about, so it is the
 * same after a restart. */
#include "control/control_priv.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "control/operate.h"
#include "control/watch_priv.h"

#define KNOCKERS_MAX 64
#define EVENT_EVERY_S 60

struct knocker {
	char id[17], protocol[8], name[224], target[224], address[64], reason[160];
	uint64_t count;
	int64_t first_s, last_s, told_s;
};
static struct knocker knockers[KNOCKERS_MAX];
static size_t knocker_count;
static bool changed;                     /* since they were kept */

/* Stable words for programs; the text is for people. */
static const char *reason_word(const char *text)
{
	static const struct {
		const char *part, *word;
	} rows[] = {
		{ "no rule", "not-allowed" },        { "not allowed", "not-allowed" },    { "may not", "not-allowed" },
		{ "no such", "no-target" },          { "disabled", "disabled" },          { "not offered", "other-portal" },
		{ "CHAP", "authentication" },        { "authenticat", "authentication" }, { "secret", "authentication" },
		{ "key", "authentication" },         { "TLS", "tls-required" },           { "too many", "too-many" },
	};
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++)
		if (strstr(text, rows[i].part))
			return rows[i].word;
	return "other";
}

/* "192.0.2.7:51234" without its port: every try comes from another. */
static void strip_port(const char *peer, char *buf, size_t buf_bytes)
{
	const char *colon = strrchr(peer, ':');
	snprintf(buf, buf_bytes, "%.*s", colon ? (int)(colon - peer) : (int)strlen(peer), peer);
}

/* FNV-1a over all that makes an entry its own. */
static void id_of(const struct knocker *k, char id[17])
{
	const char *parts[] = { k->protocol, k->name, k->target, k->address, k->reason };
	uint64_t h = UINT64_C(0xcbf29ce484222325);
	for (size_t i = 0; i < ARRAY_COUNT(parts); i++)
		for (const char *p = parts[i];; p++) {
			h = (h ^ (uint8_t)*p) * UINT64_C(0x100000001b3);
			if (!*p)
				break;
		}
	snprintf(id, 17, "%016" PRIx64, h);
}

static struct knocker *knocker_find(const char *id)
{
	for (size_t i = 0; i < knocker_count; i++)
		if (strcmp(knockers[i].id, id) == 0)
			return &knockers[i];
	return NULL;
}

/* The same one, else a free place, else the one that has been quiet longest. */
static struct knocker *knocker_place(const struct knocker *like)
{
	struct knocker *k = knocker_find(like->id);
	if (k)
		return k;
	k = &knockers[0];
	if (knocker_count < KNOCKERS_MAX)
		k = &knockers[knocker_count++];
	else
		for (size_t i = 1; i < knocker_count; i++)
			if (knockers[i].last_s < k->last_s)
				k = &knockers[i];
	*k = *like;
	return k;
}

static void knocker_forget(struct knocker *k)
{
	*k = knockers[--knocker_count];
	changed = true;
}

void refused_note(const char *protocol, const char *name, const char *target, const char *peer, const char *reason)
{
	struct knocker like = { .first_s = time(NULL) };
	snprintf(like.protocol, sizeof(like.protocol), "%s", protocol);
	snprintf(like.name, sizeof(like.name), "%s", name);
	snprintf(like.target, sizeof(like.target), "%s", target);
	snprintf(like.reason, sizeof(like.reason), "%s", reason);
	strip_port(peer, like.address, sizeof(like.address));
	id_of(&like, like.id);
	struct knocker *k = knocker_place(&like);
	k->count++;
	k->last_s = time(NULL);
	changed = true;
	if (k->told_s && k->last_s >= k->told_s && k->last_s - k->told_s < EVENT_EVERY_S)
		return;
	k->told_s = k->last_s;
	event_note(LOG_LEVEL_WARN, "login.refused", target, "%s from %s was refused at %s: %s (%llu times)", *name ? name : "an initiator", peer, *target ? target : "discovery", reason,
		   (unsigned long long)k->count);
}

/* ---- kept beside the history: worth having after a restart, not worth a transaction ---------------------------------- */
void refused_save(void)
{
	json_t *list = json_array();
	if (changed && watch.history)
		for (size_t i = 0; i < knocker_count; i++) {
			const struct knocker *k = &knockers[i];
			json_t *o = json_pack("{s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:I}", "protocol", k->protocol, "name", k->name, "target", k->target, "address", k->address, "reason",
					      k->reason, "count", (json_int_t)k->count, "first_s", (json_int_t)k->first_s, "last_s", (json_int_t)k->last_s);
			if (o)
				json_array_append_new(list, o);
		}
	char *text = changed && watch.history ? json_dumps(list, JSON_COMPACT) : NULL;
	if (text && history_note_put(watch.history, "refused", text) == 0)
		changed = false;
	free(text);
	json_decref(list);
}

void refused_load(void)
{
	char *text;
	json_t *o;
	size_t i;
	knocker_count = 0;
	if (history_note_get(watch.history, "refused", &text))
		return;
	json_t *list = json_loads(text, 0, NULL);
	free(text);
	json_array_foreach(list, i, o) {
		struct knocker k = { .count = (uint64_t)int_of(o, "count"), .first_s = int_of(o, "first_s"), .last_s = int_of(o, "last_s") };
		snprintf(k.protocol, sizeof(k.protocol), "%s", text_of(o, "protocol"));
		snprintf(k.name, sizeof(k.name), "%s", text_of(o, "name"));
		snprintf(k.target, sizeof(k.target), "%s", text_of(o, "target"));
		snprintf(k.address, sizeof(k.address), "%s", text_of(o, "address"));
		snprintf(k.reason, sizeof(k.reason), "%s", text_of(o, "reason"));
		id_of(&k, k.id);
		knocker_place(&k);
	}
	json_decref(list);
	changed = false;
}

/* ---- the list ------------------------------------------------------------------------------------------------------ */
static void time_text(int64_t unix_s, char buf[32])
{
	time_t t = (time_t)unix_s;
	struct tm tm;
	gmtime_r(&t, &tm);
	strftime(buf, 32, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

static json_t *knocker_json(const struct knocker *k)
{
	char first[32], last[32];
	time_text(k->first_s, first);
	time_text(k->last_s, last);
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:I}", "id", k->id, "protocol", k->protocol, "name", k->name, "address", k->address, "target", k->target,
			 "reason", reason_word(k->reason), "text", k->reason, "first_at", first, "last_at", last, "count", (json_int_t)k->count);
}

static int newer_first(const void *a, const void *b)
{
	const struct knocker *x = *(const struct knocker *const *)a, *y = *(const struct knocker *const *)b;
	return (x->last_s < y->last_s) - (x->last_s > y->last_s);
}

json_t *refused_list(void)
{
	const struct knocker *order[KNOCKERS_MAX];
	json_t *list = json_array();
	for (size_t i = 0; i < knocker_count; i++)
		order[i] = &knockers[i];
	qsort(order, knocker_count, sizeof(order[0]), newer_first);
	for (size_t i = 0; i < knocker_count; i++) {
		json_t *o = knocker_json(order[i]); /* NULL: what the host called itself is not UTF-8 */
		if (o)
			json_array_append_new(list, o);
	}
	return list;
}

static int list_run(void *arg)
{
	*(json_t **)arg = refused_list();
	return 0;
}
json_t *control_refused(void)
{
	json_t *list = NULL;
	return reactor_call(ctl.reactor, list_run, &list) ? NULL : list;
}

struct call {
	const char *id;
	const json_t *body;
	bool dry_run;
	const struct config_actor *who;
	json_t *result;
	struct config_error *e;
};
static int dismiss_run(void *arg)
{
	struct call *c = arg;
	struct knocker *k = knocker_find(c->id);
	if (!k)
		return config_fail(c->e, -ENOENT, "", "there is no such refused host (now)");
	knocker_forget(k);
	return 0;
}
int control_refused_dismiss(const char *id, struct config_error *e)
{
	struct call c = { .id = id, .e = e };
	*e = (struct config_error){ 0 };
	return reactor_call(ctl.reactor, dismiss_run, &c);
}

/* ---- letting one in --------------------------------------------------------------------------------------------------- */
/* The target that it asked for, or the one the person names.  *ret_target NULL: it only asked what there is. */
static int target_of(const struct call *c, const struct knocker *k, json_t **ret_target)
{
	const char *wish = text_of(c->body, "target");
	json_t *rows;
	*ret_target = NULL;
	if (*wish)
		return config_get(ctl.db, MODEL_TARGET, wish, ret_target, c->e) ? config_fail(c->e, -ENOENT, "target", "there is no target called \"%.100s\"", wish) : 0;
	if (!*k->target)
		return 0;
	struct config_query q = { .where_field = "qualified_name", .where_value = k->target };
	int r = config_list(ctl.db, MODEL_TARGET, &q, &rows, c->e);
	if (r)
		return r;
	if (json_array_size(rows))
		*ret_target = json_incref(json_array_get(rows, 0));
	json_decref(rows);
	return *ret_target ? 0 : config_fail(c->e, -EINVAL, "target", "it asked for %.200s, which is no target here; say which target it may use", k->target);
}

static void add_notes(json_t *notes, const struct knocker *k, const json_t *target)
{
	const char *word = reason_word(k->reason);
	if (!target)
		json_array_append_new(notes, json_string("It only asked which targets there are, so it has no access to any yet; name a target to give it one."));
	else if (!true_of(target, "enabled"))
		json_array_append_new(notes, json_sprintf("Target %s is disabled; enable it to let hosts log in.", text_of(target, "name")));
	if (strcmp(word, "authentication") == 0)
		json_array_append_new(notes, json_string("It was refused because of its secret, which this does not change: set the same secret on the host and here."));
	if (strcmp(word, "tls-required") == 0)
		json_array_append_new(notes, json_string("It came without TLS, which this does not change: set it up on the host."));
}

static int approve_run(void *arg)
{
	struct call *c = arg;
	struct knocker *k = knocker_find(c->id);
	struct bundle b;
	char host[64];
	json_t *target = NULL, *plan = NULL, *notes = json_array();
	if (!k) {
		json_decref(notes);
		return config_fail(c->e, -ENOENT, "", "there is no such refused host (now)");
	}
	json_t *wish = json_pack("{s:s*, s:s}", "name", *text_of(c->body, "host") ? text_of(c->body, "host") : NULL, strcmp(k->protocol, "nvme") == 0 ? "nqn" : "iqn", k->name);
	int r = bundle_init(&b);
	if (!r && (!wish || !*k->name))
		r = config_fail(c->e, -EINVAL, "", "it did not say who it is, so it cannot be made a host");
	if (!r)
		r = target_of(c, k, &target);
	if (!r)
		r = bundle_host(&b, k->protocol, wish, host, c->e);
	if (!r && target)
		r = bundle_access(&b, target, host, -1, c->e);
	if (!r)
		r = bundle_run(&b, c->who, c->dry_run, &plan, c->e);
	if (!r) {
		add_notes(notes, k, target);
		c->result = json_pack("{s:O, s:O?, s:O}", "objects", b.objects, "plan", plan, "notes", notes);
		if (!c->dry_run)
			knocker_forget(k);
	}
	bundle_done(&b);
	json_decref(wish);
	json_decref(target);
	json_decref(plan);
	json_decref(notes);
	return r;
}

int control_refused_approve(const char *id, const json_t *body, bool dry_run, const struct config_actor *who, json_t **ret_result, struct config_error *e)
{
	struct call c = { .id = id, .body = body, .dry_run = dry_run, .who = who, .e = e };
	*e = (struct config_error){ 0 };
	int r = reactor_call(ctl.reactor, approve_run, &c);
	if (!r)
		*ret_result = c.result;
	return r;
}
