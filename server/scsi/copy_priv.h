/* SPDX-License-Identifier: GPL-3.0-or-later */
/* copy_priv.h - third-party copies: records of them, the engine that runs them, and ROD tokens.
 * Shared by copy.c, copy_record.c, xcopy.c, odx.c, token.c, vpd_copy.c. */
#ifndef HOLDFAST_SCSI_COPY_PRIV_H
#define HOLDFAST_SCSI_COPY_PRIV_H

#include "scsi/ops_priv.h"

/* ---- limits, told by VPD 8Fh and RECEIVE COPY OPERATING PARAMETERS ------------------------------- */
#define COPY_TARGETS_MAX 16u
#define COPY_SEGMENTS_MAX 64u
#define COPY_LIST_MAX 4096u
#define COPY_SEGMENT_MAX_BYTES (256u << 20)
#define COPY_RECORDS_MAX 32u             /* per nexus */
#define COPY_PIECE_BYTES (4u << 20)      /* checks, aborts and other commands come between pieces */
#define TOKEN_BYTES 512u
#define TOKENS_MAX 256u                  /* per unit */
#define TOKEN_RANGES_MAX 256u
#define TOKEN_MAX_BYTES (256ull << 20)
#define TOKEN_GOOD_BYTES (64ull << 20)
#define TOKEN_TIMEOUT_S 60u
#define TOKEN_TIMEOUT_MAX_S 3600u
/* Windows gives up on an offloaded write after 4 s: before that it is told how far we came. */
#define TOKEN_WRITE_NS 3000000000ull

enum { CSCD_IDENTIFICATION = 0xe4, SEGMENT_BLOCKS = 0x02, SEGMENT_BYTES = 0x0a, CSCD_BYTES = 32,
       CSCD_THIS_UNIT = 0xf800 };
enum { ROD_POINT_IN_TIME = 0x00800000, ROD_CHANGE_VULNERABLE = 0x00800001, ROD_ANY = 0x0080ffff };
#define ROD_ZERO 0xffff0001u

static inline uint64_t copy_u64(const uint8_t *b)
{
	be64 v;
	memcpy(&v, b, sizeof(v));
	return be64_get(v);
}
static inline uint32_t copy_u32(const uint8_t *b)
{
	be32 v;
	memcpy(&v, b, sizeof(v));
	return be32_get(v);
}
static inline unsigned copy_u16(const uint8_t *b)
{
	return (unsigned)(b[0] << 8 | b[1]);
}

/* ---- records: what became of a copy, until somebody asks; copy_record.c -------------------------- */
enum copy_state {                        /* COPY OPERATION STATUS, SPC-4 6.24.2 */
	COPY_DONE = 0x01, COPY_ERROR = 0x02, COPY_PARTIAL = 0x03, COPY_RUNS = 0x11, COPY_TERMINATED = 0x60,
};
struct copy_record {
	struct list link;                /* in nexus->copies */
	uint32_t list_id;
	uint8_t action;                  /* service action that began it */
	uint8_t state;                   /* enum copy_state */
	bool discard;                    /* nobody will ask */
	bool stop;                       /* COPY OPERATION ABORT */
	uint8_t block_shift;
	uint8_t status, sense_len, sense[SCSI_SENSE_MAX];
	uint16_t segments;
	uint64_t blocks;                 /* moved, or stood for by the token */
	bool has_token;
	uint8_t token[TOKEN_BYTES];
};
/* Replaces an older one of the same list identifier.  RES_IN_PROGRESS, RES_RESOURCES. */
enum scsi_result copy_record_new(struct task *p, uint32_t list_id, bool discard, struct copy_record **ret_record);
/* Notes the task's result and, with discard, frees it. */
void copy_record_end(struct copy_record *r, const struct task *p, enum copy_state state);
void copy_records_free(struct scsi_nexus *n);

/* ---- the engine; copy.c -------------------------------------------------------------------------- */
struct copy_segment {
	uint16_t source, target;         /* indices of unit[] */
	bool zero;                       /* no source: the target is zeroed */
	uint64_t source_lba, target_lba, count_blocks;
	uint32_t list_at;                /* where it stands in the parameter list */
};
struct token;
struct copy {
	struct copy_record *record;      /* the nexus's */
	struct token *token;             /* holds a reference; NULL: none */
	bool is_token_write, is_partial;
	bool deletes_token;              /* of unit[1], once all is written: until then it says whether the source stays as it was */
	uint64_t until_ns;               /* 0: no limit */
	size_t unit_count, segment_count, at;
	uint64_t segment_done;           /* blocks of the one at `at` */
	struct scsi_unit *unit[COPY_TARGETS_MAX + 2]; /* each holds a reference; NULL: not seen by this nexus */
	struct copy_segment segment[];
};
struct copy *copy_new(size_t segments);
/* Takes c.  A handler returns what this returns. */
enum step copy_start(struct task *p, struct copy *c);
void copy_free(struct copy *c);

/* ---- tokens; token.c ------------------------------------------------------------------------------- */
struct token_store *token_store_new(void);
void token_store_free(struct scsi_unit *u);
struct token {
	struct list link;
	_Atomic(unsigned) refs;
	struct volume_change change;
	uint64_t id, count_blocks;
	uint64_t timeout_ns;
	_Atomic(uint64_t) until_ns;
	uint8_t bytes[TOKEN_BYTES];
	size_t extent_count;
	struct volume_extent extent[];
};
/* RES_NO_TOKEN_ROOM, RES_RESOURCES.  The unit's store keeps the token; returns owned. */
enum scsi_result token_new(struct scsi_unit *u, const struct volume_extent *e, size_t count, uint32_t timeout_s,
			   struct token **ret_token);
/* Returns owned. */
enum scsi_result token_find(struct scsi_unit *u, const uint8_t bytes[TOKEN_BYTES], struct token **ret_token);
/* RES_OK, RES_TOKEN_REVOKED, RES_TOKEN_EXPIRED */
enum scsi_result token_check(const struct token *t);
void token_touch(struct token *t);       /* it was used: its time begins anew */
void token_delete(struct scsi_unit *u, struct token *t);         /* no one finds it any more */
void token_unref(struct token *t);
/* The disk that a token says it was made on. */
const uint8_t *token_naa(const uint8_t bytes[TOKEN_BYTES]);
uint32_t token_type(const uint8_t bytes[TOKEN_BYTES]);

#endif
