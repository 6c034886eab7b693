#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# run.sh DIR NAME...: runs DIR/NAME for each and makes one TAP stream of theirs.
# A program that dies, that fails without saying which test did, or that says
# nothing at all is a failed test of its own. Called by unit.mk.

dir=$1
shift

out=$(mktemp) || exit 1
trap 'rm -f "$out"' EXIT
# seconds: test_host_death takes one minute alone, and several on a busy machine
limit=${UNIT_TIMEOUT:-1200}

for name; do
	echo "# program $name"
	timeout "$limit" "$dir/$name" 2>&1
	echo "# exit $? $name"
done | tee "$out" | awk '
	BEGIN { print "TAP version 13" }
	/^TAP version/ || /^1\.\.[0-9]/ { planned += /^1\.\./; next }
	/^# exit / {
		if ($3 != 0 && !failed || !tests || !planned) {
			print "not ok " ++number " - " $4 ": exit code " $3 \
				", " tests + 0 " tests"
			bad = 1
		}
		failed = tests = planned = 0
		next
	}
	/^not ok / || /^ok / {
		ok = $1 == "not" ? "not ok" : "ok"
		sub(/^(not )?ok [0-9]* */, "")
		if (ok == "not ok")
			bad = failed = 1
		tests++
		print ok " " ++number " " $0
		fflush()
		next
	}
	/^#/ { print; next }
	{ print "# " $0 }
	END { print "1.." number + 0; exit bad }'
