/* SPDX-License-Identifier: GPL-3.0-or-later */
/* login_auth.c - who logs in, may it, and can it prove it?  RFC 7143 12.1, 13.4, 13.5. */
#include "iscsi/login.h"

#include "core/ban.h"

#include <string.h>

static enum iscsi_login_status refuse(enum iscsi_login_status status, const char *why, const char **ret_why)
{
	*ret_why = why;
	return status;
}

/* An initiator's name is taken as it comes, within reason: some have '_' in theirs. */
static bool name_is_sane(const char *s)
{
	for (const char *c = s; *c; c++)
		if ((unsigned char)*c <= ' ' || *c == 0x7f)
			return false;
	return *s;
}

static enum iscsi_login_status find_target(struct iscsi_login *l, const char **ret_why)
{
	struct in6_addr addr = addr_of((struct sockaddr *)&l->conn->peer_addr);

	room_lock();
	struct iscsi_target *t = iscsi_target_find(l->target_name);
	if (t) {
		t->refs++;
		l->target = t;
		l->conf = iscsi_conf_ref(t->conf);
	}
	bool removed = !t && iscsi_target_was_removed(l->target_name);
	room_unlock();
	if (removed)
		return refuse(ISCSI_LOGIN_REMOVED, "the target was removed", ret_why);
	if (!t)
		return refuse(ISCSI_LOGIN_NOT_FOUND, "there is no such target", ret_why);
	if (!iscsi_conf_offers(l->conf, l->conn->tpgt))
		return refuse(ISCSI_LOGIN_NOT_FOUND, "the target is not offered through this portal", ret_why);
	l->rule = iscsi_conf_match(l->conf, l->initiator, &addr);
	if (!l->rule)
		return refuse(ISCSI_LOGIN_FORBIDDEN, "no rule of the target lets this initiator in", ret_why);
	if (!l->conf->enabled)
		return refuse(ISCSI_LOGIN_UNAVAILABLE, "the target is disabled", ret_why);
	const char *elsewhere = iscsi_conf_redirect(l->conf, l->conn->tpgt, l->conn->portal);
	if (elsewhere && !l->tsih) {
		iscsi_text_put(&l->reply, "TargetAddress", elsewhere);
		return refuse(l->conf->redirect_permanent ? ISCSI_LOGIN_MOVED : ISCSI_LOGIN_MOVED_TEMPORARILY,
			      "the target is served elsewhere", ret_why);
	}
	l->secrets = iscsi_rule_secrets(l->rule);
	l->wishes.header_digest_required = l->conf->header_digest_required;
	l->wishes.data_digest_required = l->conf->data_digest_required;
	return ISCSI_LOGIN_OK;
}

enum iscsi_login_status login_identify(struct iscsi_login *l, const char **ret_why)
{
	if (l->bad_session_type)
		return refuse(ISCSI_LOGIN_BAD_SESSION_TYPE, "unknown SessionType", ret_why);
	if (!l->initiator[0])
		return refuse(ISCSI_LOGIN_MISSING_PARAMETER, "InitiatorName is missing", ret_why);
	if (!name_is_sane(l->initiator))
		return refuse(ISCSI_LOGIN_INITIATOR_ERROR, "InitiatorName is not a name", ret_why);
	if (!l->params.discovery) {
		if (!l->has_target_name)
			return refuse(ISCSI_LOGIN_MISSING_PARAMETER, "TargetName is missing", ret_why);
		if (ban_holds(l->initiator, l->target_name))
			return refuse(ISCSI_LOGIN_FORBIDDEN, "an administrator has banned this initiator for some time", ret_why);
		return find_target(l, ret_why);
	}
	if (l->tsih)
		return refuse(ISCSI_LOGIN_NO_SESSION, "a discovery session cannot be continued", ret_why);
	l->discovery_auth = iscsi_discovery_auth_ref();
	if (l->discovery_auth)
		l->secrets = (struct chap_secrets){
			.user = l->discovery_auth->user,
			.secret = l->discovery_auth->secret,
			.secret_len = l->discovery_auth->secret_len,
			.mutual_user = l->discovery_auth->mutual_user,
			.mutual_secret = l->discovery_auth->mutual_secret,
			.mutual_secret_len = l->discovery_auth->mutual_secret_len,
		};
	return ISCSI_LOGIN_OK;
}

static bool list_has(const char *list, const char *word)
{
	const char *item;
	size_t len;

	while (iscsi_text_item(&list, &item, &len))
		if (len == strlen(word) && !memcmp(item, word, len))
			return true;
	return false;
}

/* AuthMethod: CHAP when the rule asks for it, else None. */
static enum iscsi_login_status choose_method(struct iscsi_login *l, const char *offer, const char **ret_why)
{
	const char *method = l->secrets.user ? "CHAP" : "None";

	if (l->method_chosen)
		return refuse(ISCSI_LOGIN_INITIATOR_ERROR, "AuthMethod came twice", ret_why);
	if (!list_has(offer, method)) {
		iscsi_text_put(&l->reply, "AuthMethod", "Reject");
		return refuse(ISCSI_LOGIN_AUTH_FAILED, l->secrets.user ? "the target asks for CHAP, the initiator does not offer it" :
				"the initiator insists on authentication, none is configured for it", ret_why);
	}
	l->method_chosen = true;
	l->authenticated = !l->secrets.user;
	iscsi_text_put(&l->reply, "AuthMethod", method);
	return ISCSI_LOGIN_OK;
}

static enum iscsi_login_status chap_begin(struct iscsi_login *l, const char *list, const char **ret_why)
{
	unsigned algorithm;
	int r = chap_offer(&l->chap, list, iscsi_limit(&iscsi_room.opts.chap_minimum), &algorithm);

	if (r == -EIO)
		return refuse(ISCSI_LOGIN_TARGET_ERROR, "no random numbers", ret_why);
	if (r < 0)
		return refuse(ISCSI_LOGIN_AUTH_FAILED, r == -EPROTO ? "CHAP_A out of turn" :
				r == -EPERM ? "the CHAP algorithms that the initiator offers are weaker than the setting iscsi_chap_minimum" :
				"none of the offered CHAP algorithms is known", ret_why);
	iscsi_text_put_number(&l->reply, "CHAP_A", algorithm);
	iscsi_text_put_number(&l->reply, "CHAP_I", l->chap.id);
	iscsi_text_put_hex(&l->reply, "CHAP_C", l->chap.challenge, sizeof(l->chap.challenge));
	return ISCSI_LOGIN_OK;
}

static enum iscsi_login_status chap_end(struct iscsi_login *l, const struct login_security *k, const char **ret_why)
{
	uint8_t response[TLS_HASH_MAX], challenge[ISCSI_BINARY_MAX];
	struct chap_reply reply = { .user = k->chap_n, .response = response, .challenge = challenge };

	if (!k->chap_n || !k->chap_r)
		return refuse(ISCSI_LOGIN_AUTH_FAILED, "CHAP_N or CHAP_R is missing", ret_why);
	if (iscsi_text_binary(k->chap_r, response, sizeof(response), &reply.response_len) < 0)
		return refuse(ISCSI_LOGIN_AUTH_FAILED, "CHAP_R cannot be read", ret_why);
	if (!k->chap_i != !k->chap_c)
		return refuse(ISCSI_LOGIN_AUTH_FAILED, "CHAP_I and CHAP_C belong together", ret_why);
	if (k->chap_i) {
		uint64_t id;
		if (iscsi_text_number(k->chap_i, &id) < 0 || id > 255 ||
		    iscsi_text_binary(k->chap_c, challenge, sizeof(challenge), &reply.challenge_len) < 0)
			return refuse(ISCSI_LOGIN_AUTH_FAILED, "CHAP_I or CHAP_C cannot be read", ret_why);
		reply.asks_proof = true;
		reply.id = (uint8_t)id;
	}
	if (chap_check(&l->chap, &l->secrets, &reply, ret_why) < 0)
		return ISCSI_LOGIN_AUTH_FAILED;
	if (l->chap.mutual) {
		iscsi_text_put(&l->reply, "CHAP_N", l->secrets.mutual_user);
		iscsi_text_put_hex(&l->reply, "CHAP_R", l->chap.proof, l->chap.proof_len);
	}
	l->authenticated = true;
	l->auth = l->chap.mutual ? ISCSI_AUTH_MUTUAL_CHAP : ISCSI_AUTH_CHAP;
	return ISCSI_LOGIN_OK;
}

enum iscsi_login_status login_authenticate(struct iscsi_login *l, const struct login_security *k, const char **ret_why)
{
	enum iscsi_login_status status = ISCSI_LOGIN_OK;
	bool any_chap = k->chap_a || k->chap_n || k->chap_r || k->chap_i || k->chap_c;

	if (k->auth_method)
		status = choose_method(l, k->auth_method, ret_why);
	if (status || !any_chap)
		return status;
	if (!l->secrets.user || !l->method_chosen || l->authenticated)
		return refuse(ISCSI_LOGIN_INITIATOR_ERROR, "CHAP keys without AuthMethod=CHAP", ret_why);
	if (k->chap_a)
		return chap_begin(l, k->chap_a, ret_why);
	return chap_end(l, k, ret_why);
}
