/* SPDX-License-Identifier: GPL-3.0-or-later */
/* outbound.h - the door of outbound/: calls that this server makes to others, one exchange each: an HTTP
 * request, a mail.  Blocking, bounded in time and size, cancelled by a question; any thread that may
 * wait (never a reactor of the data path, never control). */
#ifndef HOLDFAST_OUTBOUND_OUTBOUND_H
#define HOLDFAST_OUTBOUND_OUTBOUND_H

#include "core/base.h"

/* What was said on the wire, for people: grows to a bound, secrets masked.  Zeroed is empty. */
struct outbound_transcript {
	char *text;                      /* owned; NULL: nothing yet */
	size_t len_bytes;
	bool hides_answers;              /* private: what we send answers a question for a secret */
};
void outbound_transcript_done(struct outbound_transcript *t);
void outbound_transcript_add(struct outbound_transcript *t, const char *fmt, ...) _printf_(2, 3);

/* What both kinds of exchange share. */
struct outbound {
	const char *ca_pem;              /* trust only these; NULL or "": the system's store */
	unsigned timeout_ms;             /* of the whole exchange; 0: 30 s */
	bool (*is_cancelled)(void *arg); /* asked about once a second; NULL: never */
	void *arg;
	const char *secret;              /* masked wherever it shows in the transcript; NULL: none */
	struct outbound_transcript *transcript; /* NULL: none is kept */
};

struct outbound_request {
	struct outbound with;
	const char *method, *url;
	const char *const *headers;      /* "Name: value" */
	size_t header_count;
	const char *body;                /* NULL: none */
	size_t body_len;
	size_t answer_max_bytes;         /* 0: 1 MiB */
	bool https_only;
};
struct outbound_answer {
	long status;
	char *body;                      /* owned, ends with NUL; never NULL after success */
	size_t body_len;
	char *headers;                   /* owned: lines, as they came */
	size_t headers_len;
};
/* Redirects are answers like others, never followed.
 * -ECANCELED, -ETIMEDOUT, -EFBIG the answer is larger than allowed, -EPROTO, -EKEYREJECTED the peer's
 * certificate is not trusted, -EHOSTUNREACH, -ENOMEM, -EINVAL the address; why: a sentence. */
int outbound_http(const struct outbound_request *rq, struct outbound_answer *ret_answer, char *why, size_t why_bytes) _must_check_;
void outbound_answer_done(struct outbound_answer *a);
/* The nth header of a name (from 0) without blanks around it; false: there is none. */
bool outbound_header(const struct outbound_answer *a, const char *name, unsigned nth, char *out, size_t out_bytes);
/* Retry-After in seconds from now (a number or a date); otherwise when there is none or it is nonsense. */
unsigned outbound_retry_after_s(const struct outbound_answer *a, unsigned otherwise);

enum outbound_security { OUTBOUND_STARTTLS, OUTBOUND_TLS, OUTBOUND_PLAIN };
struct outbound_letter {
	struct outbound with;
	const char *host;
	uint16_t port;
	enum outbound_security security;
	const char *user, *password;     /* NULL or "": no login */
	const char *from;                /* address alone */
	const char *const *to;
	size_t to_count;
	const char *message;             /* RFC 5322, lines end with CR LF */
	size_t message_len;
};
/* Taken by the server for all recipients.  Errors as above; -EACCES: it refuses login or mail. */
int outbound_mail(const struct outbound_letter *m, char *why, size_t why_bytes) _must_check_;

#endif
