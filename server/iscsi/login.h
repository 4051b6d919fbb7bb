/* SPDX-License-Identifier: GPL-3.0-or-later */
/* login.h - a login in progress, shared by login.c (requests, stages) and login_auth.c (who is it). */
#ifndef HOLDFAST_ISCSI_LOGIN_H
#define HOLDFAST_ISCSI_LOGIN_H

#include "iscsi/iscsi_priv.h"

struct iscsi_login {
	struct iscsi_conn *conn;
	/* of the first request; the others must say the same */
	bool headed;                     /* these are filled */
	uint8_t isid[6];
	uint16_t tsih, cid;
	uint32_t itt, cmdsn;
	unsigned stage;                  /* enum iscsi_stage that is going on */
	unsigned rounds;
	char *text;                      /* of this exchange, over its PDUs; owned */
	size_t text_len;
	bool text_overflow;
	bool begun;                      /* the first request's text was read: we know who */
	/* who */
	char initiator[ISCSI_NAME_MAX + 1], alias[256], target_name[ISCSI_NAME_MAX + 1];
	bool has_target_name;
	bool bad_session_type;
	struct iscsi_target *target;     /* counted; NULL: discovery */
	struct iscsi_target_conf *conf;  /* counted */
	const struct iscsi_grant_rule *rule; /* in conf */
	struct iscsi_discovery_auth *discovery_auth; /* counted */
	/* proof */
	struct chap_secrets secrets;     /* borrowed from conf or discovery_auth; user NULL: none asked */
	struct chap chap;
	bool method_chosen, authenticated;
	enum iscsi_auth auth;
	/* agreement */
	struct iscsi_params params;
	struct iscsi_wishes wishes;
	struct iscsi_negotiation negotiation;
	bool tpgt_told, limits_told;
	/* the end */
	struct iscsi_waiter waiter;
	bool waiting;                    /* waiter.msg will run */
	bool refused, finished;
	uint8_t answer_flags;            /* of the response that is being built */
	/* the response */
	bool out_busy;
	struct stream_out out;
	struct iovec iov;
	struct iscsi_text_out reply;     /* over reply_text */
	char reply_text[ISCSI_DEFAULT_MAX_RECV_BYTES + 4];
	uint8_t wire[ISCSI_BHS_BYTES + ISCSI_DEFAULT_MAX_RECV_BYTES + 4];
};

/* Keys that the security stage brought; pointers into login->text. */
struct login_security {
	const char *auth_method, *chap_a, *chap_n, *chap_r, *chap_i, *chap_c;
};

/* login_auth.c */
/* Finds target and rule, and with them the secrets.  0, or a login status with *ret_why. */
enum iscsi_login_status login_identify(struct iscsi_login *l, const char **ret_why);
/* One step of the security stage. 0, or a login status with *ret_why. */
enum iscsi_login_status login_authenticate(struct iscsi_login *l, const struct login_security *keys,
					   const char **ret_why);

#endif
