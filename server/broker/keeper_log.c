/* SPDX-License-Identifier: GPL-3.0-or-later */
/* keeper_log.c - follows what the servers log and pushes it, line by line, to the daemon.
 * The logs are files, so nothing is lost while no daemon listens or the keeper is replaced: run/NAME.pos says how
 * far a listener has got.  A server that logs to its output gets a file of ours, cut when it has grown and was read. */
#include "broker/keeper_priv.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#define LINE_BYTES 4096
#define CUT_BYTES (4u << 20)

struct follow {
	const struct keeper_kind *kind;
	const char *suffix;              /* of run/NAME.SUFFIX */
	char path[PATH_MAX];
	bool ours;                       /* its output, which we may cut */
	int fd;
	ino_t ino;
	off_t at, noted;
};
static struct follow follows[2 * KEEPER_KINDS_MAX];
static size_t follow_count;
static int watch_fd = -1;

static void add(const struct keeper_kind *k, const char *suffix, const char *below, bool ours)
{
	struct follow *f = &follows[follow_count++];
	char path[PATH_MAX], text[64] = "";
	unsigned long long ino = 0;
	long long at = 0;
	*f = (struct follow){ .kind = k, .suffix = suffix, .ours = ours, .fd = -1 };
	keeper_path(f->path, "%s", below);
	_cleanup_(closep) int fd = open(keeper_path(path, "run/%s.%s", k->name, suffix), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd >= 0 && read(fd, text, sizeof(text) - 1) > 0 && sscanf(text, "%llu %lld", &ino, &at) == 2 && at >= 0) {
		f->ino = (ino_t)ino;
		f->at = f->noted = at;
	}
	char dir[PATH_MAX];
	snprintf(dir, sizeof(dir), "%s", f->path);
	*strrchr(dir, '/') = '\0';
	if (keeper_mkdir(dir + strlen(keeper_dir()) + 1, 0700) == 0)
		inotify_add_watch(watch_fd, dir, IN_MODIFY | IN_CREATE | IN_MOVED_TO);
}

int keeper_logs_start(void)
{
	watch_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (watch_fd < 0)
		return -errno;
	for (size_t i = 0; keeper_kind_at(i) && i < KEEPER_KINDS_MAX; i++) {
		const struct keeper_kind *k = keeper_kind_at(i);
		char below[128];
		snprintf(below, sizeof(below), "log/%s.log", k->name);
		add(k, "output", below, true);
		if (k->log)
			add(k, "pos", k->log, false);
	}
	return watch_fd;
}

void keeper_logs_seen(void)
{
	char buf[4096];
	while (read(watch_fd, buf, sizeof(buf)) > 0)
		;
}

static void note(struct follow *f)
{
	char below[128], text[64];
	if (f->at == f->noted)
		return;
	snprintf(below, sizeof(below), "run/%s.%s", f->kind->name, f->suffix);
	int n = snprintf(text, sizeof(text), "%llu %lld\n", (unsigned long long)f->ino, (long long)f->at);
	if (keeper_write(below, text, (size_t)n, 0600, NULL) == 0)
		f->noted = f->at;
}

/* Opens the file at the path, when it is another than before.  False: there is none. */
static bool reopen(struct follow *f)
{
	struct stat st;
	_cleanup_(closep) int fd = open(f->path, (f->ours ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return false;
	if (f->ino != st.st_ino)
		f->at = 0;
	f->ino = st.st_ino;
	closep(&f->fd);
	f->fd = take_fd(&fd);
	return true;
}

/* Pushes whole lines.  1: there may be more, 0: at the end, -EAGAIN: the listener is full. */
static int pump_some(struct follow *f)
{
	char buf[LINE_BYTES + 1];
	ssize_t n = TEMP_FAILURE_RETRY(pread(f->fd, buf, LINE_BYTES, f->at));
	if (n <= 0)
		return 0;
	char *nl = memrchr(buf, '\n', (size_t)n);
	if (!nl && n < LINE_BYTES)
		return 0; /* half a line: the rest will come */
	size_t whole = nl ? (size_t)(nl - buf) + 1 : (size_t)n;
	for (char *line = buf, *end = buf + whole; line < end;) {
		char *stop = memchr(line, '\n', (size_t)(end - line));
		size_t len = (size_t)((stop ? stop : end) - line);
		char *copy = strndup(line, len);
		int r = copy && len ? keeper_push("log", f->kind->name, copy) : 0;
		free(copy);
		if (r < 0)
			return -EAGAIN;
		f->at += (off_t)(len + (stop ? 1 : 0));
		line += len + (stop ? 1 : 0);
	}
	return 1;
}

static int pump(struct follow *f)
{
	struct stat st, now;
	if (f->fd < 0 && !reopen(f))
		return 0;
	if (fstat(f->fd, &st) == 0 && st.st_size < f->at)
		f->at = 0; /* cut */
	int r;
	while ((r = pump_some(f)) > 0)
		;
	if (r == 0 && stat(f->path, &now) == 0 && now.st_ino != f->ino) {
		/* Renamed away and read to its end: on with the new one. */
		if (reopen(f))
			while ((r = pump_some(f)) > 0)
				;
	}
	if (r == 0 && f->ours && f->at > CUT_BYTES && ftruncate(f->fd, 0) == 0)
		f->at = 0;
	note(f);
	return r;
}

/* The main thread; only while somebody listens.  True: the listener was full, try again soon. */
bool keeper_logs_pump(void)
{
	bool full = false;
	for (size_t i = 0; i < follow_count && !full; i++)
		full = pump(&follows[i]) == -EAGAIN;
	return full;
}
