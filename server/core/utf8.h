/* SPDX-License-Identifier: GPL-3.0-or-later */
/* utf8.h - what is text, for words that came from outside: JSON and the store take nothing else.  RFC 3629 4.  Pure. */
#ifndef HOLDFAST_CORE_UTF8_H
#define HOLDFAST_CORE_UTF8_H

#include "core/base.h"

/* The length of the character at s (with its NUL somewhere behind); 0: it is none. */
size_t utf8_len(const char *s);
/* In place: what is no text becomes '?', and a character that was cut off at the end goes. */
void utf8_mend(char *s);

#endif
