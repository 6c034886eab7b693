#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# A host that breaks the protocol: the channel works on, or works again once it
# has been opened again. The kernel log is for the harness to look at.
# shellcheck disable=SC2317 # "check" runs the functions
# shellcheck source-path=SCRIPTDIR source=lib.sh
. ./lib.sh

raws=$(ct open >/dev/null && ct raw)
raws=${raws:-1}

le32()
{
	printf '%02x%02x%02x%02x' $(($1 & 255)) $(($1 >> 8 & 255)) \
		$(($1 >> 16 & 255)) $(($1 >> 24 & 255))
}

# channel messages: type, then the rest in words
words()
{
	le32 "$1"
	le32 0
	shift
	for w; do le32 "$w"; done
}

ct offer >/dev/null
relid=$(sed -n 's/^relid \([0-9]*\).*/\1/p' "$CT"/result)
offer=$(sed -n 2p "$CT"/result)
ff=$(printf 'ff%.0s' $(seq 240))

indices="0x1 0x4 0xfff8 0x10000 0x80000000 0xfffffff8 0xffffffff"
plan $((raws + 7 + 24 + 16))

packet()
{
	grep -q ": open" "$CT"/state || ct open || return
	ct raw "$1"
}
i=0
while [ $i -lt "$raws" ]; do
	check "malformed packet $i" packet $i
	i=$((i + 1))
done

for v in $indices; do
	check "write index $v" ct badindex "$v"
done

# Types 1 to 24 with nothing behind the header
t=1
while [ $t -le 24 ]; do
	check "message of type $t cut short" ct message "$(words $t)"
	t=$((t + 1))
done

check "message of one byte" ct message 00
check "message of half a header" ct message 01000000
check "message of type 0" ct message "$(words 0)"
check "message of type 25" ct message "$(words 25)"
check "message of type 0xffffffff" ct message "$(words 0xffffffff)"
check "message of 240 times 0xff" ct message "$ff"
check "rescind of channel 0" ct message "$(words 2 0)"
check "rescind of a channel that was not offered" ct message "$(words 2 1999)"
check "rescind of channel 0xffffffff" ct message "$(words 2 0xffffffff)"
check "open result nobody waits for" ct message "$(words 6 "$relid" 1 0)"
check "GPADL created that nobody asked for" ct message \
	"$(words 10 "$relid" 4711 0)"
check "GPADL torn down that nobody gave back" ct message "$(words 12 4711)"
check "modify response nobody waits for" ct message "$(words 24 "$relid" 0)"
check "version response long after" ct message "$(words 15 1 1)"
check "our offer a second time" ct message "$offer"
check "all offers delivered again" ct message "$(words 4)"
finish
