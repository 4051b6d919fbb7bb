/* SPDX-License-Identifier: GPL-3.0-or-later */
/* listener.c - accepting: many connections, a lack of descriptors, stop from inside. */
#include "rig.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/socket.h>

static struct listener listener;
static int listen_fd, listen_port;
static _Atomic(unsigned) accepted_count, failed_count, wrong_flags, stop_at;
static _Atomic(int) failed_error;
static int accepted_fds[4096];

static void on_accepted(struct listener *l, int fd)
{
	if (!(fcntl(fd, F_GETFL) & O_NONBLOCK) || !(fcntl(fd, F_GETFD) & FD_CLOEXEC))
		wrong_flags++;
	accepted_fds[accepted_count] = fd;
	if (++accepted_count == stop_at)
		listener_stop(l);
}

static void on_failed(struct listener *l, int err)
{
	(void)l;
	failed_error = err;
	failed_count++;
}

static int start_fn(void *arg)
{
	(void)arg;
	listener = (struct listener){ .accepted = on_accepted, .failed = on_failed };
	return listener_start(reactor_self(), &listener, listen_fd);
}

static int stop_fn(void *arg)
{
	(void)arg;
	listener_stop(&listener);
	listener_stop(&listener);
	return 0;
}

static void listen_make(void)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(sin);

	accepted_count = failed_count = wrong_flags = stop_at = 0;
	listen_fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(listen_fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
	assert_int_equal(listen(listen_fd, 512), 0);
	getsockname(listen_fd, (struct sockaddr *)&sin, &len);
	listen_port = sin.sin_port;
}

static void listen_begin(struct rig *g)
{
	listen_make();
	on_reactor(g, start_fn, NULL);
}

static int dial(void)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = (in_port_t)listen_port,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
	return fd;
}

static void listen_end(struct rig *g)
{
	on_reactor(g, stop_fn, NULL);
	close(listen_fd);
	for (unsigned i = 0; i < accepted_count; i++)
		close(accepted_fds[i]);
}

static void accepts_all(struct rig *g)
{
	int fds[300];

	listen_begin(g);
	for (size_t i = 0; i < ARRAY_COUNT(fds); i++)
		fds[i] = dial();
	wait_for(accepted_count == ARRAY_COUNT(fds));
	assert_int_equal(wrong_flags, 0);
	assert_int_equal(failed_count, 0);
	for (size_t i = 0; i < ARRAY_COUNT(fds); i++)
		close(fds[i]);
	listen_end(g);
}

static void stop_from_inside(struct rig *g)
{
	int fds[20];

	listen_begin(g);
	stop_at = 5;
	for (size_t i = 0; i < ARRAY_COUNT(fds); i++)
		fds[i] = dial();
	wait_for(accepted_count >= 5);
	usleep(50000);
	assert_int_equal(accepted_count, 5);
	on_reactor(g, start_fn, NULL);   /* of those that were left, the kernel may have some */
	int late = dial();
	wait_for(accepted_count > 5);
	close(late);
	for (size_t i = 0; i < ARRAY_COUNT(fds); i++)
		close(fds[i]);
	listen_end(g);
}

static void lack_of_descriptors(struct rig *g)
{
	struct reactor_stats before, after;
	struct rlimit old, tight;
	int fds[10], first_free;

	listen_make();
	for (size_t i = 0; i < ARRAY_COUNT(fds); i++)
		fds[i] = socket(AF_INET, SOCK_STREAM, 0);
	first_free = dup(fds[0]);
	close(first_free);
	getrlimit(RLIMIT_NOFILE, &old);
	tight = old;
	tight.rlim_cur = (rlim_t)first_free;
	/* First the limit, then the listener: io_uring notes it when accepting begins. */
	setrlimit(RLIMIT_NOFILE, &tight);
	on_reactor(g, start_fn, NULL);
	for (size_t i = 0; i < ARRAY_COUNT(fds); i++) {
		struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = (in_port_t)listen_port,
					   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
		assert_int_equal(connect(fds[i], (struct sockaddr *)&sin, sizeof(sin)), 0);
	}
	wait_for(failed_count > 0);
	reactor_stats(g->r, &before);
	usleep(500000);
	reactor_stats(g->r, &after);
	unsigned failed = failed_count;
	setrlimit(RLIMIT_NOFILE, &old);
	assert_in_range(after.turns - before.turns, 0, 24); /* tries every 100 ms, no busy loop */
	assert_in_range(failed, 2, 12);
	assert_int_equal(failed_error, -EMFILE);
	wait_for(accepted_count == ARRAY_COUNT(fds));
	for (size_t i = 0; i < ARRAY_COUNT(fds); i++)
		close(fds[i]);
	listen_end(g);
}

static void refuses_what_does_not_listen(struct rig *g)
{
	listen_fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(reactor_call(g->r, start_fn, NULL), -EINVAL);
	close(listen_fd);
	listen_fd = open("/dev/null", O_RDONLY);
	assert_int_equal(reactor_call(g->r, start_fn, NULL), -ENOTSOCK);
	close(listen_fd);
}

static const struct rig_case cases[] = {
	{ .name = "accepts all", .run = accepts_all },
	{ .name = "stop from inside, start again", .run = stop_from_inside },
	{ .name = "a lack of descriptors pauses accepting", .run = lack_of_descriptors },
	{ .name = "refuses what does not listen", .run = refuses_what_does_not_listen },
};

int main(void)
{
	return RIG_MAIN("core/listener", cases);
}
