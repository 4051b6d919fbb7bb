/* SPDX-License-Identifier: GPL-3.0-or-later */
/* keeper.h - the second door of broker/: the keeper, a root process of its own that keeps the servers of shares
 * (`holdfastd --keeper --state DIR`).  It starts and watches smbd and its like, does the few things that need root,
 * outlives the daemon, and trusts nothing that the daemon says.
 *
 * A request is the name of an operation, its arguments (texts without NUL) and perhaps a descriptor, usually a memfd
 * with a long text.  The operations are the rows of op_*.c; each row says what its arguments are. */
#ifndef HOLDFAST_BROKER_KEEPER_H
#define HOLDFAST_BROKER_KEEPER_H

#include <stdarg.h>
#include <sys/types.h>

#include "core/base.h"

#define KEEPER_TEXT_BYTES 8192
#define KEEPER_MEMBERS_MAX 1000          /* of one group: what fits into a request */

/* ---- the daemon's side.  Any thread; requests are served one at a time and block. ----------------------- */
struct keeper_answer {
	char text[KEEPER_TEXT_BYTES];    /* what was answered; on error: why, in words for an administrator */
	int fd;                          /* owned by the caller; -1: none.  Long answers come as a memfd */
};
static inline void keeper_answer_done(struct keeper_answer *a)
{
	closep(&a->fd);
	a->fd = -1;
}
/* Which keeper: that of this state folder.  Connects when first asked, and again when the keeper was replaced. */
void keeper_open(const char *state_dir);
void keeper_close(void);
/* Is there one now?  Its pid, when ret_pid is not NULL. */
bool keeper_present(pid_t *ret_pid);
/* Starts one when there is none and this process (or its helper) is root without the restrictions of a service.
 * why: what to do when it cannot. */
int keeper_summon(char *why, size_t why_bytes) _must_check_;
/* Asks.  fd: a descriptor that goes along (borrowed), or -1.  Arguments are const char *, the last one NULL.
 * -ENOTCONN: no keeper.  ret is always filled; release it by keeper_answer_done(). */
int keeper_ask(struct keeper_answer *ret, int fd, const char *op, ...) __attribute__((sentinel)) _must_check_;
int keeper_ask_list(struct keeper_answer *ret, int fd, const char *op, const char *const *args, size_t arg_count) _must_check_;
/* The same on a connection of its own, for what takes minutes: nobody else waits for it. */
int keeper_ask_long(struct keeper_answer *ret, unsigned timeout_s, const char *op, ...) __attribute__((sentinel)) _must_check_;
int keeper_ask_long_list(struct keeper_answer *ret, unsigned timeout_s, const char *op, const char *const *args, size_t arg_count) _must_check_;
/* The same with a descriptor along; five times a second until the answer is there look() is called. */
int keeper_ask_watched(struct keeper_answer *ret, unsigned timeout_s, int fd, void (*look)(void *arg), void *arg, const char *op, ...) __attribute__((sentinel)) _must_check_;
/* on: those that wait come back now with -ENOTCONN, and new ones are refused; the keeper goes on with what it does. */
void keeper_hang_up(bool on);
/* A memfd with these bytes, sealed against change; a descriptor or -errno. */
int keeper_memfd(const char *name, const void *bytes, size_t len_bytes) _must_check_;
/* What a descriptor holds, as text with a NUL behind it; returns owned, NULL: too long or no memory. */
char *keeper_read_fd(int fd, size_t max_bytes, size_t *ret_len_bytes);

/* A connection that the keeper pushes to: what its servers log and what befell them. */
int keeper_events_open(void) _must_check_;                       /* a descriptor that does not block, or -errno */
struct keeper_event {
	const char *kind;                /* "log"; "died", "failed" (too often; tried later), "back", "started", "stopped" */
	const char *child, *text;        /* "smbd"; a line */
};
/* One message.  0: the keeper has gone; -EAGAIN: nothing now.  The event points into buf. */
ssize_t keeper_events_read(int fd, char *buf, size_t buf_bytes, struct keeper_event *ret) _must_check_;
/* May shares lie in this folder, which need not be there yet?  -EACCES: it is the system's, or the keeper's own. */
int keeper_check_folder(const char *path, char *why, size_t why_bytes) _must_check_;

/* ---- the keeper itself ---------------------------------------------------------------------------------- */
/* Where the keeper of this state folder keeps its things: below the folder when root owns it, else beside it
 * (DIR-nas), because whoever owns a folder can replace what lies in it. */
int keeper_place(const char *state_dir, char *ret, size_t ret_bytes) _must_check_;
/* Serves until SIGTERM (the servers go on) or until it is told to end (they end too).  Exit status.
 * ready runs once, when requests are served; may be NULL. */
int keeper_main(const char *state_dir, void (*ready)(void));
/* Tells the keeper of this folder to end its servers and itself; without a keeper, ends the servers that one left.
 * Exit status. */
int keeper_end(const char *state_dir);

/* Would the keeper take this among a share's own lines of smb.conf?  NULL: yes; else why not.  Pure. */
const char *keeper_smb_line(const char *line);

#endif
