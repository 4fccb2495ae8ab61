#!/bin/sh
# Lint, types and tests of the Python client, from any directory. The tests run the service of this repository.
set -eu
cd "$(dirname "$0")"
./dev.py ruff check
./dev.py ruff format --check -q
./dev.py pyright
# The tests take a minute on a quiet machine.
timeout 600 ./dev.py pytest
