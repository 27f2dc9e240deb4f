"""PyTorch: mapped loading, refusal of pickles, and distributed checkpoints of several ranks."""
import pathlib
import subprocess
import sys

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")

from compare import assert_same_values, plain  # noqa: E402

HERE = pathlib.Path(__file__).parent
RANKS = 2


def make_weights():
    torch.manual_seed(4)
    return {"a": torch.randn(700, 1000), "b": torch.randn(300, 1000).bfloat16(), "c": torch.arange(5000)}


def values(weights):
    return {name: plain(tensor.view(torch.int16) if tensor.dtype == torch.bfloat16 else tensor)
            for name, tensor in weights.items()}


def load_mapped(path):
    return values(torch.load(path, mmap=True, weights_only=True))


def test_loads_mapped(places):
    weights = make_weights()
    path = places.mounted / "mapped.pt"
    torch.save(weights, path)
    assert_same_values(load_mapped(path), values(weights))
    places.mount.remount()
    assert_same_values(load_mapped(path), values(weights))


def test_a_mapped_checkpoint_outlives_its_replacement(places):
    weights = make_weights()
    path = places.mounted / "mapped.pt"
    torch.save(weights, path)
    places.mount.sync()
    mapped = torch.load(path, mmap=True, weights_only=True)
    torch.save({name: tensor + 1 for name, tensor in weights.items()}, places.mounted / "next.pt")
    (places.mounted / "next.pt").rename(path)
    places.mount.sync()
    assert_same_values(values(mapped), values(weights))
    del mapped
    assert_same_values(load_mapped(path), values({name: tensor + 1 for name, tensor in weights.items()}))


def test_maps_a_storage_for_writing(places):
    """torch.from_file shares its memory with the file: what is assigned is in the file."""
    for directory in [places.local, places.mounted]:
        path = directory / "storage.bin"
        path.write_bytes(bytes(4 * 600_000))
        tensor = torch.from_file(str(path), shared=True, size=600_000, dtype=torch.float32)
        tensor.copy_(torch.arange(600_000))
        tensor[::7] = -1
        del tensor
    assert (places.mounted / "storage.bin").read_bytes() == (places.local / "storage.bin").read_bytes()
    places.mount.remount()
    assert (places.mounted / "storage.bin").read_bytes() == (places.local / "storage.bin").read_bytes()


def test_refuses_a_pickle_as_elsewhere(places):
    path = places.mounted / "object.pt"
    torch.save({"callable": pathlib.Path("x")}, path)
    with pytest.raises(Exception, match="[Ww]eights"):
        torch.load(path, weights_only=True)
    assert torch.load(path, weights_only=False)["callable"] == pathlib.Path("x")


def test_traces_and_loads_torchscript(places):
    module = torch.jit.trace(torch.nn.Linear(800, 600), torch.ones(1, 800))
    path = places.mounted / "module.ts"
    module.save(str(path))
    places.mount.remount()
    loaded = torch.jit.load(str(path))
    assert torch.equal(loaded(torch.ones(2, 800)), module(torch.ones(2, 800)))


def run_ranks(action, directory):
    command = [sys.executable, str(HERE / "distributed_rank.py"), action, str(directory), str(RANKS)]
    ranks = [subprocess.Popen([*command, str(rank)], cwd=HERE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
             for rank in range(RANKS)]
    outputs = [rank.communicate(timeout=200)[0] for rank in ranks]
    assert all(rank.returncode == 0 for rank in ranks), outputs
    return outputs


def test_saves_and_loads_a_distributed_checkpoint_of_several_ranks(places):
    run_ranks("save", places.mounted / "checkpoint")
    assert len(list((places.mounted / "checkpoint").glob("*.distcp"))) == RANKS
    run_ranks("check", places.mounted / "checkpoint")
    places.mount.remount()
    run_ranks("check", places.mounted / "checkpoint")
