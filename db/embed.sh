#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# embed.sh - writes C on stdout: schema.sql and the migrations as strings.
#	embed.sh DB_FOLDER
# Migrations are taken in the order of their numbers, which must be 1, 2, 3, .. without a gap.
set -eu
LC_ALL=C
export LC_ALL
db=$1

quote() {
	sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/^/	"/' -e 's/$/\\n"/' "$1"
}

echo '/* SPDX-License-Identifier: GPL-3.0-or-later */'
echo '/* schema_gen.c - made by db/embed.sh from db/; do not edit. */'
echo '#include "config/config_priv.h"'
echo
echo 'const char db_schema_sql[] ='
quote "$db/schema.sql"
echo ';'
echo 'const struct db_migration db_migrations[] = {'
expected=1
for file in "$db"/migrations/[0-9][0-9][0-9][0-9]-*.sql; do
	name=$(basename "$file" .sql)
	number=$(echo "$name" | sed -e 's/-.*//' -e 's/^0*//')
	if [ "$number" != "$expected" ]; then
		echo "embed.sh: $file: expected number $expected" >&2
		exit 1
	fi
	echo "	{ .to = $number, .name = \"$name\", .sql ="
	quote "$file"
	echo '	},'
	expected=$((expected + 1))
done
echo '};'
echo "const int db_migration_count = $((expected - 1));"
