"""A chat template with a calendar is told one day: of its first prompt, whoever asks and whenever."""

import datetime

import pytest

from hm_models.errors import RecipeError
from hm_models.merged import HindsightMerged
from hm_models.prompts import calendar_day
from hm_models.samples.store import SampleStore
from tests.models.test_merged_hf import load, requests_for
from tests.models.tiny import copy_of

TEMPLATES = {
    "day": "Today is {{ strftime_now('%d %b %Y') }}. ",
    "a default, as Llama 3's": "{% if not date_string is defined %}{% if strftime_now is defined %}"
    "{% set date_string = strftime_now('%d %b %Y') %}{% else %}{% set date_string = '26 Jul 2024' %}"
    "{% endif %}{% endif %}Today Date: {{ date_string }} ",
    "weekday and hour": "{{ strftime_now('%A %H:%M') }} ",
    "within a macro": "{% macro now() %}{{ strftime_now('%x') }}{% endmacro %}{{ now() }} ",
}
TURNS = "{% for m in messages %}{{ m.content }}{% endfor %}"


def dated(base, instruct, folder, template):
    pair = [copy_of(side, folder / name) for name, side in (("b", base), ("i", instruct))]
    for side in pair:
        (side / "chat_template.jinja").write_text(template + TURNS)
    return pair


def on(day, monkeypatch):
    class Today(datetime.date):
        @classmethod
        def today(cls):
            return cls.fromisoformat(day)

    monkeypatch.setattr(calendar_day.datetime, "date", Today)


@pytest.fixture
def ask(tmp_path, monkeypatch):
    """Ask a pair on a day; prompts, and how many were answered before."""

    def ask(pair, day, alpha=0.7, file="samples.sqlite", **arguments):
        on(day, monkeypatch)
        lm = load(*pair, alpha, **arguments)
        lm.keep_samples_in(tmp_path / file)
        requests = requests_for(["w1 w2"], do_sample=True, temperature=1.0)
        known = lm.known(requests)
        lm.generate_until(requests, disable_tqdm=True)
        return requests[0].args[0], known, lm.get_model_info()["chat_date"]

    return ask


@pytest.mark.parametrize("template", TEMPLATES.values(), ids=TEMPLATES)
def test_the_next_day_finds_what_was_kept(base, instruct, tmp_path, ask, template):
    pair = dated(base, instruct, tmp_path, template)
    first = ask(pair, "2026-11-28")
    assert first[1:] == (0, "2026-11-28")
    assert ask(pair, "2026-11-29") == (first[0], 1, "2026-11-28")


def test_two_alphas_on_two_days_share_prompts_and_seeds(base, instruct, tmp_path, ask):
    pair = dated(base, instruct, tmp_path, TEMPLATES["day"])
    assert ask(pair, "2026-11-28", 0.3)[0] == ask(pair, "2026-12-24", 0.9)[0]
    assert ask(pair, "2027-01-01", 0, prompt_style="chat")[0].startswith("Today is 28 Nov 2026")


def test_a_day_that_is_given_is_what_templates_are_told(base, instruct, tmp_path, ask):
    pair = dated(base, instruct, tmp_path, TEMPLATES["day"])
    told = ask(pair, "2026-11-28", chat_date="2025-01-02")
    assert told == ("Today is 02 Jan 2025. w1 w2", 0, "2025-01-02")
    # It is not the first day for those who give none.
    assert ask(pair, "2026-11-28")[2] == "2026-11-28"


def test_the_day_is_kept_with_the_samples_and_said(base, instruct, tmp_path, ask, caplog):
    pair = dated(base, instruct, tmp_path, TEMPLATES["day"])
    ask(pair, "2026-11-28")
    assert ask(pair, "2026-11-29", file="others.sqlite")[2] == "2026-11-29"
    assert "Its prompts say 2026-11-28, the day of the first of them" in caplog.text


def test_another_template_has_a_first_day_of_its_own(base, instruct, tmp_path, ask):
    for number, day in enumerate(("2026-11-28", "2026-11-29")):
        (folder := tmp_path / str(number)).mkdir()
        pair = dated(base, instruct, folder, f"{number} {TEMPLATES['day']}")
        assert ask(pair, day)[2] == day


def test_a_template_without_a_calendar_is_told_nothing(base, instruct, ask, caplog):
    assert ask((base, instruct), "2026-11-28")[2] is None
    assert "asks for the date" not in caplog.text


@pytest.mark.parametrize(
    "value", ["tomorrow", "28.11.2026", "2026-13-01", 20261128, "2026-11-28 12:00"]
)
def test_what_is_no_day_is_refused_before_anything_is_opened(value):
    with pytest.raises(RecipeError, match=r"chat_date=.*expected a day as YYYY-MM-DD"):
        HindsightMerged(base="nowhere", instruct="nowhere", alpha=0.7, chat_date=value)


def test_the_first_day_survives_in_files_of_before_and_among_processes(tmp_path):
    with SampleStore(tmp_path / "s.sqlite") as one, SampleStore(tmp_path / "s.sqlite") as other:
        assert one.first_day("a", "2026-11-28") == "2026-11-28"
        assert other.first_day("a", "2026-11-30") == "2026-11-28"
        assert other.first_day("b", "2026-11-30") == "2026-11-30"
