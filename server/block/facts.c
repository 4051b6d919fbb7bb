/* SPDX-License-Identifier: GPL-3.0-or-later */
/* facts.c - what anybody may ask a volume, and who is told when it changes. */
#include "block/block_priv.h"

#include <stdio.h>
#include <string.h>

const char *volume_name(const struct volume *v)
{
	return atomic_load_explicit(&((struct volume *)(uintptr_t)v)->name, memory_order_acquire);
}

const uint8_t *volume_uuid(const struct volume *v)
{
	return v->uuid;
}

const char *volume_uuid_text(const struct volume *v)
{
	return v->uuid_text;
}

uint64_t volume_size_bytes(const struct volume *v)
{
	return atomic_load_explicit(&((struct volume *)(uintptr_t)v)->size_bytes, memory_order_acquire);
}

uint64_t volume_block_count(const struct volume *v)
{
	return volume_size_bytes(v) >> v->block_shift;
}

uint32_t volume_block_bytes(const struct volume *v)
{
	return v->block_bytes;
}

bool volume_is_encrypted(const struct volume *v)
{
	return v->encrypted;
}

enum volume_state volume_state(const struct volume *v)
{
	return (enum volume_state)atomic_load(&((struct volume *)(uintptr_t)v)->state);
}

void volume_reason(const struct volume *v, char *buf, size_t buf_bytes)
{
	pthread_mutex_t *lock = &((struct volume *)(uintptr_t)v)->facts;
	pthread_mutex_lock(lock);
	snprintf(buf, buf_bytes, "%s", v->reason);
	pthread_mutex_unlock(lock);
}

bool volume_has_lost_writes(const struct volume *v)
{
	return atomic_load(&((struct volume *)(uintptr_t)v)->flush_error) != 0;
}

void volume_limits(const struct volume *v, struct volume_limits *ret_limits)
{
	pthread_mutex_t *lock = &((struct volume *)(uintptr_t)v)->facts;
	pthread_mutex_lock(lock);
	*ret_limits = v->limits;
	pthread_mutex_unlock(lock);
}

void volume_set_write_through(struct volume *v, bool on)
{
	atomic_store(&v->write_through, on);
}

bool volume_write_through(const struct volume *v)
{
	return atomic_load(&((struct volume *)(uintptr_t)v)->write_through);
}

void volume_watch(struct volume *v, struct volume_watcher *w)
{
	pthread_mutex_lock(&v->watch);
	list_add_tail(&v->watchers, &w->link);
	pthread_mutex_unlock(&v->watch);
}

void volume_unwatch(struct volume *v, struct volume_watcher *w)
{
	pthread_mutex_lock(&v->watch);
	list_del(&w->link);
	pthread_mutex_unlock(&v->watch);
}

void volume_tell(struct volume *v, enum volume_event e)
{
	struct volume_watcher *w;
	if (e == VOLUME_RESIZED || e == VOLUME_STATE_CHANGED)
		change_all(v);           /* what is there now may be something else */
	pthread_mutex_lock(&v->watch);           /* recursive: a watcher may leave from its own event */
	list_for_each(w, &v->watchers, link)
		w->event(w, v, e);
	pthread_mutex_unlock(&v->watch);
}

void volume_tell_lost(struct volume *v, const struct resv_change *c, size_t count)
{
	struct volume_watcher *w;
	if (!count)
		return;
	pthread_mutex_lock(&v->watch);
	list_for_each(w, &v->watchers, link)
		if (w->lost)
			w->lost(w, v, c, count);
	pthread_mutex_unlock(&v->watch);
}
