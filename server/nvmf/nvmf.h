/* SPDX-License-Identifier: GPL-3.0-or-later */
/* nvmf.h - the door of nvmf/: NVMe/TCP listeners, subsystems' access and associations, as control/
 * sees them.  NVMe over Fabrics (NVMe Base 2.1), NVMe/TCP Transport 1.1.  The twin of iscsi/iscsi.h.
 *
 * Subsystems are described whole by an immutable spec; an update brings a new one, the room finds
 * what differs and touches no association that it does not concern.  Calls come from the control
 * thread and may block; callbacks come from any thread and must not. */
#ifndef HOLDFAST_NVMF_NVMF_H
#define HOLDFAST_NVMF_NVMF_H

#include "core/core.h"

struct volume;
struct nvmf_portal;
struct nvmf_subsystem;

enum nvmf_event_kind { NVMF_CONNECT, NVMF_DISCONNECT, NVMF_REFUSED, NVMF_LOST };
struct nvmf_event {
	enum nvmf_event_kind kind;
	const char *host_nqn, *subsystem, *peer, *reason;
	uint64_t session_id;
};
struct nvmf_opts {
	struct reactor *const *reactors;
	unsigned reactor_count;
	void (*event)(void *arg, const struct nvmf_event *e);    /* any thread */
	void *event_arg;
	unsigned max_connections;        /* 0: 4096 */
	unsigned max_queues;             /* I/O queues per controller; 0: 64 */
	unsigned auth_timeout_s;         /* of an authentication; 0: 60 */
};
int nvmf_start(const struct nvmf_opts *opts) _must_check_;
/* Closes everything.  Waits at most limit_ms for commands that a backend sits on; false: some are still there, and so is all that
 * they need.  Then it may be called again, or the process ends as it is. */
bool nvmf_stop(unsigned limit_ms);

/* TLS 1.3 at a portal: with ALLOWED the first byte of a connection tells which it is. */
enum nvmf_tls_mode { NVMF_TLS_OFF, NVMF_TLS_ALLOWED, NVMF_TLS_REQUIRED };
struct nvmf_portal_spec {
	const char *address;
	uint16_t port;
	bool discovery_only;             /* 8009 */
	uint16_t group;                  /* portal group; 0: 1 */
	enum nvmf_tls_mode tls;
	int listen_fd;                   /* or -1 */
};
int nvmf_portal_add(const struct nvmf_portal_spec *s, struct nvmf_portal **ret_portal) _must_check_;
void nvmf_portal_remove(struct nvmf_portal *p);
uint16_t nvmf_portal_port(const struct nvmf_portal *p);
int nvmf_portal_fd(const struct nvmf_portal *p);

/* One who may connect.  The first rule that matches host NQN and address counts. */
struct nvmf_rule {
	const char *host;                /* name of the host object */
	const char *const *nqns;         /* exact, compared as bytes; none: any */
	size_t nqn_count;
	const char *const *addresses;    /* CIDR; none: any */
	size_t address_count;
	const uint32_t *nsids;           /* namespaces this host sees; all when nsid_count is 0 */
	size_t nsid_count;
	/* As text, borrowed; NULL: none.  A host that has one must use it. */
	const char *dhchap_key, *dhchap_ctrl_key; /* "DHHC-1:.." */
	const char *tls_psk;             /* "NVMeTLSkey-1:.." */
	const char *refuse;              /* not NULL: who this rule is of stays out; a constant sentence */
};
struct nvmf_ns {
	uint32_t nsid;
	bool read_only;
	struct volume *volume;           /* takes references of its own */
};
/* What hosts are told of the namespaces by the portals of one group; groups not named are optimized. */
enum nvmf_path_state { NVMF_PATH_OPTIMIZED, NVMF_PATH_NONOPTIMIZED, NVMF_PATH_INACCESSIBLE, NVMF_PATH_CHANGE };
struct nvmf_path {
	uint16_t group;
	enum nvmf_path_state state;
};
struct nvmf_subsystem_spec {
	const char *nqn;
	const char *serial;              /* stable; control derives it from the target's id */
	bool enabled;
	bool allow_any;
	bool require_auth, require_tls;  /* no host gets in without */
	const struct nvmf_ns *namespaces;
	size_t namespace_count;
	const struct nvmf_rule *rules;
	size_t rule_count;
	const struct nvmf_path *paths;
	size_t path_count;
	uint16_t static_controllers;     /* 0: dynamic model; else ids 1 to this many */
};
int nvmf_subsystem_add(const struct nvmf_subsystem_spec *s, struct nvmf_subsystem **ret_subsystem, char *why, size_t why_bytes) _must_check_;
int nvmf_subsystem_update(struct nvmf_subsystem *n, const struct nvmf_subsystem_spec *s, char *why, size_t why_bytes) _must_check_;
int nvmf_subsystem_preview(struct nvmf_subsystem *n, const struct nvmf_subsystem_spec *s, unsigned *ret_touched, unsigned *ret_closed);
void nvmf_subsystem_remove(struct nvmf_subsystem *n);
/* Other discovery services that the discovery log points to; copied.  -ENOMEM */
struct nvmf_referral {
	const char *address;             /* numeric */
	uint16_t port;
};
int nvmf_set_referrals(const struct nvmf_referral *r, size_t count);
/* What in-band authentication offers, in order of preference: "sha512 sha384", "ffdhe3072 null".  For
 * transactions from now on.  -EINVAL: *ret_why is a constant part of a sentence. */
int nvmf_set_auth(const char *hashes, const char *groups, const char **ret_why) _must_check_;
int nvmf_auth_words_check(const char *hashes, const char *groups, const char **ret_why) _must_check_;
/* Is s a valid NQN (NVMe Base 4.7)? */
#define NVMF_NQN_MAX 223
int nvmf_name_check(const char *s, char *why, size_t why_bytes);

struct nvmf_session_info {
	uint64_t id;                     /* unique in this run; never one of iscsi's */
	char host_nqn[224], subsystem[224], host[64], peer[64], portal[64];
	uint8_t host_id[16];
	uint16_t cntlid;
	bool discovery, header_digest, data_digest;
	const char *auth;                /* "none", "dhchap", "mutual-dhchap" */
	char tls[40];                    /* "TLS_AES_128_GCM_SHA256"; empty: not encrypted */
	bool tls_in_kernel;
	unsigned queues;                 /* I/O queues connected */
	uint32_t kato_ms;
	uint64_t since_unix_s;
	uint64_t read_ops, read_bytes, write_ops, write_bytes, errors, latency_p50_ns, latency_p99_ns;
	struct hist latency;             /* of the commands of its queues since they connected */
	unsigned reactor;
};
void nvmf_session_each(void (*fn)(void *arg, const struct nvmf_session_info *s), void *arg);
int nvmf_session_close(uint64_t id);
/* The host may not connect to the subsystem for so long (core/ban.h); ends the association.  -ENOENT, -ENOSPC */
int nvmf_session_ban(uint64_t id, uint64_t seconds, uint64_t *ret_ban);

#endif
