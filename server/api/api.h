/* SPDX-License-Identifier: GPL-3.0-or-later */
/* api.h - the door of api/: a request in words, an answer in words; no socket, no HTTP library.
 * The route table (routes.def) says method, path, role and handler; http/ brings requests here. */
#ifndef HOLDFAST_API_API_H
#define HOLDFAST_API_API_H

#include "core/base.h"

enum api_role { API_NOBODY, API_VIEWER, API_OPERATOR, API_ADMIN };
#define API_PARAMS_MAX 32
struct api_param {
	const char *name, *value;
};
struct api_request {
	const char *method;              /* "GET" .. */
	const char *path;                /* "/api/v1/volumes/x", percent-decoded by api/ itself */
	struct api_param query[API_PARAMS_MAX];
	size_t query_count;
	const char *if_match;            /* header values or NULL */
	const char *if_none_match;
	const char *idempotency_key;
	const char *content_type;
	const char *accept;
	const uint8_t *body;
	size_t body_len;
	enum api_role role;              /* what the edge authenticated */
	const char *actor, *source;      /* for the audit */
};
struct api_header {
	const char *name;
	char value[160];
};
struct api_response {
	int status;                      /* HTTP status */
	const char *content_type;
	char *body;                      /* owned; free() */
	size_t body_len;
	struct api_header header[6];     /* ETag, Location, Allow, .. */
	size_t header_count;
	bool event_stream;               /* the edge takes over and streams events from `after` on */
	uint64_t event_after;
};
#define API_BODY_MAX (1u << 20)
/* Always fills the response; never fails.  Any thread but a reactor's; may wait for control. */
void api_handle(const struct api_request *rq, struct api_response *ret_response);
void api_response_done(struct api_response *r);
/* The route table as JSON (for holdfastd --describe routes and the tests); returns owned. */
char *api_describe(void);

#endif
