/* SPDX-License-Identifier: GPL-3.0-or-later */
/* import_secret.c - passwords of imports: in the import's file and in memory they are sealed as those of the store are, and open only
 * in the job that the child is given.  All on the control thread. */
#include "control/import_priv.h"

#include <string.h>

static const char *const secrets[] = { "password", "mutual_password" };

int import_secrets_seal(json_t *wish, struct config_error *e)
{
	for (size_t i = 0; i < ARRAY_COUNT(secrets); i++) {
		json_t *v = json_object_get(wish, secrets[i]);
		char *sealed = NULL;
		if (!json_is_string(v))
			continue;
		int r = config_seal(ctl.db, "import", text_of(wish, "id"), secrets[i], json_string_value(v), &sealed, e);
		if (r)
			return r;
		explicit_bzero((char *)json_string_value(v), json_string_length(v));
		json_object_set_new(wish, secrets[i], json_pack("{s:s}", "sealed", sealed));
		free(sealed);
	}
	return 0;
}

int import_secrets_open(const json_t *wish, json_t *job, struct config_error *e)
{
	for (size_t i = 0; i < ARRAY_COUNT(secrets); i++) {
		const char *sealed = text_of(json_object_get(wish, secrets[i]), "sealed");
		char *plain = NULL;
		if (!*sealed)
			continue;
		int r = config_unseal(ctl.db, "import", text_of(wish, "id"), secrets[i], sealed, &plain, e);
		if (r)
			return r;
		json_object_set_new(job, secrets[i], json_string(plain));
		explicit_bzero(plain, strlen(plain));
		free(plain);
	}
	return 0;
}

void import_secrets_forget(json_t *wish)
{
	for (size_t i = 0; i < ARRAY_COUNT(secrets); i++)
		json_object_del(wish, secrets[i]);
}
