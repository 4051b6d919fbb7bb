/* SPDX-License-Identifier: GPL-3.0-or-later */
/* login.c - the login phase: requests, stages, text over several PDUs, the answer.
 * RFC 7143 6.3, 11.12, 11.13.
 *
 * One request at a time: the initiator sends the next when it has our response.  The login lives in
 * memory of its own, bounded, which is given back when the final response is sent. */
#include "iscsi/login.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

struct iscsi_login *iscsi_login_new(struct iscsi_conn *c)
{
	struct iscsi_login *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->conn = c;
	iscsi_params_init(&l->params);
	chap_init(&l->chap);
	l->negotiation = (struct iscsi_negotiation){ .params = &l->params, .wishes = &l->wishes, .leading = true };
	l->reply = (struct iscsi_text_out){ .buf = l->reply_text, .room = ISCSI_DEFAULT_MAX_RECV_BYTES };
	return l;
}
void iscsi_login_free(struct iscsi_login *l)
{
	if (!l)
		return;
	if (l->target) {
		room_lock();
		iscsi_target_put(l->target);
		room_unlock();
	}
	iscsi_conf_unref(l->conf);
	iscsi_discovery_auth_unref(l->discovery_auth);
	free(l->text);
	tls_wipe(&l->chap, sizeof(l->chap));
	free(l);
}
bool iscsi_login_is_waiting(const struct iscsi_conn *c)
{
	struct iscsi_login *l = c->login;

	if (l->waiting && iscsi_waiter_cancel(&l->waiter))
		l->waiting = false;
	return l->waiting;
}

/* ---- the response --------------------------------------------------------------------------------- */
static void login_sent(struct stream_out *o, int status)
{
	struct iscsi_login *l = container_of(o, struct iscsi_login, out);
	struct iscsi_conn *c = l->conn;

	l->out_busy = false;
	if (status || !l->finished)
		return;
	c->login = NULL;
	iscsi_login_free(l);
}

static void login_send(struct iscsi_login *l, enum iscsi_login_status status)
{
	struct iscsi_conn *c = l->conn;
	uint32_t len = (uint32_t)l->reply.len;
	uint32_t padded = len + iscsi_pad_bytes(len);
	struct iscsi_login_response *h = (struct iscsi_login_response *)l->wire;

	*h = (struct iscsi_login_response){
		.opcode = ISCSI_LOGIN_RESPONSE,
		.flags = l->answer_flags,
		.data_len_bytes = be24_of(len),
		.tsih = be16_of(c->session ? c->session->st.tsih : l->tsih),
		.itt = be32_of(l->itt),
		.statsn = be32_of(c->st.statsn++),
		.exp_cmdsn = be32_of(c->session ? c->session->st.exp_cmdsn : l->cmdsn),
		.max_cmdsn = be32_of(c->session ? session_max_cmdsn(c->session) : l->cmdsn + ISCSI_WINDOW - 1),
		.status_class = (uint8_t)(status >> 8),
		.status_detail = (uint8_t)status,
	};
	memcpy(h->isid, l->isid, sizeof(h->isid));
	memcpy(l->wire + ISCSI_BHS_BYTES, l->reply_text, len);
	memset(l->wire + ISCSI_BHS_BYTES + len, 0, padded - len);
	l->reply.len = 0;
	l->iov = (struct iovec){ l->wire, ISCSI_BHS_BYTES + padded };
	l->out = (struct stream_out){ .sent = login_sent, .iov = &l->iov, .iov_count = 1 };
	l->out_busy = true;
	stream_send(&c->stream, &l->out);
}

void iscsi_login_refuse(struct iscsi_conn *c, enum iscsi_login_status status, const char *why)
{
	static struct log_limit limit = LOG_LIMIT_INIT;
	struct iscsi_login *l = c->login;

	bool moved = status == ISCSI_LOGIN_MOVED || status == ISCSI_LOGIN_MOVED_TEMPORARILY;
	if (log_limit_ok(&limit, &log_iscsi))
		log_warn(&log_iscsi, moved ? "login redirected" : "login refused",
			 "reason=\"%s\" status=%04x initiator=%s target=%s peer=%s portal=%s", why, (unsigned)status,
			 l->initiator[0] ? l->initiator : "-", l->has_target_name ? l->target_name : "-", c->peer, c->portal);
	if (!moved)
		iscsi_emit(&(struct iscsi_event){
			.kind = ISCSI_REFUSED, .initiator = l->initiator, .peer = c->peer, .reason = why,
			.target = l->has_target_name ? l->target_name : "",
		});
	l->refused = true;
	if (!l->out_busy) {
		const uint8_t *bhs = c->rx.pdu.bhs;
		if (!l->headed) {
			memcpy(l->isid, bhs + 8, sizeof(l->isid));
			l->itt = c->rx.pdu.itt;
			l->cmdsn = c->rx.pdu.cmdsn;
		}
		l->answer_flags = (uint8_t)(l->stage << 2);
		if (status != ISCSI_LOGIN_AUTH_FAILED && !moved) /* AuthMethod=Reject or TargetAddress goes along */
			l->reply.len = 0;
		login_send(l, status);
	}
	iscsi_conn_close(c, NULL, false);
}

/* ---- the request's text ------------------------------------------------------------------------------ */
bool iscsi_login_header(struct iscsi_conn *c, uint8_t **ret_to)
{
	struct iscsi_login *l = c->login;
	uint32_t len = c->rx.pdu.data_len_bytes;

	if (!len)
		return true;
	if (l->text_len + len > ISCSI_LOGIN_TEXT_MAX) {
		l->text_overflow = true; /* refused when it is complete */
		return true;
	}
	char *text = realloc(l->text, l->text_len + len);
	if (!text) {
		iscsi_login_refuse(c, ISCSI_LOGIN_NO_RESOURCES, "out of memory");
		return false;
	}
	l->text = text;
	*ret_to = (uint8_t *)text + l->text_len;
	l->text_len += len;
	return true;
}

/* A key of the security stage; the names were read before. */
static void take_key(const struct iscsi_pair *pair, struct login_security *security)
{
	switch (iscsi_key_id(iscsi_key_find(pair))) {
	case KEY_AUTH_METHOD:
		security->auth_method = pair->value;
		break;
	case KEY_CHAP_A:
		security->chap_a = pair->value;
		break;
	case KEY_CHAP_N:
		security->chap_n = pair->value;
		break;
	case KEY_CHAP_R:
		security->chap_r = pair->value;
		break;
	case KEY_CHAP_I:
		security->chap_i = pair->value;
		break;
	case KEY_CHAP_C:
		security->chap_c = pair->value;
		break;
	default:
		break;
	}
}

/* Who it is and what it wants decides how the other keys are answered, so that is looked for first. */
static enum iscsi_login_status read_names(struct iscsi_login *l, const char **ret_why)
{
	const char *text = l->text;
	size_t left = l->text_len;
	struct iscsi_pair pair;
	int r;

	while ((r = iscsi_text_next(&text, &left, &pair)) == 1) {
		if (iscsi_pair_is(&pair, "SessionType")) {
			l->params.discovery = !strcmp(pair.value, "Discovery");
			l->bad_session_type = !l->params.discovery && strcmp(pair.value, "Normal") != 0;
		} else if (iscsi_pair_is(&pair, "InitiatorName")) {
			/* A name that is too long is no name: a space never is one. */
			snprintf(l->initiator, sizeof(l->initiator), "%s", pair.value_len > ISCSI_NAME_MAX ? " " : pair.value);
		} else if (iscsi_pair_is(&pair, "TargetName")) {
			snprintf(l->target_name, sizeof(l->target_name), "%s", pair.value);
			l->has_target_name = true;
		} else if (iscsi_pair_is(&pair, "InitiatorAlias")) {
			snprintf(l->alias, sizeof(l->alias), "%s", pair.value);
		}
	}
	if (r == 0)
		return ISCSI_LOGIN_OK;
	*ret_why = r == -E2BIG ? "a key or value is too long" : "the text is not key=value";
	return ISCSI_LOGIN_INITIATOR_ERROR;
}

/* What was acted upon already cannot change any more. */
static bool is_name(const struct iscsi_pair *pair)
{
	return iscsi_pair_is(pair, "SessionType") || iscsi_pair_is(pair, "InitiatorName") ||
	       iscsi_pair_is(pair, "TargetName");
}

static enum iscsi_login_status read_text(struct iscsi_login *l, bool first, struct login_security *security,
					 const char **ret_why)
{
	const char *text = l->text;
	size_t left = l->text_len;
	struct iscsi_pair pair;
	int r;

	l->negotiation.phase = l->stage == ISCSI_STAGE_SECURITY ? ISCSI_KEY_SECURITY : ISCSI_KEY_OPERATIONAL;
	while ((r = iscsi_text_next(&text, &left, &pair)) == 1) {
		switch (iscsi_key_negotiate(&l->negotiation, &pair, &l->reply, ret_why)) {
		case ISCSI_KEY_DONE:
			break;
		case ISCSI_KEY_HANDLE:
			if (!first && is_name(&pair)) {
				*ret_why = "a name or SessionType after the first request";
				return ISCSI_LOGIN_INITIATOR_ERROR;
			}
			take_key(&pair, security);
			break;
		case ISCSI_KEY_FAULT:
		case ISCSI_KEY_REQUIRED:
			return ISCSI_LOGIN_INITIATOR_ERROR;
		}
	}
	if (r < 0) {
		*ret_why = r == -E2BIG ? "a key or value is too long" : "the text is not key=value";
		return ISCSI_LOGIN_INITIATOR_ERROR;
	}
	if (l->reply.full) {
		*ret_why = "more keys than an answer can hold";
		return ISCSI_LOGIN_INITIATOR_ERROR;
	}
	return ISCSI_LOGIN_OK;
}

/* ---- the final response --------------------------------------------------------------------------------- */
static void login_finish(struct iscsi_conn *c);

static void old_session_gone(struct msg *m)
{
	struct iscsi_waiter *w = container_of(m, struct iscsi_waiter, msg);
	struct iscsi_login *l = container_of(w, struct iscsi_login, waiter);
	struct iscsi_conn *c = l->conn;

	l->waiting = false;
	if (c->phase == CONN_CLOSED) {
		if (c->must_free)
			iscsi_conn_free(c);
		return;
	}
	if (c->phase != CONN_REGISTER)
		return;
	iscsi_conn_resume(c, PAUSE_LOGIN);
	login_finish(c);
}

static void login_finish(struct iscsi_conn *c)
{
	struct iscsi_login *l = c->login;
	const char *why = "out of memory";

	l->waiter.msg.run = old_session_gone;
	l->waiter.reactor = c->home->reactor;
	int r = iscsi_session_open(c, &l->waiter, &why);
	if (r == -EAGAIN) {
		l->waiting = true;
		if (c->phase == CONN_LOGIN) {
			iscsi_conn_move(c, CONN_REGISTER);
			iscsi_conn_pause(c, PAUSE_LOGIN);
		} else {
			iscsi_conn_pause(c, PAUSE_LOGIN);
		}
		return;
	}
	if (r > 0) {
		iscsi_login_refuse(c, (enum iscsi_login_status)r, why);
		return;
	}
	struct iscsi_session *s = c->session;
	l->finished = true;
	login_send(l, ISCSI_LOGIN_OK);
	c->st.exp_statsn = c->st.statsn; /* the login is acknowledged by whatever comes next */
	iscsi_conn_move(c, CONN_FULL_FEATURE);
	iscsi_ping_start(c);
	if (l->tsih) {
		log_info(&log_iscsi, "connection added", "initiator=%s session=%llu cid=%u peer=%s connections=%u", s->st.initiator,
			 (unsigned long long)s->id, c->st.cid, c->peer, s->conn_count);
		return;
	}
	log_info(&log_iscsi, "login", "initiator=%s target=%s peer=%s session=%llu auth=%s", s->st.initiator,
		 s->st.params.discovery ? "discovery" : s->st.target, c->peer, (unsigned long long)s->id,
		 s->st.auth == ISCSI_AUTH_NONE ? "none" : s->st.auth == ISCSI_AUTH_CHAP ? "chap" : "mutual-chap");
	iscsi_emit(&(struct iscsi_event){
		.kind = ISCSI_LOGIN, .initiator = s->st.initiator, .target = s->st.target, .peer = c->peer,
		.reason = "", .session_id = s->id,
	});
}

/* ---- one request ------------------------------------------------------------------------------------------- */
static enum iscsi_login_status check_header(struct iscsi_login *l, const struct iscsi_login_request *rq,
					    const char **ret_why)
{
	unsigned csg = ISCSI_LOGIN_CSG(rq->flags), nsg = ISCSI_LOGIN_NSG(rq->flags);

	if (!l->headed) {
		l->headed = true;
		memcpy(l->isid, rq->isid, sizeof(l->isid));
		l->tsih = be16_get(rq->tsih);
		l->cid = be16_get(rq->cid);
		l->itt = be32_get(rq->itt);
		l->stage = csg;
		l->negotiation.leading = !l->tsih;
	}
	if (rq->version_min > 0) {
		*ret_why = "the initiator speaks another version of iSCSI";
		return ISCSI_LOGIN_BAD_VERSION;
	}
	if (memcmp(l->isid, rq->isid, sizeof(l->isid)) || l->tsih != be16_get(rq->tsih) ||
	    l->cid != be16_get(rq->cid) || l->itt != be32_get(rq->itt)) {
		*ret_why = "the login's ISID, TSIH, CID or task tag changed";
		return ISCSI_LOGIN_INVALID;
	}
	if (csg != l->stage || csg > ISCSI_STAGE_OPERATIONAL) {
		*ret_why = "a login stage that is not the current one";
		return ISCSI_LOGIN_INVALID;
	}
	if ((rq->flags & ISCSI_LOGIN_TRANSIT) &&
	    ((rq->flags & ISCSI_CONTINUE) || nsg <= csg || nsg == 2)) {
		*ret_why = "a transition to a stage that cannot be next";
		return ISCSI_LOGIN_INITIATOR_ERROR;
	}
	return ISCSI_LOGIN_OK;
}

/* What we say of ourselves, once. */
static void tell(struct iscsi_login *l)
{
	if (!l->tpgt_told && l->target) {
		l->tpgt_told = true;
		if (l->conf->alias && l->conf->alias[0])
			iscsi_text_put(&l->reply, "TargetAlias", l->conf->alias);
		iscsi_text_put_number(&l->reply, "TargetPortalGroupTag", l->conn->tpgt);
	}
	if (!l->limits_told && l->stage == ISCSI_STAGE_OPERATIONAL) {
		l->limits_told = true;
		iscsi_text_put_number(&l->reply, "MaxRecvDataSegmentLength", ISCSI_OUR_MAX_RECV_BYTES);
		l->params.our_max_recv_bytes = ISCSI_OUR_MAX_RECV_BYTES;
	}
}

static enum iscsi_login_status run_request(struct iscsi_login *l, uint8_t flags, const char **ret_why)
{
	struct login_security security = { 0 };
	enum iscsi_login_status status = l->begun ? ISCSI_LOGIN_OK : read_names(l, ret_why);
	bool transit = flags & ISCSI_LOGIN_TRANSIT, first = !l->begun;

	if (!status && first)
		status = login_identify(l, ret_why);
	l->begun = true;
	if (!status)
		status = read_text(l, first, &security, ret_why);
	if (status)
		return status;
	if (l->stage == ISCSI_STAGE_SECURITY) {
		status = login_authenticate(l, &security, ret_why);
		if (status)
			return status;
	}
	if (l->secrets.user && !l->authenticated) {
		if (l->stage == ISCSI_STAGE_OPERATIONAL || (transit && !l->method_chosen)) {
			*ret_why = "the target asks for CHAP, the initiator does not offer it";
			return ISCSI_LOGIN_AUTH_FAILED;
		}
		transit = false;         /* not before the proof */
	}
	tell(l);
	l->answer_flags = (uint8_t)(l->stage << 2);
	if (transit) {
		unsigned nsg = ISCSI_LOGIN_NSG(flags);
		l->answer_flags |= (uint8_t)(ISCSI_LOGIN_TRANSIT | nsg);
		if (nsg == ISCSI_STAGE_FULL_FEATURE) {
			*ret_why = iscsi_key_missing(&l->negotiation);
			if (*ret_why)
				return ISCSI_LOGIN_INITIATOR_ERROR;
			iscsi_params_settle(&l->params);
		}
		l->stage = nsg;
	}
	return ISCSI_LOGIN_OK;
}

void iscsi_login_request(struct iscsi_conn *c)
{
	const struct iscsi_login_request *rq = (const void *)c->rx.pdu.bhs;
	struct iscsi_login *l = c->login;
	const char *why = NULL;

	if (l->refused)
		return;
	if (l->out_busy) {
		iscsi_conn_close(c, "a login request before the last one was answered", true);
		return;
	}
	enum iscsi_login_status status = check_header(l, rq, &why);
	if (!status && (++l->rounds > ISCSI_LOGIN_ROUNDS_MAX || l->text_overflow)) {
		status = ISCSI_LOGIN_INITIATOR_ERROR;
		why = "the login has no end";
	}
	l->cmdsn = be32_get(rq->cmdsn);
	c->st.exp_statsn = be32_get(rq->exp_statsn);
	c->st.cid = l->cid;
	if (!status && (rq->flags & ISCSI_CONTINUE)) { /* the rest of the text comes next */
		l->answer_flags = (uint8_t)(l->stage << 2);
		login_send(l, ISCSI_LOGIN_OK);
		return;
	}
	if (!status)
		status = run_request(l, rq->flags, &why);
	l->text_len = 0;
	if (status) {
		iscsi_login_refuse(c, status, why);
		return;
	}
	if (l->stage == ISCSI_STAGE_FULL_FEATURE)
		login_finish(c);
	else
		login_send(l, ISCSI_LOGIN_OK);
}
