/* SPDX-License-Identifier: GPL-3.0-or-later */
/* keeper_priv.h - inside the keeper: operations as rows, servers as rows, programs that are run.
 *
 * A new operation is one row in an array of some op_*.c (and the array in keeper_ops.c's list, once per file);
 * a new server is one row in an array of struct keeper_kind. */
#ifndef HOLDFAST_BROKER_KEEPER_PRIV_H
#define HOLDFAST_BROKER_KEEPER_PRIV_H

#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "broker/keeper.h"
#include "core/log.h"

extern struct log_topic log_keeper;

#define KEEPER_MESSAGE_BYTES 65536       /* one request, one answer */
#define KEEPER_ARGS 1024
#define KEEPER_KINDS_MAX 16

/* ---- operations ------------------------------------------------------------------------------------------ */
struct keeper_request {
	const char *op;
	const char *args[KEEPER_ARGS];   /* checked as the row says */
	size_t arg_count;
	int fd;                          /* what came along, or -1; closed by the caller */
	/* The answer. */
	char text[KEEPER_TEXT_BYTES];
	int answer_fd;                   /* set by the operation; taken by the caller; -1: none */
};
/* args: one letter for each argument, in order.
 *   a  an account's name (POSIX, lower case, 1..32)        n  an object's name (printable, no / or control characters, 1..80)
 *   p  an absolute path without "..", "//" or control characters    w  a word: [a-z0-9._-], 1..64
 *   u  a number below 2^32       U  a number below 2^63      t  a text without control characters, up to 1,024 bytes
 *   s  a secret: no control characters, never logged         m  a mode in octal, at most 07777
 *   o  whose a folder is: an account's name, a number below 2^32 - 1, a SID
 *   f  (last) a descriptor comes along       *  (after a letter) any number of these, to the end
 * A letter in upper case (but U) may also be "". */
struct keeper_op {
	const char *name, *args;
	bool changes;                    /* one at a time, and logged */
	int (*run)(struct keeper_request *rq); /* -errno, with rq->text saying why */
};
extern const struct keeper_op keeper_ops_account[], keeper_ops_child[], keeper_ops_domain[], keeper_ops_folder[], keeper_ops_import[], keeper_ops_krb5[], keeper_ops_nfs[], keeper_ops_smb[], keeper_ops_space[],
	keeper_ops_wsd[];
const struct keeper_op *keeper_op_find(const char *name);
/* Parses, checks and runs one message.  Also what the tests call. */
int keeper_run(const void *message, size_t len_bytes, struct keeper_request *rq);
/* For an operation that changes something only at its end, and takes long before: what rows with `changes` have around them. */
void keeper_change_begin(void);
void keeper_change_end(void);
/* rq->text, and the error to return. */
int keeper_refuse(struct keeper_request *rq, int error, const char *fmt, ...) _printf_(3, 4);
bool keeper_name_is_account(const char *s);
/* Did we make this group?  Also true for the one that all our users have. */
bool keeper_group_is_ours(const char *name);
/* Ends the SMB sessions of a user and waits for them; -EBUSY: others still run as that user, their names. */
int keeper_holders_end(uid_t uid, char *names, size_t names_bytes) _must_check_;
uint64_t keeper_number(const char *checked);

/* This binary again as a keeper that detaches itself; 0 once it serves, -ECHILD when it has failed. */
int keeper_spawn_self(const char *state_dir) _must_check_;

/* ---- places ---------------------------------------------------------------------------------------------- */
/* The keeper's own folder and paths below it ("smb/etc/smb.conf").  The buffer is the caller's, PATH_MAX. */
int keeper_place_open(const char *state_dir) _must_check_; /* once, as root: fixes and makes it */
const char *keeper_dir(void);
const char *keeper_path(char *buf, const char *fmt, ...) _printf_(2, 3);
uid_t keeper_daemon_uid(void);           /* who owns the state folder */
/* A folder of ours, made when missing, with every one above it. */
int keeper_mkdir(const char *below, mode_t mode) _must_check_;
/* Replaces a file of ours in one step; the same content: 0 and *ret_changed false. */
int keeper_write(const char *below, const void *bytes, size_t len_bytes, mode_t mode, bool *ret_changed) _must_check_;
/* Is this a folder that shares may live in: real (no link on the way) and no part of the system?  Opens it (O_PATH). */
int keeper_open_folder(const char *path, char *why, size_t why_bytes) _must_check_;

/* ---- programs -------------------------------------------------------------------------------------------- */
struct keeper_view;
/* Runs a program to its end: absolute path, empty environment but PATH and LC_ALL, stdin from input, output kept.
 * The exit status, or -errno (-ETIMEDOUT: killed).  out is always NUL-terminated and holds stdout and stderr. */
struct keeper_run_opts {
	const char *const *argv;         /* argv[0]: found in the system's folders; NULL-terminated */
	const void *input;
	size_t input_bytes;
	char *out;                       /* NULL: not wanted */
	size_t out_bytes;
	bool stdout_only;                /* stderr is not part of out */
	int out_fd;                      /* > 0: stdout goes there instead */
	unsigned timeout_s;              /* 0: 60 */
	const struct keeper_view *view;  /* what it sees of the machine; NULL: all */
	const char *env;                 /* one more "NAME=value"; NULL: none */
	const atomic_bool *cancel;       /* true: it is killed, -ECANCELED; NULL: it goes on to its end */
};
int keeper_spawn(const struct keeper_run_opts *o) _must_check_;
/* The path of a program in the system's folders, into buf; false: it is not installed. */
bool keeper_program(const char *name, char *buf);

/* ---- accounts (account_text.c) ----------------------------------------------------------------------------- */
/* From what `pdbedit -L -v` prints, the names of those whom wrong passwords lock out now, a line each; a lock passes after
 * minutes (0: never). */
void account_locked(FILE *pdbedit, time_t now, unsigned minutes, FILE *names);

/* ---- connections (connections.c) ------------------------------------------------------------------------- */
/* TCP connections to a port of ours: lines "conn ADDRESS PORT RECEIVED SENT". */
int keeper_connections(FILE *f, unsigned port) _must_check_;
/* Those to these ports that have ended since it was asked before: lines "gone ADDRESS PORT RECEIVED SENT".  The first question
 * begins it. */
int keeper_connections_ended(FILE *f, const unsigned *ports, size_t count) _must_check_;

/* ---- servers --------------------------------------------------------------------------------------------- */
struct keeper_kind {
	const char *name;                /* "smbd"; its files are run/NAME.child and its log */
	const char *const *programs;     /* the first that is installed; NULL-terminated */
	const char *runs_as;             /* a script: what its interpreter's name begins with; else NULL */
	const char *user;                /* whose rights it has; NULL: root's */
	/* Writes the arguments (after argv[0]); strings live in buf.  -errno with why when it cannot start now. */
	int (*argv)(const char **argv, size_t argv_count, char *buf, size_t buf_bytes, char *why, size_t why_bytes);
	const char *log;                 /* a file below our folder that it logs to and that is followed; NULL: its output */
	bool (*ready)(void);             /* does it serve?  NULL: when it runs */
	/* Before a fresh start, when no process of the one before is wanted any more. */
	void (*prepare)(void);
	/* After a stop that was wanted: ends what the server started beside itself. */
	void (*stopped)(void);
	rlim_t files, memory_bytes;      /* limits; 0: the system's */
	unsigned stop_signal;            /* 0: SIGTERM */
	const char *const *(*env)(void); /* further "NAME=value", NULL-terminated; NULL: none */
	bool in_domain;                  /* sees people of the domain, when there is one: keeper_view.c */
	/* A file below our folder that it, and nobody else, sees in the place of one of the system; NULL: none.  Written by argv(). */
	const char *instead, *instead_of;
};
int keeper_smb_folders(void) _must_check_; /* makes them when missing */
extern const struct keeper_kind keeper_kind_nfs_bus, keeper_kind_ganesha, keeper_kind_rpcbind, keeper_kind_statd, keeper_kind_mountd, keeper_kind_nfsdcld;
/* Is this configuration one that the keeper takes?  -errno with the line at fault (from 1; 0: all of it) and a constant reason. */
int keeper_smb_text(const char *text, size_t len_bytes, unsigned *ret_line, const char **ret_why) _must_check_;
void keeper_smb_shorten(char *out);      /* op_smb.c: what testparm says, in one line; in place */
extern const struct keeper_kind keeper_kind_smbd, keeper_kind_wsdd;
const struct keeper_kind *keeper_kind_find(const char *name);
const struct keeper_kind *keeper_kind_at(size_t i); /* NULL: that was the last */

enum keeper_child_state { KEEPER_STOPPED, KEEPER_STARTING, KEEPER_RUNNING, KEEPER_WAITING, KEEPER_STOPPING };
int keeper_child_start(const struct keeper_kind *k, char *why, size_t why_bytes) _must_check_;
int keeper_child_stop(const struct keeper_kind *k) _must_check_;
/* A signal to the server itself; -ESRCH: it does not run. */
int keeper_child_signal(const struct keeper_kind *k, int signal) _must_check_;
pid_t keeper_child_pid(const struct keeper_kind *k); /* 0: it does not run */
bool keeper_children_any(void);
void keeper_children_describe(char *buf, size_t bytes);
int keeper_children_end(void);           /* stops all; any thread but the main one */
int keeper_children_end_alone(void);     /* the same, without a main thread that watches */
/* The main thread's: what it waits for, and what it does then. */
void keeper_children_adopt(void);
size_t keeper_children_fds(struct pollfd *fds, size_t room, int *timeout_ms);
void keeper_children_turn(void);

/* ---- logs and listeners -------------------------------------------------------------------------------------- */
int keeper_logs_start(void) _must_check_; /* a descriptor to wait for */
void keeper_logs_seen(void);
bool keeper_logs_pump(void);
/* To every listener; -EAGAIN: one of them is full. */
int keeper_push(const char *kind, const char *child, const char *text);
void keeper_look_again(void);                  /* the main thread looks again */

#endif
