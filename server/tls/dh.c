/* SPDX-License-Identifier: GPL-3.0-or-later */
/* dh.c - ephemeral Diffie-Hellman, RFC 7919. */
#include "tls/dh.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <stdio.h>

#include "tls/tls_priv.h"

struct tls_dh {
	EVP_PKEY *pkey;
	char group[16];
	size_t len_bytes;
};

static void ctx_freep(EVP_PKEY_CTX **p)
{
	EVP_PKEY_CTX_free(*p);
}
static void bn_freep(BIGNUM **p)
{
	BN_free(*p);
}

int tls_dh_new(unsigned bits, struct tls_dh **ret_dh)
{
	if (bits != 2048 && bits != 3072 && bits != 4096 && bits != 6144 && bits != 8192)
		return -ENOTSUP;
	_cleanup_(tls_dh_freep) struct tls_dh *d = calloc(1, sizeof(*d));
	_cleanup_(ctx_freep) EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_name(NULL, "DH", NULL);
	if (!d || !c)
		return -ENOMEM;
	snprintf(d->group, sizeof(d->group), "ffdhe%u", bits);
	d->len_bytes = bits / 8;
	OSSL_PARAM params[] = { OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, d->group, 0), OSSL_PARAM_construct_end() };
	if (EVP_PKEY_keygen_init(c) != 1 || EVP_PKEY_CTX_set_params(c, params) != 1 || EVP_PKEY_generate(c, &d->pkey) != 1)
		return -ENOTSUP;
	*ret_dh = TAKE(d);
	return 0;
}

void tls_dh_free(struct tls_dh *d)
{
	if (!d)
		return;
	EVP_PKEY_free(d->pkey);
	free(d);
}

size_t tls_dh_bytes(const struct tls_dh *d)
{
	return d->len_bytes;
}

int tls_dh_public(const struct tls_dh *d, uint8_t *to)
{
	_cleanup_(bn_freep) BIGNUM *y = NULL;

	if (EVP_PKEY_get_bn_param(d->pkey, OSSL_PKEY_PARAM_PUB_KEY, &y) != 1)
		return -EIO;
	return BN_bn2binpad(y, to, (int)d->len_bytes) == (int)d->len_bytes ? 0 : -EIO;
}

/* 2 to p - 2: in these groups (p = 2q + 1) that leaves no small subgroup. */
static bool in_range(const struct tls_dh *d, const BIGNUM *y)
{
	_cleanup_(bn_freep) BIGNUM *p = NULL;

	return EVP_PKEY_get_bn_param(d->pkey, OSSL_PKEY_PARAM_FFC_P, &p) == 1 && BN_sub_word(p, 1) == 1 && BN_cmp(y, BN_value_one()) > 0 &&
	       BN_cmp(y, p) < 0;
}

/* The peer's value as a key of our group; NULL: it is none. */
static EVP_PKEY *peer_key(const struct tls_dh *d, const uint8_t *peer, size_t peer_bytes)
{
	_cleanup_(bn_freep) BIGNUM *y = BN_bin2bn(peer, (int)peer_bytes, NULL);
	_cleanup_(ctx_freep) EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_name(NULL, "DH", NULL);
	OSSL_PARAM_BLD *b = OSSL_PARAM_BLD_new();
	OSSL_PARAM *params = NULL;
	EVP_PKEY *key = NULL;

	if (y && in_range(d, y) && c && b && OSSL_PARAM_BLD_push_utf8_string(b, OSSL_PKEY_PARAM_GROUP_NAME, d->group, 0) == 1 &&
	    OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_PUB_KEY, y) == 1 && (params = OSSL_PARAM_BLD_to_param(b)) != NULL &&
	    EVP_PKEY_fromdata_init(c) == 1 && EVP_PKEY_fromdata(c, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
		key = NULL;
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(b);
	return key;
}

int tls_dh_shared(const struct tls_dh *d, const uint8_t *peer, size_t peer_bytes, uint8_t *to)
{
	size_t len = d->len_bytes;

	if (peer_bytes != d->len_bytes)
		return -EINVAL;
	_cleanup_(pkey_freep) EVP_PKEY *key = peer_key(d, peer, peer_bytes);
	_cleanup_(ctx_freep) EVP_PKEY_CTX *c = EVP_PKEY_CTX_new(d->pkey, NULL);
	if (!key || !c || EVP_PKEY_derive_init(c) != 1 || EVP_PKEY_CTX_set_dh_pad(c, 1) != 1 || EVP_PKEY_derive_set_peer_ex(c, key, 0) != 1 ||
	    EVP_PKEY_derive(c, to, &len) != 1 || len != d->len_bytes)
		return -EINVAL;
	return 0;
}
