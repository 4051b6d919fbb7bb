/* SPDX-License-Identifier: GPL-3.0-or-later */
/* child.c - one program run to its end: no shell, no descriptor of ours, output bounded, killed with all
 * that it started when its time is over or the order is cancelled. */
#include "acme/acme_priv.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "core/process.h"

/* Keeps the end: that is where the reason stands. */
static void keep_output(struct child *c, const char *p, size_t len)
{
	size_t have = strlen(c->output), room = sizeof(c->output) - 1;

	if (len > room) {
		p += len - room;
		len = room;
	}
	if (have + len > room) {
		memmove(c->output, c->output + (have + len - room), room - len);
		have = room - len;
	}
	memcpy(c->output + have, p, len);
	c->output[have + len] = '\0';
}

static int follow(struct session *s, struct child *c, int fd, pid_t pid, int *ret_status)
{
	uint64_t end = acme_now_ms() + 1000ull * c->timeout_s;
	bool is_open = true;
	char buf[1024];

	for (;;) {
		struct pollfd p = { .fd = is_open ? fd : -1, .events = POLLIN };
		if (poll(&p, 1, 100) > 0) {
			ssize_t n = read(fd, buf, sizeof(buf));
			if (n > 0)
				keep_output(c, buf, (size_t)n);
			else if (n == 0)
				is_open = false;
		} else if (waitpid(pid, ret_status, WNOHANG) == pid) {
			return 0;
		}
		if (!c->ignores_cancel && session_wait(s, 0) < 0)
			return -ECANCELED;
		if (acme_now_ms() > end)
			return -ETIMEDOUT;
	}
}

int child_run(struct session *s, struct child *c)
{
	int pipe_fd[2], status = 0;
	pid_t pid;

	c->output[0] = '\0';
	if (pipe2(pipe_fd, O_CLOEXEC) < 0)
		return -errno;
	int r = process_start(c->path, c->argv, c->envp, (int[]){ -1, pipe_fd[1], pipe_fd[1] }, 3, &pid);
	close(pipe_fd[1]);
	if (r == 0) {
		r = follow(s, c, pipe_fd[0], pid, &status);
		kill(-pid, SIGKILL);             /* what it left behind, too */
		if (r < 0)
			waitpid(pid, NULL, 0);
	}
	close(pipe_fd[0]);
	for (char *p = c->output; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = ' ';
	if (r < 0)
		return r;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
