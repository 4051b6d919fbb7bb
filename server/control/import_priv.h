/* SPDX-License-Identifier: GPL-3.0-or-later */
/* import_priv.h - what the two files about imports share. */
#ifndef HOLDFAST_CONTROL_IMPORT_PRIV_H
#define HOLDFAST_CONTROL_IMPORT_PRIV_H

#include "control/control_priv.h"
#include "remote/remote.h"

/* An import that runs; the worker's. */
struct import {
	struct task *task;
	char name[64];
	json_t *wish;                    /* what was asked for, with secrets; owned */
	json_t *state;                   /* {"cursor_bytes","progress","volume_id",..}: what the file keeps; owned */
	uint64_t saved_ns;
	_Atomic(uint64_t) rate;
	_Atomic(bool) keep;              /* ended with the daemon: goes on after its start */
	struct lun_copy *lun;
	char said[512];                  /* the child's last word */
	bool ended_well;
};
int import_save(struct import *m);       /* durable */
int import_frame_json(struct import *m, enum remote_frame kind, const uint8_t *data, size_t len_bytes);

/* ---- import_lun.c */
int lun_frame(struct import *m, struct remote_child *child, enum remote_frame kind, const uint8_t *data, size_t len_bytes);
int lun_end(struct import *m, char *why, size_t why_bytes);      /* what is left to be durable; frees */

#endif
