/* SPDX-License-Identifier: GPL-3.0-or-later */
/* op_import.c - starts holdfast-remote to fill the folder of a share: owners, modes and rights of what is copied are root's to set,
 * and the folder is its users'.
 *
 * The daemon gives one end of a socket, over which it and the child speak; the child gets that and the folder, no more.  Which
 * program runs, and that it copies trees only, is said here.  It ends when the daemon lets go of the socket. */
#include "broker/keeper_priv.h"
#include "broker/space_priv.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "core/process.h"

#define RUNNING_MAX 16

static _Atomic(unsigned) running;

/* What is missing is made like the folder that it lies in. */
static int open_below(struct keeper_request *rq, int folder, const char *below)
{
	const struct open_how how = { .flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW, .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS };
	_cleanup_(closep) int at = fcntl(folder, F_DUPFD_CLOEXEC, 3);
	struct stat st;
	while (at >= 0 && *below) {
		char name[NAME_MAX + 1];
		size_t n = strcspn(below, "/");
		if (n > NAME_MAX)
			return keeper_refuse(rq, -ENAMETOOLONG, "a folder's name is too long");
		memcpy(name, below, n);
		name[n] = '\0';
		below += n + (below[n] == '/');
		bool made = mkdirat(at, name, 0700) == 0;
		if (!made && errno != EEXIST)
			return keeper_refuse(rq, -errno, "cannot make the folder %s: %s", name, strerror(errno));
		_cleanup_(closep) int fd = (int)syscall(SYS_openat2, at, name, &how, sizeof(how));
		if (fd < 0)
			return keeper_refuse(rq, -errno, errno == ELOOP ? "%s is a symbolic link" : "cannot open the folder %s: %s", name, strerror(errno));
		if (made && (fstat(at, &st) || fchown(fd, st.st_uid, st.st_gid) || fchmod(fd, st.st_mode & 07777)))
			return keeper_refuse(rq, -errno, "cannot give the folder %s to its owner: %s", name, strerror(errno));
		close(at);
		at = take_fd(&fd);
	}
	return at < 0 ? keeper_refuse(rq, -EMFILE, "too many open files") : take_fd(&at);
}

static void *reap(void *arg)
{
	int status;
	while (waitpid((pid_t)(intptr_t)arg, &status, 0) < 0 && errno == EINTR)
		;
	running--;
	return NULL;
}

/* FOLDER BELOW socket: the child runs. */
static int run_import(struct keeper_request *rq)
{
	static const char *const env[] = { "PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8", "HOME=/nonexistent", "SMB_CONF_PATH=/dev/null", "KRB5CCNAME=FILE:/nonexistent/cc", "ASAN_OPTIONS=detect_leaks=0", NULL };
	const char *const argv[] = { "holdfast-remote", "--keeper", NULL };
	char path[PATH_MAX];
	struct stat st;
	if (fstat(rq->fd, &st) || !S_ISSOCK(st.st_mode))
		return keeper_refuse(rq, -EINVAL, "import-run: what came along is no socket");
	if (process_find_ours("holdfast-remote", X_OK, path))
		return keeper_refuse(rq, -ENOENT, "the program holdfast-remote is not installed");
	_cleanup_(closep) int folder = op_folder_open(rq->args[0], rq->text, sizeof(rq->text));
	if (folder < 0)
		return folder;
	_cleanup_(closep) int below = open_below(rq, folder, rq->args[1][0] ? rq->args[1] + 1 : "");
	if (below < 0)
		return below;
	if (++running > RUNNING_MAX) {
		running--;
		return keeper_refuse(rq, -EAGAIN, "%d imports run already", RUNNING_MAX);
	}
	pthread_t t;
	pid_t pid;
	int r = process_start(path, argv, env, (int[]){ rq->fd, rq->fd, STDERR_FILENO, below }, 4, &pid);
	if (r) {
		running--;
		return keeper_refuse(rq, r, "holdfast-remote cannot be started: %s", strerror(-r));
	}
	if (pthread_create(&t, NULL, reap, (void *)(intptr_t)pid) == 0)
		pthread_detach(t);
	log_info(&log_keeper, "an import is being written", "folder=\"%s%s\" pid=%d", rq->args[0], rq->args[1], (int)pid);
	return 0;
}

const struct keeper_op keeper_ops_import[] = {
	{ "import-run", "pPf", false, run_import },
	{ 0 },
};
