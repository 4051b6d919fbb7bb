/* SPDX-License-Identifier: GPL-3.0-or-later */
/* rules.c - a subsystem's configuration, checked, copied and compiled: who may connect, and sees what. */
#include "nvmf/nvmf_priv.h"

#include <stdarg.h>
#include <stdio.h>

#include "block/block.h"
#include "wire/nvme_log.h"

static int _printf_(3, 4) bad(char *why, size_t why_bytes, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (why && why_bytes)
		vsnprintf(why, why_bytes, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

static void grant_done(struct nvmf_grant *g)
{
	for (size_t i = 0; i < g->nqn_count; i++)
		free(g->nqns[i]);
	free(g->nqns);
	free(g->addresses);
	free(g->namespaces);
	nvme_ns_map_unref(g->map);
	explicit_bzero(&g->auth, sizeof(g->auth));
	explicit_bzero(&g->psk, sizeof(g->psk));
}
struct nvmf_conf *nvmf_conf_ref(struct nvmf_conf *c)
{
	atomic_fetch_add(&c->refs, 1);
	return c;
}
void nvmf_conf_unref(struct nvmf_conf *c)
{
	if (!c || atomic_fetch_sub(&c->refs, 1) != 1)
		return;
	for (size_t i = 0; c->grants && i <= c->grant_count; i++)
		grant_done(&c->grants[i]);
	free(c->grants);
	free(c->paths);
	free(c);
}

static int by_nsid(const void *a, const void *b)
{
	const struct nvmf_ns *x = a, *y = b;

	return (x->nsid > y->nsid) - (x->nsid < y->nsid);
}
static bool wants(const struct nvmf_rule *r, uint32_t nsid)
{
	for (size_t i = 0; i < r->nsid_count; i++)
		if (r->nsids[i] == nsid)
			return true;
	return !r->nsid_count;
}

/* The namespaces that rule r (NULL: anybody) shows, and the map of them. */
static int copy_namespaces(const struct nvmf_subsystem_spec *s, const struct nvmf_rule *r, struct nvmf_grant *to, char *why, size_t why_bytes)
{
	_cleanup_(freep) struct nvme_ns_entry *e = calloc(s->namespace_count + 1, sizeof(*e));

	to->namespaces = calloc(s->namespace_count + 1, sizeof(*to->namespaces));
	if (!e || !to->namespaces)
		return -ENOMEM;
	for (size_t i = 0; i < s->namespace_count; i++)
		if (!r || wants(r, s->namespaces[i].nsid))
			to->namespaces[to->namespace_count++] = s->namespaces[i];
	qsort(to->namespaces, to->namespace_count, sizeof(*to->namespaces), by_nsid);
	for (size_t i = 0; i < to->namespace_count; i++)
		e[i] = (struct nvme_ns_entry){
			.nsid = to->namespaces[i].nsid, .read_only = to->namespaces[i].read_only, .ana_group = 1,
			.volume = to->namespaces[i].volume,
		};
	int err = nvme_ns_map_new(e, to->namespace_count, &to->map);
	if (err == -EINVAL)
		return bad(why, why_bytes, "a namespace id is used twice or is not between 1 and %d", NVME_NSID_MAX);
	return err;
}

static int take_key(enum keytext_kind kind, const char *text, const char *host, struct keytext *to, bool *ret_has, char *why, size_t why_bytes)
{
	const char *wrong;

	if (!text)
		return 0;
	if (keytext_parse(kind, text, to, &wrong))
		return bad(why, why_bytes, "host %s: its %s key %s", host, kind == KEY_TLS_PSK ? "TLS" : "authentication", wrong);
	*ret_has = true;
	return 0;
}

static int take_keys(const struct nvmf_rule *r, struct nvmf_grant *to, char *why, size_t why_bytes)
{
	to->refuse = r->refuse;
	int err = take_key(KEY_DHCHAP, r->dhchap_key, to->host, &to->auth.host, &to->auth.has_host, why, why_bytes);
	if (!err)
		err = take_key(KEY_DHCHAP, r->dhchap_ctrl_key, to->host, &to->auth.ctrl, &to->auth.has_ctrl, why, why_bytes);
	if (!err)
		err = take_key(KEY_TLS_PSK, r->tls_psk, to->host, &to->psk, &to->has_psk, why, why_bytes);
	return err;
}

static int compile(const struct nvmf_rule *r, struct nvmf_grant *to, char *why, size_t why_bytes)
{
	char problem[128];

	snprintf(to->host, sizeof(to->host), "%s", r->host ? r->host : "");
	to->nqns = calloc(r->nqn_count + 1, sizeof(char *));
	to->addresses = calloc(r->address_count + 1, sizeof(*to->addresses));
	if (!to->nqns || !to->addresses)
		return -ENOMEM;
	for (size_t i = 0; i < r->nqn_count; i++) {
		if (nvmf_name_check(r->nqns[i], problem, sizeof(problem)) < 0)
			return bad(why, why_bytes, "host %s: %s", to->host, problem);
		to->nqns[i] = strdup(r->nqns[i]);
		if (!to->nqns[i])
			return -ENOMEM;
		to->nqn_count++;
	}
	for (size_t i = 0; i < r->address_count; i++)
		if (cidr_parse(r->addresses[i], &to->addresses[to->address_count++]) < 0)
			return bad(why, why_bytes, "host %s: \"%s\" is not an address or network", to->host, r->addresses[i]);
	return take_keys(r, to, why, why_bytes);
}

int nvmf_conf_new(const struct nvmf_subsystem_spec *s, struct nvmf_conf **ret_conf, char *why, size_t why_bytes)
{
	_cleanup_(nvmf_conf_unrefp) struct nvmf_conf *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	atomic_init(&c->refs, 1);
	c->enabled = s->enabled;
	c->allow_any = s->allow_any;
	c->require_auth = s->require_auth;
	c->require_tls = s->require_tls;
	c->grants = calloc(s->rule_count + 1, sizeof(*c->grants));
	if (!c->grants)
		return -ENOMEM;
	c->grant_count = s->rule_count;
	c->static_controllers = s->static_controllers;
	c->paths = calloc(s->path_count + 1, sizeof(*c->paths));
	if (!c->paths)
		return -ENOMEM;
	if (s->path_count)
		memcpy(c->paths, s->paths, s->path_count * sizeof(*c->paths));
	c->path_count = s->path_count;
	int r = copy_namespaces(s, NULL, &c->grants[c->grant_count], why, why_bytes);
	for (size_t i = 0; !r && i < s->rule_count; i++) {
		r = compile(&s->rules[i], &c->grants[i], why, why_bytes);
		if (!r)
			r = copy_namespaces(s, &s->rules[i], &c->grants[i], why, why_bytes);
	}
	if (r)
		return r;
	*ret_conf = TAKE(c);
	return 0;
}

static bool matches(const struct nvmf_grant *g, const char *host_nqn, const struct in6_addr *addr)
{
	bool name = !g->nqn_count, from = !g->address_count;

	for (size_t i = 0; i < g->nqn_count && !name; i++)
		name = strcmp(g->nqns[i], host_nqn) == 0;
	for (size_t i = 0; i < g->address_count && name && !from; i++)
		from = cidr_has(&g->addresses[i], addr);
	return name && from;
}
const struct nvmf_grant *nvmf_conf_match(const struct nvmf_conf *c, const char *host_nqn, const struct in6_addr *addr)
{
	for (size_t i = 0; i < c->grant_count; i++)
		if (matches(&c->grants[i], host_nqn, addr))
			return &c->grants[i];
	return c->allow_any ? &c->grants[c->grant_count] : NULL;
}
uint8_t nvmf_conf_ana(const struct nvmf_conf *c, uint16_t group)
{
	static const uint8_t states[] = {
		[NVMF_PATH_OPTIMIZED] = NVME_ANA_OPTIMIZED, [NVMF_PATH_NONOPTIMIZED] = NVME_ANA_NONOPTIMIZED,
		[NVMF_PATH_INACCESSIBLE] = NVME_ANA_INACCESSIBLE, [NVMF_PATH_CHANGE] = NVME_ANA_CHANGE,
	};

	for (size_t i = 0; i < c->path_count; i++)
		if (c->paths[i].group == group)
			return states[c->paths[i].state];
	return NVME_ANA_OPTIMIZED;
}
bool nvmf_grant_same_namespaces(const struct nvmf_grant *a, const struct nvmf_grant *b)
{
	if (a->namespace_count != b->namespace_count)
		return false;
	for (size_t i = 0; i < a->namespace_count; i++)
		if (a->namespaces[i].nsid != b->namespaces[i].nsid || a->namespaces[i].read_only != b->namespaces[i].read_only ||
		    a->namespaces[i].volume != b->namespaces[i].volume)
			return false;
	return true;
}
