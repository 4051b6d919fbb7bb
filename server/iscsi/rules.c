/* SPDX-License-Identifier: GPL-3.0-or-later */
/* rules.c - a target's configuration, checked, copied and compiled: who may log in, and sees what. */
#include "iscsi/iscsi_priv.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static int __attribute__((format(printf, 3, 4))) bad(char *why, size_t why_bytes, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (why && why_bytes)
		vsnprintf(why, why_bytes, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

static void rule_done(struct iscsi_grant_rule *r)
{
	for (size_t i = 0; i < r->iqn_count; i++)
		free(r->iqns[i]);
	free(r->iqns);
	free(r->addresses);
	free(r->chap_user);
	free(r->mutual_user);
	if (r->chap_secret)
		tls_wipe(r->chap_secret, r->chap_secret_len);
	if (r->mutual_secret)
		tls_wipe(r->mutual_secret, r->mutual_secret_len);
	free(r->chap_secret);
	free(r->mutual_secret);
	free(r->luns);
	scsi_lun_map_unref(r->map);
}
struct iscsi_target_conf *iscsi_conf_ref(struct iscsi_target_conf *c)
{
	atomic_fetch_add(&c->refs, 1);
	return c;
}
void iscsi_conf_unref(struct iscsi_target_conf *c)
{
	if (!c || atomic_fetch_sub(&c->refs, 1) != 1)
		return;
	for (size_t i = 0; c->rules && i <= c->rule_count; i++)
		rule_done(&c->rules[i]);
	for (size_t i = 0; c->redirects && i < c->redirect_count; i++)
		free((char *)(uintptr_t)c->redirects[i].address);
	free(c->redirects);
	free(c->rules);
	free(c->tpgts);
	free(c->alias);
	free(c);
}

static int copy_secret(const char *user, const uint8_t *secret, size_t len, const char *what, char **ret_user,
		       uint8_t **ret_secret, size_t *ret_len, char *why, size_t why_bytes)
{
	const char *reason;

	if (!user)
		return 0;
	if (!*user || strlen(user) > ISCSI_VALUE_MAX)
		return bad(why, why_bytes, "%s: a CHAP user name has 1 to 255 bytes", what);
	if (chap_secret_check(secret, len, &reason) < 0)
		return bad(why, why_bytes, "%s: %s", what, reason);
	*ret_user = strdup(user);
	*ret_secret = malloc(len);
	if (!*ret_user || !*ret_secret)
		return -ENOMEM;
	memcpy(*ret_secret, secret, len);
	*ret_len = len;
	return 0;
}

static int by_lun(const void *a, const void *b)
{
	const struct iscsi_lun *x = a, *y = b;

	return (x->lun > y->lun) - (x->lun < y->lun);
}
static bool wants_lun(const struct iscsi_rule *r, uint16_t lun)
{
	for (size_t i = 0; i < r->lun_count; i++)
		if (r->luns[i] == lun)
			return true;
	return !r->lun_count;
}

/* The LUNs of the target that rule r (NULL: anybody) shows, and the map of them. */
static int copy_luns(const struct iscsi_target_spec *s, const struct iscsi_rule *r, struct iscsi_grant_rule *to,
		     char *why, size_t why_bytes)
{
	_cleanup_(freep) struct scsi_lun_entry *e = calloc(s->lun_count + 1, sizeof(*e));

	to->luns = calloc(s->lun_count + 1, sizeof(*to->luns));
	if (!e || !to->luns)
		return -ENOMEM;
	for (size_t i = 0; i < s->lun_count; i++)
		if (!r || wants_lun(r, s->luns[i].lun))
			to->luns[to->lun_count++] = s->luns[i];
	qsort(to->luns, to->lun_count, sizeof(*to->luns), by_lun);
	for (size_t i = 0; i < to->lun_count; i++)
		e[i] = (struct scsi_lun_entry){
			.lun = to->luns[i].lun, .read_only = to->luns[i].read_only, .unit = to->luns[i].unit,
		};
	int r2 = scsi_lun_map_new(e, to->lun_count, &to->map);
	if (r2 == -EINVAL)
		return bad(why, why_bytes, "a LUN is used twice or is above %d", SCSI_LUN_MAX);
	if (!r2 && s->hosts_set_paths)
		scsi_lun_map_let_hosts_set_paths(to->map);
	return r2 ? r2 : scsi_lun_map_set_paths(to->map, s->paths, s->path_count);
}

/* CHAP of a rule, and what must not be. */
static int copy_secrets(const struct iscsi_rule *r, const char *what, struct iscsi_grant_rule *to, char *why, size_t why_bytes)
{
	int e = copy_secret(r->chap_user, r->chap_secret, r->chap_secret_len, what, &to->chap_user, &to->chap_secret,
			    &to->chap_secret_len, why, why_bytes);
	if (!e)
		e = copy_secret(r->mutual_user, r->mutual_secret, r->mutual_secret_len, what, &to->mutual_user,
				&to->mutual_secret, &to->mutual_secret_len, why, why_bytes);
	if (e)
		return e;
	if (to->mutual_user && !to->chap_user)
		return bad(why, why_bytes, "%s: mutual CHAP needs CHAP", what);
	/* One secret for both directions lets a reflected challenge succeed, RFC 7143 9.2.1. */
	if (to->mutual_user && to->chap_secret_len == to->mutual_secret_len &&
	    tls_equal(to->chap_secret, to->mutual_secret, to->chap_secret_len))
		return bad(why, why_bytes, "%s: the two CHAP secrets must differ", what);
	return 0;
}
/* CHAP of the target itself, for rules that have none. */
static int copy_target_secrets(const struct iscsi_target_spec *s, struct iscsi_grant_rule *to, char *why, size_t why_bytes)
{
	const struct iscsi_rule r = {
		.chap_user = s->chap_user, .chap_secret = s->chap_secret, .chap_secret_len = s->chap_secret_len,
		.mutual_user = s->mutual_user, .mutual_secret = s->mutual_secret, .mutual_secret_len = s->mutual_secret_len,
	};

	return to->chap_user ? 0 : copy_secrets(&r, "the target", to, why, why_bytes);
}

static int compile_rule(const struct iscsi_rule *r, struct iscsi_grant_rule *to, char *why, size_t why_bytes)
{
	snprintf(to->host, sizeof(to->host), "%s", r->host ? r->host : "");
	to->iqns = calloc(r->iqn_count + 1, sizeof(*to->iqns));
	to->addresses = calloc(r->address_count + 1, sizeof(*to->addresses));
	if (!to->iqns || !to->addresses)
		return -ENOMEM;
	for (size_t i = 0; i < r->iqn_count; i++) {
		to->iqns[i] = strdup(r->iqns[i]);
		if (!to->iqns[i])
			return -ENOMEM;
		to->iqn_count++;
	}
	for (size_t i = 0; i < r->address_count; i++)
		if (cidr_parse(r->addresses[i], &to->addresses[to->address_count++]) < 0)
			return bad(why, why_bytes, "host %s: \"%s\" is not an address or network", to->host, r->addresses[i]);
	return copy_secrets(r, to->host, to, why, why_bytes);
}

static int copy_redirects(const struct iscsi_target_spec *s, struct iscsi_target_conf *c)
{
	c->redirect_permanent = s->redirect_permanent;
	c->redirects = calloc(s->redirect_count + 1, sizeof(*c->redirects));
	if (!c->redirects)
		return -ENOMEM;
	for (size_t i = 0; i < s->redirect_count; i++) {
		c->redirects[i] = (struct iscsi_redirect){ s->redirects[i].tpgt, strdup(s->redirects[i].address) };
		if (!c->redirects[i].address)
			return -ENOMEM;
		c->redirect_count++;
	}
	return 0;
}
const char *iscsi_conf_redirect(const struct iscsi_target_conf *c, uint16_t tpgt, const char *portal)
{
	for (size_t i = 0; i < c->redirect_count; i++)
		if (!strcmp(c->redirects[i].address, portal))
			return NULL;     /* it is here already */
	for (size_t i = 0; i < c->redirect_count; i++)
		if (!c->redirects[i].tpgt || c->redirects[i].tpgt == tpgt)
			return c->redirects[i].address;
	return NULL;
}

int iscsi_conf_new(const struct iscsi_target_spec *s, struct iscsi_target_conf **ret_conf, char *why, size_t why_bytes)
{
	_cleanup_(iscsi_conf_unrefp) struct iscsi_target_conf *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	atomic_init(&c->refs, 1);
	c->enabled = s->enabled;
	c->allow_any = s->allow_any;
	c->header_digest_required = s->header_digest_required;
	c->data_digest_required = s->data_digest_required;
	if (s->alias && strlen(s->alias) > ISCSI_VALUE_MAX)
		return bad(why, why_bytes, "an alias has at most 255 bytes");
	c->alias = strdup(s->alias ? s->alias : "");
	c->tpgts = calloc(s->tpgt_count + 1, sizeof(*c->tpgts));
	c->rules = calloc(s->rule_count + 1, sizeof(*c->rules));
	if (!c->alias || !c->tpgts || !c->rules)
		return -ENOMEM;
	c->rule_count = s->rule_count;
	if (s->tpgt_count)
		memcpy(c->tpgts, s->tpgts, s->tpgt_count * sizeof(*c->tpgts));
	c->tpgt_count = s->tpgt_count;
	int r = copy_luns(s, NULL, &c->rules[c->rule_count], why, why_bytes);
	for (size_t i = 0; !r && i < s->rule_count; i++) {
		r = compile_rule(&s->rules[i], &c->rules[i], why, why_bytes);
		if (!r)
			r = copy_target_secrets(s, &c->rules[i], why, why_bytes);
		if (!r)
			r = copy_luns(s, &s->rules[i], &c->rules[i], why, why_bytes);
	}
	if (!r)
		r = copy_target_secrets(s, &c->rules[c->rule_count], why, why_bytes);
	if (!r)
		r = copy_redirects(s, c);
	if (r)
		return r;
	*ret_conf = TAKE(c);
	return 0;
}

static bool rule_matches(const struct iscsi_grant_rule *r, const char *initiator, const struct in6_addr *addr)
{
	bool name = !r->iqn_count, from = !r->address_count;

	for (size_t i = 0; i < r->iqn_count && !name; i++)
		name = iscsi_glob_match(r->iqns[i], initiator);
	for (size_t i = 0; i < r->address_count && name && !from; i++)
		from = cidr_has(&r->addresses[i], addr);
	return name && from;
}
const struct iscsi_grant_rule *iscsi_conf_match(const struct iscsi_target_conf *c, const char *initiator,
						const struct in6_addr *addr)
{
	for (size_t i = 0; i < c->rule_count; i++)
		if (rule_matches(&c->rules[i], initiator, addr))
			return &c->rules[i];
	return c->allow_any ? &c->rules[c->rule_count] : NULL;
}
bool iscsi_conf_offers(const struct iscsi_target_conf *c, uint16_t tpgt)
{
	for (size_t i = 0; i < c->tpgt_count; i++)
		if (c->tpgts[i] == tpgt)
			return true;
	return !c->tpgt_count;
}
bool iscsi_rule_same_luns(const struct iscsi_grant_rule *a, const struct iscsi_grant_rule *b)
{
	if (a->lun_count != b->lun_count || !scsi_lun_map_same_paths(a->map, b->map))
		return false;
	for (size_t i = 0; i < a->lun_count; i++)
		if (a->luns[i].lun != b->luns[i].lun || a->luns[i].read_only != b->luns[i].read_only ||
		    a->luns[i].unit != b->luns[i].unit)
			return false;
	return true;
}
struct chap_secrets iscsi_rule_secrets(const struct iscsi_grant_rule *r)
{
	return (struct chap_secrets){
		.user = r->chap_user,
		.secret = r->chap_secret,
		.secret_len = r->chap_secret_len,
		.mutual_user = r->mutual_user,
		.mutual_secret = r->mutual_secret,
		.mutual_secret_len = r->mutual_secret_len,
	};
}
static bool same_secret(const char *user_a, const uint8_t *a, size_t a_len, const char *user_b, const uint8_t *b,
			size_t b_len)
{
	if (!user_a || !user_b)
		return !user_a && !user_b;
	return !strcmp(user_a, user_b) && a_len == b_len && tls_equal(a, b, a_len);
}
bool iscsi_rule_same_secrets(const struct iscsi_grant_rule *a, const struct iscsi_grant_rule *b)
{
	return same_secret(a->chap_user, a->chap_secret, a->chap_secret_len, b->chap_user, b->chap_secret,
			   b->chap_secret_len);
}
