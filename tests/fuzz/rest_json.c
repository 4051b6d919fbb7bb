/* SPDX-License-Identifier: GPL-3.0-or-later */
/* rest_json.c - fuzz target: what a REST client can send.  The input is "target LF header LF body": the
 * target is decoded and looked up, the header is taken for Accept and Content-Type, the body is parsed.
 * What is accepted must be what it claims: UTF-8 pieces without control characters, an object of bounded
 * depth that survives being written and read again. */
#include <stdlib.h>
#include <string.h>

#include "api/api_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes);

static void require(bool holds)
{
	if (!holds)
		abort();
}

static bool is_clean(const char *s)
{
	json_t *j = json_string(s);      /* NULL unless it is UTF-8 */
	bool clean = j != NULL;

	json_decref(j);
	for (; *s; s++)
		clean &= (unsigned char)*s >= 0x20 && *s != 0x7f;
	return clean;
}

static void check_target(const char *raw)
{
	static const char *const methods[] = { "GET", "HEAD", "POST", "PATCH", "DELETE", "OPTIONS", "" };
	struct api_target t;
	const char *why = NULL, *id, *name;
	char allow[128];
	int r = api_target_parse(raw, &t, &why);

	if (r < 0) {
		require(why != NULL);
		return;
	}
	for (size_t i = 0; i < t.segment_count; i++)
		require(is_clean(t.segment[i]));
	for (size_t i = 0; i < t.param_count; i++) {
		require(is_clean(t.param[i].name) && is_clean(t.param[i].value));
		for (size_t k = 0; k < i; k++)
			require(strcmp(t.param[i].name, t.param[k].name) != 0);
	}
	for (size_t i = 0; i < ARRAY_COUNT(methods); i++)
		if (api_route_find(methods[i], &t, &id, &name, allow, sizeof(allow)))
			require(*allow != '\0' && (!id || *id) && (!name || *name));
}

static size_t depth_of(const json_t *j)
{
	size_t deepest = 0, i;
	const char *key;
	json_t *item;

	json_object_foreach((json_t *)j, key, item)
		deepest = max_u64(deepest, depth_of(item));
	json_array_foreach(j, i, item)
		deepest = max_u64(deepest, depth_of(item));
	return deepest + (json_is_object(j) || json_is_array(j));
}

static void check_body(const uint8_t *body, size_t len)
{
	char why[256] = "", *text;
	json_t *j = NULL, *again;

	if (api_body_parse(body, len, &j, why, sizeof(why)) < 0) {
		require(!j && *why);
		return;
	}
	require(json_is_object(j) && depth_of(j) <= BODY_DEPTH_MAX);
	text = json_dumps(j, JSON_COMPACT);
	require(text != NULL);
	require(api_body_parse((const uint8_t *)text, strlen(text), &again, why, sizeof(why)) == 0);
	require(json_equal(j, again));
	json_decref(again);
	json_decref(j);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes)
{
	char *copy = malloc(len_bytes + 1), *header, *body;

	if (!copy)
		return 0;
	memcpy(copy, data, len_bytes);
	copy[len_bytes] = '\0';
	header = memchr(copy, '\n', len_bytes);
	body = header ? memchr(header + 1, '\n', len_bytes - (size_t)(header + 1 - copy)) : NULL;
	if (header)
		*header++ = '\0';
	if (body)
		*body++ = '\0';
	check_target(copy);
	if (header) {
		bool any = api_accepts(header, "application/json"), named = api_accept_names(header, "application/json");

		require(any || !named || strchr(header, ';'));
		require(!api_type_is(header, "application/json") || strlen(header) >= 16);
	}
	if (body)
		check_body((const uint8_t *)body, len_bytes - (size_t)(body - copy));
	free(copy);
	return 0;
}
