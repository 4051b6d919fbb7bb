/* SPDX-License-Identifier: GPL-3.0-or-later */
/* loopfs.h - a file system of its own for a test: made in a file, mounted in a mount namespace that ends with the test. */
#ifndef TESTS_UNIT_BROKER_LOOPFS_H
#define TESTS_UNIT_BROKER_LOOPFS_H

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

static char loopfs_dir[64];              /* holds the images and the mount points */

static inline int loopfs_run(const char *command)
{
	int status = system(command);
	return status == 0 ? 0 : -EIO;
}

/* -errno: no mounts here, and the test skips what needs them. */
static inline int loopfs_start(void)
{
	if (geteuid() != 0)
		return -EPERM;
	if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return -errno;
	snprintf(loopfs_dir, sizeof(loopfs_dir), "/tmp/holdfast-loopfs-XXXXXX");
	return mkdtemp(loopfs_dir) ? chmod(loopfs_dir, 0755) : -errno;
}

static inline int loopfs_mount(const char *type, unsigned mib, char path[128])
{
	char command[512];
	snprintf(path, 128, "%s/%s", loopfs_dir, type);
	snprintf(command, sizeof(command), "truncate -s %uM %s.img && mkfs.%s -q %s.img >/dev/null 2>&1 && mkdir -p %s && mount -o loop %s.img %s 2>/dev/null", mib, path, type, path, path, path, path);
	return loopfs_run(command);
}

static inline void loopfs_stop(void)
{
	char command[256];
	if (!loopfs_dir[0])
		return;
	snprintf(command, sizeof(command), "cd / && for d in %s/*; do mountpoint -q $d && umount -l $d; done; rm -rf %s", loopfs_dir, loopfs_dir);
	(void)!loopfs_run(command);
}

#endif
