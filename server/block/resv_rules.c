/* SPDX-License-Identifier: GPL-3.0-or-later */
/* resv_rules.c - what each reservation action does to the table.  SPC-4 5.13; pure.
 * NVMe reservations (NVM Express 2.0, 8.19) are the same machine with other names. */
#include "block/resv_priv.h"

#include <string.h>

bool resv_type_is_valid(enum resv_type t)
{
	return t == RESV_WRITE_EXCLUSIVE || t == RESV_EXCLUSIVE_ACCESS ||
	       (t >= RESV_WRITE_EXCLUSIVE_REG_ONLY && t <= RESV_EXCLUSIVE_ACCESS_ALL_REG);
}

static bool type_is_reg_only(enum resv_type t)
{
	return t == RESV_WRITE_EXCLUSIVE_REG_ONLY || t == RESV_EXCLUSIVE_ACCESS_REG_ONLY;
}

bool resv_id_equal(const struct resv_id *a, const struct resv_id *b)
{
	return a->len == b->len && memcmp(a->bytes, b->bytes, a->len) == 0;
}

const struct resv_registrant *resv_find(const struct resv_table *t, const struct resv_id *id)
{
	for (size_t i = 0; i < t->count; i++)
		if (resv_id_equal(&t->reg[i].id, id))
			return &t->reg[i];
	return NULL;
}

/* Of an all-registrants type everybody registered is the holder.  SPC-4 5.13.10 */
bool resv_is_holder(const struct resv_table *t, const struct resv_registrant *r)
{
	return t->type != RESV_NONE && (resv_type_is_all(t->type) || r->holder);
}

/* SPC-4 table 66: who may read and write under which type. */
bool resv_table_allows(const struct resv_table *t, const struct resv_id *id, enum resv_access a)
{
	const struct resv_registrant *r;
	switch (t->type) {
	case RESV_NONE:
		return true;
	case RESV_WRITE_EXCLUSIVE:
		if (a == RESV_ACCESS_READ)
			return true;
		/* fall through */
	case RESV_EXCLUSIVE_ACCESS:
		r = resv_find(t, id);
		return r && r->holder;
	case RESV_WRITE_EXCLUSIVE_REG_ONLY:
	case RESV_WRITE_EXCLUSIVE_ALL_REG:
		if (a == RESV_ACCESS_READ)
			return true;
		/* fall through */
	case RESV_EXCLUSIVE_ACCESS_REG_ONLY:
	case RESV_EXCLUSIVE_ACCESS_ALL_REG:
		return resv_find(t, id) != NULL;
	}
	return false;
}

/* ---- the table that is being made ------------------------------------------------------------------ */
struct draft {
	struct resv_table *t;
	struct resv_changes changes;
	const struct resv_id *asker;
	size_t room;
};

static int draft_init(struct draft *d, const struct resv_table *now, const struct resv_request *rq)
{
	d->room = now->count + 2 + rq->extra_count;
	d->asker = rq->id;
	d->changes = (struct resv_changes){ calloc(d->room, sizeof(struct resv_change)), 0 };
	d->t = malloc(sizeof(*d->t) + d->room * sizeof(d->t->reg[0]));
	if (!d->t || !d->changes.list) {
		free(d->t);
		free(d->changes.list);
		return -ENOMEM;
	}
	memcpy(d->t, now, sizeof(*now) + now->count * sizeof(now->reg[0]));
	return 0;
}

static struct resv_registrant *find(struct draft *d, const struct resv_id *id)
{
	return (struct resv_registrant *)(uintptr_t)resv_find(d->t, id);
}

/* Everybody is told but the one who asked. */
static void tell(struct draft *d, const struct resv_id *id, enum resv_loss loss)
{
	if (!resv_id_equal(id, d->asker))
		d->changes.list[d->changes.count++] = (struct resv_change){ .id = *id, .loss = loss };
}

static void tell_all(struct draft *d, enum resv_loss loss)
{
	for (size_t i = 0; i < d->t->count; i++)
		tell(d, &d->t->reg[i].id, loss);
}

static void no_reservation(struct draft *d)
{
	d->t->type = RESV_NONE;
	for (size_t i = 0; i < d->t->count; i++)
		d->t->reg[i].holder = false;
}

static void set_reservation(struct draft *d, struct resv_registrant *r, enum resv_type type)
{
	no_reservation(d);
	d->t->type = type;
	r->holder = !resv_type_is_all(type);
}

static int add(struct draft *d, const struct resv_id *id, uint64_t key)
{
	struct resv_registrant *r = find(d, id);
	if (r) {
		r->key = key;
		return 0;
	}
	if (d->t->count >= RESV_REGISTRANTS_MAX)
		return -ENOSPC;
	d->t->reg[d->t->count++] = (struct resv_registrant){ *id, key, false };
	return 0;
}

static void drop(struct draft *d, struct resv_registrant *r)
{
	size_t i = (size_t)(r - d->t->reg);
	memmove(r, r + 1, (d->t->count - i - 1) * sizeof(*r));
	d->t->count--;
}

/* SPC-4 5.13.11.2.3: what unregistering does to the reservation. */
static void unregister(struct draft *d, const struct resv_id *id)
{
	struct resv_registrant *r = find(d, id);
	if (!r)
		return;
	bool was_holder = r->holder;
	enum resv_type type = d->t->type;
	drop(d, r);
	if (resv_type_is_all(type)) {
		if (!d->t->count)
			no_reservation(d);
	} else if (was_holder) {
		no_reservation(d);
		if (type_is_reg_only(type))
			tell_all(d, RESV_LOST_RESERVATION);
	}
}

/* ---- the actions: 0 changed, 1 nothing to do, -errno ------------------------------------------------ */
enum { NOTHING = 1 };

static int do_register(struct draft *d, const struct resv_request *rq)
{
	const struct resv_registrant *me = find(d, rq->id);
	if (rq->action == RESV_REGISTER && rq->key != (me ? me->key : 0))
		return -EACCES;
	if (rq->names_others && me)
		return -EINVAL;
	if (rq->names_others && !rq->new_key)
		return NOTHING;
	bool had_aptpl = d->t->aptpl;
	if (rq->aptpl >= 0 && (me || rq->new_key))
		d->t->aptpl = rq->aptpl;
	if (!rq->new_key) {
		if (!me && !rq->extra_count)
			return d->t->aptpl == had_aptpl ? NOTHING : 0;
		unregister(d, rq->id);
		for (size_t i = 0; i < rq->extra_count; i++)
			unregister(d, &rq->extra[i]);
	} else {
		int err = add(d, rq->id, rq->new_key);
		for (size_t i = 0; i < rq->extra_count && !err; i++)
			if (!rq->names_others || !find(d, &rq->extra[i]))
				err = add(d, &rq->extra[i], rq->new_key);
		if (err)
			return err;
	}
	d->t->generation++;
	return 0;
}

static int do_reserve(struct draft *d, const struct resv_request *rq, struct resv_registrant *me)
{
	if (!resv_type_is_valid(rq->type))
		return -EINVAL;
	if (d->t->type != RESV_NONE)             /* SPC-4 5.13.9: the holder may ask for the same again */
		return resv_is_holder(d->t, me) && d->t->type == rq->type ? NOTHING : -EACCES;
	set_reservation(d, me, rq->type);
	return 0;
}

static int do_release(struct draft *d, const struct resv_request *rq, const struct resv_registrant *me)
{
	enum resv_type type = d->t->type;
	if (!resv_is_holder(d->t, me))
		return NOTHING;
	if (rq->type != type)
		return -EINVAL;
	no_reservation(d);
	if (type_is_reg_only(type) || resv_type_is_all(type))
		tell_all(d, RESV_LOST_RESERVATION);
	return 0;
}

static int do_clear(struct draft *d)
{
	tell_all(d, RESV_PREEMPTED);
	no_reservation(d);
	d->t->count = 0;
	d->t->generation++;
	return 0;
}

/* Removes who is registered with key (every one when `all`); not the asker when `spare_asker`. */
static size_t remove_key(struct draft *d, uint64_t key, bool all, bool spare_asker)
{
	size_t removed = 0;
	for (size_t i = d->t->count; i-- > 0;) {
		struct resv_registrant *r = &d->t->reg[i];
		bool hit = all || r->key == key;
		removed += hit;
		if (!hit || (spare_asker && resv_id_equal(&r->id, d->asker)))
			continue;
		tell(d, &r->id, RESV_LOST_REGISTRATION);
		drop(d, r);
	}
	return removed;
}

static uint64_t holder_key(const struct resv_table *t)
{
	for (size_t i = 0; i < t->count; i++)
		if (t->reg[i].holder)
			return t->reg[i].key;
	return 0;
}

/* SPC-4 5.13.11.4, figure 9. */
static int do_preempt(struct draft *d, const struct resv_request *rq)
{
	enum resv_type old = d->t->type;
	bool is_all = resv_type_is_all(old);
	bool takes = old != RESV_NONE && (is_all ? rq->new_key == 0 : rq->new_key && rq->new_key == holder_key(d->t));
	if (!takes) {
		if (!rq->new_key)
			return -EINVAL;
		if (!remove_key(d, rq->new_key, false, false))
			return -EACCES;
		if (is_all && !d->t->count)
			no_reservation(d);
		d->t->generation++;
		return 0;
	}
	if (!resv_type_is_valid(rq->type))
		return -EINVAL;
	remove_key(d, rq->new_key, is_all, true);
	if (rq->type != old)
		tell_all(d, RESV_TYPE_CHANGED);
	set_reservation(d, find(d, rq->id), rq->type);
	d->t->generation++;
	return 0;
}

/* SPC-4 5.13.8. */
static int do_move(struct draft *d, const struct resv_request *rq, const struct resv_registrant *me)
{
	enum resv_type type = d->t->type;
	if (type == RESV_NONE || resv_type_is_all(type) || !me->holder)
		return -EACCES;
	if (!rq->new_key || !rq->move_to || resv_id_equal(rq->move_to, rq->id))
		return -EINVAL;
	int err = add(d, rq->move_to, rq->new_key);
	if (err)
		return err;
	set_reservation(d, find(d, rq->move_to), type);
	if (rq->unregister_moved)
		drop(d, find(d, rq->id));
	if (rq->aptpl >= 0)
		d->t->aptpl = rq->aptpl;
	d->t->generation++;
	return 0;
}

static int act(struct draft *d, const struct resv_request *rq)
{
	if (rq->action == RESV_PERSIST) {        /* NVMe's feature 83h: any host may */
		if (rq->aptpl < 0 || d->t->aptpl == !!rq->aptpl)
			return NOTHING;
		d->t->aptpl = rq->aptpl;
		return 0;
	}
	if (rq->action == RESV_REGISTER || rq->action == RESV_REGISTER_IGNORE)
		return do_register(d, rq);
	/* Everything else needs a registration and its key.  SPC-4 5.13.5 */
	struct resv_registrant *me = find(d, rq->id);
	if (!me || me->key != rq->key)
		return -EACCES;
	switch (rq->action) {
	case RESV_RESERVE:
		return do_reserve(d, rq, me);
	case RESV_RELEASE:
		return do_release(d, rq, me);
	case RESV_CLEAR:
		return do_clear(d);
	case RESV_PREEMPT:
		return do_preempt(d, rq);
	case RESV_MOVE:
		return do_move(d, rq, me);
	default:
		return -EINVAL;
	}
}

int resv_apply(const struct resv_table *now, const struct resv_request *rq, struct resv_table **ret_next,
	       struct resv_changes *ret_changes)
{
	struct draft d;
	if (!rq->id || rq->id->len > RESV_ID_MAX || (rq->move_to && rq->move_to->len > RESV_ID_MAX))
		return -EINVAL;
	int err = draft_init(&d, now, rq);
	if (err)
		return err;
	err = act(&d, rq);
	if (err) {
		free(d.t);
		free(d.changes.list);
		if (err != NOTHING)
			return err;
		d.t = NULL;
		d.changes = (struct resv_changes){ NULL, 0 };
	}
	for (size_t i = 0; i < d.changes.count; i++) {
		d.changes.list[i].abort = rq->abort && rq->action == RESV_PREEMPT && d.changes.list[i].loss != RESV_TYPE_CHANGED;
		d.changes.list[i].from = rq->from;
	}
	*ret_next = d.t;
	*ret_changes = d.changes;
	return 0;
}
