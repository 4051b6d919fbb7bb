/* SPDX-License-Identifier: GPL-3.0-or-later */
/* metrics.c - Prometheus text, format 0.0.4: families together, labels escaped, seconds and bytes. */
#include "control/control_priv.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "config.h"
#include "control/watch_priv.h"

/* \, " and new lines, as the format asks. */
static void put_label(FILE *f, const char *text)
{
	for (; *text; text++) {
		if (*text == '\\' || *text == '"')
			fputc('\\', f);
		if (*text == '\n')
			fputs("\\n", f);
		else
			fputc(*text, f);
	}
}
static void family(FILE *f, const char *name, const char *type, const char *help)
{
	fprintf(f, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}
static void gauge(FILE *f, const char *name, const char *help, double value)
{
	family(f, name, "gauge", help);
	fprintf(f, "%s %.17g\n", name, value);
}

/* ---- volumes --------------------------------------------------------------------------------------------------------- */
static const char *const stats_names[] = { "read", "write", "other" };

static void sample(FILE *f, const char *name, const char *volume, const char *op, uint64_t value)
{
	fprintf(f, "%s{volume=\"", name);
	put_label(f, volume);
	fprintf(f, "\",op=\"%s\"} %" PRIu64 "\n", op, value);
}

/* Upper edges in ns; the buckets of hist.h are finer, each falls into the first edge that covers it. */
static const uint64_t edges_ns[] = {
	16000, 32000, 64000, 128000, 256000, 512000, 1000000, 2000000, 4000000, 8000000, 16000000, 32000000, 64000000, 128000000, 256000000, 512000000, 1000000000,
	4000000000, 16000000000,
};
static void histogram(FILE *f, const char *volume, const char *op, const struct hist *h)
{
	uint64_t sum = 0, total = 0;
	unsigned at = 0;
	for (unsigned b = 0; b < HIST_BUCKETS; b++)
		total += h->bucket[b];
	for (size_t i = 0; i < ARRAY_COUNT(edges_ns); i++) {
		for (; at < HIST_BUCKETS && hist_edge_ns(at) <= edges_ns[i]; at++)
			sum += h->bucket[at];
		fprintf(f, "holdfast_volume_latency_seconds_bucket{volume=\"");
		put_label(f, volume);
		fprintf(f, "\",op=\"%s\",le=\"%.9g\"} %" PRIu64 "\n", op, (double)edges_ns[i] / 1e9, sum);
	}
	fprintf(f, "holdfast_volume_latency_seconds_bucket{volume=\"");
	put_label(f, volume);
	fprintf(f, "\",op=\"%s\",le=\"+Inf\"} %" PRIu64 "\nholdfast_volume_latency_seconds_sum{volume=\"", op, total);
	put_label(f, volume);
	fprintf(f, "\",op=\"%s\"} %.9g\nholdfast_volume_latency_seconds_count{volume=\"", op, (double)h->sum_ns / 1e9);
	put_label(f, volume);
	fprintf(f, "\",op=\"%s\"} %" PRIu64 "\n", op, total);
}

enum volume_family { OPS, BYTES, ERRORS, LATENCY, FAMILIES };
static const char *const volume_families[FAMILIES][3] = {
	[OPS] = { "holdfast_volume_ops_total", "counter", "Requests done." },
	[BYTES] = { "holdfast_volume_bytes_total", "counter", "Bytes moved." },
	[ERRORS] = { "holdfast_volume_errors_total", "counter", "Requests that failed." },
	[LATENCY] = { "holdfast_volume_latency_seconds", "histogram", "Time from the request to its end." },
};
static void volume_samples(FILE *f, enum volume_family family_id, const char *name, const struct volume_stats *s)
{
	for (size_t k = 0; k < STATS_KINDS; k++) {
		uint64_t v = family_id == OPS ? s->kind[k].ops : family_id == BYTES ? s->kind[k].bytes : s->kind[k].errors;
		/* Histograms only of what has been used: a thousand idle volumes stay short. */
		if (family_id != LATENCY)
			sample(f, volume_families[family_id][0], name, stats_names[k], v);
		else if (s->kind[k].ops)
			histogram(f, name, stats_names[k], &s->kind[k].latency);
	}
}

static void volumes(FILE *f)
{
	static struct volume_stats s;    /* large; control thread only */
	for (size_t fam = 0; fam < FAMILIES; fam++) {
		family(f, volume_families[fam][0], volume_families[fam][1], volume_families[fam][2]);
		struct node *n;
		list_for_each(n, &ctl.volumes.all, all) {
			struct rt_volume *v = container_of(n, struct rt_volume, node);
			if (!v->volume)
				continue;
			volume_stats(v->volume, &s);
			volume_samples(f, (enum volume_family)fam, text_of(v->row, "name"), &s);
		}
	}
	family(f, "holdfast_volume_online", "gauge", "1 when the volume is served.");
	struct node *n;
	list_for_each(n, &ctl.volumes.all, all) {
		struct rt_volume *v = container_of(n, struct rt_volume, node);
		fputs("holdfast_volume_online{volume=\"", f);
		put_label(f, text_of(v->row, "name"));
		fprintf(f, "\"} %d\n", rt_volume_is_online(v));
	}
	family(f, "holdfast_volume_used_bytes", "gauge", "Space that the volume has in its pool, where the backend knows.");
	list_for_each(n, &ctl.volumes.all, all) {
		struct rt_volume *v = container_of(n, struct rt_volume, node);
		if (!v->used_known)
			continue;
		fputs("holdfast_volume_used_bytes{volume=\"", f);
		put_label(f, text_of(v->row, "name"));
		fprintf(f, "\"} %" PRIu64 "\n", v->used_bytes);
	}
	family(f, "holdfast_volume_size_bytes", "gauge", "Size of the volume.");
	list_for_each(n, &ctl.volumes.all, all) {
		struct rt_volume *v = container_of(n, struct rt_volume, node);
		fputs("holdfast_volume_size_bytes{volume=\"", f);
		put_label(f, text_of(v->row, "name"));
		fprintf(f, "\"} %" PRId64 "\n", int_of(v->row, "size_bytes"));
	}
}

/* ---- targets, hosts, sessions, pools -------------------------------------------------------------------------------------- */
/* What is counted of a target, a host or a session; the same families for each. */
static const struct {
	const char *end, *type, *help;   /* of the name: holdfast_target_ops_total */
} traffic_families[] = {
	{ "ops_total", "counter", "Requests done." },
	{ "bytes_total", "counter", "Bytes moved." },
	{ "errors_total", "counter", "Requests that failed." },
};

static void traffic_sample(FILE *f, const struct series *s, const char *kind, size_t fam, const char *labels)
{
	const struct traffic *t = &s->total;
	if (fam == 2) {
		fprintf(f, "holdfast_%s_errors_total{%s} %" PRIu64 "\n", kind, labels, t->errors);
		return;
	}
	fprintf(f, "holdfast_%s_%s{%s,op=\"read\"} %" PRIu64 "\n", kind, traffic_families[fam].end, labels, fam ? t->read_bytes : t->read_ops);
	fprintf(f, "holdfast_%s_%s{%s,op=\"write\"} %" PRIu64 "\n", kind, traffic_families[fam].end, labels, fam ? t->write_bytes : t->write_ops);
}

static char *labels_of(const struct series *s)
{
	char *text = NULL;
	size_t bytes;
	FILE *f = open_memstream(&text, &bytes);
	if (!f)
		return NULL;
	if (s->kind == WATCH_SESSION) {
		fprintf(f, "session=\"%s\",protocol=\"%s\",initiator=\"", s->object, s->protocol);
		put_label(f, s->initiator);
		fputs("\",host=\"", f);
		put_label(f, s->host);
		fputs("\",target=\"", f);
		put_label(f, s->target);
	} else {
		fprintf(f, "%s=\"", watch_kind_names[s->kind]);
		put_label(f, s->name);
	}
	fputc('"', f);
	if (fclose(f)) {
		free(text);
		return NULL;
	}
	return text;
}

/* A counter begins at 0, not with the first use: every target and host has its series. */
static void make_series(enum watch_kind kind, enum model_kind model)
{
	struct config_error e;
	json_t *rows, *row;
	size_t i;
	if (config_list(ctl.db, model, NULL, &rows, &e))
		return;
	json_array_foreach(rows, i, row)
		series_get(kind, text_of(row, "id"), text_of(row, "name"));
	json_decref(rows);
}

static void traffic(FILE *f, enum watch_kind kind)
{
	for (size_t fam = 0; fam < ARRAY_COUNT(traffic_families); fam++) {
		char name[96];
		const struct series *s;
		snprintf(name, sizeof(name), "holdfast_%s_%s", watch_kind_names[kind], traffic_families[fam].end);
		family(f, name, traffic_families[fam].type, traffic_families[fam].help);
		list_for_each(s, &watch.series, link) {
			_cleanup_(freep) char *labels = s->kind == kind && series_is_live(s) ? labels_of(s) : NULL;
			if (labels)
				traffic_sample(f, s, watch_kind_names[kind], fam, labels);
		}
	}
}

static void target_sessions(FILE *f, const json_t *sessions)
{
	json_t *s, *counts = json_object();
	size_t i;
	json_array_foreach((json_t *)sessions, i, s)
		json_object_set_new(counts, text_of(s, "target"), json_integer(int_of(counts, text_of(s, "target")) + 1));
	family(f, "holdfast_target_sessions", "gauge", "Sessions logged in to the target.");
	struct node *n;
	list_for_each(n, &ctl.targets.all, all) {
		struct rt_target *t = container_of(n, struct rt_target, node);
		fputs("holdfast_target_sessions{target=\"", f);
		put_label(f, t->name);
		fprintf(f, "\"} %" PRId64 "\n", int_of(counts, t->name));
	}
	json_decref(counts);
}

static void portals(FILE *f)
{
	struct node *n;
	family(f, "holdfast_portal_up", "gauge", "1 when the portal listens.");
	list_for_each(n, &ctl.portals.all, all) {
		struct rt_portal *p = container_of(n, struct rt_portal, node);
		char label[128];
		if (!true_of(p->row, "enabled"))
			continue;
		object_label(MODEL_PORTAL, p->row, label, sizeof(label));
		fputs("holdfast_portal_up{portal=\"", f);
		put_label(f, label);
		fprintf(f, "\"} %d\n", p->listening);
	}
}

/* One sample per alert, so that a rule can say which. */
static void alerts_by_name(FILE *f, const json_t *alerts)
{
	json_t *a;
	size_t i;
	family(f, "holdfast_alert", "gauge", "1 for each alert that is not resolved.");
	json_array_foreach((json_t *)alerts, i, a) {
		fputs("holdfast_alert{type=\"", f);
		put_label(f, text_of(a, "type"));
		fputs("\",object=\"", f);
		put_label(f, text_of(a, "object"));
		fputs("\",level=\"", f);
		put_label(f, text_of(a, "level"));
		fputs("\"} 1\n", f);
	}
}

static void process(FILE *f)
{
	struct timespec t;
	long pages = 0, resident = 0;
	FILE *statm = fopen("/proc/self/statm", "re");
	if (statm && fscanf(statm, "%ld %ld", &pages, &resident) != 2)
		resident = 0;
	if (statm)
		fclose(statm);
	family(f, "process_cpu_seconds_total", "counter", "CPU time of the daemon.");
	fprintf(f, "process_cpu_seconds_total %.9g\n", clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t) ? 0 : (double)t.tv_sec + (double)t.tv_nsec / 1e9);
	gauge(f, "process_resident_memory_bytes", "Memory that the daemon has.", (double)resident * (double)sysconf(_SC_PAGESIZE));
}

static void pools(FILE *f)
{
	struct config_error e;
	json_t *list, *p;
	size_t i;
	if (config_list(ctl.db, MODEL_POOL, NULL, &list, &e))
		return;
	live_fill(MODEL_POOL, list);
	for (int total = 0; total < 2; total++) {
		const char *name = total ? "holdfast_pool_total_bytes" : "holdfast_pool_free_bytes";
		family(f, name, "gauge", total ? "Size of the pool's file system." : "Free space of the pool's file system.");
		json_array_foreach(list, i, p) {
			fprintf(f, "%s{pool=\"", name);
			put_label(f, text_of(p, "name"));
			fprintf(f, "\"} %" PRId64 "\n", int_of(p, total ? "total_bytes" : "free_bytes"));
		}
	}
	json_decref(list);
}

static void reactors(FILE *f)
{
	family(f, "holdfast_reactor_busy_seconds_total", "counter", "Time that a reactor spent working.");
	for (unsigned i = 0; i < ctl.opts.reactor_count; i++) {
		struct reactor_stats s;
		reactor_stats(ctl.opts.reactors[i], &s);
		fputs("holdfast_reactor_busy_seconds_total{reactor=\"", f);
		put_label(f, reactor_name(ctl.opts.reactors[i]));
		fprintf(f, "\"} %.9g\n", (double)s.busy_ns / 1e9);
	}
}

/* ---- shares ---- */
static FILE *share_file;
static int share_column;
static void share_gauge(const char *id, const char *name, const struct share_counts *c)
{
	static const char *const names[] = { "serving", "used_bytes", "sessions", "open_files" };
	const uint64_t values[] = { c->serving, c->used_bytes, c->sessions, c->open_files };
	(void)id;
	if (share_column == 1 && !c->used_known)
		return;
	fprintf(share_file, "holdfast_share_%s{share=\"", names[share_column]);
	put_label(share_file, name);
	fprintf(share_file, "\"} %" PRIu64 "\n", values[share_column]);
}
static void share_bytes(FILE *f)
{
	const struct series *s;
	family(f, "holdfast_share_bytes_total", "counter", "Bytes that clients of the share moved; no line for a share whose servers do not count.");
	list_for_each(s, &watch.series, link) {
		_cleanup_(freep) char *labels = s->kind == WATCH_SHARE ? labels_of(s) : NULL;
		if (labels)
			traffic_sample(f, s, "share", 1, labels);
	}
}
static void shares(FILE *f)
{
	static const char *const helps[][2] = {
		{ "holdfast_share_serving", "1 when the share is served." },
		{ "holdfast_share_used_bytes", "Space that the files of the share take, where the file system knows." },
		{ "holdfast_share_sessions", "Clients that use the share." },
		{ "holdfast_share_open_files", "Files of the share that clients have open." },
	};
	share_bytes(f);
	share_file = f;
	for (size_t i = 0; i < ARRAY_COUNT(helps); i++) {
		family(f, helps[i][0], "gauge", helps[i][1]);
		share_column = (int)i;
		share_counts_each(share_gauge);
	}
}

static int metrics_run(void *arg)
{
	char **ret_text = arg;
	size_t bytes;
	FILE *f = open_memstream(ret_text, &bytes);
	if (!f)
		return -ENOMEM;
	watch_look();                    /* what targets and hosts did until now */
	json_t *sessions = sessions_list(), *alerts = alerts_active();
	family(f, "holdfast_info", "gauge", "What runs.");
	fprintf(f, "holdfast_info{version=\"%s\"} 1\n", PACKAGE_VERSION);
	gauge(f, "holdfast_uptime_seconds", "Time since the start.", (double)((reactor_clock_ns() - ctl.started_ns) / SECOND_NS));
	gauge(f, "holdfast_config_revision", "Revision of the configuration.", (double)config_revision(ctl.db));
	gauge(f, "holdfast_alerts", "Alerts that are not resolved.", (double)json_array_size(alerts));
	gauge(f, "holdfast_sessions", "Sessions.", (double)json_array_size(sessions));
	gauge(f, "holdfast_tasks_running", "Tasks that run.", (double)task_running_count());
	reactors(f);
	pools(f);
	volumes(f);
	target_sessions(f, sessions);
	make_series(WATCH_TARGET, MODEL_TARGET);
	make_series(WATCH_HOST, MODEL_HOST);
	traffic(f, WATCH_TARGET);
	traffic(f, WATCH_HOST);
	traffic(f, WATCH_SESSION);
	shares(f);
	portals(f);
	alerts_by_name(f, alerts);
	process(f);
	json_decref(sessions);
	json_decref(alerts);
	return fclose(f) ? -ENOMEM : 0;
}

char *control_metrics(void)
{
	char *text = NULL;
	if (reactor_call(ctl.reactor, metrics_run, &text)) {
		free(text);
		return NULL;
	}
	return text;
}
