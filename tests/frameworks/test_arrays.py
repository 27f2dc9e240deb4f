"""h5py that appends and reads while another process writes; NumPy that maps for writing; joblib that maps."""
import subprocess
import sys

import numpy as np
import pytest

h5py = pytest.importorskip("h5py", reason="h5py is not installed")
joblib = pytest.importorskip("joblib", reason="joblib is not installed")

from compare import assert_same_files  # noqa: E402


def test_h5py_appends(places):
    for directory in [places.local, places.mounted]:
        path = directory / "log.h5"
        with h5py.File(path, "w") as file:
            file.create_dataset("rows", (0, 256), "f4", chunks=(64, 256), maxshape=(None, 256))
        for step in range(5):
            with h5py.File(path, "a") as file:
                rows = file["rows"]
                rows.resize(rows.shape[0] + 200, axis=0)
                rows[-200:] = np.random.default_rng(step).standard_normal((200, 256))
                file.attrs["step"] = step
                file[f"extra {step}"] = np.full((100, 100), step)
            if directory == places.mounted:
                places.mount.sync()  # so that each append is over a sealed file
    assert_same_files(places.mounted, places.local)
    places.mount.remount()
    assert_same_files(places.mounted, places.local)


def test_h5py_edits_in_place(places):
    for directory in [places.local, places.mounted]:
        path = directory / "weights.h5"
        with h5py.File(path, "w") as file:
            file["w"] = np.random.default_rng(1).standard_normal((1000, 1000))
        places.mount.sync()
        with h5py.File(path, "r+") as file:
            file["w"][500:510] = 0
            file["w"].attrs["edited"] = True
    assert_same_files(places.mounted, places.local)
    places.mount.remount()
    assert_same_files(places.mounted, places.local)


SWMR_READER = """
import sys, time
import h5py
with h5py.File(sys.argv[1], "r", libver="latest", swmr=True) as file:
    rows = file["rows"]
    print("opened", rows.shape[0], flush=True)
    deadline = time.monotonic() + 100
    while rows.shape[0] < 1000 and time.monotonic() < deadline:
        rows.refresh()
        seen = rows[...]
        assert (seen == range(len(seen))).all(), seen
        time.sleep(0.01)
    print("saw", rows.shape[0], flush=True)
"""


def test_h5py_reads_while_another_process_writes(places):
    """SWMR: single writer, multiple readers (HDF5 1.10)."""
    path = places.mounted / "swmr.h5"
    with h5py.File(path, "w", libver="latest") as file:
        rows = file.create_dataset("rows", (0,), "i8", chunks=(100,), maxshape=(None,))
        file.swmr_mode = True
        readers = [subprocess.Popen([sys.executable, "-c", SWMR_READER, str(path)], stdout=subprocess.PIPE, text=True)
                   for _ in range(2)]
        for reader in readers:
            assert reader.stdout.readline().startswith("opened")
        for end in range(10, 1001, 10):
            rows.resize((end,))
            rows[end - 10:] = np.arange(end - 10, end)
            rows.flush()
        answers = [reader.communicate(timeout=120)[0] for reader in readers]
    assert all("saw 1000" in answer for answer in answers), answers


def test_numpy_maps_for_writing(places):
    for directory in [places.local, places.mounted]:
        path = directory / "array.npy"
        array = np.lib.format.open_memmap(path, mode="w+", dtype="f4", shape=(1000, 700))
        array[...] = np.arange(700_000).reshape(1000, 700)
        array.flush()
        del array
        places.mount.sync()
        mapped = np.load(path, mmap_mode="r+")  # over a sealed file
        mapped[10] = 5
        mapped[:, 3] *= 2
        mapped.flush()
        del mapped
    assert_same_files(places.mounted, places.local)
    places.mount.remount()
    assert_same_files(places.mounted, places.local)
    copied = np.load(places.mounted / "array.npy", mmap_mode="c")
    copied[...] = 0  # stays in memory
    del copied
    assert_same_files(places.mounted, places.local)


WRITE_ROWS = """
import sys
import numpy as np
mapped = np.load(sys.argv[1], mmap_mode="r+")
first = int(sys.argv[2])
mapped[first::3] = first + 1
mapped.flush()
"""


def test_numpy_maps_for_writing_in_several_processes(places):
    path = places.mounted / "shared.npy"
    np.save(path, np.zeros((900, 300)))
    places.mount.sync()
    children = [subprocess.Popen([sys.executable, "-c", WRITE_ROWS, str(path), str(first)]) for first in range(3)]
    assert [child.wait(timeout=60) for child in children] == [0, 0, 0]
    places.mount.remount()
    expected = np.repeat(np.arange(900)[:, None] % 3 + 1.0, 300, axis=1)
    np.testing.assert_array_equal(np.load(path), expected)


def test_joblib_maps_and_compresses(places):
    value = {"w": np.random.default_rng(2).standard_normal((800, 500)), "name": "model"}
    joblib.dump(value, places.mounted / "plain.joblib")
    joblib.dump(value, places.mounted / "packed.joblib", compress=3)
    for _ in range(2):
        mapped = joblib.load(places.mounted / "plain.joblib", mmap_mode="r")
        assert isinstance(mapped["w"], np.memmap)
        np.testing.assert_array_equal(mapped["w"], value["w"])
        np.testing.assert_array_equal(joblib.load(places.mounted / "packed.joblib")["w"], value["w"])
        del mapped
        places.mount.remount()


def test_joblib_memory_caches(places):
    calls = []
    memory = joblib.Memory(places.mounted / "cache", verbose=0)

    def double(x):
        calls.append(1)
        return x * 2

    cached = memory.cache(double)
    x = np.random.default_rng(3).standard_normal((300, 300))
    np.testing.assert_array_equal(cached(x), x * 2)
    places.mount.sync()
    np.testing.assert_array_equal(cached(x), x * 2)
    assert len(calls) == 1
    memory.clear(warn=False)
