/* SPDX-License-Identifier: GPL-3.0-or-later */
/* task.c - long work beside the control thread: a worker each, progress, a last line, cancelling.
 * The store has a row per task; progress lives in memory and is shown over it. */
#include "control/control_priv.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define TASKS_MAX 8
#define QUIET_MAX 16

struct task {
	struct list link;
	char id[CONFIG_ID_BYTES], type[64], object[256];
	struct task_spec spec;
	pthread_t thread;
	pthread_mutex_t lock;            /* percent and message */
	int percent;
	char message[512];
	json_t *result;                  /* under the lock; what the task found, or NULL */
	_Atomic(bool) cancel, is_too_late, ended;
	int status;
	uint64_t told_ns;                /* worker only: last progress event */
};
static struct list running = LIST_INIT(running);
static size_t running_count, quiet_count;
static _Atomic(bool) stopping;

static void time_text(char buf[32])
{
	time_t now = time(NULL);
	struct tm tm;
	gmtime_r(&now, &tm);
	strftime(buf, 32, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

static struct task *task_find(const char *id)
{
	struct task *t;
	list_for_each(t, &running, link)
		if (strcmp(t->id, id) == 0)
			return t;
	return NULL;
}

size_t task_running_count(void)
{
	return running_count;
}

/* What the last tasks found, after their end. */
#define RESULTS_KEPT 64
static struct {
	char id[CONFIG_ID_BYTES];
	json_t *result;
} results[RESULTS_KEPT];
static size_t results_next;

static void result_keep(struct task *t)
{
	if (!t->result)
		return;
	json_decref(results[results_next].result);
	results[results_next].result = TAKE(t->result);
	memcpy(results[results_next].id, t->id, sizeof(t->id));
	results_next = (results_next + 1) % RESULTS_KEPT;
}

static json_t *result_kept(const char *id)
{
	for (size_t i = 0; i < RESULTS_KEPT; i++)
		if (results[i].result && strcmp(results[i].id, id) == 0)
			return json_deep_copy(results[i].result);
	return json_null();
}

void control_task_result(struct task *t, const json_t *result)
{
	json_t *copy = json_deep_copy(result);
	pthread_mutex_lock(&t->lock);
	json_decref(t->result);
	t->result = copy;
	pthread_mutex_unlock(&t->lock);
}

/* Shows what is in memory over a row of the store. */
void control_task_overlay(json_t *row)
{
	struct task *t = task_find(text_of(row, "id"));
	json_object_set_new(row, "result", t ? json_null() : result_kept(text_of(row, "id")));
	if (!t)
		return;
	pthread_mutex_lock(&t->lock);
	json_object_set_new(row, "percent", json_integer(t->percent));
	if (*t->message)
		json_object_set_new(row, "message", json_string(t->message));
	if (t->result)
		json_object_set_new(row, "result", json_deep_copy(t->result));
	pthread_mutex_unlock(&t->lock);
}

static void publish_task(const char *id)
{
	struct config_error e;
	json_t *row;
	if (config_get(ctl.db, MODEL_TASK, id, &row, &e))
		return;
	control_task_overlay(row);
	publish("task", row);
}

/* ---- ends, on the control thread ------------------------------------------------------------------------------------ */
static void task_tell_end(struct task *t)
{
	struct config_error e;
	char at[32];
	const char *state = t->status == -ECANCELED ? "cancelled" : t->status ? "failed" : "done";
	running_count--;
	if (t->status && t->status != -ECANCELED && !*t->message)
		snprintf(t->message, sizeof(t->message), "%s", strerror(-t->status));
	time_text(at);
	json_t *fields = json_pack("{s:s, s:i, s:s, s:s}", "state", state, "percent", t->status ? t->percent : 100, "message", t->message, "finished_at", at);
	if (config_put(ctl.db, MODEL_TASK, t->id, fields, NULL, &e))
		log_error(&log_control, "the end of a task cannot be stored", "task=%s why=\"%s\"", t->id, e.why);
	json_decref(fields);
	publish_task(t->id);
	control_event(t->status && t->status != -ECANCELED ? LOG_LEVEL_WARN : LOG_LEVEL_INFO, false, "task.ended", t->object, "task %s %s: %s%s%s", t->type, t->object, state,
		      *t->message ? ": " : "", t->message);
}

static void task_end(struct task *t)
{
	pthread_join(t->thread, NULL);
	list_del(&t->link);
	result_keep(t);
	if (t->spec.quiet)
		quiet_count--;
	else
		task_tell_end(t);
	if (t->spec.finished)
		t->spec.finished(t, t->spec.arg, t->status);
	pthread_mutex_destroy(&t->lock);
	free(t);
}

static void reap(struct msg *m)
{
	free(m);
	struct task *t;
	list_for_each(t, &running, link)
		if (atomic_load(&t->ended))
			task_end(t);
}

static void *task_thread(void *arg)
{
	struct task *t = arg;
	t->status = t->spec.work(t, t->spec.arg);
	struct msg *m = calloc(1, sizeof(*m));
	atomic_store(&t->ended, true);
	/* t may be gone from here on. */
	if (m) {
		m->run = reap;
		reactor_post(ctl.reactor, m);
	}
	return NULL;
}

/* ---- start ------------------------------------------------------------------------------------------------------------- */
static int row_begin(const struct task *t, struct config_error *e)
{
	char at[32];
	time_text(at);
	json_t *row = json_pack("{s:s, s:s, s:s, s:i, s:s}", "type", t->type, "object", t->object, "state", "running", "percent", 0, "started_at", at);
	int r = config_put_new(ctl.db, MODEL_TASK, t->id, row, e);
	json_decref(row);
	return r;
}

int control_task_start(const struct task_spec *s, char id[CONFIG_ID_BYTES], struct config_error *e)
{
	if (s->quiet ? quiet_count >= QUIET_MAX : running_count >= TASKS_MAX)
		return config_fail(e, -EAGAIN, "", "%d tasks are running; wait for one to end", s->quiet ? QUIET_MAX : TASKS_MAX);
	struct task *t = calloc(1, sizeof(*t));
	if (!t)
		return config_fail(e, -ENOMEM, "", "out of memory");
	t->spec = *s;
	snprintf(t->type, sizeof(t->type), "%s", s->type);
	snprintf(t->object, sizeof(t->object), "%s", s->object ? s->object : "");
	pthread_mutex_init(&t->lock, NULL);
	config_new_id(ctl.db, t->id);
	int r = s->quiet ? 0 : row_begin(t, e);
	if (!r && pthread_create(&t->thread, NULL, task_thread, t)) {
		r = config_fail(e, -EAGAIN, "", "no thread for the task can be made");
		json_t *row = json_pack("{s:s}", "state", "failed");
		if (!s->quiet)
			config_put(ctl.db, MODEL_TASK, t->id, row, NULL, &(struct config_error){ 0 });
		json_decref(row);
	}
	if (r) {
		pthread_mutex_destroy(&t->lock);
		free(t);
		return r;
	}
	list_add_tail(&running, &t->link);
	snprintf(id, CONFIG_ID_BYTES, "%s", t->id);
	if (s->quiet) {
		quiet_count++;
		return 0;
	}
	running_count++;
	publish_task(t->id);
	return 0;
}

/* ---- on the worker ------------------------------------------------------------------------------------------------------ */
struct task_news {
	struct msg msg;
	char id[CONFIG_ID_BYTES];
};
static void progress_arrive(struct msg *m)
{
	struct task_news *n = container_of(m, struct task_news, msg);
	publish_task(n->id);
	free(n);
}

void control_task_progress(struct task *t, int percent, const char *fmt, ...)
{
	va_list ap;
	pthread_mutex_lock(&t->lock);
	if (percent >= 0)
		t->percent = percent > 100 ? 100 : percent;
	va_start(ap, fmt);
	vsnprintf(t->message, sizeof(t->message), fmt, ap);
	va_end(ap);
	pthread_mutex_unlock(&t->lock);
	uint64_t now = reactor_clock_ns();
	if (t->spec.quiet || now - t->told_ns < SECOND_NS)
		return;
	t->told_ns = now;
	struct task_news *n = calloc(1, sizeof(*n));
	if (n) {
		n->msg.run = progress_arrive;
		memcpy(n->id, t->id, sizeof(n->id));
		reactor_post(ctl.reactor, &n->msg);
	}
}

struct ask {
	struct msg msg;
	pthread_mutex_t lock;
	pthread_cond_t cond;
	int (*fn)(void *arg);
	void *arg;
	enum { ASK_WAITS, ASK_RUNS, ASK_DONE, ASK_LEFT } state;
	int result;
};

static void ask_free(struct ask *a)
{
	pthread_mutex_destroy(&a->lock);
	pthread_cond_destroy(&a->cond);
	free(a);
}

static void ask_arrive(struct msg *m)
{
	struct ask *a = container_of(m, struct ask, msg);
	pthread_mutex_lock(&a->lock);
	bool left = a->state == ASK_LEFT;
	a->state = ASK_RUNS;
	pthread_mutex_unlock(&a->lock);
	if (left) {
		ask_free(a);
		return;
	}
	int r = a->fn(a->arg);
	pthread_mutex_lock(&a->lock);
	a->result = r;
	a->state = ASK_DONE;
	pthread_cond_signal(&a->cond);
	pthread_mutex_unlock(&a->lock);
}

int control_task_ask(struct task *t, int (*fn)(void *arg), void *arg)
{
	struct ask *a = calloc(1, sizeof(*a));
	if (!a)
		return -ENOMEM;
	pthread_mutex_init(&a->lock, NULL);
	pthread_cond_init(&a->cond, NULL);
	a->fn = fn;
	a->arg = arg;
	a->msg.run = ask_arrive;
	reactor_post(ctl.reactor, &a->msg);
	pthread_mutex_lock(&a->lock);
	while (a->state != ASK_DONE) {
		struct timespec until;
		if (a->state == ASK_WAITS && control_task_is_cancelled(t)) {
			a->state = ASK_LEFT;     /* whoever gets the message frees it */
			pthread_mutex_unlock(&a->lock);
			return -ECANCELED;
		}
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += 50000000;
		until.tv_sec += until.tv_nsec / 1000000000;
		until.tv_nsec %= 1000000000;
		pthread_cond_timedwait(&a->cond, &a->lock, &until);
	}
	pthread_mutex_unlock(&a->lock);
	int r = a->result;
	ask_free(a);
	return r;
}

bool control_task_is_cancelled(const struct task *t)
{
	return atomic_load(&t->cancel) && (!atomic_load(&t->is_too_late) || atomic_load(&stopping));
}

void control_task_is_too_late(struct task *t)
{
	atomic_store(&t->is_too_late, true);
}

/* ---- cancel, recover, stop ------------------------------------------------------------------------------------------------- */
int control_task_stop(const char *id, struct config_error *e)
{
	struct task *t = task_find(id);
	json_t *row;
	if (!t) {
		int r = config_get(ctl.db, MODEL_TASK, id, &row, e);
		if (r)
			return r;
		r = config_fail(e, -EINVAL, "", "the task has ended already (%s)", text_of(row, "state"));
		json_decref(row);
		return r;
	}
	if (!t->spec.can_cancel || atomic_load(&t->is_too_late))
		return config_fail(e, -EBUSY, "", "a task of type %s cannot be stopped half-way", t->type);
	atomic_store(&t->cancel, true);
	return 0;
}

void tasks_recover(void)
{
	struct config_error e;
	struct config_query q = { .where_field = "state", .where_value = "running" };
	json_t *rows, *row;
	size_t i;
	char at[32];
	if (config_list(ctl.db, MODEL_TASK, &q, &rows, &e))
		return;
	time_text(at);
	json_array_foreach(rows, i, row) {
		json_t *fields = json_pack("{s:s, s:s, s:s}", "state", "failed", "message", "the server stopped while it ran", "finished_at", at);
		if (config_put(ctl.db, MODEL_TASK, text_of(row, "id"), fields, NULL, &e))
			log_warn(&log_control, "a task row cannot be closed", "why=\"%s\"", e.why);
		json_decref(fields);
	}
	json_decref(rows);
}

void tasks_stop(void)
{
	struct task *t;
	atomic_store(&stopping, true);
	list_for_each(t, &running, link)
		atomic_store(&t->cancel, true);
	list_for_each(t, &running, link)
		task_end(t);             /* joins */
	for (size_t i = 0; i < RESULTS_KEPT; i++)
		json_decref(TAKE(results[i].result));
	atomic_store(&stopping, false);
}
