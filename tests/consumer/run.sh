# shellcheck shell=sh
# sh run.sh CMAKE BUILD_DIR PROJECT_DIR GENERATOR COMPILER LIBDIR
# Installs BUILD_DIR, then configures, builds and runs a copy of PROJECT_DIR outside of the source tree.
set -eu
cmake=$1 build=$2 project=$3 generator=$4 compiler=$5 libdir=$6

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
prefix=$work/prefix

echo "== install"
"$cmake" --install "$build" --prefix "$prefix" >"$work/install.log" || { cat "$work/install.log"; exit 1; }
for file in include/mitra/mitra.hpp "$libdir/cmake/Mitra/MitraConfig.cmake" "$libdir/pkgconfig/mitra.pc"; do
  [ -f "$prefix/$file" ] || { echo "not installed: $file"; exit 1; }
done
if grep -rl -e "$build" -e "$prefix" "$prefix/include" "$prefix/$libdir/cmake" "$prefix/$libdir/pkgconfig"; then
  echo "the installed files above name a directory of the build machine"
  exit 1
fi

echo "== find_package"
cp -r "$project" "$work/project"
"$cmake" -S "$work/project" -B "$work/build" -G "$generator" -DCMAKE_CXX_COMPILER="$compiler" \
  -DCMAKE_BUILD_TYPE=Debug -DCMAKE_PREFIX_PATH="$prefix"
"$cmake" --build "$work/build"
(cd "$work/build" && ./app && ./bounds)

echo "== pkg-config"
if command -v pkg-config >/dev/null; then
  PKG_CONFIG_PATH=$prefix/$libdir/pkgconfig
  export PKG_CONFIG_PATH
  pkg-config --print-errors --exists 'mitra >= 0.1'
  # The words of pkg-config are meant to be split.
  # shellcheck disable=SC2046
  "$compiler" -std=c++20 "$work/project/main.cpp" -o "$work/build/app_pkg_config" $(pkg-config --cflags --libs mitra)
  (cd "$work/build" && LD_LIBRARY_PATH="$prefix/$libdir" ./app_pkg_config)
else
  echo "pkg-config is not installed: skipped"
fi
