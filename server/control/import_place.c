/* SPDX-License-Identifier: GPL-3.0-or-later */
/* import_place.c - what an import's child is told of this machine, and where it writes: a child of the keeper where there is
 * one, since owners and rights are root's to set; else one of ours, with the folder. */
#include "control/import_priv.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "broker/keeper.h"

static void numbers(json_t *job, const char *member, enum model_kind k, const char *number)
{
	json_t *rows, *row, *table = json_object();
	struct config_error e;
	size_t i;
	if (config_list(ctl.db, k, NULL, &rows, &e) == 0) {
		json_array_foreach(rows, i, row)
			if (json_is_integer(json_object_get(row, number)))
				json_object_set(table, text_of(row, "name"), json_object_get(row, number));
		json_decref(rows);
	}
	json_object_set_new(job, member, table);
}

int import_job_complete(void *arg)
{
	struct import_job *f = arg;
	json_t *share, *pool;
	int r = import_secrets_open(f->m->wish, f->job, f->e);
	if (r || !*text_of(f->m->wish, "share"))
		return r;
	r = config_get(ctl.db, MODEL_SHARE, text_of(f->m->wish, "share"), &share, f->e);
	if (r)
		return r;
	r = config_get(ctl.db, MODEL_POOL, text_of(share, "pool"), &pool, f->e);
	if (!r) {
		snprintf(f->path, sizeof(f->path), "%s/%s", text_of(pool, "path"), *text_of(share, "path") ? text_of(share, "path") : text_of(share, "name"));
		json_decref(pool);
	}
	if (!r)
		snprintf(f->m->share_id, sizeof(f->m->share_id), "%s", text_of(share, "id"));
	json_object_set_new(f->job, "windows_acls", json_boolean(true_of(share, "smb") && strcmp(text_of(share, "smb_acl"), "windows") == 0));
	json_decref(share);
	numbers(f->job, "users", MODEL_USER, "uid");
	numbers(f->job, "groups", MODEL_GROUP, "gid");
	return r;
}

/* Parts of the path below the share's folder, each after a slash. */
static int below_of(const struct import *m, char below[4096])
{
	char *path = strdup(text_of(m->wish, "path")), *save = NULL;
	size_t n = 0;
	int r = path ? 0 : -ENOMEM;
	below[0] = '\0';
	for (char *part = path ? strtok_r(path, "/", &save) : NULL; part && !r; part = strtok_r(NULL, "/", &save)) {
		if (strcmp(part, ".") == 0)
			continue;
		if (strcmp(part, "..") == 0 || n + strlen(part) + 2 > 4096)
			r = -EINVAL;
		else
			n += (size_t)snprintf(below + n, 4096 - n, "/%s", part);
	}
	free(path);
	return r;
}

/* A child of the keeper, which sets owners and rights and gets into folders that are not ours; it has the other end. */
static int keeper_child(const struct import_job *f, const char *below, char *why, size_t why_bytes)
{
	_cleanup_(keeper_answer_done) struct keeper_answer a = { .fd = -1 };
	int sock[2], r = socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sock) ? -errno : 0;
	if (r)
		return r;
	r = keeper_ask(&a, sock[1], "import-run", f->path, below, NULL);
	close(sock[1]);
	if (!r)
		return sock[0];
	snprintf(why, why_bytes, "%s", a.text);
	close(sock[0]);
	return r;
}

/* From the share's folder on no link is followed. */
static int folder_open(const struct import_job *f, char *below, char *why, size_t why_bytes)
{
	char *save = NULL;
	int fd = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (char *part = strtok_r(below, "/", &save); part && fd >= 0; part = strtok_r(NULL, "/", &save)) {
		int next = (mkdirat(fd, part, 0755), openat(fd, part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
		close(fd);
		fd = next;
	}
	if (fd < 0 || faccessat(fd, ".", W_OK | X_OK, 0)) {
		int r = errno ? -errno : -EACCES;
		snprintf(why, why_bytes, "folder %.300s cannot be written: %s (without a keeper the server's own user copies; start holdfast-nas.service, or give it the folder)", f->path,
			 strerror(-r));
		if (fd >= 0)
			close(fd);
		return r;
	}
	return fd;
}

int import_place_open(const struct import_job *f, struct remote_job *j, char *why, size_t why_bytes)
{
	char below[4096];
	int r = below_of(f->m, below);
	if (r) {
		snprintf(why, why_bytes, "path is a folder below that of the share");
		return r;
	}
	if (geteuid() != 0 && (keeper_present(NULL) || keeper_summon(why, why_bytes) == 0)) {
		r = keeper_child(f, below, why, why_bytes);
		j->running_fd = r;
	} else {
		r = folder_open(f, below, why, why_bytes);
		j->dir_fd = r;
	}
	return r < 0 ? r : 0;
}
