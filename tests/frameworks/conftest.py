"""Fixtures: one mount for all tests, and for each test a directory in it beside one on the local disk."""
import dataclasses
import os
import pathlib
import shutil
import tempfile

# Before any framework is imported: quiet, on the CPU, and never to the network.
os.environ.update({
    "CUDA_VISIBLE_DEVICES": "", "JAX_PLATFORMS": "cpu", "KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3",
    "TF_ENABLE_ONEDNN_OPTS": "0", "HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1",
    "TRANSFORMERS_VERBOSITY": "error", "TOKENIZERS_PARALLELISM": "false", "OMP_NUM_THREADS": "2",
})

import pytest  # noqa: E402

from mounted import Mount  # noqa: E402


@dataclasses.dataclass
class Places:
    """Two directories of one name: in the mount, and on the local disk to compare with."""
    mounted: pathlib.Path
    local: pathlib.Path
    mount: Mount


@pytest.fixture(scope="session")
def scratch():
    directory = pathlib.Path(tempfile.mkdtemp(prefix="weightfs-frameworks-"))
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="session")
def mount(scratch):
    if not os.access("/dev/fuse", os.R_OK | os.W_OK):
        pytest.fail("these tests need /dev/fuse; WEIGHTFS_SKIP_MOUNT=1 sh tests/run.sh goes without")
    mount = Mount(scratch / "shared")
    yield mount
    mount.abandon()


@pytest.fixture
def fresh_mount(scratch, request):
    """An empty store of the test's own, to measure what files take in it."""
    mount = Mount(scratch / request.node.name.translate(str.maketrans("/[]", "---")))
    yield mount
    mount.abandon()


@pytest.fixture
def places(mount, scratch, request):
    name = request.node.name.translate(str.maketrans("/[]", "---"))
    places = Places(mount.root / name, scratch / "local" / name, mount)
    places.mounted.mkdir()
    places.local.mkdir(parents=True)
    yield places
    shutil.rmtree(places.mounted)
    shutil.rmtree(places.local)


def pytest_terminal_summary(terminalreporter):
    """The line that tests/run.sh counts, and the packages that were not there, by name."""
    def count(*outcomes):
        return sum(len(terminalreporter.stats.get(outcome, [])) for outcome in outcomes)

    for report in terminalreporter.stats.get("skipped", []):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        terminalreporter.write_line(f"skipped: {report.nodeid}: {reason}")
    terminalreporter.write_line(
        f"\n{count('passed')} passed, {count('failed', 'error')} failed, {count('skipped')} skipped")
