/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pr_priv.h - shared by pr_in.c, pr_out.c and transport_id.c. */
#ifndef HOLDFAST_SCSI_PR_PRIV_H
#define HOLDFAST_SCSI_PR_PRIV_H

#include "scsi/ops_priv.h"

struct out;
void transport_id_write(struct out *o, const char *initiator_port);
/* Reads one; its whole length in *ret_len.  -EINVAL: malformed, or not an iSCSI initiator port. */
int transport_id_read(const uint8_t *b, size_t room, char ret_port[RESV_ID_MAX], size_t *ret_len);

#endif
