/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fdpass.h - one message and one descriptor over a Unix socket (SCM_RIGHTS, unix(7)). */
#ifndef HOLDFAST_CORE_FDPASS_H
#define HOLDFAST_CORE_FDPASS_H

#include "core/base.h"

/* Sends len_bytes of buf and, unless fd is -1, a copy of fd.  Any thread; blocks as the socket does. */
int fdpass_send(int sock, const void *buf, size_t len_bytes, int fd) _must_check_;
/* Receives one message: its length (0: the peer has gone) or -errno.  *ret_fd is owned by the caller,
 * close-on-exec, or -1.  -EMSGSIZE: the message is larger than buf. */
ssize_t fdpass_recv(int sock, void *buf, size_t buf_bytes, int *ret_fd) _must_check_;

#endif
