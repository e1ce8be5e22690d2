"""Whether an engine holds what the merge yields: a few tensors, read back and compared bit for bit.

    test = SelfTest(recipe, plan)
    test.conclude([test.compare(model)])        # the log says how many; raises WrongWeightsError

It is asked with the recipe that is to be there, where the model is: in each worker of an engine. Engines fuse,
split, pad, pack and quantise. So a tensor is compared only where it is there under its own name, in its own
shape (an embedding may have more rows), and as it was written: norms, embeddings, and `o_proj` and
`down_proj`, which no engine fuses. Of each kind the first and the last, of each the first rows. What was not
read back is not vouched for: whether every parameter was written at all is for `arrival` to say.
"""

from __future__ import annotations

import dataclasses
import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

import torch

from hm_models.checkpoints.names import is_head, is_vocabulary
from hm_models.merge.contract import Merge
from hm_models.merge.plan import MergePlan
from hm_models.merge.shards import OutTensor, out_tensors
from hm_models.merge.stream import MergeStream

ROWS = 64  # of a matrix: some hundred kilobytes, whatever the model's size
# A merge that is no sum element by element needs the whole tensor; larger ones are left out.
WHOLE = 1 << 22  # elements
KINDS = (r"norm[^.]*\.weight$", r"embed|wte", r"\.o_proj\.weight$", r"\.down_proj\.weight$")

AS_WRITTEN = (torch.float32, torch.bfloat16, torch.float16)  # what nobody has quantised

Compared: TypeAlias = tuple[list[str], list[str]]  # plain values, as they cross processes

logger = logging.getLogger(__name__)


class WrongWeightsError(RuntimeError):
    """An engine holds other weights than those of its merge; the message says which."""


@dataclasses.dataclass(frozen=True)
class SelfTest:
    """The test of one merge.

    Attributes:
        resident: where the checkpoints' files lie in memory, if they do.
    """

    recipe: Merge
    plan: MergePlan
    resident: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @torch.no_grad()
    def compare(self, model: torch.nn.Module) -> Compared:
        """Names of the tensors that could be compared, and of those that differ from the merge."""
        tensors = out_tensors(self.recipe, self.plan)
        places = dict(model.named_parameters(remove_duplicate=False))
        seen = {
            name: places[name]
            for name, tensor in probes(tensors).items()
            if name in places and _is_as_written(places[name], tensor)
        }
        skipped = {tensor.name for tensor in tensors} - seen.keys()
        compared, wrong = [], []
        # Reading nothing ahead, as some rows are all that is read.
        for name, merged in MergeStream(self.plan, self.resident).tensors(self.recipe, skipped):
            if merged.elementwise or merged.numel() <= WHOLE:
                compared.append(name)
                held = seen[name][:ROWS].cpu()
                if not _same_bits(torch.empty_like(held).copy_(merged[:ROWS]), held):
                    wrong.append(name)
        return compared, wrong

    def conclude(self, found: Sequence[Compared]) -> None:
        """Say how many were compared, by all of an engine's processes; none where there is none to ask.

        Raises:
            WrongWeightsError: one differs.
        """
        if not found:
            said = "hm-merged: no self-test of %s, as no process can be asked that holds this merge"
            logger.info(said, self.recipe.label)
            return
        compared = {name for names, _ in found for name in names}
        if wrong := sorted({name for _, names in found for name in names}):
            raise WrongWeightsError(
                f"The engine does not hold the weights of {self.recipe.label}: of {len(compared)} tensors that "
                f"were read back, {len(wrong)} differ from the merge, first {wrong[0]}. Nothing was answered "
                "with them. Did files of the checkpoints change meanwhile? Else please report it, with the "
                "versions of hm-merged and of the backend; self_test=false leaves this test out."
            )
        logger.info(
            "hm-merged: self-test of %s: %s of %s tensors were read back, %s",
            *(self.recipe.label, len(compared), len(out_tensors(self.recipe, self.plan))),
            "and are the merge's"
            if compared
            else "as this engine holds none in the merge's own form",
        )


def probes(tensors: Iterable[OutTensor]) -> dict[str, OutTensor]:
    """The tensors to look for, by name: the first and the last of each kind, in the order of the files.

    >>> of_layers = [OutTensor(f"{n}.o_proj.weight", torch.float32, (4, 4)) for n in range(3)]
    >>> [*probes(of_layers)]
    ['0.o_proj.weight', '2.o_proj.weight']
    """
    named = {t.name: t for t in tensors if not is_head(t.name)}
    found: dict[str, OutTensor] = {}
    for kind in KINDS:
        if names := [name for name in named if re.search(kind, name)]:
            found |= {name: named[name] for name in (names[0], names[-1])}
    return found


def _is_as_written(place: torch.Tensor, tensor: OutTensor) -> bool:
    """Whether a parameter holds the tensor as a loader writes it: not split, fused, packed or quantised."""
    if place.is_meta or not place.numel() or place.dtype not in AS_WRITTEN:
        return False
    if is_vocabulary(tensor.name):  # padded
        return place.shape[0] >= tensor.shape[0] and place.shape[1:] == tensor.shape[1:]
    return place.shape == tensor.shape


def _same_bits(one: torch.Tensor, other: torch.Tensor) -> bool:
    return torch.equal(*(t.contiguous().view(torch.uint8) for t in (one, other)))
