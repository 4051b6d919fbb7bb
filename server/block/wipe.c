/* SPDX-License-Identifier: GPL-3.0-or-later */
/* wipe.c - that a volume is being wiped, for all who serve it, and over a restart. */
#include "block/block_priv.h"

static struct {
	pthread_mutex_t mutex;
	volume_wipe_save_fn *fn;
	void *arg;
} keeper = { .mutex = PTHREAD_MUTEX_INITIALIZER };

void volume_wipe_on_save(volume_wipe_save_fn *fn, void *arg)
{
	pthread_mutex_lock(&keeper.mutex);
	keeper.fn = fn;
	keeper.arg = arg;
	pthread_mutex_unlock(&keeper.mutex);
}

enum volume_wipe volume_wipe(const struct volume *v)
{
	return (enum volume_wipe)atomic_load(&((struct volume *)(uintptr_t)v)->wipe);
}

bool volume_is_ready(const struct volume *v)
{
	struct volume *w = (struct volume *)(uintptr_t)v;
	return likely(!(atomic_load_explicit(&w->state, memory_order_acquire) | atomic_load_explicit(&w->wipe, memory_order_acquire)));
}
static_assert(VOLUME_ONLINE == 0 && VOLUME_WIPE_NONE == 0, "volume_is_ready() asks for both at once");

int volume_wipe_set(struct volume *v, enum volume_wipe w)
{
	bool kept = volume_wipe(v) != VOLUME_WIPE_NONE, keep = w != VOLUME_WIPE_NONE;
	pthread_mutex_lock(&keeper.mutex);
	volume_wipe_save_fn *fn = keeper.fn;
	void *arg = keeper.arg;
	pthread_mutex_unlock(&keeper.mutex);
	int r = fn && kept != keep ? fn(arg, v->uuid_text, keep) : 0;
	if (!r && w == VOLUME_WIPE_RUNS)
		atomic_fetch_add(&v->wipe_count, 1);
	if (!r)
		atomic_store(&v->wipe, (int)w);
	return r;
}

unsigned volume_wipe_count(const struct volume *v)
{
	return atomic_load_explicit(&((struct volume *)(uintptr_t)v)->wipe_count, memory_order_acquire);
}

void volume_wipe_was_cut_off(struct volume *v)
{
	atomic_store(&v->wipe, VOLUME_WIPE_FAILED);
}
