/* SPDX-License-Identifier: GPL-3.0-or-later */
/* config_body.c - any JSON as the body that makes or changes an object of any kind: what passes obeys the rows.  The keys of
 * hosts too, and the answers of an iSNS server.
 * Input: one letter; 'A' + kind (of config/model.h): a body, '1': DHHC-1 text, '2': NVMeTLSkey-1 text, 'i': bytes of a server. */
#include <jansson.h>
#include <stdint.h>
#include <string.h>

#include "config/config.h"
#include "core/keytext.h"
#include "iscsi/isns.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes);

static void require(bool holds)
{
	if (!holds)
		abort();
}

static void obeys(const struct field *f, const json_t *v)
{
	require(!(f->flags & FIELD_SERVER));
	if (json_is_null(v)) {
		require((f->flags & FIELD_NULLABLE) || f->default_json);
		return;
	}
	switch (f->type) {
	case FIELD_TEXT:
	case FIELD_TIME:
	case FIELD_REF:
		require(json_is_string(v) && strlen(json_string_value(v)) == json_string_length(v));
		if (f->type == FIELD_TEXT && f->max)
			require(json_string_length(v) <= (size_t)f->max && json_string_length(v) >= (size_t)f->min);
		break;
	case FIELD_INT:
		require(json_is_integer(v) && json_integer_value(v) >= f->min && json_integer_value(v) <= f->max);
		break;
	case FIELD_BOOL:
		require(json_is_boolean(v));
		break;
	case FIELD_ENUM:
		require(json_is_string(v) && strstr(f->values, json_string_value(v)) && !strchr(json_string_value(v), '|'));
		break;
	case FIELD_TEXTS:
	case FIELD_REFS:
		require(json_is_array(v));
		break;
	case FIELD_MAP:
		require(json_is_object(v));
		break;
	case FIELD_SECRET:
	case FIELD_JSON:
		break;
	}
}

static void body(enum model_kind k, const char *text, size_t len_bytes)
{
	json_t *j = json_loadb(text, len_bytes, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, NULL), *v;
	struct config_error e = { 0 };
	const char *key;

	for (int at_creation = 0; j && at_creation < 2; at_creation++) {
		int r = model_check(k, j, at_creation, &e);
		if (r) {
			require(r < 0 && *e.why && strnlen(e.why, sizeof(e.why)) < sizeof(e.why) && strnlen(e.field, sizeof(e.field)) < sizeof(e.field));
			json_t *why = json_string(e.why); /* NULL unless it is UTF-8: it goes into an answer */
			require(why != NULL);
			json_decref(why);
			continue;
		}
		require(json_is_object(j));
		json_object_foreach(j, key, v)
			obeys(model_field(&models[k], key), v);
	}
	json_decref(j);
}

static void key(enum keytext_kind kind, const char *text)
{
	struct keytext k, again;
	char out[KEY_TEXT_BYTES];
	const char *why = NULL;

	if (keytext_parse(kind, text, &k, &why)) {
		require(why && *why);
		return;
	}
	keytext_format(kind, &k, out);
	require(keytext_parse(kind, out, &again, &why) == 0 && again.len_bytes == k.len_bytes && memcmp(again.bytes, k.bytes, k.len_bytes) == 0);
}

static void answer(const uint8_t *pdu, size_t len_bytes)
{
	uint32_t status = 0;
	int r = isns_answer(pdu, len_bytes, ISNS_DEV_ATTR_REG, 1, &status);

	require(r == 0 || r == -EPROTO);
	require(*isns_status_text(status));
	for (size_t at = 0, n; at < len_bytes && (n = isns_cut(pdu, len_bytes, at)) != 0; at += n)
		require(n <= ISNS_PDU_PAYLOAD_MAX && at + n <= len_bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes)
{
	if (len_bytes < 1 || len_bytes > 1 << 20)
		return 0;
	char *text = malloc(len_bytes);          /* of exactly this length, so that a step beyond it is seen */
	require(text != NULL);
	memcpy(text, data + 1, len_bytes - 1);
	text[len_bytes - 1] = '\0';
	if (*data >= 'A' && *data < 'A' + MODEL_KINDS)
		body((enum model_kind)(*data - 'A'), text, len_bytes - 1);
	else if (*data == 'i')
		answer((const uint8_t *)text, len_bytes - 1);
	else
		key(*data == '1' ? KEY_DHCHAP : KEY_TLS_PSK, text);
	free(text);
	return 0;
}
