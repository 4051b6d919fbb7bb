/* SPDX-License-Identifier: GPL-3.0-or-later */
/* check.c - is a body what the rows of the model ask for?  Pure functions, no database. */
#include "config/config_priv.h"

#include "core/keytext.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* ---- checks by name: a sentence fragment that says what is wrong, or NULL ---------------------------- */
static const char *check_name(const char *s)
{
	if (!isalnum((unsigned char)*s))
		return "must start with a letter or a digit";
	for (; *s; s++)
		if (!isalnum((unsigned char)*s) && !strchr("._-", *s))
			return "may hold only letters, digits, '.', '_' and '-'";
	return NULL;
}

static const char *check_abs_path(const char *s)
{
	if (*s != '/')
		return "must be an absolute path (it starts with '/')";
	for (const char *p = s; *p; p++) {
		if (iscntrl((unsigned char)*p))
			return "must not hold control characters";
		if (*p == '/' && p[1] == '.' && p[2] == '.' && (p[3] == '/' || p[3] == '\0'))
			return "must not hold '..'";
	}
	return NULL;
}

/* SPC-4 7.8.6.6: format 6 has 16 bytes, the others 8. */
static const char *check_naa(const char *s)
{
	if (strncmp(s, "naa.", 4) != 0 || !s[4] || !strchr("2356", s[4]) || strlen(s + 4) != (s[4] == '6' ? 32 : 16) ||
	    strspn(s + 4, "0123456789abcdef") != strlen(s + 4))
		return "must be naa. and 32 small hexadecimal digits that begin with 6, or 16 that begin with 2, 3 or 5";
	return NULL;
}

static const char *check_scsi_text(const char *s)
{
	for (const char *p = s; *p; p++)
		if (*p < 0x20 || *p > 0x7e)
			return "may hold only printable ASCII characters";
	return *s == ' ' ? "must not begin with a space" : NULL;
}

static bool is_address(const char *s, size_t len, bool *ret_v6)
{
	char buf[64];
	struct in6_addr a;
	if (len >= sizeof(buf))
		return false;
	memcpy(buf, s, len);
	buf[len] = '\0';
	*ret_v6 = strchr(buf, ':') != NULL;
	return inet_pton(*ret_v6 ? AF_INET6 : AF_INET, buf, &a) == 1;
}

static const char *check_ip_address(const char *s)
{
	bool v6;
	const char *scope = strchr(s, '%');
	size_t len = scope ? (size_t)(scope - s) : strlen(s);
	if (!is_address(s, len, &v6))
		return "must be an IP address such as 192.0.2.1, 0.0.0.0, ::1 or ::";
	if (scope && (!v6 || strncasecmp(s, "fe80:", 5) != 0 || !scope[1] || strlen(scope + 1) > 15 ||
		      strpbrk(scope + 1, "/ %")))
		return "may name an interface (%eth0) only after an IPv6 link-local address";
	return NULL;
}

const char *check_cidr(const char *s)
{
	bool v6;
	const char *slash = strchr(s, '/');
	size_t len = slash ? (size_t)(slash - s) : strlen(s);
	if (!is_address(s, len, &v6))
		return "must be an address or a network such as 192.0.2.7, 192.0.2.0/24 or 2001:db8::/32";
	if (!slash)
		return NULL;
	unsigned bits = 0, max = v6 ? 128 : 32;
	const char *p = slash + 1;
	if (!*p || strlen(p) > 3)
		return "has no valid prefix length after '/'";
	for (; *p; p++) {
		if (!isdigit((unsigned char)*p))
			return "has no valid prefix length after '/'";
		bits = bits * 10 + (unsigned)(*p - '0');
	}
	if (bits > max)
		return v6 ? "has a prefix longer than 128 bits" : "has a prefix longer than 32 bits";
	uint8_t a[16];
	char text[64];
	memcpy(text, s, len);
	text[len] = '\0';
	inet_pton(v6 ? AF_INET6 : AF_INET, text, a);
	for (unsigned i = bits; i < max; i++)
		if (a[i / 8] & (0x80u >> (i % 8)))
			return "has bits set beyond the prefix: give the network's own address, or no '/'";
	return NULL;
}

/* RFC 7143 4.2.7: after normalisation a name is lower case, without white space. */
static const char *iqn_chars(const char *s, const char *also)
{
	for (; *s; s++) {
		unsigned char ch = (unsigned char)*s;
		if (isupper(ch))
			return "must be in lower case";
		if (ch < 0x80 && !islower(ch) && !isdigit(ch) && !strchr(".:-", ch) && !strchr(also, ch))
			return "may hold only letters, digits, '.', ':' and '-'";
	}
	return NULL;
}

static const char *check_iqn_glob(const char *s)
{
	if (strlen(s) > 223)
		return "is longer than 223 bytes";
	if (strncmp(s, "iqn.", 4) != 0 && strncmp(s, "eui.", 4) != 0 && strncmp(s, "naa.", 4) != 0 && *s != '*')
		return "must start with iqn., eui., naa. or *";
	return iqn_chars(s, "*?");
}

static bool is_hex(const char *s, size_t len)
{
	if (strlen(s) != len)
		return false;
	for (; *s; s++)
		if (!isxdigit((unsigned char)*s))
			return false;
	return true;
}

/* "iqn.yyyy-mm.domain[:rest]": the part after the type. */
static bool is_dated_name(const char *s)
{
	static const char shape[] = "dddd-dd.";
	for (size_t i = 0; shape[i]; i++)
		if (shape[i] == 'd' ? !isdigit((unsigned char)s[i]) : s[i] != shape[i])
			return false;
	unsigned month = (unsigned)(s[5] - '0') * 10 + (unsigned)(s[6] - '0');
	s += 8;
	if (month < 1 || month > 12 || !isalnum((unsigned char)*s))
		return false;
	const char *colon = strchr(s, ':');
	return !colon || colon[1] != '\0';
}

static const char *check_nqn(const char *s)
{
	size_t len = strlen(s);
	if (len > 223)
		return "is longer than 223 bytes";
	if (strncmp(s, "nqn.", 4) != 0 || !is_dated_name(s + 4))
		return "must be an NQN such as nqn.2014-08.org.nvmexpress:uuid:..";
	for (; *s; s++)
		if (iscntrl((unsigned char)*s) || *s == ' ')
			return "must not hold blanks or control characters";
	return NULL;
}

static const char *check_target_name(const char *s)
{
	if (strlen(s) > 223)
		return "is longer than 223 bytes";
	if (strncmp(s, "nqn.", 4) == 0)
		return check_nqn(s);
	if (strncmp(s, "eui.", 4) == 0)
		return is_hex(s + 4, 16) ? NULL : "must have 16 hexadecimal digits after eui.";
	if (strncmp(s, "naa.", 4) == 0)
		return is_hex(s + 4, 16) || is_hex(s + 4, 32) ? NULL : "must have 16 or 32 hexadecimal digits after naa.";
	if (strncmp(s, "iqn.", 4) != 0 || !is_dated_name(s + 4))
		return "must be an iSCSI name such as iqn.2026-11.com.example:disks, or an NQN";
	return iqn_chars(s, "");
}

static const char *check_lun_number(const char *s)
{
	unsigned n = 0;
	if (!*s || strlen(s) > 5 || (*s == '0' && s[1]))
		return "must be a LUN from 0 to 16383";
	for (; *s; s++) {
		if (!isdigit((unsigned char)*s))
			return "must be a LUN from 0 to 16383";
		n = n * 10 + (unsigned)(*s - '0');
	}
	return n <= 16383 ? NULL : "must be a LUN from 0 to 16383";
}

static const char *check_group_tag(const char *s)
{
	unsigned n = 0;
	if (*s == '0' || strlen(s) > 5)
		return "must be the tag of a portal group, from 1 to 65535";
	for (; *s; s++) {
		if (!isdigit((unsigned char)*s))
			return "must be the tag of a portal group, from 1 to 65535";
		n = n * 10 + (unsigned)(*s - '0');
	}
	return n >= 1 && n <= 65535 ? NULL : "must be the tag of a portal group, from 1 to 65535";
}

/* "192.0.2.1:3260", "[2001:db8::1]:3260", "2=192.0.2.1:3260" */
static const char *check_redirect(const char *s)
{
	static const char *const wrong = "must be ADDRESS:PORT or TAG=ADDRESS:PORT, such as 192.0.2.7:3260 or 2=[2001:db8::7]:3260";
	const char *equals = strchr(s, '='), *colon;
	char part[64];
	bool v6;
	if (equals) {
		if (equals - s > 5)
			return wrong;
		snprintf(part, sizeof(part), "%.*s", (int)(equals - s), s);
		if (!*part || check_group_tag(part))
			return wrong;
		s = equals + 1;
	}
	colon = strrchr(s, ':');
	if (!colon || check_group_tag(colon + 1) || !colon[1])   /* ports have the same range */
		return wrong;
	bool bracket = *s == '[';
	if (bracket && (colon == s + 1 || colon[-1] != ']'))
		return wrong;
	size_t len = (size_t)(colon - s) - (bracket ? 2 : 0);
	return is_address(s + bracket, len, &v6) && v6 == bracket ? NULL : wrong;
}

static const char *check_plugin(const char *s)
{
	bool start = true;
	for (; *s; s++) {
		if (start ? !islower((unsigned char)*s) : !islower((unsigned char)*s) && !isdigit((unsigned char)*s) && !strchr("-:", *s))
			return "must be a plugin such as file, or a stack such as fault:file";
		start = *s == ':';
	}
	return start ? "must be a plugin such as file, or a stack such as fault:file" : NULL;
}

static const char *key_wrong(enum keytext_kind kind, const char *s)
{
	struct keytext key;
	const char *why;
	if (keytext_parse(kind, s, &key, &why))
		return why;
	explicit_bzero(&key, sizeof(key));
	return NULL;
}
static const char *check_dhchap_key(const char *s)
{
	return key_wrong(KEY_DHCHAP, s);
}
static const char *check_tls_psk(const char *s)
{
	return key_wrong(KEY_TLS_PSK, s);
}

static const char *check_pem(const char *s)
{
	return strstr(s, "-----BEGIN ") ? NULL : "must be in PEM (-----BEGIN CERTIFICATE-----)";
}

/* An address alone, as RFC 5321 has it without quoting: it goes into protocols and headers. */
static const char *check_email(const char *s)
{
	const char *at = strrchr(s, '@');
	if (strlen(s) > 254 || !at || at == s || !at[1])
		return "must be a mail address such as admin@example.org";
	for (const char *p = s; *p; p++)
		if ((unsigned char)*p <= 0x20 || (unsigned char)*p >= 0x7f || strchr("\"(),:;<>[\\]", *p))
			return "must be a mail address such as admin@example.org, without a name and without blanks";
	return NULL;
}

static const char *url_chars(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s <= 0x20 || (unsigned char)*s >= 0x7f)
			return "must not hold blanks or control characters";
	return NULL;
}

static const char *check_http_url(const char *s)
{
	const char *host = strncmp(s, "https://", 8) == 0 ? s + 8 : strncmp(s, "http://", 7) == 0 ? s + 7 : NULL;
	if (!host || !*host || *host == '/')
		return "must be an address such as https://example.org/hook";
	return url_chars(s);
}

static const char *check_acme_directory(const char *s)
{
	if (strncmp(s, "https://", 8) == 0)
		return s[8] && s[8] != '/' ? url_chars(s) : "must be the https:// address of a directory";
	for (const char *p = s; *p; p++)
		if (!islower((unsigned char)*p) && *p != '-')
			return "must be an authority such as letsencrypt, or the https:// address of a directory";
	return NULL;
}

static const char *check_host_name(const char *s)
{
	for (; *s; s++)
		if (!isalnum((unsigned char)*s) && !strchr(".-_:", *s))
			return "must be a host name or an address";
	return NULL;
}

static const char *check_time(const char *s)
{
	/* "2026-11-02T12:34:56Z", also with a fraction. */
	static const char shape[] = "dddd-dd-ddTdd:dd:dd";
	struct tm tm = { 0 };
	for (size_t i = 0; shape[i]; i++)
		if (shape[i] == 'd' ? !isdigit((unsigned char)s[i]) : s[i] != shape[i])
			return "must be a time in UTC such as 2027-01-31T00:00:00Z";
	const char *p = s + sizeof(shape) - 1;
	if (*p == '.')
		p += 1 + strspn(p + 1, "0123456789");
	if (strcmp(p, "Z") != 0 || !strptime(s, "%Y-%m-%dT%H:%M:%S", &tm))
		return "must be a time in UTC such as 2027-01-31T00:00:00Z";
	return NULL;
}

static const char *check_scope(const char *s)
{
	return strcmp(s, "*") == 0 || (*s && strspn(s, "abcdefghijklmnopqrstuvwxyz-") == strlen(s)) ? NULL :
		"must be * or the first word of an address after /api/v1/, such as volumes";
}

static const struct {
	const char *name;
	const char *(*check)(const char *s);
} checks[] = {
	{ "pem", check_pem },
	{ "email", check_email },
	{ "http-url", check_http_url },
	{ "acme-directory", check_acme_directory },
	{ "host-name", check_host_name },
	{ "time", check_time },
	{ "scope", check_scope },
	{ "name", check_name },
	{ "abs-path", check_abs_path },
	{ "ip-address", check_ip_address },
	{ "cidr", check_cidr },
	{ "iqn-glob", check_iqn_glob },
	{ "nqn", check_nqn },
	{ "target-name", check_target_name },
	{ "lun-number", check_lun_number },
	{ "group-tag", check_group_tag },
	{ "redirect", check_redirect },
	{ "plugin", check_plugin },
	{ "dhchap-key", check_dhchap_key },
	{ "tls-psk", check_tls_psk },
	{ "posix-name", check_posix_name },
	{ "posix-owner", check_posix_owner },
	{ "file-mode", check_file_mode },
	{ "full-name", check_full_name },
	{ "no-control", check_no_control },
	{ "sub-path", check_sub_path },
	{ "share-access", check_share_access },
	{ "nfs-client", check_nfs_client },
	{ "nfs-version", check_nfs_version },
	{ "nfs-security", check_nfs_security },
	{ "naa", check_naa },
	{ "scsi-text", check_scsi_text },
};

static const char *check_by_name(const char *name, const char *s)
{
	for (size_t i = 0; i < ARRAY_COUNT(checks); i++)
		if (strcmp(checks[i].name, name) == 0)
			return checks[i].check(s);
	return NULL;
}

/* ---- types ----------------------------------------------------------------------------------------- */
/* where: the member for messages, "iqns/2" for an element. */
static int text_check(const struct field *f, const char *where, const json_t *v, size_t min, size_t max, struct config_error *e)
{
	if (!json_is_string(v))
		return config_fail(e, -EINVAL, where, "%s must be a text", where);
	const char *s = json_string_value(v);
	size_t len = json_string_length(v);
	if (len < min || len > max)
		return config_fail(e, -EINVAL, where, "%s must have %zu to %zu bytes", where, min, max);
	bool pem = f->check && strcmp(f->check, "pem") == 0; /* often written where lines end with CR LF */
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)s[i] < 0x20 && s[i] != '\n' && s[i] != '\t' && !(pem && s[i] == '\r'))
			return config_fail(e, -EINVAL, where, "%s must not hold control characters", where);
	const char *wrong = f->check && *s ? check_by_name(f->check, s) : NULL;
	if (wrong)
		return config_fail(e, -EINVAL, where, "%s %s", where, wrong);
	return 0;
}

static int int_check(const struct field *f, const json_t *v, struct config_error *e)
{
	if (!json_is_integer(v))
		return config_fail(e, -EINVAL, f->name, "%s must be a whole number", f->name);
	int64_t n = json_integer_value(v);
	if (f->check && strcmp(f->check, "block-size") == 0 && n != 512 && n != 4096)
		return config_fail(e, -EINVAL, f->name, "%s must be 512 or 4096", f->name);
	if (n < f->min || n > f->max)
		return config_fail(e, -EINVAL, f->name, "%s must be from %" PRId64 " to %" PRId64, f->name, f->min, f->max);
	return 0;
}

static int enum_check(const struct field *f, const json_t *v, struct config_error *e)
{
	const char *s = json_string_value(v);
	size_t len = s ? strlen(s) : 0;
	for (const char *p = f->values; s && p; p = strchr(p, '|') ? strchr(p, '|') + 1 : NULL) {
		size_t word = strcspn(p, "|");
		if (word == len && strncmp(p, s, len) == 0)
			return 0;
	}
	return config_fail(e, -EINVAL, f->name, "%s must be one of: %s", f->name, f->values);
}

static int list_check(const struct field *f, const json_t *v, struct config_error *e)
{
	size_t i, j;
	json_t *item;
	if (!json_is_array(v))
		return config_fail(e, -EINVAL, f->name, "%s must be a list of texts", f->name);
	if (json_array_size(v) < (size_t)f->min || json_array_size(v) > (size_t)f->max)
		return config_fail(e, -EINVAL, f->name, "%s must have %" PRId64 " to %" PRId64 " items", f->name, f->min, f->max);
	json_array_foreach((json_t *)v, i, item) {
		char where[64];
		snprintf(where, sizeof(where), "%.40s/%zu", f->name, i);
		int r = text_check(f, where, item, 1, 255, e);
		if (r)
			return r;
		for (j = 0; j < i; j++)
			if (json_equal(item, json_array_get(v, j)))
				return config_fail(e, -EINVAL, where, "%s stands twice in %s", json_string_value(item), f->name);
	}
	return 0;
}

/* "2": "non-optimized": a portal group's tag and what hosts are told of the paths through it. */
static int path_state_check(const struct field *f, const char *where, const char *key, const char *state, struct config_error *e)
{
	static const char *const states[] = { "optimized", "non-optimized", "inaccessible", "change" };
	unsigned tag = 0;
	for (const char *p = key; *p; p++) {
		if (!isdigit((unsigned char)*p) || (*key == '0') || strlen(key) > 5)
			return config_fail(e, -EINVAL, where, "%s names portal groups by their tags, from 1 to 65535", f->name);
		tag = tag * 10 + (unsigned)(*p - '0');
	}
	if (tag < 1 || tag > 65535)
		return config_fail(e, -EINVAL, where, "%s names portal groups by their tags, from 1 to 65535", f->name);
	for (size_t i = 0; i < ARRAY_COUNT(states); i++)
		if (strcmp(states[i], state) == 0)
			return 0;
	return config_fail(e, -EINVAL, where, "%s must be one of: optimized|non-optimized|inaccessible|change", where);
}

static int map_check(const struct field *f, const json_t *v, struct config_error *e)
{
	const char *key;
	json_t *item;
	if (!json_is_object(v))
		return config_fail(e, -EINVAL, f->name, "%s must be an object of texts", f->name);
	json_object_foreach((json_t *)v, key, item) {
		char where[64];
		snprintf(where, sizeof(where), "%.20s/%.40s", f->name, key);
		if (strlen(key) > 40 || check_name(key))
			return config_fail(e, -EINVAL, where, "%s is not a name", where);
		if (json_is_null(item))
			continue;        /* a merge patch takes the member away */
		if (!json_is_string(item) || json_string_length(item) > 4096)
			return config_fail(e, -EINVAL, where, "%s must be a text of at most 4096 bytes", where);
		int r = text_check(&(struct field){ 0 }, where, item, 0, 4096, e);
		if (!r && f->check && strcmp(f->check, "path-state") == 0)
			r = path_state_check(f, where, key, json_string_value(item), e);
		if (r)
			return r;
	}
	return 0;
}

static int secret_check(const struct field *f, const json_t *v, struct config_error *e)
{
	if (json_is_boolean(v))
		return 0;                /* what reading gave; config_update() says whether that is still true */
	if (json_is_object(v) && json_object_size(v) == 1 && json_is_string(json_object_get(v, "sealed")))
		return 0;                /* from an export; whether it opens here is seen when it is stored */
	if (!json_is_string(v))
		return config_fail(e, -EINVAL, f->name, "%s must be a text", f->name);
	size_t len = json_string_length(v);
	if (len < (size_t)f->min || len > (size_t)f->max)
		return config_fail(e, -EINVAL, f->name, "%s must have %" PRId64 " to %" PRId64 " bytes", f->name, f->min, f->max);
	const char *wrong = f->check ? check_by_name(f->check, json_string_value(v)) : NULL;
	return wrong ? config_fail(e, -EINVAL, f->name, "%s %s", f->name, wrong) : 0;
}

static int value_check(const struct field *f, const json_t *v, struct config_error *e)
{
	switch (f->type) {
	case FIELD_TEXT:
	case FIELD_TIME:
		return text_check(f, f->name, v, (size_t)f->min, (size_t)f->max, e);
	case FIELD_INT:
		return int_check(f, v, e);
	case FIELD_BOOL:
		return json_is_boolean(v) ? 0 : config_fail(e, -EINVAL, f->name, "%s must be true or false", f->name);
	case FIELD_ENUM:
		return enum_check(f, v, e);
	case FIELD_REF:
		return text_check(f, f->name, v, 1, 255, e);
	case FIELD_TEXTS:
	case FIELD_REFS:
		return list_check(f, v, e);
	case FIELD_MAP:
		return map_check(f, v, e);
	case FIELD_SECRET:
		return secret_check(f, v, e);
	case FIELD_JSON:
		return 0;
	}
	return config_fail(e, -EINVAL, f->name, "%s has no type", f->name);
}

int model_check(enum model_kind k, const json_t *body, bool at_creation, struct config_error *e)
{
	const struct model *m = &models[k];
	const char *key;
	json_t *v;
	if (!json_is_object(body))
		return config_fail(e, -EINVAL, "", "a %s is a JSON object", m->name);
	json_object_foreach((json_t *)body, key, v) {
		const struct field *f = model_field(m, key);
		if (!f)
			return config_fail(e, -EINVAL, key, "a %s has no member called \"%.40s\"", m->name, key);
		if (f->flags & FIELD_SERVER)
			return config_fail(e, -EINVAL, key, "%s is set by the server", key);
		if (json_is_null(v)) {
			if (!(f->flags & FIELD_NULLABLE) && !f->default_json)
				return config_fail(e, -EINVAL, key, "%s must have a value", key);
			continue;
		}
		int r = value_check(f, v, e);
		if (r)
			return r;
	}
	for (size_t i = 0; at_creation && i < m->field_count; i++)
		if ((m->fields[i].flags & FIELD_REQUIRED) && !json_object_get(body, m->fields[i].name))
			return config_fail(e, -EINVAL, m->fields[i].name, "a %s needs %s", m->name, m->fields[i].name);
	return 0;
}
