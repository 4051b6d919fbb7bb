/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fake_domain.c - what api/ asks of control/ about a domain, where there is none. */
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
