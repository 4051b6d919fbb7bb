/* SPDX-License-Identifier: GPL-3.0-or-later */
/* help.h - what the tests of config/ share: a folder of their own, a sealer, short words. */
#ifndef TEST_CONFIG_HELP_H
#define TEST_CONFIG_HELP_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "config/config_priv.h"
#include "tls/tls.h"

static const struct config_sealer test_sealer = {
	.random = tls_random, .seal = tls_seal, .open = tls_open, .overhead_bytes = TLS_SEAL_OVERHEAD,
};
static const struct config_actor test_actor = { .name = "tester", .source = "test" };

static inline int help_remove(const char *path, const struct stat *st, int type, struct FTW *w)
{
	(void)st, (void)type, (void)w;
	return remove(path);
}
static inline void help_rmdir(const char *dir)
{
	nftw(dir, help_remove, 16, FTW_DEPTH | FTW_PHYS);
}
static inline void help_mkdir(char dir[64])
{
	snprintf(dir, 64, "/tmp/hf-config-XXXXXX");
	assert_non_null(mkdtemp(dir));
	config_set_sealer(&test_sealer);
}
static inline void help_path(char *buf, size_t bytes, const char *dir, const char *name)
{
	snprintf(buf, bytes, "%s/%s", dir, name);
}
static inline bool help_exists(const char *dir, const char *name)
{
	char path[256];
	help_path(path, sizeof(path), dir, name);
	return access(path, F_OK) == 0;
}
/* Opens, or fails the test with the reason. */
static inline struct config *help_open(const char *dir)
{
	struct config *c = NULL;
	struct config_error e;
	if (config_open(dir, &c, &e))
		fail_msg("config_open: %d %s", e.code, e.why);
	return c;
}
static inline json_t *help_json(const char *text)
{
	json_error_t err;
	json_t *j = json_loads(text, JSON_DECODE_ANY, &err);
	if (!j)
		fail_msg("bad JSON in the test: %s in %s", err.text, text);
	return j;
}
/* One insert in a transaction of its own; returns the code. */
static inline int help_insert(struct config *c, enum model_kind k, const char *text, json_t **ret_object, struct config_error *e)
{
	json_t *body = help_json(text);
	*e = (struct config_error){ 0 };
	int r = config_begin(c, &test_actor, e);
	if (!r) {
		r = config_insert(c, k, body, ret_object, e);
		if (r)
			config_rollback(c);
		else if ((r = config_commit(c, e)) && ret_object)
			json_decref(*ret_object);
	}
	json_decref(body);
	return r;
}
static inline int help_update(struct config *c, enum model_kind k, const char *id, const char *text, struct config_error *e)
{
	json_t *body = help_json(text);
	*e = (struct config_error){ 0 };
	int r = config_begin(c, &test_actor, e);
	if (!r) {
		r = config_update(c, k, id, body, NULL, e);
		if (r)
			config_rollback(c);
		else
			r = config_commit(c, e);
	}
	json_decref(body);
	return r;
}
static inline const char *help_text(const json_t *o, const char *member)
{
	const char *s = json_string_value(json_object_get(o, member));
	return s ? s : "(none)";
}
static inline size_t help_count(struct config *c, enum model_kind k)
{
	json_t *list;
	struct config_error e;
	assert_int_equal(config_list(c, k, NULL, &list, &e), 0);
	size_t n = json_array_size(list);
	json_decref(list);
	return n;
}

#endif
