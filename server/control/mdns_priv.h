/* SPDX-License-Identifier: GPL-3.0-or-later */
/* mdns_priv.h - what mdns_services.c makes and mdns.c announces. */
#ifndef HOLDFAST_CONTROL_MDNS_PRIV_H
#define HOLDFAST_CONTROL_MDNS_PRIV_H

#include "control/control_priv.h"

#define MDNS_SERVICES 48
#define MDNS_TXT 10
enum { MDNS_ANY = -1, MDNS_INET = 0, MDNS_INET6 = 1 }; /* Avahi's interface and protocol numbers */

struct mdns_service {
	char type[24], name[64];         /* a label has 63 bytes; instance names are told by it */
	char txt[MDNS_TXT][200];
	size_t txt_count;
	int32_t interface, protocol;
	uint16_t port;
};
struct mdns_wish {                       /* zeroed before it is filled: compared by its bytes */
	struct mdns_service service[MDNS_SERVICES];
	size_t count;
};
/* What is served now and may be known; control thread. */
void mdns_services(struct mdns_wish *w);

#endif
