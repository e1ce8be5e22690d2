"""Tensors come from mapped files with the files' bytes, and their memory is given back."""

import itertools
import os
import subprocess
import threading
import time
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file, save_file

from hm_models.checkpoints import mapped
from hm_models.checkpoints.checkpoint import Checkpoint
from hm_models.checkpoints.headers import DTYPES
from hm_models.checkpoints.mapped import MappedCheckpoint, ResidentFiles
from hm_models.checkpoints.read_ahead import ReadAhead
from hm_models.errors import RecipeError
from hm_models.merge import stream
from hm_models.merge.recipe import MergeRecipe
from hm_models.merge.stream import MergeStream, merged_tensors
from tests.models.merge.by_mergekit import assert_all_bits_agree
from tests.models.tiny import copy_of, read_tensors, same_bits, write_shard

THREAD = "hm-read-ahead"
PATIENCE = 20  # seconds; what takes longer hangs
MIB = 1 << 20
COUNT, SIZE = 16, 4 * MIB  # tensors of the large checkpoint, and bytes of each


def checkpoint_of(folder, tensors):
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    save_file(tensors, folder / "model.safetensors")
    return Checkpoint.open(str(folder))


def assorted():
    """All dtypes that a checkpoint may hold, in sizes below, at and above a page, or none at all."""
    generator = torch.Generator().manual_seed(0)
    tensors = {}
    for dtype, shape in itertools.product(DTYPES.values(), [(), (0,), (3, 0), (7,), (40, 64, 2)]):
        values = torch.randint(0, 2 if dtype is torch.bool else 100, shape, generator=generator)
        tensors[f"{dtype}.{shape}"] = values.to(dtype)
    return tensors


@pytest.fixture
def large(tmp_path):
    """64 MiB of zeros that take no space on the disk."""
    folder = tmp_path / "large"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    header = {
        f"t{n:02}": {"dtype": "U8", "shape": [SIZE], "data_offsets": [n * SIZE, (n + 1) * SIZE]}
        for n in range(COUNT)
    }
    write_shard(folder / "model.safetensors", header, COUNT * SIZE)
    return Checkpoint.open(str(folder))


@pytest.fixture
def in_time():
    """Run something that could hang, in a thread of its own."""

    def run(work):
        results = []
        thread = threading.Thread(target=lambda: results.append(work()), daemon=True)
        thread.start()
        thread.join(PATIENCE)
        assert not thread.is_alive(), "it hangs"
        return results[0]

    return run


def mapped_bytes():
    """Resident bytes of this process that are pages of files."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssFile:"):
            return int(line.split()[1]) * 1024
    return pytest.skip("the kernel does not tell")


def readers():
    return [thread for thread in threading.enumerate() if thread.name == THREAD]


def recipe_of(base, instruct, alpha=0.3):
    return MergeRecipe(base=str(base), instruct=str(instruct), alpha=alpha)


# --- a mapped checkpoint -------------------------------------------------------------------------


def test_every_tensor_has_the_bytes_of_the_file(tmp_path):
    checkpoint = checkpoint_of(tmp_path / "c", assorted())
    expected = load_file(tmp_path / "c" / "model.safetensors")
    read = MappedCheckpoint(checkpoint)
    assert_all_bits_agree({name: read(name) for name in checkpoint.tensors}, expected)
    assert len(expected) == 5 * len(DTYPES)


def test_after_prefetch_and_drop_tensors_read_the_same(tmp_path):
    expected = assorted()
    read = MappedCheckpoint(checkpoint_of(tmp_path / "c", expected))
    held = {name: read(name) for name in expected}
    for name in expected:
        read.prefetch(name)
        read.drop(name)
    assert_all_bits_agree(held, expected)
    assert_all_bits_agree({name: read(name) for name in expected}, expected)


def test_tensors_at_odd_places_of_the_file_are_read(tmp_path):
    header = {
        "odd": {"dtype": "U8", "shape": [3], "data_offsets": [0, 3]},
        "after": {"dtype": "BF16", "shape": [2], "data_offsets": [3, 7]},
    }
    (tmp_path / "config.json").write_text("{}")
    file = tmp_path / "model.safetensors"
    write_shard(file, header, 7)
    content = torch.tensor([1.5, -2.0], dtype=torch.bfloat16)
    file.write_bytes(file.read_bytes()[:-4] + content.view(torch.uint8).numpy().tobytes())
    assert same_bits(MappedCheckpoint(Checkpoint.open(str(tmp_path)))("after"), content)


def test_writing_to_a_tensor_does_not_reach_the_file(tmp_path):
    checkpoint = checkpoint_of(tmp_path / "c", {"w": torch.ones(5)})
    MappedCheckpoint(checkpoint)("w").fill_(2)
    assert load_file(tmp_path / "c" / "model.safetensors")["w"].tolist() == [1] * 5


def test_mapping_reads_nothing_and_drop_gives_back_what_was_read(large):
    start = mapped_bytes()
    read = MappedCheckpoint(large)
    tensors = [read(name) for name in large.tensors]
    assert mapped_bytes() - start < SIZE
    for name in large.tensors:
        read.prefetch(name)
    assert mapped_bytes() - start > (COUNT - 1) * SIZE
    for name in large.tensors:
        read.drop(name)
    assert mapped_bytes() - start < SIZE
    assert tensors[3].sum() == 0


# --- reading ahead -------------------------------------------------------------------------------


class Recorded:
    """Stands for a mapped checkpoint of tensors of ten bytes, and keeps what is done to it."""

    def __init__(self):
        self.log = []
        self.may_read = threading.Event()
        self.may_read.set()
        self.checkpoint = SimpleNamespace(
            tensors={n: SimpleNamespace(bytes=10) for n in range(6)}
            | {99: SimpleNamespace(bytes=99)}
        )

    def prefetch(self, name):
        self.log.append(f"reads {name}")
        assert self.may_read.wait(PATIENCE)
        self.log.append(f"has read {name}")

    def drop(self, name):
        self.log.append(f"drops {name}")

    def wait_for(self, *log):
        end = time.monotonic() + PATIENCE
        while self.log != list(log) and time.monotonic() < end:
            time.sleep(0.001)
        time.sleep(0.03)  # time for what should not happen
        assert self.log == list(log)
        self.log.clear()


@pytest.fixture
def recorded():
    return Recorded()


def reads(*names):
    return [word for name in names for word in (f"reads {name}", f"has read {name}")]


def test_it_reads_in_order_up_to_the_limit_and_on_as_items_end(recorded):
    reader = ReadAhead([[(recorded, n)] for n in range(6)], limit=25)
    recorded.wait_for(*reads(0, 1))
    first = reader.take(0)
    recorded.wait_for()  # taken is not ended: its pages are still held
    del first
    recorded.wait_for("drops 0", *reads(2))
    reader.close()
    assert not readers()


def test_an_item_above_the_limit_is_read_alone(recorded):
    reader = ReadAhead([[(recorded, 99)], [(recorded, 1)]], limit=25)
    recorded.wait_for(*reads(99))
    reader.take(0)  # the lease is garbage at once
    recorded.wait_for("drops 99", *reads(1))
    reader.close()


def test_what_the_consumer_has_passed_is_not_read(recorded):
    reader = ReadAhead([[(recorded, n)] for n in range(6)], limit=10)
    recorded.wait_for(*reads(0))
    held = [reader.take(n) for n in range(4)]
    del held[3:]
    recorded.wait_for("drops 3")  # 1 to 3 were overtaken, and three items are still held
    held.clear()
    recorded.wait_for("drops 2", "drops 1", "drops 0", *reads(4))
    reader.close()


def test_what_ends_while_it_is_read_is_dropped_once_more_after(recorded):
    recorded.may_read.clear()
    reader = ReadAhead([[(recorded, 0)]], limit=10)
    recorded.wait_for("reads 0")
    reader.take(0)
    recorded.wait_for("drops 0")
    recorded.may_read.set()
    recorded.wait_for("has read 0", "drops 0")
    reader.close()


@pytest.fixture
def tiny_limit(monkeypatch):
    monkeypatch.setattr(stream, "ReadAhead", partial(ReadAhead, limit=1))


@pytest.mark.usefixtures("tiny_limit")
def test_all_tensors_come_with_a_tiny_limit(base, instruct, in_time):
    assert_all_bits_agree(
        in_time(lambda: dict(merged_tensors(recipe_of(base, instruct, 1)))), read_tensors(instruct)
    )


@pytest.mark.parametrize("alpha", [0, 0.3])
@pytest.mark.usefixtures("tiny_limit")
def test_a_consumer_that_keeps_all_tensors_is_not_kept_waiting(base, instruct, in_time, alpha):
    recipe = recipe_of(base, instruct, alpha)
    kept = in_time(lambda: list(MergeStream().tensors(recipe)))
    merged = {name: tensor.merged() for name, tensor in reversed(kept)}
    assert_all_bits_agree(merged, dict(merged_tensors(recipe)))
    assert not readers()


@pytest.mark.parametrize("alpha", [0, 0.3])
@pytest.mark.usefixtures("tiny_limit")
def test_the_thread_ends_when_the_consumer_stops_early(base, instruct, in_time, alpha):
    tensors = MergeStream().tensors(recipe_of(base, instruct, alpha))
    name, kept = next(tensors)
    assert len(readers()) == 1
    in_time(tensors.close)
    assert not readers()
    assert same_bits(kept.merged(), dict(merged_tensors(recipe_of(base, instruct, alpha)))[name])


@pytest.mark.usefixtures("tiny_limit")
def test_the_thread_ends_when_the_consumer_fails(base, instruct):
    def load():
        for _ in merged_tensors(recipe_of(base, instruct)):
            raise KeyError("no such parameter")

    with pytest.raises(KeyError):
        load()
    assert not readers()


def test_a_stream_holds_no_more_of_the_files_than_it_may(large):
    read = MappedCheckpoint(large)
    start = mapped_bytes()
    held = []
    reader = ReadAhead([[(read, name)] for name in large.tensors], limit=2 * SIZE)
    for index, name in enumerate(large.tensors):
        lease = reader.take(index)
        assert read(name).sum() == 0
        held.append(mapped_bytes() - start)
        del lease
    reader.close()
    assert max(held) < 5 * SIZE  # the one in hand and two ahead, of sixteen
    assert mapped_bytes() - start < SIZE


def test_reading_ahead_changes_nothing_when_nobody_consumes(large):
    start = mapped_bytes()
    reader = ReadAhead([[(MappedCheckpoint(large), name)] for name in large.tensors], 2 * SIZE)
    time.sleep(0.1)
    assert mapped_bytes() - start < 4 * SIZE
    reader.close()


# --- files in memory -----------------------------------------------------------------------------


@pytest.fixture
def pair(base, instruct, tmp_path):
    """The pair, to be deleted."""
    return copy_of(base, tmp_path / "b"), copy_of(instruct, tmp_path / "i")


def both_of(recipe):
    return recipe.base_checkpoint, recipe.instruct_checkpoint


def remove_weights(*folders):
    for file in [file for folder in folders for file in folder.glob("*.safetensors")]:
        file.unlink()


@pytest.mark.parametrize("alpha", [0, 0.3, 1])
def test_tensors_come_from_memory_when_the_files_are_gone(pair, alpha):
    recipe = recipe_of(*pair, alpha)
    expected = dict(merged_tensors(recipe))
    files = ResidentFiles.of(both_of(recipe))
    remove_weights(*pair)
    merged = dict(MergeStream(None, files.paths).tensors(recipe))
    assert_all_bits_agree({name: tensor.merged() for name, tensor in merged.items()}, expected)
    assert not readers()


def test_the_pages_of_files_in_memory_are_never_dropped(large):
    files = ResidentFiles.of([large])
    read = MappedCheckpoint(large, files.paths)
    read("t03").fill_(7)  # private to this mapping, so that a drop would show
    read.drop("t03")
    assert (read("t03") == 7).all()


def test_another_process_reads_them_by_their_path(pair):
    checkpoint = Checkpoint.open(str(pair[0]))
    files = ResidentFiles.of([checkpoint])
    assert set(files.paths) == {str(header.file) for header in checkpoint.tensors.values()}
    for file, path in files.paths.items():
        assert subprocess.run(["cmp", file, path]).returncode == 0


def test_a_checkpoint_on_both_sides_is_held_once(pair):
    one, other = (Checkpoint.open(str(pair[0])) for _ in range(2))
    assert len(ResidentFiles.of([one, other]).paths) == 3


def test_the_memory_is_given_back_at_the_end(pair):
    before = set(os.listdir("/proc/self/fd"))
    files = ResidentFiles.of(both_of(recipe_of(*pair)))
    assert len(set(os.listdir("/proc/self/fd")) - before) == len(files.paths) == 8
    paths = list(files.paths.values())
    del files
    assert set(os.listdir("/proc/self/fd")) == before
    assert not any(os.path.lexists(path) for path in paths)


def test_the_memory_is_given_back_when_reading_fails(pair, monkeypatch):
    def broken(*_):
        raise OSError("input/output error")

    before = set(os.listdir("/proc/self/fd"))
    monkeypatch.setattr(mapped.shutil, "copyfileobj", broken)
    with pytest.raises(OSError, match="input/output"):
        ResidentFiles.of(both_of(recipe_of(*pair)))
    assert set(os.listdir("/proc/self/fd")) == before


def test_more_than_the_free_memory_is_refused(large, monkeypatch):
    needed = (large.folder / "model.safetensors").stat().st_size
    monkeypatch.setattr(mapped, "_free_memory", lambda: needed - 1)
    before = set(os.listdir("/proc/self/fd"))
    with pytest.raises(RecipeError) as refusal:
        ResidentFiles.of([large])
    assert str(refusal.value) == (
        "keep_resident=true needs 0.1 GB for the checkpoints, and 0.1 GB of memory are free. Leave "
        "it out: changes of alpha then read the files again."
    )
    assert set(os.listdir("/proc/self/fd")) == before
    monkeypatch.setattr(mapped, "_free_memory", lambda: needed)
    assert len(ResidentFiles.of([large]).paths) == 1


def test_a_system_without_memory_files_is_refused(large, monkeypatch):
    monkeypatch.delattr(os, "memfd_create")
    with pytest.raises(RecipeError, match=r"^keep_resident=true needs Linux\. Leave it out\.$"):
        ResidentFiles.of([large])


def test_the_free_memory_is_what_the_system_says(monkeypatch):
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert 0 < mapped._free_memory() <= total
    monkeypatch.setattr(Path, "read_text", lambda _: "MemTotal: 9 kB\nMemAvailable:    3 kB\n")
    assert mapped._free_memory() == 3072
    monkeypatch.setattr(Path, "read_text", lambda _: "MemTotal: 9 kB\n")
    with pytest.raises(RecipeError, match="does not say what is free"):
        mapped._free_memory()
