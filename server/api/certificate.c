/* SPDX-License-Identifier: GPL-3.0-or-later */
/* certificate.c - what can be done with certificates, accounts at authorities and channels beside the five
 * that every kind of object has. */
#include "api/api_priv.h"

#include <string.h>

void api_do_certificate_activate(struct api_call *c)
{
	json_t *body = json_pack("{s:b}", "active", 1);
	struct control_change ch = { .verb = CONTROL_UPDATE, .kind = MODEL_CERTIFICATE, .id = c->id, .body = body, .actor = call_actor(c) };
	struct control_result r = { 0 };

	if (call_flag(c, "dry_run", &ch.dry_run)) {
		if (control_change(&ch, &r) < 0)
			answer_error(c->rs, &r.error, "");
		else if (ch.dry_run)
			answer_json(c->rs, 200, json_pack("{s:O?, s:O?}", "object", r.object, "plan", r.plan));
		else
			answer_json(c->rs, 200, json_incref(r.object));
		control_result_done(&r);
	}
	json_decref(body);
}

static void answer_task(struct api_call *c, int status, json_t *task, const struct config_error *e)
{
	const char *id = json_string_value(json_object_get(task, "id"));

	if (status < 0) {
		answer_error(c->rs, e, "");
		return;
	}
	if (id)
		answer_header(c->rs, "Location", "/api/v1/tasks/%s", id);
	answer_json(c->rs, 202, task);
}

void api_do_certificate_renew(struct api_call *c)
{
	struct config_error e = { 0 };
	json_t *task = NULL;

	int r = control_certificate_renew(c->id, &task, &e);
	answer_task(c, r, task, &e);
}

/* RFC 5280 5.3.1, those that make sense for a server. */
static const struct {
	const char *name;
	unsigned code;
} reasons[] = { { "unspecified", 0 }, { "key-compromise", 1 }, { "affiliation-changed", 3 }, { "superseded", 4 }, { "cessation-of-operation", 5 } };

void api_do_certificate_revoke(struct api_call *c)
{
	json_t *given = json_object_get(c->body, "reason"), *v;
	const char *reason = given ? json_string_value(given) : "unspecified", *name;
	struct config_error e = { 0 };
	json_t *task = NULL;

	json_object_foreach(c->body, name, v)
		if (strcmp(name, "reason") != 0) {
			config_fail(&e, -EINVAL, name, "a revocation has no member called \"%.40s\"", name);
			answer_error(c->rs, &e, "");
			return;
		}
	for (size_t i = 0; reason && i < ARRAY_COUNT(reasons); i++)
		if (strcmp(reason, reasons[i].name) == 0) {
			int r = control_certificate_revoke(c->id, reasons[i].code, &task, &e);
			answer_task(c, r, task, &e);
			return;
		}
	config_fail(&e, -EINVAL, "reason", "reason is one of unspecified, key-compromise, affiliation-changed, superseded, cessation-of-operation");
	answer_error(c->rs, &e, "");
}

static void account_do(struct api_call *c, enum control_account_action what)
{
	struct config_error e = { 0 };
	json_t *task = NULL;

	int r = control_account_do(what, c->id, &task, &e);
	answer_task(c, r, task, &e);
}

void api_do_acme_account_register(struct api_call *c)
{
	account_do(c, CONTROL_ACCOUNT_REGISTER);
}

void api_do_acme_account_rollover(struct api_call *c)
{
	account_do(c, CONTROL_ACCOUNT_ROLLOVER);
}

void api_do_acme_account_deactivate(struct api_call *c)
{
	account_do(c, CONTROL_ACCOUNT_DEACTIVATE);
}

void api_do_channel_test(struct api_call *c)
{
	struct config_error e = { 0 };
	json_t *result = NULL;

	if (control_channel_test(c->id, &result, &e) < 0)
		answer_error(c->rs, &e, "");
	else
		answer_json(c->rs, 200, result);
}
