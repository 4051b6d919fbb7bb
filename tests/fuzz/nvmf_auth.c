/* SPDX-License-Identifier: GPL-3.0-or-later */
/* nvmf_auth.c - a host that says anything in a DH-HMAC-CHAP transaction: it must never be let in, and the
 * machine must stay in order.  Also TLS identities.
 * Input: steps of [op, length low, length high, bytes]; op 0: receive with room for length, 1: a message of
 * these bytes, 2: the same as an identity, 3: forget.  Groups are without Diffie-Hellman, for speed, but 2048
 * when the first byte of all is odd. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "nvmf/auth.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes);

static void identity(const uint8_t *p, size_t len)
{
	char text[TLS_PSK_IDENTITY_BYTES + 64], again[TLS_PSK_IDENTITY_BYTES];
	struct tls_psk_name n;

	if (len >= sizeof(text))
		len = sizeof(text) - 1;
	memcpy(text, p, len);
	text[len] = '\0';
	if (tls_psk_name_parse(text, &n) == 0 && (tls_psk_name_format(&n, again) || strcmp(text, again) != 0))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct nvmf_auth a;
	uint8_t out[NVMF_AUTH_MAX_BYTES];
	unsigned steps = 0;

	if (!len)
		return 0;
	a = (struct nvmf_auth){ .policy = { .hashes = { NVME_AUTH_SHA256, NVME_AUTH_SHA512 }, .group_count = 1 }, .seqnum = 1, .may_new_psk = true };
	a.policy.groups[0] = *data & 1 ? NVME_AUTH_DH_2048 : NVME_AUTH_DH_NULL;
	a.keys.has_host = true;
	a.keys.has_ctrl = *data & 2;
	a.keys.host = a.keys.ctrl = (struct keytext){ .len_bytes = 32 };
	if (tls_random(a.keys.host.bytes, 32)) /* not to be guessed, not even by coverage */
		abort();
	snprintf(a.host_nqn, sizeof(a.host_nqn), "nqn.2026-11.com.example:h");
	snprintf(a.subsystem_nqn, sizeof(a.subsystem_nqn), "nqn.2026-11.com.example:s");
	data++;
	len--;
	while (len >= 3 && steps++ < 32) {
		uint8_t op = data[0] & 3;
		size_t n = data[1] | (size_t)data[2] << 8, made = 0;
		data += 3;
		len -= 3;
		if (op == 0) {
			size_t room = n < sizeof(out) ? n : sizeof(out);
			if (nvmf_auth_receive(&a, out, room, &made) == 0 && (!made || made > room))
				abort();
			continue;
		}
		if (n > len)
			n = len;
		uint8_t *exact = malloc(n ? n : 1); /* so that a step beyond the end is seen */
		if (!exact)
			break;
		memcpy(exact, data, n);
		if (op == 1)
			nvmf_auth_send(&a, exact, n);
		else if (op == 2)
			identity(exact, n);
		else
			nvmf_auth_forget(&a);
		free(exact);
		data += n;
		len -= n;
		if (a.done || a.has_psk || a.state >= AUTH_STATES)
			abort();
	}
	nvmf_auth_done(&a);
	return 0;
}
