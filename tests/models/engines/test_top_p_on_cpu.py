"""top-p without sorting the vocabulary: as many tokens as vLLM keeps, and the same ones but for ties."""

import pytest
import torch

from hm_models.engines import top_p_on_cpu
from hm_models.engines.top_p_on_cpu import LIKELIEST, cut_without_sorting, keep_top_p

VOCABULARY = 5000


def logits(spread: float, rows: int = 16) -> torch.Tensor:
    of_rows = torch.Generator().manual_seed(0)
    return torch.randn(rows, VOCABULARY, generator=of_rows) * spread


def by_the_definition(row: torch.Tensor, p: float) -> torch.Tensor:
    """One token after the other, the likeliest first, until they have p; in float64."""
    shares = row.double().softmax(-1)
    kept, share = torch.zeros(len(row), dtype=torch.bool), 0.0
    for place in shares.argsort(descending=True):
        if share >= p:
            break
        kept[place], share = True, share + float(shares[place])
    return kept


@pytest.mark.parametrize(("p", "spread"), [(1e-6, 4.0), (0.5, 4.0), (0.95, 4.0), (0.99, 6.0)])
def test_it_keeps_what_the_definition_keeps_and_leaves_those_logits_as_they_are(p, spread):
    whole = logits(spread)
    cut = whole.clone()
    undecided = keep_top_p(cut, torch.full((len(whole),), p))
    assert not undecided.any()
    for row, cut_row in zip(whole, cut, strict=True):
        kept = by_the_definition(row, p)
        assert torch.equal(cut_row, torch.where(kept, row, -torch.inf))


def test_of_equal_ones_as_many_are_kept_as_are_needed():
    whole = torch.full((1, VOCABULARY), -30.0)
    whole[0, [7, 70, 700, 4000]] = 2.0
    cut = whole.clone()
    assert not keep_top_p(cut, torch.tensor([0.7])).any()
    assert (cut[0] > -torch.inf).nonzero().flatten().tolist() == [70, 700, 4000]


def test_rows_that_the_likeliest_cannot_decide_are_named_and_left_alone():
    whole = torch.cat([logits(0.1, rows=1), logits(4.0, rows=1), torch.zeros(1, VOCABULARY)])
    cut = whole.clone()
    assert keep_top_p(cut, torch.full((3,), 0.95)).tolist() == [True, False, True]
    assert torch.equal(cut[[0, 2]], whole[[0, 2]])
    assert (cut[1] > -torch.inf).sum() < LIKELIEST


def test_each_row_has_a_p_of_its_own():
    whole = logits(4.0, rows=2)[:1].repeat(2, 1)
    keep_top_p(whole, torch.tensor([0.5, 0.95]))
    first, second = (whole > -torch.inf).sum(-1).tolist()
    assert 0 < first < second


def test_vllm_s_own_function_keeps_as_many_and_does_what_is_left(monkeypatch):
    sampler = pytest.importorskip("vllm.v1.sample.ops.topk_topp_sampler")
    of_vllm = sampler.apply_top_k_top_p
    monkeypatch.setattr(sampler, "apply_top_k_top_p", of_vllm)
    cut_without_sorting()
    whole = torch.cat([logits(4.0).bfloat16().float(), logits(0.1)])
    p = torch.full((len(whole),), 0.95)
    asked = []
    monkeypatch.setattr(
        top_p_on_cpu, "keep_top_p", lambda *given: asked.append(given) or keep_top_p(*given)
    )
    ours, theirs = (
        sampler.apply_top_k_top_p(whole.clone(), None, p),
        of_vllm(whole.clone(), None, p),
    )
    assert len(asked) == 1
    counts = [(one > -torch.inf).sum(-1).tolist() for one in (ours, theirs)]
    assert counts[0] == counts[1]
    # The least likely one that is kept is as likely on both sides: they differ in ties alone.
    least = [torch.where(one > -torch.inf, one, torch.inf).amin(-1) for one in (ours, theirs)]
    assert torch.equal(*least)
    k = torch.full((len(whole),), 5)
    assert torch.equal(sampler.apply_top_k_top_p(whole.clone(), k, p), of_vllm(whole.clone(), k, p))
    assert len(asked) == 1
