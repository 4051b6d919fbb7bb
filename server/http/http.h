/* SPDX-License-Identifier: GPL-3.0-or-later */
/* http.h - the door of http/: the libmicrohttpd edge.  TLS, limits, headers, event stream; what a
 * request means is api/'s business. */
#ifndef HOLDFAST_HTTP_HTTP_H
#define HOLDFAST_HTTP_HTTP_H

#include "core/base.h"

struct http_opts {
	const char *state_dir;           /* certificate and key live in state_dir/tls/ (made when missing) */
	const char *socket_path;         /* local socket; mode 0660, peers by SO_PEERCRED */
	unsigned admin_uid;              /* beside root, who is admin on the local socket */
};
/* Opens the local socket.  -EADDRINUSE: another daemon answers on it. */
int http_start(const struct http_opts *opts, char *why, size_t why_bytes) _must_check_;
void http_stop(void);
/* HTTPS portals, as control asks for them.  listen_fd: handed over, or -1. */
int http_portal_open(const char *address, uint16_t port, int listen_fd, void **ret_portal) _must_check_;
void http_portal_close(void *portal);
/* New certificate for new connections; those open go on. */
int http_set_certificate(const char *cert_pem, const char *key_pem);

#endif
