/* SPDX-License-Identifier: GPL-3.0-or-later */
/* dns.c - the TXT record of dns-01, set and removed: by UPDATE over UDP or TCP, or by a script. */
#include "acme/acme_priv.h"

#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "core/base64.h"
#include "tls/tls.h"

#define UDP_TRIES 3
#define UDP_WAIT_MS 3000
#define TCP_WAIT_MS 10000
#define SCRIPT_S 300u
#define SCRIPT_CLEANUP_S 30u

/* One exchange with one server; cleaning up goes on when the rest was cancelled. */
struct exchange {
	struct session *s;
	const struct acme_dns *d;
	uint16_t id;
	uint8_t msg[DNS_MESSAGE_MAX], answer[DNS_MESSAGE_MAX];
	size_t len;
	struct dns_tsig *tsig;
	struct dns_verdict verdict;
};

static int await(int fd, short events, int ms)
{
	struct pollfd p = { .fd = fd, .events = events };
	int n = poll(&p, 1, ms);

	return n < 0 ? -errno : n == 0 ? -ETIMEDOUT : 0;
}

static int udp_exchange(struct exchange *x, const struct addrinfo *to)
{
	_cleanup_(closep) int fd = socket(to->ai_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int r = -ETIMEDOUT;

	if (fd < 0 || connect(fd, to->ai_addr, to->ai_addrlen) < 0)
		return -errno;
	for (int i = 0; i < UDP_TRIES && r == -ETIMEDOUT; i++) {
		uint64_t end = acme_now_ms() + UDP_WAIT_MS;
		if (send(fd, x->msg, x->len, MSG_NOSIGNAL) != (ssize_t)x->len)
			return -errno;
		/* Answers that are not to this question are none. */
		for (uint64_t now = acme_now_ms(); now < end; now = acme_now_ms()) {
			r = await(fd, POLLIN, (int)(end - now));
			if (r < 0)
				break;
			ssize_t n = recv(fd, x->answer, sizeof(x->answer), 0);
			if (n < 0)
				return -errno;
			r = dns_answer_parse(x->answer, (size_t)n, x->id, x->tsig, &x->verdict);
			if (r == 0)
				return 0;
		}
	}
	return r;
}

static int move(int fd, uint8_t *p, size_t len, bool in, uint64_t end)
{
	while (len) {
		uint64_t now = acme_now_ms();
		int r = now < end ? await(fd, in ? POLLIN : POLLOUT, (int)(end - now)) : -ETIMEDOUT;
		if (r < 0)
			return r;
		ssize_t n = in ? recv(fd, p, len, 0) : send(fd, p, len, MSG_NOSIGNAL);
		if (n <= 0)
			return n < 0 ? -errno : -EPIPE;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

static int tcp_exchange(struct exchange *x, const struct addrinfo *to)
{
	_cleanup_(closep) int fd = socket(to->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	uint64_t end = acme_now_ms() + TCP_WAIT_MS;
	uint8_t head[2] = { (uint8_t)(x->len >> 8), (uint8_t)x->len };
	int err = 0;
	socklen_t err_len = sizeof(err);

	if (fd < 0 || (connect(fd, to->ai_addr, to->ai_addrlen) < 0 && errno != EINPROGRESS))
		return -errno;
	int r = await(fd, POLLOUT, TCP_WAIT_MS);
	if (r == 0 && (getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &err_len) < 0 || err))
		r = err ? -err : -EIO;
	if (r == 0)
		r = move(fd, head, 2, false, end);
	if (r == 0)
		r = move(fd, x->msg, x->len, false, end);
	if (r == 0)
		r = move(fd, head, 2, true, end);
	size_t len = (size_t)head[0] << 8 | head[1];
	if (r == 0 && len > sizeof(x->answer))
		r = -EBADMSG;
	if (r == 0)
		r = move(fd, x->answer, len, true, end);
	return r < 0 ? r : dns_answer_parse(x->answer, len, x->id, x->tsig, &x->verdict);
}

static int ask(struct exchange *x)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV };
	struct addrinfo *list = NULL;
	char port[8];
	int r = -EHOSTUNREACH;

	snprintf(port, sizeof(port), "%u", x->d->port ? x->d->port : 53u);
	int gai = getaddrinfo(x->d->server, port, &hints, &list);
	if (gai)
		return session_fail(x->s, -EHOSTUNREACH, "the DNS server %.200s is not known: %s", x->d->server, gai_strerror(gai));
	for (const struct addrinfo *a = list; a && r < 0; a = a->ai_next) {
		r = udp_exchange(x, a);
		if (r < 0)
			r = tcp_exchange(x, a);
	}
	freeaddrinfo(list);
	if (r == -EBADMSG)
		return session_fail(x->s, r, "the DNS server %.200s answers with a signature that is missing or wrong: is the key the same on both sides?", x->d->server);
	return r < 0 ? session_fail(x->s, r, "the DNS server %.200s does not answer: %s", x->d->server, strerror(-r)) : 0;
}

static int tell(struct exchange *x, const char *zone)
{
	static const char *const tsig_texts[] = { "the signature is wrong (BADSIG): another secret or algorithm", "it does not know the key (BADKEY)", "the clocks differ (BADTIME)" };
	unsigned t = x->verdict.tsig_error;

	if (t >= 16 && t <= 18)
		return session_fail(x->s, -EACCES, "the DNS server refuses the update of zone %.200s: %s", zone, tsig_texts[t - 16]);
	if (x->verdict.rcode)
		return session_fail(x->s, -EPROTO, "the DNS server refuses the update of zone %.200s: %s", zone, dns_rcode_text(x->verdict.rcode));
	return 0;
}

/* Without a zone given: NOTAUTH and NOTZONE say that the name is no zone of that server, so its parent is tried. */
static int update(struct session *s, const struct acme_dns *d, const char *record, const char *value, bool add)
{
	struct dns_tsig tsig = { .key_name = d->key_name, .algorithm = d->algorithm && *d->algorithm ? d->algorithm : "hmac-sha256" };
	bool is_signed = d->key_name && *d->key_name, fixed = d->zone && *d->zone;
	struct exchange *x = calloc(1, sizeof(*x));
	int r = 0;

	if (!x)
		return session_fail(s, -ENOMEM, "out of memory");
	x->s = s;
	x->d = d;
	if (is_signed && (base64_decode_any(d->secret ? d->secret : "", tsig.secret, sizeof(tsig.secret), &tsig.secret_len) < 0 || !tsig.secret_len))
		r = session_fail(s, -EINVAL, "the secret of the TSIG key is not base64");
	x->tsig = is_signed ? &tsig : NULL;
	for (const char *zone = fixed ? d->zone : record; r == 0; zone = strchr(zone, '.') + 1) {
		if (tls_random(&x->id, sizeof(x->id)) < 0)
			r = session_fail(s, -EIO, "no random number");
		int n = r < 0 ? r : dns_update_build(x->id, zone, record, value, add, (uint64_t)time(NULL), x->tsig, x->msg);
		if (n < 0) {
			r = session_fail(s, n, "%.250s cannot be written in DNS", record);
			break;
		}
		x->len = (size_t)n;
		r = ask(x);
		if (r < 0)
			break;
		bool elsewhere = (x->verdict.rcode == 9 || x->verdict.rcode == 10) && !x->verdict.tsig_error;
		const char *dot = strchr(zone, '.');
		if (fixed || !elsewhere || !dot || !strchr(dot + 1, '.')) {
			r = tell(x, zone);
			break;
		}
	}
	tls_wipe(tsig.secret, sizeof(tsig.secret));
	free(x);
	return r;
}

static int script(struct session *s, const struct acme_dns *d, const char *verb, const char *record, const char *value)
{
	_cleanup_(freep) char *secret = NULL;
	bool cleanup = strcmp(verb, "cleanup") == 0;
	const char *argv[] = { d->script, verb, record, value, NULL };
	const char *envp[] = { "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8", NULL, NULL };
	struct child c = { .path = d->script, .argv = argv, .envp = envp, .timeout_s = cleanup ? SCRIPT_CLEANUP_S : SCRIPT_S, .ignores_cancel = cleanup };

	if (d->secret && asprintf(&secret, "DNS_SECRET=%s", d->secret) >= 0)
		envp[2] = secret;
	int r = child_run(s, &c);
	if (secret)
		tls_wipe(secret, strlen(secret));
	if (r < 0)
		return r == -ECANCELED ? session_fail(s, r, "it was cancelled") : session_fail(s, r, "the DNS script cannot be run or does not end: %s", strerror(-r));
	return r ? session_fail(s, -EPROTO, "the DNS script ends with status %d for %s %.200s: %.400s", r, verb, record, c.output) : 0;
}

int dns_set(struct session *s, const struct acme_dns *d, const char *record, const char *value)
{
	return d->method == ACME_DNS_SCRIPT ? script(s, d, "present", record, value) : update(s, d, record, value, true);
}

void dns_unset(struct session *s, const struct acme_dns *d, const char *record, const char *value)
{
	int r = d->method == ACME_DNS_SCRIPT ? script(s, d, "cleanup", record, value) : update(s, d, record, value, false);

	if (r < 0)
		log_warn(&log_acme, "a challenge record stays in DNS", "record=%s why=\"%s\"", record, s->e->why);
}
