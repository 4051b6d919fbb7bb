/* SPDX-License-Identifier: GPL-3.0-or-later */
/* raw_limit.c - what the machine allows: bare TCP sockets over loopback with the message sizes of
 * iSCSI or NVMe/TCP and no protocol work at all.  No target can be faster than this.
 *
 *	raw_limit [--protocol iscsi|nvme] [--seconds S] [--server-cpu N] [--client-cpu N] [--json]
 *
 * A server process answers every request of A bytes with B bytes.  "polled": both sides spin;
 * "blocking": both sleep.  "batched": all answers of one receive leave in one call, which is what
 * a good target does; "single": one call per answer. */
#include "load.h"

#include <arpa/inet.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

enum { DEPTH_MAX = 32, BUFFER_BYTES = 1 << 20 };

struct limit_case {
	const char *name;
	uint32_t ask_bytes, answer_bytes; /* of data; a header is added */
	unsigned depth;
	bool polled, single;
};
/* A command and an answer without data.  NVMe: a read's data PDU tells success too; a long write is
 * taken for one message, as if it needed no R2T. */
static const struct protocol {
	const char *name;
	uint32_t ask_bytes, answer_bytes;
} protocols[] = { { "iscsi", 48, 48 }, { "nvme", 72, 24 } };
static const struct limit_case cases[] = {
	{ "read 4 KiB, QD1, blocking", 0, 4096, 1, false, false },
	{ "read 4 KiB, QD1, polled", 0, 4096, 1, true, false },
	{ "read 4 KiB, QD32, blocking", 0, 4096, 32, false, false },
	{ "read 4 KiB, QD32, polled, batched", 0, 4096, 32, true, false },
	{ "read 4 KiB, QD32, polled, single", 0, 4096, 32, true, true },
	{ "write 4 KiB, QD1, polled", 4096, 0, 1, true, false },
	{ "write 4 KiB, QD32, polled, batched", 4096, 0, 32, true, false },
	{ "read 128 KiB, QD8, polled", 0, 131072, 8, true, false },
	{ "write 128 KiB, QD8, polled", 131072, 0, 8, true, false },
};

static void pin(int cpu)
{
	cpu_set_t set;
	CPU_ZERO(&set);
	if (cpu >= 0) {
		CPU_SET((unsigned)cpu, &set);
		(void)sched_setaffinity(0, sizeof(set), &set);
	}
}

/* Sends all of it; spins or sleeps where the socket is full. */
static int put(int fd, const uint8_t *data, size_t len, bool polled)
{
	while (len) {
		ssize_t n = send(fd, data, len, MSG_NOSIGNAL | (polled ? MSG_DONTWAIT : 0));
		if (n < 0 && errno != EAGAIN)
			return -errno;
		if (n > 0) {
			data += n;
			len -= (size_t)n;
		}
	}
	return 0;
}

static ssize_t get(int fd, void *buf, size_t len, bool polled)
{
	ssize_t n = recv(fd, buf, len, polled ? MSG_DONTWAIT : 0);
	return n < 0 && errno == EAGAIN ? 0 : n == 0 ? -1 : n;
}

static void serve(int fd, const struct limit_case *c)
{
	uint8_t *in = malloc(BUFFER_BYTES), *out = calloc(DEPTH_MAX, c->answer_bytes);
	size_t have = 0;
	while (in && out) {
		ssize_t n = get(fd, in, BUFFER_BYTES, c->polled);
		if (n < 0)
			break;
		have += (size_t)n;
		size_t asked = have / c->ask_bytes;
		have %= c->ask_bytes;
		int r = 0;
		for (; r == 0 && asked; asked -= c->single ? 1 : asked)
			r = put(fd, out, (c->single ? 1 : asked) * c->answer_bytes, c->polled);
		if (r < 0)
			break;
	}
	free(in);
	free(out);
}

static int ask(int fd, const struct limit_case *c, double seconds, struct load_stats *s)
{
	_cleanup_(freep) uint8_t *in = malloc(BUFFER_BYTES);
	_cleanup_(freep) uint8_t *out = calloc(DEPTH_MAX, c->ask_bytes);
	uint64_t sent_ns[DEPTH_MAX], head = 0, tail = 0;
	if (!in || !out)
		return -ENOMEM;
	const uint64_t start_ns = stat_now_ns(), warm_ns = start_ns + 200000000u,
		       end_ns = warm_ns + (uint64_t)(seconds * 1e9);
	uint64_t now_ns = start_ns;
	size_t have = 0;
	for (unsigned spins = 0; now_ns < end_ns;) {
		unsigned room = c->depth - (unsigned)(head - tail);
		if (room) {
			for (unsigned i = 0; i < room; i++)
				sent_ns[head++ % c->depth] = now_ns;
			int r = put(fd, out, (size_t)room * c->ask_bytes, c->polled);
			if (r < 0)
				return r;
		}
		ssize_t n = get(fd, in, BUFFER_BYTES, c->polled);
		if (n < 0)
			return -ECONNRESET;
		if (n > 0 || ++spins % 64 == 0)
			now_ns = stat_now_ns();
		have += (size_t)n;
		for (; have >= c->answer_bytes; have -= c->answer_bytes, tail++)
			if (now_ns >= warm_ns)
				stat_add(&s->latency, now_ns - sent_ns[tail % c->depth]);
	}
	s->seconds = (double)(now_ns - warm_ns) / 1e9;
	return 0;
}

static int run_case(const struct limit_case *c, double seconds, int server_cpu, struct load_stats *s)
{
	_cleanup_(closep) int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t len = sizeof(a);
	if (listener < 0 || bind(listener, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(listener, 1) < 0 ||
	    getsockname(listener, (struct sockaddr *)&a, &len) < 0)
		return -errno;
	const int on = 1;
	pid_t pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0) {
		pin(server_cpu);
		int fd = accept(listener, NULL, NULL);
		if (fd >= 0) {
			(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
			serve(fd, c);
		}
		_exit(0);
	}
	int r = -EIO;
	_cleanup_(closep) int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0) {
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		r = ask(fd, c, seconds, s);
		(void)shutdown(fd, SHUT_RDWR);
	} else {
		kill(pid, SIGKILL);
	}
	(void)waitpid(pid, NULL, 0);
	return r;
}

int main(int argc, char **argv)
{
	static const struct option options[] = { { "seconds", 1, 0, 's' }, { "server-cpu", 1, 0, 'S' },
						 { "client-cpu", 1, 0, 'C' }, { "json", 0, 0, 'j' },
						 { "protocol", 1, 0, 'p' }, { 0 } };
	double seconds = 2;
	int server_cpu = -1, client_cpu = -1;
	bool json = false;
	const struct protocol *p = protocols;
	for (int ch; (ch = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		switch (ch) {
		case 's': seconds = strtod(optarg, NULL); break;
		case 'S': server_cpu = (int)strtol(optarg, NULL, 10); break;
		case 'C': client_cpu = (int)strtol(optarg, NULL, 10); break;
		case 'j': json = true; break;
		case 'p':
			for (p = protocols; p < protocols + ARRAY_COUNT(protocols) && strcmp(p->name, optarg); p++)
				;
			if (p < protocols + ARRAY_COUNT(protocols))
				break;
			/* fall through */
		default:
			fputs("raw_limit [--protocol iscsi|nvme] [--seconds S] [--server-cpu N] [--client-cpu N] [--json]\n", stderr);
			return 2;
		}
	}
	pin(client_cpu);
	if (json)
		printf("[");
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct limit_case sized = cases[i], *c = &sized;
		c->ask_bytes += p->ask_bytes;
		c->answer_bytes += p->answer_bytes;
		static struct load_stats s;
		s = (struct load_stats){ 0 };
		fflush(stdout);
		int r = run_case(c, seconds, server_cpu, &s);
		if (r < 0) {
			fprintf(stderr, "raw_limit: %s: %s\n", c->name, strerror(-r));
			return 1;
		}
		double rate = (double)s.latency.count / s.seconds;
		double mb_s = rate * (c->ask_bytes > c->answer_bytes ? c->ask_bytes : c->answer_bytes) / 1e6;
		double p50 = stat_quantile_us(&s.latency, 0.5), p99 = stat_quantile_us(&s.latency, 0.99);
		if (json)
			printf("%s{\"case\": \"%s\", \"iops\": %.0f, \"mb_s\": %.1f, \"p50_us\": %.1f, "
			       "\"p99_us\": %.1f}", i ? ",\n " : "", c->name, rate, mb_s, p50, p99);
		else
			printf("%-36s %9.0f/s %7.0f MB/s  p50 %6.1f us  p99 %6.1f us\n", c->name, rate, mb_s,
			       p50, p99);
	}
	if (json)
		printf("]\n");
	return 0;
}
