/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fake_control.c - see fake_control.h. */
#include "fake_control.h"

#include "control/operate.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static json_t *store[MODEL_KINDS];
static unsigned next_id = 1;
static struct config_error planned;
static struct list subscribers = LIST_INIT(subscribers);
static uint64_t event_seq;
void (*fake_control_on_status)(void);
unsigned fake_control_changes, fake_control_delay_ms;
struct control_change fake_control_last;

void fake_control_reset(void)
{
	for (int k = 0; k < MODEL_KINDS; k++) {
		json_decref(store[k]);
		store[k] = NULL;
	}
	next_id = 1;
	planned = (struct config_error){ 0 };
	fake_control_changes = 0;
	fake_control_delay_ms = 0;
}

void fake_control_fail(int code, const char *field, const char *why)
{
	pthread_mutex_lock(&lock);
	planned.code = code;
	snprintf(planned.field, sizeof(planned.field), "%s", field);
	snprintf(planned.why, sizeof(planned.why), "%s", why);
	pthread_mutex_unlock(&lock);
}

static json_t *kind_list(enum model_kind k)
{
	if (!store[k])
		store[k] = json_array();
	return store[k];
}

static json_t *find(enum model_kind k, const char *id, size_t *ret_at)
{
	json_t *o;
	size_t i;

	json_array_foreach(kind_list(k), i, o) {
		const char *names[] = { "id", "name", "key" };

		for (size_t n = 0; n < ARRAY_COUNT(names); n++) {
			const char *v = json_string_value(json_object_get(o, names[n]));

			if (v && id && strcmp(v, id) == 0) {
				*ret_at = i;
				return o;
			}
		}
	}
	return NULL;
}

static int fail(struct config_error *e, int code, const char *field, const char *why)
{
	e->code = code;
	snprintf(e->field, sizeof(e->field), "%s", field);
	snprintf(e->why, sizeof(e->why), "%s", why);
	return code;
}

static int check_fields(const struct control_change *c, struct config_error *e)
{
	const struct model *m = &models[c->kind];
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)c->body, key, value) {
		const struct field *f = model_field(m, key);

		if (!f || (f->flags & FIELD_SERVER))
			return fail(e, -EINVAL, key, "There is no such field.");
	}
	for (size_t i = 0; c->verb == CONTROL_CREATE && i < m->field_count; i++)
		if ((m->fields[i].flags & FIELD_REQUIRED) && !json_object_get(c->body, m->fields[i].name))
			return fail(e, -EINVAL, m->fields[i].name, "It is required.");
	return 0;
}

static int create(const struct control_change *c, struct control_result *r)
{
	const struct model *m = &models[c->kind];
	const char *name = json_string_value(json_object_get(c->body, "name"));
	char id[40];
	json_t *o;
	size_t at;

	if (name && find(c->kind, name, &at))
		return fail(&r->error, -EEXIST, "name", "The name is taken.");
	o = json_object();
	snprintf(id, sizeof(id), "00000000-0000-4000-8000-%012u", next_id++);
	json_object_set_new(o, "id", json_string(id));
	json_object_set_new(o, "revision", json_integer(1));
	for (size_t i = 0; i < m->field_count; i++)
		if (m->fields[i].default_json)
			json_object_set_new(o, m->fields[i].name,
					    json_loads(m->fields[i].default_json, JSON_DECODE_ANY, NULL));
	json_object_update(o, (json_t *)c->body);
	r->object = json_deep_copy(o);
	if (c->dry_run)
		json_decref(o);
	else
		json_array_append_new(kind_list(c->kind), o);
	r->revision = c->dry_run ? 0 : 1;
	return 0;
}

static int update(const struct control_change *c, struct control_result *r)
{
	size_t at;
	json_t *o = find(c->kind, c->id, &at), *now, *value;
	const char *key;

	if (!o)
		return fail(&r->error, -ENOENT, "", "There is none called that.");
	if (c->if_match && (uint64_t)json_integer_value(json_object_get(o, "revision")) != c->if_match)
		return fail(&r->error, -ESTALE, "", "It has changed since.");
	now = json_deep_copy(o);
	json_object_foreach((json_t *)c->body, key, value)
		json_object_set(now, key, value);
	json_object_set_new(now, "revision", json_integer(json_integer_value(json_object_get(o, "revision")) + 1));
	r->object = json_deep_copy(now);
	if (c->dry_run)
		json_decref(now);
	else
		json_array_set_new(kind_list(c->kind), at, now);
	r->revision = c->dry_run ? 0 : 2;
	return 0;
}

static int delete_object(const struct control_change *c, struct control_result *r)
{
	size_t at;
	json_t *o = find(c->kind, c->id, &at);

	if (!o)
		return fail(&r->error, -ENOENT, "", "There is none called that.");
	if (c->if_match && (uint64_t)json_integer_value(json_object_get(o, "revision")) != c->if_match)
		return fail(&r->error, -ESTALE, "", "It has changed since.");
	if (!c->dry_run)
		json_array_remove(kind_list(c->kind), at);
	r->revision = c->dry_run ? 0 : 3;
	return 0;
}

static int change(const struct control_change *c, struct control_result *r)
{
	int code;

	if (planned.code) {
		r->error = planned;
		planned = (struct config_error){ 0 };
		return r->error.code;
	}
	fake_control_last = *c;
	code = c->verb == CONTROL_DELETE ? 0 : check_fields(c, &r->error);
	if (code == 0)
		code = c->verb == CONTROL_CREATE ? create(c, r) : c->verb == CONTROL_UPDATE ? update(c, r) : delete_object(c, r);
	if (code == 0 && !c->dry_run)
		fake_control_changes++;
	if (code == 0)
		r->plan = json_pack("{s:[{s:s}], s:i, s:i}", "steps", "action", "fake", "sessions_touched", 0,
				    "sessions_closed", 0);
	return code;
}

int control_change(const struct control_change *c, struct control_result *r)
{
	int code;

	*r = (struct control_result){ 0 };
	pthread_mutex_lock(&lock);
	if (fake_control_delay_ms)
		usleep(fake_control_delay_ms * 1000);
	code = change(c, r);
	pthread_mutex_unlock(&lock);
	return code;
}

int control_change_many(const struct control_change *c, size_t count, struct control_result *results)
{
	json_t *before[MODEL_KINDS];
	unsigned changes = fake_control_changes;
	int code = 0;

	pthread_mutex_lock(&lock);
	for (int k = 0; k < MODEL_KINDS; k++)
		before[k] = json_deep_copy(kind_list((enum model_kind)k));
	for (size_t i = 0; i < count && code == 0; i++)
		code = change(&c[i], &results[i]);
	for (int k = 0; k < MODEL_KINDS; k++) {
		if (code < 0) {
			json_decref(store[k]);
			store[k] = before[k];
		} else {
			json_decref(before[k]);
		}
	}
	if (code < 0)
		fake_control_changes = changes;
	pthread_mutex_unlock(&lock);
	return code;
}

void control_result_done(struct control_result *r)
{
	json_decref(r->object);
	json_decref(r->plan);
	r->object = r->plan = NULL;
}

int control_get(enum model_kind k, const char *id, json_t **ret_object, struct config_error *e)
{
	size_t at;
	json_t *o;
	int code = 0;

	pthread_mutex_lock(&lock);
	o = find(k, id, &at);
	if (o)
		*ret_object = json_deep_copy(o);
	else
		code = fail(e, -ENOENT, "", "There is none called that.");
	pthread_mutex_unlock(&lock);
	return code;
}

static bool matches(const json_t *o, const char *field, const char *value)
{
	const json_t *v = field ? json_object_get(o, field) : NULL;
	char text[32];

	if (!field)
		return true;
	if (json_is_integer(v)) {
		snprintf(text, sizeof(text), "%lld", (long long)json_integer_value(v));
		return strcmp(text, value) == 0;
	}
	if (json_is_boolean(v))
		return strcmp(json_is_true(v) ? "true" : "false", value) == 0;
	return json_is_string(v) && strcmp(json_string_value(v), value) == 0;
}

int control_list(enum model_kind k, const struct config_query *q, json_t **ret_array, struct config_error *e)
{
	json_t *out = json_array(), *o;
	size_t i, at = 0;

	pthread_mutex_lock(&lock);
	if (q->after_id && !find(k, q->after_id, &at)) {
		pthread_mutex_unlock(&lock);
		json_decref(out);
		return fail(e, -ENOENT, "", "No such cursor.");
	}
	json_array_foreach(kind_list(k), i, o)
		if ((!q->after_id || i > at) && matches(o, q->where_field, q->where_value) &&
		    matches(o, q->where_field2, q->where_value2) && (!q->limit || json_array_size(out) < q->limit))
			json_array_append_new(out, json_deep_copy(o));
	pthread_mutex_unlock(&lock);
	*ret_array = out;
	return 0;
}

int control_count(enum model_kind k, const struct config_query *q, uint64_t *ret_count, struct config_error *e)
{
	(void)q, (void)e;
	*ret_count = json_array_size(kind_list(k));
	return 0;
}

json_t *control_status(void)
{
	if (fake_control_on_status)
		fake_control_on_status();
	return json_pack("{s:s}", "version", "test");
}

json_t *control_sessions(void)
{
	return json_pack("[{s:i, s:s, s:s}, {s:i, s:s, s:s}]", "id", 7, "initiator", "iqn.2026-11.test:a", "target", "t1", "id",
			 8, "initiator", "iqn.2026-11.test:b", "target", "t1");
}

int control_session_close(uint64_t id, uint64_t ban_s, struct config_error *e)
{
	(void)ban_s;
	return id == 7 ? 0 : fail(e, -ENOENT, "", "There is no such session.");
}

json_t *control_plugins(void)
{
	return json_pack("[{s:s}, {s:s}]", "name", "file", "name", "ram");
}

char *control_metrics(void)
{
	return strdup("holdfast_up 1\n");
}

json_t *control_export(void)
{
	return json_pack("{s:i, s:[]}", "version", 1, "pools");
}

json_t *control_export_sealed(void)
{
	return json_pack("{s:i, s:[], s:s}", "version", 1, "pools", "secrets", "sealed");
}

int control_import(const json_t *doc, bool prune, bool dry_run, const struct config_actor *actor, struct control_result *r)
{
	(void)prune, (void)dry_run, (void)actor;
	*r = (struct control_result){ 0 };
	if (!json_object_get(doc, "version"))
		return fail(&r->error, -EINVAL, "version", "The document says no version.");
	r->plan = json_pack("{s:[]}", "steps");
	return 0;
}

int control_task_cancel(const char *id, struct config_error *e)
{
	(void)id;
	return fail(e, -ENOENT, "", "There is no such task.");
}

json_t *control_export_passphrase(const char *passphrase)
{
	(void)passphrase;
	return json_pack("{s:i}", "version", 1);
}

int control_unseal(json_t *doc, const char *passphrase, struct config_error *e)
{
	(void)doc, (void)passphrase, (void)e;
	return 0;
}

/* There is no store behind it. */
int control_with_store(int (*fn)(struct config *db, void *arg), void *arg)
{
	(void)fn, (void)arg;
	return -ENOSYS;
}

int64_t control_setting_int(const char *key)
{
	(void)key;
	return 30;
}

void control_setting_text(const char *key, char *buf, size_t buf_bytes)
{
	snprintf(buf, buf_bytes, "%s", key);
}

void control_subscribe(struct control_subscriber *s)
{
	pthread_mutex_lock(&lock);
	list_add_tail(&subscribers, &s->link);
	pthread_mutex_unlock(&lock);
}

void control_unsubscribe(struct control_subscriber *s)
{
	pthread_mutex_lock(&lock);
	list_del(&s->link);
	pthread_mutex_unlock(&lock);
}

void fake_control_emit(const char *type, json_t *data)
{
	struct control_subscriber *s;

	pthread_mutex_lock(&lock);
	event_seq++;
	list_for_each(s, &subscribers, link)
		s->fn(s, event_seq, type, data);
	pthread_mutex_unlock(&lock);
	json_decref(data);
}

json_t *control_alerts(void)
{
	return json_pack("[{s:s, s:s, s:s}]", "id", "a1", "level", "error", "text", "the pool is gone");
}

int control_alert_acknowledge(const char *id, const struct config_actor *who, json_t **ret_alert, struct config_error *e)
{
	if (strcmp(id, "a1") != 0)
		return fail(e, -ENOENT, "", "There is no such alert.");
	*ret_alert = json_pack("{s:s, s:s}", "id", id, "acknowledged_by", who->name);
	return 0;
}

json_t *control_refused(void)
{
	return json_pack("[{s:s, s:s}]", "id", "r1", "name", "iqn.2026-11.test:stranger");
}

int control_refused_dismiss(const char *id, struct config_error *e)
{
	return strcmp(id, "r1") == 0 ? 0 : fail(e, -ENOENT, "", "There is no such refused host.");
}

int control_refused_approve(const char *id, const json_t *body, bool dry_run, const struct config_actor *who, json_t **ret_result, struct config_error *e)
{
	(void)who;
	if (strcmp(id, "r1") != 0)
		return fail(e, -ENOENT, "", "There is no such refused host.");
	*ret_result = json_pack("{s:[{s:s, s:s, s:s?}], s:[], s:b}", "objects", "kind", "host", "verb", "create", "name", json_string_value(json_object_get(body, "host")), "notes",
				"dry_run", (int)dry_run);
	return 0;
}

int control_target_test(const char *id, const json_t *body, json_t **ret_task, struct config_error *e)
{
	(void)body;
	if (strcmp(id, "none") == 0)
		return fail(e, -ENOENT, "", "There is no such target.");
	*ret_task = json_pack("{s:s, s:s}", "id", "0193a000-0000-7000-8000-0000000000aa", "state", "running");
	return 0;
}

int control_share_test(const char *id, const json_t *body, json_t **ret_task, struct config_error *e)
{
	return control_target_test(id, body, ret_task, e);
}

int control_import_config(const json_t *body, bool dry_run, const struct config_actor *who, json_t **ret_result, struct config_error *e)
{
	(void)who;
	if (!json_object_get(body, "text"))
		return fail(e, -EINVAL, "text", "text is the file's content");
	*ret_result = json_pack("{s:s, s:[], s:[], s:b}", "format", "lio", "findings", "objects", "dry_run", (int)dry_run);
	return 0;
}

int control_import_get(const char *name, json_t **ret_import, struct config_error *e)
{
	if (strcmp(name, "none") == 0)
		return fail(e, -ENOENT, "", "There is no such import.");
	*ret_import = json_pack("{s:s, s:s, s:s}", "name", name, "source", "smb://nas/data", "state", "running");
	return 0;
}

int control_import_create(const json_t *body, bool dry_run, json_t **ret_import, struct config_error *e)
{
	const char *name = json_string_value(json_object_get(body, "name"));
	if (name && dry_run) {
		*ret_import = json_pack("{s:n, s:{s:[]}}", "object", "plan", "steps");
		return 0;
	}
	return name ? control_import_get(name, ret_import, e) : fail(e, -EINVAL, "name", "Say what to call it.");
}

int control_import_start(const char *name, json_t **ret_import, struct config_error *e)
{
	return control_import_get(name, ret_import, e);
}

int control_import_set(const char *name, const json_t *patch, json_t **ret_import, struct config_error *e)
{
	if (!json_is_integer(json_object_get(patch, "rate_limit")))
		return fail(e, -EINVAL, "rate_limit", "rate_limit is a number of bytes per second, 0 for none");
	return control_import_get(name, ret_import, e);
}

int control_import_delete(const char *name, struct config_error *e)
{
	json_t *import = NULL;
	int r = control_import_get(name, &import, e);
	json_decref(import);
	return r;
}

json_t *control_import_list(void)
{
	return json_array();
}

int control_serve(const json_t *body, bool dry_run, bool may_admin, const struct config_actor *who, json_t **ret_result, struct config_error *e)
{
	(void)who;
	if (!json_object_get(body, "volume"))
		return fail(e, -EINVAL, "volume", "Say which volume.");
	if (!may_admin && json_object_get(body, "portal"))
		return fail(e, -EPERM, "", "A portal needs the role admin.");
	*ret_result = json_pack("{s:s, s:{s:[s], s:[s], s:[s]}, s:[], s:{s:[]}, s:b, s:O}", "name", "iqn.2026-11.test:t", "connect", "linux", "iscsiadm -m discovery", "windows", "Get-Disk",
				"esxi", "esxcli", "objects", "plan", "steps", "dry_run", (int)dry_run, "body", body);
	return 0;
}

int control_connect(const char *target, const char *host, json_t **ret_result, struct config_error *e)
{
	if (strcmp(target, "t1") != 0)
		return fail(e, -ENOENT, "", "There is none called that.");
	*ret_result = json_pack("{s:s?, s:{s:[s], s:[], s:[]}}", "host", host, "connect", "linux", "iscsiadm -m discovery", "windows", "esxi");
	return 0;
}

int control_undo(uint64_t revision, bool dry_run, bool may_admin, const struct config_actor *who, json_t **ret_result, struct config_error *e)
{
	(void)who;
	if (revision == 9)
		return fail(e, -ESTALE, "", "It has been changed since.");
	if (!may_admin)
		return fail(e, -EPERM, "", "That needs the role admin.");
	*ret_result = json_pack("{s:[], s:b, s:I}", "objects", "dry_run", (int)dry_run, "revision", (json_int_t)revision);
	return 0;
}

int control_explain(const char *host, const char *volume, json_t **ret_result, struct config_error *e)
{
	if (strcmp(volume, "v1") != 0)
		return fail(e, -ENOENT, "", "There is no such volume.");
	*ret_result = json_pack("{s:s, s:s, s:b, s:[{s:s, s:b, s:s, s:s}, {s:s, s:n, s:s, s:n}]}", "host", host, "volume", volume, "visible", 0, "steps", "check", "access", "ok", 0, "text",
				"No rule lets it in.", "fix", "holdfast target allow", "check", "session", "ok", "text", "It is not logged in.", "fix");
	return 0;
}

int control_history(const struct control_history_query *q, json_t **ret_result, struct config_error *e)
{
	if (strcmp(q->object, "server") != 0)
		return fail(e, -EINVAL, "object", "The object is server.");
	*ret_result = json_pack("{s:s, s:I, s:I, s:i, s:{s:[f, n]}}", "object", q->object, "from", (json_int_t)q->from_unix_s, "to", (json_int_t)q->to_unix_s, "step_s", (int)q->points, "series",
				"read_ops_s", 1.5);
	return 0;
}

int control_top(const char *kind, const char *by, unsigned n, json_t **ret_result, struct config_error *e)
{
	if (strcmp(by, "age") == 0)
		return fail(e, -EINVAL, "by", "By ops, bytes or latency.");
	*ret_result = json_pack("{s:f, s:[{s:s, s:i}]}", "seconds", 10.0, "items", "name", kind, "n", (int)n);
	return 0;
}

bool fake_control_stats_wanted;
void control_stats_wanted(bool on)
{
	fake_control_stats_wanted = on;
}

json_t *control_addresses(void)
{
	return json_pack("[{s:s}]", "address", "192.0.2.1");
}

json_t *control_about(void)
{
	return json_pack("{s:s, s:[{s:s, s:s, s:s}]}", "version", "test", "libraries", "name", "SQLite", "version", "3", "licence", "public domain");
}

int control_start(const struct control_opts *opts, struct config_error *e)
{
	(void)opts, (void)e;
	return 0;
}

bool control_stop(void)
{
	return true;
}

void control_event(int level, bool alert, const char *type, const char *object, const char *fmt, ...)
{
	(void)level, (void)alert, (void)type, (void)object, (void)fmt;
}

int control_certificate_renew(const char *id, json_t **ret_task, struct config_error *e)
{
	if (strcmp(id, "c1") != 0)
		return fail(e, -ENOENT, "", "There is no such certificate.");
	*ret_task = json_pack("{s:s, s:s}", "id", "t1", "type", "certificate.renew");
	return 0;
}

int control_certificate_revoke(const char *id, unsigned reason, json_t **ret_task, struct config_error *e)
{
	if (strcmp(id, "c1") != 0)
		return fail(e, -ENOENT, "", "There is no such certificate.");
	*ret_task = json_pack("{s:s, s:s, s:i}", "id", "t1", "type", "certificate.revoke", "reason", (int)reason);
	return 0;
}

int control_account_do(enum control_account_action what, const char *id, json_t **ret_task, struct config_error *e)
{
	static const char *const names[] = { "register", "rollover", "deactivate" };

	if (strcmp(id, "le") != 0)
		return fail(e, -ENOENT, "", "There is no such account.");
	*ret_task = json_pack("{s:s, s:s}", "id", "t1", "type", names[what]);
	return 0;
}

int control_channel_test(const char *id, json_t **ret_result, struct config_error *e)
{
	if (strcmp(id, "mail") != 0)
		return fail(e, -ENOENT, "", "There is no such channel.");
	*ret_result = json_pack("{s:b, s:s, s:s}", "ok", 1, "message", "taken", "transcript", "> EHLO");
	return 0;
}

json_t *control_bans(void)
{
	return json_array();
}
int control_ban_lift(uint64_t id, struct config_error *e)
{
	return config_fail(e, -ENOENT, "", "there is no ban %llu", (unsigned long long)id);
}

/* ---- shares ---- */
json_t *control_nas(void)
{
	return json_pack("{s:{s:b}, s:[], s:{}}", "keeper", "running", 0, "servers", "capabilities");
}

int control_share_session_close(const char *id, struct config_error *e)
{
	return strcmp(id, "smb-7") == 0 ? 0 : fail(e, -ENOENT, "", "There is no such session.");
}

int control_share_open_files(const char *share, json_t **ret_array, struct config_error *e)
{
	if (strcmp(share, "projects") != 0)
		return fail(e, -ENOENT, "", "There is no such share.");
	*ret_array = json_pack("[{s:s, s:s}]", "id", "smb-f1", "path", "a/b.txt");
	return 0;
}

int control_share_file_close(const char *share, const char *file, struct config_error *e)
{
	return strcmp(share, "projects") == 0 && strcmp(file, "smb-f1") == 0 ? 0 : fail(e, -ENOENT, "", "There is no such open file.");
}

int control_user_unlock(const char *user, struct config_error *e)
{
	return strcmp(user, "alice") == 0 ? 0 : fail(e, -ENOENT, "", "There is no such user.");
}

int control_snapshot_list(const char *share, json_t **ret_array, struct config_error *e)
{
	if (strcmp(share, "projects") != 0)
		return fail(e, -ENOENT, "", "There is no such share.");
	*ret_array = json_pack("[{s:s}]", "name", "before");
	return 0;
}

int control_snapshot_create(const char *share, const char *name, json_t **ret_snapshot, struct config_error *e)
{
	if (strcmp(share, "projects") != 0)
		return fail(e, -ENOENT, "", "There is no such share.");
	*ret_snapshot = json_pack("{s:s}", "name", name ? name : "of the time");
	return 0;
}

int control_snapshot_delete(const char *share, const char *name, struct config_error *e)
{
	return strcmp(share, "projects") == 0 && strcmp(name, "before") == 0 ? 0 : fail(e, -ENOENT, "", "There is no such snapshot.");
}

int control_snapshot_restore(const char *share, const char *name, struct config_error *e)
{
	return control_snapshot_delete(share, name, e);
}

int control_disks(json_t **ret_array, struct config_error *e)
{
	(void)e;
	*ret_array = json_pack("[{s:s}]", "name", "sdb");
	return 0;
}

int control_pool_format(const json_t *body, const struct config_actor *who, json_t **ret_pool, struct config_error *e)
{
	(void)who;
	if (!json_object_get(body, "confirm"))
		return fail(e, -EINVAL, "confirm", "Type the name again.");
	*ret_pool = json_pack("{s:s}", "name", "tank");
	return 0;
}
