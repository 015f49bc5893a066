# shellcheck shell=sh disable=SC2034
# Sourced by quickstart.sh and test.sh, from the root of the repository: packages, configuration, build.
# Each step says what it does, asks nothing, and is skipped when there is nothing to do.

packages_to_build="cmake ninja-build g++ pkg-config libhwloc-dev libfmt-dev libcli11-dev nlohmann-json3-dev libtomlplusplus-dev
  libopenblas-dev liblapacke-dev libglpk-dev libtbb-dev"
packages_to_test="$packages_to_build catch2 python3 clang-14 libomp-14-dev libstarpu-dev
  libsimgrid-dev libbenchmark-dev hipcc libamdhip64-dev"

say() { printf '== %s\n' "$*"; }
fail() {
  printf '%s: %s\n' "$0" "$*" >&2
  exit 1
}

# need PACKAGE...: installs what is missing, as root or with sudo that asks no password.
need() {
  missing=""
  for package in "$@"; do
    if ! is_installed "$package"; then missing="$missing $package"; fi
  done
  [ -n "$missing" ] || return 0

  command="apt-get install -y --no-install-recommends$missing"
  if ! command -v apt-get >/dev/null 2>&1; then
    fail "these packages (Debian 12 names) are missing, and there is no apt-get to install them:$missing"
  fi
  if [ "$(id -u)" -eq 0 ]; then
    as_root="env DEBIAN_FRONTEND=noninteractive"
  elif command -v sudo >/dev/null 2>&1 && sudo -n true >/dev/null 2>&1; then
    as_root="sudo -n env DEBIAN_FRONTEND=noninteractive"
  else
    fail "these packages are missing:$missing
As root, install them with
  $command"
  fi
  say "Installing packages:$missing"
  $as_root apt-get -q update </dev/null || say "The package lists could not be refreshed; going on with those at hand"
  # shellcheck disable=SC2086
  $as_root $command -q </dev/null || fail "apt-get could not install the packages; the command was
  $command"
}

is_installed() {
  [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# The number of jobs: one a processor, and no more than the memory holds at 1.5 GB a compiler.
parallel_jobs() {
  count=$(nproc 2>/dev/null || echo 1)
  memory=$(awk '/^MemAvailable:/ { print int($2 / 1024) }' /proc/meminfo 2>/dev/null)
  limit=$(cat /sys/fs/cgroup/memory.max 2>/dev/null || echo max)
  case $limit in
    '' | *[!0-9]*) ;;
    *) [ "$((limit / 1048576))" -ge "${memory:-0}" ] || memory=$((limit / 1048576)) ;;
  esac
  if [ -n "$memory" ]; then
    bound=$((memory / 1500))
    [ "$bound" -ge 1 ] || bound=1
    [ "$count" -le "$bound" ] || count=$bound
  fi
  echo "$count"
}

# configure PRESET OPTION...: makes build/PRESET with these options, unless it was made with them already.
configure() {
  preset=$1
  shift
  stamp=build/$preset/configured
  wanted="$*"
  if [ -f "build/$preset/build.ninja" ] && [ -f "$stamp" ] && [ -z "$(find CMakePresets.json -newer "$stamp")" ] &&
    [ "$(cat "$stamp")" = "$wanted" ]; then
    return 0
  fi
  say "Configuring build/$preset"
  cmake --preset "$preset" "$@" </dev/null || fail "cmake could not configure the preset $preset"
  printf '%s\n' "$wanted" >"$stamp"
}

# build PRESET [TARGET...]: with a line a step on a terminal, with warnings and errors alone elsewhere.
build() {
  preset=$1
  shift
  say "Building build/$preset (jobs: $(parallel_jobs))"
  quiet=--quiet
  [ ! -t 1 ] || quiet=
  # shellcheck disable=SC2086
  if [ $# -gt 0 ]; then
    cmake --build "build/$preset" --parallel "$(parallel_jobs)" --target "$@" -- $quiet </dev/null
  else
    cmake --build "build/$preset" --parallel "$(parallel_jobs)" -- $quiet </dev/null
  fi || fail "the build of the preset $preset failed"
}
