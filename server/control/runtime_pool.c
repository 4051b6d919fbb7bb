/* SPDX-License-Identifier: GPL-3.0-or-later */
/* runtime_pool.c - pools: is the folder there, what is it on, how much space is left. */
#include "control/control_priv.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>

static const struct {
	unsigned long magic;             /* statfs(2) */
	const char *name;
} file_systems[] = {
	{ 0x58465342, "xfs" }, { 0x9123683e, "btrfs" }, { 0xef53, "ext4" }, { 0x01021994, "tmpfs" }, { 0x2fc12fc1, "zfs" },
	{ 0x794c7630, "overlay" }, { 0x6969, "nfs" }, { 0xf2f52010, "f2fs" }, { 0xca451a4e, "bcachefs" },
};

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
	ret_facts->online = true;
	ret_facts->total_bytes = (uint64_t)fs.f_blocks * (uint64_t)fs.f_bsize;
	ret_facts->free_bytes = (uint64_t)fs.f_bavail * (uint64_t)fs.f_bsize;
	snprintf(ret_facts->file_system, sizeof(ret_facts->file_system), "0x%lx", (unsigned long)fs.f_type);
	for (size_t i = 0; i < ARRAY_COUNT(file_systems); i++)
		if (file_systems[i].magic == (unsigned long)fs.f_type)
			snprintf(ret_facts->file_system, sizeof(ret_facts->file_system), "%s", file_systems[i].name);
}

int pool_prepare(const char *path, char *why, size_t why_bytes)
{
	struct pool_facts f;
	pool_facts(path, &f);
	if (!f.online) {
		snprintf(why, why_bytes, "%s; make the folder (mkdir), or give another", f.reason);
		return -ENOENT;
	}
	if (access(path, R_OK | W_OK | X_OK) < 0) {
		int err = errno;
		snprintf(why, why_bytes, "the folder %.200s cannot be written by the server's user (uid %u): %s", path, (unsigned)geteuid(), strerror(err));
		return -err;
	}
	return 0;
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
