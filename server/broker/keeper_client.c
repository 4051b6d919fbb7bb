/* SPDX-License-Identifier: GPL-3.0-or-later */
/* keeper_client.c - the daemon's side of the keeper: find it, summon it, ask it. */
#include "broker/keeper.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "broker/broker.h"
#include "broker/keeper_priv.h"
#include "core/fdpass.h"

#define ANSWER_TIMEOUT_S 180             /* longer than the longest program that the keeper waits for */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* one request at a time; guards what follows */
static char folder[PATH_MAX];            /* the state folder */
static int sock = -1;

void keeper_open(const char *state_dir)
{
	pthread_mutex_lock(&lock);
	if (!realpath(state_dir, folder))
		snprintf(folder, sizeof(folder), "%s", state_dir);
	pthread_mutex_unlock(&lock);
}

void keeper_close(void)
{
	pthread_mutex_lock(&lock);
	if (sock >= 0)
		close(sock);
	sock = -1;
	pthread_mutex_unlock(&lock);
}

/* A new connection, or -ENOTCONN. */
static int dial(const char *state_dir)
{
	char place[PATH_MAX];
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	if (!state_dir[0] || keeper_place(state_dir, place, sizeof(place)) < 0)
		return -ENOTCONN;
	_cleanup_(closep) int dir = open(place, O_PATH | O_DIRECTORY | O_CLOEXEC);
	_cleanup_(closep) int s = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (dir < 0 || s < 0)
		return -ENOTCONN;
	/* Through the folder's descriptor: a path may be longer than an address. */
	snprintf(a.sun_path, sizeof(a.sun_path), "/proc/self/fd/%d/keeper.sock", dir);
	if (TEMP_FAILURE_RETRY(connect(s, (struct sockaddr *)&a, sizeof(a))) < 0)
		return -ENOTCONN;
	const struct timeval limit = { ANSWER_TIMEOUT_S, 0 };
	setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	return take_fd(&s);
}

bool keeper_present(pid_t *ret_pid)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);
	pthread_mutex_lock(&lock);
	_cleanup_(closep) int s = dial(folder);
	pthread_mutex_unlock(&lock);
	if (s < 0 || getsockopt(s, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
		return false;
	if (ret_pid)
		*ret_pid = peer.pid;
	return true;
}

/* This binary again, as a keeper that detaches itself; returns when it serves or has failed. */
int keeper_spawn_self(const char *state_dir)
{
	extern char **environ;
	char option[PATH_MAX + 16], exe[PATH_MAX];
	/* Only the daemon is one: a test that has this room in it would become itself again. */
	ssize_t len = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	exe[len < 0 ? 0 : len] = '\0';
	const char *base = strrchr(exe, '/');
	if (!base || strncmp(base, "/holdfastd", 10) != 0)
		return -EPERM;
	snprintf(option, sizeof(option), "--state=%s", state_dir);
	char name[] = "holdfastd", keeper[] = "--keeper", how[] = "HOLDFAST_KEEPER=summoned";
	char *argv[] = { name, keeper, option, NULL };
	/* It lives in the daemon's environment, such as a sanitizer's options in tests. */
	char *env[256];
	size_t n = 0;
	for (size_t i = 0; environ[i] && n < ARRAY_COUNT(env) - 2; i++)
		if (strncmp(environ[i], "HOLDFAST_KEEPER=", 16) != 0)
			env[n++] = environ[i];
	env[n++] = how;
	env[n] = NULL;
	pid_t pid;
	int status, r = -posix_spawn(&pid, "/proc/self/exe", NULL, NULL, argv, env);
	if (r < 0)
		return r;
	if (TEMP_FAILURE_RETRY(waitpid(pid, &status, 0)) < 0)
		return -errno;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -ECHILD;
}

int keeper_summon(char *why, size_t why_bytes)
{
	if (keeper_present(NULL))
		return 0;
	int r = -EPERM;
	if (broker_present())
		r = broker_start_keeper();
	else if (geteuid() == 0 && prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 0)
		r = keeper_spawn_self(folder);
	if (r == 0 || (r == -ECHILD && keeper_present(NULL))) /* two who summon: one of them wins */
		return 0;
	if (r == -ECHILD)
		snprintf(why, why_bytes, "the keeper of shares did not start; the log says why");
	else
		snprintf(why, why_bytes, "shares need a keeper that runs as root: install holdfast-nas and start holdfast-nas.service, or run "
			 "holdfastd --keeper --state %s as root", folder);
	return r == -ECHILD ? -ECHILD : -ENOTCONN;
}

/* op and arguments, each with its NUL. */
static int encode(char *m, size_t bytes, const char *op, const char *const *args, size_t arg_count, size_t *ret_len)
{
	size_t n = 0;
	for (size_t i = 0; i <= arg_count; i++) {
		const char *s = i == 0 ? op : args[i - 1];
		size_t len = strlen(s) + 1;
		if (len > bytes - n)
			return -E2BIG;
		memcpy(m + n, s, len);
		n += len;
	}
	*ret_len = n;
	return 0;
}

static int answer(int s, struct keeper_answer *ret)
{
	struct {
		int32_t result;
		char text[KEEPER_TEXT_BYTES];
	} reply;
	ssize_t n = fdpass_recv(s, &reply, sizeof(reply), &ret->fd);
	if (n == -EAGAIN)
		return -ETIMEDOUT;
	if (n < (ssize_t)sizeof(reply.result))
		return -ENOTCONN;
	size_t text_bytes = (size_t)n - sizeof(reply.result);
	memcpy(ret->text, reply.text, text_bytes);
	ret->text[text_bytes < sizeof(ret->text) ? text_bytes : sizeof(ret->text) - 1] = '\0';
	return reply.result > 0 ? -EIO : reply.result;
}

static int exchange(int s, const char *m, size_t len, int fd, struct keeper_answer *ret)
{
	int r = s < 0 ? -ENOTCONN : fdpass_send(s, m, len, fd);
	return r < 0 ? -ENOTCONN : answer(s, ret);
}

/* An error has words, and no descriptor. */
static int conclude(struct keeper_answer *ret, int r)
{
	if (r < 0 && !ret->text[0])
		snprintf(ret->text, sizeof(ret->text), r == -ENOTCONN ? "the keeper of shares does not run" :
			 r == -ETIMEDOUT ? "the keeper of shares did not answer in time" : "%s", strerror(-r));
	if (r < 0)
		keeper_answer_done(ret);
	return r;
}

int keeper_ask_list(struct keeper_answer *ret, int fd, const char *op, const char *const *args, size_t arg_count)
{
	ret->fd = -1;
	ret->text[0] = '\0';
	size_t len = 0;
	_cleanup_(freep) char *m = malloc(KEEPER_MESSAGE_BYTES);
	int r = m ? encode(m, KEEPER_MESSAGE_BYTES, op, args, arg_count, &len) : -ENOMEM;
	if (r < 0) {
		snprintf(ret->text, sizeof(ret->text), "the request is too long");
		return r;
	}
	pthread_mutex_lock(&lock);
	/* Twice: the keeper may have been replaced since the last request.  Every operation may be asked again. */
	for (int attempt = 0; attempt < 2; attempt++) {
		if (sock < 0)
			sock = dial(folder);
		r = exchange(sock, m, len, fd, ret);
		if (r != -ENOTCONN && r != -ETIMEDOUT)
			break;
		if (sock >= 0)
			close(sock);
		sock = -1;
		if (r == -ETIMEDOUT)
			break;
	}
	pthread_mutex_unlock(&lock);
	explicit_bzero(m, KEEPER_MESSAGE_BYTES);
	return conclude(ret, r);
}

int keeper_ask(struct keeper_answer *ret, int fd, const char *op, ...)
{
	const char *args[KEEPER_ARGS];
	size_t n = 0;
	va_list ap;
	va_start(ap, op);
	for (const char *a; (a = va_arg(ap, const char *)) && n < KEEPER_ARGS;)
		args[n++] = a;
	va_end(ap);
	return keeper_ask_list(ret, fd, op, args, n);
}

/* ---- what takes long has a connection of its own ------------------------------------------------------- */
static pthread_mutex_t long_lock = PTHREAD_MUTEX_INITIALIZER; /* guards what follows */
static int long_socks[16];               /* a descriptor + 1; 0: free */
static bool hung_up;

static int *long_enter(int s)
{
	int *slot = NULL;
	pthread_mutex_lock(&long_lock);
	for (size_t i = 0; i < ARRAY_COUNT(long_socks) && !slot && !hung_up; i++)
		if (!long_socks[i])
			*(slot = &long_socks[i]) = s + 1;
	pthread_mutex_unlock(&long_lock);
	return slot;
}

/* Until there is an answer, or the time is over. */
static void watch(int s, unsigned timeout_s, void (*look)(void *arg), void *arg)
{
	for (uint64_t ms = 0; ms < timeout_s * UINT64_C(1000); ms += 200) {
		struct pollfd p = { .fd = s, .events = POLLIN };
		if (poll(&p, 1, 200) > 0)
			return;
		look(arg);
	}
}

static int ask_long(struct keeper_answer *ret, unsigned timeout_s, int fd, void (*look)(void *arg), void *arg, const char *op, const char *const *args, size_t arg_count)
{
	const struct timeval limit = { timeout_s, 0 };
	ret->fd = -1;
	ret->text[0] = '\0';
	size_t len = 0;
	_cleanup_(freep) char *m = malloc(KEEPER_MESSAGE_BYTES);
	int r = m ? encode(m, KEEPER_MESSAGE_BYTES, op, args, arg_count, &len) : -ENOMEM;
	if (r < 0)
		return conclude(ret, r);
	pthread_mutex_lock(&lock);
	_cleanup_(closep) int s = dial(folder);
	pthread_mutex_unlock(&lock);
	if (s < 0)
		return conclude(ret, s);
	setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	int *slot = long_enter(s);
	if (!slot)
		return conclude(ret, -EBUSY);
	r = fdpass_send(s, m, len, fd) < 0 ? -ENOTCONN : 0;
	if (!r && look)
		watch(s, timeout_s, look, arg);
	r = r ? r : answer(s, ret);
	pthread_mutex_lock(&long_lock);
	*slot = 0;
	pthread_mutex_unlock(&long_lock);
	return conclude(ret, r);
}

int keeper_ask_long_list(struct keeper_answer *ret, unsigned timeout_s, const char *op, const char *const *args, size_t arg_count)
{
	return ask_long(ret, timeout_s, -1, NULL, NULL, op, args, arg_count);
}

int keeper_ask_watched(struct keeper_answer *ret, unsigned timeout_s, int fd, void (*look)(void *arg), void *arg, const char *op, ...)
{
	const char *args[KEEPER_ARGS];
	size_t n = 0;
	va_list ap;
	va_start(ap, op);
	for (const char *a; (a = va_arg(ap, const char *)) && n < KEEPER_ARGS;)
		args[n++] = a;
	va_end(ap);
	return ask_long(ret, timeout_s, fd, look, arg, op, args, n);
}

int keeper_ask_long(struct keeper_answer *ret, unsigned timeout_s, const char *op, ...)
{
	const char *args[KEEPER_ARGS];
	size_t n = 0;
	va_list ap;
	va_start(ap, op);
	for (const char *a; (a = va_arg(ap, const char *)) && n < KEEPER_ARGS;)
		args[n++] = a;
	va_end(ap);
	return keeper_ask_long_list(ret, timeout_s, op, args, n);
}

void keeper_hang_up(bool on)
{
	pthread_mutex_lock(&long_lock);
	hung_up = on;
	for (size_t i = 0; i < ARRAY_COUNT(long_socks) && on; i++)
		if (long_socks[i])
			shutdown(long_socks[i] - 1, SHUT_RDWR);
	pthread_mutex_unlock(&long_lock);
}

/* ---- what is long travels as a memfd ------------------------------------------------------------------- */
int keeper_memfd(const char *name, const void *bytes, size_t len_bytes)
{
	_cleanup_(closep) int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return -errno;
	for (size_t done = 0; done < len_bytes;) {
		ssize_t n = TEMP_FAILURE_RETRY(write(fd, (const char *)bytes + done, len_bytes - done));
		if (n < 0)
			return -errno;
		done += (size_t)n;
	}
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0)
		return -errno;
	return take_fd(&fd);
}

char *keeper_read_fd(int fd, size_t max_bytes, size_t *ret_len_bytes)
{
	struct stat st;
	if (fd < 0 || fstat(fd, &st) < 0 || st.st_size < 0 || (uint64_t)st.st_size > max_bytes)
		return NULL;
	size_t want = (size_t)st.st_size, got = 0;
	_cleanup_(freep) char *text = malloc(want + 1);
	while (text && got < want) {
		ssize_t n = TEMP_FAILURE_RETRY(pread(fd, text + got, want - got, (off_t)got));
		if (n < 0)
			return NULL;
		if (n == 0)
			break;
		got += (size_t)n;
	}
	if (!text)
		return NULL;
	text[got] = '\0';
	if (ret_len_bytes)
		*ret_len_bytes = got;
	return TAKE(text);
}

/* ---- events -------------------------------------------------------------------------------------------- */
int keeper_events_open(void)
{
	static const char request[] = "events";
	char reply[KEEPER_TEXT_BYTES];
	int stray = -1;
	pthread_mutex_lock(&lock);
	_cleanup_(closep) int s = dial(folder);
	pthread_mutex_unlock(&lock);
	if (s < 0)
		return s;
	if (fdpass_send(s, request, sizeof(request), -1) < 0 || fdpass_recv(s, reply, sizeof(reply), &stray) < 4)
		return -ENOTCONN;
	closep(&stray);
	int32_t result;
	memcpy(&result, reply, sizeof(result));
	if (result < 0)
		return result;
	if (fcntl(s, F_SETFL, O_NONBLOCK) < 0)
		return -errno;
	return take_fd(&s);
}

ssize_t keeper_events_read(int fd, char *buf, size_t buf_bytes, struct keeper_event *ret)
{
	_cleanup_(closep) int stray = -1;
	ssize_t n = fdpass_recv(fd, buf, buf_bytes - 1, &stray);
	if (n <= 0)
		return n;
	buf[n] = '\0';
	/* kind NUL child NUL text */
	const char *end = buf + n, *child = memchr(buf, '\0', (size_t)n), *text = child ? memchr(child + 1, '\0', (size_t)(end - child - 1)) : NULL;
	if (!text)
		return -EBADMSG;
	*ret = (struct keeper_event){ .kind = buf, .child = child + 1, .text = text + 1 };
	return n;
}
