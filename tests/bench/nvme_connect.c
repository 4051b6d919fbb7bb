/* SPDX-License-Identifier: GPL-3.0-or-later */
/* nvme_connect.c - from a socket to an I/O queue: ICReq, Connect, enabling the controller, Identify.
 * NVMe/TCP 3.3 and 3.6, Base 3.3 and 6.3.  Blocking; nothing here is measured.
 *
 * All connections of a load are queues of one controller: the first brings the admin queue. */
#include "nvme_wire.h"

#include <string.h>

#include "core/crc32c.h"

enum { CONNECT_DATA_BYTES = 1024, IDENTIFY_BYTES = 4096, ADMIN_QUEUE = 0, KEEP_ALIVE_NONE = 0 };
#define IDENTIFY_NAMESPACE 0
#define IDENTIFY_CONTROLLER 1

const char proto_program[] = "nvme_load";
const char proto_usage[] =
	"who:   --nsid N  --initiator NQN\n"
	"wire:  --header-digest --data-digest\n";
const struct load_option proto_options[] = {
	{ "nsid", OPT_UINT, offsetof(struct load_opts, lun) },
	{ 0 },
};

void proto_defaults(struct load_opts *o)
{
	o->initiator = "nqn.2014-08.org.nvmexpress:uuid:686f6c64-6661-7374-0000-000000000001";
	o->lun = 1;
}

bool proto_options_sane(const struct load_opts *o)
{
	return o->lun > 0 && strlen(o->target) < 224 && strlen(o->initiator) < 224 && o->depth < 1024;
}

/* ---- one exchange on a blocking socket -------------------------------------------------------------- */
struct wire {
	struct load *load;
	int fd;
	bool header_digest, data_digest;
};

static int put_command(const struct wire *w, struct pdu_command *c, const void *data, uint32_t len)
{
	uint8_t head_digest = w->header_digest ? 4 : 0, data_digest = len && w->data_digest ? 4 : 0;
	uint8_t at = len ? (uint8_t)(COMMAND_BYTES + head_digest) : 0;
	c->h = (struct pdu_head){ PDU_COMMAND, (uint8_t)((head_digest ? PDU_FLAG_HDGST : 0) |
							  (data_digest ? PDU_FLAG_DDGST : 0)),
				  COMMAND_BYTES, at, le32_of(COMMAND_BYTES + head_digest + len + data_digest) };
	c->sqe.flags = 0x40;                  /* SGLs */
	le32 crc = le32_of(crc32c(0, c, COMMAND_BYTES));
	int r = sock_send(w->load, w->fd, c, COMMAND_BYTES);
	r = r < 0 ? r : sock_send(w->load, w->fd, &crc, head_digest);
	r = r < 0 ? r : sock_send(w->load, w->fd, data, len);
	crc = le32_of(crc32c(0, data, len));
	return r < 0 ? r : sock_send(w->load, w->fd, &crc, data_digest);
}

/* Takes data PDUs until the response has come; a success flag stands for one. */
static int get_response(const struct wire *w, uint8_t *data, uint32_t len, struct cqe *ret_cqe)
{
	uint32_t got = 0;
	for (;;) {
		union {
			struct pdu_head h;
			struct pdu_response response;
			struct pdu_data data;
			uint8_t bytes[IC_BYTES];
		} p;
		uint8_t rest[8];
		int r = sock_recv(w->load, w->fd, &p, sizeof(p.h));
		if (r < 0)
			return r;
		uint32_t total = le32_get(p.h.total_len);
		if ((p.h.type != PDU_RESPONSE && p.h.type != PDU_C2H_DATA) || p.h.head_len != RESPONSE_BYTES)
			return load_fail(w->load, EPROTO, "PDU of type %u while connecting", p.h.type);
		r = sock_recv(w->load, w->fd, p.bytes + sizeof(p.h), RESPONSE_BYTES - sizeof(p.h));
		if (r < 0)
			return r;
		uint32_t head = RESPONSE_BYTES + (w->header_digest ? 4 : 0);
		if (p.h.type == PDU_RESPONSE) {
			*ret_cqe = p.response.cqe;
			return total > RESPONSE_BYTES ? sock_recv(w->load, w->fd, rest, total - RESPONSE_BYTES) : 0;
		}
		uint32_t n = le32_get(p.data.length), digest = w->data_digest ? 4 : 0;
		if (p.h.data_at < head || p.h.data_at > head + 128 || !range_fits(le32_get(p.data.offset), n, len) ||
		    total != p.h.data_at + n + digest)
			return load_fail(w->load, EPROTO, "a data PDU that makes no sense while connecting");
		uint8_t pad[160];
		r = sock_recv(w->load, w->fd, pad, p.h.data_at - RESPONSE_BYTES);
		r = r < 0 ? r : sock_recv(w->load, w->fd, data + le32_get(p.data.offset), n);
		r = r < 0 ? r : sock_recv(w->load, w->fd, rest, digest);
		if (r < 0)
			return r;
		got += n;
		if ((p.h.flags & PDU_FLAG_SUCCESS) && (p.h.flags & PDU_FLAG_LAST)) {
			*ret_cqe = (struct cqe){ 0 };
			return got == len ? 0 : load_fail(w->load, EPROTO, "%u of %u bytes came", got, len);
		}
	}
}

static int exchange(const struct wire *w, struct pdu_command *c, const void *out, uint32_t out_len, uint8_t *in,
		    uint32_t in_len, struct cqe *ret_cqe, const char *what)
{
	c->sqe.length = le32_of(out_len ? out_len : in_len);
	c->sqe.sgl_type = out_len ? SGL_IN_CAPSULE : SGL_TRANSPORT;
	int r = put_command(w, c, out, out_len);
	r = r < 0 ? r : get_response(w, in, in_len, ret_cqe);
	if (r < 0)
		return r;
	unsigned status = le16_get(ret_cqe->status) >> 1;
	return status ? load_fail(w->load, EACCES, "%s refused: status %#x", what, status) : 0;
}

/* ---- steps ------------------------------------------------------------------------------------------ */
static int initialize(struct conn *c, int fd, struct wire *ret_wire)
{
	const struct load_opts *o = &c->load->opts;
	struct pdu_ic ic = { .h = { PDU_ICREQ, 0, IC_BYTES, 0, le32_of(IC_BYTES) },
			     .digests = (uint8_t)((o->header_digest ? 1 : 0) | (o->data_digest ? 2 : 0)) };
	int r = sock_send(c->load, fd, &ic, sizeof(ic));
	r = r < 0 ? r : sock_recv(c->load, fd, &ic, sizeof(ic));
	if (r < 0)
		return r;
	if (ic.h.type != PDU_ICRESP || le32_get(ic.h.total_len) != IC_BYTES || le16_get(ic.version) != 0)
		return load_fail(c->load, EPROTO, "PDU of type %u where ICResp is due", ic.h.type);
	c->header_digest = ic.digests & 1;
	c->data_digest = ic.digests & 2;
	if (c->header_digest != o->header_digest || c->data_digest != o->data_digest)
		return load_fail(c->load, EPROTO, "the target does not agree to the digests asked for");
	c->nvme.max_h2c_bytes = le32_get(ic.max);
	c->nvme.data_align = 4u * (ic.align + 1u);
	if (c->nvme.max_h2c_bytes < 4096 || ic.align > 31)
		return load_fail(c->load, EPROTO, "the target's limits make no sense");
	*ret_wire = (struct wire){ c->load, fd, c->header_digest, c->data_digest };
	return 0;
}

static int queue_connect(struct conn *c, const struct wire *w, unsigned queue, unsigned entries)
{
	const struct load_opts *o = &c->load->opts;
	struct pdu_command cmd = { .sqe = { .opcode = CMD_FABRICS, .nsid = le32_of(FABRICS_CONNECT),
					    .dw = { le32_of(queue << 16), le32_of(entries - 1),
						    le32_of(KEEP_ALIVE_NONE) } } };
	uint8_t data[CONNECT_DATA_BYTES] = { 0 };
	memset(data, 0x5a, 16);               /* the host identifier */
	le16 cntlid = le16_of(queue ? c->load->conns[0].nvme.cntlid : CNTLID_ANY);
	memcpy(data + 16, &cntlid, 2);
	memcpy(data + 256, o->target, strlen(o->target));
	memcpy(data + 512, o->initiator, strlen(o->initiator));
	struct cqe cqe;
	int r = exchange(w, &cmd, data, sizeof(data), NULL, 0, &cqe, "Connect");
	if (r == 0 && !queue)
		c->nvme.cntlid = (uint16_t)le32_get(cqe.dw0);
	return r;
}

static int enable(struct conn *c, const struct wire *w)
{
	struct pdu_command set = { .sqe = { .opcode = CMD_FABRICS, .nsid = le32_of(FABRICS_PROPERTY_SET),
					    .dw = { [1] = le32_of(PROPERTY_CC), [2] = le32_of(CC_ENABLE) } } };
	struct cqe cqe;
	int r = exchange(w, &set, NULL, 0, NULL, 0, &cqe, "enabling the controller");
	for (int tries = 0; r == 0 && tries < 100; tries++) {
		struct pdu_command get = { .sqe = { .opcode = CMD_FABRICS, .nsid = le32_of(FABRICS_PROPERTY_GET),
						    .dw = { [1] = le32_of(PROPERTY_CSTS) } } };
		r = exchange(w, &get, NULL, 0, NULL, 0, &cqe, "reading CSTS");
		if (r == 0 && le32_get(cqe.dw0) & CSTS_READY)
			return 0;
		usleep(10000);
	}
	return r < 0 ? r : load_fail(c->load, ETIMEDOUT, "the controller does not become ready");
}

static int identify(struct conn *c, const struct wire *w, unsigned cns, uint8_t data[IDENTIFY_BYTES])
{
	struct pdu_command cmd = { .sqe = { .opcode = ADMIN_IDENTIFY,
					    .nsid = le32_of(cns == IDENTIFY_CONTROLLER ? 0 : c->load->opts.lun),
					    .dw = { le32_of(cns) } } };
	struct cqe cqe;
	return exchange(w, &cmd, NULL, 0, data, IDENTIFY_BYTES, &cqe, "Identify");
}

/* The admin queue of the controller, and what is to be known from it. */
static int admin_open(struct conn *c)
{
	struct load *l = c->load;
	int fd = sock_connect(l);
	if (fd < 0)
		return fd;
	c->nvme.admin_fd = fd;
	struct wire w;
	int r = initialize(c, fd, &w);
	r = r < 0 ? r : queue_connect(c, &w, ADMIN_QUEUE, 32);
	r = r < 0 ? r : enable(c, &w);
	struct cqe cqe;
	uint32_t queues = l->opts.connections - 1;
	struct pdu_command set = { .sqe = { .opcode = ADMIN_SET_FEATURES,
					    .dw = { le32_of(FEATURE_QUEUES), le32_of(queues << 16 | queues) } } };
	r = r < 0 ? r : exchange(&w, &set, NULL, 0, NULL, 0, &cqe, "Number of Queues");
	if (r == 0 && (le32_get(cqe.dw0) & 0xffff) < queues)
		r = load_fail(l, EINVAL, "the target gives %u queues only", (le32_get(cqe.dw0) & 0xffff) + 1);
	uint8_t data[IDENTIFY_BYTES];
	r = r < 0 ? r : identify(c, &w, IDENTIFY_CONTROLLER, data);
	if (r < 0)
		return r;
	le32 capsule;
	memcpy(&capsule, data + 1792, 4);     /* IOCCSZ, in 16 bytes, the command included */
	c->nvme.capsule_bytes = le32_get(capsule) * 16 > 64 ? le32_get(capsule) * 16 - 64 : 0;
	uint8_t mdts = data[77];
	if (mdts && (uint64_t)l->opts.io_bytes > (uint64_t)4096 << mdts)
		return load_fail(l, EINVAL, "the target takes %u bytes at most (MDTS)", 4096u << mdts);
	r = identify(c, &w, IDENTIFY_NAMESPACE, data);
	if (r < 0)
		return r;
	le64 blocks;
	memcpy(&blocks, data, 8);
	le32 format;
	memcpy(&format, data + 128 + 4 * (data[26] & 0xf), 4);
	l->block_bytes = 1u << (le32_get(format) >> 16 & 0x1f);
	l->volume_blocks = le64_get(blocks);
	return l->volume_blocks ? 0 : load_fail(l, ENODEV, "no namespace %u", l->opts.lun);
}

int proto_login(struct conn *c)
{
	if (c->index == 0) {
		int r = admin_open(c);
		if (r < 0)
			return r;
	} else {
		c->nvme.capsule_bytes = c->load->conns[0].nvme.capsule_bytes;
	}
	struct wire w;
	int r = initialize(c, c->fd, &w);
	return r < 0 ? r : queue_connect(c, &w, c->index + 1, c->load->opts.depth + 1);
}

int proto_probe(struct conn *c, uint32_t *ret_block_bytes, uint64_t *ret_blocks)
{
	*ret_block_bytes = c->load->block_bytes;
	*ret_blocks = c->load->volume_blocks;
	return 0;
}

/* A controller that is shut down lets go of its queues; closing the connections does the same. */
int proto_logout(struct conn *c)
{
	(void)c;
	return 0;
}

void proto_close(struct conn *c)
{
	if (c->nvme.admin_fd > 0)
		close(c->nvme.admin_fd);
	c->nvme.admin_fd = 0;
}
