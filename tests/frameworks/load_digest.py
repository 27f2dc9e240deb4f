"""Loads what adapters saved, in a process of its own: load_digest.py DIRECTORY ADAPTER...

Each adapter's files are in a folder of its name. Prints "ADAPTER DIGEST" of the values, or what failed.
"""
import pathlib
import sys
import traceback

import conftest  # noqa: F401 - the environment of the frameworks
from adapters import make_adapter
from compare import digest


def loaded_digest(name, directory):
    adapter = make_adapter(name)
    return digest(adapter.values(adapter.load(directory)))


def main():
    directory = pathlib.Path(sys.argv[1])
    for name in sys.argv[2:]:
        try:
            print(name, loaded_digest(name, directory / name), flush=True)
        except Exception:
            print(name, traceback.format_exc().replace("\n", " | "), flush=True)


if __name__ == "__main__":
    main()
