/* SPDX-License-Identifier: GPL-3.0-or-later */
/* http.h - the door of http/: the libmicrohttpd edge.  TLS, limits, headers, event stream; what a
 * request means is api/'s business.
 *
 * Order: http_init, control_start (which opens portals through http_portal_open), http_start;
 * http_stop, control_stop.  Until http_start every request gets 503 "starting". */
#ifndef HOLDFAST_HTTP_HTTP_H
#define HOLDFAST_HTTP_HTTP_H

#include "core/base.h"

struct http_opts {
	const char *socket_path;         /* local socket; mode 0660, peers by SO_PEERCRED */
	unsigned admin_uid;              /* beside root, who is admin on the local socket */
	const char *web_root;            /* folder of a page under development; NULL: the page inside the program */
};
/* Certificate ready, local socket bound (not yet answering).  opts is copied; why: a sentence for
 * the person.  -EADDRINUSE: another daemon answers on the socket. */
int http_init(const struct http_opts *opts, char *why, size_t why_bytes) _must_check_;
/* Control runs: answer requests. */
int http_start(char *why, size_t why_bytes) _must_check_;
/* Ends streams and connections, removes the socket.  Safe after a failed or missing http_init.
 * Portals end too, but stay to be closed by who opened them; none opens any more (-ESHUTDOWN). */
void http_stop(void);
/* HTTPS portals, as control asks for them.  listen_fd: handed over (taken), or -1. */
int http_portal_open(const char *address, uint16_t port, int listen_fd, void **ret_portal) _must_check_;
/* Stops listening at once; requests under way get their answers, on a thread of our own. */
void http_portal_close(void *portal);
/* SHA-256 of the certificate that new connections see, "AB:CD:.."; "" without one. */
void http_fingerprint(char out[96]);
/* New certificate for new connections; those open go on.  -EINVAL: unreadable, or the key is not
 * the certificate's; the old one stays. */
int http_set_certificate(const char *cert_pem, const char *key_pem);
/* Who asks for name by tls-alpn-01 (RFC 8737) is shown this pair; cert_pem NULL: no longer.  Any thread. */
int http_set_challenge(const char *name, const char *cert_pem, const char *key_pem);

#endif
