/* SPDX-License-Identifier: GPL-3.0-or-later */
/* main.c - holdfastd: arguments, start and stop order, privilege drop.  The only file that sees
 * every room. */
#include <stdio.h>

int main(void)
{
	puts("holdfastd");
	return 0;
}
