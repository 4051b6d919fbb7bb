/* SPDX-License-Identifier: GPL-3.0-or-later */
/* dns_message.c - DNS UPDATE (RFC 2136) with TSIG (RFC 8945): built and parsed.  Pure; fuzzed by
 * fuzz/acme_dns. */
#include "acme/acme_priv.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "tls/tls.h"

enum { TYPE_SOA = 6, TYPE_TXT = 16, TYPE_TSIG = 250, CLASS_IN = 1, CLASS_NONE = 254, CLASS_ANY = 255 };
#define HEADER_BYTES 12u
#define OPCODE_UPDATE 0x2800u
#define FUDGE_S 300u
#define TXT_TTL_S 60u

static const struct {
	const char *name;
	enum tls_hash hash;
} algorithms[] = { { "hmac-sha256", TLS_SHA256 }, { "hmac-sha384", TLS_SHA384 }, { "hmac-sha512", TLS_SHA512 } };

static int algorithm_at(const char *name)
{
	size_t len = strlen(name);

	if (len && name[len - 1] == '.')
		len--;
	for (size_t i = 0; i < ARRAY_COUNT(algorithms); i++)
		if (strlen(algorithms[i].name) == len && strncasecmp(algorithms[i].name, name, len) == 0)
			return (int)i;
	return -1;
}

bool dns_algorithm_known(const char *algorithm)
{
	return algorithm_at(algorithm) >= 0;
}

/* ---- writing -------------------------------------------------------------------------------------------------- */
struct out {
	uint8_t *p;
	size_t len, max;
	bool is_bad;
};
static void put(struct out *o, const void *data, size_t len)
{
	if (len > o->max - o->len) {
		o->is_bad = true;
		return;
	}
	if (len)
		memcpy(o->p + o->len, data, len);
	o->len += len;
}
static void put16(struct out *o, unsigned v)
{
	const uint8_t b[2] = { (uint8_t)(v >> 8), (uint8_t)v };
	put(o, b, 2);
}
static void put32(struct out *o, uint32_t v)
{
	put16(o, v >> 16);
	put16(o, v & 0xffff);
}
static void put48(struct out *o, uint64_t v)
{
	put16(o, (unsigned)(v >> 32) & 0xffff);
	put32(o, (uint32_t)v);
}

/* Lower case (the canonical form that TSIG signs), no compression. */
static void put_name(struct out *o, const char *name)
{
	size_t total = 0;

	while (*name && strcmp(name, ".") != 0) {
		uint8_t label[64];
		size_t len = strcspn(name, ".");

		if (len == 0 || len > 63 || (total += len + 1) > 254) {
			o->is_bad = true;
			return;
		}
		label[0] = (uint8_t)len;
		for (size_t i = 0; i < len; i++)
			label[1 + i] = (uint8_t)tolower((unsigned char)name[i]);
		put(o, label, len + 1);
		name += len + (name[len] == '.');
	}
	put(o, "", 1);
}

/* ---- TSIG ------------------------------------------------------------------------------------------------------ */
/* Digest components after the message itself: RFC 8945 4.3.3. */
static void put_variables(struct out *o, const struct dns_tsig *t, uint64_t time, unsigned error, const uint8_t *other, size_t other_len)
{
	put_name(o, t->key_name);
	put16(o, CLASS_ANY);
	put32(o, 0);
	put_name(o, t->algorithm);
	put48(o, time);
	put16(o, FUDGE_S);
	put16(o, error);
	put16(o, (unsigned)other_len);
	put(o, other, other_len);
}

static int sign(struct out *o, uint16_t id, uint64_t now, struct dns_tsig *t)
{
	int a = algorithm_at(t->algorithm);
	uint8_t vars[1024];
	struct out v = { .p = vars, .max = sizeof(vars) }, rdata;
	uint8_t rbuf[600];

	put_variables(&v, t, now, 0, NULL, 0);
	if (a < 0 || v.is_bad || o->is_bad)
		return -EINVAL;
	const struct tls_part parts[] = { { o->p, o->len }, { vars, v.len } };
	int r = tls_hmac(algorithms[a].hash, t->secret, t->secret_len, parts, 2, t->mac);
	if (r < 0)
		return r;
	t->mac_len = tls_hash_bytes(algorithms[a].hash);
	rdata = (struct out){ .p = rbuf, .max = sizeof(rbuf) };
	put_name(&rdata, t->algorithm);
	put48(&rdata, now);
	put16(&rdata, FUDGE_S);
	put16(&rdata, (unsigned)t->mac_len);
	put(&rdata, t->mac, t->mac_len);
	put16(&rdata, id);
	put16(&rdata, 0);
	put16(&rdata, 0);
	put_name(o, t->key_name);
	put16(o, TYPE_TSIG);
	put16(o, CLASS_ANY);
	put32(o, 0);
	put16(o, (unsigned)rdata.len);
	put(o, rbuf, rdata.len);
	if (o->is_bad || rdata.is_bad)
		return -EINVAL;
	o->p[11] = 1;                            /* one additional record */
	return 0;
}

int dns_update_build(uint16_t id, const char *zone, const char *record, const char *value, bool add, uint64_t now, struct dns_tsig *tsig,
		     uint8_t out[DNS_MESSAGE_MAX])
{
	struct out o = { .p = out, .max = DNS_MESSAGE_MAX };
	size_t len = strlen(value);
	uint8_t text_len = (uint8_t)len;

	if (len > 255)
		return -EINVAL;
	put16(&o, id);
	put16(&o, OPCODE_UPDATE);
	put16(&o, 1);                            /* ZOCOUNT */
	put16(&o, 0);
	put16(&o, 1);                            /* UPCOUNT */
	put16(&o, 0);
	put_name(&o, zone);
	put16(&o, TYPE_SOA);
	put16(&o, CLASS_IN);
	/* 2.5.1 adds to the RRset; 2.5.4 deletes this one record from it. */
	put_name(&o, record);
	put16(&o, TYPE_TXT);
	put16(&o, add ? CLASS_IN : CLASS_NONE);
	put32(&o, add ? TXT_TTL_S : 0);
	put16(&o, (unsigned)len + 1);
	put(&o, &text_len, 1);
	put(&o, value, len);
	if (o.is_bad)
		return -EINVAL;
	int r = tsig ? sign(&o, id, now, tsig) : 0;
	return r < 0 ? r : (int)o.len;
}

/* ---- reading ---------------------------------------------------------------------------------------------------- */
struct in {
	const uint8_t *p;
	size_t len, at;
	bool is_bad;
};
static unsigned get16(struct in *i)
{
	if (i->len - i->at < 2) {
		i->is_bad = true;
		return 0;
	}
	i->at += 2;
	return (unsigned)i->p[i->at - 2] << 8 | i->p[i->at - 1];
}
static void skip(struct in *i, size_t n)
{
	if (n > i->len - i->at)
		i->is_bad = true;
	else
		i->at += n;
}
/* Over a name, compressed or not; what it says does not matter to us. */
static void skip_name(struct in *i)
{
	while (!i->is_bad) {
		if (i->at == i->len) {
			i->is_bad = true;
			return;
		}
		uint8_t n = i->p[i->at];
		if ((n & 0xc0) == 0xc0) {
			skip(i, 2);
			return;
		}
		if (n & 0xc0) {
			i->is_bad = true;
			return;
		}
		skip(i, (size_t)n + 1);
		if (n == 0)
			return;
	}
}

/* Does the name at this place, uncompressed, say the same?  TSIG's names are never compressed. */
static bool name_is(struct in *i, const char *name)
{
	uint8_t want[256];
	struct out o = { .p = want, .max = sizeof(want) };
	size_t start = i->at;

	put_name(&o, name);
	skip_name(i);
	if (i->is_bad || o.is_bad || i->at - start != o.len)
		return false;
	for (size_t k = 0; k < o.len; k++)
		if (tolower(i->p[start + k]) != want[k])
			return false;
	return true;
}

/* The signature covers our MAC, the message as it was before it was signed, and the variables. */
static int verify(const uint8_t *msg, size_t len, size_t tsig_at, uint16_t id, const struct dns_tsig *t, struct dns_verdict *v)
{
	struct in i = { .p = msg, .len = len, .at = tsig_at };
	uint8_t head[HEADER_BYTES], vars[1024], mac[TLS_HASH_MAX];
	struct out o = { .p = vars, .max = sizeof(vars) };
	int a = algorithm_at(t->algorithm);
	bool named = name_is(&i, t->key_name);

	skip(&i, 2);                             /* the type, which was looked at */
	named &= get16(&i) == CLASS_ANY;         /* these three are signed as if they stood so */
	named &= get16(&i) == 0;
	named &= get16(&i) == 0;
	skip(&i, 2);
	named &= !i.is_bad && name_is(&i, t->algorithm);
	if (i.is_bad || i.len - i.at < 10)
		return -EBADMSG;
	const uint8_t *p = i.p + i.at;
	uint64_t time = (uint64_t)p[0] << 40 | (uint64_t)p[1] << 32 | (uint64_t)p[2] << 24 | (uint64_t)p[3] << 16 | (uint64_t)p[4] << 8 | p[5];
	skip(&i, 8);                             /* time, fudge: its clock is not our judge */
	size_t mac_len = get16(&i), mac_at = i.at;
	skip(&i, mac_len);
	named &= get16(&i) == id;                /* nobody stands between who may change it */
	v->tsig_error = get16(&i);
	size_t other_len = get16(&i), other_at = i.at;
	skip(&i, other_len);
	if (i.is_bad || i.at != i.len || a < 0)
		return -EBADMSG;
	/* An error about the key itself comes unsigned (5.3.2): believed, since it grants nothing. */
	if (mac_len == 0 && v->tsig_error)
		return 0;
	if (!named || mac_len != tls_hash_bytes(algorithms[a].hash))
		return -EBADMSG;
	const uint8_t fudge[2] = { msg[mac_at - 4], msg[mac_at - 3] };
	put_variables(&o, t, time, v->tsig_error, msg + other_at, other_len);
	if (o.is_bad || o.len < 6 + other_len)
		return -EBADMSG;
	memcpy(vars + o.len - other_len - 6, fudge, 2); /* theirs, not ours */
	memcpy(head, msg, HEADER_BYTES);
	unsigned more = ((unsigned)head[10] << 8 | head[11]) - 1;
	head[0] = (uint8_t)(id >> 8);
	head[1] = (uint8_t)id;
	head[10] = (uint8_t)(more >> 8);
	head[11] = (uint8_t)more;
	const uint8_t ours[2] = { (uint8_t)(t->mac_len >> 8), (uint8_t)t->mac_len };
	const struct tls_part parts[] = { { ours, 2 }, { t->mac, t->mac_len }, { head, HEADER_BYTES }, { msg + HEADER_BYTES, tsig_at - HEADER_BYTES }, { vars, o.len } };
	if (tls_hmac(algorithms[a].hash, t->secret, t->secret_len, parts, ARRAY_COUNT(parts), mac) < 0)
		return -EBADMSG;
	return tls_equal(mac, msg + mac_at, mac_len) ? 0 : -EBADMSG;
}

int dns_answer_parse(const uint8_t *msg, size_t len, uint16_t id, const struct dns_tsig *tsig, struct dns_verdict *ret)
{
	struct in i = { .p = msg, .len = len };
	struct dns_verdict v = { 0 };
	unsigned count[4], type = 0;
	size_t last = 0;

	if (len < HEADER_BYTES || get16(&i) != id)
		return -EBADMSG;
	unsigned flags = get16(&i);
	if (!(flags & 0x8000) || (flags & 0x7800) != OPCODE_UPDATE)
		return -EBADMSG;
	v.rcode = flags & 15;
	for (int k = 0; k < 4; k++)
		count[k] = get16(&i);
	for (unsigned k = 0; k < count[0] && !i.is_bad; k++) {
		skip_name(&i);
		skip(&i, 4);
	}
	unsigned records = count[1] + count[2] + count[3];
	for (unsigned k = 0; k < records && !i.is_bad; k++) {
		last = i.at;
		skip_name(&i);
		type = get16(&i);
		skip(&i, 6);
		skip(&i, get16(&i));
	}
	if (i.is_bad || i.at != len)
		return -EBADMSG;
	if (tsig) {
		if (!count[3] || type != TYPE_TSIG) {
			/* Refusals may come unsigned from a server that does not know the key at all. */
			if (v.rcode == 0)
				return -EBADMSG;
		} else {
			int r = verify(msg, len, last, id, tsig, &v);
			if (r < 0)
				return r;
		}
	}
	*ret = v;
	return 0;
}

const char *dns_rcode_text(unsigned rcode)
{
	static const char *const names[] = { "NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED", "YXDOMAIN", "YXRRSET", "NXRRSET", "NOTAUTH", "NOTZONE" };

	return rcode < ARRAY_COUNT(names) ? names[rcode] : "an unknown code";
}
