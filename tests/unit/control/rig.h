/* SPDX-License-Identifier: GPL-3.0-or-later */
/* rig.h - a whole control plane in the test's process: real store, volumes and units, iscsi/ as a fake. */
#ifndef TEST_CONTROL_RIG_H
#define TEST_CONTROL_RIG_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "control/control_priv.h"
#include "nvme/nvme.h"
#include "fake_iscsi.h"

static char rig_dir[64];
static struct reactor *rig_reactor;

static inline int rig_remove(const char *path, const struct stat *st, int type, struct FTW *w)
{
	(void)st, (void)type, (void)w;
	return remove(path);
}
static inline void rig_path(char buf[256], const char *name)
{
	snprintf(buf, 256, "%s/%s", rig_dir, name);
}

/* The rooms below control; once per process. */
static inline void rig_below(void)
{
	static char dir[512];
	static const char *dirs[1] = { dir };
	struct reactor_opts ro = { .name = "data", .engine = REACTOR_EPOLL, .cpu = -1 };
	snprintf(dir, sizeof(dir), "%s/plugins", getenv("HF_BUILDDIR") ? getenv("HF_BUILDDIR") : HF_BUILDDIR);
	assert_int_equal(reactor_new(&ro, &rig_reactor), 0);
	assert_int_equal(reactor_start(rig_reactor), 0);
	struct block_opts bo = { .reactors = &rig_reactor, .reactor_count = 1, .plugin_dirs = dirs, .plugin_dir_count = 1 };
	assert_int_equal(block_start(&bo), 0);
	assert_int_equal(scsi_start(&rig_reactor, 1), 0);
	assert_int_equal(nvme_start(&rig_reactor, 1), 0);
}
static inline void rig_below_stop(void)
{
	nvme_stop();
	scsi_stop();
	block_stop();
	reactor_stop(rig_reactor);
	reactor_free(rig_reactor);
	rig_reactor = NULL;
}

static struct control_opts rig_opts;
static inline void rig_control(void)
{
	struct config_error e;
	rig_opts.state_dir = rig_dir;
	rig_opts.reactors = &rig_reactor;
	rig_opts.reactor_count = 1;
	if (control_start(&rig_opts, &e))
		fail_msg("control_start: %d %s", e.code, e.why);
}
static inline int rig_start(void **state)
{
	(void)state;
	snprintf(rig_dir, sizeof(rig_dir), "/tmp/hf-control-XXXXXX");
	assert_non_null(mkdtemp(rig_dir));
	fake_iscsi = (struct fake_iscsi){ 0 };
	rig_opts = (struct control_opts){ 0 };
	rig_below();
	rig_control();
	return 0;
}
static inline int rig_stop(void **state)
{
	(void)state;
	plan_test_hook = NULL;
	control_stop();
	rig_below_stop();
	nftw(rig_dir, rig_remove, 16, FTW_DEPTH | FTW_PHYS);
	return 0;
}
static inline void rig_restart(void)
{
	control_stop();
	rig_control();
}

static inline json_t *rig_json(const char *text)
{
	json_error_t err;
	json_t *j = json_loads(text, JSON_DECODE_ANY, &err);
	if (!j)
		fail_msg("bad JSON in the test: %s in %s", err.text, text);
	return j;
}
static struct control_result rig_result;  /* of the last change; freed by the next */
static inline int rig_change(enum control_verb verb, enum model_kind k, const char *id, const char *text, struct control_change extra)
{
	json_t *body = text ? rig_json(text) : NULL;
	extra.verb = verb;
	extra.kind = k;
	extra.id = id;
	extra.body = body;
	extra.actor = (struct config_actor){ .name = "tester", .source = "test" };
	struct control_result old = rig_result; /* id may point into it */
	int r = control_change(&extra, &rig_result);
	control_result_done(&old);
	if (r != rig_result.error.code)
		fail_msg("the result says %d, the call %d", rig_result.error.code, r);
	json_decref(body);
	return r;
}
#define PLAIN ((struct control_change){ 0 })
static inline void rig_create(enum model_kind k, const char *text)
{
	if (rig_change(CONTROL_CREATE, k, NULL, text, PLAIN))
		fail_msg("create %s: %s (%s)", text, rig_result.error.why, rig_result.error.field);
}
static inline void rig_update(enum model_kind k, const char *id, const char *text)
{
	if (rig_change(CONTROL_UPDATE, k, id, text, PLAIN))
		fail_msg("update %s %s: %s", id, text, rig_result.error.why);
}
static inline void rig_delete(enum model_kind k, const char *id)
{
	if (rig_change(CONTROL_DELETE, k, id, NULL, PLAIN))
		fail_msg("delete %s: %s", id, rig_result.error.why);
}
static inline json_t *rig_get(enum model_kind k, const char *id)
{
	struct config_error e;
	json_t *o;
	if (control_get(k, id, &o, &e))
		fail_msg("get %s: %s", id, e.why);
	return o;
}
static inline json_t *rig_list(enum model_kind k)
{
	struct config_error e;
	json_t *o;
	if (control_list(k, NULL, &o, &e))
		fail_msg("list: %s", e.why);
	return o;
}
static inline size_t rig_count(enum model_kind k)
{
	json_t *list = rig_list(k);
	size_t n = json_array_size(list);
	json_decref(list);
	return n;
}
/* Is there an alert of this type about this object? */
static inline bool rig_alert(const char *type, const char *object)
{
	json_t *status = control_status(), *a;
	bool found = false;
	size_t i;
	json_array_foreach(json_object_get(status, "alerts"), i, a)
		found |= strcmp(text_of(a, "type"), type) == 0 && strcmp(text_of(a, "object"), object) == 0;
	json_decref(status);
	return found;
}
/* A pool in the test's folder. */
static inline void rig_pool(const char *name)
{
	char path[256], text[512];
	rig_path(path, name);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(text, sizeof(text), "{\"name\":\"%s\",\"path\":\"%s\"}", name, path);
	rig_create(MODEL_POOL, text);
}
static inline bool rig_has_plugin(const char *name)
{
	struct plugin_desc d;
	return plugin_describe(name, &d) == 0;
}

#endif
