/* SPDX-License-Identifier: GPL-3.0-or-later */
/* space_client.c - the daemon's side of op_space.c: asks the keeper, reads the answer.  What may take long has a
 * connection of its own, so that nothing else of the daemon waits for it. */
#include "broker/space.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "broker/keeper.h"

#define LONG_S (6 * 3600)                /* a snapshot or restore of millions of files */
#define LIST_BYTES (8u << 20)

static const char *const scopes[] = { "folder", "user", "group" };

static void number(char buf[24], uint64_t v)
{
	snprintf(buf, 24, "%llu", (unsigned long long)v);
}

/* The reason for the caller; r. */
static int reason(const struct keeper_answer *a, int r, char *why, size_t why_bytes)
{
	if (r)
		snprintf(why, why_bytes, "%s", a->text);
	return r;
}

static int read_quota(const char *text, struct space_quota *q)
{
	unsigned long long limit_bytes, limit_files, used_bytes, used_files;
	int partial = 0;
	if (sscanf(text, "%u %u %llu %llu %llu %llu %d", &q->scope, &q->id, &limit_bytes, &limit_files, &used_bytes, &used_files, &partial) < 6)
		return -EBADMSG;
	q->partial = partial;
	q->limit_bytes = limit_bytes;
	q->limit_files = limit_files;
	q->used_bytes = used_bytes;
	q->used_files = used_files;
	return 0;
}

int keeper_quota_probe(const char *folder, struct space_quota_can *ret, char *why, size_t why_bytes)
{
	_cleanup_(keeper_answer_done) struct keeper_answer a;
	int r = keeper_ask(&a, -1, "quota-probe", folder, NULL), flag[3], at = 0;
	if (r)
		return reason(&a, r, why, why_bytes);
	*ret = (struct space_quota_can){ 0 };
	if (sscanf(a.text, "%15s %d %d %d\n%n", ret->file_system, &flag[0], &flag[1], &flag[2], &at) < 4 || !at)
		return -EBADMSG;
	ret->folder = flag[0];
	ret->user = flag[1];
	ret->group = flag[2];
	const char *line = strchr(a.text, '\n');
	for (size_t i = 0; i < ARRAY_COUNT(ret->why) && line; i++) {
		snprintf(ret->why[i], sizeof(ret->why[i]), "%.*s", (int)strcspn(line + 1, "\n"), line + 1);
		line = strchr(line + 1, '\n');
	}
	return 0;
}

int keeper_quota_set(const char *folder, const struct space_quota *q, struct space_quota *ret, char *why, size_t why_bytes)
{
	_cleanup_(keeper_answer_done) struct keeper_answer a;
	char id[24], bytes[24], files[24];
	number(id, q->id);
	number(bytes, q->limit_bytes);
	number(files, q->limit_files);
	int r = keeper_ask_long(&a, LONG_S, "quota-set", folder, scopes[q->scope], id, bytes, files, NULL);
	return r ? reason(&a, r, why, why_bytes) : read_quota(a.text, ret);
}

int keeper_quota_get(const char *folder, const struct space_quota *q, struct space_quota *ret, char *why, size_t why_bytes)
{
	_cleanup_(keeper_answer_done) struct keeper_answer a;
	char id[24];
	number(id, q->id);
	int r = keeper_ask(&a, -1, "quota-get", folder, scopes[q->scope], id, NULL);
	return r ? reason(&a, r, why, why_bytes) : read_quota(a.text, ret);
}

struct count {
	int shared;
	bool (*tell)(void *arg, uint64_t files);
	void *arg;
};

static void look(void *arg)
{
	const struct count *c = arg;
	const uint64_t stop = 1;
	uint64_t files = 0;
	if (pread(c->shared, &files, sizeof(files), 0) == sizeof(files) && !c->tell(c->arg, files) && pwrite(c->shared, &stop, sizeof(stop), sizeof(files)) != sizeof(stop))
		return;
}

int keeper_quota_count(const char *folder, bool (*tell)(void *arg, uint64_t files), void *arg, char *why, size_t why_bytes)
{
	_cleanup_(keeper_answer_done) struct keeper_answer a = { .fd = -1 };
	_cleanup_(closep) int shared = memfd_create("count", MFD_CLOEXEC);
	struct count c = { shared, tell, arg };
	if (shared < 0 || ftruncate(shared, 16) < 0)
		return -errno;
	return reason(&a, keeper_ask_watched(&a, LONG_S, shared, look, &c, "quota-count", folder, NULL), why, why_bytes);
}

static int read_snapshot(const char *line, struct space_snapshot *s)
{
	long long at;
	int atomic, name = 0;
	*s = (struct space_snapshot){ 0 };
	if (sscanf(line, "%24s %lld %u %d %n", s->dir, &at, &s->kinds, &atomic, &name) < 4 || !name)
		return -EBADMSG;
	s->at_s = at;
	s->atomic = atomic;
	snprintf(s->name, sizeof(s->name), "%.*s", (int)strcspn(line + name, "\n"), line + name);
	return 0;
}

int keeper_snapshot_create(const char *folder, const char *name, unsigned kinds, struct space_snapshot *ret, char *why, size_t why_bytes)
{
	_cleanup_(keeper_answer_done) struct keeper_answer a;
	char number_text[24];
	number(number_text, kinds);
	int r = keeper_ask_long(&a, LONG_S, "snapshot-create", folder, name, number_text, NULL);
	return r ? reason(&a, r, why, why_bytes) : read_snapshot(a.text, ret);
}

int keeper_snapshot_list(const char *folder, struct space_snapshot **ret, size_t *ret_count, char *why, size_t why_bytes)
{
	_cleanup_(keeper_answer_done) struct keeper_answer a;
	int r = keeper_ask(&a, -1, "snapshot-list", folder, NULL);
	if (r)
		return reason(&a, r, why, why_bytes);
	_cleanup_(freep) char *text = keeper_read_fd(a.fd, LIST_BYTES, NULL);
	size_t lines = 0, count = 0;
	for (const char *p = text; p && (p = strchr(p, '\n')); p++)
		lines++;
	_cleanup_(freep) struct space_snapshot *all = calloc(lines + 1, sizeof(*all));
	if (!text || !all)
		return -ENOMEM;
	for (const char *p = text; *p && count < lines; p = strchr(p, '\n') + 1)
		if (read_snapshot(p, &all[count]) == 0)
			count++;
	*ret_count = count;
	*ret = TAKE(all);
	return 0;
}

int keeper_snapshot_delete(const char *folder, const char *dir, char *why, size_t why_bytes)
{
	_cleanup_(keeper_answer_done) struct keeper_answer a;
	return reason(&a, keeper_ask_long(&a, LONG_S, "snapshot-delete", folder, dir, NULL), why, why_bytes);
}

int keeper_snapshot_restore(const char *folder, const char *dir, char *why, size_t why_bytes)
{
	_cleanup_(keeper_answer_done) struct keeper_answer a;
	return reason(&a, keeper_ask_long(&a, LONG_S, "snapshot-restore", folder, dir, NULL), why, why_bytes);
}

int keeper_folder_remove(const char *folder, char *why, size_t why_bytes)
{
	_cleanup_(keeper_answer_done) struct keeper_answer a;
	return reason(&a, keeper_ask_long(&a, LONG_S, "folder-remove", folder, NULL), why, why_bytes);
}

int keeper_recycle_purge(const char *folder, int64_t older_than_s, uint64_t max_bytes, struct space_purged *ret, char *why, size_t why_bytes)
{
	_cleanup_(keeper_answer_done) struct keeper_answer a;
	char age[24], bytes[24];
	unsigned long long v[4];
	number(age, (uint64_t)older_than_s);
	number(bytes, max_bytes);
	int r = keeper_ask_long(&a, LONG_S, "recycle-purge", folder, age, bytes, NULL);
	if (r)
		return reason(&a, r, why, why_bytes);
	if (sscanf(a.text, "%llu %llu %llu %llu", &v[0], &v[1], &v[2], &v[3]) != 4)
		return -EBADMSG;
	*ret = (struct space_purged){ .files = v[0], .bytes = v[1], .kept_files = v[2], .kept_bytes = v[3] };
	return 0;
}

/* The next column of a line, which ends with it. */
static const char *column(char **p)
{
	char *c = *p;
	*p = c + strcspn(c, "\t\n");
	if (**p)
		*(*p)++ = '\0';
	return c;
}

static bool read_disk(char *line, struct space_disk *d)
{
	*d = (struct space_disk){ 0 };
	snprintf(d->name, sizeof(d->name), "%s", column(&line));
	snprintf(d->path, sizeof(d->path), "%s", column(&line));
	snprintf(d->kind, sizeof(d->kind), "%s", column(&line));
	snprintf(d->model, sizeof(d->model), "%s", column(&line));
	snprintf(d->serial, sizeof(d->serial), "%s", column(&line));
	d->size_bytes = strtoull(column(&line), NULL, 10);
	const char *flags = column(&line);
	if (strlen(flags) != 4)
		return false;
	d->rotational = flags[0] == '1';
	d->removable = flags[1] == '1';
	d->read_only = flags[2] == '1';
	d->empty = flags[3] == '1';
	snprintf(d->in_use, sizeof(d->in_use), "%s", column(&line));
	return true;
}

int keeper_disk_list(struct space_disk **ret, size_t *ret_count, char *why, size_t why_bytes)
{
	_cleanup_(keeper_answer_done) struct keeper_answer a;
	int r = keeper_ask_long(&a, 600, "disk-list", NULL);
	if (r)
		return reason(&a, r, why, why_bytes);
	_cleanup_(freep) char *text = keeper_read_fd(a.fd, LIST_BYTES, NULL);
	size_t lines = 0, count = 0;
	for (const char *p = text; p && (p = strchr(p, '\n')); p++)
		lines++;
	_cleanup_(freep) struct space_disk *all = calloc(lines + 1, sizeof(*all));
	if (!text || !all)
		return -ENOMEM;
	char *save = NULL;
	for (char *line = strtok_r(text, "\n", &save); line && count < lines; line = strtok_r(NULL, "\n", &save))
		count += read_disk(line, &all[count]);
	*ret_count = count;
	*ret = TAKE(all);
	return 0;
}

int keeper_disk_health(const char *path, char **ret_text, char *why, size_t why_bytes)
{
	_cleanup_(keeper_answer_done) struct keeper_answer a;
	int r = keeper_ask_long(&a, 120, "disk-health", path, NULL);
	if (r)
		return reason(&a, r, why, why_bytes);
	char *text = keeper_read_fd(a.fd, LIST_BYTES, NULL);
	if (!text)
		return -ENOMEM;
	*ret_text = text;
	return 0;
}

int keeper_pool_format(const char *const *disks, size_t disk_count, const char *file_system, const char *label, const char *mount_point, char ret_uuid[40], char *why, size_t why_bytes)
{
	_cleanup_(keeper_answer_done) struct keeper_answer a;
	const char *args[3 + SPACE_DISKS_MAX] = { file_system, label, mount_point };
	if (disk_count > SPACE_DISKS_MAX) {
		snprintf(why, why_bytes, "a pool takes at most %d disks", SPACE_DISKS_MAX);
		return -EINVAL;
	}
	for (size_t i = 0; i < disk_count; i++)
		args[3 + i] = disks[i];
	int r = keeper_ask_long_list(&a, 900, "pool-format", args, 3 + disk_count);
	if (!r)
		snprintf(ret_uuid, 40, "%.39s", a.text);
	return reason(&a, r, why, why_bytes);
}

int keeper_mount_forget(const char *mount_point, char *why, size_t why_bytes)
{
	_cleanup_(keeper_answer_done) struct keeper_answer a;
	return reason(&a, keeper_ask_long(&a, 600, "mount-forget", mount_point, NULL), why, why_bytes);
}
