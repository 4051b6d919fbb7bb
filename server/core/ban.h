/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ban.h - who must stay away from what for a while: initiators from targets, NVMe hosts from subsystems, by their names.
 * In memory; control/ keeps them over a restart.  Any thread. */
#ifndef HOLDFAST_CORE_BAN_H
#define HOLDFAST_CORE_BAN_H

#include "core/base.h"

#define BANS_MAX 256
struct ban {
	uint64_t id;
	char initiator[224], target[224];        /* qualified names; case does not count */
	uint64_t since_unix_s, until_unix_s;
};
int ban_add(const char *initiator, const char *target, uint64_t seconds, uint64_t *ret_id) _must_check_; /* -ENOSPC: there are as many as there may be */
bool ban_holds(const char *initiator, const char *target);
void ban_each(void (*fn)(void *arg, const struct ban *b), void *arg);    /* those in force; fn must not call back */
int ban_lift(uint64_t id);               /* -ENOENT */
void ban_restore(const struct ban *b);   /* one of before a restart, under its id; dropped when there are too many */

#endif
