/* SPDX-License-Identifier: GPL-3.0-or-later */
/* top.c - who is busy now: the last moments of watch.c, as a list in order and as events of type "stats". */
#include "control/watch_priv.h"

#include <stdio.h>
#include <string.h>

#include "control/operate.h"

#define TOP_SECONDS 9                    /* at least, so that one look every ten seconds suffices */
#define STATS_ROWS 100

struct busy {
	struct list link;
	const struct series *series;
	struct sample sum;
	double weight;
};
enum order { BY_OPS, BY_BYTES, BY_LATENCY };

static double weight_of(const struct sample *s, enum order by)
{
	const unsigned all = 1u << SAMPLE_READ | 1u << SAMPLE_WRITE | 1u << SAMPLE_ANY;
	if (by == BY_LATENCY)
		return sample_quantile_us(s, all, 0.99);
	return by == BY_OPS ? (double)(s->read_ops + s->write_ops) : (double)(s->read_bytes + s->write_bytes);
}

static int heavier_first(const void *a, const void *b)
{
	const struct busy *x = *(const struct busy *const *)a, *y = *(const struct busy *const *)b;
	return (x->weight < y->weight) - (x->weight > y->weight);
}

/* Adds a moment to the busy ones of a kind. */
static void gather(struct list *all, const struct moment *m, enum watch_kind kind)
{
	for (size_t i = 0; i < m->entry_count; i++) {
		struct busy *b, *found = NULL;
		if (m->entry[i].series->kind != kind)
			continue;
		list_for_each(b, all, link)
			if (b->series == m->entry[i].series)
				found = b;
		if (!found) {
			found = calloc(1, sizeof(*found));
			if (!found)
				return;
			found->series = m->entry[i].series;
			list_add_tail(all, &found->link);
		}
		if (sample_add_encoded(&found->sum, m->bytes + m->entry[i].at, m->entry[i].len))
			log_warn(&log_control, "a moment of the history cannot be read", "series=%s", found->series->name);
	}
}

static json_t *busy_json(const struct busy *b, double seconds)
{
	json_t *o = rates_json(&b->sum, seconds, b->series->name);
	if (b->series->kind == WATCH_SESSION) {
		json_object_set_new(o, "id", json_integer(strtoll(b->series->object, NULL, 10)));
		json_object_set_new(o, "name", json_sprintf("%s at %s", *b->series->host ? b->series->host : b->series->initiator, b->series->target));
	}
	return o;
}

/* Frees the list; at most n, the heaviest first. */
static json_t *ranking(struct list *all, enum order by, unsigned n, double seconds)
{
	json_t *items = json_array();
	struct busy *b;
	size_t count = 0, at = 0;
	list_for_each(b, all, link)
		count++;
	struct busy **order = calloc(count + 1, sizeof(*order));
	list_for_each(b, all, link) {
		b->weight = weight_of(&b->sum, by);
		if (order)
			order[at++] = b;
	}
	if (order) {
		qsort(order, count, sizeof(*order), heavier_first);
		for (size_t i = 0; i < count && i < n; i++)
			json_array_append_new(items, busy_json(order[i], seconds));
	}
	list_for_each(b, all, link)
		free(b);
	free(order);
	return items;
}

struct top_call {
	const char *kind, *by;
	unsigned n;
	json_t *result;
	struct config_error *e;
};
static int top_run(void *arg)
{
	static const char *const orders[] = { [BY_OPS] = "ops", [BY_BYTES] = "bytes", [BY_LATENCY] = "latency" };
	struct top_call *c = arg;
	struct list all = LIST_INIT(all), *l;
	enum watch_kind kind = WATCH_KINDS;
	size_t by = 0;
	double seconds = 0;
	for (size_t k = WATCH_POOL; k < WATCH_KINDS; k++)
		if (strcmp(watch_kind_names[k], c->kind) == 0)
			kind = (enum watch_kind)k;
	while (by < ARRAY_COUNT(orders) && strcmp(orders[by], c->by) != 0)
		by++;
	if (kind == WATCH_KINDS)
		return config_fail(c->e, -EINVAL, "kind", "kind is pool, volume, share, target, host or session");
	if (by == ARRAY_COUNT(orders))
		return config_fail(c->e, -EINVAL, "by", "by is ops, bytes or latency");
	for (l = watch.moments.prev; l != &watch.moments && seconds < TOP_SECONDS; l = l->prev) {
		const struct moment *m = list_entry(l, struct moment, link);
		gather(&all, m, kind);
		seconds += m->seconds;
	}
	json_t *items = ranking(&all, (enum order)by, c->n, seconds);
	c->result = json_pack("{s:f, s:o}", "seconds", seconds, "items", items);
	return 0;
}

int control_top(const char *kind, const char *by, unsigned n, json_t **ret_result, struct config_error *e)
{
	struct top_call c = { .kind = kind, .by = by, .n = n, .e = e };
	*e = (struct config_error){ 0 };
	int r = reactor_call(ctl.reactor, top_run, &c);
	if (!r)
		*ret_result = c.result;
	return r;
}

/* ---- for those who watch live ---------------------------------------------------------------------------------------- */
static json_t *busy_of(const struct moment *m, enum watch_kind kind)
{
	struct list all = LIST_INIT(all);
	gather(&all, m, kind);
	return ranking(&all, BY_BYTES, STATS_ROWS, m->seconds);
}

void stats_publish(const struct moment *m)
{
	static struct sample s;
	struct series *server = series_find(WATCH_SERVER, "server");
	memset(&s, 0, sizeof(s));
	if (server)
		moment_add_to(m, server, &s);
	json_t *o = rates_json(&s, m->seconds, "server");
	json_object_set_new(o, "cpu_percent", json_real(m->seconds > 0 ? (double)(int64_t)((double)s.cpu_us / 1e3 / m->seconds + 0.5) / 10 : 0));
	publish("stats", json_pack("{s:I, s:f, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "at_unix_s", (json_int_t)m->unix_s, "seconds", m->seconds, "server", o, "volumes", busy_of(m, WATCH_VOLUME),
				   "pools", busy_of(m, WATCH_POOL), "targets", busy_of(m, WATCH_TARGET), "hosts", busy_of(m, WATCH_HOST), "sessions", busy_of(m, WATCH_SESSION), "shares", busy_of(m, WATCH_SHARE)));
}
