"""No cheat passes and no attack reaches anything; the next program is unharmed."""

import dataclasses
import sys
from pathlib import Path

import pytest

from hm_metrics.verdict import PASS
from hm_tasks.sandbox.isolation.levels import LANDLOCK, RLIMIT, STRONG
from hm_tasks.sandbox.isolation.limits import IsolationError, Limits
from hm_tasks.sandbox.isolation.prove import run_programs
from hm_tasks.sandbox.pool import check_all
from hm_tasks.sandbox.problem import Problem
from tests.tasks.sandbox.attacks import HOSTILE

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux can isolate")

CANARY = "a word that only right programs have"
OUTPUT = "a word that only their outputs have"
REFERENCE = f"def f(x):\n    '{CANARY}'\n    return x + 1\n"
# It says something more than is asked for, as the first and last output of its run.
MUCH = 2000  # so that some of it outlasts what comes next in the same memory
TELLING = (
    f"def f(x):\n    return ('{OUTPUT[:9]}' + '{OUTPUT[9:]} ') * {MUCH}\n" + f"# {CANARY}\n" * MUCH
)
PROBLEM = Problem("Mine/1", "", "f", REFERENCE, [[1], [3]], [[5], [7]], 0, "none", "a hash")
# Its programs run into their limits once, and not for each kind of tests.
SHORT = dataclasses.replace(PROBLEM, base_input=[[1]], plus_input=[], dataset="another hash")
BOMB = Path("/tmp/hm-attack-bomb")


@pytest.mark.parametrize(
    "level",
    # What nothing is claimed of can be shown now and then.
    [
        STRONG,
        pytest.param(LANDLOCK, marks=pytest.mark.engine),
        pytest.param(RLIMIT, marks=pytest.mark.campaign),
    ],
)
def test_each_attack_ends_as_stated_and_the_next_program_is_unharmed(level, tmp_path, monkeypatch):
    try:
        run_programs(level, {"any": ["got = 1"]}, {}, Limits())
    except IsolationError as error:
        pytest.skip(str(error))
    monkeypatch.setenv("HM_CACHE", str(tmp_path / "cache"))
    for folder in (tmp_path, tmp_path.parent):
        folder.chmod(0o755)  # so that only the level protects what is in it
    secret = tmp_path / "problems.jsonl"
    secret.write_text("secret")
    planted = {
        "{store!r}": repr(str(tmp_path / "cache/scoring/found.sqlite")),
        "{secret!r}": repr(str(secret)),
        "{canary}": CANARY[::-1].encode().hex(),
        "{output}": OUTPUT[::-1].encode().hex(),
    }
    for problem, endless in ((PROBLEM, False), (SHORT, True)):
        attacks = [attack for attack in HOSTILE if attack.endless == endless]
        programs = []
        for number, attack in enumerate(attacks):
            text = attack.program
            for name, value in planted.items():
                text = text.replace(name, value)
            programs += [f"# {number}\n{TELLING}", text, f"# {number}\n{REFERENCE}"]
        ((*verdicts,),) = check_all([(problem, programs)], 1, level, sanitize=False)
        for attack, verdict in zip(attacks, verdicts[1::3], strict=True):
            stated = set(attack.outcome[level[0].upper()].split(" or "))
            statuses = (
                {verdict.base_status} if endless else {verdict.base_status, verdict.plus_status}
            )
            assert statuses <= stated, (attack.name, verdict.reason)
        assert {(v.base_status, v.plus_status) for v in verdicts[2::3]} == {(PASS, PASS)}
    assert not BOMB.exists()


def test_every_outcome_is_stated():
    assert len({attack.name for attack in HOSTILE}) == len(HOSTILE)
    assert all(attack.outcome.keys() == set("SLR") for attack in HOSTILE)
