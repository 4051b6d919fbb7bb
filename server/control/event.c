/* SPDX-License-Identifier: GPL-3.0-or-later */
/* event.c - what happened, what needs a person, and who listens.
 *
 * Any thread reports with control_event(): a copy and a post.  The control thread keeps events in the store (together,
 * once a second, so that a storm of events is not a storm of fsyncs), tells the subscribers, and holds the alerts that
 * are still true: one per type and object, raised once, resolved when the cause goes away. */
#include "control/control_priv.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core/utf8.h"

#define QUEUE_MAX 4096
#define PENDING_MAX 10000
#define TRIM_EVERY 64

LOG_TOPIC(control);

struct report {
	struct msg msg;
	int level;
	bool alert;
	char at[32], type[64], object[256], message[1024];
};
struct alert {
	struct list link;
	json_t *event;                   /* owned */
	bool stale;                      /* from an earlier run, not seen again yet */
};

static _Atomic(bool) accepting;
static _Atomic(unsigned) queued, dropped;
static struct list subscribers = LIST_INIT(subscribers), alerts = LIST_INIT(alerts);
static json_t *pending, *resolutions;    /* arrays: events to insert, {"id","resolved_at"} */
static struct timer flush_timer;
static uint64_t seq;
static unsigned flushes;

static const char *level_text(int level)
{
	return level == LOG_LEVEL_ERROR ? "error" : level == LOG_LEVEL_WARN ? "warning" : "info";
}

static void now_text(char buf[32])
{
	struct timespec now;
	struct tm tm;
	char sec[24];
	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	strftime(sec, sizeof(sec), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(buf, 32, "%s.%03uZ", sec, (unsigned)(now.tv_nsec / 1000000) % 1000u);
}

/* ---- to the store ------------------------------------------------------------------------------------------------ */
static int store_all(struct config_error *e)
{
	json_t *o;
	size_t i;
	int r = config_begin_soon(ctl.db, e);
	if (r)
		return r;
	json_array_foreach(pending, i, o)
		if (!r)
			r = config_put_new(ctl.db, MODEL_EVENT, text_of(o, "id"), o, e);
	json_array_foreach(resolutions, i, o)
		if (!r) {
			json_t *fields = json_pack("{s:O}", "resolved_at", json_object_get(o, "resolved_at"));
			r = config_put(ctl.db, MODEL_EVENT, text_of(o, "id"), fields, NULL, e);
			r = r == -ENOENT ? 0 : r;
			json_decref(fields);
		}
	if (!r && flushes++ % TRIM_EVERY == 0) {
		config_trim(ctl.db, MODEL_EVENT, (size_t)setting_int("event_retention"));
		config_trim(ctl.db, MODEL_AUDIT, (size_t)setting_int("audit_retention"));
		config_trim(ctl.db, MODEL_TASK, (size_t)setting_int("task_retention"));
	}
	if (!r)
		r = config_commit(ctl.db, e);
	else
		config_rollback(ctl.db);
	return r;
}

void events_flush(void)
{
	static struct log_limit limit = LOG_LIMIT_INIT;
	struct config_error e;
	if (json_array_size(pending) == 0 && json_array_size(resolutions) == 0)
		return;
	if (store_all(&e)) {
		if (log_limit_ok(&limit, &log_control))
			log_error(&log_control, "events cannot be stored now, keeping them in memory", "count=%zu why=\"%s\"", json_array_size(pending), e.why);
		if (json_array_size(pending) > PENDING_MAX)
			json_array_clear(pending);
		timer_start(ctl.reactor, &flush_timer, 10 * SECOND_NS);
		return;
	}
	json_array_clear(pending);
	json_array_clear(resolutions);
}

static void flush_due(struct timer *t)
{
	unsigned lost = atomic_exchange(&dropped, 0);
	(void)t;
	if (lost)
		log_warn(&log_control, "events were dropped, too many at once", "count=%u", lost);
	events_flush();
}

static void flush_later(void)
{
	if (!timer_is_armed(&flush_timer))
		timer_start(ctl.reactor, &flush_timer, SECOND_NS);
}

/* ---- subscribers --------------------------------------------------------------------------------------------------- */
void publish(const char *type, json_t *data)
{
	seq++;
	struct control_subscriber *s;
	list_for_each(s, &subscribers, link)
		s->fn(s, seq, type, data);
	json_decref(data);
}

void publish_config(enum model_kind k, const char *id, const char *verb, uint64_t revision)
{
	if (list_is_empty(&subscribers)) {
		seq++;
		return;
	}
	publish("config", json_pack("{s:s, s:s, s:s, s:I}", "kind", models[k].name, "id", id, "verb", verb, "revision", (json_int_t)revision));
}

static int subscribe_run(void *arg)
{
	list_add_tail(&subscribers, &((struct control_subscriber *)arg)->link);
	return 0;
}
static int unsubscribe_run(void *arg)
{
	list_del(&((struct control_subscriber *)arg)->link);
	return 0;
}
void control_subscribe(struct control_subscriber *s)
{
	reactor_call(ctl.reactor, subscribe_run, s);
}
void control_unsubscribe(struct control_subscriber *s)
{
	reactor_call(ctl.reactor, unsubscribe_run, s);
}

/* ---- events and alerts, control thread ------------------------------------------------------------------------------- */
static struct alert *alert_find(const char *type, const char *object)
{
	struct alert *a;
	list_for_each(a, &alerts, link)
		if (strcmp(text_of(a->event, "object"), object) == 0 && strcmp(text_of(a->event, "type"), type) == 0)
			return a;
	return NULL;
}

static void alert_add(json_t *event, bool stale)
{
	struct alert *a = calloc(1, sizeof(*a));
	if (!a)
		return;
	a->event = json_incref(event);
	a->stale = stale;
	list_add_tail(&alerts, &a->link);
}

static void event_take(int level, bool alert, const char *at, const char *type, const char *object, const char *message)
{
	char id[CONFIG_ID_BYTES];
	struct alert *known = alert ? alert_find(type, object) : NULL;
	if (known) {
		known->stale = false;
		return;
	}
	config_new_id(ctl.db, id);
	json_t *o = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:n, s:b, s:n}", "id", id, "at", at, "level", level_text(level), "type", type, "object", object,
			      "message", message, "facts", "alert", (int)alert, "resolved_at");
	if (!o)
		return;                  /* out of memory: it was logged */
	if (alert)
		alert_add(o, false);
	json_array_append(pending, o);
	flush_later();
	publish("event", o);
}

void event_note(int level, const char *type, const char *object, const char *fmt, ...)
{
	char message[1024], at[32];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	utf8_mend(message);              /* parts are the words of strangers, and it may have been cut */
	now_text(at);
	event_take(level, false, at, type, object, message);
}

void alert_raise(int level, const char *type, const char *object, const char *fmt, ...)
{
	char message[1024], at[32];
	va_list ap;
	struct alert *known = alert_find(type, object);
	if (known) {
		known->stale = false;
		return;
	}
	va_start(ap, fmt);
	vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	utf8_mend(message);              /* parts are the words of strangers, and it may have been cut */
	now_text(at);
	log_at(&log_control, level == LOG_LEVEL_ERROR ? LOG_LEVEL_ERROR : LOG_LEVEL_WARN, "alert", "type=%s object=\"%s\" message=\"%s\"", type, object, message);
	event_take(level, true, at, type, object, message);
}

static void alert_end(struct alert *a)
{
	char at[32];
	now_text(at);
	log_info(&log_control, "alert resolved", "type=%s object=\"%s\"", text_of(a->event, "type"), text_of(a->event, "object"));
	json_t *o = json_copy(a->event);
	json_object_set_new(o, "resolved_at", json_string(at));
	json_array_append_new(resolutions, json_pack("{s:s, s:s}", "id", text_of(o, "id"), "resolved_at", at));
	flush_later();
	publish("event", o);
	list_del(&a->link);
	json_decref(a->event);
	free(a);
}

void alert_resolve(const char *type, const char *object)
{
	struct alert *a = list_is_empty(&alerts) ? NULL : alert_find(type, object);
	if (a)
		alert_end(a);
}

bool alert_is_raised(const char *type, const char *object)
{
	return alert_find(type, object) != NULL;
}

/* Stays with the alert in the store, so that nobody has to say it again after a restart. */
int alert_acknowledge(const char *id, const char *who, json_t **ret_event, struct config_error *e)
{
	char at[32];
	struct alert *a, *found = NULL;
	list_for_each(a, &alerts, link)
		if (strcmp(text_of(a->event, "id"), id) == 0)
			found = a;
	if (!found)
		return config_fail(e, -ENOENT, "", "there is no such alert (now)");
	now_text(at);
	json_t *facts = json_pack("{s:s, s:s}", "acknowledged_by", who, "acknowledged_at", at);
	if (!facts)
		return config_fail(e, -ENOMEM, "", "out of memory");
	events_flush();                  /* its row must be there */
	json_t *fields = json_pack("{s:O}", "facts", facts);
	int r = config_put(ctl.db, MODEL_EVENT, id, fields, NULL, e);
	if (!r) {
		json_object_set(found->event, "facts", facts);
		publish("event", json_deep_copy(found->event));
		*ret_event = json_deep_copy(found->event);
	}
	json_decref(fields);
	json_decref(facts);
	return r;
}

json_t *alerts_active(void)
{
	json_t *list = json_array();
	struct alert *a;
	list_for_each(a, &alerts, link)
		json_array_append_new(list, json_deep_copy(a->event));
	return list;
}

/* ---- reports from any thread -------------------------------------------------------------------------------------------- */
static void report_arrive(struct msg *m)
{
	struct report *r = container_of(m, struct report, msg);
	atomic_fetch_sub(&queued, 1);
	utf8_mend(r->message);
	event_take(r->level, r->alert, r->at, r->type, r->object, r->message);
	free(r);
}

static struct report *report_new(int level, bool alert, const char *type, const char *object)
{
	if (!atomic_load(&accepting))
		return NULL;
	if (atomic_fetch_add(&queued, 1) >= QUEUE_MAX) {
		atomic_fetch_sub(&queued, 1);
		atomic_fetch_add(&dropped, 1);
		return NULL;
	}
	struct report *r = malloc(sizeof(*r));
	if (!r) {
		atomic_fetch_sub(&queued, 1);
		return NULL;
	}
	r->msg = (struct msg){ .run = report_arrive };
	r->level = level;
	r->alert = alert;
	now_text(r->at);
	snprintf(r->type, sizeof(r->type), "%s", type);
	snprintf(r->object, sizeof(r->object), "%s", object ? object : "");
	return r;
}

void control_event(int level, bool alert, const char *type, const char *object, const char *fmt, ...)
{
	char message[sizeof(((struct report *)0)->message)];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	log_at(&log_control, level, type, "object=\"%s\" message=\"%s\"", object ? object : "", message);
	struct report *r = report_new(level, alert, type, object);
	if (!r)
		return;
	memcpy(r->message, message, sizeof(r->message));
	reactor_post(ctl.reactor, &r->msg);
}

/* Lines of the log that a person should see later.  Our own come as events anyway; refused logins too. */
static void log_sink(void *arg, enum log_level level, const char *topic, const char *what, const char *facts)
{
	char type[64];
	(void)arg;
	if (level > LOG_LEVEL_WARN || strcmp(topic, "control") == 0 || ((strcmp(topic, "iscsi") == 0 || strcmp(topic, "nvmf") == 0) && level != LOG_LEVEL_ERROR))
		return;
	snprintf(type, sizeof(type), "log.%.50s", topic);
	struct report *r = report_new((int)level, false, type, "");
	if (!r)
		return;
	snprintf(r->message, sizeof(r->message), *facts ? "%s: %s" : "%s", what, facts);
	reactor_post(ctl.reactor, &r->msg);
}

/* ---- start and stop ---------------------------------------------------------------------------------------------------------- */
int events_start(void)
{
	struct config_query q = { .where_field = "alert", .where_value = "true", .where_field2 = "resolved_at" };
	struct config_error e;
	json_t *old, *o;
	size_t i;
	pending = json_array();
	resolutions = json_array();
	flushes = 0; /* the first one of a run trims */
	flush_timer.fire = flush_due;
	if (!pending || !resolutions)
		return -ENOMEM;
	if (config_list(ctl.db, MODEL_EVENT, &q, &old, &e) == 0) {
		json_array_foreach(old, i, o)
			alert_add(o, true);
		json_decref(old);
	}
	atomic_store(&accepting, true);
	log_set_sink(log_sink, NULL);
	return 0;
}

void events_settle(void)
{
	struct alert *a;
	list_for_each(a, &alerts, link)
		if (a->stale)
			alert_end(a);
}

void events_stop(void)
{
	atomic_store(&accepting, false);
	log_set_sink(NULL, NULL);
	timer_stop(&flush_timer);
	if (ctl.db)
		events_flush();
	timer_stop(&flush_timer);
	struct alert *a;
	list_for_each(a, &alerts, link) {
		list_del(&a->link);
		json_decref(a->event);
		free(a);
	}
	json_decref(TAKE(pending));
	json_decref(TAKE(resolutions));
}
