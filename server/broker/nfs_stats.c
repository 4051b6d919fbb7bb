/* SPDX-License-Identifier: GPL-3.0-or-later */
/* nfs_stats.c - what each export has moved, as its server counts it: NFS-Ganesha over D-Bus, the kernel in a file.
 *
 * NFS-Ganesha 4.3 tells it only over a "system" bus.  The machine's may not exist, and may have another Ganesha on it, so
 * there is a bus of our own: dbus-daemon as one more child, below our folder, where only root may go.  Ganesha ends when its
 * bus does (a habit of libdbus), so the bus outlives the keeper as it does, and when it died both are started again.  org.ganesha.nfsd.exportstats, GetNFSIO. */
#include "config.h"

#include "broker/nfs_priv.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#ifdef HAVE_SYSTEMD
#include <systemd/sd-bus.h>
#endif

#define BUS_CONF "nfs/etc/bus.conf"
#define BUS_SOCKET "nfs/run/bus"
#define CALL_TIMEOUT_US 3000000
#define KERNEL_STATS "/proc/fs/nfsd/export_stats"

/* ---- the bus ---------------------------------------------------------------------------------------------- */
/* "unix:path=..", with what an address may not hold as %XX.  D-Bus specification, "Server Addresses". */
static void bus_address(char *buf, size_t bytes, const char *path)
{
	size_t n = (size_t)snprintf(buf, bytes, "unix:path=");
	for (const char *p = path; *p && n + 4 < bytes; p++) {
		bool plain = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') || strchr("-_/.\\*", *p);
		n += (size_t)snprintf(buf + n, bytes - n, plain ? "%c" : "%%%02x", (unsigned char)*p);
	}
}

static int bus_argv(const char **argv, size_t argv_count, char *buf, size_t buf_bytes, char *why, size_t why_bytes)
{
	char path[PATH_MAX], address[PATH_MAX * 3 + 16], text[PATH_MAX * 4];
	struct sockaddr_un longest;
	keeper_path(path, BUS_SOCKET);
	if (strlen(path) >= sizeof(longest.sun_path)) {
		snprintf(why, why_bytes, "the name of the state folder is too long for a socket in it");
		return -ENAMETOOLONG;
	}
	bus_address(address, sizeof(address), path);
	int n = snprintf(text, sizeof(text),
			 "<!DOCTYPE busconfig PUBLIC \"-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN\"\n"
			 " \"http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd\">\n"
			 "<!-- Written by holdfastd; only the user that runs the bus, root, may connect. -->\n"
			 "<busconfig>\n  <type>holdfast-nfs</type>\n  <listen>%s</listen>\n  <auth>EXTERNAL</auth>\n"
			 "  <policy context=\"default\">\n    <allow own=\"*\"/>\n    <allow send_destination=\"*\"/>\n    <allow receive_sender=\"*\"/>\n"
			 "  </policy>\n</busconfig>\n", address);
	int r = keeper_mkdir("nfs/run", 0700);
	r = r < 0 ? r : keeper_write(BUS_CONF, text, (size_t)n, 0600, NULL);
	if (r < 0 || argv_count < 5 || (size_t)snprintf(buf, buf_bytes, "--config-file=%s", keeper_path(path, BUS_CONF)) >= buf_bytes)
		return r < 0 ? r : -E2BIG;
	/* One that was killed leaves its socket. */
	unlink(keeper_path(path, BUS_SOCKET));
	argv[0] = buf;
	argv[1] = "--nofork";
	argv[2] = "--nopidfile";
	argv[3] = "--nosyslog";
	argv[4] = NULL;
	return 0;
}

static bool bus_ready(void)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	char path[PATH_MAX];
	_cleanup_(closep) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (strlen(keeper_path(path, BUS_SOCKET)) >= sizeof(to.sun_path))
		return false;
	memcpy(to.sun_path, path, strlen(path) + 1);
	return fd >= 0 && connect(fd, (const struct sockaddr *)&to, sizeof(to)) == 0;
}

static const char *const bus_programs[] = { "dbus-daemon", NULL };
const struct keeper_kind keeper_kind_nfs_bus = { .name = "nfs-bus", .programs = bus_programs, .argv = bus_argv, .ready = bus_ready };

void nfs_bus_start(void)
{
	char path[PATH_MAX], why[256] = "";
	if (!keeper_program(bus_programs[0], path))
		return; /* files are served without it; who asks for counters is told */
	if (keeper_child_start(&keeper_kind_nfs_bus, why, sizeof(why)) < 0)
		log_warn(&log_keeper, "the bus to NFS-Ganesha does not start, continuing without counters", "reason=\"%s\"", why);
}

void nfs_bus_stop(void)
{
	if (keeper_child_stop(&keeper_kind_nfs_bus) < 0)
		log_warn(&log_keeper, "the bus to NFS-Ganesha does not end", " ");
}

const char *const *nfs_bus_env(void)
{
	static char text[PATH_MAX * 3 + 64];
	static const char *const env[] = { text, NULL };
	char path[PATH_MAX];
	int n = snprintf(text, sizeof(text), "DBUS_SYSTEM_BUS_ADDRESS=");
	bus_address(text + n, sizeof(text) - (size_t)n, keeper_path(path, BUS_SOCKET));
	return env;
}

/* ---- NFS-Ganesha -------------------------------------------------------------------------------------------- */
#ifdef HAVE_SYSTEMD
/* One struct of six numbers: asked for, moved, requests, errors, latency, time in queue. */
static int six(sd_bus_message *m, uint64_t *ret_bytes, uint64_t *ret_requests)
{
	uint64_t asked, errors, latency, queued;
	return sd_bus_message_read(m, "(tttttt)", &asked, ret_bytes, ret_requests, &errors, &latency, &queued);
}

static int print_exports(FILE *f, sd_bus_message *m)
{
	int r = sd_bus_message_enter_container(m, 'a', "(qs(tttttt)(tttttt))");
	while (r >= 0 && (r = sd_bus_message_enter_container(m, 'r', "qs(tttttt)(tttttt)")) > 0) {
		uint16_t id = 0;
		const char *version = NULL;
		uint64_t read = 0, reads = 0, written = 0, writes = 0;
		r = sd_bus_message_read(m, "qs", &id, &version);
		r = r < 0 ? r : six(m, &read, &reads);
		r = r < 0 ? r : six(m, &written, &writes);
		r = r < 0 ? r : sd_bus_message_exit_container(m);
		if (r >= 0 && id)
			fprintf(f, "io %u %llu %llu %llu %llu\n", id, (unsigned long long)read, (unsigned long long)reads, (unsigned long long)written,
				(unsigned long long)writes);
	}
	return r;
}

static int ask_ganesha(FILE *f, const char **ret_why)
{
	sd_bus *bus = NULL;
	sd_bus_message *answer = NULL;
	char path[PATH_MAX], address[PATH_MAX * 3 + 16];
	int counts = 0;
	const char *said = "";
	uint64_t s, ns;
	bus_address(address, sizeof(address), keeper_path(path, BUS_SOCKET));
	*ret_why = "the bus to NFS-Ganesha does not answer";
	int r = sd_bus_new(&bus);
	r = r < 0 ? r : sd_bus_set_address(bus, address);
	r = r < 0 ? r : sd_bus_set_bus_client(bus, true);
	r = r < 0 ? r : sd_bus_start(bus);
	r = r < 0 ? r : sd_bus_set_method_call_timeout(bus, CALL_TIMEOUT_US);
	if (r >= 0) {
		*ret_why = "NFS-Ganesha is not on its bus (it takes a new start of it), or has no counters";
		r = sd_bus_call_method(bus, "org.ganesha.nfsd", "/org/ganesha/nfsd/ExportMgr", "org.ganesha.nfsd.exportstats", "GetNFSIO", NULL, &answer, "");
	}
	r = r < 0 ? r : sd_bus_message_read(answer, "bs(tt)", &counts, &said, &s, &ns);
	if (r >= 0 && !counts)
		r = -ENODATA;
	r = r < 0 ? r : print_exports(f, answer);
	sd_bus_message_unref(answer);
	sd_bus_flush_close_unref(bus);
	return r < 0 ? r : 0;
}
#else
static int ask_ganesha(FILE *f, const char **ret_why)
{
	(void)f;
	*ret_why = "this build has no libsystemd, so NFS-Ganesha cannot be asked";
	return -EOPNOTSUPP;
}
#endif

void nfs_ganesha_io(FILE *f)
{
	char path[PATH_MAX];
	const char *why = "";
	if (!keeper_program(bus_programs[0], path))
		fputs("no-io NFS-Ganesha tells its counters over D-Bus only; install dbus-daemon and start the NFS server again\n", f);
	else if (ask_ganesha(f, &why) < 0)
		fprintf(f, "no-io %s\n", why);
}

/* ---- the kernel ----------------------------------------------------------------------------------------------- */
/* Takes \NNN out of a path. */
static void unescape(char *s)
{
	char *to = s;
	for (; *s; s++) {
		if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] >= '0' && s[2] <= '7' && s[3] >= '0' && s[3] <= '7') {
			*to++ = (char)((s[1] - '0') * 64 + (s[2] - '0') * 8 + s[3] - '0');
			s += 3;
		} else {
			*to++ = *s;
		}
	}
	*to = '\0';
}

/* A line per export and client, then lines of counters that begin with a tab.  nfsd(7), since Linux 5.12. */
void nfs_kernel_io_read(FILE *from, FILE *f, const struct nfs_spec *s, const char *root)
{
	char line[PATH_MAX * 4 + 512];
	unsigned id = 0;
	unsigned long long n;
	while (fgets(line, sizeof(line), from)) {
		if (line[0] == '#')
			continue;
		if (line[0] != '\t') {
			line[strcspn(line, " \t\n")] = '\0';
			unescape(line);
			/* As rpc.mountd sees it: in a chroot of ours with what is above that before it. */
			const char *at = strstr(line, root);
			id = 0;
			for (size_t i = 0; i < s->export_count && at; i++)
				if (strcmp(at + strlen(root), s->exports[i].name) == 0)
					id = s->exports[i].id;
		} else if (id && sscanf(line, "\tio_read: %llu", &n) == 1) {
			fprintf(f, "io %u %llu - 0 -\n", id, n);
		} else if (id && sscanf(line, "\tio_write: %llu", &n) == 1) {
			fprintf(f, "io %u 0 - %llu -\n", id, n);
		}
	}
}

void nfs_kernel_io(FILE *f, const struct nfs_spec *s)
{
	char root[PATH_MAX];
	FILE *from = fopen(KERNEL_STATS, "re");
	if (!from) {
		fputs("no-io the kernel's NFS server counts by export since Linux 5.12, and this one does not\n", f);
		return;
	}
	nfs_kernel_io_read(from, f, s, keeper_path(root, "nfs/root/"));
	fclose(from);
}
