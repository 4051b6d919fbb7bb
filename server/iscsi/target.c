/* SPDX-License-Identifier: GPL-3.0-or-later */
/* target.c - targets: added, changed while sessions run, removed.
 * A change swaps the whole configuration; then each session is compared with it, and only those
 * that it concerns hear of it. */
#include "iscsi/iscsi_priv.h"

#include <stdio.h>
#include <string.h>

struct iscsi_target *iscsi_target_find(const char *name)
{
	struct iscsi_target *t;

	list_for_each(t, &iscsi_room.targets, link)
		if (!strcasecmp(t->name, name))
			return t;
	return NULL;
}
void iscsi_target_put(struct iscsi_target *t)
{
	if (--t->refs)
		return;
	iscsi_conf_unref(t->conf);
	free(t);
}

/* ---- names that were served once: "removed" tells a host more than "not found" ------------------- */
bool iscsi_target_was_removed(const char *name)
{
	for (unsigned i = 0; i < ISCSI_REMOVED_NAMES; i++)
		if (!strcasecmp(iscsi_room.removed[i], name))
			return true;
	return false;
}
static void removed_forget(const char *name)
{
	for (unsigned i = 0; i < ISCSI_REMOVED_NAMES; i++)
		if (!strcasecmp(iscsi_room.removed[i], name))
			iscsi_room.removed[i][0] = '\0';
}
static void removed_remember(const char *name)
{
	char *to = iscsi_room.removed[iscsi_room.removed_next++ % ISCSI_REMOVED_NAMES];

	memcpy(to, name, strlen(name) + 1);
}

/* ---- add ------------------------------------------------------------------------------------------- */
int iscsi_target_add(const struct iscsi_target_spec *s, struct iscsi_target **ret_target, char *why, size_t why_bytes)
{
	_cleanup_(iscsi_conf_unrefp) struct iscsi_target_conf *conf = NULL;

	int r = iscsi_name_check(s->name, why, why_bytes);
	if (!r)
		r = iscsi_conf_new(s, &conf, why, why_bytes);
	if (r)
		return r;
	struct iscsi_target *t = calloc(1, sizeof(*t));
	if (!t)
		return -ENOMEM;
	snprintf(t->name, sizeof(t->name), "%s", s->name);
	t->refs = 1;
	room_lock();
	if (iscsi_target_find(s->name)) {
		room_unlock();
		free(t);
		if (why && why_bytes)
			snprintf(why, why_bytes, "a target of this name exists");
		return -EEXIST;
	}
	t->conf = TAKE(conf);
	removed_forget(t->name);
	list_add_tail(&iscsi_room.targets, &t->link);
	iscsi_isns_changed();
	room_unlock();
	*ret_target = t;
	return 0;
}

/* ---- change ------------------------------------------------------------------------------------------ */
struct map_change {                      /* for one session, carried to its reactor */
	uint64_t id;
	struct reactor *reactor;
	struct scsi_lun_map *map;        /* owned */
};
static int map_apply(void *arg)
{
	struct map_change *m = arg;

	room_lock();
	struct iscsi_session *s = iscsi_session_by_id(m->id);
	room_unlock();
	/* Sessions leave the list on this thread alone, so it stays while we use it. */
	if (s && s->nexus && !s->ending) {
		scsi_nexus_set_map(s->nexus, m->map);
		iscsi_async_luns_changed(s);
	}
	return 0;
}

enum fate { FATE_UNTOUCHED, FATE_MAP, FATE_CLOSE };
static enum fate fate_of(const struct iscsi_session *s, const struct iscsi_target_conf *conf,
			 const struct iscsi_grant_rule **ret_rule)
{
	const struct iscsi_grant_rule *now = iscsi_conf_match(s->conf, s->st.initiator, &s->peer_addr);
	const struct iscsi_grant_rule *next = iscsi_conf_match(conf, s->st.initiator, &s->peer_addr);

	*ret_rule = next;
	if (!next || !iscsi_conf_offers(conf, s->st.tpgt))
		return FATE_CLOSE;
	return now && iscsi_rule_same_luns(now, next) ? FATE_UNTOUCHED : FATE_MAP;
}

int iscsi_target_preview(struct iscsi_target *t, const struct iscsi_target_spec *spec, unsigned *ret_touched,
			 unsigned *ret_closed)
{
	_cleanup_(iscsi_conf_unrefp) struct iscsi_target_conf *conf = NULL;
	const struct iscsi_grant_rule *rule;
	struct iscsi_session *s;
	unsigned counts[FATE_CLOSE + 1] = { 0 };

	int r = iscsi_conf_new(spec, &conf, NULL, 0);
	if (r)
		return r;
	room_lock();
	list_for_each(s, &iscsi_room.sessions, link)
		if (s->target == t)
			counts[fate_of(s, conf, &rule)]++;
	room_unlock();
	*ret_touched = counts[FATE_MAP];
	*ret_closed = counts[FATE_CLOSE];
	return 0;
}

int iscsi_target_update(struct iscsi_target *t, const struct iscsi_target_spec *spec, char *why, size_t why_bytes)
{
	_cleanup_(iscsi_conf_unrefp) struct iscsi_target_conf *conf = NULL;
	_cleanup_(freep) struct map_change *changes = NULL;
	struct iscsi_session *s;
	size_t count = 0, room = 0;

	int r = iscsi_conf_new(spec, &conf, why, why_bytes);
	if (r)
		return r;
	room_lock();
	list_for_each(s, &iscsi_room.sessions, link)
		room += s->target == t;
	changes = calloc(room + 1, sizeof(*changes));
	if (!changes) {
		room_unlock();
		return -ENOMEM;
	}
	list_for_each(s, &iscsi_room.sessions, link) {
		const struct iscsi_grant_rule *rule;
		if (s->target != t)
			continue;
		switch (fate_of(s, conf, &rule)) {
		case FATE_CLOSE:
			iscsi_session_ask_end(s, true, "the host is no longer allowed");
			continue;
		case FATE_MAP:
			changes[count++] = (struct map_change){ s->id, s->home->reactor, scsi_lun_map_ref(rule->map) };
			break;
		case FATE_UNTOUCHED:
			break;
		}
		iscsi_conf_unref(s->conf);
		s->conf = iscsi_conf_ref(conf);
		memcpy(s->st.host, rule->host, sizeof(s->st.host));
	}
	struct iscsi_target_conf *old = t->conf;
	t->conf = TAKE(conf);
	iscsi_isns_changed();
	room_unlock();
	iscsi_conf_unref(old);
	for (size_t i = 0; i < count; i++) {
		reactor_call(changes[i].reactor, map_apply, &changes[i]);
		scsi_lun_map_unref(changes[i].map);
	}
	return 0;
}

void iscsi_target_drop_sessions(struct iscsi_session *s)
{
	struct iscsi_session *it;

	room_lock();
	list_for_each(it, &iscsi_room.sessions, link)
		if (it->target == s->target && it != s)
			iscsi_session_ask_end(it, true, "an initiator reset the target");
	room_unlock();
	iscsi_session_quit(s, "the initiator reset the target");
}

/* ---- remove ------------------------------------------------------------------------------------------- */
void iscsi_target_remove(struct iscsi_target *t)
{
	struct iscsi_session *s;

	if (!t)
		return;
	room_lock();
	list_del(&t->link);
	t->removed = true;
	iscsi_isns_changed();
	removed_remember(t->name);
	/* A login that is on its way compares its configuration with this one at its end. */
	struct iscsi_target_conf *old = t->conf;
	t->conf = NULL;
	list_for_each(s, &iscsi_room.sessions, link)
		if (s->target == t)
			iscsi_session_ask_end(s, true, "the target was removed");
	iscsi_target_put(t);             /* its sessions hold the rest */
	room_unlock();
	iscsi_conf_unref(old);
}
