/* SPDX-License-Identifier: GPL-3.0-or-later */
/* session.c - TLS by pre-shared keys against OpenSSL's client over loopback: the key that fits is found, whichever
 * try it is; one that does not fit lets nobody in; data goes both ways, through the kernel where it knows TLS
 * (then a line says so), or through the session. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tls/session.h"

static const char *identity;
static uint8_t client_key[TLS_PSK_MAX_BYTES];
static size_t key_bytes;
static unsigned fits_at;                 /* the try at which find() has the client's key */

static int use_session(SSL *ssl, const EVP_MD *md, const unsigned char **id, size_t *id_bytes, SSL_SESSION **sess)
{
	static const unsigned char suites[2][2] = { { 0x13, 0x01 }, { 0x13, 0x02 } };
	SSL_SESSION *s = SSL_SESSION_new();

	(void)md;
	SSL_SESSION_set1_master_key(s, client_key, key_bytes);
	SSL_SESSION_set_cipher(s, SSL_CIPHER_find(ssl, suites[key_bytes == 48]));
	SSL_SESSION_set_protocol_version(s, TLS1_3_VERSION);
	*id = (const unsigned char *)identity;
	*id_bytes = strlen(identity);
	*sess = s;
	return 1;
}

static bool find(void *arg, const char *id, unsigned attempt, uint8_t key[TLS_PSK_MAX_BYTES], size_t *ret_bytes)
{
	(void)arg;
	assert_string_equal(id, identity);
	if (attempt > 2)
		return false;
	memcpy(key, client_key, key_bytes);
	key[0] ^= attempt != fits_at;
	*ret_bytes = key_bytes;
	return true;
}

static void tcp_pair(int fd[2])
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(in);
	int l = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(l, (struct sockaddr *)&in, sizeof(in)), 0);
	assert_int_equal(listen(l, 1), 0);
	assert_int_equal(getsockname(l, (struct sockaddr *)&in, &len), 0);
	fd[0] = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(fd[0], (struct sockaddr *)&in, sizeof(in)), 0);
	fd[1] = accept(l, NULL, NULL);
	assert_true(fd[1] >= 0);
	close(l);
}

static void give(struct tls_session *s, int fd)
{
	size_t n;
	const uint8_t *out = tls_session_output(s, &n);

	if (n)
		assert_int_equal(write(fd, out, n), n);
	tls_session_sent(s);
}

/* Both sides take turns on one thread.  Returns the server's verdict. */
static int handshake(SSL *client, int client_fd, struct tls_session *s, int fd)
{
	uint8_t buf[8192];
	int r = -EAGAIN;

	for (int turn = 0; turn < 10 && r == -EAGAIN; turn++) {
		SSL_do_handshake(client); /* its socket does not block */
		struct pollfd p = { fd, POLLIN, 0 };
		if (poll(&p, 1, 2000) <= 0)
			break;
		ssize_t n = read(fd, buf, sizeof(buf));
		if (n <= 0)
			break;
		r = tls_session_handshake(s, buf, (size_t)n);
		give(s, fd);
	}
	(void)client_fd;
	return r;
}

static void client_read(SSL *client, int fd, char *to, int room)
{
	int n = -1;

	for (int i = 0; i < 20 && n <= 0; i++) {
		struct pollfd p = { fd, POLLIN, 0 };
		n = SSL_read(client, to, room - 1);
		if (n <= 0)
			poll(&p, 1, 500);
	}
	to[n > 0 ? n : 0] = '\0';
}

static void talk(SSL *client, int client_fd, struct tls_session *s, int fd)
{
	char text[64] = "";
	uint8_t raw[1024];

	assert_int_equal(SSL_write(client, "ping", 4), 4);
	int r = tls_session_to_kernel(s, fd);
	if (!r) {
		printf("# the kernel encrypts: %s\n", tls_session_suite(s));
		assert_int_equal(write(fd, "from the kernel", 15), 15);
		assert_int_equal(read(fd, text, sizeof(text)), 4);
	} else {
		assert_int_equal(r, -ENOTSUP);
		assert_int_equal(tls_session_write(s, (const uint8_t *)"from the server", 15), 0);
		give(s, fd);
		assert_int_equal(tls_session_read(s, raw, sizeof(raw)), 0);
		ssize_t n = read(fd, raw, sizeof(raw));
		assert_int_equal(tls_session_feed(s, raw, 7), 0); /* in pieces */
		assert_int_equal(tls_session_read(s, (uint8_t *)text, sizeof(text)), 0);
		assert_int_equal(tls_session_feed(s, raw + 7, (size_t)n - 7), 0);
		assert_int_equal(tls_session_read(s, (uint8_t *)text, sizeof(text)), 4);
	}
	assert_memory_equal(text, "ping", 4);
	client_read(client, client_fd, text, sizeof(text));
	assert_memory_equal(text, "from the", 8);
}

static void keys(void **state)
{
	static const struct {
		const char *identity;
		size_t key_bytes;
		unsigned fits_at;
		int verdict;
	} cases[] = {
		{ "NVMe0R01 nqn.a nqn.b", 32, 0, 0 },
		{ "NVMe1R02 nqn.a nqn.b abc=", 48, 0, 0 },
		{ "NVMe1R01 nqn.a nqn.b abc=", 32, 2, 0 },
		{ "NVMe0R02 nqn.a nqn.b", 48, 1, 0 },
		{ "NVMe0R01 nqn.a nqn.b", 32, 3, -EACCES },
		{ "NVMe0R02 nqn.a nqn.b", 48, 3, -EACCES },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
		struct tls_session *s;
		int fd[2];
		identity = cases[i].identity;
		key_bytes = cases[i].key_bytes;
		fits_at = cases[i].fits_at;
		assert_int_equal(tls_random(client_key, sizeof(client_key)), 0);
		SSL_CTX_set_psk_use_session_callback(ctx, use_session);
		SSL *client = SSL_new(ctx);
		tcp_pair(fd);
		SSL_set_fd(client, fd[0]);
		SSL_set_connect_state(client);
		BIO_socket_nbio(fd[0], 1);
		assert_int_equal(tls_session_new(find, NULL, &s), 0);
		int r = handshake(client, fd[0], s, fd[1]);
		if (r != cases[i].verdict)
			fail_msg("case %zu: %d", i, r);
		if (!r) {
			assert_string_equal(tls_session_suite(s), key_bytes == 48 ? "TLS_AES_256_GCM_SHA384" : "TLS_AES_128_GCM_SHA256");
			assert_int_equal(SSL_do_handshake(client), 1);
			talk(client, fd[0], s, fd[1]);
		} else {
			assert_int_not_equal(SSL_do_handshake(client), 1);
		}
		tls_session_free(s);
		SSL_free(client);
		SSL_CTX_free(ctx);
		close(fd[0]);
		close(fd[1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(keys) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
