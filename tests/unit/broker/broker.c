/* SPDX-License-Identifier: GPL-3.0-or-later */
/* broker.c - the helper refuses what it should, serves what it should, and ends with the daemon. */
#include "broker/broker.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <linux/loop.h>

#include <cmocka.h>

#include "broker/protocol_priv.h"

static void test_requests(void **state)
{
	(void)state;
	static const struct {
		const char *what;
		struct broker_request rq;
		int answer;
	} cases[] = {
		{ "no operation", { .op = 0, .path = "/dev/null" }, -EOPNOTSUPP },
		{ "unknown operation", { .op = 77, .path = "/dev/null" }, -EOPNOTSUPP },
		{ "relative path", { .op = BROKER_OPEN_DEVICE, .path = "dev/null" }, -EINVAL },
		{ "empty path", { .op = BROKER_OPEN_DEVICE }, -EINVAL },
		{ "character device", { .op = BROKER_OPEN_DEVICE, .path = "/dev/null" }, -ENOTBLK },
		{ "folder", { .op = BROKER_OPEN_DEVICE, .path = "/dev/pts" }, -ENOTBLK },
		{ "outside of /dev", { .op = BROKER_OPEN_DEVICE, .path = "/etc/passwd" }, -EACCES },
		{ "out of /dev by dots", { .op = BROKER_OPEN_DEVICE, .path = "/dev/../etc/passwd" }, -EACCES },
		{ "not there", { .op = BROKER_OPEN_DEVICE, .path = "/dev/no-such-disk" }, -ENOENT },
		{ "creating", { .op = BROKER_OPEN_DEVICE, .flags = O_CREAT | O_RDWR, .path = "/dev/null" }, -EINVAL },
		{ "truncating", { .op = BROKER_OPEN_DEVICE, .flags = O_TRUNC | O_RDWR, .path = "/dev/null" }, -EINVAL },
		{ "write only", { .op = BROKER_OPEN_DEVICE, .flags = O_WRONLY, .path = "/dev/null" }, -EINVAL },
	};
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		int fd;
		int r = broker_run(&cases[i].rq, &fd);
		if (r != cases[i].answer || fd >= 0)
			fail_msg("%s: %d instead of %d", cases[i].what, r, cases[i].answer);
	}
	struct broker_request endless = { .op = BROKER_OPEN_DEVICE };
	memset(endless.path, '/', sizeof(endless.path));
	int fd;
	assert_int_equal(broker_run(&endless, &fd), -EINVAL);
}

/* A loop device made for the test, or a skip with the reason. */
static int loop_new(char path[64], int *ret_fd)
{
	char file[] = "/tmp/broker-test-XXXXXX";
	_cleanup_(closep) int back = mkstemp(file);
	if (back < 0)
		return -errno;
	unlink(file);
	_cleanup_(closep) int ctl = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	if (ctl < 0 || ftruncate(back, 1 << 20) < 0)
		return -errno;
	int n = ioctl(ctl, LOOP_CTL_GET_FREE);
	if (n < 0)
		return -errno;
	snprintf(path, 64, "/dev/loop%d", n);
	_cleanup_(closep) int fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0 || ioctl(fd, LOOP_SET_FD, back) < 0)
		return -errno;
	*ret_fd = take_fd(&fd);
	return 0;
}

static void test_helper_process(void **state)
{
	(void)state;
	assert_false(broker_present());
	assert_int_equal(broker_open_device("/dev/null", O_RDWR), -ENOTCONN);
	assert_int_equal(broker_fork(), 0);
	assert_true(broker_present());
	assert_int_equal(broker_open_device("/dev/null", O_RDWR), -ENOTBLK);

	char path[64];
	int loop = -1;
	int r = loop_new(path, &loop);
	if (r < 0) {
		print_message("# no loop device here (%s): exclusive opening not checked\n", strerror(-r));
	} else {
		int fd = broker_open_device(path, O_RDWR | O_DIRECT);
		assert_true(fd >= 0);
		struct stat st;
		assert_int_equal(fstat(fd, &st), 0);
		assert_true(S_ISBLK(st.st_mode));
		assert_true(fcntl(fd, F_GETFL) & O_DIRECT);
		assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
		/* Claimed: a second claim, as mount(2) makes it, is refused. */
		assert_int_equal(broker_open_device(path, O_RDWR), -EBUSY);
		close(fd);
		fd = broker_open_device(path, O_RDONLY);
		assert_true(fd >= 0);
		close(fd);
		ioctl(loop, LOOP_CLR_FD);
		close(loop);
	}
	broker_stop();
	assert_false(broker_present());
	assert_int_equal(broker_open_device("/dev/null", O_RDWR), -ENOTCONN);
	assert_int_equal(waitpid(-1, NULL, 0), -1); /* the helper was waited for */
}

static void test_drop(void **state)
{
	(void)state;
	if (getuid() != 0) {
		print_message("# not root: dropping privilege not checked\n");
		return;
	}
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (broker_drop(65534, 65534) != 0)
			_exit(1);
		if (getuid() != 65534 || geteuid() != 65534 || getgid() != 65534 || setuid(0) == 0)
			_exit(2);
		if (open("/etc/shadow", O_RDONLY) >= 0)
			_exit(3);
		_exit(0);
	}
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_requests),
		cmocka_unit_test(test_helper_process),
		cmocka_unit_test(test_drop),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
