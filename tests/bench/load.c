/* SPDX-License-Identifier: GPL-3.0-or-later */
/* load.c - runs a load: options, sessions, time, losing the server and finding it again.
 *
 *	iscsi_load --portal 127.0.0.1:3260 --target IQN --depth 32 --read 100 --seconds 5
 *	nvme_load --portal 127.0.0.1:4420 --target NQN --journal FILE --flush-every 64 --seconds 60
 *
 * The first form spins on receive and batches its sends (or sleeps, with --sleep), so it measures
 * the target and not itself.  The second writes a pattern, flushes, notes in FILE what acknowledged
 * flushes cover, and, when the server goes away, waits for it, logs in again and checks everything.
 * Exit status: 0 done, 1 wrong data or a protocol error, 2 usage, 3 no server. */
#include "load.h"

#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>

enum { EXIT_BAD = 1, EXIT_USAGE = 2, EXIT_NO_SERVER = 3 };
#define SILENCE_MAX_NS 30000000000u

static volatile sig_atomic_t stop_asked;

static void on_signal(int sig)
{
	(void)sig;
	stop_asked = 1;
}

int load_fail(struct load *l, int err, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(l->why, sizeof(l->why), fmt, ap);
	va_end(ap);
	return -err;
}

/* ---- sessions --------------------------------------------------------------------------------------- */
static int conn_buffers(struct conn *c)
{
	const struct load_opts *o = &c->load->opts;
	/* a whole answer of the target, twice, and room to receive into */
	c->rx_cap = 2 * ((size_t)(o->max_recv ? o->max_recv : o->io_bytes) + 4096) + 65536;
	c->rx = malloc(c->rx_cap);
	c->slots = calloc(o->depth, sizeof(*c->slots));
	c->free_slots = calloc(o->depth, sizeof(*c->free_slots));
	if (!c->rx || !c->slots || !c->free_slots)
		return -ENOMEM;
	for (unsigned i = 0; i < o->depth; i++) {
		c->slots[i].buf = o->verify ? malloc(o->io_bytes) : c->load->data;
		if (!c->slots[i].buf)
			return -ENOMEM;
	}
	return 0;
}

static void conn_free(struct conn *c)
{
	const struct load_opts *o = &c->load->opts;
	for (unsigned i = 0; o->verify && c->slots && i < o->depth; i++)
		free(c->slots[i].buf);
	free(c->slots);
	free(c->free_slots);
	free(c->rx);
	free(c->tx);
	free(c->arena);
}

static void conn_close(struct conn *c)
{
	proto_close(c);
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
}

/* The send queue fits what the whole window can need at the target's PDU size, twice. */
static int conn_send_queue(struct conn *c)
{
	const struct load_opts *o = &c->load->opts;
	size_t pdus = 2 * (size_t)o->depth * (proto_pdus_per_command(c) + 1) + 64;
	struct iovec *tx = realloc(c->tx, TX_PDU_IOVECS * pdus * sizeof(*tx));
	if (!tx)
		return -ENOMEM;
	c->tx = tx;
	uint8_t *arena = realloc(c->arena, TX_PDU_ARENA_BYTES * pdus);
	if (!arena)
		return -ENOMEM;
	c->arena = arena;
	c->tx_cap = TX_PDU_IOVECS * pdus;
	c->arena_cap = TX_PDU_ARENA_BYTES * pdus;
	return 0;
}

static int conn_ready(struct conn *c)
{
	const struct load_opts *o = &c->load->opts;
	int r = conn_open(c);
	r = r < 0 ? r : conn_send_queue(c);
	if (r < 0)
		return r;
	c->rx_head = c->rx_tail = c->tx_head = c->tx_tail = c->arena_used = 0;
	c->free_count = o->depth;
	for (unsigned i = 0; i < o->depth; i++) {
		c->slots[i].kind = SLOT_FREE;
		c->free_slots[i] = o->depth - 1 - i;
	}
	return proto_probe(c, &c->load->block_bytes, &c->load->volume_blocks);
}

static int load_connect(struct load *l)
{
	int r = 0;
	for (unsigned i = 0; i < l->opts.connections && r == 0; i++)
		r = conn_ready(&l->conns[i]);
	for (unsigned i = 0; i < l->opts.connections && r < 0; i++)
		conn_close(&l->conns[i]);
	return r;
}

static int load_geometry(struct load *l)
{
	struct load_opts *o = &l->opts;
	if (l->block_bytes < 512 || l->block_bytes > 65536 || o->io_bytes % l->block_bytes)
		return load_fail(l, EINVAL, "blocks of %u bytes do not fit I/O of %u bytes", l->block_bytes,
				 o->io_bytes);
	uint64_t volume_bytes = l->volume_blocks * l->block_bytes;
	if (o->offset_bytes % o->io_bytes || o->offset_bytes >= volume_bytes)
		return load_fail(l, EINVAL, "offset beyond the volume, or not a multiple of the I/O size");
	if (o->span_bytes == 0 || o->span_bytes > volume_bytes - o->offset_bytes)
		o->span_bytes = volume_bytes - o->offset_bytes;
	l->cell_count = o->span_bytes / o->io_bytes;
	l->first_lba = o->offset_bytes / l->block_bytes;
	if (l->cell_count == 0 || l->cell_count > UINT32_MAX)
		return load_fail(l, EINVAL, "span too short or too long");
	return o->verify ? verify_open(&l->verify, o, l->block_bytes, l->first_lba) : 0;
}

/* ---- running ---------------------------------------------------------------------------------------- */
static unsigned in_flight(const struct load *l)
{
	unsigned n = 0;
	for (unsigned i = 0; i < l->opts.connections; i++)
		n += l->opts.depth - l->conns[i].free_count;
	return n;
}

static uint64_t own_cpu_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void count_start(struct load *l)
{
	memset(&l->stats, 0, sizeof(l->stats));
	l->stats.target_cpu_ns = stat_process_cpu_ns(l->opts.target_pid);
	l->stats.own_cpu_ns = own_cpu_ns();
	l->stats.machine_busy_ns = stat_machine_busy_ns();
	l->counting = true;
}

static void count_stop(struct load *l, uint64_t start_ns)
{
	l->counting = false;
	l->stats.seconds = (double)(stat_now_ns() - start_ns) / 1e9;
	l->stats.own_cpu_ns = own_cpu_ns() - l->stats.own_cpu_ns;
	l->stats.machine_busy_ns = stat_machine_busy_ns() - l->stats.machine_busy_ns;
	l->stats.target_cpu_ns = stat_process_cpu_ns(l->opts.target_pid) - l->stats.target_cpu_ns;
}

/* Sleeps until any connection has something; one alone waits in conn_receive(). */
static void turn_wait(struct load *l)
{
	for (unsigned i = 0; i < l->opts.connections; i++) {
		const struct conn *c = &l->conns[i];
		l->polls[i] = (struct pollfd){ .fd = c->fd, .events = POLLIN };
		if (c->tx_head < c->tx_tail)
			l->polls[i].events |= POLLOUT;
	}
	(void)poll(l->polls, l->opts.connections, 100);
	l->stats.syscalls++;
}

static int turn(struct load *l)
{
	const struct load_opts *o = &l->opts;
	if (o->sleeps && o->connections > 1)
		turn_wait(l);
	for (unsigned i = 0; i < o->connections; i++) {
		struct conn *c = &l->conns[i];
		int r = conn_receive(c, o->sleeps && o->connections == 1);
		if (r < 0 && r != -EAGAIN)
			return r;
		if (!l->draining && c->free_count)
			(void)conn_issue(c);
		r = conn_flush(c);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Until the time is over or the server is lost; then waits for what is in flight. */
static int run(struct load *l, uint64_t end_ns)
{
	const struct load_opts *o = &l->opts;
	l->draining = false;
	l->now_ns = stat_now_ns();
	uint64_t warm_ns = l->now_ns + (uint64_t)(o->warmup_s * 1e9), start_ns = 0, idle_ns = l->now_ns;
	int r = 0;
	for (unsigned i = 0;; i++) {
		r = turn(l);
		if (r < 0)
			break;
		if (i % 64 && !o->sleeps)
			continue;
		uint64_t now_ns = stat_now_ns();
		if (!start_ns && now_ns >= warm_ns) {
			count_start(l);
			start_ns = now_ns;
		}
		if (!l->draining && (now_ns >= end_ns || stop_asked)) {
			if (start_ns)
				count_stop(l, start_ns);
			l->draining = true;
			idle_ns = now_ns;
		}
		if (l->draining && (in_flight(l) == 0 || now_ns > idle_ns + 10000000000u))
			break;
		if (now_ns > l->now_ns + SILENCE_MAX_NS)
			return load_fail(l, ETIMEDOUT, "no answer for 30 s, %u in flight", in_flight(l));
	}
	if (l->counting)
		count_stop(l, start_ns);
	if (r == 0 && in_flight(l))
		return load_fail(l, ETIMEDOUT, "%u commands never ended", in_flight(l));
	return r;
}

/* Reads the whole span once, in order, through the first connection. */
static int check_all(struct load *l)
{
	struct load_opts *o = &l->opts, saved = *o;
	uint64_t bad = l->verify.bad_blocks, checked = l->verify.checked_blocks;
	struct conn *c = &l->conns[0];
	o->read_percent = 100;
	o->sequential = true;
	o->flush_every = 0;
	l->next_cell = 0;
	l->issue_left = l->cell_count;
	int r = 0;
	for (l->now_ns = stat_now_ns(); r == 0 && (l->issue_left || in_flight(l));) {
		(void)conn_issue(c);
		r = conn_flush(c);
		r = r < 0 ? r : conn_receive(c, true);
		if (r == -EAGAIN)
			r = stat_now_ns() > l->now_ns + SILENCE_MAX_NS
				    ? load_fail(l, ETIMEDOUT, "no answer for 30 s") : 0;
	}
	l->issue_left = UINT64_MAX;
	*o = saved;
	l->next_cell = 0;
	if (r == 0)
		printf("checked %" PRIu64 " blocks, %" PRIu64 " bad\n", l->verify.checked_blocks - checked,
		       l->verify.bad_blocks - bad);
	fflush(stdout);
	return r < 0 ? r : l->verify.bad_blocks > bad ? -EBADMSG : 0;
}

static int reconnect(struct load *l)
{
	for (unsigned i = 0; i < l->opts.connections; i++)
		conn_close(&l->conns[i]);
	verify_lost(&l->verify);
	l->flush_in_flight = false;
	uint64_t deadline_ns = stat_now_ns() + (uint64_t)l->opts.reconnect_s * 1000000000u;
	for (;;) {
		int r = load_connect(l);
		if (r == 0 || stop_asked || stat_now_ns() >= deadline_ns)
			return r;
		const struct timespec pause = { .tv_nsec = 50000000 };
		nanosleep(&pause, NULL);
	}
}

static int run_with_journal(struct load *l, uint64_t end_ns)
{
	unsigned lost = 0;
	int r = 0;
	if (l->verify.next_version && access(l->opts.journal, F_OK) == 0)
		r = check_all(l);
	while (r == 0) {
		r = run(l, end_ns);
		if (r == 0 || r == -EPROTO || r == -EBADMSG || r == -EIO)
			break;
		printf("lost: %s; %" PRIu64 " flushes so far\n", l->why, l->verify.flushes);
		fflush(stdout);
		r = reconnect(l);
		if (r == 0) {
			printf("back: round %u\n", ++lost);
			r = check_all(l);
		}
		if (l->opts.rounds && lost >= l->opts.rounds)
			break;
	}
	return r ? r : check_all(l);
}

/* ---- options ---------------------------------------------------------------------------------------- */
static const char usage[] =
	"load:  --connections N  --depth N  --size BYTES  --read PERCENT  --sequential  --span BYTES\n"
	"       --offset BYTES  --seconds S  --warmup S  --seed N  --sleep  --cpu N  --target-pid PID\n"
	"check: --verify  --journal FILE  --check-only  --flush-every N  --fua-every N  --write-through\n"
	"       --reconnect S  --rounds N\n"
	"out:   --json FILE (\"-\": stdout)\n"
	"sizes take the suffixes K, M and G (1024)\n";
#define OPTION(name, kind, member) { name, kind, offsetof(struct load_opts, member) }
static const struct load_option common_options[] = {
	OPTION("portal", OPT_TEXT, portal),
	OPTION("target", OPT_TEXT, target),
	OPTION("initiator", OPT_TEXT, initiator),
	OPTION("header-digest", OPT_FLAG, header_digest),
	OPTION("data-digest", OPT_FLAG, data_digest),
	OPTION("connections", OPT_UINT, connections),
	OPTION("depth", OPT_UINT, depth),
	OPTION("size", OPT_SIZE32, io_bytes),
	OPTION("read", OPT_UINT, read_percent),
	OPTION("sequential", OPT_FLAG, sequential),
	OPTION("span", OPT_SIZE64, span_bytes),
	OPTION("offset", OPT_SIZE64, offset_bytes),
	OPTION("seconds", OPT_SECONDS, seconds),
	OPTION("warmup", OPT_SECONDS, warmup_s),
	OPTION("seed", OPT_U64, seed),
	OPTION("sleep", OPT_FLAG, sleeps),
	OPTION("cpu", OPT_UINT, cpu),
	OPTION("target-pid", OPT_UINT, target_pid),
	OPTION("verify", OPT_FLAG, verify),
	OPTION("journal", OPT_TEXT, journal),
	OPTION("check-only", OPT_FLAG, check_only),
	OPTION("flush-every", OPT_UINT, flush_every),
	OPTION("fua-every", OPT_UINT, fua_every),
	OPTION("write-through", OPT_FLAG, write_through),
	OPTION("reconnect", OPT_UINT, reconnect_s),
	OPTION("rounds", OPT_UINT, rounds),
	OPTION("json", OPT_TEXT, json),
};
#undef OPTION
enum { OPTIONS_MAX = 64 };

static uint64_t size_of(const char *s)
{
	char *end;
	double x = strtod(s, &end);
	double unit = *end == 'K' || *end == 'k' ? 1024.0 : *end == 'M' ? 1048576.0 : *end == 'G' ? 1073741824.0 : 1;
	return x < 0 ? 0 : (uint64_t)(x * unit);
}

static void option_set(struct load_opts *o, const struct load_option *row, char *value)
{
	void *at = (char *)o + row->offset;
	switch (row->kind) {
	case OPT_TEXT: *(char **)at = value; break;
	case OPT_UINT: *(unsigned *)at = (unsigned)strtoul(value, NULL, 0); break;
	case OPT_U64: *(uint64_t *)at = strtoull(value, NULL, 0); break;
	case OPT_SIZE32: *(uint32_t *)at = (uint32_t)min_u64(size_of(value), UINT32_MAX); break;
	case OPT_SIZE64: *(uint64_t *)at = size_of(value); break;
	case OPT_SECONDS: *(double *)at = strtod(value, NULL); break;
	case OPT_FLAG: *(bool *)at = true; break;
	}
}

static int parse_portal(struct load_opts *o)
{
	char *s = o->portal, *colon = s ? strrchr(s, ':') : NULL;
	if (!colon)
		return -EINVAL;
	*colon = 0;
	o->port = colon + 1;
	if (s[0] == '[' && colon > s && colon[-1] == ']') {
		colon[-1] = 0;
		s++;
	}
	o->host = s;
	return 0;
}

static int parse(struct load_opts *o, int argc, char **argv)
{
	const struct load_option *rows[OPTIONS_MAX];
	struct option options[OPTIONS_MAX + 1] = { 0 };
	size_t count = 0;
	for (size_t i = 0; i < ARRAY_COUNT(common_options); i++)
		rows[count++] = &common_options[i];
	for (const struct load_option *row = proto_options; row->name && count < OPTIONS_MAX; row++)
		rows[count++] = row;
	for (size_t i = 0; i < count; i++)
		options[i] = (struct option){ rows[i]->name, rows[i]->kind != OPT_FLAG, NULL, 256 + (int)i };
	for (int ch; (ch = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		if (ch < 256)
			return -EINVAL;
		option_set(o, rows[ch - 256], optarg);
	}
	if (parse_portal(o) < 0)
		return -EINVAL;
	if (o->journal)
		o->verify = true;
	bool sane = o->target && o->connections && o->connections <= 1024 && o->depth && o->depth <= 4096 &&
		    o->io_bytes >= 512 && o->io_bytes % 512 == 0 && o->io_bytes <= 16777216 &&
		    o->read_percent <= 100 && optind == argc && (o->journal || !o->check_only);
	return sane && proto_options_sane(o) ? 0 : -EINVAL;
}

static int load_main(struct load *l)
{
	struct load_opts *o = &l->opts;
	l->data = malloc(o->io_bytes);
	l->conns = calloc(o->connections, sizeof(*l->conns));
	l->polls = calloc(o->connections, sizeof(*l->polls));
	if (!l->data || !l->conns || !l->polls)
		return -ENOMEM;
	l->issue_left = UINT64_MAX;
	l->rng = o->seed * 0x9e3779b97f4a7c15u | 1;
	for (uint32_t i = 0; i < o->io_bytes; i++)
		l->data[i] = (uint8_t)(i * 131u + (i >> 9));
	int r = 0;
	for (unsigned i = 0; i < o->connections; i++) {
		l->conns[i] = (struct conn){ .load = l, .index = i, .fd = -1 };
		r = r < 0 ? r : conn_buffers(&l->conns[i]);
	}
	r = r < 0 ? r : load_connect(l);
	r = r < 0 ? r : load_geometry(l);
	if (r < 0)
		return r;
	uint64_t end_ns = stat_now_ns() + (uint64_t)((o->seconds + o->warmup_s) * 1e9);
	r = o->check_only ? check_all(l) : o->journal ? run_with_journal(l, end_ns) : run(l, end_ns);
	for (unsigned i = 0; r == 0 && i < o->connections; i++)
		r = proto_logout(&l->conns[i]);
	return r;
}

int main(int argc, char **argv)
{
	static struct load l = { .opts = {
		.connections = 1, .depth = 1, .read_percent = 100, .io_bytes = 4096, .seconds = 5, .warmup_s = 0.3,
		.seed = 1, .cpu = -1, .reconnect_s = 30 } };
	proto_defaults(&l.opts);
	if (parse(&l.opts, argc, argv) < 0) {
		fprintf(stderr, "%s --portal HOST:PORT --target NAME [options]\n%s%s", proto_program, proto_usage,
			usage);
		return EXIT_USAGE;
	}
	if (l.opts.cpu >= 0) {
		cpu_set_t set;
		CPU_ZERO(&set);
		CPU_SET((unsigned)l.opts.cpu, &set);
		if (sched_setaffinity(0, sizeof(set), &set) < 0)
			perror("pinning");
	}
	const struct sigaction act = { .sa_handler = on_signal };
	(void)sigaction(SIGTERM, &act, NULL);
	(void)sigaction(SIGINT, &act, NULL);
	int r = load_main(&l);
	if (l.stats.seconds > 0)
		stat_report(&l.opts, &l.stats, &l.verify);
	bool bad_data = l.verify.bad_blocks > 0;
	if (r < 0)
		fprintf(stderr, "%s: %s\n", proto_program, r == -EBADMSG && bad_data ? "wrong data"
							    : l.why[0] ? l.why : strerror(-r));
	for (unsigned i = 0; l.conns && i < l.opts.connections; i++) {
		conn_close(&l.conns[i]);
		conn_free(&l.conns[i]);
	}
	verify_close(&l.verify);
	free(l.conns);
	free(l.polls);
	free(l.data);
	return bad_data ? EXIT_BAD : r == 0 ? 0 : r == -EPROTO || r == -EBADMSG || r == -EIO ? EXIT_BAD
									       : EXIT_NO_SERVER;
}
