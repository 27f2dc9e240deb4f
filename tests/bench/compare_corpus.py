#!/usr/bin/env python3
"""Compares what a corpus of model files takes in weightfs and in other stores.

    compare_corpus.py WEIGHTFS CORPUS [--json] [--files]

For each family (a folder of CORPUS) and for all of it: the bytes of its files, of each different file
once, of zstd -3 and -19 of each file, of a borg repository (zstd,19), a restic one (--compression max), a
casync store, and of the blobs in a fresh weightfs. Needs zstd, borg, restic and casync. --files prints a
row for each file as well: its size, zstd -3, zstd -19, and what its own seal stored in the mount with all
files.
"""
import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile

COLUMNS = ["files", "bytes", "files once", "zstd -3", "zstd -19", "borg", "restic", "casync", "weightfs"]


def run(*command, **options):
    return subprocess.run(command, check=True, capture_output=True, **options).stdout


def files_below(folder):
    for directory, _, names in sorted(os.walk(folder)):
        for name in sorted(names):
            path = os.path.join(directory, name)
            if os.path.isfile(path) and not os.path.islink(path):
                yield path


def bytes_below(folder):
    return sum(os.path.getsize(path) for path in files_below(folder))


class Zstd:
    """The bytes of zstd -LEVEL of a file, each file asked once."""

    def __init__(self):
        self.known = {}

    def size(self, path, level):
        key = (path, level)
        if key not in self.known:
            self.known[key] = len(run("zstd", f"-{level}", "-q", "-c", path))
        return self.known[key]


def borg_bytes(folder, scratch):
    repository = os.path.join(scratch, "borg")
    environment = dict(os.environ, BORG_BASE_DIR=scratch, BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK="yes")
    run("borg", "init", "--encryption=none", repository, env=environment)
    run("borg", "create", "-C", "zstd,19", f"{repository}::all", ".", cwd=folder, env=environment)
    return bytes_below(repository)


def restic_bytes(folder, scratch):
    repository = os.path.join(scratch, "restic")
    environment = dict(os.environ, RESTIC_PASSWORD="bench", RESTIC_REPOSITORY=repository,
                       RESTIC_CACHE_DIR=os.path.join(scratch, "restic-cache"))
    run("restic", "init", "--repository-version", "2", env=environment)
    run("restic", "backup", "--compression", "max", ".", cwd=folder, env=environment)
    return bytes_below(repository)


def casync_bytes(folder, scratch):
    store = os.path.join(scratch, "casync")
    run("casync", "make", f"--store={store}", os.path.join(scratch, "all.caidx"), folder)
    return bytes_below(store)


class Mount:
    def __init__(self, weightfs, scratch):
        self.weightfs = weightfs
        self.store = os.path.join(scratch, "store")
        self.point = os.path.join(scratch, "mount")

    def __enter__(self):
        os.mkdir(self.point)
        run(self.weightfs, "mount", self.store, self.point)
        return self

    def __exit__(self, *_):
        run(self.weightfs, "umount", self.point)

    def take(self, folder):
        shutil.copytree(folder, os.path.join(self.point, "all"))
        run(self.weightfs, "sync", self.point)
        return json.loads(run(self.weightfs, "report", self.point, "--json"))["stored_bytes"]


def weightfs_bytes(weightfs, folder, scratch):
    with Mount(weightfs, scratch) as mount:
        return mount.take(folder)


def row(name, folder, options, zstd):
    paths = list(files_below(folder))
    once = {}
    for path in paths:
        with open(path, "rb") as file:
            once[hashlib.file_digest(file, "sha256").digest()] = os.path.getsize(path)
    with tempfile.TemporaryDirectory(dir=options.directory) as scratch:
        return {"family": name, "files": len(paths), "bytes": bytes_below(folder),
                "files once": sum(once.values()),
                "zstd -3": sum(zstd.size(path, 3) for path in paths),
                "zstd -19": sum(zstd.size(path, 19) for path in paths),
                "borg": borg_bytes(folder, scratch), "restic": restic_bytes(folder, scratch),
                "casync": casync_bytes(folder, scratch),
                "weightfs": weightfs_bytes(options.weightfs, folder, scratch)}


def file_rows(folder, options, zstd):
    with tempfile.TemporaryDirectory(dir=options.directory) as scratch, \
            Mount(options.weightfs, scratch) as mount:
        mount.take(folder)
        for path in files_below(folder):
            name = os.path.relpath(path, folder)
            stored = os.stat(os.path.join(mount.point, "all", name)).st_blocks * 512
            yield {"file": name, "bytes": os.path.getsize(path), "zstd -3": zstd.size(path, 3),
                   "zstd -19": zstd.size(path, 19), "weightfs": stored}


def print_row(first, values, columns):
    cells = [f"{values[column]:,}" for column in columns]
    print(f"| {first} | " + " | ".join(cells) + " |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("weightfs")
    parser.add_argument("corpus")
    parser.add_argument("--directory", default="/var/tmp", help="where the stores are made")
    parser.add_argument("--files", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    options.corpus = os.path.realpath(options.corpus)
    zstd = Zstd()
    families = sorted(name for name in os.listdir(options.corpus)
                      if os.path.isdir(os.path.join(options.corpus, name)))
    rows = []
    if not options.json:
        print("| family | " + " | ".join(COLUMNS) + " |")
        print("| --- |" + " ---: |" * len(COLUMNS))
    for name in [*families, "."]:
        rows.append(row("all" if name == "." else name, os.path.join(options.corpus, name), options, zstd))
        if not options.json:
            print_row(rows[-1]["family"], rows[-1], COLUMNS)
    files = list(file_rows(options.corpus, options, zstd)) if options.files else []
    if options.json:
        print(json.dumps({"families": rows, "files": files}))
    elif files:
        columns = ["bytes", "zstd -3", "zstd -19", "weightfs"]
        print("\n| file | " + " | ".join(columns) + " |\n| --- |" + " ---: |" * len(columns))
        for values in files:
            print_row(values["file"], values, columns)


if __name__ == "__main__":
    sys.exit(main())
