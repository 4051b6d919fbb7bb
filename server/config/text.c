/* SPDX-License-Identifier: GPL-3.0-or-later */
/* text.c - small texts of the store: ids, times, errors. */
#include "config/config_priv.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "core/utf8.h"

LOG_TOPIC(config);

int config_fail(struct config_error *e, int code, const char *field, const char *fmt, ...)
{
	if (!e)
		return code;
	va_list ap;
	va_start(ap, fmt);
	e->code = code;
	snprintf(e->field, sizeof(e->field), "%s", field ? field : "");
	vsnprintf(e->why, sizeof(e->why), fmt, ap);
	va_end(ap);
	utf8_mend(e->field);             /* words of the body may have been cut */
	utf8_mend(e->why);
	return code;
}

bool text_is_uuid(const char *s)
{
	for (int i = 0; i < 36; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;
		if (dash ? s[i] != '-' : !isxdigit((unsigned char)s[i]) || isupper((unsigned char)s[i]))
			return false;
	}
	return s[36] == '\0';
}

static void time_text(char *buf, size_t buf_bytes, const char *fmt)
{
	struct timespec now;
	struct tm tm;
	char sec[32];
	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	strftime(sec, sizeof(sec), fmt, &tm);
	snprintf(buf, buf_bytes, "%.19s.%03uZ", sec, (unsigned)(now.tv_nsec / 1000000) % 1000u);
}

void time_now(char buf[TIME_BYTES])
{
	time_text(buf, TIME_BYTES, "%Y-%m-%dT%H:%M:%S");
}

void file_time_stamp(char buf[TIME_BYTES])
{
	time_text(buf, TIME_BYTES, "%Y%m%dT%H%M%S");
}

/* Ids are UUIDs of version 7 (RFC 9562 5.7): the time leads and a counter follows, so that ids of one
 * store grow, also when the clock was set back, and the order by id is the order of creation. */
void config_new_id(struct config *c, char id[CONFIG_ID_BYTES])
{
	struct timespec now;
	uint8_t r[8];
	clock_gettime(CLOCK_REALTIME, &now);
	uint64_t ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
	if (ms > c->id_ms) {
		c->id_ms = ms;
		c->id_count = 0;
	} else if (++c->id_count > 0xfff) {
		c->id_ms++;
		c->id_count = 0;
	}
	if (getrandom(r, sizeof(r), 0) != (ssize_t)sizeof(r))
		abort();                 /* cannot fail for so few bytes once the kernel has started */
	snprintf(id, CONFIG_ID_BYTES, "%08x-%04x-7%03x-%02x%02x-%02x%02x%02x%02x%02x%02x",
		 (unsigned)(c->id_ms >> 16) & 0xffffffffu, (unsigned)c->id_ms & 0xffffu, c->id_count & 0xfffu,
		 0x80u | (r[0] & 0x3fu), r[1], r[2], r[3], r[4], r[5], r[6], r[7]);
}
