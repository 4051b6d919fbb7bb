#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# asset.sh - writes C on stdout: the files of the built page as .incbin and a table of them.
#	asset.sh PAGE_FOLDER WORK_FOLDER
# What compresses is stored compressed (gzip -9n, the same bytes each time) below WORK_FOLDER, which is emptied
# first: files of an older page must not pile up.  Without PAGE_FOLDER ("") the table is empty.
set -eu
LC_ALL=C
export LC_ALL
page=$1
work=$2

rm -rf "$work"
mkdir -p "$work"
work=$(cd "$work" && pwd)

type_of() {
	case $1 in
	*.html) echo "text/html; charset=utf-8" ;;
	*.js | *.mjs) echo "text/javascript; charset=utf-8" ;;
	*.css) echo "text/css; charset=utf-8" ;;
	*.json | *.map) echo "application/json" ;;
	*.webmanifest) echo "application/manifest+json" ;;
	*.svg) echo "image/svg+xml" ;;
	*.png) echo "image/png" ;;
	*.jpg) echo "image/jpeg" ;;
	*.webp) echo "image/webp" ;;
	*.ico) echo "image/x-icon" ;;
	*.woff2) echo "font/woff2" ;;
	*.txt | *.md) echo "text/plain; charset=utf-8" ;;
	*) echo "application/octet-stream" ;;
	esac
}

echo '/* SPDX-License-Identifier: GPL-3.0-or-later */'
echo '/* asset_gen.c - made by server/http/asset.sh from the built page; do not edit. */'
echo '#include "http/asset.h"'
echo
if [ -z "$page" ]; then
	echo 'const struct asset assets[] = { { 0 } };'
	echo 'const size_t asset_count = 0;'
	exit 0
fi
page=$(cd "$page" && pwd)
table=$work/table
: >"$table"
n=0
# .vite/license.md, the licences of what is bundled, is served as licenses.md; other dot files are not the page's.
(cd "$page" && find . -name '.?*' -prune -o -type f -print && find . -path './.vite/license.md') | sort >"$work/list"
while read -r file; do
	file=${file#./}
	url=/$file
	[ "$file" != .vite/license.md ] || url=/licenses.md
	case $file in *[!A-Za-z0-9._/-]*)
		echo "asset.sh: $file: a name that cannot stand in an address as it is" >&2
		exit 1
		;;
	esac
	type=$(type_of "$file")
	stored=$page/$file gzip=false hashed=false
	case $type in text/* | application/json | application/manifest+json | image/svg+xml)
		stored=$work/$n.gz gzip=true
		gzip -9n <"$page/$file" >"$stored"
		;;
	esac
	# assets/NAME-HASH.EXT: another content has another name.
	case $file in assets/*-????????.*) hashed=true ;; esac
	etag=$(sha256sum "$page/$file" | cut -c1-64)
	cat <<-CODE
	__asm__(".pushsection .rodata, \"a\"\n"
		".globl asset_$n\n.hidden asset_$n\nasset_$n:\n.incbin \"$stored\"\n"
		".globl asset_${n}_end\n.hidden asset_${n}_end\nasset_${n}_end:\n.byte 0\n.popsection\n");
	extern const uint8_t asset_${n}[], asset_${n}_end[];
	CODE
	printf '\t{ .path = "%s", .type = "%s", .etag = "\\"%s\\"",\n\t  .is_gzip = %s, .is_hashed = %s, .start = asset_%s, .end = asset_%s_end },\n' \
		"$url" "$type" "$etag" $gzip $hashed $n $n >>"$table"
	n=$((n + 1))
done <"$work/list"
echo 'const struct asset assets[] = {'
cat "$table"
echo '};'
echo "const size_t asset_count = $n;"
