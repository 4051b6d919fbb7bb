/* SPDX-License-Identifier: GPL-3.0-or-later */
/* account.c - the verbs about who may administer: setup code, tokens, second factor, signed-in browsers. */
#include "cli/cli_priv.h"

#include <string.h>

static const char *member(const json_t *o, const char *name)
{
	const char *s = json_string_value(json_object_get(o, name));

	return s ? s : "?";
}

int run_setup_code(struct cli *c)
{
	struct reply r = { 0 };
	int code;

	if (c->dry_run)
		return usage_error(c, "a setup code has no dry run.");
	code = client_do(c, "POST", "/api/v1/setup/code", NULL, NULL, &r);
	if (code == CLI_DONE && c->output == OUT_TABLE)
		printf("Setup code    %s\nGood until    %s\nCertificate   SHA-256 %s\n\nOpen the page of this server (https, port 8443 unless changed), compare the certificate's\n"
		       "fingerprint, and give the code there to make the first account.\n",
		       member(r.json, "code"), member(r.json, "expires_at"), member(r.json, "fingerprint_sha256"));
	else if (code == CLI_DONE && c->output == OUT_NAME)
		puts(member(r.json, "code"));
	else if (code == CLI_DONE)
		print_json(r.json);
	reply_done(&r);
	return code;
}

int run_totp_reset(struct cli *c)
{
	_cleanup_(freep) char *one = path_join("/api/v1/accounts", c->arg[0]), *path = text_format("%s/totp-reset", one);
	struct reply r = { 0 };
	int code;

	if (c->dry_run)
		return usage_error(c, "taking the second factor away has no dry run.");
	code = client_do(c, "POST", path, NULL, NULL, &r);
	if (code == CLI_DONE)
		say_done(c, NULL, "account \"%s\" logs in by its password alone now", c->arg[0]);
	reply_done(&r);
	return code;
}

int run_token_create(struct cli *c)
{
	_cleanup_(freep) char *query = args_query(c), *path = text_format("/api/v1/tokens%s", query);
	json_t *body = json_object();
	struct reply r = { 0 };
	int code = args_body(c, body);

	json_object_set_new(body, "name", json_string(c->arg[0]));
	if (code == CLI_DONE && !json_object_get(body, "name"))
		code = usage_error(c, "the name is not UTF-8 text.");
	if (code == CLI_DONE)
		code = client_do(c, "POST", path, body, NULL, &r);
	if (code == CLI_DONE && !say_dry_run(c, &r)) {
		if (c->output == OUT_JSON)
			print_json(r.json);
		else
			printf("%s\n", member(r.json, "token"));
		if (c->output == OUT_TABLE)
			fputs("Keep it: it is shown this once.  Send it as: Authorization: Bearer TOKEN\n", stderr);
	}
	reply_done(&r);
	json_decref(body);
	return code;
}

int run_login_end(struct cli *c)
{
	_cleanup_(freep) char *path = path_join("/api/v1/logins", c->arg[0]);
	struct reply r = { 0 };
	int code;

	if (c->dry_run)
		return usage_error(c, "signing a browser out has no dry run.");
	code = client_do(c, "DELETE", path, NULL, NULL, &r);
	if (code == CLI_DONE)
		say_done(c, NULL, "login %s is signed out", c->arg[0]);
	reply_done(&r);
	return code;
}
