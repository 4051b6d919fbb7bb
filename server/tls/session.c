/* SPDX-License-Identifier: GPL-3.0-or-later */
/* session.c - a TLS 1.3 server for pre-shared keys, over memory.
 *
 * An identity may mean several keys.  Which one the client has shows when its binder is checked, and that
 * happens before anything is answered: so the hello is kept and given to a fresh server with the next key,
 * until one fits.  What failed tries say is thrown away. */
#include "tls/session.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <string.h>

#include "core/hex.h"
#include "tls/tls_priv.h"

#define HELLO_MAX_BYTES 65536
#define ATTEMPTS_MAX 16

struct tls_session {
	SSL *ssl;
	tls_psk_find_fn *find;
	void *arg;
	unsigned attempt;
	bool found;                      /* a key, in this attempt */
	bool answered;                   /* our first flight is made: no way back */
	uint8_t *hello;                  /* owned: what came until then */
	size_t hello_bytes;
	/* Traffic secrets, for the kernel. */
	uint8_t client_secret[TLS_HASH_MAX], server_secret[TLS_HASH_MAX];
	size_t client_bytes, server_bytes;
};

/* ---- callbacks of the library -------------------------------------------------------------------------- */
static int find_psk(SSL *ssl, const unsigned char *identity, size_t len, SSL_SESSION **ret_session)
{
	static const unsigned char suites[2][2] = { { 0x13, 0x01 }, { 0x13, 0x02 } };
	struct tls_session *s = SSL_get_app_data(ssl);
	char text[TLS_PSK_IDENTITY_BYTES];
	uint8_t key[TLS_PSK_MAX_BYTES];
	size_t bytes;

	*ret_session = NULL;
	if (!len || len >= sizeof(text) || memchr(identity, 0, len))
		return 1;
	memcpy(text, identity, len);
	text[len] = '\0';
	if (!s->find(s->arg, text, s->attempt, key, &bytes))
		return 1;
	s->found = true;
	SSL_SESSION *session = SSL_SESSION_new();
	const SSL_CIPHER *suite = SSL_CIPHER_find(ssl, suites[bytes == 48]);
	if (session && suite && SSL_SESSION_set1_master_key(session, key, bytes) == 1 && SSL_SESSION_set_cipher(session, suite) == 1 &&
	    SSL_SESSION_set_protocol_version(session, TLS1_3_VERSION) == 1)
		*ret_session = session;
	else
		SSL_SESSION_free(session);
	tls_wipe(key, sizeof(key));
	return 1;
}

/* The suite must go with the hash of the key, and is chosen before the key is looked for: the identity says it. */
static int see_hello(SSL *ssl, int *alert, void *arg)
{
	const unsigned char *ext;
	size_t len;

	(void)arg;
	(void)alert;
	if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_psk, &ext, &len) == 1 && len > 4 + 8 && memcmp(ext + 4, "NVMe", 4) == 0 &&
	    SSL_set_ciphersuites(ssl, ext[4 + 7] == '2' ? "TLS_AES_256_GCM_SHA384" : "TLS_AES_128_GCM_SHA256") != 1)
		return SSL_CLIENT_HELLO_ERROR;
	return SSL_CLIENT_HELLO_SUCCESS;
}

static size_t unhex(const char *text, uint8_t *to, size_t room)
{
	size_t n = 0;
	return hex_read_some(text, to, room, &n) ? 0 : n;
}

/* "LABEL random secret", in the form of SSLKEYLOGFILE; it goes nowhere but into our own memory. */
static void see_secret(const SSL *ssl, const char *line)
{
	static const char client[] = "CLIENT_TRAFFIC_SECRET_0 ", server[] = "SERVER_TRAFFIC_SECRET_0 ";
	struct tls_session *s = SSL_get_app_data(ssl);
	const char *secret = strrchr(line, ' ');

	if (!secret)
		return;
	if (strncmp(line, client, sizeof(client) - 1) == 0)
		s->client_bytes = unhex(secret + 1, s->client_secret, sizeof(s->client_secret));
	else if (strncmp(line, server, sizeof(server) - 1) == 0)
		s->server_bytes = unhex(secret + 1, s->server_secret, sizeof(s->server_secret));
}

static SSL_CTX *context;
static pthread_once_t context_once = PTHREAD_ONCE_INIT;

static void context_make(void)
{
	SSL_CTX *c = SSL_CTX_new(TLS_server_method());

	if (!c)
		return;
	SSL_CTX_set_options(c, SSL_OP_NO_TICKET);
	SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_mode(c, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_psk_find_session_callback(c, find_psk);
	SSL_CTX_set_client_hello_cb(c, see_hello, NULL);
	SSL_CTX_set_keylog_callback(c, see_secret);
	if (SSL_CTX_set_min_proto_version(c, TLS1_3_VERSION) != 1 || SSL_CTX_set_max_proto_version(c, TLS1_3_VERSION) != 1 ||
	    SSL_CTX_set_num_tickets(c, 0) != 1 || SSL_CTX_set_ciphersuites(c, "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384") != 1 ||
	    SSL_CTX_set1_groups_list(c, "X25519:P-256:P-384") != 1) {
		SSL_CTX_free(c);
		return;
	}
	context = c;
}

/* ---- life ---------------------------------------------------------------------------------------------------- */
static int ssl_make(struct tls_session *s)
{
	BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
	SSL *ssl = SSL_new(context);

	if (!in || !out || !ssl) {
		BIO_free(in);
		BIO_free(out);
		SSL_free(ssl);
		return -ENOMEM;
	}
	BIO_set_mem_eof_return(in, -1);
	BIO_set_mem_eof_return(out, -1);
	SSL_set_app_data(ssl, s);
	SSL_set_bio(ssl, in, out);
	SSL_set_accept_state(ssl);
	SSL_free(s->ssl);
	s->ssl = ssl;
	s->found = false;
	return 0;
}

int tls_session_new(tls_psk_find_fn *find, void *arg, struct tls_session **ret_session)
{
	pthread_once(&context_once, context_make);
	if (!context)
		return -ENOTSUP;
	_cleanup_(tls_session_freep) struct tls_session *s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->find = find;
	s->arg = arg;
	int r = ssl_make(s);
	if (r)
		return r;
	*ret_session = TAKE(s);
	return 0;
}

void tls_session_free(struct tls_session *s)
{
	if (!s)
		return;
	SSL_free(s->ssl);
	free(s->hello);
	tls_wipe(s, sizeof(*s));
	free(s);
}

/* ---- handshake ------------------------------------------------------------------------------------------------ */
static int feed(struct tls_session *s, const uint8_t *in, size_t len)
{
	return len <= INT_MAX && BIO_write(SSL_get_rbio(s->ssl), in, (int)len) == (int)len ? 0 : -ENOMEM;
}

static int keep_hello(struct tls_session *s, const uint8_t *in, size_t len)
{
	if (len > HELLO_MAX_BYTES - s->hello_bytes)
		return -EPROTO;
	uint8_t *more = realloc(s->hello, s->hello_bytes + len);
	if (!more)
		return -ENOMEM;
	memcpy(more + s->hello_bytes, in, len);
	s->hello = more;
	s->hello_bytes += len;
	return 0;
}

int tls_session_handshake(struct tls_session *s, const uint8_t *in, size_t len)
{
	size_t out;
	int r = s->answered ? 0 : keep_hello(s, in, len);

	if (!r)
		r = feed(s, in, len);
	while (!r) {
		ERR_clear_error();
		int done = SSL_do_handshake(s->ssl);
		int error = SSL_get_error(s->ssl, done);
		if (done == 1)
			return 0;
		if (error == SSL_ERROR_WANT_READ) {
			tls_session_output(s, &out);
			s->answered |= out > 0;
			return -EAGAIN;
		}
		if (s->answered)
			return s->found ? -EPROTO : -EACCES;
		if (!s->found || ++s->attempt == ATTEMPTS_MAX)
			return -EACCES;
		r = ssl_make(s);
		if (!r)
			r = feed(s, s->hello, s->hello_bytes);
	}
	return r;
}

const uint8_t *tls_session_output(struct tls_session *s, size_t *ret_bytes)
{
	char *p = NULL;
	long n = BIO_get_mem_data(SSL_get_wbio(s->ssl), &p);

	*ret_bytes = n > 0 ? (size_t)n : 0;
	return (const uint8_t *)p;
}
void tls_session_sent(struct tls_session *s)
{
	(void)BIO_reset(SSL_get_wbio(s->ssl));
}
const char *tls_session_suite(const struct tls_session *s)
{
	const char *name = SSL_get_cipher_name(s->ssl);

	return name ? name : "";
}

bool tls_session_secrets(struct tls_session *s, struct tls_secrets *ret_secrets)
{
	/* What is buffered here the kernel would never see. */
	if (!s->client_bytes || s->client_bytes != s->server_bytes || SSL_has_pending(s->ssl) || BIO_ctrl_pending(SSL_get_rbio(s->ssl)))
		return false;
	*ret_secrets = (struct tls_secrets){ s->client_secret, s->server_secret, s->client_bytes };
	return true;
}

/* ---- data -------------------------------------------------------------------------------------------------------- */
int tls_session_feed(struct tls_session *s, const uint8_t *in, size_t len)
{
	return feed(s, in, len);
}

ssize_t tls_session_read(struct tls_session *s, uint8_t *to, size_t room)
{
	size_t got = 0;

	ERR_clear_error();
	int r = SSL_read_ex(s->ssl, to, room, &got);
	if (r == 1)
		return (ssize_t)got;
	switch (SSL_get_error(s->ssl, r)) {
	case SSL_ERROR_WANT_READ:
		return 0;
	case SSL_ERROR_ZERO_RETURN:
		return -ESHUTDOWN;
	default:
		return -EPROTO;
	}
}

int tls_session_write(struct tls_session *s, const uint8_t *from, size_t len)
{
	while (len) {
		size_t took = 0;
		ERR_clear_error();
		if (SSL_write_ex(s->ssl, from, len, &took) != 1)
			return -EPROTO;
		from += took;
		len -= took;
	}
	return 0;
}

void tls_session_end(struct tls_session *s)
{
	ERR_clear_error();
	(void)SSL_shutdown(s->ssl);
}
