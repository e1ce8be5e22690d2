"""Layers with a state on vLLM's CPU build: prompts stay in one piece, and alpha changes in place."""

from importlib.util import find_spec

import pytest

from hm_models.engines.vllm import whole_prompts
from hm_models.errors import RecipeError
from tests.models.engines.shared_vllm import SharedVllm
from tests.models.engines.test_live_vllm import greedy
from tests.models.families import FAMILIES


def test_a_cache_of_prefixes_is_off_for_layers_with_a_state_alone():
    assert whole_prompts({}, keeps_a_state=True) == {
        "enable_chunked_prefill": False,
        "enable_prefix_caching": False,
    }
    given = {"enable_prefix_caching": True}
    assert whole_prompts(given, keeps_a_state=False) == {"enable_chunked_prefill": False}


@pytest.mark.parametrize("name", ["enable_chunked_prefill", "enable_prefix_caching"])
def test_what_would_take_prompts_apart_is_refused(name):
    with pytest.raises(RecipeError, match=f"^{name}=true: samples have seeds of their own"):
        whole_prompts({name: "True"}, keeps_a_state=True)


@pytest.mark.engine
@pytest.mark.skipif(find_spec("vllm") is None, reason="vLLM is not installed")
def test_a_hybrid_goes_there_and_back_in_one_engine(tmp_path):
    FAMILIES["Falcon-H1"].write(tmp_path)
    pair = {side: str(tmp_path / side) for side in ("base", "instruct")}
    engine = SharedVllm(tmp_path / "cache", **pair, alpha=0.7)
    try:
        fresh, other, back = (engine.ask(greedy, alpha) for alpha in (0.7, 0.3, 0.7))
    finally:
        engine.close()
    assert back == fresh  # what is said, and by which processes
    assert other[0] != fresh[0]
    assert other[1] == fresh[1]
