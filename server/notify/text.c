/* SPDX-License-Identifier: GPL-3.0-or-later */
/* text.c - the words of a message: subject, lines, and templates with values escaped.  Pure. */
#include "notify/notify_priv.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

const char notify_default_template[] = "{\"text\": \"{{text}}\", \"subject\": \"{{subject}}\", \"level\": \"{{level}}\", \"server\": \"{{server}}\", "
				       "\"time\": \"{{time}}\", \"count\": {{count}}, \"events\": {{events}}}";

void buf_add(struct buf *b, const char *p, size_t len)
{
	if (b->is_bad || b->len + len + 1 > b->room) {
		size_t room = b->room ? b->room : 512;
		while (room < b->len + len + 1)
			room *= 2;
		char *grown = b->is_bad ? NULL : realloc(b->p, room);
		if (!grown) {
			b->is_bad = true;
			return;
		}
		b->p = grown;
		b->room = room;
	}
	memcpy(b->p + b->len, p, len);
	b->len += len;
	b->p[b->len] = '\0';
}

void buf_text(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s));
}

void buf_print(struct buf *b, const char *fmt, ...)
{
	_cleanup_(freep) char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0) {
		text = NULL;
		b->is_bad = true;
	} else {
		buf_text(b, text);
	}
	va_end(ap);
}

char *buf_take(struct buf *b)
{
	if (!b->p)
		buf_add(b, "", 0);
	if (b->is_bad) {
		free(b->p);
		return NULL;
	}
	return b->p;
}

static void json_escape(struct buf *b, const char *s)
{
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;
		if (c == '"' || c == '\\')
			buf_print(b, "\\%c", c);
		else if (c == '\n')
			buf_text(b, "\\n");
		else if (c < 0x20 || c == 0x7f)
			buf_print(b, "\\u%04x", c);
		else
			buf_add(b, s, 1);
	}
}

/* ---- the news in words --------------------------------------------------------------------------------------- */
static int level_rank(const char *level)
{
	return strcmp(level, "error") == 0 ? 2 : strcmp(level, "warning") == 0 ? 1 : 0;
}

static const struct notify_event *worst(const struct notify_news *n)
{
	const struct notify_event *w = n->count ? &n->events[0] : NULL;

	for (size_t i = 1; i < n->count; i++)
		if (!n->events[i].is_over && (w->is_over || level_rank(n->events[i].level) > level_rank(w->level)))
			w = &n->events[i];
	return w;
}

char *notify_subject(const struct notify_news *n)
{
	const struct notify_event *w = worst(n);
	struct buf b = { 0 };

	if (!w) {
		buf_print(&b, "[Holdfast %s] nothing happened", n->server);
	} else {
		int len = (int)min_u64(strcspn(w->message, "\n"), 120);
		while (len > 0 && len == 120 && ((unsigned char)w->message[len] & 0xc0) == 0x80)
			len--;                   /* not in the middle of a character */
		buf_print(&b, "[Holdfast %s] %s: %.*s", n->server, w->is_over ? "over" : w->level, len, w->message);
	}
	if (n->count + n->dropped > 1)
		buf_print(&b, " (and %zu more)", n->count + n->dropped - 1);
	return buf_take(&b);
}

char *notify_text(const struct notify_news *n)
{
	struct buf b = { 0 };

	for (size_t i = 0; i < n->count; i++) {
		const struct notify_event *e = &n->events[i];
		buf_print(&b, "%.19sZ  %s%s  %s%s%s%s\n", e->at, e->is_over ? "over, was " : "", e->level, e->message, *e->object ? " (" : "", e->object, *e->object ? ")" : "");
	}
	if (n->dropped)
		buf_print(&b, "%zu more events happened; `holdfast event list` shows them.\n", n->dropped);
	return buf_take(&b);
}

static void events_json(struct buf *b, const struct notify_news *n)
{
	buf_text(b, "[");
	for (size_t i = 0; i < n->count; i++) {
		const struct notify_event *e = &n->events[i];
		const char *const pairs[][2] = { { "at", e->at }, { "level", e->level }, { "type", e->type }, { "object", e->object }, { "message", e->message } };
		buf_text(b, i ? ", {" : "{");
		for (size_t k = 0; k < ARRAY_COUNT(pairs); k++) {
			buf_print(b, "\"%s\": \"", pairs[k][0]);
			json_escape(b, pairs[k][1]);
			buf_text(b, "\", ");
		}
		buf_print(b, "\"over\": %s}", e->is_over ? "true" : "false");
	}
	buf_text(b, "]");
}

/* ---- templates ------------------------------------------------------------------------------------------------- */
static bool put_value(struct buf *b, const char *name, size_t len, const struct notify_news *n, const char *secret)
{
	_cleanup_(freep) char *text = NULL;
	char now[32];
	time_t t = (time_t)n->now_unix_s;
	struct tm tm;
	const struct notify_event *w = worst(n);
#define IS(word) (len == sizeof(word) - 1 && memcmp(name, word, len) == 0)

	if (IS("count")) {
		buf_print(b, "%zu", n->count + n->dropped);
		return true;
	}
	if (IS("events")) {
		events_json(b, n);
		return true;
	}
	gmtime_r(&t, &tm);
	strftime(now, sizeof(now), "%Y-%m-%dT%H:%M:%SZ", &tm);
	if (IS("text"))
		text = notify_text(n);
	else if (IS("subject"))
		text = notify_subject(n);
	else if (IS("level"))
		text = strdup(w ? w->level : "info");
	else if (IS("server"))
		text = strdup(n->server);
	else if (IS("time"))
		text = strdup(now);
	else if (IS("secret"))
		text = strdup(secret ? secret : "");
	else
		return false;
#undef IS
	if (text)
		json_escape(b, text);
	else
		b->is_bad = true;
	return true;
}

char *notify_render(const char *template, const struct notify_news *n, const char *secret, const char **ret_unknown)
{
	struct buf b = { 0 };

	*ret_unknown = NULL;
	for (const char *p = template; *p;) {
		const char *open = strstr(p, "{{"), *close = open ? strstr(open, "}}") : NULL;
		if (!close) {
			buf_text(&b, p);
			break;
		}
		buf_add(&b, p, (size_t)(open - p));
		if (!put_value(&b, open + 2, (size_t)(close - open) - 2, n, secret)) {
			*ret_unknown = open;
			free(b.p);
			return NULL;
		}
		p = close + 2;
	}
	return buf_take(&b);
}

char *notify_fill_secret(const char *text, const char *secret, const char **ret_unknown)
{
	struct buf b = { 0 };

	*ret_unknown = NULL;
	for (const char *p = text; *p;) {
		const char *open = strstr(p, "{{");
		if (!open) {
			buf_text(&b, p);
			break;
		}
		buf_add(&b, p, (size_t)(open - p));
		if (strncmp(open, "{{secret}}", 10) != 0) {
			*ret_unknown = open;
			free(b.p);
			return NULL;
		}
		buf_text(&b, secret ? secret : "");
		p = open + 10;
	}
	return buf_take(&b);
}
