/* SPDX-License-Identifier: GPL-3.0-or-later */
/* remote_config.c - any bytes as the configuration of other software, and as the address of a source.
 * Input: one byte (which format; 5: found out), then the text. */
#include <stdint.h>
#include <string.h>

#include "remote/remote.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes)
{
	static const char *const formats[] = { "lio", "tgt", "scst", "samba", "exports", NULL };
	struct remote_url u;
	json_t *report = NULL;
	char why[256];

	if (len_bytes < 1 || len_bytes > 65536)
		return 0;
	char *text = malloc(len_bytes); /* of exactly this length, so that a step beyond it is seen */
	if (!text)
		return 0;
	memcpy(text, data + 1, len_bytes - 1);
	text[len_bytes - 1] = '\0';
	struct remote_config c = { .format = formats[data[0] % 6], .text = text, .len_bytes = len_bytes - 1 };
	int r = remote_config_read(&c, &report, why, sizeof(why));
	if (r != 0 && (r != -EINVAL || !*why))
		abort();
	if (r == 0 && (!json_is_array(json_object_get(report, "objects")) || !json_is_array(json_object_get(report, "findings"))))
		abort();
	json_decref(report);
	if (remote_url_parse(text, &u, why, sizeof(why)) == 0 && (!*u.host || strstr(u.path, "/../")))
		abort();
	free(text);
	return 0;
}
