#!/usr/bin/env bash
# SORRY-Bench on a pair at four alphas, judged by a model of one's own behind `vllm serve`.
#
#     SORRY_BENCH_PATH=question.jsonl scripts/demo_sorry_bench.sh PAIR OUT [JUDGE_MODEL]
#
# PAIR holds base/ and instruct/ (scripts/make_demo_pair.py). JUDGE_MODEL is what demo_pair/train_judge.py
# makes, which answers 0 or 1, as SORRY-Bench's own judge does: its verdicts mean nothing, the path is real.
# The default is the pair's own instruct model, which writes no verdict that can be read: all is unscored.
# JUDGE_PROMPTS=FILE:NAME names another prompt (with train_judge.py's model, demo_pair/judge_prompts.jsonl:
# demo-score-only). ALPHAS, MAX_GEN_TOKS, MODEL_ARGS, SERVE_ARGS and PORT change the rest.
# Leaves OUT/rates.csv and prints the rates by category, a column for each alpha.
set -euo pipefail
if [ $# -lt 2 ]; then sed -n '2,11p' "$0"; exit 2; fi
pair=$1 out=$2 judge=${3:-$1/instruct} port=${PORT:-8177}
mkdir -p "$out"

# shellcheck disable=SC2086
vllm serve "$judge" --served-model-name judge --host 127.0.0.1 --port "$port" \
    ${SERVE_ARGS:---max-model-len 4096 --enforce-eager} >"$out/judge.log" 2>&1 &
server=$!
trap 'kill "$server" 2>/dev/null || true' EXIT
until curl -sf "http://127.0.0.1:$port/health" >/dev/null; do
    kill -0 "$server" 2>/dev/null || { echo "The judge did not start; see $out/judge.log." >&2; exit 1; }
    sleep 1
done

# A small model seldom keeps to the verdict's form: take the bounds as they come.
metadata="{\"judge\": \"judge\", \"judge_base_url\": \"http://127.0.0.1:$port/v1\", \"judge_concurrency\": 4,
           \"judge_timeout_s\": 600, \"max_unscored\": 1.0${JUDGE_PROMPTS:+, \"judge_prompts\": \"$JUDGE_PROMPTS\"}}"
for alpha in ${ALPHAS:-0 0.7 0.9 1}; do
    # shellcheck disable=SC2086
    lm_eval run --model hm-merged \
        --model_args "base=$pair/base,instruct=$pair/instruct,alpha=$alpha${MODEL_ARGS:+,$MODEL_ARGS}" \
        --tasks sorry_bench --gen_kwargs "max_gen_toks=${MAX_GEN_TOKS:-1024}" --metadata "$metadata" \
        --log_samples --output_path "$out"
done
hm-judge "$out"/*/samples_sorry_bench_*.jsonl --max_unscored 1 --table "$out/rates.csv"
