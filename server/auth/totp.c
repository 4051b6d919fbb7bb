/* SPDX-License-Identifier: GPL-3.0-or-later */
/* totp.c - the second factor: time-based codes (RFC 6238: SHA-1, 30 s, 6 digits) and recovery codes.
 *
 * The account's sealed member totp_secret is "BASE32 COUNTER": the counter of the last code that was taken, so that a
 * code works once.  Recovery codes are 80 random bits; the sealed member recovery_codes holds 16 bytes of
 * the SHA-256 of each that is left. */
#include "auth/auth_priv.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tls/tls.h"

#define STEP_S 30
#define WINDOW 1
#define ENROL_S 600
#define RECOVERY_BYTES 10
#define RECOVERY_HASH 16

int totp_code(const uint8_t *secret, size_t len, uint64_t counter, char out[7])
{
	uint8_t message[8], mac[TLS_HASH_MAX];
	for (int i = 7; i >= 0; i--, counter >>= 8)
		message[i] = (uint8_t)counter;
	const struct tls_part part = { message, sizeof(message) };
	int r = tls_hmac(TLS_SHA1, secret, len, &part, 1, mac);
	if (r)
		return r;
	const uint8_t *p = mac + (mac[19] & 15); /* RFC 4226 5.3 */
	uint32_t n = ((uint32_t)p[0] & 0x7f) << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
	snprintf(out, 7, "%06" PRIu32, n % 1000000);
	return 0;
}

int totp_match(const uint8_t *secret, size_t len, const char *code, int64_t now_s, uint64_t last, uint64_t *ret_counter)
{
	uint64_t now = (uint64_t)now_s / STEP_S;
	char digits[7];
	size_t n = 0;
	for (; *code; code++) {
		if (*code == ' ')
			continue;        /* as apps show it: "123 456" */
		if (n == 6 || !isdigit((unsigned char)*code))
			return -EACCES;
		digits[n++] = *code;
	}
	digits[n] = '\0';
	for (uint64_t c = now - WINDOW; n == 6 && c <= now + WINDOW; c++) {
		char want[7];
		int r = totp_code(secret, len, c, want);
		if (r)
			return r;
		if (tls_equal(want, digits, 6)) {
			if (c <= last)
				return -EACCES; /* used before */
			*ret_counter = c;
			return 0;
		}
	}
	return -EACCES;
}

/* ---- what is stored -------------------------------------------------------------------------------------- */
static int secret_get(struct config *db, const char *account_id, const char *field, char *text, size_t bytes, struct config_error *e)
{
	size_t len = 0;
	int r = config_secret(db, MODEL_ACCOUNT, account_id, field, (uint8_t *)text, bytes - 1, &len, e);
	text[r ? 0 : len] = '\0';
	return r;
}

/* takes fields */
static int account_put(struct config *db, const char *account_id, json_t *fields, struct config_error *e)
{
	int r = fields ? config_put(db, MODEL_ACCOUNT, account_id, fields, NULL, e) : config_fail(e, -ENOMEM, "", "out of memory");
	json_decref(fields);
	return r;
}

static int totp_put(struct config *db, const char *account_id, const uint8_t *secret, size_t len, uint64_t counter, struct config_error *e)
{
	char base32[2 * TOTP_SECRET_BYTES], text[96];
	base32_write(secret, len, base32);
	snprintf(text, sizeof(text), "%s %" PRIu64, base32, counter);
	int r = account_put(db, account_id, json_pack("{s:s}", "totp_secret", text), e);
	explicit_bzero(text, sizeof(text));
	explicit_bzero(base32, sizeof(base32));
	return r;
}

static int totp_use(struct config *db, const char *account_id, const char *code, struct config_error *e)
{
	char text[96], *blank;
	uint8_t secret[64];
	uint64_t counter = 0;
	size_t len = 0;
	int r = secret_get(db, account_id, "totp_secret", text, sizeof(text), e);
	if (r)
		return r;
	blank = strchr(text, ' ');
	if (blank)
		*blank++ = '\0';
	if (!blank || base32_read(text, secret, sizeof(secret), &len))
		return config_fail(e, -EBADMSG, "", "the stored second factor is damaged; an admin must reset it");
	r = totp_match(secret, len, code, auth_now_s(), strtoull(blank, NULL, 10), &counter);
	if (!r)
		r = totp_put(db, account_id, secret, len, counter, e);
	explicit_bzero(secret, sizeof(secret));
	explicit_bzero(text, sizeof(text));
	return r;
}

/* Groups and case are for people. */
static void recovery_hash(const char *code, char out[2 * RECOVERY_HASH + 1])
{
	char plain[64];
	uint8_t hash[HASH_BYTES] = { 0 };
	size_t n = 0;
	for (; *code && n + 1 < sizeof(plain); code++)
		if (isalnum((unsigned char)*code))
			plain[n++] = (char)toupper((unsigned char)*code);
	if (sha256(plain, n, hash))
		n = 0;
	hex_write(hash, n ? RECOVERY_HASH : 0, out);
	explicit_bzero(plain, sizeof(plain));
}

static int recovery_use(struct config *db, const char *account_id, const char *code, struct config_error *e)
{
	char stored[512], hash[2 * RECOVERY_HASH + 1], *at;
	int r = secret_get(db, account_id, "recovery_codes", stored, sizeof(stored), e);
	if (r)
		return r == -ENOENT ? -EACCES : r;
	recovery_hash(code, hash);
	at = *hash ? strstr(stored, hash) : NULL;
	if (!at || (at - stored) % (2 * RECOVERY_HASH + 1) != 0)
		return -EACCES;
	memmove(at, at + strlen(hash) + (at[strlen(hash)] == ' '), strlen(at + strlen(hash) + (at[strlen(hash)] == ' ')) + 1);
	size_t len = strlen(stored);
	if (len && stored[len - 1] == ' ')
		stored[len - 1] = '\0';
	return account_put(db, account_id, *stored ? json_pack("{s:s}", "recovery_codes", stored) : json_pack("{s:n}", "recovery_codes"), e);
}

int factor_use(struct config *db, const char *account_id, const char *code, const char *recovery_code, struct config_error *e)
{
	if (recovery_code)
		return recovery_use(db, account_id, recovery_code, e);
	return code ? totp_use(db, account_id, code, e) : -EACCES;
}

/* New codes: shown is an array of texts, stored the hashes of them. */
static int recovery_make(json_t **ret_shown, char stored[512])
{
	json_t *shown = json_array();
	*stored = '\0';
	for (int i = 0; i < RECOVERY_CODES; i++) {
		uint8_t random[RECOVERY_BYTES];
		char text[20], hash[2 * RECOVERY_HASH + 1];
		if (tls_random(random, sizeof(random))) {
			json_decref(shown);
			return -EIO;
		}
		base32_write(random, sizeof(random), text);
		recovery_hash(text, hash);
		snprintf(stored + strlen(stored), 512 - strlen(stored), "%s%s", i ? " " : "", hash);
		json_array_append_new(shown, json_sprintf("%.4s-%.4s-%.4s-%.4s", text, text + 4, text + 8, text + 12));
		explicit_bzero(text, sizeof(text));
	}
	*ret_shown = shown;
	return 0;
}

/* ---- what a caller asks for ----------------------------------------------------------------------------------- */
json_t *auth_totp_begin(const struct auth_caller *caller)
{
	uint8_t secret[TOTP_SECRET_BYTES];
	char base32[2 * TOTP_SECRET_BYTES], host[256] = "server", uri[512];
	if (tls_random(secret, sizeof(secret)))
		return NULL;
	pthread_mutex_lock(&auth.lock);
	struct login *l = login_by_id(caller->login_id);
	bool begun = l != NULL;
	if (l) {
		memcpy(l->new_totp, secret, sizeof(secret));
		l->new_totp_until_s = auth_now_s() + ENROL_S;
	}
	pthread_mutex_unlock(&auth.lock);
	base32_write(secret, sizeof(secret), base32);
	if (gethostname(host, sizeof(host) - 1) < 0)
		snprintf(host, sizeof(host), "server");
	for (char *p = host; *p; p++)
		if (!isalnum((unsigned char)*p) && *p != '-' && *p != '.')
			*p = '-';
	/* Names of accounts need no escapes. */
	snprintf(uri, sizeof(uri), "otpauth://totp/Holdfast:%s@%.200s?secret=%s&issuer=Holdfast&algorithm=SHA1&digits=6&period=%d",
		 caller->account, host, base32, STEP_S);
	_cleanup_(freep) char *svg = qr_svg(uri);
	json_t *j = json_pack("{s:s, s:s, s:s?}", "secret", base32, "uri", uri, "qr_svg", svg);
	explicit_bzero(secret, sizeof(secret));
	explicit_bzero(base32, sizeof(base32));
	explicit_bzero(uri, sizeof(uri));
	if (begun)
		return j;
	json_decref(j);
	return NULL;
}

struct totp_call {
	const char *account_id;
	const uint8_t *secret;
	uint64_t counter;
	const char *recovery;
	struct config_error *e;
};

static int totp_store(struct config *db, void *arg)
{
	struct totp_call *c = arg;
	int r = totp_put(db, c->account_id, c->secret, TOTP_SECRET_BYTES, c->counter, c->e);
	return r ? r : account_put(db, c->account_id, json_pack("{s:s}", "recovery_codes", c->recovery), c->e);
}

static void set_has_totp(const char *account_id, bool has)
{
	pthread_mutex_lock(&auth.lock);
	struct account *a = account_by_id(account_id);
	if (a)
		a->has_totp = has;
	pthread_mutex_unlock(&auth.lock);
}

int auth_totp_confirm(const char *code, const struct auth_caller *caller, json_t **ret_codes, struct config_error *e)
{
	struct totp_call c = { .account_id = caller->account_id, .e = e };
	uint8_t secret[TOTP_SECRET_BYTES];
	char recovery[512];
	json_t *shown;
	bool begun = false;
	pthread_mutex_lock(&auth.lock);
	struct login *l = login_by_id(caller->login_id);
	if (l && l->new_totp_until_s > auth_now_s()) {
		memcpy(secret, l->new_totp, sizeof(secret));
		begun = true;
	}
	pthread_mutex_unlock(&auth.lock);
	if (!begun)
		return config_fail(e, -ENOENT, "", "no second factor is being set up, or it took longer than ten minutes; begin again");
	int r = totp_match(secret, sizeof(secret), code, auth_now_s(), 0, &c.counter);
	if (r)
		return config_fail(e, -EACCES, "code", "this is not the code that the app shows now; is the clock of the phone right, and of this server?");
	r = recovery_make(&shown, recovery);
	if (r)
		return config_fail(e, r, "", "no random numbers: %s", strerror(-r));
	c.secret = secret;
	c.recovery = recovery;
	r = auth.opts.with_store(totp_store, &c);
	explicit_bzero(secret, sizeof(secret));
	if (r) {
		json_decref(shown);
		return r;
	}
	pthread_mutex_lock(&auth.lock);
	l = login_by_id(caller->login_id);
	if (l) {
		explicit_bzero(l->new_totp, sizeof(l->new_totp));
		l->new_totp_until_s = 0;
	}
	pthread_mutex_unlock(&auth.lock);
	set_has_totp(caller->account_id, true);
	auth_audit(caller, "update", "account", caller->account_id, caller->account, json_pack("{s:s}", "totp", "enabled"));
	*ret_codes = shown;
	return 0;
}

static int totp_clear(struct config *db, void *arg)
{
	struct totp_call *c = arg;
	return account_put(db, c->account_id, json_pack("{s:n, s:n}", "totp_secret", "recovery_codes"), c->e);
}

int auth_totp_remove(const char *account_id, const struct auth_caller *by, struct config_error *e)
{
	struct totp_call c = { .account_id = account_id, .e = e };
	char name[64] = "";
	int r = auth.opts.with_store(totp_clear, &c);
	if (r)
		return r;
	set_has_totp(account_id, false);
	pthread_mutex_lock(&auth.lock);
	const struct account *a = account_by_id(account_id);
	if (a)
		snprintf(name, sizeof(name), "%s", a->name);
	pthread_mutex_unlock(&auth.lock);
	auth_audit(by, "update", "account", account_id, name, json_pack("{s:s}", "totp", "removed"));
	return 0;
}

static int recovery_store(struct config *db, void *arg)
{
	struct totp_call *c = arg;
	return account_put(db, c->account_id, json_pack("{s:s}", "recovery_codes", c->recovery), c->e);
}

int auth_recovery_codes(const struct auth_caller *caller, json_t **ret_codes, struct config_error *e)
{
	struct totp_call c = { .account_id = caller->account_id, .e = e };
	char recovery[512];
	json_t *shown;
	int r = recovery_make(&shown, recovery);
	if (r)
		return config_fail(e, r, "", "no random numbers: %s", strerror(-r));
	c.recovery = recovery;
	r = auth.opts.with_store(recovery_store, &c);
	if (r) {
		json_decref(shown);
		return r;
	}
	auth_audit(caller, "update", "account", caller->account_id, caller->account, json_pack("{s:s}", "recovery_codes", "made anew"));
	*ret_codes = shown;
	return 0;
}
