/* SPDX-License-Identifier: GPL-3.0-or-later */
/* op_disk.c - the disks of this machine: what they are, and whether anything at all is on them.
 * A disk is empty when the kernel has no use for it (no partition, holder, mount, swap, exclusive opener), no known
 * signature is on it, and what is read of it (start, end, samples between) has only zeros.  Anything else is in use, and
 * in_use says by what. */
#include "broker/disk_priv.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define EDGE_BYTES (4u << 20)            /* read at the start and at the end */
#define SAMPLES 64
#define CLAIMS 10
#define CLAIM_WAIT_US 100000
#define SAMPLE_BYTES 65536u

static void trim(char *s)
{
	size_t n = strlen(s), lead = strspn(s, " \t");
	while (n && (s[n - 1] == '\n' || s[n - 1] == ' '))
		s[--n] = '\0';
	memmove(s, s + (lead < n ? lead : n), n - (lead < n ? lead : n) + 1);
	for (char *p = s; *p; p++)
		if ((unsigned char)*p < 0x20 || (unsigned char)*p >= 0x7f)
			*p = '?';
}

/* One line of sysfs; "" when it is not there. */
static bool read_line(const char *name, const char *file, char *buf, size_t bytes)
{
	char path[320];
	snprintf(path, sizeof(path), "/sys/block/%s/%s", name, file);
	_cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : TEMP_FAILURE_RETRY(read(fd, buf, bytes - 1));
	buf[n < 0 ? 0 : n] = '\0';
	trim(buf);
	return n > 0;
}

static uint64_t read_number(const char *name, const char *file)
{
	char text[32];
	return read_line(name, file, text, sizeof(text)) ? strtoull(text, NULL, 10) : 0;
}

/* The first entry of a folder of sysfs that fits; its name in buf. */
static bool first_of(const char *name, const char *below, bool (*fits)(const char *name, const char *entry), char *buf, size_t bytes)
{
	char path[320];
	snprintf(path, sizeof(path), "/sys/block/%s/%s", name, below);
	DIR *d = opendir(path);
	bool found = false;
	for (const struct dirent *e; d && !found && (e = readdir(d));) {
		found = e->d_name[0] != '.' && (!fits || fits(name, e->d_name));
		if (found)
			snprintf(buf, bytes, "%s", e->d_name);
	}
	if (d)
		closedir(d);
	return found;
}

static bool is_partition(const char *name, const char *entry)
{
	char path[600];
	snprintf(path, sizeof(path), "/sys/block/%s/%s/partition", name, entry);
	return access(path, F_OK) == 0;
}

static bool same_device(const char *path, dev_t device)
{
	struct stat st;
	return !stat(path, &st) && S_ISBLK(st.st_mode) && st.st_rdev == device;
}

/* The mount point of a device, by its number and by its node (btrfs mounts have numbers of their own). */
static bool mounted_at(dev_t device, char *buf, size_t bytes)
{
	FILE *f = fopen("/proc/self/mountinfo", "re");
	char line[8192], where[256], source[256];
	unsigned major_no, minor_no;
	bool found = false;
	while (f && !found && fgets(line, sizeof(line), f)) {
		const char *dash = strstr(line, " - ");
		if (sscanf(line, "%*u %*u %u:%u %*s %255s", &major_no, &minor_no, where) != 3 || !dash || sscanf(dash, " - %*s %255s", source) != 1)
			continue;
		found = makedev(major_no, minor_no) == device || (source[0] == '/' && same_device(source, device));
		if (found)
			snprintf(buf, bytes, "%s", where);
	}
	if (f)
		fclose(f);
	return found;
}

static bool is_swap(dev_t device)
{
	FILE *f = fopen("/proc/swaps", "re");
	char line[1024], path[256];
	bool found = false;
	while (f && !found && fgets(line, sizeof(line), f))
		found = sscanf(line, "%255s", path) == 1 && path[0] == '/' && same_device(path, device);
	if (f)
		fclose(f);
	return found;
}

/* What the kernel uses it for. */
static bool kernel_uses(const char *name, dev_t device, char *in_use, size_t bytes)
{
	char entry[256];
	if (mounted_at(device, entry, sizeof(entry)))
		snprintf(in_use, bytes, "mounted at %s", entry);
	else if (is_swap(device))
		snprintf(in_use, bytes, "used as swap");
	else if (first_of(name, "holders", NULL, entry, sizeof(entry)))
		snprintf(in_use, bytes, "a member of %s", entry);
	else if (first_of(name, "", is_partition, entry, sizeof(entry)))
		snprintf(in_use, bytes, "it has partitions (%s)", entry);
	else
		return false;
	return true;
}

static bool value_of(const char *text, const char *key, char *buf, size_t bytes)
{
	size_t n = strlen(key);
	for (const char *p = text; p; p = strchr(p, '\n') ? strchr(p, '\n') + 1 : NULL)
		if (!strncmp(p, key, n) && p[n] == '=') {
			snprintf(buf, bytes, "%.*s", (int)strcspn(p + n + 1, "\n"), p + n + 1);
			return true;
		}
	return false;
}

/* Known signatures, by libblkid.  2: none; 8: more than one. */
static bool has_signature(const char *path, char *in_use, size_t bytes)
{
	char out[4096], type[64], label[64] = "";
	const char *argv[] = { "blkid", "-p", "-o", "export", path, NULL };
	int status = keeper_spawn(&(struct keeper_run_opts){ .argv = argv, .out = out, .out_bytes = sizeof(out), .stdout_only = true, .timeout_s = 30 });
	if (status == 2)
		return false;
	if (status == 0 && (value_of(out, "TYPE", type, sizeof(type)) || value_of(out, "PTTYPE", type, sizeof(type)))) {
		bool named = value_of(out, "LABEL", label, sizeof(label));
		snprintf(in_use, bytes, "%s%s%s%s%s is on it", type, value_of(out, "PTTYPE", type, sizeof(type)) && !value_of(out, "TYPE", type, sizeof(type)) ? " partition table" : "",
			 named ? " \"" : "", label, named ? "\"" : "");
		trim(in_use);
		return true;
	}
	snprintf(in_use, bytes, status == 8 ? "several signatures are on it" : status == -ENOENT ? "blkid is not installed, so nobody knows what is on it" : "blkid cannot say what is on it");
	return true;
}

static int is_zero(int fd, uint64_t at, size_t len, char *buf)
{
	for (size_t done = 0; done < len;) {
		ssize_t n = TEMP_FAILURE_RETRY(pread(fd, buf, len - done < SAMPLE_BYTES ? len - done : SAMPLE_BYTES, (off_t)(at + done)));
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		for (ssize_t i = 0; i < n; i++)
			if (buf[i])
				return 0;
		done += (size_t)n;
	}
	return 1;
}

static int is_blank(int fd, uint64_t size)
{
	_cleanup_(freep) char *buf = malloc(SAMPLE_BYTES);
	if (!buf)
		return -ENOMEM;
	size_t edge = size < EDGE_BYTES ? (size_t)size : EDGE_BYTES;
	int r = is_zero(fd, 0, edge, buf);
	if (r == 1)
		r = is_zero(fd, size - edge, edge, buf);
	for (unsigned i = 1; r == 1 && i < SAMPLES && size > 2 * EDGE_BYTES; i++)
		r = is_zero(fd, size / SAMPLES * i / SAMPLE_BYTES * SAMPLE_BYTES, SAMPLE_BYTES, buf);
	return r;
}

/* in_use becomes "" when nothing at all is there. */
static void look(const char *name, const char *path, uint64_t size, char *in_use, size_t bytes)
{
	struct stat st;
	in_use[0] = '\0';
	if (stat(path, &st) < 0 || !S_ISBLK(st.st_mode)) {
		snprintf(in_use, bytes, "its device node is missing");
		return;
	}
	if (kernel_uses(name, st.st_rdev, in_use, bytes) || has_signature(path, in_use, bytes))
		return;
	/* Claimed for a moment, to see whether anybody has it; somebody else may be looking just now. */
	int claim = -1;
	for (int i = 0; i < CLAIMS && (claim = open(path, O_RDONLY | O_EXCL | O_NOFOLLOW | O_CLOEXEC)) < 0 && errno == EBUSY; i++)
		usleep(CLAIM_WAIT_US);
	int error = errno;
	if (claim >= 0)
		close(claim);
	_cleanup_(closep) int fd = claim < 0 ? -1 : open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (claim < 0)
		errno = error;
	if (fd < 0) {
		snprintf(in_use, bytes, errno == EBUSY ? "another program has it, perhaps as a volume" : "it cannot be opened: %s", strerror(errno));
		return;
	}
	int r = is_blank(fd, size);
	if (r == 0)
		snprintf(in_use, bytes, "it has data of an unknown kind");
	else if (r < 0)
		snprintf(in_use, bytes, "it cannot be read: %s", strerror(-r));
}

static bool is_disk(const char *name)
{
	static const char *const others[] = { "ram", "zram", "sr", "fd", "mtdblock", "nbd" };
	for (size_t i = 0; i < ARRAY_COUNT(others); i++)
		if (!strncmp(name, others[i], strlen(others[i])) && name[strlen(others[i])] >= '0' && name[strlen(others[i])] <= '9')
			return false;
	return name[0] != '.' && strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") == strlen(name);
}

static const char *kind_of(const char *name)
{
	static const struct {
		const char *prefix, *kind;
	} kinds[] = { { "nvme", "nvme" }, { "vd", "virtio" }, { "xvd", "virtio" }, { "md", "md" }, { "dm-", "dm" }, { "loop", "loop" }, { "mmcblk", "mmc" }, { "pmem", "pmem" } };
	for (size_t i = 0; i < ARRAY_COUNT(kinds); i++)
		if (!strncmp(name, kinds[i].prefix, strlen(kinds[i].prefix)))
			return kinds[i].kind;
	return "disk";
}

/* Fills a row; false: there is no such disk, or nothing in it. */
static bool describe(const char *name, struct space_disk *d)
{
	*d = (struct space_disk){ 0 };
	if (!is_disk(name) || strlen(name) >= sizeof(d->name))
		return false;
	d->size_bytes = read_number(name, "size") * 512;
	if (!d->size_bytes)
		return false;
	snprintf(d->name, sizeof(d->name), "%s", name);
	snprintf(d->path, sizeof(d->path), "/dev/%s", name);
	snprintf(d->kind, sizeof(d->kind), "%s", kind_of(name));
	if (!read_line(name, "device/model", d->model, sizeof(d->model)) && !strcmp(d->kind, "loop"))
		read_line(name, "loop/backing_file", d->model, sizeof(d->model));
	if (!read_line(name, "device/serial", d->serial, sizeof(d->serial)) && !read_line(name, "serial", d->serial, sizeof(d->serial)))
		read_line(name, "device/wwid", d->serial, sizeof(d->serial));
	d->rotational = read_number(name, "queue/rotational");
	d->removable = read_number(name, "removable");
	d->read_only = read_number(name, "ro");
	return true;
}

static int by_name(const void *a, const void *b)
{
	return strverscmp(((const struct space_disk *)a)->name, ((const struct space_disk *)b)->name);
}

int op_disk_list(struct space_disk **ret, size_t *ret_count, char *why, size_t why_bytes)
{
	_cleanup_(freep) struct space_disk *all = NULL;
	size_t count = 0, room = 0;
	DIR *dir = opendir("/sys/block");
	if (!dir)
		return op_refuse(why, why_bytes, -errno, "the disks cannot be listed: %s", strerror(errno));
	int r = 0;
	for (const struct dirent *e; !r && (e = readdir(dir));) {
		struct space_disk d;
		if (!describe(e->d_name, &d))
			continue;
		if (count == room) {
			room = room ? room * 2 : 16;
			struct space_disk *more = realloc(all, room * sizeof(*all));
			if (!more) {
				r = -ENOMEM;
				break;
			}
			all = more;
		}
		look(d.name, d.path, d.size_bytes, d.in_use, sizeof(d.in_use));
		d.empty = !d.in_use[0] && !d.read_only;
		all[count++] = d;
	}
	closedir(dir);
	if (r)
		return op_refuse(why, why_bytes, r, "the disks cannot be listed: %s", strerror(-r));
	if (count)
		qsort(all, count, sizeof(*all), by_name);
	*ret_count = count;
	*ret = TAKE(all);
	return 0;
}

int op_disk_check(const char *path, struct space_disk *ret, char *why, size_t why_bytes)
{
	const char *name = path + 5;
	if (strncmp(path, "/dev/", 5) != 0 || !is_disk(name))
		return op_refuse(why, why_bytes, -EINVAL, "name a whole disk, such as /dev/sdb");
	if (!describe(name, ret))
		return op_refuse(why, why_bytes, -ENOENT, "there is no disk %.40s", path);
	return 0;
}

int op_disk_check_empty(const char *path, char *why, size_t why_bytes)
{
	struct space_disk d;
	int r = op_disk_check(path, &d, why, why_bytes);
	if (r)
		return r;
	if (d.read_only)
		return op_refuse(why, why_bytes, -EROFS, "%s is read-only", path);
	look(d.name, d.path, d.size_bytes, d.in_use, sizeof(d.in_use));
	if (!d.in_use[0])
		return 0;
	return op_refuse(why, why_bytes, -EBUSY, "%s is not empty: %s; only an empty disk becomes a pool, so erase it first if nobody needs what is on it (wipefs -a and blkdiscard or dd)", path, d.in_use);
}

int op_disk_health(const char *path, int *ret_fd, char *why, size_t why_bytes)
{
	struct space_disk d;
	char program[PATH_MAX];
	int r = op_disk_check(path, &d, why, why_bytes);
	if (r)
		return r;
	if (!keeper_program("smartctl", program))
		return op_refuse(why, why_bytes, -ENOENT, "smartctl is not installed; install smartmontools to see the health of disks");
	_cleanup_(closep) int fd = memfd_create("health", MFD_CLOEXEC);
	if (fd < 0)
		return op_refuse(why, why_bytes, -errno, "no memory for the answer");
	/* A disk that sleeps is not woken for this. The exit status is bits about the disk, not an error of ours. */
	const char *argv[] = { "smartctl", "-j", "-a", "-n", "standby", path, NULL };
	r = keeper_spawn(&(struct keeper_run_opts){ .argv = argv, .stdout_only = true, .out_fd = fd, .timeout_s = 60 });
	if (r < 0)
		return op_refuse(why, why_bytes, r, "smartctl did not answer: %s", strerror(-r));
	*ret_fd = take_fd(&fd);
	return 0;
}
