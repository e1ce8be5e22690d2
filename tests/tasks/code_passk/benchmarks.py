"""Where the official benchmark files are, and how tests load a task of ours."""

import os
from pathlib import Path

import pytest
from lm_eval.tasks import TaskManager

import hm_tasks

FILES = {
    "mbppplus_passk": "MBPP_OVERRIDE_PATH",
    "mbppplus_traces": "MBPP_OVERRIDE_PATH",
    "humanevalplus_passk": "HUMANEVAL_OVERRIDE_PATH",
}


def load(task: str, **metadata):
    """Load one of our tasks; skip where its benchmark file is not named by the environment."""
    variable = FILES.get(task)
    if variable and not os.environ.get(variable):
        pytest.skip(f"{variable} names no benchmark file; {task} needs the official release")
    ours = Path(hm_tasks.__file__).parent  # indexing the harness's thousands takes seconds
    manager = TaskManager(include_path=ours, include_defaults=False, metadata=metadata)
    loaded = manager.load([task])["tasks"][task]
    loaded.set_fewshot_seed(0)
    return loaded
