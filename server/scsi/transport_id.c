/* SPDX-License-Identifier: GPL-3.0-or-later */
/* transport_id.c - TransportIDs of iSCSI, read and written.  SPC-4 7.6.4.6. */
#include "scsi/pr_priv.h"

#include <string.h>

#include "scsi/out.h"

enum { FORMAT_DEVICE = 0x00, FORMAT_PORT = 0x40, FORMAT_MASK = 0xc0, PROTOCOL_MASK = 0x0f };

void transport_id_write(struct out *o, const char *initiator_port)
{
	size_t len = strlen(initiator_port) + 1, fill = (4 - len % 4) % 4;
	if (len + fill < 20)             /* the whole is at least 24 bytes */
		fill = 20 - len;
	out_8(o, FORMAT_PORT | SCSI_PROTOCOL_ISCSI);
	out_8(o, 0);
	out_16(o, (unsigned)(len + fill));
	out_bytes(o, initiator_port, len);
	out_zero(o, fill);
}

int transport_id_read(const uint8_t *b, size_t room, char ret_port[RESV_ID_MAX], size_t *ret_len)
{
	if (room < 4 || (b[0] & PROTOCOL_MASK) != SCSI_PROTOCOL_ISCSI || (b[0] & FORMAT_MASK) != FORMAT_PORT)
		return -EINVAL;          /* without the ISID it names no I_T nexus */
	size_t len = (size_t)(b[2] << 8 | b[3]);
	if (len < 20 || len % 4 || len > room - 4)
		return -EINVAL;
	size_t name = strnlen((const char *)b + 4, len);
	if (name == len || name >= RESV_ID_MAX || !memmem(b + 4, name, ",i,0x", 5))
		return -EINVAL;
	memcpy(ret_port, b + 4, name);
	ret_port[name] = '\0';
	*ret_len = len + 4;
	return 0;
}
