/* SPDX-License-Identifier: GPL-3.0-or-later */
/* keytab.c - the verbs about the keys by which clients of NFS know the machine in Kerberos. */
#include "cli/cli_priv.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/base64.h"

#define KEYTAB_MAX 65536u

static void show(struct cli *c, const json_t *o)
{
	static const struct column columns[] = { { "PRINCIPAL", "principal", COL_TEXT }, { "VERSION", "version", COL_COUNT }, { "ENCRYPTION", "encryption", COL_TEXT }, { .title = NULL } };
	static const struct noun keys = { "key", NULL, "", NULL, columns, LIST_WHOLE };
	static const struct {
		const char *source, *words;
	} rows[] = { { "given", "that was given" }, { "domain", "of the domain" }, { "machine", "/etc/krb5.keytab" } };

	if (c->output != OUT_TABLE) {
		print_json(o);
		return;
	}
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++)
		if (strcmp(text(o, "source"), rows[i].source) == 0)
			printf("keytab:  %s\nrealm:   %s\n\n", rows[i].words, text(o, "realm"));
	if (*text(o, "reason")) {
		_cleanup_(freep) char *line = text_format("%s.", text(o, "reason"));

		text_tame(line);
		puts(line);
	}
	if (json_array_size(json_object_get(o, "keys")))
		print_list(c, &keys, json_object_get(o, "keys"));
}

int run_nas_keytab(struct cli *c)
{
	struct reply r = { 0 };
	int code = client_do(c, "GET", "/api/v1/nas/keytab", NULL, NULL, &r);

	if (code == CLI_DONE)
		show(c, r.json);
	reply_done(&r);
	return code;
}

/* "-" is standard input. */
static int read_file(const char *path, char **ret_text)
{
	unsigned char bytes[KEYTAB_MAX + 1];
	FILE *f = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");

	if (!f)
		return refused("%s cannot be read: %s.", path, strerror(errno));
	size_t len = fread(bytes, 1, sizeof(bytes), f);
	if (f != stdin)
		fclose(f);
	*ret_text = len > KEYTAB_MAX ? NULL : malloc(BASE64_CHARS(len) + 1);
	if (*ret_text)
		base64_encode(bytes, len, *ret_text);
	explicit_bzero(bytes, sizeof(bytes));
	return *ret_text ? CLI_DONE : refused("%s is larger than any keytab.", path);
}

int run_nas_set_keytab(struct cli *c)
{
	struct reply r = { 0 };
	char *encoded = NULL;
	int code = c->dry_run ? usage_error(c, "a keytab has no dry run.") : read_file(c->arg[0], &encoded);
	json_t *body = code == CLI_DONE ? json_pack("{s:s}", "keytab", encoded) : NULL;

	if (code == CLI_DONE)
		code = client_do(c, "POST", "/api/v1/nas/keytab", body, NULL, &r);
	if (code == CLI_DONE)
		say_done(c, r.json, "clients of NFS know this machine by %zu keys of %s", json_array_size(json_object_get(r.json, "keys")), text(r.json, "realm"));
	if (encoded)
		explicit_bzero(encoded, strlen(encoded));
	free(encoded);
	json_decref(body);
	reply_done(&r);
	return code;
}

int run_nas_remove_keytab(struct cli *c)
{
	struct reply r = { 0 };
	int code = c->dry_run ? usage_error(c, "a keytab has no dry run.") : client_do(c, "DELETE", "/api/v1/nas/keytab", NULL, NULL, &r);

	if (code == CLI_DONE)
		say_done(c, NULL, "the keytab that was given is gone");
	reply_done(&r);
	return code;
}
