/* SPDX-License-Identifier: GPL-3.0-or-later */
/* api.c - requests and the answers they get: one table of conversations over a fake control. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "api/api_priv.h"
#include "fake_control.h"

/* What a request sends beside method and target. */
struct extra {
	const char *body, *type, *if_match, *if_none_match, *key, *accept;
	enum api_role role;              /* NOBODY stands for admin; see as_nobody */
	bool as_nobody;
};

static void ask(const char *method, const char *target, const struct extra *x, struct api_response *rs)
{
	struct api_request rq = {
		.method = method, .target = target, .if_match = x->if_match, .if_none_match = x->if_none_match,
		.idempotency_key = x->key, .accept = x->accept, .actor = "root", .source = "test",
		.role = x->as_nobody ? API_NOBODY : x->role ? x->role : API_ADMIN,
	};

	if (x->body) {
		rq.body = (const uint8_t *)x->body;
		rq.body_len = strlen(x->body);
		rq.content_type = x->type ? x->type : "application/json";
	}
	api_handle(&rq, rs);
}

static const char *header(const struct api_response *rs, const char *name)
{
	for (size_t i = 0; i < rs->header_count; i++)
		if (strcmp(rs->header[i].name, name) == 0)
			return rs->header[i].value;
	return "";
}

static int setup(void **state)
{
	struct api_response rs;

	(void)state;
	fake_control_reset();
	repeat_forget();
	ask("POST", "/api/v1/pools", &(struct extra){ .body = "{\"name\":\"p1\",\"path\":\"/srv\"}" }, &rs);
	assert_int_equal(rs.status, 201);
	api_response_done(&rs);
	ask("POST", "/api/v1/volumes", &(struct extra){ .body = "{\"name\":\"v1\",\"size_bytes\":1048576}" }, &rs);
	assert_int_equal(rs.status, 201);
	assert_string_equal(header(&rs, "ETag"), "\"1\"");
	assert_string_equal(header(&rs, "Location"), "/api/v1/volumes/00000000-0000-4000-8000-000000000002");
	api_response_done(&rs);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fake_control_reset();
	repeat_forget();
	return 0;
}

static void test_conversations(void **state)
{
	static const struct {
		const char *what, *method, *target;
		struct extra x;
		int status;
		const char *holds;               /* a piece of the body */
	} cases[] = {
		{ "health needs no login", "GET", "/healthz", { .as_nobody = true }, 200, "ok" },
		{ "nobody is told to log in", "GET", "/api/v1/volumes", { .as_nobody = true }, 401, "problem:login-required" },
		{ "nobody does not learn what exists", "GET", "/nothing/here", { .as_nobody = true }, 401, "login" },
		{ "a viewer may look", "GET", "/api/v1/volumes/v1", { .role = API_VIEWER }, 200, "\"v1\"" },
		{ "a viewer may not change", "DELETE", "/api/v1/volumes/v1", { .role = API_VIEWER, .if_match = "*" }, 403, "operator" },
		{ "an operator may not add portals", "POST", "/api/v1/portals", { .role = API_OPERATOR, .body = "{}" }, 403, "admin" },
		{ "unknown address", "GET", "/api/v1/nothing", { 0 }, 404, "problem:not-found" },
		{ "trailing slash is another address", "GET", "/api/v1/volumes/", { 0 }, 404, "not-found" },
		{ "dots are names like any other", "GET", "/api/v1/volumes/../pools", { 0 }, 404, "not-found" },
		{ "encoded slash stays in its segment", "GET", "/api/v1/volumes%2fv1", { 0 }, 404, "not-found" },
		{ "encoded name", "GET", "/api/v1/volumes/%76%31", { 0 }, 200, "\"v1\"" },
		{ "half an escape", "GET", "/api/v1/volumes/v%1", { 0 }, 400, "hexadecimal" },
		{ "escape cut off", "GET", "/api/v1/volumes/v%", { 0 }, 400, "hexadecimal" },
		{ "encoded NUL", "GET", "/api/v1/volumes/v1%00", { 0 }, 400, "control characters" },
		{ "not UTF-8", "GET", "/api/v1/volumes/%c0%af", { 0 }, 400, "UTF-8" },
		{ "wrong method", "PUT", "/api/v1/volumes/v1", { 0 }, 405, "GET, HEAD, PATCH, DELETE, OPTIONS" },
		{ "HEAD is GET", "HEAD", "/api/v1/volumes/v1", { 0 }, 200, "\"v1\"" },
		{ "OPTIONS", "OPTIONS", "/api/v1/volumes", { 0 }, 204, NULL },
		{ "only HTML is wanted", "GET", "/api/v1/volumes", { .accept = "text/html" }, 406, "application/json" },
		{ "JSON is excluded by q=0", "GET", "/api/v1/volumes", { .accept = "*/*, application/json;q=0" }, 406, "excludes" },
		{ "anything goes", "GET", "/api/v1/volumes", { .accept = "text/html, */*;q=0.1" }, 200, "items" },
		{ "unknown parameter", "GET", "/api/v1/volumes?colour=red", { 0 }, 400, "colour" },
		{ "parameter twice", "GET", "/api/v1/volumes?limit=1&limit=2", { 0 }, 400, "twice" },
		{ "filter by name", "GET", "/api/v1/volumes?name=v1", { 0 }, 200, "\"v1\"" },
		{ "filter that matches nothing", "GET", "/api/v1/volumes?name=v2", { 0 }, 200, "\"items\":[]" },
		{ "live fields are no filters", "GET", "/api/v1/volumes?state=online", { 0 }, 400, "state" },
		{ "secrets are no filters", "GET", "/api/v1/hosts?chap_secret=x", { 0 }, 400, "chap_secret" },
		{ "three filters", "GET", "/api/v1/volumes?name=a&plugin=b&comment=c", { 0 }, 400, "two" },
		{ "limit of zero", "GET", "/api/v1/volumes?limit=0", { 0 }, 400, "limit" },
		{ "limit with a sign", "GET", "/api/v1/volumes?limit=-1", { 0 }, 400, "limit" },
		{ "limit that wraps", "GET", "/api/v1/volumes?limit=18446744073709551617", { 0 }, 400, "limit" },
		{ "sorted", "GET", "/api/v1/volumes?sort=-name&q=v", { 0 }, 200, "\"total\":" },
		{ "sorted by what is not stored", "GET", "/api/v1/volumes?sort=state", { 0 }, 400, "sorted" },
		{ "sorted by a secret", "GET", "/api/v1/hosts?sort=chap_secret", { 0 }, 400, "sorted" },
		{ "cursor of another order", "GET", "/api/v1/volumes?sort=name&cursor=00000000-0000-4000-8000-000000000001", { 0 }, 400, "cursor" },
		{ "unknown cursor", "GET", "/api/v1/volumes?cursor=zzz", { 0 }, 400, "cursor" },
		{ "no such volume", "GET", "/api/v1/volumes/v2", { 0 }, 404, "none called that" },
		{ "not modified", "GET", "/api/v1/volumes/v1", { .if_none_match = "\"1\"" }, 304, NULL },
		{ "not modified, weak", "GET", "/api/v1/volumes/v1", { .if_none_match = "W/\"1\"" }, 304, NULL },
		{ "modified", "GET", "/api/v1/volumes/v1", { .if_none_match = "\"11\"" }, 200, "v1" },
		{ "body where none belongs", "GET", "/api/v1/volumes", { .body = "{}" }, 400, "no body" },
		{ "form instead of JSON", "POST", "/api/v1/volumes", { .body = "a=b", .type = "application/x-www-form-urlencoded" }, 415, "application/json" },
		{ "JSON in Latin-1", "POST", "/api/v1/volumes", { .body = "{}", .type = "application/json; charset=iso-8859-1" }, 415, "application/json" },
		{ "merge patch is not for POST", "POST", "/api/v1/volumes", { .body = "{}", .type = "application/merge-patch+json" }, 415, "application/json" },
		{ "no JSON", "POST", "/api/v1/volumes", { .body = "{\"name\":}" }, 400, "line 1, column 9" },
		{ "member twice", "POST", "/api/v1/volumes", { .body = "{\"name\":\"a\",\"name\":\"b\"}" }, 400, "duplicate" },
		{ "array instead of object", "POST", "/api/v1/volumes", { .body = "[]" }, 400, "not a JSON object" },
		{ "something after the object", "POST", "/api/v1/volumes", { .body = "{} {}" }, 400, "end of file" },
		{ "missing field", "POST", "/api/v1/volumes", { .body = "{\"name\":\"v3\"}" }, 422, "\"pointer\":\"/size_bytes\"" },
		{ "unknown field", "POST", "/api/v1/volumes", { .body = "{\"name\":\"v3\",\"size\":1}" }, 422, "\"pointer\":\"/size\"" },
		{ "sorted by what is cut within a character", "GET", "/api/v1/volumes?sort=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa%C3%A4", { 0 }, 400, "cannot be sorted" },
		{ "name taken", "POST", "/api/v1/volumes", { .body = "{\"name\":\"v1\",\"size_bytes\":512}" }, 409, "problem:exists" },
		{ "change without If-Match", "PATCH", "/api/v1/volumes/v1", { .body = "{\"comment\":\"x\"}" }, 428, "If-Match" },
		{ "deletion without If-Match", "DELETE", "/api/v1/volumes/v1", { 0 }, 428, "If-Match" },
		{ "stale revision", "PATCH", "/api/v1/volumes/v1", { .body = "{\"comment\":\"x\"}", .if_match = "\"9\"" }, 412, "problem:stale" },
		{ "weak tag never matches", "PATCH", "/api/v1/volumes/v1", { .body = "{\"comment\":\"x\"}", .if_match = "W/\"1\"" }, 412, "stale" },
		{ "tag that is no number", "PATCH", "/api/v1/volumes/v1", { .body = "{\"comment\":\"x\"}", .if_match = "\"abc\"" }, 412, "stale" },
		{ "dry run of a change", "PATCH", "/api/v1/volumes/v1?dry_run=true", { .body = "{\"comment\":\"x\"}", .if_match = "\"1\"" }, 200, "\"steps\"" },
		{ "dry run neither true nor false", "PATCH", "/api/v1/volumes/v1?dry_run=maybe", { .body = "{}", .if_match = "\"1\"" }, 400, "dry_run" },
		{ "merge patch type", "PATCH", "/api/v1/volumes/v1?dry_run=1", { .body = "{\"comment\":\"x\"}", .type = "application/merge-patch+json", .if_match = "*" }, 200, "\"comment\":\"x\"" },
		{ "one of several tags", "PATCH", "/api/v1/volumes/v1?dry_run=1", { .body = "{}", .if_match = "\"7\", \"1\"" }, 200, "v1" },
		{ "dry run of a creation", "POST", "/api/v1/volumes?dry_run=true", { .body = "{\"name\":\"v9\",\"size_bytes\":512}" }, 200, "\"plan\"" },
		{ "force is for deletions", "PATCH", "/api/v1/volumes/v1?force=true", { .body = "{}", .if_match = "*" }, 400, "force" },
		{ "idempotency key with a blank", "POST", "/api/v1/volumes?dry_run=1", { .key = "a b", .body = "{}" }, 400, "Idempotency-Key" },
		{ "empty idempotency key", "POST", "/api/v1/volumes?dry_run=1", { .key = "", .body = "{}" }, 400, "Idempotency-Key" },
		{ "settings are not created", "POST", "/api/v1/settings", { .body = "{}" }, 405, "GET" },
		{ "sessions", "GET", "/api/v1/sessions", { 0 }, 200, "iqn.2026-11.test:b" },
		{ "one session", "GET", "/api/v1/sessions/8", { 0 }, 200, "iqn.2026-11.test:b" },
		{ "no such session", "GET", "/api/v1/sessions/9", { 0 }, 404, "no session \\\"9" },
		{ "session with a name", "DELETE", "/api/v1/sessions/abc", { 0 }, 404, "no such session" },
		{ "session of SMB", "DELETE", "/api/v1/sessions/smb-7", { 0 }, 204, NULL },
		{ "ban a session of SMB", "DELETE", "/api/v1/sessions/smb-7?ban_s=60", { 0 }, 422, "not banned" },
		{ "the servers of shares", "GET", "/api/v1/nas", { 0 }, 200, "\"running\":false" },
		{ "open files", "GET", "/api/v1/shares/projects/open-files", { 0 }, 200, "a/b.txt" },
		{ "open files of no share", "GET", "/api/v1/shares/x/open-files", { 0 }, 404, "share" },
		{ "close a file", "DELETE", "/api/v1/shares/projects/open-files/smb-f1", { 0 }, 204, NULL },
		{ "close a file that is not open", "DELETE", "/api/v1/shares/projects/open-files/smb-f2", { 0 }, 404, "open file" },
		{ "close no file", "DELETE", "/api/v1/shares/projects/open-files", { 0 }, 405, "GET" },
		{ "a viewer closes nothing", "DELETE", "/api/v1/shares/projects/open-files/smb-f1", { .role = API_VIEWER }, 403, "operator" },
		{ "snapshots", "GET", "/api/v1/shares/projects/snapshots", { 0 }, 200, "before" },
		{ "take a snapshot", "POST", "/api/v1/shares/projects/snapshots", { .body = "{\"name\":\"now\"}" }, 201, "now" },
		{ "take one without a name", "POST", "/api/v1/shares/projects/snapshots", { .body = "{}" }, 201, "of the time" },
		{ "take one with a number", "POST", "/api/v1/shares/projects/snapshots", { .body = "{\"name\":7}" }, 422, "/name" },
		{ "take one with something else", "POST", "/api/v1/shares/projects/snapshots", { .body = "{\"nmae\":\"x\"}" }, 422, "name" },
		{ "delete a snapshot", "DELETE", "/api/v1/shares/projects/snapshots/before", { 0 }, 204, NULL },
		{ "delete none", "DELETE", "/api/v1/shares/projects/snapshots/after", { 0 }, 404, "snapshot" },
		{ "restore", "POST", "/api/v1/shares/projects/snapshots/before/restore", { 0 }, 204, NULL },
		{ "disks", "GET", "/api/v1/disks", { 0 }, 200, "sdb" },
		{ "format", "POST", "/api/v1/pools/format", { .body = "{\"name\":\"tank\",\"confirm\":\"tank\"}" }, 201, "tank" },
		{ "format unconfirmed", "POST", "/api/v1/pools/format", { .body = "{\"name\":\"tank\"}" }, 422, "/confirm" },
		{ "an operator formats nothing", "POST", "/api/v1/pools/format", { .role = API_OPERATOR, .body = "{}" }, 403, "admin" },
		{ "unlock a user", "POST", "/api/v1/users/alice/unlock", { 0 }, 204, NULL },
		{ "an operator unlocks nobody", "POST", "/api/v1/users/alice/unlock", { .role = API_OPERATOR }, 403, "admin" },
		{ "data of a share", "DELETE", "/api/v1/shares/s?data=perhaps", { .if_match = "*" }, 400, "keep or delete" },
		{ "close a session", "DELETE", "/api/v1/sessions/7", { 0 }, 204, NULL },
		{ "plugin", "GET", "/api/v1/plugins/ram", { 0 }, 200, "ram" },
		{ "no such plugin", "GET", "/api/v1/plugins/rom", { 0 }, 404, "rom" },
		{ "status", "GET", "/api/v1/status", { 0 }, 200, "version" },
		{ "metrics", "GET", "/metrics", { 0 }, 200, "holdfast_up 1" },
		{ "export", "GET", "/api/v1/config", { 0 }, 200, "pools" },
		{ "export with secrets", "GET", "/api/v1/config?secrets=true", { 0 }, 200, "sealed" },
		{ "import", "POST", "/api/v1/config?prune=true&dry_run=true", { .body = "{\"version\":1}" }, 200, "plan" },
		{ "what a copy would do", "POST", "/api/v1/imports?dry_run=true", { .body = "{\"name\":\"i\",\"source\":\"smb://nas/data\"}" }, 200, "plan" },
		{ "a copy begins", "POST", "/api/v1/imports", { .body = "{\"name\":\"i\",\"source\":\"smb://nas/data\"}" }, 201, "running" },
		{ "import of something else", "POST", "/api/v1/config", { .body = "{}" }, 422, "/version" },
		{ "description of the API", "GET", "/api/v1/openapi.yaml", { 0 }, 200, "openapi: 3.1" },
		{ "events as a list", "GET", "/api/v1/events", { 0 }, 200, "items" },
		{ "after is for the stream", "GET", "/api/v1/events?after=1", { 0 }, 400, "text/event-stream" },
		{ "task that is not there", "POST", "/api/v1/tasks/x/cancel", { 0 }, 404, "task" },
		{ "alerts", "GET", "/api/v1/alerts", { 0 }, 200, "the pool is gone" },
		{ "renew a certificate", "POST", "/api/v1/certificates/c1/renew", { 0 }, 202, "certificate.renew" },
		{ "renew none", "POST", "/api/v1/certificates/c2/renew", { 0 }, 404, "not-found" },
		{ "an operator renews nothing", "POST", "/api/v1/certificates/c1/renew", { .role = API_OPERATOR }, 403, "admin" },
		{ "revoke a certificate", "POST", "/api/v1/certificates/c1/revoke", { .body = "{\"reason\":\"superseded\"}" }, 202, "\"reason\":4" },
		{ "revoke without a reason", "POST", "/api/v1/certificates/c1/revoke", { .body = "{}" }, 202, "\"reason\":0" },
		{ "revoke for a strange reason", "POST", "/api/v1/certificates/c1/revoke", { .body = "{\"reason\":\"boredom\"}" }, 422, "/reason" },
		{ "revoke for a number", "POST", "/api/v1/certificates/c1/revoke", { .body = "{\"reason\":1}" }, 422, "/reason" },
		{ "revoke with something else", "POST", "/api/v1/certificates/c1/revoke", { .body = "{\"why\":1}" }, 422, "/why" },
		{ "register an account", "POST", "/api/v1/acme-accounts/le/register", { 0 }, 202, "register" },
		{ "another key", "POST", "/api/v1/acme-accounts/le/rollover", { 0 }, 202, "rollover" },
		{ "close an account", "POST", "/api/v1/acme-accounts/le/deactivate", { 0 }, 202, "deactivate" },
		{ "test a channel", "POST", "/api/v1/channels/mail/test", { 0 }, 200, "transcript" },
		{ "test none", "POST", "/api/v1/channels/x/test", { 0 }, 404, "not-found" },
		{ "a viewer sees no channels", "GET", "/api/v1/channels", { .role = API_VIEWER }, 403, "admin" },
		{ "chains are no filters", "GET", "/api/v1/certificates?chain_pem=x", { 0 }, 400, "chain_pem" },
		{ "a viewer does not acknowledge", "POST", "/api/v1/alerts/a1/acknowledge", { .role = API_VIEWER }, 403, "operator" },
		{ "acknowledge", "POST", "/api/v1/alerts/a1/acknowledge", { 0 }, 200, "\"acknowledged_by\":\"root\"" },
		{ "acknowledge what is over", "POST", "/api/v1/alerts/a2/acknowledge", { 0 }, 404, "no such alert" },
		{ "refused hosts", "GET", "/api/v1/refused", { 0 }, 200, "stranger" },
		{ "approve", "POST", "/api/v1/refused/r1/approve", { .body = "{\"host\":\"h\"}" }, 200, "\"name\":\"h\"" },
		{ "approve as a dry run", "POST", "/api/v1/refused/r1/approve?dry_run=true", { .body = "{}" }, 200, "\"dry_run\":true" },
		{ "approve with a typing error", "POST", "/api/v1/refused/r1/approve", { .body = "{\"hots\":\"h\"}" }, 422, "/hots" },
		{ "approve with a number", "POST", "/api/v1/refused/r1/approve", { .body = "{\"host\":7}" }, 422, "/host" },
		{ "dismiss", "DELETE", "/api/v1/refused/r1", { 0 }, 204, NULL },
		{ "dismiss what is gone", "DELETE", "/api/v1/refused/r2", { 0 }, 404, "refused host" },
		{ "serve", "POST", "/api/v1/serve", { .body = "{\"volume\":{\"name\":\"v\"}}" }, 201, "iscsiadm" },
		{ "serve as a dry run", "POST", "/api/v1/serve?dry_run=true", { .body = "{\"volume\":{\"name\":\"v\"}}" }, 200, "\"dry_run\":true" },
		{ "serve nothing", "POST", "/api/v1/serve", { .body = "{}" }, 422, "/volume" },
		{ "serve over the role", "POST", "/api/v1/serve", { .role = API_OPERATOR, .body = "{\"volume\":{},\"portal\":{}}" }, 403, "role admin" },
		{ "what to type", "GET", "/api/v1/targets/t1/connect?host=h", { 0 }, 200, "\"host\":\"h\"" },
		{ "what to type for no target", "GET", "/api/v1/targets/t2/connect", { 0 }, 404, "none called that" },
		{ "explain", "GET", "/api/v1/explain?host=h&volume=v1", { 0 }, 200, "\"visible\":false" },
		{ "explain what is not there", "GET", "/api/v1/explain?host=h&volume=v2", { 0 }, 404, "volume" },
		{ "explain nothing", "GET", "/api/v1/explain?host=h", { 0 }, 400, "who and what" },
		{ "explain both", "GET", "/api/v1/explain?host=h&volume=v1&share=docs", { 0 }, 400, "who and what" },
		{ "explain a user's volume", "GET", "/api/v1/explain?host=h&user=u&volume=v1", { 0 }, 400, "who and what" },
		{ "explain a share to nobody", "GET", "/api/v1/explain?share=docs", { 0 }, 400, "who and what" },
		{ "explain a share to a user", "GET", "/api/v1/explain?user=alice&share=docs", { 0 }, 200, "\"user\":\"alice\"" },
		{ "explain a share to a user somewhere", "GET", "/api/v1/explain?user=alice&host=h&share=docs", { 0 }, 200, "\"address\":\"h\"" },
		{ "explain a share that is not there", "GET", "/api/v1/explain?host=h&share=none", { 0 }, 404, "share" },
		{ "what to type for a share", "GET", "/api/v1/shares/docs/connect?user=alice", { 0 }, 200, "mount -t cifs" },
		{ "history", "GET", "/api/v1/history?object=server&from=100&to=200&points=7", { 0 }, 200, "\"from\":100,\"to\":200,\"step_s\":7" },
		{ "history of nothing", "GET", "/api/v1/history?object=moon/x", { 0 }, 422, "object" },
		{ "history before time", "GET", "/api/v1/history?from=-5", { 0 }, 400, "from" },
		{ "history of too many points", "GET", "/api/v1/history?points=100000", { 0 }, 400, "points" },
		{ "who is busiest", "GET", "/api/v1/top?kind=host&n=3", { 0 }, 200, "\"name\":\"host\",\"n\":3" },
		{ "who is oldest", "GET", "/api/v1/top?by=age", { 0 }, 422, "ops" },
		{ "undo", "POST", "/api/v1/changes/12/undo?dry_run=true", { 0 }, 200, "\"dry_run\":true,\"revision\":12" },
		{ "undo over the role", "POST", "/api/v1/changes/12/undo", { .role = API_OPERATOR }, 403, "admin" },
		{ "undo what changed since", "POST", "/api/v1/changes/9/undo", { 0 }, 412, "stale" },
		{ "undo a name", "POST", "/api/v1/changes/x/undo", { 0 }, 404, "revisions" },
		{ "addresses", "GET", "/api/v1/addresses", { 0 }, 200, "192.0.2.1" },
		{ "about", "GET", "/api/v1/about", { 0 }, 200, "SQLite" },
		{ "batch of nothing", "POST", "/api/v1/batch", { .body = "{\"changes\":[]}" }, 422, "/changes" },
		{ "batch of an unknown verb", "POST", "/api/v1/batch", { .body = "{\"changes\":[{\"verb\":\"x\",\"kind\":\"pool\"}]}" }, 422, "/changes/0/verb" },
		{ "batch over the role", "POST", "/api/v1/batch", { .role = API_OPERATOR, .body = "{\"changes\":[{\"verb\":\"create\",\"kind\":\"pool\",\"body\":{}}]}" }, 403, "/changes/0/kind" },
		{ "batch without a revision", "POST", "/api/v1/batch", { .body = "{\"changes\":[{\"verb\":\"delete\",\"kind\":\"pool\",\"id\":\"p1\"}]}" }, 428, "/changes/0/if_match" },
		{ "batch on the audit", "POST", "/api/v1/batch", { .body = "{\"changes\":[{\"verb\":\"delete\",\"kind\":\"audit\",\"id\":\"1\",\"if_match\":1}]}" }, 422, "/changes/0/kind" },
		{ "batch with a typing error", "POST", "/api/v1/batch", { .body = "{\"changes\":[{\"verb\":\"delete\",\"kind\":\"pool\",\"id\":\"p1\",\"if_match\":1,\"forse\":true}]}" }, 422, "unknown member" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct api_response rs;

		ask(cases[i].method, cases[i].target, &cases[i].x, &rs);
		if (rs.status != cases[i].status || (cases[i].holds && (!rs.body || !strstr(rs.body, cases[i].holds))) ||
		    (!cases[i].holds && rs.body))
			fail_msg("%s: status %d, body %s", cases[i].what, rs.status, rs.body ? rs.body : "(none)");
		if (rs.status >= 400 && (!rs.content_type || strcmp(rs.content_type, "application/problem+json") != 0))
			fail_msg("%s: a refusal of type %s", cases[i].what, rs.content_type);
		if (rs.status == 405 && !*header(&rs, "Allow"))
			fail_msg("%s: 405 without Allow", cases[i].what);
		if (rs.status == 401 && !*header(&rs, "WWW-Authenticate"))
			fail_msg("%s: 401 without a challenge", cases[i].what);
		api_response_done(&rs);
	}
}

static void test_event_stream(void **state)
{
	struct api_response rs;

	(void)state;
	ask("GET", "/api/v1/events", &(struct extra){ .accept = "text/event-stream" }, &rs);
	assert_int_equal(rs.status, 200);
	assert_true(rs.event_stream);
	assert_string_equal(rs.content_type, "text/event-stream");
	api_response_done(&rs);
}

static void test_changes_reach_control(void **state)
{
	struct api_response rs;

	(void)state;
	ask("PATCH", "/api/v1/volumes/v1", &(struct extra){ .body = "{\"comment\":\"hello\"}", .if_match = "\"1\"" }, &rs);
	assert_int_equal(rs.status, 200);
	assert_string_equal(header(&rs, "ETag"), "\"2\"");
	assert_int_equal(fake_control_last.if_match, 1);
	api_response_done(&rs);
	ask("DELETE", "/api/v1/volumes/v1?force=true&keep_data=true", &(struct extra){ .if_match = "\"2\"" }, &rs);
	assert_int_equal(rs.status, 204);
	assert_true(fake_control_last.force && fake_control_last.keep_data);
	api_response_done(&rs);
	ask("GET", "/api/v1/volumes/v1", &(struct extra){ 0 }, &rs);
	assert_int_equal(rs.status, 404);
	api_response_done(&rs);
}

static void test_pages(void **state)
{
	char target[128] = "/api/v1/volumes?limit=3";
	unsigned seen = 0, pages = 0;

	(void)state;
	for (int i = 0; i < 9; i++) {
		struct api_response rs;
		char body[96];

		snprintf(body, sizeof(body), "{\"name\":\"more%d\",\"size_bytes\":512}", i);
		ask("POST", "/api/v1/volumes", &(struct extra){ .body = body }, &rs);
		assert_int_equal(rs.status, 201);
		api_response_done(&rs);
	}
	for (bool more = true; more;) {
		struct api_response rs;
		json_t *page, *next;

		ask("GET", target, &(struct extra){ 0 }, &rs);
		assert_int_equal(rs.status, 200);
		page = json_loads(rs.body, 0, NULL);
		seen += (unsigned)json_array_size(json_object_get(page, "items"));
		pages++;
		next = json_object_get(page, "next");
		more = json_is_string(next);
		if (more)
			snprintf(target, sizeof(target), "/api/v1/volumes?limit=3&cursor=%s", json_string_value(next));
		json_decref(page);
		api_response_done(&rs);
	}
	assert_int_equal(seen, 10);
	assert_int_equal(pages, 4);
}

static void test_batch_is_all_or_none(void **state)
{
	struct api_response rs;
	unsigned before = fake_control_changes;

	(void)state;
	ask("POST", "/api/v1/batch",
	    &(struct extra){ .body = "{\"changes\":[{\"verb\":\"create\",\"kind\":\"volume\",\"body\":{\"name\":\"b1\",\"size_bytes\":512}},"
				     "{\"verb\":\"create\",\"kind\":\"volume\",\"body\":{\"name\":\"v1\",\"size_bytes\":512}}]}" },
	    &rs);
	assert_int_equal(rs.status, 409);
	assert_non_null(strstr(rs.body, "\"pointer\":\"/changes/1/body/name\""));
	api_response_done(&rs);
	assert_int_equal(fake_control_changes, before);
	ask("POST", "/api/v1/batch",
	    &(struct extra){ .body = "{\"changes\":[{\"verb\":\"create\",\"kind\":\"volume\",\"body\":{\"name\":\"b1\",\"size_bytes\":512}},"
				     "{\"verb\":\"update\",\"kind\":\"volumes\",\"id\":\"b1\",\"if_match\":1,\"body\":{\"comment\":\"x\"}}]}" },
	    &rs);
	assert_int_equal(rs.status, 200);
	assert_int_equal(fake_control_changes, before + 2);
	api_response_done(&rs);
}

static void test_errors_of_control(void **state)
{
	static const struct {
		const char *what;
		int code;
		const char *field;
		int status;
		const char *holds;
	} cases[] = {
		{ "in use", -EBUSY, "", 409, "problem:in-use" },
		{ "disk full", -ENOSPC, "", 507, "problem:no-space" },
		{ "read-only", -EROFS, "", 503, "problem:read-only" },
		{ "broken database", -EUCLEAN, "", 503, "problem:database" },
		{ "locked", -EAGAIN, "", 503, "problem:busy" },
		{ "bad value", -EINVAL, "options.mode", 422, "/options/mode" },
		{ "reference to nothing", -ENOENT, "pool", 422, "\"pointer\":\"/pool\"" },
		{ "element of a list", -EINVAL, "iqns/1", 422, "\"pointer\":\"/iqns/1\"" },
		{ "pointer with a tilde", -EINVAL, "a~b/c", 422, "/a~0b/c" },
		{ "unknown front end", -EOPNOTSUPP, "protocol", 501, "problem:unsupported" },
		{ "an errno nobody thought of", -EXDEV, "", 500, "problem:internal" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct api_response rs;

		fake_control_fail(cases[i].code, cases[i].field, "Because.");
		ask("POST", "/api/v1/volumes", &(struct extra){ .body = "{\"name\":\"x\",\"size_bytes\":512}" }, &rs);
		if (rs.status != cases[i].status || !strstr(rs.body, cases[i].holds) || !strstr(rs.body, "Because."))
			fail_msg("%s: status %d, body %s", cases[i].what, rs.status, rs.body);
		api_response_done(&rs);
	}
}

static void test_repeated_post(void **state)
{
	const struct extra first = { .body = "{\"name\":\"once\",\"size_bytes\":512}", .key = "k1" };
	const struct extra other = { .body = "{\"name\":\"twice\",\"size_bytes\":512}", .key = "k1" };
	unsigned before = fake_control_changes;
	struct api_response a, b;

	(void)state;
	ask("POST", "/api/v1/volumes", &first, &a);
	ask("POST", "/api/v1/volumes", &first, &b);
	assert_int_equal(a.status, 201);
	assert_int_equal(b.status, 201);
	assert_string_equal(a.body, b.body);
	assert_string_equal(header(&a, "Location"), header(&b, "Location"));
	assert_int_equal(fake_control_changes, before + 1);
	api_response_done(&a);
	api_response_done(&b);
	ask("POST", "/api/v1/volumes", &other, &b);
	assert_int_equal(b.status, 422);
	assert_non_null(strstr(b.body, "idempotency-key-reused"));
	api_response_done(&b);
	/* What was refused may be tried again. */
	fake_control_fail(-ENOSPC, "", "Full.");
	ask("POST", "/api/v1/volumes", &(struct extra){ .body = "{\"name\":\"later\",\"size_bytes\":512}", .key = "k2" }, &b);
	assert_int_equal(b.status, 507);
	api_response_done(&b);
	ask("POST", "/api/v1/volumes", &(struct extra){ .body = "{\"name\":\"later\",\"size_bytes\":512}", .key = "k2" }, &b);
	assert_int_equal(b.status, 201);
	api_response_done(&b);
	/* The memory is bounded: after many keys the first is forgotten, and its name is taken. */
	for (int i = 0; i < 600; i++) {
		char key[16];

		snprintf(key, sizeof(key), "n%d", i);
		ask("POST", "/api/v1/volumes?dry_run=true",
		    &(struct extra){ .body = "{\"name\":\"any\",\"size_bytes\":512}", .key = key }, &b);
		assert_int_equal(b.status, 200);
		api_response_done(&b);
	}
	ask("POST", "/api/v1/volumes", &first, &b);
	assert_int_equal(b.status, 409);
	api_response_done(&b);
}

static void test_body_bounds(void **state)
{
	char *deep = malloc(40001);
	struct api_request rq = { .method = "POST", .target = "/api/v1/pools", .role = API_ADMIN,
				  .content_type = "application/json", .body = (uint8_t *)deep, .body_len = 40000 };
	struct api_response rs;

	(void)state;
	memset(deep, '[', 40000);
	deep[40000] = '\0';
	api_handle(&rq, &rs);
	assert_int_equal(rs.status, 400);
	assert_non_null(strstr(rs.body, "nested deeper"));
	api_response_done(&rs);
	rq.body_len = API_BODY_MAX + 1;          /* refused before a byte of it is read */
	api_handle(&rq, &rs);
	assert_int_equal(rs.status, 413);
	api_response_done(&rs);
	free(deep);
}

static void test_media_types(void **state)
{
	static const struct {
		const char *accept, *type;
		bool ok;
	} accepts[] = {
		{ NULL, "application/json", true },
		{ "", "application/json", true },
		{ "*/*", "application/json", true },
		{ "application/*", "application/json", true },
		{ "text/*", "application/json", false },
		{ "application/json;q=0", "application/json", false },
		{ "application/json;q=0.0", "application/json", false },
		{ "application/json;q=0.001", "application/json", true },
		{ "*/*;q=0, application/json", "application/json", true },
		{ "APPLICATION/JSON", "application/json", true },
		{ "text/html;a=\"x,y\", application/json", "application/json", true },
		{ ",,,", "application/json", false },
		{ "application/jsonx", "application/json", false },
	};
	static const struct {
		const char *given;
		bool ok;
	} types[] = {
		{ "application/json", true }, { "Application/JSON", true }, { "application/json; charset=utf-8", true },
		{ "application/json;charset=\"UTF-8\"", true }, { "application/json; charset=utf-16", false },
		{ "application/json5", false }, { "text/json", false }, { NULL, false }, { "", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(accepts); i++)
		if (api_accepts(accepts[i].accept, accepts[i].type) != accepts[i].ok)
			fail_msg("Accept: %s", accepts[i].accept);
	for (size_t i = 0; i < ARRAY_COUNT(types); i++)
		if (api_type_is(types[i].given, "application/json") != types[i].ok)
			fail_msg("Content-Type: %s", types[i].given);
	assert_true(api_accept_names("text/event-stream", "text/event-stream"));
	assert_false(api_accept_names("*/*", "text/event-stream"));
}

/* Every allocation of JSON fails once: always an answer, never a half one. */
static unsigned allocations_left;

static void *failing_malloc(size_t len)
{
	if (allocations_left == 0)
		return NULL;
	allocations_left--;
	return malloc(len);
}

static void test_no_memory_is_an_answer(void **state)
{
	static const struct {
		const char *method, *target;
		struct extra x;
	} cases[] = {
		{ "GET", "/api/v1/volumes?limit=1", { 0 } },
		{ "GET", "/api/v1/volumes/v1", { 0 } },
		{ "GET", "/api/v1/nothing", { 0 } },
		{ "GET", "/api/v1/sessions/8", { 0 } },
		{ "POST", "/api/v1/volumes?dry_run=1", { .body = "{\"name\":\"x\",\"size_bytes\":512}" } },
		{ "PATCH", "/api/v1/volumes/v1?dry_run=1", { .body = "{\"comment\":\"x\"}", .if_match = "*" } },
		{ "POST", "/api/v1/batch", { .body = "{\"changes\":[{\"verb\":\"delete\",\"kind\":\"pool\",\"id\":\"p1\"}]}" } },
		{ "POST", "/api/v1/volumes", { .body = "{\"name\":\"x\"}" } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		bool was_enough = false;

		for (unsigned n = 0; n < 2000 && !was_enough; n++) {
			struct api_response rs;

			json_set_alloc_funcs(failing_malloc, free);
			allocations_left = n;
			ask(cases[i].method, cases[i].target, &cases[i].x, &rs);
			was_enough = allocations_left > 0;
			json_set_alloc_funcs(malloc, free);
			if (rs.status < 200 || rs.status > 599 || !rs.body || rs.body[rs.body_len - 1] != '}')
				fail_msg("%s %s with %u allocations: %d %s", cases[i].method, cases[i].target, n, rs.status,
					 rs.body ? rs.body : "(none)");
			api_response_done(&rs);
		}
		assert_true(was_enough);
	}
}

static bool is_one_of(const char *text, const char *const *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(list[i], text) == 0)
			return true;
	return false;
}

static void test_table_is_sound(void **state)
{
	/* Anybody may ask for these; everybody may change these, which are the caller's own. */
	static const char *const open_to_all[] = { "/healthz", "/api/v1/setup", "/api/v1/login" };
	static const char *const of_the_caller[] = {
		"/api/v1/setup", "/api/v1/login", "/api/v1/logout", "/api/v1/me/confirm", "/api/v1/me/password", "/api/v1/me/totp",
		"/api/v1/me/totp/confirm", "/api/v1/me/recovery-codes", "/api/v1/logins/{id}",
	};
	json_t *rows;
	char *text = api_describe();

	(void)state;
	rows = json_loads(text, 0, NULL);
	assert_int_equal(json_array_size(rows), api_route_count);
	json_decref(rows);
	free(text);
	for (size_t i = 0; i < api_route_count; i++) {
		const struct api_route *a = &api_routes[i];

		if ((a->query & Q_FILTER) && a->kind == NO_KIND)
			fail_msg("%s %s filters without a kind", a->method, a->pattern);
		if (a->role == API_NOBODY && !is_one_of(a->pattern, open_to_all, ARRAY_COUNT(open_to_all)))
			fail_msg("%s %s is open to everybody", a->method, a->pattern);
		if (a->role <= API_VIEWER && strcmp(a->method, "GET") != 0 && !is_one_of(a->pattern, of_the_caller, ARRAY_COUNT(of_the_caller)))
			fail_msg("%s %s changes things for a viewer", a->method, a->pattern);
		for (size_t k = i + 1; k < api_route_count; k++)
			if (strcmp(a->method, api_routes[k].method) == 0 && strcmp(a->pattern, api_routes[k].pattern) == 0)
				fail_msg("%s %s is there twice", a->method, a->pattern);
	}
}

/* docs/openapi.yaml lists every type of problem, and no other. */
static void test_problems_are_described(void **state)
{
	struct api_response rs;
	unsigned listed = 0;

	(void)state;
	ask("GET", "/api/v1/openapi.yaml", &(struct extra){ 0 }, &rs);
	assert_int_equal(rs.status, 200);
	for (const char *p = rs.body; (p = strstr(p, PROBLEM_URN)); p++)
		listed++;
	assert_int_equal(listed, PROBLEMS);
	for (int p = 0; p < PROBLEMS; p++) {
		char type[96];
		const char *at;

		if (!api_problems[p].name || api_problems[p].status < 400)
			fail_msg("problem %d has no row", p);
		snprintf(type, sizeof(type), PROBLEM_URN "%s", api_problems[p].name);
		at = strstr(rs.body, type);
		if (!at || !strchr(", '\n]", at[strlen(type)]))
			fail_msg("%s is not described", type);
	}
	api_response_done(&rs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_conversations, setup, teardown),
		cmocka_unit_test_setup_teardown(test_event_stream, setup, teardown),
		cmocka_unit_test_setup_teardown(test_changes_reach_control, setup, teardown),
		cmocka_unit_test_setup_teardown(test_pages, setup, teardown),
		cmocka_unit_test_setup_teardown(test_batch_is_all_or_none, setup, teardown),
		cmocka_unit_test_setup_teardown(test_errors_of_control, setup, teardown),
		cmocka_unit_test_setup_teardown(test_repeated_post, setup, teardown),
		cmocka_unit_test_setup_teardown(test_body_bounds, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_memory_is_an_answer, setup, teardown),
		cmocka_unit_test(test_media_types),
		cmocka_unit_test(test_table_is_sound),
		cmocka_unit_test(test_problems_are_described),
	};

	return cmocka_run_group_tests_name("api", tests, NULL, NULL);
}
