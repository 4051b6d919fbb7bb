/* SPDX-License-Identifier: GPL-3.0-or-later */
/* handle.c - one libcurl handle with the limits that every exchange has, and its errors in our words. */
#include "outbound/outbound_priv.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#define TIMEOUT_MS 30000L
#define CONNECT_TIMEOUT_MS 15000L

static void init_library(void)
{
	curl_global_init(CURL_GLOBAL_DEFAULT);
}

/* libcurl asks about once a second, also while it waits. */
static int ask_cancelled(void *arg, curl_off_t dl_all, curl_off_t dl, curl_off_t ul_all, curl_off_t ul)
{
	const struct outbound *with = arg;

	(void)dl_all, (void)dl, (void)ul_all, (void)ul;
	return with->is_cancelled && with->is_cancelled(with->arg);
}

/* A file in memory: the option that takes a blob is younger than the oldest libcurl that we build with. */
static int trust(struct handle *h, const char *pem)
{
	size_t len = strlen(pem);
	char path[64];

	h->ca_fd = memfd_create("ca.pem", MFD_CLOEXEC);
	if (h->ca_fd < 0)
		return -errno;
	if (write(h->ca_fd, pem, len) != (ssize_t)len)
		return -EIO;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", h->ca_fd);
	return curl_easy_setopt(h->curl, CURLOPT_CAINFO, path) == CURLE_OK && curl_easy_setopt(h->curl, CURLOPT_CAPATH, NULL) == CURLE_OK ? 0 : -ENOMEM;
}

static CURLcode allow(CURL *c, const char *protocols)
{
#if LIBCURL_VERSION_NUM >= 0x075500
	return curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, protocols);
#else
	long mask = strncmp(protocols, "smtp", 4) == 0 ? CURLPROTO_SMTP | CURLPROTO_SMTPS : CURLPROTO_HTTPS | (strncmp(protocols, "http,", 5) == 0 ? CURLPROTO_HTTP : 0);
	return curl_easy_setopt(c, CURLOPT_PROTOCOLS, mask);
#endif
}

int handle_init(struct handle *h, const struct outbound *with, const char *protocols)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	CURLcode bad = CURLE_OK;

	pthread_once(&once, init_library);
	*h = (struct handle){ .curl = curl_easy_init(), .ca_fd = -1, .with = with };
	if (!h->curl)
		return -ENOMEM;
	bad |= allow(h->curl, protocols);
	bad |= curl_easy_setopt(h->curl, CURLOPT_ERRORBUFFER, h->error);
	bad |= curl_easy_setopt(h->curl, CURLOPT_NOSIGNAL, 1L);
	bad |= curl_easy_setopt(h->curl, CURLOPT_FOLLOWLOCATION, 0L);
	bad |= curl_easy_setopt(h->curl, CURLOPT_TIMEOUT_MS, with->timeout_ms ? (long)with->timeout_ms : TIMEOUT_MS);
	bad |= curl_easy_setopt(h->curl, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_TIMEOUT_MS);
	bad |= curl_easy_setopt(h->curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	bad |= curl_easy_setopt(h->curl, CURLOPT_NOPROGRESS, 0L);
	bad |= curl_easy_setopt(h->curl, CURLOPT_XFERINFOFUNCTION, ask_cancelled);
	bad |= curl_easy_setopt(h->curl, CURLOPT_XFERINFODATA, (void *)with);
	if (with->transcript) {
		bad |= curl_easy_setopt(h->curl, CURLOPT_VERBOSE, 1L);
		bad |= curl_easy_setopt(h->curl, CURLOPT_DEBUGFUNCTION, transcript_take);
		bad |= curl_easy_setopt(h->curl, CURLOPT_DEBUGDATA, (void *)with);
	}
	int r = bad ? -ENOMEM : 0;
	if (r == 0 && with->ca_pem && *with->ca_pem)
		r = trust(h, with->ca_pem);
	if (r < 0)
		handle_done(h);
	return r;
}

void handle_done(struct handle *h)
{
	if (h->curl)
		curl_easy_cleanup(h->curl);
	h->curl = NULL;
	closep(&h->ca_fd);
	h->ca_fd = -1;
}

int handle_result(const struct handle *h, CURLcode code, char *why, size_t why_bytes)
{
	static const struct {
		CURLcode code;
		int err;
	} rows[] = {
		{ CURLE_ABORTED_BY_CALLBACK, -ECANCELED }, { CURLE_OPERATION_TIMEDOUT, -ETIMEDOUT },
		{ CURLE_FILESIZE_EXCEEDED, -EFBIG },       { CURLE_WRITE_ERROR, -EFBIG },
		{ CURLE_PEER_FAILED_VERIFICATION, -EKEYREJECTED }, { CURLE_SSL_CACERT_BADFILE, -EKEYREJECTED },
		{ CURLE_COULDNT_RESOLVE_HOST, -EHOSTUNREACH }, { CURLE_COULDNT_CONNECT, -EHOSTUNREACH },
		{ CURLE_OUT_OF_MEMORY, -ENOMEM },          { CURLE_URL_MALFORMAT, -EINVAL },
		{ CURLE_UNSUPPORTED_PROTOCOL, -EINVAL },   { CURLE_LOGIN_DENIED, -EACCES },
		{ CURLE_SEND_ERROR, -EPROTO },             { CURLE_RECV_ERROR, -EPROTO },
	};
	int err = -EPROTO;

	if (code == CURLE_OK)
		return 0;
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++)
		if (rows[i].code == code)
			err = rows[i].err;
	if (err == -ECANCELED)
		snprintf(why, why_bytes, "it was cancelled");
	else if (err == -EFBIG)
		snprintf(why, why_bytes, "the answer is larger than any sensible one");
	else
		snprintf(why, why_bytes, "%s", *h->error ? h->error : curl_easy_strerror(code));
	return err;
}
