"""A lazy merge computes what is asked for and no more, straight into where it belongs."""

import weakref

import pytest
import torch

from hm_models.merge.lazy import LazyMerge
from tests.models.tiny import same_bits


class Writer:
    """A merge (the sum) that keeps what it was called with."""

    def __init__(self):
        self.targets = []

    def __call__(self, inputs, out):
        assert out.is_contiguous()
        assert {tensor.shape for tensor in inputs} == {out.shape}
        self.targets.append(out)
        out.copy_(inputs[0].float() + inputs[1].float())

    @property
    def written(self):
        return sum(target.numel() for target in self.targets)


class Lease:
    """Something that can be held and watched."""


BASE = torch.arange(48, dtype=torch.bfloat16).view(6, 8)
INSTRUCT = torch.arange(48, dtype=torch.float32).view(6, 8) / 4
MERGED = BASE.float() + INSTRUCT


def lazy(write, elementwise=True, lease=None, dtype=torch.float32):
    return LazyMerge((BASE, INSTRUCT), dtype, write, elementwise, lease)


VIEWS = {
    "narrow": lambda t: t.narrow(0, 1, 2),
    "narrow columns": lambda t: t.narrow(1, 3, 4),
    "chunk": lambda t: t.chunk(3, dim=0)[1],
    "chunk columns": lambda t: t.chunk(2, dim=1)[1],
    "split": lambda t: t.split([1, 2, 3])[2],
    "unbind": lambda t: t.unbind(1)[5],
    "iteration": lambda t: list(t)[3],
    "transpose": lambda t: t.transpose(0, 1)[2],
    "t": lambda t: t.t(),
    "permute": lambda t: t.permute(1, 0)[1:3],
    "view": lambda t: t.view(3, 2, 8)[1],
    "reshape": lambda t: t.reshape(2, -1)[1],
    "flatten": lambda t: t.flatten()[5:9],
    "select": lambda t: t.select(1, 2),
    "row": lambda t: t[-1],
    "element": lambda t: t[2, 3],
    "steps": lambda t: t[1::2, ::3],
    "ellipsis": lambda t: t[..., 2:4],
    "everything": lambda t: t[:],
    "nothing": lambda t: t[2:2],
    "unsqueeze": lambda t: t[None, 2],
    "squeeze": lambda t: t[:1].squeeze(),
    "squeeze one": lambda t: t[:1].squeeze(0),
    "detach": lambda t: t.detach()[2:4],
    "a view of a view": lambda t: t.narrow(0, 2, 4).t().chunk(2)[1][1:, 2],
}


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
def test_a_view_merges_its_own_elements_alone(view):
    write = Writer()
    part, expected = view(lazy(write)), view(MERGED)
    assert type(part) is LazyMerge
    assert part.shape == expected.shape
    assert write.targets == []
    target = torch.full(expected.shape, 77.0)
    target.copy_(part)
    assert torch.equal(target, expected)
    assert write.written == expected.numel()


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
def test_a_merge_that_is_not_element_by_element_is_computed_whole(view):
    write = Writer()
    target = torch.full(view(MERGED).shape, 77.0)
    target.copy_(view(lazy(write, elementwise=False)))
    assert torch.equal(target, view(MERGED))
    assert set(map(torch.numel, write.targets)) == {MERGED.numel()}


@pytest.mark.parametrize("elementwise", [True, False])
def test_shape_dtype_and_device_are_known_without_merging(elementwise):
    write = Writer()
    tensor = lazy(write, elementwise, dtype=torch.float16)
    assert (tensor.shape, tensor.dtype, tensor.device) == ((6, 8), torch.float16, BASE.device)
    assert (tensor.numel(), tensor.dim(), tensor.is_contiguous()) == (48, 2, True)
    assert repr(tensor.detach()) == "LazyMerge((6, 8), torch.float16)"
    assert write.targets == []


@pytest.mark.parametrize(
    "use",
    [
        lambda t: t + 1,
        lambda t: t.sum(),
        lambda t: torch.cat([t, t]),
        lambda t: t.to(torch.bfloat16),
        lambda t: t.clone(),
        lambda t: t.t().contiguous(),
        lambda t: t[[2, 0]],
        lambda t: torch.nn.functional.linear(torch.ones(8), t),
        lambda t: torch.stack([t[0], MERGED[1]]),
    ],
)
@pytest.mark.parametrize("elementwise", [True, False])
def test_any_other_use_gives_what_the_merged_tensor_gives(use, elementwise):
    result = use(lazy(Writer(), elementwise))
    assert type(result) is torch.Tensor
    assert same_bits(result, use(MERGED))


# --- where a copy goes -----------------------------------------------------------------------------


def test_a_copy_into_a_parameter_writes_into_its_memory():
    write = Writer()
    parameter = torch.nn.Parameter(torch.zeros(6, 8))
    place = parameter.data_ptr()
    assert parameter.data.copy_(lazy(write)).data_ptr() == place
    assert torch.equal(parameter.detach(), MERGED)
    assert [target.data_ptr() for target in write.targets] == [place]


def test_a_copy_into_rows_of_a_fused_parameter_writes_there_and_nowhere_else():
    write = Writer()
    fused = torch.full((10, 8), 77.0)
    fused[3:6].copy_(lazy(write)[2:5])
    assert torch.equal(fused[3:6], MERGED[2:5])
    assert (fused[:3] == 77).all()
    assert (fused[6:] == 77).all()
    assert [target.data_ptr() for target in write.targets] == [fused[3].data_ptr()]


def test_a_copy_of_a_transposed_view_writes_into_the_target():
    write = Writer()
    target = torch.zeros(8, 6)
    target.copy_(lazy(write).t())
    assert torch.equal(target, MERGED.t())
    assert [place.data_ptr() for place in write.targets] == [target.data_ptr()]


TARGETS = {
    "columns": (lambda: torch.full((6, 16), 77.0)[:, 4:12], torch.float32),
    "transposed": (lambda: torch.full((8, 6), 77.0).t(), torch.float32),
    "another dtype": (lambda: torch.full((6, 8), 77.0, dtype=torch.float16), torch.float16),
    "broadcast": (lambda: torch.full((2, 6, 8), 77.0), torch.float32),
}


@pytest.mark.parametrize(("make", "dtype"), TARGETS.values(), ids=TARGETS)
def test_a_copy_into_an_awkward_target_gives_the_same_values(make, dtype):
    target = make()
    place = target.data_ptr()
    assert target.copy_(lazy(Writer())).data_ptr() == place
    assert torch.equal(target, MERGED.to(dtype).expand(target.shape))


def test_a_copy_into_columns_leaves_their_neighbours_alone():
    whole = torch.full((6, 16), 77.0)
    whole[:, 4:12].copy_(lazy(Writer()))
    assert (whole[:, :4] == 77).all()
    assert (whole[:, 12:] == 77).all()


def test_a_copy_into_another_dtype_rounds_the_result_first():
    # As mergekit would write it: 1 + 2^-12 is 1 in float16, and then 1 in float32.
    fine = torch.tensor([1.0]), torch.tensor([2.0**-12])
    target = torch.zeros(1)
    target.copy_(LazyMerge(fine, torch.float16, Writer(), True))
    assert target.tolist() == [1.0]


def test_a_copy_into_meta_computes_nothing():
    write = Writer()
    target = torch.empty(6, 8, device="meta")
    assert target.copy_(lazy(write)) is target
    assert write.targets == []


@pytest.mark.parametrize("give", [LazyMerge.merged, lambda t: t[...]])
@pytest.mark.parametrize("elementwise", [True, False])
def test_asking_for_the_values_gives_new_memory_each_time(give, elementwise):
    tensor = lazy(Writer(), elementwise)
    one, other = give(tensor), give(tensor)
    assert one.data_ptr() != other.data_ptr()
    assert type(one) is torch.Tensor
    assert same_bits(one, MERGED)


# --- the lease -------------------------------------------------------------------------------------


@pytest.mark.parametrize("elementwise", [True, False])
def test_the_lease_is_held_until_the_last_view_dies(elementwise):
    held = Lease()
    watch = weakref.ref(held)
    tensor = lazy(Writer(), elementwise, held)
    view = tensor.detach() + 0 if not elementwise else tensor.data.chunk(2)[1].t()
    del held
    assert watch() is not None
    del tensor
    assert (watch() is not None) == elementwise  # a sum is a plain tensor, a view is lazy
    del view
    assert watch() is None


def test_a_copy_does_not_keep_the_lease():
    held = Lease()
    watch = weakref.ref(held)
    target = torch.zeros(6, 8)
    target.copy_(lazy(Writer(), lease=held))
    merged = lazy(Writer(), lease=held).merged()
    del held
    assert watch() is None
    assert torch.equal(merged, target)


def test_a_change_in_place_is_refused_as_it_would_be_lost():
    merge = lazy(Writer())
    with pytest.raises(RuntimeError, match="would change a merged tensor"):
        merge.mul_(2)


# --- inputs ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
@pytest.mark.parametrize("elementwise", [True, False])
def test_inputs_may_be_lazy_themselves(view, elementwise):
    inner = Writer()
    outer = LazyMerge((BASE, lazy(inner, elementwise)), torch.float32, Writer(), True)
    target = torch.full(view(MERGED).shape, 77.0)
    target.copy_(view(outer))
    assert torch.equal(target, view(MERGED + BASE))
    assert inner.written == (target.numel() if elementwise else MERGED.numel())


def test_a_view_across_elements_that_share_memory_is_one_of_the_values():
    rows = torch.arange(6.0)[:, None].expand(6, 8)
    merged = LazyMerge((rows, INSTRUCT), torch.float32, Writer(), True)
    assert torch.equal(merged.flatten(), (rows + INSTRUCT).flatten())
    with pytest.raises(RuntimeError, match="shape"):
        merged.view(5, 5)
