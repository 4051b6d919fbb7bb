/* SPDX-License-Identifier: GPL-3.0-or-later */
/* keeper_child.c - the servers that the keeper keeps: started, watched, started again with a growing delay when they die,
 * stopped when nobody wants them.
 *
 * A wanted server has a file run/NAME.child: its pid and when that process started.  It is written before the program
 * runs, so whatever becomes of the keeper, the next one finds every server: it adopts those that live and starts those that
 * do not. */
#include "broker/domain_priv.h"

#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#define STEADY_MS 20000                  /* who ran so long did not die at once: the delay starts anew */
#define STOP_MS 15000                    /* until a server that was asked to end is killed */
static const unsigned delays_ms[] = { 50, 200, 500, 1000, 2000, 5000, 10000, 30000 };

struct child {
	const struct keeper_kind *kind;
	enum keeper_child_state state;
	bool wanted;
	pid_t pid;
	int pidfd;
	unsigned deaths, restarts;       /* deaths in a row; starts after a death, in all */
	uint64_t started_ms, again_ms, kill_ms;
	time_t since;
	char reason[256];
};
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards children */
static pthread_cond_t moved = PTHREAD_COND_INITIALIZER;
static struct child children[KEEPER_KINDS_MAX];

static uint64_t now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static const char *const state_names[] = { [KEEPER_STOPPED] = "stopped", [KEEPER_STARTING] = "starting", [KEEPER_RUNNING] = "running",
					   [KEEPER_WAITING] = "waiting", [KEEPER_STOPPING] = "stopping" };

static struct child *child_of(const struct keeper_kind *k)
{
	for (size_t i = 0; i < KEEPER_KINDS_MAX; i++)
		if (children[i].kind == k)
			return &children[i];
	return NULL;
}

/* ---- the file that outlives us ------------------------------------------------------------------------------ */
/* When a process started, in ticks since boot: with its pid, its identity.  proc(5), field 22. */
static uint64_t start_time(pid_t pid)
{
	char path[64], buf[1024];
	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	_cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : TEMP_FAILURE_RETRY(read(fd, buf, sizeof(buf) - 1));
	if (n <= 0)
		return 0;
	buf[n] = '\0';
	const char *p = strrchr(buf, ')'); /* the name may hold anything */
	unsigned long long t = 0;
	return p && sscanf(p + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu", &t) == 1 ? t : 0;
}

static void forget(const struct child *c)
{
	char path[PATH_MAX];
	unlink(keeper_path(path, "run/%s.child", c->kind->name));
}

static int note(const struct child *c)
{
	char below[128], text[64];
	snprintf(below, sizeof(below), "run/%s.child", c->kind->name);
	int n = snprintf(text, sizeof(text), "%d %llu\n", (int)c->pid, (unsigned long long)start_time(c->pid));
	return keeper_write(below, text, (size_t)n, 0600, NULL);
}

/* Is this process the program of that kind?  Its pid may have been given to another. */
static bool runs_program(pid_t pid, const struct keeper_kind *k)
{
	char path[64], exe[PATH_MAX];
	snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
	ssize_t n = readlink(path, exe, sizeof(exe) - 1);
	if (n <= 0)
		return false;
	exe[n] = '\0';
	const char *base = strrchr(exe, '/');
	for (size_t i = 0; base && k->programs[i]; i++) {
		size_t len = strlen(k->programs[i]);
		/* An upgrade of the package leaves " (deleted)" behind it. */
		if (strncmp(base + 1, k->programs[i], len) == 0 && (!base[1 + len] || base[1 + len] == ' '))
			return true;
	}
	return base && k->runs_as && strncmp(base + 1, k->runs_as, strlen(k->runs_as)) == 0;
}

/* ---- starting ------------------------------------------------------------------------------------------------ */
/* After fork in a process with threads: system calls only.  Waits until its pid is noted. */
static void __attribute__((noreturn)) child_side(const struct keeper_kind *k, const struct keeper_view *view, const char *path, char *const *argv, char *const *env, const char *instead,
						 int gate, int log, const struct passwd *as)
{
	char go;
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	setsid();
	if (read(gate, &go, 1) != 1)
		_exit(126);
	dup2(log, 1);
	dup2(log, 2);
	if (k->files) {
		const struct rlimit l = { k->files, k->files };
		setrlimit(RLIMIT_NOFILE, &l);
	}
	if (k->memory_bytes) {
		const struct rlimit l = { k->memory_bytes, k->memory_bytes };
		setrlimit(RLIMIT_DATA, &l);
	}
	const struct rlimit no_core = { 0, 0 };
	setrlimit(RLIMIT_CORE, &no_core);
	syscall(SYS_close_range, 3u, ~0u, 0u);
	/* What is mounted later is seen there, too. */
	if (k->instead && (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0 || mount(instead, k->instead_of, NULL, MS_BIND, NULL) < 0))
		_exit(125);
	umask(022);
	if (view && keeper_view_enter(view) < 0)
		_exit(125);
	/* The system's calls, not the library's, which would speak to threads that are not here. */
	if (as && (syscall(SYS_setgroups, 0, NULL) < 0 || syscall(SYS_setresgid, as->pw_gid, as->pw_gid, as->pw_gid) < 0 ||
		   syscall(SYS_setresuid, as->pw_uid, as->pw_uid, as->pw_uid) < 0))
		_exit(125);
	execve(path, argv, env);
	_exit(127);
}

static int spawn(struct child *c)
{
	const char *argv[24] = { 0 };
	char *env[16] = { (char *)"PATH=/usr/sbin:/usr/bin:/sbin:/bin", (char *)"LC_ALL=C" };
	char buf[PATH_MAX * 2], path[PATH_MAX], log_path[PATH_MAX], instead[PATH_MAX];
	int gate[2];
	size_t p = 0;
	while (c->kind->programs[p] && !keeper_program(c->kind->programs[p], path))
		p++;
	if (!c->kind->programs[p]) {
		snprintf(c->reason, sizeof(c->reason), "%s is not installed", c->kind->programs[0]);
		return -ENOENT;
	}
	struct passwd as, *found = NULL;
	char as_buf[2048];
	if (c->kind->user && (getpwnam_r(c->kind->user, &as, as_buf, sizeof(as_buf), &found) != 0 || !found)) {
		snprintf(c->reason, sizeof(c->reason), "there is no user %s to run it", c->kind->user);
		return -ENOENT;
	}
	if (c->kind->prepare)
		c->kind->prepare();
	argv[0] = c->kind->programs[p];
	int r = c->kind->argv(argv + 1, ARRAY_COUNT(argv) - 2, buf, sizeof(buf), c->reason, sizeof(c->reason));
	if (r < 0)
		return r;
	size_t envs = 2;
	const char *const *more = c->kind->env ? c->kind->env() : NULL;
	for (size_t i = 0; more && more[i] && envs < ARRAY_COUNT(env) - 2; i++)
		env[envs++] = (char *)more[i];
	struct domain domain;
	_cleanup_(freep) struct keeper_view *view = c->kind->in_domain && keeper_domain(&domain) ? malloc(sizeof(*view)) : NULL;
	if (view) {
		r = keeper_view_prepare(view, c->reason, sizeof(c->reason));
		if (r < 0)
			return r;
		env[envs++] = view->krb5;
	}
	_cleanup_(closep) int log = open(keeper_path(log_path, "log/%s.log", c->kind->name), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (log < 0 || pipe2(gate, O_CLOEXEC) < 0)
		return -errno;
	keeper_path(instead, "%s", c->kind->instead ? c->kind->instead : "");
	pid_t pid = fork();
	if (pid == 0) {
		close(gate[1]);
		child_side(c->kind, view, path, (char *const *)argv, env, instead, gate[0], log, found);
	}
	r = pid < 0 ? -errno : 0;
	close(gate[0]);
	if (r == 0) {
		c->pid = pid;
		c->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
		r = c->pidfd < 0 ? -errno : note(c);
		if (r == 0 && write(gate[1], "g", 1) != 1)
			r = -EIO;
	}
	close(gate[1]);
	if (r < 0 && pid > 0) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		closep(&c->pidfd);
		c->pidfd = -1;
		c->pid = 0;
	}
	if (r < 0)
		snprintf(c->reason, sizeof(c->reason), "cannot start %s: %s", argv[0], strerror(-r));
	return r;
}

/* By its descriptor: the pid of one that was adopted is not ours to bury, and may be another's by now. */
static int tell(const struct child *c, int signal)
{
	return syscall(SYS_pidfd_send_signal, c->pidfd, signal, NULL, 0u) < 0 ? -errno : 0;
}

static void move(struct child *c, enum keeper_child_state s)
{
	c->state = s;
	pthread_cond_broadcast(&moved);
}

static void wait_to_start(struct child *c)
{
	unsigned n = c->deaths < ARRAY_COUNT(delays_ms) ? c->deaths : ARRAY_COUNT(delays_ms) - 1;
	c->again_ms = now_ms() + delays_ms[n];
	c->deaths++;
	move(c, KEEPER_WAITING);
}

static void start_locked(struct child *c)
{
	int r = spawn(c);
	if (r < 0) {
		log_error(&log_keeper, "cannot start a server", "server=%s reason=\"%s\" again_ms=%u", c->kind->name, c->reason,
			  delays_ms[c->deaths < ARRAY_COUNT(delays_ms) ? c->deaths : ARRAY_COUNT(delays_ms) - 1]);
		wait_to_start(c);
		return;
	}
	c->started_ms = now_ms();
	c->since = time(NULL);
	move(c, c->kind->ready ? KEEPER_STARTING : KEEPER_RUNNING);
	log_info(&log_keeper, "server started", "server=%s pid=%d", c->kind->name, (int)c->pid);
	keeper_push("started", c->kind->name, "");
}

/* What a keeper before us left: adopted when it lives, started when it does not. */
void keeper_children_adopt(void)
{
	pthread_mutex_lock(&lock);
	for (size_t i = 0; keeper_kind_at(i) && i < KEEPER_KINDS_MAX; i++) {
		struct child *c = &children[i];
		char path[PATH_MAX], text[64] = "";
		int pid = 0;
		unsigned long long t = 0;
		*c = (struct child){ .kind = keeper_kind_at(i), .pidfd = -1 };
		_cleanup_(closep) int fd = open(keeper_path(path, "run/%s.child", c->kind->name), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
		if (fd < 0)
			continue;
		c->wanted = true;
		ssize_t n = read(fd, text, sizeof(text) - 1);
		int pidfd = -1;
		if (n > 0 && sscanf(text, "%d %llu", &pid, &t) == 2 && pid > 1)
			pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
		if (pidfd >= 0 && t && start_time(pid) == t && runs_program(pid, c->kind)) {
			c->pid = pid;
			c->pidfd = pidfd;
			c->started_ms = now_ms();
			c->since = time(NULL);
			move(c, KEEPER_RUNNING);
			log_info(&log_keeper, "server adopted", "server=%s pid=%d", c->kind->name, pid);
			continue;
		}
		closep(&pidfd);
		start_locked(c);
	}
	pthread_mutex_unlock(&lock);
}

/* ---- watching, on the main thread ------------------------------------------------------------------------------ */
static void buried(struct child *c)
{
	int status = 0;
	bool ours = TEMP_FAILURE_RETRY(waitpid(c->pid, &status, WNOHANG)) == c->pid;
	char how[64];
	snprintf(how, sizeof(how), !ours ? "ended" : WIFSIGNALED(status) ? "killed by signal %d" : "ended with status %d",
		 WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	close(c->pidfd);
	c->pidfd = -1;
	pid_t pid = c->pid;
	c->pid = 0;
	if (!c->wanted) {
		if (c->kind->stopped)
			c->kind->stopped();
		forget(c);
		c->reason[0] = '\0';
		move(c, KEEPER_STOPPED);
		log_info(&log_keeper, "server stopped", "server=%s pid=%d how=\"%s\"", c->kind->name, (int)pid, how);
		keeper_push("stopped", c->kind->name, how);
		return;
	}
	if (now_ms() - c->started_ms > STEADY_MS)
		c->deaths = 0;
	c->restarts++;
	snprintf(c->reason, sizeof(c->reason), "%s; its log is %s", how, c->kind->log ? c->kind->log : "log/");
	log_warn(&log_keeper, "server died, starting it again", "server=%s pid=%d how=\"%s\" deaths=%u", c->kind->name, (int)pid, how, c->deaths + 1);
	keeper_push(c->deaths >= 5 ? "failed" : "died", c->kind->name, how);
	wait_to_start(c);
}

size_t keeper_children_fds(struct pollfd *fds, size_t room, int *timeout_ms)
{
	size_t n = 0;
	uint64_t now = now_ms();
	pthread_mutex_lock(&lock);
	for (size_t i = 0; i < KEEPER_KINDS_MAX && n < room; i++) {
		const struct child *c = &children[i];
		uint64_t due = c->state == KEEPER_WAITING ? c->again_ms : c->state == KEEPER_STOPPING ? c->kill_ms : 0;
		if (c->pidfd >= 0 && c->kind)
			fds[n++] = (struct pollfd){ c->pidfd, POLLIN, 0 };
		if (due && (*timeout_ms < 0 || due < now + (uint64_t)*timeout_ms))
			*timeout_ms = due > now ? (int)(due - now) : 0;
	}
	pthread_mutex_unlock(&lock);
	return n;
}

void keeper_children_turn(void)
{
	uint64_t now = now_ms();
	pthread_mutex_lock(&lock);
	for (size_t i = 0; i < KEEPER_KINDS_MAX; i++) {
		struct child *c = &children[i];
		struct pollfd p = { c->pidfd, POLLIN, 0 };
		if (!c->kind)
			continue;
		if (c->pidfd >= 0 && poll(&p, 1, 0) == 1)
			buried(c);
		if (c->state == KEEPER_WAITING && now >= c->again_ms) {
			start_locked(c);
			if (c->state != KEEPER_WAITING)
				keeper_push("back", c->kind->name, "");
		}
		if (c->state == KEEPER_STOPPING && now >= c->kill_ms && c->pid > 0) {
			log_warn(&log_keeper, "server does not stop, killing it", "server=%s pid=%d", c->kind->name, (int)c->pid);
			(void)tell(c, SIGKILL);
			c->kill_ms = now + STOP_MS;
		}
	}
	pthread_mutex_unlock(&lock);
}

/* ---- asked by operations ----------------------------------------------------------------------------------------- */
static void after_ms(struct timespec *t, unsigned ms)
{
	clock_gettime(CLOCK_REALTIME, t);
	t->tv_sec += ms / 1000;
	t->tv_nsec += (long)(ms % 1000) * 1000000;
	if (t->tv_nsec >= 1000000000) {
		t->tv_sec++;
		t->tv_nsec -= 1000000000;
	}
}

/* Asks the server whether it serves, without the lock: that may take a moment. */
static bool settle(struct child *c)
{
	bool ok = c->kind->ready();
	pthread_mutex_lock(&lock);
	if (ok && c->state == KEEPER_STARTING)
		move(c, KEEPER_RUNNING);
	ok = c->state == KEEPER_RUNNING;
	pthread_mutex_unlock(&lock);
	return ok;
}

int keeper_child_start(const struct keeper_kind *k, char *why, size_t why_bytes)
{
	struct child *c = child_of(k);
	pthread_mutex_lock(&lock);
	c->wanted = true;
	if (c->state == KEEPER_STOPPED || c->state == KEEPER_WAITING) {
		c->deaths = 0;
		start_locked(c);
		keeper_look_again();
	}
	pthread_mutex_unlock(&lock);
	const uint64_t end = now_ms() + 30000;
	for (;;) {
		pthread_mutex_lock(&lock);
		enum keeper_child_state s = c->state;
		unsigned deaths = c->deaths;
		snprintf(why, why_bytes, "%s", c->reason);
		pthread_mutex_unlock(&lock);
		if (s == KEEPER_RUNNING || (s == KEEPER_STARTING && settle(c)))
			return 0;
		if ((s == KEEPER_WAITING && deaths >= 3) || now_ms() > end || s == KEEPER_STOPPED)
			return -EIO;
		const struct timespec beat = { 0, 50000000 };
		nanosleep(&beat, NULL);
	}
}

int keeper_child_stop(const struct keeper_kind *k)
{
	struct child *c = child_of(k);
	struct timespec end;
	int r = 0;
	after_ms(&end, 2 * STOP_MS + 5000);
	pthread_mutex_lock(&lock);
	c->wanted = false;
	if (c->pid > 0 && c->state != KEEPER_STOPPING) {
		c->kill_ms = now_ms() + STOP_MS;
		(void)tell(c, k->stop_signal ? (int)k->stop_signal : SIGTERM);
		move(c, KEEPER_STOPPING);
	} else if (c->pid == 0) {
		forget(c);
		move(c, KEEPER_STOPPED);
	}
	keeper_look_again();
	while (c->state == KEEPER_STOPPING && r == 0)
		r = -pthread_cond_timedwait(&moved, &lock, &end);
	pthread_mutex_unlock(&lock);
	return r;
}

int keeper_child_signal(const struct keeper_kind *k, int signal)
{
	struct child *c = child_of(k);
	pthread_mutex_lock(&lock);
	int r = c->pid > 0 ? tell(c, signal) : -ESRCH;
	pthread_mutex_unlock(&lock);
	return r;
}

pid_t keeper_child_pid(const struct keeper_kind *k)
{
	struct child *c = child_of(k);
	pthread_mutex_lock(&lock);
	pid_t pid = c->pid;
	pthread_mutex_unlock(&lock);
	return pid;
}

int keeper_children_end(void)
{
	int r = 0;
	for (size_t i = 0; keeper_kind_at(i); i++) {
		int one = keeper_child_stop(keeper_kind_at(i));
		r = one < 0 ? one : r;
	}
	return r;
}

static void *end_thread(void *arg)
{
	*(int *)arg = keeper_children_end();
	keeper_look_again();
	return arg;
}

int keeper_children_end_alone(void)
{
	pthread_t t;
	int result = 1, r = -pthread_create(&t, NULL, end_thread, &result);
	if (r < 0)
		return r;
	while (keeper_children_any()) {
		struct pollfd fds[KEEPER_KINDS_MAX];
		int timeout_ms = 200;
		size_t n = keeper_children_fds(fds, KEEPER_KINDS_MAX, &timeout_ms);
		poll(fds, (nfds_t)n, timeout_ms);
		keeper_children_turn();
	}
	pthread_join(t, NULL);
	return result;
}

bool keeper_children_any(void)
{
	bool any = false;
	pthread_mutex_lock(&lock);
	for (size_t i = 0; i < KEEPER_KINDS_MAX; i++)
		any |= children[i].kind && (children[i].wanted || children[i].pid > 0);
	pthread_mutex_unlock(&lock);
	return any;
}

/* One line each: NAME STATE PID SINCE RESTARTS REASON */
void keeper_children_describe(char *buf, size_t bytes)
{
	size_t n = 0;
	buf[0] = '\0';
	pthread_mutex_lock(&lock);
	for (size_t i = 0; i < KEEPER_KINDS_MAX && children[i].kind && n < bytes; i++) {
		const struct child *c = &children[i];
		n += (size_t)snprintf(buf + n, bytes - n, "%s %s %d %lld %u %s\n", c->kind->name, state_names[c->state], (int)c->pid,
				      (long long)(c->pid ? c->since : 0), c->restarts, c->state == KEEPER_WAITING ? c->reason : "");
	}
	pthread_mutex_unlock(&lock);
}
