/* SPDX-License-Identifier: GPL-3.0-or-later */
/* op_space.c - the rows of the keeper for space: quotas, snapshots, the bin, disks.  Arguments become numbers, answers
 * become text; space_client.c reads it.  None of them is "one at a time" for all of the keeper: a snapshot of a large
 * folder takes minutes, and servers must be looked after meanwhile; what excludes what is known to the files that do it. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "broker/disk_priv.h"

static int done(struct keeper_request *rq, int r)
{
	log_at(&log_space, r ? LOG_LEVEL_WARN : LOG_LEVEL_INFO, "operation on space", "op=%s on=\"%s\" result=%d%s%s%s", rq->op, rq->arg_count ? rq->args[0] : "", r, r ? " why=\"" : "", r ? rq->text : "",
	       r ? "\"" : "");
	return r;
}

/* Why, with the size of its buffer. */
#define WHY rq->text, sizeof(rq->text)

static int scope_of(const char *word, uint32_t *ret)
{
	static const char *const words[] = { "folder", "user", "group" };
	for (uint32_t i = 0; i < ARRAY_COUNT(words); i++)
		if (!strcmp(words[i], word)) {
			*ret = i;
			return 0;
		}
	return -EINVAL;
}

static void answer_quota(struct keeper_request *rq, const struct space_quota *q)
{
	snprintf(rq->text, sizeof(rq->text), "%u %u %llu %llu %llu %llu %d", q->scope, q->id, (unsigned long long)q->limit_bytes, (unsigned long long)q->limit_files, (unsigned long long)q->used_bytes,
		 (unsigned long long)q->used_files, q->partial);
}

static int run_quota_probe(struct keeper_request *rq)
{
	struct space_quota_can can;
	int r = op_quota_probe(rq->args[0], &can, WHY);
	if (!r)
		snprintf(rq->text, sizeof(rq->text), "%s %d %d %d\n%s\n%s\n%s\n", can.file_system, can.folder, can.user, can.group, can.why[0], can.why[1], can.why[2]);
	return r;
}

static int run_quota_set(struct keeper_request *rq)
{
	struct space_quota q = { .id = (uint32_t)keeper_number(rq->args[2]), .limit_bytes = keeper_number(rq->args[3]), .limit_files = keeper_number(rq->args[4]) }, got;
	if (scope_of(rq->args[1], &q.scope))
		return keeper_refuse(rq, -EINVAL, "a quota is of a folder, user or group");
	int r = op_quota_set(rq->args[0], &q, &got, WHY);
	if (!r)
		answer_quota(rq, &got);
	return done(rq, r);
}

static int run_quota_get(struct keeper_request *rq)
{
	struct space_quota q = { .id = (uint32_t)keeper_number(rq->args[2]) }, got;
	if (scope_of(rq->args[1], &q.scope))
		return keeper_refuse(rq, -EINVAL, "a quota is of a folder, user or group");
	int r = op_quota_get(rq->args[0], &q, &got, WHY);
	if (!r)
		answer_quota(rq, &got);
	return r;
}

static int run_quota_count(struct keeper_request *rq)
{
	return done(rq, op_quota_count(rq->args[0], rq->fd, WHY));
}

static void print_snapshot(FILE *f, const struct space_snapshot *s)
{
	fprintf(f, "%s %lld %u %d %s\n", s->dir, (long long)s->at_s, s->kinds, s->atomic, s->name);
}

/* The text goes as a memfd: it may be long. */
static int answer_text(struct keeper_request *rq, FILE *f, char **text, const size_t *len)
{
	if (fclose(f))
		return keeper_refuse(rq, -ENOMEM, "no memory for the answer");
	int fd = keeper_memfd("answer", *text, *len);
	if (fd < 0)
		return keeper_refuse(rq, fd, "no memory for the answer");
	rq->answer_fd = fd;
	return 0;
}

static int run_snapshot_create(struct keeper_request *rq)
{
	struct space_snapshot s;
	int r = op_snapshot_create(rq->args[0], rq->args[1], (unsigned)keeper_number(rq->args[2]), time(NULL), &s, WHY);
	if (!r)
		snprintf(rq->text, sizeof(rq->text), "%s %lld %u %d %s\n", s.dir, (long long)s.at_s, s.kinds, s.atomic, s.name);
	return done(rq, r);
}

static int run_snapshot_list(struct keeper_request *rq)
{
	_cleanup_(freep) struct space_snapshot *all = NULL;
	_cleanup_(freep) char *text = NULL;
	size_t count, len;
	int r = op_snapshot_list(rq->args[0], &all, &count, WHY);
	if (r)
		return r;
	FILE *f = open_memstream(&text, &len);
	if (!f)
		return keeper_refuse(rq, -ENOMEM, "no memory for the answer");
	for (size_t i = 0; i < count; i++)
		print_snapshot(f, &all[i]);
	return answer_text(rq, f, &text, &len);
}

static int run_snapshot_delete(struct keeper_request *rq)
{
	return done(rq, op_snapshot_delete(rq->args[0], rq->args[1], WHY));
}

static int run_snapshot_restore(struct keeper_request *rq)
{
	return done(rq, op_snapshot_restore(rq->args[0], rq->args[1], time(NULL), WHY));
}

static int run_folder_remove(struct keeper_request *rq)
{
	return done(rq, op_folder_remove(rq->args[0], WHY));
}

static int run_recycle_purge(struct keeper_request *rq)
{
	struct space_purged p;
	int r = op_recycle_purge(rq->args[0], (int64_t)keeper_number(rq->args[1]), keeper_number(rq->args[2]), time(NULL), &p, WHY);
	if (!r)
		snprintf(rq->text, sizeof(rq->text), "%llu %llu %llu %llu", (unsigned long long)p.files, (unsigned long long)p.bytes, (unsigned long long)p.kept_files, (unsigned long long)p.kept_bytes);
	return r || p.files ? done(rq, r) : r;
}

static int run_disk_list(struct keeper_request *rq)
{
	_cleanup_(freep) struct space_disk *all = NULL;
	_cleanup_(freep) char *text = NULL;
	size_t count, len;
	int r = op_disk_list(&all, &count, WHY);
	if (r)
		return r;
	FILE *f = open_memstream(&text, &len);
	if (!f)
		return keeper_refuse(rq, -ENOMEM, "no memory for the answer");
	for (const struct space_disk *d = all; d < all + count; d++)
		fprintf(f, "%s\t%s\t%s\t%s\t%s\t%llu\t%d%d%d%d\t%s\n", d->name, d->path, d->kind, d->model, d->serial, (unsigned long long)d->size_bytes, d->rotational, d->removable, d->read_only, d->empty,
			d->in_use);
	return answer_text(rq, f, &text, &len);
}

static int run_disk_health(struct keeper_request *rq)
{
	return op_disk_health(rq->args[0], &rq->answer_fd, WHY);
}

static int run_pool_format(struct keeper_request *rq)
{
	struct mount_row row;
	int r = op_format(rq->args + 3, rq->arg_count - 3, rq->args[0], rq->args[1], rq->args[2], &row, WHY);
	if (!r)
		snprintf(rq->text, sizeof(rq->text), "%s", row.uuid);
	return done(rq, r);
}

static int run_mount_forget(struct keeper_request *rq)
{
	return done(rq, op_mount_forget(rq->args[0], WHY));
}

const struct keeper_op keeper_ops_space[] = {
	{ "quota-probe", "p", false, run_quota_probe },
	{ "quota-set", "pwuUU", false, run_quota_set },
	{ "quota-get", "pwu", false, run_quota_get },
	{ "quota-count", "pf", false, run_quota_count },
	{ "snapshot-create", "pNu", false, run_snapshot_create },
	{ "snapshot-list", "p", false, run_snapshot_list },
	{ "snapshot-delete", "pn", false, run_snapshot_delete },
	{ "snapshot-restore", "pn", false, run_snapshot_restore },
	{ "folder-remove", "p", false, run_folder_remove },
	{ "recycle-purge", "pUU", false, run_recycle_purge },
	{ "disk-list", "", false, run_disk_list },
	{ "disk-health", "p", false, run_disk_health },
	{ "pool-format", "wnpp*", false, run_pool_format },
	{ "mount-forget", "p", false, run_mount_forget },
	{ 0 },
};
