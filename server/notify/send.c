/* SPDX-License-Identifier: GPL-3.0-or-later */
/* send.c - a message on its way: as a mail, or as a request to a webhook. */
#include "notify/notify_priv.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#define HEADERS_MAX 32
#define ANSWER_MAX ((size_t)64 << 10)

static struct outbound with_of(const struct notify_channel *c, const struct notify_watch *w, const char *secret)
{
	return (struct outbound){ .ca_pem = c->ca_pem, .is_cancelled = w->is_cancelled, .arg = w->arg, .transcript = w->transcript, .secret = secret };
}

static int send_mail(const struct notify_channel *c, const struct notify_news *n, const struct notify_watch *w, char *why, size_t why_bytes)
{
	size_t len = 0;
	_cleanup_(freep) char *text = notify_letter(c, n, &len);
	const struct outbound_letter m = {
		.with = with_of(c, w, c->password), .host = c->host, .port = c->port, .security = c->security, .user = c->user, .password = c->password,
		.from = c->from, .to = c->to, .to_count = c->to_count, .message = text, .message_len = len,
	};

	return text ? outbound_mail(&m, why, why_bytes) : -ENOMEM;
}

static bool is_type(const char *header)
{
	return strncasecmp(header, "Content-Type:", 13) == 0;
}

static int make_headers(const struct notify_channel *c, char *list[HEADERS_MAX], size_t *ret_count)
{
	const char *unknown;
	bool has_type = false;
	size_t n = 0;

	for (size_t i = 0; i < c->header_count && n < HEADERS_MAX - 1; i++) {
		_cleanup_(freep) char *value = notify_fill_secret(c->headers[i].value, c->secret, &unknown);
		if (!value || strpbrk(value, "\r\n") || asprintf(&list[n], "%s: %s", c->headers[i].name, value) < 0)
			return -EINVAL;
		has_type |= is_type(list[n]);
		*ret_count = ++n;
	}
	if (!has_type) {
		list[n] = strdup("Content-Type: application/json");
		if (!list[n])
			return -ENOMEM;
		*ret_count = n + 1;
	}
	return 0;
}

static int send_webhook(const struct notify_channel *c, const struct notify_news *n, const struct notify_watch *w, char *why, size_t why_bytes)
{
	const char *unknown;
	char *headers[HEADERS_MAX] = { NULL };
	_cleanup_(freep) char *url = notify_fill_secret(c->url, c->secret, &unknown);
	_cleanup_(freep) char *body = notify_render(c->template ? c->template : notify_default_template, n, c->secret, &unknown);
	struct outbound_request rq = { .with = with_of(c, w, c->secret), .method = "POST", .url = url, .body = body, .answer_max_bytes = ANSWER_MAX,
				       .headers = (const char *const *)headers };
	struct outbound_answer a;
	int r = url && body ? make_headers(c, headers, &rq.header_count) : -EINVAL;

	if (r < 0) {
		snprintf(why, why_bytes, "the message cannot be made: template, address or a header is wrong");
	} else {
		rq.body_len = strlen(body);
		r = outbound_http(&rq, &a, why, why_bytes);
	}
	for (size_t i = 0; i < HEADERS_MAX; i++)
		free(headers[i]);
	if (r < 0)
		return r;
	if (a.status < 200 || a.status >= 300) {
		for (size_t i = 0; i < a.body_len; i++)
			if ((unsigned char)a.body[i] < 0x20 || a.body[i] == 0x7f)
				a.body[i] = ' ';
		snprintf(why, why_bytes, "the webhook answers with status %ld: %.200s", a.status, a.body);
		r = -EPROTO;
	}
	outbound_answer_done(&a);
	return r;
}

int notify_send(const struct notify_channel *c, const struct notify_news *n, const struct notify_watch *w, char *why, size_t why_bytes)
{
	why[0] = '\0';
	return c->type == NOTIFY_EMAIL ? send_mail(c, n, w, why, why_bytes) : send_webhook(c, n, w, why, why_bytes);
}
