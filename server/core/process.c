/* SPDX-License-Identifier: GPL-3.0-or-later */
/* process.c - finds and starts programs. */
#include "core/process.h"

#include <assert.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>

/* aside: copies of what lies where another one is to come. */
static int arrange(posix_spawn_file_actions_t *files, const int *fd, int count, int *aside)
{
	int r = 0;

	for (int i = 0; i < count && !r; i++)
		if (fd[i] >= 0 && fd[i] < count && (aside[i] = fcntl(fd[i], F_DUPFD_CLOEXEC, count)) < 0)
			r = errno;
	for (int i = 0; i < count && !r; i++)
		r = fd[i] < 0 ? posix_spawn_file_actions_addopen(files, i, "/dev/null", O_RDWR, 0) :
				posix_spawn_file_actions_adddup2(files, aside[i] < 0 ? fd[i] : aside[i], i);
	return r ? r : posix_spawn_file_actions_addclosefrom_np(files, count);
}

static int spawn(const char *path, const char *const *argv, const char *const *envp, const posix_spawn_file_actions_t *files, pid_t *ret_pid)
{
	posix_spawnattr_t attr;
	sigset_t none, all;
	int r = posix_spawnattr_init(&attr);

	if (r)
		return r;
	sigemptyset(&none);
	sigfillset(&all);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	posix_spawnattr_setpgroup(&attr, 0);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &all);
	r = posix_spawnp(ret_pid, path, files, &attr, (char *const *)(uintptr_t)argv, (char *const *)(uintptr_t)envp);
	posix_spawnattr_destroy(&attr);
	return r;
}

int process_start(const char *path, const char *const *argv, const char *const *envp, const int *fd, int fd_count, pid_t *ret_pid)
{
	int aside[PROCESS_FDS_MAX] = { -1, -1, -1, -1, -1, -1, -1, -1 };
	posix_spawn_file_actions_t files;

	assert(fd_count >= 3 && fd_count <= PROCESS_FDS_MAX);
	int r = posix_spawn_file_actions_init(&files);
	if (r)
		return -r;
	r = arrange(&files, fd, fd_count, aside);
	if (!r)
		r = spawn(path, argv, envp, &files, ret_pid);
	for (int i = 0; i < fd_count; i++)
		closep(&aside[i]);
	posix_spawn_file_actions_destroy(&files);
	return -r;
}

int process_find_ours(const char *name, int mode, char ret_path[PATH_MAX])
{
	char exe[PATH_MAX - 64];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);

	exe[n > 0 ? n : 0] = '\0';
	char *slash = strrchr(exe, '/');
	if (slash) {
		*slash = '\0';
		static const char *const beside[] = { "", ".libs/" };
		for (size_t i = 0; i < ARRAY_COUNT(beside); i++) {
			snprintf(ret_path, PATH_MAX, "%s/%s%.60s", exe, beside[i], name);
			if (access(ret_path, mode) == 0)
				return 0;
		}
	}
	snprintf(ret_path, PATH_MAX, "%s/../%.60s", HF_PLUGIN_DIR, name);
	return access(ret_path, mode) ? -ENOENT : 0;
}
