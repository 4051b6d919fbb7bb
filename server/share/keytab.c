/* SPDX-License-Identifier: GPL-3.0-or-later */
/* keytab.c - the keys by which clients of NFS know this machine in Kerberos: which the keeper has, and another file of them.
 * Only names of keys come back. */
#include "share/share_priv.h"

#include <stdio.h>
#include <string.h>

#define SHOWN_MAX_BYTES (1u << 20)

/* "PRINCIPAL VERSION TYPE" */
static json_t *read_key(const char *rest)
{
	char principal[512], type[32];
	unsigned version;
	if (sscanf(rest, "%511s %u %31s", principal, &version, type) != 3)
		return NULL;
	return json_pack("{s:s, s:i, s:s}", "principal", principal, "version", (int)version, "encryption", type);
}

int share_keytab(json_t **ret, char *why, size_t why_bytes)
{
	struct keeper_answer a = { .fd = -1 };
	/* Without a keeper nothing is served, and nothing was given to it. */
	int r = keeper_present(NULL) ? keeper_ask(&a, -1, "nfs-keytab", NULL) : 0;
	_cleanup_(freep) char *text = r == 0 && a.fd >= 0 ? keeper_read_fd(a.fd, SHOWN_MAX_BYTES, NULL) : NULL;
	if (r < 0)
		snprintf(why, why_bytes, "%s", a.text[0] ? a.text : strerror(-r));
	keeper_answer_done(&a);
	if (r < 0)
		return r;
	json_t *keys = json_array(), *o = json_pack("{s:s, s:n, s:n, s:O}", "source", "none", "realm", "reason", "keys", keys);
	for (char *save = NULL, *line = text ? strtok_r(text, "\n", &save) : NULL; line; line = strtok_r(NULL, "\n", &save)) {
		char *rest = strchr(line, ' ');
		if (!rest)
			continue;
		*rest++ = '\0';
		json_t *one = strcmp(line, "key") == 0 ? read_key(rest) : NULL;
		if (one)
			json_array_append_new(keys, one);
		else if (strcmp(line, "why") == 0)
			json_object_set_new(o, "reason", json_string(rest));
		else if (strcmp(line, "source") == 0 || strcmp(line, "realm") == 0)
			json_object_set_new(o, line, json_string(rest));
	}
	json_decref(keys);
	*ret = o;
	return o ? 0 : -ENOMEM;
}

static int concluded(struct keeper_answer *a, int r, char *why, size_t why_bytes)
{
	if (r < 0)
		snprintf(why, why_bytes, "%s", a->text[0] ? a->text : strerror(-r));
	keeper_answer_done(a);
	return r;
}

int share_keytab_set(const void *bytes, size_t len_bytes, char *why, size_t why_bytes)
{
	struct keeper_answer a = { .fd = -1 };
	int r = keeper_summon(why, why_bytes);
	if (r < 0)
		return r;
	_cleanup_(closep) int fd = keeper_memfd("keytab", bytes, len_bytes);
	if (fd < 0)
		return fd;
	return concluded(&a, keeper_ask(&a, fd, "nfs-keytab-set", NULL), why, why_bytes);
}

int share_keytab_remove(char *why, size_t why_bytes)
{
	struct keeper_answer a = { .fd = -1 };
	if (!keeper_present(NULL)) {
		snprintf(why, why_bytes, "no keytab was given to this machine");
		return -ENOENT;
	}
	return concluded(&a, keeper_ask(&a, -1, "nfs-keytab-remove", NULL), why, why_bytes);
}
