/* SPDX-License-Identifier: GPL-3.0-or-later */
/* mail.c - one mail to one server.  RFC 5321, by libcurl. */
#include "outbound/outbound_priv.h"

#include <stdio.h>
#include <string.h>

struct giver {
	const char *text;
	size_t len, at;
};

static size_t give(char *to, size_t one, size_t count, void *arg)
{
	struct giver *g = arg;
	size_t n = min_u64(one * count, g->len - g->at);

	memcpy(to, g->text + g->at, n);
	g->at += n;
	return n;
}

/* Our name in EHLO is libcurl's business: the path of the address, else the host name. */
static CURLcode set_up(CURL *c, const struct outbound_letter *m, struct giver *g, struct curl_slist *to)
{
	bool bare6 = strchr(m->host, ':') && m->host[0] != '[';
	CURLcode bad = CURLE_OK;
	char url[320];

	snprintf(url, sizeof(url), bare6 ? "%s://[%s]:%u" : "%s://%s:%u", m->security == OUTBOUND_TLS ? "smtps" : "smtp", m->host, m->port);
	bad |= curl_easy_setopt(c, CURLOPT_URL, url);
	bad |= curl_easy_setopt(c, CURLOPT_USE_SSL, m->security == OUTBOUND_PLAIN ? (long)CURLUSESSL_NONE : (long)CURLUSESSL_ALL);
	if (m->user && *m->user) {
		bad |= curl_easy_setopt(c, CURLOPT_USERNAME, m->user);
		bad |= curl_easy_setopt(c, CURLOPT_PASSWORD, m->password ? m->password : "");
	}
	bad |= curl_easy_setopt(c, CURLOPT_MAIL_FROM, m->from);
	bad |= curl_easy_setopt(c, CURLOPT_MAIL_RCPT, to);
	bad |= curl_easy_setopt(c, CURLOPT_UPLOAD, 1L);
	bad |= curl_easy_setopt(c, CURLOPT_READFUNCTION, give);
	bad |= curl_easy_setopt(c, CURLOPT_READDATA, g);
	bad |= curl_easy_setopt(c, CURLOPT_INFILESIZE_LARGE, (curl_off_t)m->message_len);
	return bad;
}

int outbound_mail(const struct outbound_letter *m, char *why, size_t why_bytes)
{
	struct giver g = { .text = m->message, .len = m->message_len };
	struct curl_slist *to = NULL;
	struct handle h;
	int r = handle_init(&h, &m->with, "smtp,smtps");

	if (r < 0) {
		snprintf(why, why_bytes, "%s", strerror(-r));
		return r;
	}
	for (size_t i = 0; i < m->to_count; i++)
		to = curl_slist_append(to, m->to[i]);
	CURLcode code = set_up(h.curl, m, &g, to) ? CURLE_OUT_OF_MEMORY : curl_easy_perform(h.curl);
	r = handle_result(&h, code, why, why_bytes);
	long said = 0;
	curl_easy_getinfo(h.curl, CURLINFO_RESPONSE_CODE, &said);
	if (r == -EPROTO && said >= 400) {
		r = -EACCES;
		snprintf(why, why_bytes, "the mail server refuses with %ld: %s", said, h.error);
	}
	handle_done(&h);
	curl_slist_free_all(to);
	return r;
}
