/* SPDX-License-Identifier: GPL-3.0-or-later */
/* letter.c - a mail: RFC 5322 headers, RFC 2047 words, a body in base64, so that no line of an event can
 * be anything but text.  Pure but for the number in Message-ID. */
#include "notify/notify_priv.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core/base64.h"

#define LINE_BYTES 57

/* In pieces of LINE_BYTES, 76 digits (RFC 2045 6.8), each followed by end. */
static void base64(struct buf *b, const char *s, size_t len, const char *end)
{
	char digits[BASE64_CHARS(LINE_BYTES) + 1];

	for (size_t n; len; s += n, len -= n) {
		n = min_u64(len, LINE_BYTES);
		base64_encode(s, n, digits);
		buf_text(b, digits);
		buf_text(b, end);
	}
}

static bool is_plain(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < 0x20 || (unsigned char)*s > 0x7e)
			return false;
	return true;
}

/* Encoded words of up to 45 bytes each, cut between characters; RFC 2047 2. */
static void subject_line(struct buf *b, const char *s)
{
	buf_text(b, "Subject: ");
	if (is_plain(s) && strlen(s) < 200) {
		buf_text(b, s);
	} else {
		for (const char *p = s; *p;) {
			size_t n = min_u64(strlen(p), 42);
			while (n > 1 && ((unsigned char)p[n] & 0xc0) == 0x80)
				n--;
			buf_text(b, p == s ? "=?UTF-8?B?" : "\r\n =?UTF-8?B?");
			base64(b, p, n, "?=");
			p += n;
		}
	}
	buf_text(b, "\r\n");
}

char *notify_letter(const struct notify_channel *c, const struct notify_news *n, size_t *ret_len)
{
	static atomic_uint number;
	_cleanup_(freep) char *subject = notify_subject(n), *text = notify_text(n);
	const char *at = strrchr(c->from, '@');
	time_t now = (time_t)n->now_unix_s;
	struct buf b = { 0 };
	char date[64];
	struct tm tm;

	if (!subject || !text)
		return NULL;
	gmtime_r(&now, &tm);
	strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S +0000", &tm);
	buf_print(&b, "Date: %s\r\nFrom: Holdfast <%s>\r\nTo: ", date, c->from);
	for (size_t i = 0; i < c->to_count; i++)
		buf_print(&b, "%s%s", i ? ",\r\n " : "", c->to[i]);
	buf_text(&b, "\r\n");
	subject_line(&b, subject);
	buf_print(&b, "Message-ID: <%lld.%u.%d@%s>\r\n", (long long)n->now_unix_s, atomic_fetch_add(&number, 1), (int)getpid(), at ? at + 1 : "holdfast");
	buf_text(&b, "Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n");
	base64(&b, text, strlen(text), "\r\n");
	*ret_len = b.len;
	return buf_take(&b);
}
