/* SPDX-License-Identifier: GPL-3.0-or-later */
/* keys.c - one row per key: type, default, range, rule, who may send it and when.  RFC 7143 13. */
#include "iscsi/keys.h"

#include <assert.h>
#include <string.h>

/* How the answer comes about.  6.2. */
enum key_rule {
	RULE_DECLARE_NUMBER,             /* each side says its own; no answer */
	RULE_DECLARE_TEXT,               /* the same with text; the caller looks at it */
	RULE_MIN, RULE_MAX,              /* of both numbers */
	RULE_AND, RULE_OR,               /* of both truths */
	RULE_LIST,                       /* the first of the offered that we know */
	RULE_SESSION_TYPE,
	RULE_CALLER,                     /* authentication, SendTargets */
	RULE_OBSOLETE,                   /* answered Reject, 13.25 */
};
enum { FROM_INITIATOR = 1, FROM_TARGET = 2, FROM_BOTH = 3 };
enum {
	ONLY_LEADING = 1,                /* LO: the session's first connection alone may negotiate it */
	NOT_IN_DISCOVERY = 2,            /* answered Irrelevant in a discovery session */
	LONG_VALUE = 4,                  /* may be longer than 255 bytes */
	ONCE_MORE = 8,                   /* may come again in one negotiation */
};
#define ANY_PHASE (ISCSI_KEY_SECURITY | ISCSI_KEY_OPERATIONAL | ISCSI_KEY_FULL_FEATURE)
#define IN_LOGIN (ISCSI_KEY_SECURITY | ISCSI_KEY_OPERATIONAL)
#define FIELD(f) .has_field = true, .field = offsetof(struct iscsi_params, f)

struct iscsi_key {
	const char *name, *spec;
	enum key_rule rule;
	unsigned from, phases, flags;
	uint32_t min, max;               /* what the RFC allows */
	uint32_t def;                    /* in force while nobody says anything */
	uint32_t ours;                   /* our side of MIN, MAX, AND, OR */
	const char *const *values;       /* LIST: what we know, index is the field's value */
	bool has_field;
	size_t field;                    /* in struct iscsi_params */
};

static const char *const digests[] = { "None", "CRC32C", NULL };
static const char *const reportings[] = {
	[ISCSI_REPORT_RFC3720] = "RFC3720", [ISCSI_REPORT_FENCE] = "ResponseFence",
	[ISCSI_REPORT_FAST_ABORT] = "FastAbort", NULL,
};

static const struct iscsi_key keys[ISCSI_KEYS] = {
	[KEY_HEADER_DIGEST] = { "HeaderDigest", "13.1", RULE_LIST, FROM_BOTH, ISCSI_KEY_OPERATIONAL, 0,
		.values = digests, FIELD(header_digest) },
	[KEY_DATA_DIGEST] = { "DataDigest", "13.1", RULE_LIST, FROM_BOTH, ISCSI_KEY_OPERATIONAL, 0,
		.values = digests, FIELD(data_digest) },
	[KEY_MAX_CONNECTIONS] = { "MaxConnections", "13.2", RULE_MIN, FROM_BOTH, ISCSI_KEY_OPERATIONAL,
		ONLY_LEADING | NOT_IN_DISCOVERY, 1, 65535, .def = 1, .ours = ISCSI_OUR_MAX_CONNECTIONS, FIELD(max_connections) },
	[KEY_SEND_TARGETS] = { "SendTargets", "13.3", RULE_CALLER, FROM_INITIATOR, ISCSI_KEY_FULL_FEATURE, .flags = 0 },
	[KEY_TARGET_NAME] = { "TargetName", "13.4", RULE_DECLARE_TEXT, FROM_BOTH, IN_LOGIN, .flags = 0 },
	[KEY_INITIATOR_NAME] = { "InitiatorName", "13.5", RULE_DECLARE_TEXT, FROM_INITIATOR, IN_LOGIN, .flags = 0 },
	[KEY_TARGET_ALIAS] = { "TargetAlias", "13.6", RULE_DECLARE_TEXT, FROM_TARGET, ANY_PHASE, .flags = 0 },
	[KEY_INITIATOR_ALIAS] = { "InitiatorAlias", "13.7", RULE_DECLARE_TEXT, FROM_INITIATOR, ANY_PHASE, .flags = 0 },
	[KEY_TARGET_ADDRESS] = { "TargetAddress", "13.8", RULE_DECLARE_TEXT, FROM_TARGET, ANY_PHASE, .flags = 0 },
	[KEY_TPGT] = { "TargetPortalGroupTag", "13.9", RULE_DECLARE_TEXT, FROM_TARGET, IN_LOGIN, .flags = 0 },
	[KEY_INITIAL_R2T] = { "InitialR2T", "13.10", RULE_OR, FROM_BOTH, ISCSI_KEY_OPERATIONAL,
		ONLY_LEADING | NOT_IN_DISCOVERY, .def = 1, .ours = 0, FIELD(initial_r2t) },
	[KEY_IMMEDIATE_DATA] = { "ImmediateData", "13.11", RULE_AND, FROM_BOTH, ISCSI_KEY_OPERATIONAL,
		ONLY_LEADING | NOT_IN_DISCOVERY, .def = 1, .ours = 1, FIELD(immediate_data) },
	[KEY_MAX_RECV] = { "MaxRecvDataSegmentLength", "13.12", RULE_DECLARE_NUMBER, FROM_BOTH,
		ISCSI_KEY_OPERATIONAL | ISCSI_KEY_FULL_FEATURE, 0, 512, 16777215,
		.def = ISCSI_DEFAULT_MAX_RECV_BYTES, FIELD(peer_max_recv_bytes) },
	[KEY_MAX_BURST] = { "MaxBurstLength", "13.13", RULE_MIN, FROM_BOTH, ISCSI_KEY_OPERATIONAL,
		ONLY_LEADING | NOT_IN_DISCOVERY, 512, 16777215, .def = 262144, .ours = ISCSI_OUR_MAX_BURST_BYTES,
		FIELD(max_burst_bytes) },
	[KEY_FIRST_BURST] = { "FirstBurstLength", "13.14", RULE_MIN, FROM_BOTH, ISCSI_KEY_OPERATIONAL,
		ONLY_LEADING | NOT_IN_DISCOVERY, 512, 16777215, .def = 65536, .ours = ISCSI_OUR_FIRST_BURST_BYTES,
		FIELD(first_burst_bytes) },
	[KEY_TIME2WAIT] = { "DefaultTime2Wait", "13.15", RULE_MAX, FROM_BOTH, ISCSI_KEY_OPERATIONAL,
		ONLY_LEADING, 0, 3600, .def = 2, .ours = 0, FIELD(time2wait_s) },
	[KEY_TIME2RETAIN] = { "DefaultTime2Retain", "13.16", RULE_MIN, FROM_BOTH, ISCSI_KEY_OPERATIONAL,
		ONLY_LEADING, 0, 3600, .def = 20, .ours = ISCSI_OUR_TIME2RETAIN_S, FIELD(time2retain_s) },
	[KEY_MAX_R2T] = { "MaxOutstandingR2T", "13.17", RULE_MIN, FROM_BOTH, ISCSI_KEY_OPERATIONAL,
		ONLY_LEADING | NOT_IN_DISCOVERY, 1, 65535, .def = 1, .ours = ISCSI_OUR_MAX_R2T, FIELD(max_outstanding_r2t) },
	[KEY_PDU_IN_ORDER] = { "DataPDUInOrder", "13.18", RULE_OR, FROM_BOTH, ISCSI_KEY_OPERATIONAL,
		ONLY_LEADING | NOT_IN_DISCOVERY, .def = 1, .ours = 1, FIELD(data_pdu_in_order) },
	[KEY_SEQUENCE_IN_ORDER] = { "DataSequenceInOrder", "13.19", RULE_OR, FROM_BOTH, ISCSI_KEY_OPERATIONAL,
		ONLY_LEADING | NOT_IN_DISCOVERY, .def = 1, .ours = 1, FIELD(data_sequence_in_order) },
	[KEY_ERL] = { "ErrorRecoveryLevel", "13.20", RULE_MIN, FROM_BOTH, ISCSI_KEY_OPERATIONAL,
		ONLY_LEADING, 0, 2, .def = 0, .ours = 2, FIELD(error_recovery_level) },
	[KEY_SESSION_TYPE] = { "SessionType", "13.21", RULE_SESSION_TYPE, FROM_INITIATOR, IN_LOGIN,
		0, FIELD(discovery) },
	[KEY_TASK_REPORTING] = { "TaskReporting", "13.23", RULE_LIST, FROM_BOTH, ISCSI_KEY_OPERATIONAL,
		ONLY_LEADING | NOT_IN_DISCOVERY, .values = reportings, FIELD(task_reporting) },
	[KEY_PROTOCOL_LEVEL] = { "iSCSIProtocolLevel", "RFC 7144 7.1.1", RULE_MIN, FROM_BOTH, ISCSI_KEY_OPERATIONAL,
		ONLY_LEADING | NOT_IN_DISCOVERY, 0, 31, .def = 1, .ours = 2, FIELD(protocol_level) },
	[KEY_IFMARKER] = { "IFMarker", "13.25", RULE_OBSOLETE, FROM_BOTH, ISCSI_KEY_OPERATIONAL, .flags = 0 },
	[KEY_OFMARKER] = { "OFMarker", "13.25", RULE_OBSOLETE, FROM_BOTH, ISCSI_KEY_OPERATIONAL, .flags = 0 },
	[KEY_IFMARKINT] = { "IFMarkInt", "13.25", RULE_OBSOLETE, FROM_BOTH, ISCSI_KEY_OPERATIONAL, .flags = 0 },
	[KEY_OFMARKINT] = { "OFMarkInt", "13.25", RULE_OBSOLETE, FROM_BOTH, ISCSI_KEY_OPERATIONAL, .flags = 0 },
	[KEY_AUTH_METHOD] = { "AuthMethod", "12.1", RULE_CALLER, FROM_BOTH, ISCSI_KEY_SECURITY, .flags = 0 },
	[KEY_CHAP_A] = { "CHAP_A", "12.1.3", RULE_CALLER, FROM_BOTH, ISCSI_KEY_SECURITY, .flags = 0 },
	[KEY_CHAP_I] = { "CHAP_I", "12.1.3", RULE_CALLER, FROM_BOTH, ISCSI_KEY_SECURITY, .flags = 0 },
	[KEY_CHAP_C] = { "CHAP_C", "12.1.3", RULE_CALLER, FROM_BOTH, ISCSI_KEY_SECURITY, .flags = LONG_VALUE },
	[KEY_CHAP_N] = { "CHAP_N", "12.1.3", RULE_CALLER, FROM_BOTH, ISCSI_KEY_SECURITY, .flags = 0 },
	[KEY_CHAP_R] = { "CHAP_R", "12.1.3", RULE_CALLER, FROM_BOTH, ISCSI_KEY_SECURITY, .flags = LONG_VALUE },
};
static_assert(ISCSI_KEYS <= 64, "iscsi_negotiation.seen has a bit per key");

const struct iscsi_key *iscsi_key_find(const struct iscsi_pair *pair)
{
	for (size_t i = 0; i < ARRAY_COUNT(keys); i++)
		if (iscsi_pair_is(pair, keys[i].name))
			return &keys[i];
	return NULL;
}
enum iscsi_key_id iscsi_key_id(const struct iscsi_key *k)
{
	return (enum iscsi_key_id)(k - keys);
}
static uint32_t *field_of(struct iscsi_params *p, const struct iscsi_key *k)
{
	return (uint32_t *)(void *)((char *)p + k->field);
}
void iscsi_params_init(struct iscsi_params *p)
{
	*p = (struct iscsi_params){ .our_max_recv_bytes = ISCSI_DEFAULT_MAX_RECV_BYTES };
	for (size_t i = 0; i < ARRAY_COUNT(keys); i++)
		if (keys[i].has_field)
			*field_of(p, &keys[i]) = keys[i].def;
}
void iscsi_params_settle(struct iscsi_params *p)
{
	if (p->first_burst_bytes > p->max_burst_bytes)
		p->first_burst_bytes = p->max_burst_bytes;
}

/* The words that answer an offer instead of a value.  6.2. */
static bool is_answer_word(const char *value)
{
	return !strcmp(value, "NotUnderstood") || !strcmp(value, "Irrelevant") || !strcmp(value, "Reject");
}

static bool negotiate_number(struct iscsi_params *p, const struct iscsi_key *k, const char *value,
			     uint64_t *ret_result)
{
	uint64_t theirs;

	if (iscsi_text_number(value, &theirs) < 0 || theirs < k->min || theirs > k->max)
		return false;
	uint64_t ours = k == &keys[KEY_ERL] && p->discovery ? 0 : k->ours; /* nothing is worth keeping there */
	uint64_t result = k->rule == RULE_DECLARE_NUMBER ? theirs :
			  k->rule == RULE_MIN		 ? min_u64(theirs, ours) :
							   max_u64(theirs, ours);
	*field_of(p, k) = (uint32_t)result;
	*ret_result = result;
	return true;
}
static bool negotiate_truth(struct iscsi_params *p, const struct iscsi_key *k, const char *value, bool *ret_on)
{
	bool theirs;

	if (iscsi_text_bool(value, &theirs) < 0)
		return false;
	*ret_on = k->rule == RULE_AND ? theirs && k->ours : theirs || k->ours;
	*field_of(p, k) = *ret_on;
	return true;
}
/* The offered value that comes first and that we know; only: nothing but this index will do. */
static const char *negotiate_list(struct iscsi_params *p, const struct iscsi_key *k, const char *list, int only)
{
	const char *item;
	size_t len;

	while (iscsi_text_item(&list, &item, &len))
		for (uint32_t i = 0; k->values[i]; i++) {
			if (strlen(k->values[i]) != len || memcmp(k->values[i], item, len) ||
			    (only >= 0 && i != (uint32_t)only))
				continue;
			*field_of(p, k) = i;
			return k->values[i];
		}
	return NULL;
}
static bool digest_is_required(const struct iscsi_negotiation *n, const struct iscsi_key *k)
{
	return n->wishes && !n->params->discovery &&
	       ((k == &keys[KEY_HEADER_DIGEST] && n->wishes->header_digest_required) ||
		(k == &keys[KEY_DATA_DIGEST] && n->wishes->data_digest_required));
}

static bool key_is_irrelevant(const struct iscsi_negotiation *n, const struct iscsi_key *k)
{
	return (k->flags & NOT_IN_DISCOVERY) && n->params->discovery;
}

enum iscsi_key_result iscsi_key_negotiate(struct iscsi_negotiation *n, const struct iscsi_pair *pair,
					  struct iscsi_text_out *out, const char **ret_why)
{
	const struct iscsi_key *k = iscsi_key_find(pair);
	uint64_t number;
	bool on;

	if (!k) {                        /* also X-, X# and the keys of SRP and Kerberos, 6.1 */
		if (!is_answer_word(pair->value))
			iscsi_text_put_for(out, pair, "NotUnderstood");
		return ISCSI_KEY_DONE;
	}
	uint64_t bit = UINT64_C(1) << (k - keys);
	if (pair->value_len > ISCSI_VALUE_MAX && !(k->flags & LONG_VALUE)) {
		*ret_why = "a value is longer than 255 bytes";
		return ISCSI_KEY_FAULT;
	}
	if (!(k->from & FROM_INITIATOR)) {
		*ret_why = "a key that only a target may send";
		return ISCSI_KEY_FAULT;
	}
	if ((n->seen & bit) && !(k->flags & ONCE_MORE)) {
		*ret_why = "a key came twice in one negotiation";
		return ISCSI_KEY_FAULT;
	}
	n->seen |= bit;
	if (k->rule != RULE_DECLARE_TEXT && k->rule != RULE_CALLER && is_answer_word(pair->value))
		return ISCSI_KEY_DONE;   /* an answer to what we did not ask; the default stays */
	if (!(k->phases & (unsigned)n->phase) || ((k->flags & ONLY_LEADING) && !n->leading)) {
		if (k->rule == RULE_DECLARE_TEXT || k->rule == RULE_SESSION_TYPE) {
			*ret_why = "a key outside of the phase it belongs to";
			return ISCSI_KEY_FAULT;
		}
		iscsi_text_put(out, k->name, "Reject");
		return ISCSI_KEY_DONE;
	}
	if (key_is_irrelevant(n, k)) {
		iscsi_text_put(out, k->name, "Irrelevant");
		return ISCSI_KEY_DONE;
	}
	switch (k->rule) {
	case RULE_DECLARE_NUMBER:
		if (!negotiate_number(n->params, k, pair->value, &number))
			iscsi_text_put(out, k->name, "Reject");
		return ISCSI_KEY_DONE;
	case RULE_MIN:
	case RULE_MAX:
		if (negotiate_number(n->params, k, pair->value, &number))
			iscsi_text_put_number(out, k->name, number);
		else
			iscsi_text_put(out, k->name, "Reject");
		return ISCSI_KEY_DONE;
	case RULE_AND:
	case RULE_OR:
		if (negotiate_truth(n->params, k, pair->value, &on))
			iscsi_text_put(out, k->name, on ? "Yes" : "No");
		else
			iscsi_text_put(out, k->name, "Reject");
		return ISCSI_KEY_DONE;
	case RULE_LIST: {
		bool required = digest_is_required(n, k);
		const char *chosen = negotiate_list(n->params, k, pair->value, required ? 1 : -1);
		if (!chosen && required) {
			*ret_why = k == &keys[KEY_HEADER_DIGEST] ? "the target requires HeaderDigest=CRC32C" :
								   "the target requires DataDigest=CRC32C";
			return ISCSI_KEY_REQUIRED;
		}
		iscsi_text_put(out, k->name, chosen ? chosen : "Reject");
		return ISCSI_KEY_DONE;
	}
	case RULE_SESSION_TYPE:          /* decided by the caller, before anything else */
		return ISCSI_KEY_HANDLE;
	case RULE_OBSOLETE:
		iscsi_text_put(out, k->name, "Reject");
		return ISCSI_KEY_DONE;
	case RULE_DECLARE_TEXT:
	case RULE_CALLER:
		return ISCSI_KEY_HANDLE;
	}
	return ISCSI_KEY_HANDLE;
}

const char *iscsi_key_missing(const struct iscsi_negotiation *n)
{
	if (digest_is_required(n, &keys[KEY_HEADER_DIGEST]) && !n->params->header_digest)
		return "the target requires HeaderDigest=CRC32C";
	if (digest_is_required(n, &keys[KEY_DATA_DIGEST]) && !n->params->data_digest)
		return "the target requires DataDigest=CRC32C";
	return NULL;
}
