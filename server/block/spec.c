/* SPDX-License-Identifier: GPL-3.0-or-later */
/* spec.c - what a volume is to be: checked, its backing store made or removed. */
#include "block/block_priv.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define SIZE_MAX_BYTES ((uint64_t)1 << 60)

static bool uuid_is_ok(const char *u)
{
	if (!u || strlen(u) != 36)
		return false;
	for (int i = 0; i < 36; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;
		if (dash ? u[i] != '-' : !isxdigit((unsigned char)u[i]))
			return false;
	}
	return true;
}

int spec_check_shape(const struct volume_spec *s, char *why, size_t why_bytes)
{
	if (!s->name || !*s->name) {
		snprintf(why, why_bytes, "a volume needs a name");
	} else if (!uuid_is_ok(s->uuid)) {
		snprintf(why, why_bytes, "\"%s\" is not a UUID", s->uuid ? s->uuid : "");
	} else if (s->block_bytes != 512 && s->block_bytes != 2048 && s->block_bytes != 4096) {
		snprintf(why, why_bytes, "the block size is 512, 2048 (optical media) or 4096 bytes, not %u", s->block_bytes);
	} else if (s->size_bytes % s->block_bytes) {
		snprintf(why, why_bytes, "the size is not a multiple of the block size, %u bytes", s->block_bytes);
	} else if (s->size_bytes > SIZE_MAX_BYTES) {
		snprintf(why, why_bytes, "a volume has at most 1 EiB");
	} else if (s->encrypted && !crypt_cipher) {
		snprintf(why, why_bytes, "this program has no cipher for encrypted volumes");
	} else {
		return 0;
	}
	return -EINVAL;
}

static bool names_option(const struct hf_plugin *p, const char *name)
{
	size_t len = strlen(p->name);
	if (strncmp(name, p->name, len) == 0 && name[len] == '.')
		name += len + 1;
	return option_find(p, name) != NULL;
}

static int check_names(const struct stack *st, const struct volume_spec *s, char *why, size_t why_bytes)
{
	for (size_t i = 0; i < s->setting_count; i++) {
		bool known = false;
		for (unsigned k = 0; k < st->count; k++)
			known = known || names_option(st->plugin[k], s->settings[i].name);
		if (!known) {
			snprintf(why, why_bytes, "the plugin %s has no option \"%s\"", s->plugin, s->settings[i].name);
			return -EINVAL;
		}
	}
	return 0;
}

int volume_check(const struct volume_spec *s, char *why, size_t why_bytes)
{
	struct stack st;
	int err = spec_check_shape(s, why, why_bytes);
	if (!err)
		err = stack_parse(s->plugin, &st, why, why_bytes);
	if (!err)
		err = check_names(&st, s, why, why_bytes);
	for (unsigned i = 0; !err && i < st.count; i++) {
		struct settings got = { NULL, 0 };
		err = settings_build(st.plugin[i], s->settings, s->setting_count, &got, why, why_bytes);
		settings_free(&got);
	}
	return err;
}

static int each_backing(const struct volume_spec *s, bool create, char *why, size_t why_bytes)
{
	struct stack st;
	*why = 0;
	int err = volume_check(s, why, why_bytes);
	if (!err)
		err = stack_parse(s->plugin, &st, why, why_bytes);
	for (unsigned i = err ? 0 : st.count; i-- > 0 && !err;) {
		const struct hf_plugin *p = st.plugin[i];
		int (*fn)(const struct hf_volume *v, char *why, size_t why_bytes) = create ? p->create : p->destroy;
		struct settings got = { NULL, 0 };
		if (!fn)
			continue;
		err = settings_build(p, s->settings, s->setting_count, &got, why, why_bytes);
		struct hf_volume hv = {
			.name = s->name,
			.uuid = s->uuid,
			.pool_path = s->pool_path,
			.size_bytes = s->size_bytes,
			.block_bytes = s->block_bytes,
			.read_only = s->read_only,
			.settings = got.row,
			.setting_count = got.count,
		};
		if (!err)
			err = fn(&hv, why, why_bytes);
		if (err && !*why)
			snprintf(why, why_bytes, "the plugin %s: %s", p->name, strerror(-err));
		settings_free(&got);
	}
	return err;
}

int volume_create_backing(const struct volume_spec *s, char *why, size_t why_bytes)
{
	return each_backing(s, true, why, why_bytes);
}

int volume_destroy_backing(const struct volume_spec *s, char *why, size_t why_bytes)
{
	return each_backing(s, false, why, why_bytes);
}
