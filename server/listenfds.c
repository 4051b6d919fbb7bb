/* SPDX-License-Identifier: GPL-3.0-or-later */
/* listenfds.c - see listenfds.h.
 *
 * Hand-over: the next daemon connects to handover.sock; the kernel tells us who it is (SO_PEERCRED:
 * the same user or root); it gets one message per socket, name and descriptor; then this daemon ends.
 * The connection stays open until the process is gone, so its end tells the other one to start. */
#include "listenfds.h"

#include <config.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#ifdef HAVE_SYSTEMD
#include <systemd/sd-daemon.h>
#endif

#include "core/base.h"
#include "core/fdpass.h"
#include "core/log.h"

extern struct log_topic log_main;

struct named_fd {
	struct list link;
	int fd;
	char name[128];
};
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct list taken = LIST_INIT(taken);     /* came to us, nobody asked for it yet; owned */
static struct list kept = LIST_INIT(kept);       /* ours, offered; the descriptor is a duplicate */
static pthread_t offer_thread;
static int offer_fd = -1, offer_stop[2] = { -1, -1 };

/* FDNAME= may hold neither ':' nor control characters. */
static void plain_name(char *to, size_t bytes, const char *from)
{
	snprintf(to, bytes, "%s", from);
	for (char *p = to; *p; p++)
		if (*p == ':')
			*p = '+';
}

static void add(struct list *to, const char *name, int fd)
{
	struct named_fd *n = calloc(1, sizeof(*n));
	if (!n) {
		close(fd);
		return;
	}
	n->fd = fd;
	plain_name(n->name, sizeof(n->name), name);
	list_add_tail(to, &n->link);
}

static struct named_fd *find(struct list *in, const char *name)
{
	char plain[128];
	plain_name(plain, sizeof(plain), name);
	struct named_fd *n;
	list_for_each(n, in, link)
		if (strcmp(n->name, plain) == 0)
			return n;
	return NULL;
}

static void drop(struct named_fd *n)
{
	list_del(&n->link);
	close(n->fd);
	free(n);
}

static void drop_all(struct list *l)
{
	while (!list_is_empty(l))
		drop(list_entry(l->next, struct named_fd, link));
}

void listenfds_from_systemd(void)
{
#ifdef HAVE_SYSTEMD
	char **names = NULL;
	int n = sd_listen_fds_with_names(1, &names);
	for (int i = 0; i < n; i++) {
		add(&taken, names[i], SD_LISTEN_FDS_START + i);
		free(names[i]);
	}
	free(names);
#endif
}

int listenfds_take(const char *name)
{
	struct named_fd *n = find(&taken, name);
	if (!n)
		return -1;
	int fd = n->fd;
	list_del(&n->link);
	free(n);
	return fd;
}

void listenfds_close_unused(void)
{
	drop_all(&taken);
}

void listenfds_keep(const char *name, int fd)
{
	pthread_mutex_lock(&lock);
	struct named_fd *old = find(&kept, name);
	if (old)
		drop(old);
	int copy = fd >= 0 ? fcntl(fd, F_DUPFD_CLOEXEC, 3) : -1;
	if (copy >= 0)
		add(&kept, name, copy);
#ifdef HAVE_SYSTEMD
	char plain[128], text[192];
	plain_name(plain, sizeof(plain), name);
	if (copy >= 0) {
		snprintf(text, sizeof(text), "FDSTORE=1\nFDNAME=%s", plain);
		sd_pid_notify_with_fds(0, 0, text, &copy, 1);
	} else {
		snprintf(text, sizeof(text), "FDSTOREREMOVE=1\nFDNAME=%s", plain);
		sd_notify(0, text);
	}
#endif
	pthread_mutex_unlock(&lock);
}

void listenfds_notify(const char *state)
{
#ifdef HAVE_SYSTEMD
	sd_notify(0, state);
#else
	(void)state;
#endif
}

static int handover_address(const char *state_dir, struct sockaddr_un *a)
{
	a->sun_family = AF_UNIX;
	int n = snprintf(a->sun_path, sizeof(a->sun_path), "%s/handover.sock", state_dir);
	return n > 0 && (size_t)n < sizeof(a->sun_path) ? 0 : -ENAMETOOLONG;
}

int listenfds_take_over(const char *state_dir)
{
	struct sockaddr_un a = { 0 };
	int r = handover_address(state_dir, &a);
	if (r < 0)
		return r;
	_cleanup_(closep) int s = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (s < 0 || connect(s, (struct sockaddr *)&a, sizeof(a)) < 0)
		return -errno;
	for (;;) {
		char name[128];
		int fd = -1;
		ssize_t n = fdpass_recv(s, name, sizeof(name) - 1, &fd);
		if (n <= 0) {
			if (fd >= 0)
				close(fd);
			return (int)n; /* 0: it has ended */
		}
		name[n] = '\0';
		if (fd >= 0)
			add(&taken, name, fd);
	}
}

/* Serves one that asks; true: it has all, this daemon ends. */
static bool hand_over(int s)
{
	struct ucred who;
	socklen_t len = sizeof(who);
	if (getsockopt(s, SOL_SOCKET, SO_PEERCRED, &who, &len) < 0 || (who.uid != 0 && who.uid != getuid())) {
		log_warn(&log_main, "hand-over refused", "uid=%d", (int)who.uid);
		return false;
	}
	pthread_mutex_lock(&lock);
	int r = 0;
	unsigned count = 0;
	struct named_fd *n;
	list_for_each(n, &kept, link)
		if (r == 0) {
			r = fdpass_send(s, n->name, strlen(n->name), n->fd);
			count++;
		}
	pthread_mutex_unlock(&lock);
	if (r < 0) {
		log_warn(&log_main, "hand-over broke off, continuing to serve", "error=\"%s\"", strerror(-r));
		return false;
	}
	log_info(&log_main, "listening sockets handed over", "count=%u pid=%d", count, (int)who.pid);
	return true;
}

static void *offer_run(void *arg)
{
	(void)arg;
	for (;;) {
		struct pollfd p[2] = { { .fd = offer_fd, .events = POLLIN }, { .fd = offer_stop[0], .events = POLLIN } };
		if (poll(p, 2, -1) < 0)
			continue;
		if (p[1].revents)
			return NULL;
		int s = accept4(offer_fd, NULL, NULL, SOCK_CLOEXEC);
		if (s < 0)
			continue;
		if (hand_over(s)) {
			kill(getpid(), SIGTERM);
			return NULL; /* s stays open: its end is the process's end */
		}
		close(s);
	}
}

int listenfds_offer(const char *state_dir)
{
	struct sockaddr_un a = { 0 };
	int r = handover_address(state_dir, &a);
	if (r < 0)
		return r;
	_cleanup_(closep) int s = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (s < 0)
		return -errno;
	/* The state folder's lock is ours, so a socket that is left over has no owner. */
	if (unlink(a.sun_path) < 0 && errno != ENOENT)
		return -errno;
	if (bind(s, (struct sockaddr *)&a, sizeof(a)) < 0 || chmod(a.sun_path, 0600) < 0 || listen(s, 4) < 0)
		return -errno;
	if (pipe2(offer_stop, O_CLOEXEC) < 0)
		return -errno;
	offer_fd = s;
	r = pthread_create(&offer_thread, NULL, offer_run, NULL);
	if (r != 0) {
		offer_fd = -1;
		return -r;
	}
	take_fd(&s);
	return 0;
}

void listenfds_done(void)
{
	if (offer_fd >= 0) {
		close(offer_stop[1]);
		pthread_join(offer_thread, NULL);
		close(offer_stop[0]);
		close(offer_fd);
	}
	drop_all(&taken);
	drop_all(&kept);
}
