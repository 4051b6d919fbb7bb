/* SPDX-License-Identifier: GPL-3.0-or-later */
/* acme_answers.c - an authority that says anything: an account, an order, a revocation and the question when to renew
 * end with a sentence or with what was asked for, and a certificate that is handed out is one.
 * Input: one letter (o order by http-01, t by tls-alpn-01, r renewal, v revocation, k key change, d deactivation), the rest of
 * its line is nothing; then the answers, each "STATUS" and its headers in lines, an empty line and the body, ended by a line
 * "--".  When they are used up nobody answers any more.
 *
 * No network and no time: linked so that requests, listeners and waiting come here (--wrap). */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "acme/acme_priv.h"
#include "tls/tls.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes);
int __wrap_outbound_http(const struct outbound_request *rq, struct outbound_answer *ret_answer, char *why, size_t why_bytes);
int __wrap_http01_show(uint16_t port, const char *token, const char *key_auth, char *why, size_t why_bytes);
void __wrap_http01_hide(const char *token);
int __wrap_nanosleep(const struct timespec *rq, struct timespec *rm);
int __wrap_clock_gettime(clockid_t clock, struct timespec *t);
int __real_clock_gettime(clockid_t clock, struct timespec *t);

static const char *next;                 /* what the authority says next */
static uint64_t slept_ns;
static int shown;
/* Of nobody; it names the key of its issuer, without which there is nothing to ask about (RFC 9773 4.1). */
static const char known_pem[] =
	"-----BEGIN CERTIFICATE-----\n"
	"MIIBlDCCATmgAwIBAgIUBnPizQvnWavO9R1FR8fA7Rc6olMwCgYIKoZIzj0EAwIw\n"
	"GTEXMBUGA1UEAwwOY2EuZXhhbXBsZS5vcmcwHhcNMjYxMTIxMDIzMTM4WhcNMzYx\n"
	"MTE4MDIzMTM4WjAaMRgwFgYDVQQDDA9uYXMuZXhhbXBsZS5vcmcwWTATBgcqhkjO\n"
	"PQIBBggqhkjOPQMBBwNCAATrHzd5jtRRSHVeiZpg/ptaWlMC3O4xwLava0mC/3mx\n"
	"ZJAAcLPnj3QBfoChjjBYtCAn5ZST7d68qpeYBEIiiSJ+o14wXDAfBgNVHSMEGDAW\n"
	"gBThT3XtoYOuUDe5gqBxQ6jnrqRyejAaBgNVHREEEzARgg9uYXMuZXhhbXBsZS5v\n"
	"cmcwHQYDVR0OBBYEFIIufkvkcTcshXIe6kFK1lzRAQ77MAoGCCqGSM49BAMCA0kA\n"
	"MEYCIQCHDXaBRZPM/tBdfqzUF8PugS2PrwlvtOOVjENgfDnYQgIhALVTiT6T2F5H\n"
	"xwmej0Zb0UmAU6HqkBcWFt5uhbbDLuuX\n"
	"-----END CERTIFICATE-----\n";
static char *account_pem, *chain_pem, *chain_key_pem;

static void require(bool holds)
{
	if (!holds)
		abort();
}

int __wrap_nanosleep(const struct timespec *rq, struct timespec *rm)
{
	(void)rm;
	slept_ns += (uint64_t)rq->tv_sec * 1000000000u + (uint64_t)rq->tv_nsec;
	return 0;
}

int __wrap_clock_gettime(clockid_t clock, struct timespec *t)
{
	if (clock != CLOCK_MONOTONIC)
		return __real_clock_gettime(clock, t);
	*t = (struct timespec){ .tv_sec = (time_t)(slept_ns / 1000000000u), .tv_nsec = (long)(slept_ns % 1000000000u) };
	return 0;
}

int __wrap_http01_show(uint16_t port, const char *token, const char *key_auth, char *why, size_t why_bytes)
{
	(void)port;
	(void)why;
	(void)why_bytes;
	require(*token && strncmp(key_auth, token, strlen(token)) == 0 && strpbrk(key_auth, "/ \r\n") == NULL);
	shown++;
	return 0;
}

void __wrap_http01_hide(const char *token)
{
	(void)token;
	shown--;
}

static int show_certificate(void *arg, const char *name, const char *cert_pem, const char *key_pem, char *why, size_t why_bytes)
{
	(void)arg;
	(void)why;
	(void)why_bytes;
	require(*name && !cert_pem == !key_pem);
	shown += cert_pem ? 1 : -1;
	return 0;
}

int __wrap_outbound_http(const struct outbound_request *rq, struct outbound_answer *ret_answer, char *why, size_t why_bytes)
{
	const char *end = strstr(next, "\n--\n"), *body;
	struct outbound_answer a = { 0 };

	require(rq->https_only);
	if (!*next) {
		snprintf(why, why_bytes, "nobody answers");
		return -ETIMEDOUT;
	}
	if (!end)
		end = next + strlen(next);
	body = strstr(next, "\n\n");
	if (!body || body > end)
		body = end;
	a.status = strtol(next, NULL, 10);
	a.headers = strndup(next, (size_t)(body - next));
	body = body == end ? end : body + 2;
	a.body_len = body < end ? (size_t)(end - body) : 0;
	a.body = strndup(body, a.body_len);
	a.headers_len = a.headers ? strlen(a.headers) : 0;
	require(a.headers && a.body);
	next = *end ? end + 4 : end;
	*ret_answer = a;
	return 0;
}

static void order(const struct acme_ca *ca, const struct acme_hooks *h, enum acme_challenge challenge, struct acme_error *e)
{
	static const char *const names[] = { "nas.example.org", "192.0.2.1" };
	const struct acme_wish w = { .names = names, .name_count = 2, .challenge = challenge, .http_port = 80, .key_type = TLS_KEY_EC256, .preferred_chain = "Root X" };
	struct acme_issued i;
	int r = acme_order(ca, &w, h, &i, e);

	require(shown == 0);                     /* a proof is taken back whatever happened */
	if (r == 0)
		require(i.chain_pem && i.key_pem && i.account_url && tls_cert_matches_key(i.chain_pem, i.key_pem) == 0);
	acme_issued_done(&i);
	require((r == 0) == (e->code == 0));
}

static void make_keys(void)
{
	static const char *const names[] = { "nas.example.org" };
	struct tls_key *key = NULL;

	require(tls_key_new(TLS_KEY_EC256, &key) == 0 && tls_key_pem(key, &account_pem) == 0);
	tls_key_free(key);
	require(tls_self_signed(names, 1, 30, &chain_pem, &chain_key_pem) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes)
{
	const struct acme_hooks h = { .tls_alpn = show_certificate };
	struct acme_window w;
	struct acme_error e = { 0 };
	char *url = NULL;
	int r = 0;

	if (!account_pem) {
		log_set_level("all", LOG_LEVEL_ERROR);
		make_keys();
	}
	if (len_bytes < 1 || len_bytes > 65536)
		return 0;
	char *text = malloc(len_bytes + 1);
	require(text != NULL);
	memcpy(text, data, len_bytes);
	text[len_bytes] = '\0';
	next = text + strcspn(text, "\n");
	next += *next == '\n';
	slept_ns = 0;
	const struct acme_ca ca = { .directory = "https://ca.example.org/directory", .key_pem = account_pem, .terms_agreed = true, .email = "root@example.org",
				    .account_url = *text == 'k' || *text == 'd' ? "https://ca.example.org/account/1" : NULL };
	switch (*text) {
	case 'o':
		order(&ca, &h, ACME_HTTP_01, &e);
		break;
	case 't':
		order(&ca, &h, ACME_TLS_ALPN_01, &e);
		break;
	case 'r':
		r = acme_renewal_info(&ca, known_pem, &h, &w, &e);
		require(r != 0 || (w.end_unix_s > w.start_unix_s && w.ask_again_s && strnlen(w.explanation, sizeof(w.explanation)) < sizeof(w.explanation)));
		break;
	case 'v':
		r = acme_revoke(&ca, chain_pem, chain_key_pem, 4, &h, &e);
		break;
	case 'k':
		r = acme_rollover(&ca, chain_key_pem, &h, &e);
		break;
	case 'd':
		r = acme_deactivate(&ca, &h, &e);
		break;
	default:
		r = acme_register(&ca, &h, &url, &e);
		require((r == 0) == (url != NULL));
	}
	require(r == 0 || (r < 0 && *e.why));
	require(strnlen(e.why, sizeof(e.why)) < sizeof(e.why) && strpbrk(e.why, "\r\n\x1b") == NULL);
	free(url);
	free(text);
	return 0;
}
