/* SPDX-License-Identifier: GPL-3.0-or-later */
/* remote.h - the door of remote/: other machines, seen from here.
 *
 * Three things: foreign configuration becomes a report and a list of objects (pure functions); work with a foreign server
 * (self-tests, imports) is done by a child of its own, holdfast-remote, and arrives here as frames; a folder tree is
 * copied from whatever can be listed and read.  The libraries that speak to foreign servers are linked into the child only. */
#ifndef HOLDFAST_REMOTE_REMOTE_H
#define HOLDFAST_REMOTE_REMOTE_H

#include <jansson.h>

#include "core/base.h"

/* ---- configuration of other software ----------------------------------------------------------------------- */
#define REMOTE_CONFIG_MAX_BYTES (1u << 20)
struct remote_config {
	const char *format;              /* "lio", "tgt", "scst", "samba", "exports"; NULL: found out */
	const char *text;                /* borrowed; need not be UTF-8 */
	size_t len_bytes;
	const json_t *pools;             /* [{"name","path"}] that are there already; may be NULL */
	const json_t *names;             /* {"volume":{"disk1":true},..}: names that are taken; may be NULL */
};
/* {"format", "objects":[{"kind","line","body"}], "findings":[{"line","level":"kept|changed|lost","text"}]}, owned.
 * Bodies are what POST of such an object takes, in an order in which all can be made.  A volume without size_bytes has
 * that of its device.  -EINVAL with why: the text is none of these, or too much; -ENOMEM.  Any thread. */
int remote_config_read(const struct remote_config *c, json_t **ret_report, char *why, size_t why_bytes);

/* ---- work with a foreign server, done by a child ------------------------------------------------------------- */
/* Kinds of frame from the child. */
enum remote_frame {
	REMOTE_STEP = 1,                 /* JSON {"step","result":"ok|failed|skipped|running","text","fix","ms"} */
	REMOTE_PROGRESS,                 /* JSON {"files","bytes","total_bytes",..} */
	REMOTE_LOG,                      /* JSON {"level","text"} */
	REMOTE_FACTS,                    /* JSON: what the source is */
	REMOTE_DATA,                     /* 8 bytes offset, then what is there */
	REMOTE_ZERO,                     /* 8 bytes offset, 8 bytes length: nothing is there */
	REMOTE_END,                      /* JSON {"ok",..,"text"}: the last one */
};
#define REMOTE_FRAME_MAX_BYTES ((1u << 20) + 64)
struct remote_child;
struct remote_job {
	const json_t *job;               /* borrowed: what the child reads first; docs in README.md */
	int dir_fd;                      /* borrowed: descriptor 3 of the child; -1: none */
	int running_fd;                  /* borrowed: the socket of a child that the keeper has started; 0: start one */
	/* On the calling thread, for each frame; not 0: stop, that is what remote_run() returns. */
	int (*frame)(void *arg, struct remote_child *child, enum remote_frame kind, const uint8_t *data, size_t len_bytes);
	/* Asked ten times a second and more; true: stop with -ECANCELED. */
	bool (*is_cancelled)(void *arg);
	/* Bytes per second, 0: as fast as it goes; asked like is_cancelled.  NULL: the job says it. */
	uint64_t (*rate)(void *arg);
	void *arg;
};
/* Runs the child to its end; blocks, so on a worker thread.  0: it said REMOTE_END; -ECANCELED; -ENOENT: the program is
 * not installed; -EIO: it died (why has what it said last); what frame() returned. */
int remote_run(const struct remote_job *job, char *why, size_t why_bytes);


/* To a child that has told REMOTE_FACTS: begin there. */
void remote_child_go(struct remote_child *c, uint64_t offset_bytes);

/* ---- addresses of sources ------------------------------------------------------------------------------------- */
enum remote_scheme { REMOTE_SMB, REMOTE_NFS, REMOTE_ISCSI };
struct remote_url {
	enum remote_scheme scheme;
	char host[256];                  /* without brackets */
	uint16_t port;                   /* 0: the usual one */
	char share[256];                 /* SMB: the share; iSCSI: the target's name */
	char path[4096];                 /* SMB: below the share; NFS: from the root; never with ".." */
	unsigned lun;                    /* iSCSI */
	unsigned mount_port;             /* NFS 3: ?mountport=N */
	unsigned version;                /* NFS: ?version=3|4; 0: 3 */
};
/* smb://SERVER[:PORT]/SHARE[/FOLDER], nfs://SERVER[:PORT]/FOLDER[?version=4], iscsi://SERVER[:PORT]/IQN/LUN; percent-encoded.
 * -EINVAL with why. */
int remote_url_parse(const char *text, struct remote_url *ret_url, char *why, size_t why_bytes);

#endif
