/* SPDX-License-Identifier: GPL-3.0-or-later */
/* http_priv.h - what the files of http/ share. */
#ifndef HOLDFAST_HTTP_HTTP_PRIV_H
#define HOLDFAST_HTTP_HTTP_PRIV_H

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>

#include "api/api.h"
#include "auth/auth.h"
#include "core/log.h"
#include "http/http.h"

extern struct log_topic log_http;

/* ---- one listener with its threads, edge.c --------------------------------------------------------- */
struct edge {
	struct MHD_Daemon *daemon;
	int listen_fd;
	bool is_local;
	bool is_quiet;                   /* listens no more; listen_fd is closed at the end */
	unsigned admin_uid;              /* local only */
	char name[96];                   /* for the log: "local socket", "https [::1]:8443" */
	_Atomic(unsigned) active;        /* requests begun and not answered; streams do not count */
	_Atomic(unsigned) jobs;          /* requests that a worker has: their connections are suspended */
	_Atomic(bool) takes_jobs;        /* cleared before the end, see edge_end() */
	enum { EDGE_OPEN, EDGE_ENDING, EDGE_STOPPING, EDGE_STOPPED } state; /* portals; portal.c */
	bool is_closed;                  /* STOPPING: its owner has closed it meanwhile */
	struct list link;                /* portals: in the list of those open or those ending */
	uint64_t end_by_ms;              /* ENDING: when patience is over */
};
/* Starts the threads on e->listen_fd (taken, also on error). */
int edge_start(struct edge *e, bool with_tls, unsigned threads);
/* Stops accepting; what is under way goes on. */
void edge_quiesce(struct edge *e);
/* Ends it: waits for the workers that have a request of it, then closes every connection.  Never on a
 * thread of the edge, nor on the control thread: workers wait for that one. */
void edge_end(struct edge *e);
/* Requests are answered only while it is set. */
extern _Atomic(bool) http_is_serving;
uint64_t http_now_ms(void);

/* ---- requests, request.c ---------------------------------------------------------------------------- */
void *request_begin(void *cls, const char *uri, struct MHD_Connection *conn);
enum MHD_Result request_handle(void *cls, struct MHD_Connection *conn, const char *url, const char *method,
			       const char *version, const char *upload, size_t *upload_bytes, void **request);
void request_end(void *cls, struct MHD_Connection *conn, void **request, enum MHD_RequestTerminationCode why);
void peer_notify(void *cls, struct MHD_Connection *conn, void **context, enum MHD_ConnectionNotificationCode code);

/* A refusal of the edge's own, as problem+json. */
enum MHD_Result refuse(struct MHD_Connection *conn, int status, const char *detail);
/* Headers that every answer carries, whatever it is. */
void headers_for_all(struct MHD_Response *r, struct MHD_Connection *conn);

/* ---- slow clients, slow.c -------------------------------------------------------------------------------- */
enum slow_stage { SLOW_HEAD, SLOW_BODY, SLOW_ANSWER, SLOW_IDLE, SLOW_STREAM, SLOW_STAGES };
struct slow_place {
	struct list link;
	int fd;                          /* -1: not watched */
	enum slow_stage stage;
	uint64_t since_ms;
};
extern unsigned slow_limit_ms[SLOW_STAGES];      /* tests are less patient */
void slow_add(struct slow_place *p, int fd);
void slow_remove(struct slow_place *p);
void slow_stage(struct slow_place *p, enum slow_stage stage);
bool slow_check(void);                   /* true while there are connections */

/* ---- the page, page.c --------------------------------------------------------------------------------- */
int page_init(const char *web_root, char *why, size_t why_bytes); /* NULL: the one inside the program */
void page_done(void);
/* Is this address the page's?  Then it is answered, with ret for libmicrohttpd. */
bool page_answers(struct MHD_Connection *conn, const char *method, const char *target, enum MHD_Result *ret);
bool page_gzip_is_taken(const char *accept_encoding);

/* ---- threads that may wait for control, worker.c ------------------------------------------------------ */
struct job {
	struct list link;
	void (*run)(struct job *j);
};
int workers_start(void);
void workers_stop(void);                 /* after the last edge has ended */
void worker_push(struct job *j);

/* ---- the event stream, stream.c ---------------------------------------------------------------------- */
#define STREAMS_MAX 128
void streams_start(void);                /* subscribes at control */
void http_streams_stop(void);                 /* every stream ends soon; none starts any more */
/* A response that streams; last_id: Last-Event-ID or NULL; login_id: ends with this login, "" with none.
 * NULL: too many streams. */
struct MHD_Response *stream_new(struct MHD_Connection *conn, const char *last_id, const struct auth_caller *caller);
/* Wakes those that heard nothing for a while, so that dead ones are noticed.  True while there are any. */
bool streams_heartbeat(void);
extern unsigned streams_heartbeat_ms;    /* 15 s; tests are less patient */

/* ---- certificates, cert.c ----------------------------------------------------------------------------- */
int cert_init(char *why, size_t why_bytes);
void cert_done(void);
void cert_session_begin(gnutls_session_t session); /* before the handshake */
/* Do browsers trust it without being told to? */
bool cert_is_public(void);
int cert_retrieve(gnutls_session_t session, const struct gnutls_cert_retr_st *info, gnutls_pcert_st **ret_certs,
		  unsigned *ret_count, gnutls_ocsp_data_st **ret_ocsp, unsigned *ret_ocsp_count,
		  gnutls_privkey_t *ret_key, unsigned *ret_flags);

/* ---- sockets, listen.c -------------------------------------------------------------------------------- */
/* -EADDRINUSE: somebody answers there. */
int listen_local(const char *path, int *ret_fd, char *why, size_t why_bytes);
void listen_local_remove(const char *path);

/* ---- portals and the keeper thread, portal.c ----------------------------------------------------------- */
int keeper_start(void);
void keeper_stop(void);                  /* ends all portals */
void keeper_wake(void);

#endif
