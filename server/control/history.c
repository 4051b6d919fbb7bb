/* SPDX-License-Identifier: GPL-3.0-or-later */
/* history.c - what was: minutes for a day, hours for a year, in history.db; and the answers from it.
 *
 * A minute is put together from the moments of watch.c when it is over, an hour from its minutes, so a crash costs the
 * minute under way and nothing else.  Rows say what was counted, not rates, and every tick says how many of its seconds
 * are covered: after a clock that went back a minute simply has more of them.
 *
 * Idle series have no rows; a tick without a row means that nothing was done, no tick that nobody knows. */
#include "control/watch_priv.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "control/operate.h"

#define MINUTE_S 60
#define HOUR_S 3600
#define DAY_S 86400
#define KEEP_MINUTES (25 * 60)
#define KEEP_HOURS (366 * 24)
#define USED_BUDGET_NS (20 * (SECOND_NS / 1000))
#define JUMP_S 120
#define POINTS_DEFAULT 300
#define POINTS_MAX 2000

static int64_t wall_clock(void)
{
	return time(NULL);
}
int64_t (*history_clock)(void) = wall_clock;
static int64_t rolled_hour, last_wall_s;
static uint64_t last_mono_ns;

static int64_t floor_to(int64_t t, int64_t step)
{
	return t - ((t % step) + step) % step;
}

/* ---- a minute ------------------------------------------------------------------------------------------------ */
static struct sample *minute_of(struct series *s)
{
	if (!s->minute)
		s->minute = calloc(1, sizeof(*s->minute));
	return s->minute;
}

/* Used space goes in when it is new, and once an hour, so that a chart finds it without going far back. */
static void put_used(struct series *s, int64_t at, uint64_t bytes)
{
	if (s->used_known && s->used_bytes == bytes && at - s->used_kept_at < HOUR_S && at >= s->used_kept_at)
		return;
	struct sample *m = minute_of(s);
	if (!m)
		return;
	m->used_known = s->used_known = true;
	m->used_bytes = s->used_bytes = bytes;
	s->used_kept_at = at;
}

/* Before it hurts: little space left, or much more promised than there is. */
static void warn_of_space(const json_t *pool, const struct pool_facts *f)
{
	const char *name = text_of(pool, "name"), *id = text_of(pool, "id");
	int64_t low = setting_int("pool_low_percent"), over = setting_int("pool_overcommit_percent");
	uint64_t promised = 0, percent_left = f->total_bytes ? f->free_bytes / (f->total_bytes / 100 + 1) : 0;
	struct node *n;
	list_for_each(n, &ctl.volumes.all, all) {
		const struct rt_volume *v = container_of(n, struct rt_volume, node);
		if (strcmp(text_of(v->row, "pool"), id))
			continue;
		promised += (uint64_t)int_of(v->row, "size_bytes");
		if (v->unit)             /* SCSI hosts hear, too */
			scsi_unit_space(v->unit, f->free_bytes, f->total_bytes / 100 * (uint64_t)low);
	}
	if (low && percent_left < (uint64_t)low)
		alert_raise(LOG_LEVEL_WARN, "pool.low_space", name, "pool %s has less than %" PRId64 " %% of its space left", name, low);
	else
		alert_resolve("pool.low_space", name);
	if (over && promised > f->total_bytes / 100 * (uint64_t)over)
		alert_raise(LOG_LEVEL_WARN, "pool.overcommitted", name, "the volumes of pool %s can grow to more than %" PRId64 " %% of its size", name, over);
	else
		alert_resolve("pool.overcommitted", name);
}

static int64_t shares_at;
static void put_share_used(const char *id, const char *name, const struct share_counts *c)
{
	struct series *s = c->used_known ? series_get(WATCH_SHARE, id, name) : NULL;
	if (s)
		put_used(s, shares_at, c->used_bytes);
}

static void look_at_space(int64_t at)
{
	uint64_t deadline_ns = reactor_clock_ns() + USED_BUDGET_NS, sum = 0;
	struct series *s, *server = series_get(WATCH_SERVER, "server", "server");
	struct config_error e;
	struct node *n;
	json_t *pools, *p;
	size_t i;
	list_for_each(n, &ctl.volumes.all, all) {
		struct rt_volume *v = container_of(n, struct rt_volume, node);
		volume_refresh_used(v, deadline_ns);
		if (v->used_known && (s = series_get(WATCH_VOLUME, v->node.id, text_of(v->row, "name"))))
			put_used(s, at, v->used_bytes);
	}
	shares_at = at;
	share_counts_each(put_share_used);
	if (config_list(ctl.db, MODEL_POOL, NULL, &pools, &e))
		return;
	json_array_foreach(pools, i, p) {
		struct pool_facts f;
		pool_facts(text_of(p, "path"), &f);
		s = series_get(WATCH_POOL, text_of(p, "id"), text_of(p, "name"));
		if (s && f.online)
			put_used(s, at, f.total_bytes - f.free_bytes);
		if (!f.online)
			continue;
		sum += f.total_bytes - f.free_bytes;
		warn_of_space(p, &f);
	}
	if (server && json_array_size(pools))
		put_used(server, at, sum);
	json_decref(pools);
}

static int put_point(enum history_tier tier, int64_t at, int64_t series, struct sample *now)
{
	static uint8_t buf[SAMPLE_BYTES_MAX];
	static struct sample whole;
	size_t len;
	if (history_get(watch.history, tier, at, series, buf, sizeof(buf), &len) == 0) {
		memset(&whole, 0, sizeof(whole));
		if (sample_add_encoded(&whole, buf, len) == 0) {
			sample_add(&whole, now);
			now = &whole;
		}
	}
	len = sample_encode(now, buf);
	return history_put(watch.history, tier, at, series, buf, len);
}

static int put_minute(int64_t at, double seconds)
{
	struct series *s;
	int r = history_begin(watch.history);
	if (!r)
		r = history_tick(watch.history, HISTORY_MINUTE, at, seconds);
	list_for_each(s, &watch.series, link) {
		if (!s->minute)
			continue;
		if (!r && !s->db_id)
			r = history_series(watch.history, watch_kind_names[s->kind], s->object, s->name, &s->db_id);
		if (!r)
			r = put_point(HISTORY_MINUTE, at, s->db_id, s->minute);
		free(TAKE(s->minute));
	}
	if (!r)
		r = history_trim(watch.history, HISTORY_MINUTE, KEEP_MINUTES);
	if (!r)
		r = history_commit(watch.history);
	if (r)
		history_rollback(watch.history);
	return r;
}

/* ---- an hour --------------------------------------------------------------------------------------------------- */
#define ROLL_BUCKETS 1024
struct roll {
	struct roll *next;
	int64_t series;
	struct sample sum;
};
static void roll_point(void *arg, int64_t at, int64_t series, const void *data, size_t len)
{
	struct roll **bucket = arg, **place = &bucket[(uint64_t)series % ROLL_BUCKETS], *r;
	(void)at;
	for (r = *place; r && r->series != series; r = r->next)
		;
	if (!r) {
		r = calloc(1, sizeof(*r));
		if (!r)
			return;
		r->series = series;
		r->next = *place;
		*place = r;
	}
	struct sample before = r->sum;
	if (sample_add_encoded(&r->sum, data, len))
		r->sum = before;
}

static int roll_hour(int64_t hour)
{
	static struct roll *bucket[ROLL_BUCKETS];
	double seconds = history_covered(watch.history, HISTORY_MINUTE, hour, hour + HOUR_S);
	if (seconds <= 0 || history_covered(watch.history, HISTORY_HOUR, hour, hour + HOUR_S) > 0)
		return 0;
	int r = history_points(watch.history, HISTORY_MINUTE, hour, hour + HOUR_S, roll_point, bucket);
	if (!r)
		r = history_begin(watch.history);
	if (!r)
		r = history_tick(watch.history, HISTORY_HOUR, hour, seconds);
	for (size_t i = 0; i < ROLL_BUCKETS; i++)
		while (bucket[i]) {
			struct roll *one = bucket[i];
			bucket[i] = one->next;
			/* Space alone is kept once a day. */
			if (!r && (!sample_is_idle(&one->sum) || one->sum.cpu_us || hour % DAY_S == 0))
				r = put_point(HISTORY_HOUR, hour, one->series, &one->sum);
			free(one);
		}
	if (!r)
		r = history_trim(watch.history, HISTORY_HOUR, KEEP_HOURS);
	if (!r)
		r = history_commit(watch.history);
	if (r)
		history_rollback(watch.history);
	return r;
}

/* All hours that are over and have minutes but no row: the last one, or those that an end cut off. */
static int roll_missing(int64_t now)
{
	int64_t hour = floor_to(now, HOUR_S);
	int r = 0;
	if (hour == rolled_hour)
		return 0;
	for (int64_t h = hour - KEEP_MINUTES * MINUTE_S; !r && h < hour; h += HOUR_S)
		r = roll_hour(floor_to(h, HOUR_S));
	if (!r)
		rolled_hour = hour;
	return r;
}

/* The file never grows beyond the setting: the oldest quarter of the larger tier goes first. */
static int stay_small(void)
{
	int64_t max = setting_int("history_max_mb") << 20, minutes = KEEP_MINUTES, hours = KEEP_HOURS;
	int r = 0;
	while (!r && history_bytes(watch.history) > max && minutes > 60) {
		hours = hours * 3 / 4;
		minutes = hours < 24 * 30 ? minutes * 3 / 4 : minutes;
		r = history_trim(watch.history, HISTORY_HOUR, hours);
		if (!r)
			r = history_trim(watch.history, HISTORY_MINUTE, minutes);
	}
	return r;
}

/* ---- keeping ------------------------------------------------------------------------------------------------------ */
static void note_clock(int64_t now)
{
	uint64_t mono_ns = reactor_clock_ns();
	int64_t by = now - last_wall_s - (int64_t)((mono_ns - last_mono_ns) / SECOND_NS);
	if (last_wall_s && (by > JUMP_S || by < -JUMP_S))
		alert_raise(LOG_LEVEL_WARN, "clock.jump", "clock", "the clock of the machine jumped by %" PRId64 " s; times of events and of the history are off", by);
	else if (last_wall_s && mono_ns - last_mono_ns > 0 && now / HOUR_S != last_wall_s / HOUR_S)
		alert_resolve("clock.jump", "clock");
	last_wall_s = now;
	last_mono_ns = mono_ns;
}

static int64_t minute_of_moment(const struct moment *m)
{
	return floor_to(m->unix_s - (int64_t)(m->seconds / 2), MINUTE_S);
}

static void keep_failed(int r)
{
	static struct log_limit limit = LOG_LIMIT_INIT;
	if (log_limit_ok(&limit, &log_control))
		log_warn(&log_control, "the history cannot be written now, going on without", "why=\"%s\"", strerror(-r));
}

void history_keep(bool all)
{
	if (!watch.history)
		return;
	int64_t now = history_clock(), current = floor_to(now, MINUTE_S), at = 0;
	struct moment *m, *first = NULL;
	double seconds = 0;
	int r = 0;
	note_clock(now);
	list_for_each(m, &watch.moments, link) {
		if (m->kept)
			continue;
		int64_t minute = minute_of_moment(m);
		if (first && minute != at) {
			look_at_space(at);
			r = put_minute(at, seconds);
			first = NULL;
		}
		if (!all && minute == current)
			break;
		if (!first) {
			first = m;
			at = minute;
			seconds = 0;
		}
		for (size_t i = 0; i < m->entry_count; i++) {
			struct series *s = m->entry[i].series;
			struct sample *sum = s->kind == WATCH_SESSION ? NULL : minute_of(s);
			if (sum && sample_add_encoded(sum, m->bytes + m->entry[i].at, m->entry[i].len))
				log_warn(&log_control, "a moment of the history cannot be read", "series=%s", s->name);
		}
		seconds += m->seconds;
		m->kept = true;
	}
	if (first) {
		look_at_space(at);
		r = put_minute(at, seconds);
	}
	if (!r && rolled_hour != floor_to(now, HOUR_S)) {
		r = roll_missing(now);
		if (!r)
			r = stay_small();
	}
	if (r)
		keep_failed(r);
	refused_save();
}

void history_begin_run(void)
{
	struct config_error e;
	rolled_hour = 0;
	last_wall_s = 0;
	if (history_open(ctl.state_dir, &watch.history, &e)) {
		log_error(&log_control, "no history is kept", "why=\"%s\"", e.why);
		return;
	}
	if (history_problem(watch.history))
		log_warn(&log_control, "history", "why=\"%s\"", history_problem(watch.history));
	refused_load();
}

void history_end_run(void)
{
	refused_save();
	history_close(TAKE(watch.history));
}

/* ---- answers --------------------------------------------------------------------------------------------------------- */
struct span {
	struct sample sum;
	double seconds;
};
struct reading {
	int64_t from, to, step_s;
	struct span *span;               /* owned */
	size_t count;
	bool used_known;                 /* before the first span */
	uint64_t used_bytes;
	uint8_t *hours;                  /* which hours of the range have a row; owned, may be NULL */
	bool skip_hours;                 /* reading minutes: leave those out */
};

static void take_row(void *arg, int64_t at, double seconds, const void *data, size_t len)
{
	static struct sample one;
	struct reading *g = arg;
	memset(&one, 0, sizeof(one));
	if (data && sample_add_encoded(&one, data, len))
		return;
	if (at < g->from) {
		if (one.used_known) {
			g->used_known = true;
			g->used_bytes = one.used_bytes;
		}
		return;
	}
	size_t hour = (size_t)((at - floor_to(g->from, HOUR_S)) / HOUR_S);
	if (g->hours && g->skip_hours && g->hours[hour])
		return;
	if (g->hours && !g->skip_hours)
		g->hours[hour] = 1;
	struct span *p = &g->span[(size_t)((at - g->from) / g->step_s)];
	sample_add(&p->sum, &one);
	p->seconds += seconds;
}

/* Moments: all of them, or those that are not in the store yet. */
static void take_moments(struct reading *g, const struct series *s, bool all)
{
	struct moment *m;
	list_for_each(m, &watch.moments, link) {
		int64_t at = all ? m->unix_s - (int64_t)(m->seconds / 2) : minute_of_moment(m);
		if ((m->kept && !all) || at < g->from || at >= g->to)
			continue;
		struct span *p = &g->span[(size_t)((at - g->from) / g->step_s)];
		if (s)
			moment_add_to(m, s, &p->sum);
		p->seconds += m->seconds;
	}
}

static int take_all(struct reading *g, enum watch_kind kind, const char *object)
{
	const struct series *s = series_find(kind, object);
	int64_t series = 0;
	int r = 0;
	if (g->step_s < MINUTE_S) {
		take_moments(g, s, true);
		if (s && s->used_known) {
			g->used_known = true;
			g->used_bytes = s->used_bytes;
		}
		return 0;
	}
	if (watch.history && history_series_find(watch.history, watch_kind_names[kind], object, &series))
		series = 0;              /* no rows; the ticks still tell when the server ran */
	if (watch.history && g->step_s >= HOUR_S) {
		g->hours = calloc((size_t)((g->to - floor_to(g->from, HOUR_S)) / HOUR_S) + 2, 1);
		if (!g->hours)
			return -ENOMEM;
		r = history_read(watch.history, HISTORY_HOUR, series, g->from - DAY_S, g->to, take_row, g);
		g->skip_hours = true;
	}
	if (watch.history && !r)
		r = history_read(watch.history, HISTORY_MINUTE, series, g->hours ? g->from : g->from - HOUR_S, g->to, take_row, g);
	take_moments(g, s, false);
	return r;
}

static json_t *value_json(double v)
{
	return v < 0 ? json_null() : json_real((double)(int64_t)(v * 10 + 0.5) / 10);
}

static double value_of(const struct span *p, size_t what)
{
	const struct sample *s = &p->sum;
	const unsigned both = 1u << SAMPLE_READ | 1u << SAMPLE_WRITE | 1u << SAMPLE_ANY;
	switch (what) {
	case 0: return (double)s->read_bytes / p->seconds;
	case 1: return (double)s->write_bytes / p->seconds;
	case 2: return (double)s->read_ops / p->seconds;
	case 3: return (double)s->write_ops / p->seconds;
	case 4: return sample_quantile_us(s, 1u << SAMPLE_READ, 0.5);
	case 5: return sample_quantile_us(s, 1u << SAMPLE_READ, 0.99);
	case 6: return sample_quantile_us(s, 1u << SAMPLE_WRITE, 0.5);
	case 7: return sample_quantile_us(s, 1u << SAMPLE_WRITE, 0.99);
	case 8: return sample_quantile_us(s, both, 0.5);
	case 9: return sample_quantile_us(s, both, 0.99);
	default: return (double)s->errors;
	}
}
static const char *const value_names[] = {
	"read_bytes_s", "write_bytes_s", "read_ops_s", "write_ops_s", "read_latency_p50_us", "read_latency_p99_us", "write_latency_p50_us", "write_latency_p99_us", "latency_p50_us",
	"latency_p99_us", "errors",
};

json_t *rates_json(const struct sample *s, double seconds, const char *name)
{
	struct span p = { .sum = *s, .seconds = seconds > 0 ? seconds : 1 };
	json_t *o = json_pack("{s:s}", "name", name);
	for (size_t i = 0; i < ARRAY_COUNT(value_names); i++)
		json_object_set_new_nocheck(o, value_names[i], value_json(value_of(&p, i)));
	return o;
}

static json_t *reading_json(const struct reading *g, enum watch_kind kind, const char *object)
{
	json_t *series = json_object();
	for (size_t w = 0; w < ARRAY_COUNT(value_names); w++) {
		json_t *list = json_array();
		for (size_t i = 0; i < g->count; i++)
			json_array_append_new(list, g->span[i].seconds > 0 ? value_json(value_of(&g->span[i], w)) : json_null());
		json_object_set_new(series, value_names[w], list);
	}
	if (kind == WATCH_SERVER) {
		json_t *list = json_array();
		for (size_t i = 0; i < g->count; i++)
			json_array_append_new(list, g->span[i].seconds > 0 ? value_json((double)g->span[i].sum.cpu_us / 1e4 / g->span[i].seconds) : json_null());
		json_object_set_new(series, "cpu_percent", list);
	}
	if (kind != WATCH_HOST && kind != WATCH_TARGET) {
		json_t *list = json_array();
		bool known = g->used_known;
		uint64_t used = g->used_bytes;
		for (size_t i = 0; i < g->count; i++) {
			if (g->span[i].sum.used_known) {
				known = true;
				used = g->span[i].sum.used_bytes;
			}
			json_array_append_new(list, known && g->span[i].seconds > 0 ? json_integer((json_int_t)used) : json_null());
		}
		json_object_set_new(series, "used_bytes", list);
	}
	return json_pack("{s:s, s:I, s:I, s:I, s:o}", "object", object, "from", (json_int_t)g->from, "to", (json_int_t)g->to, "step_s", (json_int_t)g->step_s, "series", series);
}

/* The finest step that the range has: moments for a quarter of an hour, minutes for a day, then hours. */
static int64_t step_of(int64_t from, int64_t to, unsigned points)
{
	static const int64_t steps[] = { 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800 };
	int64_t now = history_clock(), least = (to - from + points - 1) / points;
	if (from < now - DAY_S)
		least = least < HOUR_S ? HOUR_S : least;
	else if (from < now - 15 * MINUTE_S)
		least = least < MINUTE_S ? MINUTE_S : least;
	for (size_t i = 0; i < ARRAY_COUNT(steps); i++)
		if (steps[i] >= least)
			return steps[i];
	return floor_to(least + DAY_S - 1, DAY_S);
}

/* "volume/NAME" to its kind and id. */
static int resolve(const char *object, enum watch_kind *ret_kind, char id[64], struct config_error *e)
{
	static const struct {
		enum watch_kind kind;
		enum model_kind model;
	} rows[] = { { WATCH_POOL, MODEL_POOL }, { WATCH_VOLUME, MODEL_VOLUME }, { WATCH_TARGET, MODEL_TARGET }, { WATCH_HOST, MODEL_HOST }, { WATCH_SHARE, MODEL_SHARE } };
	const char *slash = strchr(object, '/');
	json_t *row;
	if (strcmp(object, "server") == 0) {
		*ret_kind = WATCH_SERVER;
		snprintf(id, 64, "server");
		return 0;
	}
	for (size_t i = 0; slash && i < ARRAY_COUNT(rows); i++) {
		const char *name = watch_kind_names[rows[i].kind];
		if (strlen(name) != (size_t)(slash - object) || strncmp(name, object, strlen(name)) != 0)
			continue;
		int r = config_get(ctl.db, rows[i].model, slash + 1, &row, e);
		if (r)
			return r;
		*ret_kind = rows[i].kind;
		snprintf(id, 64, "%s", text_of(row, "id"));
		json_decref(row);
		return 0;
	}
	return config_fail(e, -EINVAL, "object", "the object is server, pool/NAME, volume/NAME, share/NAME, target/NAME or host/NAME");
}

struct history_call {
	const struct control_history_query *q;
	json_t *result;
	struct config_error *e;
};
static int history_run(void *arg)
{
	struct history_call *c = arg;
	int64_t now = history_clock(), to = c->q->to_unix_s ? c->q->to_unix_s : now, from = c->q->from_unix_s ? c->q->from_unix_s : to - HOUR_S;
	unsigned points = c->q->points ? c->q->points : POINTS_DEFAULT;
	enum watch_kind kind;
	char id[64];
	int r = resolve(c->q->object, &kind, id, c->e);
	if (r)
		return r;
	if (from < 0 || to <= from || to > now + 10 * (int64_t)DAY_S * 366 || to - from > 10 * (int64_t)DAY_S * 366)
		return config_fail(c->e, -EINVAL, "from", "from comes before to, both in seconds since 1970, at most ten years apart");
	if (points > POINTS_MAX)
		return config_fail(c->e, -EINVAL, "points", "points is a number from 1 to %d", POINTS_MAX);
	struct reading g = { .step_s = step_of(from, to, points) };
	g.from = floor_to(from, g.step_s);
	g.to = floor_to(to + g.step_s - 1, g.step_s);
	g.count = (size_t)((g.to - g.from) / g.step_s);
	g.span = calloc(g.count, sizeof(*g.span));
	r = g.span ? take_all(&g, kind, id) : -ENOMEM;
	if (!r)
		c->result = reading_json(&g, kind, c->q->object);
	else
		config_fail(c->e, r, "", "the history cannot be read: %s", strerror(-r));
	free(g.span);
	free(g.hours);
	return r;
}

int control_history(const struct control_history_query *q, json_t **ret_result, struct config_error *e)
{
	struct history_call c = { .q = q, .e = e };
	*e = (struct config_error){ 0 };
	int r = reactor_call(ctl.reactor, history_run, &c);
	if (!r)
		*ret_result = c.result;
	return r;
}
