/* SPDX-License-Identifier: GPL-3.0-or-later */
/* iscsi.h - the door of iscsi/: portals, targets and sessions, as control/ sees them.  RFC 7143.
 *
 * Targets are described whole by an immutable spec.  An update brings a new spec: the room finds
 * what differs, raises the unit attentions, closes the sessions that are no longer allowed, and
 * touches no other.  Calls come from the control thread and may block; callbacks come from any
 * thread and must not. */
#ifndef HOLDFAST_ISCSI_ISCSI_H
#define HOLDFAST_ISCSI_ISCSI_H

#include <netinet/in.h>

#include "core/core.h"

struct scsi_unit;
struct iscsi_portal;
struct iscsi_target;

/* ---- room --------------------------------------------------------------------------------------- */
enum iscsi_event_kind { ISCSI_LOGIN, ISCSI_LOGOUT, ISCSI_REFUSED, ISCSI_CONNECTION_LOST };
struct iscsi_event {
	enum iscsi_event_kind kind;
	const char *initiator;           /* IQN, "" while unknown */
	const char *target;              /* IQN, "" for discovery */
	const char *peer;                /* "192.0.2.7:51234", "[2001:db8::7]:51234" */
	const char *reason;              /* a sentence for REFUSED and LOST */
	uint64_t session_id;
};
struct iscsi_opts {
	struct reactor *const *reactors;
	unsigned reactor_count;
	void (*event)(void *arg, const struct iscsi_event *e); /* any thread */
	void *event_arg;
	unsigned nop_interval_s;         /* NOP-In ping after so much silence; 0: 15 */
	unsigned nop_timeout_s;          /* then the connection is dropped; 0: 10 */
	unsigned login_timeout_s;        /* 0: 15 */
	unsigned max_connections;        /* of the whole daemon; 0: 4096 */
	unsigned lun_events_off;         /* 1: do not tell sessions by an asynchronous message that their LUNs changed */
	unsigned chap_minimum;           /* weakest CHAP_A that is accepted: 5 MD5, 6 SHA-1, 7 SHA-256, 8 SHA3-256; 0: 5 */
};
int iscsi_start(const struct iscsi_opts *opts) _must_check_;
/* Changes the intervals and the bound of connections while it runs (the reactors and event are as given at start). */
void iscsi_set_limits(const struct iscsi_opts *opts);
/* Closes everything.  Waits at most limit_ms for commands that a backend sits on; false: some are still there, and so is all that
 * they need.  Then it may be called again, or the process ends as it is. */
bool iscsi_stop(unsigned limit_ms);

/* ---- portals ------------------------------------------------------------------------------------ */
struct iscsi_portal_spec {
	const char *address;             /* "0.0.0.0", "::", "192.0.2.1", "fe80::1%eth0" */
	uint16_t port;                   /* 0: any free one; see iscsi_portal_port */
	uint16_t tpgt;                   /* target portal group tag, 1.. */
	int listen_fd;                   /* already bound and listening (handed over), or -1 */
};
/* -EADDRINUSE, -EADDRNOTAVAIL, -EACCES, .. as bind(2). */
int iscsi_portal_add(const struct iscsi_portal_spec *s, struct iscsi_portal **ret_portal) _must_check_;
void iscsi_portal_remove(struct iscsi_portal *p);        /* sessions that came in by it stay */
uint16_t iscsi_portal_port(const struct iscsi_portal *p);
int iscsi_portal_fd(const struct iscsi_portal *p);       /* borrowed: for a hand-over */

/* ---- targets ------------------------------------------------------------------------------------ */
/* One who may log in.  The first rule that matches initiator name and address counts. */
struct iscsi_rule {
	const char *host;                /* name of the host object, for sessions and messages */
	const char *const *iqns;         /* exact or glob ("iqn.1993-08.org.debian:*"); none: any */
	size_t iqn_count;
	const char *const *addresses;    /* "192.0.2.0/24", "2001:db8::/32"; none: any */
	size_t address_count;
	const char *chap_user;           /* NULL: no CHAP asked */
	const uint8_t *chap_secret;
	size_t chap_secret_len;
	const char *mutual_user;         /* NULL: the initiator may not authenticate us */
	const uint8_t *mutual_secret;
	size_t mutual_secret_len;
	const uint16_t *luns;            /* LUNs of the target that this host sees; all when lun_count is 0 */
	size_t lun_count;
};
struct iscsi_lun {
	uint16_t lun;
	bool read_only;
	struct scsi_unit *unit;          /* the target takes references of its own */
};
/* Logins to this target are sent elsewhere.  RFC 7143 11.13.5, 13.8 */
struct iscsi_redirect {
	uint16_t tpgt;                   /* those through this portal group; 0: all */
	const char *address;             /* "192.0.2.1:3260", "[2001:db8::1]:3260" */
};
struct scsi_path;
struct iscsi_target_spec {
	const char *name;                /* the IQN; never changes during a target's life */
	const char *alias;
	bool enabled;                    /* false: logins get "service unavailable", sessions stay */
	const struct iscsi_lun *luns;
	size_t lun_count;
	const struct iscsi_rule *rules;  /* in order; none: nobody */
	size_t rule_count;
	bool allow_any;                  /* whoever no rule matches may log in too, without CHAP, with all LUNs */
	bool header_digest_required, data_digest_required;
	const uint16_t *tpgts;           /* portal groups that offer it; all when 0 */
	size_t tpgt_count;
	/* CHAP of the target itself: asked of whoever matches a rule without CHAP, or none. */
	const char *chap_user, *mutual_user;
	const uint8_t *chap_secret, *mutual_secret;
	size_t chap_secret_len, mutual_secret_len;
	const struct iscsi_redirect *redirects; /* the first that matches; who came by its address is let in */
	size_t redirect_count;
	bool redirect_permanent;
	const struct scsi_path *paths;   /* portal groups and their states, for ALUA; those not named are optimized */
	size_t path_count;
	bool hosts_set_paths;            /* explicit ALUA, too */
};
/* Everything in the spec is borrowed during the call. -EINVAL with why; -EEXIST name in use. */
int iscsi_target_add(const struct iscsi_target_spec *s, struct iscsi_target **ret_target, char *why, size_t why_bytes) _must_check_;
int iscsi_target_update(struct iscsi_target *t, const struct iscsi_target_spec *s, char *why, size_t why_bytes) _must_check_;
/* How many sessions an update would touch (map changed) and how many it would close. */
int iscsi_target_preview(struct iscsi_target *t, const struct iscsi_target_spec *s, unsigned *ret_touched, unsigned *ret_closed);
/* Forgets it and ends its sessions, without waiting for them: commands that a backend sits on may take longer. */
void iscsi_target_remove(struct iscsi_target *t);
/* Is s a valid iSCSI name (RFC 7143 4.2.7, 3722)?  why: what is wrong. */
int iscsi_name_check(const char *s, char *why, size_t why_bytes);

/* ---- discovery authentication ---------------------------------------------------------------------- */
/* CHAP asked of discovery sessions; NULL user: none. */
int iscsi_discovery_auth(const char *chap_user, const uint8_t *secret, size_t secret_len,
			 const char *mutual_user, const uint8_t *mutual_secret, size_t mutual_secret_len);

/* ---- iSNS ------------------------------------------------------------------------------------------ */
/* Keeps the iSNS server at address (NULL: none) told of all enabled targets and all portals, under the name entity.  RFC 4171.
 * port 0: 3205.  -EINVAL not an address.  A server that does not answer is logged and tried again. */
int iscsi_isns(const char *address, uint16_t port, const char *entity);

/* ---- sessions ------------------------------------------------------------------------------------- */
struct iscsi_session_info {
	uint64_t id;                     /* unique in this run of the daemon */
	char initiator[224], initiator_alias[256], target[224], host[64];
	char peer[64], portal[64];
	uint8_t isid[6];
	uint16_t tsih, tpgt;
	bool discovery, header_digest, data_digest, immediate_data, initial_r2t;
	uint8_t error_recovery_level;
	const char *auth;                /* "none", "chap", "mutual-chap" */
	unsigned connections;
	uint32_t max_recv_bytes, max_burst_bytes, first_burst_bytes, max_outstanding_r2t;
	uint64_t since_unix_s;
	uint64_t read_ops, read_bytes, write_ops, write_bytes, errors;
	uint64_t latency_p50_ns, latency_p99_ns;
	struct hist latency;             /* of all its commands since the login */
	unsigned reactor;
};
/* Calls fn for a copy of each session; on the calling thread. */
void iscsi_session_each(void (*fn)(void *arg, const struct iscsi_session_info *s), void *arg);
/* Asynchronous logout request, then close after 3 s.  -ENOENT. */
int iscsi_session_close(uint64_t id);

/* The session's initiator may not log in to its target for so long (core/ban.h); closes the session as above.
 * -ENOENT no such session   -ENOSPC there are as many bans as there may be */
int iscsi_session_ban(uint64_t id, uint64_t seconds, uint64_t *ret_ban);

#endif
