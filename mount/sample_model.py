#!/usr/bin/env python3
"""Writes a small model and a fine-tune of it, as safetensors: sample_model.py DIRECTORY.

The weights are Gaussian, with a scale for each row, as trained ones are; the fine-tune moves one layer in four.
"""
import array
import json
import pathlib
import random
import struct
import sys

LAYERS, ROWS, COLUMNS = 8, 256, 512


def layer(generator):
    """One row-major matrix of float32."""
    values = array.array("f")
    for _ in range(ROWS):
        scale = 0.02 * 2 ** generator.uniform(-1, 1)
        values.extend(generator.gauss(0, scale) for _ in range(COLUMNS))
    return values


def write_safetensors(path, layers):
    """https://github.com/huggingface/safetensors: header length, JSON header, tensors."""
    size = ROWS * COLUMNS * 4
    header = {
        f"layers.{i}.weight": {
            "dtype": "F32",
            "shape": [ROWS, COLUMNS],
            "data_offsets": [i * size, (i + 1) * size],
        }
        for i in range(len(layers))
    }
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for values in layers:
            file.write(values.tobytes())


def main():
    directory = pathlib.Path(sys.argv[1])
    directory.mkdir(parents=True, exist_ok=True)
    generator = random.Random(1)
    layers = [layer(generator) for _ in range(LAYERS)]
    write_safetensors(directory / "base.safetensors", layers)
    for i in range(0, LAYERS, 4):
        layers[i] = array.array("f", (x + generator.gauss(0, 1e-4) for x in layers[i]))
    write_safetensors(directory / "fine-tune.safetensors", layers)


if __name__ == "__main__":
    main()
