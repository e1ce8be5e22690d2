#!/usr/bin/env bash
# Set up the environment and run the whole test suite; arguments go to pytest.
#
#     scripts/test.sh [-k EXPRESSION ...]
#     scripts/test.sh -m campaign      # minutes of real vLLM engines: every way of changing alpha, two
#                                      # ranks, ten kills; -m "" runs all there is
#
# MBPP_OVERRIDE_PATH and HUMANEVAL_OVERRIDE_PATH name the benchmark files; tests that need one skip
# without it and say so. So do the tests of Ray, minutes long, without `pip install 'ray>=2.40'`.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
"$root/scripts/setup.sh"
bin=$root/.venv/bin
# tenacity is what the harness's endpoint models need beside what is there (its extra `api`).
"$bin/python" -c 'import pytest, tenacity' 2>/dev/null ||
    "$bin/python" -m pip --disable-pip-version-check install --quiet 'pytest>=8.0' tenacity
cd "$root"
HF_HUB_OFFLINE=1 exec "$bin/python" -m pytest "$@"
