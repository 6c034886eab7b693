#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# run.sh DIR SECONDS ENGINE NAME...: runs DIR/fuzz_NAME for each, prints TAP.
# Called by fuzz.mk.

dir=$1
seconds=$2
engine=$3
shift 3

failed=0
number=0
echo "TAP version 13"
echo "1..$#"
for name; do
	number=$((number + 1))
	mkdir -p "$dir/corpus-$name"
	log=$dir/fuzz_$name.log
	if timeout $((seconds + 60)) "$dir/fuzz_$name" -seed=1 -max_len=8192 \
			-max_total_time="$seconds" -timeout=10 \
			-artifact_prefix="$dir/fuzz_$name-" \
			"$dir/corpus-$name" >"$log" 2>&1; then
		verdict=ok
	else
		verdict="not ok"
		failed=1
		tail -n 60 "$log" | sed 's/^/# /'
	fi
	tail -n 1 "$log" | sed 's/^/# /'
	echo "$verdict $number - fuzz: $name, $seconds s of $engine"
done
exit $failed
