"""The suite that every framework and container passes: on a mount all is as on a local directory."""
import pathlib
import subprocess
import sys

import pytest

from adapters import ADAPTERS, make_adapter
from compare import assert_same_files, assert_same_values, digest

HERE = pathlib.Path(__file__).parent
PROCESSES = 3


@pytest.fixture(scope="module", params=ADAPTERS)
def adapter(request):
    try:
        made = make_adapter(request.param)
    except ImportError as error:
        pytest.skip(f"{error.name or request.param} is not installed")
    made.name = request.param
    return made


def loaded(adapter, directory):
    return adapter.values(adapter.load(directory))


def save_both(adapter, places, state):
    adapter.save(state, places.local)
    adapter.save(state, places.mounted)


def assert_as_local(adapter, places):
    assert_same_values(loaded(adapter, places.mounted), loaded(adapter, places.local))
    assert_same_files(places.mounted, places.local, adapter.is_exact)


def test_saves_and_loads_as_on_a_local_directory(adapter, places):
    state = adapter.make(1)
    save_both(adapter, places, state)
    expected = adapter.values(state)
    assert_same_values(loaded(adapter, places.mounted), expected)  # from staging
    assert_as_local(adapter, places)
    places.mount.sync()
    assert_same_values(loaded(adapter, places.mounted), expected)  # sealed
    assert_as_local(adapter, places)
    places.mount.remount()
    assert_same_values(loaded(adapter, places.mounted), expected)
    assert_as_local(adapter, places)


def test_overwrites(adapter, places):
    save_both(adapter, places, adapter.make(1))
    places.mount.sync()
    second = adapter.make(2)
    save_both(adapter, places, second)
    expected = adapter.values(second)
    assert_same_values(loaded(adapter, places.mounted), expected)
    places.mount.remount()
    assert_same_values(loaded(adapter, places.mounted), expected)
    assert_as_local(adapter, places)


def test_resumes_training_and_saves_again(adapter, places):
    save_both(adapter, places, adapter.make(1))
    for directory in [places.local, places.mounted]:
        for _ in range(2):
            places.mount.sync()
            adapter.save(adapter.train(adapter.load(directory)), directory)
    assert_as_local(adapter, places)
    places.mount.remount()
    assert_as_local(adapter, places)


@pytest.fixture(scope="module")
def loaded_by_processes(mount):
    """For each adapter that is there: its state's digest, and those that several processes at once have loaded."""
    directory = mount.root / "processes"
    expected = {}
    for name in ADAPTERS:
        try:
            adapter = make_adapter(name)
        except ImportError:
            continue
        state = adapter.make(3)
        (directory / name).mkdir(parents=True)
        adapter.save(state, directory / name)
        expected[name] = digest(adapter.values(state))
    del state
    mount.remount()  # nothing is cached
    command = [sys.executable, str(HERE / "load_digest.py"), str(directory), *expected]
    children = [subprocess.Popen(command, cwd=HERE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
                for _ in range(PROCESSES)]
    outputs = [child.communicate(timeout=200)[0] for child in children]
    answers = [dict(line.split(" ", 1) for line in output.splitlines() if line.count(" ")) for output in outputs]
    return {name: (value, [answer.get(name) for answer in answers]) for name, value in expected.items()}


@pytest.mark.timeout(400)
def test_loads_in_several_processes_at_once(adapter, loaded_by_processes):
    expected, answers = loaded_by_processes[adapter.name]
    assert answers == [expected] * PROCESSES
