/* SPDX-License-Identifier: GPL-3.0-or-later */
/* op_child.c - operations on servers: start, stop, how they are. */
#include "broker/domain_priv.h"

#include <assert.h>
#include <string.h>

static const struct keeper_kind *const kinds[] = {
	&keeper_kind_winbindd,
	&keeper_kind_smbd,
	&keeper_kind_wsdd,
	/* in the order in which NFS needs them after the machine's start */
	&keeper_kind_rpcbind,
	&keeper_kind_statd,
	&keeper_kind_nfs_bus,
	&keeper_kind_ganesha,
	&keeper_kind_nfsdcld,
	&keeper_kind_mountd,
};
static_assert(ARRAY_COUNT(kinds) <= KEEPER_KINDS_MAX, "children[] has room");

const struct keeper_kind *keeper_kind_at(size_t i)
{
	return i < ARRAY_COUNT(kinds) ? kinds[i] : NULL;
}

const struct keeper_kind *keeper_kind_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_COUNT(kinds); i++)
		if (strcmp(kinds[i]->name, name) == 0)
			return kinds[i];
	return NULL;
}

static int op_start(struct keeper_request *rq)
{
	const struct keeper_kind *k = keeper_kind_find(rq->args[0]);
	return k ? keeper_child_start(k, rq->text, sizeof(rq->text)) : keeper_refuse(rq, -ENOENT, "there is no server %s", rq->args[0]);
}

static int op_stop(struct keeper_request *rq)
{
	const struct keeper_kind *k = keeper_kind_find(rq->args[0]);
	return k ? keeper_child_stop(k) : keeper_refuse(rq, -ENOENT, "there is no server %s", rq->args[0]);
}

static int op_list(struct keeper_request *rq)
{
	keeper_children_describe(rq->text, sizeof(rq->text));
	return 0;
}

const struct keeper_op keeper_ops_child[] = {
	{ "child-start", "w", true, op_start },   /* NAME: started, and waited for until it serves */
	{ "child-stop", "w", true, op_stop },     /* NAME: ended, with the sessions it has */
	{ "child-list", "", false, op_list },     /* lines: NAME STATE PID SINCE RESTARTS REASON */
	{ 0 },
};
