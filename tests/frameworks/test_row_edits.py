"""A tensor that gained or lost rows shares the rows that it kept."""
import numpy as np
import pytest

pytest.importorskip("safetensors", reason="safetensors is not installed")
torch = pytest.importorskip("torch", reason="torch is not installed")

from safetensors.torch import load_file, save_file  # noqa: E402

from mounted import weightfs  # noqa: E402

MOST_OF_FIRST = 0.10


def normal(*shape, seed=0, dtype=torch.float32):
    random = np.random.default_rng(seed)
    return torch.from_numpy(random.normal(0, 0.02, shape).astype(np.float32)).to(dtype)


def grown(tensor, at, rows=8):
    return torch.cat([tensor[:at], normal(rows, *tensor.shape[1:], seed=9, dtype=tensor.dtype), tensor[at:]])


def without(tensor, rows):
    return tensor[[row for row in range(len(tensor)) if row not in rows]]


def embedding(width, dtype):
    return lambda: normal(32_000, width, dtype=dtype)


def convolution(filters, channels):
    return lambda: normal(filters, channels, 3, 3)


EDITS = {
    "an embedding that grows in the middle": (embedding(512, torch.float32), lambda t: grown(t, 16_000)),
    "an embedding that grows at its end": (embedding(512, torch.float32), lambda t: grown(t, 32_000)),
    "an embedding that grows at its start": (embedding(384, torch.float32), lambda t: grown(t, 0)),
    "rows that no block is a multiple of": (embedding(300, torch.float32), lambda t: grown(t, 12_345)),
    "a bf16 embedding that grows in two places":
        (embedding(512, torch.bfloat16), lambda t: grown(grown(t, 20_001), 7_777)),
    "an embedding that lost rows": (embedding(256, torch.float32), lambda t: without(t, {3, 4, 5, 30_000})),
    "a convolution that lost three filters":
        (convolution(256, 256), lambda t: without(t, {17, 100, 201})),
    "a small convolution that lost three filters": (convolution(64, 64), lambda t: without(t, {5, 6, 40})),
    "a large convolution that lost three filters": (convolution(512, 512), lambda t: without(t, {0, 255, 511})),
}


@pytest.mark.parametrize("edit", EDITS)
def test_shares_the_rows_that_it_kept(edit, fresh_mount):
    make, change = EDITS[edit]
    tensor = make()
    changed = change(tensor)
    save_file({"layer.weight": tensor}, fresh_mount.root / "before.safetensors")
    first = fresh_mount.stored_bytes()
    save_file({"layer.weight": changed}, fresh_mount.root / "after.safetensors")
    second = fresh_mount.stored_bytes() - first
    print(f"{edit}: {first} bytes, then {second}: {second / first:.2%}")
    fresh_mount.remount()
    assert torch.equal(load_file(fresh_mount.root / "after.safetensors")["layer.weight"], changed)
    assert torch.equal(load_file(fresh_mount.root / "before.safetensors")["layer.weight"], tensor)
    assert second < MOST_OF_FIRST * first


def test_survives_the_removal_of_what_it_was(fresh_mount):
    tensor = normal(8000, 512)
    changed = grown(tensor, 4000)
    save_file({"layer.weight": tensor}, fresh_mount.root / "before.safetensors")
    fresh_mount.sync()
    save_file({"layer.weight": changed}, fresh_mount.root / "after.safetensors")
    fresh_mount.sync()
    (fresh_mount.root / "before.safetensors").unlink()
    fresh_mount.sync()
    weightfs("gc", fresh_mount.root)
    fresh_mount.stop()
    weightfs("fsck", fresh_mount.store)
    fresh_mount.start()
    assert torch.equal(load_file(fresh_mount.root / "after.safetensors")["layer.weight"], changed)
