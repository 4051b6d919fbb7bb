/* SPDX-License-Identifier: GPL-3.0-or-later */
/* trace.h - a binary ring per thread: what happened last, always on, some 20 ns an entry (the clock).
 * Entries are fixed size and name their event by a row of trace.def. */
#ifndef HOLDFAST_CORE_TRACE_H
#define HOLDFAST_CORE_TRACE_H

#include <stdint.h>
#include <stdio.h>

enum trace_event {
#define TRACE(id, name, a, b) TRACE_##id,
#include "core/trace.def"
#undef TRACE
	TRACE_EVENTS
};
struct trace_entry {
	uint64_t time_ns;
	uint32_t event, thread;
	uint64_t a, b;
};
/* Any thread; wait-free.  a, b: what the row says. */
void trace(enum trace_event e, uint64_t a, uint64_t b);
/* Merges all rings in time order as text lines "time thread event a=.. b=..". */
void trace_dump(FILE *to);

#endif
