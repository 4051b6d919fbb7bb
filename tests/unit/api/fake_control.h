/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fake_control.h - a control/ that keeps its objects in memory, for tests of what stands on it. */
#ifndef HOLDFAST_TESTS_FAKE_CONTROL_H
#define HOLDFAST_TESTS_FAKE_CONTROL_H

#include "control/control.h"

void fake_control_reset(void);
/* The next change fails with this. */
void fake_control_fail(int code, const char *field, const char *why);
/* Sends an event to the subscribers, as the control thread would. */
void fake_control_emit(const char *type, json_t *data);
extern unsigned fake_control_changes;    /* made, dry runs not counted */
extern struct control_change fake_control_last; /* pointers are not valid any more, numbers are */
extern bool fake_control_stats_wanted;
extern unsigned fake_control_delay_ms;   /* of each change */
extern void (*fake_control_on_status)(void); /* runs inside control_status */

#endif
