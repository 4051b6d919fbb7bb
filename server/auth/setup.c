/* SPDX-License-Identifier: GPL-3.0-or-later */
/* setup.c - the first account.  There is no default password: whoever opens the page of a new server must
 * show a code that only somebody on the machine can read (journal, console, `holdfast setup-code`).  130
 * random bits, kept as SHA-256 in memory only, good for 30 minutes and five attempts. */
#include "auth/auth_priv.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "tls/tls.h"

#define VALID_S 1800
#define TRIES 5
#define CODE_CHARS 26

static struct {
	pthread_mutex_t lock;
	uint8_t hash[HASH_BYTES];
	int64_t until_s;                 /* 0: none */
	unsigned left;
} setup = { .lock = PTHREAD_MUTEX_INITIALIZER };

bool auth_setup_is_needed(void)
{
	(void)auth_refresh();
	pthread_mutex_lock(&auth.lock);
	bool none = list_is_empty(&auth.accounts) && !atomic_load(&auth.is_stale);
	pthread_mutex_unlock(&auth.lock);
	return none;
}

/* What people type: case, blanks and dashes do not count. */
static int code_hash(const char *code, uint8_t out[HASH_BYTES])
{
	char plain[CODE_CHARS + 1];
	size_t n = 0;
	for (; *code; code++) {
		if (*code == '-' || *code == ' ')
			continue;
		if (n == CODE_CHARS)
			return -EINVAL;
		plain[n++] = (char)toupper((unsigned char)*code);
	}
	int r = n == CODE_CHARS ? sha256(plain, n, out) : -EINVAL;
	explicit_bzero(plain, sizeof(plain));
	return r;
}

int auth_setup_code(char code[40], int64_t *ret_expires_at_s, char fingerprint[96])
{
	uint8_t random[17];
	char text[32];
	int r = auth_setup_is_needed() ? tls_random(random, sizeof(random)) : -EALREADY;
	if (r)
		return r;
	base32_write(random, sizeof(random), text);
	text[CODE_CHARS] = '\0';
	pthread_mutex_lock(&setup.lock);
	r = code_hash(text, setup.hash);
	setup.until_s = r ? 0 : auth_now_s() + VALID_S;
	setup.left = TRIES;
	*ret_expires_at_s = setup.until_s;
	pthread_mutex_unlock(&setup.lock);
	snprintf(code, 40, "%.5s-%.5s-%.5s-%.5s-%.6s", text, text + 5, text + 10, text + 15, text + 20);
	explicit_bzero(text, sizeof(text));
	auth.opts.fingerprint(fingerprint);
	return r;
}

void setup_announce(void)
{
	char code[40], fingerprint[96] = "";
	int64_t until;
	if (auth_setup_code(code, &until, fingerprint)) {
		log_error(&log_auth, "no setup code could be made, use: holdfast setup-code", "");
		return;
	}
	log_info(&log_auth, "there is no account yet: open the page and give it this code",
		 "setup_code=%s minutes=%d certificate_sha256=%s again=\"holdfast setup-code\"", code, VALID_S / 60, fingerprint);
	explicit_bzero(code, sizeof(code));
}

void auth_setup_fingerprint(char out[96])
{
	auth.opts.fingerprint(out);
}

int64_t auth_setup_expires_at_s(void)
{
	pthread_mutex_lock(&setup.lock);
	int64_t until = setup.left && setup.until_s > auth_now_s() ? setup.until_s : 0;
	pthread_mutex_unlock(&setup.lock);
	return until;
}

int auth_setup_try(const char *code, const struct auth_caller *caller, unsigned *ret_left, unsigned *ret_retry_after_s)
{
	uint8_t hash[HASH_BYTES];
	int r = -EACCES;
	*ret_left = 0;
	*ret_retry_after_s = throttle_try(caller->address, "");
	if (*ret_retry_after_s)
		return -EAGAIN;
	if (!auth_setup_is_needed())
		return -EALREADY;
	bool formed = code_hash(code, hash) == 0;
	pthread_mutex_lock(&setup.lock);
	if (!setup.left || setup.until_s <= auth_now_s()) {
		r = -ETIMEDOUT;
	} else {
		/* Each attempt counts, right or wrong: two at a time cannot both be the last. */
		setup.left--;
		if (formed && tls_equal(setup.hash, hash, sizeof(hash)))
			r = 0;
		*ret_left = setup.left;
	}
	pthread_mutex_unlock(&setup.lock);
	if (r == -EACCES) {
		log_warn(&log_auth, "login refused", "reason=setup-code address=%s", caller->address);
		auth_audit(caller, "refuse", "setup", "", NULL, json_pack("{s:s, s:i}", "reason", "wrong setup code", "attempts_left", (int)*ret_left));
	}
	return r;
}

void auth_setup_done(void)
{
	pthread_mutex_lock(&setup.lock);
	explicit_bzero(setup.hash, sizeof(setup.hash));
	setup.until_s = 0;
	setup.left = 0;
	pthread_mutex_unlock(&setup.lock);
}
