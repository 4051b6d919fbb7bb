/* SPDX-License-Identifier: GPL-3.0-or-later */
/* op_smb.c - smbd as the keeper keeps it. */
#include "broker/keeper_priv.h"

#include <stdio.h>
#include <string.h>

static const char *const smbd_programs[] = { "smbd", NULL };
static const char *const smb_folders[] = { "smb/etc", "smb/private", "smb/lock", "smb/state", "smb/cache", "smb/run", "smb/log", "smb/ncalrpc" };

int keeper_smb_folders(void)
{
	int r = 0;
	for (size_t i = 0; i < ARRAY_COUNT(smb_folders) && r == 0; i++)
		r = keeper_mkdir(smb_folders[i], strcmp(smb_folders[i], "smb/ncalrpc") == 0 || strcmp(smb_folders[i], "smb/lock") == 0 ? 0755 : 0700);
	return r == 0 ? keeper_mkdir("smb", 0755) : r;
}

/* In the foreground, in a session of its own, on absolute paths: with a relative one sessions cannot read the file again. */
static int smbd_argv(const char **argv, size_t argv_count, char *buf, size_t buf_bytes, char *why, size_t why_bytes)
{
	char path[PATH_MAX];
	int r = keeper_smb_folders();
	if (r < 0 || argv_count < 7) {
		snprintf(why, why_bytes, "cannot make Samba's folders: %s", strerror(-r));
		return r < 0 ? r : -E2BIG;
	}
	snprintf(buf, buf_bytes, "%s", keeper_path(path, "smb/etc/smb.conf"));
	size_t n = strlen(buf) + 1;
	if (access(buf, R_OK) < 0) {
		snprintf(why, why_bytes, "there is no configuration yet");
		return -ENOENT;
	}
	snprintf(buf + n, buf_bytes - n, "%s", keeper_path(path, "smb/log"));
	argv[0] = "-F";
	argv[1] = "--no-process-group";
	argv[2] = "-s";
	argv[3] = buf;
	argv[4] = "-l";
	argv[5] = buf + n;
	return 0;
}

/* It answers its own messages: by then its sockets are open. */
static bool smbd_ready(void)
{
	char path[PATH_MAX], out[512];
	const char *const argv[] = { "smbcontrol", "-s", keeper_path(path, "smb/etc/smb.conf"), "--timeout=5", "smbd", "ping", NULL };
	const struct keeper_run_opts o = { .argv = argv, .out = out, .out_bytes = sizeof(out), .timeout_s = 10 };
	return keeper_spawn(&o) == 0 && strstr(out, "PONG");
}

const struct keeper_kind keeper_kind_smbd = {
	.name = "smbd", .programs = smbd_programs, .argv = smbd_argv, .ready = smbd_ready, .log = "smb/log/log.smbd", .files = 65536,
};
