"""vLLM takes a logits processor as it starts: a running engine is replaced once, when a task needs one."""

import importlib.util

import psutil
import pytest

from tests.models.engines.shared_vllm import SharedVllm, vllm_pair
from tests.models.engines.test_live_vllm import first_tokens

pytestmark = [
    pytest.mark.engine,
    pytest.mark.skipif(importlib.util.find_spec("vllm") is None, reason="vLLM is not installed"),
]
PLAIN = {"temperature": 1.5}
SIGMA = PLAIN | {"top_n_sigma": 0.8}


def tokens_and_engine(lm, settings):
    texts = first_tokens(lm, settings)
    children = psutil.Process().children(recursive=True)
    # Python's own of this process outlives an engine.
    engine = [child for child in children if "resource_tracker" not in " ".join(child.cmdline())]
    return texts, sorted(child.pid for child in engine)


def test_the_first_task_with_top_n_sigma_gets_a_new_engine_which_serves_all_that_follow(
    made_once, tmp_path
):
    folder = made_once("vllm_pair", vllm_pair)
    vllm = SharedVllm(
        tmp_path / "cache", base=str(folder / "base"), instruct=str(folder / "instruct"), alpha=0.7
    )
    try:
        plain, first = vllm.ask(tokens_and_engine, PLAIN)
        narrow, second = vllm.ask(tokens_and_engine, SIGMA)
        assert second
        assert not set(first) & set(second), "the engine without it went on"
        assert set(narrow) < set(plain)
        hot, third = vllm.ask(tokens_and_engine, PLAIN | {"temperature": 1.4})
        assert third == second, "the engine was restarted"
        assert len(set(hot)) > len(set(narrow)), "a request that does not ask for it was cut, too"
        assert vllm.ask(tokens_and_engine, SIGMA) == (narrow, second)
    finally:
        vllm.close()
