/* SPDX-License-Identifier: GPL-3.0-or-later */
/* iscsi_pdu.c - any bytes as a request header: what stands must be within its bounds.
 * Input: one byte of limits (1 login, 2 discovery), then the header. */
#include <stdint.h>
#include <string.h>

#include "iscsi/pdu.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes)
{
	if (len_bytes < 1 + ISCSI_BHS_BYTES)
		return 0;
	const struct iscsi_pdu_limits limits = {
		.max_data_bytes = data[0] & 1 ? 8192 : 262144, .login = data[0] & 1, .discovery = data[0] & 2,
	};
	uint32_t len = iscsi_pdu_header_bytes(data + 1, false);
	if (len > len_bytes - 1)
		return 0;
	/* Memory of exactly this length, so that a step beyond it is seen. */
	uint8_t *header = malloc(len);
	if (!header)
		return 0;
	memcpy(header, data + 1, len);
	struct iscsi_pdu pdu;
	enum iscsi_pdu_verdict v = iscsi_pdu_parse(header, &limits, &pdu);
	if (v != ISCSI_PDU_OK && (!pdu.why || !pdu.reject))
		abort();
	if (v == ISCSI_PDU_OK) {
		if (pdu.why || pdu.data_len_bytes > limits.max_data_bytes || pdu.opcode > ISCSI_SNACK)
			abort();
		if ((pdu.opcode == ISCSI_LOGIN_REQUEST) != limits.login)
			abort();
		if (pdu.ext_cdb && (pdu.ext_cdb < header + ISCSI_BHS_BYTES || pdu.ext_cdb_len > 244 ||
				    pdu.ext_cdb + pdu.ext_cdb_len > header + len))
			abort();
		if (pdu.ext_cdb && pdu.opcode != ISCSI_SCSI_COMMAND)
			abort();
	}
	if (!iscsi_opcode_name(pdu.opcode))
		abort();
	free(header);
	return 0;
}
