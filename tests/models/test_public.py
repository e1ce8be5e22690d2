"""What `import hm_models` offers: nothing heavy until it is asked for, and help that names every argument."""

import inspect
import pydoc
import re
import subprocess
import sys

import hm_models
from hm_models.merge.arguments import RECIPE_ARGUMENTS
from tests.entry_points import ROOT
from tests.test_commands import HEAVY

ARGUMENTS = inspect.signature(hm_models.HindsightMerged).parameters


def test_importing_the_packages_imports_nothing_heavy():
    code = "import hm_models, hm_metrics.report, sys; dir(hm_models); print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert not HEAVY & set(done.stdout.split())


def test_what_is_offered_is_there_and_nothing_else():
    for name in hm_models.__all__:
        assert getattr(hm_models, name).__name__ == name
    assert set(hm_models.__all__) <= set(dir(hm_models))
    assert not hasattr(hm_models, "HindsightMerge")


def test_the_signature_has_the_merge_s_arguments_and_the_model_s_own():
    own = inspect.signature(hm_models.HindsightMerged.__init__).parameters
    assert set(ARGUMENTS) == {*RECIPE_ARGUMENTS, *own} - {"self"}
    assert ARGUMENTS["merge_method"].default == "linear"
    assert ARGUMENTS["backend"].default == own["backend"].default == "auto"


def test_help_describes_every_argument():
    text = pydoc.render_doc(hm_models.HindsightMerged, renderer=pydoc.plaintext)
    described = re.findall(r"^ +\|? +([\w, ]+): ", text, re.MULTILINE)
    names = {name for line in described for name in re.split(r", ", line)}
    assert set(ARGUMENTS) <= names
