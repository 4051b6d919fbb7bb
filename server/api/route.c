/* SPDX-License-Identifier: GPL-3.0-or-later */
/* route.c - the route table: routes.def as rows, the search in it, and its description as JSON. */
#include "api/api_priv.h"

#include <stdio.h>
#include <string.h>

#define ROW(m, p, r, c, k, h, q, b, t, s)                                                         \
	{ .method = m, .pattern = p, .role = API_##r, .needs_confirm = c, .kind = k, .handler_name = #h, \
	  .run = api_do_##h, .query = q, .body = b, .type = t, .summary = s },
#define ROUTE(m, p, r, k, h, q, b, t, s) ROW(m, p, r, false, k, h, q, b, t, s)
#define GUARDED(m, p, r, k, h, q, b, t, s) ROW(m, p, r, true, k, h, q, b, t, s)
const struct api_route api_routes[] = {
#include "api/routes.def"
};
#undef ROUTE
#undef GUARDED
#undef ROW
const size_t api_route_count = ARRAY_COUNT(api_routes);

const struct api_query_row api_query_rows[] = {
	{ Q_PAGE, "limit" }, { Q_PAGE, "cursor" }, { Q_DRY_RUN, "dry_run" }, { Q_FORCE, "force" },
	{ Q_KEEP_DATA, "keep_data" }, { Q_DATA, "data" }, { Q_PRUNE, "prune" }, { Q_AFTER, "after" }, { Q_BAN, "ban_s" }, { Q_SHRINK, "shrink" },
	{ Q_SECRETS, "secrets" }, { Q_SORT, "sort" }, { Q_SORT, "q" }, { Q_HISTORY, "object" },
	{ Q_HISTORY, "from" }, { Q_HISTORY, "to" }, { Q_HISTORY, "points" }, { Q_TOP, "kind" },
	{ Q_TOP, "by" }, { Q_TOP, "n" }, { Q_HOST, "host" }, { Q_VOLUME, "volume" }, { Q_VOLUME, "share" }, { Q_USER, "user" },
	{ Q_RANGE, "since" }, { Q_RANGE, "until" },
};
const size_t api_query_row_count = ARRAY_COUNT(api_query_rows);

static bool pattern_matches(const char *pattern, const struct api_target *t, const char **ret_id, const char **ret_name)
{
	size_t n = 0;

	*ret_id = *ret_name = NULL;
	while (*pattern == '/') {
		size_t len = strcspn(++pattern, "/");

		if (n == t->segment_count)
			return false;
		if (len == 4 && memcmp(pattern, "{id}", 4) == 0) {
			if (!*t->segment[n])
				return false;
			*ret_id = t->segment[n];
		} else if (len == 6 && memcmp(pattern, "{name}", 6) == 0) {
			if (!*t->segment[n])
				return false;
			*ret_name = t->segment[n];
		} else if (strlen(t->segment[n]) != len || memcmp(t->segment[n], pattern, len) != 0) {
			return false;
		}
		pattern += len;
		n++;
	}
	return n == t->segment_count;
}

const struct api_route *api_route_find(const char *method, const struct api_target *t, const char **ret_id, const char **ret_name,
				       char *allow, size_t allow_bytes)
{
	const struct api_route *found = NULL;
	const char *want = strcmp(method, "HEAD") == 0 ? "GET" : method;
	size_t n = 0;

	allow[0] = '\0';
	*ret_id = *ret_name = NULL;
	for (size_t i = 0; i < api_route_count; i++) {
		const struct api_route *r = &api_routes[i];
		const char *id, *name;
		int wrote;

		if (!pattern_matches(r->pattern, t, &id, &name))
			continue;
		wrote = snprintf(allow + n, allow_bytes - n, "%s%s%s", n ? ", " : "", r->method,
				 strcmp(r->method, "GET") == 0 ? ", HEAD" : "");
		if (wrote > 0 && (size_t)wrote < allow_bytes - n)
			n += (size_t)wrote;
		if (!found && strcmp(r->method, want) == 0) {
			found = r;
			*ret_id = id;
			*ret_name = name;
		}
	}
	if (n)
		snprintf(allow + n, allow_bytes - n, ", OPTIONS");
	return found;
}

bool api_field_filters(const struct field *f)
{
	if ((f->flags & FIELD_LIVE) || (f->check && strcmp(f->check, "pem") == 0))
		return false;
	return f->type == FIELD_TEXT || f->type == FIELD_INT || f->type == FIELD_BOOL || f->type == FIELD_ENUM ||
	       f->type == FIELD_REF;
}

static const char *role_name(enum api_role r)
{
	static const char *const names[] = { "nobody", "viewer", "operator", "admin" };

	return names[r];
}

static void describe_query(const struct api_route *r, json_t *query)
{
	for (size_t i = 0; i < api_query_row_count; i++)
		if (r->query & api_query_rows[i].flag)
			json_array_append_new(query, json_string(api_query_rows[i].name));
	if (!(r->query & Q_FILTER))
		return;
	for (size_t i = 0; i < models[r->kind].field_count; i++)
		if (api_field_filters(&models[r->kind].fields[i]))
			json_array_append_new(query, json_string(models[r->kind].fields[i].name));
}

char *api_describe(void)
{
	static const char *const bodies[] = { "none", "json", "merge-patch" };
	json_t *rows = json_array();
	char *text;

	for (size_t i = 0; i < api_route_count; i++) {
		const struct api_route *r = &api_routes[i];
		json_t *query = json_array();
		char scope[64];

		route_scope(r->pattern, scope, sizeof(scope));
		describe_query(r, query);
		json_array_append_new(rows,
				      json_pack("{s:s, s:s, s:s, s:s?, s:s, s:o, s:s, s:s, s:s, s:b, s:s, s:b}", "method", r->method,
						"path", r->pattern, "role", role_name(r->role), "kind",
						r->kind == NO_KIND ? NULL : models[r->kind].name, "handler",
						r->handler_name, "query", query, "body", bodies[r->body], "type",
						r->type, "summary", r->summary, "confirm",
						r->needs_confirm, "scope", scope, "once",
						(r->query & Q_ONCE) != 0));
	}
	text = json_dumps(rows, JSON_INDENT(1));
	json_decref(rows);
	return text;
}
