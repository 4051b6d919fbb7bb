/* SPDX-License-Identifier: GPL-3.0-or-later */
/* nvme_log.h - log pages and features.  Base 2.1 sections 5.1.12, 5.1.25, 5.2 and 5.3.3. */
#ifndef HOLDFAST_WIRE_NVME_LOG_H
#define HOLDFAST_WIRE_NVME_LOG_H

#include <assert.h>
#include <stddef.h>

#include "core/bytes.h"

enum nvme_log_id {                       /* Base figure 202 */
	NVME_LOG_SUPPORTED = 0x00, NVME_LOG_ERROR = 0x01, NVME_LOG_HEALTH = 0x02, NVME_LOG_FIRMWARE = 0x03,
	NVME_LOG_NS_CHANGED = 0x04, NVME_LOG_EFFECTS = 0x05, NVME_LOG_ANA = 0x0c, NVME_LOG_FEATURES = 0x12,
	NVME_LOG_DISCOVERY = 0x70, NVME_LOG_RESV = 0x80,
};
enum nvme_feature_id {                   /* Base figure 385 */
	NVME_FEAT_ARBITRATION = 0x01, NVME_FEAT_POWER = 0x02, NVME_FEAT_TEMPERATURE = 0x04,
	NVME_FEAT_ERROR_RECOVERY = 0x05, NVME_FEAT_WRITE_CACHE = 0x06, NVME_FEAT_QUEUES = 0x07,
	NVME_FEAT_ATOMICITY = 0x0a, NVME_FEAT_ASYNC_EVENT = 0x0b, NVME_FEAT_TIMESTAMP = 0x0e,
	NVME_FEAT_KEEP_ALIVE = 0x0f, NVME_FEAT_HOST_BEHAVIOR = 0x16, NVME_FEAT_HOST_ID = 0x81,
	NVME_FEAT_RESV_MASK = 0x82, NVME_FEAT_RESV_PERSIST = 0x83,
};

struct nvme_error_entry {                /* Base figure 205 */
	le64 count;
	le16 sqid, cid, status, param_location;
	le64 lba;
	le32 nsid;
	uint8_t vendor, trtype, csi, opcode;
	le64 command_specific;
	le16 trtype_specific;
	uint8_t rsvd42[21], version;
};
static_assert(sizeof(struct nvme_error_entry) == 64, "Base figure 205");
static_assert(offsetof(struct nvme_error_entry, lba) == 16, "Base figure 205");
static_assert(offsetof(struct nvme_error_entry, command_specific) == 32, "Base figure 205");

struct nvme_health {                     /* Base figure 206; 128-bit counters, low half first */
	uint8_t critical;
	le16 temperature_k;
	uint8_t spare, spare_threshold, used, group_critical, rsvd7[25];
	le64 data_read[2], data_written[2], host_reads[2], host_writes[2], busy_minutes[2], power_cycles[2];
	le64 power_on_hours[2], unsafe_shutdowns[2], media_errors[2], error_entries[2];
	le32 warning_minutes, critical_minutes;
	le16 sensor[8];
	uint8_t rsvd216[296];
};
static_assert(sizeof(struct nvme_health) == 512, "Base figure 206");
static_assert(offsetof(struct nvme_health, data_read) == 32, "Base figure 206");
static_assert(offsetof(struct nvme_health, error_entries) == 176, "Base figure 206");
enum { NVME_HEALTH_READ_ONLY = 8 };

struct nvme_firmware_log {               /* Base figure 207 */
	uint8_t active, rsvd1[7];
	char revision[7][8];
	uint8_t rsvd64[448];
};
static_assert(sizeof(struct nvme_firmware_log) == 512, "Base figure 207");

struct nvme_effects_log {                /* Base figure 209 */
	le32 admin[256], io[256];
	uint8_t rsvd2048[2048];
};
static_assert(sizeof(struct nvme_effects_log) == 4096, "Base figure 209");
enum { NVME_EFFECT_SUPPORTED = 1, NVME_EFFECT_LBA = 2, NVME_EFFECT_NS = 4, NVME_EFFECT_NS_INVENTORY = 8,
       NVME_EFFECT_CTRL = 16 };

struct nvme_ana_log {                    /* Base figure 224 */
	le64 changes;
	le16 group_count;
	uint8_t rsvd10[6];
};
static_assert(sizeof(struct nvme_ana_log) == 16, "Base figure 224");
struct nvme_ana_group {                  /* Base figure 225; then its NSIDs */
	le32 id, nsid_count;
	le64 changes;
	uint8_t state, rsvd17[15];
};
static_assert(sizeof(struct nvme_ana_group) == 32, "Base figure 225");
enum { NVME_ANA_LSP_GROUPS_ONLY = 1 };
enum nvme_ana_state {                    /* Base figure 225 */
	NVME_ANA_OPTIMIZED = 1, NVME_ANA_NONOPTIMIZED = 2, NVME_ANA_INACCESSIBLE = 3, NVME_ANA_LOSS = 4, NVME_ANA_CHANGE = 15,
};

struct nvme_resv_log {                   /* Base figure 285 */
	le64 count;
	uint8_t type, available, rsvd10[2];
	le32 nsid;
	uint8_t rsvd16[48];
};
static_assert(sizeof(struct nvme_resv_log) == 64, "Base figure 285");
static_assert(offsetof(struct nvme_resv_log, nsid) == 12, "Base figure 285");
enum { NVME_RESV_LOG_EMPTY, NVME_RESV_LOG_REGISTRATION_PREEMPTED, NVME_RESV_LOG_RELEASED, NVME_RESV_LOG_PREEMPTED };

struct nvme_discovery_header {           /* Base figure 294 */
	le64 generation, entry_count;
	le16 record_format;
	uint8_t rsvd18[1006];
};
static_assert(sizeof(struct nvme_discovery_header) == 1024, "Base figure 294");
struct nvme_discovery_entry {            /* Base figure 295 */
	uint8_t trtype, adrfam, subtype, treq;
	le16 portid, cntlid, asqsz, eflags;
	uint8_t rsvd12[20];
	char trsvcid[32];
	uint8_t rsvd64[192];
	char subnqn[256], traddr[256];
	uint8_t tsas[256];
};
enum { NVME_TSAS_TLS13 = 2 };            /* SECTYPE, TCP figure 18 */
static_assert(sizeof(struct nvme_discovery_entry) == 1024, "Base figure 295");
static_assert(offsetof(struct nvme_discovery_entry, trsvcid) == 32, "Base figure 295");
static_assert(offsetof(struct nvme_discovery_entry, subnqn) == 256, "Base figure 295");
static_assert(offsetof(struct nvme_discovery_entry, traddr) == 512, "Base figure 295");
static_assert(offsetof(struct nvme_discovery_entry, tsas) == 768, "Base figure 295");
/* Log Specific Parameter of the discovery log, and what the Supported Log Pages log says of it; Base 5.1.12.3.1. */
enum { NVME_DISCOVERY_EXTENDED = 1, NVME_DISCOVERY_PORT_LOCAL = 2, NVME_DISCOVERY_ALL_SUBSYSTEMS = 4 };
enum { NVME_TREQ_SECURE = 1, NVME_TREQ_MAY_BE_SECURE = 2, NVME_TREQ_NO_SQ_FLOW = 4 };
enum { NVME_TRTYPE_TCP = 3, NVME_ADRFAM_IPV4 = 1, NVME_ADRFAM_IPV6 = 2,
       NVME_SUBTYPE_REFERRAL = 1, NVME_SUBTYPE_NVME = 2, NVME_SUBTYPE_DISCOVERY = 3,
       NVME_EFLAGS_DUPLICATE = 1, NVME_EFLAGS_EXPLICIT_PERSIST = 2, NVME_EFLAGS_NO_CDC = 4 };

struct nvme_host_behavior {              /* Base figure 413 */
	uint8_t acre, etdas, lbafee, hdisns;
	le16 cdfe;
	uint8_t rsvd6[506];
};
static_assert(sizeof(struct nvme_host_behavior) == 512, "Base figure 413");

#endif
