/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sense.c - from a result to status and sense bytes: one table, two formats.  SPC-4 4.5. */
#include "scsi/scsi_priv.h"

#include <string.h>

#include "wire/scsi_data.h"

static const struct {
	uint8_t status, key;
	uint16_t asc;
	const char *text;
} rows[SCSI_RESULTS] = {
#define RESULT(id, status, key, asc, text) [RES_##id] = { SCSI_##status, SCSI_KEY_##key, asc, text },
#include "scsi/results.def"
#undef RESULT
};

const char *scsi_result_text(enum scsi_result r)
{
	return rows[r].text;
}

uint8_t scsi_result_status(enum scsi_result r)
{
	return rows[r].status;
}

uint8_t scsi_result_key(enum scsi_result r)
{
	return rows[r].key;
}

uint16_t scsi_result_asc(enum scsi_result r)
{
	return rows[r].asc;
}

static void key_specific(const struct scsi_sense *s, uint8_t to[3])
{
	if (s->has_progress) {           /* SPC-4 4.5.2.4.4 */
		to[0] = SCSI_SKS_VALID;
		to[1] = (uint8_t)(s->progress >> 8);
		to[2] = (uint8_t)s->progress;
		return;
	}
	to[0] = (uint8_t)(SCSI_SKS_VALID | (s->pointer_in_cdb ? SCSI_SKS_IN_CDB : 0) |
			  (s->pointer_has_bit ? SCSI_SKS_BIT_VALID | s->pointer_bit : 0));
	to[1] = (uint8_t)(s->pointer >> 8);
	to[2] = (uint8_t)s->pointer;
}

static size_t format_fixed(const struct scsi_sense *s, uint8_t *to)
{
	struct scsi_sense_fixed f = {
		.response = SCSI_SENSE_FIXED,
		.key = s->key,
		.additional_len = sizeof(f) - offsetof(struct scsi_sense_fixed, command_information),
		.asc = (uint8_t)(s->asc >> 8),
		.ascq = (uint8_t)s->asc,
	};
	/* A value that needs more than 32 bits cannot be said in this format: VALID stays 0. */
	if (s->has_info && s->info <= UINT32_MAX) {
		f.response |= SCSI_SENSE_VALID;
		f.information = be32_of((uint32_t)s->info);
	}
	if (s->has_pointer || s->has_progress)
		key_specific(s, f.key_specific);
	memcpy(to, &f, sizeof(f));
	return sizeof(f);
}

static size_t format_descriptor(const struct scsi_sense *s, uint8_t *to)
{
	struct scsi_sense_desc d = {
		.response = SCSI_SENSE_DESCRIPTOR,
		.key = s->key,
		.asc = (uint8_t)(s->asc >> 8),
		.ascq = (uint8_t)s->asc,
	};
	size_t len = sizeof(d);
	if (s->has_info) {
		struct scsi_sense_desc_info i = {
			.type = SCSI_SENSE_DESC_INFORMATION,
			.additional_len = sizeof(i) - 2,
			.valid = SCSI_SENSE_VALID,
			.information = be64_of(s->info),
		};
		memcpy(to + len, &i, sizeof(i));
		len += sizeof(i);
	}
	if (s->has_pointer || s->has_progress) {
		struct scsi_sense_desc_sks k = {
			.type = SCSI_SENSE_DESC_KEY_SPECIFIC,
			.additional_len = sizeof(k) - 2,
		};
		key_specific(s, k.key_specific);
		memcpy(to + len, &k, sizeof(k));
		len += sizeof(k);
	}
	d.additional_len = (uint8_t)(len - sizeof(d));
	memcpy(to, &d, sizeof(d));
	return len;
}

size_t scsi_sense_format(const struct scsi_sense *s, bool descriptor, uint8_t *to, size_t room)
{
	uint8_t whole[64];
	size_t len = descriptor ? format_descriptor(s, whole) : format_fixed(s, whole);
	len = len < room ? len : room;
	memcpy(to, whole, len);
	return len;
}

void scsi_task_sense(struct scsi_task *t, uint8_t key, uint8_t asc, uint8_t ascq)
{
	struct scsi_sense s = { .key = key, .asc = (uint16_t)((unsigned)asc << 8 | ascq) };
	t->status = SCSI_CHECK_CONDITION;
	t->sense_len = (uint16_t)scsi_sense_format(&s, false, t->sense, sizeof(t->sense));
	t->data_in_bytes = 0;
}
