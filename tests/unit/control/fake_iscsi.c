/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fake_iscsi.c - see fake_iscsi.h. */
#include "fake_iscsi.h"

#include <stdio.h>
#include <string.h>

#include "block/block.h"
#include "scsi/scsi.h"

struct iscsi_portal {
	struct iscsi_portal_spec spec;
};
struct fake_iscsi fake_iscsi;

int iscsi_start(const struct iscsi_opts *opts)
{
	fake_iscsi.opts = *opts;
	if (!fake_iscsi.targets.next)
		list_init(&fake_iscsi.targets);
	return 0;
}
bool iscsi_stop(unsigned limit_ms)
{
	(void)limit_ms;
	return true;
}

int iscsi_portal_add(const struct iscsi_portal_spec *s, struct iscsi_portal **ret_portal)
{
	fake_iscsi.last_listen_fd = s->listen_fd;
	if (fake_iscsi.fail_bind)
		return fake_iscsi.fail_bind;
	*ret_portal = calloc(1, sizeof(**ret_portal));
	(*ret_portal)->spec = *s;
	fake_iscsi.portal_count++;
	return 0;
}
void iscsi_portal_remove(struct iscsi_portal *p)
{
	if (p)
		fake_iscsi.portal_count--;
	free(p);
}
uint16_t iscsi_portal_port(const struct iscsi_portal *p)
{
	return p->spec.port;
}
int iscsi_portal_fd(const struct iscsi_portal *p)
{
	return p->spec.listen_fd >= 0 ? p->spec.listen_fd : 1000;
}

struct iscsi_target *fake_target(const char *name)
{
	struct iscsi_target *t;
	list_for_each(t, &fake_iscsi.targets, link)
		if (strcmp(t->name, name) == 0)
			return t;
	return NULL;
}

static void take_spec(struct iscsi_target *t, const struct iscsi_target_spec *s)
{
	snprintf(t->name, sizeof(t->name), "%s", s->name);
	snprintf(t->alias, sizeof(t->alias), "%s", s->alias ? s->alias : "");
	t->enabled = s->enabled;
	t->allow_any = s->allow_any;
	t->lun_count = s->lun_count;
	t->rule_count = s->rule_count;
	for (size_t i = 0; i < s->lun_count && i < ARRAY_COUNT(t->luns); i++) {
		t->luns[i].lun = s->luns[i].lun;
		t->luns[i].read_only = s->luns[i].read_only;
		snprintf(t->luns[i].volume, sizeof(t->luns[i].volume), "%s", volume_uuid_text(scsi_unit_volume(s->luns[i].unit)));
	}
	for (size_t i = 0; i < s->rule_count && i < ARRAY_COUNT(t->rules); i++) {
		const struct iscsi_rule *r = &s->rules[i];
		snprintf(t->rules[i].host, sizeof(t->rules[i].host), "%s", r->host);
		snprintf(t->rules[i].iqn, sizeof(t->rules[i].iqn), "%s", r->iqn_count ? r->iqns[0] : "");
		snprintf(t->rules[i].address, sizeof(t->rules[i].address), "%s", r->address_count ? r->addresses[0] : "");
		snprintf(t->rules[i].chap_user, sizeof(t->rules[i].chap_user), "%s", r->chap_user ? r->chap_user : "");
		snprintf(t->rules[i].mutual_user, sizeof(t->rules[i].mutual_user), "%s", r->mutual_user ? r->mutual_user : "");
		snprintf(t->rules[i].secret, sizeof(t->rules[i].secret), "%.*s", (int)r->chap_secret_len, r->chap_secret ? (const char *)r->chap_secret : "");
		t->rules[i].lun_count = r->lun_count;
		t->rules[i].lun = r->lun_count ? r->luns[0] : 0;
	}
}

int iscsi_target_add(const struct iscsi_target_spec *s, struct iscsi_target **ret_target, char *why, size_t why_bytes)
{
	if (fake_iscsi.fail_target) {
		snprintf(why, why_bytes, "the fake refuses");
		return fake_iscsi.fail_target;
	}
	if (fake_target(s->name)) {
		snprintf(why, why_bytes, "name in use");
		return -EEXIST;
	}
	struct iscsi_target *t = calloc(1, sizeof(*t));
	take_spec(t, s);
	list_add_tail(&fake_iscsi.targets, &t->link);
	fake_iscsi.target_count++;
	*ret_target = t;
	return 0;
}
int iscsi_target_update(struct iscsi_target *t, const struct iscsi_target_spec *s, char *why, size_t why_bytes)
{
	if (fake_iscsi.fail_target) {
		snprintf(why, why_bytes, "the fake refuses");
		return fake_iscsi.fail_target;
	}
	take_spec(t, s);
	t->updates++;
	return 0;
}
int iscsi_target_preview(struct iscsi_target *t, const struct iscsi_target_spec *s, unsigned *ret_touched, unsigned *ret_closed)
{
	bool here = strcmp(t->name, fake_iscsi.session_target) == 0;
	*ret_touched = here && t->lun_count != s->lun_count;
	*ret_closed = here && !s->allow_any && s->rule_count == 0;
	return 0;
}
void iscsi_target_remove(struct iscsi_target *t)
{
	list_del(&t->link);
	fake_iscsi.target_count--;
	free(t);
}
int iscsi_name_check(const char *s, char *why, size_t why_bytes)
{
	if (strncmp(s, "iqn.", 4) == 0 && !strchr(s, ' '))
		return 0;
	snprintf(why, why_bytes, "not an iSCSI name");
	return -EINVAL;
}
int iscsi_discovery_auth(const char *chap_user, const uint8_t *secret, size_t secret_len, const char *mutual_user, const uint8_t *mutual_secret, size_t mutual_secret_len)
{
	(void)mutual_user, (void)mutual_secret, (void)mutual_secret_len;
	snprintf(fake_iscsi.discovery, sizeof(fake_iscsi.discovery), "%s:%.*s", chap_user ? chap_user : "", (int)secret_len, secret ? (const char *)secret : "");
	return 0;
}
void iscsi_set_limits(const struct iscsi_opts *opts)
{
	fake_iscsi.opts.nop_interval_s = opts->nop_interval_s;
	fake_iscsi.opts.max_connections = opts->max_connections;
	fake_iscsi.opts.chap_minimum = opts->chap_minimum;
}
void iscsi_session_each(void (*fn)(void *arg, const struct iscsi_session_info *s), void *arg)
{
	struct iscsi_session_info s = { .id = 7, .initiator = "iqn.2026-11.test:initiator", .auth = "none" };
	if (!*fake_iscsi.session_target)
		return;
	snprintf(s.target, sizeof(s.target), "%s", fake_iscsi.session_target);
	fn(arg, &s);
}
int iscsi_session_close(uint64_t id)
{
	if (id != 7 || !*fake_iscsi.session_target)
		return -ENOENT;
	fake_iscsi.session_target[0] = '\0';
	return 0;
}

int iscsi_session_ban(uint64_t id, uint64_t seconds, uint64_t *ret_ban)
{
	(void)seconds;
	*ret_ban = 1;
	return iscsi_session_close(id);
}
int iscsi_isns(const char *address, uint16_t port, const char *entity)
{
	(void)address, (void)port, (void)entity;
	return 0;
}
