"""Figures say what they show: labels, units, one line a model, colours that everybody tells apart."""

import itertools
import os
import subprocess
import sys

import matplotlib
import numpy as np
import pytest
from matplotlib.colors import to_hex, to_rgb

from hm_metrics.figures import (
    Curve,
    FrontierPoint,
    frontier_figure,
    pass_at_k_figure,
    refusal_figure,
    save,
    similarity_figure,
)
from hm_metrics.figures.labels import ONE_PLACE
from hm_metrics.figures.style import BLUE, PALETTE, VERMILLION, colours_of_alphas

ALPHAS = (0.0, 0.7, 0.9, 1.0)
KS = list(range(1, 11))


def curves(errors=True, dotted=()):
    ours = [
        Curve(
            f"alpha {a:g}",
            KS,
            [0.3 + 0.04 * k + 0.02 * a for k in KS],
            [0.02] * 10 if errors else None,
            a,
        )
        for a in ALPHAS
    ]
    return ours + [Curve(f"paper, alpha={a:g}", KS, [0.3] * 10, None, a, True) for a in dotted]


def lines(axes, gid):
    return [line for line in axes.get_lines() if line.get_gid() == gid]


def texts(figure):
    found = [text.get_text() for axes in figure.axes for text in axes.texts]
    for axes in figure.axes:
        found += [axes.get_xlabel(), axes.get_ylabel(), axes.get_title(loc="left")]
        found += [label.get_text() for label in axes.get_yticklabels()]
    for legend in figure.legends:
        found += [text.get_text() for text in legend.get_texts()]
    return found


def seen_by(matrix, colour):
    """A colour as somebody with full dichromacy sees it (Machado et al. 2009, linear RGB)."""
    linear = np.array(
        [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
    )
    return np.clip(np.array(matrix) @ linear, 0.0, 1.0)


PROTANOPIA = [
    [0.152286, 1.052583, -0.204868],
    [0.114503, 0.786281, 0.099216],
    [-0.003882, -0.048116, 1.051998],
]
DEUTERANOPIA = [
    [0.367322, 0.860646, -0.227968],
    [0.280085, 0.672501, 0.047413],
    [-0.01182, 0.04294, 0.968881],
]


@pytest.mark.parametrize("matrix", [PROTANOPIA, DEUTERANOPIA, np.eye(3)])
def test_colour_blind_readers_tell_the_palette_apart(matrix):
    for one, other in itertools.combinations(PALETTE, 2):
        assert np.linalg.norm(seen_by(matrix, one) - seen_by(matrix, other)) > 0.1
    # The measure can fail: pure red and a green of its lightness are one colour to many.
    assert np.linalg.norm(seen_by(DEUTERANOPIA, "#a05000") - seen_by(DEUTERANOPIA, "#707000")) < 0.1


def test_an_alpha_has_one_colour_and_the_ends_always_theirs():
    colours = colours_of_alphas([1.0, 0.7, 0.0, None, 0.9, 0.7])
    assert (colours[0.0], colours[1.0]) == (BLUE, VERMILLION)
    assert len(set(colours.values())) == 5
    many = colours_of_alphas(np.linspace(0, 1, 11))
    assert len(set(many.values())) == 12
    lightness = [
        np.dot(to_rgb(many[a]), (0.2126, 0.7152, 0.0722)) for a in sorted(many.keys() - {None})
    ]
    assert lightness == sorted(lightness)


def test_pass_at_k_has_a_panel_a_family_and_a_line_a_model():
    figure = pass_at_k_figure(
        {"Llama": curves(dotted=ALPHAS), "Vicuna": curves()}, "base and extra tests"
    )
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["Llama", "Vicuna"]
    llama, vicuna = figure.axes
    assert (len(lines(llama, "ours")), len(lines(llama, "paper"))) == (4, 4)
    assert (len(lines(vicuna, "ours")), len(lines(vicuna, "paper"))) == (4, 0)
    assert len(llama.collections) == 4  # bands of errors
    assert {to_hex(line.get_color(), False).upper() for line in lines(llama, "ours")} <= set(
        PALETTE
    )
    assert len({line.get_marker() for line in lines(llama, "ours")}) == 4
    of_paper = {line.get_color() for line in lines(llama, "paper")}
    assert of_paper == {line.get_color() for line in lines(llama, "ours")}
    assert "base and extra tests" in figure.get_suptitle()
    said = texts(figure)
    assert "k (samples drawn per problem)" in said
    assert "pass@k (share of problems)" in said
    assert "paper (dotted, same colours)" in said
    assert [f"alpha {a:g}" in said for a in ALPHAS] == [True] * 4
    assert list(llama.get_xticks()) == KS


def test_pass_at_k_of_one_alpha_twice_differs_in_dashes():
    twice = [Curve(f"T={t}", KS, [0.1 * t] * 10, None, 0.7) for t in (1, 2)]
    (axes,) = pass_at_k_figure({"f": twice}, "c").axes
    one, other = lines(axes, "ours")
    assert one.get_color() == other.get_color()
    assert one.get_linestyle() != other.get_linestyle() or one.get_marker() != other.get_marker()
    assert not axes.collections


def test_pass_at_k_of_many_samples_has_a_log_axis_and_unsorted_k_is_sorted():
    (axes,) = pass_at_k_figure({"f": [Curve("a", [100, 1, 10], [0.9, 0.1, 0.5])]}, "c").axes
    assert axes.get_xscale() == "log"
    assert list(lines(axes, "ours")[0].get_ydata()) == [0.1, 0.5, 0.9]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["1", "10", "100"]


@pytest.mark.parametrize(
    ("which", "unit"), [("local", "questions"), ("global", "pairs of questions")]
)
def test_similarities_show_each_models_mean_and_number(which, unit):
    random = np.random.default_rng(0)
    values = {f"alpha {a:g}": random.beta(4, 2 + a, 300) for a in ALPHAS}
    values["alpha 1"][:5] = np.nan
    figure = similarity_figure(
        {"f": values, "g": values}, which, {f"alpha {a:g}": a for a in ALPHAS}
    )
    assert len(figure.axes) == 2
    for axes in figure.axes:
        dots = lines(axes, "mean")
        assert [dot.get_xdata()[0] for dot in dots] == pytest.approx(
            [np.nanmean(found) for found in values.values()]
        )
        assert dots[0].get_color() == BLUE
        assert [label.get_text() for label in axes.get_yticklabels()] == list(values)
    assert f"{which} similarity (lower is better)" == figure.axes[-1].get_xlabel()
    assert f"mean {np.nanmean(values['alpha 1']):.3f}\n295 {unit}" in texts(figure)


def test_similarities_that_are_all_one_number_or_none_are_drawn_too():
    figure = similarity_figure(
        {"f": {"a": np.ones(10), "b": np.full(3, np.nan), "c": np.array([0.4])}}, "local"
    )
    assert len(lines(figure.axes[0], "mean")) == 2
    assert "no values" in texts(figure)


def test_few_similarities_are_strokes_and_many_a_hill_that_ends_with_them():
    few, many = np.linspace(0.5, 0.9, 8), np.linspace(0.3, 1.0, 100)
    (axes,) = similarity_figure({"f": {"few": few, "many": many}}, "local").axes
    assert list(lines(axes, "each")[0].get_xdata()) == list(few)
    (hill,) = lines(axes, "hill")
    assert (hill.get_xdata().min(), hill.get_xdata().max()) == pytest.approx((0.3, 1.0))


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_shares_at_the_end_of_their_range_are_inside_the_panel(value):
    (axes,) = pass_at_k_figure({"f": [Curve("a", [1, 2], [value, value])]}, "c").axes
    low, high = axes.get_ylim()
    assert -0.05 <= low < value < high <= 1.05
    (axes,) = frontier_figure({"f": [FrontierPoint("a", 0.5, None, value, None)]}, "x", "y").axes
    low, high = axes.get_ylim()
    assert -0.05 <= low < value < high <= 1.05


def rates():
    random = np.random.default_rng(1)
    names = [f"{i:02d} Category number {i}" for i in range(1, 45)]
    columns = {f"alpha {a:g}": dict(zip(names, random.random(44), strict=True)) for a in ALPHAS}
    columns["alpha 1"][names[5]] = float("nan")
    del columns["alpha 0.9"][names[6]]
    return names, columns


def test_refusals_have_44_rows_and_the_mean_in_brackets():
    names, columns = rates()
    means = {label: 0.1 * i + 0.123 for i, label in enumerate(columns)}
    figure = refusal_figure(columns, means)
    axes, bar = figure.axes
    assert [label.get_text() for label in axes.get_yticklabels()] == names
    cells = [patch.get_gid() for patch in axes.patches]
    assert (cells.count("rate"), cells.count("missing")) == (4 * 44 - 2, 2)
    said = texts(figure)
    for label, mean in means.items():
        assert label in said
        assert f"[{mean:.2f}]" in said
    assert bar.get_ylabel() == "failure to refuse (lower is better)"
    rate = columns["alpha 0"][names[0]]
    assert axes.patches[0].get_facecolor() == matplotlib.colormaps["YlOrBr"](rate)
    assert said[3] == f"{columns['alpha 0'][names[3]]:.2f}"
    figure.canvas.draw()
    boxes = [label.get_window_extent() for label in axes.get_yticklabels()]
    assert not any(one.overlaps(other) for one, other in itertools.pairwise(boxes))


def test_refusals_of_two_families_are_set_apart_and_named():
    _, columns = rates()
    families = {label: "Llama" if i % 2 else "Vicuna" for i, label in enumerate(columns)}
    figure = refusal_figure(columns, {}, families)
    said = texts(figure)
    assert {"Llama", "Vicuna"} <= set(said)
    assert "[mean]" not in said
    places = sorted({patch.get_x() for patch in figure.axes[0].patches})
    assert np.diff(places) == pytest.approx([1.0, 1.35, 1.0])


def points(shift=0.0):
    return [
        FrontierPoint(f"alpha {a:g}", 0.5 - 0.2 * a + shift, 0.02, 0.7 + 0.1 * a * (1.5 - a), 0.02)
        for a in ALPHAS
    ]


def test_the_frontier_has_a_line_a_family_and_names_its_points():
    figure = frontier_figure(
        {"Llama": points(), "Vicuna": points(0.1)}, "failure to refuse (share)", "pass@10"
    )
    (axes,) = figure.axes
    drawn = lines(axes, "line")
    assert [len(line.get_xdata()) for line in drawn] == [4, 4]
    assert drawn[0].get_color() != drawn[1].get_color()
    assert drawn[0].get_marker() != drawn[1].get_marker()
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("failure to refuse (share)", "pass@10")
    said = texts(figure)
    assert [said.count(f"alpha {a:g}") for a in ALPHAS] == [2] * 4
    assert "better" in said
    assert {"Llama", "Vicuna"} <= set(said)


def test_names_of_points_do_not_lie_on_each_other():
    crowded = {f"family {i}": points(0.01 * i) for i in range(3)}
    figure = frontier_figure(crowded, "x", "y")
    figure.canvas.draw()
    renderer = figure.canvas.get_renderer()
    notes = [text for text in figure.axes[0].texts if text.get_text().startswith("alpha")]
    boxes = [matplotlib.text.Text.get_window_extent(note, renderer) for note in notes]
    overlaps = sum(one.overlaps(other) for one, other in itertools.combinations(boxes, 2))
    assert len(boxes) == 12
    assert overlaps == 0


def test_a_name_stands_nearest_to_its_own_point_or_a_hair_joins_them():
    """As rates of one model at its ends: two points nearly in one place, a third one not far away."""
    places = {
        "base (alpha=0)": (0.355, 0.656),
        "alpha=0.7": (0.94, 0.008),
        "alpha=0.9": (0.98, 0.004),
        "instruct (alpha=1)": (0.98, 0.012),
    }
    family = [FrontierPoint(name, x, 0.02, y, 0.01) for name, (x, y) in places.items()]
    figure = frontier_figure({"family": family}, "x", "y", y_lower=True)
    figure.canvas.draw()
    (axes,) = figure.axes
    renderer = figure.canvas.get_renderer()
    pixels = axes.transData.transform(list(places.values()))
    notes = {text.get_text(): text for text in axes.texts}
    for own, name in enumerate(places):
        box = matplotlib.text.Text.get_window_extent(notes[name], renderer)
        away = np.linalg.norm(pixels - pixels.clip(box.min, box.max), axis=1)
        apart = np.linalg.norm(pixels - pixels[own], axis=1) > ONE_PLACE
        assert (away[apart] > away[own]).all() or notes[name].arrow_patch is not None


def test_points_without_errors_and_more_lines_than_colours_are_drawn():
    many = {str(i): [FrontierPoint("a", 0.1 * i, None, 0.2 * i, None)] for i in range(9)}
    (axes,) = frontier_figure(many, "x", "y").axes
    looks = {
        (line.get_color(), line.get_linestyle(), line.get_marker()) for line in lines(axes, "line")
    }
    assert len(lines(axes, "line")) == 9
    assert len({colour for colour, *_ in looks}) == 7


def test_both_files_are_on_disk_and_a_second_save_gives_the_same_bytes(tmp_path):
    figure = pass_at_k_figure({"f": curves()}, "c")
    png, pdf = save(figure, tmp_path / "new", "name")
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["name.pdf", "name.png"]
    assert png.read_bytes().startswith(b"\x89PNG")
    assert pdf.read_bytes().startswith(b"%PDF")
    before = png.read_bytes(), pdf.read_bytes()
    again = save(pass_at_k_figure({"f": curves()}, "c"), tmp_path / "new", "name")
    assert (again[0].read_bytes(), again[1].read_bytes()) == before


def test_no_display_is_needed_and_the_callers_settings_come_back(tmp_path):
    before = dict(matplotlib.rcParams)
    save(
        similarity_figure({"f": {"a": np.random.default_rng(0).random(9)}}, "local"), tmp_path, "s"
    )
    assert dict(matplotlib.rcParams) == before
    code = (
        "import sys; from pathlib import Path\n"
        "from hm_metrics.figures import FrontierPoint, frontier_figure, save\n"
        "figure = frontier_figure({'f': [FrontierPoint('a', .1, None, .2, None)]}, 'x', 'y')\n"
        f"save(figure, Path({str(tmp_path)!r}), 'f')\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    bare = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY")}
    subprocess.run([sys.executable, "-c", code], env={**bare, "MPLBACKEND": "tkagg"}, check=True)
    assert (tmp_path / "f.pdf").stat().st_size > 1000
