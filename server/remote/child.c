/* SPDX-License-Identifier: GPL-3.0-or-later */
/* child.c - runs holdfast-remote for one job and hands its frames on.  Used on worker threads. */
#include "remote/remote.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "core/bytes.h"
#include "core/process.h"

#define LAST_WORDS 512

struct remote_child {
	pid_t pid;                       /* 0: the keeper's child, not ours */
	int in, out, err;                /* pipes to it, from it */
	uint64_t rate;
	uint8_t *buf;                    /* a frame that is coming */
	size_t have;
	bool ended;
	char words[LAST_WORDS];          /* what it said last on stderr */
};

/* ---- start ------------------------------------------------------------------------------------------------------------ */
static int start(struct remote_child *c, const struct remote_job *job, char *why, size_t why_bytes)
{
	static const char *const env[] = { "PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8", "HOME=/nonexistent", "SMB_CONF_PATH=/dev/null", "KRB5CCNAME=FILE:/nonexistent/cc", "ASAN_OPTIONS=detect_leaks=0", NULL };
	const char *const argv[] = { "holdfast-remote", NULL };
	int fd[6] = { -1, -1, -1, -1, -1, -1 };          /* in: 0 <- 1; out: 2 <- 3; err: 4 <- 5 */
	char path[PATH_MAX];
	if (job->running_fd > 0) {
		c->pid = 0;
		c->in = fcntl(job->running_fd, F_DUPFD_CLOEXEC, 4);
		c->out = fcntl(job->running_fd, F_DUPFD_CLOEXEC, 4);
		return c->in < 0 || c->out < 0 ? -errno : 0;
	}
	int r = process_find_ours("holdfast-remote", X_OK, path);
	if (r) {
		snprintf(why, why_bytes, "the program holdfast-remote is not installed");
		return r;
	}
	for (int i = 0; !r && i < 6; i += 2)
		if (pipe2(fd + i, O_CLOEXEC))
			r = -errno;
	if (!r)
		r = process_start(path, argv, env, (int[]){ fd[0], fd[3], fd[5], job->dir_fd }, job->dir_fd >= 0 ? 4 : 3, &c->pid);
	for (int i = 0; i < 6; i++) {
		bool ours = i == 1 || i == 2 || i == 4;
		if (fd[i] >= 0 && (r || !ours))
			close(fd[i]);
	}
	if (r) {
		snprintf(why, why_bytes, "holdfast-remote cannot be started: %s", strerror(-r));
		return r;
	}
	c->in = fd[1];
	c->out = fd[2];
	c->err = fd[4];
	return 0;
}

/* ---- orders ------------------------------------------------------------------------------------------------------------- */
/* It may be gone: then its end tells. */
static void say(struct remote_child *c, const char *text, size_t len)
{
	sigset_t pipe_only, old;
	struct timespec zero = { 0 };
	sigemptyset(&pipe_only);
	sigaddset(&pipe_only, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &pipe_only, &old);
	while (len) {
		ssize_t n = write(c->in, text, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		text += n;
		len -= (size_t)n;
	}
	while (sigtimedwait(&pipe_only, NULL, &zero) > 0)
		;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}

void remote_child_go(struct remote_child *c, uint64_t offset_bytes)
{
	char line[40];
	int n = snprintf(line, sizeof(line), "go %llu\n", (unsigned long long)offset_bytes);
	say(c, line, (size_t)n);
}

static void tell_job(struct remote_child *c, const json_t *job)
{
	char *text = json_dumps(job, JSON_COMPACT);
	if (!text)
		return;
	say(c, text, strlen(text));
	say(c, "\n", 1);
	explicit_bzero(text, strlen(text));
	free(text);
}

/* ---- what it says ----------------------------------------------------------------------------------------------------------- */
static void keep_words(struct remote_child *c)
{
	char more[256];
	ssize_t n = read(c->err, more, sizeof(more));
	if (n == 0) {
		close(c->err);
		c->err = -1;
	}
	if (n <= 0)
		return;
	size_t have = strlen(c->words), room = sizeof(c->words) - 1, len = (size_t)n;
	if (have + len > room) {
		memmove(c->words, c->words + (have + len - room), room - len);
		have = room - len;
	}
	for (size_t i = 0; i < len; i++)
		c->words[have + i] = more[i] < 0x20 || more[i] > 0x7e ? ' ' : more[i];
	c->words[have + len] = '\0';
}

/* 1: go on; 0: its end; else an error. */
static int take(struct remote_child *c, const struct remote_job *job, char *why, size_t why_bytes)
{
	ssize_t n = read(c->out, c->buf + c->have, REMOTE_FRAME_MAX_BYTES + 4 - c->have);
	if (n < 0)
		return errno == EINTR ? 1 : -errno;
	if (n == 0)
		return 0;
	c->have += (size_t)n;
	size_t at = 0;
	while (c->have - at >= 5) {
		be32 head;
		memcpy(&head, c->buf + at, 4);
		uint32_t len = be32_get(head);
		if (len < 1 || len > REMOTE_FRAME_MAX_BYTES) {
			snprintf(why, why_bytes, "holdfast-remote says what makes no sense");
			return -EPROTO;
		}
		if (c->have - at - 4 < len)
			break;
		enum remote_frame kind = c->buf[at + 4];
		if ((kind == REMOTE_DATA && len < 9) || (kind == REMOTE_ZERO && len != 17) || c->ended) {
			snprintf(why, why_bytes, "holdfast-remote says what makes no sense");
			return -EPROTO;
		}
		c->ended = kind == REMOTE_END;
		int r = job->frame(job->arg, c, kind, c->buf + at + 5, len - 1);
		if (r)
			return r;
		at += 4 + len;
	}
	memmove(c->buf, c->buf + at, c->have - at);
	c->have -= at;
	return 1;
}

static int follow(struct remote_child *c, const struct remote_job *job, char *why, size_t why_bytes)
{
	for (;;) {
		struct pollfd p[2] = { { .fd = c->out, .events = POLLIN }, { .fd = c->err, .events = POLLIN } };
		int n = poll(p, 2, 100);
		if (n < 0 && errno != EINTR)
			return -errno;
		if (job->is_cancelled && job->is_cancelled(job->arg))
			return -ECANCELED;
		uint64_t rate = job->rate ? job->rate(job->arg) : c->rate;
		if (rate != c->rate) {
			char line[40];
			int len = snprintf(line, sizeof(line), "rate %llu\n", (unsigned long long)rate);
			say(c, line, (size_t)len);
			c->rate = rate;
		}
		if (n > 0 && p[1].revents)
			keep_words(c);
		if (n > 0 && p[0].revents) {
			int r = take(c, job, why, why_bytes);
			if (r <= 0)
				return r;
		}
	}
}

static void end(const struct remote_child *c)
{
	if (c->pid > 0)
		kill(-c->pid, SIGKILL);
	else
		shutdown(c->in, SHUT_RDWR);      /* it notices, and ends */
}

int remote_run(const struct remote_job *job, char *why, size_t why_bytes)
{
	struct remote_child c = { .pid = -1, .in = -1, .out = -1, .err = -1, .rate = (uint64_t)json_integer_value(json_object_get(job->job, "rate")) };
	int status = 0;
	*why = '\0';
	c.buf = malloc(REMOTE_FRAME_MAX_BYTES + 4);
	if (!c.buf)
		return -ENOMEM;
	int r = start(&c, job, why, why_bytes);
	if (!r) {
		tell_job(&c, job->job);
		r = follow(&c, job, why, why_bytes);
		if (r)
			end(&c);
		if (r && !*why)
			snprintf(why, why_bytes, "%s", strerror(-r));
		while (c.err >= 0 && !r && !c.ended)
			keep_words(&c);
		if (!c.ended)
			end(&c);
		while (c.pid > 0 && waitpid(c.pid, &status, 0) < 0 && errno == EINTR)
			;
		if (!r && !c.ended) {
			r = -EIO;
			if (WIFSIGNALED(status))
				snprintf(why, why_bytes, "holdfast-remote broke (signal %d): %.300s", WTERMSIG(status), c.words);
			else
				snprintf(why, why_bytes, "holdfast-remote ended without a result: %.300s", c.words);
		}
		close(c.in);
		close(c.out);
		if (c.err >= 0)
			close(c.err);
	}
	free(c.buf);
	return r;
}
