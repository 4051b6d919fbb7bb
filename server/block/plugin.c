/* SPDX-License-Identifier: GPL-3.0-or-later */
/* plugin.c - finding and loading backend plugins.  The only file that includes dlfcn.h.
 * A plugin is NAME.so in one of the folders, or NAME/.libs/NAME.so in a build tree.  Its struct is
 * copied as far as both sides know it; what it does not know stays zero.  Loaded ones stay. */
#include "block/block_priv.h"

#include <dirent.h>
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

struct loaded {
	struct loaded *next;
	struct hf_plugin plugin;
	char *file;
	void *dl;
};
static struct loaded *loaded;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static bool name_is_ok(const char *name)
{
	if (*name < 'a' || *name > 'z' || strlen(name) > 32)
		return false;
	return name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-")] == 0;
}

/* -ENOENT; -EACCES: it is there and may not be read. */
static int find_file(const char *name, char **ret_path)
{
	int err = -ENOENT;
	for (unsigned d = 0; d < block_room.plugin_dir_count; d++)
		for (unsigned f = 0; f < 2; f++) {
			char *path = NULL;
			int n = f ? asprintf(&path, "%s/%s/.libs/%s.so", block_room.plugin_dirs[d], name, name)
				  : asprintf(&path, "%s/%s.so", block_room.plugin_dirs[d], name);
			if (n < 0)
				return -ENOMEM;
			if (access(path, R_OK) == 0) {
				*ret_path = path;
				return 0;
			}
			if (errno == EACCES) {
				log_warn(&log_block, "plugin cannot be read by the server's user", "file=%s uid=%u", path, (unsigned)getuid());
				err = -EACCES;
			}
			free(path);
		}
	return err;
}

static const char *what_is_wrong(const struct hf_plugin *p, const char *name)
{
	if (p->abi != HOLDFAST_PLUGIN_ABI)
		return "it was built for another ABI";
	if (!p->name || strcmp(p->name, name) != 0)
		return "its name is not that of its file";
	if (!p->open || !p->close || !p->get_info)
		return "it lacks open, close or get_info";
	if (!p->submit && !p->read)
		return "it has neither submit nor read";
	if (p->option_count && !p->options)
		return "it counts options but has none";
	return NULL;
}

static int load(const char *name, struct loaded **ret_loaded)
{
	_cleanup_(freep) char *file = NULL;
	int missing = find_file(name, &file);
	if (missing)
		return missing;
	void *dl = dlopen(file, RTLD_NOW | RTLD_LOCAL);
	if (!dl) {
		log_warn(&log_block, "plugin cannot be loaded", "file=%s reason=\"%s\"", file, dlerror());
		return -ENOEXEC;
	}
	struct hf_plugin *(*init)(void);
	*(void **)&init = dlsym(dl, "hf_plugin_init");
	const struct hf_plugin *theirs = init ? init() : NULL;
	struct loaded *l = calloc(1, sizeof(*l));
	if (!l) {
		dlclose(dl);
		return -ENOMEM;
	}
	const char *wrong = "it has no hf_plugin_init";
	if (theirs) {
		memcpy(&l->plugin, theirs, (size_t)min_u64(theirs->struct_bytes, sizeof(l->plugin)));
		wrong = what_is_wrong(&l->plugin, name);
	}
	int err = wrong ? -ENOEXEC : l->plugin.load ? l->plugin.load(&block_host) : 0;
	if (err) {
		log_warn(&log_block, "plugin refused", "file=%s reason=\"%s\" error=%d", file,
			 wrong ? wrong : "its load() failed", -err);
		free(l);
		dlclose(dl);
		return err;
	}
	l->file = TAKE(file);
	l->dl = dl;
	*ret_loaded = l;
	return 0;
}

static int get(const char *name, struct loaded **ret_loaded)
{
	if (!name_is_ok(name))
		return -ENOENT;
	for (struct loaded *l = loaded; l; l = l->next)
		if (strcmp(l->plugin.name, name) == 0) {
			*ret_loaded = l;
			return 0;
		}
	struct loaded *l = NULL;
	int err = load(name, &l);
	if (err)
		return err;
	l->next = loaded;
	loaded = l;
	*ret_loaded = l;
	return 0;
}

int plugin_get(const char *name, const struct hf_plugin **ret_plugin)
{
	struct loaded *l = NULL;
	pthread_mutex_lock(&lock);
	int err = get(name, &l);
	pthread_mutex_unlock(&lock);
	if (!err)
		*ret_plugin = &l->plugin;
	return err;
}

int plugin_describe(const char *name, struct plugin_desc *ret_desc)
{
	struct loaded *l = NULL;
	pthread_mutex_lock(&lock);
	int err = get(name, &l);
	pthread_mutex_unlock(&lock);
	if (err)
		return err;
	const struct hf_plugin *p = &l->plugin;
	*ret_desc = (struct plugin_desc){
		.name = p->name,
		.summary = p->summary ? p->summary : "",
		.version = p->version ? p->version : "",
		.file = l->file,
		.stacked = p->flags & HF_STACKED,
		.options = p->options,
		.option_count = p->option_count,
	};
	return 0;
}

/* The plugin name that a folder entry stands for: "x.so", or "x" with x/.libs/x.so below. */
static bool entry_name(const char *entry, char *name, size_t name_bytes)
{
	size_t len = strlen(entry);
	if (len > 3 && strcmp(entry + len - 3, ".so") == 0)
		len -= 3;
	if (len >= name_bytes)
		return false;
	memcpy(name, entry, len);
	name[len] = 0;
	return name_is_ok(name);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(a, b);
}

#define EACH_MAX 128
void plugin_each(void (*fn)(void *arg, const struct plugin_desc *d), void *arg)
{
	char (*names)[40] = calloc(EACH_MAX, sizeof(*names));
	size_t count = 0;
	if (!names)
		return;
	for (unsigned d = 0; d < block_room.plugin_dir_count; d++) {
		DIR *dir = opendir(block_room.plugin_dirs[d]);
		const struct dirent *e;
		while (dir && (e = readdir(dir)) != NULL && count < EACH_MAX)
			if (entry_name(e->d_name, names[count], sizeof(names[count])))
				count++;
		if (dir)
			closedir(dir);
	}
	qsort(names, count, sizeof(*names), by_name);
	for (size_t i = 0; i < count; i++) {
		struct plugin_desc d;
		if (i && strcmp(names[i], names[i - 1]) == 0)
			continue;
		if (plugin_describe(names[i], &d) == 0)
			fn(arg, &d);
	}
	free(names);
}

/* The code stays mapped: a thread of the plugin's own may still be on its way out of it. */
void plugin_stop(void)
{
	pthread_mutex_lock(&lock);
	while (loaded) {
		struct loaded *l = loaded;
		loaded = l->next;
		if (l->plugin.unload)
			l->plugin.unload();
		free(l->file);
		free(l);
	}
	pthread_mutex_unlock(&lock);
}
