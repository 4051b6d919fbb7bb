/* SPDX-License-Identifier: GPL-3.0-or-later */
/* volume.c - a volume's life: open, offline, reopen, resize, options, end.
 *
 * Management calls take v->mgmt, so there is one at a time; what they change reaches the request
 * path as a new volume_view, handed to each queue on its own reactor. */
#include "block/block_priv.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define SWITCH_MS 30000                  /* how long resize and reopen wait for requests in flight */

struct old_name {
	struct old_name *next;
	char text[];
};

#define TO(s) (1u << (s))
static const unsigned state_next[] = {
	[VOLUME_ONLINE] = TO(VOLUME_OFFLINE) | TO(VOLUME_CLOSED), /* the backend went away; close */
	[VOLUME_OFFLINE] = TO(VOLUME_ONLINE) | TO(VOLUME_CLOSED), /* woken by volume_reopen() */
	[VOLUME_CLOSED] = 0,
};

void volume_move(struct volume *v, enum volume_state to)
{
	int from = atomic_load(&v->state);
	do {
		if (from == (int)to || !(state_next[from] & TO(to)))
			return;
	} while (!atomic_compare_exchange_weak(&v->state, &from, (int)to));
}

/* ---- made and freed ------------------------------------------------------------------------------ */
static int settings_copy(struct volume *v, const struct volume_spec *s)
{
	v->settings = calloc(s->setting_count + 1, sizeof(*v->settings));
	if (!v->settings)
		return -ENOMEM;
	for (size_t i = 0; i < s->setting_count; i++) {
		struct volume_setting *to = &v->settings[v->setting_count++];
		to->name = strdup(s->settings[i].name);
		to->value = strdup(s->settings[i].value);
		if (!to->name || !to->value)
			return -ENOMEM;
	}
	return 0;
}

static void uuid_parse(const char *text, uint8_t uuid[16])
{
	unsigned n = 0;
	for (; *text && n < 32; text++) {
		char c = *text;
		if (c == '-')
			continue;
		unsigned digit = c <= '9' ? (unsigned)(c - '0') : (unsigned)((c | 0x20) - 'a' + 10);
		uuid[n / 2] = (uint8_t)(n % 2 ? uuid[n / 2] | digit : digit << 4);
		n++;
	}
}

static void free_volume(struct volume *v)
{
	if (!v)
		return;
	for (unsigned i = 0; i < v->queue_count; i++) {
		free(v->queue[i].stats);
		resv_cache_free(v->queue[i].resv_cache);
	}
	for (size_t i = 0; i < v->setting_count; i++) {
		free((char *)(uintptr_t)v->settings[i].name);
		free((char *)(uintptr_t)v->settings[i].value);
	}
	while (v->old_names) {
		struct old_name *o = v->old_names;
		v->old_names = o->next;
		free(o);
	}
	resv_free(v->resv);
	explicit_bzero(v->key, sizeof(v->key));
	free(v->settings);
	free(v->stack_names);
	free(v->pool_path);
	range_lock_done(&v->range);
	pthread_mutex_destroy(&v->barrier_mutex);
	pthread_mutex_destroy(&v->mgmt);
	pthread_mutex_destroy(&v->facts);
	pthread_mutex_destroy(&v->drain);
	pthread_mutex_destroy(&v->watch);
	pthread_mutex_destroy(&v->changes_lock);
	pthread_cond_destroy(&v->drained);
	free(v);
}
DEFINE_FREEP(struct volume, free_volume)

static void init_sync(struct volume *v)
{
	pthread_mutexattr_t recursive;
	pthread_mutexattr_init(&recursive);
	pthread_mutexattr_settype(&recursive, PTHREAD_MUTEX_RECURSIVE);
	pthread_mutex_init(&v->watch, &recursive);
	pthread_mutexattr_destroy(&recursive);
	pthread_mutex_init(&v->changes_lock, NULL);
	list_init(&v->changes);
	pthread_mutex_init(&v->mgmt, NULL);
	pthread_mutex_init(&v->facts, NULL);
	pthread_mutex_init(&v->drain, NULL);
	pthread_condattr_t monotonic;
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&v->drained, &monotonic);
	pthread_condattr_destroy(&monotonic);
	range_lock_init(&v->range);
	list_init(&v->watchers);
	pthread_mutex_init(&v->barrier_mutex, NULL);
	v->barrier_tail = &v->barrier_head;
}

static void queue_init(struct volume *v, unsigned i)
{
	struct volume_queue *q = &v->queue[i];
	q->volume = v;
	q->thread = &block_room.threads[i];
	q->pending_tail = &q->pending_head;
	q->view.block_bytes = v->block_bytes;
	q->view.block_shift = v->block_shift;
}

static int set_name(struct volume *v, const char *name)
{
	size_t len = strlen(name) + 1;
	struct old_name *o = malloc(sizeof(*o) + len);
	if (!o)
		return -ENOMEM;
	memcpy(o->text, name, len);
	o->next = v->old_names;
	v->old_names = o;
	atomic_store(&v->name, o->text);
	return 0;
}

static int new_volume(const struct volume_spec *s, struct volume **ret_volume)
{
	unsigned count = block_room.reactor_count;
	size_t bytes = sizeof(struct volume) + count * sizeof(struct volume_queue);
	_cleanup_(free_volumep) struct volume *v = aligned_alloc(64, (bytes + 63) / 64 * 64);
	if (!v)
		return -ENOMEM;
	memset(v, 0, bytes);
	init_sync(v);
	atomic_store(&v->refs, 1);
	atomic_store(&v->state, VOLUME_OFFLINE);
	v->block_bytes = s->block_bytes;
	v->block_shift = (uint32_t)__builtin_ctz(s->block_bytes);
	uuid_parse(s->uuid, v->uuid);
	snprintf(v->uuid_text, sizeof(v->uuid_text), "%s", s->uuid);
	v->read_only_wanted = s->read_only;
	v->spec_size_bytes = s->size_bytes;
	v->encrypted = s->encrypted;
	v->has_key = s->encrypted && s->key;
	if (v->has_key)
		memcpy(v->key, s->key, sizeof(v->key));
	snprintf(v->key_why, sizeof(v->key_why), "%s", s->key_why ? s->key_why : "its key is missing");
	atomic_store(&v->size_bytes, s->size_bytes);
	v->limits = (struct volume_limits){ .physical_bytes = s->block_bytes, .read_only = s->read_only,
					    .max_io_bytes = 8 << 20, .volatile_cache = true };
	v->queue_count = count;
	for (unsigned i = 0; i < count; i++)
		queue_init(v, i);
	v->stack_names = strdup(s->plugin ? s->plugin : "");
	v->pool_path = s->pool_path ? strdup(s->pool_path) : NULL;
	if (!v->stack_names || (s->pool_path && !v->pool_path) || settings_copy(v, s) || set_name(v, s->name))
		return -ENOMEM;
	int err = resv_new(v, &v->resv);
	if (err)
		return err;
	*ret_volume = TAKE(v);
	return 0;
}

struct volume *volume_ref(struct volume *v)
{
	atomic_fetch_add_explicit(&v->refs, 1, memory_order_relaxed);
	return v;
}

static void end_on_worker(struct work *w)
{
	struct volume *v = container_of(w, struct volume, close_work);
	backend_close(TAKE(v->top));
	free_volume(v);
}

void volume_unref(struct volume *v)
{
	if (!v || atomic_fetch_sub_explicit(&v->refs, 1, memory_order_acq_rel) != 1)
		return;
	if (!v->top) {
		free_volume(v);
		return;
	}
	v->close_work.work = end_on_worker;      /* never closed: closing may block, this thread may not */
	v->close_work.done = NULL;
	reactor_work(NULL, &v->close_work);
}

/* ---- what the request path sees -------------------------------------------------------------------- */
static void limits_from(struct volume *v, const struct hf_info *info)
{
	struct volume_limits l = {
		.physical_bytes = info->physical_bytes,
		.max_io_bytes = 8 << 20,
		.unmap_granularity_bytes = info->unmap_granularity_bytes,
		.max_zero_bytes = info->can_zero ? 4 * GIB : 64 * MIB,
		.read_only = v->read_only_wanted || info->read_only,
		.volatile_cache = info->volatile_cache,
		.unmap_zeroes = info->unmap_granularity_bytes && info->unmap_zeroes,
		.rotational = info->rotational,
		.thin = info->thin,
	};
	pthread_mutex_lock(&v->facts);
	v->limits = l;
	pthread_mutex_unlock(&v->facts);
}

static void take_view(struct volume_queue *q, void *arg)
{
	q->view = *(const struct volume_view *)arg;
}

/* Hands the backend and its facts to every queue.  direct: no reactor knows the volume yet. */
static void publish(struct volume *v, bool direct)
{
	struct volume_view w = {
		.top = v->top,
		.block_count = volume_size_bytes(v) >> v->block_shift,
		.block_shift = v->block_shift,
		.block_bytes = v->block_bytes,
		.epoch = v->epoch,
		.read_only = v->read_only_wanted,
	};
	if (v->top) {
		w.info = v->top->info;
		w.read_only = w.read_only || w.info.read_only;
		limits_from(v, &w.info);
	}
	if (direct)
		for (unsigned i = 0; i < v->queue_count; i++)
			v->queue[i].view = w;
	else
		volume_each_queue(v, take_view, &w);
}

void volume_set_reason(struct volume *v, const char *why)
{
	pthread_mutex_lock(&v->facts);
	snprintf(v->reason, sizeof(v->reason), "%s", why);
	pthread_mutex_unlock(&v->facts);
}

static int check_size(struct volume *v, const struct layer *top, char *why, size_t why_bytes)
{
	uint64_t have = top->info.size_bytes & ~(uint64_t)(v->block_bytes - 1);
	uint64_t want = v->spec_size_bytes;
	if (want > have) {
		snprintf(why, why_bytes, "the backing store holds %llu bytes, the volume is configured with %llu",
			 (unsigned long long)have, (unsigned long long)want);
		return -EINVAL;
	}
	if (!want && !have) {
		snprintf(why, why_bytes, "the backing store is empty");
		return -EINVAL;
	}
	atomic_store(&v->size_bytes, want ? want : have);
	return 0;
}

/* Opens the backend; no request is in flight.  Under mgmt, or before anybody knows v. */
static int bring_online(struct volume *v, bool direct)
{
	char why[WHY_BYTES] = "";
	struct layer *top = NULL;
	int err = backend_open(v, v->spec_size_bytes, &top, why, sizeof(why));
	if (!err)
		err = check_size(v, top, why, sizeof(why));
	if (err) {
		backend_close(top);
		volume_set_reason(v, why);
		log_warn(&log_block, "volume is offline", "volume=%s reason=\"%s\"", volume_name(v), why);
		return err;
	}
	v->top = top;
	v->epoch++;
	atomic_store(&v->flush_error, 0);
	atomic_store(&v->gone, false);
	publish(v, direct);
	volume_set_reason(v, "");
	volume_move(v, VOLUME_ONLINE);
	return 0;
}

int volume_open(const struct volume_spec *s, struct volume **ret_volume)
{
	char why[WHY_BYTES] = "";
	struct volume *v = NULL;
	int err = volume_check(s, why, sizeof(why));
	if (err && spec_check_shape(s, why, sizeof(why)))
		return -EINVAL;
	err = new_volume(s, &v);
	if (err)
		return err;
	(void)bring_online(v, true);             /* a missing backend is no error: OFFLINE */
	*ret_volume = v;
	return 0;
}

static int swap_backend(struct volume *v)
{
	int err = volume_quiesce(v, SWITCH_MS);
	if (err) {
		volume_set_reason(v, "requests are still in flight at the old backing store");
		return -EBUSY;
	}
	struct layer *old = TAKE(v->top);
	publish(v, false);
	backend_close(old);
	err = bring_online(v, false);
	if (err)
		volume_move(v, VOLUME_OFFLINE);
	volume_resume(v);
	return err;
}

int volume_reopen(struct volume *v)
{
	pthread_mutex_lock(&v->mgmt);
	enum volume_state was = volume_state(v);
	int err = 0;
	if (was == VOLUME_CLOSED)
		err = -ESHUTDOWN;
	else if (was == VOLUME_OFFLINE || atomic_load(&v->flush_error))
		err = swap_backend(v);
	bool changed = volume_state(v) != was;
	pthread_mutex_unlock(&v->mgmt);
	if (changed)
		volume_tell(v, VOLUME_STATE_CHANGED);
	return err;
}

/* ---- the backend's own news ------------------------------------------------------------------------ */
static void queue_offline(struct msg *m)
{
	container_of(m, struct volume_queue, offline_msg)->view.top = NULL;
}

void volume_gone(struct volume_queue *q)
{
	struct volume *v = q->volume;
	q->view.top = NULL;
	if (atomic_exchange(&v->gone, true))
		return;
	/* Posted before the state changes, so volume_reopen() comes after them on every reactor. */
	for (unsigned i = 0; i < v->queue_count; i++) {
		struct volume_queue *other = &v->queue[i];
		if (other == q)
			continue;
		other->offline_msg.run = queue_offline;
		reactor_post(other->thread->reactor, &other->offline_msg);
	}
	volume_set_reason(v, "the backing store says that it is gone");
	log_error(&log_block, "volume went offline", "volume=%s", volume_name(v));
	volume_move(v, VOLUME_OFFLINE);
	volume_tell(v, VOLUME_STATE_CHANGED);
}

void volume_full(struct volume *v)
{
	uint64_t now = reactor_clock_ns(), told = atomic_load(&v->full_told_ns);
	if (told && now - told < 60 * (uint64_t)1000000000)
		return;
	if (!atomic_compare_exchange_strong(&v->full_told_ns, &told, now))
		return;
	log_warn(&log_block, "no space left in the pool", "volume=%s", volume_name(v));
	volume_tell(v, VOLUME_FULL);
}

/* host->changed(), on a worker. */
void volume_backend_changed(struct volume *v)
{
	char why[WHY_BYTES] = "";
	pthread_mutex_lock(&v->mgmt);
	enum volume_state was = volume_state(v);
	bool limits = false;
	if (was == VOLUME_ONLINE && v->top) {
		if (backend_refresh(v->top) || check_size(v, v->top, why, sizeof(why))) {
			struct layer *top = TAKE(v->top);
			volume_move(v, VOLUME_OFFLINE);
			publish(v, false);
			v->top = top;            /* closed by reopen, when nothing is in flight */
			volume_set_reason(v, *why ? why : "the backing store does not answer any more");
		} else {
			publish(v, false);
			limits = true;
		}
	} else if (was == VOLUME_OFFLINE) {
		(void)swap_backend(v);
	}
	bool changed = volume_state(v) != was;
	pthread_mutex_unlock(&v->mgmt);
	if (changed)
		volume_tell(v, VOLUME_STATE_CHANGED);
	else if (limits)
		volume_tell(v, VOLUME_LIMITS_CHANGED);
}

/* ---- changes --------------------------------------------------------------------------------------- */
static int resize_online(struct volume *v, uint64_t new_size_bytes, char *why, size_t why_bytes)
{
	uint64_t old = volume_size_bytes(v);
	bool shrink = new_size_bytes < old;
	if (shrink && volume_quiesce(v, SWITCH_MS)) {
		snprintf(why, why_bytes, "requests are still in flight, the volume cannot shrink under them");
		return -EBUSY;
	}
	int err = backend_resize(v->top, old, new_size_bytes, why, why_bytes);
	if (!err) {
		v->spec_size_bytes = new_size_bytes;
		err = backend_refresh(v->top);
	}
	if (!err)
		err = check_size(v, v->top, why, why_bytes);
	if (!err)
		publish(v, false);
	else if (!*why)
		snprintf(why, why_bytes, "%s", strerror(-err));
	if (shrink)
		volume_resume(v);
	return err;
}

/* The store has another size than configured, perhaps after a crash: open it as it is, then bring
 * it to the size that is wanted now. */
static int resize_offline(struct volume *v, uint64_t new_size_bytes, char *why, size_t why_bytes)
{
	struct layer *top = NULL;
	if (volume_quiesce(v, SWITCH_MS)) {
		snprintf(why, why_bytes, "requests are still in flight at the old backing store");
		return -EBUSY;
	}
	struct layer *old = TAKE(v->top);
	publish(v, false);
	backend_close(old);
	int err = backend_open(v, 0, &top, why, why_bytes);
	if (!err && top->info.size_bytes != new_size_bytes)
		err = backend_resize(top, top->info.size_bytes, new_size_bytes, why, why_bytes);
	backend_close(top);
	if (!err) {
		v->spec_size_bytes = new_size_bytes;
		atomic_store(&v->size_bytes, new_size_bytes);
		err = bring_online(v, false);
		if (err)
			volume_reason(v, why, why_bytes);
	}
	volume_resume(v);
	return err;
}

int volume_resize(struct volume *v, uint64_t new_size_bytes, char *why, size_t why_bytes)
{
	*why = 0;
	if (!new_size_bytes || new_size_bytes % v->block_bytes) {
		snprintf(why, why_bytes, "the size is not a multiple of the block size, %u bytes", v->block_bytes);
		return -EINVAL;
	}
	pthread_mutex_lock(&v->mgmt);
	enum volume_state was = volume_state(v);
	uint64_t old = volume_size_bytes(v);
	int err = 0;
	if (was == VOLUME_CLOSED) {
		err = -ESHUTDOWN;
		snprintf(why, why_bytes, "the volume is closed");
	} else if (was == VOLUME_ONLINE) {
		err = new_size_bytes == old ? 0 : resize_online(v, new_size_bytes, why, why_bytes);
	} else {
		err = resize_offline(v, new_size_bytes, why, why_bytes);
	}
	bool changed = volume_state(v) != was;
	bool resized = volume_size_bytes(v) != old;
	pthread_mutex_unlock(&v->mgmt);
	if (resized)
		volume_tell(v, VOLUME_RESIZED);
	if (changed)
		volume_tell(v, VOLUME_STATE_CHANGED);
	return err;
}

int volume_rename(struct volume *v, const char *new_name)
{
	pthread_mutex_lock(&v->mgmt);
	int err = set_name(v, new_name);
	pthread_mutex_unlock(&v->mgmt);
	return err;
}

int volume_set_read_only(struct volume *v, bool on)
{
	pthread_mutex_lock(&v->mgmt);
	bool changed = v->read_only_wanted != on;
	v->read_only_wanted = on;
	pthread_mutex_lock(&v->facts);
	v->limits.read_only = on || (v->top && v->top->info.read_only);
	pthread_mutex_unlock(&v->facts);
	if (changed && volume_state(v) == VOLUME_ONLINE)
		publish(v, false);
	pthread_mutex_unlock(&v->mgmt);
	if (changed)
		volume_tell(v, VOLUME_LIMITS_CHANGED);
	return 0;
}

static int keep_setting(struct volume *v, const char *name, const char *value)
{
	for (size_t i = 0; i < v->setting_count; i++)
		if (strcmp(v->settings[i].name, name) == 0) {
			char *copy = strdup(value);
			if (!copy)
				return -ENOMEM;
			free((char *)(uintptr_t)v->settings[i].value);
			v->settings[i].value = copy;
			return 0;
		}
	struct volume_setting *more = reallocarray(v->settings, v->setting_count + 1, sizeof(*more));
	if (!more)
		return -ENOMEM;
	v->settings = more;
	struct volume_setting s = { strdup(name), strdup(value) };
	if (!s.name || !s.value) {
		free((char *)(uintptr_t)s.name);
		free((char *)(uintptr_t)s.value);
		return -ENOMEM;
	}
	more[v->setting_count++] = s;
	return 0;
}

/* The layer whose plugin has the option; "plugin.option" picks one. */
static struct layer *option_layer(struct volume *v, const char *name, const struct hf_option **ret_option)
{
	for (struct layer *l = v->top; l; l = l->below) {
		size_t len = strlen(l->plugin->name);
		bool mine = strncmp(name, l->plugin->name, len) == 0 && name[len] == '.';
		*ret_option = option_find(l->plugin, mine ? name + len + 1 : name);
		if (*ret_option)
			return l;
	}
	return NULL;
}

int volume_set_option(struct volume *v, const char *name, const char *value)
{
	char why[WHY_BYTES];
	const struct hf_option *o = NULL;
	pthread_mutex_lock(&v->mgmt);
	struct layer *l = option_layer(v, name, &o);
	int err = 0;
	char *normal = NULL;
	if (!v->top)
		err = -ESHUTDOWN;
	else if (!l)
		err = -ENOENT;
	else if (!(o->flags & HF_LIVE) || !l->plugin->set_option)
		err = -EBUSY;
	else
		err = settings_check_value(o, value, &normal, why, sizeof(why));
	if (!err)
		err = l->plugin->set_option(l->handle, o->name, normal);
	if (!err)
		err = keep_setting(v, name, normal);
	free(normal);
	pthread_mutex_unlock(&v->mgmt);
	return err;
}

int volume_used_bytes(struct volume *v, uint64_t *ret_bytes)
{
	pthread_mutex_lock(&v->mgmt);
	struct layer *l = v->top;
	while (l && l->below && !l->plugin->used_bytes)
		l = l->below;
	int err = !l ? -ESHUTDOWN : !l->plugin->used_bytes ? -ENOTSUP : l->plugin->used_bytes(l->handle, ret_bytes);
	pthread_mutex_unlock(&v->mgmt);
	return err;
}
