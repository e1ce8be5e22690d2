#!/usr/bin/env bash
# Set up the environment and run the whole test suite; arguments go to pytest.
#
#     scripts/test.sh [-k EXPRESSION ...]
#
# MBPP_OVERRIDE_PATH and HUMANEVAL_OVERRIDE_PATH name the benchmark files; tests that need one skip
# without it and say so.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
"$root/scripts/setup.sh"
bin=$root/.venv/bin
"$bin/python" -c 'import pytest, ray' 2>/dev/null ||
    "$bin/python" -m pip --disable-pip-version-check install --quiet 'pytest>=8.0' 'ray>=2.40'
cd "$root"
HF_HUB_OFFLINE=1 exec "$bin/python" -m pytest "$@"
