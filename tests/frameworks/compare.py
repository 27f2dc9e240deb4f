"""Equality of values and of directories, told where it ends."""
import hashlib
import pathlib
import re

import numpy as np

RANDOM_NAME = re.compile("[0-9a-f]{32}")


def plain(value):
    """A numpy array that shares nothing with `value`; types that numpy does not know as their bytes."""
    array = np.array(value, copy=True)
    if array.dtype.kind == "V":
        array = array.view(np.uint8)
    return array


def assert_same_values(found, expected):
    assert sorted(found) == sorted(expected)
    for name, value in expected.items():
        assert found[name].dtype == value.dtype, name
        assert found[name].shape == value.shape, name
        assert found[name].tobytes() == value.tobytes(), f"{name} has other values"


def digest(values):
    """One text for all values and their names, for comparing between processes."""
    total = hashlib.sha256()
    for name in sorted(values):
        value = np.ascontiguousarray(values[name])
        total.update(f"{name} {value.dtype} {value.shape} ".encode() + value.tobytes())
    return total.hexdigest()


def files_of(directory: pathlib.Path):
    """Path by name, below the directory; runs of random digits in a name are "*"."""
    names = [(str(path.relative_to(directory)), path) for path in sorted(directory.rglob("*")) if path.is_file()]
    return {RANDOM_NAME.sub("*", name): path for name, path in names}


def assert_same_files(found: pathlib.Path, expected: pathlib.Path, is_exact=lambda name: True):
    """The same names in both, and the same bytes in those that `is_exact` names."""
    found_files, expected_files = files_of(found), files_of(expected)
    assert sorted(found_files) == sorted(expected_files)
    for name, path in expected_files.items():
        if is_exact(name):
            assert found_files[name].read_bytes() == path.read_bytes(), f"{name} has other bytes"
