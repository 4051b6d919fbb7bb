#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# build.sh - makes web/dist, the built page, from the sources beside this file; does nothing when it is
# up to date.
#	build.sh [--fresh]	--fresh: build even so, and do not look in the cache
# NPM names another npm.  Results are kept under the hash of the sources in $XDG_CACHE_HOME/holdfast/page,
# so that other work trees and build folders of this machine need not build the same page again;
# HF_PAGE_CACHE names another folder, empty: none.
set -eu
LC_ALL=C
export LC_ALL
cd "$(dirname "$0")"
npm=${NPM:-npm}
cache=${HF_PAGE_CACHE-${XDG_CACHE_HOME:-${HOME:-/nonexistent}/.cache}/holdfast/page}
fresh=""
[ "${1-}" != --fresh ] || fresh=1

# One at a time: several build folders share this one.
exec 9>.build.lock
flock 9

# What the page is made of; tests and their output are not.
key=$(find . \( -name node_modules -o -name dist -o -name e2e -o -name out \) -prune -o -type f \
	! -name '.build.lock' ! -name 'README.md' ! -name '*.inc' ! -name '*.test.*' -print | sort |
	xargs sha256sum | sha256sum | cut -c1-40)

done_with() {
	printf '%s\n' "$key" >dist/.key
	touch dist/index.html
	exit 0
}

if [ -z "$fresh" ] && [ -f dist/index.html ] && [ "$(cat dist/.key 2>/dev/null)" = "$key" ]; then
	done_with
fi
if [ -z "$fresh" ] && [ -n "$cache" ] && [ -f "$cache/$key.tar" ]; then
	rm -rf dist
	mkdir dist
	if tar -xf "$cache/$key.tar" -C dist && [ -f dist/index.html ]; then
		done_with
	fi
fi

major=$(node --version 2>/dev/null | sed -n 's/^v\([0-9]*\)\..*/\1/p') || major=""
if ! command -v "$npm" >/dev/null 2>&1 || [ "${major:-0}" -lt 18 ]; then
	cat >&2 <<-'MESSAGE'
	build.sh: the admin page is built with Node.js 18 or newer and npm, which are not here.  Either
	  install them	(Debian: apt install nodejs npm; Enterprise Linux: dnf install nodejs npm; or ./dev deps build),
	  or take a release tarball, which has the page built in,
	  or leave the page out: ./configure --without-page
	MESSAGE
	exit 1
fi
log=.build.log
echo "build.sh: building the page with Node.js $(node --version), npm $("$npm" --version 2>/dev/null)" >&2
# The lock is not inherited: what npm leaves running must not hold it.
if ! { "$npm" ci --no-audit --no-fund && "$npm" run build; } >$log 2>&1 9>&-; then
	tail -40 $log >&2
	echo "build.sh: the page could not be built; all of it: web/$log" >&2
	exit 1
fi
[ -f dist/index.html ] || { echo "build.sh: the build made no dist/index.html" >&2; exit 1; }
if [ -n "$cache" ] && mkdir -p "$cache" 2>/dev/null; then
	if tar -cf "$cache/$key.tar.$$" -C dist . 2>/dev/null; then
		mv "$cache/$key.tar.$$" "$cache/$key.tar"
	fi
	# Ten are kept.
	find "$cache" -name '*.tar' -printf '%T@ %p\n' | sort -rn | sed -e 1,10d -e 's/^[^ ]* //' | xargs -r rm -f
fi
done_with
