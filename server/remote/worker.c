/* SPDX-License-Identifier: GPL-3.0-or-later */
/* worker.c - holdfast-remote: does one job with one foreign server, and ends.
 *
 * A program of its own, because the client libraries are large, block, are not made for threads, and because the other side may
 * be hostile: what breaks here breaks alone.  It has standard input (the job, then orders), standard output (frames),
 * and for a tree the descriptor of the folder to fill; it can gain no rights, and as root it gives up those that it does not need.
 * A tree is copied by two processes (relay.c): one is the client, the other writes. */
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>

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

static void give_up(void)
{
	struct rlimit none = { 0, 0 }, files = { 512, 512 };
	setrlimit(RLIMIT_CORE, &none);
	setrlimit(RLIMIT_NOFILE, &files);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	prctl(PR_SET_DUMPABLE, 0);
	signal(SIGPIPE, SIG_IGN);
	umask(077);
	if (chdir("/"))
		_exit(4);
}

static void keep_capabilities(uint64_t wanted)
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct d[2] = { 0 };
	if (syscall(SYS_capget, &h, d))
		_exit(4);
	d[0].permitted &= (uint32_t)wanted;
	d[1].permitted &= (uint32_t)(wanted >> 32);
	d[0].effective = d[0].permitted;
	d[1].effective = d[1].permitted;
	d[0].inheritable = d[1].inheritable = 0;
	if (syscall(SYS_capset, &h, d))
		_exit(4);
}

/* Whoever speaks to a foreign server is nobody when it was root; a low port is what NFS servers ask for. */
static void become_a_client(void)
{
	prctl(PR_SET_KEEPCAPS, 1);
	if (getuid() == 0 && (setgroups(0, NULL) || setresgid(65534, 65534, 65534) || setresuid(65534, 65534, 65534)))
		_exit(4);
	keep_capabilities(UINT64_C(1) << CAP_NET_BIND_SERVICE);
	prctl(PR_SET_PDEATHSIG, SIGKILL);        /* a change of user takes it back, so after it */
}

/* Whoever writes a tree as root needs this of it: any owner, any folder of the share, and where Samba keeps Windows rights. */
static void become_a_writer(void)
{
	if (getuid() == 0)
		keep_capabilities(UINT64_C(1) << CAP_CHOWN | UINT64_C(1) << CAP_DAC_OVERRIDE | UINT64_C(1) << CAP_FOWNER | UINT64_C(1) << CAP_FSETID |
				  UINT64_C(1) << CAP_SYS_ADMIN);
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

static void client_of_tree(const json_t *job, const struct remote_url *u)
{
	if (u->scheme == REMOTE_SMB)
#ifdef HAVE_LIBSMBCLIENT
		smb_tree_run(job, u);
#else
		missing("libsmbclient");
#endif
#ifdef HAVE_LIBNFS
	nfs_tree_run(job, u);
#else
	(void)job;
	missing("libnfs");
#endif
}

/* In two processes: what a hostile server breaks has no descriptor of a file. */
static void copy_tree(const json_t *job, const struct remote_url *u, bool privileged)
{
	struct tree_source s;
	int sock[2];
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sock))
		out_end(false, "no socket: %s", strerror(errno));
	pid_t pid = fork();
	if (pid < 0)
		out_end(false, "no process: %s", strerror(errno));
	if (pid == 0) {
		int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
		if (null < 0 || dup2(null, 0) < 0)
			_exit(4);
		close(3);
		close(sock[0]);
		become_a_client();
		relay_serve_on(sock[1]);
		client_of_tree(job, u);
	}
	close(sock[1]);
	become_a_writer();
	in_start((uint64_t)json_integer_value(json_object_get(job, "rate")));
	relay_source(sock[0], pid, &s);
	tree_run(job, &s, privileged);
}

static void copy_lun(const json_t *job, const struct remote_url *u)
{
#ifdef HAVE_LIBISCSI
	iscsi_copy_run(job, u);
#else
	(void)job;
	(void)u;
	missing("libiscsi");
#endif
}

int main(int argc, char **argv)
{
	struct remote_url u = { 0 };
	char why[256] = "";
	/* Started by the keeper, as root, for a daemon that is not: then it copies trees and nothing else. */
	bool privileged = argc == 2 && strcmp(argv[1], "--keeper") == 0;
	if (!privileged)
		prctl(PR_SET_PDEATHSIG, SIGKILL);        /* the keeper's threads come and go */
	give_up();
	json_t *job = job_read();
	const char *what = job_text(job, "do"), *url = job_text(job, "url");
	if (!what || !url) {
		fprintf(stderr, "holdfast-remote is started by holdfastd\n");
		return 64;
	}
	bool is_nvme = strncmp(url, "nvme://", 7) == 0;
	if (!is_nvme && remote_url_parse(url, &u, why, sizeof(why)))
		out_end(false, "%s", why);
	bool is_tree = !is_nvme && strcmp(what, "copy") == 0 && u.scheme != REMOTE_ISCSI;
	if (privileged && !is_tree)
		out_end(false, "only trees are copied for the keeper");
	if (is_tree)
		copy_tree(job, &u, privileged);
	become_a_client();
	in_start((uint64_t)json_integer_value(json_object_get(job, "rate")));
	if (is_nvme)
		nvme_test_run(job);
	else if (strcmp(what, "test") == 0)
		test(job, &u);
	else if (strcmp(what, "copy") == 0)
		copy_lun(job, &u);
	out_end(false, "there is no job called %s", what);
}
