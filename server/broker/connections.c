/* SPDX-License-Identifier: GPL-3.0-or-later */
/* connections.c - who is connected to a server, and how much went each way: TCP connections as the kernel lists them, the
 * same for every server.  What a connection had moved when it ended is told by the kernel as well, once somebody
 * asked for its port. sock_diag(7). */
#include "broker/keeper_priv.h"

#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define TCP_ESTABLISHED_STATE 1 /* net/tcp_states.h */
#define ENDED_PORTS 16
#define ENDED_QUEUE_BYTES (4 << 20)      /* some thousands of ends between two questions */

static void print_one(FILE *f, const char *word, const struct inet_diag_msg *m, size_t len)
{
	static const unsigned char mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };
	char address[INET6_ADDRSTRLEN] = "?";
	const unsigned char *to = (const unsigned char *)m->id.idiag_dst;
	if (m->idiag_family == AF_INET)
		inet_ntop(AF_INET, to, address, sizeof(address));
	else if (memcmp(to, mapped, sizeof(mapped)) == 0)
		inet_ntop(AF_INET, to + 12, address, sizeof(address));
	else
		inet_ntop(AF_INET6, to, address, sizeof(address));
	uint64_t received = 0, sent = 0;
	size_t left = len - sizeof(*m);
	for (const struct rtattr *a = (const struct rtattr *)(m + 1); RTA_OK(a, left); a = RTA_NEXT(a, left))
		if (a->rta_type == INET_DIAG_INFO && RTA_PAYLOAD(a) >= offsetof(struct tcp_info, tcpi_bytes_received) + 8) {
			const char *info = RTA_DATA(a);
			memcpy(&received, info + offsetof(struct tcp_info, tcpi_bytes_received), sizeof(received));
			memcpy(&sent, info + offsetof(struct tcp_info, tcpi_bytes_acked), sizeof(sent));
		}
	fprintf(f, "%s %s %u %llu %llu\n", word, address, ntohs(m->id.idiag_dport), (unsigned long long)received, (unsigned long long)sent);
}

static int list_family(FILE *f, int fd, int family, unsigned port)
{
	struct {
		struct nlmsghdr h;
		struct inet_diag_req_v2 rq;
	} ask = {
		.h = { .nlmsg_len = sizeof(ask), .nlmsg_type = SOCK_DIAG_BY_FAMILY, .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
		.rq = { .sdiag_family = (unsigned char)family, .sdiag_protocol = IPPROTO_TCP,
			.idiag_states = 1u << TCP_ESTABLISHED_STATE, .idiag_ext = 1u << (INET_DIAG_INFO - 1) },
	};
	if (TEMP_FAILURE_RETRY(send(fd, &ask, sizeof(ask), 0)) < 0)
		return -errno;
	for (;;) {
		_Alignas(struct nlmsghdr) char buf[32768];
		ssize_t n = TEMP_FAILURE_RETRY(recv(fd, buf, sizeof(buf), 0));
		if (n < 0)
			return -errno;
		size_t left = (size_t)n;
		for (const struct nlmsghdr *h = (const struct nlmsghdr *)buf; NLMSG_OK(h, left); h = NLMSG_NEXT(h, left)) {
			if (h->nlmsg_type == NLMSG_DONE)
				return 0;
			if (h->nlmsg_type == NLMSG_ERROR)
				return -EIO;
			const struct inet_diag_msg *m = NLMSG_DATA(h);
			size_t len = NLMSG_PAYLOAD(h, 0);
			if (len >= sizeof(*m) && ntohs(m->id.idiag_sport) == port)
				print_one(f, "conn", m, len);
		}
	}
}

int keeper_connections(FILE *f, unsigned port)
{
	_cleanup_(closep) int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	const struct timeval limit = { .tv_sec = 5 };
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) < 0)
		return -errno;
	int r = list_family(f, fd, AF_INET, port);
	return r < 0 ? r : list_family(f, fd, AF_INET6, port);
}

/* ---- those that have ended --------------------------------------------------------------------------------- */
/* Lets only the ends of connections to these ports of ours into the queue. */
static int filter_ports(int fd, const unsigned *ports, size_t count)
{
	struct sock_filter code[ENDED_PORTS + 3];
	size_t n = 0;
	code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_H | BPF_ABS, NLMSG_HDRLEN + offsetof(struct inet_diag_msg, id.idiag_sport));
	for (size_t i = 0; i < count; i++)
		code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ports[i], (unsigned char)(count - i), 0);
	code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, 0);
	code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, UINT32_MAX);
	const struct sock_fprog program = { (unsigned short)n, code };
	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0 ? -errno : 0;
}

static int open_ended(const unsigned *ports, size_t count)
{
	const struct sockaddr_nl me = { .nl_family = AF_NETLINK, .nl_groups = 1u << (SKNLGRP_INET_TCP_DESTROY - 1) | 1u << (SKNLGRP_INET6_TCP_DESTROY - 1) };
	const int bytes = ENDED_QUEUE_BYTES;
	_cleanup_(closep) int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_SOCK_DIAG);
	if (fd < 0)
		return -errno;
	int r = filter_ports(fd, ports, count);
	if (r == 0 && setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) < 0)
		log_debug(&log_keeper, "the queue of ended connections stays short", "errno=%d", errno);
	if (r == 0 && bind(fd, (const struct sockaddr *)&me, sizeof(me)) < 0)
		r = -errno;
	return r < 0 ? r : take_fd(&fd);
}

int keeper_connections_ended(FILE *f, const unsigned *ports, size_t count)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	static unsigned for_ports[ENDED_PORTS];
	static size_t for_count;
	static int fd = -1;
	int r = 0;
	if (count > ENDED_PORTS)
		count = ENDED_PORTS;
	pthread_mutex_lock(&lock);
	if (fd >= 0 && (for_count != count || memcmp(for_ports, ports, count * sizeof(*ports)) != 0)) {
		close(fd);
		fd = -1;
	}
	if (fd < 0) {
		r = fd = open_ended(ports, count);
		memcpy(for_ports, ports, count * sizeof(*ports));
		for_count = count;
	}
	while (fd >= 0) {
		_Alignas(struct nlmsghdr) char buf[32768];
		ssize_t n = TEMP_FAILURE_RETRY(recv(fd, buf, sizeof(buf), 0));
		if (n < 0 && errno == ENOBUFS) {
			log_debug(&log_keeper, "ends of connections were missed", " ");
			continue;
		}
		if (n <= 0)
			break;
		size_t left = (size_t)n;
		for (const struct nlmsghdr *h = (const struct nlmsghdr *)buf; NLMSG_OK(h, left); h = NLMSG_NEXT(h, left))
			if (h->nlmsg_type == SOCK_DIAG_BY_FAMILY && NLMSG_PAYLOAD(h, 0) >= sizeof(struct inet_diag_msg))
				print_one(f, "gone", NLMSG_DATA(h), NLMSG_PAYLOAD(h, 0));
	}
	pthread_mutex_unlock(&lock);
	return r < 0 ? r : 0;
}
