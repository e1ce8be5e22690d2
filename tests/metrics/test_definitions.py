"""Every number is defined once, and the docs say what the definitions say."""

from pathlib import Path

from hm_metrics import definitions, measures
from hm_metrics.judgment import REASONS

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"


def test_the_page_of_metrics_is_what_the_definitions_print():
    assert PAGE.read_text(encoding="utf-8") == definitions.page() + "\n", (
        "run `python -m hm_metrics.definitions > docs/metrics.md`"
    )


def test_whatever_is_measured_of_samples_is_defined():
    assert not {*measures.MEASURES, measures.LEFT_OUT} - definitions.DEFINITIONS.keys()


def test_every_reason_of_an_unscored_answer_is_defined():
    assert not {f"unscored_{reason}" for reason in REASONS} - definitions.DEFINITIONS.keys()


def test_a_table_says_what_a_number_means_which_way_is_better_and_whence():
    assert definitions.DEFINITIONS[definitions.GLOBAL].words == (
        "Mean cosine similarity of samples of two questions. Lower is better. (The paper, figure 3.)"
    )
