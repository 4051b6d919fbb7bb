/* SPDX-License-Identifier: GPL-3.0-or-later */
/* backend.c - the chain of plugins below one volume: "fault:file" is fault on top of file;
 * an encrypted volume has crypt.c's layer on top of all.
 * Opened bottom up, closed top down.  What get_info() says is brought into bounds here, so that
 * the request path can rely on it. */
#include "block/block_priv.h"

#include <stdio.h>
#include <string.h>

static struct list all = LIST_INIT(all);
static pthread_mutex_t all_lock = PTHREAD_MUTEX_INITIALIZER;

int stack_parse(const char *names, struct stack *ret_stack, char *why, size_t why_bytes)
{
	struct stack s = { .count = 0 };
	if (!names)
		names = "";
	for (const char *at = names;;) {
		char name[40];
		size_t len = strcspn(at, ":");
		if (s.count == STACK_MAX || len >= sizeof(name)) {
			snprintf(why, why_bytes, "\"%s\" is not a plugin, nor a stack of at most %d", names, STACK_MAX);
			return -EINVAL;
		}
		memcpy(name, at, len);
		name[len] = 0;
		int err = plugin_get(name, &s.plugin[s.count]);
		if (err) {
			snprintf(why, why_bytes, err == -ENOENT ? "there is no plugin \"%s\"" :
						 err == -EACCES ? "the plugin \"%s\" is there, but the server's user may not read it, or a folder above it"
								: "the plugin \"%s\" cannot be loaded, the log says why",
				 name);
			return err;
		}
		s.count++;
		if (!at[len])
			break;
		at += len + 1;
	}
	for (unsigned i = 0; i < s.count; i++) {
		bool stacked = s.plugin[i]->flags & HF_STACKED;
		if (stacked != (i + 1 < s.count)) {
			snprintf(why, why_bytes, stacked ? "the plugin \"%s\" needs another one below it"
							 : "the plugin \"%s\" cannot stand on another one",
				 s.plugin[i]->name);
			return -EINVAL;
		}
	}
	*ret_stack = s;
	return 0;
}

static void layer_free(struct layer *l)
{
	pthread_mutex_lock(&all_lock);
	list_del(&l->all);
	pthread_mutex_unlock(&all_lock);
	blocking_free(l->serial);
	free(l);
}

void backend_close(struct layer *top)
{
	while (top) {
		struct layer *below = top->below;
		top->plugin->close(top->handle);
		layer_free(top);
		top = below;
	}
}

static int info_check(const struct volume *v, const struct hf_plugin *p, struct hf_info *info, char *why,
		      size_t why_bytes)
{
	if (!info->block_bytes)
		info->block_bytes = 512;
	if (!is_pow2(info->block_bytes) || info->block_bytes > 4096) {
		snprintf(why, why_bytes, "the plugin %s claims a block of %u bytes", p->name, info->block_bytes);
		return -EINVAL;
	}
	if (info->block_bytes > v->block_bytes) {
		snprintf(why, why_bytes, "the backing store has blocks of %u bytes, the volume has %u", info->block_bytes,
			 v->block_bytes);
		return -EINVAL;
	}
	if (info->physical_bytes < v->block_bytes || !is_pow2(info->physical_bytes))
		info->physical_bytes = v->block_bytes;
	if (!is_pow2(info->align_bytes) || info->align_bytes > 4096)
		info->align_bytes = info->align_bytes ? 4096 : 1;
	if (info->max_io_bytes) {
		info->max_io_bytes &= ~(uint32_t)(v->block_bytes - 1);
		if (!info->max_io_bytes)
			info->max_io_bytes = v->block_bytes;
	}
	if (info->boundary_bytes % v->block_bytes) {
		snprintf(why, why_bytes, "the plugin %s has a boundary inside of a block", p->name);
		return -EINVAL;
	}
	if (info->unmap_granularity_bytes && info->unmap_granularity_bytes < v->block_bytes)
		info->unmap_granularity_bytes = v->block_bytes;
	if (!p->submit) {
		info->can_copy = false;
		if (!p->write)
			info->read_only = true;
		if (!p->zero)
			info->can_zero = false;
		if (!p->unmap)
			info->unmap_granularity_bytes = 0;
	}
	if (info->unmap_granularity_bytes % v->block_bytes)
		info->unmap_granularity_bytes = 0;
	return 0;
}

static int layer_info(struct layer *l, char *why, size_t why_bytes)
{
	struct hf_info info = { 0 };
	int err = l->plugin->get_info(l->handle, &info);
	if (!err)
		err = info_check(l->volume, l->plugin, &info, why, why_bytes);
	else
		snprintf(why, why_bytes, "the plugin %s says nothing about its backing store: %s", l->plugin->name,
			 strerror(-err));
	if (!err)
		l->info = info;
	return err;
}

static int layer_open(struct volume *v, const struct hf_plugin *p, struct layer *below, uint64_t size_bytes,
		      struct layer **ret_layer, char *why, size_t why_bytes)
{
	struct settings s = { NULL, 0 };
	struct layer *l = calloc(1, sizeof(*l));
	if (!l)
		return -ENOMEM;
	list_init(&l->all);
	l->plugin = p;
	l->below = below;
	l->volume = v;
	int err = settings_build(p, v->settings, v->setting_count, &s, why, why_bytes);
	if (!err) {
		struct hf_volume hv = {
			.name = volume_name(v),
			.uuid = v->uuid_text,
			.pool_path = v->pool_path,
			.size_bytes = size_bytes,
			.block_bytes = v->block_bytes,
			.read_only = v->read_only_wanted,
			.settings = s.row,
			.setting_count = s.count,
		};
		err = p->open(&hv, (struct hf_next *)(void *)below, &l->handle, why, why_bytes);
		if (err && !*why)
			snprintf(why, why_bytes, "the plugin %s cannot open it: %s", p->name, strerror(-err));
	}
	settings_free(&s);
	if (err) {
		layer_free(l);
		return err;
	}
	pthread_mutex_lock(&all_lock);
	list_add_tail(&all, &l->all);
	pthread_mutex_unlock(&all_lock);
	err = layer_info(l, why, why_bytes);
	if (!err && !p->submit && l->info.serial)
		err = blocking_new(&l->serial);
	if (err) {
		p->close(l->handle);
		layer_free(l);
		return err;
	}
	*ret_layer = l;
	return 0;
}

int backend_open(struct volume *v, uint64_t size_bytes, struct layer **ret_top, char *why, size_t why_bytes)
{
	struct stack s;
	struct layer *top = NULL;
	*why = 0;
	int err = stack_parse(v->stack_names, &s, why, why_bytes);
	for (unsigned i = err ? 0 : s.count; i-- > 0 && !err;) {
		struct layer *l = NULL;
		err = layer_open(v, s.plugin[i], top, size_bytes, &l, why, why_bytes);
		if (!err)
			top = l;
	}
	if (!err && v->encrypted) {
		struct layer *l = NULL;
		err = layer_open(v, &crypt_plugin, top, size_bytes, &l, why, why_bytes);
		if (!err)
			top = l;
	}
	if (err) {
		backend_close(top);
		return err > 0 ? -EIO : err;
	}
	*ret_top = top;
	return 0;
}

int backend_refresh(struct layer *top)
{
	char why[WHY_BYTES] = "";
	if (!top)
		return 0;
	int err = backend_refresh(top->below);
	return err ? err : layer_info(top, why, sizeof(why));
}

static int layer_resize(struct layer *l, uint64_t new_bytes, char *why, size_t why_bytes)
{
	if (l->plugin->resize)
		return l->plugin->resize(l->handle, new_bytes, why, why_bytes);
	if (l->below)
		return 0;
	snprintf(why, why_bytes, "volumes of the plugin %s cannot be resized", l->plugin->name);
	return -ENOTSUP;
}

int backend_resize(struct layer *top, uint64_t old_bytes, uint64_t new_bytes, char *why, size_t why_bytes)
{
	int err = 0;
	if (!top)
		return 0;
	if (new_bytes < old_bytes)
		err = layer_resize(top, new_bytes, why, why_bytes);
	if (!err)
		err = backend_resize(top->below, old_bytes, new_bytes, why, why_bytes);
	if (!err && new_bytes >= old_bytes)
		err = layer_resize(top, new_bytes, why, why_bytes);
	return err;
}

int layer_extents(struct layer *l, uint64_t offset_bytes, uint64_t len_bytes, struct hf_extent *ext, size_t *count)
{
	while (l->below && !l->plugin->extents)
		l = l->below;
	if (l->plugin->extents)
		return l->plugin->extents(l->handle, offset_bytes, len_bytes, ext, count);
	ext[0] = (struct hf_extent){ offset_bytes, len_bytes, true };
	*count = 1;
	return 0;
}

struct volume *layer_find_volume(void *handle)
{
	struct volume *v = NULL;
	struct layer *l;
	pthread_mutex_lock(&all_lock);
	list_for_each(l, &all, all)
		if (l->handle == handle && !v)
			v = volume_ref(l->volume);
	pthread_mutex_unlock(&all_lock);
	return v;
}
