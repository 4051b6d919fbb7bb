/* SPDX-License-Identifier: GPL-3.0-or-later */
/* certificate.c - what can be asked about a certificate that was issued: revoke it (RFC 8555 7.6), when to
 * renew it (RFC 9773). */
#include "acme/acme_priv.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core/base64.h"

#define ASK_AGAIN_S (6u * 3600u)         /* RFC 9773 4.3.3 */
#define ASK_AGAIN_MIN_S 60u

int acme_revoke(const struct acme_ca *ca, const char *chain_pem, const char *cert_key_pem, unsigned reason, const struct acme_hooks *h,
		struct acme_error *e)
{
	_cleanup_(tls_key_freep) struct tls_key *key = NULL;
	_cleanup_(freep) uint8_t *der = NULL;
	_cleanup_(freep) char *text = NULL;
	struct session s;
	struct reply rp;
	size_t len;
	json_t *payload = NULL;
	int r = session_open(&s, ca, h, e);
	const char *url = r == 0 ? session_resource(&s, "revokeCert") : NULL;

	if (r == 0 && !url)
		r = session_fail(&s, -ENOTSUP, "this authority cannot revoke");
	if (r == 0 && (tls_cert_der(chain_pem, &der, &len) < 0 || !(text = base64url(der, len))))
		r = session_fail(&s, -EINVAL, "the certificate cannot be read");
	/* Its own key proves enough, whichever account ordered it; RSA and EC only. */
	if (r == 0 && (tls_key_load(cert_key_pem, &key) < 0 || !tls_key_jws_alg(key))) {
		tls_key_free(TAKE(key));
		r = account_ensure(&s);
	}
	if (r == 0) {
		payload = json_pack("{s:s, s:i}", "certificate", text, "reason", (int)reason);
		r = session_post_signed(&s, url, payload, key, key != NULL, &rp);
		if (r == 0)
			reply_done(&rp);
		else if (problem_is(e, "alreadyRevoked"))
			r = 0;
		json_decref(payload);
	}
	session_close(&s);
	return r;
}

/* "2026-01-03T00:00:00Z", also with a fraction or an offset. */
static int parse_time(const char *text, int64_t *ret)
{
	struct tm tm = { 0 };
	const char *p = text ? strptime(text, "%Y-%m-%dT%H:%M:%S", &tm) : NULL;
	int64_t offset_s = 0;

	if (!p)
		return -EINVAL;
	if (*p == '.')
		p += 1 + strspn(p + 1, "0123456789");
	if (*p == '+' || *p == '-') {
		unsigned hours, minutes;
		if (sscanf(p + 1, "%2u:%2u", &hours, &minutes) != 2)
			return -EINVAL;
		offset_s = (int64_t)(hours * 3600 + minutes * 60) * (*p == '-' ? -1 : 1);
	} else if (*p != 'Z' && *p != 'z') {
		return -EINVAL;
	}
	*ret = (int64_t)timegm(&tm) - offset_s;
	return 0;
}

static int read_window(struct session *s, const struct reply *rp, struct acme_window *w)
{
	json_t *window = json_object_get(rp->json, "suggestedWindow");
	const char *page = json_string_value(json_object_get(rp->json, "explanationURL"));

	if (parse_time(json_string_value(json_object_get(window, "start")), &w->start_unix_s) < 0 ||
	    parse_time(json_string_value(json_object_get(window, "end")), &w->end_unix_s) < 0 || w->end_unix_s <= w->start_unix_s)
		return session_fail(s, -EPROTO, "the authority's renewal information makes no sense");
	w->ask_again_s = (unsigned)max_u64(outbound_retry_after_s(&rp->raw, ASK_AGAIN_S), ASK_AGAIN_MIN_S);
	snprintf(w->explanation, sizeof(w->explanation), "%s", page && strncmp(page, "https://", 8) == 0 && strlen(page) < sizeof(w->explanation) ? page : "");
	return 0;
}

int acme_renewal_info(const struct acme_ca *ca, const char *chain_pem, const struct acme_hooks *h, struct acme_window *ret_window, struct acme_error *e)
{
	struct acme_ca without_account = *ca;
	struct tls_cert_facts f = { 0 };
	_cleanup_(freep) char *url = NULL;
	struct session s;
	struct reply rp;

	without_account.key_pem = NULL;          /* the question is unsigned */
	int r = session_open(&s, &without_account, h, e);
	const char *base = r == 0 ? session_resource(&s, "renewalInfo") : NULL;
	if (r == 0 && tls_cert_facts(chain_pem, &f) < 0)
		r = session_fail(&s, -EINVAL, "the certificate cannot be read");
	if (r == 0 && (!base || !*base || !*f.ari_id))
		r = session_fail(&s, -ENOTSUP, "the authority has no renewal information");
	if (r == 0 && asprintf(&url, "%s%s%s", base, base[strlen(base) - 1] == '/' ? "" : "/", f.ari_id) < 0) {
		url = NULL;
		r = session_fail(&s, -ENOMEM, "out of memory");
	}
	if (r == 0)
		r = session_get(&s, url, &rp);
	if (r == 0) {
		struct acme_window w;
		r = read_window(&s, &rp, &w);
		if (r == 0)
			*ret_window = w;
		reply_done(&rp);
	}
	tls_cert_facts_done(&f);
	session_close(&s);
	return r;
}
