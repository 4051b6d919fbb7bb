/* SPDX-License-Identifier: GPL-3.0-or-later */
/* iscsi_text.c - any bytes as the text of a login or text request: parsed, negotiated, answered.
 * Input: one byte (0..2 phase, 4 discovery, 8 not leading, 16 and 32 digests required), then text. */
#include <stdint.h>
#include <string.h>

#include "iscsi/chap.h"
#include "iscsi/keys.h"
#include "iscsi/name.h"
#include "core/addr.h"

#include "iscsi/iscsi.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes);

static void check_params(const struct iscsi_params *p)
{
	if (p->max_connections < 1 || p->max_connections > ISCSI_OUR_MAX_CONNECTIONS || p->error_recovery_level > 2 || p->header_digest > 1 || p->data_digest > 1)
		abort();
	if (p->max_burst_bytes < 512 || p->max_burst_bytes > ISCSI_OUR_MAX_BURST_BYTES)
		abort();
	if (p->first_burst_bytes < 512 || p->first_burst_bytes > p->max_burst_bytes)
		abort();
	if (p->peer_max_recv_bytes < 512 || p->peer_max_recv_bytes > 0xffffff)
		abort();
	if (!p->max_outstanding_r2t || p->max_outstanding_r2t > ISCSI_OUR_MAX_R2T)
		abort();
	if (p->initial_r2t > 1 || p->immediate_data > 1 || !p->data_pdu_in_order || !p->data_sequence_in_order)
		abort();
}

static void check_value(const struct iscsi_pair *pair)
{
	uint8_t binary[ISCSI_BINARY_MAX];
	struct cidr cidr;
	size_t len;
	uint64_t n;
	bool on;

	if (!iscsi_text_binary(pair->value, binary, sizeof(binary), &len) && len > sizeof(binary))
		abort();
	if (!iscsi_text_number(pair->value, &n) && !pair->value_len)
		abort();
	if (!iscsi_text_bool(pair->value, &on) && !iscsi_text_number(pair->value, &n))
		abort();
	if (!cidr_parse(pair->value, &cidr) && cidr.prefix > 128)
		abort();
	if (!iscsi_name_check(pair->value, NULL, 0) && pair->value_len > 223)
		abort();
	if (pair->value_len < 256 && !strchr(pair->value, '*') && !strchr(pair->value, '?') &&
	    !iscsi_glob_match(pair->value, pair->value))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes)
{
	static const enum iscsi_key_phase phases[] = { ISCSI_KEY_SECURITY, ISCSI_KEY_OPERATIONAL, ISCSI_KEY_FULL_FEATURE,
						       ISCSI_KEY_OPERATIONAL };

	if (!len_bytes)
		return 0;
	char reply[8192], *copy = malloc(len_bytes);
	if (!copy)
		return 0;
	memcpy(copy, data + 1, len_bytes - 1);
	struct iscsi_params params;
	const struct iscsi_wishes wishes = { .header_digest_required = data[0] & 16, .data_digest_required = data[0] & 32 };
	struct iscsi_negotiation n = { .params = &params, .wishes = &wishes, .phase = phases[data[0] & 3],
				       .leading = !(data[0] & 8) };
	struct iscsi_text_out out = { .buf = reply, .room = sizeof(reply) };
	const char *text = copy, *why = NULL;
	size_t left = len_bytes - 1;
	struct iscsi_pair pair;

	iscsi_params_init(&params);
	params.discovery = !!(data[0] & 4);
	while (iscsi_text_next(&text, &left, &pair) == 1) {
		if (pair.value[pair.value_len] || pair.key_len > ISCSI_KEY_MAX || text > copy + len_bytes - 1)
			abort();
		check_value(&pair);
		enum iscsi_key_result r = iscsi_key_negotiate(&n, &pair, &out, &why);
		if (r == ISCSI_KEY_FAULT || r == ISCSI_KEY_REQUIRED) {
			if (!why)
				abort();
			break;
		}
	}
	iscsi_params_settle(&params);
	check_params(&params);
	/* The answer is text of the same kind. */
	text = reply;
	left = out.len;
	int r;
	while ((r = iscsi_text_next(&text, &left, &pair)) == 1)
		;
	if (r || out.len > out.room)
		abort();
	free(copy);
	return 0;
}
