#!/run/vm/sh
# SPDX-License-Identifier: GPL-2.0-only
# Takes commands in the guest. A request is one line on the terminal VM_AGENT:
#	<id> <seconds> <a shell script, as printf %b takes it>
# Its output, standard error included, comes back as it is made; it ends with
# byte 1, the id, the exit status and a newline. The id is a random number
# which only who asked knows: nothing else can look like success.
V=/run/vm

serve()
{
	exec <>"$VM_AGENT" >&0 2>&0
	$V/stty raw -echo
	printf '\001READY\n'
	while read -r id limit script; do
		printf %b "$script" >$V/script
		$V/timeout -s KILL "$limit" /bin/sh $V/script </dev/null
		printf '\001%s %s\n' "$id" $?
	done
}

case $1 in
init)
	# Process 1. Waits for its children, so nobody's orphan stays a zombie.
	# VM_SHELL comes from the kernel's command line: "make vm".
	if [ -n "$VM_SHELL" ]; then
		(
			cd /root || exit
			while :; do
				$V/setsid $V/cttyhack /bin/bash -l \
					<"/dev/$VM_SHELL" >"/dev/$VM_SHELL" 2>&1
				$V/sleep 1
			done
		) &
	fi
	while :; do
		$V/sh "$0" serve
		$V/sleep 1
	done
	;;
serve)
	serve
	;;
esac
