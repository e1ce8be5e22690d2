"""top-n-sigma in vLLM: a logits processor that both of its model runners take.

    LLM(..., logits_processors=["hm_models.engines.top_n_sigma_vllm:TopNSigmaOnVllm"])
    SamplingParams(temperature=1.5, extra_args={"top_n_sigma": 1.0})

vLLM 0.32 has two model runners, each with an interface of its own: the first calls `update_state` with the
rows that come, go and move; the second, which it takes wherever Triton works (so on GPUs), calls `add_request`
with the slot of each. Both hand over float32 logits before temperature, min-p, top-k and top-p. Imported by
vLLM's processes alone.
"""

from __future__ import annotations

from typing import Any

import torch
from vllm import SamplingParams
from vllm.v1.sample.logits_processor import BatchUpdate, process_dict_updates
from vllm.v1.sample.logits_processor import LogitsProcessor as FirstRunners
from vllm.v1.worker.gpu.sample.logits_processor import LogitsContext, LogitsProcRequestState
from vllm.v1.worker.gpu.sample.logits_processor import LogitsProcessor as SecondRunners

from hm_models.engines.top_n_sigma import keep_top_n_sigma
from hm_models.samples.sampler import TOP_N_SIGMA


class TopNSigmaOnVllm(FirstRunners, SecondRunners):
    """Keeps the tokens of requests that ask for it; other requests' logits are left as they are."""

    def __init__(self, vllm_config: Any, *of_runner: Any) -> None:
        self._of_row: dict[int, float] = {}  # of the first runner
        self._of_slot = torch.zeros(0)  # of the second one: on its device, and here
        if isinstance(of_runner[0], LogitsProcRequestState):
            state = of_runner[0]
            self._of_slot = torch.zeros(state.max_num_reqs, device=state.device)
            self._told = torch.zeros(state.max_num_reqs)

    # --- the first runner -----------------------------------------------------------------------

    def is_argmax_invariant(self) -> bool:
        """It never takes the likeliest token away. False all the same: only then does it come before penalties
        and temperature."""
        return False

    def update_state(self, batch_update: BatchUpdate | None) -> None:
        process_dict_updates(self._of_row, batch_update, lambda asked, *_: _n_of(asked) or None)

    # --- the second one -------------------------------------------------------------------------

    def add_request(self, req_idx: int, sampling_params: SamplingParams) -> bool:
        self._told[req_idx] = n = _n_of(sampling_params)
        return n > 0

    def apply_staged_writes(self) -> None:
        self._of_slot.copy_(self._told)

    # --- both -----------------------------------------------------------------------------------

    def apply(self, logits: torch.Tensor, ctx: LogitsContext | None = None) -> torch.Tensor:
        """logits: [rows, vocabulary]; the second runner says which row is whose."""
        if ctx is not None:
            if not self._told[torch.from_numpy(ctx.idx_mapping_np)].any():
                return logits
            n = self._of_slot[ctx.expanded_idx_mapping]
        elif self._of_row:
            of_rows = [self._of_row.get(row, 0.0) for row in range(len(logits))]
            n = torch.tensor(of_rows, device=logits.device)
        else:
            return logits
        kept = keep_top_n_sigma(logits, n[:, None])
        return torch.where(n[:, None] > 0, kept, logits)


def _n_of(asked: SamplingParams) -> float:
    """0 where a request does not ask for it."""
    return float((asked.extra_args or {}).get(TOP_N_SIGMA, 0.0))
