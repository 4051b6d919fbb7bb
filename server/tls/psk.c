/* SPDX-License-Identifier: GPL-3.0-or-later */
/* psk.c - NVMe/TCP's pre-shared keys for TLS 1.3. */
#include "tls/psk.h"

#include <stdio.h>
#include <string.h>

#include "core/base64.h"
#include "core/keytext.h"
#include "tls/tls_priv.h"

static enum tls_hash hash_of(unsigned hash)
{
	return hash == 2 ? TLS_SHA384 : TLS_SHA256;
}

static int extract(enum tls_hash h, const uint8_t *key, size_t key_bytes, uint8_t prk[TLS_HASH_MAX])
{
	static const uint8_t zeroes[TLS_HASH_MAX];

	return tls_hmac(h, zeroes, tls_hash_bytes(h), &(struct tls_part){ key, key_bytes }, 1, prk);
}

/* One block: all that is asked for fits it. */
static int expand(enum tls_hash h, const uint8_t *prk, const struct tls_part *info, size_t info_count, uint8_t *out, size_t out_bytes)
{
	static const uint8_t one = 1;
	uint8_t block[TLS_HASH_MAX];
	struct tls_part parts[8];

	if (out_bytes > tls_hash_bytes(h) || info_count >= ARRAY_COUNT(parts))
		return -EINVAL;
	memcpy(parts, info, info_count * sizeof(*info));
	parts[info_count] = (struct tls_part){ &one, 1 };
	int r = tls_hmac(h, prk, tls_hash_bytes(h), parts, info_count + 1, block);
	if (!r)
		memcpy(out, block, out_bytes);
	tls_wipe(block, sizeof(block));
	return r;
}

int tls_expand_label(enum tls_hash h, const uint8_t *secret, const char *label, const void *context, size_t context_bytes, uint8_t *out, size_t out_bytes)
{
	size_t label_bytes = strlen(label);
	const uint8_t head[3] = { 0, (uint8_t)out_bytes, (uint8_t)(6 + label_bytes) }, context_len = (uint8_t)context_bytes;

	if (out_bytes > 255 || label_bytes > 255 - 6 || context_bytes > 255)
		return -EINVAL;
	return expand(h, secret,
		      (const struct tls_part[]){ { head, 3 }, { "tls13 ", 6 }, { label, label_bytes }, { &context_len, 1 }, { context, context_bytes } }, 5,
		      out, out_bytes);
}

/* What libnvme up to 1.14 put in the place of HkdfLabel. */
static int libnvme_label(enum tls_hash h, const uint8_t *prk, const char *label, const char *context, uint8_t *out, size_t out_bytes)
{
	const uint8_t head[2] = { (uint8_t)out_bytes, 0 };

	return expand(h, prk, (const struct tls_part[]){ { head, 2 }, { "tls13 ", 6 }, { label, strlen(label) }, { context, strlen(context) } }, 4, out,
		      out_bytes);
}

static int derive(enum tls_psk_way way, enum tls_hash h, const uint8_t *key, size_t key_bytes, const char *label, const char *context, uint8_t *out,
		  size_t out_bytes)
{
	uint8_t prk[TLS_HASH_MAX];
	int r = extract(h, key, key_bytes, prk);

	if (!r)
		r = way == TLS_PSK_LIBNVME ? libnvme_label(h, prk, label, context, out, out_bytes) :
					     tls_expand_label(h, prk, label, context, strlen(context), out, out_bytes);
	tls_wipe(prk, sizeof(prk));
	return r;
}

int tls_psk_retain(unsigned hash, enum tls_psk_way way, const uint8_t *psk, size_t psk_bytes, const char *host_nqn, uint8_t *out)
{
	if (hash > 2)
		return -EINVAL;
	if (!hash) {
		memmove(out, psk, psk_bytes);
		return 0;
	}
	return derive(way, hash_of(hash), psk, psk_bytes, "HostNQN", host_nqn, out, psk_bytes);
}

/* ---- identities ------------------------------------------------------------------------------------- */
static bool word(const char **at, char *to, size_t room)
{
	size_t len = strcspn(*at, " ");

	if (!len || len >= room)
		return false;
	memcpy(to, *at, len);
	to[len] = '\0';
	*at += len;
	return true;
}

int tls_psk_name_parse(const char *identity, struct tls_psk_name *ret_name)
{
	struct tls_psk_name n = { 0 };
	const char *at;

	if (strlen(identity) < 9 || strncmp(identity, "NVMe", 4) != 0 || (identity[4] != '0' && identity[4] != '1') || (identity[5] != 'R' && identity[5] != 'G') ||
	    identity[6] != '0' || (identity[7] != '1' && identity[7] != '2') || identity[8] != ' ')
		return -EINVAL;
	at = identity + 9;
	n.version = (unsigned)(identity[4] - '0');
	n.generated = identity[5] == 'G';
	n.hash = (unsigned)(identity[7] - '0');
	if (!word(&at, n.host_nqn, sizeof(n.host_nqn)) || *at++ != ' ' || !word(&at, n.subsystem_nqn, sizeof(n.subsystem_nqn)))
		return -EINVAL;
	if (n.version && (*at++ != ' ' || !word(&at, n.digest, sizeof(n.digest))))
		return -EINVAL;
	if (*at)
		return -EINVAL;
	*ret_name = n;
	return 0;
}

int tls_psk_name_format(const struct tls_psk_name *n, char identity[TLS_PSK_IDENTITY_BYTES])
{
	int len = snprintf(identity, TLS_PSK_IDENTITY_BYTES, "NVMe%u%c%02u %s %s%s%s", n->version, n->generated ? 'G' : 'R', n->hash, n->host_nqn,
			   n->subsystem_nqn, n->version ? " " : "", n->version ? n->digest : "");

	return len > 0 && len < TLS_PSK_IDENTITY_BYTES ? 0 : -EINVAL;
}

int tls_psk_digest(const struct tls_psk_name *n, const uint8_t *psk, size_t psk_bytes, char digest[TLS_PSK_DIGEST_CHARS + 1])
{
	enum tls_hash h = hash_of(n->hash);
	const struct tls_part parts[] = {
		{ n->host_nqn, strlen(n->host_nqn) }, { " ", 1 }, { n->subsystem_nqn, strlen(n->subsystem_nqn) }, { " NVMe-over-Fabrics", 18 },
	};
	uint8_t mac[TLS_HASH_MAX];
	int r = tls_hmac(h, psk, psk_bytes, parts, ARRAY_COUNT(parts), mac);

	if (!r)
		base64_encode(mac, tls_hash_bytes(h), digest);
	return r;
}

int tls_psk_derive(const struct tls_psk_name *n, enum tls_psk_way way, const uint8_t *psk, size_t psk_bytes, uint8_t out[TLS_PSK_MAX_BYTES],
		   size_t *ret_bytes)
{
	char context[TLS_PSK_IDENTITY_BYTES];
	size_t bytes = tls_hash_bytes(hash_of(n->hash));
	int r = 0;

	/* PskIdentityContext: version 1 has the digest, version 0 the identity itself. */
	if (n->version)
		snprintf(context, sizeof(context), "%02u %s", n->hash, n->digest);
	else
		r = tls_psk_name_format(n, context);
	if (!r)
		r = derive(way, hash_of(n->hash), psk, psk_bytes, "nvme-tls-psk", context, out, bytes);
	if (!r)
		*ret_bytes = bytes;
	return r;
}
