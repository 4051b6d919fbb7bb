/* SPDX-License-Identifier: GPL-3.0-or-later */
/* relay.c - holdfast-remote in two processes while it copies a tree: one speaks to the foreign server and may do nothing else,
 * the other writes the files and believes nothing of what the first one hands over.
 *
 * The one that writes asks (struct ask, a path), the other answers (struct answer, bytes); one question at a time.  Both are
 * one program, forked, so the structs need no other order of bytes. */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "remote/worker_priv.h"

enum what { HELLO, OPEN_DIR, READ_DIR, CLOSE_DIR, OPEN, READ, CLOSE, READ_LINK, ACL };
struct ask {
	uint32_t what, path_bytes;
	uint64_t handle, offset, bytes;
};
struct answer {
	int64_t result;
	uint64_t handle, bytes;
};
struct features {
	bool has_owners, has_inodes, has_acl, has_links;
};
struct named {
	struct stat st;
	char name[NAME_MAX + 2];
};
#define ANSWER_BYTES_MAX (1u << 20)

/* 0, or -EPIPE: the other one has gone. */
static int move(int sock, bool out, void *data, size_t len)
{
	for (char *p = data; len;) {
		ssize_t n = out ? send(sock, p, len, MSG_NOSIGNAL) : recv(sock, p, len, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -EPIPE;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

/* ---- who speaks to the server ----------------------------------------------------------------------------------------- */
static int serve_sock = -1;

void relay_serve_on(int sock)
{
	serve_sock = sock;
}

static void reply(int64_t result, void *handle, void *data, size_t len)
{
	struct answer a = { .result = result, .handle = (uintptr_t)handle, .bytes = len };
	if (move(serve_sock, true, &a, sizeof(a)) || move(serve_sock, true, data, len))
		_exit(0);                /* it has all it wants, or is gone */
}

static void serve_one(const struct tree_source *s, const struct ask *q, const char *path, uint8_t *buf)
{
	void *handle = (void *)(uintptr_t)q->handle;
	struct features f = { .has_owners = s->has_owners, .has_inodes = s->has_inodes, .has_acl = s->acl, .has_links = s->read_link };
	long n;
	int r;
	switch ((enum what)q->what) {
	case HELLO:
		reply(0, NULL, &f, sizeof(f));
		break;
	case OPEN_DIR:
	case OPEN:
		handle = NULL;
		r = (q->what == OPEN ? s->open : s->open_dir)(s->arg, path, &handle);
		reply(r, handle, NULL, 0);
		break;
	case READ_DIR: {
		struct named one;
		memset(&one, 0, sizeof(one));
		r = s->read_dir(s->arg, handle, one.name, sizeof(one.name), &one.st);
		reply(r, NULL, &one, r == 1 ? sizeof(one) : 0);
		break;
	}
	case CLOSE_DIR:
		s->close_dir(s->arg, handle);
		reply(0, NULL, NULL, 0);
		break;
	case CLOSE:
		s->close(s->arg, handle);
		reply(0, NULL, NULL, 0);
		break;
	case READ:
		n = s->read(s->arg, handle, q->offset, buf, q->bytes < ANSWER_BYTES_MAX ? (size_t)q->bytes : ANSWER_BYTES_MAX);
		reply(n, NULL, buf, n > 0 ? (size_t)n : 0);
		break;
	case READ_LINK:
		r = s->read_link(s->arg, path, (char *)buf, PATH_MAX);
		reply(r, NULL, buf, r ? 0 : PATH_MAX);
		break;
	case ACL:
		r = s->acl(s->arg, path, q->bytes, (struct tree_acls *)buf);
		reply(r, NULL, buf, r ? 0 : sizeof(struct tree_acls));
		break;
	}
}

void relay_serve(const struct tree_source *s)
{
	char path[PATH_MAX];
	uint8_t *buf = calloc(1, ANSWER_BYTES_MAX);
	struct ask q;
	while (buf && !move(serve_sock, false, &q, sizeof(q)) && q.path_bytes < sizeof(path) && !move(serve_sock, false, path, q.path_bytes)) {
		path[q.path_bytes] = '\0';
		serve_one(s, &q, path, buf);
	}
	_exit(0);
}

/* ---- who writes ---------------------------------------------------------------------------------------------------------- */
static struct {
	int sock;
	pid_t pid;
} other;

/* It has told its end itself, or it broke. */
static void __attribute__((noreturn)) other_is_gone(void)
{
	int status = 0;
	kill(other.pid, SIGTERM);
	while (waitpid(other.pid, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		_exit(0);
	out_end(false, "the process that speaks to the server broke (%s %d)", WIFSIGNALED(status) ? "signal" : "status", WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
}

/* The answer's result; room: of data, all of which is overwritten or zeroed. */
static int64_t ask(enum what what, const char *path, uint64_t handle, uint64_t offset, uint64_t bytes, void *data, size_t room, uint64_t *ret_handle)
{
	struct ask q = { .what = what, .path_bytes = (uint32_t)strlen(path), .handle = handle, .offset = offset, .bytes = bytes };
	struct answer a;
	if (move(other.sock, true, &q, sizeof(q)) || move(other.sock, true, (char *)path, q.path_bytes) || move(other.sock, false, &a, sizeof(a)) || a.bytes > room ||
	    move(other.sock, false, data, (size_t)a.bytes))
		other_is_gone();
	if (room > a.bytes && what != READ)
		memset((char *)data + a.bytes, 0, room - (size_t)a.bytes);
	if (ret_handle)
		*ret_handle = a.handle;
	if (a.result < -4095 || a.result > (int64_t)ANSWER_BYTES_MAX || (what == READ && a.result > 0 && (uint64_t)a.result != a.bytes))
		return -EPROTO;
	return a.result;
}

static int far_open_dir(void *arg, const char *path, void **ret_dir)
{
	uint64_t handle;
	(void)arg;
	int r = (int)ask(OPEN_DIR, path, 0, 0, 0, NULL, 0, &handle);
	*ret_dir = (void *)(uintptr_t)handle;
	return r > 0 ? -EPROTO : r;
}

static int far_open(void *arg, const char *path, void **ret_file)
{
	uint64_t handle;
	(void)arg;
	int r = (int)ask(OPEN, path, 0, 0, 0, NULL, 0, &handle);
	*ret_file = (void *)(uintptr_t)handle;
	return r > 0 ? -EPROTO : r;
}

static int far_read_dir(void *arg, void *dir, char *name, size_t name_bytes, struct stat *ret_st)
{
	struct named one;
	(void)arg;
	int r = (int)ask(READ_DIR, "", (uintptr_t)dir, 0, 0, &one, sizeof(one), NULL);
	one.name[sizeof(one.name) - 1] = '\0';
	snprintf(name, name_bytes, "%s", one.name);
	*ret_st = one.st;
	if (one.st.st_size < 0)
		ret_st->st_size = 0;
	if (one.st.st_mtim.tv_nsec < 0 || one.st.st_mtim.tv_nsec > 999999999)
		ret_st->st_mtim.tv_nsec = 0;
	if (one.st.st_atim.tv_nsec < 0 || one.st.st_atim.tv_nsec > 999999999)
		ret_st->st_atim.tv_nsec = 0;
	return r > 1 ? -EPROTO : r;
}

static void far_close_dir(void *arg, void *dir)
{
	(void)arg;
	(void)ask(CLOSE_DIR, "", (uintptr_t)dir, 0, 0, NULL, 0, NULL);
}

static void far_close(void *arg, void *file)
{
	(void)arg;
	(void)ask(CLOSE, "", (uintptr_t)file, 0, 0, NULL, 0, NULL);
}

static long far_read(void *arg, void *file, uint64_t offset, void *buf, size_t bytes)
{
	(void)arg;
	return (long)ask(READ, "", (uintptr_t)file, offset, bytes, buf, bytes, NULL);
}

static int far_read_link(void *arg, const char *path, char *buf, size_t bytes)
{
	char to[PATH_MAX];
	(void)arg;
	int r = (int)ask(READ_LINK, path, 0, 0, 0, to, sizeof(to), NULL);
	to[sizeof(to) - 1] = '\0';
	snprintf(buf, bytes, "%s", to);
	return r > 0 ? -EPROTO : r;
}

static int far_acl(void *arg, const char *path, bool with_sids, struct tree_acls *ret)
{
	(void)arg;
	int r = (int)ask(ACL, path, 0, 0, with_sids, ret, sizeof(*ret), NULL);
	ret->owner[sizeof(ret->owner) - 1] = ret->group[sizeof(ret->group) - 1] = '\0';
	if (ret->count > TREE_ACLS_MAX)
		return -EPROTO;
	for (size_t i = 0; i < ret->count; i++) {
		struct tree_acl *x = &ret->entry[i];
		x->who[sizeof(x->who) - 1] = x->sid[sizeof(x->sid) - 1] = '\0';
		x->rights &= 7;
	}
	return r > 0 ? -EPROTO : r;
}

void relay_source(int sock, pid_t pid, struct tree_source *ret)
{
	struct features f;
	other.sock = sock;
	other.pid = pid;
	(void)ask(HELLO, "", 0, 0, 0, &f, sizeof(f), NULL);
	*ret = (struct tree_source){ .has_owners = f.has_owners, .has_inodes = f.has_inodes, .open_dir = far_open_dir, .read_dir = far_read_dir, .close_dir = far_close_dir,
				     .open = far_open, .read = far_read, .close = far_close, .read_link = f.has_links ? far_read_link : NULL, .acl = f.has_acl ? far_acl : NULL };
}
