"""The compiled linear merge has the bits of mergekit's, whatever the dtypes, sizes and values."""

import itertools

import pytest
import torch
from mergekit.merge_methods import merge_tensors

from hm_models.merge import kernel
from hm_models.merge.kernel import linear_merge
from tests.models.tiny import same_bits

DTYPES = (torch.bfloat16, torch.float16, torch.float32)
PAIRS = list(itertools.product(DTYPES, DTYPES))
ALPHAS = (1e-9, 0.001, 0.1, 0.3, 1 / 3, 0.55, 0.7, 0.9, 0.999999999)
# In float32 the first three add up to something other than 1, the last two to 1.
WEIGHTS = ((0.3, 0.5), (2.0, 3.0), (0.1, 0.90001), (1.5, -0.5), (0.0, 1.0))
TINIEST = {torch.bfloat16: 2**-133, torch.float16: 2**-24, torch.float32: 2**-149}
SIZES = ((), (1,), (7,), (3, 5), (129,), (0,), (4, 0, 2))


def noise(shape, dtype, seed):
    # Many powers of two apart, so that sums cancel, absorb and round in every place.
    generator = torch.Generator().manual_seed(seed)
    mantissa = torch.randn(shape, generator=generator)
    exponent = torch.randint(-12, 12, mantissa.shape, generator=generator)
    return torch.ldexp(mantissa, exponent).to(dtype)


def by_mergekit(base, instruct, dtype, weights, normalize=True):
    return merge_tensors(
        [base, instruct],
        "linear",
        parameters={"weight": list(weights), "normalize": normalize},
        dtype=torch.float32,
        out_dtype=dtype,
    )


def merge(base, instruct, dtype, weights, normalize=True):
    # Filled with what no merge gives, so that an element that was left out shows.
    out = torch.full(base.shape, 77.0, dtype=dtype)
    assert linear_merge((base, instruct), out, weights, normalize) is out
    return out


def assert_bits_of_mergekit(base, instruct, dtype, weights, normalize=True):
    before = base.clone(), instruct.clone()
    merged = merge(base, instruct, dtype, weights, normalize)
    assert same_bits(merged, by_mergekit(base, instruct, dtype, weights, normalize))
    assert same_bits(base, before[0])
    assert same_bits(instruct, before[1])


@pytest.mark.parametrize("result", DTYPES)
@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
def test_every_bit_is_that_of_mergekit_for_each_pair_and_result(ours, theirs, result):
    base, instruct = noise(997, ours, 1), noise(997, theirs, 2)
    for alpha in ALPHAS:
        assert_bits_of_mergekit(base, instruct, result, (1.0 - alpha, alpha))


@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_weights_are_divided_by_their_sum_as_mergekit_does(dtype, weights, normalize):
    base, instruct = noise(997, dtype, 1), noise(997, dtype, 2)
    assert_bits_of_mergekit(base, instruct, dtype, weights, normalize)


@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("dtypes", [DTYPES[:1], DTYPES, DTYPES[:1] * 9], ids=len)
def test_however_many_inputs_have_the_bits_of_mergekit(dtypes, normalize):
    # Nine weights, as torch adds up so many otherwise than from left to right.
    weights = [0.1, 0.7, 1e-8, -0.3, 0.9, 1 / 3, 1e7, 0.2, 0.04][: len(dtypes)]
    inputs = [noise(997, dtype, seed) for seed, dtype in enumerate(dtypes)]
    out = torch.full((997,), 77.0, dtype=dtypes[0])
    expected = merge_tensors(
        inputs,
        "linear",
        parameters={"weight": weights, "normalize": normalize},
        dtype=torch.float32,
        out_dtype=dtypes[0],
    )
    assert same_bits(linear_merge(inputs, out, weights, normalize), expected)


def test_dividing_by_the_sum_matters_where_it_is_not_one():
    base, instruct = noise(9, torch.float32, 1), noise(9, torch.float32, 2)
    divided, plain = (merge(base, instruct, torch.float32, (0.3, 0.5), n) for n in (True, False))
    assert not torch.allclose(divided, plain)


@pytest.mark.parametrize("shape", SIZES)
@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
def test_every_shape_is_merged_down_to_none_and_one_element(shape, ours, theirs):
    base, instruct = noise(shape, ours, 1), noise(shape, theirs, 2)
    assert_bits_of_mergekit(base, instruct, theirs, (0.7, 0.3))


@pytest.mark.parametrize("size", [15, 16, 17, 31, 32, 33, 160, 161])
@pytest.mark.parametrize("threads", [1, 3])
def test_tensors_of_many_blocks_are_merged_whole(monkeypatch, size, threads):
    base, instruct = noise(size, torch.bfloat16, 1), noise(size, torch.bfloat16, 2)
    at_once = merge(base, instruct, torch.bfloat16, (0.7, 0.3))
    monkeypatch.setattr(kernel, "BLOCK", 16)
    monkeypatch.setattr(kernel, "MAX_THREADS", threads)
    monkeypatch.setattr(kernel, "CORES", {0, 1, 2})
    monkeypatch.setattr(kernel, "use_all_cores", lambda: None)
    pool = kernel._threads.__wrapped__()
    monkeypatch.setattr(kernel, "_threads", lambda: pool)
    with pool:
        assert pool._max_workers == threads
        assert_bits_of_mergekit(base, instruct, torch.bfloat16, (0.7, 0.3))
        assert same_bits(merge(base, instruct, torch.bfloat16, (0.7, 0.3)), at_once)


def test_a_failure_in_one_block_is_not_swallowed(monkeypatch):
    monkeypatch.setattr(kernel, "BLOCK", 16)
    base, instruct = noise(160, torch.float32, 1), noise(160, torch.float32, 2)

    def broken(*_):
        raise ValueError("no such block")

    monkeypatch.setattr(kernel, "_linear_undivided", broken)
    with pytest.raises(ValueError, match="no such block"):
        merge(base, instruct, torch.float32, (0.7, 0.3))


# --- values at the edges -----------------------------------------------------------------------


def edges(dtype):
    limits = torch.finfo(dtype)
    positive = [0.0, TINIEST[dtype], 3 * TINIEST[dtype], limits.tiny, limits.eps, 1.0, limits.max]
    positive.append(float("inf"))
    return torch.tensor([*positive, *(-value for value in positive)], dtype=torch.float64).to(dtype)


@pytest.mark.parametrize("result", DTYPES)
@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
def test_zeros_subnormals_largest_values_and_infinities_give_mergekits_bits(ours, theirs, result):
    grid = torch.cartesian_prod(torch.arange(16), torch.arange(16))
    base, instruct = edges(ours)[grid[:, 0]], edges(theirs)[grid[:, 1]]
    for weights in [(0.7, 0.3), (0.5, 0.5), (1e-3, 0.999), (0.3, 0.5), (1.5, -0.5)]:
        merged = merge(base, instruct, result, weights)
        expected = by_mergekit(base, instruct, result, weights)
        # An infinity less another is no number, and those have many bit patterns.
        assert torch.equal(merged.isnan(), expected.isnan())
        assert same_bits(merged[~merged.isnan()], expected[~expected.isnan()])


def test_negative_zeros_come_out_as_in_mergekit():
    zeros = torch.tensor([0.0, -0.0])
    base, instruct = zeros.repeat_interleave(2), zeros.repeat(2)
    merged = merge(base, instruct, torch.float32, (0.7, 0.3))
    assert same_bits(merged, by_mergekit(base, instruct, torch.float32, (0.7, 0.3)))
    assert not merged.signbit().any()


@pytest.mark.parametrize(
    ("dtype", "value"), [(torch.float16, 65520.0), (torch.bfloat16, 3.4e38), (torch.float16, 1e30)]
)
def test_what_rounds_beyond_the_largest_value_is_an_infinity(dtype, value):
    wide = torch.tensor([value, -value])
    merged = merge(wide, wide, dtype, (0.5, 0.5))
    assert merged.tolist() == [float("inf"), float("-inf")]
    assert same_bits(merged, by_mergekit(wide, wide, dtype, (0.5, 0.5)))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_halves_round_to_even(dtype):
    step = torch.finfo(dtype).eps
    wide = 1 + step * torch.tensor([0.5, 1.5, 2.5, 0.5 + 2**-10, 0.5 - 2**-10])
    expected = 1 + step * torch.tensor([0.0, 2.0, 2.0, 1.0, 0.0])
    assert same_bits(merge(wide, wide, dtype, (0.5, 0.5)), expected.to(dtype))


@pytest.mark.parametrize("result", DTYPES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_not_a_number_stays_not_a_number(dtype, result):
    # With all bits of the mantissa set, rounding could carry into an infinity or a zero.
    carrier = {2: torch.int16, 4: torch.int32}[dtype.itemsize]
    top = torch.finfo(dtype).bits - 1
    patterns = torch.tensor([2**top - 1, -1], dtype=torch.int64).to(carrier).view(dtype)
    odd = torch.cat([patterns, torch.tensor([float("nan")]).to(dtype)])
    one = torch.ones_like(odd)
    assert odd.isnan().all()
    assert merge(odd, one, result, (0.7, 0.3)).isnan().all()
    assert merge(one, odd, result, (0.7, 0.3)).isnan().all()


def test_weights_that_cancel_divide_by_zero_as_in_mergekit():
    base, instruct = torch.ones(3), torch.tensor([1.0, 2.0, 0.0])
    merged = merge(base, instruct, torch.float32, (-0.5, 0.5))
    expected = by_mergekit(base, instruct, torch.float32, (-0.5, 0.5))
    torch.testing.assert_close(merged, expected, rtol=0, atol=0, equal_nan=True)


def test_a_parameter_with_gradient_is_written_in_place():
    base, instruct = noise((3, 5), torch.float32, 1), noise((3, 5), torch.float32, 2)
    parameter = torch.nn.Parameter(torch.zeros(3, 5))
    place = parameter.data_ptr()
    linear_merge((base, instruct), parameter, (0.7, 0.3))
    expected = by_mergekit(base, instruct, torch.float32, (0.7, 0.3))
    assert same_bits(parameter.detach(), expected)
    assert parameter.data_ptr() == place


def test_tensors_at_odd_addresses_are_merged():
    content = bytearray(1) + bytearray(noise(33, torch.bfloat16, 1).view(torch.uint8).numpy())
    odd = torch.frombuffer(content, dtype=torch.bfloat16, offset=1)
    assert odd.data_ptr() % 2 == 1
    assert_bits_of_mergekit(odd, noise(33, torch.bfloat16, 2), torch.bfloat16, (0.7, 0.3))
