/* SPDX-License-Identifier: GPL-3.0-or-later */
/* runtime_share.c - shares, users and quotas as they run: all of them are applied as one, by share/, and what is amiss
 * with them becomes alerts.  Control thread, but for what share/ tells and what a line calls "any thread". */
#include "control/nas_priv.h"
#include "share/space.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define START_DELAY_NS (SECOND_NS / 20)
#define LOOK_S 30

int (*nas_test_hook)(const struct share_world *w, bool apply, char *why, size_t why_bytes);
static struct timer look_timer;
static bool keeper_lost;                 /* and not back: a keeper is summoned, where one can be */
static bool running, applied;            /* share/ was started; the store's world was taken by it once */
static uint64_t tried_ns;                /* shares that are not served */
static char problem[WHY_BYTES];          /* why not */

bool nas_protocol(const char *protocol)
{
	return strcmp(protocol, "smb") == 0 || strcmp(protocol, "nfs") == 0;
}

static void set_text(json_t *o, const char *member, const char *text)
{
	json_object_set_new(o, member, text && *text ? json_string(text) : json_null());
}

/* ---- the world -------------------------------------------------------------------------------------------------- */
static int with_world(bool apply, char *why, size_t why_bytes)
{
	struct nas_world h;
	struct config_error e = { 0 };
	int r = nas_world_build(&h, &e);
	if (r)
		snprintf(why, why_bytes, "%s", e.why);
	else if (nas_test_hook)
		r = nas_test_hook(&h.world, apply, why, why_bytes);
	else if (!running)
		r = h.world.share_count || h.world.user_count || h.world.group_count || h.world.portal_count ? -ESHUTDOWN : 0;
	else
		r = apply ? share_apply(&h.world, why, why_bytes) : share_check(&h.world, why, why_bytes);
	nas_world_done(&h);
	return r;
}

int nas_check(char *why, size_t why_bytes)
{
	return with_world(false, why, why_bytes);
}

static void look_soon(unsigned seconds)
{
	if (running)
		timer_start(ctl.reactor, &look_timer, seconds * SECOND_NS);
}

int nas_apply(char *why, size_t why_bytes)
{
	int r = with_world(true, why, why_bytes);
	snprintf(problem, sizeof(problem), "%s", r ? *why ? why : strerror(-r) : "");
	applied = !r;
	look_soon(1);
	return r;
}

/* ---- what is amiss ---------------------------------------------------------------------------------------------- */
static bool look_at_share(const json_t *row)
{
	const char *name = text_of(row, "name");
	struct share_state s;
	bool failed = true_of(row, "enabled") && share_state(text_of(row, "id"), &s) == 0 && s.live == SHARE_LIVE_FAILED;
	if (!failed)
		alert_resolve("share.failed", name);
	else
		alert_raise(LOG_LEVEL_ERROR, "share.failed", name, "share %s is not served: %s", name, *s.reason ? s.reason : "no reason is known");
	return failed;
}

static bool look_at_all(void)
{
	struct config_error e;
	json_t *rows, *row;
	bool failed = false;
	size_t i;
	if (config_list(ctl.db, MODEL_SHARE, NULL, &rows, &e) == 0) {
		json_array_foreach(rows, i, row)
			failed |= look_at_share(row);
		json_decref(rows);
	}
	return failed;
}

/* Shares that are not served are tried again: a disk may have come back, a package may be there now. */
bool nas_retry(void)
{
	char why[WHY_BYTES] = "";
	if (!running)
		return false;
	if (!applied && nas_apply(why, sizeof(why)))
		alert_raise(LOG_LEVEL_ERROR, "nas.failed", "shares", "shares are not served as they should be: %s", problem);
	else if (applied)
		alert_resolve("nas.failed", "shares");
	return !applied;
}

/* ---- quotas of folders that had files before ------------------------------------------------------------------------ */
struct counting {
	struct task *task;
	char share[64];
};

static bool counted(void *arg, uint64_t files)
{
	const struct counting *c = arg;
	control_task_progress(c->task, -1, "%llu files counted", (unsigned long long)files);
	return !control_task_is_cancelled(c->task);
}

static int count_work(struct task *task, void *arg)
{
	struct counting *c = arg;
	char why[WHY_BYTES] = "";
	c->task = task;
	int r = share_quota_count(c->share, counted, c, why, sizeof(why));
	control_task_progress(task, r ? -1 : 100, "%s", *why ? why : r ? strerror(-r) : "all files are counted");
	return r;
}

static void count_finished(struct task *task, void *arg, int status)
{
	(void)task;
	(void)status;
	free(arg);
}

static void count_start(void)
{
	char id[64], name[96], task[CONFIG_ID_BYTES];
	struct config_error e;
	while (share_quota_next(id, name)) {
		struct counting *c = calloc(1, sizeof(*c));
		const struct task_spec s = { .type = "quota", .object = name, .work = count_work, .finished = count_finished, .arg = c, .can_cancel = true };
		if (!c)
			return;
		snprintf(c->share, sizeof(c->share), "%s", id);
		if (control_task_start(&s, task, &e)) {
			log_warn(&log_control, "the files of a share are not counted for its quota", "share=%s why=\"%s\"", name, e.why);
			free(c);
		}
	}
}

static void look_due(struct timer *t)
{
	char why[WHY_BYTES] = "";
	timer_stop(t);
	if (keeper_lost) {
		keeper_lost = false;     /* once; when it fails, shares are tried again as any that are not served */
		nas_apply(why, sizeof(why));
	}
	count_start();
	bool failed = !nas_retry() && look_at_all();
	uint64_t now = reactor_clock_ns();
	if (failed && now >= tried_ns + VOLUME_RETRY_S * SECOND_NS) {
		tried_ns = now;
		if (nas_apply(why, sizeof(why)) == 0)
			look_at_all();
	}
	look_soon(applied && !failed ? LOOK_S : VOLUME_RETRY_S);
}

/* ---- what share/ tells, from its own thread ------------------------------------------------------------------------ */
struct told {
	struct msg msg;
	enum share_event kind;
	char share[64], what[512];
	json_t *data;                    /* owned */
};

static void tell_server(const struct told *t)
{
	const char *server = *text_of(t->data, "server") ? text_of(t->data, "server") : "shares", *detail = text_of(t->data, "detail");
	switch (t->kind) {
	case SHARE_EVENT_CHILD_DIED:
		control_event(LOG_LEVEL_WARN, false, "nas.restarted", server, "%s: %s %s", server, t->what, detail);
		return;
	case SHARE_EVENT_CHILD_FAILED:
		alert_raise(LOG_LEVEL_ERROR, "nas.server", server, "%s: %s %s", server, t->what, detail);
		return;
	case SHARE_EVENT_CHILD_BACK:
		alert_resolve("nas.server", server);
		return;
	case SHARE_EVENT_KEEPER_LOST:
		alert_raise(LOG_LEVEL_ERROR, "nas.keeper", "keeper", "%s", t->what);
		keeper_lost = true;
		look_soon(2);            /* a service has started it again by then */
		return;
	case SHARE_EVENT_KEEPER_BACK:
		alert_resolve("nas.keeper", "keeper");
		keeper_lost = false;
		applied = false;         /* it begins with what we tell it */
		look_soon(1);
		return;
	default:
		return;
	}
}

/* What space.c and domain.c watch comes as alerts that they begin and end themselves. */
static void tell_space(const struct told *t)
{
	const char *type = text_of(t->data, "type"), *object = text_of(t->data, "object");
	if (!*type)
		return;
	bool is_error = strcmp(text_of(t->data, "level"), "error") == 0;
	if (true_of(t->data, "over"))
		alert_resolve(type, object);
	else
		alert_raise(is_error ? LOG_LEVEL_ERROR : LOG_LEVEL_WARN, type, object, "%s", text_of(t->data, "text"));
}

static void told_run(struct msg *m)
{
	struct told *t = container_of(m, struct told, msg);
	char name[96] = "";
	json_t *row;
	struct config_error e;
	if (*t->share && config_get(ctl.db, MODEL_SHARE, t->share, &row, &e) == 0) {
		snprintf(name, sizeof(name), "%s", text_of(row, "name"));
		json_decref(row);
	}
	switch (t->kind) {
	case SHARE_EVENT_LOGIN_REFUSED:
		event_note(LOG_LEVEL_WARN, "share.refused", *name ? name : text_of(t->data, "user"), "%s: user %s from %s: %s", *text_of(t->data, "protocol") ? text_of(t->data, "protocol") : "smb",
			   text_of(t->data, "user"), text_of(t->data, "address"), *text_of(t->data, "reason") ? text_of(t->data, "reason") : t->what);
		break;
	case SHARE_EVENT_AUDIT:
		event_note(LOG_LEVEL_INFO, "share.access", *name ? name : text_of(t->data, "share"), "%s from %s: %s %s: %s", text_of(t->data, "user"), text_of(t->data, "address"),
			   text_of(t->data, "operation"), text_of(t->data, "path"), text_of(t->data, "result"));
		break;
	case SHARE_EVENT_SPACE:
	case SHARE_EVENT_DOMAIN:
		tell_space(t);
		break;
	default:
		tell_server(t);
	}
	json_decref(t->data);
	free(t);
}

static void share_told(void *arg, enum share_event kind, const char *share_id, const char *what, const json_t *data)
{
	struct told *t = calloc(1, sizeof(*t));
	(void)arg;
	if (!t)
		return;
	t->kind = kind;
	t->msg.run = told_run;
	snprintf(t->share, sizeof(t->share), "%s", share_id ? share_id : "");
	snprintf(t->what, sizeof(t->what), "%s", what ? what : "");
	t->data = data ? json_deep_copy(data) : NULL;
	reactor_post(ctl.reactor, &t->msg);
}

/* ---- life ------------------------------------------------------------------------------------------------------------- */
void nas_start(void)
{
	const struct share_opts o = { .state_dir = ctl.state_dir, .event = share_told };
	int r = share_start(&o);
	applied = false;
	problem[0] = '\0';
	look_timer.fire = look_due;
	if (r) {
		alert_raise(LOG_LEVEL_ERROR, "nas.failed", "shares", "shares cannot be served: %s", strerror(-r));
		return;
	}
	running = true;
	/* Not now: volumes do not wait for the servers of shares. */
	timer_start(ctl.reactor, &look_timer, START_DELAY_NS);
}

void nas_stop(void)
{
	if (!running)
		return;
	running = false;
	timer_stop(&look_timer);
	share_stop();
}

/* ---- what objects show --------------------------------------------------------------------------------------------- */
static void status_of(bool nfs, char *why, size_t why_bytes)
{
	const struct share_capability *c = share_capabilities();
	json_t *status = share_status(), *s;
	bool found = false;
	size_t i;
	snprintf(why, why_bytes, "%s", *problem ? problem : nfs ? c->nfs_why_not : c->smb_why_not);
	json_array_foreach(json_object_get(status, "servers"), i, s) {
		const char *name = text_of(s, "name"), *state = text_of(s, "state");
		if (strcmp(name, nfs ? "nfs" : "smb") != 0 && strcmp(name, nfs ? "ganesha" : "smbd") != 0)
			continue;
		found = true;
		if (strcmp(state, "running") == 0)
			snprintf(why, why_bytes, "%s", "");
		else
			snprintf(why, why_bytes, "%s", *text_of(s, "reason") ? text_of(s, "reason") : "the server does not run");
	}
	if (!found && !*why)
		snprintf(why, why_bytes, "%s", "the server does not run");
	json_decref(status);
}

void nas_portal_state(const char *protocol, bool *ret_listening, char *why, size_t why_bytes)
{
	if (!running || !applied)
		snprintf(why, why_bytes, "%s", *problem ? problem : "it is being started");
	else
		status_of(strcmp(protocol, "nfs") == 0, why, why_bytes);
	*ret_listening = !*why;
}

static bool has_portal(const char *protocol)
{
	struct config_query q = { .where_field = "protocol", .where_value = protocol, .where_field2 = "enabled", .where_value2 = "true" };
	struct config_error e;
	uint64_t n = 0;
	return config_count(ctl.db, MODEL_PORTAL, &q, &n, &e) == 0 && n > 0;
}

/* What is missing so that anybody can reach it; "" nothing. */
static const char *not_reached(const json_t *o)
{
	bool smb = true_of(o, "smb"), nfs = true_of(o, "nfs"), no_smb = smb && !has_portal("smb"), no_nfs = nfs && !has_portal("nfs");
	if (!smb && !nfs)
		return "neither SMB nor NFS is switched on: holdfast share set NAME --smb on";
	if (no_smb && no_nfs)
		return "no SMB and no NFS portal; holdfast portal add smb 0.0.0.0:445, holdfast portal add nfs 0.0.0.0:2049";
	if (no_smb)
		return "no SMB portal; holdfast portal add smb 0.0.0.0:445";
	return no_nfs ? "no NFS portal; holdfast portal add nfs 0.0.0.0:2049" : "";
}

int share_folder_of(const json_t *row, char *buf, size_t buf_bytes)
{
	struct config_error e;
	json_t *pool;
	buf[0] = '\0';
	if (config_get(ctl.db, MODEL_POOL, text_of(row, "pool"), &pool, &e))
		return -ENOENT;
	int n = snprintf(buf, buf_bytes, "%s/%s", text_of(pool, "path"), text_of(row, "path"));
	json_decref(pool);
	return n > 0 && (size_t)n < buf_bytes ? 0 : -ENAMETOOLONG;
}

bool share_folder_is_there(const json_t *share)
{
	struct stat st;
	char folder[8192];
	return share_folder_of(share, folder, sizeof(folder)) == 0 && stat(folder, &st) == 0 && S_ISDIR(st.st_mode);
}

/* What is not counted is null, and why stands beside it. */
static json_t *number_or_null(bool known, uint64_t n)
{
	return known ? json_integer((json_int_t)n) : json_null();
}

static json_t *stats_of(const struct share_state *s)
{
	const struct share_moved *smb = &s->smb, *nfs = &s->nfs;
	char why[400];
	bool counts = smb->counts || nfs->counts, requests = nfs->counts && nfs->counts_requests;
	snprintf(why, sizeof(why), "%s%s%s%s%s", *smb->why_not ? "SMB: " : "", smb->why_not, *smb->why_not && *nfs->why_not ? "; " : "", *nfs->why_not ? "NFS: " : "", nfs->why_not);
	return json_pack("{s:o, s:o, s:o, s:o, s:b, s:s?, s:I, s:I, s:I}", "read_bytes", number_or_null(counts, smb->read_bytes + nfs->read_bytes), "write_bytes",
			 number_or_null(counts, smb->written_bytes + nfs->written_bytes), "read_ops", number_or_null(requests, nfs->reads), "write_ops",
			 number_or_null(requests, nfs->writes), "estimated", (int)smb->divided, "not_counted", *why ? why : NULL, "open_files", (json_int_t)s->open_files,
			 "limit_bytes", (json_int_t)s->limit_bytes, "free_bytes", (json_int_t)s->free_bytes);
}

void share_fill(json_t *o)
{
	static const char *const words[] = { [SHARE_LIVE_SERVING] = "serving", [SHARE_LIVE_DISABLED] = "disabled", [SHARE_LIVE_FAILED] = "failed" };
	struct share_state s = { .live = SHARE_LIVE_FAILED };
	char folder[8192];
	bool enabled = true_of(o, "enabled");
	const char *missing = not_reached(o);
	if (nas_test_hook)
		s.live = enabled ? SHARE_LIVE_SERVING : SHARE_LIVE_DISABLED;
	else if (!running || share_state(text_of(o, "id"), &s))
		snprintf(s.reason, sizeof(s.reason), "%.250s", *problem ? problem : "it is being started");
	if (!enabled) {
		s.live = SHARE_LIVE_DISABLED;
		s.reason[0] = '\0';
	} else if (*missing && s.live != SHARE_LIVE_FAILED) {
		/* Over the other protocol it may be served. */
		bool other = (true_of(o, "smb") && has_portal("smb")) || (true_of(o, "nfs") && has_portal("nfs"));
		s.live = other ? SHARE_LIVE_SERVING : SHARE_LIVE_FAILED;
		snprintf(s.reason, sizeof(s.reason), "%s", missing);
	}
	set_text(o, "folder", share_folder_of(o, folder, sizeof(folder)) ? NULL : folder);
	json_object_set_new(o, "state", json_string(words[s.live]));
	set_text(o, "reason", s.reason);
	json_object_set_new(o, "used_bytes", s.used_known ? json_integer((json_int_t)s.used_bytes) : json_null());
	json_object_set_new(o, "sessions", json_integer((json_int_t)s.sessions));
	json_object_set_new(o, "stats", stats_of(&s));
}

void share_counts_each(void (*fn)(const char *id, const char *name, const struct share_counts *c))
{
	struct config_error e;
	json_t *rows, *row;
	size_t i;
	if (!running || config_list(ctl.db, MODEL_SHARE, NULL, &rows, &e))
		return;
	json_array_foreach(rows, i, row) {
		struct share_state s;
		if (share_state(text_of(row, "id"), &s))
			continue;
		const struct share_counts c = { .serving = s.live == SHARE_LIVE_SERVING && true_of(row, "enabled") && !*not_reached(row), .used_known = s.used_known,
						.counts = s.smb.counts || s.nfs.counts, .read_bytes = s.smb.read_bytes + s.nfs.read_bytes,
						.write_bytes = s.smb.written_bytes + s.nfs.written_bytes, .read_ops = s.nfs.reads, .write_ops = s.nfs.writes, .used_bytes = s.used_bytes, .sessions = s.sessions,
						.open_files = s.open_files };
		fn(text_of(row, "id"), text_of(row, "name"), &c);
	}
	json_decref(rows);
}

void quota_fill(json_t *o)
{
	struct share_quota_state s = { 0 };
	bool known = running && share_quota_state(text_of(o, "id"), &s) == 0;
	bool exceeded = known && s.used_bytes >= (uint64_t)int_of(o, "limit_bytes");
	json_object_set_new(o, "used_bytes", known ? json_integer((json_int_t)s.used_bytes) : json_null());
	json_object_set_new(o, "used_files", known ? json_integer((json_int_t)s.used_files) : json_null());
	json_object_set_new(o, "state", json_string(!known || !s.enforced ? "failed" : exceeded ? "exceeded" : "active"));
	set_text(o, "reason", known ? s.reason : *problem ? problem : "the share is not served yet");
}
