"""Print docs/api.md: what can be imported, with signatures and docstrings, read from the sources.

    python scripts/api_docs.py > docs/api.md

Nothing is imported: the sources are parsed, so that the page is the same for every version of Python and of
the libraries. A test holds the page to its sources. A new public name gets its line in PUBLIC.
"""

from __future__ import annotations

import ast
import inspect
import sys
import textwrap
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# Of each chapter the names: from where they are imported, and where they are defined if that is elsewhere.
PUBLIC: dict[str, list[tuple[str, str]]] = {
    "Merging": [
        ("hm_models.MergeRecipe", "hm_models.merge.recipe"),
        ("hm_models.merged_tensors", "hm_models.merge.stream"),
        ("hm_models.merge.mergekit_yaml.read_recipe", ""),
    ],
    "The model": [("hm_models.HindsightMerged", "hm_models.merged")],
    "Numbers": [
        ("hm_metrics.pass_at_k.pass_at_k", ""),
        ("hm_metrics.majority.maj_at_k", ""),
        ("hm_metrics.g_pass.g_pass_at_k", ""),
        ("hm_metrics.diversity.local_similarity", ""),
        ("hm_metrics.diversity.global_similarity", ""),
        ("hm_metrics.vendi.vendi_score", ""),
        ("hm_metrics.programs.canonical", ""),
        ("hm_metrics.intervals.mean_interval", ""),
        ("hm_metrics.comparison.paired_difference", ""),
        ("hm_metrics.comparison.Difference", ""),
        ("hm_metrics.comparison.holm", ""),
        ("hm_metrics.portfolio.portfolio", ""),
    ],
    "Results and samples of runs": [
        ("hm_metrics.report.load_runs", "hm_metrics.report.runs"),
        ("hm_metrics.report.runs.Runs", ""),
        ("hm_metrics.logs.results.find_runs", ""),
        ("hm_metrics.logs.results.TaskRun", ""),
        ("hm_metrics.logs.samples.read_log", ""),
        ("hm_metrics.logs.samples.Logged", ""),
    ],
    "Reports and figures": [
        ("hm_metrics.report.build.ReportSettings", ""),
        ("hm_metrics.report.build.build", ""),
        ("hm_metrics.report.build.Report", ""),
        ("hm_metrics.figures.along_alpha_figure", "hm_metrics.figures.along_alpha"),
        ("hm_metrics.figures.AlphaLine", "hm_metrics.figures.along_alpha"),
        ("hm_metrics.figures.pass_at_k_figure", "hm_metrics.figures.pass_at_k"),
        ("hm_metrics.figures.Curve", "hm_metrics.figures.pass_at_k"),
        ("hm_metrics.figures.similarity_figure", "hm_metrics.figures.similarity"),
        ("hm_metrics.figures.frontier_figure", "hm_metrics.figures.frontier"),
        ("hm_metrics.figures.FrontierPoint", "hm_metrics.figures.frontier"),
        ("hm_metrics.figures.save", "hm_metrics.figures.style"),
    ],
    "Programs": [
        ("hm_tasks.sandbox.extract.extract_program", ""),
        ("hm_tasks.traces.problem_file.load_problem_file", ""),
    ],
}
HEAD = """# API reference

What can be imported, by chapter. Made from the docstrings by `python scripts/api_docs.py > docs/api.md`:
change them there. With examples and pandas: [python](python.md). All arguments of `HindsightMerged`:
[model](model.md)."""
Defined = ast.FunctionDef | ast.ClassDef


def page() -> str:
    """The whole page."""
    parts = [HEAD]
    for chapter, names in PUBLIC.items():
        parts.append(f"## {chapter}")
        parts += [_entry(name, home) for name, home in names]
    return "\n\n".join(parts) + "\n"


def _entry(name: str, home: str) -> str:
    module, _, short = name.rpartition(".")
    found = _find(home or module, short)
    lines = [f"### {short}", "", f"    from {module} import {short}", ""]
    lines += textwrap.wrap(_signature(found), 100, initial_indent="    ", subsequent_indent=" " * 8)
    lines += ["", *_prose(ast.get_docstring(found) or "")]
    if isinstance(found, ast.ClassDef):
        for method in found.body:
            if isinstance(method, ast.FunctionDef) and not method.name.startswith("_"):
                first = (ast.get_docstring(method) or "").partition("\n\n")[0].replace("\n", " ")
                if first:
                    lines.append(f"- `{_call(method, f'.{method.name}')}`: {first}")
    return "\n".join(lines).rstrip()


def _find(module: str, name: str) -> Defined:
    path = ROOT.joinpath(*module.split("."))
    file = path.with_suffix(".py") if path.with_suffix(".py").exists() else path / "__init__.py"
    for node in ast.parse(file.read_text("utf8")).body:
        if isinstance(node, Defined) and node.name == name:
            return node
    raise SystemExit(f"api_docs.py: {module} defines no {name}; correct PUBLIC.")


def _signature(found: Defined) -> str:
    if isinstance(found, ast.FunctionDef):
        return _call(found, found.name)
    fields = [
        ast.unparse(node)
        for node in found.body
        if isinstance(node, ast.AnnAssign) and "ClassVar" not in ast.unparse(node.annotation)
    ]
    made = [n for n in found.body if isinstance(n, ast.FunctionDef) and n.name == "__init__"]
    if made:
        return _call(made[0], found.name).removesuffix(" -> None")
    return f"{found.name}({', '.join(fields)})"


def _call(function: ast.FunctionDef, name: str) -> str:
    if any(
        ast.unparse(mark) in ("property", "cached_property") for mark in function.decorator_list
    ):
        return name
    arguments = ast.unparse(function.args)
    for own in ("self", "cls"):
        arguments = arguments.removeprefix(own).removeprefix(", ")
    returned = f" -> {ast.unparse(function.returns)}" if function.returns else ""
    return f"{name}({arguments}){returned}"


def _prose(docstring: str) -> list[str]:
    """Paragraphs as they are; examples and the lists of arguments as blocks."""
    lines: list[str] = []
    for paragraph in inspect.cleandoc(docstring).split("\n\n"):
        first = paragraph.splitlines()[0] if paragraph else ""
        block = first.startswith((" ", ">>>")) or first.rstrip().endswith(":")
        lines += [f"    {line}" if block else line for line in paragraph.splitlines()] + [""]
    return lines


if __name__ == "__main__":
    sys.stdout.write(page())
