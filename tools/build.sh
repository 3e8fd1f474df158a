# shellcheck shell=bash
# How a preset of CMakePresets.json is built. Sourced by run and test, which set `tree`. All output goes to stderr: stdout
# belongs to the program.

# shellcheck disable=SC2154 # tree, see above
# build_preset NAME [TARGET…]: configures build/NAME and builds what changed.
build_preset() {
  local preset=$1 log="$tree/build/$1.configure.log"
  shift
  mkdir -p "$tree/build"
  if command -v ccache >/dev/null; then export CMAKE_CXX_COMPILER_LAUNCHER=ccache; fi
  [ -e "$tree/build/$preset/build.ninja" ] || say "configuring build/$preset"
  if ! (cd "$tree" && cmake --preset "$preset") >"$log" 2>&1; then
    cat "$log" >&2
    say "build/$preset could not be configured"
    return 1
  fi
  # Silent when everything is up to date (-n: only look).
  if ! ninja -C "$tree/build/$preset" -n "$@" | grep -q 'no work to do'; then
    say "building build/$preset"
    cmake --build "$tree/build/$preset" ${1:+--target "$@"} >&2
  fi
}
