/* SPDX-License-Identifier: GPL-3.0-or-later */
/* status.c - the server at a glance, and its sessions. */
#include "control/control_priv.h"

#include "core/ban.h"

#include <time.h>

#include "config.h"

static json_t *reactors_json(void)
{
	json_t *list = json_array();
	for (unsigned i = 0; i < ctl.opts.reactor_count; i++) {
		struct reactor_stats s;
		const struct reactor *r = ctl.opts.reactors[i];
		reactor_stats(r, &s);
		json_array_append_new(list, json_pack("{s:s, s:I, s:I, s:I, s:I}", "name", reactor_name(r), "turns", (json_int_t)s.turns, "sleeps", (json_int_t)s.sleeps, "messages",
						      (json_int_t)s.messages, "busy_ns", (json_int_t)s.busy_ns));
	}
	return list;
}

static const char *engine_text(void)
{
	if (ctl.opts.reactor_count == 0)
		return "none";
	return reactor_engine(ctl.opts.reactors[0]) == REACTOR_URING ? "io_uring" : "epoll";
}

static size_t count_offline(void)
{
	size_t n = 0;
	struct node *v;
	list_for_each(v, &ctl.volumes.all, all)
		n += !rt_volume_is_online(container_of(v, struct rt_volume, node));
	return n;
}

/* The inbox as a status tells it; operate.h has all of it. */
static json_t *refusals_in_short(void)
{
	json_t *list = json_array(), *all = refused_list(), *o;
	size_t i;
	json_array_foreach(all, i, o)
		json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s, s:s, s:O}", "protocol", text_of(o, "protocol"), "initiator", text_of(o, "name"), "target", text_of(o, "target"),
						      "address", text_of(o, "address"), "reason", text_of(o, "text"), "count", json_object_get(o, "count")));
	json_decref(all);
	return list;
}

static int status_run(void *arg)
{
	json_t **ret = arg, *sessions = sessions_list();
	uint64_t shares = 0, users = 0;
	struct config_error ignored;
	if (config_count(ctl.db, MODEL_SHARE, &(struct config_query){ 0 }, &shares, &ignored) || config_count(ctl.db, MODEL_USER, &(struct config_query){ 0 }, &users, &ignored))
		shares = users = 0;
	char name[256];
	setting_value("server_name", name, sizeof(name));
	*ret = json_pack("{s:s, s:s, s:s, s:I, s:s, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:s, s:I, s:o, s:o, s:s?}", "version", PACKAGE_VERSION, "server_name", name, "started_at",
			 ctl.started_at, "uptime_s", (json_int_t)((reactor_clock_ns() - ctl.started_ns) / SECOND_NS), "engine", engine_text(), "reactors", reactors_json(),
			 "sessions", (json_int_t)json_array_size(sessions), "volumes", (json_int_t)ctl.volumes.count, "volumes_offline", (json_int_t)count_offline(), "targets",
			 (json_int_t)ctl.targets.count, "portals", (json_int_t)ctl.portals.count, "tasks", (json_int_t)task_running_count(), "crc32c", crc32c_name(), "revision",
			 (json_int_t)config_revision(ctl.db), "alerts", alerts_active(), "refused_logins", refusals_in_short(), "secrets_problem", config_key_problem(ctl.db));
	json_decref(sessions);
	if (*ret) {
		json_object_set_new(*ret, "shares", json_integer((json_int_t)shares));
		json_object_set_new(*ret, "users", json_integer((json_int_t)users));
		json_object_set_new(*ret, "pid", json_integer(getpid()));
		json_object_set_new(*ret, "state_dir", json_string(ctl.state_dir));
	}
	return *ret ? 0 : -ENOMEM;
}

json_t *control_status(void)
{
	json_t *o = NULL;
	return reactor_call(ctl.reactor, status_run, &o) ? NULL : o;
}

/* The same data as one list; any thread, iscsi/, nvmf/ and share/ give copies. */
json_t *control_sessions(void)
{
	json_t *list = sessions_list();
	if (list)
		share_sessions_add(list);
	return list;
}

/* Bans are in force at once, and kept: a restart of the daemon does not let anybody in. */
struct ban_save {
	uint64_t id;
	bool found;
	struct ban ban;
};
static void find_ban(void *arg, const struct ban *b)
{
	struct ban_save *s = arg;
	if (b->id == s->id) {
		s->ban = *b;
		s->found = true;
	}
}
static int ban_keep_run(void *arg)
{
	const struct ban_save *s = arg;
	const struct ban *b = &s->ban;
	struct config_error e = { 0 };
	int r = s->found ? config_ban_put(ctl.db, &(struct config_ban){ .id = (int64_t)b->id, .initiator = b->initiator, .target = b->target,
									.since_s = (int64_t)b->since_unix_s, .until_s = (int64_t)b->until_unix_s }, &e)
			 : config_ban_drop(ctl.db, (int64_t)s->id, &e);
	if (r)
		log_error(&log_control, "a ban cannot be stored, it is in force until the daemon ends", "id=%llu why=\"%s\"", (unsigned long long)s->id, e.why);
	return r;
}
static void ban_keep(uint64_t id)
{
	struct ban_save s = { .id = id };
	ban_each(find_ban, &s);
	(void)reactor_call(ctl.reactor, ban_keep_run, &s);
}
static void restore_ban(void *arg, const struct config_ban *b)
{
	struct ban i = { .id = (uint64_t)b->id, .since_unix_s = (uint64_t)b->since_s, .until_unix_s = (uint64_t)b->until_s };
	(void)arg;
	snprintf(i.initiator, sizeof(i.initiator), "%s", b->initiator);
	snprintf(i.target, sizeof(i.target), "%s", b->target);
	ban_restore(&i);
}
void bans_restore(void)
{
	struct config_error e = { 0 };
	if (config_ban_each(ctl.db, (int64_t)time(NULL), restore_ban, NULL, &e))
		log_error(&log_control, "bans cannot be read, continuing without them", "why=\"%s\"", e.why);
}

int control_session_close(uint64_t id, uint64_t ban_s, struct config_error *e)
{
	uint64_t ban = 0;
	*e = (struct config_error){ 0 };
	int r = ban_s ? iscsi_session_ban(id, ban_s, &ban) : iscsi_session_close(id);
	if (r == -ENOENT)
		r = ban_s ? nvmf_session_ban(id, ban_s, &ban) : nvmf_session_close(id);
	if (r == -ENOSPC)
		return config_fail(e, r, "ban_s", "there are %d bans already; lift some first", BANS_MAX);
	if (r)
		return config_fail(e, r, "", r == -ENOENT ? "there is no session %llu (now)" : "session %llu cannot be closed", (unsigned long long)id);
	control_event(LOG_LEVEL_INFO, false, "session.closed", "", "session %llu was asked to end", (unsigned long long)id);
	if (ban_s) {
		ban_keep(ban);
		control_event(LOG_LEVEL_INFO, false, "session.banned", "", "its initiator may not log in again for %llu s", (unsigned long long)ban_s);
	}
	return 0;
}

/* ---- bans ---- */
static void time_text(uint64_t unix_s, char buf[32])
{
	const time_t t = (time_t)unix_s;
	struct tm tm;
	strftime(buf, 32, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&t, &tm));
}
static void add_ban(void *arg, const struct ban *b)
{
	char since[32], until[32];
	time_text(b->since_unix_s, since);
	time_text(b->until_unix_s, until);
	json_array_append_new(arg, json_pack("{s:I, s:s, s:s, s:s, s:s}", "id", (json_int_t)b->id, "initiator", b->initiator, "target", b->target, "since", since, "until", until));
}
json_t *control_bans(void)
{
	json_t *list = json_array();
	if (list)
		ban_each(add_ban, list);
	return list;
}
int control_ban_lift(uint64_t id, struct config_error *e)
{
	*e = (struct config_error){ 0 };
	if (ban_lift(id))
		return config_fail(e, -ENOENT, "", "there is no ban %llu (any more)", (unsigned long long)id);
	ban_keep(id);                    /* it is not there: forgotten */
	return 0;
}
