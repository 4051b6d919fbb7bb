/* SPDX-License-Identifier: GPL-3.0-or-later */
/* core_echo.c - what the loop itself costs: a reactor that answers every request of fixed length,
 * with no protocol work, and a client that polls on another CPU.
 *
 *	core_echo [--seconds S] [--runs N] [--server-cpu N] [--client-cpu N] [--spin US] [--only TEXT]
 *
 * The best of N short runs is shown, because the machine is rarely quiet; compare with the polled
 * rows of raw_limit.  "cpu": of the server's thread, per request. */
#include <arpa/inet.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "core/core.h"

enum { CONNS_MAX = 8, DEPTH_MAX = 32, HEAD_BYTES = 48, BULK = 128 << 10 };

struct echo_case {
	const char *name;
	unsigned conns, depth;
	uint32_t ask_data_bytes, answer_data_bytes; /* beside the 48 of a header */
};
static const struct echo_case cases[] = {
	{ "48 B -> 4144 B, 1 x QD1", 1, 1, 0, 4096 },
	{ "48 B -> 4144 B, 1 x QD32", 1, 32, 0, 4096 },
	{ "48 B -> 4144 B, 8 x QD4", 8, 4, 0, 4096 },
	{ "48 B -> 4144 B, 8 x QD32", 8, 32, 0, 4096 },
	{ "4144 B -> 48 B, 1 x QD32", 1, 32, 4096, 0 },
	{ "48 B -> 128 KiB, 1 x QD8", 1, 8, 0, BULK },
	{ "128 KiB -> 48 B, 1 x QD8", 1, 8, BULK, 0 },
};

static struct {
	double seconds;
	unsigned runs, spin_us;
	int server_cpu, client_cpu;
	const char *only;
} opt = { .seconds = 0.5, .runs = 5, .spin_us = 50, .server_cpu = 0, .client_cpu = 1 };

/* The server. */

struct answer {
	struct stream_out out;
	struct iovec iov[2];
	struct answer *next;
	struct server_conn *c;
	uint8_t head[HEAD_BYTES];
};
struct server_conn {
	struct stream s;
	const struct echo_case *what;
	int fd;
	size_t head_bytes;
	uint8_t *sink;
	struct answer answers[DEPTH_MAX], *free_answers;
	_Atomic(bool) is_closed;
};
static uint8_t *answer_data;

static void answer_sent(struct stream_out *o, int status)
{
	struct answer *a = container_of(o, struct answer, out);

	(void)status;
	a->next = a->c->free_answers;
	a->c->free_answers = a;
}

static void answer_send(struct server_conn *c)
{
	struct answer *a = c->free_answers;

	c->free_answers = a->next;
	a->out.sent = answer_sent;
	a->out.iov = a->iov;
	a->out.iov_count = c->what->answer_data_bytes ? 2 : 1;
	a->iov[0] = (struct iovec){ a->head, HEAD_BYTES };
	a->iov[1] = (struct iovec){ answer_data, c->what->answer_data_bytes };
	stream_send(&c->s, &a->out);
}

static size_t server_data(struct stream *s, const uint8_t *p, size_t len_bytes)
{
	struct server_conn *c = container_of(s, struct server_conn, s);
	size_t took = 0;

	(void)p;
	while (took < len_bytes) {
		size_t n = min_u64(HEAD_BYTES - c->head_bytes, len_bytes - took);
		took += n;
		c->head_bytes += n;
		if (c->head_bytes < HEAD_BYTES)
			break;
		c->head_bytes = 0;
		if (c->what->ask_data_bytes) {
			stream_sink(s, c->sink, c->what->ask_data_bytes);
			break;
		}
		answer_send(c);
	}
	return took;
}

static void server_sunk(struct stream *s)
{
	answer_send(container_of(s, struct server_conn, s));
}

static void server_closed(struct stream *s, int err)
{
	(void)err;
	container_of(s, struct server_conn, s)->is_closed = true;
}
static const struct stream_ops server_ops = { server_data, server_sunk, server_closed };

static int server_open(void *arg)
{
	struct server_conn *c = arg;

	return stream_open(reactor_self(), &c->s, c->fd, &server_ops);
}

static int thread_cpu_ns(void *arg)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	*(uint64_t *)arg = (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
	return 0;
}

/* The client: keeps `depth` requests in flight on each connection, never sleeps. */

struct client_conn {
	int fd;
	size_t to_send, in_part;         /* bytes owed to the socket; of the answer under way */
	unsigned sent_at, got_at;
	uint64_t asked_ns[DEPTH_MAX];
};

static int client_turn(struct client_conn *c, const struct echo_case *what, uint8_t *scratch,
		       struct hist *h, uint64_t *done)
{
	const size_t ask = HEAD_BYTES + what->ask_data_bytes, answer = HEAD_BYTES + what->answer_data_bytes;
	static uint8_t zeroes[DEPTH_MAX * (HEAD_BYTES + 4096)];
	unsigned again = 0;
	ssize_t n;

	if (c->to_send) {
		n = send(c->fd, what->ask_data_bytes > 4096 ? scratch : zeroes,
			 min_u64(c->to_send, what->ask_data_bytes > 4096 ? 1 << 20 : sizeof(zeroes)),
			 MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && errno != EAGAIN)
			return -errno;
		if (n > 0)
			c->to_send -= (size_t)n;
	}
	n = recv(c->fd, scratch, 1 << 20, MSG_DONTWAIT);
	if (n == 0 || (n < 0 && errno != EAGAIN))
		return n ? -errno : -EPIPE;
	if (n < 0)
		return 0;
	c->in_part += (size_t)n;
	uint64_t now = reactor_clock_ns();
	while (c->in_part >= answer) {
		c->in_part -= answer;
		hist_add(h, now - c->asked_ns[c->got_at++ % what->depth]);
		(*done)++;
		again++;
	}
	for (; again; again--) {
		c->asked_ns[c->sent_at++ % what->depth] = now;
		c->to_send += ask;
	}
	return 0;
}

static int tcp_pair(int *ret_a, int *ret_b)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(sin);
	int one = 1, l = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	*ret_a = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(l, (struct sockaddr *)&sin, sizeof(sin)) || listen(l, 1) ||
	    getsockname(l, (struct sockaddr *)&sin, &len) ||
	    connect(*ret_a, (struct sockaddr *)&sin, sizeof(sin)))
		return -errno;
	*ret_b = accept4(l, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	close(l);
	setsockopt(*ret_a, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return *ret_b < 0 ? -errno : 0;
}

struct run {
	double per_s, cpu_us;
	struct hist latency;
	struct reactor_stats stats;
};

static int run_once(const struct echo_case *what, enum reactor_engine engine, struct run *ret_run)
{
	struct reactor_opts opts = { .name = "echo", .engine = engine, .cpu = opt.server_cpu,
				     .spin_max_us = opt.spin_us };
	_cleanup_(reactor_freep) struct reactor *r = NULL;
	static struct server_conn servers[CONNS_MAX];
	struct client_conn clients[CONNS_MAX] = { 0 };
	static uint8_t scratch[1 << 20];
	struct reactor_stats before;
	uint64_t done = 0, cpu_from, cpu_to, from, now;
	int err = reactor_new(&opts, &r);

	if (err)
		return err;
	err = reactor_start(r);
	if (err)
		return err;
	for (unsigned i = 0; i < what->conns; i++) {
		struct server_conn *c = &servers[i];
		memset(c, 0, sizeof(*c));
		c->what = what;
		c->sink = malloc(BULK);
		for (unsigned a = 0; a < DEPTH_MAX; a++) {
			c->answers[a].c = c;
			answer_sent(&c->answers[a].out, 0);
		}
		err = tcp_pair(&clients[i].fd, &c->fd);
		if (!err)
			err = reactor_call(r, server_open, c);
		if (err)
			return err;
		for (unsigned d = 0; d < what->depth; d++)
			clients[i].asked_ns[clients[i].sent_at++ % what->depth] = reactor_clock_ns();
		clients[i].to_send = what->depth * (HEAD_BYTES + (size_t)what->ask_data_bytes);
	}
	memset(&ret_run->latency, 0, sizeof(ret_run->latency));
	reactor_stats(r, &before);
	reactor_call(r, thread_cpu_ns, &cpu_from);
	from = now = reactor_clock_ns();
	while (!err && now - from < (uint64_t)(opt.seconds * 1e9)) {
		for (unsigned k = 0; k < 64; k++)
			for (unsigned i = 0; i < what->conns && !err; i++)
				err = client_turn(&clients[i], what, scratch, &ret_run->latency, &done);
		now = reactor_clock_ns();
	}
	reactor_call(r, thread_cpu_ns, &cpu_to);
	reactor_stats(r, &ret_run->stats);
	ret_run->stats.turns -= before.turns;
	ret_run->stats.sends -= before.sends;
	ret_run->stats.recvs -= before.recvs;
	ret_run->stats.sleeps -= before.sleeps;
	ret_run->per_s = (double)done * 1e9 / (double)(now - from);
	ret_run->cpu_us = done ? (double)(cpu_to - cpu_from) / 1e3 / (double)done : 0;
	for (unsigned i = 0; i < what->conns; i++)
		close(clients[i].fd);
	reactor_stop(r);
	for (unsigned i = 0; i < what->conns; i++)
		free(servers[i].sink);
	return err;
}

static void run_best(const struct echo_case *what, enum reactor_engine engine)
{
	struct run best = { 0 };

	for (unsigned i = 0; i < opt.runs; i++) {
		struct run run;
		int err = run_once(what, engine, &run);
		if (err) {
			printf("%-9s %-26s not run: %s\n", engine == REACTOR_URING ? "io_uring" : "epoll",
			       what->name, strerror(-err));
			return;
		}
		if (run.per_s > best.per_s)
			best = run;
	}
	double mb = best.per_s * (2 * HEAD_BYTES + what->ask_data_bytes + what->answer_data_bytes) / 1e6;
	double turns = best.stats.turns ? (double)best.stats.turns : 1;
	printf("%-9s %-26s %10.0f %8.0f %8.1f %8.1f %7.2f %8.1f %8.1f %8llu\n",
	       engine == REACTOR_URING ? "io_uring" : "epoll", what->name, best.per_s, mb,
	       (double)hist_quantile_ns(&best.latency, 0.5) / 1e3,
	       (double)hist_quantile_ns(&best.latency, 0.99) / 1e3, best.cpu_us,
	       best.per_s * opt.seconds / turns, (double)best.stats.sends / turns,
	       (unsigned long long)best.stats.sleeps);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "seconds", required_argument, NULL, 's' }, { "runs", required_argument, NULL, 'n' },
		{ "server-cpu", required_argument, NULL, 'a' }, { "client-cpu", required_argument, NULL, 'b' },
		{ "spin", required_argument, NULL, 'u' }, { "only", required_argument, NULL, 'o' },
		{ "engine", required_argument, NULL, 'e' }, { 0 },
	};
	const char *engine = "";
	cpu_set_t set;

	for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;)
		switch (o) {
		case 's':
			opt.seconds = strtod(optarg, NULL);
			break;
		case 'n':
			opt.runs = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 'a':
			opt.server_cpu = (int)strtol(optarg, NULL, 10);
			break;
		case 'b':
			opt.client_cpu = (int)strtol(optarg, NULL, 10);
			break;
		case 'u':
			opt.spin_us = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 'o':
			opt.only = optarg;
			break;
		case 'e':
			engine = optarg;
			break;
		default:
			fputs("usage: core_echo [--seconds S] [--runs N] [--server-cpu N] [--client-cpu N] "
			      "[--spin US] [--engine io_uring|epoll] [--only TEXT]\n", stderr);
			return 2;
		}
	if (opt.client_cpu >= 0) {
		CPU_ZERO(&set);
		CPU_SET((unsigned)opt.client_cpu, &set);
		(void)sched_setaffinity(0, sizeof(set), &set);
	}
	answer_data = calloc(1, BULK);
	printf("%-9s %-26s %10s %8s %8s %8s %7s %8s %8s %8s\n", "engine", "case", "req/s", "MB/s", "p50 us",
	       "p99 us", "cpu us", "req/turn", "snd/turn", "sleeps");
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		if (opt.only && !strstr(cases[i].name, opt.only))
			continue;
		if (strcmp(engine, "epoll") != 0)
			run_best(&cases[i], REACTOR_URING);
		if (strcmp(engine, "io_uring") != 0)
			run_best(&cases[i], REACTOR_EPOLL);
	}
	free(answer_data);
	return 0;
}
