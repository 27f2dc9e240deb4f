#!/usr/bin/env python3
"""Measures a mount beside the directory that holds its store, alternating, medians.

    mount_bench.py WEIGHTFS GENERATE_MODEL [--directory DIR] [--mib 2048] [--rounds 5] [--only PART...]
        [--fine-tunes 10] [--json]

Prints one row for each piece of work: seconds on the plain directory, seconds on the mount, and the
ratio plain / mount, where 1.0 is as fast as the plain file system and more is faster. "cold" drops the
page cache first (root only).
"""
import argparse
import json
import mmap
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

CHUNK = 1 << 20


def drop_caches():
    os.sync()
    with open("/proc/sys/vm/drop_caches", "w") as control:
        control.write("3")


def timed(work):
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def read_through(path):
    buffer = bytearray(CHUNK)
    with open(path, "rb", buffering=0) as file:
        while file.readinto(buffer):
            pass


def touch_tensors(path, in_order):
    """Reads every tensor (16 MiB pieces) through a mapping, in order or not."""
    piece = 16 << 20
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as mapped:
        starts = list(range(0, len(mapped), piece))
        if not in_order:
            random.Random(1).shuffle(starts)
        for start in starts:
            mapped[start:start + piece]


def read_at_random(path, count):
    positions = random.Random(2)
    size = os.path.getsize(path)
    with open(path, "rb", buffering=0) as file:
        for _ in range(count):
            os.pread(file.fileno(), 4096, positions.randrange(0, size - 4096) // 4096 * 4096)


def copy(source, target):
    if os.path.exists(target):
        os.unlink(target)
    subprocess.run(["cp", source, target], check=True)


class Bench:
    def __init__(self, options):
        self.options = options
        self.root = tempfile.mkdtemp(prefix="weightfs-bench-", dir=options.directory)
        self.store = os.path.join(self.root, "store")
        self.mount = os.path.join(self.root, "mnt")
        self.plain = os.path.join(self.root, "plain")
        for path in (self.mount, self.plain):
            os.mkdir(path)
        self.rows = []
        self.shares = []
        self.is_root = os.geteuid() == 0

    def weightfs(self, *arguments):
        subprocess.run([self.options.weightfs, *arguments], check=True, stdout=subprocess.DEVNULL)

    def row(self, name, target, plain, mounted, prepare=None):
        """`plain` and `mounted` do the same work and take the round's number."""
        plain_times, mount_times = [], []
        for turn in range(self.options.rounds):
            for work, times in ((plain, plain_times), (mounted, mount_times)):
                if prepare:
                    prepare()
                times.append(timed(lambda: work(turn)))
        self.add_row(name, target, plain_times, mount_times)

    def add_row(self, name, target, plain_times, mount_times):
        here, there = statistics.median(plain_times), statistics.median(mount_times)
        self.rows.append({"work": name, "at_least": target, "plain_s": here, "mount_s": there,
                          "ratio": here / there})
        if not self.options.json:
            mark = "" if here / there >= target else "  <"
            print(f"{name:44} {here:9.3f} {there:9.3f} {here / there:7.2f} {target:7.2f}{mark}",
                  flush=True)

    def daemon_memory(self):
        pid = int(open(os.path.join(self.store, "lock")).read())
        status = open(f"/proc/{pid}/status").read().splitlines()
        values = dict(line.split(":", 1) for line in status)
        return {key: int(values[key].split()[0]) // 1024 for key in ("VmHWM", "VmRSS", "RssAnon")}

    def generate(self, name, seed, *delta):
        path = os.path.join(self.plain, name)
        subprocess.run([self.options.generate, path, str(self.options.mib), str(seed),
                        *map(str, delta)], check=True)
        return path

    def reading(self, source):
        sealed = os.path.join(self.mount, "model.safetensors")
        shutil.copyfile(source, sealed)
        self.weightfs("sync", self.mount)
        both = (lambda turn: read_through(source), lambda turn: read_through(sealed))
        read_through(source)
        read_through(sealed)
        self.row("cat, warm", 0.9, *both)
        if not self.is_root:
            return
        self.row("cat, cold", 0.8, *both, prepare=drop_caches)
        for in_order, name in ((True, "mmap in tensor order, cold"), (False, "mmap in random order, cold")):
            self.row(name, 0.7, lambda turn: touch_tensors(source, in_order),
                     lambda turn: touch_tensors(sealed, in_order), prepare=drop_caches)
        self.row("4 KiB random reads, cold (2,000)", 0.3, lambda turn: read_at_random(source, 2000),
                 lambda turn: read_at_random(sealed, 2000), prepare=drop_caches)
        read_through(source)
        read_through(sealed)
        self.row("4 KiB random reads, warm (20,000)", 0.9, lambda turn: read_at_random(source, 20000),
                 lambda turn: read_at_random(sealed, 20000))
        os.unlink(sealed)
        self.weightfs("gc", self.mount)

    def writing(self, source):
        plain_copy = os.path.join(self.plain, "copy")
        mount_copy = os.path.join(self.mount, "copy")

        def settle():
            for path in (plain_copy, mount_copy):
                if os.path.exists(path):
                    os.unlink(path)
            self.weightfs("sync", self.mount)
            self.weightfs("gc", self.mount)
            os.sync()
            read_through(source)

        def copy_and_sync_plain(turn):
            copy(source, plain_copy)
            os.sync()

        def copy_and_sync_mount(turn):
            copy(source, mount_copy)
            self.weightfs("sync", self.mount)

        self.row("cp in, until it returns", 0.5, lambda turn: copy(source, plain_copy),
                 lambda turn: copy(source, mount_copy), prepare=settle)
        self.row("cp in of new content, until synced", 0.7, copy_and_sync_plain, copy_and_sync_mount,
                 prepare=settle)
        settle()
        kept = os.path.join(self.mount, "kept")
        shutil.copyfile(source, kept)
        self.weightfs("sync", self.mount)
        self.row("cp in of known content, until synced", 1.0, copy_and_sync_plain,
                 copy_and_sync_mount, prepare=lambda: read_through(source))
        settle()
        os.unlink(kept)

    def family(self, base):
        """Fine-tunes of a stored base: what they take, coming in and cold reading."""
        shutil.copyfile(base, os.path.join(self.mount, "base"))
        self.weightfs("sync", self.mount)
        plain_times, mount_times = [], []
        for i in range(self.options.fine_tunes):
            tuned = self.generate("tuned", 1, 0.005, 100 + i)
            stored = os.path.join(self.mount, f"tuned{i}")
            copied = os.path.join(self.plain, "copy")
            read_through(tuned)
            os.sync()
            plain_times.append(timed(lambda: (copy(tuned, copied), os.sync())))
            os.unlink(copied)
            mount_times.append(timed(lambda: (copy(tuned, stored),
                                              self.weightfs("sync", self.mount))))
            self.shares.append(os.stat(stored).st_blocks * 512 / os.path.getsize(stored))
        self.add_row("cp in of a fine-tune, until synced", 0.7, plain_times, mount_times)
        if self.is_root:
            self.row("cat of a fine-tune, cold", 0.7, lambda turn: read_through(tuned),
                     lambda turn: read_through(stored), prepare=drop_caches)
        if not self.options.json:
            print("fine-tunes, stored / size:", " ".join(f"{share:.3f}" for share in self.shares))

    def names(self, count):
        def directory(base, turn):
            return os.path.join(base, f"many{turn}")

        def create(base, turn):
            path = directory(base, turn)
            os.mkdir(path)
            for i in range(count):
                os.close(os.open(os.path.join(path, f"file{i}"), os.O_CREAT | os.O_WRONLY, 0o644))

        def rename(base, turn):
            path = directory(base, turn)
            for i in range(count):
                os.rename(os.path.join(path, f"file{i}"), os.path.join(path, f"renamed{i}"))

        def stat_all(base, turn):
            path = directory(base, turn)
            for i in range(count):
                os.stat(os.path.join(path, f"renamed{i}"))

        def unlink(base, turn):
            path = directory(base, turn)
            for i in range(count):
                os.unlink(os.path.join(path, f"renamed{i}"))

        def long_list(base, turn):
            subprocess.run(["ls", "-l", directory(base, turn)], check=True,
                           stdout=subprocess.DEVNULL)

        def list_names(base, turn):
            os.listdir(directory(base, turn))

        def both(work):
            return lambda turn: work(self.plain, turn), lambda turn: work(self.mount, turn)

        self.row(f"create {count:,} files", 0.25, *both(create))
        self.row(f"rename {count:,} files", 0.25, *both(rename))
        if self.is_root:
            self.row(f"stat {count:,} files, cold", 0.25, *both(stat_all), prepare=drop_caches)
        for turn in range(self.options.rounds):
            stat_all(self.plain, turn)
            stat_all(self.mount, turn)
        self.row(f"stat {count:,} files, warm", 0.5, *both(stat_all))
        self.row(f"ls -l of {count:,} files", 0.5, *both(long_list))
        self.row(f"readdir of {count:,} files", 1.0, *both(list_names))
        self.row(f"unlink {count:,} files", 0.2, *both(unlink))

    def run(self):
        if not self.options.json:
            print(f"{'work':44} {'plain s':>9} {'mount s':>9} {'ratio':>7} {'at least':>7}")
        self.weightfs("mount", self.store, self.mount)
        try:
            if "names" in self.options.only:
                self.names(10000)
            source = self.generate("source", 1) if self.options.only != ["names"] else None
            if "writing" in self.options.only:
                self.writing(source)
            if "reading" in self.options.only:
                self.reading(source)
            if "family" in self.options.only:
                self.family(source)
            memory = self.daemon_memory()
        finally:
            self.weightfs("umount", self.mount)
            shutil.rmtree(self.root)
        if self.options.json:
            print(json.dumps({"rows": self.rows, "fine_tune_shares": self.shares,
                              "daemon_mib": memory}))
        else:
            print("daemon memory (MiB):", memory)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("weightfs")
    parser.add_argument("generate")
    parser.add_argument("--directory", default="/var/tmp")
    parser.add_argument("--mib", type=int, default=2048)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", nargs="+", default=["names", "writing", "reading"],
                        choices=["names", "writing", "reading", "family"])
    parser.add_argument("--fine-tunes", type=int, default=10)
    parser.add_argument("--json", action="store_true")
    Bench(parser.parse_args()).run()


if __name__ == "__main__":
    sys.exit(main())
