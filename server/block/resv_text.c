/* SPDX-License-Identifier: GPL-3.0-or-later */
/* resv_text.c - the stored form of reservations, for APTPL (SPC-4 5.13.4).
 *
 *	holdfast-reservations 1
 *	type 5
 *	registrant <id in hex> <key in hex> [holder]
 *	end
 *
 * The generation is not kept: it starts from zero after a power on.  Text that is not exactly this
 * is refused whole. */
#include "block/resv_priv.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define TITLE "holdfast-reservations 1\n"

char *resv_to_text(const struct resv_table *t)
{
	char *text = NULL;
	size_t bytes = 0;
	if (!t->aptpl || !t->count)
		return strdup("");
	FILE *f = open_memstream(&text, &bytes);
	if (!f)
		return NULL;
	fprintf(f, TITLE "type %d\n", (int)t->type);
	for (size_t i = 0; i < t->count; i++) {
		fputs("registrant ", f);
		for (unsigned b = 0; b < t->reg[i].id.len; b++)
			fprintf(f, "%02x", t->reg[i].id.bytes[b]);
		fprintf(f, " %016" PRIx64 "%s\n", t->reg[i].key, t->reg[i].holder ? " holder" : "");
	}
	fputs("end\n", f);
	if (fclose(f)) {
		free(text);
		return NULL;
	}
	return text;
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

static bool skip_word(const char **at, const char *word)
{
	size_t len = strlen(word);
	if (strncmp(*at, word, len) != 0)
		return false;
	*at += len;
	return true;
}

static bool parse_id(const char **at, struct resv_id *id)
{
	unsigned n = 0;
	const char *p = *at;
	while (digit(p[0]) >= 0) {
		if (n == RESV_ID_MAX || digit(p[1]) < 0)
			return false;
		id->bytes[n++] = (uint8_t)(digit(p[0]) << 4 | digit(p[1]));
		p += 2;
	}
	id->len = (uint16_t)n;
	*at = p;
	return n > 0;
}

static bool parse_key(const char **at, uint64_t *key)
{
	uint64_t k = 0;
	for (int i = 0; i < 16; i++) {
		int d = digit((*at)[i]);
		if (d < 0)
			return false;
		k = k << 4 | (uint64_t)d;
	}
	*at += 16;
	*key = k;
	return true;
}

static bool parse_registrant(const char **at, struct resv_registrant *r)
{
	r->holder = false;
	if (!parse_id(at, &r->id) || !skip_word(at, " ") || !parse_key(at, &r->key) || !r->key)
		return false;
	if (skip_word(at, " holder"))
		r->holder = true;
	return skip_word(at, "\n");
}

static bool is_consistent(const struct resv_table *t)
{
	size_t holders = 0;
	for (size_t i = 0; i < t->count; i++) {
		holders += t->reg[i].holder;
		if (resv_find(t, &t->reg[i].id) != &t->reg[i])
			return false;
	}
	if (t->type == RESV_NONE || resv_type_is_all(t->type))
		return holders == 0;
	return resv_type_is_valid(t->type) && holders == 1;
}

static bool parse_all(const char *at, struct resv_table *t)
{
	if (!skip_word(&at, TITLE) || !skip_word(&at, "type ") || *at < '0' || *at > '8')
		return false;
	t->type = (enum resv_type)(*at++ - '0');
	if (!skip_word(&at, "\n"))
		return false;
	while (skip_word(&at, "registrant "))
		if (t->count == RESV_REGISTRANTS_MAX || !parse_registrant(&at, &t->reg[t->count++]))
			return false;
	return t->count && skip_word(&at, "end\n") && !*at && is_consistent(t);
}

int resv_from_text(const char *text, struct resv_table **ret_table)
{
	size_t lines = 0;
	for (const char *p = text; *p; p++)
		lines += *p == '\n';
	size_t room = min_u64(lines, RESV_REGISTRANTS_MAX) + 1;
	struct resv_table *t = calloc(1, sizeof(*t) + room * sizeof(t->reg[0]));
	if (!t)
		return -ENOMEM;
	if (*text) {
		t->aptpl = true;
		if (!parse_all(text, t)) {
			free(t);
			return -EINVAL;
		}
	}
	*ret_table = t;
	return 0;
}
