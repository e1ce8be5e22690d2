#!/usr/bin/env bash
# Set up the environment and run the tests of the default tier; arguments go to pytest.
#
#     scripts/test.sh [-k EXPRESSION ...]
#     scripts/test.sh -m engine        # what starts an engine of its own or goes over a whole benchmark
#     scripts/test.sh -m campaign      # many engines, kills and attacks, for hours of quiet; -m "": all
#     scripts/test.sh -n 8             # more workers than two
#
# MBPP_OVERRIDE_PATH and HUMANEVAL_OVERRIDE_PATH name the benchmark files; tests that need one skip
# without it and say so. So do the tests of Ray, minutes long, without `pip install 'ray>=2.40'`.
# tests/README.md says what is in which tier.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
# Set-up compiles nothing: what is imported for the first time is compiled then, and kept in .venv.
unset PYTHONDONTWRITEBYTECODE
"$root/scripts/setup.sh" --dev
bin=$root/.venv/bin
cd "$root"
# A file's tests stay in one worker, as they share what the file sets up; slow files begin first.
HF_HUB_OFFLINE=1 exec "$bin/python" -m pytest -n 2 --dist loadfile --no-loadscope-reorder "$@"
