/* SPDX-License-Identifier: GPL-3.0-or-later */
/* iscsi_login.c - log in: security stage (None or CHAP, one-way and mutual), then the
 * operational keys.  RFC 7143 6, 12, 13.  Blocking; nothing here is measured. */
#include "iscsi_wire.h"

#include <ctype.h>
#include <stdarg.h>
#include <string.h>
#include <strings.h>

#include "tls/tls.h"

const char proto_program[] = "iscsi_load";
const char proto_usage[] =
	"who:   --lun N  --initiator IQN  --user U --secret S [--mutual-user U --mutual-secret S] [--chap-alg 5..8]\n"
	"wire:  --header-digest --data-digest --no-immediate --initial-r2t\n"
	"       --first-burst B --max-burst B --max-recv B\n";
const struct load_option proto_options[] = {
	{ "lun", OPT_UINT, offsetof(struct load_opts, lun) },
	{ "user", OPT_TEXT, offsetof(struct load_opts, user) },
	{ "secret", OPT_TEXT, offsetof(struct load_opts, secret) },
	{ "mutual-user", OPT_TEXT, offsetof(struct load_opts, mutual_user) },
	{ "mutual-secret", OPT_TEXT, offsetof(struct load_opts, mutual_secret) },
	{ "chap-alg", OPT_UINT, offsetof(struct load_opts, chap_alg) },
	{ "no-immediate", OPT_FLAG, offsetof(struct load_opts, no_immediate) },
	{ "initial-r2t", OPT_FLAG, offsetof(struct load_opts, initial_r2t) },
	{ "first-burst", OPT_SIZE32, offsetof(struct load_opts, first_burst) },
	{ "max-burst", OPT_SIZE32, offsetof(struct load_opts, max_burst) },
	{ "max-recv", OPT_SIZE32, offsetof(struct load_opts, max_recv) },
	{ 0 },
};

void proto_defaults(struct load_opts *o)
{
	o->initiator = "iqn.2026-11.org.holdfast:load";
	o->chap_alg = 7;
	o->first_burst = 65536;
	o->max_burst = o->max_recv = 262144;
}

bool proto_options_sane(const struct load_opts *o)
{
	return !o->user == !o->secret && !o->mutual_user == !o->mutual_secret && (o->user || !o->mutual_user) &&
	       o->chap_alg >= 5 && o->chap_alg <= 8 && o->max_recv >= 512 && o->max_recv < 16777216 &&
	       o->first_burst <= o->max_burst && o->lun < 16384;
}

enum { TEXT_MAX = 16384, CHALLENGE_BYTES = 32 };
enum { STAGE_SECURITY = 0, STAGE_OPERATIONAL = 1, STAGE_FULL = 3, TRANSIT = 0x80, CONTINUE = 0x40 };

struct text {
	char bytes[TEXT_MAX];
	size_t len;
};

static _printf_(2, 3) void text_add(struct text *t, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(t->bytes + t->len, sizeof(t->bytes) - t->len, fmt, ap);
	va_end(ap);
	if (n >= 0 && (size_t)n < sizeof(t->bytes) - t->len)
		t->len += (size_t)n + 1;      /* keys end in NUL */
}

static const char *text_get(const struct text *t, const char *key)
{
	size_t key_len = strlen(key);
	for (size_t at = 0; at < t->len; at += strlen(t->bytes + at) + 1)
		if (strncmp(t->bytes + at, key, key_len) == 0 && t->bytes[at + key_len] == '=')
			return t->bytes + at + key_len + 1;
	return NULL;
}

static const char *login_status(unsigned status_class, unsigned detail)
{
	switch (status_class << 8 | detail) {
	case 0x0200: return "initiator error";
	case 0x0201: return "authentication failed";
	case 0x0202: return "forbidden";
	case 0x0203: return "target not found";
	case 0x0204: return "target removed";
	case 0x0205: return "unsupported version";
	case 0x0206: return "too many connections";
	case 0x0207: return "missing parameter";
	case 0x0208: return "cannot include in session";
	case 0x0209: return "session type not supported";
	case 0x020a: return "session does not exist";
	case 0x020b: return "invalid during login";
	case 0x0300: return "target error";
	case 0x0301: return "service unavailable";
	case 0x0302: return "out of resources";
	default: return "refused";
	}
}

/* One request and its whole answer (all PDUs of it); flags of the last PDU, or -Exxx. */
static int login_exchange(struct conn *c, unsigned flags, const struct text *ask, struct text *answer)
{
	const struct load_opts *o = &c->load->opts;
	unsigned isid = (unsigned)getpid() << 8 ^ c->index;
	answer->len = 0;
	size_t ask_len = ask->len;
	for (;;) {
		struct bhs b = { .opcode = OP_LOGIN | OP_IMMEDIATE, .flags = (uint8_t)flags,
				 .data_len = be24_of((uint32_t)ask_len), .itt = be32_of(1),
				 .f24 = be32_of(c->iscsi.cmd_sn), .f28 = be32_of(c->iscsi.exp_stat_sn) };
		/* ISID: a random one (type 10b), the same for every try, so that it reinstates. */
		b.lun[0] = 0x80;
		b.lun[1] = (uint8_t)(isid >> 24);
		b.lun[2] = (uint8_t)(isid >> 16);
		b.lun[3] = (uint8_t)(isid >> 8);
		b.lun[4] = (uint8_t)isid;
		b.lun[5] = (uint8_t)(o->lun ^ o->connections);
		b.lun[6] = (uint8_t)(c->iscsi.tsih >> 8);
		b.lun[7] = (uint8_t)c->iscsi.tsih;
		static const uint8_t pad[4];
		int r = sock_send(c->load, c->fd, &b, sizeof(b));
		r = r < 0 ? r : sock_send(c->load, c->fd, ask->bytes, ask_len);
		r = r < 0 ? r : sock_send(c->load, c->fd, pad, -ask_len & 3);
		r = r < 0 ? r : sock_recv(c->load, c->fd, &b, sizeof(b));
		if (r < 0)
			return r;
		if ((b.opcode & 0x3f) != OP_LOGIN_RSP)
			return load_fail(c->load, EPROTO, "opcode %#x in answer to a login", b.opcode);
		unsigned status_class = b.f36.b[0], detail = b.f36.b[1];
		if (status_class)
			return load_fail(c->load, EACCES, "login refused: %s (%02x%02x)",
					 login_status(status_class, detail), status_class, detail);
		size_t len = be24_get(b.data_len);
		if (len + 4 > sizeof(answer->bytes) - answer->len || b.ahs_words)
			return load_fail(c->load, EPROTO, "login answer too long");
		r = sock_recv(c->load, c->fd, answer->bytes + answer->len, (len + 3) & ~(size_t)3);
		if (r < 0)
			return r;
		answer->len += len;
		answer->bytes[answer->len] = 0;
		c->iscsi.exp_stat_sn = be32_get(b.f24) + 1;
		c->iscsi.max_cmd_sn = be32_get(b.f32);
		c->iscsi.tsih = (uint16_t)(b.lun[6] << 8 | b.lun[7]);
		if (!(b.flags & CONTINUE))
			return b.flags;
		ask_len = 0;
		flags &= ~(unsigned)TRANSIT;
	}
}

/* Stage moves that the target did not grant are asked for again, some times. */
static int login_stage(struct conn *c, unsigned now, unsigned next, struct text *ask, struct text *answer)
{
	struct text *all = calloc(1, sizeof(*all));
	if (!all)
		return -ENOMEM;
	int r = 0;
	for (int tries = 0; tries < 5; tries++) {
		r = login_exchange(c, TRANSIT | now << 2 | next, ask, answer);
		if (r < 0)
			break;
		if (all->len + answer->len < sizeof(all->bytes)) {
			memcpy(all->bytes + all->len, answer->bytes, answer->len);
			all->len += answer->len;
		}
		if (r & TRANSIT)
			break;
		ask->len = 0;
	}
	if (r >= 0 && !(r & TRANSIT))
		r = load_fail(c->load, EPROTO, "the target does not leave login stage %u", now);
	memcpy(answer, all, sizeof(*all));
	free(all);
	return r < 0 ? r : 0;
}

/* ---- CHAP, RFC 7143 12.1.3 ------------------------------------------------------------------------ */
static int hex_decode(const char *s, uint8_t *out, size_t cap)
{
	if (s[0] != '0' || tolower((unsigned char)s[1]) != 'x')
		return -EINVAL;               /* base64 is allowed too; no target we meet sends it */
	s += 2;
	size_t n = strlen(s), len = (n + 1) / 2;
	if (len > cap)
		return -E2BIG;
	memset(out, 0, len);
	for (size_t i = 0; i < n; i++) {
		unsigned char ch = (unsigned char)s[n - 1 - i];
		if (!isxdigit(ch))
			return -EINVAL;
		int digit = isdigit(ch) ? ch - '0' : tolower(ch) - 'a' + 10;
		out[len - 1 - i / 2] |= (uint8_t)(i % 2 ? digit << 4 : digit);
	}
	return (int)len;
}

static void hex_encode(const uint8_t *in, size_t len, char *out)
{
	for (size_t i = 0; i < len; i++)
		snprintf(out + 2 * i, 3, "%02x", in[i]);
}

static int chap_hash(unsigned alg, uint8_t id, const char *secret, const uint8_t *challenge, size_t len,
		     uint8_t out[TLS_HASH_MAX])
{
	enum tls_hash h = alg == 5 ? TLS_MD5 : alg == 6 ? TLS_SHA1 : alg == 7 ? TLS_SHA256 : TLS_SHA3_256;
	const struct tls_part parts[] = { { &id, 1 }, { secret, strlen(secret) }, { challenge, len } };
	int r = tls_digest(h, parts, ARRAY_COUNT(parts), out);
	return r < 0 ? r : (int)tls_hash_bytes(h);
}

static int login_chap(struct conn *c, struct text *ask, struct text *answer)
{
	const struct load_opts *o = &c->load->opts;
	ask->len = 0;
	text_add(ask, "CHAP_A=%u", o->chap_alg);
	int r = login_exchange(c, STAGE_SECURITY << 2 | STAGE_SECURITY, ask, answer);
	if (r < 0)
		return r;
	const char *alg = text_get(answer, "CHAP_A"), *id = text_get(answer, "CHAP_I"),
		   *chal = text_get(answer, "CHAP_C");
	uint8_t challenge[1024], hash[TLS_HASH_MAX];
	int len = chal ? hex_decode(chal, challenge, sizeof(challenge)) : -EINVAL;
	if (!alg || !id || len <= 0 || strtoul(alg, NULL, 0) != o->chap_alg)
		return load_fail(c->load, EPROTO, "the target's CHAP challenge cannot be read");
	int n = chap_hash(o->chap_alg, (uint8_t)strtoul(id, NULL, 0), o->secret,
			  challenge, (size_t)len, hash);
	if (n < 0)
		return load_fail(c->load, -n, "no such hash here");
	char hex[2 * TLS_HASH_MAX + 1], own[2 * CHALLENGE_BYTES + 1];
	hex_encode(hash, (size_t)n, hex);
	ask->len = 0;
	text_add(ask, "CHAP_N=%s", o->user);
	text_add(ask, "CHAP_R=0x%s", hex);
	const uint8_t own_id = 0x5a;
	if (o->mutual_user) {
		r = tls_random(challenge, CHALLENGE_BYTES);
		if (r < 0)
			return r;
		hex_encode(challenge, CHALLENGE_BYTES, own);
		text_add(ask, "CHAP_I=%u", own_id);
		text_add(ask, "CHAP_C=0x%s", own);
	}
	r = login_stage(c, STAGE_SECURITY, STAGE_OPERATIONAL, ask, answer);
	if (r < 0 || !o->mutual_user)
		return r;
	const char *name = text_get(answer, "CHAP_N"), *response = text_get(answer, "CHAP_R");
	uint8_t theirs[TLS_HASH_MAX];
	n = chap_hash(o->chap_alg, own_id, o->mutual_secret, challenge, CHALLENGE_BYTES, hash);
	if (!name || strcmp(name, o->mutual_user) || !response ||
	    hex_decode(response, theirs, sizeof(theirs)) != n || memcmp(theirs, hash, (size_t)n))
		return load_fail(c->load, EACCES, "the target failed mutual CHAP");
	return 0;
}

/* ---- keys ---------------------------------------------------------------------------------------- */
static uint32_t number(const struct text *t, const char *key, uint32_t otherwise)
{
	const char *s = text_get(t, key);
	return s ? (uint32_t)strtoul(s, NULL, 0) : otherwise;
}

static bool is(const struct text *t, const char *key, const char *value, bool otherwise)
{
	const char *s = text_get(t, key);
	return s ? strcasecmp(s, value) == 0 : otherwise;
}

int proto_login(struct conn *c)
{
	const struct load_opts *o = &c->load->opts;
	_cleanup_(freep) struct text *ask = calloc(1, sizeof(*ask));
	_cleanup_(freep) struct text *answer = calloc(1, sizeof(*answer));
	if (!ask || !answer)
		return -ENOMEM;
	c->iscsi.cmd_sn = 1;
	c->iscsi.exp_stat_sn = 0;
	c->iscsi.tsih = 0;
	text_add(ask, "InitiatorName=%s", o->initiator);
	text_add(ask, "TargetName=%s", o->target);
	text_add(ask, "SessionType=Normal");
	text_add(ask, "AuthMethod=%s", o->user ? "CHAP" : "None");
	int r;
	if (o->user) {
		r = login_exchange(c, STAGE_SECURITY << 2 | STAGE_SECURITY, ask, answer);
		if (r >= 0 && !is(answer, "AuthMethod", "CHAP", false))
			r = load_fail(c->load, EACCES, "the target does not want CHAP");
		r = r < 0 ? r : login_chap(c, ask, answer);
	} else {
		r = login_stage(c, STAGE_SECURITY, STAGE_OPERATIONAL, ask, answer);
	}
	if (r < 0)
		return r;
	uint32_t early_max_recv = number(answer, "MaxRecvDataSegmentLength", 8192);

	ask->len = 0;
	text_add(ask, "HeaderDigest=%s", o->header_digest ? "CRC32C" : "None");
	text_add(ask, "DataDigest=%s", o->data_digest ? "CRC32C" : "None");
	text_add(ask, "MaxRecvDataSegmentLength=%u", o->max_recv);
	text_add(ask, "InitialR2T=%s", o->initial_r2t ? "Yes" : "No");
	text_add(ask, "ImmediateData=%s", !o->no_immediate ? "Yes" : "No");
	text_add(ask, "FirstBurstLength=%u", o->first_burst);
	text_add(ask, "MaxBurstLength=%u", o->max_burst);
	text_add(ask, "MaxOutstandingR2T=1");
	text_add(ask, "MaxConnections=1");
	text_add(ask, "ErrorRecoveryLevel=0");
	text_add(ask, "DefaultTime2Wait=2");
	text_add(ask, "DefaultTime2Retain=0");
	text_add(ask, "DataPDUInOrder=Yes");
	text_add(ask, "DataSequenceInOrder=Yes");
	r = login_stage(c, STAGE_OPERATIONAL, STAGE_FULL, ask, answer);
	if (r < 0)
		return r;
	c->header_digest = is(answer, "HeaderDigest", "CRC32C", false);
	c->data_digest = is(answer, "DataDigest", "CRC32C", false);
	if (c->header_digest != o->header_digest || c->data_digest != o->data_digest)
		return load_fail(c->load, EPROTO, "the target does not agree to the digests asked for");
	c->iscsi.peer_max_recv = number(answer, "MaxRecvDataSegmentLength", early_max_recv);
	c->iscsi.initial_r2t = o->initial_r2t || is(answer, "InitialR2T", "Yes", true);
	c->iscsi.immediate = !o->no_immediate && is(answer, "ImmediateData", "Yes", true);
	c->iscsi.first_burst = (uint32_t)min_u64(o->first_burst, number(answer, "FirstBurstLength", o->first_burst));
	c->iscsi.max_burst = (uint32_t)min_u64(o->max_burst, number(answer, "MaxBurstLength", o->max_burst));
	if (c->iscsi.peer_max_recv < 512 || c->iscsi.first_burst < 512 || c->iscsi.max_burst < c->iscsi.first_burst)
		return load_fail(c->load, EPROTO, "the target's limits make no sense");
	return 0;
}
