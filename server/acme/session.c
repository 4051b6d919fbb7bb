/* SPDX-License-Identifier: GPL-3.0-or-later */
/* session.c - one conversation with an authority: directory, nonces, signed requests, what went wrong.
 * RFC 8555 6 and 7.1.1.  Every answer is taken for hostile: bounded, typed, over https only. */
#include "acme/acme_priv.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define CONVERSATION_MS (20u * 60u * 1000u)
#define TRIES 12                         /* of one request, when nonces are refused or the authority is busy */
#define PATIENCE_S 60u                   /* a longer Retry-After is for the next attempt */
#define ANSWER_MAX ((size_t)256 << 10)

LOG_TOPIC(acme);

static const struct {
	const char *name, *url, *staging;
} directories[] = {
	{ "letsencrypt", "https://acme-v02.api.letsencrypt.org/directory", "letsencrypt-staging" },
	{ "letsencrypt-staging", "https://acme-staging-v02.api.letsencrypt.org/directory", NULL },
	{ "zerossl", "https://acme.zerossl.com/v2/DV90", NULL },
	{ "google", "https://dv.acme-v02.api.pki.goog/directory", "google-staging" },
	{ "google-staging", "https://dv.acme-v02.test-api.pki.goog/directory", NULL },
	{ "buypass", "https://api.buypass.com/acme/directory", "buypass-staging" },
	{ "buypass-staging", "https://api.test4.buypass.no/acme/directory", NULL },
};

const char *acme_directory_url(const char *directory)
{
	for (size_t i = 0; i < ARRAY_COUNT(directories); i++)
		if (strcmp(directories[i].name, directory) == 0)
			return directories[i].url;
	return strncmp(directory, "https://", 8) == 0 ? directory : NULL;
}

const char *acme_staging_of(const char *directory)
{
	for (size_t i = 0; i < ARRAY_COUNT(directories); i++)
		if (strcmp(directories[i].name, directory) == 0 || strcmp(directories[i].url, directory) == 0)
			return directories[i].staging;
	return NULL;
}

uint64_t acme_now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* ---- words -------------------------------------------------------------------------------------------------- */
int session_fail(struct session *s, int code, const char *fmt, ...)
{
	va_list ap;

	s->e->code = code;
	va_start(ap, fmt);
	vsnprintf(s->e->why, sizeof(s->e->why), fmt, ap);
	va_end(ap);
	return code;
}

void session_progress(struct session *s, int percent, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	log_info(&log_acme, "progress", "percent=%d text=\"%s\"", percent, text);
	if (s->hooks->progress)
		s->hooks->progress(s->hooks->arg, percent, text);
}

/* Text from outside, for a line of ours. */
static void tame(char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			*s = ' ';
}

static void add_words(char *why, size_t why_bytes, const json_t *problem)
{
	const char *detail = json_string_value(json_object_get(problem, "detail")), *type = json_string_value(json_object_get(problem, "type"));
	const char *name = json_string_value(json_object_get(json_object_get(problem, "identifier"), "value"));
	size_t n = strlen(why);

	snprintf(why + n, why_bytes - n, "%s%.100s%s%.500s%s%.100s%s", name ? " [" : "", name ? name : "", name ? "] " : " ", detail ? detail : "(no reason given)",
		 type ? " (" : "", type ? type : "", type ? ")" : "");
}

void problem_tell(struct acme_error *e, const json_t *problem, long status, const char *doing)
{
	json_t *sub;
	size_t i;

	snprintf(e->why, sizeof(e->why), "the authority refuses %s", doing);
	if (json_is_object(problem)) {
		char *text = json_dumps(problem, JSON_COMPACT);
		snprintf(e->problem, sizeof(e->problem), "%s", text && strlen(text) < sizeof(e->problem) ? text : "");
		free(text);
		snprintf(e->why + strlen(e->why), sizeof(e->why) - strlen(e->why), ":");
		add_words(e->why, sizeof(e->why), problem);
		json_array_foreach(json_object_get(problem, "subproblems"), i, sub)
			if (i < 5)
				add_words(e->why, sizeof(e->why), sub);
	} else {
		snprintf(e->why + strlen(e->why), sizeof(e->why) - strlen(e->why), " with status %ld and no reason", status);
	}
	tame(e->why);
	e->code = status == 429 ? -EAGAIN : -EPROTO;
}

bool problem_is(const struct acme_error *e, const char *type)
{
	json_t *p = *e->problem ? json_loads(e->problem, 0, NULL) : NULL;
	const char *t = json_string_value(json_object_get(p, "type"));
	bool is = t && strncmp(t, "urn:ietf:params:acme:error:", 27) == 0 && strcmp(t + 27, type) == 0;

	json_decref(p);
	return is;
}

/* ---- waiting --------------------------------------------------------------------------------------------------- */
static bool is_cancelled(void *arg)
{
	const struct session *s = arg;

	return s->hooks->is_cancelled && s->hooks->is_cancelled(s->hooks->arg);
}

int session_wait(struct session *s, unsigned ms)
{
	uint64_t end = acme_now_ms() + ms;

	do {
		uint64_t now = acme_now_ms(), left = now < end ? end - now : 0, step = min_u64(left, 100);
		const struct timespec t = { .tv_nsec = (long)step * 1000000 };

		if (is_cancelled(s))
			return session_fail(s, -ECANCELED, "it was cancelled");
		if (now > s->deadline_ms)
			return session_fail(s, -ETIMEDOUT, "the authority did not come to an end within %u minutes", CONVERSATION_MS / 60000);
		nanosleep(&t, NULL);
	} while (acme_now_ms() < end);
	return 0;
}

/* ---- requests ---------------------------------------------------------------------------------------------------- */
void reply_done(struct reply *r)
{
	json_decref(r->json);
	outbound_answer_done(&r->raw);
	*r = (struct reply){ 0 };
}

static void keep_nonce(struct session *s, const struct outbound_answer *a)
{
	char text[ACME_NONCE_MAX];

	if (!outbound_header(a, "Replay-Nonce", 0, text, sizeof(text)) || !*text)
		return;
	/* RFC 8555 6.5.1: base64url; another one is ignored. */
	if (strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") == strlen(text))
		memcpy(s->nonce, text, sizeof(s->nonce));
}

static int call(struct session *s, const char *method, const char *url, const char *body, struct reply *r)
{
	static const char *const headers[] = { "Content-Type: application/jose+json", "Accept-Language: en" };
	struct outbound_request rq = {
		.with = { .ca_pem = s->ca->ca_pem, .is_cancelled = is_cancelled, .arg = s },
		.method = method, .url = url, .https_only = true, .answer_max_bytes = ANSWER_MAX,
		.headers = body ? headers : headers + 1, .header_count = body ? 2 : 1,
		.body = body, .body_len = body ? strlen(body) : 0,
	};
	char why[400], type[128] = "";

	*r = (struct reply){ 0 };
	if (strlen(url) >= ACME_URL_MAX)
		return session_fail(s, -EPROTO, "the authority names an address that is longer than any sensible one");
	int err = outbound_http(&rq, &r->raw, why, sizeof(why));
	if (err < 0)
		return session_fail(s, err, err == -ECANCELED ? "%s" : "the authority cannot be spoken to: %s", why);
	r->status = r->raw.status;
	keep_nonce(s, &r->raw);
	outbound_header(&r->raw, "Content-Type", 0, type, sizeof(type));
	if (strstr(type, "json"))
		r->json = json_loadb(r->raw.body, r->raw.body_len, JSON_REJECT_DUPLICATES, NULL);
	return 0;
}

/* A status from 300 on becomes an error with the authority's words. */
static int judge(struct session *s, struct reply *r, const char *url)
{
	if (r->status >= 200 && r->status < 300)
		return 0;
	if (r->status >= 300 && r->status < 400)
		return session_fail(s, -EPROTO, "the authority sends us elsewhere (status %ld) where it must answer itself: %.200s", r->status, url);
	problem_tell(s->e, r->json, r->status, "the request");
	s->e->retry_after_s = outbound_retry_after_s(&r->raw, 0);
	return s->e->code;
}

int session_get(struct session *s, const char *url, struct reply *r)
{
	int err = call(s, "GET", url, NULL, r);

	if (err == 0)
		err = judge(s, r, url);
	if (err < 0)
		reply_done(r);
	return err;
}

static int fresh_nonce(struct session *s)
{
	const char *url = session_resource(s, "newNonce");
	struct reply r;

	if (*s->nonce)
		return 0;
	if (!url)
		return session_fail(s, -EPROTO, "the directory has no newNonce");
	int err = call(s, "HEAD", url, NULL, &r);
	reply_done(&r);
	if (err == 0 && !*s->nonce)
		err = session_fail(s, -EPROTO, "the authority gives no nonce");
	return err;
}

/* One signed request; the nonce is used up whatever comes of it. */
static int post_once(struct session *s, const char *url, const char *payload, const struct tls_key *signer, bool with_jwk, struct reply *r)
{
	struct jws j = { .key = signer, .kid = with_jwk ? NULL : s->kid, .url = url, .payload = payload };
	char nonce[ACME_NONCE_MAX];
	int err = fresh_nonce(s);

	if (err < 0)
		return err;
	memcpy(nonce, s->nonce, sizeof(nonce));
	s->nonce[0] = '\0';
	j.nonce = nonce;
	_cleanup_(freep) char *body = jws_sign(&j);
	if (!body)
		return session_fail(s, -ENOMEM, "the request cannot be signed");
	err = call(s, "POST", url, body, r);
	return err ? err : judge(s, r, url);
}

int session_post_signed(struct session *s, const char *url, const json_t *payload, const struct tls_key *signer, bool with_jwk, struct reply *r)
{
	_cleanup_(freep) char *text = payload ? json_dumps(payload, JSON_COMPACT) : strdup("");
	int err = -ENOMEM;

	*r = (struct reply){ 0 };
	if (!text)
		return session_fail(s, -ENOMEM, "out of memory");
	for (int i = 0; i < TRIES; i++) {
		unsigned wait_s;

		s->e->problem[0] = '\0';
		s->e->retry_after_s = 0;
		err = post_once(s, url, text, signer ? signer : s->key, with_jwk, r);
		if (err == 0) {
			*s->e = (struct acme_error){ 0 };
			return 0;
		}
		bool busy = r->status == 503 || (r->status == 429 && s->e->retry_after_s && s->e->retry_after_s <= PATIENCE_S);
		bool nonce = r->status == 400 && problem_is(s->e, "badNonce");
		wait_s = busy ? min_u64(max_u64(s->e->retry_after_s, 1), PATIENCE_S) & 0xffff : 0;
		reply_done(r);
		if (!busy && !nonce)
			return err;
		/* The refusal brought a new nonce (RFC 8555 6.5); a busy server gets its pause. */
		if (wait_s) {
			struct acme_error kept = *s->e;
			err = session_wait(s, 1000 * wait_s);
			if (err < 0)
				return err;
			*s->e = kept;
			err = kept.code;
		}
	}
	return err;
}

int session_post(struct session *s, const char *url, const json_t *payload, struct reply *r)
{
	return session_post_signed(s, url, payload, NULL, false, r);
}

/* ---- the directory ------------------------------------------------------------------------------------------------ */
const char *session_resource(const struct session *s, const char *name)
{
	return json_string_value(json_object_get(s->directory, name));
}

int session_open(struct session *s, const struct acme_ca *ca, const struct acme_hooks *h, struct acme_error *e)
{
	const char *url = acme_directory_url(ca->directory);
	struct reply r;

	*e = (struct acme_error){ 0 };
	*s = (struct session){ .ca = ca, .hooks = h, .e = e, .deadline_ms = acme_now_ms() + CONVERSATION_MS };
	if (!url)
		return session_fail(s, -EINVAL, "%.200s is neither a known authority nor an https:// address", ca->directory);
	if (ca->account_url && strlen(ca->account_url) < sizeof(s->kid))
		snprintf(s->kid, sizeof(s->kid), "%s", ca->account_url);
	if (ca->key_pem) {
		int err = tls_key_load(ca->key_pem, &s->key);
		if (err < 0 || !tls_key_jws_alg(s->key))
			return session_fail(s, -EINVAL, "the account's key cannot be used: it must be EC P-256, P-384 or RSA in PEM");
	}
	int err = session_get(s, url, &r);
	if (err < 0)
		return err;
	if (json_is_object(r.json))
		s->directory = json_incref(r.json);
	reply_done(&r);
	if (!session_resource(s, "newNonce") || !session_resource(s, "newAccount") || !session_resource(s, "newOrder"))
		return session_fail(s, -EPROTO, "%.200s is not an ACME directory", url);
	return 0;
}

void session_close(struct session *s)
{
	json_decref(TAKE(s->directory));
	tls_key_free(TAKE(s->key));
}
