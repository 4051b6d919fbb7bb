/* SPDX-License-Identifier: GPL-3.0-or-later */
/* share.c - the verbs of shares and quotas that are more than one request: who may use a share, data that goes with
 * it, limits that are set whether they are there or not. */
#include "cli/cli_priv.h"

#include <string.h>

/* ---- who may use a share ------------------------------------------------------------------------------- */
/* "alice:ro" and "alice" name the same one. */
static bool same_who(const char *entry, const char *who)
{
	size_t len = strlen(who);

	return strncmp(entry, who, len) == 0 && (!entry[len] || strcmp(entry + len, ":ro") == 0 || strcmp(entry + len, ":rw") == 0);
}

static int access_change(struct cli *c, bool add)
{
	_cleanup_(freep) char *one = path_join("/api/v1/shares", c->arg[0]), *query = args_query(c), *path = text_format("%s%s", one, query);
	_cleanup_(freep) char *entry = text_format("%s%s", c->arg[1], add && cli_flag(c, "read-only") ? ":ro" : "");
	struct reply was = { 0 }, r = { 0 };
	int code = client_do(c, "GET", one, NULL, NULL, &was);
	json_t *left = json_array(), *item, *body = NULL;
	bool found = false;
	size_t i;

	json_array_foreach(json_object_get(was.json, "allow"), i, item) {
		if (same_who(json_string_value(item), c->arg[1]))
			found = true;
		else
			json_array_append(left, item);
	}
	if (add)
		json_array_append_new(left, json_string(entry));
	if (code == CLI_DONE && !add && !found)
		code = refused("\"%s\" is not among those who may use share \"%s\".", c->arg[1], c->arg[0]);
	/* An empty list would let everybody in. */
	if (code == CLI_DONE && !add && json_array_size(left) == 0)
		code = refused("\"%s\" is the only one who may use share \"%s\": without it every user may.  Disable the share, or allow somebody else first.", c->arg[1],
			       c->arg[0]);
	if (code == CLI_DONE) {
		_cleanup_(freep) char *tag = text_format("\"%" JSON_INTEGER_FORMAT "\"", json_integer_value(json_object_get(was.json, "revision")));

		body = json_pack("{s:O}", "allow", left);
		code = client_do(c, "PATCH", path, body, tag, &r);
	}
	if (code == CLI_DONE && !say_dry_run(c, &r))
		say_done(c, r.json, add ? "\"%s\" may use share \"%s\"" : "\"%s\" may no longer use share \"%s\"", add ? entry : c->arg[1], c->arg[0]);
	json_decref(left);
	json_decref(body);
	reply_done(&was);
	reply_done(&r);
	return code;
}

int run_share_allow(struct cli *c)
{
	return access_change(c, true);
}

int run_share_deny(struct cli *c)
{
	return access_change(c, false);
}

/* ---- deletion ------------------------------------------------------------------------------------------- */
int run_share_delete(struct cli *c)
{
	bool data = cli_flag(c, "delete-data") != NULL;
	_cleanup_(freep) char *one = path_join("/api/v1/shares", c->arg[0]), *query = args_query(c);
	_cleanup_(freep) char *path = text_format("%s%s%s", one, query, !data ? "" : *query ? "&data=delete" : "?data=delete");
	struct reply r = { 0 };
	int code;

	if (data && !confirm(c, c->arg[0]))
		return CLI_REFUSED;
	code = client_do(c, "DELETE", path, NULL, "*", &r);
	if (code == CLI_DONE && !say_dry_run(c, &r))
		say_done(c, NULL, data ? "share \"%s\" deleted with its files" : "share \"%s\" deleted; its folder stays", c->arg[0]);
	reply_done(&r);
	return code;
}

/* ---- open files, locked users, the servers ------------------------------------------------------------------ */
int run_share_files(struct cli *c)
{
	static const struct column columns[] = {
		{ "ID", "id", COL_TEXT }, { "PATH", "path", COL_TEXT }, { "USER", "user", COL_TEXT }, { "FROM", "address", COL_TEXT }, { "PROTOCOL", "protocol", COL_TEXT },
		{ "ACCESS", "access", COL_TEXT }, { .title = NULL }
	};
	static const struct noun files = { "open file", NULL, "", NULL, columns, LIST_WHOLE };
	_cleanup_(freep) char *one = path_join("/api/v1/shares", c->arg[0]), *path = text_format("%s/open-files", one);
	struct reply r = { 0 };
	int code = client_do(c, "GET", path, NULL, NULL, &r);

	if (code == CLI_DONE)
		print_list(c, &files, json_object_get(r.json, "items"));
	reply_done(&r);
	return code;
}

int run_share_close_file(struct cli *c)
{
	_cleanup_(freep) char *one = path_join("/api/v1/shares", c->arg[0]), *id = text_escape(c->arg[1]), *path = text_format("%s/open-files/%s", one, id);
	struct reply r = { 0 };
	int code;

	if (c->dry_run)
		return usage_error(c, "closing a file has no dry run.");
	code = client_do(c, "DELETE", path, NULL, NULL, &r);
	if (code == CLI_DONE)
		say_done(c, NULL, "file %s of share \"%s\" closed", c->arg[1], c->arg[0]);
	reply_done(&r);
	return code;
}

int run_user_unlock(struct cli *c)
{
	_cleanup_(freep) char *one = path_join("/api/v1/users", c->arg[0]), *path = text_format("%s/unlock", one);
	struct reply r = { 0 };
	int code;

	if (c->dry_run)
		return usage_error(c, "letting a user in again has no dry run.");
	code = client_do(c, "POST", path, NULL, NULL, &r);
	if (code == CLI_DONE)
		say_done(c, NULL, "user \"%s\" may try again", c->arg[0]);
	reply_done(&r);
	return code;
}

static void say_why_not(const json_t *can, const char *what, const char *has, const char *version, const char *why_not)
{
	const char *v = json_string_value(json_object_get(can, version)), *why = json_string_value(json_object_get(can, why_not));
	_cleanup_(freep) char *line = json_is_true(json_object_get(can, has)) ? text_format("%s: %s", what, v && *v ? v : "there") :
										text_format("%s: not there%s%s", what, why && *why ? ": " : "", why ? why : "");

	text_tame(line);
	puts(line);
}

int run_nas(struct cli *c)
{
	static const struct column columns[] = {
		{ "SERVER", "name", COL_TEXT }, { "STATE", "state", COL_STATE }, { "PROVIDER", "provider", COL_TEXT }, { "VERSION", "version", COL_TEXT }, { "PID", "pid", COL_COUNT },
		{ "RESTARTS", "restarts", COL_COUNT }, { "REASON", "reason", COL_TEXT }, { .title = NULL }
	};
	static const struct noun servers = { "server", NULL, "", NULL, columns, LIST_WHOLE };
	struct reply r = { 0 };
	int code = client_do(c, "GET", "/api/v1/nas", NULL, NULL, &r);
	const json_t *keeper = json_object_get(r.json, "keeper"), *can = json_object_get(r.json, "capabilities");

	if (code == CLI_DONE && c->output != OUT_TABLE) {
		print_json(r.json);
	} else if (code == CLI_DONE) {
		const char *why = json_string_value(json_object_get(can, "keeper_why_not"));
		bool runs = json_is_true(json_object_get(keeper, "running"));

		if (runs)
			printf("keeper: runs, pid %" JSON_INTEGER_FORMAT "\n", json_integer_value(json_object_get(keeper, "pid")));
		else
			printf("keeper: does not run%s%s\n", why && *why ? ": " : " (it starts with the first share)", why ? why : "");
		say_why_not(can, "SMB", "smb", "smb_version", "smb_why_not");
		say_why_not(can, "NFS", "nfs", "nfs_version", "nfs_why_not");
		print_list(c, &servers, json_object_get(r.json, "servers"));
	}
	reply_done(&r);
	return code;
}

/* ---- snapshots ------------------------------------------------------------------------------------------- */
int run_snapshot_list(struct cli *c)
{
	_cleanup_(freep) char *one = path_join("/api/v1/shares", c->arg[0]), *path = text_format("%s/snapshots", one);
	struct reply r = { 0 };
	int code = client_do(c, "GET", path, NULL, NULL, &r);

	if (code == CLI_DONE)
		print_list(c, c->noun, json_object_get(r.json, "items"));
	reply_done(&r);
	return code;
}

int run_snapshot_create(struct cli *c)
{
	_cleanup_(freep) char *one = path_join("/api/v1/shares", c->arg[0]), *path = text_format("%s/snapshots", one);
	json_t *body = json_object();
	struct reply r = { 0 };
	int code = CLI_DONE;

	if (c->dry_run)
		code = usage_error(c, "taking a snapshot has no dry run.");
	if (c->arg_count > 1)
		json_object_set_new(body, "name", json_string(c->arg[1]));
	if (code == CLI_DONE)
		code = client_do(c, "POST", path, body, NULL, &r);
	if (code == CLI_DONE) {
		const char *name = json_string_value(json_object_get(r.json, "name"));

		say_done(c, r.json, "snapshot \"%s\" of share \"%s\" taken", name ? name : "?", c->arg[0]);
	}
	json_decref(body);
	reply_done(&r);
	return code;
}

static int snapshot_do(struct cli *c, const char *method, const char *end, const char *done)
{
	_cleanup_(freep) char *one = path_join("/api/v1/shares", c->arg[0]), *name = text_escape(c->arg[1]), *path = text_format("%s/snapshots/%s%s", one, name, end);
	struct reply r = { 0 };
	int code;

	if (c->dry_run)
		return usage_error(c, "that has no dry run.");
	code = client_do(c, method, path, NULL, NULL, &r);
	if (code == CLI_DONE)
		say_done(c, NULL, done, c->arg[0], c->arg[1]);
	reply_done(&r);
	return code;
}

int run_snapshot_restore(struct cli *c)
{
	return snapshot_do(c, "POST", "/restore", "share \"%s\" is as in snapshot \"%s\"; what was there is another snapshot");
}

int run_snapshot_delete(struct cli *c)
{
	return snapshot_do(c, "DELETE", "", "share \"%s\": snapshot \"%s\" deleted");
}

/* ---- a pool of disks --------------------------------------------------------------------------------------- */
int run_pool_format(struct cli *c)
{
	json_t *body = json_object();
	struct reply r = { 0 };
	int code = args_body(c, body);

	json_object_set_new(body, "name", json_string(c->arg[0]));
	if (code == CLI_DONE && c->dry_run)
		code = usage_error(c, "formatting has no dry run; look at holdfast disk list.");
	if (code == CLI_DONE)
		code = client_do(c, "POST", "/api/v1/pools/format", body, NULL, &r);
	if (code == CLI_DONE)
		say_done(c, r.json, "pool \"%s\" made", c->arg[0]);
	json_decref(body);
	reply_done(&r);
	return code;
}

/* ---- quotas ---------------------------------------------------------------------------------------------- */
/* The quota of a share and a user or group: its object, or NULL; owned. */
static int find_quota(struct cli *c, json_t **ret_quota)
{
	const char *user = cli_flag(c, "user"), *group = cli_flag(c, "group");
	json_t *items = NULL;
	int code;

	*ret_quota = NULL;
	if (!user == !group)
		return usage_error(c, "say whose: --user USER or --group GROUP.");
	{
		_cleanup_(freep) char *share = text_escape(c->arg[0]), *who = text_escape(user ? user : group);
		_cleanup_(freep) char *path = text_format("/api/v1/quotas?share=%s&%s=%s", share, user ? "user" : "group", who);

		code = client_list(c, path, 0, &items);
	}
	if (code == CLI_DONE)
		*ret_quota = json_incref(json_array_get(items, 0));
	json_decref(items);
	return code;
}

int run_quota_set(struct cli *c)
{
	const char *user = cli_flag(c, "user"), *group = cli_flag(c, "group");
	_cleanup_(freep) char *query = args_query(c);
	json_t *have = NULL, *body = json_object();
	struct reply r = { 0 };
	int code = find_quota(c, &have);

	if (code == CLI_DONE)
		code = args_body(c, body);
	if (code == CLI_DONE && have) {
		_cleanup_(freep) char *one = path_join("/api/v1/quotas", json_string_value(json_object_get(have, "id")));
		_cleanup_(freep) char *path = text_format("%s%s", one, query);

		code = client_do(c, "PATCH", path, body, "*", &r);
	} else if (code == CLI_DONE) {
		_cleanup_(freep) char *path = text_format("/api/v1/quotas%s", query);

		json_object_set_new(body, "share", json_string(c->arg[0]));
		json_object_set_new(body, user ? "user" : "group", json_string(user ? user : group));
		code = client_do(c, "POST", path, body, NULL, &r);
	}
	if (code == CLI_DONE && !say_dry_run(c, &r))
		say_done(c, r.json, "quota of %s \"%s\" in share \"%s\" set", user ? "user" : "group", user ? user : group, c->arg[0]);
	json_decref(have);
	json_decref(body);
	reply_done(&r);
	return code;
}

int run_quota_delete(struct cli *c)
{
	const char *user = cli_flag(c, "user"), *group = cli_flag(c, "group");
	json_t *have = NULL;
	struct reply r = { 0 };
	int code = find_quota(c, &have);

	if (code == CLI_DONE && !have)
		code = refused("there is no quota of %s \"%s\" in share \"%s\".", user ? "user" : "group", user ? user : group, c->arg[0]);
	if (code == CLI_DONE) {
		_cleanup_(freep) char *query = args_query(c), *one = path_join("/api/v1/quotas", json_string_value(json_object_get(have, "id")));
		_cleanup_(freep) char *path = text_format("%s%s", one, query);

		code = client_do(c, "DELETE", path, NULL, "*", &r);
	}
	if (code == CLI_DONE && !say_dry_run(c, &r))
		say_done(c, NULL, "quota of %s \"%s\" in share \"%s\" deleted", user ? "user" : "group", user ? user : group, c->arg[0]);
	json_decref(have);
	reply_done(&r);
	return code;
}
