/* SPDX-License-Identifier: GPL-3.0-or-later */
/* nfs_helpers.c - what NFS version 3 needs beside the server: a port mapper (rpcbind) and a status monitor for locks
 * (rpc.statd).  Those of the machine are used where they run; else they are children of ours. */
#include "broker/nfs_priv.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#define RPCBIND_PORT 111
enum { PROGRAM_PORTMAP = 100000, PROGRAM_STATUS = 100024 };

/* Connected, or -1; waits a second at most. */
static int connect_to(const char *address, unsigned port)
{
	union {
		struct sockaddr sa;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	} to = { .in = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) } };
	socklen_t len = sizeof(to.in);
	if (strcmp(address, "0.0.0.0") == 0 || strcmp(address, "::") == 0)
		address = "127.0.0.1";
	if (inet_pton(AF_INET, address, &to.in.sin_addr) != 1) {
		to.in6 = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port) };
		len = sizeof(to.in6);
		if (inet_pton(AF_INET6, address, &to.in6.sin6_addr) != 1)
			return -1;
	}
	_cleanup_(closep) int fd = socket(to.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -1;
	if (connect(fd, &to.sa, len) < 0) {
		struct pollfd p = { .fd = fd, .events = POLLOUT };
		int error = 0;
		socklen_t error_bytes = sizeof(error);
		if (errno != EINPROGRESS || TEMP_FAILURE_RETRY(poll(&p, 1, 1000)) != 1 ||
		    getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &error_bytes) < 0 || error)
			return -1;
	}
	return take_fd(&fd);
}

bool nfs_port_answers(const char *address, unsigned port)
{
	_cleanup_(closep) int fd = connect_to(address, port);
	return fd >= 0;
}

bool nfs_rpcbind_runs(void)
{
	return nfs_port_answers("127.0.0.1", RPCBIND_PORT);
}

/* PMAPPROC_GETPORT over TCP: one fragment each way. RFC 5531 9, 11; RFC 1833 3. */
unsigned nfs_rpcbind_port(unsigned program, unsigned version)
{
	_cleanup_(closep) int fd = connect_to("127.0.0.1", RPCBIND_PORT);
	const uint32_t call[] = {
		htonl(0x80000000u | 56), htonl(0x48464e46), 0 /* call */, htonl(2), htonl(PROGRAM_PORTMAP), htonl(2), htonl(3),
		0, 0, 0, 0 /* no credential, no verifier */, htonl(program), htonl(version), htonl(IPPROTO_TCP), 0,
	};
	uint32_t reply[8]; /* mark, xid, reply, accepted, verifier (2), success, port */
	size_t got = 0;
	if (fd < 0 || TEMP_FAILURE_RETRY(send(fd, call, sizeof(call), MSG_NOSIGNAL)) != (ssize_t)sizeof(call))
		return 0;
	while (got < sizeof(reply)) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		if (TEMP_FAILURE_RETRY(poll(&p, 1, 2000)) != 1)
			return 0;
		ssize_t n = TEMP_FAILURE_RETRY(read(fd, (char *)reply + got, sizeof(reply) - got));
		if (n <= 0)
			return 0;
		got += (size_t)n;
	}
	bool ok = reply[1] == call[1] && ntohl(reply[2]) == 1 && reply[3] == 0 && reply[6] == 0;
	uint32_t port = ntohl(reply[7]);
	return ok && port <= 65535 ? port : 0;
}

/* ---- children ----------------------------------------------------------------------------------------------- */
static int rpcbind_argv(const char **argv, size_t argv_count, char *buf, size_t buf_bytes, char *why, size_t why_bytes)
{
	(void)buf, (void)buf_bytes, (void)why, (void)why_bytes;
	/* -w: what was registered is known again after a death. */
	const char *const args[] = { "-f", "-w" };
	if (argv_count < ARRAY_COUNT(args) + 1)
		return -E2BIG;
	for (size_t i = 0; i < ARRAY_COUNT(args); i++)
		argv[i] = args[i];
	argv[ARRAY_COUNT(args)] = NULL;
	return 0;
}
static const char *const rpcbind_programs[] = { "rpcbind", NULL };
const struct keeper_kind keeper_kind_rpcbind = {
	.name = "rpcbind", .programs = rpcbind_programs, .argv = rpcbind_argv, .ready = nfs_rpcbind_runs,
};

static int statd_argv(const char **argv, size_t argv_count, char *buf, size_t buf_bytes, char *why, size_t why_bytes)
{
	struct nfs_spec s;
	int r = nfs_spec_load(&s, why, why_bytes);
	if (r < 0)
		return r;
	char path[PATH_MAX];
	int n = snprintf(buf, buf_bytes, "%u", s.statd_port);
	nfs_spec_done(&s);
	if (n < 0 || (size_t)n + 1 >= buf_bytes || argv_count < 8)
		return -E2BIG;
	char *folder = buf + n + 1;
	snprintf(folder, buf_bytes - (size_t)n - 1, "%s", keeper_path(path, "nfs/statd"));
	size_t i = 0;
	argv[i++] = "-F";
	argv[i++] = "--no-notify";
	argv[i++] = "-P";
	argv[i++] = folder;
	if (strcmp(buf, "0") != 0) {
		argv[i++] = "-p";
		argv[i++] = buf;
	}
	argv[i] = NULL;
	return 0;
}
static bool statd_ready(void)
{
	return nfs_rpcbind_port(PROGRAM_STATUS, 1) != 0;
}
static const char *const statd_programs[] = { "rpc.statd", NULL };
const struct keeper_kind keeper_kind_statd = {
	.name = "rpc.statd", .programs = statd_programs, .argv = statd_argv, .ready = statd_ready,
};

static bool wait_for(bool (*ready)(void), unsigned ms)
{
	for (; !ready(); ms -= 50) {
		if (ms < 50)
			return false;
		usleep(50000);
	}
	return true;
}

bool nfs_helpers_start(char *why, size_t why_bytes)
{
	char path[PATH_MAX];
	if (!nfs_rpcbind_runs()) {
		if (!keeper_program("rpcbind", path)) {
			snprintf(why, why_bytes, "NFS version 3 needs rpcbind (package rpcbind)");
			return false;
		}
		if (keeper_child_start(&keeper_kind_rpcbind, why, why_bytes) < 0 || !wait_for(nfs_rpcbind_runs, 10000)) {
			snprintf(why, why_bytes, "NFS version 3 needs rpcbind, and it does not start");
			return false;
		}
	}
	/* Without a status monitor files are served, but not locked. */
	if (!statd_ready() && keeper_program("rpc.statd", path)) {
		char ignored[256];
		if (keeper_mkdir("nfs/statd/sm", 0700) < 0 || keeper_mkdir("nfs/statd/sm.bak", 0700) < 0 ||
		    keeper_child_start(&keeper_kind_statd, ignored, sizeof(ignored)) < 0 || !wait_for(statd_ready, 10000))
			log_warn(&log_keeper, "rpc.statd does not start, continuing without locks over NFS version 3", " ");
	}
	return true;
}

void nfs_helpers_stop(void)
{
	if (keeper_child_stop(&keeper_kind_statd) < 0 || keeper_child_stop(&keeper_kind_rpcbind) < 0)
		log_warn(&log_keeper, "a helper of NFS does not end", " ");
}
