/* SPDX-License-Identifier: GPL-3.0-or-later */
/* nvmf_priv.h - the structs of the room and who may touch them.
 *
 * A connection is a queue; it lives on one reactor, and only that thread touches it.  The queues of
 * one association are spread over reactors.  The registry (struct nvmf_room) is shared: portals,
 * subsystems, associations and which connections they have stand behind its lock, which is taken at
 * Connect, at the end and by the control thread, never per command. */
#ifndef HOLDFAST_NVMF_PRIV_H
#define HOLDFAST_NVMF_PRIV_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>

#include "core/addr.h"
#include "core/tcp.h"
#include "nvme/nvme.h"
#include "nvmf/auth.h"
#include "nvmf/connect.h"
#include "nvmf/nvmf.h"
#include "nvmf/pdu.h"
#include "wire/nvme_log.h"

extern struct log_topic log_nvmf;

#define NVMF_SPARE_SLOTS 32              /* their answers may not be sent yet when the host goes on */
#define NVMF_MAX_TRANSFER_BYTES (1u << 20)
#define NVMF_MAX_C2H_BYTES 262144u       /* of one C2HData PDU */
#define NVMF_SLOT_PDUS 8                 /* PDUs that are built at a time */
#define NVMF_SLOT_IOV 32
#define NVMF_SINK_MIN_BYTES 2048         /* smaller rests go through the receive buffer */
#define NVMF_BUF_WAIT_MS 1000            /* a capsule that holds up its socket for so long ends INTERRUPTED */
#define NVMF_IC_TIMEOUT_S 10             /* until ICReq, and from there until Connect */
#define NVMF_TERM_TIMEOUT_S 5            /* after our TermReq or an answered Disconnect */
#define NVMF_SESSION_ID_BASE (UINT64_C(1) << 40)
#define NVMF_DISCOVERY_ENTRIES 128

/* ---- subsystems (subsystem.c, rules.c) ----------------------------------------------------------- */
struct nvmf_grant {                      /* an nvmf_rule, owned and compiled */
	char host[64];
	char **nqns;
	size_t nqn_count;
	struct cidr *addresses;
	size_t address_count;
	struct nvmf_ns *namespaces;      /* sorted; what this host sees */
	size_t namespace_count;
	struct nvme_ns_map *map;         /* of these */
	const char *refuse;              /* constant; NULL: it lets in */
	struct nvmf_auth_keys auth;
	bool has_psk;
	struct keytext psk;
};
/* Immutable once made; a change makes a new one. */
struct nvmf_conf {
	_Atomic(unsigned) refs;
	bool enabled, allow_any, require_auth, require_tls;
	uint16_t static_controllers;
	struct nvmf_path *paths;
	size_t path_count;
	struct nvmf_grant *grants;       /* grant_count of them, then one for allow_any */
	size_t grant_count;
};
int nvmf_conf_new(const struct nvmf_subsystem_spec *s, struct nvmf_conf **ret_conf, char *why, size_t why_bytes) _must_check_;
struct nvmf_conf *nvmf_conf_ref(struct nvmf_conf *c);
void nvmf_conf_unref(struct nvmf_conf *c);
DEFINE_FREEP(struct nvmf_conf, nvmf_conf_unref)
/* The first that matches, the one of allow_any, or NULL: nobody lets this one in. */
const struct nvmf_grant *nvmf_conf_match(const struct nvmf_conf *c, const char *host_nqn, const struct in6_addr *addr);
/* enum nvme_ana_state, of the paths through a portal group. */
uint8_t nvmf_conf_ana(const struct nvmf_conf *c, uint16_t group);
bool nvmf_grant_same_namespaces(const struct nvmf_grant *a, const struct nvmf_grant *b);

struct nvmf_subsystem {
	struct list link;                /* room.subsystems */
	unsigned refs;                   /* under the lock: associations, the list */
	bool removed;
	char nqn[NVMF_NQN_MAX + 1];
	struct nvme_subsystem *nvme;
	struct nvmf_conf *conf;          /* under the lock */
};
/* Under the lock. */
struct nvmf_subsystem *nvmf_subsystem_find(const char *nqn);
void nvmf_subsystem_put(struct nvmf_subsystem *n);

/* ---- portals, room -------------------------------------------------------------------------------- */
struct nvmf_portal {
	struct list link;                /* room.portals */
	struct tcp_portal tcp;
	struct nvmf_reactor *home;
	uint16_t id, group;              /* id: PORTID */
	enum nvmf_tls_mode tls;
	bool discovery_only;
};
struct nvmf_reactor {
	struct reactor *reactor;
	unsigned index;
	struct list conns, hellos;       /* touched on the reactor alone */
};
struct nvmf_room {
	pthread_mutex_t lock;
	pthread_cond_t changed;          /* an association or a connection is gone */
	bool started, stopping;
	struct nvmf_opts opts;           /* zeroes replaced by the defaults */
	struct nvmf_reactor home[REACTOR_MAX];
	unsigned home_count;
	_Atomic(unsigned) next_home, conn_count;
	struct list subsystems, portals, assocs;
	uint64_t last_session, discovery_generation;
	struct nvmf_auth_policy auth_policy;
	uint16_t last_portal;
	struct nvmf_referral *referrals; /* with addresses of its own */
	size_t referral_count;
	struct nvmf_subsystem discovery; /* the well-known one; not in the list */
};
extern struct nvmf_room nvmf_room;
static inline void room_lock(void)
{
	pthread_mutex_lock(&nvmf_room.lock);
}
static inline void room_unlock(void)
{
	pthread_mutex_unlock(&nvmf_room.lock);
}
void nvmf_emit(const struct nvmf_event *e);

/* ---- command slots (cmd.c, answer.c) ---------------------------------------------------------------- */
struct nvmf_conn;
enum nvmf_cmd_state {
	CMD_FREE,
	CMD_WAIT_BUFFER,                 /* woken by the buffer pool */
	CMD_COLLECT,                     /* data is on its way; woken by the socket */
	CMD_EXECUTE,                     /* with nvme/, or a Connect that waits; woken by done() */
	CMD_SEND,                        /* the answer is queued; woken by sent() */
	CMD_ENDED,                       /* nothing left but what still borrows the slot */
	CMD_STATES
};
struct nvmf_cmd {
	struct nvmf_cmd *next;           /* free list */
	struct nvmf_conn *conn;
	enum nvmf_cmd_state state;
	uint16_t index;                  /* in conn->slots; low 11 bits of a TTAG */
	uint8_t generation;              /* high 5 bits */
	/* From here to buf_timer: cleared when the slot is taken. */
	bool parsed;                     /* the command was given to nvme: it has to be released */
	bool live;                       /* .. and has not ended yet: done() or drop is due */
	bool fabrics;                    /* ours: nvme never sees it */
	bool receiving;                  /* the socket is filling its buffers now */
	bool in_capsule;
	bool r2t_out;                    /* an R2T is not satisfied yet */
	bool digest_bad;
	bool answered;                   /* refused while data was on its way: status stands */
	bool more;                       /* C2HData PDUs are still to be built */
	bool last;                       /* after this answer the queue ends (Disconnect) */
	uint16_t cid, ttag;
	uint16_t status;
	uint64_t result;
	uint32_t skip_bytes;             /* of in-capsule data in front of the SGL's */
	uint32_t want_bytes, got_bytes;
	uint16_t iov_at;                 /* cursor over the data, both directions */
	uint16_t pending_outs;
	size_t iov_skip_bytes;
	uint32_t send_bytes, sent_bytes;
	uint16_t connect_tries;
	struct timer buf_timer;          /* a bound for WAIT_BUFFER; a Connect's next try */
	struct buf_waiter buf_waiter;
	uint8_t *blob;                   /* data of a Connect; owned */
	struct iovec blob_iov;
	const struct iovec *data;        /* where data from the host goes */
	uint16_t data_count;
	struct stream_out out, r2t;
	struct iovec r2t_iov;
	struct iovec iov[NVMF_SLOT_IOV];
	uint8_t r2t_header[24 + NVME_TCP_DIGEST_BYTES];
	uint8_t header[NVMF_SLOT_PDUS][24 + NVME_TCP_DIGEST_BYTES];
	uint8_t digest[NVMF_SLOT_PDUS][NVME_TCP_DIGEST_BYTES];
	struct nvme_cmd nvme;
};

/* ---- connections (conn.c, rx.c) ---------------------------------------------------------------------- */
enum nvmf_phase {
	CONN_OPEN,                       /* no ICReq yet; woken by the socket or the timer */
	CONN_READY,                      /* ICResp is sent; woken by the socket, or the timer until Connect */
	CONN_LEAVING,                    /* TermReq or the last answer is queued, input is thrown away */
	CONN_CLOSING,                    /* woken by the stream's closed() */
	CONN_CLOSED,                     /* woken by the last command, then by the queue's closed() */
	CONN_PHASES
};
enum rx_state { RX_HEADER, RX_PAD, RX_DATA, RX_SINK, RX_DIGEST };
enum { PAUSE_SLOT = 1, PAUSE_BUFFER = 2 };
struct nvmf_rx {
	enum rx_state state;
	uint32_t have_bytes;             /* of header[], padding or digest */
	uint32_t need_bytes;             /* of header[], digest included */
	uint32_t left_bytes;             /* of the data */
	uint32_t skip_bytes;             /* data in front of what is wanted */
	uint32_t crc;
	bool redo;                       /* header[] holds a command that found no slot */
	struct nvmf_cmd *cmd;            /* where the data goes; NULL: nowhere */
	uint8_t *sink_to;
	size_t sink_bytes;
	struct nvmf_pdu pdu;
	uint8_t digest[NVME_TCP_DIGEST_BYTES];
	uint8_t header[NVMF_HEADER_MAX_BYTES];
};
struct nvmf_assoc;
struct nvmf_auth_job;
/* What the handshake of an encrypted connection proved. */
struct nvmf_tls_peer {
	char host_nqn[NVMF_NQN_MAX + 1], subsystem_nqn[NVMF_NQN_MAX + 1];
	bool generated;                  /* by a key that an authentication made */
	bool in_kernel;
	char suite[40];
};
enum { GATE_CONNECT = 1, GATE_AUTH = 2 };
struct nvmf_conn {
	struct stream stream;
	struct nvmf_rx rx;
	enum nvmf_phase phase;
	bool stream_is_open, queue_closing;
	bool header_digest, data_digest;
	uint8_t alignment_bytes;         /* of data in our PDUs: (HPDA + 1) * 4 */
	unsigned pauses;
	struct list link;                /* home->conns */
	struct nvmf_reactor *home;
	int fd;                          /* until the stream takes it */
	struct msg open_msg;
	struct msg close_msg;            /* somebody else asks for the end; under the lock until it runs */
	bool close_posted;
	const char *close_asked;         /* constant; under the lock */
	struct timer timer;
	struct defer retry, end;
	struct sockaddr_storage peer_addr, local_addr;
	char peer[ADDR_TEXT], portal[ADDR_TEXT];
	bool discovery_only;
	uint16_t port_id, group;
	const char *close_reason;        /* NULL: in order */
	/* the queue */
	struct nvmf_assoc *assoc;        /* a reference; NULL before Connect */
	struct nvme_queue *queue;
	struct nexus_stats *stats;       /* of the queue; NULL before and after; under the lock */
	uint8_t gate;                    /* what is still missing before commands: GATE_*; 0: nothing */
	uint16_t qid, entries, sq_head;
	bool no_sq_flow;
	struct nvmf_cmd **slots;         /* by index; grown on demand */
	uint16_t slot_count, slot_room, busy_count;
	struct nvmf_cmd *free_slots;
	/* in-band authentication, TLS */
	struct nvmf_tls_peer *tls;       /* owned; NULL: not encrypted */
	bool tls_offered;                /* the portal would */
	bool needs_auth, must_concat;    /* what Connect said */
	bool auth_told;                  /* a refusal was */
	struct nvmf_auth *auth;          /* owned; with the worker while there is a job */
	struct nvmf_auth_job *auth_job;
	uint64_t auth_since_ns;
	/* ICResp, and our TermReq */
	unsigned pending_outs;
	struct stream_out ic_out, term_out;
	struct iovec ic_iov, term_iov;
	struct nvme_tcp_ic ic;
	uint8_t term[NVME_TCP_TERM_MAX_BYTES];
};

/* ---- associations (assoc.c) --------------------------------------------------------------------------- */
struct nvmf_assoc {
	struct list link;                /* room.assocs */
	unsigned refs;                   /* under the lock: the list, connections, messages */
	uint64_t id;
	struct nvmf_reactor *home;       /* of the admin queue */
	struct nvmf_subsystem *subsystem;
	struct nvmf_conf *conf;          /* that its map is from; under the lock */
	struct nvme_ctrl *ctrl;          /* until closed() */
	bool discovery, reset_asked;
	_Atomic(bool) ending;            /* set under the lock; looked at without it too */
	bool shut_down;                  /* the host said so */
	bool ready;                      /* it was told of: it has proved what it had to */
	const char *auth;                /* "none", ..; constant */
	char tls[40];                    /* suite */
	bool tls_in_kernel;
	char end_reason[96];             /* empty: in order */
	struct msg end_msg;              /* under the lock until it runs */
	bool end_posted;
	char host_nqn[NVMF_NQN_MAX + 1], subsystem_nqn[NVMF_NQN_MAX + 1], host[64];
	char peer[ADDR_TEXT], portal[ADDR_TEXT];
	uint8_t host_id[16];
	uint16_t cntlid, port_id, group;
	uint32_t kato_ms;
	bool header_digest, data_digest;
	uint64_t since_unix_s;
	struct in6_addr peer_addr;
	struct sockaddr_storage local_addr;
	unsigned queue_room;
	struct nvmf_conn **queues;       /* by qid; under the lock */
	/* what closed queues had; under the lock */
	uint64_t read_ops, read_bytes, write_ops, write_bytes, errors;
};
struct nvmf_assoc *nvmf_assoc_find(const struct nvmf_subsystem *n, uint16_t cntlid); /* under the lock */
/* Registers a controller for the admin queue c.  0 or a status; *ret_info: the result of Connect.  NVMF_AGAIN (only
 * when it may wait): an older association of the host is still ending. */
uint16_t nvmf_assoc_open(struct nvmf_conn *c, const struct nvme_connect_data *d, uint32_t kato_ms, uint16_t entries, bool may_wait,
			 uint64_t *ret_info, const char **ret_why);
/* Gives c a queue of an association.  NVMF_AGAIN: an older queue of this id is on its way out. */
#define NVMF_AGAIN 0xffff
uint16_t nvmf_assoc_join(struct nvmf_conn *c, const struct nvme_connect_data *d, uint16_t qid, uint16_t entries,
			 uint64_t *ret_info, const char **ret_why);
/* The host has proved itself: it is told of. */
void nvmf_assoc_ready(struct nvmf_assoc *a, const char *auth);
void nvmf_assoc_stats(struct nvmf_conn *c, struct nexus_stats *stats);
void nvmf_assoc_leave(struct nvmf_conn *c);      /* its queue is closed */
/* reason: constant; NULL: in order. */
void nvmf_assoc_end(struct nvmf_assoc *a, const char *reason);          /* any thread */
void nvmf_assoc_end_locked(struct nvmf_assoc *a, const char *reason);
void nvmf_discovery_changed(void);               /* the control thread */

/* conn.c */
struct nvmf_arrival {                    /* what a connection begins with; counted in conn_count */
	int fd;                          /* -1: somebody took it */
	struct nvmf_reactor *home;
	bool discovery_only, tls_offered;
	uint16_t port_id, group;
	struct sockaddr_storage peer, local;
	struct nvmf_tls_peer *tls;       /* owned */
};
void nvmf_conn_accept(struct nvmf_portal *p, int fd);
void nvmf_conn_start(struct nvmf_arrival *at);   /* takes it */
void nvmf_arrival_done(struct nvmf_arrival *at);
void nvmf_conn_uncount(void);
void nvmf_conn_close(struct nvmf_conn *c, const char *reason, bool abort); /* reason: constant, NULL: in order */
void nvmf_conn_ask_end(struct nvmf_conn *c, const char *reason);          /* under the lock */
void nvmf_conn_term(struct nvmf_conn *c, uint16_t fault, uint32_t info, const uint8_t *header, size_t header_bytes, const char *why);
void nvmf_conn_leave(struct nvmf_conn *c);       /* the last answer is sent */
void nvmf_conn_pause(struct nvmf_conn *c, unsigned why);
void nvmf_conn_resume(struct nvmf_conn *c, unsigned why);
void nvmf_conn_try_end(struct nvmf_conn *c);     /* a command ended */
void nvmf_conn_ic(struct nvmf_conn *c, const struct nvme_tcp_ic *ic);
extern const struct stream_ops nvmf_conn_ops;

/* rx.c */
size_t nvmf_conn_data(struct stream *s, const uint8_t *p, size_t len_bytes);
void nvmf_conn_sunk(struct stream *s);
void nvmf_rx_retry(struct defer *d);

/* cmd.c */
bool nvmf_cmd_start(struct nvmf_conn *c, const struct nvme_sqe *sqe, uint32_t capsule_bytes); /* false: no slot */
/* The command of an H2CData PDU; NULL: the connection got its TermReq. */
struct nvmf_cmd *nvmf_cmd_h2c(struct nvmf_conn *c, const uint8_t *header);
bool nvmf_cmd_place(struct nvmf_cmd *cmd, uint8_t **ret_to, size_t *ret_bytes);
void nvmf_cmd_placed(struct nvmf_cmd *cmd, size_t len_bytes);
void nvmf_cmd_arrived(struct nvmf_cmd *cmd, bool digest_ok); /* one PDU's data is complete */
void nvmf_cmd_move(struct nvmf_cmd *cmd, enum nvmf_cmd_state to);
void nvmf_cmd_end(struct nvmf_cmd *cmd);
void nvmf_cmd_orphan(struct nvmf_cmd *cmd);      /* its socket is gone */
void nvmf_cmd_finish(struct nvmf_cmd *cmd, uint16_t status, uint64_t result); /* answers a command of ours */
void nvmf_cmd_finish_with(struct nvmf_cmd *cmd, uint32_t len_bytes);  /* .. with so much of its blob */

/* answer.c */
void nvmf_cmd_answer(struct nvmf_cmd *cmd);
void nvmf_cmd_r2t(struct nvmf_cmd *cmd);

/* auth_queue.c */
uint16_t nvmf_gate(const struct nvmf_conn *c, const struct nvmf_cmd *cmd);
uint32_t nvmf_auth_gate(struct nvmf_conn *c);    /* after Connect: bits of its result */
void nvmf_auth_late(struct nvmf_conn *c);
void nvmf_auth_left(struct nvmf_conn *c);        /* the host closed before it was through */
void nvmf_auth_orphan(struct nvmf_conn *c);      /* commands end, the job goes on */
void nvmf_auth_conn_done(struct nvmf_conn *c);
uint32_t nvmf_auth_data_bytes(const struct nvme_sqe *sqe);
void nvmf_auth_execute(struct nvmf_cmd *cmd, bool receive);

/* backoff.c */
bool nvmf_backoff_waits(const char *host_nqn, const struct in6_addr *addr); /* under the lock */
void nvmf_backoff_failed(const char *host_nqn, const struct in6_addr *addr);
void nvmf_backoff_forgive(const char *host_nqn, const struct in6_addr *addr);
void nvmf_backoff_clear(void);

/* secure.c */
void nvmf_tell_refused(const char *host_nqn, const char *subsystem_nqn, const char *peer, const char *portal, const char *why);
void nvmf_note_refused(const struct nvmf_conn *c, const char *host_nqn, const char *subsystem_nqn, const char *why);
uint16_t nvmf_secure_admit(struct nvmf_conn *c, const struct nvmf_conf *conf, const struct nvmf_grant *g, const struct nvmf_assoc *a, bool io_queue,
			   const char **ret_why);
const struct nvmf_grant *nvmf_any_grant_with_keys(const char *host_nqn, const struct in6_addr *addr);

/* tls_accept.c */
void nvmf_hello_start(struct nvmf_arrival *at, bool required);  /* takes it */
void nvmf_hello_end_all(struct nvmf_reactor *home);              /* on its reactor */

/* tls_pump.c: puts itself between the host and the connection to be; takes the session, changes at->fd. */
struct tls_session;
int nvmf_pump_start(struct nvmf_arrival *at, struct tls_session **session) _must_check_;

/* tls_keys.c */
#define NVMF_PSK_LIST 8
struct nvmf_psk_list {                   /* the keys that an identity can mean; to be wiped */
	struct tls_psk_name name;
	struct nvmf_psk {
		uint8_t key[TLS_PSK_MAX_BYTES];
		size_t key_bytes;
	} psk[NVMF_PSK_LIST];
	size_t count;
	const char *why;                 /* for people, when none fits; constant */
};
void nvmf_psk_find(const char *identity, const struct in6_addr *addr, struct nvmf_psk_list *l);
void nvmf_psk_generated(const char *host_nqn, const char *subsystem_nqn, uint8_t hash, const uint8_t *psk);
void nvmf_psk_forget_all(void);

/* fabrics.c */
uint32_t nvmf_fabrics_data_bytes(const struct nvme_sqe *sqe);
void nvmf_fabrics_execute(struct nvmf_cmd *cmd);

/* discovery.c */
int nvmf_discovery_log(void *arg, const char *host_nqn, void *assoc, bool port_local, uint8_t **ret_log, size_t *ret_bytes);

#endif
