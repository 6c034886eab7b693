#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Guest memory shown to the host: GPADLs, pages named in packets, and MMIO.
# shellcheck disable=SC2317 # "check" runs the functions
# shellcheck source-path=SCRIPTDIR source=lib.sh
. ./lib.sh

plan 23
# shellcheck disable=SC2034 # for lib.sh
keep_open=1
ct open >/dev/null || echo "# can't open"

pages()
{
	ct gpadl $(($1 * 4096))
}
# 26 PFNs fit in the first message, 28 in each further one
for n in 1 2 26 27 54 55 1000 4097; do
	check "GPADL of $n pages" pages $n
done
check "GPADL of 8190 pages" pages 8190

too_long()
{
	ct_fails gpadl $((8191 * 4096)) && ct echo 10
}
check "GPADL of 8191 pages is refused" too_long

many()
{
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		pages 30 || return
	done
}
check "GPADLs one after the other" many

for x in "4096 0" "1 0" "1 4095" "8 4092" "4096 1" "5000 100" "65536 0" \
	"65536 2048" "524288 512"; do
	# shellcheck disable=SC2086 # two words
	check "pages in a packet, ${x% *} bytes at ${x#* }" ct gpa $x
done

mmio()
{
	out=$(ct mmio "$@")
	status=$?
	echo "$out"
	return "$status"
}
if ct mmio 4096 4096 >/dev/null; then
	check "MMIO, 64 KiB aligned to 64 KiB" mmio 65536 65536
	check "MMIO, again and again" mmio 1048576 1048576
	too_much()
	{
		ct_fails mmio 0x80000000 4096 && ct mmio 65536 4096
	}
	check "MMIO, more than there is" too_much
else
	for n in 1 2 3; do
		skip "MMIO, $n" "the host has no aperture"
	done
fi
finish
