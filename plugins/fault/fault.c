/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fault.c - stands on another backend and makes it fail: errors, delays, requests that hang, power
 * cuts that lose what was not flushed.  For tests and drills; every option can change live. */
#include "fault_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct hf_host *fault_host;

uint64_t fault_random(struct fault *f)
{
	uint64_t x = atomic_fetch_add(&f->random, 0x9e3779b97f4a7c15ull) + 0x9e3779b97f4a7c15ull;
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ x >> 27) * 0x94d049bb133111ebull;
	return x ^ x >> 31;
}

static unsigned kind_of(uint8_t op)
{
	return op == HF_READ ? ON_READ : op == HF_FLUSH ? ON_FLUSH : ON_WRITE;
}

static bool is_bad(struct fault *f, const struct hf_io *io)
{
	if (!(atomic_load(&f->error_ops) & kind_of(io->op)))
		return false;
	uint64_t bad = atomic_load(&f->bad_offset), len = atomic_load(&f->bad_length);
	if (len && io->op != HF_FLUSH && io->offset_bytes < bad + len && bad < io->offset_bytes + io->len_bytes)
		return true;
	uint32_t rate = atomic_load(&f->error_per_million);
	return rate && fault_random(f) % 1000000 < rate;
}

/* Nothing holds it back any more. */
static int go(struct fault *f, struct hf_io *io)
{
	if (atomic_load(&f->cut))
		return cache_power_cut(f, io);
	if (is_bad(f, io))
		return atomic_load(&f->error_no_space) ? -ENOSPC : -EIO;
	return f->keeps ? cache_submit(f, io) : fault_host->next_submit(f->next, io);
}

static void go_late(struct fault *f, struct hf_io *io)
{
	int status = go(f, io);
	if (status != HF_PENDING)
		fault_host->io_done(io, status);
}

static void delay_over(struct hf_timer *t)
{
	struct request *r = (struct request *)((char *)t - offsetof(struct request, timer));
	go_late(r->fault, r->io);
}

static bool hold_if_stuck(struct fault *f, struct request *r)
{
	if (!atomic_load_explicit(&f->stuck, memory_order_relaxed))
		return false;
	pthread_mutex_lock(&f->lock);
	bool stuck = atomic_load(&f->stuck);
	if (stuck) {
		r->next = f->held;
		f->held = r;
	}
	pthread_mutex_unlock(&f->lock);
	return stuck;
}

static int fault_submit(void *handle, struct hf_io *io)
{
	struct fault *f = handle;
	struct request *r = request_of(io);
	r->fault = f;
	r->io = io;
	if (hold_if_stuck(f, r))
		return HF_PENDING;
	uint64_t delay = 0;
	if (atomic_load(&f->delay_ops) & kind_of(io->op)) {
		uint32_t more = atomic_load(&f->delay_random_ms);
		delay = atomic_load(&f->delay_ms);
		if (more)
			delay += fault_random(f) % (more + (uint64_t)1);
	}
	if (!delay)
		return go(f, io);
	r->timer.fire = delay_over;
	fault_host->after(io, &r->timer, delay);
	return HF_PENDING;
}

/* Back to the reactor of each request by way of a worker. */
static void release_work(struct hf_work *w)
{
	(void)w;
}

static void release_done(struct hf_work *w)
{
	struct request *r = (struct request *)((char *)w - offsetof(struct request, work));
	go_late(r->fault, r->io);
}

static void release(struct fault *f)
{
	pthread_mutex_lock(&f->lock);
	atomic_store(&f->stuck, false);
	struct request *r = f->held;
	f->held = NULL;
	pthread_mutex_unlock(&f->lock);
	while (r) {
		struct request *next = r->next;
		r->work.work = release_work;
		r->work.done = release_done;
		fault_host->work(r->io, &r->work);
		r = next;
	}
}

/* ---- options -------------------------------------------------------------------------------------------- */
static uint32_t ops_of(const char *value)
{
	static const struct { const char *word; uint32_t ops; } words[] = {
		{ "all", ON_ALL }, { "read", ON_READ }, { "write", ON_WRITE }, { "flush", ON_FLUSH },
	};
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(words[i].word, value) == 0)
			return words[i].ops;
	return 0;
}

static int trigger(struct fault *f, const char *value)
{
	if (strcmp(value, "power_cut") == 0) {
		fault_host->log(HF_LOG_WARN, f->uuid, "power cut, as asked");
		atomic_store(&f->cut, true);
		release(f);
	} else if (strcmp(value, "drop_cache") == 0) {
		cache_drop_from(f, 0);
	}
	return 0;
}

static int fault_set_option(void *handle, const char *name, const char *value)
{
	struct fault *f = handle;
	bool on = strcmp(value, "on") == 0;
	uint64_t n = strtoull(value, NULL, 10);
	if (strcmp(name, "error_per_million") == 0)
		atomic_store(&f->error_per_million, (uint32_t)n);
	else if (strcmp(name, "error_kind") == 0)
		atomic_store(&f->error_no_space, strcmp(value, "no-space") == 0);
	else if (strcmp(name, "error_ops") == 0)
		atomic_store(&f->error_ops, ops_of(value));
	else if (strcmp(name, "bad_offset") == 0)
		atomic_store(&f->bad_offset, n);
	else if (strcmp(name, "bad_length") == 0)
		atomic_store(&f->bad_length, n);
	else if (strcmp(name, "delay_ms") == 0)
		atomic_store(&f->delay_ms, (uint32_t)n);
	else if (strcmp(name, "delay_random_ms") == 0)
		atomic_store(&f->delay_random_ms, (uint32_t)n);
	else if (strcmp(name, "delay_ops") == 0)
		atomic_store(&f->delay_ops, ops_of(value));
	else if (strcmp(name, "seed") == 0)
		atomic_store(&f->random, n);
	else if (strcmp(name, "torn_writes") == 0)
		atomic_store(&f->torn, on);
	else if (strcmp(name, "stuck") == 0 && on)
		atomic_store(&f->stuck, true);
	else if (strcmp(name, "stuck") == 0)
		release(f);
	else if (strcmp(name, "trigger") == 0)
		return trigger(f, value);
	else
		return -ENOENT;
	return 0;
}

static int fault_open(const struct hf_volume *v, struct hf_next *next, void **ret_handle, char *why, size_t why_bytes)
{
	(void)why;
	(void)why_bytes;
	struct fault *f = calloc(1, sizeof(*f));
	if (!f)
		return -ENOMEM;
	pthread_mutex_init(&f->lock, NULL);
	f->next = next;
	f->block_bytes = v->block_bytes;
	f->flush_tail = &f->flush_head;
	snprintf(f->uuid, sizeof(f->uuid), "%s", v->uuid);
	for (size_t i = 0; i < v->setting_count; i++) {
		const struct hf_setting *s = &v->settings[i];
		if (strcmp(s->name, "lose_unflushed") == 0)
			f->keeps = strcmp(s->value, "on") == 0;
		else if (strcmp(s->name, "trigger") != 0) /* happens when it is set, not again at each opening */
			(void)fault_set_option(f, s->name, s->value);
	}
	*ret_handle = f;
	return 0;
}

static void fault_close(void *handle)
{
	struct fault *f = handle;
	cache_drop_from(f, 0);
	pthread_mutex_destroy(&f->lock);
	free(f);
}

static int fault_get_info(void *handle, struct hf_info *ret_info)
{
	struct fault *f = handle;
	int err = fault_host->next_info(f->next, ret_info);
	if (f->keeps) {                          /* a disk with a volatile cache and few commands */
		ret_info->volatile_cache = true;
		ret_info->can_fua = ret_info->can_zero = ret_info->can_copy = false;
	}
	return err;
}

/* What is cut off must not come back when the volume grows again. */
static int fault_resize(void *handle, uint64_t new_size_bytes, char *why, size_t why_bytes)
{
	(void)why;
	(void)why_bytes;
	cache_drop_from(handle, new_size_bytes);
	return 0;
}

static int fault_load(const struct hf_host *host)
{
	fault_host = host;
	return 0;
}

static const struct hf_option options[] = {
	{ "seed", HF_INT, HF_LIVE, "0..", "1", "Start of the random numbers; the same seed gives the same faults" },
	{ "error_per_million", HF_INT, HF_LIVE, "0..1000000", "0", "How many of a million requests fail" },
	{ "error_kind", HF_ENUM, HF_LIVE, "medium|no-space", "medium", "What a failed request says: a medium error, or that the pool is full" },
	{ "error_ops", HF_ENUM, HF_LIVE, "all|read|write|flush", "all", "Which requests may fail" },
	{ "bad_offset", HF_SIZE, HF_LIVE, "0..", "0", "Start of a range in which every request fails" },
	{ "bad_length", HF_SIZE, HF_LIVE, "0..", "0", "Its length; 0: there is none" },
	{ "delay_ms", HF_INT, HF_LIVE, "0..3600000", "0", "Every request takes this much longer" },
	{ "delay_random_ms", HF_INT, HF_LIVE, "0..3600000", "0", "And up to this much more" },
	{ "delay_ops", HF_ENUM, HF_LIVE, "all|read|write|flush", "all", "Which requests are delayed" },
	{ "stuck", HF_BOOL, HF_LIVE, NULL, "off", "Requests do not end until this is off again" },
	{ "lose_unflushed", HF_BOOL, HF_CREATE_ONLY, NULL, "off",
	  "Keep written data in memory until it is flushed, so that a power cut can lose it" },
	{ "torn_writes", HF_BOOL, HF_LIVE, NULL, "off",
	  "At a power cut some blocks of what was not flushed are written after all" },
	{ "trigger", HF_ENUM, HF_LIVE, "none|power_cut|drop_cache", "none",
	  "power_cut: lose what is not flushed, then fail until the volume is opened anew; drop_cache: lose it and go on" },
};

static struct hf_plugin plugin = {
	.name = "fault",
	.summary = "Makes the backend below it fail, hang, or lose what was not flushed; for tests",
	.version = "1",
	.flags = HF_STACKED,
	.options = options,
	.option_count = sizeof(options) / sizeof(options[0]),
	.load = fault_load,
	.open = fault_open,
	.close = fault_close,
	.get_info = fault_get_info,
	.resize = fault_resize,
	.set_option = fault_set_option,
	.submit = fault_submit,
};
HOLDFAST_REGISTER_PLUGIN(plugin)
