/* SPDX-License-Identifier: GPL-3.0-or-later */
/* outbound_priv.h - what the files of outbound/ share: a handle of libcurl with our limits. */
#ifndef HOLDFAST_OUTBOUND_PRIV_H
#define HOLDFAST_OUTBOUND_PRIV_H

#include <curl/curl.h>

#include "outbound/outbound.h"

struct handle {
	CURL *curl;
	int ca_fd;                       /* memory file with the trusted certificates, or -1 */
	char error[CURL_ERROR_SIZE];
	const struct outbound *with;
};
/* protocols: "https", "http,https", "smtp,smtps". */
int handle_init(struct handle *h, const struct outbound *with, const char *protocols);
void handle_done(struct handle *h);
/* libcurl's verdict as ours. */
int handle_result(const struct handle *h, CURLcode code, char *why, size_t why_bytes);

/* transcript.c: libcurl's debug callback. */
int transcript_take(CURL *curl, curl_infotype type, char *data, size_t len, void *arg);

#endif
