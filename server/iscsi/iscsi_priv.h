/* SPDX-License-Identifier: GPL-3.0-or-later */
/* iscsi_priv.h - the structs of the room and who may touch them.
 *
 * A connection and its session live on one reactor; only that thread touches them.  The registry
 * (struct iscsi_room) is shared: targets, portals and the list of sessions stand behind its lock,
 * which is taken at login, logout and by the control thread, never per command. */
#ifndef HOLDFAST_ISCSI_PRIV_H
#define HOLDFAST_ISCSI_PRIV_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>

#include "core/addr.h"
#include "core/tcp.h"
#include "iscsi/chap.h"
#include "iscsi/iscsi.h"
#include "iscsi/keys.h"
#include "iscsi/name.h"
#include "iscsi/pdu.h"
#include "iscsi/text.h"

#include "scsi/scsi.h"

extern struct log_topic log_iscsi;

#define ISCSI_WINDOW 256                 /* commands a session may have open */
#define ISCSI_SPARE_SLOTS 64             /* for immediate commands, replies and rejects */
#define ISCSI_IMMEDIATE_MAX 16           /* immediate SCSI commands at once; more are rejected */
#define ISCSI_LOGIN_TEXT_MAX 16384       /* text of one login exchange, over all its PDUs */
#define ISCSI_TEXT_MAX 8192              /* the same in full feature phase */
#define ISCSI_LOGIN_ROUNDS_MAX 64        /* login requests of one login */
#define ISCSI_SLOT_PDUS 8                /* Data-In PDUs that are built at a time */
#define ISCSI_SLOT_IOV 32
#define ISCSI_DATA_IN_MAX_BYTES 262144u  /* of one Data-In PDU, whatever the peer could take */
#define ISCSI_HELD_MAX_BYTES (1u << 20)  /* commands that came too early, per session */
#define ISCSI_BUF_WAIT_MS 1000           /* a write that holds up its socket for so long ends BUSY */
#define ISCSI_KEPT_MAX 128               /* level 1, 2: answers of a session that wait to be acknowledged */
#define ISCSI_KEPT_MAX_BYTES (2u << 20)  /* and the data of reads among them */
#define ISCSI_KEPT_ALL_BYTES (16u << 20) /* the same of all sessions of a reactor */
#define ISCSI_DATA_WAIT_MS 2000          /* level 1, 2: Data-Out that is so late is asked for again, */
#define ISCSI_DATA_TRIES 5               /* so many times */
#define ISCSI_RETAIN_MIN_S 5             /* a session without a connection waits at least so long, if it waits at all */
#define ISCSI_PING_TTT 0xfffffff0u       /* no slot has this index */
#define ISCSI_SINK_MIN_BYTES 2048        /* smaller rests go through the receive buffer */

/* ---- what a hand-over to a new process carries -------------------------------------------------
 * Plain, versioned, no pointers.  Everything else can be rebuilt from these and the configuration. */
#define ISCSI_SESSION_STATE_VERSION 1
struct iscsi_session_state {
	uint32_t version, struct_bytes;
	char initiator[ISCSI_NAME_MAX + 1], initiator_alias[256], target[ISCSI_NAME_MAX + 1], host[64];
	uint8_t isid[6];
	uint16_t tsih, tpgt;
	uint8_t auth;                    /* enum iscsi_auth */
	uint8_t rsvd;
	uint32_t exp_cmdsn;              /* the next CmdSN in order */
	struct iscsi_params params;
	uint64_t since_unix_s;
};
#define ISCSI_CONN_STATE_VERSION 2
struct iscsi_conn_state {
	uint32_t version, struct_bytes;
	uint16_t cid;
	uint8_t header_digest, data_digest;  /* in force on this connection */
	uint32_t peer_max_recv_bytes, our_max_recv_bytes; /* the same */
	uint32_t statsn;                     /* the next to be used */
	uint32_t exp_statsn;                 /* what the initiator has acknowledged */
};
enum iscsi_auth { ISCSI_AUTH_NONE, ISCSI_AUTH_CHAP, ISCSI_AUTH_MUTUAL_CHAP };

/* ---- targets (target.c, rules.c) --------------------------------------------------------------- */
struct iscsi_grant_rule {                /* an iscsi_rule, owned and compiled */
	char host[64];
	char **iqns;
	size_t iqn_count;
	struct cidr *addresses;
	size_t address_count;
	char *chap_user, *mutual_user;   /* NULL: none */
	uint8_t *chap_secret, *mutual_secret;
	size_t chap_secret_len, mutual_secret_len;
	struct iscsi_lun *luns;          /* sorted; what this host sees */
	size_t lun_count;
	struct scsi_lun_map *map;        /* of these */
};
/* Immutable once made; a change makes a new one. */
struct iscsi_target_conf {
	_Atomic(unsigned) refs;
	char *alias;
	bool enabled, allow_any, header_digest_required, data_digest_required;
	struct iscsi_grant_rule *rules;  /* rule_count of them, then one for allow_any */
	size_t rule_count;
	uint16_t *tpgts;
	size_t tpgt_count;
	struct iscsi_redirect *redirects; /* texts owned */
	size_t redirect_count;
	bool redirect_permanent;
};
/* Where a login that came in by this group and address ("192.0.2.1:3260") shall go; NULL: nowhere else. */
const char *iscsi_conf_redirect(const struct iscsi_target_conf *c, uint16_t tpgt, const char *portal);
int iscsi_conf_new(const struct iscsi_target_spec *s, struct iscsi_target_conf **ret_conf, char *why,
		   size_t why_bytes) _must_check_;
struct iscsi_target_conf *iscsi_conf_ref(struct iscsi_target_conf *c);
void iscsi_conf_unref(struct iscsi_target_conf *c);
DEFINE_FREEP(struct iscsi_target_conf, iscsi_conf_unref)
/* The first rule that matches, the rule of allow_any, or NULL: nobody lets this one in. */
const struct iscsi_grant_rule *iscsi_conf_match(const struct iscsi_target_conf *c, const char *initiator,
						const struct in6_addr *addr);
bool iscsi_conf_offers(const struct iscsi_target_conf *c, uint16_t tpgt);
bool iscsi_rule_same_secrets(const struct iscsi_grant_rule *a, const struct iscsi_grant_rule *b);
bool iscsi_rule_same_luns(const struct iscsi_grant_rule *a, const struct iscsi_grant_rule *b);
struct chap_secrets iscsi_rule_secrets(const struct iscsi_grant_rule *r);

struct iscsi_target {
	struct list link;                /* room.targets */
	unsigned refs;                   /* under the room's lock: sessions, logins, the list */
	bool removed;
	char name[ISCSI_NAME_MAX + 1];
	struct iscsi_target_conf *conf;  /* under the room's lock */
};
/* Under the room's lock. */
struct iscsi_target *iscsi_target_find(const char *name);
void iscsi_target_put(struct iscsi_target *t);
bool iscsi_target_was_removed(const char *name);
struct iscsi_session;
/* Takes the lock: every session of this one's target ends, this one with a chance to read our last answer. */
void iscsi_target_drop_sessions(struct iscsi_session *s);


/* ---- portals (portal.c) ------------------------------------------------------------------------ */
struct iscsi_portal {
	struct list link;                /* room.portals */
	struct tcp_portal tcp;
	struct iscsi_reactor *home;
	uint16_t tpgt;
};

/* ---- the room (room.c) ------------------------------------------------------------------------- */
struct iscsi_reactor {                   /* what the room keeps per reactor */
	struct reactor *reactor;
	unsigned index;
	size_t kept_bytes;               /* of all its sessions */
	struct list conns;               /* touched on the reactor alone */
};
struct iscsi_discovery_auth {            /* immutable, counted */
	_Atomic(unsigned) refs;
	char *user, *mutual_user;
	uint8_t *secret, *mutual_secret;
	size_t secret_len, mutual_secret_len;
};
#define ISCSI_REMOVED_NAMES 64
struct iscsi_room {
	pthread_mutex_t lock;
	pthread_cond_t changed;          /* a session or a connection is gone */
	bool started, stopping;
	struct iscsi_opts opts;          /* zeroes replaced by the defaults */
	struct iscsi_reactor home[REACTOR_MAX];
	unsigned home_count;
	_Atomic(unsigned) next_home, conn_count;
	struct list targets, portals, sessions;
	struct iscsi_session **by_tsih;  /* 65536 pointers */
	uint16_t last_tsih;
	uint64_t last_session_id;
	struct iscsi_discovery_auth *discovery_auth; /* NULL: none asked */
	char removed[ISCSI_REMOVED_NAMES][ISCSI_NAME_MAX + 1]; /* a ring */
	unsigned removed_next;
};
extern struct iscsi_room iscsi_room;
void iscsi_emit(const struct iscsi_event *e);
/* The numbers of opts change while it runs (iscsi_set_limits). */
static inline unsigned iscsi_limit(const unsigned *limit)
{
	return __atomic_load_n(limit, __ATOMIC_RELAXED);
}
static inline void room_lock(void)
{
	pthread_mutex_lock(&iscsi_room.lock);
}
static inline void room_unlock(void)
{
	pthread_mutex_unlock(&iscsi_room.lock);
}
struct iscsi_discovery_auth *iscsi_discovery_auth_ref(void); /* takes the lock; NULL: none */
void iscsi_discovery_auth_unref(struct iscsi_discovery_auth *a);
DEFINE_FREEP(struct iscsi_discovery_auth, iscsi_discovery_auth_unref)

/* ---- command slots (cmd.c, data_out.c, data_in.c) ------------------------------------------------ */
enum iscsi_cmd_state {
	CMD_FREE,
	CMD_WAIT_BUFFER,                 /* woken by the buffer pool */
	CMD_COLLECT,                     /* Data-Out is on its way; woken by the socket */
	CMD_EXECUTE,                     /* with scsi/; woken by its done() */
	CMD_MANAGE,                      /* a task management request; woken by its done() */
	CMD_SEND,                        /* the answer is queued; woken by sent() */
	CMD_KEPT,                        /* level 1, 2: sent and not acknowledged, or done while its connection was
					  * gone; woken by ExpStatSN, SNACK, TASK REASSIGN or Time2Retain */
	CMD_ENDED,                       /* nothing left but what still borrows the slot */
	CMD_STATES
};
struct iscsi_burst {                     /* one R2T and the sequence that answers it */
	struct stream_out out;
	struct iovec iov;
	uint8_t header[ISCSI_BHS_BYTES + ISCSI_DIGEST_BYTES];
	uint32_t ttt, offset_bytes, len_bytes, got_bytes, datasn, r2tsn;
	struct iscsi_cmd *cmd;
	bool busy;                       /* the PDU is not sent yet */
};
struct iscsi_fence {                     /* a connection whose answers must arrive before ours */
	struct iscsi_conn *conn;
	uint32_t statsn;                 /* the first that need not */
};
struct iscsi_cmd {
	struct iscsi_cmd *next;          /* free list, or hash chain by ITT */
	struct iscsi_session *session;
	struct iscsi_conn *conn;         /* NULL: the connection is gone */
	enum iscsi_cmd_state state;
	uint16_t index;                  /* in session->slots; low half of a TTT */
	uint16_t generation;             /* high half */
	/* From here to blob: cleared when the slot is taken. */
	uint8_t opcode;                  /* what it answers */
	uint8_t flags;                   /* of the command PDU */
	bool immediate, counted;         /* counted: holds a place of the window */
	bool hashed;
	bool parsed;                     /* the task was given to scsi: it has to be released */
	bool live;                       /* .. and has not ended yet: done() or drop is due */
	bool refused;                    /* the answer stands, only data still comes */
	bool aborted;                    /* no answer */
	bool more;                       /* Data-In PDUs are still to be built */
	bool receiving;                  /* the socket is filling its buffers now */
	bool unsolicited_open;           /* the F bit of unsolicited data is still to come */
	bool numbered;                   /* level 1, 2: statsn is its StatSN, and it will be kept */
	bool parked;                     /* level 2: its connection is gone, it may be reassigned */
	bool orphan_due;                 /* it becomes one now */
	bool orphan;                     /* with scsi/, its connection is gone and nobody wants the answer */
	bool lost;                       /* level 1, 2: Data-Out from lost_at on has to come again */
	bool replay;                     /* what is sent is a second sending, of DataSN replay_from .. replay_to - 1 */
	bool replay_status;              /* .. and of the status */
	bool replay_due;                 /* a replay waits for the first sending to end */
	uint8_t fault_asc, fault_ascq;   /* a transport fault to report; 0: none */
	uint8_t data_tries, fence_count;
	uint8_t answer;                  /* enum iscsi_task_answer */
	bool waits_conn;                 /* a logout or TASK REASSIGN that waits for connection wait_cid to be gone */
	uint16_t wait_cid;
	uint32_t statsn, lost_at, pdu_at; /* pdu_at: where the Data-Out PDU that comes now begins */
	uint32_t replay_from, replay_to, snack_tag, acked_datasn, ack_ttt;
	uint32_t ref_itt, ref_datasn;    /* TASK REASSIGN: of which task, ExpDataSN */
	uint32_t itt, edtl, cmdsn;
	uint32_t bidi_read_bytes;        /* of a bidirectional command, which none of our disks has */
	uint8_t lun[8];
	/* Data-Out.  Offsets only grow: DataPDUInOrder and DataSequenceInOrder are Yes. */
	uint32_t want_bytes;             /* what goes to scsi: min(edtl, data_len_bytes) */
	uint32_t got_bytes;              /* of the stream of data, surplus included */
	uint32_t requested_bytes;        /* solicited or to come unsolicited */
	uint32_t unsolicited_datasn;
	uint32_t datasn;                 /* R2TSN, or DataSN of Data-In */
	uint16_t iov_at;                 /* cursor over task.iov, Data-Out and Data-In */
	uint8_t burst_first, burst_count;
	uint16_t pending_outs;           /* queued stream_outs that borrow the slot */
	size_t iov_skip_bytes;
	/* Data-In */
	uint32_t send_bytes, sent_bytes; /* to send in all, in PDUs built so far */
	uint32_t in_burst_bytes;         /* since the last F bit */
	void *blob;                      /* malloc'ed data segment of a reply; NULL: none */
	uint32_t blob_bytes;
	const void *reply;               /* data of a reply that is not of scsi/, for a second sending */
	uint32_t reply_bytes, kept_bytes;
	uint32_t peer_max_recv_bytes;    /* of the connection it was sent on last */
	struct list kept;                /* conn->kept, in order of StatSN; or alone */
	struct iscsi_fence fence[ISCSI_OUR_MAX_CONNECTIONS];
	struct timer buf_timer;          /* the wait for memory; then, at level 1 and 2, for Data-Out */
	struct buf_waiter buf_waiter;
	struct stream_out out;
	struct iovec iov[ISCSI_SLOT_IOV];
	uint8_t header[ISCSI_SLOT_PDUS][ISCSI_BHS_BYTES + ISCSI_DIGEST_BYTES];
	uint8_t tail[ISCSI_SLOT_PDUS][8];/* padding and data digest */
	be16 sense_len;                  /* stands before the sense data of a response */
	struct iscsi_burst burst[ISCSI_OUR_MAX_R2T];
	uint8_t cdb[SCSI_CDB_MAX];
	union {
		struct scsi_task task;
		struct scsi_tmf_request tmf;
	};
};

/* ---- sessions (session.c) ------------------------------------------------------------------------ */
struct iscsi_waiter {                    /* somebody who wants a session gone */
	struct list link;                /* session->waiters, under the lock */
	struct msg msg;
	struct reactor *reactor;
	bool for_conn;                   /* .. or one connection of it, with its tasks */
};
struct iscsi_held {                      /* a PDU that came before its turn */
	struct list link;
	struct iscsi_conn *conn;         /* where it came from; NULL: voided */
	uint32_t cmdsn, itt;
	bool data_out, voided;           /* voided: counts as received, RFC 7143 11.6.1 */
	uint32_t len_bytes, at_bytes;    /* at: how much has been taken */
	uint8_t bytes[];                 /* header without digest, then data without padding */
};
#define ISCSI_HASH 512
struct iscsi_session {
	struct iscsi_session_state st;
	uint64_t id;
	struct list link;                /* room.sessions, under the lock */
	struct list waiters;             /* under the lock */
	struct msg close_msg;            /* somebody else asks for the end; under the lock until it runs */
	bool close_posted, close_force, gone;
	bool ending;
	bool logged_out;
	bool logout_asked;               /* an asynchronous logout request is out */
	struct iscsi_reactor *home;
	struct iscsi_target *target;     /* NULL: discovery */
	struct in6_addr peer_addr;
	char peer[ADDR_TEXT], portal[ADDR_TEXT];
	struct iscsi_target_conf *conf;  /* that its LUN map is from; under the lock */
	struct scsi_nexus *nexus;
	struct nexus_stats *stats;       /* of the nexus; NULL before and after; under the lock */
	struct list conns;
	unsigned conn_count;             /* written under the lock */
	bool keep;                       /* level 1, 2: answers are kept until they are acknowledged */
	bool slot_wait;                  /* a connection is paused for a slot */
	unsigned orphans;                /* tasks of closed connections that scsi/ still has */
	unsigned fences;                 /* task management answers that wait for other connections */
	unsigned kept_count;
	size_t kept_bytes;
	struct timer timer;              /* end after an unanswered logout request */
	struct timer retain;             /* Time2Retain of what its lost connections left */
	const char *end_reason;          /* NULL: in order */
	const char *force_reason;        /* under the lock */
	unsigned used;                   /* places of the window */
	unsigned immediate_count;
	struct iscsi_cmd **slots;        /* by index; grown on demand, never shrunk */
	uint16_t slot_count;
	unsigned busy_count;             /* slots not FREE */
	struct iscsi_cmd *free_slots;
	struct iscsi_cmd *hash[ISCSI_HASH];
	struct list held;                /* in CmdSN order */
	uint32_t held_bytes;
	size_t blob_bytes;               /* of all slots */
};
static inline unsigned session_slots_max(const struct iscsi_session *s)
{
	return ISCSI_WINDOW + ISCSI_SPARE_SLOTS + (s->keep ? ISCSI_KEPT_MAX : 0);
}
static inline unsigned session_level(const struct iscsi_session *s)
{
	return s->st.params.error_recovery_level;
}
static inline uint32_t session_max_cmdsn(const struct iscsi_session *s)
{
	return s->st.exp_cmdsn + ISCSI_WINDOW - s->used - 1;
}

/* ---- connections (conn.c, login.c, full_feature.c) ------------------------------------------------- */
enum iscsi_conn_phase {
	CONN_LOOK,                       /* nothing is read yet; woken by the first 48 bytes, or the login timer */
	CONN_LOGIN,                      /* woken by the socket or the login timer */
	CONN_REGISTER,                   /* the login waits for an old session to end; woken by its waiter */
	CONN_FULL_FEATURE,               /* woken by the socket */
	CONN_LOGOUT,                     /* the answer to a logout is queued, nothing is read; woken by sent() */
	CONN_CLOSING,                    /* woken by the stream's closed() */
	CONN_CLOSED,
	CONN_PHASES
};
enum iscsi_conn_end {                    /* RFC 7143 11.14.1, 7.2 */
	CONN_END_LOST,                   /* level 2: tasks wait to be reassigned; below: the session ends */
	CONN_END_LOGOUT,                 /* its tasks end, the session stays with its other connections */
	CONN_END_REPLACED,               /* cleaned up by the initiator: level 2 as lost, below as logout */
};
enum rx_state { RX_HEADER, RX_DATA, RX_SINK, RX_TRAILER };
enum { PAUSE_SLOT = 1, PAUSE_BUFFER = 2, PAUSE_LOGIN = 4 };
struct iscsi_rx {
	enum rx_state state;
	uint32_t have_bytes;             /* of header[], or of trailer[] */
	uint32_t left_bytes;             /* of the data segment */
	uint32_t crc;
	bool redo;                       /* header[] holds a PDU to dispatch again */
	struct iscsi_held *inject;       /* the bytes come from this: no digests, no padding; owned */
	uint8_t trailer_bytes;           /* padding and data digest */
	struct iscsi_cmd *cmd;           /* where the data goes: a command's buffers, */
	struct iscsi_cmd *reply;         /* the slot of a NOP or text request whose data comes now */
	uint8_t *to;                     /* or memory, or (both NULL) nowhere */
	uint8_t *sink_to;
	size_t sink_bytes;
	struct iscsi_pdu pdu;            /* bhs points to header[] or to the receive buffer: header time only */
	uint8_t trailer[8];
	uint8_t header[ISCSI_BHS_BYTES + ISCSI_AHS_MAX_BYTES + ISCSI_DIGEST_BYTES];
};
struct iscsi_login;
struct iscsi_conn {
	struct stream stream;
	struct iscsi_rx rx;
	struct iscsi_conn_state st;
	enum iscsi_conn_phase phase;
	bool stream_is_open, must_free;
	unsigned pauses;
	struct list link;                /* home->conns */
	struct iscsi_reactor *home;
	struct iscsi_session *session;
	struct list of_session;          /* session->conns */
	struct list kept;                /* answers that may be asked for again, in order of StatSN */
	enum iscsi_conn_end end;         /* what its end means to the tasks on it */
	struct iscsi_login *login;       /* until full feature phase */
	struct timer timer;              /* login timeout, then the ping */
	struct defer retry;              /* dispatches the PDU that waited for a slot */
	uint64_t last_rx_ns;
	bool ping_is_out;
	uint64_t aborts_told_ns;         /* FastAbort: when and of which LUN it was told last */
	uint8_t aborts_told_lun[8];
	struct sockaddr_storage peer_addr, local_addr;
	char peer[ADDR_TEXT], portal[ADDR_TEXT];
	uint16_t tpgt;
	/* text requests in full feature phase */
	char *text_in;
	size_t text_in_len;
	char *text_out;                  /* an answer that needs several PDUs */
	size_t text_out_len, text_out_at;
	uint32_t text_itt, text_ttt;
	bool text_is_open;               /* the next request carries text_ttt */
	uint8_t text_fault;              /* enum iscsi_reject_reason of the request whose data comes now */
	const char *close_reason;        /* NULL: in order */
	struct msg open_msg;             /* from the accepting reactor to this one */
	struct watch first_look;
	int fd;                          /* until the stream takes it */
};

/* room.c */
extern const struct stream_ops iscsi_conn_ops;

/* isns_client.c */
void iscsi_isns_start(void);
void iscsi_isns_stop(void);              /* before portals and targets go */
void iscsi_isns_changed(void);           /* under the lock: a target or portal came, went or changed */

/* conn.c: takes fd; tpgt and portal describe where it came in */
void iscsi_conn_accept(struct iscsi_portal *p, int fd);
void iscsi_conn_close(struct iscsi_conn *c, const char *reason, bool abort); /* reason: constant, NULL: in order */
void iscsi_conn_pause(struct iscsi_conn *c, unsigned why);
void iscsi_conn_resume(struct iscsi_conn *c, unsigned why);
void iscsi_conn_move(struct iscsi_conn *c, enum iscsi_conn_phase to);
void iscsi_conn_free(struct iscsi_conn *c); /* closed, and nothing points to it */
size_t iscsi_conn_data(struct stream *s, const uint8_t *p, size_t len_bytes);   /* rx.c */
void iscsi_conn_sunk(struct stream *s);                                         /* rx.c */
void iscsi_rx_retry(struct defer *d);                                           /* rx.c */
const char *iscsi_phase_name(enum iscsi_conn_phase p);

/* login.c */
struct iscsi_login *iscsi_login_new(struct iscsi_conn *c);
void iscsi_login_free(struct iscsi_login *l);
/* A Login Request's header: where shall its data go?  NULL with false: the login is over. */
bool iscsi_login_header(struct iscsi_conn *c, uint8_t **ret_to);
void iscsi_login_request(struct iscsi_conn *c); /* its data is there */
void iscsi_login_refuse(struct iscsi_conn *c, enum iscsi_login_status status, const char *why);
bool iscsi_login_is_waiting(const struct iscsi_conn *c); /* a waiter still points here */

/* full_feature.c: what c->rx.pdu does.  false: it must wait for a slot (dispatch it again). */
bool iscsi_dispatch(struct iscsi_conn *c, enum iscsi_pdu_verdict verdict);
void iscsi_pdu_arrived(struct iscsi_conn *c, bool digest_ok); /* its data is there */
/* false: no slot. */
bool iscsi_reject(struct iscsi_conn *c, const uint8_t *bhs, enum iscsi_reject_reason reason, const char *why);

/* The command counts as received; counted: it holds its place in the window until it is answered. */
void iscsi_take_turn(struct iscsi_session *s, const struct iscsi_pdu *pdu, struct iscsi_cmd *cmd, bool counted);

/* ping.c */
void iscsi_ping_start(struct iscsi_conn *c);
void iscsi_ping_now(struct iscsi_conn *c); /* asks for an ExpStatSN */

/* logout.c, async messages with it */
bool iscsi_logout(struct iscsi_conn *c, const struct iscsi_pdu *pdu); /* false: no slot */
void iscsi_logout_conn_gone(struct iscsi_session *s, uint16_t cid); /* who waited for it is answered */
void iscsi_async(struct iscsi_conn *c, enum iscsi_async_event event, uint16_t p1, uint16_t p2, uint16_t p3);
void iscsi_async_luns_changed(struct iscsi_session *s);  /* on its reactor */
void iscsi_async_aborted(const struct iscsi_cmd *cmd);   /* FastAbort: it is being aborted, and no answer tells so */
void iscsi_cmd_aborting(struct scsi_task *t);            /* the same, for scsi/ */
/* Did its initiator ask for it, by this connection or by name?  Then the answer tells. */
bool iscsi_manage_was_asked(const struct iscsi_cmd *task);
void iscsi_logout_ask(struct iscsi_session *s, unsigned grace_s);

/* allegiance.c: connections of a session, and what becomes of tasks without one */
void iscsi_conn_join(struct iscsi_session *s, struct iscsi_conn *c);
void iscsi_session_conn_gone(struct iscsi_session *s, struct iscsi_conn *c);
/* A logout ends the tasks of this connection while the session stays: their LUNs have a unit attention. */
void iscsi_conn_tell_cleared(struct iscsi_conn *c);
struct iscsi_conn *iscsi_session_conn(struct iscsi_session *s, uint16_t cid); /* NULL: none */
void iscsi_orphan_ended(struct iscsi_session *s);
/* What TASK REASSIGN of task itt is answered; COMPLETE: then iscsi_reassign() it.  Its connection may be on its way
 * out: false, and it is asked again when that is gone. */
bool iscsi_reassign_check(struct iscsi_cmd *request, uint32_t itt, enum iscsi_task_answer *ret_answer, struct iscsi_cmd **ret_task);
void iscsi_reassign(struct iscsi_cmd *cmd, struct iscsi_conn *c, uint32_t exp_datasn);

/* kept.c: answers that may be asked for again.  Levels 1 and 2. */
bool iscsi_keep(struct iscsi_cmd *cmd, int status); /* it was sent; false: it ends */
void iscsi_kept_forget(struct iscsi_cmd *cmd);      /* it ends, or is sent again */
void iscsi_kept_acked(struct iscsi_conn *c);        /* ExpStatSN has grown */

/* snack.c */
bool iscsi_snack(struct iscsi_conn *c, const struct iscsi_pdu *pdu); /* false: no slot */
void iscsi_replay(struct iscsi_cmd *cmd);           /* now, or when the first sending is over */

/* fence.c: answers that must not overtake those on other connections.  RFC 7143 4.2.2.3.4 */
bool iscsi_fence_raise(struct iscsi_cmd *cmd);      /* false: nothing to wait for */
void iscsi_fences_look(struct iscsi_session *s, const struct iscsi_conn *gone);
void iscsi_manage_answer(struct iscsi_cmd *cmd);    /* manage.c: its fences are down */
void iscsi_manage_reassign(struct iscsi_cmd *cmd);  /* manage.c: the connection is gone */

/* discovery.c: the answer to SendTargets; returns owned text.  value: All, a name, or "" */
int iscsi_send_targets(struct iscsi_conn *c, const char *value, char **ret_text, size_t *ret_len) _must_check_;

/* text_exchange.c */
void iscsi_text_header(struct iscsi_conn *c, const struct iscsi_pdu *pdu, uint8_t **ret_to);
void iscsi_text_arrived(struct iscsi_conn *c, const struct iscsi_pdu *pdu, struct iscsi_cmd *slot);

/* cmd.c */
struct iscsi_cmd *iscsi_slot_get(struct iscsi_conn *c); /* NULL: none free now */
void iscsi_slot_put(struct iscsi_cmd *cmd);
void iscsi_cmd_move(struct iscsi_cmd *cmd, enum iscsi_cmd_state to);
struct iscsi_cmd *iscsi_cmd_find(struct iscsi_session *s, uint32_t itt);
void iscsi_cmd_start(struct iscsi_conn *c, struct iscsi_cmd *cmd, const struct iscsi_pdu *pdu);
void iscsi_cmd_block(struct iscsi_cmd *cmd);     /* the socket waits until it has its buffer */
void iscsi_cmd_buffer(struct iscsi_cmd *cmd);    /* asks again for a buffer that it had not got */
void iscsi_cmd_data(struct iscsi_cmd *cmd);      /* what may go on with its Data-Out, goes on */
void iscsi_cmd_end(struct iscsi_cmd *cmd);       /* no answer, or it is sent: give everything back */
void iscsi_cmd_sent(struct stream_out *o, int status);
void iscsi_cmd_orphan(struct iscsi_cmd *cmd);    /* its connection is gone, nobody wants the answer */
/* Where the next Data-Out bytes go; false: nowhere, they are surplus. */
bool iscsi_cmd_place(struct iscsi_cmd *cmd, uint8_t **ret_to, size_t *ret_bytes);
void iscsi_cmd_placed(struct iscsi_cmd *cmd, size_t len_bytes); /* so many have come */

/* data_out.c */
void iscsi_data_out(struct iscsi_conn *c, const struct iscsi_pdu *pdu); /* its header */
void iscsi_data_out_arrived(struct iscsi_cmd *cmd, const struct iscsi_pdu *pdu);
void iscsi_cmd_bursts(struct iscsi_cmd *cmd);    /* sends the R2Ts that may be sent */
void iscsi_cmd_fault(struct iscsi_cmd *cmd, uint8_t asc, uint8_t ascq);
void iscsi_cmd_lost(struct iscsi_cmd *cmd, uint32_t at_bytes); /* level 1, 2: from there on it must come again */
void iscsi_cmd_rewind(struct iscsi_cmd *cmd);    /* to where data was lost, and forgets its R2Ts */
void iscsi_data_watch(struct iscsi_cmd *cmd);    /* level 1, 2: its data may be late */
/* Sends again the R2Ts from .. to - 1 that still wait; returns how many. */
unsigned iscsi_r2t_again(struct iscsi_cmd *cmd, uint32_t from, uint32_t to);

/* data_in.c */
void iscsi_cmd_credit(struct iscsi_cmd *cmd);    /* its place in the window is free again */
void iscsi_cmd_answer(struct iscsi_cmd *cmd);    /* the task is done: Data-In, response */
void iscsi_cmd_continue(struct iscsi_cmd *cmd);  /* the next Data-In PDUs */
/* Sends one PDU whose header stands in cmd->header[0], with len_bytes of data (borrowed until sent). */
void iscsi_slot_send(struct iscsi_cmd *cmd, const void *data, uint32_t len_bytes);
/* Fills StatSN, ExpCmdSN and MaxCmdSN at bytes 24..35. */
void iscsi_stamp(struct iscsi_conn *c, uint8_t *header);
/* The same for what has a StatSN of its own: takes one, or has it from its first sending. */
void iscsi_number(struct iscsi_cmd *cmd, uint8_t *header);

/* manage.c */
void iscsi_manage(struct iscsi_conn *c, struct iscsi_cmd *cmd, const struct iscsi_pdu *pdu);

/* held.c: commands that came before their turn */
/* Takes a copy of the header; *ret_to: where the data goes.  -ENOBUFS: too much is held already. */
int iscsi_hold(struct iscsi_conn *c, const struct iscsi_pdu *pdu, uint8_t **ret_to) _must_check_;
bool iscsi_held_has(const struct iscsi_session *s, uint32_t itt);
/* The first, when its turn has come; NULL: not yet.  Voided ones before it are done with. */
struct iscsi_held *iscsi_held_next(struct iscsi_session *s);
struct iscsi_held *iscsi_held_take(struct iscsi_session *s); /* the first; returns owned */
int iscsi_hold_void(struct iscsi_session *s, uint32_t cmdsn);
/* Its connection is gone: what it brought counts as received (void_them), or comes again. */
void iscsi_held_conn_gone(struct iscsi_session *s, const struct iscsi_conn *c, bool void_them);
void iscsi_held_free(struct iscsi_session *s);

/* session.c */
/* Registers the session of a finished login, or adds the connection to the one it means.
 * 0: c->session is set   -EAGAIN: an old one ends first, waiter's message will run
 * else a login status (positive) */
int iscsi_session_open(struct iscsi_conn *c, struct iscsi_waiter *w, const char **ret_why) _must_check_;
void iscsi_session_end(struct iscsi_session *s, const char *reason); /* on its reactor; NULL: in order */
void iscsi_session_quit(struct iscsi_session *s, const char *reason);    /* the same; what is queued is sent first */
void iscsi_session_close_down(struct iscsi_session *s);  /* all of its connections are gone */
void iscsi_session_wake(struct iscsi_session *s);        /* those who waited for one connection */
void iscsi_session_slot_freed(struct iscsi_session *s);
bool iscsi_waiter_cancel(struct iscsi_waiter *w); /* true: its message will not run */
/* Under the lock: asks a session to end; force: without asking the initiator first, for a reason. */
void iscsi_session_ask_end(struct iscsi_session *s, bool force, const char *reason);
struct iscsi_session *iscsi_session_by_id(uint64_t id); /* under the lock */

#endif
