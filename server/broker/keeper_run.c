/* SPDX-License-Identifier: GPL-3.0-or-later */
/* keeper_run.c - runs a program of the system to its end: no shell, no environment, input by a pipe, output kept,
 * killed when it takes too long. */
#include "broker/domain_priv.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

static const char *const folders[] = { "/usr/sbin", "/usr/bin", "/sbin", "/bin", "/usr/lib/samba", "/usr/libexec" };

bool keeper_program(const char *name, char *buf)
{
	for (size_t i = 0; i < ARRAY_COUNT(folders); i++) {
		snprintf(buf, PATH_MAX, "%s/%s", folders[i], name);
		if (access(buf, X_OK) == 0)
			return true;
	}
	return false;
}

static uint64_t now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* Between fork and exec in a process with threads: system calls only. */
static void __attribute__((noreturn)) child_side(const char *path, const struct keeper_run_opts *o, char *const *env, int in, int out, int err)
{
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	dup2(in, 0);
	dup2(out, 1);
	dup2(err, 2);
	syscall(SYS_close_range, 3u, ~0u, 0u);
	if (o->view && keeper_view_enter(o->view) < 0)
		_exit(125);
	execve(path, (char *const *)o->argv, env);
	_exit(127);
}

struct run {
	int in, out;                     /* our ends; -1: closed */
	const char *input;
	size_t input_left;
	char *kept;
	size_t kept_bytes, kept_room;
};

static void feed(struct run *r)
{
	ssize_t n = r->input_left ? write(r->in, r->input, r->input_left) : 0;
	if (n > 0) {
		r->input += n;
		r->input_left -= (size_t)n;
	}
	if (r->input_left == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
		close(r->in);
		r->in = -1;
	}
}

static void drain(struct run *r)
{
	char buf[4096];
	ssize_t n = read(r->out, buf, sizeof(buf));
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n <= 0) {
		close(r->out);
		r->out = -1;
		return;
	}
	for (ssize_t i = 0; i < n && r->kept_bytes + 1 < r->kept_room; i++)
		r->kept[r->kept_bytes++] = buf[i] ? buf[i] : '?';
}

/* Until the output ends and the process has gone, or the time is over. */
static int follow(struct run *r, pid_t pid, unsigned timeout_s, const atomic_bool *cancel)
{
	uint64_t end = now_ms() + timeout_s * UINT64_C(1000);
	_cleanup_(closep) int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	bool killed = false, cancelled = false;
	int status;
	for (bool gone = false; !gone;) {
		struct pollfd fds[] = { { r->in, POLLOUT, 0 }, { r->out, POLLIN, 0 }, { pidfd, POLLIN, 0 } };
		uint64_t now = now_ms();
		cancelled |= !killed && cancel && atomic_load(cancel);
		if ((now >= end || cancelled) && !killed) {
			kill(pid, SIGKILL);
			killed = true;
		}
		if (poll(fds, 3, killed ? 1000 : cancel && end - now > 200 ? 200 : (int)(end - now)) < 0 && errno != EINTR)
			break;
		if (fds[0].revents)
			feed(r);
		if (fds[1].revents)
			drain(r);
		else if (fds[2].revents || pidfd < 0)
			gone = true; /* what it left running may hold the pipe: nobody waits for that */
	}
	if (TEMP_FAILURE_RETRY(waitpid(pid, &status, 0)) < 0)
		return -errno;
	if (killed)
		return cancelled ? -ECANCELED : -ETIMEDOUT;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -ECHILD;
}

int keeper_spawn(const struct keeper_run_opts *o)
{
	char path[PATH_MAX];
	int in[2], out[2];
	if (o->out && o->out_bytes)
		o->out[0] = '\0';
	if (!keeper_program(o->argv[0], path)) {
		if (o->out)
			snprintf(o->out, o->out_bytes, "%s is not installed", o->argv[0]);
		return -ENOENT;
	}
	if (pipe2(in, O_CLOEXEC) < 0)
		return -errno;
	if (pipe2(out, O_CLOEXEC) < 0) {
		int e = -errno;
		close(in[0]);
		close(in[1]);
		return e;
	}
	_cleanup_(closep) int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	char *const env[] = { (char *)"PATH=/usr/sbin:/usr/bin:/sbin:/bin", (char *)"LC_ALL=C", (char *)(o->view ? o->view->krb5 : o->env), (char *)(o->view ? o->env : NULL), NULL };
	pid_t pid = fork();
	if (pid == 0)
		child_side(path, o, env, in[0], o->out_fd > 0 ? o->out_fd : out[1], o->stdout_only ? null : out[1]);
	int e = pid < 0 ? -errno : 0;
	close(in[0]);
	close(out[1]);
	struct run r = { .in = in[1], .out = out[0], .input = o->input, .input_left = o->input_bytes, .kept = o->out,
			 .kept_room = o->out ? o->out_bytes : 0 };
	if (e == 0) {
		fcntl(r.in, F_SETFL, O_NONBLOCK);
		fcntl(r.out, F_SETFL, O_NONBLOCK);
		e = follow(&r, pid, o->timeout_s ? o->timeout_s : 60, o->cancel);
	}
	closep(&r.in);
	closep(&r.out);
	if (o->out && o->out_bytes)
		o->out[r.kept_bytes] = '\0';
	return e;
}
