/* SPDX-License-Identifier: GPL-3.0-or-later */
/* http.c - start and stop of the edge: certificate, local socket, streams, keeper. */
#include "http/http_priv.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core/library.h"

#define LOCAL_THREADS 2u
#define PATIENCE_MS 2000

LOG_TOPIC(http);

static const char *gnutls_version(void)
{
	return gnutls_check_version(NULL);
}
LIBRARY(gnutls, "GnuTLS", "LGPL-2.1-or-later", gnutls_version)
LIBRARY(microhttpd, "GNU libmicrohttpd", "LGPL-2.1-or-later", MHD_get_version)

_Atomic(bool) http_is_serving;
static struct edge local = { .listen_fd = -1, .is_local = true, .name = "local socket" };
static char *socket_path;
static bool has_keeper;

int http_init(const struct http_opts *opts, char *why, size_t why_bytes)
{
	int r;

	why[0] = '\0';
	local.admin_uid = opts->admin_uid;
	r = listen_local(opts->socket_path, &local.listen_fd, why, why_bytes);
	if (r < 0)
		return r;
	socket_path = strdup(opts->socket_path);
	r = socket_path ? cert_init(why, why_bytes) : -ENOMEM;
	if (r == 0)
		r = page_init(opts->web_root, why, why_bytes);
	if (r == 0)
		r = workers_start();
	if (r == 0) {
		r = keeper_start();
		has_keeper = r == 0;
	}
	/* Already answering, with 503, so that clients that come early hear why they wait. */
	if (r == 0)
		r = edge_start(&local, false, LOCAL_THREADS);
	if (r < 0) {
		if (!why[0])
			snprintf(why, why_bytes, "The local socket cannot be served: %s.", strerror(-r));
		http_stop();
	}
	return r;
}

int http_start(char *why, size_t why_bytes)
{
	if (!local.daemon) {
		snprintf(why, why_bytes, "The edge was not prepared.");
		return -EINVAL;
	}
	streams_start();
	atomic_store(&http_is_serving, true);
	return 0;
}

/* Answers under way may leave; new requests are refused. */
static void wait_for_answers(void)
{
	uint64_t until = http_now_ms() + PATIENCE_MS;
	const struct timespec pause = { .tv_nsec = 5000000 };

	while (atomic_load(&local.active) && http_now_ms() < until)
		nanosleep(&pause, NULL);
}

void http_stop(void)
{
	atomic_store(&http_is_serving, false);
	edge_quiesce(&local);
	wait_for_answers();
	http_streams_stop();
	edge_end(&local);
	if (has_keeper)
		keeper_stop();
	has_keeper = false;
	workers_stop();
	if (socket_path)
		listen_local_remove(socket_path);
	free(socket_path);
	socket_path = NULL;
	cert_done();
	page_done();
}
