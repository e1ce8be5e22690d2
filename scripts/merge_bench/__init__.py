"""Cases of `scripts/bench_merge.py` that do more than load a model or change its alpha."""
