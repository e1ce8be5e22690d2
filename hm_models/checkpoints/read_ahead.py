"""Reading the tensors that come next while the ones before are merged, and giving pages back after.

One thread goes through the files in the order of the stream and stays at most `limit` bytes ahead; it
only warms pages, so that a consumer who is faster, slower or gone changes nothing but the speed.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TypeAlias

from hm_models.checkpoints.source import TensorSource
from hm_models.cores import use_all_cores

READ_AHEAD = 1 << 28  # bytes; a few tensors of a large model, small against any model

Source: TypeAlias = tuple[TensorSource, str]  # a checkpoint and the name of a tensor in it


class ReadAhead:
    """A thread that reads `items`, each the sources of one merged tensor, in order."""

    def __init__(self, items: Sequence[Sequence[Source]], limit: int = READ_AHEAD) -> None:
        self._items = items
        self._limit = limit
        self._changed = threading.Condition()
        self._taken = 0  # items that the consumer has asked for
        self._ended: set[int] = set()  # items that nobody holds any more
        self._ahead: dict[int, int] = {}  # bytes of items that were read and not yet ended
        self._thread = threading.Thread(target=self._run, name="hm-read-ahead", daemon=True)
        self._thread.start()

    def take(self, index: int) -> Lease:
        """Say that item `index` is used now; it is ended when the lease is garbage."""
        with self._changed:
            self._taken = index + 1
            self._changed.notify()
        return Lease(self, index)

    def end(self, index: int) -> None:
        """Give the pages of item `index` back."""
        self._drop(index)
        with self._changed:
            self._ended.add(index)
            self._ahead.pop(index, None)
            self._changed.notify()

    def close(self) -> None:
        """Stop reading; returns when the thread has ended."""
        with self._changed:
            self._taken = len(self._items)
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        use_all_cores()
        for index, sources in enumerate(self._items):
            size = sum(source.checkpoint.tensors[name].bytes for source, name in sources)
            with self._changed:
                while self._ahead and sum(self._ahead.values()) + size > self._limit:
                    if index < self._taken:
                        break
                    self._changed.wait()
                if index < self._taken:
                    continue  # the consumer was faster
                self._ahead[index] = size
            for source, name in sources:
                source.prefetch(name)
            with self._changed:
                too_late = index in self._ended
            if too_late:
                self._drop(index)

    def _drop(self, index: int) -> None:
        for source, name in self._items[index]:
            source.drop(name)


class Lease:
    """Held by whoever may still read an item's pages."""

    def __init__(self, reader: ReadAhead, index: int) -> None:
        self._reader, self._index = reader, index

    def __del__(self) -> None:
        self._reader.end(self._index)
