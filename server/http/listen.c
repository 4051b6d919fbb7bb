/* SPDX-License-Identifier: GPL-3.0-or-later */
/* listen.c - the local listening socket, with a stale file replaced. */
#include "http/http_priv.h"

#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

/* The name that we made: a daemon that took our place may have made its own meanwhile. */
static struct stat bound;

/* Paths longer than sun_path are reached through a descriptor of their folder. */
static int fill_address(const char *path, struct sockaddr_un *sa, int *ret_dir_fd)
{
	char dir[4096], base[256];
	const char *slash = strrchr(path, '/');
	size_t dir_len = slash ? (size_t)(slash - path) : 0;

	*ret_dir_fd = -1;
	*sa = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (strlen(path) < sizeof(sa->sun_path)) {
		memcpy(sa->sun_path, path, strlen(path) + 1);
		return 0;
	}
	if (!slash || dir_len >= sizeof(dir) || strlen(slash + 1) >= sizeof(base))
		return -ENAMETOOLONG;
	memcpy(dir, path, dir_len);
	dir[dir_len] = '\0';
	*ret_dir_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (*ret_dir_fd < 0)
		return -errno;
	if ((size_t)snprintf(sa->sun_path, sizeof(sa->sun_path), "/proc/self/fd/%d/%s", *ret_dir_fd, slash + 1) >=
	    sizeof(sa->sun_path)) {
		close(*ret_dir_fd);
		*ret_dir_fd = -1;
		return -ENAMETOOLONG;
	}
	return 0;
}

static bool somebody_answers(const struct sockaddr_un *sa)
{
	_cleanup_(closep) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	/* EAGAIN: its backlog is full, so it is alive. */
	return fd >= 0 && (connect(fd, (const struct sockaddr *)sa, sizeof(*sa)) == 0 || errno == EAGAIN);
}

int listen_local(const char *path, int *ret_fd, char *why, size_t why_bytes)
{
	_cleanup_(closep) int fd = -1;
	_cleanup_(closep) int dir_fd = -1;
	struct sockaddr_un sa;
	struct stat st;
	int r = fill_address(path, &sa, &dir_fd);

	if (r < 0) {
		snprintf(why, why_bytes, "The socket %s cannot be made: %s.", path, strerror(-r));
		return r;
	}
	if (somebody_answers(&sa)) {
		snprintf(why, why_bytes, "Another daemon answers on %s; stop it, or choose another --state.", path);
		return -EADDRINUSE;
	}
	if (lstat(sa.sun_path, &st) == 0) {
		if (!S_ISSOCK(st.st_mode)) {
			snprintf(why, why_bytes, "%s is in the way: it is not a socket.", path);
			return -EEXIST;
		}
		if (unlink(sa.sun_path) == 0)
			log_info(&log_http, "stale socket replaced", "path=%s", path);
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	/* The mode is set before there is a name, so that nobody slips in between. */
	if (fd < 0 || fchmod(fd, 0660) < 0 || bind(fd, (const struct sockaddr *)&sa, sizeof(sa)) < 0 ||
	    chmod(sa.sun_path, 0660) < 0 || listen(fd, 128) < 0) {
		r = -errno;
		snprintf(why, why_bytes, "The socket %s cannot be made: %s.", path, strerror(-r));
		return r;
	}
	if (lstat(sa.sun_path, &bound) < 0)
		bound = (struct stat){ 0 };
	*ret_fd = take_fd(&fd);
	return 0;
}

void listen_local_remove(const char *path)
{
	_cleanup_(closep) int dir_fd = -1;
	struct sockaddr_un sa;
	struct stat st;

	if (fill_address(path, &sa, &dir_fd) == 0 && lstat(sa.sun_path, &st) == 0 && st.st_ino == bound.st_ino &&
	    st.st_dev == bound.st_dev)
		unlink(sa.sun_path);
}
