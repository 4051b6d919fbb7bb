/* SPDX-License-Identifier: GPL-3.0-or-later */
/* runtime_paths.c - states of the paths to a target: the words of its row, what SCSI calls them, and hosts that ask
 * for other ones (explicit ALUA).  What a host asks for becomes a change of the row like an administrator's. */
#include "control/control_priv.h"

#include <stdio.h>
#include <string.h>

static const struct {
	const char *word;
	uint8_t state;
} words[] = {
	{ "optimized", SCSI_PATH_OPTIMIZED }, { "non-optimized", SCSI_PATH_NONOPTIMIZED }, { "inaccessible", SCSI_PATH_UNAVAILABLE },
	{ "change", SCSI_PATH_TRANSITIONING },
};

static const char *member(const json_t *states, uint16_t group)
{
	char tag[8];
	snprintf(tag, sizeof(tag), "%u", group);
	return json_string_value(json_object_get(states, tag));
}

struct scsi_path path_state_of(const json_t *states, const json_t *host_states, uint16_t group)
{
	const char *said = member(states, group), *asked = member(host_states, group);
	struct scsi_path p = { .group = group, .state = SCSI_PATH_OPTIMIZED };
	for (size_t i = 0; said && i < ARRAY_COUNT(words); i++)
		if (strcmp(said, words[i].word) == 0)
			p.state = words[i].state;
	p.by_host = asked && strcmp(asked, said ? said : words[0].word) == 0;
	return p;
}

/* ---- hosts that ask ------------------------------------------------------------------------------------------------ */
struct wish {
	const char *target, *initiator;
	const struct scsi_path *path;
	size_t count;
};

static int set_members(json_t *states, const struct wish *w, bool for_patch)
{
	int r = 0;
	for (size_t i = 0; !r && i < w->count; i++)
		for (size_t k = 0; k < ARRAY_COUNT(words); k++) {
			char tag[8];
			if (words[k].state != w->path[i].state)
				continue;
			snprintf(tag, sizeof(tag), "%u", w->path[i].group);
			/* Optimized is what it is when nothing is said: the patch takes the member away. */
			r = json_object_set_new(states, tag, for_patch && !k ? json_null() : json_string(words[k].word));
		}
	return r ? -ENOMEM : 0;
}

static int change_row(const char *id, const struct wish *w)
{
	struct control_change c = { .verb = CONTROL_UPDATE, .kind = MODEL_TARGET, .id = id, .by_server = true, .actor = { .name = w->initiator, .source = "iscsi" } };
	struct control_result result = { 0 };
	struct batch b = { .change = &c, .count = 1, .result = &result };
	json_t *states = json_object(), *body = json_pack("{s:O}", "path_states", states);
	int r = body ? set_members(states, w, true) : -ENOMEM;
	c.body = body;
	if (!r) {
		r = batch_run(&b, &c.actor, false);
		batch_done(&b);
	}
	if (r)
		log_error(&log_control, "a host cannot set the states of paths", "target=%s initiator=%s why=\"%s\"", w->target, w->initiator, result.error.why);
	control_result_done(&result);
	json_decref(body);
	json_decref(states);
	return r;
}

static int wish_run(void *arg)
{
	const struct wish *w = arg;
	struct rt_target *t = NULL;
	struct config_error e;
	struct node *n;
	json_t *row;
	list_for_each(n, &ctl.targets.all, all)
		if (strcasecmp(container_of(n, struct rt_target, node)->name, w->target) == 0)
			t = container_of(n, struct rt_target, node);
	if (!t || row_get(MODEL_TARGET, t->node.id, &row, &e))
		return -ENOENT;
	bool allowed = true_of(row, "explicit_alua");
	json_decref(row);
	if (!allowed)
		return -EPERM;
	json_t *before = t->host_states, *now = before ? json_deep_copy(before) : json_object();
	int r = now ? set_members(now, w, false) : -ENOMEM;
	if (!r) {                        /* the spec that the change makes says who asked */
		t->host_states = now;
		r = change_row(t->node.id, w);
		t->host_states = r ? before : now;
	}
	json_decref(r ? now : before);
	if (!r)
		log_info(&log_control, "a host has set the states of paths", "target=%s initiator=%s", w->target, w->initiator);
	return r;
}

/* On a worker: waits for the control thread, so that the host hears GOOD only when the row is on disk. */
static int set_paths(void *arg, const char *target_device, const char *initiator_port, const struct scsi_path *p, size_t count)
{
	struct wish w = { .target = target_device, .initiator = initiator_port, .path = p, .count = count };
	(void)arg;
	return reactor_call(ctl.reactor, wish_run, &w);
}

void paths_start(void)
{
	scsi_on_set_paths(set_paths, NULL);
}

void paths_stop(void)
{
	scsi_on_set_paths(NULL, NULL);
}
