/* SPDX-License-Identifier: GPL-3.0-or-later */
/* http.c - one HTTP request and its answer, within bounds.  RFC 9110. */
#include "outbound/outbound_priv.h"

#include <config.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#define ANSWER_MAX ((size_t)1 << 20)
#define HEADERS_MAX ((size_t)32 << 10)
#define RETRY_MAX_S (24u * 3600u)

struct taker {
	char **text;
	size_t *len;
	size_t max;
};

/* Returning less than was offered ends the transfer. */
static size_t take(char *data, size_t one, size_t count, void *arg)
{
	struct taker *t = arg;
	size_t len = one * count;

	if (len > t->max - *t->len)
		return 0;
	char *grown = realloc(*t->text, *t->len + len + 1);
	if (!grown)
		return 0;
	memcpy(grown + *t->len, data, len);
	*t->text = grown;
	*t->len += len;
	grown[*t->len] = '\0';
	return len;
}

static int perform(struct handle *h, const struct outbound_request *rq, struct outbound_answer *a, char *why, size_t why_bytes)
{
	size_t max = rq->answer_max_bytes ? rq->answer_max_bytes : ANSWER_MAX;
	struct taker body = { &a->body, &a->body_len, max }, headers = { &a->headers, &a->headers_len, HEADERS_MAX };
	struct curl_slist *list = NULL;
	CURLcode bad = CURLE_OK;

	for (size_t i = 0; i < rq->header_count; i++)
		list = curl_slist_append(list, rq->headers[i]);
	if (rq->body)
		list = curl_slist_append(list, "Expect:"); /* no wait for "100 Continue" */
	bad |= curl_easy_setopt(h->curl, CURLOPT_URL, rq->url);
	bad |= curl_easy_setopt(h->curl, CURLOPT_USERAGENT, "holdfast/" PACKAGE_VERSION);
	bad |= curl_easy_setopt(h->curl, CURLOPT_HTTPHEADER, list);
	bad |= curl_easy_setopt(h->curl, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)max);
	bad |= curl_easy_setopt(h->curl, CURLOPT_WRITEFUNCTION, take);
	bad |= curl_easy_setopt(h->curl, CURLOPT_WRITEDATA, &body);
	bad |= curl_easy_setopt(h->curl, CURLOPT_HEADERFUNCTION, take);
	bad |= curl_easy_setopt(h->curl, CURLOPT_HEADERDATA, &headers);
	if (strcmp(rq->method, "HEAD") == 0)
		bad |= curl_easy_setopt(h->curl, CURLOPT_NOBODY, 1L);
	else
		bad |= curl_easy_setopt(h->curl, CURLOPT_CUSTOMREQUEST, rq->method);
	if (rq->body) {
		bad |= curl_easy_setopt(h->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)rq->body_len);
		bad |= curl_easy_setopt(h->curl, CURLOPT_POSTFIELDS, rq->body);
	}
	int r = handle_result(h, bad ? CURLE_OUT_OF_MEMORY : curl_easy_perform(h->curl), why, why_bytes);
	curl_easy_getinfo(h->curl, CURLINFO_RESPONSE_CODE, &a->status);
	curl_slist_free_all(list);
	if (r == 0 && !a->body)
		a->body = calloc(1, 1);
	if (r == 0 && !a->headers)
		a->headers = calloc(1, 1);
	return r == 0 && (!a->body || !a->headers) ? -ENOMEM : r;
}

int outbound_http(const struct outbound_request *rq, struct outbound_answer *ret_answer, char *why, size_t why_bytes)
{
	struct outbound_answer a = { 0 };
	struct handle h;
	bool is_https = strncasecmp(rq->url, "https://", 8) == 0;

	if (!is_https && (rq->https_only || strncasecmp(rq->url, "http://", 7) != 0)) {
		snprintf(why, why_bytes, "the address %.200s does not begin with https://", rq->url);
		return -EINVAL;
	}
	int r = handle_init(&h, &rq->with, rq->https_only ? "https" : "http,https");
	if (r < 0) {
		snprintf(why, why_bytes, "%s", strerror(-r));
		return r;
	}
	r = perform(&h, rq, &a, why, why_bytes);
	handle_done(&h);
	if (r < 0)
		outbound_answer_done(&a);
	else
		*ret_answer = a;
	return r;
}

void outbound_answer_done(struct outbound_answer *a)
{
	free(a->body);
	free(a->headers);
	*a = (struct outbound_answer){ 0 };
}

bool outbound_header(const struct outbound_answer *a, const char *name, unsigned nth, char *out, size_t out_bytes)
{
	size_t len = strlen(name);

	for (const char *p = a->headers; p && *p; p += strcspn(p, "\n"), p += *p == '\n') {
		if (strncasecmp(p, name, len) != 0 || p[len] != ':' || nth--)
			continue;
		p += len + 1;
		p += strspn(p, " \t");
		size_t n = strcspn(p, "\r\n");
		while (n && (p[n - 1] == ' ' || p[n - 1] == '\t'))
			n--;
		if (n >= out_bytes)
			return false;            /* longer than anything that we ask for */
		memcpy(out, p, n);
		out[n] = '\0';
		return true;
	}
	return false;
}

unsigned outbound_retry_after_s(const struct outbound_answer *a, unsigned otherwise)
{
	char text[64], *end;

	if (!outbound_header(a, "Retry-After", 0, text, sizeof(text)))
		return otherwise;
	errno = 0;
	unsigned long s = strtoul(text, &end, 10);
	if (*text >= '0' && *text <= '9' && !*end && !errno)
		return (unsigned)min_u64(s, RETRY_MAX_S);
	time_t when = curl_getdate(text, NULL), now = time(NULL);
	if (when < 0)
		return otherwise;
	return when <= now ? 0 : (unsigned)min_u64((uint64_t)(when - now), RETRY_MAX_S);
}
