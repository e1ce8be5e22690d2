"""top-n-sigma keeps the same tokens on both backends, by hand, at every temperature."""

import importlib.util
import types

import numpy as np
import pytest
import torch
from transformers import LogitsProcessorList, TemperatureLogitsWarper, TopPLogitsWarper

from hm_models.engines.top_n_sigma import TopNSigma, keep_top_n_sigma

has_vllm = pytest.mark.skipif(
    importlib.util.find_spec("vllm") is None, reason="vLLM is not installed"
)
IDS = torch.zeros(4, 1, dtype=torch.long)


@pytest.fixture
def logits():
    return torch.randn(4, 60, generator=torch.Generator().manual_seed(0)) * 3


def by_hand(row, n):
    """Indices of the kept tokens, in float64 by numpy."""
    row = row.double().numpy()
    return set(np.flatnonzero(row >= row.max() - n * row.std(ddof=1)))


def kept(shaped):
    return [set(np.flatnonzero(row.isfinite().numpy())) for row in shaped]


@pytest.mark.parametrize("n", [0.3, 1.0, 2.5])
def test_it_keeps_what_lies_within_n_deviations_of_the_largest(logits, n):
    found = kept(keep_top_n_sigma(logits, n))
    assert found == [by_hand(row, n) for row in logits]
    assert all(0 < len(tokens) < 60 for tokens in found)


def test_the_tokens_it_keeps_are_the_same_at_every_temperature(logits):
    at = [kept(keep_top_n_sigma(logits / temperature, 1.0)) for temperature in (0.3, 1, 1.7, 4)]
    assert all(found == at[0] for found in at)


def test_tokens_that_are_out_already_count_for_nothing(logits):
    out = logits.clone()
    out[:, 50:] = -torch.inf
    assert kept(keep_top_n_sigma(out, 1.0)) == kept(keep_top_n_sigma(logits[:, :50], 1.0))


def test_the_likeliest_tokens_always_stay():
    alike, one = torch.zeros(1, 5), torch.full((1, 5), -torch.inf)
    one[0, 2] = 1.0
    assert kept(keep_top_n_sigma(alike, 0.5)) == [{0, 1, 2, 3, 4}]
    assert kept(keep_top_n_sigma(one, 0.5)) == [{2}]


def first_runner(asked):
    """The processor as vLLM's older runner has it, with a request in each row."""
    from vllm import SamplingParams
    from vllm.v1.sample.logits_processor import BatchUpdate

    from hm_models.engines.top_n_sigma_vllm import TopNSigmaOnVllm

    made = TopNSigmaOnVllm(None, torch.device("cpu"), False)
    rows = [
        (row, SamplingParams(extra_args=None if n is None else {"top_n_sigma": n}), [], [])
        for row, n in enumerate(asked)
    ]
    made.update_state(BatchUpdate(batch_size=len(rows), removed=[], added=rows, moved=[]))
    return made, made.apply


def second_runner(asked, slots):
    """As vLLM's newer runner has it: requests in slots, the batch's rows in another order."""
    from vllm import SamplingParams
    from vllm.v1.worker.gpu.sample.logits_processor import LogitsContext, LogitsProcRequestState

    from hm_models.engines.top_n_sigma_vllm import TopNSigmaOnVllm

    histories = dict.fromkeys(("all_token_ids", "prompt_len", "prefill_len", "total_len"))
    made = TopNSigmaOnVllm(
        None,
        LogitsProcRequestState(
            device=torch.device("cpu"), max_num_reqs=9, vocab_size=60, **histories
        ),
    )
    for n, slot in zip(asked, slots, strict=True):
        wants = made.add_request(
            slot, SamplingParams(extra_args=None if n is None else {"top_n_sigma": n})
        )
        assert wants is (n is not None)
    made.apply_staged_writes()
    index = torch.tensor(slots, dtype=torch.int32)
    context = LogitsContext(
        expanded_idx_mapping=index,
        idx_mapping=index,
        idx_mapping_np=index.numpy(),
        **dict.fromkeys(("expanded_local_pos", "input_ids", "pos", "seq_lens_upper_bound_np")),
    )
    return made, lambda logits: made.apply(logits, context)


@has_vllm
def test_all_backends_draw_from_the_same_distribution(logits):
    asked, temperature = [1.0, 0.5, 2.0, 1.0], 1.5
    right = torch.stack(
        [
            LogitsProcessorList([TopNSigma(n), TemperatureLogitsWarper(temperature)])(
                IDS[:1], row[None]
            )[0].softmax(-1)
            for n, row in zip(asked, logits, strict=True)
        ]
    )
    for _, apply in (first_runner(asked), second_runner(asked, [7, 2, 0, 5])):
        found = (apply(logits.clone()) / temperature).softmax(-1)
        assert torch.equal(found, right)


@has_vllm
def test_requests_that_do_not_ask_for_it_are_left_alone(logits):
    asked = [None, 1.0, None, 0.5]
    for _, apply in (first_runner(asked), second_runner(asked, [3, 1, 8, 0])):
        found = apply(logits.clone())
        assert torch.equal(found[[0, 2]], logits[[0, 2]])
        assert kept(found[[1, 3]]) == [by_hand(logits[1], 1.0), by_hand(logits[3], 0.5)]
    for _, apply in (first_runner([None] * 4), second_runner([None] * 4, [3, 1, 8, 0])):
        assert torch.equal(apply(logits), logits)


@has_vllm
def test_what_a_request_asked_for_is_gone_with_it(logits):
    from vllm import SamplingParams
    from vllm.v1.sample.logits_processor import BatchUpdate, MoveDirectionality

    first, apply = first_runner([1.0, None, None, None])
    first.update_state(
        BatchUpdate(4, removed=[], added=[], moved=[(0, 2, MoveDirectionality.SWAP)])
    )
    assert kept(apply(logits.clone()))[2] == by_hand(logits[2], 1.0)
    first.update_state(BatchUpdate(2, removed=[2, 3], added=[], moved=[]))
    assert torch.equal(apply(logits.clone()), logits)

    second, apply = second_runner([1.0, None, None, None], [0, 1, 2, 3])
    assert not second.add_request(0, SamplingParams())
    second.apply_staged_writes()
    assert torch.equal(apply(logits.clone()), logits)


@has_vllm
def test_it_comes_before_temperature_in_both_runners():
    from vllm.v1.sample.logits_processor import LogitsProcessors

    made, _ = first_runner([1.0])
    # Those that never change the argmax come after temperature and min-p.
    assert LogitsProcessors([made]).non_argmax_invariant == [made]


def test_transformers_has_it_before_everything_else(logits):
    from hm_models.engines.sample_hf import Drawing

    seen = []

    def loop(input_ids, logits_processor, **_):
        seen.extend(type(processor).__name__ for processor in logits_processor)

    warpers = LogitsProcessorList([TemperatureLogitsWarper(2.0), TopPLogitsWarper(0.9)])
    Drawing([1], None, TopNSigma(1.0)).generate(
        types.SimpleNamespace(_sample=loop), IDS[:1], warpers
    )
    assert seen == ["TopNSigma", "TemperatureLogitsWarper", "TopPLogitsWarper", "SeededDraw"]
