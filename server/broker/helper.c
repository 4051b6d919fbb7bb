/* SPDX-License-Identifier: GPL-3.0-or-later */
/* helper.c - the process that stays root: checks a request, does it, answers.
 * Whoever took over the daemon can send anything here; each operation is safe by itself. */
#include "broker/broker.h"
#include "broker/protocol_priv.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "broker/keeper_priv.h"
#include "core/fdpass.h"
#include "core/log.h"

LOG_TOPIC(broker);

/* O_EXCL without O_CREAT on a block device claims it as mount(2) does: the kernel refuses a device
 * (or a disk one of whose partitions) is mounted, swapped on, or part of an array. open(2). */
static int open_device(const struct broker_request *rq, int *ret_fd)
{
	const int allowed = O_ACCMODE | O_DIRECT | O_EXCL | O_CLOEXEC | O_DSYNC | O_SYNC | O_NONBLOCK;
	int access = rq->flags & O_ACCMODE;
	if ((rq->flags & ~allowed) || (access != O_RDONLY && access != O_RDWR))
		return -EINVAL;
	_cleanup_(freep) char *real = realpath(rq->path, NULL);
	if (!real)
		return -errno;
	if (strncmp(real, "/dev/", 5) != 0)
		return -EACCES;
	/* Looked at before it is opened: opening a tape or a watchdog has effects. */
	_cleanup_(closep) int path_fd = open(real, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat seen, got;
	if (path_fd < 0 || fstat(path_fd, &seen) < 0)
		return -errno;
	if (!S_ISBLK(seen.st_mode))
		return -ENOTBLK;
	_cleanup_(closep) int fd = open(real, rq->flags | O_NOFOLLOW | O_EXCL | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &got) < 0)
		return -errno;
	if (!S_ISBLK(got.st_mode) || got.st_rdev != seen.st_rdev)
		return -EAGAIN; /* swapped in between */
	*ret_fd = take_fd(&fd);
	return 0;
}

static char keeper_folder[PATH_MAX];

void broker_keeper_folder(const char *state_dir)
{
	if (!realpath(state_dir, keeper_folder))
		keeper_folder[0] = '\0';
}

/* Names nothing itself: the folder was fixed before there was anybody to trick us. */
static int start_keeper(const struct broker_request *rq, int *ret_fd)
{
	(void)rq, (void)ret_fd;
	if (!keeper_folder[0])
		return -ENOENT;
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 0)
		return -EPERM;
	return keeper_spawn_self(keeper_folder);
}

static const struct {
	const char *name;
	int (*run)(const struct broker_request *rq, int *ret_fd);
} ops[BROKER_OPS] = {
	[BROKER_OPEN_DEVICE] = { "open-device", open_device },
	[BROKER_START_KEEPER] = { "start-keeper", start_keeper },
};

int broker_run(const struct broker_request *rq, int *ret_fd)
{
	*ret_fd = -1;
	if (rq->op >= BROKER_OPS || !ops[rq->op].run)
		return -EOPNOTSUPP;
	if (strnlen(rq->path, BROKER_PATH_MAX) == BROKER_PATH_MAX || rq->path[0] != '/')
		return -EINVAL;
	int r = ops[rq->op].run(rq, ret_fd);
	log_info(&log_broker, "privileged operation", "op=%s path=\"%s\" result=%d", ops[rq->op].name,
		 rq->path, r);
	return r;
}

void broker_serve(int sock)
{
	/* The daemon decides when this ends: a Ctrl-C on the terminal reaches both processes. */
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	prctl(PR_SET_NAME, "holdfast-broker");
	if (chdir("/") < 0)
		log_warn(&log_broker, "cannot leave the folder, continuing in it", "errno=%d", errno);
	for (;;) {
		struct broker_request rq;
		_cleanup_(closep) int stray = -1, fd = -1;
		ssize_t n = fdpass_recv(sock, &rq, sizeof(rq), &stray);
		if (n == 0 || (n < 0 && n != -EMSGSIZE))
			_exit(0);
		struct broker_reply reply = {
			.result = n == (ssize_t)sizeof(rq) ? broker_run(&rq, &fd) : -EINVAL,
		};
		if (fdpass_send(sock, &reply, sizeof(reply), fd) < 0)
			_exit(0);
	}
}
