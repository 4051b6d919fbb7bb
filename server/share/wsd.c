/* SPDX-License-Identifier: GPL-3.0-or-later */
/* wsd.c - the part that makes Windows show this server: WS-Discovery for the addresses of SMB portals, by wsdd below the keeper.
 * Where it cannot be, shares are served all the same, and the status says why. */
#include "share/share_priv.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define ADDRESSES_MAX 7

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards what follows */
static bool wanted;
static char problem[192];                /* why it does not run; "" */

static bool is_loopback(const char *address)
{
	return strncmp(address, "127.", 4) == 0 || strcmp(address, "::1") == 0;
}

static bool is_any(const char *address)
{
	return strcmp(address, "0.0.0.0") == 0 || strcmp(address, "::") == 0;
}

/* The addresses to show it at, into args; -1: none.  0: all. */
static int addresses_of(const struct share_world *w, const char **args)
{
	int n = 0;
	bool seen = false, all = false;
	for (size_t i = 0; i < w->portal_count; i++) {
		const struct share_portal *p = &w->portals[i];
		if (p->nfs || is_loopback(p->address))
			continue;
		seen = true;
		all |= is_any(p->address) || n == ADDRESSES_MAX;
		if (!all)
			args[n++] = p->address;
	}
	return !seen ? -1 : all ? 0 : n;
}

static int wsd_apply(const struct share_world *w, char *why, size_t why_bytes)
{
	const char *args[2 + ADDRESSES_MAX];
	char host[256] = "holdfast";
	struct keeper_answer a;
	(void)why, (void)why_bytes;
	int n = w->settings.wsd ? addresses_of(w, args + 2) : -1, r;
	if (!w->settings.smb_server_name && gethostname(host, sizeof(host) - 1) == 0)
		host[strcspn(host, ".")] = '\0';
	args[0] = w->settings.smb_server_name ? w->settings.smb_server_name : host;
	args[1] = w->settings.smb_workgroup ? w->settings.smb_workgroup : "WORKGROUP";
	r = n < 0 ? keeper_ask(&a, -1, "child-stop", "wsdd", NULL) : keeper_ask_list(&a, -1, "wsd-apply", args, 2 + (size_t)n);
	pthread_mutex_lock(&lock);
	wanted = n >= 0;
	snprintf(problem, sizeof(problem), "%.190s", r < 0 ? a.text[0] ? a.text : strerror(-r) : "");
	pthread_mutex_unlock(&lock);
	if (r < 0 && n >= 0)
		log_info(&log_share, "Windows will not show this server by itself, continuing", "reason=\"%s\"", a.text);
	keeper_answer_done(&a);
	return 0;
}

static void wsd_status(json_t *servers)
{
	struct keeper_answer a;
	char state[32] = "stopped", reason[256] = "", *save = NULL;
	int pid = 0;
	long long since = 0;
	unsigned restarts = 0;
	pthread_mutex_lock(&lock);
	bool shown = wanted;
	snprintf(reason, sizeof(reason), "%s", problem);
	pthread_mutex_unlock(&lock);
	if (!shown)
		return;
	if (keeper_ask(&a, -1, "child-list", NULL) == 0)
		for (char *line = strtok_r(a.text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
			char name[64];
			if (!reason[0] && sscanf(line, "%63s", name) == 1 && strcmp(name, "wsdd") == 0)
				sscanf(line, "%*s %31s %d %lld %u %255[^\n]", state, &pid, &since, &restarts, reason);
		}
	keeper_answer_done(&a);
	json_array_append_new(servers, json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:s}", "name", "wsdd", "provider", "wsdd", "version", "", "state", state, "pid",
						 (json_int_t)pid, "since", (json_int_t)since, "restarts", (json_int_t)restarts, "reason", reason));
}

const struct share_part share_part_wsd = { .name = "wsd", .apply = wsd_apply, .status = wsd_status };
