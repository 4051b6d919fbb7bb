/* SPDX-License-Identifier: GPL-3.0-or-later */
/* process.c - what a program finds when it starts: the descriptors it was given in their places, and nothing of ours. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "core/process.h"

static const char *const env[] = { "PATH=/usr/bin:/bin", "ONLY=this", NULL };

/* What a shell script says on its descriptor `says`, with the others as given. */
static int run(const char *path, const char *script, const int *fd, int count, int from, char *said, size_t bytes)
{
	const char *const argv[] = { "sh", "-c", script, NULL };
	pid_t pid = -1;
	size_t len = 0;
	ssize_t n;
	int status, r = process_start(path, argv, env, fd, count, &pid);

	for (int i = 0; i < count; i++) {
		bool again = false;
		for (int j = 0; j < i; j++)
			again = again || fd[j] == fd[i];
		if (fd[i] > 2 && !again)
			close(fd[i]);
	}
	if (r)
		return r;
	while ((n = read(from, said + len, bytes - 1 - len)) > 0)
		len += (size_t)n;
	said[len] = '\0';
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1000;
}

static void nothing_of_ours(void **state)
{
	char said[4096];
	int p[2], secret = open("/dev/zero", O_RDONLY); /* it would be inherited */
	sigset_t all, old;

	(void)state;
	assert_true(secret > 2);
	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &old);
	signal(SIGPIPE, SIG_IGN);
	/* The shell looks at itself, and starts nothing before: a waiting shell blocks signals. */
	int status = run("sh", "while read k v; do echo $k$v; done </proc/$$/status; for f in /proc/$$/fd/*; do echo ${f##*/}=$(readlink $f); done; env; exit 7",
			 (int[]){ -1, p[1], -1 }, 3, p[0], said, sizeof(said));
	sigprocmask(SIG_SETMASK, &old, NULL);
	signal(SIGPIPE, SIG_DFL);
	close(secret);
	close(p[0]);
	assert_int_equal(status, 7);
	assert_non_null(strstr(said, "0=/dev/null\n1=pipe:"));
	assert_non_null(strstr(said, "2=/dev/null\n"));
	assert_null(strstr(said, "/dev/zero"));
	assert_non_null(strstr(said, "SigBlk:0000000000000000\n"));
	const char *ignored = strstr(said, "SigIgn:");
	assert_non_null(ignored);        /* 32 and 33 are the C library's own */
	assert_int_equal(strtoull(ignored + 7, NULL, 16) & 0x7fffffff, 0);
	assert_non_null(strstr(said, "ONLY=this\n"));
	assert_null(strstr(said, "HF_BUILDDIR"));
}

/* Descriptors that lie where another one is to come. */
static void crossed(void **state)
{
	char said[200];
	int p[2], in, here[3];

	(void)state;
	for (int i = 0; i < 3; i++)
		here[i] = fcntl(i, F_DUPFD_CLOEXEC, 10);
	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	in = open("/proc/self/comm", O_RDONLY | O_CLOEXEC);
	assert_true(in > 2);
	/* Ours: 0 what it writes to, 1 what it reads from. */
	dup2(p[1], 0);
	dup2(in, 1);
	close(p[1]);
	close(in);
	fcntl(0, F_SETFD, FD_CLOEXEC);
	int r = process_start("/bin/sh", (const char *const[]){ "sh", "-c", "cat; cat <&3", NULL }, env, (int[]){ 1, 0, 0, 1 }, 4, &(pid_t){ 0 });
	dup2(here[0], 0);
	dup2(here[1], 1);
	ssize_t n, len = 0;
	while ((n = read(p[0], said + len, sizeof(said) - 1 - (size_t)len)) > 0)
		len += n;
	for (int i = 0; i < 3; i++)
		close(here[i]);
	close(p[0]);
	while (wait(NULL) > 0)
		;
	assert_int_equal(r, 0);
	said[len] = '\0';
	assert_string_equal(said, "process\n");
}

static void group(void **state)
{
	int p[2], status;
	pid_t pid;
	char c;

	(void)state;
	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	assert_int_equal(process_start("sh", (const char *const[]){ "sh", "-c", "sleep 1000 & echo; wait", NULL }, env, (int[]){ -1, p[1], -1 }, 3, &pid), 0);
	close(p[1]);
	assert_int_equal(read(p[0], &c, 1), 1);
	assert_int_equal(getpgid(pid), pid);
	assert_int_equal(kill(-pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(read(p[0], &c, 1), 0); /* what it started holds the pipe no more */
	close(p[0]);
}

static void refused(void **state)
{
	static const struct {
		const char *what, *path;
		int answer;
	} cases[] = {
		{ "no such name in PATH", "no-such-program-of-ours", -ENOENT },
		{ "no such file", "/nonexistent/sh", -ENOENT },
		{ "no program", "/proc/self/comm", -EACCES },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		char said[10];
		if (run(cases[i].path, "true", (int[]){ -1, -1, -1 }, 3, -1, said, sizeof(said)) != cases[i].answer)
			fail_msg("%s", cases[i].what);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(nothing_of_ours), cmocka_unit_test(crossed), cmocka_unit_test(group), cmocka_unit_test(refused) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
