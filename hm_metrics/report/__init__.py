"""From any number of result folders to one report: leaderboard, comparisons, figures, a page.

hm-report OUT --output_path REPORT

Or in Python, as a pandas frame and matplotlib figures:

from hm_metrics.report import load_runs

load_runs("OUT").frame()
"""

TYPE_CHECKING = False  # as mypy takes it
if TYPE_CHECKING:
    from hm_metrics.report.runs import load_runs

__all__ = ["load_runs"]


def __getattr__(name: str) -> object:
    # numpy comes later.
    if name != "load_runs":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from hm_metrics.report.runs import load_runs

    return load_runs
