"""safetensors by pieces, and the hub's cache layout: blobs, snapshots of symlinks, refs and locks."""
import hashlib
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("huggingface_hub", reason="huggingface-hub is not installed")
pytest.importorskip("transformers", reason="transformers is not installed")

import huggingface_hub  # noqa: E402
from huggingface_hub import file_download, scan_cache_dir, try_to_load_from_cache  # noqa: E402
from safetensors import safe_open  # noqa: E402
from safetensors.numpy import save_file  # noqa: E402

from adapters import make_adapter  # noqa: E402
from compare import assert_same_values  # noqa: E402

HERE = pathlib.Path(__file__).parent
REPO = "someone/tiny-model"
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def test_opens_safetensors_by_pieces(places):
    tensor = np.random.default_rng(1).standard_normal((4096, 512), dtype=np.float32)
    path = places.mounted / "model.safetensors"
    save_file({"weight": tensor}, path)
    for _ in range(2):
        with safe_open(path, framework="np") as file:
            piece = file.get_slice("weight")
            np.testing.assert_array_equal(piece[1000:1010], tensor[1000:1010])
            np.testing.assert_array_equal(piece[:, 100:103], tensor[:, 100:103])
            del piece  # has the file mapped
        places.mount.remount()


def fill_cache(cache, model_directory):
    """The cache that a download makes, with the hub's own functions for its locks, renames and links."""
    storage = cache / file_download.repo_folder_name(repo_id=REPO, repo_type="model")
    snapshot = storage / "snapshots" / COMMIT
    for directory in [storage / "blobs", storage / "refs", snapshot, cache / ".locks" / storage.name]:
        directory.mkdir(parents=True)
    (storage / "refs" / "main").write_text(COMMIT)
    for source in sorted(model_directory.iterdir()):
        content = source.read_bytes()
        blob = storage / "blobs" / hashlib.sha256(content).hexdigest()
        with file_download.WeakFileLock(cache / ".locks" / storage.name / f"{blob.name}.lock"):
            incomplete = blob.with_suffix(".incomplete")
            incomplete.write_bytes(content[:1000])
            with incomplete.open("ab") as resumed:  # a download that was interrupted
                resumed.write(content[1000:])
            file_download._chmod_and_move(incomplete, blob)
            file_download._create_symlink(str(blob), str(snapshot / source.name), new_blob=True)
    return snapshot


@pytest.fixture
def transformers_model():
    return make_adapter("transformers")


def test_loads_from_a_hub_cache(places, transformers_model):
    state = transformers_model.make(5)
    transformers_model.save(state, places.local)
    cache = places.mounted / "hub"
    snapshot = fill_cache(cache, places.local)
    weights = [path for path in snapshot.iterdir() if path.suffix == ".safetensors"]
    assert weights and all(path.is_symlink() and os.readlink(path).startswith("..") for path in weights)
    expected = transformers_model.values(state)
    for _ in range(2):
        loaded = type(state).from_pretrained(REPO, cache_dir=cache, local_files_only=True)
        assert_same_values(transformers_model.values(loaded), expected)
        del loaded
        found = huggingface_hub.snapshot_download(REPO, cache_dir=cache, local_files_only=True)
        assert pathlib.Path(found) == snapshot
        assert try_to_load_from_cache(REPO, "config.json", cache_dir=cache) == str(snapshot / "config.json")
        scanned = scan_cache_dir(cache)
        assert not scanned.warnings and [repo.repo_id for repo in scanned.repos] == [REPO]
        places.mount.remount()
    scan_cache_dir(cache).delete_revisions(COMMIT).execute()
    assert not snapshot.exists() and not list(cache.rglob("*.safetensors"))


APPEND_UNDER_A_LOCK = """
import pathlib, sys
from huggingface_hub.file_download import WeakFileLock
directory = pathlib.Path(sys.argv[1])
for _ in range(50):
    with WeakFileLock(directory / "counter.lock"):
        counter = directory / "counter"
        counter.write_text(str(int(counter.read_text()) + 1))
"""


def test_locks_hold_between_processes(places):
    (places.mounted / "counter").write_text("0")
    command = [sys.executable, "-c", APPEND_UNDER_A_LOCK, str(places.mounted)]
    children = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    errors = [child.communicate(timeout=120)[1] for child in children]
    assert all(child.returncode == 0 for child in children), errors
    assert (places.mounted / "counter").read_text() == "150"
