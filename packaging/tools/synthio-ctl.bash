# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Completion of synthio-ctl(8) for bash.
_synthio_ctl()
{
	local cur=${COMP_WORDS[COMP_CWORD]} words="" dir

	if [ "$COMP_CWORD" = 1 ]; then
		words="list take give-back apply report --help"
	else
		case ${COMP_WORDS[1]} in
		list)
			words=--json ;;
		take | give-back)
			words="--keep --at-boot --force"
			for dir in /sys/bus/vmbus/devices/*; do
				[ ! -e "$dir" ] || words+=" ${dir##*/}"
			done ;;
		report)
			if [ "${COMP_WORDS[COMP_CWORD-1]}" = -o ]; then
				mapfile -t COMPREPLY < <(compgen -f -- "$cur")
				return
			fi
			words="-o" ;;
		esac
	fi
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
}
complete -F _synthio_ctl synthio-ctl
