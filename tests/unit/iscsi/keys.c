/* SPDX-License-Identifier: GPL-3.0-or-later */
/* keys.c - offers in, answers out: the negotiation of every key.  RFC 7143 6.2 and 13. */
#include "iscsi/keys.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define OPER ISCSI_KEY_OPERATIONAL
#define SEC ISCSI_KEY_SECURITY
#define FULL ISCSI_KEY_FULL_FEATURE
enum { DISCOVERY = 1, FOLLOWER = 2, WANT_HEADER = 4, WANT_DATA = 8 };

static const struct {
	const char *what, *offer, *answer;       /* answer: the whole text, "" for none */
	enum iscsi_key_phase phase;
	unsigned how;
	enum iscsi_key_result result;
} cases[] = {
	/* lists: the first of theirs that we know */
	{ "digest off", "HeaderDigest=None", "HeaderDigest=None", OPER, 0, ISCSI_KEY_DONE },
	{ "digest if we like", "HeaderDigest=CRC32C,None", "HeaderDigest=CRC32C", OPER, 0, ISCSI_KEY_DONE },
	{ "digest only if we must", "DataDigest=None,CRC32C", "DataDigest=None", OPER, 0, ISCSI_KEY_DONE },
	{ "digest that we must have", "DataDigest=None,CRC32C", "DataDigest=CRC32C", OPER, WANT_DATA, ISCSI_KEY_DONE },
	{ "digest that we must have, not offered", "HeaderDigest=None", "", OPER, WANT_HEADER, ISCSI_KEY_REQUIRED },
	{ "unknown digests", "HeaderDigest=SHA,MD5", "HeaderDigest=Reject", OPER, 0, ISCSI_KEY_DONE },
	{ "an unknown one first", "HeaderDigest=SHA,CRC32C", "HeaderDigest=CRC32C", OPER, 0, ISCSI_KEY_DONE },
	{ "words are exact", "HeaderDigest=crc32c", "HeaderDigest=Reject", OPER, 0, ISCSI_KEY_DONE },
	{ "digest in the security stage", "HeaderDigest=None", "HeaderDigest=Reject", SEC, 0, ISCSI_KEY_DONE },
	{ "digest in full feature phase", "HeaderDigest=CRC32C", "HeaderDigest=Reject", FULL, 0, ISCSI_KEY_DONE },
	{ "TaskReporting", "TaskReporting=FastAbort,RFC3720", "TaskReporting=FastAbort", OPER, 0, ISCSI_KEY_DONE },
	/* smaller of two numbers */
	{ "TaskReporting fence", "TaskReporting=X-more,ResponseFence", "TaskReporting=ResponseFence", OPER, 0, ISCSI_KEY_DONE },
	{ "MaxConnections", "MaxConnections=4", "MaxConnections=4", OPER, 0, ISCSI_KEY_DONE },
	{ "MaxConnections many", "MaxConnections=65535", "MaxConnections=8", OPER, 0, ISCSI_KEY_DONE },
	{ "MaxConnections 0", "MaxConnections=0", "MaxConnections=Reject", OPER, 0, ISCSI_KEY_DONE },
	{ "MaxConnections 65536", "MaxConnections=65536", "MaxConnections=Reject", OPER, 0, ISCSI_KEY_DONE },
	{ "MaxBurstLength below ours", "MaxBurstLength=262144", "MaxBurstLength=262144", OPER, 0, ISCSI_KEY_DONE },
	{ "MaxBurstLength above ours", "MaxBurstLength=16776192", "MaxBurstLength=1048576", OPER, 0, ISCSI_KEY_DONE },
	{ "MaxBurstLength in hex", "MaxBurstLength=0x1000", "MaxBurstLength=4096", OPER, 0, ISCSI_KEY_DONE },
	{ "MaxBurstLength too small", "MaxBurstLength=511", "MaxBurstLength=Reject", OPER, 0, ISCSI_KEY_DONE },
	{ "MaxBurstLength 2^24", "MaxBurstLength=16777216", "MaxBurstLength=Reject", OPER, 0, ISCSI_KEY_DONE },
	{ "MaxBurstLength 2^32 + 512", "MaxBurstLength=4294967808", "MaxBurstLength=Reject", OPER, 0, ISCSI_KEY_DONE },
	{ "MaxBurstLength not a number", "MaxBurstLength=much", "MaxBurstLength=Reject", OPER, 0, ISCSI_KEY_DONE },
	{ "FirstBurstLength", "FirstBurstLength=65536", "FirstBurstLength=65536", OPER, 0, ISCSI_KEY_DONE },
	{ "MaxOutstandingR2T", "MaxOutstandingR2T=8", "MaxOutstandingR2T=4", OPER, 0, ISCSI_KEY_DONE },
	{ "DefaultTime2Retain", "DefaultTime2Retain=60", "DefaultTime2Retain=20", OPER, 0, ISCSI_KEY_DONE },
	{ "ErrorRecoveryLevel", "ErrorRecoveryLevel=2", "ErrorRecoveryLevel=2", OPER, 0, ISCSI_KEY_DONE },
	{ "ErrorRecoveryLevel 3", "ErrorRecoveryLevel=3", "ErrorRecoveryLevel=Reject", OPER, 0, ISCSI_KEY_DONE },
	{ "iSCSIProtocolLevel", "iSCSIProtocolLevel=31", "iSCSIProtocolLevel=2", OPER, 0, ISCSI_KEY_DONE },
	/* larger of two numbers */
	{ "DefaultTime2Wait", "DefaultTime2Wait=2", "DefaultTime2Wait=2", OPER, 0, ISCSI_KEY_DONE },
	{ "DefaultTime2Wait 3601", "DefaultTime2Wait=3601", "DefaultTime2Wait=Reject", OPER, 0, ISCSI_KEY_DONE },
	/* truths */
	{ "InitialR2T=No: ours is No", "InitialR2T=No", "InitialR2T=No", OPER, 0, ISCSI_KEY_DONE },
	{ "InitialR2T=Yes: or", "InitialR2T=Yes", "InitialR2T=Yes", OPER, 0, ISCSI_KEY_DONE },
	{ "ImmediateData=Yes: and", "ImmediateData=Yes", "ImmediateData=Yes", OPER, 0, ISCSI_KEY_DONE },
	{ "ImmediateData=No", "ImmediateData=No", "ImmediateData=No", OPER, 0, ISCSI_KEY_DONE },
	{ "DataPDUInOrder=No: ours is Yes", "DataPDUInOrder=No", "DataPDUInOrder=Yes", OPER, 0, ISCSI_KEY_DONE },
	{ "DataSequenceInOrder=No", "DataSequenceInOrder=No", "DataSequenceInOrder=Yes", OPER, 0, ISCSI_KEY_DONE },
	{ "neither Yes nor No", "InitialR2T=maybe", "InitialR2T=Reject", OPER, 0, ISCSI_KEY_DONE },
	/* declared, not answered */
	{ "MaxRecvDataSegmentLength", "MaxRecvDataSegmentLength=65536", "", OPER, 0, ISCSI_KEY_DONE },
	{ "MaxRecvDataSegmentLength later", "MaxRecvDataSegmentLength=65536", "", FULL, FOLLOWER, ISCSI_KEY_DONE },
	{ "MaxRecvDataSegmentLength 511", "MaxRecvDataSegmentLength=511", "MaxRecvDataSegmentLength=Reject", OPER, 0, ISCSI_KEY_DONE },
	/* who and when */
	{ "leading only, on another connection", "MaxBurstLength=4096", "MaxBurstLength=Reject", OPER, FOLLOWER, ISCSI_KEY_DONE },
	{ "irrelevant in discovery", "MaxBurstLength=4096", "MaxBurstLength=Irrelevant", OPER, DISCOVERY, ISCSI_KEY_DONE },
	{ "irrelevant in discovery: ImmediateData", "ImmediateData=Yes", "ImmediateData=Irrelevant", OPER, DISCOVERY, ISCSI_KEY_DONE },
	{ "discovery still has digests", "HeaderDigest=None", "HeaderDigest=None", OPER, DISCOVERY, ISCSI_KEY_DONE },
	{ "what only a target says", "TargetAlias=x", "", OPER, 0, ISCSI_KEY_FAULT },
	{ "TargetAddress", "TargetAddress=1.2.3.4", "", OPER, 0, ISCSI_KEY_FAULT },
	{ "InitiatorName is the caller's", "InitiatorName=iqn.x", "", SEC, 0, ISCSI_KEY_HANDLE },
	{ "InitiatorName too late", "InitiatorName=iqn.x", "", FULL, 0, ISCSI_KEY_FAULT },
	{ "SendTargets during login", "SendTargets=All", "SendTargets=Reject", OPER, 0, ISCSI_KEY_DONE },
	{ "SendTargets is the caller's", "SendTargets=All", "", FULL, 0, ISCSI_KEY_HANDLE },
	{ "AuthMethod is the caller's", "AuthMethod=CHAP,None", "", SEC, 0, ISCSI_KEY_HANDLE },
	{ "AuthMethod in the wrong stage", "AuthMethod=None", "AuthMethod=Reject", OPER, 0, ISCSI_KEY_DONE },
	{ "SessionType is the caller's too", "SessionType=Normal", "", SEC, 0, ISCSI_KEY_HANDLE },
	/* obsolete and unknown */
	{ "markers", "IFMarker=No", "IFMarker=Reject", OPER, 0, ISCSI_KEY_DONE },
	{ "marker interval", "OFMarkInt=2048~8192", "OFMarkInt=Reject", OPER, 0, ISCSI_KEY_DONE },
	{ "unknown key", "Foo=1", "Foo=NotUnderstood", OPER, 0, ISCSI_KEY_DONE },
	{ "extension", "X-com.example.foo=1", "X-com.example.foo=NotUnderstood", OPER, 0, ISCSI_KEY_DONE },
	{ "SRP", "SRP_U=me", "SRP_U=NotUnderstood", SEC, 0, ISCSI_KEY_DONE },
	{ "case counts", "headerdigest=None", "headerdigest=NotUnderstood", OPER, 0, ISCSI_KEY_DONE },
	{ "no answer to an answer", "Foo=NotUnderstood", "", OPER, 0, ISCSI_KEY_DONE },
	{ "no answer to Reject", "MaxBurstLength=Reject", "", OPER, 0, ISCSI_KEY_DONE },
};

static void answers(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		char text[300], reply[600] = "";
		struct iscsi_params params;
		const struct iscsi_wishes wishes = {
			.header_digest_required = cases[i].how & WANT_HEADER, .data_digest_required = cases[i].how & WANT_DATA,
		};
		struct iscsi_negotiation n = { .params = &params, .wishes = &wishes, .phase = cases[i].phase,
					       .leading = !(cases[i].how & FOLLOWER) };
		struct iscsi_text_out out = { .buf = reply, .room = sizeof(reply) };
		const char *p = text, *why = NULL;
		struct iscsi_pair pair;

		iscsi_params_init(&params);
		params.discovery = cases[i].how & DISCOVERY;
		snprintf(text, sizeof(text), "%s", cases[i].offer);
		size_t left = strlen(text) + 1;
		assert_int_equal(iscsi_text_next(&p, &left, &pair), 1);
		enum iscsi_key_result r = iscsi_key_negotiate(&n, &pair, &out, &why);
		if (r != cases[i].result || strcmp(reply, cases[i].answer))
			fail_msg("%s: result %d, answer \"%s\"", cases[i].what, r, reply);
		if (r != ISCSI_KEY_DONE && r != ISCSI_KEY_HANDLE)
			assert_non_null(why);
	}
}

static enum iscsi_key_result offer(struct iscsi_negotiation *n, const char *text)
{
	char reply[600];
	struct iscsi_text_out out = { .buf = reply, .room = sizeof(reply) };
	size_t left = strlen(text) + 1;
	struct iscsi_pair pair;
	const char *why;

	assert_int_equal(iscsi_text_next(&text, &left, &pair), 1);
	return iscsi_key_negotiate(n, &pair, &out, &why);
}

static void results_are_kept(void **state)
{
	struct iscsi_params p;
	struct iscsi_negotiation n = { .params = &p, .phase = OPER, .leading = true };

	(void)state;
	iscsi_params_init(&p);
	assert_int_equal(p.max_burst_bytes, 262144);             /* the defaults of section 13 */
	assert_int_equal(p.first_burst_bytes, 65536);
	assert_int_equal(p.peer_max_recv_bytes, 8192);
	assert_int_equal(p.max_outstanding_r2t, 1);
	assert_true(p.initial_r2t && p.immediate_data);
	assert_int_equal(p.time2wait_s, 2);
	assert_int_equal(p.time2retain_s, 20);
	offer(&n, "MaxBurstLength=4096");
	offer(&n, "FirstBurstLength=65536");
	offer(&n, "InitialR2T=No");
	offer(&n, "HeaderDigest=CRC32C");
	offer(&n, "MaxRecvDataSegmentLength=1024");
	iscsi_params_settle(&p);
	assert_int_equal(p.max_burst_bytes, 4096);
	assert_int_equal(p.first_burst_bytes, 4096);             /* never above MaxBurstLength */
	assert_false(p.initial_r2t);
	assert_int_equal(p.header_digest, 1);
	assert_int_equal(p.peer_max_recv_bytes, 1024);
	assert_int_equal(offer(&n, "InitialR2T=No"), ISCSI_KEY_FAULT); /* the second time */
}

static void what_is_missing(void **state)
{
	struct iscsi_params p;
	const struct iscsi_wishes w = { .header_digest_required = true };
	struct iscsi_negotiation n = { .params = &p, .wishes = &w, .phase = OPER, .leading = true };

	(void)state;
	iscsi_params_init(&p);
	assert_non_null(iscsi_key_missing(&n));
	offer(&n, "HeaderDigest=None,CRC32C");
	assert_null(iscsi_key_missing(&n));
}

static void long_values(void **state)
{
	char text[600];
	struct iscsi_params p;
	struct iscsi_negotiation n = { .params = &p, .phase = SEC, .leading = true };

	(void)state;
	iscsi_params_init(&p);
	memset(text, 'a', sizeof(text));
	memcpy(text, "InitiatorAlias=", 15);
	text[15 + 256] = '\0';
	assert_int_equal(offer(&n, text), ISCSI_KEY_FAULT);
	text[15 + 255] = '\0';
	assert_int_equal(offer(&n, text), ISCSI_KEY_HANDLE);
	memcpy(text, "CHAP_C=", 7);
	text[15 + 255] = 'a';
	text[500] = '\0';
	assert_int_equal(offer(&n, text), ISCSI_KEY_HANDLE);     /* a large binary value */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers), cmocka_unit_test(results_are_kept), cmocka_unit_test(what_is_missing),
		cmocka_unit_test(long_values),
	};
	return cmocka_run_group_tests_name("iscsi/keys", tests, NULL, NULL);
}
