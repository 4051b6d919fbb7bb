/* SPDX-License-Identifier: GPL-3.0-or-later */
/* auth_header.c - any bytes as the headers that say who asks: cookies, tokens, origins, codes.
 * Input: lines; the first byte of each says which header it is. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "auth/auth_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes);

static int no_store(int (*fn)(struct config *, void *), void *arg)
{
	(void)fn, (void)arg;
	return -EIO;
}

static void check_texts(const char *text)
{
	uint8_t bytes[64];
	uint64_t counter = 0;
	char tamed[32], out[65], hex[2 * sizeof(bytes) + 1];
	size_t len = 0;

	if (cookie_find(text, "__Host-sid", out, sizeof(out)) && strlen(out) >= sizeof(out))
		abort();
	tame(text, tamed, sizeof(tamed));
	for (const char *p = tamed; *p; p++)
		if ((unsigned char)*p < 0x20 || (unsigned char)*p > 0x7e || *p == '"')
			abort();
	if (hex_read(text, bytes, 16) == 0) {
		hex_write(bytes, 16, hex);
		if (strcmp(hex, text) != 0)
			abort();
	}
	if (base32_read(text, bytes, sizeof(bytes), &len) == 0 && len > sizeof(bytes))
		abort();
	if (totp_match((const uint8_t *)"12345678901234567890", 20, text, 1000000000, 0, &counter) == 0 &&
	    (counter < 1000000000 / 30 - 1 || counter > 1000000000 / 30 + 1))
		abort();
	auth_password_check("anna", text, hex, sizeof(hex));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes)
{
	struct auth_credentials c = { .method = "POST" };
	const char **const headers[] = { &c.method, &c.cookie, &c.authorization, &c.marker, &c.origin, &c.host, &c.fetch_site };
	struct auth_caller caller = { .source = "fuzz" };
	char why[200] = "", *text = malloc(len_bytes + 1), *save = NULL;

	if (!text)
		return 0;
	memcpy(text, data, len_bytes);
	text[len_bytes] = '\0';
	auth.opts.with_store = no_store;
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		check_texts(line + 1);
		*headers[(unsigned char)line[0] % ARRAY_COUNT(headers)] = line + 1;
	}
	/* There is no account: whatever they say, nobody is anybody. */
	int r = auth_identify(&c, &caller, why, sizeof(why));
	if (caller.role != AUTH_NOBODY || caller.via != AUTH_VIA_NONE || (r && !*why))
		abort();
	free(text);
	return 0;
}
