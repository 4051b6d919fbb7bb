/* SPDX-License-Identifier: GPL-3.0-or-later */
/* login.c - setting up the first account, logging in and out, the caller's own account, signed-in browsers. */
#include <config.h>

#include "api/api_priv.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define COOKIE_TAIL "; Path=/; Secure; HttpOnly; SameSite=Strict"

const struct auth_caller *call_caller(const struct api_call *c)
{
	static const struct auth_caller nobody = { .actor = "nobody", .source = "?" };

	return c->rq->caller ? c->rq->caller : &nobody;
}

/* A text member of the body; false with the problem filled in.  Optional ones become NULL. */
static bool body_text(struct api_call *c, const char *member, bool required, const char **ret)
{
	const json_t *v = json_object_get(c->body, member);
	struct config_error e = { .code = -EINVAL };

	*ret = json_string_value(v);
	if ((*ret && (**ret || !required) && strlen(*ret) == json_string_length(v)) || (!required && (!v || json_is_null(v))))
		return true;
	snprintf(e.field, sizeof(e.field), "%s", member);
	snprintf(e.why, sizeof(e.why), "%s must be a text%s", member, required ? ", and is required" : "");
	answer_error(c->rs, &e, "");
	return false;
}

/* No member but these (NULL ends the list). */
static bool body_has_only(struct api_call *c, const char *const *names)
{
	const char *key;
	json_t *value;

	json_object_foreach(c->body, key, value) {
		struct config_error e = { .code = -EINVAL };
		size_t i = 0;

		while (names[i] && strcmp(names[i], key) != 0)
			i++;
		if (names[i])
			continue;
		snprintf(e.field, sizeof(e.field), "%s", key);
		snprintf(e.why, sizeof(e.why), "there is no member called \"%.40s\" here", key);
		answer_error(c->rs, &e, "");
		return false;
	}
	return true;
}

static void time_text(int64_t unix_s, char out[32])
{
	time_t t = (time_t)unix_s;
	struct tm tm;

	gmtime_r(&t, &tm);
	strftime(out, 32, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

/* Everything but AUTH_DONE. */
static void answer_refusal(struct api_call *c, enum auth_result r, const struct auth_session *s)
{
	switch (r) {
	case AUTH_NEEDS_TOTP:
		answer_problem(c->rs, PROBLEM_TOTP_REQUIRED, "Send the six digits that the app shows as totp, or one of the recovery codes as recovery_code.");
		break;
	case AUTH_WAIT:
		answer_problem(c->rs, PROBLEM_TOO_MANY, "Too many attempts; wait %u second%s.", s->retry_after_s, s->retry_after_s == 1 ? "" : "s");
		answer_header(c->rs, "Retry-After", "%u", s->retry_after_s);
		break;
	case AUTH_FAILED:
		answer_error(c->rs, &s->error, "");
		break;
	default:
		answer_problem(c->rs, PROBLEM_LOGIN_FAILED, "The name, the password or the code is not right.");
		break;
	}
}

static void answer_login(struct api_call *c, int status, struct auth_session *s)
{
	char expires[32];

	time_text(s->expires_at_s, expires);
	answer_json(c->rs, status, json_pack("{s:O, s:s}", "account", s->account, "expires_at", expires));
	answer_header(c->rs, "Set-Cookie", "__Host-sid=%s" COOKIE_TAIL, s->cookie);
	json_decref(s->account);
	explicit_bzero(s->cookie, sizeof(s->cookie));
}

/* A cookie is of no use on the local socket, where nobody checks it. */
static bool is_over_https(struct api_call *c)
{
	if (call_caller(c)->via != AUTH_VIA_SOCKET && call_caller(c)->via != AUTH_VIA_TOKEN)
		return true;
	answer_problem(c->rs, PROBLEM_FORBIDDEN, "This is for browsers over HTTPS; you are known already.");
	return false;
}

/* ---- the first account ------------------------------------------------------------------------------------------ */
void api_do_setup_get(struct api_call *c)
{
	bool needed = auth_setup_is_needed();
	int64_t until = needed ? auth_setup_expires_at_s() : 0;
	char name[256], fingerprint[96] = "", expires[32];

	control_setting_text("server_name", name, sizeof(name));
	if (needed)
		auth_setup_fingerprint(fingerprint);
	time_text(until, expires);
	answer_json(c->rs, 200, json_pack("{s:b, s:s, s:s?, s:s?, s:s?}", "needed", needed, "server_name", name, "version", needed ? PACKAGE_VERSION : NULL,
					  "fingerprint_sha256", *fingerprint ? fingerprint : NULL, "expires_at", until ? expires : NULL));
}

/* Makes the account; false with the problem filled in. */
static bool make_first(struct api_call *c, const char *name, const char *password)
{
	struct control_result r = { 0 };
	struct control_change ch = { .verb = CONTROL_CREATE, .kind = MODEL_ACCOUNT,
				     .actor = { .name = "setup", .source = call_caller(c)->source } };
	char *hash = NULL;
	int code = auth_password_hash(password, &hash);
	json_t *body = code ? NULL : json_pack("{s:s, s:s, s:s}", "name", name, "role", "admin", "password", hash);

	free(hash);
	if (!body) {
		answer_problem(c->rs, PROBLEM_BUSY, "The password cannot be hashed now; try again.");
		return false;
	}
	ch.body = body;
	code = control_change(&ch, &r);
	if (code < 0) {
		if (!r.error.code)
			r.error.code = code;
		answer_error(c->rs, &r.error, "");
	}
	control_result_done(&r);
	json_decref(body);
	return code == 0;
}

void api_do_setup_post(struct api_call *c)
{
	static const char *const names[] = { "code", "name", "password", NULL };
	static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;
	struct auth_session s = { .cookie = "" };
	struct config_error e = { .code = -EINVAL, .field = "password" };
	const char *code, *name, *password;
	unsigned left = 0;
	bool made;
	int r;

	if (!is_over_https(c) || !body_has_only(c, names) || !body_text(c, "code", true, &code) || !body_text(c, "name", true, &name) ||
	    !body_text(c, "password", true, &password))
		return;
	if (auth_password_check(name, password, e.why, sizeof(e.why))) {
		answer_error(c->rs, &e, "");
		return;
	}
	pthread_mutex_lock(&one_at_a_time);
	r = auth_setup_try(code, call_caller(c), &left, &s.retry_after_s);
	made = r == 0 && make_first(c, name, password);
	if (made)
		auth_setup_done();
	pthread_mutex_unlock(&one_at_a_time);
	if (r == -EAGAIN)
		answer_refusal(c, AUTH_WAIT, &s);
	else if (r == -EALREADY)
		answer_problem(c->rs, PROBLEM_CONFLICT, "This server has accounts already; log in.");
	else if (r == -ETIMEDOUT)
		answer_problem(c->rs, PROBLEM_WRONG_CODE, "No code is valid any more; make a new one on the machine: holdfast setup-code");
	else if (r == -EACCES)
		answer_problem(c->rs, PROBLEM_WRONG_CODE, "This is not the code that the server printed; %u attempt%s left.", left, left == 1 ? " is" : "s are");
	else if (r)
		answer_problem(c->rs, PROBLEM_INTERNAL, "The code cannot be checked.");
	if (!made)
		return;
	r = (int)auth_login(&(struct auth_attempt){ .name = name, .password = password }, call_caller(c), &s);
	if (r == AUTH_DONE)
		answer_login(c, 201, &s);
	else
		answer_refusal(c, (enum auth_result)r, &s);
}

void api_do_setup_code(struct api_call *c)
{
	char code[40], fingerprint[96] = "", expires[32];
	int64_t until = 0;
	int r;

	if (call_caller(c)->via != AUTH_VIA_SOCKET) {
		answer_problem(c->rs, PROBLEM_FORBIDDEN, "Setup codes are made on the machine itself: holdfast setup-code");
		return;
	}
	r = auth_setup_code(code, &until, fingerprint);
	if (r == -EALREADY) {
		answer_problem(c->rs, PROBLEM_CONFLICT, "There are accounts already; for a lost password: holdfast account passwd NAME --password-file FILE");
		return;
	}
	if (r) {
		answer_problem(c->rs, PROBLEM_INTERNAL, "No code can be made.");
		return;
	}
	time_text(until, expires);
	answer_json(c->rs, 200, json_pack("{s:s, s:s, s:s}", "code", code, "expires_at", expires, "fingerprint_sha256", fingerprint));
	explicit_bzero(code, sizeof(code));
}

/* ---- in and out --------------------------------------------------------------------------------------------------- */
static bool body_attempt(struct api_call *c, struct auth_attempt *a)
{
	return body_text(c, "password", true, &a->password) && body_text(c, "totp", false, &a->totp) &&
	       body_text(c, "recovery_code", false, &a->recovery_code);
}

void api_do_login(struct api_call *c)
{
	static const char *const names[] = { "name", "password", "totp", "recovery_code", NULL };
	struct auth_session s = { .cookie = "" };
	struct auth_attempt a = { .name = NULL };
	enum auth_result r;

	if (!is_over_https(c) || !body_has_only(c, names) || !body_text(c, "name", true, &a.name) || !body_attempt(c, &a))
		return;
	r = auth_login(&a, call_caller(c), &s);
	if (r == AUTH_DONE)
		answer_login(c, 200, &s);
	else
		answer_refusal(c, r, &s);
}

/* Is the caller an account in a browser?  Others have no login to speak of. */
static bool is_browser(struct api_call *c)
{
	if (call_caller(c)->via == AUTH_VIA_COOKIE)
		return true;
	answer_problem(c->rs, PROBLEM_FORBIDDEN, "This is about the account that is logged in by the page; there is none here.");
	return false;
}

void api_do_logout(struct api_call *c)
{
	struct config_error e = { 0 };

	if (!is_browser(c))
		return;
	if (auth_logout(call_caller(c), &e) && e.code != -ENOENT) {
		answer_error(c->rs, &e, "");
		return;
	}
	answer_empty(c->rs, 204);
	answer_header(c->rs, "Set-Cookie", "__Host-sid=; Max-Age=0" COOKIE_TAIL);
}

void api_do_me(struct api_call *c)
{
	answer_json(c->rs, 200, auth_me(call_caller(c)));
}

void api_do_me_confirm(struct api_call *c)
{
	static const char *const names[] = { "password", "totp", "recovery_code", NULL };
	struct auth_session s = { .cookie = "" };
	struct auth_attempt a = { .name = call_caller(c)->account };
	enum auth_result r;
	char until[32];

	if (!is_browser(c) || !body_has_only(c, names) || !body_attempt(c, &a))
		return;
	r = auth_confirm(&a, call_caller(c), &s);
	if (r != AUTH_DONE) {
		answer_refusal(c, r, &s);
		return;
	}
	time_text(s.expires_at_s, until);
	answer_json(c->rs, 200, json_pack("{s:s}", "confirmed_until", until));
}

void api_do_me_password(struct api_call *c)
{
	static const char *const names[] = { "current", "new", NULL };
	struct auth_session s = { .cookie = "" };
	const char *current, *new;
	enum auth_result r;

	if (!is_browser(c) || !body_has_only(c, names) || !body_text(c, "current", true, &current) || !body_text(c, "new", true, &new))
		return;
	r = auth_password_change(current, new, call_caller(c), &s);
	if (r == AUTH_DONE)
		answer_empty(c->rs, 204);
	else
		answer_refusal(c, r, &s);
}

/* ---- the second factor ---------------------------------------------------------------------------------------------- */
void api_do_me_totp_begin(struct api_call *c)
{
	json_t *j;

	if (!is_browser(c))
		return;
	j = auth_totp_begin(call_caller(c));
	if (j)
		answer_json(c->rs, 200, j);
	else
		answer_problem(c->rs, PROBLEM_BUSY, "No secret can be made now.");
}

void api_do_me_totp_confirm(struct api_call *c)
{
	static const char *const names[] = { "code", NULL };
	struct config_error e = { 0 };
	const char *code;
	json_t *codes;

	if (!is_browser(c) || !body_has_only(c, names) || !body_text(c, "code", true, &code))
		return;
	if (auth_totp_confirm(code, call_caller(c), &codes, &e)) {
		if (e.code == -ENOENT)
			e.code = -ECANCELED; /* a conflict: nothing was begun */
		answer_error(c->rs, &e, "");
	} else {
		answer_json(c->rs, 200, json_pack("{s:o}", "recovery_codes", codes));
	}
}

void api_do_me_totp_remove(struct api_call *c)
{
	struct config_error e = { 0 };

	if (!is_browser(c))
		return;
	if (auth_totp_remove(call_caller(c)->account_id, call_caller(c), &e))
		answer_error(c->rs, &e, "");
	else
		answer_empty(c->rs, 204);
}

void api_do_me_recovery(struct api_call *c)
{
	struct config_error e = { 0 };
	json_t *codes;

	if (!is_browser(c))
		return;
	if (auth_recovery_codes(call_caller(c), &codes, &e))
		answer_error(c->rs, &e, "");
	else
		answer_json(c->rs, 200, json_pack("{s:o}", "recovery_codes", codes));
}

/* ---- signed-in browsers ------------------------------------------------------------------------------------------------ */
static const char *whose(const struct api_call *c)
{
	return c->rq->role == API_ADMIN ? NULL : call_caller(c)->account_id;
}

void api_do_login_list(struct api_call *c)
{
	answer_json(c->rs, 200, json_pack("{s:o, s:n}", "items", auth_logins(whose(c), call_caller(c)->login_id), "next"));
}

void api_do_login_end(struct api_call *c)
{
	struct config_error e = { 0 };

	if (auth_login_end(c->id, whose(c), call_caller(c), &e))
		answer_error(c->rs, &e, "");
	else
		answer_empty(c->rs, 204);
}
