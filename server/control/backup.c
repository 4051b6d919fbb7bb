/* SPDX-License-Identifier: GPL-3.0-or-later */
/* backup.c - secrets in an export that any machine can open who knows the passphrase: each is sealed with AES-256-GCM
 * under a key that scrypt (RFC 7914) makes of it, and bound to its object and field, so that none can be moved to
 * another place of the document. */
#include "control/control_priv.h"

#include <stdio.h>
#include <string.h>

#include "core/hex.h"
#include "tls/tls.h"

#define SALT_BYTES 16
#define SECRET_BYTES_MAX 65536
#define LOG_N 16                         /* 64 MiB and some 0.2 s */
static const char check_text[] = "holdfast";

static char *hex_of(const uint8_t *p, size_t len)
{
	char *text = malloc(2 * len + 1);
	if (text)
		hex_write(p, len, text);
	return text;
}

static size_t make_aad(char *buf, size_t bytes, enum model_kind k, const char *id, const char *field)
{
	int n = snprintf(buf, bytes, "backup/%s/%s/%s", models[k].name, id, field);
	return n > 0 && (size_t)n < bytes ? (size_t)n : 0;
}

static char *seal_hex(const uint8_t key[32], const char *aad, size_t aad_len, const void *plain, size_t len)
{
	_cleanup_(freep) uint8_t *sealed = malloc(len + TLS_SEAL_OVERHEAD);
	if (!sealed || tls_seal(key, aad, aad_len, plain, len, sealed))
		return NULL;
	return hex_of(sealed, len + TLS_SEAL_OVERHEAD);
}

json_t *backup_secret(const uint8_t key[32], enum model_kind k, const json_t *o, const struct field *f)
{
	_cleanup_(freep) uint8_t *plain = malloc(SECRET_BYTES_MAX);
	_cleanup_(freep) char *hex = NULL;
	struct config_error e;
	char aad[256];
	size_t len = 0;
	if (!plain || config_secret(ctl.db, k, text_of(o, "id"), f->name, plain, SECRET_BYTES_MAX, &len, &e))
		return json_incref(json_object_get(o, f->name));
	hex = seal_hex(key, aad, make_aad(aad, sizeof(aad), k, text_of(o, "id"), f->name), plain, len);
	explicit_bzero(plain, len);
	return hex ? json_pack("{s:s}", "passphrase_sealed", hex) : NULL;
}

/* What the document says about its key; owned.  Makes the key. */
json_t *backup_sealing(const char *passphrase, uint8_t key[32])
{
	uint8_t salt[SALT_BYTES];
	if (tls_random(salt, sizeof(salt)) || tls_scrypt(passphrase, strlen(passphrase), salt, sizeof(salt), LOG_N, key))
		return NULL;
	_cleanup_(freep) char *salt_hex = hex_of(salt, sizeof(salt));
	_cleanup_(freep) char *check = seal_hex(key, "backup/check", 12, check_text, sizeof(check_text));
	return json_pack("{s:s, s:i, s:s, s:s}", "kdf", "scrypt", "log_n", LOG_N, "salt", salt_hex, "check", check);
}

static int key_of(const json_t *sealing, const char *passphrase, uint8_t key[32], struct config_error *e)
{
	uint8_t salt[SALT_BYTES], check[sizeof(check_text) + TLS_SEAL_OVERHEAD], plain[sizeof(check_text)];
	if (strcmp(text_of(sealing, "kdf"), "scrypt") != 0 || int_of(sealing, "log_n") != LOG_N ||
	    hex_read(text_of(sealing, "salt"), salt, sizeof(salt)) || hex_read(text_of(sealing, "check"), check, sizeof(check)))
		return config_fail(e, -EINVAL, "sealing", "the document's secrets are sealed in a way that this version does not know, or it is damaged");
	int r = tls_scrypt(passphrase, strlen(passphrase), salt, sizeof(salt), LOG_N, key);
	if (r)
		return config_fail(e, r, "passphrase", "no key can be made of the passphrase: %s", strerror(-r));
	if (tls_open(key, "backup/check", 12, check, sizeof(check), plain))
		return config_fail(e, -EINVAL, "passphrase", "this is not the passphrase that the document was sealed with");
	return 0;
}

static int unseal_member(const uint8_t key[32], enum model_kind k, json_t *item, const struct field *f, struct config_error *e)
{
	const char *hex = json_string_value(json_object_get(json_object_get(item, f->name), "passphrase_sealed"));
	char aad[256];
	if (!hex)
		return 0;
	size_t room = strlen(hex) / 2, len = 0;
	_cleanup_(freep) uint8_t *sealed = malloc(room + 1);
	_cleanup_(freep) uint8_t *plain = malloc(room + 1);
	if (!sealed || !plain || room > SECRET_BYTES_MAX + TLS_SEAL_OVERHEAD || hex_read_some(hex, sealed, room, &len) || len < TLS_SEAL_OVERHEAD ||
	    tls_open(key, aad, make_aad(aad, sizeof(aad), k, text_of(item, "id"), f->name), sealed, len, plain))
		return config_fail(e, -EINVAL, f->name, "the sealed %s of a %s does not open: it was altered, or belongs to another object", f->name, models[k].name);
	json_object_set_new(item, f->name, json_stringn((const char *)plain, len - TLS_SEAL_OVERHEAD));
	explicit_bzero(plain, room);
	return 0;
}

int control_unseal(json_t *doc, const char *passphrase, struct config_error *e)
{
	json_t *sealing = json_object_get(doc, "sealing"), *item;
	uint8_t key[32];
	size_t i;
	*e = (struct config_error){ 0 };
	if (!sealing)
		return 0;
	if (!passphrase)
		return config_fail(e, -EINVAL, "passphrase", "the document's secrets are sealed; give the passphrase");
	int r = key_of(sealing, passphrase, key, e);
	for (size_t k = 0; !r && k < MODEL_KINDS; k++)
		json_array_foreach(json_object_get(doc, models[k].plural), i, item)
			for (size_t n = 0; !r && n < models[k].field_count; n++)
				if (models[k].fields[n].type == FIELD_SECRET)
					r = unseal_member(key, (enum model_kind)k, item, &models[k].fields[n], e);
	explicit_bzero(key, sizeof(key));
	if (!r)
		json_object_del(doc, "sealing");
	return r;
}
