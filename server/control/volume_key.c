/* SPDX-License-Identifier: GPL-3.0-or-later */
/* volume_key.c - keys of encrypted volumes: made with the volume, kept in its row as a sealed secret, lent to block/,
 * replaced when a host asks for a cryptographic erase.
 *
 * A key that cannot be had leaves its volume OFFLINE with the reason; nothing here makes another one in its place. */
#include "control/control_priv.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "core/hex.h"
#include "tls/tls.h"

#define FIELD "encryption_key"
static_assert(VOLUME_KEY_BYTES == TLS_XTS_KEY_BYTES, "one cipher");

/* ---- the cipher ------------------------------------------------------------------------------------------------ */
static int cipher_open(const uint8_t key[VOLUME_KEY_BYTES], uint32_t unit_bytes, void **ret_state)
{
	struct tls_xts *x;
	int r = tls_xts_new(key, unit_bytes, &x);
	if (!r)
		*ret_state = x;
	return r;
}
static void cipher_close(void *state)
{
	tls_xts_free(state);
}
static int cipher_encrypt(void *state, uint64_t unit, const void *from, void *to, size_t len_bytes)
{
	return tls_xts_encrypt(state, unit, from, to, len_bytes);
}
static int cipher_decrypt(void *state, uint64_t unit, const void *from, void *to, size_t len_bytes)
{
	return tls_xts_decrypt(state, unit, from, to, len_bytes);
}
static const struct volume_cipher cipher = { .open = cipher_open, .close = cipher_close, .encrypt = cipher_encrypt, .decrypt = cipher_decrypt };

/* ---- made and kept ---------------------------------------------------------------------------------------------- */
static int key_new(uint8_t key[VOLUME_KEY_BYTES])
{
	int r;
	do
		r = tls_random(key, VOLUME_KEY_BYTES);
	while (!r && tls_equal(key, key + VOLUME_KEY_BYTES / 2, VOLUME_KEY_BYTES / 2));
	return r;
}

/* In the open transaction, or in one of its own. */
static int key_put(const char *id, const uint8_t key[VOLUME_KEY_BYTES], struct config_error *e)
{
	char hex[2 * VOLUME_KEY_BYTES + 1];
	hex_write(key, VOLUME_KEY_BYTES, hex);
	json_t *fields = json_pack("{s:s}", FIELD, hex);
	int r = fields ? config_put(ctl.db, MODEL_VOLUME, id, fields, NULL, e) : config_fail(e, -ENOMEM, "", "out of memory");
	const char *copy = json_string_value(json_object_get(fields, FIELD));
	if (copy)
		explicit_bzero((char *)(uintptr_t)copy, sizeof(hex) - 1);
	json_decref(fields);
	explicit_bzero(hex, sizeof(hex));
	return r;
}

int volume_key_make(const json_t *row, bool adopt, struct config_error *e)
{
	uint8_t key[VOLUME_KEY_BYTES];
	if (!true_of(row, "encrypted") || true_of(row, FIELD))
		return 0;
	if (adopt)
		return config_fail(e, -EINVAL, FIELD, "volume %s is encrypted and the document does not hold its key: export it with a passphrase, or leave the volume out",
				   text_of(row, "name"));
	int r = key_new(key);
	r = r ? config_fail(e, r, FIELD, "no key can be made: %s", strerror(-r)) : key_put(text_of(row, "id"), key, e);
	explicit_bzero(key, sizeof(key));
	return r;
}

/* 0, or the reason in why. */
static int key_load(const char *id, uint8_t key[VOLUME_KEY_BYTES], char *why, size_t why_bytes)
{
	uint8_t hex[2 * VOLUME_KEY_BYTES + 1];
	struct config_error e;
	size_t len = 0;
	int r = config_secret(ctl.db, MODEL_VOLUME, id, FIELD, hex, sizeof(hex) - 1, &len, &e);
	hex[r ? 0 : len] = '\0';
	if (r == -ENOKEY)
		snprintf(why, why_bytes, "its key cannot be opened: %s", e.why);
	else if (r == -EBADMSG)
		snprintf(why, why_bytes, "its key cannot be opened with this secret.key: put the right one back and start again");
	else if (r || hex_read((const char *)hex, key, VOLUME_KEY_BYTES))
		snprintf(why, why_bytes, "its key is missing: restore it from a backup that was sealed with a passphrase");
	else
		why[0] = '\0';
	explicit_bzero(hex, sizeof(hex));
	return why[0] ? -ENOKEY : 0;
}

void volume_key_lend(const json_t *row, struct volume_spec_hold *h)
{
	if (h->spec.encrypted && key_load(text_of(row, "id"), h->key, h->key_why, sizeof(h->key_why)) == 0)
		h->spec.key = h->key;
	h->spec.key_why = h->key_why;
}

/* ---- replaced ----------------------------------------------------------------------------------------------------- */
struct renewal {
	const char *id;
	uint8_t key[VOLUME_KEY_BYTES];
	struct config_error e;
};
static int renewal_save(void *arg)
{
	struct renewal *n = arg;
	return key_put(n->id, n->key, &n->e);
}

/* Once the new key is in force the old one has to go from the files of the store, too; a failure there is told, and asking
 * again is right. */
static int renew_run(void *arg)
{
	struct renewal *n = arg;
	struct rt_volume *v = rt_volume_find(n->id);
	int r = v && v->volume ? key_new(n->key) : -ESHUTDOWN;
	if (!r)
		r = volume_rekey(v->volume, n->key, renewal_save, n);
	if (!r)
		r = config_forget(ctl.db, MODEL_VOLUME, n->id, FIELD, &n->e);
	if (r)
		log_error(&log_control, "a volume's key cannot be replaced", "volume=%s why=\"%s\"", n->id, *n->e.why ? n->e.why : strerror(-r));
	else
		control_event(LOG_LEVEL_WARN, false, "volume.key", text_of(v->row, "name"), "volume %s got a new key: what it held cannot be read any more", text_of(v->row, "name"));
	return r;
}

/* On a worker. */
static int renew(void *arg, const char *uuid)
{
	struct renewal n = { .id = uuid };
	(void)arg;
	int r = reactor_call(ctl.reactor, renew_run, &n);
	explicit_bzero(n.key, sizeof(n.key));
	return r;
}

void volume_keys_start(void)
{
	volume_cipher_set(&cipher);
	volume_key_on_renew(renew, NULL);
}

void volume_keys_stop(void)
{
	volume_key_on_renew(NULL, NULL);
}
