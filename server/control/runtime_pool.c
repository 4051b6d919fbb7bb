/* SPDX-License-Identifier: GPL-3.0-or-later */
/* runtime_pool.c - pools: is the folder there, what is it on, how much space is left. */
#include "control/control_priv.h"

#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "broker/keeper.h"
#include "broker/space.h"

static const struct {
	unsigned long magic;             /* statfs(2) */
	const char *name;
} file_systems[] = {
	{ 0x58465342, "xfs" }, { 0x9123683e, "btrfs" }, { 0xef53, "ext4" }, { 0x01021994, "tmpfs" }, { 0x2fc12fc1, "zfs" },
	{ 0x794c7630, "overlay" }, { 0x6969, "nfs" }, { 0xf2f52010, "f2fs" }, { 0xca451a4e, "bcachefs" },
};

/* The folder's mode lets us in and we are refused: who else says no, and what to tell him. */
static bool policy_forbids(const char *path, char *why, size_t why_bytes)
{
	static const char *const labels[] = { "/proc/self/attr/apparmor/current", "/proc/self/attr/current" };
	char label[128] = "";
	for (size_t i = 0; i < ARRAY_COUNT(labels) && !*label; i++) {
		FILE *f = fopen(labels[i], "re");
		if (f && fgets(label, sizeof(label), f))
			label[strcspn(label, "\n")] = '\0';
		if (f)
			fclose(f);
	}
	char *mode = strstr(label, " (");
	if (mode) {
		*mode = '\0';
		snprintf(why, why_bytes,
			 "AppArmor's profile %.60s does not let the server use %.100s: add the lines \"%.100s/ r,\" and \"owner %.100s/** rwk,\" to "
			 "/etc/apparmor.d/local/%.60s and run: apparmor_parser -r /etc/apparmor.d/%.60s",
			 label, path, path, path, label, label);
	} else if (strchr(label, ':')) {
		snprintf(why, why_bytes, "SELinux does not let the server (%.80s) use %.100s: semanage fcontext -a -t holdfast_data_t '%.100s(/.*)?' && restorecon -R %.100s", label,
			 path, path, path);
	}
	return mode || strchr(label, ':');
}

void pool_facts(const char *path, struct pool_facts *ret_facts)
{
	struct statfs fs;
	struct stat st;
	*ret_facts = (struct pool_facts){ 0 };
	if (stat(path, &st) < 0 || statfs(path, &fs) < 0) {
		snprintf(ret_facts->reason, sizeof(ret_facts->reason), "the folder %.150s cannot be used: %s", path, strerror(errno));
		return;
	}
	if (!S_ISDIR(st.st_mode)) {
		snprintf(ret_facts->reason, sizeof(ret_facts->reason), "%.200s is not a folder", path);
		return;
	}
	_cleanup_(closep) int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ret_facts->not_mounted = fd >= 0 && faccessat(fd, SPACE_NOT_MOUNTED, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
	if (ret_facts->not_mounted) {
		snprintf(ret_facts->reason, sizeof(ret_facts->reason),
			 "the disk of %.100s is not mounted: is it there (holdfast disk list), and does the keeper run, which mounts it (systemctl status holdfast-nas)?", path);
		return;
	}
	if (fd < 0 && errno == EACCES && access(path, R_OK | X_OK) == 0 && policy_forbids(path, ret_facts->reason, sizeof(ret_facts->reason)))
		return;
	ret_facts->online = true;
	ret_facts->total_bytes = (uint64_t)fs.f_blocks * (uint64_t)fs.f_bsize;
	ret_facts->free_bytes = (uint64_t)fs.f_bavail * (uint64_t)fs.f_bsize;
	snprintf(ret_facts->file_system, sizeof(ret_facts->file_system), "0x%lx", (unsigned long)fs.f_type);
	for (size_t i = 0; i < ARRAY_COUNT(file_systems); i++)
		if (file_systems[i].magic == (unsigned long)fs.f_type)
			snprintf(ret_facts->file_system, sizeof(ret_facts->file_system), "%s", file_systems[i].name);
}

/* Who owns what this process makes, as install(1) takes it. */
static void own_name(char *ret, size_t ret_bytes)
{
	struct passwd *found, p;
	char buf[1024];
	if (getpwuid_r(geteuid(), &p, buf, sizeof(buf), &found) == 0 && found)
		snprintf(ret, ret_bytes, "%.60s", p.pw_name);
	else
		snprintf(ret, ret_bytes, "%u", (unsigned)geteuid());
}

/* Can files be made in it?  access(2) knows nothing of policies such as AppArmor's: one is made. */
static int try_folder(const char *path)
{
	int r = 0;
	_cleanup_(closep) int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return -errno;
	int fd = openat(dir, ".holdfast-try", O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd >= 0) {
		close(fd);
		r = unlinkat(dir, ".holdfast-try", 0) < 0 ? -errno : 0;
	} else if (errno != EEXIST && errno != ENOSPC && errno != EDQUOT) {
		r = -errno;
	}
	return r;
}

int pool_prepare(const char *path, char *why, size_t why_bytes)
{
	struct pool_facts f;
	char user[64];
	pool_facts(path, &f);
	own_name(user, sizeof(user));
	if (!f.online) {
		char make[256] = "";
		if (access(path, F_OK) < 0)
			snprintf(make, sizeof(make), "; make it (install -d -o %s %.150s), or give another", user, path);
		snprintf(why, why_bytes, "%s%s", f.reason, make);
		return -ENOENT;
	}
	int r = access(path, R_OK | W_OK | X_OK) < 0 ? -errno : 0;
	if (r < 0) {
		snprintf(why, why_bytes, "the folder %.150s cannot be written by the server's user %s: %s; give it to that user (chown %s %.150s)", path, user, strerror(-r), user,
			 path);
		return r;
	}
	r = try_folder(path);
	if (r == -EACCES && policy_forbids(path, why, why_bytes))
		return r;
	if (r < 0)
		snprintf(why, why_bytes, "the server cannot make files in %.200s: %s", path, strerror(-r));
	return r;
}

/* A keeper mounts them when it starts. */
static void mount_pools(void)
{
	char why[WHY_BYTES] = "";
	keeper_open(ctl.state_dir);
	if (!keeper_present(NULL) && keeper_summon(why, sizeof(why)))
		log_warn(&log_control, "disks of pools are not mounted, continuing without them", "why=\"%s\"", why);
}

bool pool_check_all(void)
{
	bool again = false;
	struct config_error e;
	json_t *pools, *p;
	size_t i;
	if (config_list(ctl.db, MODEL_POOL, NULL, &pools, &e))
		return false;
	json_array_foreach(pools, i, p) {
		struct pool_facts f;
		const char *name = text_of(p, "name");
		pool_facts(text_of(p, "path"), &f);
		if (f.not_mounted && !ctl.started) {
			mount_pools();   /* of all pools */
			pool_facts(text_of(p, "path"), &f);
		}
		if (!f.online)
			alert_raise(LOG_LEVEL_ERROR, "pool.offline", name, "pool %s: %s", name, f.reason);
		else
			alert_resolve("pool.offline", name);
		if (f.online && f.free_bytes > f.total_bytes / 50)
			alert_resolve("pool.full", name);
		again |= !f.online || alert_is_raised("pool.full", name);
	}
	json_decref(pools);
	return again;
}
