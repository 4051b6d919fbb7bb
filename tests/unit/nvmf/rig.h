/* SPDX-License-Identifier: GPL-3.0-or-later */
/* rig.h - the real subsystem on real reactors over loopback, and a host that says what it is told to,
 * wrong things included: one PDU out, one PDU in. */
#ifndef HOLDFAST_TESTS_NVMF_RIG_H
#define HOLDFAST_TESTS_NVMF_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/tcp.h>
#include <pthread.h>

#include "block/block.h"
#include "core/core.h"
#include "nvme/nvme.h"
#include "nvmf/nvmf.h"
#include "wire/nvme.h"
#include "wire/nvme_fabrics.h"
#include "wire/nvme_log.h"
#include "wire/nvme_tcp.h"

#define SUBSYSTEM "nqn.2026-11.com.example:s1"
#define HOST "nqn.2014-08.org.nvmexpress:uuid:11111111-2222-3333-4444-555555555555"
#define BLOCKS 16384u

struct rig {
	struct reactor *reactor[2];
	struct volume *volume;
	struct nvmf_ns ns;
	struct nvmf_subsystem *subsystem;
	struct nvmf_portal *portal, *discovery;
	pthread_mutex_t lock;
	unsigned events[NVMF_LOST + 1];
	char reason[256];                /* of the last refusal or loss */
};

static inline void rig_event(void *arg, const struct nvmf_event *e)
{
	struct rig *g = arg;
	pthread_mutex_lock(&g->lock);
	g->events[e->kind]++;
	if (e->reason && e->reason[0])
		snprintf(g->reason, sizeof(g->reason), "%s", e->reason);
	pthread_mutex_unlock(&g->lock);
}
static inline unsigned rig_events(struct rig *g, enum nvmf_event_kind k)
{
	pthread_mutex_lock(&g->lock);
	unsigned n = g->events[k];
	pthread_mutex_unlock(&g->lock);
	return n;
}
static inline struct nvmf_subsystem_spec rig_spec(struct rig *g)
{
	return (struct nvmf_subsystem_spec){
		.nqn = SUBSYSTEM, .serial = "HF0001", .enabled = true, .allow_any = true, .namespaces = &g->ns, .namespace_count = 1,
	};
}

static inline void rig_start(struct rig *g)
{
	static char dir[512];
	const char *build = getenv("HF_BUILDDIR");
	snprintf(dir, sizeof(dir), "%s/plugins", build ? build : HF_BUILDDIR);
	const char *dirs[] = { dir };
	memset(g, 0, sizeof(*g));
	pthread_mutex_init(&g->lock, NULL);
	for (unsigned i = 0; i < 2; i++) {
		const struct reactor_opts o = { .name = i ? "rig1" : "rig0", .engine = REACTOR_AUTO, .cpu = -1 };
		assert_int_equal(reactor_new(&o, &g->reactor[i]), 0);
		assert_int_equal(reactor_start(g->reactor[i]), 0);
	}
	const struct block_opts b = { .reactors = g->reactor, .reactor_count = 2, .plugin_dirs = dirs, .plugin_dir_count = 1 };
	assert_int_equal(block_start(&b), 0);
	assert_int_equal(nvme_start(g->reactor, 2), 0);
	const struct nvmf_opts o = { .reactors = g->reactor, .reactor_count = 2, .event = rig_event, .event_arg = g, .max_queues = 8 };
	assert_int_equal(nvmf_start(&o), 0);
	const struct volume_spec v = { .name = "v", .uuid = "11111111-2222-4333-8444-555555555550", .plugin = "ram",
				       .size_bytes = BLOCKS * 512ull, .block_bytes = 512 };
	assert_int_equal(volume_open(&v, &g->volume), 0);
	assert_int_equal(volume_state(g->volume), VOLUME_ONLINE);
	g->ns = (struct nvmf_ns){ .nsid = 1, .volume = g->volume };
	char why[256] = "";
	const struct nvmf_subsystem_spec s = rig_spec(g);
	if (nvmf_subsystem_add(&s, &g->subsystem, why, sizeof(why)))
		fail_msg("subsystem: %s", why);
	struct nvmf_portal_spec p = { .address = "127.0.0.1", .listen_fd = -1 };
	assert_int_equal(nvmf_portal_add(&p, &g->portal), 0);
	p.discovery_only = true;
	assert_int_equal(nvmf_portal_add(&p, &g->discovery), 0);
}
static inline void rig_stop(struct rig *g)
{
	assert_true(nvmf_stop(60000));
	volume_close(g->volume, 1000);
	volume_unref(g->volume);
	nvme_stop();
	for (unsigned i = 0; i < 2; i++)
		reactor_stop(g->reactor[i]);
	block_stop();
	for (unsigned i = 0; i < 2; i++)
		reactor_free(g->reactor[i]);
	pthread_mutex_destroy(&g->lock);
}
static inline void rig_sleep_ms(unsigned ms)
{
	nanosleep(&(struct timespec){ ms / 1000, (ms % 1000) * 1000000L }, NULL);
}
/* Waits until cond is true, at most 5 s. */
#define rig_wait(cond)                                                 \
	do {                                                           \
		unsigned ms_ = 0;                                      \
		while (!(cond) && ms_++ < 5000)                        \
			rig_sleep_ms(1);                               \
		if (!(cond))                                           \
			fail_msg("waited in vain for %s", #cond);      \
	} while (0)

/* ---- the host -------------------------------------------------------------------------------------- */
struct host {
	int fd;
	bool header_digest, data_digest;
	bool one_by_one;                 /* every byte in a send of its own */
	uint16_t cid;
	const char *nqn;
	struct nvme_cqe cqe;             /* of the last response */
	uint8_t head[160];               /* of the last PDU */
	uint8_t data[1 << 20];           /* of the last PDU, or of a read so far */
	uint32_t data_bytes;
};
static inline void host_send(struct host *h, const void *p, size_t len)
{
	const uint8_t *b = p;
	while (len) {
		ssize_t n = TEMP_FAILURE_RETRY(send(h->fd, b, h->one_by_one ? 1 : len, MSG_NOSIGNAL));
		if (n <= 0)
			fail_msg("send: %s", strerror(errno));
		b += n;
		len -= (size_t)n;
	}
}
static inline bool host_read(struct host *h, void *p, size_t len)
{
	uint8_t *b = p;
	while (len) {
		/* A socket with a time-out is interrupted by work that the kernel does for the thread, too. */
		ssize_t n = TEMP_FAILURE_RETRY(recv(h->fd, b, len, 0));
		if (n <= 0)
			return false;
		b += n;
		len -= (size_t)n;
	}
	return true;
}
/* The next PDU; its type, or -1: the connection is closed.  Digests are checked. */
static inline int host_recv(struct host *h)
{
	if (!host_read(h, h->head, 8))
		return -1;
	const struct nvme_tcp_ch *ch = (const void *)h->head;
	uint32_t len = le32_get(ch->len_bytes), head = ch->header_bytes;
	bool hd = ch->flags & NVME_TCP_HDGST, dd = ch->flags & NVME_TCP_DDGST;
	assert_true(head >= 8 && head <= 128 && len >= head);
	assert_true(host_read(h, h->head + 8, head - 8 + (hd ? 4 : 0)));
	if (hd) {
		uint32_t crc = crc32c(0, h->head, head);
		assert_memory_equal(h->head + head, &crc, 4);
	}
	uint32_t at = head + (hd ? 4 : 0);
	if (ch->data_offset) {
		uint8_t pad[256];
		assert_true(ch->data_offset >= at);
		assert_true(host_read(h, pad, ch->data_offset - at));
		at = ch->data_offset;
	}
	h->data_bytes = len - at - (dd ? 4 : 0);
	assert_true(h->data_bytes <= sizeof(h->data));
	assert_true(host_read(h, h->data, h->data_bytes));
	if (dd) {
		uint32_t came, crc = crc32c(0, h->data, h->data_bytes);
		assert_true(host_read(h, &came, 4));
		assert_int_equal(came, crc);
	}
	return ch->type;
}
static inline void host_dial(struct host *h, uint16_t port)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	memset(h, 0, sizeof(*h));
	h->nqn = HOST;
	h->fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_true(h->fd >= 0);
	setsockopt(h->fd, SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){ 10, 0 }, sizeof(struct timeval));
	setsockopt(h->fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
	assert_int_equal(connect(h->fd, (struct sockaddr *)&in, sizeof(in)), 0);
}
static inline void host_greet(struct host *h, uint8_t digests, uint8_t alignment)
{
	const struct nvme_tcp_ic ic = { .ch = { .type = NVME_TCP_IC_REQ, .header_bytes = 128, .len_bytes = le32_of(128) },
					.alignment = alignment, .digests = digests };
	host_send(h, &ic, sizeof(ic));
	assert_int_equal(host_recv(h), NVME_TCP_IC_RESP);
	const struct nvme_tcp_ic *r = (const void *)h->head;
	assert_int_equal(le16_get(r->version), 0);
	assert_int_equal(r->digests, digests);
	assert_true(le32_get(r->limit) >= 4096);
	h->header_digest = digests & NVME_TCP_IC_HDGST;
	h->data_digest = digests & NVME_TCP_IC_DDGST;
}
static inline void host_close(struct host *h)
{
	close(h->fd);
}
/* Any PDU: header (with its common header filled but for flags, offset and length), then data. */
static inline void host_pdu(struct host *h, void *header, uint8_t header_bytes, const void *data, uint32_t data_bytes)
{
	struct nvme_tcp_ch *ch = header;
	uint32_t at = header_bytes + (h->header_digest ? 4u : 0), crc;
	ch->header_bytes = header_bytes;
	ch->flags |= (uint8_t)((h->header_digest ? NVME_TCP_HDGST : 0) | (h->data_digest && data_bytes ? NVME_TCP_DDGST : 0));
	ch->data_offset = data_bytes ? (uint8_t)at : 0;
	ch->len_bytes = le32_of(at + data_bytes + (h->data_digest && data_bytes ? 4u : 0));
	host_send(h, header, header_bytes);
	crc = crc32c(0, header, header_bytes);
	if (h->header_digest)
		host_send(h, &crc, 4);
	if (!data_bytes)
		return;
	host_send(h, data, data_bytes);
	crc = crc32c(0, data, data_bytes);
	if (h->data_digest)
		host_send(h, &crc, 4);
}
/* Sends a command; capsule: data that goes along; by R2T or to the host: len_bytes only. */
static inline void host_command(struct host *h, struct nvme_sqe *sqe, const void *capsule, uint32_t len)
{
	struct nvme_tcp_cmd c = { .ch = { .type = NVME_TCP_CMD }, .sqe = *sqe };
	const struct nvme_sgl s = { .len_bytes = le32_of(len), .type = capsule ? 0x01 : 0x5a };
	memcpy(c.sqe.sgl1, &s, sizeof(s));
	c.sqe.flags |= NVME_PSDT_SGL;
	c.sqe.cid = le16_of(++h->cid);
	host_pdu(h, &c, sizeof(c), capsule, capsule ? len : 0);
}
/* The response; data that comes before it is collected at data[].  Answers R2Ts with out. Returns the status. */
static inline uint16_t host_answer(struct host *h, const void *out)
{
	static uint8_t got[1 << 20];
	uint32_t have = 0;
	for (;;) {
		int type = host_recv(h);
		const struct nvme_tcp_data *d = (const void *)h->head;
		if (type == NVME_TCP_RESP) {
			memcpy(&h->cqe, h->head + 8, sizeof(h->cqe));
			assert_int_equal(le16_get(h->cqe.cid), h->cid);
			memcpy(h->data, got, have);
			h->data_bytes = have;
			return (uint16_t)(le16_get(h->cqe.status) >> 1);
		}
		if (type == NVME_TCP_C2H_DATA) {
			assert_int_equal(le32_get(d->offset_bytes), have);
			assert_int_equal(le32_get(d->len_bytes), h->data_bytes);
			assert_true(have + h->data_bytes <= sizeof(got));
			memcpy(got + have, h->data, h->data_bytes);
			have += h->data_bytes;
			if (d->ch.flags & NVME_TCP_SUCCESS) {
				memcpy(h->data, got, have);
				h->data_bytes = have;
				return 0;
			}
			continue;
		}
		assert_int_equal(type, NVME_TCP_R2T);
		assert_non_null(out);
		uint32_t at = le32_get(d->offset_bytes), left = le32_get(d->len_bytes);
		le16 tag = d->tag, cid = d->cid;
		while (left) {           /* in pieces that fit no boundary */
			uint32_t n = left > 60000 ? 60000 : left;
			struct nvme_tcp_data p = { .ch = { .type = NVME_TCP_H2C_DATA, .flags = left == n ? NVME_TCP_LAST : 0 },
						   .cid = cid, .tag = tag, .offset_bytes = le32_of(at), .len_bytes = le32_of(n) };
			host_pdu(h, &p, sizeof(p), (const uint8_t *)out + at, n);
			at += n;
			left -= n;
		}
	}
}
static inline uint64_t host_result(const struct host *h)
{
	return le64_get(h->cqe.result);
}
static inline uint16_t host_connect(struct host *h, const char *subsystem, uint16_t qid, uint16_t cntlid, uint16_t entries, uint8_t attributes)
{
	struct nvme_fabrics_connect k = { .opcode = NVME_FABRICS, .type = NVME_FCT_CONNECT, .qid = le16_of(qid),
					  .sq_size = le16_of((uint16_t)(entries - 1)), .attributes = attributes, .kato_ms = le32_of(qid ? 0 : 30000) };
	struct nvme_connect_data d = { .host_id = { 1, 2, 3 }, .cntlid = le16_of(cntlid) };
	memcpy(d.subsystem_nqn, subsystem, strlen(subsystem));
	memcpy(d.host_nqn, h->nqn, strlen(h->nqn));
	host_command(h, (void *)&k, &d, sizeof(d));
	return host_answer(h, NULL);
}
static inline uint16_t host_property(struct host *h, bool set, uint32_t at, bool eight, uint64_t value)
{
	struct nvme_fabrics_property p = { .opcode = NVME_FABRICS, .type = set ? NVME_FCT_PROPERTY_SET : NVME_FCT_PROPERTY_GET,
					   .attributes = eight, .offset = le32_of(at), .value = le64_of(value) };
	host_command(h, (void *)&p, NULL, 0);
	return host_answer(h, NULL);
}
#define CC_ON (NVME_CC_EN | NVME_CC_IOSQES_64 | NVME_CC_IOCQES_16)
/* Dials, greets, connects and enables: an admin queue in use.  Returns the controller's id. */
static inline uint16_t host_admin(struct host *h, uint16_t port, const char *subsystem, uint8_t digests)
{
	host_dial(h, port);
	host_greet(h, digests, 0);
	assert_int_equal(host_connect(h, subsystem, 0, 0xffff, 32, 0), 0);
	uint16_t cntlid = (uint16_t)host_result(h);
	assert_int_equal(host_property(h, true, NVME_PROPERTY_CC, false, CC_ON), 0);
	assert_int_equal(host_property(h, false, 0x1c, false, 0), 0);
	assert_int_equal(host_result(h) & 1, 1);
	struct nvme_sqe queues = { .opcode = NVME_ADM_SET_FEATURES, .cdw10 = le32_of(NVME_FEAT_QUEUES), .cdw11 = le32_of(0x00070007) };
	if (strcmp(subsystem, NVME_NQN_DISCOVERY) != 0) {
		host_command(h, &queues, NULL, 0);
		assert_int_equal(host_answer(h, NULL), 0);
	}
	return cntlid;
}
static inline void host_io(struct host *h, uint16_t port, uint16_t qid, uint16_t cntlid, uint8_t digests)
{
	host_dial(h, port);
	host_greet(h, digests, 0);
	assert_int_equal(host_connect(h, SUBSYSTEM, qid, cntlid, 128, 0), 0);
}
/* buf: data out, by capsule or R2T; NULL: read.  Returns the status. */
static inline uint16_t host_rw(struct host *h, uint8_t opcode, uint64_t lba, uint32_t blocks, const void *buf, bool capsule)
{
	struct nvme_sqe s = { .opcode = opcode, .nsid = le32_of(1), .cdw10 = le32_of((uint32_t)lba), .cdw12 = le32_of(blocks - 1) };
	host_command(h, &s, capsule ? buf : NULL, blocks * 512);
	return host_answer(h, buf);
}

#endif
