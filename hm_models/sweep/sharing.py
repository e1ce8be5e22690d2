"""Which runner takes which point: what its engine can serve first, then an engine's worth, then help.

>>> from hm_models.sweep.config import read_config
>>> from hm_models.sweep.points import points_of
>>> asked = {"bases": ["A", "B"], "instruct": "I", "tasks": ["t"], "alphas": [0.2, 0.7]}
>>> queue = PointQueue(points_of(read_config(asked)))
>>> engine = queue.take(None).engine
>>> [point.label for point in iter(lambda: queue.take(engine), None)]
['I/A/alpha0.7', 'I/B/alpha0.2', 'I/B/alpha0.7']
"""

from __future__ import annotations

import threading
from collections.abc import Iterable

from hm_models.sweep.points import Point


class PointQueue:
    """Points by engine, handed out to runners in several threads."""

    def __init__(self, points: Iterable[Point]) -> None:
        self._lock = threading.Lock()
        self._fresh: dict[str, list[Point]] = {}
        for point in points:
            self._fresh.setdefault(point.engine, []).append(point)
        self._begun: dict[str, list[Point]] = {}

    def take(self, engine: str | None) -> Point | None:
        """The next point for a runner whose engine is `engine` (None: it has none yet).

        A runner stays with its engine while there are points for it. Then it begins with an engine's
        points that nobody has begun with, then takes one from the engine with the most left: the last
        one there, as its owner comes from the front.
        """
        with self._lock:
            if mine := self._begun.get(engine or ""):
                return mine.pop(0)
            if self._fresh:
                engine, points = next(iter(self._fresh.items()))
                self._begun[engine] = self._fresh.pop(engine)
                return points.pop(0)
            longest = max(self._begun.values(), key=len, default=[])
            return longest.pop() if longest else None

    def clear(self) -> None:
        """Hand out nothing more."""
        with self._lock:
            self._fresh, self._begun = {}, {}
