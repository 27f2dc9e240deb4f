"""A weightfs mount for the tests: made, sealed, mounted again and taken down by the program itself."""
import gc
import json
import os
import pathlib
import subprocess

PROGRAM = os.environ.get("WEIGHTFS_PROGRAM", "weightfs")
LIMIT_SECONDS = 120


def weightfs(*arguments):
    """Runs the program and returns what it printed; raises with its output where it fails."""
    run = subprocess.run([PROGRAM, *map(str, arguments)], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                         timeout=LIMIT_SECONDS, check=False)
    if run.returncode != 0:
        raise AssertionError(f"weightfs {' '.join(map(str, arguments))}: {run.stdout}{run.stderr}")
    return run.stdout


class Mount:
    """A store and its mount point in `directory`. `root` is where the files are."""

    def __init__(self, directory: pathlib.Path):
        self.store = directory / "store"
        self.root = directory / "mnt"
        self.root.mkdir(parents=True)
        self.start()

    def start(self):
        weightfs("mount", self.store, self.root, "-o", "seal_delay_ms=20")

    def stop(self):
        """Unmounts, which seals everything; fails while something in the mount is open."""
        gc.collect()
        weightfs("umount", self.root)

    def sync(self):
        """Everything written so far is sealed and durable afterwards."""
        weightfs("sync", self.root)

    def remount(self):
        self.stop()
        self.start()

    def report(self):
        return json.loads(weightfs("report", self.root, "--json"))

    def stored_bytes(self):
        """What the store's files take when all is sealed."""
        self.sync()
        report = self.report()
        assert report["unsealed_bytes"] == 0
        return report["stored_bytes"]

    def abandon(self):
        """Takes the mount down whatever happened before."""
        subprocess.run([PROGRAM, "umount", str(self.root)], capture_output=True, timeout=LIMIT_SECONDS, check=False)
        subprocess.run(["umount", "-l", str(self.root)], capture_output=True, check=False)
