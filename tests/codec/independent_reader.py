#!/usr/bin/env python3
"""independent_reader.py <folder>: reads its *.blob files by docs/codecs.md alone.

Written from the page, not from the C++ code, and slow: it shows that the page suffices. Fails unless
the blocks have the CRC-32 that <folder>/crc32.txt says, which golden_test.cpp checks for its own.
"""
import pathlib
import struct
import sys
import zlib

ELEMENT_BYTES = {16: 2, 17: 2, 18: 4, 19: 8, 20: 1, 21: 1, 22: 2, 23: 4}

# For each plane, the element's bits that fill its bits 7..0 (None where it has none).
BITS = {
    16: [[14, 13, 12, 11, 10, 9, 8, 7], [15, 6, 5, 4, 3, 2, 1, 0]],
    17: [[None, 14, 13, 12, 11, 10, 9, 8], [None] * 7 + [15], [7, 6, 5, 4, 3, 2, 1, 0]],
    18: [[30, 29, 28, 27, 26, 25, 24, 23], [31, 22, 21, 20, 19, 18, 17, 16]],
    19: [[59, 58, 57, 56, 55, 54, 53, 52], [63, 62, 61, 60, 51, 50, 49, 48]],
    20: [[None] * 3 + [6, 5, 4, 3, 2], [None] * 5 + [7, 1, 0]],
    21: [[None, 6, 5, 4, 3, 2, 1, 0], [None] * 7 + [7]],
    22: [[13, 12, 11, 10, 9, 8, 7, 6], [15, 14, 5, 4, 3, 2, 1, 0]],
    23: [[29, 28, 27, 26, 25, 24, 23, 22], [31, 30, 21, 20, 19, 18, 17, 16]],
}
for tag, top in ((18, 15), (23, 15), (19, 47)):
    BITS[tag] += [list(range(high, high - 8, -1)) for high in range(top, 0, -8)]


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def bytes(self, count):
        assert self.at + count <= len(self.data), "cut short"
        self.at += count
        return self.data[self.at - count : self.at]

    def u8(self):
        return self.bytes(1)[0]

    def varint(self):
        value = shift = 0
        while True:
            byte = self.u8()
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value


def read_bits(r, n):
    mask, fixed = r.u8(), r.u8()
    assert mask & fixed == 0
    places = [bit for bit in range(8) if mask >> bit & 1]
    if len(places) == 8:
        return r.bytes(n)
    plane = bytearray()
    for _ in range((n + 7) // 8):
        word = int.from_bytes(r.bytes(len(places)), "little")
        for _ in range(8):
            plane.append(fixed | sum((word >> i & 1) << bit for i, bit in enumerate(places)))
            word >>= len(places)
    return bytes(plane[:n])


def read_table(r):
    """(symbol, frequency, place) of each slot; the escape's symbol is None."""
    escape = r.u8()
    slots, symbol = [], 0
    while len(slots) + escape < 128:
        byte = r.u8()
        assert byte != 0
        if byte > 127:
            symbol += byte - 127
            continue
        slots += [(symbol, byte, place) for place in range(byte)]
        symbol += 1
    slots += [(None, escape, place) for place in range(escape)]
    assert len(slots) == 128
    return slots


def read_escapes(r):
    count = r.varint()
    if count == 0:
        return []
    ranked = r.bytes(r.u8())
    half = []

    def nibble():
        if not half:
            byte = r.u8()
            half.extend([byte & 15, byte >> 4])
        return half.pop(0)

    escapes = []
    for _ in range(count):
        rank = nibble()
        escapes.append(nibble() | nibble() << 4 if rank == 15 else ranked[rank])
    return escapes


def read_rans(r, n):
    header = r.u8()
    tables = [read_table(r) for _ in range((header & 7) + 1)]
    assert (header >> 3 & 1) == (len(tables) > 1)
    lanes = (8, 64, 128)[header >> 4]
    count = (n + 63) // 64 * 64
    groups = [0] * ((count + 127) // 128)
    if len(tables) > 1:
        packed = int.from_bytes(r.bytes((3 * len(groups) + 7) // 8), "little")
        groups = [packed >> 3 * i & 7 for i in range(len(groups))]
    size = r.varint()
    states = list(struct.unpack(f"<{lanes}H", r.bytes(2 * lanes)))
    coded = Reader(r.bytes(size))
    escapes = iter(read_escapes(r))
    plane = bytearray()
    for i in range(count):
        x = states[i % lanes]
        symbol, frequency, place = tables[groups[i // 128]][x % 128]
        x = frequency * (x // 128) + place
        states[i % lanes] = x if x >= 256 else 256 * x + coded.u8()
        plane.append(next(escapes) if symbol is None else symbol)
    assert set(states) == {256} and coded.at == size and next(escapes, None) is None
    return bytes(plane[:n])


def read_cascade(r, n):
    symbols = r.bytes(9)
    levels, count = [], n
    for level in range(3):
        codes = []
        for _ in range((count + 63) // 64):
            low, high = struct.unpack("<QQ", r.bytes(16))
            codes += [(low >> j & 1) | (high >> j & 1) << 1 for j in range(64)]
        levels.append(codes[:count])
        count = r.varint()
    deeper = r.bytes(count)
    for level in (2, 1, 0):
        following = iter(deeper)
        deeper = [
            symbols[3 * level + code] if code < 3 else next(following) for code in levels[level]
        ]
        assert next(following, None) is None
    return bytes(deeper)


def read_plane(r, n):
    return (read_bits, read_rans, read_cascade)[r.u8()](r, n)


def read_floats(r, tag, size):
    width = ELEMENT_BYTES[tag]
    count = size // (64 * width) * 64
    planes = [read_plane(r, count) for _ in BITS[tag]] if count else []
    block = bytearray()
    for i in range(count):
        place = i // 64 * 64 + width * (i % 64 % (64 // width)) + i % 64 // (64 // width)
        element = 0
        for plane, bits in zip(planes, BITS[tag]):
            for bit, source in enumerate(reversed(bits)):
                if source is not None:
                    element |= (plane[place] >> bit & 1) << source
        block += element.to_bytes(width, "little")
    return bytes(block) + r.bytes(size - len(block))


def read_zero_mask(r, size):
    tag = 16 + r.u8()
    width = ELEMENT_BYTES[tag]
    count = size // width
    mask = read_plane(r, (count + 7) // 8)
    kept = [mask[i // 8] >> i % 8 & 1 for i in range(count)]
    floats = Reader(read_floats(r, tag, sum(kept) * width))
    block = b"".join(floats.bytes(width) if is_kept else bytes(width) for is_kept in kept)
    return block + r.bytes(size - len(block))


def read_blob(data):
    tag, size = struct.unpack_from("<BI", data)
    r = Reader(data[5:])
    block = read_zero_mask(r, size) if tag == 24 else read_floats(r, tag, size)
    assert len(block) == size and r.at == len(r.data)
    return block


def main(folder):
    expected = {}
    for line in (folder / "crc32.txt").read_text().splitlines():
        crc, name = line.split()
        expected[name] = int(crc, 16)
    found = {path.name: zlib.crc32(read_blob(path.read_bytes())) for path in folder.glob("*.blob")}
    wrong = sorted(name for name in found.keys() | expected.keys() if found.get(name) != expected.get(name))
    print(f"{len(found)} blobs read, wrong: {wrong or 'none'}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1])))
