/* SPDX-License-Identifier: GPL-3.0-or-later */
/* subsystem.c - NVM subsystems: identity, and who is connected.  Base 2.1 section 3.1.2, 3.2. */
#include "nvme/nvme_priv.h"

#include "config.h"

#include <stdio.h>

#define CNTLID_LAST 0xffef               /* Base figure 313: those above are reserved */

static bool is_text(const char *s, size_t most)
{
	size_t n = strlen(s);
	for (size_t i = 0; i < n; i++)
		if (s[i] < 0x20 || s[i] > 0x7e)
			return false;
	return n <= most;
}

static void subsystem_free(struct nvme_subsystem *s)
{
	pthread_mutex_destroy(&s->mutex);
	free(s->nqn);
	free(s);
}

int nvme_subsystem_new(const struct nvme_subsystem_spec *spec, struct nvme_subsystem **ret_subsystem)
{
	const char *model = spec->model ? spec->model : "Holdfast";
	if (!spec->nqn || !*spec->nqn || strlen(spec->nqn) > 223 || !spec->serial || !is_text(spec->serial, 20) ||
	    !is_text(model, 40) || (spec->firmware && !is_text(spec->firmware, 8)))
		return -EINVAL;
	struct nvme_subsystem *s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	atomic_init(&s->refs, 1);
	pthread_mutex_init(&s->mutex, NULL);
	list_init(&s->ctrls);
	s->next_cntlid = 1;
	s->discovery = spec->discovery;
	snprintf(s->serial, sizeof(s->serial), "%s", spec->serial);
	snprintf(s->model, sizeof(s->model), "%s", model);
	snprintf(s->firmware, sizeof(s->firmware), "%.8s", spec->firmware ? spec->firmware : PACKAGE_VERSION);
	s->nqn = strdup(spec->nqn);
	if (!s->nqn) {
		subsystem_free(s);
		return -ENOMEM;
	}
	*ret_subsystem = s;
	return 0;
}

struct nvme_subsystem *nvme_subsystem_ref(struct nvme_subsystem *s)
{
	atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
	return s;
}

void nvme_subsystem_unref(struct nvme_subsystem *s)
{
	if (s && atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) == 1)
		subsystem_free(s);
}

/* ---- controllers, in order of their ids ------------------------------------------------------------------ */
/* Where cntlid would stand; sets *ret_used when it is taken.  Under the mutex. */
static struct list *place_of(struct nvme_subsystem *s, uint16_t cntlid, bool *ret_used)
{
	struct nvme_ctrl *c;
	*ret_used = false;
	list_for_each(c, &s->ctrls, sub_link)
		if (c->cntlid >= cntlid) {
			*ret_used = c->cntlid == cntlid;
			return &c->sub_link;
		}
	return &s->ctrls;
}

static bool try_id(struct nvme_subsystem *s, struct nvme_ctrl *c, uint16_t id)
{
	bool used;
	struct list *before = place_of(s, id, &used);
	if (used)
		return false;
	c->cntlid = id;
	list_add_tail(before, &c->sub_link);
	return true;
}

int subsystem_enter(struct nvme_subsystem *s, struct nvme_ctrl *c, uint16_t first, uint16_t last)
{
	bool found = false;
	pthread_mutex_lock(&s->mutex);
	for (unsigned id = first; first && id <= last && !found; id++)
		found = try_id(s, c, (uint16_t)id);
	/* Ids go round, so that one is not reused soon: a host may still mean the old one. */
	for (unsigned tries = 0; !first && tries < CNTLID_LAST && !found; tries++) {
		uint16_t id = s->next_cntlid;
		s->next_cntlid = id == CNTLID_LAST ? 1 : (uint16_t)(id + 1);
		found = try_id(s, c, id);
	}
	pthread_mutex_unlock(&s->mutex);
	return found ? 0 : first ? -EBUSY : -ENOSPC;
}

void subsystem_leave(struct nvme_subsystem *s, struct nvme_ctrl *c)
{
	pthread_mutex_lock(&s->mutex);
	list_del(&c->sub_link);
	pthread_mutex_unlock(&s->mutex);
}

struct nvme_ctrl *nvme_ctrl_find(struct nvme_subsystem *s, uint16_t cntlid, const char *host_nqn,
				 const uint8_t host_id[16])
{
	struct nvme_ctrl *c, *found = NULL;
	pthread_mutex_lock(&s->mutex);
	list_for_each(c, &s->ctrls, sub_link)
		if (c->cntlid == cntlid) {
			if (!strcmp(c->host_nqn, host_nqn) && !memcmp(c->host_id, host_id, 16))
				found = nvme_ctrl_ref(c);
			break;
		}
	pthread_mutex_unlock(&s->mutex);
	return found;
}

static bool reaches(struct nvme_ctrl *c, const struct ns *ns)
{
	bool yes = !ns;
	pthread_mutex_lock(&c->mutex);
	for (size_t i = 0; !yes && i < c->map->count; i++)
		yes = c->map->entry[i].ns == ns;
	pthread_mutex_unlock(&c->mutex);
	return yes;
}

size_t subsystem_cntlids(struct nvme_subsystem *s, const struct ns *ns, uint16_t first, uint16_t *ids, size_t room)
{
	size_t n = 0;
	struct nvme_ctrl *c;
	pthread_mutex_lock(&s->mutex);
	list_for_each(c, &s->ctrls, sub_link)
		if (n < room && c->cntlid >= first && reaches(c, ns))
			ids[n++] = c->cntlid;
	pthread_mutex_unlock(&s->mutex);
	return n;
}

uint16_t subsystem_cntlid_of(struct nvme_subsystem *s, const uint8_t host_id[16])
{
	uint16_t id = 0xffff;
	struct nvme_ctrl *c;
	pthread_mutex_lock(&s->mutex);
	list_for_each(c, &s->ctrls, sub_link)
		if (id == 0xffff && !memcmp(c->host_id, host_id, 16))
			id = c->cntlid;
	pthread_mutex_unlock(&s->mutex);
	return id;
}
