/* SPDX-License-Identifier: GPL-3.0-or-later */
/* space_priv.h - inside share/: the parts of space. */
#ifndef HOLDFAST_SHARE_SPACE_PRIV_H
#define HOLDFAST_SHARE_SPACE_PRIV_H

#include "broker/space.h"
#include "share/share_priv.h"
#include "share/space.h"

/* ---- space_plan.c: pure ---------------------------------------------------------------------------------------------- */
int64_t space_period_start(unsigned kind, int64_t now_s);
/* The rows (SPACE_HOURLY..) of which none has been taken since its period began. */
unsigned space_due(const struct share_snapshots *keep, const struct space_snapshot *all, size_t count, int64_t now_s);
/* all: the newest first; ret_go[i]: snapshot i is beyond what is kept. */
void space_prune(const struct share_snapshots *keep, const struct space_snapshot *all, size_t count, bool *ret_go);

/* ---- space_health.c: pure -------------------------------------------------------------------------------------------- */
enum space_health { SPACE_HEALTH_UNKNOWN, SPACE_HEALTH_GOOD, SPACE_HEALTH_WORN, SPACE_HEALTH_FAILING };
struct space_disk_health {
	enum space_health health;
	bool asleep;                     /* was not woken to be asked */
	char text[256];                  /* what is wrong, or why it is not known; "" when it is good */
	int64_t temperature_c, hours, worn_percent, reallocated, pending, media_errors; /* -1: the disk does not say */
};
/* text: what smartctl -j says. */
void space_health_read(const char *text, struct space_disk_health *ret);
const char *space_health_name(enum space_health h); /* "good" */

/* ---- space_disk.c ---------------------------------------------------------------------------------------------------- */
void space_disks_look(void);             /* asks for the health of all disks and tells what changed; blocks */
void space_disks_stop(void);

#endif
