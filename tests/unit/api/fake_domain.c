/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fake_domain.c - what api/ asks of control/ about a domain, where there is none, and about ways to a share. */
#include <string.h>

#include "control/operate.h"

json_t *control_domain(void)
{
	return json_pack("{s:b, s:s}", "joined", 0, "state", "none");
}

int control_domain_join(const json_t *body, bool dry_run, const struct config_actor *who, json_t **ret_result, struct config_error *e)
{
	(void)who;
	if (!json_object_get(body, "domain") || !dry_run)
		return config_fail(e, -EINVAL, "domain", "the domain is named as in DNS");
	*ret_result = json_pack("{s:{}, s:[]}", "found", "plan");
	return 0;
}

int control_domain_leave(const json_t *body, const struct config_actor *who, json_t **ret_task, struct config_error *e)
{
	(void)body, (void)who, (void)ret_task;
	return config_fail(e, -ENOENT, "", "this machine is a member of no domain");
}

int control_domain_find(const char *text, json_t **ret_array, struct config_error *e)
{
	(void)e;
	*ret_array = json_pack("[{s:s, s:s}]", "kind", "user", "name", text);
	return 0;
}

/* ---- Kerberos ---- */
int control_keytab(json_t **ret_keytab, struct config_error *e)
{
	(void)e;
	*ret_keytab = json_pack("{s:s, s:n, s:s, s:[]}", "source", "none", "realm", "reason", "Kerberos needs a key", "keys");
	return 0;
}

int control_keytab_set(const json_t *body, const struct config_actor *who, json_t **ret_keytab, struct config_error *e)
{
	(void)who;
	if (!json_object_get(body, "keytab"))
		return config_fail(e, -EINVAL, "keytab", "this is no keytab");
	return control_keytab(ret_keytab, e);
}

int control_keytab_remove(const struct config_actor *who, struct config_error *e)
{
	(void)who;
	return config_fail(e, -ENOENT, "", "no keytab was given to this machine");
}

/* ---- why a share does not open, and what to type ---- */
int control_connect_share(const char *share, const char *user, json_t **ret_result, struct config_error *e)
{
	if (strcmp(share, "docs") != 0)
		return config_fail(e, -ENOENT, "", "There is none called that.");
	*ret_result = json_pack("{s:s?, s:{s:[s], s:[], s:[], s:[]}}", "user", user, "connect", "linux", "mount -t cifs", "windows", "macos", "esxi");
	return 0;
}

int control_explain_share(const char *user, const char *host, const char *share, json_t **ret_result, struct config_error *e)
{
	if (strcmp(share, "docs") != 0)
		return config_fail(e, -ENOENT, "", "There is no such share.");
	*ret_result = json_pack("{s:s?, s:s?, s:s, s:b, s:s, s:[]}", "user", user, "address", host, "share", share, "visible", 1, "access", "read", "steps");
	return 0;
}
