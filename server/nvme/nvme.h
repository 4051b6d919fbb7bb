/* SPDX-License-Identifier: GPL-3.0-or-later */
/* nvme.h - the door of nvme/: an NVM subsystem that knows no transport.  NVMe Base 2.1, NVM Command
 * Set 1.1.  The twin of scsi/scsi.h.
 *
 * Objects.  A subsystem has an NQN and identity data.  A namespace map says which volume answers at
 * which NSID; it is immutable and swapped whole; hosts may have different maps of one subsystem.  A
 * controller is what one host is connected to: it lives on the reactor of its admin queue.  A queue is
 * one submission/completion queue pair; it lives on one reactor, not always the controller's.  A
 * command is one submission queue entry.
 *
 * A command goes through two steps.  nvme_cmd_parse() looks at the entry: it refuses (then the
 * command is finished, with its status) or says how much data moves and where; nothing has happened
 * yet.  The transport brings host-to-controller data, then nvme_cmd_execute() runs it; done()
 * follows on the queue's reactor. */
#ifndef HOLDFAST_NVME_NVME_H
#define HOLDFAST_NVME_NVME_H

#include "core/core.h"

struct volume;
struct nexus_stats;
struct nvme_subsystem;
struct nvme_ns_map;
struct nvme_ctrl;
struct nvme_queue;

/* reactors: those that queues live on. */
int nvme_start(struct reactor *const *reactors, unsigned count) _must_check_;
void nvme_stop(void);

/* ---- subsystems ------------------------------------------------------------------------------- */
struct nvme_subsystem_spec {
	const char *nqn;
	const char *serial;              /* at most 20 characters, constant for life */
	const char *model;               /* at most 40; NULL: "Holdfast" */
	const char *firmware;            /* at most 8; NULL: the version */
	bool discovery;                  /* a discovery subsystem: no namespaces */
};
int nvme_subsystem_new(const struct nvme_subsystem_spec *spec, struct nvme_subsystem **ret_subsystem) _must_check_;
struct nvme_subsystem *nvme_subsystem_ref(struct nvme_subsystem *s);    /* any thread */
void nvme_subsystem_unref(struct nvme_subsystem *s);
DEFINE_FREEP(struct nvme_subsystem, nvme_subsystem_unref)

/* ---- namespace maps ----------------------------------------------------------------------------- */
#define NVME_NSID_MAX 16384
struct nvme_ns_entry {
	uint32_t nsid;                   /* 1 .. NVME_NSID_MAX */
	bool read_only;
	uint32_t ana_group;              /* 1.. */
	struct volume *volume;           /* the map takes a reference of its own */
};
/* Entries in any order; -EINVAL on an NSID used twice or out of range. */
int nvme_ns_map_new(const struct nvme_ns_entry *e, size_t count, struct nvme_ns_map **ret_map) _must_check_;
struct nvme_ns_map *nvme_ns_map_ref(struct nvme_ns_map *m);             /* any thread */
void nvme_ns_map_unref(struct nvme_ns_map *m);
DEFINE_FREEP(struct nvme_ns_map, nvme_ns_map_unref)

/* ---- controllers and queues --------------------------------------------------------------------- */
struct nvme_ctrl_spec {
	struct nvme_subsystem *subsystem;
	struct nvme_ns_map *map;
	const char *host_nqn;
	uint8_t host_id[16];
	uint16_t port_id;                /* relative, of the portal */
	uint16_t cntlid_first, cntlid_last; /* static model: one of these that is free; 0: made for the host, any id */
	uint8_t ana_state;               /* enum nvme_ana_state of wire/nvme_log.h, of the path it came by; 0: optimized */
	uint32_t kato_ms;                /* keep alive timeout asked; 0: none (persistent discovery gets one) */
	uint32_t in_capsule_bytes;       /* what the transport takes in a capsule, for IOCCSZ */
	uint32_t max_transfer_bytes;     /* for MDTS; power of two times 4096 */
	uint16_t max_queues;             /* I/O queues the transport would give */
	uint16_t max_entries;            /* MQES + 1 */
	/* The host went silent, or the controller failed fatally: end the association.  On the
	 * controller's reactor. */
	void (*dead)(void *arg, const char *why);
	/* The host has reset the controller or shut it down (CC.EN to 0, CC.SHN): end its I/O queues.  The
	 * admin queue stays.  On the controller's reactor; may be NULL. */
	void (*reset)(void *arg);
	void *arg;
	void *portal;                    /* handed to the discovery source; as long as the controller lives */
};
/* On the reactor of its admin queue.  -EBUSY: the static controllers asked for are all taken. */
int nvme_ctrl_new(const struct nvme_ctrl_spec *spec, struct nvme_ctrl **ret_ctrl) _must_check_;
uint16_t nvme_ctrl_id(const struct nvme_ctrl *c);
/* Looks a controller up by id for an I/O queue's Connect, on any reactor; returns a reference or NULL.
 * Host NQN and host id must be the controller's. */
struct nvme_ctrl *nvme_ctrl_find(struct nvme_subsystem *s, uint16_t cntlid, const char *host_nqn, const uint8_t host_id[16]);
struct nvme_ctrl *nvme_ctrl_ref(struct nvme_ctrl *c);
void nvme_ctrl_unref(struct nvme_ctrl *c);
uint16_t nvme_ctrl_queue_limit(const struct nvme_ctrl *c); /* I/O queues that Number of Queues granted */
/* Ends it: it is no longer found, its timer stops, asynchronous event requests end (aborted set).
 * The transport closes every queue it made, before or after; closed(arg) runs when all are gone, from the
 * loop.  The reference of nvme_ctrl_new() goes with it.  On its reactor. */
void nvme_ctrl_close(struct nvme_ctrl *c, void (*closed)(void *arg), void *arg);
/* Swaps the map; raises Namespace Attribute Changed events and fills the changed list.  On its reactor. */
void nvme_ctrl_set_map(struct nvme_ctrl *c, struct nvme_ns_map *map);
/* Other paths than before: what is not accessible ends its I/O commands so; event to those that asked.  On its reactor. */
void nvme_ctrl_set_ana(struct nvme_ctrl *c, uint8_t state);
/* Discovery log changed: event to those that asked. On its reactor. */
void nvme_ctrl_discovery_changed(struct nvme_ctrl *c);

/* qid 0: admin, on the controller's reactor.  On the reactor it will live on; takes a reference of the
 * controller.  -EBUSY qid in use; -EINVAL qid or size; -ESHUTDOWN the controller is closing or not ready. */
int nvme_queue_new(struct nvme_ctrl *c, uint16_t qid, uint16_t entries, struct nvme_queue **ret_queue) _must_check_;
/* Ends it: commands that wait (for memory, for their fused half, for an event) end with aborted set; those at
 * the backend are waited for; those that still wait for the transport's data must be dropped by it.
 * closed(arg) runs last, from the loop, never inside.  On the queue's reactor. */
void nvme_queue_close(struct nvme_queue *q, void (*closed)(void *arg), void *arg);
struct nexus_stats *nvme_queue_stats(struct nvme_queue *q);

/* Properties (Fabrics Property Get/Set), on the controller's reactor. Status: enum nvme_status. */
uint16_t nvme_property_get(struct nvme_ctrl *c, uint32_t offset, bool eight_bytes, uint64_t *ret_value);
uint16_t nvme_property_set(struct nvme_ctrl *c, uint32_t offset, bool eight_bytes, uint64_t value);

/* Discovery log content is the transport's to make: called on the controller's reactor when a host
 * reads log page 70h; returns the whole log, owned (free).  port_local: only what is reached by the portal that
 * the host came by. */
struct nvme_discovery_source {
	int (*log)(void *arg, const char *host_nqn, void *portal, bool port_local, uint8_t **ret_log, size_t *ret_bytes);
	void *arg;
};
void nvme_set_discovery_source(const struct nvme_discovery_source *s);

/* ---- commands ---------------------------------------------------------------------------------- */
enum nvme_direction { NVME_NO_DATA, NVME_TO_HOST, NVME_FROM_HOST };
#define NVME_CMD_PRIV 220                /* 64-bit words */
struct nvme_cmd {
	/* The transport fills these before parse. */
	struct nvme_queue *queue;
	uint8_t sqe[64];
	uint64_t sgl_len_bytes;          /* what SGL1 describes */
	void (*done)(struct nvme_cmd *c); /* once after parse returned 0, from execute on (also inside of it) */

	/* parse fills these. */
	enum nvme_direction direction;
	uint64_t data_len_bytes;         /* what moves; from host: all of sgl_len_bytes, to host: at most */

	/* Data: from host: nvme_cmd_buffer() fills iov; to host: execute does. */
	struct iovec *iov;
	uint16_t iov_count;

	/* Results, valid in done(). */
	uint16_t status;                 /* SC, SCT, M, DNR as in CQE DW3 bits 31:17, shifted right by 17; 0: success */
	uint64_t result;                 /* CQE DW0 and DW1 */
	uint64_t data_in_bytes;          /* to host: how much of iov is valid */
	bool aborted;                    /* by controller end: send no completion */

	uint64_t priv[NVME_CMD_PRIV];    /* nvme's own */
};
/* In the order of the submission queue.  0: go on with data and execute.  1: finished already (refused),
 * done() will not run.  Either way nvme_cmd_release() must follow some day.
 * The halves of a fused pair are parsed, brought their data and executed like any other; nvme/ holds
 * them until both are there.  Parsing a command may end (done()) an earlier half that this one makes
 * incomplete. */
int nvme_cmd_parse(struct nvme_cmd *c) _must_check_;
/* Host-to-controller memory for data_len_bytes, in pieces of 1 MiB, the last one shorter.  -EAGAIN: none
 * free now, ready() runs when it is worth trying again. */
int nvme_cmd_buffer(struct nvme_cmd *c, struct buf_waiter *w) _must_check_;
/* All of its data are there. done() may run inside. */
void nvme_cmd_execute(struct nvme_cmd *c);
void nvme_cmd_release(struct nvme_cmd *c);
/* Its data never came (and never will): done() will not run; release must follow. */
void nvme_cmd_drop(struct nvme_cmd *c);
/* The words for a status, for log lines. */
const char *nvme_status_text(uint16_t status);

#endif
