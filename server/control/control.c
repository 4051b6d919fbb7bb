/* SPDX-License-Identifier: GPL-3.0-or-later */
/* control.c - the door: start and stop, and calls from other threads brought to the control thread. */
#include "control/control_priv.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "tls/tls.h"

struct control ctl;

static const struct config_sealer sealer = {
	.random = tls_random, .seal = tls_seal, .open = tls_open, .overhead_bytes = TLS_SEAL_OVERHEAD,
};

/* ---- trying again ---------------------------------------------------------------------------------------------------- */
static uint64_t volume_retry_ns;         /* not before */

static void retry_due(struct timer *t)
{
	uint64_t now = reactor_clock_ns();
	bool volumes = now >= volume_retry_ns;
	timer_stop(t);
	if (volumes) {
		volume_retry_ns = now + VOLUME_RETRY_S * SECOND_NS;
		if (pool_check_all())
			retry_soon(POOL_RETRY_S);
		bool volumes_left = volume_retry_all(), targets_left = target_retry_all();
		if (volumes_left || targets_left)
			retry_soon(VOLUME_RETRY_S);
	} else {
		retry_soon((unsigned)((volume_retry_ns - now) / SECOND_NS) + 1);
	}
	if (portal_retry_all())
		retry_soon(PORTAL_RETRY_S);
}

void retry_now(void)
{
	volume_retry_ns = 0;
	retry_due(&ctl.retry);
}

void retry_soon(unsigned seconds)
{
	uint64_t due = reactor_clock_ns() + seconds * SECOND_NS;
	if (timer_is_armed(&ctl.retry) && ctl.retry.due_ns <= due)
		return;
	timer_start(ctl.reactor, &ctl.retry, seconds * SECOND_NS);
}

/* ---- start ------------------------------------------------------------------------------------------------------------- */
static int each_row(enum model_kind k, void (*fn)(const json_t *row), struct config_error *e)
{
	struct config_query q = { .refs_as_ids = true };
	json_t *rows, *row;
	size_t i;
	int r = config_list(ctl.db, k, &q, &rows, e);
	if (r)
		return r;
	json_array_foreach(rows, i, row)
		fn(row);
	json_decref(rows);
	return 0;
}
static void start_volume(const json_t *row)
{
	char why[256] = "";
	struct rt_volume *v;
	if (rt_volume_open(row, false, &v, why, sizeof(why)) == 0)
		rt_volume_check(v);
}
static void start_target(const json_t *row)
{
	char why[256] = "";
	if (front_end_missing(MODEL_TARGET, text_of(row, "protocol")))
		alert_raise(LOG_LEVEL_WARN, "target.failed", text_of(row, "name"), "target %s is not served: %s", text_of(row, "name"),
			    front_end_missing(MODEL_TARGET, text_of(row, "protocol")));
	else if (rt_target_add(row, why, sizeof(why)))
		log_error(&log_control, "a target cannot be served", "target=%s why=\"%s\"", text_of(row, "name"), why);
}

/* From nothing to what the store says; what is broken raises alerts and the rest is served.  Portals come last,
 * so that no initiator sees half of it. */
static int start_all(void *arg)
{
	struct config_error *e = arg;
	const struct control_opts *o = &ctl.opts;
	struct iscsi_opts io = {
		.reactors = o->reactors, .reactor_count = o->reactor_count, .event = login_event,
	};
	ctl.retry.fire = retry_due;
	volume_retry_ns = reactor_clock_ns() + VOLUME_RETRY_S * SECOND_NS;
	int r = events_start();
	if (r)
		return config_fail(e, r, "", "events cannot start: %s", strerror(-r));
	tasks_recover();
	settings_for_iscsi(&io);
	r = iscsi_start(&io);
	if (r)
		return config_fail(e, r, "", "iSCSI cannot start: %s", strerror(-r));
	bans_restore();
	const struct nvmf_opts no = { .reactors = o->reactors, .reactor_count = o->reactor_count, .event = connect_event };
	r = nvmf_start(&no);
	if (r)
		return config_fail(e, r, "", "NVMe/TCP cannot start: %s", strerror(-r));
	settings_apply_all();
	reservations_start();
	paths_start();
	if (config_key_problem(ctl.db))
		alert_raise(LOG_LEVEL_ERROR, "secrets.locked", "secret.key", "%s", config_key_problem(ctl.db));
	certificates_start();
	if (pool_check_all())
		retry_soon(POOL_RETRY_S);
	r = each_row(MODEL_VOLUME, start_volume, e);
	if (!r)
		r = each_row(MODEL_TARGET, start_target, e);
	if (!r)
		r = each_row(MODEL_PORTAL, rt_portal_add, e);
	if (r)
		return r;
	pending_finish();
	watching_start();
	nas_start();
	ctl.started = true;
	mdns_start();
	imports_start();
	events_settle();
	channels_start();
	return 0;
}

/* Where a new server's page is.  A port that is taken is an alert, tried again, and no reason not to start. */
static int first_portal(uint16_t port, struct config_error *e)
{
	struct control_result r;
	struct control_change c = { .verb = CONTROL_CREATE, .kind = MODEL_PORTAL, .actor = { .name = "server", .source = "first start" },
				    .body = json_pack("{s:s, s:s, s:i}", "protocol", "https", "address", "0.0.0.0", "port", port) };
	int status = control_change(&c, &r);
	if (status)
		*e = r.error;
	control_result_done(&r);
	json_decref((json_t *)c.body);
	return status;
}

int control_start(const struct control_opts *opts, struct config_error *e)
{
	struct reactor_opts ro = { .name = "control", .engine = REACTOR_EPOLL, .cpu = -1, .buf_limit_bytes = 1 << 20, .may_wait = true };
	time_t now = time(NULL);
	struct tm tm;
	*e = (struct config_error){ 0 };
	ctl = (struct control){ .opts = *opts, .state_dir = strdup(opts->state_dir), .started_ns = reactor_clock_ns() };
	if (!ctl.state_dir)
		return config_fail(e, -ENOMEM, "", "out of memory");
	gmtime_r(&now, &tm);
	strftime(ctl.started_at, sizeof(ctl.started_at), "%Y-%m-%dT%H:%M:%SZ", &tm);
	registry_init(&ctl.volumes);
	registry_init(&ctl.targets);
	registry_init(&ctl.portals);
	config_set_sealer(&sealer);
	int r = config_open(opts->state_dir, &ctl.db, e);
	bool is_new = !r && config_revision(ctl.db) == 0;
	if (!r) {
		r = reactor_new(&ro, &ctl.reactor);
		if (!r)
			r = reactor_start(ctl.reactor);
		if (r)
			config_fail(e, r, "", "the control thread cannot start: %s", strerror(-r));
	}
	if (!r)
		r = reactor_call(ctl.reactor, start_all, e);
	if (!r && opts->first_https_port && is_new)
		r = first_portal(opts->first_https_port, e);
	if (r)
		control_stop();
	return r;
}

/* ---- stop ---------------------------------------------------------------------------------------------------------------- */
static int stop_portals(void *arg)
{
	(void)arg;
	ctl.started = false;             /* sockets stay up for the next daemon, alerts stay true */
	timer_stop(&ctl.retry);
	nas_stop();
	certificates_stop();
	channels_stop();
	mdns_stop();
	while (!list_is_empty(&ctl.portals.all))
		rt_portal_remove(list_entry(ctl.portals.all.next, struct node, all)->id);
	imports_leave();
	tasks_stop();
	imports_stop();
	return 0;
}
static int stop_rest(void *arg)
{
	(void)arg;
	while (!list_is_empty(&ctl.targets.all))
		rt_target_remove(list_entry(ctl.targets.all.next, struct node, all)->id);
	return 0;
}
static int stop_volumes(void *arg)
{
	(void)arg;
	ctl.close_by_ns = reactor_clock_ns() + CLOSE_DEADLINE_MS * (SECOND_NS / 1000);   /* for all of them */
	watching_stop();
	reservations_stop();
	paths_stop();
	struct node *n;
	list_for_each(n, &ctl.volumes.all, all)
		rt_volume_stop(container_of(n, struct rt_volume, node));
	events_stop();
	timer_stop(&ctl.retry);
	return 0;
}

struct reactor *control_reactor(void)
{
	return ctl.reactor;
}

/* A backend that hangs holds nothing up for long: who has waited leaves it alone, and all that it may still touch. */
#define STOP_LIMIT_MS 10000

static unsigned left_ms(uint64_t end_ns)
{
	uint64_t now = reactor_clock_ns();
	return now < end_ns ? (unsigned)((end_ns - now) / 1000000) : 0;
}

bool control_stop(void)
{
	if (ctl.reactor) {
		uint64_t end_ns = reactor_clock_ns() + STOP_LIMIT_MS * (SECOND_NS / 1000);
		reactor_call(ctl.reactor, stop_portals, NULL);
		reactor_call(ctl.reactor, stop_rest, NULL);
		bool ended = nvmf_stop(left_ms(end_ns));
		ended &= iscsi_stop(left_ms(end_ns));    /* not on the control thread: a reservation may still want to be stored */
		reactor_call(ctl.reactor, stop_volumes, NULL);
		if (!ended || ctl.closes_late)
			return false;
		reactor_stop(ctl.reactor);
		reactor_free(TAKE(ctl.reactor));
	}
	config_close(TAKE(ctl.db));
	free(TAKE(ctl.state_dir));
	return true;
}

/* ---- changes ---------------------------------------------------------------------------------------------------------------- */
struct change_call {
	const struct control_change *change;
	size_t count;
	struct control_result *result;
};
static int change_run(void *arg)
{
	struct change_call *c = arg;
	struct batch b = { .change = c->change, .count = c->count, .result = c->result };
	int r = batch_run(&b, &c->change[0].actor, c->change[0].dry_run);
	batch_done(&b);
	return r;
}

int control_change_many(const struct control_change *c, size_t count, struct control_result *results)
{
	memset(results, 0, count * sizeof(*results));
	if (!count)
		return 0;
	for (size_t i = 1; i < count; i++)
		if (c[i].dry_run != c[0].dry_run)
			return config_fail(&results[i].error, -EINVAL, "", "a batch is a dry run as a whole or not at all");
	struct change_call call = { c, count, results };
	return reactor_call(ctl.reactor, change_run, &call);
}

int control_change(const struct control_change *c, struct control_result *r)
{
	return control_change_many(c, 1, r);
}

void control_result_done(struct control_result *r)
{
	json_decref(TAKE(r->object));
	json_decref(TAKE(r->plan));
}

/* ---- reading ------------------------------------------------------------------------------------------------------------------ */
struct read_call {
	enum model_kind kind;
	const char *id;
	const struct config_query *query;
	json_t *result;
	struct config_error *e;
};

static int get_run(void *arg)
{
	struct read_call *c = arg;
	if (c->kind == MODEL_EVENT)
		events_flush();
	int r = config_get(ctl.db, c->kind, c->id, &c->result, c->e);
	const struct setting_row *s = c->kind == MODEL_SETTING ? setting_find(c->id) : NULL;
	if (r == -ENOENT && s) {
		c->result = setting_object(s, NULL);
		return c->result ? 0 : -ENOMEM;
	}
	if (!r)
		live_fill(c->kind, c->result);
	return r;
}

int control_get(enum model_kind k, const char *id, json_t **ret_object, struct config_error *e)
{
	struct read_call c = { .kind = k, .id = id, .e = e };
	*e = (struct config_error){ 0 };
	int r = reactor_call(ctl.reactor, get_run, &c);
	if (!r)
		*ret_object = c.result;
	return r;
}

/* Every setting has a value, stored or not. */
static int list_settings(struct read_call *c)
{
	json_t *stored, *all = json_array(), *o;
	size_t j;
	int r = config_list(ctl.db, MODEL_SETTING, NULL, &stored, c->e);
	for (size_t i = 0; !r && i < setting_count; i++) {
		json_t *found = NULL;
		json_array_foreach(stored, j, o)
			if (strcmp(text_of(o, "key"), setting_rows[i].key) == 0)
				found = o;
		const struct config_query *q = c->query;
		if (q && q->where_field && strcmp(q->where_field, "key") == 0 && q->where_value && strcmp(q->where_value, setting_rows[i].key) != 0)
			continue;
		json_array_append_new(all, setting_object(&setting_rows[i], found));
	}
	if (!r)
		json_decref(stored);
	c->result = all;
	return r;
}

static int list_run(void *arg)
{
	struct read_call *c = arg;
	if (c->kind == MODEL_SETTING)
		return list_settings(c);
	if (c->kind == MODEL_EVENT)
		events_flush();
	int r = config_list(ctl.db, c->kind, c->query, &c->result, c->e);
	if (!r)
		live_fill(c->kind, c->result);
	return r;
}

int control_list(enum model_kind k, const struct config_query *q, json_t **ret_array, struct config_error *e)
{
	struct read_call c = { .kind = k, .query = q, .e = e };
	*e = (struct config_error){ 0 };
	int r = reactor_call(ctl.reactor, list_run, &c);
	if (!r)
		*ret_array = c.result;
	else
		json_decref(c.result);
	return r;
}

struct count_call {
	enum model_kind kind;
	const struct config_query *query;
	uint64_t count;
	struct config_error *e;
};
static int count_run(void *arg)
{
	struct count_call *c = arg;
	return config_count(ctl.db, c->kind, c->query, &c->count, c->e);
}
int control_count(enum model_kind k, const struct config_query *q, uint64_t *ret_count, struct config_error *e)
{
	struct count_call c = { .kind = k, .query = q, .e = e };
	*e = (struct config_error){ 0 };
	int r = reactor_call(ctl.reactor, count_run, &c);
	if (!r)
		*ret_count = c.count;
	return r;
}

struct store_call {
	int (*fn)(struct config *db, void *arg);
	void *arg;
};
static int store_run(void *arg)
{
	struct store_call *c = arg;
	return c->fn(ctl.db, c->arg);
}
int control_with_store(int (*fn)(struct config *db, void *arg), void *arg)
{
	struct store_call c = { fn, arg };
	return reactor_call(ctl.reactor, store_run, &c);
}

int64_t control_setting_int(const char *key)
{
	return setting_int(key);
}

struct setting_call {
	const char *key;
	char *buf;
	size_t buf_bytes;
};
static int setting_run(void *arg)
{
	struct setting_call *c = arg;
	setting_value(c->key, c->buf, c->buf_bytes);
	return 0;
}
void control_setting_text(const char *key, char *buf, size_t buf_bytes)
{
	struct setting_call c = { key, buf, buf_bytes };
	if (reactor_call(ctl.reactor, setting_run, &c))
		buf[0] = '\0';
}

static int task_cancel_run(void *arg)
{
	struct read_call *c = arg;
	return control_task_stop(c->id, c->e);
}
int control_task_cancel(const char *id, struct config_error *e)
{
	struct read_call c = { .id = id, .e = e };
	*e = (struct config_error){ 0 };
	return reactor_call(ctl.reactor, task_cancel_run, &c);
}
