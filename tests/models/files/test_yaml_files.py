"""A YAML of a user is read, or refused by a sentence, in bounded time: the one reader of such files."""

import os

import pytest

from hm_models.files.text_files import TextFileError
from hm_models.files.yaml_files import MOST_BYTES, MOST_VALUES, parse_yaml, read_yaml
from hm_models.sweep.config import SweepError, read_settings

LAUGHS = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{','.join([f'*{before}'] * 9)}]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
# Merge keys copy what an alias stands for, and so multiply as well.
MERGED = "a: &a {x0: 1}\n" + "".join(
    f"{name}: &{name} {{<<: [{', '.join([f'*{before}'] * 9)}], {name}: 1}}\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
NESTED_MAPS = "a: &a {k: 1}\n" + "".join(
    f"{name}: &{name} {{{', '.join(f'k{n}: *{before}' for n in range(9))}}}\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (LAUGHS, "aliases stand for more than 100,000 values"),
        (MERGED, "aliases stand for more than 100,000 values"),
        (NESTED_MAPS, "aliases stand for more than 100,000 values"),
        ("a: &a [*a]", "an alias stands for what holds it (line 1)"),
        ("a: &a {b: {c: *a}}", "an alias stands for what holds it (line 1)"),
        ("[" * 100_000, "nested too deeply"),
        ("{a: " * 20_000 + "}" * 20_000, "nested too deeply"),
        ("- " * 5_000 + "x", "nested too deeply"),
        ("x: 1\ny: 2\nx: 3", "'x' stands there twice (line 3)"),
        ("base: b\nmodel_args: {alpha: 1, alpha: 2}", "'alpha' stands there twice (line 2)"),
        ("n: " + "9" * 5_000, "4300 digits"),
        ("!!python/object/apply:os.system [true]", "could not determine a constructor"),
        ("n: !!int ''", "string index out of range"),
        ("when: 2001-99-99", "month must be in 1..12"),
        ("? [1]\n: 3", "unhashable key"),
        ("a: 1\n---\nb: 2", "expected a single document"),
        ("a: *nobody", "undefined alias"),
    ],
)
def test_what_cannot_be_used_is_said_in_one_line(tmp_path, text, sentence):
    file = tmp_path / "settings.yaml"
    file.write_text(text)
    with pytest.raises(TextFileError) as refusal:
        read_yaml(file)
    assert sentence in str(refusal.value)
    assert str(refusal.value).startswith(f"{file}: ")
    assert "\n" not in str(refusal.value)


def test_aliases_of_an_honest_file_are_read():
    text = "pair: &pair {base: b, instruct: i}\npairs: [*pair, {<<: *pair, name: other}]"
    assert parse_yaml(text)["pairs"] == [
        {"base": "b", "instruct": "i"},
        {"base": "b", "instruct": "i", "name": "other"},
    ]
    assert parse_yaml("") is None
    assert len(parse_yaml(f"[{'1,' * (MOST_VALUES // 2)}]")) == MOST_VALUES // 2


def test_a_file_larger_than_any_such_file_is_refused_unread(tmp_path):
    file = tmp_path / "settings.yaml"
    file.write_text("a: " + "x" * MOST_BYTES)
    with pytest.raises(TextFileError, match="more than 500,000 bytes"):
        read_yaml(file)


def test_a_pipe_or_a_device_is_refused_unread(tmp_path):
    os.mkfifo(tmp_path / "pipe.yaml")
    for file in (tmp_path / "pipe.yaml", tmp_path / "zero.yaml"):
        if file.name == "zero.yaml":
            file.symlink_to("/dev/zero")
        with pytest.raises(TextFileError, match="no file"):
            read_yaml(file)


@pytest.mark.parametrize("text", [LAUGHS, MERGED, "base: b\nbase: c", "tasks: [", "\ufeffbase: b"])
def test_a_sweep_is_refused_by_a_sentence(tmp_path, text):
    file = tmp_path / "sweep.yaml"
    file.write_text(text)
    with pytest.raises(SweepError, match=r"sweep\.yaml"):
        read_settings(file)
