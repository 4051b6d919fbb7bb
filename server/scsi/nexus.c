/* SPDX-License-Identifier: GPL-3.0-or-later */
/* nexus.c - I_T nexuses: made, given another LUN map, ended.  SAM-5 4.6, 6.3.4.
 * All of it runs on the nexus's own reactor. */
#include "scsi/scsi_priv.h"

#include <stdio.h>
#include <string.h>

#include "scsi/copy_priv.h"

static _Atomic(uint64_t) next_id = 1;

/* ---- identity --------------------------------------------------------------------------------------- */
/* initiator port, NUL, relative port (2 bytes), digest of the target port's name (8 bytes): the
 * initiator must be readable for READ FULL STATUS, the target port needs only to differ. */
int nexus_resv_id(const char *initiator_port, const char *target_port, uint16_t rel_port,
		  struct resv_id *ret_id)
{
	size_t len = strlen(initiator_port);
	be16 port = be16_of(rel_port);
	uint64_t h = 0xcbf29ce484222325u;        /* FNV-1a */
	for (const char *c = target_port; *c; c++)
		h = (h ^ (uint8_t)*c) * 0x100000001b3u;
	be64 digest = be64_of(h);
	if (!len || len + 1 + sizeof(port) + sizeof(digest) > RESV_ID_MAX)
		return -EINVAL;
	memset(ret_id, 0, sizeof(*ret_id));
	memcpy(ret_id->bytes, initiator_port, len + 1);
	memcpy(ret_id->bytes + len + 1, &port, sizeof(port));
	memcpy(ret_id->bytes + len + 3, &digest, sizeof(digest));
	ret_id->len = (uint16_t)(len + 11);
	return 0;
}

const char *resv_id_initiator(const struct resv_id *id, uint16_t *ret_rel_port)
{
	if (id->len < 12 || id->bytes[id->len - 11])
		return NULL;             /* made by another command set */
	be16 port;
	memcpy(&port, id->bytes + id->len - 10, sizeof(port));
	*ret_rel_port = be16_get(port);
	return (const char *)id->bytes;
}

void nexus_port_name(const struct scsi_nexus *n, uint16_t group, char buf[PORT_NAME_MAX])
{
	snprintf(buf, PORT_NAME_MAX, "%s,t,0x%04x", n->target_device, group);
}

/* ---- I_T_L nexuses ------------------------------------------------------------------------------------ */
static struct itl *itl_new(struct scsi_nexus *n, const struct scsi_lun_entry *e)
{
	struct itl *i = calloc(1, sizeof(*i));
	if (!i)
		return NULL;
	i->nexus = n;
	list_init(&i->tasks);
	list_init(&i->link);
	if (e) {
		i->unit = scsi_unit_ref(e->unit);
		i->lun = e->lun;
		i->read_only = e->read_only;
	}
	return i;
}

static void itl_free(struct itl *i)
{
	if (!i)
		return;
	list_del(&i->link);
	scsi_unit_unref(i->unit);
	free(i);
}

void itl_release(struct itl *i)
{
	if (i->gone && !i->busy && list_is_empty(&i->tasks))
		itl_free(i);
}

/* The I_T nexus no longer reaches the unit: what it alone held there ends. */
void itl_let_go(struct itl *i)
{
	uint64_t id = i->nexus->id;
	if (i->unit && atomic_compare_exchange_strong(&i->unit->spc2_holder, &id, 0))
		volume_unclaim(i->unit->volume, &i->nexus->resv_id);
	itl_prevent(i, false);
}

static void itl_leave(struct itl *i)
{
	i->gone = true;
	list_add_tail(&i->nexus->leaving, &i->link);
	itl_let_go(i);
	itl_abort(i, true);
	itl_release(i);
}

/* ---- life ------------------------------------------------------------------------------------------------ */
static void nexus_free(struct scsi_nexus *n)
{
	for (size_t k = 0; n->itl && k < n->map->count; k++)
		itl_free(n->itl[k]);
	itl_free(n->lun_none);
	copy_records_free(n);
	scsi_lun_map_unref(n->map);
	free(n->itl);
	free(n->initiator_port);
	free(n->target_port);
	free(n->target_device);
	free(n);
}
DEFINE_FREEP(struct scsi_nexus, nexus_free)

int scsi_nexus_new(const struct scsi_nexus_spec *spec, struct scsi_nexus **ret_nexus)
{
	_cleanup_(nexus_freep) struct scsi_nexus *n = calloc(1, sizeof(*n));
	if (!n)
		return -ENOMEM;
	n->reactor = reactor_self();
	n->home = home_here();
	n->map = scsi_lun_map_ref(spec->map);
	list_init(&n->leaving);
	list_init(&n->copies);
	list_init(&n->asked);
	n->relative_port_id = spec->relative_port_id;
	n->port_group = spec->port_group;
	n->aborting = spec->aborting;
	n->path_state = lun_map_path_state(n->map, n->port_group);
	if (nexus_resv_id(spec->initiator_port, spec->target_port, spec->relative_port_id, &n->resv_id))
		return -EINVAL;
	n->initiator_port = strdup(spec->initiator_port);
	n->target_port = strdup(spec->target_port);
	n->target_device = strdup(spec->target_device);
	n->itl = calloc(n->map->count + 1, sizeof(struct itl *));
	n->lun_none = itl_new(n, NULL);
	if (!n->initiator_port || !n->target_port || !n->target_device || !n->itl || !n->lun_none)
		return -ENOMEM;
	for (size_t k = 0; k < n->map->count; k++) {
		n->itl[k] = itl_new(n, &n->map->entry[k]);
		if (!n->itl[k])
			return -ENOMEM;
		ua_push(n->itl[k], SCSI_ASC_POWER_ON);
	}
	n->id = atomic_fetch_add(&next_id, 1);
	n->next_seq = 1;
	list_add_tail(&n->home->nexuses, &n->link);
	*ret_nexus = TAKE(n);
	return 0;
}

static void close_now(struct msg *m)
{
	struct scsi_nexus *n = container_of(m, struct scsi_nexus, close_msg);
	void (*closed)(void *) = n->closed;
	void *arg = n->closed_arg;
	list_del(&n->link);
	nexus_free(n);
	if (closed)
		closed(arg);
}

/* Never frees at once: a caller up the stack may still hold it. */
void nexus_settle(struct scsi_nexus *n)
{
	if (!n->closing || n->task_count || n->tmf_count || n->close_posted)
		return;
	n->close_posted = true;
	n->close_msg.run = close_now;
	reactor_post(n->reactor, &n->close_msg);
}

void scsi_nexus_let_go(struct scsi_nexus *n)
{
	if (!n->task_count)
		for_each_itl(i, n)
			itl_let_go(i);
}

void scsi_nexus_close(struct scsi_nexus *n, void (*closed)(void *arg), void *arg)
{
	n->closed = closed;
	n->closed_arg = arg;
	n->closing = true;
	for_each_itl(i, n) {
		itl_let_go(i);
		itl_abort(i, true);
	}
	itl_abort(n->lun_none, true);
	nexus_settle(n);
}

void scsi_nexus_set_map(struct scsi_nexus *n, struct scsi_lun_map *map)
{
	struct itl **fresh = calloc(map->count + 1, sizeof(struct itl *));
	bool changed = map->count != n->map->count;
	size_t k;
	if (!fresh)
		goto no_memory;
	for (k = 0; k < map->count; k++) {
		const struct scsi_lun_entry *e = &map->entry[k];
		int at = lun_map_find(n->map, e->lun);
		struct itl *old = at < 0 ? NULL : n->itl[at];
		if (old && old->unit == e->unit) {
			fresh[k] = old;
			continue;
		}
		changed = true;
		fresh[k] = itl_new(n, e);
		if (!fresh[k])
			goto no_memory;
		ua_push(fresh[k], SCSI_ASC_POWER_ON);
	}
	/* Nothing can fail from here on. */
	struct itl **before = n->itl;
	struct scsi_lun_map *before_map = n->map;
	n->itl = fresh;
	n->map = scsi_lun_map_ref(map);
	n->path_state = lun_map_path_state(map, n->port_group);
	/* Who asked for it by SET TARGET PORT GROUPS knows. */
	bool paths_changed = !lun_map_same_states(map, before_map) && !stpg_is_own_change(n, before_map, map);
	for (k = 0; k < map->count; k++) {
		struct itl *i = fresh[k];
		if (paths_changed)
			ua_push(i, SCSI_ASC_ALUA_CHANGED);
		if (map->hosts_set_paths != before_map->hosts_set_paths)
			ua_push(i, SCSI_ASC_INQUIRY_CHANGED);    /* TPGS */
		if (i->read_only != map->entry[k].read_only)
			ua_push(i, SCSI_ASC_MODE_CHANGED);
		i->read_only = map->entry[k].read_only;
	}
	for (k = 0; k < before_map->count; k++) {
		int at = lun_map_find(map, before[k]->lun);
		if (at < 0 || fresh[at] != before[k]) {
			changed = true;
			itl_leave(before[k]);
		}
	}
	/* n->itl may be another one by now only if done() swapped the map again: then that swap
	 * has told everybody. */
	if (changed && n->itl == fresh)
		for_each_itl(i, n)
			ua_push(i, SCSI_ASC_LUNS_CHANGED);
	free(before);
	scsi_lun_map_unref(before_map);
	return;
no_memory:
	log_error(&log_scsi, "cannot change the LUN map, continuing with the old one",
		  "initiator=%s reason=memory", n->initiator_port);
	for (k = 0; fresh && k < map->count; k++) {
		int at = lun_map_find(n->map, map->entry[k].lun);
		if (fresh[k] && (at < 0 || n->itl[at] != fresh[k]))
			itl_free(fresh[k]);
	}
	free(fresh);
}

void scsi_nexus_commands_cleared(struct scsi_nexus *n, const uint8_t lun[8])
{
	uint16_t number;
	int at = lun_decode(lun, &number) ? -1 : lun_map_find(n->map, number);
	if (at >= 0)
		ua_push(n->itl[at], SCSI_ASC_CLEARED_BY_TRANSPORT);
}

struct nexus_stats *scsi_nexus_stats(struct scsi_nexus *n)
{
	return &n->stats;
}
