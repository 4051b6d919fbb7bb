/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cd.c - a CD-ROM drive with one data track: what MMC-6 wants beyond a disk that is read.
 * Enough for operating systems to recognise and for firmware to boot; audio, writing and several sessions
 * do not exist. */
#include "scsi/ops_priv.h"

#include "scsi/out.h"

#define LEAD_OUT 0xaau
#define CD_MAX_BLOCKS 450000u            /* more than 99 minutes: then it is a DVD */
enum { PROFILE_NONE = 0, PROFILE_CD = 0x0008, PROFILE_DVD = 0x0010, TRACK_DATA = 0x14, MSF = 0x02 };

static enum scsi_result alloc_at_7(struct scsi_task *t, struct task *p)
{
	return parse_data_in(p, (uint32_t)(t->cdb[7] << 8 | t->cdb[8]));
}

/* ---- READ TOC/PMA/ATIP ---------------------------------------------------------------------------- */
static void out_address(struct out *o, uint64_t lba, bool msf)
{
	if (!msf) {
		out_32(o, (uint32_t)lba);
		return;
	}
	uint64_t frames = lba + 150;
	out_8(o, 0);
	out_8(o, (unsigned)(frames / 75 / 60));
	out_8(o, (unsigned)(frames / 75 % 60));
	out_8(o, (unsigned)(frames % 75));
}

static void out_track(struct out *o, unsigned number, uint64_t lba, bool msf)
{
	out_8(o, 0);
	out_8(o, TRACK_DATA);
	out_8(o, number);
	out_8(o, 0);
	out_address(o, lba, msf);
}

enum scsi_result parse_read_toc(struct scsi_task *t, struct task *p)
{
	unsigned format = t->cdb[2] & 0x0f, track = t->cdb[6];
	if (format > 1)
		return cdb_field(p, 2, 3);
	if (format == 0 && track > 1 && track != LEAD_OUT)
		return cdb_field(p, 6, -1);
	return alloc_at_7(t, p);
}

enum step run_read_toc(struct scsi_task *t, struct task *p, int status)
{
	struct out o = task_out(p);
	bool msf = t->cdb[1] & MSF;
	(void)status;
	out_16(&o, 0);
	out_8(&o, 1);                    /* first and last track, or session */
	out_8(&o, 1);
	if (t->cdb[2] & 0x0f || t->cdb[6] <= 1)
		out_track(&o, 1, 0, msf);
	if (!(t->cdb[2] & 0x0f))
		out_track(&o, LEAD_OUT, volume_block_count(task_volume(p)), msf);
	out_patch_16(&o, 0, o.len - 2);
	return task_out_end(p, &o);
}

/* ---- GET CONFIGURATION: features, MMC-6 5.3 -------------------------------------------------------- */
enum { RT_ALL = 0, RT_CURRENT = 1, RT_ONE = 2, CURRENT = 1, PERSISTENT = 2 };
static const struct feature {
	uint16_t code;
	uint8_t flags, len;              /* version, PERSISTENT, CURRENT; bytes of data */
	bool with_medium, with_dvd, with_cd;     /* current only then */
	uint8_t data[12];
} features[] = {
	{ 0x0000, 0x02, 8, false, false, false, { 0, 0x10, 0, 0, 0, 0x08, 0, 0 } },  /* profiles: DVD-ROM, CD-ROM */
	{ 0x0001, 0x0a, 8, false, false, false, { 0, 0, 0, 1, 0, 0, 0, 0 } },        /* core: SCSI family */
	{ 0x0003, 0x02, 4, false, false, false, { 0x29, 0, 0, 0 } },                 /* removable: tray, eject, lock */
	{ 0x0010, 0x00, 8, true, false, false, { 0, 0, 8, 0, 0, 1, 0, 0 } },         /* random readable: 2048 */
	{ 0x001e, 0x08, 4, true, false, true, { 0, 0, 0, 0 } },                      /* CD read */
	{ 0x001f, 0x08, 4, true, true, false, { 0, 0, 0, 0 } },                      /* DVD read */
};

static unsigned profile(const struct task *p)
{
	if (atomic_load(&task_unit(p)->ejected) || volume_state(task_volume(p)) != VOLUME_ONLINE)
		return PROFILE_NONE;
	return volume_block_count(task_volume(p)) > CD_MAX_BLOCKS ? PROFILE_DVD : PROFILE_CD;
}

static bool feature_is_current(const struct feature *f, unsigned is)
{
	return (!f->with_medium || is != PROFILE_NONE) && (!f->with_dvd || is == PROFILE_DVD) && (!f->with_cd || is == PROFILE_CD);
}

static void out_feature(struct out *o, const struct feature *f, unsigned is)
{
	bool current = feature_is_current(f, is);
	size_t at = o->len + 4;
	out_16(o, f->code);
	out_8(o, f->flags | (current ? CURRENT : 0));
	out_8(o, f->len);
	out_bytes(o, f->data, f->len);
	if (f->code == 0) {              /* each profile tells whether it is the one */
		out_patch_8(o, at + 2, is == PROFILE_DVD);
		out_patch_8(o, at + 6, is == PROFILE_CD);
	}
}

enum scsi_result parse_get_configuration(struct scsi_task *t, struct task *p)
{
	if ((t->cdb[1] & 3) > RT_ONE)
		return cdb_field(p, 1, 1);
	return alloc_at_7(t, p);
}

enum step run_get_configuration(struct scsi_task *t, struct task *p, int status)
{
	struct out o = task_out(p);
	unsigned how = t->cdb[1] & 3, from = (unsigned)(t->cdb[2] << 8 | t->cdb[3]), is = profile(p);
	(void)status;
	out_32(&o, 0);
	out_16(&o, 0);
	out_16(&o, is);
	for (size_t i = 0; i < ARRAY_COUNT(features); i++) {
		const struct feature *f = &features[i];
		if (how == RT_ONE ? f->code == from : f->code >= from && (how == RT_ALL || feature_is_current(f, is)))
			out_feature(&o, f, is);
	}
	out_patch_32(&o, 0, o.len - 4);
	return task_out_end(p, &o);
}

/* ---- GET EVENT STATUS NOTIFICATION, MMC-6 6.6 ------------------------------------------------------- */
enum { POLLED = 1, CLASS_MEDIA = 4, NO_EVENT_AVAILABLE = 0x80, MEDIA_PRESENT = 0x02, TRAY_OPEN = 0x01 };

enum scsi_result parse_get_event(struct scsi_task *t, struct task *p)
{
	if (!(t->cdb[1] & POLLED))
		return cdb_field(p, 1, 0);       /* we do not call */
	return alloc_at_7(t, p);
}

enum step run_get_event(struct scsi_task *t, struct task *p, int status)
{
	struct out o = task_out(p);
	bool media = t->cdb[4] & 1u << CLASS_MEDIA;
	(void)status;
	out_16(&o, media ? 6 : 2);
	out_8(&o, media ? CLASS_MEDIA : NO_EVENT_AVAILABLE);
	out_8(&o, 1u << CLASS_MEDIA);    /* what there is */
	if (media) {
		out_8(&o, 0);            /* no change: unit attentions tell of those */
		out_8(&o, profile(p) == PROFILE_NONE ? TRAY_OPEN : MEDIA_PRESENT);
		out_16(&o, 0);
	}
	return task_out_end(p, &o);
}

/* ---- the rest ---------------------------------------------------------------------------------------- */
enum scsi_result parse_read_disc_info(struct scsi_task *t, struct task *p)
{
	if (t->cdb[1] & 7)
		return cdb_field(p, 1, 2);       /* only the standard information */
	return alloc_at_7(t, p);
}

enum step run_read_disc_info(struct scsi_task *t, struct task *p, int status)
{
	struct out o = task_out(p);
	(void)t;
	(void)status;
	out_16(&o, 32);
	out_8(&o, 0x0e);                 /* complete session, finalised disc, not erasable */
	out_8(&o, 1);                    /* first track */
	out_8(&o, 1);                    /* sessions */
	out_8(&o, 1);                    /* first and last track of the last one */
	out_8(&o, 1);
	out_8(&o, 0x20);                 /* unrestricted use */
	out_zero(&o, 8);                 /* CD-DA or CD-ROM; no more tracks */
	for (unsigned i = 0; i < 8; i++)
		out_8(&o, 0xff);         /* no lead-in or lead-out to write */
	out_zero(&o, 10);
	return task_out_end(p, &o);
}

enum scsi_result parse_read_track_info(struct scsi_task *t, struct task *p)
{
	be32 which;
	memcpy(&which, t->cdb + 2, sizeof(which));
	unsigned kind = t->cdb[1] & 3;
	bool fits = kind == 0 ? be32_get(which) < volume_block_count(task_volume(p)) : be32_get(which) == 1;
	if (kind > 2)
		return cdb_field(p, 1, 1);
	return fits ? alloc_at_7(t, p) : cdb_field(p, 2, -1);
}

enum step run_read_track_info(struct scsi_task *t, struct task *p, int status)
{
	struct out o = task_out(p);
	(void)t;
	(void)status;
	out_16(&o, 34);
	out_8(&o, 1);                    /* track */
	out_8(&o, 1);                    /* session */
	out_8(&o, 0);
	out_8(&o, 0x04);                 /* data, uninterrupted */
	out_8(&o, 0x01);                 /* mode 1 */
	out_8(&o, 0);
	out_zero(&o, 16);                /* it starts at 0; nothing can be written */
	out_32(&o, (uint32_t)volume_block_count(task_volume(p)));
	out_zero(&o, 8);
	return task_out_end(p, &o);
}

enum scsi_result parse_mechanism_status(struct scsi_task *t, struct task *p)
{
	return parse_data_in(p, (uint32_t)(t->cdb[8] << 8 | t->cdb[9]));
}

enum step run_mechanism_status(struct scsi_task *t, struct task *p, int status)
{
	struct out o = task_out(p);
	(void)t;
	(void)status;
	out_8(&o, 0);
	out_8(&o, atomic_load(&task_unit(p)->ejected) ? 0x10 : 0);       /* door open */
	out_zero(&o, 6);                 /* no changer */
	return task_out_end(p, &o);
}

enum step run_set_speed(struct scsi_task *t, struct task *p, int status)
{
	(void)t;
	(void)p;
	(void)status;
	return STEP_END;                 /* as fast as it goes */
}
