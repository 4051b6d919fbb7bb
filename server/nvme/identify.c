/* SPDX-License-Identifier: GPL-3.0-or-later */
/* identify.c - Identify: the rows of what can be asked, and what a controller says about itself.
 * Base 2.1 section 5.1.13.  What it says about namespaces is in identify_ns.c. */
#include "nvme/ops_priv.h"

#include "wire/nvme_identify.h"
#include "wire/nvme_log.h"

static void put_text(char *to, const char *from, size_t n)
{
	size_t len = strnlen(from, n);
	memset(to, ' ', n);
	memcpy(to, from, len);
}

static unsigned log2_of(uint64_t x)
{
	return 63u - (unsigned)__builtin_clzll(x);
}

/* ---- controller ---------------------------------------------------------------------------------------------------- */
static bool has_volatile_cache(const struct nvme_ctrl *c)
{
	struct volume_limits l;
	for (size_t i = 0; i < c->map->count; i++) {
		volume_limits(c->map->entry[i].ns->volume, &l);
		if (l.volatile_cache)
			return true;
	}
	return false;
}

static uint32_t ana_group_max(const struct nvme_ctrl *c)
{
	uint32_t most = 1;
	for (size_t i = 0; i < c->map->count; i++)
		most = c->map->entry[i].ana_group > most ? c->map->entry[i].ana_group : most;
	return most;
}

static void put_io_ctrl(const struct nvme_ctrl *c, struct nvme_id_ctrl *d)
{
	d->cmic = NVME_CMIC_PORTS | NVME_CMIC_CTRLS | NVME_CMIC_ANA;
	d->oaes = le32_of(NVME_OAES_NS | NVME_OAES_ANA);
	d->cntrltype = NVME_CNTRLTYPE_IO;
	d->acl = 3;
	d->frmw = 1 | 1 << 1;            /* one slot, read only */
	d->anatt = 10;
	d->anacap = NVME_ANACAP_OPTIMIZED | NVME_ANACAP_NONOPTIMIZED | NVME_ANACAP_INACCESSIBLE | NVME_ANACAP_CHANGE;
	d->anagrpmax = d->nanagrpid = le32_of(ana_group_max(c));
	d->fcatt = c->is_static ? NVME_FCATT_STATIC : 0;
	d->sqes = 0x66;
	d->cqes = 0x44;
	d->nn = d->mnan = le32_of(NVME_NSID_MAX);
	d->oncs = le16_of(NVME_ONCS_COMPARE | NVME_ONCS_DSM | NVME_ONCS_WRITE_ZEROES | NVME_ONCS_SELECT |
			  NVME_ONCS_RESV | NVME_ONCS_TIMESTAMP | NVME_ONCS_VERIFY | NVME_ONCS_COPY);
	d->fuses = le16_of(1);           /* Compare and Write: what shared VMFS needs */
	d->vwc = (uint8_t)(2 << 1 | has_volatile_cache(c));      /* Flush names one namespace */
	d->acwu = le16_of(FUSED_MAX_BLOCKS - 1);
	d->cdfs = le16_of(COPY_FORMATS);
	d->rtd3r = le32_of(0);
}

static enum nvme_result identify_ctrl(struct job *j, struct out *o)
{
	const struct nvme_ctrl *c = j->queue->ctrl;
	const struct nvme_subsystem *s = c->subsystem;
	struct nvme_id_ctrl d;
	memset(&d, 0, sizeof(d));
	put_text(d.sn, s->serial, sizeof(d.sn));
	put_text(d.mn, s->model, sizeof(d.mn));
	put_text(d.fr, s->firmware, sizeof(d.fr));
	d.mdts = (uint8_t)(log2_of(nvme_max_transfer(c)) - 12);
	d.cntlid = le16_of(c->cntlid);
	d.ver = le32_of(NVME_VS_2_1);
	d.ctratt = le32_of(NVME_CTRATT_HOSTID128 | NVME_CTRATT_TBKAS);
	d.aerl = AER_MAX - 1;
	d.lpa = 1 | NVME_LPA_EFFECTS | NVME_LPA_EXTENDED | NVME_LPA_SUPPORTED;
	d.elpe = ERROR_MAX - 1;
	d.kas = le16_of(1);              /* 100 ms */
	d.maxcmd = le16_of(c->max_entries);
	d.sgls = le32_of(NVME_SGLS_SUPPORTED | NVME_SGLS_OFFSET);
	memcpy(d.subnqn, s->nqn, strlen(s->nqn));
	if (s->discovery) {
		d.cntrltype = NVME_CNTRLTYPE_DISCOVERY;
		d.oaes = le32_of(1u << 31);
	} else {
		put_io_ctrl(c, &d);
	}
	d.ioccsz = le32_of((64 + (s->discovery ? 0 : c->in_capsule_bytes)) / 16);
	d.iorcsz = le32_of(1);
	d.msdbd = 1;
	out_bytes(o, &d, sizeof(d));
	return RES_OK;
}

static enum nvme_result identify_ctrl_nvm(struct job *j, struct out *o)
{
	(void)j;
	struct nvme_id_ctrl_nvm d = {
		.vsl = VERIFY_MAX_LOG2, .wzsl = WZ_MAX_LOG2, .dmrl = DSM_MAX_RANGES,
		.dmrsl = le32_of(DSM_RANGE_MAX_BLOCKS), .dmsl = le64_of(DSM_MAX_BLOCKS),
	};
	out_bytes(o, &d, sizeof(d));
	return RES_OK;
}

static enum nvme_result identify_primary(struct job *j, struct out *o)
{
	const struct nvme_ctrl *c = j->queue->ctrl;
	struct { le16 cntlid, portid; } d = { le16_of(c->cntlid), le16_of(c->port_id) }; /* nothing is virtualized */
	out_bytes(o, &d, sizeof(d));
	return RES_OK;
}

static enum nvme_result identify_nothing(struct job *j, struct out *o)
{
	(void)j;
	(void)o;
	return RES_OK;
}

static enum nvme_result identify_command_sets(struct job *j, struct out *o)
{
	uint16_t cntid = (uint16_t)(job_cdw(j, 10) >> 16);
	if (cntid != 0xffff && cntid != j->queue->ctrl->cntlid)
		return job_cdw_field(j, 10, 16);
	le64 one = le64_of(1u << NVME_CSI_NVM);
	out_bytes(o, &one, sizeof(one));
	return RES_OK;
}

static enum nvme_result put_ctrls(struct job *j, struct out *o, const struct ns *ns)
{
	uint16_t ids[2047];
	size_t n = subsystem_cntlids(j->queue->ctrl->subsystem, ns, (uint16_t)(job_cdw(j, 10) >> 16), ids,
				     ARRAY_COUNT(ids));
	le16 w = le16_of((uint16_t)n);
	out_bytes(o, &w, sizeof(w));
	for (size_t i = 0; i < n; i++) {
		w = le16_of(ids[i]);
		out_bytes(o, &w, sizeof(w));
	}
	return RES_OK;
}

static enum nvme_result identify_ctrls(struct job *j, struct out *o)
{
	return put_ctrls(j, o, NULL);
}

enum nvme_result identify_ns_ctrls(struct job *j, struct out *o)
{
	const struct ns_slot *s = map_find(j->view->map, le32_get(job_sqe(j)->nsid));
	return s ? put_ctrls(j, o, s->ns) : RES_INVALID_NS;
}

/* ---- rows ------------------------------------------------------------------------------------------------------------ */
static const struct {
	uint8_t cns;
	bool has_csi;                    /* CDW11 31:24 chooses; we have the NVM command set */
	bool discovery;
	identify_fn *run;
} rows[] = {
	{ NVME_CNS_NS, false, false, identify_ns },
	{ NVME_CNS_CTRL, false, true, identify_ctrl },
	{ NVME_CNS_ACTIVE, false, false, identify_active },
	{ NVME_CNS_DESC, false, false, identify_ns_desc },
	{ NVME_CNS_CSI_NS, true, false, identify_ns_nvm },
	{ NVME_CNS_CSI_CTRL, true, false, identify_ctrl_nvm },
	{ NVME_CNS_CSI_ACTIVE, true, false, identify_active },
	{ NVME_CNS_NS_INDEPENDENT, false, false, identify_ns_independent },
	/* There is no namespace that is allocated and not active. */
	{ NVME_CNS_ALLOCATED, false, false, identify_active },
	{ NVME_CNS_NS_ALLOCATED, false, false, identify_ns },
	{ NVME_CNS_NS_CTRLS, false, false, identify_ns_ctrls },
	{ NVME_CNS_CTRLS, false, false, identify_ctrls },
	{ NVME_CNS_PRIMARY, false, false, identify_primary },
	{ NVME_CNS_SECONDARY, false, false, identify_nothing },
	{ NVME_CNS_CSI_ALLOCATED, true, false, identify_active },
	{ NVME_CNS_CSI_NS_ALLOCATED, true, false, identify_ns_nvm },
	{ NVME_CNS_COMMAND_SETS, false, true, identify_command_sets },
};

enum nvme_result parse_identify(struct job *j)
{
	uint8_t cns = (uint8_t)job_cdw(j, 10);
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		if (rows[i].cns != cns || (j->queue->ctrl->subsystem->discovery && !rows[i].discovery))
			continue;
		if (rows[i].has_csi && job_cdw(j, 11) >> 24 != NVME_CSI_NVM)
			return job_cdw_field(j, 11, 24);
		j->mark = i;
		return parse_answer(j, NVME_IDENTIFY_BYTES);
	}
	return job_cdw_field(j, 10, 0);
}

enum step run_identify(struct job *j, int status)
{
	struct out o = job_out(j, 0);
	(void)status;
	j->result = (uint8_t)rows[j->mark].run(j, &o);
	return job_out_end(j);
}
