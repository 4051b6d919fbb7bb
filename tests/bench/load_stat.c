/* SPDX-License-Identifier: GPL-3.0-or-later */
/* load_stat.c - the load generator's figures: latency histogram, CPU time, the report. */
#include "load.h"

#include <dirent.h>
#include <string.h>
#include <time.h>

uint64_t stat_now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* CPU time of all threads of a process: the scheduler's own count, in ns.  Threads that ended are
 * lost to it, so targets that fork per command would come out too cheap; none here does. */
uint64_t stat_process_cpu_ns(int pid)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	DIR *d = opendir(path);
	if (!d)
		return 0;
	uint64_t sum = 0;
	for (const struct dirent *e; (e = readdir(d));) {
		if (e->d_name[0] == '.')
			continue;
		char file[384];
		snprintf(file, sizeof(file), "%s/%s/schedstat", path, e->d_name);
		FILE *f = fopen(file, "r");
		unsigned long long ns;
		if (f && fscanf(f, "%llu", &ns) == 1)
			sum += ns;
		if (f)
			fclose(f);
	}
	closedir(d);
	return sum;
}

/* Busy time of all CPUs since boot, stolen time included; in steps of a clock tick. */
uint64_t stat_machine_busy_ns(void)
{
	FILE *f = fopen("/proc/stat", "r");
	unsigned long long user, nice, system, idle, iowait, irq, softirq, steal;
	int n = !f ? 0 : fscanf(f, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &user, &nice, &system, &idle,
				&iowait, &irq, &softirq, &steal);
	if (f)
		fclose(f);
	if (n != 8)
		return 0;
	return (user + nice + system + irq + softirq + steal) * (1000000000u / (uint64_t)sysconf(_SC_CLK_TCK));
}

static unsigned bucket_of(uint64_t ns)
{
	const unsigned sub = 1u << STAT_SUB_BITS;
	if (ns < sub)
		return (unsigned)ns;
	unsigned log = 63u - (unsigned)__builtin_clzll(ns);
	unsigned i = ((log - STAT_SUB_BITS + 1) << STAT_SUB_BITS) |
		     (unsigned)(ns >> (log - STAT_SUB_BITS) & (sub - 1));
	return i < STAT_BUCKETS ? i : STAT_BUCKETS - 1;
}

static uint64_t bucket_edge_ns(unsigned i)
{
	unsigned group = i >> STAT_SUB_BITS, low = i & ((1u << STAT_SUB_BITS) - 1);
	if (group == 0)
		return low;
	return (((uint64_t)1 << STAT_SUB_BITS | low) + 1) << (group - 1);
}

void stat_add(struct stat_hist *h, uint64_t ns)
{
	h->count++;
	h->sum_ns += ns;
	h->max_ns = max_u64(h->max_ns, ns);
	h->bucket[bucket_of(ns)]++;
}

double stat_quantile_us(const struct stat_hist *h, double q)
{
	uint64_t want = (uint64_t)((double)h->count * q), seen = 0;
	for (unsigned i = 0; i < STAT_BUCKETS; i++) {
		seen += h->bucket[i];
		if (seen > want || seen == h->count)
			return (double)min_u64(bucket_edge_ns(i), h->max_ns) / 1000.0;
	}
	return 0;
}

/* What everybody else used meanwhile, in percent of one CPU: above some percent the run was disturbed. */
static double stat_others_percent(const struct load_stats *s)
{
	uint64_t ours = s->own_cpu_ns + s->target_cpu_ns;
	return s->machine_busy_ns > ours ? (double)(s->machine_busy_ns - ours) / (s->seconds * 1e7) : 0;
}

static void report_json(FILE *f, const struct load_opts *o, const struct load_stats *s,
			const struct verify *v)
{
	const struct stat_hist *h = &s->latency;
	uint64_t ios = s->reads + s->writes;
	double n = ios ? (double)ios : 1;
	fprintf(f,
		"{\"target\": \"%s\", \"connections\": %u, \"depth\": %u, \"io_bytes\": %u, "
		"\"order\": \"%s\", \"read_percent\": %u, \"polled\": %s, \"seconds\": %.3f, "
		"\"ios\": %llu, \"iops\": %.1f, \"mb_s\": %.1f, \"reads\": %llu, \"writes\": %llu, "
		"\"flushes\": %llu, \"errors\": %llu, \"retries\": %llu, ",
		o->target, o->connections, o->depth, o->io_bytes,
		o->sequential ? "sequential" : "random", o->read_percent,
		o->sleeps ? "false" : "true", s->seconds, (unsigned long long)ios,
		(double)ios / s->seconds, (double)ios * o->io_bytes / s->seconds / 1e6,
		(unsigned long long)s->reads, (unsigned long long)s->writes,
		(unsigned long long)s->flushes, (unsigned long long)s->errors,
		(unsigned long long)s->retries);
	fprintf(f,
		"\"latency_us\": {\"mean\": %.1f, \"p50\": %.1f, \"p90\": %.1f, \"p99\": %.1f, "
		"\"p999\": %.1f, \"max\": %.1f}, \"syscalls_per_io\": %.3f, \"own_cpu_us_per_io\": %.3f, ",
		h->count ? (double)h->sum_ns / (double)h->count / 1000 : 0, stat_quantile_us(h, 0.5),
		stat_quantile_us(h, 0.9), stat_quantile_us(h, 0.99), stat_quantile_us(h, 0.999),
		(double)h->max_ns / 1000, (double)s->syscalls / n, (double)s->own_cpu_ns / n / 1000);
	if (o->target_pid)
		fprintf(f, "\"target_cpu_us_per_io\": %.3f, \"target_cpu_percent\": %.1f, ",
			(double)s->target_cpu_ns / n / 1000,
			(double)s->target_cpu_ns / (s->seconds * 1e7));
	fprintf(f, "\"others_cpu_percent\": %.1f, ", stat_others_percent(s));
	fprintf(f, "\"verified_blocks\": %llu, \"bad_blocks\": %llu}\n",
		(unsigned long long)v->checked_blocks, (unsigned long long)v->bad_blocks);
}

static void report_text(const struct load_opts *o, const struct load_stats *s, const struct verify *v)
{
	const struct stat_hist *h = &s->latency;
	uint64_t ios = s->reads + s->writes;
	double n = ios ? (double)ios : 1;
	printf("%u x QD%u, %u B %s, %u %% reads: %.0f IOPS, %.1f MB/s over %.1f s\n", o->connections,
	       o->depth, o->io_bytes, o->sequential ? "sequential" : "random",
	       o->read_percent, (double)ios / s->seconds,
	       (double)ios * o->io_bytes / s->seconds / 1e6, s->seconds);
	printf("latency us: p50 %.1f  p90 %.1f  p99 %.1f  p99.9 %.1f  max %.1f\n",
	       stat_quantile_us(h, 0.5), stat_quantile_us(h, 0.9), stat_quantile_us(h, 0.99),
	       stat_quantile_us(h, 0.999), (double)h->max_ns / 1000);
	printf("own CPU %.2f us/IO, %.2f system calls/IO", (double)s->own_cpu_ns / n / 1000,
	       (double)s->syscalls / n);
	if (o->target_pid)
		printf("; target CPU %.2f us/IO (%.0f %% of one CPU)",
		       (double)s->target_cpu_ns / n / 1000,
		       (double)s->target_cpu_ns / (s->seconds * 1e7));
	printf("; others %.0f %%\n", stat_others_percent(s));
	if (s->errors || s->retries)
		printf("errors %llu, retries %llu\n", (unsigned long long)s->errors,
		       (unsigned long long)s->retries);
	if (o->verify)
		printf("verified %llu blocks, %llu bad; %llu flushes acknowledged\n",
		       (unsigned long long)v->checked_blocks, (unsigned long long)v->bad_blocks,
		       (unsigned long long)v->flushes);
}

void stat_report(const struct load_opts *o, const struct load_stats *s, const struct verify *v)
{
	if (o->json && strcmp(o->json, "-") == 0) {
		report_json(stdout, o, s, v);
		return;
	}
	report_text(o, s, v);
	if (!o->json)
		return;
	FILE *f = fopen(o->json, "w");
	if (!f) {
		perror(o->json);
		return;
	}
	report_json(f, o, s, v);
	fclose(f);
}
