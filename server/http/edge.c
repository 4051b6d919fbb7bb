/* SPDX-License-Identifier: GPL-3.0-or-later */
/* edge.c - one listener: a libmicrohttpd daemon with its limits.  Local socket and portals alike. */
#include "http/http_priv.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define CONNECTIONS_MAX 2048u
#define CONNECTIONS_PER_IP 64u
#define CONNECTION_MEMORY_BYTES ((size_t)32 << 10) /* bounds the header, and the read and write buffers */
#define IDLE_TIMEOUT_S 60u

uint64_t http_now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void mhd_log(void *cls, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));
static void mhd_log(void *cls, const char *fmt, va_list ap)
{
	const struct edge *e = cls;
	char line[256];
	size_t n;

	vsnprintf(line, sizeof(line), fmt, ap);
	n = strlen(line);
	while (n && (line[n - 1] == '\n' || line[n - 1] == ' '))
		line[--n] = '\0';
	log_debug(&log_http, "libmicrohttpd", "edge=\"%s\" text=\"%s\"", e->name, line);
}

/* TLS 1.2 and 1.3; ciphers by the machine's policy where there is one (RHEL's crypto-policies). */
static const char *priorities(void)
{
	static const char *const choices[] = { "@SYSTEM:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2", "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2" };
	gnutls_priority_t p;

	if (gnutls_priority_init(&p, choices[0], NULL) < 0)
		return choices[1];
	gnutls_priority_deinit(p);
	return choices[0];
}

int edge_start(struct edge *e, bool with_tls, unsigned threads)
{
	unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;
	struct MHD_OptionItem tls[] = {
		{ MHD_OPTION_HTTPS_CERT_CALLBACK2, 0, (void *)cert_retrieve },
		{ MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)priorities() },
		{ MHD_OPTION_END, 0, NULL },
	};
	struct MHD_OptionItem none[] = { { MHD_OPTION_END, 0, NULL } };

	atomic_store(&e->active, 0);
	atomic_store(&e->jobs, 0);
	atomic_store(&e->takes_jobs, true);
	/* The logger comes first, so that complaints about the other options go there too. */
	e->daemon = MHD_start_daemon(flags | (with_tls ? (unsigned)MHD_USE_TLS : 0u), 0, NULL, NULL, request_handle, e,
				     MHD_OPTION_EXTERNAL_LOGGER, mhd_log, (void *)e,
				     MHD_OPTION_LISTEN_SOCKET, e->listen_fd,
				     MHD_OPTION_THREAD_POOL_SIZE, threads,
				     MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MAX,
				     MHD_OPTION_PER_IP_CONNECTION_LIMIT, e->is_local ? 0u : CONNECTIONS_PER_IP,
				     MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_MEMORY_BYTES,
				     MHD_OPTION_CONNECTION_TIMEOUT, IDLE_TIMEOUT_S,
				     MHD_OPTION_URI_LOG_CALLBACK, request_begin, (void *)e,
				     MHD_OPTION_NOTIFY_COMPLETED, request_end, (void *)e,
				     MHD_OPTION_NOTIFY_CONNECTION, peer_notify, (void *)e,
				     MHD_OPTION_ARRAY, with_tls ? tls : none,
				     MHD_OPTION_END);
	if (e->daemon)
		return 0;
	close(e->listen_fd);
	e->listen_fd = -1;
	return -ENOMEM;
}

void edge_quiesce(struct edge *e)
{
	if (e->listen_fd < 0 || e->is_quiet)
		return;
	e->is_quiet = true;
	if (e->daemon)
		MHD_quiesce_daemon(e->daemon);
	/* Not closed: the library's threads may still be about to take it out of their epoll sets, and end
	 * the process when they cannot. */
	(void)shutdown(e->listen_fd, SHUT_RDWR);
}

void edge_end(struct edge *e)
{
	const struct timespec pause = { .tv_nsec = 2000000 };

	edge_quiesce(e);
	/* libmicrohttpd cannot stop while connections are suspended.  A request counts itself first and
	 * looks at takes_jobs then, so none slips through. */
	atomic_store(&e->takes_jobs, false);
	while (atomic_load(&e->jobs))
		nanosleep(&pause, NULL);
	if (e->daemon)
		MHD_stop_daemon(e->daemon);
	e->daemon = NULL;
	if (e->listen_fd >= 0)
		close(e->listen_fd);
	e->listen_fd = -1;
	e->is_quiet = false;
}
