/* SPDX-License-Identifier: GPL-3.0-or-later */
/* nvme_check.c - holdfast-remote: does an NVMe/TCP portal answer?  There is no client library for NVMe in user space that
 * distributions ship, so this goes as far as the exchange that opens a connection (NVMe/TCP 3.6.2.2) and says that it ends there. */
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "remote/worker_priv.h"

#define PDU_BYTES 128

static int dial(const char *host, const char *port)
{
	struct addrinfo hint = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV }, *list = NULL, *a;
	struct timeval limit = { .tv_sec = 10 };
	int fd = -1;
	if (getaddrinfo(host, port, &hint, &list))
		return -1;
	for (a = list; a && fd < 0; a = a->ai_next) {
		fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (fd < 0)
			continue;
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
		setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
		if (connect(fd, a->ai_addr, a->ai_addrlen)) {
			int e = errno;
			close(fd);
			fd = -1;
			errno = e;
		}
	}
	freeaddrinfo(list);
	return fd;
}

void nvme_test_run(const json_t *job)
{
	const char *host = job_text(job, "host"), *port = job_text(job, "port");
	uint8_t pdu[PDU_BYTES] = { 0x00, 0, PDU_BYTES, 0, PDU_BYTES };   /* ICReq: header and whole length; format 0, no digests */
	size_t got = 0;
	if (!host || !port)
		out_end(false, "no address");
	if (!test_resolve(host))
		out_end(false, "a step failed");
	step_begin("connect");
	int fd = dial(host, port);
	if (fd < 0) {
		step_failed("see whether the portal listens: holdfast portal list; and whether a firewall is in between", "%s port %s: %s", host, port, strerror(errno));
		out_end(false, "a step failed");
	}
	step_ok("%s port %s takes connections", host, port);
	step_begin("initialise");
	if (send(fd, pdu, sizeof(pdu), MSG_NOSIGNAL) == sizeof(pdu))
		while (got < sizeof(pdu)) {
			ssize_t n = recv(fd, pdu + got, sizeof(pdu) - got, 0);
			if (n < 0 && errno == EINTR)
				continue;
			if (n <= 0)
				break;
			got += (size_t)n;
		}
	close(fd);
	if (got == sizeof(pdu) && pdu[0] == 0x01 && pdu[2] == PDU_BYTES)
		step_ok("it speaks NVMe/TCP");
	else
		step_failed("when the portal demands TLS this check cannot go further; else see the log of holdfastd", "it did not answer as an NVMe/TCP controller does");
	step_begin("log in");
	step_skipped("connecting to a subsystem, reading and writing are not checked: no client library; use nvme connect on a host (holdfast target connect tells how)");
	out_end(!step_any_failed(), step_any_failed() ? "a step failed" : "the portal answers");
}
