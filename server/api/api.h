/* SPDX-License-Identifier: GPL-3.0-or-later */
/* api.h - the door of api/: a request in words, an answer in words; no socket, no HTTP library.
 * The route table (routes.def) says method, path, role and handler; http/ brings requests here. */
#ifndef HOLDFAST_API_API_H
#define HOLDFAST_API_API_H

#include "core/base.h"

/* NOBODY is a caller that has not said who it is. */
enum api_role { API_NOBODY, API_VIEWER, API_OPERATOR, API_ADMIN };
struct auth_caller;
struct api_request {
	const char *method;              /* "GET" .. */
	const char *target;              /* as it came: "/api/v1/volumes/a%20b?limit=5"; api/ decodes it */
	const char *if_match;            /* header values or NULL */
	const char *if_none_match;
	const char *idempotency_key;
	const char *content_type;
	const char *accept;
	const uint8_t *body;
	size_t body_len;
	enum api_role role;              /* what the edge authenticated */
	const char *actor, *source;      /* for the audit */
	const struct auth_caller *caller;/* the same in full; NULL: none of that */
};
struct api_header {
	const char *name;
	char value[160];
};
#define API_HEADERS_MAX 6
struct api_response {
	int status;                      /* HTTP status */
	const char *content_type;
	char *body;                      /* owned by the response; NULL: none */
	size_t body_len;
	struct api_header header[API_HEADERS_MAX]; /* ETag, Location, Allow, .. */
	size_t header_count;
	bool event_stream;               /* status 200, no body: the edge streams events from here */
};
#define API_BODY_MAX (1u << 20)
/* Always fills the response; never fails.  Any thread but a reactor's; may wait for control. */
void api_handle(const struct api_request *rq, struct api_response *ret_response);
void api_response_done(struct api_response *r);
/* A refusal that the edge decides itself: 400, 413, 503, .. as problem+json. */
void api_refuse(struct api_response *ret_response, int status, const char *detail);
/* The route table as JSON (for holdfastd --describe routes and the tests); returns owned. */
char *api_describe(void);

#endif
