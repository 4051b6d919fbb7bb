/* SPDX-License-Identifier: GPL-3.0-or-later */
/* watch.c - looks at all counters every ten seconds (two while somebody watches) and keeps the last quarter of an hour.
 *
 * A look at a volume that did nothing is three loads per reactor; only those that did something cost a histogram.  So a
 * thousand idle volumes are looked at in well under a millisecond. */
#include "control/watch_priv.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "control/operate.h"

#define LOOK_S 10
#define LOOK_WATCHED_S 2
#define KEEP_S (16 * 60)
#define IDLE_KEEP_S 86400u               /* counters of a target or host that nobody uses */
#define MOMENTS_BYTES_MAX (64u << 20)
#define BUCKETS 2048

struct looks watch;
const char *const watch_kind_names[WATCH_KINDS] = {
	[WATCH_SERVER] = "server", [WATCH_POOL] = "pool", [WATCH_VOLUME] = "volume", [WATCH_TARGET] = "target", [WATCH_HOST] = "host", [WATCH_SESSION] = "session", [WATCH_SHARE] = "share",
};
static struct series *bucket[BUCKETS];
static struct timer look_timer;
static struct msg wanted_msg;
static _Atomic(bool) wanted, wanted_posted;
static uint64_t last_look_ns;
static uint64_t last_cpu_us;

/* ---- series ---------------------------------------------------------------------------------------------- */
static unsigned hash_of(enum watch_kind k, const char *object)
{
	uint32_t h = 2166136261u ^ (uint32_t)k;
	for (; *object; object++)
		h = (h ^ (uint8_t)*object) * 16777619u;
	return h % BUCKETS;
}

struct series *series_find(enum watch_kind k, const char *object)
{
	for (struct series *s = bucket[hash_of(k, object)]; s; s = s->next)
		if (s->kind == k && strcmp(s->object, object) == 0)
			return s;
	return NULL;
}

struct series *series_get(enum watch_kind k, const char *object, const char *name)
{
	struct series *s = series_find(k, object);
	if (!s) {
		s = calloc(1, sizeof(*s));
		if (!s)
			return NULL;
		unsigned at = hash_of(k, object);
		s->kind = k;
		snprintf(s->object, sizeof(s->object), "%s", object);
		s->next = bucket[at];
		bucket[at] = s;
		list_add_tail(&watch.series, &s->link);
	}
	snprintf(s->name, sizeof(s->name), "%s", name);
	s->seen_ns = reactor_clock_ns();
	return s;
}

static void series_free(struct series *s)
{
	struct series **at = &bucket[hash_of(s->kind, s->object)];
	while (*at != s)
		at = &(*at)->next;
	*at = s->next;
	list_del(&s->link);
	free(s->last_latency);
	free(s->minute);
	free(s);
}

bool series_is_live(const struct series *s)
{
	return s->kind != WATCH_SESSION || s->seen_ns >= last_look_ns;
}

static struct sample *sample_of(struct series *s)
{
	s->touched = true;
	return &s->now;
}

/* ---- what changed ------------------------------------------------------------------------------------------ */
static uint64_t grown(uint64_t now, uint64_t *last)
{
	uint64_t by = now >= *last ? now - *last : now; /* less: it began anew */
	*last = now;
	return by;
}

static void latency_grown(struct series *s, enum sample_latency l, const struct hist *h)
{
	if (!s->last_latency)
		s->last_latency = calloc(SAMPLE_LATENCIES, sizeof(*s->last_latency));
	if (!s->last_latency)
		return;
	for (size_t i = 0; i < HIST_BUCKETS; i++) {
		uint64_t count = __atomic_load_n(&h->bucket[i], __ATOMIC_RELAXED);
		uint32_t now = (uint32_t)count, by = now - s->last_latency[l][i];
		if (by <= INT32_MAX)     /* else it began anew: nothing is known of the span */
			s->now.latency[l][i] += by;
		s->last_latency[l][i] = now;
	}
}

static void count_in(struct series *s, const struct sample *by)
{
	s->total.read_ops += by->read_ops;
	s->total.read_bytes += by->read_bytes;
	s->total.write_ops += by->write_ops;
	s->total.write_bytes += by->write_bytes;
	s->total.errors += by->errors;
}

static void add_to(struct series *whole, const struct sample *part)
{
	if (!whole)
		return;
	sample_add(sample_of(whole), part);
	count_in(whole, part);
}

static void look_at_volume(struct rt_volume *v, struct series *server)
{
	static struct volume_stats stats; /* large; control thread only */
	struct volume_counts now;
	struct series *s = series_get(WATCH_VOLUME, v->node.id, text_of(v->row, "name"));
	if (!s)
		return;
	volume_counts(v->volume, &now);
	if (memcmp(&now, &s->last, sizeof(now)) == 0)
		return;
	struct sample *d = sample_of(s);
	d->read_ops = grown(now.ops[STATS_READ], &s->last.ops[STATS_READ]);
	d->read_bytes = grown(now.bytes[STATS_READ], &s->last.bytes[STATS_READ]);
	d->write_ops = grown(now.ops[STATS_WRITE], &s->last.ops[STATS_WRITE]);
	d->write_bytes = grown(now.bytes[STATS_WRITE], &s->last.bytes[STATS_WRITE]);
	for (size_t k = 0; k < STATS_KINDS; k++)
		d->errors += grown(now.errors[k], &s->last.errors[k]);
	if (d->write_ops || grown(now.ops[STATS_OTHER], &s->last.ops[STATS_OTHER]))
		v->used_at_ns = 0;       /* writes and unmaps change what it uses */
	s->last = now;
	volume_stats(v->volume, &stats);
	latency_grown(s, SAMPLE_READ, &stats.kind[STATS_READ].latency);
	latency_grown(s, SAMPLE_WRITE, &stats.kind[STATS_WRITE].latency);
	add_to(server, d);
	const char *pool = text_of(v->row, "pool");
	struct series *p = *pool ? series_find(WATCH_POOL, pool) : NULL;
	if (p)
		add_to(p, d);
}

struct session_look {
	uint64_t id;
	const char *protocol, *target, *initiator, *host;
	uint64_t read_ops, read_bytes, write_ops, write_bytes, errors;
	const struct hist *latency;
};

/* The object's id behind a name that a session shows; asked once per name and look at most, see series_get. */
static struct series *series_by_name(enum watch_kind k, enum model_kind model, const char *field, const char *name)
{
	struct config_query q = { .where_field = field, .where_value = name };
	struct config_error e;
	json_t *rows;
	struct series *s = NULL;
	if (!*name || config_list(ctl.db, model, &q, &rows, &e))
		return NULL;
	if (json_array_size(rows))
		s = series_get(k, text_of(json_array_get(rows, 0), "id"), text_of(json_array_get(rows, 0), "name"));
	json_decref(rows);
	return s;
}

static void look_at_session(const struct session_look *l)
{
	char number[24];
	snprintf(number, sizeof(number), "%" PRIu64, l->id);
	bool is_new = !series_find(WATCH_SESSION, number);
	struct series *s = series_get(WATCH_SESSION, number, number);
	if (!s)
		return;
	if (is_new) {
		s->protocol = l->protocol;
		snprintf(s->initiator, sizeof(s->initiator), "%s", l->initiator);
		snprintf(s->host, sizeof(s->host), "%s", l->host);
		snprintf(s->target, sizeof(s->target), "%s", l->target);
	}
	struct sample d = {
		.read_ops = grown(l->read_ops, &s->last.ops[STATS_READ]), .read_bytes = grown(l->read_bytes, &s->last.bytes[STATS_READ]),
		.write_ops = grown(l->write_ops, &s->last.ops[STATS_WRITE]), .write_bytes = grown(l->write_bytes, &s->last.bytes[STATS_WRITE]),
		.errors = grown(l->errors, &s->last.errors[STATS_OTHER]),
	};
	if (sample_is_idle(&d))
		return;
	latency_grown(s, SAMPLE_ANY, l->latency);
	memcpy(d.latency, s->now.latency, sizeof(d.latency));
	memset(&s->now, 0, sizeof(s->now));
	*sample_of(s) = d;
	count_in(s, &d);
	add_to(series_by_name(WATCH_TARGET, MODEL_TARGET, "qualified_name", l->target), &d);
	add_to(series_by_name(WATCH_HOST, MODEL_HOST, "name", l->host), &d);
}
static void look_at_iscsi(void *arg, const struct iscsi_session_info *i)
{
	(void)arg;
	if (!i->discovery)
		look_at_session(&(struct session_look){ i->id, "iscsi", i->target, i->initiator, i->host, i->read_ops, i->read_bytes, i->write_ops, i->write_bytes, i->errors, &i->latency });
}
static void look_at_nvme(void *arg, const struct nvmf_session_info *i)
{
	(void)arg;
	if (!i->discovery)
		look_at_session(&(struct session_look){ i->id, "nvme-tcp", i->subsystem, i->host_nqn, i->host, i->read_ops, i->read_bytes, i->write_ops, i->write_bytes, i->errors, &i->latency });
}

/* ---- shares: what their servers tell; SMB counts bytes only ------------------------------------------ */
static void look_at_share(const char *id, const char *name, const struct share_counts *now)
{
	struct series *s = now->counts ? series_get(WATCH_SHARE, id, name) : NULL;
	if (!s)
		return;
	const struct sample d = {
		.read_ops = grown(now->read_ops, &s->last.ops[STATS_READ]), .read_bytes = grown(now->read_bytes, &s->last.bytes[STATS_READ]),
		.write_ops = grown(now->write_ops, &s->last.ops[STATS_WRITE]), .write_bytes = grown(now->write_bytes, &s->last.bytes[STATS_WRITE]),
	};
	if (!sample_is_idle(&d))
		add_to(s, &d);
}

/* ---- moments ------------------------------------------------------------------------------------------------- */
static size_t moment_size(const struct moment *m)
{
	return sizeof(*m) + m->entry_room * sizeof(*m->entry) + m->room_bytes;
}
static void moment_free(struct moment *m)
{
	watch.moment_bytes -= moment_size(m);
	list_del(&m->link);
	free(m->entry);
	free(m->bytes);
	free(m);
}

static bool moment_put(struct moment *m, struct series *s)
{
	static uint8_t buf[SAMPLE_BYTES_MAX];
	size_t len = sample_encode(&s->now, buf);
	if (m->entry_count == m->entry_room) {
		size_t room = m->entry_room ? 2 * m->entry_room : 16;
		struct moment_entry *more = reallocarray(m->entry, room, sizeof(*more));
		if (!more)
			return false;
		m->entry = more;
		m->entry_room = room;
	}
	if (m->room_bytes - m->len_bytes < len) {
		size_t room = 2 * m->room_bytes + len + 512;
		uint8_t *more = realloc(m->bytes, room);
		if (!more)
			return false;
		m->bytes = more;
		m->room_bytes = room;
	}
	memcpy(m->bytes + m->len_bytes, buf, len);
	m->entry[m->entry_count++] = (struct moment_entry){ s, (uint32_t)m->len_bytes, (uint32_t)len };
	m->len_bytes += len;
	return true;
}

void moment_add_to(const struct moment *m, const struct series *s, struct sample *into)
{
	for (size_t i = 0; i < m->entry_count; i++)
		if (m->entry[i].series == s && sample_add_encoded(into, m->bytes + m->entry[i].at, m->entry[i].len))
			log_warn(&log_control, "a moment of the history cannot be read", "series=%s", s->name);
}

/* Old moments go, those that are not kept yet last; then the sessions that nothing shows any more. */
static void forget_old(uint64_t now_ns)
{
	struct moment *m, *first = NULL;
	list_for_each(m, &watch.moments, link) {
		bool old = now_ns - m->end_ns > KEEP_S * SECOND_NS || watch.moment_bytes > MOMENTS_BYTES_MAX;
		if (old && (m->kept || !watch.history || watch.moment_bytes > 2 * MOMENTS_BYTES_MAX))
			moment_free(m);
	}
	if (!list_is_empty(&watch.moments))
		first = list_entry(watch.moments.next, struct moment, link);
	struct series *s;
	list_for_each(s, &watch.series, link)
		if (!s->touched && now_ns - s->seen_ns > (s->kind == WATCH_SESSION ? 60u : IDLE_KEEP_S) * SECOND_NS && (!first || s->seen_ns < first->end_ns - min_u64(first->end_ns, 60 * SECOND_NS)))
			series_free(s);
}

static struct moment *moment_new(uint64_t now_ns)
{
	struct moment *m = calloc(1, sizeof(*m));
	if (!m)
		return NULL;
	m->unix_s = history_clock();
	m->end_ns = now_ns;
	m->seconds = (double)(now_ns - last_look_ns) / 1e9;
	struct series *s;
	list_for_each(s, &watch.series, link) {
		if (!s->touched)
			continue;
		if (!moment_put(m, s))
			log_warn(&log_control, "no memory for the history of a series", "series=%s", s->name);
		memset(&s->now, 0, sizeof(s->now));
		s->touched = false;
	}
	list_add_tail(&watch.moments, &m->link);
	watch.moment_bytes += moment_size(m);
	return m;
}

/* ---- a look ----------------------------------------------------------------------------------------------------- */
static uint64_t cpu_us(void)
{
	struct timespec t;
	return clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t) ? 0 : (uint64_t)t.tv_sec * 1000000u + (uint64_t)t.tv_nsec / 1000u;
}

void watch_look(void)
{
	uint64_t now_ns = reactor_clock_ns(), cpu = cpu_us();
	struct series *server = series_get(WATCH_SERVER, "server", "server");
	struct node *n;
	if (!server || now_ns == last_look_ns)
		return;
	sample_of(server)->cpu_us = cpu - last_cpu_us;
	last_cpu_us = cpu;
	list_for_each(n, &ctl.volumes.all, all) {
		struct rt_volume *v = container_of(n, struct rt_volume, node);
		if (v->volume)
			look_at_volume(v, server);
	}
	iscsi_session_each(look_at_iscsi, NULL);
	nvmf_session_each(look_at_nvme, NULL);
	share_counts_each(look_at_share);
	struct moment *m = moment_new(now_ns);
	last_look_ns = now_ns;
	if (m && atomic_load(&wanted))
		stats_publish(m);
	history_keep(false);
	forget_old(now_ns);
}

static void look_again(void)
{
	timer_start(ctl.reactor, &look_timer, (atomic_load(&wanted) ? LOOK_WATCHED_S : LOOK_S) * SECOND_NS);
}

static void look_due(struct timer *t)
{
	(void)t;
	watch_look();
	look_again();
}

/* ---- who watches -------------------------------------------------------------------------------------------------- */
static void wanted_arrive(struct msg *m)
{
	(void)m;
	atomic_store(&wanted_posted, false);
	if (timer_is_armed(&look_timer))
		look_again();
}

void control_stats_wanted(bool on)
{
	if (atomic_exchange(&wanted, on) != on && ctl.reactor && !atomic_exchange(&wanted_posted, true)) {
		wanted_msg.run = wanted_arrive;
		reactor_post(ctl.reactor, &wanted_msg);
	}
}

void watching_start(void)
{
	list_init(&watch.moments);
	list_init(&watch.series);
	watch.moment_bytes = 0;
	last_look_ns = reactor_clock_ns();
	last_cpu_us = cpu_us();
	history_begin_run();
	look_timer.fire = look_due;
	look_again();
}

void watching_stop(void)
{
	struct moment *m;
	struct series *s;
	if (!look_timer.fire)
		return;
	timer_stop(&look_timer);
	watch_look();
	history_keep(true);
	history_end_run();
	list_for_each(m, &watch.moments, link)
		moment_free(m);
	list_for_each(s, &watch.series, link)
		series_free(s);
	look_timer.fire = NULL;
}
