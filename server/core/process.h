/* SPDX-License-Identifier: GPL-3.0-or-later */
/* process.h - another program, started with nothing of ours but what it is given. */
#ifndef HOLDFAST_CORE_PROCESS_H
#define HOLDFAST_CORE_PROCESS_H

#include <limits.h>
#include <sys/types.h>

#include "core/base.h"

#define PROCESS_FDS_MAX 8
/* No shell, no other descriptor, signals as at the start of a program.  It leads a process group of its own:
 * kill(-pid) ends what it started, too.
 * path      a name without a slash is looked for in our PATH
 * argv, envp  end with NULL
 * fd        fd[i] becomes its descriptor i, -1: /dev/null; fd_count of them, 3..PROCESS_FDS_MAX; all stay the caller's
 * Otherwise as posix_spawn(3): -ENOENT, -EACCES, -ENOMEM, ..; also -EMFILE. */
int process_start(const char *path, const char *const *argv, const char *const *envp, const int *fd, int fd_count, pid_t *ret_pid) _must_check_;

/* A further program or library of ours: beside this one in a build tree, else where it is installed; -ENOENT.
 * mode  X_OK or R_OK */
int process_find_ours(const char *name, int mode, char ret_path[PATH_MAX]) _must_check_;

#endif
