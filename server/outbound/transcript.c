/* SPDX-License-Identifier: GPL-3.0-or-later */
/* transcript.c - what was said, for the person who presses "test": lines of both sides, secrets masked. */
#include "outbound/outbound_priv.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define TRANSCRIPT_MAX 16384
#define LINE_MAX_BYTES 500

void outbound_transcript_done(struct outbound_transcript *t)
{
	free(t->text);
	*t = (struct outbound_transcript){ 0 };
}

static void add_bytes(struct outbound_transcript *t, const char *p, size_t len)
{
	if (!t->text)
		t->text = calloc(1, TRANSCRIPT_MAX + 1);
	if (!t->text)
		return;
	len = min_u64(len, TRANSCRIPT_MAX - t->len_bytes);
	memcpy(t->text + t->len_bytes, p, len);
	t->len_bytes += len;
	t->text[t->len_bytes] = '\0';
}

void outbound_transcript_add(struct outbound_transcript *t, const char *fmt, ...)
{
	char line[LINE_MAX_BYTES];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	add_bytes(t, line, strlen(line));
	add_bytes(t, "\n", 1);
}

static void mask(char *line, const char *secret)
{
	size_t len = secret ? strlen(secret) : 0;

	for (char *p = line; len && (p = strstr(p, secret)); p += 3) {
		size_t keep = min_u64(len, 3);
		memmove(p + keep, p + len, strlen(p + len) + 1);
		memcpy(p, "***", keep);
		if (keep < 3)
			break;
	}
}

/* SASL: everything that we say between AUTH and the server's verdict may be a secret in base64. */
static void hide_login(struct outbound_transcript *t, bool ours, char *line)
{
	if (!ours) {
		if (*line != '3')
			t->hides_answers = false;
		return;
	}
	if (t->hides_answers)
		snprintf(line, 4, "***");
	if (strncasecmp(line, "AUTH ", 5) == 0) {
		size_t word = 5 + strcspn(line + 5, " ");
		t->hides_answers = true;
		if (line[word])
			snprintf(line + word, 5, " ***");
	}
}

static void take_line(const struct outbound *with, bool ours, const char *p, size_t len)
{
	char line[LINE_MAX_BYTES];

	len = min_u64(len, sizeof(line) - 8);    /* room for the mask */
	memcpy(line, p, len);
	line[len] = '\0';
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
			line[i] = ' ';
	while (len && line[len - 1] == ' ')
		line[--len] = '\0';
	if (!len)
		return;
	if (strncasecmp(line, "Authorization:", 14) == 0)
		snprintf(line + 14, 5, " ***");
	hide_login(with->transcript, ours, line);
	mask(line, with->secret);
	outbound_transcript_add(with->transcript, "%s %s", ours ? ">" : "<", line);
}

int transcript_take(CURL *curl, curl_infotype type, char *data, size_t len, void *arg)
{
	const struct outbound *with = arg;
	bool ours = type == CURLINFO_HEADER_OUT;

	(void)curl;
	if (type == CURLINFO_TEXT) {
		static const char *const kept[] = { "Connected to", "SSL connection using", "SSL certificate problem" };
		for (size_t i = 0; i < ARRAY_COUNT(kept); i++)
			if (len > strlen(kept[i]) && memcmp(data, kept[i], strlen(kept[i])) == 0)
				outbound_transcript_add(with->transcript, "* %.*s", (int)strcspn(data, "\n"), data);
		return 0;
	}
	if (!ours && type != CURLINFO_HEADER_IN)
		return 0;
	for (size_t i = 0; i < len;) {
		const char *end = memchr(data + i, '\n', len - i);
		size_t n = end ? (size_t)(end - data) - i : len - i;
		take_line(with, ours, data + i, n);
		i += n + 1;
	}
	return 0;
}
