/* SPDX-License-Identifier: GPL-3.0-or-later */
/* loop.h - a loop device of 128 MiB for tests, where one may be made.  The kernel takes it away by
 * itself when nobody has it open any more. */
#ifndef HOLDFAST_TESTS_PLUGINS_LOOP_H
#define HOLDFAST_TESTS_PLUGINS_LOOP_H

#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static int loop_fd = -1;

static inline int loop_attach(int image, char path[64])
{
	int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	int number = control < 0 ? -1 : ioctl(control, LOOP_CTL_GET_FREE);
	if (control >= 0)
		close(control);
	if (number < 0)
		return -1;
	snprintf(path, 64, "/dev/loop%d", number);
	loop_fd = open(path, O_RDWR | O_CLOEXEC);
	if (loop_fd < 0)
		return -1;
	struct loop_info64 info = { .lo_flags = LO_FLAGS_AUTOCLEAR };
	if (ioctl(loop_fd, LOOP_SET_FD, image) || ioctl(loop_fd, LOOP_SET_STATUS64, &info)) {
		close(loop_fd);
		loop_fd = -1;
		return -1;
	}
	return 0;
}

static inline void loop_start(char path[64], char *why, size_t why_bytes)
{
	char image[] = "/tmp/hf-loop-XXXXXX";
	int fd = mkstemp(image);
	*path = 0;
	if (fd >= 0)
		unlink(image);
	if (fd < 0 || ftruncate(fd, 128 << 20) || loop_attach(fd, path)) {
		snprintf(why, why_bytes, "no loop device: %s", strerror(errno));
		*path = 0;
	}
	if (fd >= 0)
		close(fd);
}

static inline void loop_stop(void)
{
	if (loop_fd >= 0)
		close(loop_fd);
	loop_fd = -1;
}

#endif
