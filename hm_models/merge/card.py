"""The README.md of a written merge: a model card that the hub and people read.

    text = card_text("my-merge", recipe, plan, out_tensors(recipe, plan), Evaluation())

Its YAML header is huggingface_hub's own `ModelCardData`: parents, their licence, and what was measured as a
model-index. What was not measured is not there, and a licence stands there only where both parents' cards
state the same one.
"""

from __future__ import annotations

import dataclasses
import json
import shlex
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hm_models.checkpoints.checkpoint import Checkpoint
from hm_models.checkpoints.licence import CARD, Licence, cached_card, licence_of_card
from hm_models.merge.contract import Merge
from hm_models.merge.mergekit_file import FILE, other_bits
from hm_models.merge.plan import MergePlan
from hm_models.merge.recipe import MergeRecipe
from hm_models.merge.shards import OutTensor, as_text
from hm_models.shown.escaping import code_span, markdown_table, markdown_text, one_line

if TYPE_CHECKING:
    from huggingface_hub import EvalResult

TAGS = ("merge", "mergekit", "hindsight-merging")
PAPER = "Hindsight merging (UAI 2025): theta = alpha * instruct + (1 - alpha) * base"
NOT_MEASURED = (
    "Nothing was measured when this was written. `hm-sweep` measures a pair at several alphas, and "
    "`hm-merge --from` writes the merge that a rule chooses, with its numbers."
)


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """What was measured of the merge.

    Attributes:
        results: numbers for the model-index.
        sections: what people read, as Markdown.
        pictures: PNG files by their names beside the card.
    """

    results: Sequence[EvalResult] = ()
    sections: Sequence[str] = ("## Evaluation\n\n" + NOT_MEASURED,)
    pictures: Mapping[str, bytes] = dataclasses.field(default_factory=dict)


def licence_of(checkpoint: Checkpoint) -> Licence | None:
    """What the checkpoint's own card states; one of the hub is fetched where it is not there."""
    own = checkpoint.adapted.files if checkpoint.adapted else checkpoint
    card = own.folder / CARD
    if not card.is_file() and checkpoint.revision is not None:
        card = _fetched(checkpoint.name, checkpoint.revision) or card
    return licence_of_card(card)


def _fetched(name: str, revision: str) -> Path | None:
    from huggingface_hub import hf_hub_download

    try:
        return cached_card(name, revision) or Path(hf_hub_download(name, CARD, revision=revision))
    except Exception:  # a dozen kinds, offline among them: the card then says nothing
        return None


def licence_words(parents: Sequence[tuple[str, Licence | None]]) -> str:
    """Which licence the parents' cards name, in a sentence, and what follows for the merge."""
    said = " and ".join(f"{name}: {found or 'none stated'}" for name, found in parents)
    if _shared(parents) is not None:
        return f"The parents' cards name one licence ({said}), which stands in this card's header."
    return (
        f"The parents' cards do not name one licence ({said}), so this card sets none. Which terms bind "
        "the merge is for whoever passes it on to judge."
    )


def _shared(parents: Sequence[tuple[str, Licence | None]]) -> Licence | None:
    first = parents[0][1]
    return first if all(found == first for _, found in parents) else None


def card_text(
    name: str,
    recipe: Merge,
    plan: MergePlan,
    tensors: Sequence[OutTensor],
    evaluation: Evaluation,
) -> str:
    """The whole file.

    Args:
        name: of the merge, as its folder or repository is called.
        tensors: those that are written.
    """
    parents = [(side.name, licence_of(side)) for side in recipe.checkpoints]
    header = _header(name, parents, evaluation.results)
    sections = [
        f"# {markdown_text(one_line(name))}",
        _what(recipe, tensors),
        _recipe(recipe, plan, parents),
        _again(recipe, plan),
        "## Licence\n\n" + markdown_text(licence_words(parents)),
        *evaluation.sections,
    ]
    return f"---\n{header}\n---\n\n" + "\n\n".join(sections) + "\n"


def _header(
    name: str, parents: Sequence[tuple[str, Licence | None]], results: Sequence[EvalResult]
) -> str:
    from huggingface_hub import ModelCardData

    more: dict[str, Any] = {"base_model_relation": "merge"}
    if (shared := _shared(parents)) is not None:
        more |= {"license": shared.id}
        more |= {"license_name": shared.name} if shared.name else {}
        # "LICENSE" names a file of the parent's own.
        more |= {"license_link": shared.link} if "://" in shared.link else {}
    if results:
        more |= {"model_name": one_line(name), "eval_results": list(results)}
    data = ModelCardData(
        base_model=[parent for parent, _ in parents],
        library_name="transformers",
        pipeline_tag="text-generation",
        tags=list(TAGS),
        **more,
    )
    return data.to_yaml()


def _what(recipe: Merge, tensors: Sequence[OutTensor]) -> str:
    models = [code_span(side.name) for side in recipe.checkpoints]
    of = f"A merge of {', '.join(models)} by {code_span(recipe.merge_method)}."
    if isinstance(recipe, MergeRecipe):
        base, instruct = models
        of = (
            f"A merge of {base} (the base) and {instruct} (the instruct model), between the two by alpha, "
            f"the weight of the instruct model. {markdown_text(PAPER)}."
        )
    size = sum(tensor.bytes for tensor in tensors)
    dtypes = sorted({str(tensor.dtype).removeprefix("torch.") for tensor in tensors})
    return (
        f"{of}\n\nConfig, tokenizer, chat template and generation config are those of "
        f"{code_span(recipe.tokenizer_source.name)}. {len(tensors):,} tensors, {as_text(size)}, "
        f"{' and '.join(dtypes)}."
    )


def _recipe(recipe: Merge, plan: MergePlan, parents: Sequence[tuple[str, Licence | None]]) -> str:
    models = [["", "model", "revision", "licence of its card"], ["---"] * 4]
    sides = zip(_roles(recipe), recipe.checkpoints, parents, strict=True)
    for role, side, (_, licence) in sides:
        told = str(licence or "none stated")
        models.append([role, one_line(side.name), side.revision or "a local folder", told])
    fields = {name: value for name, value in recipe.to_dict().items() if value or value == 0}
    facts = [["setting", "value"], ["---"] * 2]
    facts += [
        [name, one_line(value if isinstance(value, str) else json.dumps(value))]
        for name, value in fields.items()
        if name not in ("base", "instruct", "base_revision", "instruct_revision", "models")
    ]
    facts += [
        [package, _version(package)] for package in ("hindsight-merging", "mergekit", "torch")
    ]
    noted = "".join(f"\n- {markdown_text(remark)}" for remark in plan.remarks)
    return "\n\n".join(
        [
            "## Recipe",
            markdown_table(models),
            markdown_table(facts),
            *([f"What was noticed:\n{noted}"] if noted else []),
        ]
    )


def _roles(recipe: Merge) -> Sequence[str]:
    """What each model is to the merge: base or instruct model, or of many what it is told of it alone."""
    if isinstance(recipe, MergeRecipe):
        return recipe.names
    base, sources = recipe.inputs.base, recipe.sources
    return [
        one_line(", ".join(["base"] * (name == base) + [f"{k}={v}" for k, v in own.items()]))
        for name, own in sources.per_input.items()
    ]


def _again(recipe: Merge, plan: MergePlan) -> str:
    reasons = other_bits(recipe, plan)
    said = (
        f"{FILE} is the same merge for `mergekit-yaml`, which does not give the same bits: "
        f"{'; '.join(reasons)}."
        if reasons
        else f"`mergekit-yaml {FILE} OUT` writes the same tensors, bit for bit."
    )
    return f"## To make it again\n\n```sh\n{command_of(recipe)}\n```\n\n{said}"


def command_of(recipe: Merge) -> str:
    """The command that writes this merge; by its mergekit file where flags cannot say it."""
    if not isinstance(recipe, MergeRecipe) or recipe.base_params or recipe.instruct_params:
        return f"hm-merge --recipe {FILE} --output_path OUT"
    words = ["hm-merge"]
    for side in (recipe.base_checkpoint, recipe.instruct_checkpoint):
        role = "base" if side is recipe.base_checkpoint else "instruct"
        words += [f"--{role}", side.name]
        words += [f"--{role}_revision", side.revision] if side.revision else []
    usual = {field.name: field.default for field in dataclasses.fields(MergeRecipe)}
    flags = {name: name for name in ("alpha", "merge_method", "merge_params", "merge_seed")}
    for name, flag in (flags | {"merge_dtype": "merge_dtype", "out_dtype": "dtype"}).items():
        value = recipe.to_dict()[name]
        if value != usual[name] and value not in ({}, None):
            words += [f"--{flag}", value if isinstance(value, str) else json.dumps(value)]
    words += ["--extrapolate"] if recipe.extrapolate else []
    return one_line(shlex.join([*words, "--output_path", "OUT"]), longest=2000)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
