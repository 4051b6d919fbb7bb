/* SPDX-License-Identifier: GPL-3.0-or-later */
/* disk_priv.h - what op_disk.c, op_format.c and op_mount.c share. */
#ifndef HOLDFAST_BROKER_DISK_PRIV_H
#define HOLDFAST_BROKER_DISK_PRIV_H

#include <sys/mman.h>

#include "broker/keeper_priv.h"
#include "broker/space_priv.h"

int op_disk_check(const char *path, struct space_disk *ret, char *why, size_t why_bytes); /* a whole disk of this machine */
/* One line of our mount table. */
struct mount_row {
	char uuid[40], file_system[8], path[256];
};
int op_mount_add(const struct mount_row *row, char *why, size_t why_bytes); /* into the table, and mounted */

#endif
