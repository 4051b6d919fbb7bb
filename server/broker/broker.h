/* SPDX-License-Identifier: GPL-3.0-or-later */
/* broker.h - the door of broker/: a small process that stays root while the daemon does not.
 * A fixed list of operations over a SOCK_SEQPACKET pair; each checks its own arguments; there is no
 * "run this command".  Started as an ordinary user there is no broker and broker_present() is false. */
#ifndef HOLDFAST_BROKER_BROKER_H
#define HOLDFAST_BROKER_BROKER_H

#include "core/base.h"

/* Before any thread: forks the helper, which never returns from here.  0, or -errno from fork. */
int broker_fork(void);
/* Ends it (also ends by itself when the daemon goes). */
void broker_stop(void);
bool broker_present(void);
/* Becomes uid/gid for good: groups, capabilities, no_new_privs, dumpable off.  After broker_fork(). */
int broker_drop(unsigned uid, unsigned gid);

/* The client side.  Any thread; blocks; requests are served one at a time.  -ENOTCONN: no broker. */

/* Opens a block device (only that) read-write or read-only, O_DIRECT as asked; refuses one that is
 * mounted or used as swap (-EBUSY), one that is not a block device (-ENOTBLK).  Descriptor or -errno. */
int broker_open_device(const char *path, int flags);

/* Starts the keeper (keeper.h) of the folder that broker_keeper_folder() named.  -EPERM: this process lives under a service's
 * restrictions, which its children would inherit; -ECHILD: it did not start. */
int broker_start_keeper(void);
/* Before broker_fork(): the only folder that the helper starts a keeper for. */
void broker_keeper_folder(const char *state_dir);

#endif
