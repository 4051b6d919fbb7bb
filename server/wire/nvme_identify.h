/* SPDX-License-Identifier: GPL-3.0-or-later */
/* nvme_identify.h - the data that Identify returns.  Base 2.1 section 5.1.13, NVM 1.1 section 4.1.5. */
#ifndef HOLDFAST_WIRE_NVME_IDENTIFY_H
#define HOLDFAST_WIRE_NVME_IDENTIFY_H

#include <assert.h>
#include <stddef.h>

#include "core/bytes.h"

#define NVME_IDENTIFY_BYTES 4096
enum nvme_cns {                          /* Base figure 310 */
	NVME_CNS_NS = 0x00, NVME_CNS_CTRL = 0x01, NVME_CNS_ACTIVE = 0x02, NVME_CNS_DESC = 0x03,
	NVME_CNS_CSI_NS = 0x05, NVME_CNS_CSI_CTRL = 0x06, NVME_CNS_CSI_ACTIVE = 0x07, NVME_CNS_NS_INDEPENDENT = 0x08,
	NVME_CNS_ALLOCATED = 0x10, NVME_CNS_NS_ALLOCATED = 0x11, NVME_CNS_NS_CTRLS = 0x12, NVME_CNS_CTRLS = 0x13,
	NVME_CNS_PRIMARY = 0x14, NVME_CNS_SECONDARY = 0x15, NVME_CNS_CSI_ALLOCATED = 0x1a,
	NVME_CNS_CSI_NS_ALLOCATED = 0x1b, NVME_CNS_COMMAND_SETS = 0x1c,
};

struct nvme_power_state {                /* Base figure 314 */
	le16 max_power;
	uint8_t rsvd2, flags;
	le32 entry_us, exit_us;
	uint8_t latency[4];
	uint8_t rsvd16[16];
};
static_assert(sizeof(struct nvme_power_state) == 32, "Base figure 314");

struct nvme_id_ctrl {                    /* Base figure 313 */
	le16 vid, ssvid;
	char sn[20], mn[40], fr[8];
	uint8_t rab, ieee[3], cmic, mdts;
	le16 cntlid;
	le32 ver, rtd3r, rtd3e, oaes, ctratt;
	le16 rrls;
	uint8_t bpcap, rsvd103;
	le32 nssl;
	uint8_t rsvd108[2], plsi, cntrltype;
	uint8_t fguid[16];
	le16 crdt[3];
	uint8_t crcap, rsvd135[118], nvmsr, vwci, mec;
	le16 oacs;                       /* byte 256 */
	uint8_t acl, aerl, frmw, lpa, elpe, npss, avscc, apsta;
	le16 wctemp, cctemp, mtfa;
	le32 hmpre, hmmin;
	uint8_t tnvmcap[16], unvmcap[16];
	le32 rpmbs;
	le16 edstt;
	uint8_t dsto, fwug;
	le16 kas, hctma, mntmt, mxtmt;
	le32 sanicap, hmminds;
	le16 hmmaxd, nsetidmax, endgidmax;
	uint8_t anatt, anacap;
	le32 anagrpmax, nanagrpid, pels;
	le16 domainid;
	uint8_t kpioc, rsvd359, mptfawr[2], rsvd362[6], megcap[16], tmpthha, rsvd385;
	le16 cqt;
	uint8_t rsvd388[124];
	uint8_t sqes, cqes;              /* byte 512 */
	le16 maxcmd;
	le32 nn;
	le16 oncs, fuses;
	uint8_t fna, vwc;
	le16 awun, awupf;
	uint8_t icsvscc, nwpc;
	le16 acwu, cdfs;
	le32 sgls, mnan;
	uint8_t maxdna[16];
	le32 maxcna, oaqd;
	uint8_t rhiri, hirt;
	le16 cmmrtd, nmmrtd;
	uint8_t minmrtg, maxmrtg, trattr, rsvd577;
	le16 mcudmq, mnsudmq, mcmr, nmcmr, mcdqpc;
	uint8_t rsvd588[180];
	char subnqn[256];                /* byte 768 */
	uint8_t rsvd1024[768];
	le32 ioccsz, iorcsz;             /* byte 1792: fabrics */
	le16 icdoff;
	uint8_t fcatt, msdbd;
	le16 ofcs;
	uint8_t dctype, rsvd1807[241];
	struct nvme_power_state psd[32];
	uint8_t vendor[1024];
};
static_assert(sizeof(struct nvme_id_ctrl) == 4096, "Base figure 313");
static_assert(offsetof(struct nvme_id_ctrl, cntlid) == 78, "Base figure 313");
static_assert(offsetof(struct nvme_id_ctrl, oaes) == 92, "Base figure 313");
static_assert(offsetof(struct nvme_id_ctrl, cntrltype) == 111, "Base figure 313");
static_assert(offsetof(struct nvme_id_ctrl, crdt) == 128, "Base figure 313");
static_assert(offsetof(struct nvme_id_ctrl, oacs) == 256, "Base figure 313");
static_assert(offsetof(struct nvme_id_ctrl, tnvmcap) == 280, "Base figure 313");
static_assert(offsetof(struct nvme_id_ctrl, kas) == 320, "Base figure 313");
static_assert(offsetof(struct nvme_id_ctrl, sanicap) == 328, "Base figure 313");
static_assert(offsetof(struct nvme_id_ctrl, anatt) == 342, "Base figure 313");
static_assert(offsetof(struct nvme_id_ctrl, domainid) == 356, "Base figure 313");
static_assert(offsetof(struct nvme_id_ctrl, megcap) == 368, "Base figure 313");
static_assert(offsetof(struct nvme_id_ctrl, cqt) == 386, "Base figure 313");
static_assert(offsetof(struct nvme_id_ctrl, sqes) == 512, "Base figure 313");
static_assert(offsetof(struct nvme_id_ctrl, acwu) == 532, "Base figure 313");
static_assert(offsetof(struct nvme_id_ctrl, sgls) == 536, "Base figure 313");
static_assert(offsetof(struct nvme_id_ctrl, mnan) == 540, "Base figure 313");
static_assert(offsetof(struct nvme_id_ctrl, subnqn) == 768, "Base figure 313");
static_assert(offsetof(struct nvme_id_ctrl, ioccsz) == 1792, "Base figure 313");
static_assert(offsetof(struct nvme_id_ctrl, dctype) == 1806, "Base figure 313");
static_assert(offsetof(struct nvme_id_ctrl, psd) == 2048, "Base figure 313");
enum {
	NVME_CMIC_PORTS = 1, NVME_CMIC_CTRLS = 2, NVME_CMIC_ANA = 8,
	NVME_OAES_NS = 1 << 8, NVME_OAES_ANA = 1 << 11, NVME_OAES_DISCOVERY = (int)(1u << 31),
	NVME_CTRATT_HOSTID128 = 1, NVME_CTRATT_TBKAS = 1 << 6,
	NVME_LPA_EFFECTS = 2, NVME_LPA_EXTENDED = 4, NVME_LPA_SUPPORTED = 0x20,
	NVME_ONCS_COMPARE = 1, NVME_ONCS_DSM = 4, NVME_ONCS_WRITE_ZEROES = 8, NVME_ONCS_SELECT = 0x10,
	NVME_ONCS_RESV = 0x20, NVME_ONCS_TIMESTAMP = 0x40, NVME_ONCS_VERIFY = 0x80, NVME_ONCS_COPY = 0x100,
	NVME_SGLS_SUPPORTED = 1, NVME_SGLS_OFFSET = 1 << 20,
	NVME_FCATT_STATIC = 1,
	NVME_CNTRLTYPE_IO = 1, NVME_CNTRLTYPE_DISCOVERY = 2,
	NVME_ANACAP_OPTIMIZED = 1, NVME_ANACAP_NONOPTIMIZED = 2, NVME_ANACAP_INACCESSIBLE = 4,
	NVME_ANACAP_LOSS = 8, NVME_ANACAP_CHANGE = 16, NVME_ANACAP_NEVER_MOVES = 64,
};

struct nvme_lbaf {                       /* NVM figure 116 */
	le16 ms;
	uint8_t lbads, rp;
};
static_assert(sizeof(struct nvme_lbaf) == 4, "NVM figure 116");

struct nvme_id_ns {                      /* NVM figure 114 */
	le64 nsze, ncap, nuse;
	uint8_t nsfeat, nlbaf, flbas, mc, dpc, dps, nmic, rescap, fpi, dlfeat;
	le16 nawun, nawupf, nacwu, nabsn, nabo, nabspf, noiob;
	uint8_t nvmcap[16];
	le16 npwg, npwa, npdg, npda, nows, mssrl;
	le32 mcl;
	uint8_t msrc, kpios, nulbaf, rsvd83;
	le32 kpiodaag;
	uint8_t rsvd88[4];
	le32 anagrpid;
	uint8_t rsvd96[3], nsattr;
	le16 nvmsetid, endgid;
	uint8_t nguid[16], eui64[8];
	struct nvme_lbaf lbaf[64];
	uint8_t vendor[3712];
};
static_assert(sizeof(struct nvme_id_ns) == 4096, "NVM figure 114");
static_assert(offsetof(struct nvme_id_ns, nmic) == 30, "NVM figure 114");
static_assert(offsetof(struct nvme_id_ns, dlfeat) == 33, "NVM figure 114");
static_assert(offsetof(struct nvme_id_ns, nvmcap) == 48, "NVM figure 114");
static_assert(offsetof(struct nvme_id_ns, npwg) == 64, "NVM figure 114");
static_assert(offsetof(struct nvme_id_ns, mcl) == 76, "NVM figure 114");
static_assert(offsetof(struct nvme_id_ns, anagrpid) == 92, "NVM figure 114");
static_assert(offsetof(struct nvme_id_ns, nguid) == 104, "NVM figure 114");
static_assert(offsetof(struct nvme_id_ns, lbaf) == 128, "NVM figure 114");
enum {
	NVME_NSFEAT_THIN = 1, NVME_NSFEAT_UIDREUSE = 8, NVME_NSFEAT_OPTPERF = 0x10,
	NVME_NMIC_SHARED = 1, NVME_DLFEAT_ZEROES = 1, NVME_DLFEAT_WZ_DEAC = 8, NVME_NSATTR_PROTECTED = 1,
};

struct nvme_id_ns_independent {          /* Base figure 320 */
	uint8_t nsfeat, nmic, rescap, fpi;
	le32 anagrpid;
	uint8_t nsattr, rsvd9;
	le16 nvmsetid, endgid;
	uint8_t nstat, kpios;
	le16 maxkt;
	uint8_t rsvd18[4078];
};
static_assert(sizeof(struct nvme_id_ns_independent) == 4096, "Base figure 320");
static_assert(offsetof(struct nvme_id_ns_independent, nstat) == 14, "Base figure 320");
enum { NVME_NSTAT_READY = 1 };

struct nvme_id_ctrl_nvm {                /* NVM figure 120 */
	uint8_t vsl, wzsl, wusl, dmrl;
	le32 dmrsl;
	le64 dmsl;
	uint8_t rsvd16[4080];
};
static_assert(sizeof(struct nvme_id_ctrl_nvm) == 4096, "NVM figure 120");
static_assert(offsetof(struct nvme_id_ctrl_nvm, dmsl) == 8, "NVM figure 120");

struct nvme_ns_desc {                    /* Base figure 315 */
	uint8_t type, len_bytes, rsvd[2];
};
static_assert(sizeof(struct nvme_ns_desc) == 4, "Base figure 315");
enum { NVME_NIDT_EUI64 = 1, NVME_NIDT_NGUID = 2, NVME_NIDT_UUID = 3, NVME_NIDT_CSI = 4 };
enum { NVME_CSI_NVM = 0 };

#endif
