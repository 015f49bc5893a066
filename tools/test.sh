#!/bin/sh
# Builds Mitra and runs its tests. The last line is the sum of ctest's closing lines; the exit status is 0 only if every
# stage has passed.
# usage: sh tools/test.sh         everything: release, sanitizers, warnings of the second compiler
#        sh tools/test.sh fast    the release build and its tests
set -eu
cd "$(dirname "$0")/.."
. tools/setup.sh

mode=${1:-all}
case $mode in
  all | fast) ;;
  *) fail "unknown mode '$mode'; known: all (the default), fast" ;;
esac

# shellcheck disable=SC2086
need $packages_to_test

# run_tests PRESET: runs its tests and adds their numbers to the sums.
total=0
failed=0
broken=""
run_tests() {
  say "Testing build/$1"
  log=build/$1/ctest.log
  # The status is that of ctest, not of tee.
  { ctest --preset "$1" --parallel "$(parallel_jobs)" </dev/null 2>&1 && echo 0 >"$log.status" || echo 1 >"$log.status"; } |
    tee "$log"
  status=$(cat "$log.status")
  numbers=$(sed -n 's/^[0-9]*% tests passed, \([0-9]*\) tests failed out of \([0-9]*\)$/\1 \2/p' "$log")
  [ -n "$numbers" ] || fail "ctest did not run the tests of build/$1"
  failed=$((failed + ${numbers% *}))
  total=$((total + ${numbers#* }))
  [ "$status" -eq 0 ] || broken="$broken $1"
}

# failures PRESET: what the failed tests of the preset printed, once more, and their list; where only the end of a long
# output is kept, this is in it.
failures() {
  awk '/^ *[0-9]+\/[0-9]+ Test +#/ { lines = /\*\*\*/ ? 150 : 0 }
    /^ +Start / { next }
    /^The following tests FAILED/ { lines = 1000 }
    lines > 0 { print; --lines }' "build/$1/ctest.log"
}

configure release -DMITRA_WERROR=ON -DMITRA_BUILD_TESTS=ON -DMITRA_BUILD_EXAMPLES=ON -DMITRA_BUILD_BENCH=ON \
  -DMITRA_BUILD_PEERS=ON
build release
run_tests release

if [ "$mode" = all ]; then
  for preset in asan tsan; do
    configure "$preset"
    build "$preset"
    run_tests "$preset"
  done
  if command -v clang++-14 >/dev/null 2>&1; then
    configure clang
    build clang
  fi
fi

echo
for preset in $broken; do
  say "Failed in build/$preset"
  failures "$preset"
done
passed=100
[ "$failed" -eq 0 ] || passed=$(((total - failed) * 100 / total))
echo "$passed% tests passed, $failed tests failed out of $total"
[ -z "$broken" ]
