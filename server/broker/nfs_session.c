/* SPDX-License-Identifier: GPL-3.0-or-later */
/* nfs_session.c - who is connected to the NFS server: TCP connections as the kernel lists them, the same for every
 * provider. sock_diag(7). */
#include "broker/nfs_priv.h"

#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#define TCP_ESTABLISHED_STATE 1 /* net/tcp_states.h */

static void print_one(FILE *f, const struct inet_diag_msg *m, size_t len)
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
	fprintf(f, "conn %s %u %llu %llu\n", address, ntohs(m->id.idiag_dport), (unsigned long long)received, (unsigned long long)sent);
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
				print_one(f, m, len);
		}
	}
}

int nfs_connections(FILE *f, unsigned port)
{
	_cleanup_(closep) int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	const struct timeval limit = { .tv_sec = 5 };
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) < 0)
		return -errno;
	int r = list_family(f, fd, AF_INET, port);
	return r < 0 ? r : list_family(f, fd, AF_INET6, port);
}
