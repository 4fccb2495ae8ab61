#!/bin/sh
# Holds each client of the repository to docs/clients.md, over every protocol that it speaks. Takes the options of
# `breakglass conformance`; CLIENTS="go python" chooses some.
set -eu
cd "$(dirname "$0")/.."
# To strip types and to find modules is half of what a program of ours takes to start.
export NODE_COMPILE_CACHE="${NODE_COMPILE_CACHE:-$PWD/node_modules/.cache/node-compile}"
built=$(mktemp -d)
trap 'rm -rf "$built"' EXIT
status=0

hold() {
  echo "The client for $1:"
  shift
  ./breakglass conformance "$@" || status=1
  echo
}

for client in ${CLIENTS:-typescript go python}; do
  case $client in
    typescript)
      hold TypeScript "$@" -- node_modules/.bin/node --conditions=breakglass-source test/conformance/typescript-driver.ts
      ;;
    go)
      if command -v go >/dev/null; then
        go -C clients/go build -o "$built/go-driver" ./internal/conformance
        hold Go "$@" -- "$built/go-driver"
      else
        echo "The client for Go is not held to anything: there is no go on PATH."
      fi
      ;;
    python)
      if command -v python3 >/dev/null; then
        clients/python/dev.py python --version >/dev/null
        hold Python "$@" -- clients/python/.venv/bin/python clients/python/tests/conformance_driver.py
      else
        echo "The client for Python is not held to anything: there is no python3 on PATH."
      fi
      ;;
  esac
done
exit $status
