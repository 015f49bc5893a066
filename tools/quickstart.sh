#!/bin/sh
# Builds Mitra and runs its main job: a tiled Cholesky factorisation, as tasks, on this machine under two schedulers, and in
# virtual time on a machine of 256 cores and four GPUs under all of them.
# usage: sh tools/quickstart.sh
set -eu
cd "$(dirname "$0")/.."
. tools/setup.sh

[ $# -eq 0 ] || fail "takes no arguments"

# shellcheck disable=SC2086
need $packages_to_build
# A build directory that the tests have configured is used as it is: the tool is part of it.
[ -f build/release/configured ] ||
  configure release -DMITRA_BUILD_TESTS=OFF -DMITRA_BUILD_EXAMPLES=OFF -DMITRA_BUILD_BENCH=OFF -DMITRA_BUILD_PEERS=OFF
build release mitra_tool

for scheduler in locality_ws priority; do
  say "Cholesky factorisation, n = 4096, scheduler $scheduler"
  build/release/mitra run cholesky --n 4096 --scheduler "$scheduler" </dev/null
done
say "The same in virtual time on alice-recoque-unified, n = 20000, every scheduler"
build/release/mitra compare cholesky --n 20000 --tile 1000 --machine alice-recoque-unified </dev/null
say "Next: build/release/mitra --help, docs/ and examples/"
