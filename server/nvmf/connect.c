/* SPDX-License-Identifier: GPL-3.0-or-later */
/* connect.c - what a Connect may not say, whoever says it, and where the fault is.  NVMe Base 2.1, 6.3.
 * Pure functions. */
#include "nvmf/connect.h"
#include "nvmf/nvmf.h"
#include "wire/nvme.h"

#define IN_ENTRY(field) offsetof(struct nvme_fabrics_connect, field)
#define IN_DATA(field) (NVME_CONNECT_IN_DATA | offsetof(struct nvme_connect_data, field))

static bool is_nqn(const char field[256])
{
	size_t len = strnlen(field, 256);
	return len <= NVMF_NQN_MAX && nvmf_name_check(field, NULL, 0) == 0;
}

uint16_t nvmf_connect_check(const struct nvme_fabrics_connect *k, const struct nvme_connect_data *d, unsigned max_queues,
			    uint64_t *ret_info, const char **ret_why)
{
	static const uint8_t no_host_id[16];
	unsigned sq_size = le16_get(k->sq_size), qid = le16_get(k->qid), cntlid = le16_get(d->cntlid);
	bool discovery = !strncmp(d->subsystem_nqn, NVME_NQN_DISCOVERY, sizeof(d->subsystem_nqn));
	const struct {
		bool wrong;
		size_t at;
		const char *why;
	} checks[] = {
		{ sq_size < 1 || sq_size >= NVMF_ENTRIES_MAX, IN_ENTRY(sq_size), "a queue has 2 to 1024 entries" },
		{ qid > max_queues, IN_ENTRY(qid), "there are not so many queues" },
		{ !is_nqn(d->subsystem_nqn), IN_DATA(subsystem_nqn), "no valid subsystem NQN" },
		{ !is_nqn(d->host_nqn), IN_DATA(host_nqn), "no valid host NQN" },
		{ discovery && qid, IN_ENTRY(qid), "a discovery controller has no I/O queues" },
		{ discovery && cntlid != NVME_CNTLID_DYNAMIC, IN_DATA(cntlid), "discovery controllers are dynamic: the controller id must be FFFFh" },
		{ qid && cntlid > 0xffef, IN_DATA(cntlid), "no controller has this id" },
		{ !discovery && !memcmp(d->host_id, no_host_id, sizeof(no_host_id)), IN_DATA(host_id), "the host identifier is zero" },
	};

	*ret_info = 0;
	if (le16_get(k->format)) {
		*ret_why = "an unknown record format";
		return NVME_SC_CONNECT_FORMAT | NVME_STATUS_DNR;
	}
	for (size_t i = 0; i < ARRAY_COUNT(checks); i++)
		if (checks[i].wrong) {
			*ret_info = checks[i].at;
			*ret_why = checks[i].why;
			return NVME_SC_CONNECT_PARAM | NVME_STATUS_DNR;
		}
	return 0;
}
