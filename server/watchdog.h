/* SPDX-License-Identifier: GPL-3.0-or-later */
/* watchdog.h - tells systemd that the daemon lives, as long as every thread that matters answers.
 * Belongs to main.c. */
#ifndef HOLDFAST_WATCHDOG_H
#define HOLDFAST_WATCHDOG_H

#include "core/core.h"

/* What WatchdogSec= asks for (sd_watchdog_enabled(3)): how often to call watchdog_beat(), in
 * milliseconds; 0: nobody asks. */
unsigned watchdog_interval_ms(void);
/* A reactor that has to answer; at most REACTOR_MAX + 1 of them, before the first beat. */
void watchdog_add(struct reactor *r);
/* Asks them all; says "alive" when all have answered what they were asked last time, else logs who has not. */
void watchdog_beat(void);

#endif
