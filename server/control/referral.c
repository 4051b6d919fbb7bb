/* SPDX-License-Identifier: GPL-3.0-or-later */
/* referral.c - the setting nvme_referrals: other NVMe discovery services that ours points hosts to, as
 * "192.0.2.1:8009, [2001:db8::1]:8009". */
#include "control/control_priv.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#define REFERRALS_MAX 32

struct referrals {
	char text[1024];                 /* cut into pieces; the addresses point into it */
	struct nvmf_referral r[REFERRALS_MAX];
	size_t count;
};

/* One "ADDRESS:PORT"; p is cut. */
static bool parse_one(char *p, struct nvmf_referral *ret)
{
	struct in6_addr a;
	char *colon = strrchr(p, ':'), *end;
	if (!colon)
		return false;
	*colon = '\0';
	unsigned long port = strtoul(colon + 1, &end, 10);
	if (*end || colon[1] < '1' || colon[1] > '9' || port > 65535)
		return false;
	size_t len = strlen(p);
	bool v6 = len > 2 && p[0] == '[' && p[len - 1] == ']';
	if (v6) {
		p[len - 1] = '\0';
		p++;
	}
	*ret = (struct nvmf_referral){ p, (uint16_t)port };
	return inet_pton(v6 ? AF_INET6 : AF_INET, p, &a) == 1;
}

static int parse(const char *value, struct referrals *l, char *why, size_t why_bytes)
{
	char *save = NULL;
	l->count = 0;
	snprintf(l->text, sizeof(l->text), "%s", value);
	for (char *p = strtok_r(l->text, ", ", &save); p; p = strtok_r(NULL, ", ", &save)) {
		if (l->count == REFERRALS_MAX) {
			snprintf(why, why_bytes, "at most %d of them", REFERRALS_MAX);
			return -EINVAL;
		}
		if (!parse_one(p, &l->r[l->count++])) {
			snprintf(why, why_bytes, "%s: give addresses and ports, such as 192.0.2.1:8009 or [2001:db8::1]:8009", p);
			return -EINVAL;
		}
	}
	return 0;
}

int referrals_check(const char *value, char *why, size_t why_bytes)
{
	struct referrals l;
	return parse(value, &l, why, why_bytes);
}

void referrals_apply(const char *value)
{
	struct referrals l;
	char why[256] = "";
	if (parse(value, &l, why, sizeof(why)) || nvmf_set_referrals(l.r, l.count))
		log_warn(&log_control, "NVMe referrals are not set", "why=\"%s\"", *why ? why : "out of memory");
}
