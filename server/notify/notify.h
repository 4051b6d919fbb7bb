/* SPDX-License-Identifier: GPL-3.0-or-later */
/* notify.h - the door of notify/: events become a message, and it goes out by mail or webhook.
 * Sending blocks, on a thread that may wait; everything else is pure. */
#ifndef HOLDFAST_NOTIFY_NOTIFY_H
#define HOLDFAST_NOTIFY_NOTIFY_H

#include "core/base.h"
#include "outbound/outbound.h"

struct notify_event {
	const char *at, *level, *type, *object, *message; /* level: info, warning, error */
	bool is_over;                    /* the alert's cause went away */
};
struct notify_news {
	const struct notify_event *events;
	size_t count;
	size_t dropped;                  /* more happened than was kept */
	const char *server;              /* what this server is called */
	int64_t now_unix_s;
};

struct notify_header {
	const char *name, *value;        /* value with {{secret}} */
};
enum notify_type { NOTIFY_EMAIL, NOTIFY_WEBHOOK };
struct notify_channel {
	enum notify_type type;
	const char *ca_pem;              /* NULL: the system's */
	/* WEBHOOK */
	const char *url, *template, *secret; /* template NULL: ours */
	const struct notify_header *headers;
	size_t header_count;
	/* EMAIL */
	const char *host, *user, *password, *from;
	uint16_t port;
	enum outbound_security security;
	const char *const *to;
	size_t to_count;
};
/* How sending is watched; all may be NULL. */
struct notify_watch {
	bool (*is_cancelled)(void *arg);
	void *arg;
	struct outbound_transcript *transcript;
};
/* Taken by the other side: 0.  Else -errno and a sentence. */
int notify_send(const struct notify_channel *c, const struct notify_news *n, const struct notify_watch *w, char *why, size_t why_bytes) _must_check_;

/* ---- pure ---------------------------------------------------------------------------------------------- */
/* {{name}} replaced; values escaped for JSON but {{count}} and {{events}}, which are JSON themselves.
 * Owned; NULL: no memory, or an unknown name (then *ret_unknown points to it in template). */
char *notify_render(const char *template, const struct notify_news *n, const char *secret, const char **ret_unknown);
/* Only {{secret}}, not escaped: for addresses and headers. Owned. */
char *notify_fill_secret(const char *text, const char *secret, const char **ret_unknown);
extern const char notify_default_template[];
char *notify_subject(const struct notify_news *n);       /* one line; owned */
char *notify_text(const struct notify_news *n);          /* a line per event; owned */
/* The whole mail, RFC 5322; owned. */
char *notify_letter(const struct notify_channel *c, const struct notify_news *n, size_t *ret_len);

#endif
