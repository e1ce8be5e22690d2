"""top-p on vLLM's CPU build, without sorting the whole vocabulary for each token.

    undecided = keep_top_p(logits, p)       # logits: float32 [rows, vocabulary], p: float32 [rows]

vLLM 0.32 sorts the logits of the whole vocabulary for every token that it draws, some milliseconds for one
of 49,152. What top-p keeps lies nearly always among the likeliest 1,024,
so those alone are sorted; rows where it does not, at high temperatures for example, go vLLM's own way. As
many tokens are kept as vLLM keeps; which ones of several that are exactly equally likely, its sort leaves
open. GPUs have kernels of their own, and are left alone.
"""

from __future__ import annotations

from typing import Any

import torch

LIKELIEST = 1024


def cut_without_sorting() -> None:
    """Have this process's vLLM cut by it. Imported by vLLM's processes alone.

    A vLLM that keeps the function elsewhere goes on as it is, only slower.
    """
    from vllm.v1.sample.ops import topk_topp_sampler as sampler

    of_vllm: Any = getattr(sampler, "apply_top_k_top_p", None)
    if of_vllm is None:
        return

    def apply_top_k_top_p(
        logits: torch.Tensor, k: torch.Tensor | None, p: torch.Tensor | None
    ) -> torch.Tensor:
        if p is None or k is not None or logits.shape[1] <= LIKELIEST:
            return of_vllm(logits, k, p)
        undecided = keep_top_p(logits, p)
        if undecided.any():
            logits[undecided] = of_vllm(logits[undecided], None, p[undecided])
        return logits

    sampler.apply_top_k_top_p = apply_top_k_top_p


def keep_top_p(logits: torch.Tensor, p: torch.Tensor) -> torch.Tensor:
    """Set what top-p leaves out to minus infinity, in place; rows that it cannot decide stay as they were.

    A token is left out where those that are likelier have a share of p or more (Holtzman et al. 2020).
    Of equally likely ones the first of the vocabulary go first; logits of bfloat16 are often equal.

    Args:
        logits: float32 [rows, vocabulary].
        p: float32 [rows], in (0, 1].

    Returns:
        bool [rows]: where the tokens to be kept may not all be among the likeliest.
    """
    total = logits.logsumexp(dim=-1, keepdim=True)
    # In the vocabulary's order first, then by a stable sort, so that equal ones come in that order.
    places = logits.topk(LIKELIEST, dim=-1, sorted=False).indices.sort(dim=-1).values
    values, order = logits.gather(-1, places).sort(dim=-1, stable=True)
    places = places.gather(-1, order)
    shares = (values - total).exp()
    # The shares of all that are likelier, so that no rounding of the many unlikely ones comes in.
    likelier = shares.flip(-1).cumsum(-1).flip(-1) - shares
    kept = likelier < p[:, None]
    kept[:, -1] = True
    least_kept = torch.where(kept, values, torch.inf).amin(dim=-1)
    undecided = least_kept <= values[:, 0]
    left = torch.full_like(logits, -torch.inf)
    left.scatter_(-1, places, torch.where(kept, values, -torch.inf))
    logits.copy_(torch.where(undecided[:, None], logits, left))
    return undecided
