/* SPDX-License-Identifier: GPL-3.0-or-later */
/* client.c - the daemon's side: fork the helper, ask it, become an ordinary user. */
#include "broker/broker.h"
#include "broker/protocol_priv.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <pthread.h>
#include <pwd.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "core/fdpass.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int sock = -1;                    /* guarded by lock */
static pid_t helper = -1;

int broker_fork(void)
{
	int pair[2];
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	pid_t pid = fork();
	if (pid < 0) {
		int r = -errno;
		close(pair[0]);
		close(pair[1]);
		return r;
	}
	if (pid == 0) {
		close(pair[0]);
		/* Nothing of the daemon's but its log. */
		int keep = pair[1];
		if (keep != 3) {
			dup3(keep, 3, O_CLOEXEC);
			keep = 3;
		}
		syscall(SYS_close_range, 4u, ~0u, 0u);
		broker_serve(keep);
	}
	close(pair[1]);
	sock = pair[0];
	helper = pid;
	return 0;
}

void broker_stop(void)
{
	pthread_mutex_lock(&lock);
	if (sock >= 0)
		close(sock);
	sock = -1;
	pthread_mutex_unlock(&lock);
	if (helper > 0)
		waitpid(helper, NULL, 0);
	helper = -1;
}

bool broker_present(void)
{
	pthread_mutex_lock(&lock);
	bool present = sock >= 0;
	pthread_mutex_unlock(&lock);
	return present;
}

static int broker_ask(const struct broker_request *rq, int *ret_fd)
{
	struct broker_reply reply;
	int fd = -1;
	pthread_mutex_lock(&lock);
	int r = sock < 0 ? -ENOTCONN : fdpass_send(sock, rq, sizeof(*rq), -1);
	if (r == 0) {
		ssize_t n = fdpass_recv(sock, &reply, sizeof(reply), &fd);
		r = n < 0 ? (int)n : n != (ssize_t)sizeof(reply) ? -ENOTCONN : reply.result;
	}
	pthread_mutex_unlock(&lock);
	if (r < 0 && fd >= 0) {
		close(fd);
		fd = -1;
	}
	*ret_fd = fd;
	return r;
}

int broker_open_device(const char *path, int flags)
{
	struct broker_request rq = { .op = BROKER_OPEN_DEVICE, .flags = flags };
	int fd;
	if (strlen(path) >= sizeof(rq.path))
		return -ENAMETOOLONG;
	strncpy(rq.path, path, sizeof(rq.path) - 1);
	int r = broker_ask(&rq, &fd);
	if (r < 0)
		return r;
	return fd >= 0 ? fd : -EIO;
}

int broker_start_keeper(void)
{
	const struct broker_request rq = { .op = BROKER_START_KEEPER, .path = "/" };
	int fd, r = broker_ask(&rq, &fd);
	closep(&fd);
	return r;
}

/* Keeps only what a web server needs: ports below 1024. capabilities(7). */
static int keep_bind_capability(void)
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct d[2] = { 0 };
	d[0].permitted = d[0].effective = 1u << CAP_NET_BIND_SERVICE;
	return syscall(SYS_capset, &h, d) < 0 ? -errno : 0;
}

int broker_drop(unsigned uid, unsigned gid)
{
	struct passwd *pw = getpwuid(uid);
	if ((pw ? initgroups(pw->pw_name, gid) : setgroups(0, NULL)) < 0)
		return -errno;
	if (prctl(PR_SET_KEEPCAPS, 1) < 0 || setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0)
		return -errno;
	int r = keep_bind_capability();
	if (r < 0)
		return r;
	if (prctl(PR_SET_KEEPCAPS, 0) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	if (uid != 0 && setuid(0) == 0)
		return -EPERM; /* the drop did not hold */
	return 0;
}
