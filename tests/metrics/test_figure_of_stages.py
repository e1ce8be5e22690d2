"""The map over stages and alpha shows each number in its place, and names the best and what is beyond."""

from hm_metrics.figures.stages import StageMap, stages_figure

VALUES = {
    ("step1", 0.0): 0.1,
    ("step2", 0.0): 0.2,
    ("step1", 0.7): 0.6,
    ("step2", 1.3): 0.3,
    ("", 1.0): 0.4,
}
MAP = StageMap(["step1", "step2"], VALUES)


def drawn(figure, kind):
    """Place and height of each cell of a kind."""
    cells = [patch for patch in figure.axes[0].patches if patch.get_gid() == kind]
    return [(round(c.get_x() + 0.48), round(c.get_y() + 0.46), c.get_height()) for c in cells]


def test_each_cell_has_its_number_and_alpha_1_stands_once_for_all_stages():
    figure = stages_figure({"a → b": MAP}, "pass@10", higher_is_better=True)
    texts = {(t.get_position(), t.get_text()) for t in figure.axes[0].texts}
    assert texts == {
        ((0, 0), "0.100"),
        ((0, 1), "0.200"),
        ((1, 0), "0.600"),
        ((2, 0.5), "0.400"),
        ((3, 1), "0.300"),
    }
    assert drawn(figure, "best") == [(1, 0, 0.92)]
    assert (2, 0, 1.92) in drawn(figure, "value")
    assert {cell[:2] for cell in drawn(figure, "missing")} == {(1, 1), (3, 0)}


def test_the_axis_goes_beyond_1_and_names_the_two_checkpoints():
    figure = stages_figure({"a → b": MAP}, "pass@10", higher_is_better=True)
    ticks = [tick.get_text() for tick in figure.axes[0].get_xticklabels()]
    assert ticks == ["0\nbase", "0.7", "1\ninstruct,\nall stages", "1.3\nextrapolated"]


def test_where_lower_is_better_the_lowest_is_outlined_and_the_brightest():
    figure = stages_figure({"a → b": MAP}, "similarity", higher_is_better=False)
    assert drawn(figure, "best") == [(0, 0, 0.92)]
    cells = {p.get_gid(): sum(p.get_facecolor()[:3]) for p in figure.axes[0].patches}
    assert cells["best"] > cells["value"]


def test_families_have_a_map_each_and_equal_numbers_break_nothing():
    flat = StageMap(["x", "y"], {("x", 0.5): 0.5, ("y", 0.5): 0.5})
    figure = stages_figure({"one": flat, "two": flat}, "pass@1", higher_is_better=None)
    assert [axes.get_title(loc="left") for axes in figure.axes[:2]] == ["one", "two"]
