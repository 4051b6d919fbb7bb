/* SPDX-License-Identifier: GPL-3.0-or-later */
/* nvmf_pdu.c - any bytes as a host's header, and then as a Connect: what stands must be within its bounds.
 * Input: one byte of limits (1 connected, 2 header digest, 4 data digest, 8: a Connect follows), then bytes. */
#include <stdint.h>
#include <string.h>

#include "nvmf/connect.h"
#include "nvmf/pdu.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes);

static void check_header(const uint8_t *data, size_t len, const struct nvmf_pdu_limits *limits)
{
	struct nvmf_pdu pdu;

	if (len < sizeof(struct nvme_tcp_ch))
		return;
	bool ok = nvmf_pdu_begin(data, limits, &pdu);
	if (ok == !!pdu.fault || ok == !!pdu.why || !nvmf_pdu_name(pdu.type))
		abort();
	uint32_t need = (uint32_t)pdu.header_bytes + pdu.digest_bytes;
	if (!ok || len < need)
		return;
	if (need > NVMF_HEADER_MAX_BYTES || pdu.data_bytes > NVMF_MAX_H2C_BYTES)
		abort();
	/* Memory of exactly this length, so that a step beyond it is seen. */
	uint8_t *header = malloc(need);
	if (!header)
		return;
	memcpy(header, data, need);
	ok = nvmf_pdu_parse(header, limits, &pdu);
	if (ok == !!pdu.fault || ok == !!pdu.why)
		abort();
	if (ok && pdu.type == NVME_TCP_CMD) {
		struct nvmf_sgl sgl;
		uint16_t status = nvmf_sgl_parse(&((const struct nvme_tcp_cmd *)(const void *)header)->sqe, pdu.data_bytes, &sgl);
		if (!status && sgl.in_capsule && !range_fits(sgl.offset_bytes, sgl.len_bytes, pdu.data_bytes))
			abort();
	}
	free(header);
}

static void check_connect(const uint8_t *data, size_t len)
{
	const size_t both = sizeof(struct nvme_fabrics_connect) + sizeof(struct nvme_connect_data);
	const char *why = NULL;
	uint64_t info;

	uint8_t *bytes = calloc(1, both);
	if (!bytes)
		return;
	memcpy(bytes, data, min_u64(len, both));
	uint16_t status = nvmf_connect_check((const void *)bytes, (const void *)(bytes + sizeof(struct nvme_fabrics_connect)), 8, &info, &why);
	if (!!status != !!why || (info & 0xffff) >= sizeof(struct nvme_connect_data) || info >> 17)
		abort();
	free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes)
{
	if (!len_bytes)
		return 0;
	const struct nvmf_pdu_limits limits = {
		.connected = data[0] & 1, .header_digest = data[0] & 2, .data_digest = data[0] & 4,
	};
	if (data[0] & 8)
		check_connect(data + 1, len_bytes - 1);
	else
		check_header(data + 1, len_bytes - 1, &limits);
	return 0;
}
