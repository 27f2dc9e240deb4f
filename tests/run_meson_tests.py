#!/usr/bin/env python3
"""Builds and runs the meson tests whose programs lie in some folders of tests/.

Usage: run_meson_tests.py BUILD_DIRECTORY [FOLDER...]. Without folders: all tests. What the tests print goes to
standard output. With WEIGHTFS_SKIP_MOUNT=1 the tests that mount are left out.
"""
import json
import os
import pathlib
import subprocess
import sys

# Those that need /dev/fuse.
MOUNT_TESTS = {"mount", "mount fsx", "mount posix"}


def introspect(build, what):
    command = ["meson", "introspect", what, str(build)]
    return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)


def is_wanted(test, build, folders):
    if os.environ.get("WEIGHTFS_SKIP_MOUNT") == "1" and test["name"] in MOUNT_TESTS:
        return False
    if not folders:
        return True
    program = pathlib.Path(test["cmd"][0])
    tests = build / "tests"
    return program.is_relative_to(tests) and program.relative_to(tests).parts[0] in folders


def targets_of(tests, build):
    """The files that the tests need built, as ninja names them."""
    files = {
        name
        for target in introspect(build, "--targets")
        if any(target["id"] in test["depends"] for test in tests)
        for name in target["filename"]
    }
    return sorted(str(pathlib.Path(name).relative_to(build)) for name in files)


def main():
    build = pathlib.Path(sys.argv[1]).resolve()
    folders = set(sys.argv[2:])
    tests = [t for t in introspect(build, "--tests") if is_wanted(t, build, folders)]
    if not tests:
        print("no tests in these folders: " + " ".join(sorted(folders)))
        return 1
    built = subprocess.run(["ninja", "-C", build, *targets_of(tests, build)], check=False)
    if built.returncode != 0:
        return built.returncode
    names = [test["name"] for test in tests]
    run = ["meson", "test", "-C", build, "--no-rebuild", "--print-errorlogs", "--timeout-multiplier", "4",
           *names]
    status = subprocess.run(run, check=False, stdout=subprocess.DEVNULL).returncode
    print((build / "meson-logs/testlog.txt").read_text(errors="replace"))
    return status


if __name__ == "__main__":
    sys.exit(main())
