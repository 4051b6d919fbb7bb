/* SPDX-License-Identifier: GPL-3.0-or-later */
/* name.c - NQNs (NVMe Base 4.7). */
#include "nvmf/nvmf_priv.h"

#include <stdio.h>
#include <string.h>

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* "nqn.yyyy-mm.", then a reversed domain, at most 223 bytes in all. */
int nvmf_name_check(const char *s, char *why, size_t why_bytes)
{
	static const char form[] = "nqn.dddd-dd.";
	const char *problem = NULL;
	size_t len = strlen(s);

	if (len > NVMF_NQN_MAX)
		problem = "an NQN has at most 223 bytes";
	for (size_t i = 0; i < sizeof(form) - 1 && !problem; i++)
		if (i >= len || (form[i] == 'd' ? !is_digit(s[i]) : s[i] != form[i]))
			problem = "an NQN begins with \"nqn.\", a year, \"-\", a month and \".\"";
	if (!problem) {
		unsigned month = (unsigned)(s[9] - '0') * 10 + (unsigned)(s[10] - '0');
		if (month < 1 || month > 12)
			problem = "the month of the NQN is not between 01 and 12";
		else if (len == sizeof(form) - 1)
			problem = "the NQN ends after its date";
	}
	for (size_t i = 0; i < len && !problem; i++)
		if ((unsigned char)s[i] < 0x20 || s[i] == 0x7f)
			problem = "an NQN holds no control characters";
	if (!problem)
		return 0;
	if (why && why_bytes)
		snprintf(why, why_bytes, "%s", problem);
	return -EINVAL;
}
