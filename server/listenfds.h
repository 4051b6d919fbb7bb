/* SPDX-License-Identifier: GPL-3.0-or-later */
/* listenfds.h - listening sockets that outlive a daemon: from systemd's descriptor store, and from
 * one daemon to the next on the same state folder.  Belongs to main.c.
 *
 * A socket has a name, "iscsi/192.0.2.1:3260".  While both daemons exist no connection is refused:
 * the kernel queues what arrives between the old one's last accept and the new one's first. */
#ifndef HOLDFAST_LISTENFDS_H
#define HOLDFAST_LISTENFDS_H

/* Collects what systemd passed (sd_listen_fds_with_names(3)). */
void listenfds_from_systemd(void);
/* Asks the daemon on state_dir for its sockets and waits until it has ended. */
int listenfds_take_over(const char *state_dir);
/* The collected socket of that name, the caller's from now on, or -1. */
int listenfds_take(const char *name);
void listenfds_close_unused(void);
/* A socket we listen on: offered to the next daemon (fd: borrowed; -1: no longer). */
void listenfds_keep(const char *name, int fd);
/* Listens on state_dir/handover.sock; a daemon that asks there gets the sockets, and SIGTERM ends
 * this one. */
int listenfds_offer(const char *state_dir);
void listenfds_done(void);
/* sd_notify(3); nothing without systemd. */
void listenfds_notify(const char *state);

#endif
