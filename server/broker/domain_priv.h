/* SPDX-License-Identifier: GPL-3.0-or-later */
/* domain_priv.h - inside the keeper: the Active Directory domain that this machine is a member of, and what its children
 * see of the machine because of it. */
#ifndef HOLDFAST_BROKER_DOMAIN_PRIV_H
#define HOLDFAST_BROKER_DOMAIN_PRIV_H

#include <stdio.h>

#include "broker/keeper_priv.h"

#define DOMAIN_FIRST_ID 1000000u         /* uids and gids of people of the domain begin here when nothing else was said */
#define DOMAIN_FIRST_ID_MIN 300000u      /* behind our own users, and behind the table for names of nobody's domain */
#define DOMAIN_LAST_ID 1999999999u
#define DOMAIN_CLOCK_S 300               /* further apart and Kerberos refuses: RFC 4120 1.6 leaves it to policy, AD has 5 minutes */

struct domain {
	char realm[256];                 /* "CORP.EXAMPLE.COM" */
	char workgroup[16];              /* "CORP": its NetBIOS name; "" not known yet */
	char name[16];                   /* this machine's, as the domain has it */
	char dns[64];                    /* a name server of the domain's; "" the machine's own */
	unsigned first_id;
};

/* ---- domain_text.c: pure ----------------------------------------------------------------------------------- */
/* Are these what a domain may have?  why: in words for who typed them. */
int domain_check(struct domain *d, const char **ret_why) _must_check_; /* also puts names in capitals */
bool domain_name_fits(const char *netbios);
/* Lines of [global] that make a member of it: behind the keeper's other lines, so they are the last word. */
void domain_smb_lines(const struct domain *d, FILE *f);
void domain_krb5(const struct domain *d, const char *folder, FILE *f);
/* The machine's nsswitch.conf with winbind behind the others for people and groups; dns_only: names of hosts by DNS alone. */
void domain_nsswitch(const char *machine, bool dns_only, FILE *f);
/* The note of a domain that was joined, one line; -EINVAL: it is none. */
int domain_note_parse(const char *line, struct domain *ret) _must_check_;
void domain_note(const struct domain *d, char *buf, size_t bytes);
/* Value of "Key: value" in what net prints; "" when it is not there. */
const char *domain_value(const char *output, const char *key, char *buf, size_t bytes);
/* What Samba's programs say, in words for an administrator; -errno that goes with it. */
int domain_explain(const char *output, const char *doing, char *why, size_t why_bytes);
/* For a filter of LDAP: RFC 4515 3. */
int domain_ldap_escape(const char *text, char *buf, size_t bytes) _must_check_;
/* From what `net ads search` prints to lines "user|group<TAB>NAME<TAB>FULL NAME", at most max. */
size_t domain_found(const char *output, size_t max, FILE *f);

/* ---- keeper_view.c ----------------------------------------------------------------------------------------- */
/* What a child sees in place of the machine's: its own name service, its own winbind.  In a mount namespace of its own. */
struct keeper_view {
	char sockets[PATH_MAX], nss[PATH_MAX], resolv[PATH_MAX], empty[PATH_MAX]; /* resolv, empty: "" not wanted */
	char krb5[PATH_MAX + 16];        /* "KRB5_CONFIG=.." */
};
/* -errno with why. */
int keeper_view_prepare(struct keeper_view *v, char *why, size_t why_bytes) _must_check_;
/* After fork: system calls only. */
int keeper_view_enter(const struct keeper_view *v) _must_check_;

/* ---- op_domain.c ------------------------------------------------------------------------------------------- */
/* The domain that this machine is a member of; false: none. */
bool keeper_domain(struct domain *ret);
/* Is there nothing of a domain, or is this the one that is being joined?  For the programs of both. */
bool keeper_domain_is_there(void);
extern const struct keeper_kind keeper_kind_winbindd;

/* One of Samba's programs with the domain's configuration and view; its status, or -errno.  secret: given as often as it is asked for. */
int domain_tool(const char *program, const char *const *words, const char *secret, char *out, size_t out_bytes, unsigned timeout_s) _must_check_;

/* ---- domain_keytab.c --------------------------------------------------------------------------------------- */
/* Makes the keytab when there is none of this password of the machine, told by when it was set. */
int domain_keytab_keep(const char *password_of, char *why, size_t why_bytes) _must_check_;
void domain_keytab_forget(void);
/* Why there is none; "" it was not tried, or there is one. */
void domain_keytab_why(char *buf, size_t bytes);

/* ---- op_smb.c ---------------------------------------------------------------------------------------------- */
/* smb.conf anew from the daemon's last text, and smbd on it when it runs: after a domain came or went. */
int keeper_smb_again(char *why, size_t why_bytes) _must_check_;
/* What smbd and winbindd start beside themselves, and leave behind. */
void keeper_smb_stopped(void);

#endif
