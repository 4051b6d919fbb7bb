/* SPDX-License-Identifier: GPL-3.0-or-later */
/* openapi.c - docs/openapi.yaml inside the program, so that description and server never part. */
#include "api/api_priv.h"

#include <string.h>

__asm__(".pushsection .rodata, \"a\"\n"
	".globl api_openapi_text\n"
	".hidden api_openapi_text\n"
	"api_openapi_text:\n"
	".incbin \"" HF_SRCDIR "/docs/openapi.yaml\"\n"
	".globl api_openapi_end\n"
	".hidden api_openapi_end\n"
	"api_openapi_end:\n"
	".byte 0\n"
	".popsection\n");
extern const char api_openapi_text[], api_openapi_end[];

void api_do_openapi(struct api_call *c)
{
	size_t len = (size_t)(api_openapi_end - api_openapi_text);
	char *text = malloc(len + 1);

	if (!text) {
		answer_problem(c->rs, PROBLEM_BUSY, "There is no memory for it now.");
		return;
	}
	memcpy(text, api_openapi_text, len + 1);
	answer_text(c->rs, 200, "application/yaml", text, len);
}
