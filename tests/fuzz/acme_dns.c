/* SPDX-License-Identifier: GPL-3.0-or-later */
/* acme_dns.c - any bytes as a DNS server's answer to an UPDATE: without the key no answer is a signed yes.
 * Input: one byte (1: we signed the question), then the answer. */
#include <stdint.h>
#include <string.h>

#include "acme/acme_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes)
{
	const struct dns_tsig t = { .key_name = "hf-key", .algorithm = "hmac-sha256", .secret = "0123456789abcdef", .secret_len = 16, .mac_len = 32 };
	struct dns_verdict v = { 0 };

	if (len_bytes < 1 || len_bytes > DNS_MESSAGE_MAX)
		return 0;
	bool is_signed = data[0] & 1;
	uint8_t *answer = malloc(len_bytes); /* of exactly this length, so that a step beyond it is seen */
	if (!answer)
		return 0;
	memcpy(answer, data + 1, len_bytes - 1);
	int r = dns_answer_parse(answer, len_bytes - 1, 0x1234, is_signed ? &t : NULL, &v);
	if (r != 0 && r != -EBADMSG)
		abort();
	if (r == 0 && (v.rcode > 15 || !dns_rcode_text(v.rcode)))
		abort();
	/* Nobody made a MAC over our own of zeroes with that secret. */
	if (r == 0 && is_signed && v.rcode == 0 && v.tsig_error == 0)
		abort();
	free(answer);
	return 0;
}
