/* SPDX-License-Identifier: GPL-3.0-or-later */
/* import_priv.h - what the files about imports share. */
#ifndef HOLDFAST_CONTROL_IMPORT_PRIV_H
#define HOLDFAST_CONTROL_IMPORT_PRIV_H

#include "control/control_priv.h"
#include "remote/remote.h"

/* An import that runs; the worker's. */
struct import {
	struct task *task;
	char name[64];
	json_t *wish;                    /* what was asked for, with sealed secrets; owned */
	json_t *state;                   /* {"cursor_bytes","progress","volume_id",..}: what the file keeps; owned */
	uint64_t saved_ns;
	_Atomic(uint64_t) rate;
	_Atomic(bool) keep;              /* ended with the daemon: goes on after its start */
	struct lun_copy *lun;
	char volume_id[CONFIG_ID_BYTES]; /* that is filled; the control thread's */
	char share_id[CONFIG_ID_BYTES];  /* the same of a tree */
	char said[512];                  /* the child's last word */
	bool ended_well;
};
int import_save(struct import *m);       /* durable */
int import_frame_json(struct import *m, enum remote_frame kind, const uint8_t *data, size_t len_bytes);

/* ---- import_secret.c: {"sealed": text} for texts, the other way round into a job, and none.  Control thread. */
int import_secrets_seal(json_t *wish, struct config_error *e);
int import_secrets_open(const json_t *wish, json_t *job, struct config_error *e);
void import_secrets_forget(json_t *wish);

/* ---- import_place.c */
struct import_job {
	struct import *m;
	json_t *job;
	char path[4096];                 /* of the share's folder */
	struct config_error *e;
};
/* On the control thread: secrets, the share's folder, numbers of users and groups; arg: struct import_job. */
int import_job_complete(void *arg);
/* On the worker: either running_fd or dir_fd of the job. */
int import_place_open(const struct import_job *f, struct remote_job *j, char *why, size_t why_bytes);

/* ---- import_fit.c: of a report on a configuration file */
void import_lost(json_t *report, json_int_t line, const char *fmt, ...) _printf_(3, 4);
void import_fit(json_t *report);

/* ---- import_lun.c */
int lun_frame(struct import *m, struct remote_child *child, enum remote_frame kind, const uint8_t *data, size_t len_bytes);
int lun_end(struct import *m, char *why, size_t why_bytes);      /* what is left to be durable; frees */

#endif
