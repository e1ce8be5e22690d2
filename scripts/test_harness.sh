#!/usr/bin/env bash
# Run a chosen part of the tests with another release of the harness, in an environment of its own.
#
#     scripts/test_harness.sh VERSION [PYTEST ARGUMENTS]      # 0.5.0.dev1
#
# The environment is .venv-lm_eval-VERSION: that harness and this project before what .venv has, so that
# torch and vLLM are installed once. A second call goes straight to the tests. They are discovery, the
# command line, the harness's caches, both backends (vLLM where it is installed), a sweep and a report;
# and a run with .venv's harness that the other one repeats from the same store.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
case ${1:-} in
    "" | -*) sed -n '2,9p' "$0" | cut -c3-; [ "${1:-}" = --help ] && exit 0; exit 2 ;;
esac
version=$1
shift
# Set-up compiles nothing: what is imported for the first time is compiled then, and kept in .venv.
unset PYTHONDONTWRITEBYTECODE
scripts/setup.sh --dev
base=$root/.venv/bin/python
venv=$root/.venv-lm_eval-$version
python=$venv/bin/python
recipe="$version $root $(cat setup.cfg setup.py scripts/test_harness.sh .venv/.hm-setup | cksum)"
if [ "$(cat "$venv/.hm-harness" 2>/dev/null)" != "$recipe" ]; then
    echo "test_harness.sh: lm_eval $version in $venv"
    rm -rf "$venv"
    "$base" -m venv --without-pip "$venv"
    # Behind its own packages, of which the harness and this project win; pip is found there, too.
    packages=$("$python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
    "$base" -c 'import sysconfig; print(sysconfig.get_path("purelib"))' > "$packages/zz_of_base.pth"
    pip() { "$python" -m pip --disable-pip-version-check install --quiet "$@"; }
    if ! pip "lm_eval==$version"; then
        echo "test_harness.sh: lm_eval $version could not be installed: the package index cannot be reached," \
            "or has no such release (pip index versions --pre lm_eval)." >&2
        exit 1
    fi
    pip --no-deps --no-build-isolation --editable .
    echo "$recipe" > "$venv/.hm-harness"
fi

tests=(
    tests/install/test_discovery.py
    tests/models/plugin
    tests/models/prompts/test_conversation.py
    tests/models/samples
    tests/models/sweep/test_run.py
    tests/models/test_merged_hf.py
    tests/models/engines/test_live_vllm.py
    tests/models/engines/test_backend_arguments.py::test_replicas_of_the_harness_that_is_installed_run_or_are_refused
    tests/metrics/test_similarity.py
    tests/metrics/report/test_wrapped_tasks.py
    tests/tasks/any_passk/test_grading.py
    tests/tasks/any_passk/test_task.py
    tests/tasks/code_passk/test_task.py
    tests/tasks/sorry_bench/test_task.py
    tests/tasks/test_own_scoring.py
    tests/end_to_end/test_harness_caches.py
    tests/end_to_end/test_repeats.py
    tests/end_to_end/test_two_harnesses.py
)
[ $# -gt 0 ] || set -- -m "not campaign" "${tests[@]}"
HF_HUB_OFFLINE=1 HM_OTHER_PYTHON=$base exec "$python" -m pytest -n 2 --dist loadfile --no-loadscope-reorder "$@"
