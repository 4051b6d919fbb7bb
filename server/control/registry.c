/* SPDX-License-Identifier: GPL-3.0-or-later */
/* registry.c - objects that run, found by id. */
#include "control/control_priv.h"

#include <stdio.h>
#include <string.h>

static unsigned bucket_of(const char *id)
{
	uint32_t h = 2166136261u;
	for (; *id; id++)
		h = (h ^ (uint8_t)*id) * 16777619u;
	return h % REGISTRY_BUCKETS;
}

void registry_init(struct registry *g)
{
	memset(g, 0, sizeof(*g));
	list_init(&g->all);
}

struct node *registry_find(const struct registry *g, const char *id)
{
	struct node *n = g->bucket[bucket_of(id)];
	while (n && strcmp(n->id, id) != 0)
		n = n->next;
	return n;
}

void registry_add(struct registry *g, struct node *n, const char *id)
{
	snprintf(n->id, sizeof(n->id), "%s", id);
	unsigned b = bucket_of(n->id);
	n->next = g->bucket[b];
	g->bucket[b] = n;
	list_add_tail(&g->all, &n->all);
	g->count++;
}

void registry_remove(struct registry *g, struct node *n)
{
	struct node **at = &g->bucket[bucket_of(n->id)];
	while (*at != n)
		at = &(*at)->next;
	*at = n->next;
	list_del(&n->all);
	g->count--;
}
