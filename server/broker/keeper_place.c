/* SPDX-License-Identifier: GPL-3.0-or-later */
/* keeper_place.c - where the keeper's things are, and which folders shares may live in.
 *
 * What smbd reads as root must lie where nobody but root can replace it.  So every folder on the way to ours belongs to root and
 * is writable by nobody else (or is sticky, as /tmp).  The state folder of a daemon that runs as `holdfast` is
 * not such a place, hence DIR-nas beside it. */
#include "broker/keeper_priv.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

static char place[PATH_MAX];             /* set once, before there are threads */
static uid_t daemon_uid;

int keeper_place(const char *state_dir, char *ret, size_t ret_bytes)
{
	struct stat st;
	char real[PATH_MAX];
	if (!realpath(state_dir, real) || stat(real, &st) < 0)
		return -errno;
	int n = snprintf(ret, ret_bytes, st.st_uid == 0 ? "%s/nas" : "%s-nas", real);
	return n < 0 || (size_t)n >= ret_bytes || n > PATH_MAX - 256 ? -ENAMETOOLONG : 0;
}

/* Every folder above path (and path itself): root's, and nobody else's to change. */
static int check_ancestors(const char *path)
{
	char part[PATH_MAX];
	for (const char *p = path; p; p = strchr(p + 1, '/')) {
		struct stat st;
		size_t n = (size_t)(p - path);
		memcpy(part, path, n);
		snprintf(part + n, sizeof(part) - n, "%s", n ? "" : "/");
		if (lstat(part, &st) < 0)
			return -errno;
		if (!S_ISDIR(st.st_mode) || st.st_uid != 0 || ((st.st_mode & 022) && !(st.st_mode & S_ISVTX))) {
			log_error(&log_keeper, "another than root can replace a folder above the keeper's", "folder=%s", part);
			return -EPERM;
		}
	}
	return 0;
}

/* Fixes and makes the keeper's folder; the caller is root. */
int keeper_place_open(const char *state_dir)
{
	struct stat st;
	int r = keeper_place(state_dir, place, sizeof(place));
	if (r < 0)
		return r;
	if (stat(state_dir, &st) < 0)
		return -errno;
	daemon_uid = st.st_uid;
	r = check_ancestors(place); /* all but the last */
	if (r < 0)
		return r;
	if (mkdir(place, 0711) < 0 && errno != EEXIST)
		return -errno;
	if (lstat(place, &st) < 0)
		return -errno;
	if (!S_ISDIR(st.st_mode) || st.st_uid != 0)
		return -EPERM;
	return chmod(place, 0711) < 0 ? -errno : 0;
}

const char *keeper_dir(void)
{
	return place;
}
uid_t keeper_daemon_uid(void)
{
	return daemon_uid;
}

const char *keeper_path(char *buf, const char *fmt, ...)
{
	va_list ap;
	int n = snprintf(buf, PATH_MAX, "%s/", place);
	va_start(ap, fmt);
	vsnprintf(buf + n, (size_t)(PATH_MAX - n), fmt, ap);
	va_end(ap);
	return buf;
}

int keeper_mkdir(const char *below, mode_t mode)
{
	char path[PATH_MAX];
	keeper_path(path, "%s", below);
	for (char *p = path + strlen(place) + 1; (p = strchr(p, '/')); *p++ = '/') {
		*p = '\0';
		if (mkdir(path, 0755) < 0 && errno != EEXIST)
			return -errno;
	}
	if (mkdir(path, mode) < 0 && errno != EEXIST)
		return -errno;
	return chmod(path, mode) < 0 ? -errno : 0;
}

int keeper_write(const char *below, const void *bytes, size_t len_bytes, mode_t mode, bool *ret_changed)
{
	char path[PATH_MAX], fresh[PATH_MAX];
	keeper_path(path, "%s", below);
	keeper_path(fresh, "%s.new", below);
	_cleanup_(closep) int old = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	size_t had_bytes;
	_cleanup_(freep) char *had = keeper_read_fd(old, 64u << 20, &had_bytes);
	if (ret_changed)
		*ret_changed = !had || had_bytes != len_bytes || memcmp(had, bytes, len_bytes) != 0;
	if (had && had_bytes == len_bytes && memcmp(had, bytes, len_bytes) == 0)
		return 0;
	_cleanup_(closep) int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode);
	if (fd < 0 || fchmod(fd, mode) < 0)
		return -errno;
	for (size_t done = 0; done < len_bytes;) {
		ssize_t n = TEMP_FAILURE_RETRY(write(fd, (const char *)bytes + done, len_bytes - done));
		if (n < 0)
			return -errno;
		done += (size_t)n;
	}
	if (fsync(fd) < 0 || rename(fresh, path) < 0)
		return -errno;
	return 0;
}

/* ---- folders of shares ------------------------------------------------------------------------------------- */
/* Nothing below these is shared; of the places for data only they themselves are not. */
static const char *const system_trees[] = {
	"/bin", "/boot", "/dev", "/etc", "/lib", "/lib32", "/lib64", "/libx32", "/proc", "/root", "/run", "/sbin", "/sys", "/usr", "/var/log",
	"/var/lib/dpkg", "/var/lib/rpm", "/var/lib/samba", "/var/lib/systemd", "/var/lib/nfs", "/var/cache", "/var/spool", "/var/mail",
	"/var/run", "/var/backups",
};
static const char *const data_places[] = { "/", "/var", "/var/lib", "/home", "/srv", "/mnt", "/media", "/opt", "/tmp" };

static bool lies_in(const char *path, const char *folder)
{
	size_t n = strlen(folder);
	return strncmp(path, folder, n) == 0 && (path[n] == '/' || !path[n]);
}

/* Each folder has one path, or "//etc" would be none of the system's. */
static bool is_canonical(const char *path)
{
	if (path[0] != '/')
		return false;
	for (const char *p = path; p; p = strchr(p + 1, '/')) {
		size_t n = strcspn(p + 1, "/");
		bool dots = (n == 1 && p[1] == '.') || (n == 2 && p[1] == '.' && p[2] == '.');
		if (dots || (n == 0 && strcmp(path, "/") != 0))
			return false;
	}
	return true;
}

int keeper_check_folder(const char *path, char *why, size_t why_bytes)
{
	bool system = false;
	if (!is_canonical(path)) {
		snprintf(why, why_bytes, "the path \"%.150s\" is not absolute, or has empty parts or dots", path);
		return -EINVAL;
	}
	for (size_t i = 0; i < ARRAY_COUNT(system_trees); i++)
		system |= lies_in(path, system_trees[i]);
	for (size_t i = 0; i < ARRAY_COUNT(data_places); i++)
		system |= strcmp(path, data_places[i]) == 0;
	if (system) {
		snprintf(why, why_bytes, "%s belongs to the system", path);
		return -EACCES;
	}
	if (place[0] && (lies_in(path, place) || lies_in(place, path))) {
		snprintf(why, why_bytes, "%s holds the keeper's own files", path);
		return -EACCES;
	}
	return 0;
}

int keeper_open_folder(const char *path, char *why, size_t why_bytes)
{
	const struct open_how how = { .flags = O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW, .resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS };
	int r = keeper_check_folder(path, why, why_bytes);
	if (r < 0)
		return r;
	int fd = (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));
	if (fd < 0) {
		r = -errno;
		snprintf(why, why_bytes, r == -ELOOP ? "there is a symbolic link in %s" : r == -ENOENT ? "%s does not exist" : "cannot open %s: %s", path,
			 strerror(-r));
		return r;
	}
	return fd;
}
