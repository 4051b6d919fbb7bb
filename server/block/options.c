/* SPDX-License-Identifier: GPL-3.0-or-later */
/* options.c - settings against the rows a plugin declares: known, of the right type, in range;
 * defaults filled in; sizes and booleans in one spelling, so that plugins need not parse. */
#include "block/block_priv.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

const struct hf_option *option_find(const struct hf_plugin *p, const char *name)
{
	for (size_t i = 0; i < p->option_count; i++)
		if (strcmp(p->options[i].name, name) == 0)
			return &p->options[i];
	return NULL;
}

int parse_size(const char *text, uint64_t *ret_bytes)
{
	static const char units[] = "KMGTPE";
	char *end;
	if (!isdigit((unsigned char)*text))
		return -EINVAL;
	errno = 0;
	unsigned long long n = strtoull(text, &end, 10);
	if (errno)
		return -ERANGE;
	uint64_t bytes = n;
	const char *u = *end ? strchr(units, toupper((unsigned char)*end)) : NULL;
	if (u) {
		unsigned shift = 10 * (unsigned)(u - units + 1);
		if (shift >= 64 || n > UINT64_MAX >> shift)
			return -ERANGE;
		bytes = n << shift;
		end++;
		if (*end == 'i' && end[1] == 'B')
			end += 2;
		else if (*end == 'B')
			end++;
	}
	if (*end)
		return -EINVAL;
	*ret_bytes = bytes;
	return 0;
}

static bool word_in_list(const char *word, const char *list)
{
	size_t len = strlen(word);
	while (len && list && *list) {
		const char *bar = strchr(list, '|');
		size_t n = bar ? (size_t)(bar - list) : strlen(list);
		if (n == len && memcmp(list, word, n) == 0)
			return true;
		list += n + (bar ? 1 : 0);
	}
	return false;
}

/* "min..max", either may be left out. */
static void range_parse(const char *values, bool is_size, int64_t *min, int64_t *max)
{
	char buf[64];
	const char *dots = values ? strstr(values, "..") : NULL;
	uint64_t n;
	if (!dots)
		return;
	snprintf(buf, sizeof(buf), "%.*s", (int)(dots - values), values);
	if (*buf)
		*min = is_size && parse_size(buf, &n) == 0 ? (int64_t)n : strtoll(buf, NULL, 10);
	if (dots[2])
		*max = is_size && parse_size(dots + 2, &n) == 0 ? (int64_t)n : strtoll(dots + 2, NULL, 10);
}

static int check_number(const struct hf_option *o, const char *value, char *normal, size_t normal_bytes, char *why,
			size_t why_bytes)
{
	int64_t min = INT64_MIN, max = INT64_MAX, n = 0;
	bool is_size = o->type == HF_SIZE;
	range_parse(o->values, is_size, &min, &max);
	if (is_size) {
		uint64_t bytes = 0;
		if (parse_size(value, &bytes) || bytes > INT64_MAX) {
			snprintf(why, why_bytes, "option %s: \"%s\" is not a size like 4096 or 10G", o->name, value);
			return -EINVAL;
		}
		n = (int64_t)bytes;
	} else {
		char *end;
		errno = 0;
		n = strtoll(value, &end, 10);
		if (errno || end == value || *end) {
			snprintf(why, why_bytes, "option %s: \"%s\" is not a whole number", o->name, value);
			return -EINVAL;
		}
	}
	if (n < min || n > max) {
		snprintf(why, why_bytes, "option %s: %s is outside of %s", o->name, value, o->values);
		return -EINVAL;
	}
	snprintf(normal, normal_bytes, "%lld", (long long)n);
	return 0;
}

int settings_check_value(const struct hf_option *o, const char *value, char **ret_normal, char *why, size_t why_bytes)
{
	char number[32];
	const char *normal = value;
	int err = 0;
	switch (o->type) {
	case HF_SIZE:
	case HF_INT:
		err = check_number(o, value, number, sizeof(number), why, why_bytes);
		normal = number;
		break;
	case HF_BOOL:
		if (word_in_list(value, "on|true|yes|1"))
			normal = "on";
		else if (word_in_list(value, "off|false|no|0"))
			normal = "off";
		else
			err = -EINVAL;
		if (err)
			snprintf(why, why_bytes, "option %s: \"%s\" is neither on nor off", o->name, value);
		break;
	case HF_ENUM:
		if (!word_in_list(value, o->values)) {
			snprintf(why, why_bytes, "option %s: \"%s\" is not one of %s", o->name, value, o->values);
			err = -EINVAL;
		}
		break;
	case HF_PATH:
		if (value[0] != '/') {
			snprintf(why, why_bytes, "option %s: \"%s\" is not an absolute path", o->name, value);
			err = -EINVAL;
		}
		break;
	case HF_STRING:
	case HF_SECRET:
		break;
	default:
		snprintf(why, why_bytes, "option %s: its row has an unknown type", o->name);
		err = -EINVAL;
	}
	if (err)
		return err;
	char *copy = strdup(normal);
	if (!copy)
		return -ENOMEM;
	*ret_normal = copy;
	return 0;
}

void settings_free(struct settings *s)
{
	for (size_t i = 0; i < s->count; i++)
		free((char *)(uintptr_t)s->row[i].value);
	free(s->row);
	s->row = NULL;
	s->count = 0;
}

/* "delay_ms" or "fault.delay_ms". */
static const char *name_for(const struct hf_plugin *p, const char *name)
{
	size_t len = strlen(p->name);
	if (strncmp(name, p->name, len) == 0 && name[len] == '.')
		return name + len + 1;
	return name;
}

static const char *setting_of(const struct hf_plugin *p, const struct hf_option *o, const struct volume_setting *in,
			      size_t count)
{
	for (size_t i = count; i-- > 0;)         /* the last one wins */
		if (strcmp(name_for(p, in[i].name), o->name) == 0)
			return in[i].value;
	return NULL;
}

int settings_build(const struct hf_plugin *p, const struct volume_setting *in, size_t in_count,
		   struct settings *ret_settings, char *why, size_t why_bytes)
{
	struct settings s = { calloc(p->option_count + 1, sizeof(*s.row)), 0 };
	if (!s.row)
		return -ENOMEM;
	for (size_t i = 0; i < p->option_count; i++) {
		const struct hf_option *o = &p->options[i];
		const char *value = setting_of(p, o, in, in_count);
		if (!value)
			value = o->default_value;
		if (!value && (o->flags & HF_REQUIRED)) {
			snprintf(why, why_bytes, "option %s is missing: %s", o->name, o->help ? o->help : "");
			settings_free(&s);
			return -EINVAL;
		}
		if (!value)
			continue;
		char *normal = NULL;
		int err = settings_check_value(o, value, &normal, why, why_bytes);
		if (err) {
			settings_free(&s);
			return err;
		}
		s.row[s.count++] = (struct hf_setting){ o->name, normal };
	}
	*ret_settings = s;
	return 0;
}
