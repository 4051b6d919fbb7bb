/* SPDX-License-Identifier: GPL-3.0-or-later */
/* json.c - short words for what the room does with JSON and rows all the time. */
#include "control/control_priv.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

const char *text_of(const json_t *o, const char *member)
{
	const char *s = json_string_value(json_object_get(o, member));
	return s ? s : "";
}

const char *text_or_null(const json_t *o, const char *member)
{
	const char *s = text_of(o, member);
	return *s ? s : NULL;
}

void time_to_text(int64_t unix_s, char out[32])
{
	time_t t = (time_t)unix_s;
	struct tm tm;
	gmtime_r(&t, &tm);
	strftime(out, 32, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

int64_t int_of(const json_t *o, const char *member)
{
	return json_integer_value(json_object_get(o, member));
}

bool true_of(const json_t *o, const char *member)
{
	return json_is_true(json_object_get(o, member));
}

int rows_where(enum model_kind k, const char *field, const char *value, json_t **ret_rows, struct config_error *e)
{
	struct config_query q = { .where_field = field, .where_value = value, .refs_as_ids = true };
	return config_list(ctl.db, k, &q, ret_rows, e);
}

int row_get(enum model_kind k, const char *id, json_t **ret_row, struct config_error *e)
{
	json_t *rows;
	int r = rows_where(k, "id", id, &rows, e);
	if (r)
		return r;
	if (json_array_size(rows) == 0)
		r = config_fail(e, -ENOENT, "", "there is no %s with the id %s", models[k].name, id);
	else
		*ret_row = json_incref(json_array_get(rows, 0));
	json_decref(rows);
	return r;
}

/* The name behind an id, or the text itself when it is a name already. */
static const char *ref_name(enum model_kind k, const char *id_or_name, char *buf, size_t buf_bytes)
{
	struct config_error e;
	json_t *o;
	if (config_get(ctl.db, k, id_or_name, &o, &e))
		return id_or_name;
	snprintf(buf, buf_bytes, "%s", text_of(o, "name"));
	json_decref(o);
	return buf;
}

void object_label(enum model_kind k, const json_t *o, char *buf, size_t buf_bytes)
{
	char a[64], b[64];
	switch (k) {
	case MODEL_LUN:
		snprintf(buf, buf_bytes, "%s/%" PRId64 " (%s)", ref_name(MODEL_TARGET, text_of(o, "target"), a, sizeof(a)), int_of(o, "lun"),
			 ref_name(MODEL_VOLUME, text_of(o, "volume"), b, sizeof(b)));
		return;
	case MODEL_ACCESS:
		snprintf(buf, buf_bytes, "%s for %s", ref_name(MODEL_TARGET, text_of(o, "target"), a, sizeof(a)),
			 *text_of(o, "host") ? ref_name(MODEL_HOST, text_of(o, "host"), b, sizeof(b)) :
					       ref_name(MODEL_HOST_GROUP, text_of(o, "group"), b, sizeof(b)));
		return;
	case MODEL_QUOTA:
		snprintf(buf, buf_bytes, "of %s in %s",
			 *text_of(o, "user") ? ref_name(MODEL_USER, text_of(o, "user"), b, sizeof(b)) : ref_name(MODEL_GROUP, text_of(o, "group"), b, sizeof(b)),
			 ref_name(MODEL_SHARE, text_of(o, "share"), a, sizeof(a)));
		return;
	case MODEL_PORTAL:
		snprintf(buf, buf_bytes, strchr(text_of(o, "address"), ':') ? "%s [%s]:%" PRId64 : "%s %s:%" PRId64, text_of(o, "protocol"),
			 text_of(o, "address"), int_of(o, "port"));
		return;
	case MODEL_SETTING:
		snprintf(buf, buf_bytes, "%s", text_of(o, "key"));
		return;
	default:
		snprintf(buf, buf_bytes, "%s", *text_of(o, "name") ? text_of(o, "name") : text_of(o, "id"));
	}
}
