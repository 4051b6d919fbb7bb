/* SPDX-License-Identifier: GPL-3.0-or-later */
/* op_wsd.c - WS-Discovery, by which Windows shows a server of SMB: wsdd as a child, of nobody's rights, with a name, a workgroup
 * and the addresses that SMB is served at.  It announces and answers; it serves no file. */
#include "broker/keeper_priv.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define DESCRIPTION "run/wsd.conf"       /* a word a line: its arguments */
#define HTTP_PORT 5357
#define WORDS 20

/* The lines of the description, in buf. */
static int wsdd_argv(const char **argv, size_t argv_count, char *buf, size_t buf_bytes, char *why, size_t why_bytes)
{
	char path[PATH_MAX];
	size_t n = 0;
	_cleanup_(closep) int fd = open(keeper_path(path, DESCRIPTION), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	ssize_t len = fd < 0 ? -1 : TEMP_FAILURE_RETRY(read(fd, buf, buf_bytes - 1));
	if (len <= 0) {
		snprintf(why, why_bytes, "nothing is to be announced");
		return -ENOENT;
	}
	buf[len] = '\0';
	for (char *p = buf, *next; *p; p = next) {
		next = p + strcspn(p, "\n");
		if (*next)
			*next++ = '\0';
		if (n + 1 >= argv_count)
			return -E2BIG;
		argv[n++] = p;
	}
	argv[n] = NULL;
	return 0;
}

static const char *const wsdd_programs[] = { "wsdd", NULL };
const struct keeper_kind keeper_kind_wsdd = { .name = "wsdd", .programs = wsdd_programs, .runs_as = "python3", .user = "nobody", .argv = wsdd_argv };

static bool is_name(const char *s)
{
	size_t n = strlen(s);
	return n >= 1 && n <= 64 && s[0] != '-' && !s[strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")];
}

static bool is_address(const char *s)
{
	unsigned char bytes[16];
	return inet_pton(AF_INET, s, bytes) == 1 || inet_pton(AF_INET6, s, bytes) == 1;
}

/* The machine's own wsdd, for one: two would answer for each other. */
static bool port_is_free(void)
{
	const struct sockaddr_in any = { .sin_family = AF_INET, .sin_port = htons(HTTP_PORT) };
	_cleanup_(closep) int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	const int one = 1;
	/* REUSEADDR: what a child before left in TIME_WAIT is no other server; one that listens still is. */
	return fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 || bind(fd, (const struct sockaddr *)&any, sizeof(any)) == 0 || errno != EADDRINUSE;
}

/* NAME WORKGROUP ADDRESS..: announces that; without an address at every one. */
static int op_apply(struct keeper_request *rq)
{
	char text[1024], path[PATH_MAX];
	bool changed;
	size_t n = 0;
	if (!is_name(rq->args[0]) || !is_name(rq->args[1]) || rq->arg_count > 2 + (WORDS - 6) / 2)
		return keeper_refuse(rq, -EINVAL, "that is no name of a server or workgroup that Windows knows");
	n += (size_t)snprintf(text, sizeof(text), "-s\n-p\n-n\n%s\n-w\n%s\n", rq->args[0], rq->args[1]);
	for (size_t i = 2; i < rq->arg_count; i++) {
		if (!is_address(rq->args[i]))
			return keeper_refuse(rq, -EINVAL, "%s is no address", rq->args[i]);
		n += (size_t)snprintf(text + n, sizeof(text) - n, "-i\n%s\n", rq->args[i]);
	}
	if (!keeper_program(wsdd_programs[0], path))
		return keeper_refuse(rq, -ENOENT, "wsdd is not installed (package wsdd)");
	int r = keeper_write(DESCRIPTION, text, n, 0600, &changed);
	if (r == 0 && changed)
		r = keeper_child_stop(&keeper_kind_wsdd);
	if (r < 0)
		return keeper_refuse(rq, r, "wsdd cannot be told: %s", strerror(-r));
	if (!keeper_child_pid(&keeper_kind_wsdd) && !port_is_free())
		return keeper_refuse(rq, -EADDRINUSE, "another program has port %d: systemctl disable --now wsdd", HTTP_PORT);
	return keeper_child_start(&keeper_kind_wsdd, rq->text, sizeof(rq->text));
}

const struct keeper_op keeper_ops_wsd[] = {
	{ "wsd-apply", "nnt*", true, op_apply },
	{ 0 },
};
