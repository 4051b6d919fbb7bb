/* SPDX-License-Identifier: GPL-3.0-or-later */
/* request.c - from a connection to api/ and back: who asks, the body within its bound, the headers
 * that every answer carries. */
#include "http/http_priv.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

/* Who is at the other end of a connection; lives as long as it. */
struct peer {
	struct slow_place slow;
	bool is_refused;
	char actor[64], source[96], address[64];
};

struct request {
	struct job job;
	struct edge *edge;
	struct MHD_Connection *conn;
	struct peer *peer;
	struct auth_caller caller;
	const char *method;              /* the connection's */
	struct api_response rs;
	enum { REQUEST_READING, REQUEST_RUNNING, REQUEST_ANSWERED } stage; /* RUNNING: a worker's, suspended */
	char *target;
	uint8_t *body;
	size_t body_len, body_room;
	bool is_seen;                    /* the handler was called for it */
	bool is_too_large;
	bool counts;                     /* in edge->active */
};

static void peer_local(struct peer *p, const struct edge *e, int fd)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);
	struct passwd pw, *found = NULL;
	char buf[1024];

	snprintf(p->source, sizeof(p->source), "local socket");
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0) {
		snprintf(p->actor, sizeof(p->actor), "unknown");
		p->is_refused = true;
		return;
	}
	if (getpwuid_r(cred.uid, &pw, buf, sizeof(buf), &found) == 0 && found)
		snprintf(p->actor, sizeof(p->actor), "%s", found->pw_name);
	else
		snprintf(p->actor, sizeof(p->actor), "uid:%u", (unsigned)cred.uid);
	p->is_refused = cred.uid != 0 && cred.uid != e->admin_uid;
}

static void peer_remote(struct peer *p, struct MHD_Connection *conn)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(conn, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	char text[INET6_ADDRSTRLEN] = "?";

	if (info && info->client_addr && info->client_addr->sa_family == AF_INET)
		inet_ntop(AF_INET, &((struct sockaddr_in *)info->client_addr)->sin_addr, text, sizeof(text));
	else if (info && info->client_addr && info->client_addr->sa_family == AF_INET6)
		inet_ntop(AF_INET6, &((struct sockaddr_in6 *)info->client_addr)->sin6_addr, text, sizeof(text));
	snprintf(p->actor, sizeof(p->actor), "nobody");
	snprintf(p->source, sizeof(p->source), "https %s", text);
	snprintf(p->address, sizeof(p->address), "%s", text);
}

void peer_notify(void *cls, struct MHD_Connection *conn, void **context, enum MHD_ConnectionNotificationCode code)
{
	const struct edge *e = cls;
	const union MHD_ConnectionInfo *info;
	struct peer *p;

	if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
		p = *context;
		if (p && p->slow.fd >= 0)
			slow_remove(&p->slow);
		free(*context);
		*context = NULL;
		return;
	}
	p = calloc(1, sizeof(*p));
	*context = p;
	if (!p)
		return;
	info = MHD_get_connection_info(conn, MHD_CONNECTION_INFO_CONNECTION_FD);
	p->slow.fd = -1;
	if (e->is_local) {
		peer_local(p, e, info ? info->connect_fd : -1);
	} else {
		peer_remote(p, conn);
		if (info)
			slow_add(&p->slow, info->connect_fd);
	}
	info = e->is_local ? NULL : MHD_get_connection_info(conn, MHD_CONNECTION_INFO_GNUTLS_SESSION);
	if (info && info->tls_session)
		cert_session_begin(info->tls_session);
}

void *request_begin(void *cls, const char *uri, struct MHD_Connection *conn)
{
	struct request *rq = calloc(1, sizeof(*rq));
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(conn, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	if (info && info->socket_context)
		slow_stage(&((struct peer *)info->socket_context)->slow, SLOW_HEAD);
	if (!rq)
		return NULL;
	rq->edge = cls;
	rq->target = strdup(uri);
	return rq;
}

void request_end(void *cls, struct MHD_Connection *conn, void **request, enum MHD_RequestTerminationCode why)
{
	struct request *rq = *request;

	const union MHD_ConnectionInfo *info = MHD_get_connection_info(conn, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	(void)cls, (void)why;
	if (info && info->socket_context)
		slow_stage(&((struct peer *)info->socket_context)->slow, SLOW_IDLE);
	if (!rq)
		return;
	if (rq->counts)
		atomic_fetch_sub(&rq->edge->active, 1);
	api_response_done(&rq->rs);
	free(rq->target);
	free(rq->body);
	free(rq);
	*request = NULL;
}

void headers_for_all(struct MHD_Response *r, struct MHD_Connection *conn)
{
	static const char *const always[][2] = {
		{ "X-Content-Type-Options", "nosniff" },
		{ "X-Frame-Options", "DENY" },
		{ "Referrer-Policy", "no-referrer" },
		{ "Cross-Origin-Opener-Policy", "same-origin" },
		{ "Cross-Origin-Resource-Policy", "same-origin" },
		{ "Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()" },
	};

	for (size_t i = 0; i < ARRAY_COUNT(always); i++)
		MHD_add_response_header(r, always[i][0], always[i][1]);
	/* With a certificate of our own making it would lock people out: browsers let nobody past a warning then. */
	if (cert_is_public() && MHD_get_connection_info(conn, MHD_CONNECTION_INFO_GNUTLS_SESSION))
		MHD_add_response_header(r, "Strict-Transport-Security", "max-age=31536000");
}

static void add_headers(struct MHD_Response *r, struct MHD_Connection *conn, const struct api_response *rs)
{
	headers_for_all(r, conn);
	MHD_add_response_header(r, "Cache-Control", "no-store");
	MHD_add_response_header(r, "Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'");
	if (rs->content_type)
		MHD_add_response_header(r, "Content-Type", rs->content_type);
	for (size_t i = 0; i < rs->header_count; i++)
		MHD_add_response_header(r, rs->header[i].name, rs->header[i].value);
}

/* Takes rs's body. */
static enum MHD_Result answer(struct MHD_Connection *conn, struct api_response *rs)
{
	struct MHD_Response *r = MHD_create_response_from_buffer(rs->body_len, rs->body, MHD_RESPMEM_MUST_FREE);
	enum MHD_Result ok;

	if (!r) {
		api_response_done(rs);
		return MHD_NO;
	}
	rs->body = NULL;
	add_headers(r, conn, rs);
	ok = MHD_queue_response(conn, (unsigned)rs->status, r);
	MHD_destroy_response(r);
	api_response_done(rs);
	return ok;
}

enum MHD_Result refuse(struct MHD_Connection *conn, int status, const char *detail)
{
	struct api_response rs;

	api_refuse(&rs, status, detail);
	if (status == 503)
		rs.header[rs.header_count++] = (struct api_header){ "Retry-After", "1" };
	return answer(conn, &rs);
}

static enum MHD_Result answer_stream(struct MHD_Connection *conn, struct request *rq, struct api_response *rs)
{
	struct MHD_Response *r = stream_new(conn, MHD_lookup_connection_value(conn, MHD_HEADER_KIND, "Last-Event-ID"), &rq->caller);
	enum MHD_Result ok;

	if (!r) {
		api_response_done(rs);
		return refuse(conn, 503, "Too many event streams are open; close one.");
	}
	add_headers(r, conn, rs);
	slow_stage(&rq->peer->slow, SLOW_STREAM);
	ok = MHD_queue_response(conn, 200, r);
	MHD_destroy_response(r);
	api_response_done(rs);
	if (rq->counts) {                        /* an edge that ends does not wait for it */
		rq->counts = false;
		atomic_fetch_sub(&rq->edge->active, 1);
	}
	return ok;
}

static const char *header_of(struct MHD_Connection *conn, const char *name)
{
	return MHD_lookup_connection_value(conn, MHD_HEADER_KIND, name);
}

/* Who asks; false: the refusal is in rq->rs.  May wait for control. */
static bool identify(struct request *rq)
{
	struct MHD_Connection *conn = rq->conn;
	struct auth_caller *who = &rq->caller;
	char why[200] = "";
	int r;

	snprintf(who->source, sizeof(who->source), "%s", rq->peer->source);
	snprintf(who->address, sizeof(who->address), "%s", rq->peer->address);
	snprintf(who->actor, sizeof(who->actor), "%s", rq->peer->actor);
	if (rq->edge->is_local) {                /* others were refused at the first look */
		who->role = AUTH_ADMIN;
		who->via = AUTH_VIA_SOCKET;
		return true;
	}
	const char *agent = header_of(conn, "User-Agent");
	size_t n = 0;

	for (; agent && *agent && n + 1 < sizeof(who->agent); agent++)
		who->agent[n++] = (unsigned char)*agent < 0x20 || (unsigned char)*agent > 0x7e ? '?' : *agent;
	const struct auth_credentials c = {
		.method = rq->method, .cookie = header_of(conn, "Cookie"), .authorization = header_of(conn, "Authorization"),
		.marker = header_of(conn, "X-Holdfast"), .origin = header_of(conn, "Origin"), .host = header_of(conn, "Host"),
		.fetch_site = header_of(conn, "Sec-Fetch-Site"),
	};
	r = auth_identify(&c, who, why, sizeof(why));
	if (r == 0)
		return true;
	api_refuse(&rq->rs, r == -EINVAL ? 400 : r == -EACCES ? 403 : r == -EKEYREJECTED ? 401 : 503, why);
	if (r == -EKEYREJECTED)
		rq->rs.header[rq->rs.header_count++] = (struct api_header){ "WWW-Authenticate", "Bearer realm=\"holdfast\", error=\"invalid_token\"" };
	return false;
}

/* On a worker.  The connection is suspended, so what it holds stays as it is. */
static void request_run(struct job *j)
{
	struct request *rq = container_of(j, struct request, job);
	struct MHD_Connection *conn = rq->conn;
	struct edge *e = rq->edge;
	bool known = identify(rq);
	struct api_request ask = {
		.method = rq->method,
		.target = rq->target,
		.if_match = MHD_lookup_connection_value(conn, MHD_HEADER_KIND, "If-Match"),
		.if_none_match = MHD_lookup_connection_value(conn, MHD_HEADER_KIND, "If-None-Match"),
		.idempotency_key = MHD_lookup_connection_value(conn, MHD_HEADER_KIND, "Idempotency-Key"),
		.content_type = MHD_lookup_connection_value(conn, MHD_HEADER_KIND, "Content-Type"),
		.accept = MHD_lookup_connection_value(conn, MHD_HEADER_KIND, "Accept"),
		.body = rq->body,
		.body_len = rq->body_len,
		.role = (enum api_role)rq->caller.role,
		.actor = rq->caller.actor,
		.source = rq->caller.source,
		.caller = &rq->caller,
	};

	if (known)
		api_handle(&ask, &rq->rs);
	rq->stage = REQUEST_ANSWERED;
	MHD_resume_connection(conn);             /* rq is the connection's again from here */
	atomic_fetch_sub(&e->jobs, 1);
}

/* All of it is here: to a worker. */
static enum MHD_Result hand_over(struct request *rq, struct MHD_Connection *conn, const char *method, struct peer *p)
{
	atomic_fetch_add(&rq->edge->jobs, 1);
	if (!atomic_load(&rq->edge->takes_jobs)) {
		atomic_fetch_sub(&rq->edge->jobs, 1);
		return refuse(conn, 503, "The server is stopping.");
	}
	rq->conn = conn;
	rq->method = method;
	rq->peer = p;
	rq->job.run = request_run;
	rq->stage = REQUEST_RUNNING;
	MHD_suspend_connection(conn);
	worker_push(&rq->job);
	return MHD_YES;
}

/* First call for a request: refuse what can be refused before its body is read. */
static enum MHD_Result first_look(struct request *rq, struct MHD_Connection *conn, struct peer *p)
{
	const char *length = MHD_lookup_connection_value(conn, MHD_HEADER_KIND, "Content-Length");

	slow_stage(&p->slow, SLOW_BODY);
	rq->is_seen = true;
	rq->counts = true;
	atomic_fetch_add(&rq->edge->active, 1);
	if (!atomic_load(&http_is_serving))
		return refuse(conn, 503, "The server is starting; ask again.");
	if (p->is_refused) {
		static struct log_limit limit = LOG_LIMIT_INIT;

		if (log_limit_ok(&limit, &log_http))
			log_warn(&log_http, "local caller refused", "user=%s", p->actor);
		return refuse(conn, 403, "Only root and the owner of the server may use the local socket.");
	}
	if (length && (strlen(length) > 9 || strtoul(length, NULL, 10) > API_BODY_MAX))
		return refuse(conn, 413, "A body may have up to 1 MiB.");
	return MHD_YES;
}

/* A body without Content-Length shows its size only while it comes. */
static bool body_add(struct request *rq, const char *data, size_t len)
{
	if (rq->is_too_large || rq->body_len + len > API_BODY_MAX) {
		rq->is_too_large = true;
		rq->body_len += len;
		return rq->body_len <= 4 * (size_t)API_BODY_MAX; /* then the connection is cut */
	}
	if (rq->body_len + len > rq->body_room) {
		size_t room = rq->body_room ? rq->body_room * 2 : 4096;
		uint8_t *grown;

		while (room < rq->body_len + len)
			room *= 2;
		grown = realloc(rq->body, room);
		if (!grown)
			return false;
		rq->body = grown;
		rq->body_room = room;
	}
	memcpy(rq->body + rq->body_len, data, len);
	rq->body_len += len;
	return true;
}

enum MHD_Result request_handle(void *cls, struct MHD_Connection *conn, const char *url, const char *method,
			       const char *version, const char *upload, size_t *upload_bytes, void **request)
{
	struct request *rq = *request;
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(conn, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	struct peer *p = info ? info->socket_context : NULL;

	enum MHD_Result page = MHD_NO;

	(void)cls, (void)url, (void)version;
	if (!rq || !rq->target || !p)
		return MHD_NO;                   /* no memory when it began */
	if (rq->stage == REQUEST_ANSWERED)
		return rq->rs.event_stream ? answer_stream(conn, rq, &rq->rs) : answer(conn, &rq->rs);
	if (!rq->is_seen)
		return first_look(rq, conn, p);
	if (*upload_bytes) {
		if (!body_add(rq, upload, *upload_bytes))
			return MHD_NO;
		*upload_bytes = 0;
		return MHD_YES;
	}
	slow_stage(&p->slow, SLOW_ANSWER);
	if (rq->is_too_large)
		return refuse(conn, 413, "A body may have up to 1 MiB.");
	if (!rq->edge->is_local && page_answers(conn, method, rq->target, &page))
		return page;
	return hand_over(rq, conn, method, p);
}
