/* SPDX-License-Identifier: GPL-3.0-or-later */
/* password.c - which passwords are taken, and what is stored for them: yescrypt by libxcrypt, as in
 * /etc/shadow.  Two are hashed at a time, two more may wait: guessing must not occupy the server. */
#include "auth/auth_priv.h"

#include <crypt.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "tls/tls.h"

#define COST 7                           /* some 50 ms and 16 MiB */
#define AT_ONCE 2
#define WAITING 2
#define LENGTH_MIN 10
#define LENGTH_MAX 256

static struct {
	pthread_mutex_t lock;
	pthread_cond_t freed;
	unsigned running, waiting;
} place = { .lock = PTHREAD_MUTEX_INITIALIZER, .freed = PTHREAD_COND_INITIALIZER };

static int place_take(void)
{
	int r = 0;
	pthread_mutex_lock(&place.lock);
	if (place.running >= AT_ONCE && place.waiting >= WAITING) {
		r = -EBUSY;
	} else {
		place.waiting++;
		while (place.running >= AT_ONCE)
			pthread_cond_wait(&place.freed, &place.lock);
		place.waiting--;
		place.running++;
	}
	pthread_mutex_unlock(&place.lock);
	return r;
}

static void place_give(void)
{
	pthread_mutex_lock(&place.lock);
	place.running--;
	pthread_cond_signal(&place.freed);
	pthread_mutex_unlock(&place.lock);
}

/* What crypt(3) makes of it, or NULL; the caller has a place. */
static char *crypt_copy(const char *password, const char *setting)
{
	struct crypt_data *d = calloc(1, sizeof(*d));
	if (!d)
		return NULL;
	const char *hash = crypt_r(password, setting, d);
	char *copy = hash && *hash != '*' ? strdup(hash) : NULL;
	explicit_bzero(d, sizeof(*d));
	free(d);
	return copy;
}

int auth_password_hash(const char *password, char **ret_hash)
{
	char setting[CRYPT_GENSALT_OUTPUT_SIZE];
	uint8_t salt[16];
	int r = tls_random(salt, sizeof(salt));
	if (r)
		return r;
	if (!crypt_gensalt_rn("$y$", COST, (const char *)salt, sizeof(salt), setting, sizeof(setting)))
		return -errno;
	r = place_take();
	if (r)
		return r;
	*ret_hash = crypt_copy(password, setting);
	place_give();
	return *ret_hash ? 0 : -ENOMEM;
}

int password_verify(const char *password, const char *hash)
{
	/* Of the same cost as ours, of no password. */
	static const char nobody[] = "$y$jBT$Bcm1aOpT3kjvVLFOsKp0b0$";
	int r = place_take();
	if (r)
		return r;
	_cleanup_(freep) char *got = crypt_copy(password, hash ? hash : nobody);
	place_give();
	if (!got)
		return hash ? -ENOMEM : -EACCES;
	size_t len = strlen(got);
	r = hash && strlen(hash) == len && tls_equal(got, hash, len) ? 0 : -EACCES;
	explicit_bzero(got, len);
	return r;
}

/* Lower case, and digits and signs after the last letter cut off: "Password123!" is "password". */
static void stem(const char *password, char *out, size_t out_bytes)
{
	size_t n = 0;
	for (; *password && n + 1 < out_bytes; password++)
		out[n++] = (char)tolower((unsigned char)*password);
	while (n && !isalpha((unsigned char)out[n - 1]))
		n--;
	out[n] = '\0';
}

/* Those that lists of guesses start with, and what people think of in front of this page. */
static bool is_common(const char *password)
{
	static const char *const stems[] = {
		"", "password", "passwort", "passw", "pass", "admin", "administrator", "adminadmin", "root", "rootroot", "toor", "user", "guest",
		"qwerty", "qwertyuiop", "qwertzuiop", "qwertz", "asdfghjkl", "asdfasdf", "zxcvbnm", "abc", "abcd", "abcdef", "abcdefgh", "abcdefghij",
		"abcdefghijkl", "letmein", "letmeinnow", "welcome", "welcometo", "changeme", "changemenow", "changeit", "default", "secret", "topsecret",
		"geheim", "holdfast", "holdfastholdfast", "storage", "server", "nasnasnas", "synology", "truenas", "freenas", "iloveyou", "sunshine",
		"princess", "football", "baseball", "monkey", "dragon", "superman", "batman", "trustno", "starwars", "computer", "internet", "master",
		"michael", "jennifer", "passwordpassword", "passwort", "hallo", "hallohallo", "willkommen", "qazwsx", "qazwsxedc", "test", "testtest",
		"testtesttest", "temp", "temporary", "raspberry", "ubnt", "calvin", "correcthorsebatterystaple",
	};
	char low[LENGTH_MAX + 1];
	stem(password, low, sizeof(low));
	for (size_t i = 0; i < ARRAY_COUNT(stems); i++)
		if (strcmp(low, stems[i]) == 0)
			return true;
	return false;
}

static size_t count_different(const char *s)
{
	bool seen[256] = { false };
	size_t n = 0;
	for (; *s; s++) {
		n += !seen[(unsigned char)*s];
		seen[(unsigned char)*s] = true;
	}
	return n;
}

int auth_password_check(const char *name, const char *password, char *why, size_t why_bytes)
{
	size_t chars = 0;
	for (const char *p = password; *p; p++)
		chars += ((unsigned char)*p & 0xc0) != 0x80; /* UTF-8: a character, not a byte */
	if (chars < LENGTH_MIN)
		snprintf(why, why_bytes, "the password needs %d characters or more", LENGTH_MIN);
	else if (strlen(password) > LENGTH_MAX)
		snprintf(why, why_bytes, "the password may have at most %d bytes", LENGTH_MAX);
	else if (name && strlen(name) > 2 && strcasestr(password, name))
		snprintf(why, why_bytes, "the password must not contain the account's name");
	else if (is_common(password) || count_different(password) < 4)
		snprintf(why, why_bytes, "this password is one of the first that anybody would try; take another");
	else
		return 0;
	return -EINVAL;
}
