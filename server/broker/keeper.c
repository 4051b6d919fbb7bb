/* SPDX-License-Identifier: GPL-3.0-or-later */
/* keeper.c - the keeper's life: one process as root beside the daemon.  Its main thread watches the servers and their logs;
 * each connection has a thread that runs requests.
 *
 * SIGTERM ends the keeper and leaves its servers; SIGHUP runs the program again from its file (after an upgrade);
 * the request "end" stops the servers too. */
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>

#include "broker/keeper_priv.h"
#include "broker/space_priv.h"
#include "core/fdpass.h"

#define CONNECTIONS_MAX 32
#define IDLE_END_S 3                     /* a keeper that was summoned and has nothing to keep */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards the listeners and the count */
static int listeners[4] = { -1, -1, -1, -1 };
static unsigned connections;
static int wake_fd = -1;
static bool ending;                      /* guarded by lock */

void keeper_look_again(void)
{
	const uint64_t one = 1;
	if (wake_fd >= 0 && write(wake_fd, &one, sizeof(one)) < 0)
		log_debug(&log_keeper, "cannot wake", "errno=%d", errno);
}

/* ---- listeners ------------------------------------------------------------------------------------------------ */
int keeper_push(const char *kind, const char *child, const char *text)
{
	char m[KEEPER_TEXT_BYTES / 2];
	int n = snprintf(m, sizeof(m), "%s%c%s%c%s", kind, '\0', child, '\0', text);
	size_t len = n < 0 ? 0 : (size_t)n >= sizeof(m) ? sizeof(m) - 1 : (size_t)n;
	int r = 0;
	pthread_mutex_lock(&lock);
	for (size_t i = 0; i < ARRAY_COUNT(listeners); i++)
		if (listeners[i] >= 0 && TEMP_FAILURE_RETRY(send(listeners[i], m, len, MSG_DONTWAIT | MSG_NOSIGNAL)) < 0 && errno == EAGAIN)
			r = -EAGAIN;
	pthread_mutex_unlock(&lock);
	return r;
}

static bool somebody_listens(void)
{
	bool any = false;
	pthread_mutex_lock(&lock);
	for (size_t i = 0; i < ARRAY_COUNT(listeners); i++)
		any |= listeners[i] >= 0;
	pthread_mutex_unlock(&lock);
	return any;
}

static int listen_add(int fd)
{
	int r = -EBUSY;
	pthread_mutex_lock(&lock);
	for (size_t i = 0; i < ARRAY_COUNT(listeners) && r < 0; i++)
		if (listeners[i] < 0) {
			listeners[i] = fd;
			r = 0;
		}
	pthread_mutex_unlock(&lock);
	keeper_look_again();
	return r;
}

static void listen_remove(int fd)
{
	pthread_mutex_lock(&lock);
	for (size_t i = 0; i < ARRAY_COUNT(listeners); i++)
		if (listeners[i] == fd)
			listeners[i] = -1;
	pthread_mutex_unlock(&lock);
}

/* ---- connections ------------------------------------------------------------------------------------------------ */
static int answer(int sock, int result, const struct keeper_request *rq)
{
	struct {
		int32_t result;
		char text[KEEPER_TEXT_BYTES];
	} reply = { .result = result };
	size_t n = strnlen(rq->text, sizeof(reply.text) - 1);
	memcpy(reply.text, rq->text, n);
	return fdpass_send(sock, &reply, sizeof(reply.result) + n + 1, rq->answer_fd);
}

/* One request; false: the peer has gone. */
static bool serve_one(int sock, char *buf, struct keeper_request *rq)
{
	int fd = -1;
	ssize_t n = fdpass_recv(sock, buf, KEEPER_MESSAGE_BYTES, &fd);
	_cleanup_(closep) int came = fd;
	if (n == 0 || (n < 0 && n != -EMSGSIZE))
		return false;
	rq->fd = came;
	int r = 0;
	bool events = n > 0 && (size_t)n == sizeof("events") && memcmp(buf, "events", sizeof("events")) == 0;
	bool end = n > 0 && (size_t)n == sizeof("end") && memcmp(buf, "end", sizeof("end")) == 0;
	rq->answer_fd = -1;
	rq->text[0] = '\0';
	if (n == -EMSGSIZE)
		r = keeper_refuse(rq, -EMSGSIZE, "the message is too long");
	else if (end)
		r = keeper_children_end();
	else if (!events)
		r = keeper_run(buf, (size_t)n, rq);
	bool ok = answer(sock, r, rq) == 0;
	explicit_bzero(buf, n > 0 ? (size_t)n : 0); /* it may have held a password */
	closep(&rq->answer_fd);
	rq->answer_fd = -1;
	if (events && ok && listen_add(sock) == 0) {
		/* It says nothing more; what ends it is its end. */
		while (TEMP_FAILURE_RETRY(recv(sock, buf, 1, 0)) > 0)
			;
		listen_remove(sock);
		return false;
	}
	if (end && ok) {
		pthread_mutex_lock(&lock);
		ending = true;
		pthread_mutex_unlock(&lock);
		keeper_look_again();
	}
	return ok;
}

static void *serve_connection(void *arg)
{
	int sock = (int)(intptr_t)arg;
	char *buf = malloc(KEEPER_MESSAGE_BYTES);
	struct keeper_request *rq = calloc(1, sizeof(*rq));
	while (buf && rq && serve_one(sock, buf, rq))
		;
	free(buf);
	free(rq);
	close(sock);
	pthread_mutex_lock(&lock);
	connections--;
	pthread_mutex_unlock(&lock);
	keeper_look_again();
	return NULL;
}

static void welcome(int listener)
{
	static struct log_limit limit = LOG_LIMIT_INIT;
	struct ucred peer;
	socklen_t len = sizeof(peer);
	pthread_t t;
	_cleanup_(closep) int s = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	if (s < 0 || getsockopt(s, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
		return;
	if (peer.uid != 0 && peer.uid != keeper_daemon_uid()) {
		if (log_limit_ok(&limit, &log_keeper))
			log_warn(&log_keeper, "connection refused", "reason=\"not root, not the daemon's user\" uid=%u pid=%d", peer.uid, peer.pid);
		return;
	}
	pthread_mutex_lock(&lock);
	bool room = connections < CONNECTIONS_MAX;
	connections += room;
	pthread_mutex_unlock(&lock);
	if (!room)
		return;
	pthread_attr_t a;
	pthread_attr_init(&a);
	pthread_attr_setdetachstate(&a, PTHREAD_CREATE_DETACHED);
	if (pthread_create(&t, &a, serve_connection, (void *)(intptr_t)s) == 0) {
		s = -1;
	} else {
		pthread_mutex_lock(&lock);
		connections--;
		pthread_mutex_unlock(&lock);
	}
	pthread_attr_destroy(&a);
}

/* ---- life ---------------------------------------------------------------------------------------------------------- */
static int bind_socket(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	_cleanup_(closep) int dir = open(keeper_dir(), O_PATH | O_DIRECTORY | O_CLOEXEC);
	_cleanup_(closep) int s = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (dir < 0 || s < 0)
		return -errno;
	snprintf(a.sun_path, sizeof(a.sun_path), "/proc/self/fd/%d/keeper.sock", dir);
	unlinkat(dir, "keeper.sock", 0);
	/* Everybody may connect; welcome() looks who it is. */
	mode_t old = umask(0111);
	int r = bind(s, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(s, 16) < 0 ? -errno : 0;
	umask(old);
	return r < 0 ? r : take_fd(&s);
}

/* Only one keeper per folder; held for life. */
static int take_lock(bool wait)
{
	char path[PATH_MAX];
	_cleanup_(closep) int fd = open(keeper_path(path, "lock"), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	for (int tries = 0; flock(fd, LOCK_EX | LOCK_NB) < 0; tries++) {
		const struct timespec beat = { 0, 50000000 };
		if (errno != EWOULDBLOCK || !wait || tries > 200)
			return -errno;
		nanosleep(&beat, NULL);
	}
	return take_fd(&fd);
}

static int prepare(const char *state_dir, bool wait)
{
	if (geteuid() != 0) {
		fprintf(stderr, "holdfastd: the keeper has to run as root\n");
		return -EPERM;
	}
	/* From here on like a process of its own: whoever started it may have ignored signals. */
	static const int restored[] = { SIGTERM, SIGINT, SIGHUP, SIGCHLD };
	for (size_t i = 0; i < ARRAY_COUNT(restored); i++)
		signal(restored[i], SIG_DFL);
	signal(SIGPIPE, SIG_IGN);
	umask(022); /* what is ours alone is made with a mode that says so */
	int r = keeper_place_open(state_dir);
	if (r == 0)
		r = keeper_mkdir("run", 0700);
	if (r == 0)
		r = keeper_mkdir("log", 0700);
	if (r == 0)
		r = take_lock(wait);
	if (r < 0)
		fprintf(stderr, r == -EWOULDBLOCK ? "holdfastd: another keeper serves %s\n" : "holdfastd: cannot keep shares for %s: %s\n", state_dir, strerror(-r));
	return r;
}

/* Somebody may have removed the state folder, with what the servers read; then nobody can ask for their end either. */
static bool folder_is_there(void)
{
	char path[PATH_MAX];
	struct stat st;
	return stat(keeper_path(path, "lock"), &st) == 0;
}

/* One wait and what came of it.  0: go on, else the signal that ends it; SIGUSR1: asked to end, SIGQUIT: its folder has gone. */
static int turn(int listener, int signals, int logs, bool *full, bool summoned, time_t *busy)
{
	struct pollfd fds[4 + KEEPER_KINDS_MAX] = { { listener, POLLIN, 0 }, { signals, POLLIN, 0 }, { wake_fd, POLLIN, 0 }, { logs, POLLIN, 0 } };
	/* Who was summoned looks around: is there anything to keep, is its folder still there? */
	int timeout_ms = *full ? 100 : !summoned ? -1 : keeper_children_any() ? 5000 : 1000;
	size_t n = 4 + keeper_children_fds(fds + 4, KEEPER_KINDS_MAX, &timeout_ms);
	if (poll(fds, (nfds_t)n, timeout_ms) < 0 && errno != EINTR)
		return SIGTERM;
	uint64_t drop;
	if (fds[2].revents && read(wake_fd, &drop, sizeof(drop)) < 0)
		log_debug(&log_keeper, "nothing to wake for", "errno=%d", errno);
	if (fds[3].revents)
		keeper_logs_seen();
	keeper_children_turn();
	*full = somebody_listens() && keeper_logs_pump();
	if (fds[0].revents)
		welcome(listener);
	struct signalfd_siginfo si;
	if (fds[1].revents && read(signals, &si, sizeof(si)) == sizeof(si))
		return (int)si.ssi_signo;
	pthread_mutex_lock(&lock);
	bool end = ending, used = connections > 0;
	pthread_mutex_unlock(&lock);
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	if (used || keeper_children_any() || !*busy)
		*busy = now.tv_sec;
	if (summoned && !folder_is_there())
		return SIGQUIT;
	return end || (summoned && now.tv_sec - *busy >= IDLE_END_S) ? SIGUSR1 : 0;
}

/* Leaves whoever started it; returns in the child, with a descriptor to say that it serves. */
static int detach(void)
{
	int p[2];
	char ok = 0;
	if (pipe2(p, O_CLOEXEC) < 0)
		return -errno;
	pid_t pid = fork();
	if (pid < 0)
		return -errno;
	if (pid > 0) {
		close(p[1]);
		ssize_t n = TEMP_FAILURE_RETRY(read(p[0], &ok, 1));
		_exit(n == 1 ? 0 : 1);
	}
	close(p[0]);
	setsid();
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null >= 0) {
		dup2(null, 0);
		dup2(null, 1);
		close(null);
	}
	/* The daemon's descriptors are not ours; the pipe's end is. */
	int said = fcntl(p[1], F_DUPFD_CLOEXEC, 3);
	if (said > 3) {
		dup3(said, 3, O_CLOEXEC);
		said = 3;
	}
	syscall(SYS_close_range, 4u, ~0u, 0u);
	return said;
}

/* Before anything is served from them; a disk that is missing stops nothing. */
static void mount_pools(void)
{
	unsigned missing;
	char why[256];
	if (op_mount_all(&missing, why, sizeof(why)) == 0 && missing)
		log_warn(&log_keeper, "not all file systems of pools could be mounted, continuing without them", "missing=%u why=\"%s\"", missing, why);
}

int keeper_main(const char *state_dir, void (*ready)(void))
{
	char exe[PATH_MAX] = "", option[PATH_MAX + 16], real[PATH_MAX];
	const char *how = getenv("HOLDFAST_KEEPER");
	bool summoned = how && strcmp(how, "summoned") == 0;
	_cleanup_(closep) int said = summoned ? detach() : -1;
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	exe[n > 0 ? n : 0] = '\0';
	if (!realpath(state_dir, real)) {
		fprintf(stderr, "holdfastd: cannot find %s: %s\n", state_dir, strerror(errno));
		return 1;
	}
	prctl(PR_SET_NAME, "holdfast-keeper");
	_cleanup_(closep) int lock_fd = prepare(real, !summoned);
	if (lock_fd < 0)
		return 1;
	if (chdir("/") < 0)
		log_warn(&log_keeper, "cannot leave the folder, continuing in it", "errno=%d", errno);
	mount_pools();
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	_cleanup_(closep) int signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	int logs = keeper_logs_start();
	_cleanup_(closep) int listener = bind_socket();
	if (signals < 0 || wake_fd < 0 || logs < 0 || listener < 0) {
		fprintf(stderr, "holdfastd: cannot serve as a keeper: %s\n", strerror(listener < 0 ? -listener : errno));
		return 1;
	}
	keeper_children_adopt();
	log_info(&log_keeper, "keeper ready", "folder=%s pid=%d", keeper_dir(), (int)getpid());
	if (ready)
		ready();
	if (said >= 0 && write(said, "y", 1) != 1)
		log_debug(&log_keeper, "nobody waits for us", "errno=%d", errno);
	closep(&said);
	said = -1;
	int ended;
	bool full = false;
	time_t busy = 0;
	do
		ended = turn(listener, signals, logs, &full, summoned, &busy);
	while (!ended);
	if (ended == SIGQUIT && keeper_children_end_alone() < 0)
		log_warn(&log_keeper, "cannot end all servers of a folder that has gone", "folder=%s", keeper_dir());
	log_info(&log_keeper, ended == SIGHUP ? "keeper runs its program again" : "keeper ends",
		 "servers=%s", ended == SIGUSR1 || ended == SIGQUIT ? "stopped" : "go on");
	if (ended == SIGHUP) {
		snprintf(option, sizeof(option), "--state=%s", real);
		sigprocmask(SIG_UNBLOCK, &set, NULL);
		execl(exe, "holdfastd", "--keeper", option, (char *)NULL);
		log_error(&log_keeper, "cannot run the program again", "file=%s errno=%d", exe, errno);
		return 1;
	}
	return 0;
}

/* ---- the end ------------------------------------------------------------------------------------------------------- */
int keeper_end(const char *state_dir)
{
	struct keeper_answer a;
	if (geteuid() != 0) {
		fprintf(stderr, "holdfastd: only root ends the keeper\n");
		return 1;
	}
	keeper_open(state_dir);
	int r = keeper_ask(&a, -1, "end", NULL);
	char why[KEEPER_TEXT_BYTES];
	snprintf(why, sizeof(why), "%s", a.text);
	keeper_answer_done(&a);
	keeper_close();
	char place[PATH_MAX];
	if (r == -ENOTCONN && keeper_place(state_dir, place, sizeof(place)) == 0 && access(place, F_OK) < 0)
		return 0; /* there never was one */
	/* Also after its answer: wait until it has gone, as the lock tells. */
	_cleanup_(closep) int lock_fd = r == 0 || r == -ENOTCONN ? prepare(state_dir, true) : -1;
	if (lock_fd < 0) {
		fprintf(stderr, "holdfastd: the keeper did not end: %s\n", why);
		return 1;
	}
	if (r == -ENOTCONN) {
		wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		keeper_children_adopt();
		return keeper_children_end_alone() < 0;
	}
	return 0;
}
