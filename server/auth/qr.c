/* SPDX-License-Identifier: GPL-3.0-or-later */
/* qr.c - text as a QR code in SVG: one path, so that the page needs no script for it. */
#include <config.h>

#include "auth/auth_priv.h"

#include <stdio.h>

#ifdef HAVE_QRENCODE
#include <qrencode.h>

#define QUIET 4                          /* ISO/IEC 18004: light modules around it */

char *qr_svg(const char *text)
{
	QRcode *q = QRcode_encodeString8bit(text, 0, QR_ECLEVEL_M);
	char *svg = NULL;
	size_t bytes;
	if (!q)
		return NULL;
	FILE *f = open_memstream(&svg, &bytes);
	if (f) {
		int side = q->width + 2 * QUIET;
		fprintf(f, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" shape-rendering=\"crispEdges\">"
			   "<path fill=\"#fff\" d=\"M0 0h%dv%dH0z\"/><path fill=\"#000\" d=\"", side, side, side, side);
		for (int y = 0; y < q->width; y++)
			for (int x = 0; x < q->width; x++) {
				int run = 0;
				while (x + run < q->width && q->data[y * q->width + x + run] & 1)
					run++;
				if (run) {
					fprintf(f, "M%d %dh%dv1h-%dz", x + QUIET, y + QUIET, run, run);
					x += run;
				}
			}
		fputs("\"/></svg>", f);
		if (fclose(f) != 0) {
			free(svg);
			svg = NULL;
		}
	}
	QRcode_free(q);
	return svg;
}
#else
char *qr_svg(const char *text)
{
	(void)text;
	return NULL;                     /* the page shows the secret as text all the same */
}
#endif
