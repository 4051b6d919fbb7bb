/* SPDX-License-Identifier: GPL-3.0-or-later */
/* keytab.c - the keytab of NFS with Kerberos: given, shown, taken away.  There is no row of it: the keeper has the file, and a copy of
 * the configuration must not hold keys. */
#include "control/nas_priv.h"
#include "control/operate.h"

#include <stdio.h>
#include <string.h>

#include "core/base64.h"

#define KEYTAB_MAX_BYTES 65536

struct keytab_change {
	const struct config_actor *who;
	const json_t *was, *is;          /* borrowed; as control_keytab() shows them */
};

static int told(void *arg)
{
	const struct keytab_change *c = arg;
	struct config_error e = { 0 };
	char why[WHY_BYTES] = "";
	int r = config_begin(ctl.db, c->who, &e);
	if (!r) {
		r = config_audit(ctl.db, "update", "keytab", text_of(c->is, "realm"), c->was, c->is, &e);
		if (!r)
			r = config_commit(ctl.db, &e);
		else
			config_rollback(ctl.db);
	}
	if (r)
		log_warn(&log_control, "the audit does not take a change of the keytab, continuing without", "why=\"%s\"", e.why);
	/* Shares that are not served say so themselves. */
	if (nas_apply(why, sizeof(why)))
		log_warn(&log_control, "shares are not as they should be after a change of the keytab", "why=\"%s\"", why);
	return 0;
}

static int shown(json_t **ret, struct config_error *e)
{
	char why[WHY_BYTES / 2] = "";
	int r = share_keytab(ret, why, sizeof(why));
	return r ? config_fail(e, r, "", "%s", *why ? why : strerror(-r)) : 0;
}

int control_keytab(json_t **ret_keytab, struct config_error *e)
{
	*e = (struct config_error){ 0 };
	return shown(ret_keytab, e);
}

/* keytab NULL: what was given goes. */
static int change(const void *keytab, size_t len_bytes, const struct config_actor *who, json_t **ret_keytab, struct config_error *e)
{
	char why[WHY_BYTES / 2] = "";
	json_t *was = NULL, *is = NULL;
	int r = shown(&was, e);
	if (r)
		return r;
	r = keytab ? share_keytab_set(keytab, len_bytes, why, sizeof(why)) : share_keytab_remove(why, sizeof(why));
	if (r)
		config_fail(e, r, keytab && r == -EINVAL ? "keytab" : "", "%s", *why ? why : strerror(-r));
	else
		r = shown(&is, e);
	if (!r) {
		struct keytab_change c = { .who = who, .was = was, .is = is };
		r = reactor_call(ctl.reactor, told, &c);
	}
	json_decref(was);
	if (!r && ret_keytab)
		*ret_keytab = json_incref(is);
	json_decref(is);
	return r;
}

int control_keytab_set(const json_t *body, const struct config_actor *who, json_t **ret_keytab, struct config_error *e)
{
	const char *text = json_string_value(json_object_get(body, "keytab"));
	size_t len = 0;
	*e = (struct config_error){ 0 };
	if (!text || json_object_size(body) != 1)
		return config_fail(e, -EINVAL, "keytab", "the body has one member, keytab: the file in base64");
	_cleanup_(freep) uint8_t *bytes = malloc(KEYTAB_MAX_BYTES);
	if (!bytes)
		return config_fail(e, -ENOMEM, "", "out of memory");
	int r = base64_decode_any(text, bytes, KEYTAB_MAX_BYTES, &len);
	r = r ? config_fail(e, -EINVAL, "keytab", r == -E2BIG ? "a keytab has at most 65536 bytes" : "this is not base64") : change(bytes, len, who, ret_keytab, e);
	explicit_bzero(bytes, KEYTAB_MAX_BYTES);
	return r;
}

int control_keytab_remove(const struct config_actor *who, struct config_error *e)
{
	*e = (struct config_error){ 0 };
	return change(NULL, 0, who, NULL, e);
}
