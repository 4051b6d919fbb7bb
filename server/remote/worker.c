/* SPDX-License-Identifier: GPL-3.0-or-later */
/* worker.c - holdfast-remote: does one job with one foreign server, and ends.
 *
 * A program of its own, because the client libraries are large, block, are not made for threads, and because the other side may
 * be hostile: what breaks here breaks alone.  It has standard input (the job, then orders), standard output (frames),
 * and for a tree the descriptor of the folder to fill; it can gain no rights, and as root it gives up those that it does not need. */
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "config.h"
#include "remote/worker_priv.h"

/* libnfs 4.0 reads past the end of a symbolic link over NFS 4: in builds that look for such things that is known. */
const char *__asan_default_suppressions(void);
const char *__asan_default_suppressions(void)
{
	return "interceptor_via_lib:libnfs\n";
}

static void missing(const char *library) __attribute__((noreturn, unused));
static void missing(const char *library)
{
	out_end(false, "this build of Holdfast has no %s: it was not there when it was configured", library);
}

/* What a client of a foreign server has no need of.  A tree is written with the rights of its folder's owner or root. */
static void give_up(bool writes_files)
{
	struct rlimit none = { 0, 0 }, files = { 512, 512 };
	setrlimit(RLIMIT_CORE, &none);
	setrlimit(RLIMIT_NOFILE, &files);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	prctl(PR_SET_DUMPABLE, 0);
	signal(SIGPIPE, SIG_IGN);
	umask(077);
	if (chdir("/"))
		_exit(4);
	if (!writes_files && getuid() == 0 && (setgroups(0, NULL) || setresgid(65534, 65534, 65534) || setresuid(65534, 65534, 65534)))
		_exit(4);
}

static json_t *job_read(void)
{
	char *line = NULL;
	size_t room = 0;
	ssize_t n = getline(&line, &room, stdin);
	json_t *job = n > 0 ? json_loadb(line, (size_t)n, 0, NULL) : NULL;
	if (n > 0)
		explicit_bzero(line, (size_t)n);
	free(line);
	return job;
}

static void test(const json_t *job, const struct remote_url *u)
{
	(void)job;
	switch (u->scheme) {
	case REMOTE_ISCSI:
#ifdef HAVE_LIBISCSI
		iscsi_test_run(job, u);
		break;
#else
		missing("libiscsi");
#endif
	case REMOTE_SMB:
#ifdef HAVE_LIBSMBCLIENT
		smb_test_run(job, u);
		break;
#else
		missing("libsmbclient");
#endif
	case REMOTE_NFS:
#ifdef HAVE_LIBNFS
		nfs_test_run(job, u);
		break;
#else
		missing("libnfs");
#endif
	}
	out_end(!step_any_failed(), step_any_failed() ? "a step failed" : "all is well");
}

static void copy(const json_t *job, const struct remote_url *u)
{
	(void)job;
	switch (u->scheme) {
	case REMOTE_ISCSI:
#ifdef HAVE_LIBISCSI
		iscsi_copy_run(job, u);
		break;
#else
		missing("libiscsi");
#endif
	case REMOTE_SMB:
#ifdef HAVE_LIBSMBCLIENT
		smb_tree_run(job, u);
		break;
#else
		missing("libsmbclient");
#endif
	case REMOTE_NFS:
#ifdef HAVE_LIBNFS
		nfs_tree_run(job, u);
		break;
#else
		missing("libnfs");
#endif
	}
}

int main(void)
{
	struct remote_url u;
	char why[256] = "";
	json_t *job = job_read();
	const char *what = job_text(job, "do"), *url = job_text(job, "url");
	if (!what || !url) {
		fprintf(stderr, "holdfast-remote is started by holdfastd\n");
		return 64;
	}
	bool is_nvme = strncmp(url, "nvme://", 7) == 0;
	if (!is_nvme && remote_url_parse(url, &u, why, sizeof(why)))
		out_end(false, "%s", why);
	give_up(strcmp(what, "copy") == 0 && u.scheme != REMOTE_ISCSI);
	in_start((uint64_t)json_integer_value(json_object_get(job, "rate")));
	if (is_nvme)
		nvme_test_run(job);
	else if (strcmp(what, "test") == 0)
		test(job, &u);
	else if (strcmp(what, "copy") == 0)
		copy(job, &u);
	out_end(false, "there is no job called %s", what);
}
