# SPDX-License-Identifier: GPL-3.0-or-later
# holdfast.bash - completion for bash.  The command itself knows what can stand where, names of objects
# on the running server included; this only asks it.
_holdfast() {
	local line cur=${COMP_WORDS[COMP_CWORD]}
	COMPREPLY=()
	while IFS= read -r line; do
		if [ "$line" = @files ]; then
			compopt -o filenames 2>/dev/null
			mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -f -- "$cur")
		else
			COMPREPLY+=("$(printf '%q' "$line")")
		fi
	done < <(command "${COMP_WORDS[0]}" __complete "$COMP_CWORD" "${COMP_WORDS[@]}" 2>/dev/null)
	# Bash takes ':' for the end of a word; what stands before it is there already.
	if [[ $cur == *:* && $COMP_WORDBREAKS == *:* ]] && declare -F __ltrim_colon_completions >/dev/null; then
		__ltrim_colon_completions "$cur"
	fi
}
complete -F _holdfast holdfast
