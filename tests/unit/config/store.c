/* SPDX-License-Identifier: GPL-3.0-or-later */
/* store.c - what can go wrong with the file: damage, permissions, full disk, locks, a kill in the middle.
 * Each gets a clear error, and what was committed stays. */
#include "help.h"

#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <sched.h>

static char dir[64];
static int setup(void **state)
{
	(void)state;
	help_mkdir(dir);
	return 0;
}
static int teardown(void **state)
{
	(void)state;
	help_rmdir(dir);
	return 0;
}

/* Runs fn in a child; its return value is the result.  Exit statuses are 8 bits, so errors come positive. */
static int in_child(int (*fn)(void))
{
	int status;
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0)
		_exit(fn());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (!WIFEXITED(status))
		fail_msg("the child ended by signal %d", WTERMSIG(status));
	return WEXITSTATUS(status);
}

static void fill(int pools)
{
	struct config *c = help_open(dir);
	struct config_error e;
	char text[128];
	for (int i = 0; i < pools; i++) {
		snprintf(text, sizeof(text), "{\"name\":\"p%d\",\"path\":\"/p%d\"}", i, i);
		assert_int_equal(help_insert(c, MODEL_POOL, text, NULL, &e), 0);
	}
	config_close(c);
}

static void damaged(void **state)
{
	struct config_error e;
	struct config *c = NULL;
	char path[128];
	(void)state;
	fill(200);
	help_path(path, sizeof(path), dir, "holdfast.db");
	struct stat st;
	assert_int_equal(stat(path, &st), 0);
	/* Pages in the middle overwritten. */
	int fd = open(path, O_WRONLY);
	char junk[4096];
	memset(junk, 0xa5, sizeof(junk));
	for (off_t at = 4096 * 4; at + 4096 <= st.st_size; at += 4096)
		assert_int_equal(pwrite(fd, junk, sizeof(junk), at), sizeof(junk));
	close(fd);
	assert_int_equal(config_open(dir, &c, &e), -EUCLEAN);
	assert_non_null(strstr(e.why, "backup"));
	/* Not a database at all. */
	fd = open(path, O_WRONLY | O_TRUNC);
	assert_int_equal(write(fd, junk, sizeof(junk)), sizeof(junk));
	close(fd);
	assert_int_equal(config_open(dir, &c, &e), -EUCLEAN);
	/* It is left as it was, for whoever can save it. */
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, sizeof(junk));
	/* A database of somebody else. */
	unlink(path);
	sqlite3 *db;
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "CREATE TABLE addresses (x)", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	assert_int_equal(config_open(dir, &c, &e), -EUCLEAN);
	assert_non_null(strstr(e.why, "another program"));
	/* A folder in its place; no folder at all. */
	unlink(path);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(config_open(dir, &c, &e), -EUCLEAN);
	assert_int_equal(config_open("/nonexistent/folder", &c, &e), -ENOENT);
}

static void as_nobody(void)
{
	if (geteuid() == 0 && (setgid(65534) || setuid(65534)))
		_exit(99);
}
static int open_as_nobody(void)
{
	struct config *c = NULL;
	struct config_error e = { 0 };
	as_nobody();
	int r = config_open(dir, &c, &e);
	config_close(c);
	return -r;
}
static void read_only(void **state)
{
	char path[128];
	(void)state;
	fill(3);
	help_path(path, sizeof(path), dir, "holdfast.db");
	/* root reads and writes everything: then another user must try. */
	if (geteuid() == 0) {
		assert_int_equal(chown(dir, 65534, 65534), 0);
		assert_int_equal(chown(path, 65534, 65534), 0);
	}
	char lock[128];
	help_path(lock, sizeof(lock), dir, "holdfast.lock");
	unlink(lock);
	assert_int_equal(chmod(path, 0400), 0);
	assert_int_equal(in_child(open_as_nobody), EROFS);
	assert_int_equal(chmod(path, 0600), 0);
	unlink(lock);
	assert_int_equal(chmod(dir, 0500), 0);
	assert_int_equal(in_child(open_as_nobody), EROFS);
	assert_int_equal(chmod(dir, 0700), 0);
	unlink(lock);
	struct config *c = help_open(dir);
	assert_int_equal(help_count(c, MODEL_POOL), 3);
	config_close(c);
}

/* Writes until the file may not grow; 0 when the error was right and reading still works. */
static int until_full(void)
{
	struct config *c = NULL;
	struct config_error e = { 0 };
	char text[2048], big[1024];
	if (config_open(dir, &c, &e))
		return 1;
	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	for (int i = 0; i < 20000; i++) {
		snprintf(text, sizeof(text), "{\"name\":\"q%d\",\"path\":\"/q%d\",\"comment\":\"%s\"}", i, i, big);
		int r = help_insert(c, MODEL_POOL, text, NULL, &e);
		if (r == 0)
			continue;
		if (r != -ENOSPC || !strstr(e.why, "full")) {
			fprintf(stderr, "# %d %s\n", r, e.why);
			return 2;
		}
		json_t *o;
		snprintf(text, sizeof(text), "q%d", i - 1);
		if (config_get(c, MODEL_POOL, text, &o, &e))
			return 3;
		json_decref(o);
		snprintf(text, sizeof(text), "q%d", i);
		if (config_get(c, MODEL_POOL, text, &o, &e) != -ENOENT)
			return 4;
		config_close(c);
		return 0;
	}
	return 5;
}
static int full_by_limit(void)
{
	struct rlimit limit = { 600 * 1024, 600 * 1024 };
	signal(SIGXFSZ, SIG_IGN);
	if (setrlimit(RLIMIT_FSIZE, &limit))
		return 98;
	return until_full();
}
static int full_by_tmpfs(void)
{
	if (unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) || mount("none", dir, "tmpfs", 0, "size=600k"))
		return 77;
	return until_full();
}
static void disk_full(void **state)
{
	(void)state;
	fill(2);
	assert_int_equal(in_child(full_by_limit), 0);
	struct config *c = help_open(dir);
	size_t n = help_count(c, MODEL_POOL);
	assert_true(n > 12);
	/* With space again, work goes on. */
	struct config_error e;
	assert_int_equal(help_insert(c, MODEL_POOL, "{\"name\":\"after\",\"path\":\"/after\"}", NULL, &e), 0);
	config_close(c);
	int r = in_child(full_by_tmpfs);
	if (r == 77)
		print_message("# no right to mount: the tmpfs half is left out\n");
	else
		assert_int_equal(r, 0);
}

static int open_again(void)
{
	struct config *c = NULL;
	struct config_error e = { 0 };
	int r = config_open(dir, &c, &e);
	if (r == -EAGAIN && !strstr(e.why, "another daemon"))
		return 1;
	return -r;
}
static void locked(void **state)
{
	struct config_error e;
	(void)state;
	fill(1);
	struct config *c = help_open(dir);
	assert_int_equal(in_child(open_again), EAGAIN);
	/* Somebody sits in a transaction of the file: a clear error, and no half change. */
	sqlite3 *other;
	char path[128];
	help_path(path, sizeof(path), dir, "holdfast.db");
	sqlite3_busy_timeout(c->db, 50);
	assert_int_equal(sqlite3_open(path, &other), SQLITE_OK);
	assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(help_insert(c, MODEL_POOL, "{\"name\":\"x\",\"path\":\"/x\"}", NULL, &e), -EAGAIN);
	assert_non_null(strstr(e.why, "locked"));
	assert_int_equal(help_count(c, MODEL_POOL), 1);
	assert_int_equal(sqlite3_exec(other, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(other);
	assert_int_equal(help_insert(c, MODEL_POOL, "{\"name\":\"x\",\"path\":\"/x\"}", NULL, &e), 0);
	config_close(c);
}

static int die_in_transaction(void)
{
	struct config *c = help_open(dir);
	struct config_error e;
	json_t *body = help_json("{\"name\":\"half\",\"path\":\"/half\"}");
	if (config_begin(c, &test_actor, &e) || config_insert(c, MODEL_POOL, body, NULL, &e))
		return 1;
	raise(SIGKILL);
	return 2;
}
static int die_after_commit(void)
{
	struct config *c = help_open(dir);
	struct config_error e;
	if (help_insert(c, MODEL_POOL, "{\"name\":\"whole\",\"path\":\"/whole\"}", NULL, &e))
		return 1;
	raise(SIGKILL);
	return 2;
}
static void killed(void **state)
{
	int (*const deaths[])(void) = { die_in_transaction, die_after_commit };
	(void)state;
	fill(1);
	for (size_t i = 0; i < ARRAY_COUNT(deaths); i++) {
		int status;
		pid_t pid = fork();
		if (pid == 0)
			_exit(deaths[i]());
		waitpid(pid, &status, 0);
		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	}
	struct config *c = help_open(dir);
	struct config_error e;
	json_t *o;
	assert_int_equal(config_get(c, MODEL_POOL, "half", &o, &e), -ENOENT);
	assert_int_equal(config_get(c, MODEL_POOL, "whole", &o, &e), 0);
	assert_int_equal(json_integer_value(json_object_get(o, "revision")), (json_int_t)config_revision(c));
	json_decref(o);
	config_close(c);
}

static void copies(void **state)
{
	char path[128], other[64];
	struct config_error e;
	(void)state;
	fill(5);
	struct config *c = help_open(dir);
	help_path(path, sizeof(path), dir, "copy.db");
	assert_int_equal(config_backup(c, path, &e), 0);
	assert_int_equal(config_backup(c, "/nonexistent/copy.db", &e), -EIO);
	config_close(c);
	struct stat st;
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 077, 0);
	help_mkdir(other);
	char to[128];
	help_path(to, sizeof(to), other, "holdfast.db");
	assert_int_equal(rename(path, to), 0);
	c = help_open(other);
	assert_int_equal(help_count(c, MODEL_POOL), 5);
	config_close(c);
	help_rmdir(other);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = { T(damaged), T(read_only), T(disk_full), T(locked), T(killed), T(copies) };
	return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
