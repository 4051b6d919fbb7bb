/* SPDX-License-Identifier: GPL-3.0-or-later */
/* holders.c - who runs as a user that is to be deleted: the account cannot go before them.
 * A session of smbd serves as its user, and so counts; it is closed, as its user is none any more. */
#include "broker/keeper_priv.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define WAIT_MS 5000

struct process {
	char name[32];
	pid_t pid, parent;
	bool is;                         /* of this user, in one of the four ways of proc(5) */
};

static bool look(const char *pid, uid_t uid, struct process *p)
{
	char path[64], line[256];
	*p = (struct process){ .pid = (pid_t)strtol(pid, NULL, 10) };
	snprintf(path, sizeof(path), "/proc/%.20s/status", pid);
	FILE *f = fopen(path, "re");
	if (!f)
		return false;
	while (fgets(line, sizeof(line), f)) {
		unsigned u[4];
		int parent;
		if (sscanf(line, "Name:\t%31[^\n]", p->name) == 1)
			continue;
		if (sscanf(line, "PPid: %d", &parent) == 1)
			p->parent = parent;
		else if (sscanf(line, "Uid: %u %u %u %u", &u[0], &u[1], &u[2], &u[3]) == 4)
			p->is = u[0] == uid || u[1] == uid || u[2] == uid || u[3] == uid;
	}
	fclose(f);
	return p->is;
}

/* How many; sessions of our smbd are told to end, the others are named. */
static unsigned scan(uid_t uid, char *names, size_t bytes)
{
	pid_t smbd = keeper_child_pid(&keeper_kind_smbd);
	unsigned count = 0;
	size_t n = 0;
	DIR *d = opendir("/proc");
	names[0] = '\0';
	for (const struct dirent *e; d && (e = readdir(d));) {
		struct process p;
		if (e->d_name[0] < '1' || e->d_name[0] > '9' || !look(e->d_name, uid, &p))
			continue;
		count++;
		if (smbd > 0 && p.parent == smbd)
			kill(p.pid, SIGTERM);
		if (n < bytes)
			n += (size_t)snprintf(names + n, bytes - n, "%s%s (%d)", n ? ", " : "", p.name, (int)p.pid);
	}
	if (d)
		closedir(d);
	return count;
}

int keeper_holders_end(uid_t uid, char *names, size_t names_bytes)
{
	for (unsigned ms = 0; scan(uid, names, names_bytes); ms += 50) {
		if (ms >= WAIT_MS)
			return -EBUSY;
		usleep(50000);
	}
	return 0;
}
