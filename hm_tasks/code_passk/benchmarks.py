"""The benchmarks that this project has tasks for, by the names that programs take.

>>> source_of("demo").file, source_of("mbpp").release
('demo_problems.jsonl', 'MbppPlus')
"""

from __future__ import annotations

import os
from pathlib import Path

import yaml

from hm_models.files.text_files import read_text
from hm_tasks.code_passk.dataset import Source

FOLDER = Path(__file__).parent
BENCHMARKS = {"mbpp": "mbppplus_passk", "humaneval": "humanevalplus_passk", "demo": "demo_passk"}


def source_of(name: str) -> Source:
    """A benchmark's own YAML says where its problems are; anything else is a file of problems."""
    if name not in BENCHMARKS:
        return Source(file=str(Path(name).expanduser().resolve()))
    text = read_text(FOLDER / f"{BENCHMARKS[name]}.yaml")
    return Source(**yaml.safe_load(text)["dataset_kwargs"])


def is_at_hand(name: str) -> bool:
    """Whether a benchmark's problems can be read without a download."""
    source = source_of(name)
    if source.release is None or (source.override and os.environ.get(source.override)):
        return True
    from evalplus.data.utils import get_dataset_metadata

    _, cached = get_dataset_metadata(source.release, source.release_version, mini=False)
    return Path(cached).is_file()
