/* SPDX-License-Identifier: GPL-3.0-or-later */
/* resv.c - reservations of one volume: requests one after another, each in force (and durable
 * where APTPL asks for it) before it is answered; and the answer to "may this nexus do it".
 *
 * The table is immutable and replaced under r->mutex.  A request path thread looks at r->type,
 * and only if something is reserved at a small cache of its own, which r->changes makes stale. */
#include "block/resv_priv.h"

#include <string.h>

#define CLAIMED 0x100                    /* in resv.type, beside the type */
struct resv {
	_Atomic(int) type;               /* of the table in force */
	_Atomic(uint32_t) changes;
	pthread_mutex_t mutex;           /* guards what follows */
	struct resv_table *now;
	struct resv_id claim;            /* len 0: nobody's */
	struct resv_request *head, **tail; /* waiting; the first one runs when `busy` */
	bool busy;
	/* The change that is being saved. */
	struct resv_request *saving;
	struct resv_table *next;
	struct resv_changes next_changes;
	struct volume *volume;
	struct work work;
};
struct resv_rq {                         /* in resv_request.priv */
	struct resv_request *next;
	struct reactor *reactor;
	struct resv_changes changes;
	int status;
};
static_assert(sizeof(struct resv_rq) <= sizeof(((struct resv_request *)0)->priv), "resv_request.priv");

#define CACHE_ENTRIES 8
struct resv_cache {
	uint32_t changes;
	struct {
		struct resv_id id;
		bool valid, allows[2];
	} entry[CACHE_ENTRIES];
};

static struct {
	pthread_mutex_t mutex;
	volume_resv_save_fn *fn;
	void *arg;
} saver = { .mutex = PTHREAD_MUTEX_INITIALIZER };

void volume_resv_on_save(volume_resv_save_fn *fn, void *arg)
{
	pthread_mutex_lock(&saver.mutex);
	saver.fn = fn;
	saver.arg = arg;
	pthread_mutex_unlock(&saver.mutex);
}

static struct resv_rq *rq_of(struct resv_request *rq)
{
	return (struct resv_rq *)(void *)rq->priv;
}

int resv_new(struct volume *v, struct resv **ret_resv)
{
	struct resv *r = calloc(1, sizeof(*r));
	if (!r)
		return -ENOMEM;
	r->now = calloc(1, sizeof(*r->now));
	if (!r->now) {
		free(r);
		return -ENOMEM;
	}
	pthread_mutex_init(&r->mutex, NULL);
	r->tail = &r->head;
	r->volume = v;
	*ret_resv = r;
	return 0;
}

void resv_free(struct resv *r)
{
	if (!r)
		return;
	pthread_mutex_destroy(&r->mutex);
	free(r->now);
	free(r);
}

void resv_cache_free(struct resv_cache *c)
{
	free(c);
}

/* ---- requests ---------------------------------------------------------------------------------------- */
static void answer(struct resv_request *rq)
{
	struct resv_rq *p = rq_of(rq);
	struct resv_changes c = p->changes;
	rq->done(rq, p->status, c.list, c.count);
	free(c.list);
}

static void answer_msg(struct msg *m)
{
	answer(container_of(m, struct resv_request, msg));
}

/* Under the mutex. */
static void state_changed(struct resv *r)
{
	atomic_store_explicit(&r->type, (int)r->now->type | (r->claim.len ? CLAIMED : 0), memory_order_release);
	atomic_fetch_add_explicit(&r->changes, 1, memory_order_release);
}

/* Under the mutex. */
static void put_in_force(struct resv *r, struct resv_table *next)
{
	free(r->now);
	r->now = next;
	state_changed(r);
}

static void save_work(struct work *w);

/* Runs the first request.  True: it is decided and off the queue.  False: it is being saved.
 * Under the mutex. */
static bool run_first(struct resv *r)
{
	struct resv_request *rq = r->head;
	struct resv_rq *p = rq_of(rq);
	struct resv_table *next = NULL;
	p->changes = (struct resv_changes){ NULL, 0 };
	p->status = r->claim.len ? -EACCES : resv_apply(r->now, rq, &next, &p->changes);
	if (p->status == 0 && next) {
		if (r->now->aptpl || next->aptpl) {
			r->saving = rq;
			r->next = next;
			r->work.work = save_work;
			r->work.done = NULL;
			volume_ref(r->volume);
			reactor_work(NULL, &r->work);
			return false;
		}
		put_in_force(r, next);
	}
	r->head = p->next;
	if (!r->head)
		r->tail = &r->head;
	return true;
}

/* Runs what is queued until it is empty or something must be saved.  Answers for this thread's
 * own requests are given at once, others go to their reactor. */
static void run_queue(struct resv *r)
{
	struct volume *v = r->volume;
	for (;;) {
		pthread_mutex_lock(&r->mutex);
		if (!r->head) {
			r->busy = false;
			pthread_mutex_unlock(&r->mutex);
			return;
		}
		struct resv_request *rq = r->head;
		uint32_t before = atomic_load(&r->changes);
		bool decided = run_first(r);
		bool changed = atomic_load(&r->changes) != before;
		pthread_mutex_unlock(&r->mutex);
		if (!decided)
			return;                  /* save_work() goes on */
		if (changed) {
			volume_tell(v, VOLUME_RESERVATION);
			volume_tell_lost(v, rq_of(rq)->changes.list, rq_of(rq)->changes.count);
		}
		struct reactor *to = rq_of(rq)->reactor;
		if (!to || to == reactor_self()) {
			answer(rq);
		} else {
			rq->msg.run = answer_msg;
			reactor_post(to, &rq->msg);
		}
	}
}

static int save(struct volume *v, const struct resv_table *t)
{
	_cleanup_(freep) char *text = resv_to_text(t);
	if (!text)
		return -ENOMEM;
	pthread_mutex_lock(&saver.mutex);
	volume_resv_save_fn *fn = saver.fn;
	void *arg = saver.arg;
	pthread_mutex_unlock(&saver.mutex);
	return fn ? fn(arg, v->uuid_text, text) : -EIO;
}

static void save_work(struct work *w)
{
	struct resv *r = container_of(w, struct resv, work);
	struct volume *v = r->volume;
	int err = save(v, r->next);
	pthread_mutex_lock(&r->mutex);
	struct resv_request *rq = TAKE(r->saving);
	struct resv_rq *p = rq_of(rq);
	struct resv_table *next = TAKE(r->next);
	if (err) {
		log_error(&log_block, "reservation could not be made durable, nothing changes", "volume=%s error=%d",
			  volume_name(v), -err);
		free(next);
		free(p->changes.list);
		p->changes = (struct resv_changes){ NULL, 0 };
		p->status = -EIO;
	} else {
		put_in_force(r, next);
	}
	r->head = p->next;
	if (!r->head)
		r->tail = &r->head;
	pthread_mutex_unlock(&r->mutex);
	if (!err) {
		volume_tell(v, VOLUME_RESERVATION);
		volume_tell_lost(v, p->changes.list, p->changes.count);
	}
	if (p->reactor) {
		rq->msg.run = answer_msg;
		reactor_post(p->reactor, &rq->msg);
	} else {
		answer(rq);
	}
	run_queue(r);
	volume_unref(v);
}

void volume_resv_request(struct volume *v, struct resv_request *rq)
{
	struct resv *r = v->resv;
	struct resv_rq *p = rq_of(rq);
	p->next = NULL;
	p->reactor = reactor_self();
	pthread_mutex_lock(&r->mutex);
	*r->tail = rq;
	r->tail = &p->next;
	bool start = !r->busy;
	r->busy = true;
	pthread_mutex_unlock(&r->mutex);
	if (start) {
		volume_ref(v);                   /* an answer may drop the asker's */
		run_queue(r);
		volume_unref(v);
	}
}

/* ---- questions ------------------------------------------------------------------------------------------ */
int volume_resv_read(struct volume *v, struct resv_state *ret_state)
{
	struct resv *r = v->resv;
	pthread_mutex_lock(&r->mutex);
	const struct resv_table *t = r->now;
	struct resv_state s = { .generation = t->generation, .type = t->type, .aptpl = t->aptpl, .count = t->count };
	s.registrants = calloc(t->count + 1, sizeof(*s.registrants));
	for (size_t i = 0; s.registrants && i < t->count; i++) {
		s.registrants[i] = t->reg[i];
		s.registrants[i].holder = resv_is_holder(t, &t->reg[i]);
	}
	pthread_mutex_unlock(&r->mutex);
	if (!s.registrants)
		return -ENOMEM;
	*ret_state = s;
	return (int)s.count;
}

int volume_resv_load(struct volume *v, const char *state_text)
{
	struct resv *r = v->resv;
	struct resv_table *t = NULL;
	int err = resv_from_text(state_text, &t);
	if (err)
		return err;
	pthread_mutex_lock(&r->mutex);
	err = r->busy ? -EBUSY : 0;
	if (!err)
		put_in_force(r, t);
	pthread_mutex_unlock(&r->mutex);
	if (err)
		free(t);
	return err;
}

/* Under the mutex. */
static bool allows(const struct resv *r, const struct resv_id *id, enum resv_access a)
{
	if (r->claim.len && !resv_id_equal(&r->claim, id))
		return false;
	return resv_table_allows(r->now, id, a);
}

static bool allows_slow(struct resv *r, const struct resv_id *id, enum resv_access a)
{
	pthread_mutex_lock(&r->mutex);
	bool yes = allows(r, id, a);
	pthread_mutex_unlock(&r->mutex);
	return yes;
}

static unsigned slot_of(const struct resv_id *id)
{
	uint64_t tail = id->len;
	memcpy(&tail, id->bytes + (id->len > 8 ? id->len - 8 : 0), sizeof(tail));
	return (unsigned)((tail * 0x9e3779b97f4a7c15ull) >> 61) % CACHE_ENTRIES;
}

static bool allows_cached(struct resv *r, struct volume_queue *q, const struct resv_id *id, enum resv_access a)
{
	struct resv_cache *c = q->resv_cache;
	if (!c) {
		c = q->resv_cache = calloc(1, sizeof(*c));
		if (!c)
			return allows_slow(r, id, a);
	}
	uint32_t changes = atomic_load_explicit(&r->changes, memory_order_acquire);
	if (unlikely(c->changes != changes)) {
		for (unsigned i = 0; i < CACHE_ENTRIES; i++)
			c->entry[i].valid = false;
		c->changes = changes;
	}
	unsigned s = slot_of(id);
	if (unlikely(!c->entry[s].valid || !resv_id_equal(&c->entry[s].id, id))) {
		pthread_mutex_lock(&r->mutex);
		c->entry[s].id = *id;
		c->entry[s].allows[RESV_ACCESS_READ] = allows(r, id, RESV_ACCESS_READ);
		c->entry[s].allows[RESV_ACCESS_WRITE] = allows(r, id, RESV_ACCESS_WRITE);
		pthread_mutex_unlock(&r->mutex);
		c->entry[s].valid = true;
	}
	return c->entry[s].allows[a];
}

bool volume_resv_allows(struct volume *v, const struct resv_id *id, enum resv_access a)
{
	struct resv *r = v->resv;
	if (likely(atomic_load_explicit(&r->type, memory_order_relaxed) == RESV_NONE))
		return true;
	struct reactor *self = reactor_self();
	const struct block_thread *t = self ? block_room.by_index[reactor_index(self)] : NULL;
	if (!t || t->reactor != self)
		return allows_slow(r, id, a);
	return allows_cached(r, &v->queue[t->slot], id, a);
}

/* ---- one holder of everything: SPC-2's RESERVE ------------------------------------------------------------- */
int volume_claim(struct volume *v, const struct resv_id *id)
{
	struct resv *r = v->resv;
	int err = 0;
	pthread_mutex_lock(&r->mutex);
	if (r->claim.len)
		err = resv_id_equal(&r->claim, id) ? 0 : -EACCES;
	else if (r->busy || r->now->count)       /* or is just registering */
		err = -EACCES;
	else
		r->claim = *id;
	state_changed(r);
	pthread_mutex_unlock(&r->mutex);
	return err;
}

void volume_unclaim(struct volume *v, const struct resv_id *id)
{
	struct resv *r = v->resv;
	pthread_mutex_lock(&r->mutex);
	if (r->claim.len && (!id || resv_id_equal(&r->claim, id))) {
		r->claim.len = 0;
		state_changed(r);
	}
	pthread_mutex_unlock(&r->mutex);
}
