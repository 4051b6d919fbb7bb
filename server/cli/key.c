/* SPDX-License-Identifier: GPL-3.0-or-later */
/* key.c - the verb "key generate": NVMe authentication keys and TLS keys, made on this machine as
 * nvme gen-dhchap-key and nvme gen-tls-key make them.  With --host the key also becomes the host's. */
#include "cli/cli_priv.h"

#include <string.h>
#include <sys/random.h>

#include "core/keytext.h"

static const struct {
	const char *name;
	uint8_t len_bytes;
} hashes[] = { { "none", 0 }, { "sha256", 32 }, { "sha384", 48 }, { "sha512", 64 } };

/* What the flags ask for, in key: hash and length, not the bytes yet. */
static int key_shape(struct cli *c, enum keytext_kind kind, struct keytext *key)
{
	const char *hash = cli_flag(c, "hash"), *length = cli_flag(c, "length");
	size_t i = kind == KEY_TLS_PSK ? 1 : 0;

	for (size_t h = 0; hash && h < ARRAY_COUNT(hashes); h++)
		if (strcmp(hash, hashes[h].name) == 0)
			i = h;
	key->hash = (uint8_t)i;
	key->len_bytes = length ? (uint8_t)strtoul(length, NULL, 10) : i ? hashes[i].len_bytes : 32;
	if (kind == KEY_TLS_PSK && (i == 3 || key->len_bytes == 64))
		return usage_error(c, "a TLS key has 32 bytes (sha256) or 48 (sha384).");
	if (i && key->len_bytes != hashes[i].len_bytes)
		return usage_error(c, "a key for %s has %u bytes, not %s.", hashes[i].name, hashes[i].len_bytes, length);
	return CLI_DONE;
}

/* Gives it to the host; it is not printed unless it is there. */
static int key_store(struct cli *c, const char *host, const char *member, const char *text)
{
	_cleanup_(freep) char *path = path_join("/api/v1/hosts", host);
	json_t *body = json_pack("{s:s}", member, text);
	struct reply r = { 0 };
	int code = client_do(c, "PATCH", path, body, "*", &r);

	if (code == CLI_DONE && c->dry_run)
		say_dry_run(c, &r);
	reply_done(&r);
	json_decref(body);
	return code;
}

int run_key_generate(struct cli *c)
{
	const char *host = cli_flag(c, "host");
	bool controller = cli_flag(c, "ctrl") != NULL;
	struct keytext key = { 0 };
	char text[KEY_TEXT_BYTES];
	enum keytext_kind kind;

	if (strcmp(c->arg[0], "dhchap") == 0)
		kind = KEY_DHCHAP;
	else if (strcmp(c->arg[0], "psk") == 0)
		kind = KEY_TLS_PSK;
	else
		return usage_error(c, "the kind of key is dhchap or psk, not \"%s\".", c->arg[0]);
	if (controller && (kind != KEY_DHCHAP || !host))
		return usage_error(c, "--ctrl goes with dhchap and --host.");
	int code = key_shape(c, kind, &key);
	if (code != CLI_DONE)
		return code;
	for (size_t got = 0; got < key.len_bytes;) {
		ssize_t n = getrandom(key.bytes + got, key.len_bytes - got, 0);
		if (n < 0 && errno != EINTR)
			return refused("the kernel gives no random bytes: %s.", strerror(errno));
		got += n > 0 ? (size_t)n : 0;
	}
	keytext_format(kind, &key, text);
	if (host)
		code = key_store(c, host, kind == KEY_TLS_PSK ? "tls_psk" : controller ? "dhchap_ctrl_key" : "dhchap_key", text);
	if (code == CLI_DONE && !c->dry_run) {
		if (c->output == OUT_JSON) {
			json_t *o = json_pack("{s:s}", "key", text);
			print_json(o);
			json_decref(o);
		} else {
			puts(text);
		}
	}
	explicit_bzero(&key, sizeof(key));
	explicit_bzero(text, sizeof(text));
	return code;
}
