#!/usr/bin/env python3
"""Fails on a file that clang-format would change. Ends with "N passed, N failed" over the files."""
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
TOPS = ("src", "include", "mount", "tests")


def is_formatted(path):
    command = ["clang-format-14", "--dry-run", "-Werror", str(path)]
    return subprocess.run(command, stderr=subprocess.DEVNULL, check=False).returncode == 0


def main():
    files = sorted(
        path for top in TOPS for path in (ROOT / top).rglob("*") if path.suffix in {".h", ".cpp"}
    )
    wrong = [path for path in files if not is_formatted(path)]
    for path in wrong:
        print(f"{path.relative_to(ROOT)}: run clang-format-14 -i over it")
    print(f"{len(files) - len(wrong)} passed, {len(wrong)} failed")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
