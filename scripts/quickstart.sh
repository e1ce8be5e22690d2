#!/usr/bin/env bash
# From a bare machine to what a merge of two real checkpoints has over the instruct model.
#
#     scripts/quickstart.sh [--alpha 0.7] [--out runs/quickstart]
#
# Sets up .venv, makes the demo pair, samples 11 programs for each of the first 24 demo problems from the merge by
# lm_eval, the same at alpha 1 by hm-sweep, and compares them by hm-report. Where MBPP_OVERRIDE_PATH names
# MBPP+, its first 12 problems, too. What engines say goes to OUT/engine.log.
set -euo pipefail

alpha=0.7
root=$(cd "$(dirname "$0")/.." && pwd)
out=$root/runs/quickstart
while [ $# -gt 0 ]; do
    case $1 in
        --alpha) alpha=${2:?--alpha needs a number}; shift 2 ;;
        --out) out=${2:?--out needs a folder}; shift 2 ;;
        -h | --help) sed -n '2,8p' "$0" | cut -c3-; exit 0 ;;
        *) echo "quickstart.sh: unknown argument $1 (see --help)" >&2; exit 2 ;;
    esac
done
if ! [[ $alpha =~ ^0?\.0*[1-9][0-9]*$ ]]; then
    echo "quickstart.sh: --alpha $alpha: give a number between 0 and 1, as 0.7; it is compared with alpha 1." >&2
    exit 2
fi
say() { echo "quickstart.sh: [$((SECONDS / 60))m$((SECONDS % 60))s] $*"; }

# Set-up compiles nothing: what is imported for the first time is compiled then, and kept in .venv.
unset PYTHONDONTWRITEBYTECODE
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
mkdir -p "$out" && out=$(cd "$out" && pwd)
export HF_HUB_OFFLINE=1          # the pair is made here; nothing is asked of a hub
export LMEVAL_LOG_LEVEL=ERROR TRANSFORMERS_VERBOSITY=error PYTHONWARNINGS=ignore
export VLLM_LOGGING_CONFIG_PATH=$out/.logging.json
cat > "$VLLM_LOGGING_CONFIG_PATH" <<JSON
{"version": 1, "disable_existing_loggers": false,
 "formatters": {"line": {"format": "%(asctime)s %(process)d %(levelname)s %(name)s: %(message)s"}},
 "handlers": {"file": {"class": "logging.FileHandler", "filename": "$out/engine.log", "formatter": "line"}},
 "loggers": {"vllm": {"handlers": ["file"], "level": "INFO", "propagate": false}}}
JSON

say "1 of 4: the demo pair, a model of 135M and its fine-tune"
with_us "$bin/python" "$root/scripts/make_demo_pair.py" --out "$pair"

tasks=(demo_passk)
samples="{\"demo_passk\": [$(seq -s, 0 23)]}"    # the last 12 are beyond a model of this size
if [ -n "${MBPP_OVERRIDE_PATH:-}" ]; then
    tasks+=(mbppplus_passk)
    samples="${samples%\}}, \"mbppplus_passk\": [$(seq -s, 0 11)]}"
fi
arguments=(max_length=2048)   # so it is called by both backends
# On a CPU: a short run is over before compiling pays, a cache of 1 GiB holds all that runs at once, and an engine
# in this process spares the start of two others, some 20 s.
if "$bin/python" -c 'import torch; raise SystemExit(torch.cuda.is_available())' &&
    "$bin/python" -c 'import importlib.util as u; raise SystemExit(u.find_spec("vllm") is None)'; then
    arguments+=(enforce_eager=true kv_cache_memory_bytes=$((1 << 30)) distributed_executor_backend=uni)
    export VLLM_ENABLE_V1_MULTIPROCESSING=0
fi
# The same for both commands; the last is for machines where no sandbox holds.
same=(--samples "$samples" --confirm_run_unsafe_code)

if [ -z "$(find "$out/one" -path "*--alpha$alpha/results_*.json" 2>/dev/null)" ]; then
    say "2 of 4: lm_eval run --model hm-merged --model_args base=...,instruct=...,alpha=$alpha --tasks ${tasks[*]}"
    with_us "$bin/lm_eval" run --model hm-merged --tasks "$(IFS=,; echo "${tasks[*]}")" --log_samples --output_path "$out/one" \
        --model_args base="$pair/base" instruct="$pair/instruct" alpha="$alpha" "${arguments[@]}" "${same[@]}"
else
    say "2 of 4: lm_eval was run before: $out/one"
fi

say "3 of 4: hm-sweep --alphas $alpha 1; the samples at $alpha are kept, and used again"
with_us "$bin/hm-sweep" --base "$pair/base" --instruct "$pair/instruct" --name demo --alphas "$alpha" 1 --tasks "${tasks[@]}" \
    --output_path "$out/sweep" --model_args "${arguments[@]}" "${same[@]}"

say "4 of 4: hm-report"
with_us "$bin/hm-report" "$out/sweep" --output_path "$out/report" > "$out/report.log"
say "done. What merging wins here:"
grep -E ' over the instruct model, |^Wrote ' "$out/report.log"
