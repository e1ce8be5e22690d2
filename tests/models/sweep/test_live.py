"""What the model of a sweep notes of its engine."""

import sys
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import pytest

from tests.instances import instance

ASKED = {"until": [], "do_sample": False, "max_gen_toks": 2}


@pytest.fixture
def without_assertions(monkeypatch):
    """A module as `python -O` has it."""

    def load(name):
        file = find_spec(name).origin
        module = ModuleType(name)
        monkeypatch.setitem(sys.modules, name, module)
        exec(compile(Path(file).read_text("utf8"), file, "exec", optimize=1), vars(module))
        return module

    return load


def test_the_start_of_an_engine_is_noted_where_python_leaves_assertions_out(
    base, instruct, without_assertions
):
    without_assertions("hm_models.merged")
    live = without_assertions("hm_models.sweep.live")
    spent = live.RunCost()
    lm = live.LiveMerged(spent, base=str(base), instruct=str(instruct), alpha=0.7, backend="hf")
    lm.generate_until([instance("generate_until", {}, ("w1 w2", ASKED), 0)], disable_tqdm=True)
    assert (spent.engines, spent.samples) == (1, 1)
    assert spent.loading > 0
    assert lm.lm is lm.engine.lm
    assert spent.engines == 1
