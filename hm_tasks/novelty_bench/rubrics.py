r"""NoveltyBench's questions to a judge: are two answers the same to a user, and how good is one?

>>> SAME.read("Both name Paris.\n#thescore: 1", False), QUALITY.read("#therating: 11", False)
(1, None)
"""

from __future__ import annotations

from pathlib import Path

from hm_tasks.judges.rubric import Rubric
from hm_tasks.judges.score import read_score
from hm_tasks.novelty_bench.rating import read_rating

_HERE = Path(__file__).parent
SAME = Rubric(
    name="same",
    file=_HERE / "same.txt",
    read=read_score,
    expected="line #thescore: 0 or #thescore: 1",
    names={0: "different", 1: "same"},
    fields=("question", "first", "second"),
)
QUALITY = Rubric(
    name="quality",
    file=_HERE / "quality.txt",
    read=read_rating,
    expected="line #therating: N with N from 1 to 10",
    names={rating: str(rating) for rating in range(1, 11)},
    refusal=1,
    fulfilment=10,
)
