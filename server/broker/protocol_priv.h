/* SPDX-License-Identifier: GPL-3.0-or-later */
/* protocol_priv.h - what client and helper say to each other: one SOCK_SEQPACKET message each way.
 * Both ends are the same binary, so the structs travel as they are; the helper trusts no field. */
#ifndef HOLDFAST_BROKER_PROTOCOL_PRIV_H
#define HOLDFAST_BROKER_PROTOCOL_PRIV_H

#include <stdint.h>

#define BROKER_PATH_MAX 4096

enum broker_op { BROKER_OPEN_DEVICE = 1, BROKER_START_KEEPER, BROKER_OPS };

struct broker_request {
	uint32_t op;                     /* enum broker_op */
	int32_t flags;                   /* OPEN_DEVICE: open(2) flags */
	char path[BROKER_PATH_MAX];      /* NUL-terminated */
};
struct broker_reply {
	int32_t result;                  /* 0 (with a descriptor where the operation has one) or -errno */
};

/* The helper's life: serves requests on sock until the daemon is gone. */
void broker_serve(int sock) __attribute__((noreturn));
/* One checked operation; also what the tests call.  Descriptor in *ret_fd or -1. */
int broker_run(const struct broker_request *rq, int *ret_fd);

#endif
