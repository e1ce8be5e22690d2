#!/usr/bin/env bash
# From a bare machine to pass@1..10 of a merge of two real checkpoints, through lm_eval itself.
#
#     scripts/quickstart.sh [--alpha 0.7] [--out runs/quickstart]
#
# Sets up .venv, makes the demo pair, samples 11 programs for each of the 36 demo problems from the
# merge and scores them; the first 12 problems of MBPP+ too, where its data can be had.
set -euo pipefail

alpha=0.7
root=$(cd "$(dirname "$0")/.." && pwd)
out=$root/runs/quickstart
while [ $# -gt 0 ]; do
    case $1 in
        --alpha) alpha=${2:?--alpha needs a number}; shift 2 ;;
        --out) out=${2:?--out needs a folder}; shift 2 ;;
        -h | --help) sed -n '2,7p' "$0" | cut -c3-; exit 0 ;;
        *) echo "quickstart.sh: unknown argument $1 (see --help)" >&2; exit 2 ;;
    esac
done

"$root/scripts/setup.sh"
bin=$root/.venv/bin

# A step ends with this script: by a signal that comes to it, and where it is killed, by the kernel (on Linux).
step=
trap 'kill "$step" 2>/dev/null || true; exit 143' TERM HUP INT
with_us() {
    "$bin/python" -m hm_models.engines.owner "$@" &
    step=$!
    wait "$step"
    step=
}
pair=$root/runs/demo_pair
export HF_HUB_OFFLINE=1  # the pair is made here; nothing is asked of a hub

echo "quickstart.sh: [$((SECONDS))s] the demo pair"
with_us "$bin/python" "$root/scripts/make_demo_pair.py" --out "$pair"

tasks=demo_passk
samples="\"demo_passk\": [$(seq -s, 0 35)]"
if "$bin/python" - <<'PY'; then
import sys
from pathlib import Path

import hm_tasks
from hm_tasks.code_passk.dataset import DatasetError
from lm_eval.tasks import TaskManager

tasks = TaskManager(include_path=str(Path(hm_tasks.__file__).parent), include_defaults=False)
try:
    tasks.load(["mbppplus_passk"])
except DatasetError as error:
    sys.exit(f"quickstart.sh: without MBPP+. {error}")
PY
    tasks=$tasks,mbppplus_passk
    samples="$samples, \"mbppplus_passk\": [$(seq -s, 0 11)]"
fi

arguments=(base="$pair/base" instruct="$pair/instruct" alpha="$alpha" max_model_len=2048)
# On a CPU: a short run is over before compiling pays, and a cache of 1 GiB holds all that runs at once.
"$bin/python" -c 'import torch; raise SystemExit(torch.cuda.is_available())' &&
    "$bin/python" -c 'import vllm' 2>/dev/null &&
    arguments+=(enforce_eager=true kv_cache_memory_bytes=$((1 << 30)))

started=$(mktemp)
trap 'rm -f "$started"' EXIT
echo "quickstart.sh: [$((SECONDS))s] lm_eval run --model hm-merged --tasks $tasks"
with_us "$bin/lm_eval" run --model hm-merged --model_args "${arguments[@]}" --tasks "$tasks" \
    --samples "{$samples}" --log_samples --output_path "$out" --confirm_run_unsafe_code  # where no sandbox holds

echo "quickstart.sh: [$((SECONDS))s] done. Results and samples:"
find "$out" -name '*.json*' -newer "$started" | sort
echo "Next, a page that shows and explains them:  $bin/hm-report $out --output_path ${out%/}-report"
