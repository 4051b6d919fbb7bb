/* SPDX-License-Identifier: GPL-3.0-or-later */
/* space_plan.c - which snapshots are due, and which may go.  Pure: the snapshots that are there are all the memory that the
 * schedule has, so a daemon that was down takes each that it missed once, and a clock that went back takes none twice.
 *
 * A snapshot may count for several rows: that of midnight for the hour and the day.  It goes when each row that it counts for has
 * as many newer ones as it keeps.  What people took by hand, what a restore kept, and what a row took that was turned off
 * since, never goes by itself. */
#include "share/space_priv.h"

#include <time.h>

static const unsigned kinds[] = { SPACE_HOURLY, SPACE_DAILY, SPACE_WEEKLY, SPACE_MONTHLY };

static unsigned kept(const struct share_snapshots *keep, unsigned kind)
{
	return kind == SPACE_HOURLY ? keep->hourly : kind == SPACE_DAILY ? keep->daily : kind == SPACE_WEEKLY ? keep->weekly : keep->monthly;
}

/* When the hour, day, week (from Monday) or month began, as clocks on the wall have it. */
int64_t space_period_start(unsigned kind, int64_t now_s)
{
	time_t now = (time_t)now_s;
	struct tm tm;
	if (kind == SPACE_HOURLY || !localtime_r(&now, &tm))
		return now_s - now_s % 3600;
	tm.tm_hour = tm.tm_min = tm.tm_sec = 0;
	if (kind == SPACE_WEEKLY)
		tm.tm_mday -= (tm.tm_wday + 6) % 7;
	if (kind == SPACE_MONTHLY)
		tm.tm_mday = 1;
	tm.tm_isdst = -1;
	return mktime(&tm);
}

unsigned space_due(const struct share_snapshots *keep, const struct space_snapshot *all, size_t count, int64_t now_s)
{
	unsigned due = 0;
	for (size_t k = 0; k < ARRAY_COUNT(kinds); k++) {
		if (!kept(keep, kinds[k]))
			continue;
		int64_t start = space_period_start(kinds[k], now_s);
		bool there = false;
		for (size_t i = 0; i < count; i++)
			there |= all[i].kinds & kinds[k] && all[i].at_s >= start;
		due |= there ? 0 : kinds[k];
	}
	return due;
}

void space_prune(const struct share_snapshots *keep, const struct space_snapshot *all, size_t count, bool *ret_go)
{
	unsigned seen[ARRAY_COUNT(kinds)] = { 0 };
	for (size_t i = 0; i < count; i++) {     /* the newest first */
		unsigned rest = all[i].kinds;
		for (size_t k = 0; k < ARRAY_COUNT(kinds); k++) {
			if (!(all[i].kinds & kinds[k]))
				continue;
			unsigned n = kept(keep, kinds[k]);
			if (n && seen[k]++ >= n)
				rest &= ~kinds[k];
		}
		ret_go[i] = all[i].kinds && !rest;
	}
}
