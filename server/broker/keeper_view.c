/* SPDX-License-Identifier: GPL-3.0-or-later */
/* keeper_view.c - what children of a member of a domain see of the machine: people of the domain by getpwnam(), through a winbind
 * that is ours.
 *
 * Where libwbclient and the name service look is built into them (/run/samba, /etc/nsswitch.conf), and these places are the
 * machine's, which may be a member of something itself.  So such children live in a mount namespace of their own with our files
 * bound over them.  The namespace is a slave: what the machine mounts later is seen in it, and nothing of it outside. */
#include "broker/domain_priv.h"

#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>

#define SOCKETS "/run/samba"
#define NSSWITCH "/etc/nsswitch.conf"
#define RESOLV "/etc/resolv.conf"
#define NSCD "/run/nscd"                 /* it would answer for the machine, which does not know the domain */

static int write_nsswitch(bool dns_only)
{
	_cleanup_(closep) int fd = open(NSSWITCH, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	_cleanup_(freep) char *machine = keeper_read_fd(fd, 1u << 16, NULL), *text = NULL;
	size_t len = 0;
	FILE *f = machine ? open_memstream(&text, &len) : NULL;
	if (!f)
		return -ENOMEM;
	domain_nsswitch(machine, dns_only, f);
	if (fclose(f) != 0)
		return -ENOMEM;
	return keeper_write("smb/domain/nsswitch.conf", text, len, 0644, NULL);
}

/* Is the root of this namespace shared, as systemd makes it?  mountinfo's fields: proc(5). */
static bool root_is_shared(void)
{
	char line[4096];
	bool shared = false;
	FILE *f = fopen("/proc/self/mountinfo", "re");
	while (f && fgets(line, sizeof(line), f)) {
		char point[PATH_MAX], *optional = strstr(line, " - ");
		if (!optional || sscanf(line, "%*s %*s %*s %*s %4095s", point) != 1 || strcmp(point, "/") != 0)
			continue;
		*optional = '\0';
		shared = strstr(line, " shared:") != NULL;
	}
	if (f)
		fclose(f);
	return shared;
}

int keeper_view_prepare(struct keeper_view *v, char *why, size_t why_bytes)
{
	char path[PATH_MAX];
	*v = (struct keeper_view){ 0 };
	snprintf(v->sockets, sizeof(v->sockets), "%s", keeper_path(path, "smb/domain/sockets"));
	snprintf(v->nss, sizeof(v->nss), "%s", keeper_path(path, "smb/domain/nsswitch.conf"));
	snprintf(v->krb5, sizeof(v->krb5), "KRB5_CONFIG=%s", keeper_path(path, "smb/domain/krb5.conf"));
	keeper_path(path, "smb/domain/resolv.conf");
	bool own_dns = access(path, R_OK) == 0;
	if (own_dns)
		snprintf(v->resolv, sizeof(v->resolv), "%s", path);
	int r = keeper_mkdir("smb/domain/sockets", 0755);
	if (r == 0 && access(NSCD, F_OK) == 0) {
		r = keeper_mkdir("smb/domain/empty", 0755);
		snprintf(v->empty, sizeof(v->empty), "%s", keeper_path(path, "smb/domain/empty"));
	}
	if (r == 0)
		r = write_nsswitch(own_dns);
	/* As the package's own list of such folders has it; on a machine that was not restarted since it may be missing. */
	if (r == 0 && mkdir(SOCKETS, 0755) < 0 && errno != EEXIST)
		r = -errno;
	/* Else a pool that is mounted later were missing in a child's namespace, and its files would go to what lies below. */
	if (r == 0 && !root_is_shared() && mount(NULL, "/", NULL, MS_REC | MS_SHARED, NULL) < 0)
		r = -errno;
	if (r < 0)
		snprintf(why, why_bytes, "cannot prepare what servers of a domain see: %s", strerror(-r));
	return r;
}

static int cover(const char *ours, const char *machines)
{
	return mount(ours, machines, NULL, MS_BIND, NULL) < 0 ? -errno : 0;
}

int keeper_view_enter(const struct keeper_view *v)
{
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
		return -errno;
	int r = cover(v->sockets, SOCKETS);
	if (r == 0)
		r = cover(v->nss, NSSWITCH);
	if (r == 0 && v->resolv[0])
		r = cover(v->resolv, RESOLV);
	if (r == 0 && v->empty[0])
		r = cover(v->empty, NSCD);
	return r;
}
