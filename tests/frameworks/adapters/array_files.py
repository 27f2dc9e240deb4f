"""Files of arrays, of NumPy and of others. Each imports its own package: one that is missing leaves the others."""
import numpy as np

from adapters import Adapter
from compare import plain


class ArrayAdapter(Adapter):
    def make(self, seed):
        random = np.random.default_rng(seed)
        return {"embedding": random.standard_normal((1000, 256), dtype=np.float32),
                "projection": random.standard_normal((256, 768)).astype(np.float16),
                "bias": random.standard_normal(768, dtype=np.float32)}

    def train(self, arrays):
        return {name: (value * 0.999).astype(value.dtype) for name, value in arrays.items()}

    def values(self, arrays):
        return {name: plain(value) for name, value in arrays.items()}


class Hdf5(ArrayAdapter):
    def save(self, arrays, directory):
        import h5py
        with h5py.File(directory / "arrays.h5", "w") as file:
            file["embedding"] = arrays["embedding"]
            file.create_dataset("projection", data=arrays["projection"], chunks=(64, 256), compression="gzip")
            file.create_dataset("bias", data=arrays["bias"], chunks=(256,), maxshape=(None,))

    def load(self, directory):
        import h5py
        with h5py.File(directory / "arrays.h5", "r") as file:
            return {name: file[name][...] for name in file}


class Npz(ArrayAdapter):
    def save(self, arrays, directory):
        np.savez(directory / "arrays.npz", **arrays)
        np.savez_compressed(directory / "compressed.npz", **arrays)

    def load(self, directory):
        with np.load(directory / "arrays.npz") as stored, np.load(directory / "compressed.npz") as compressed:
            for name in stored:
                np.testing.assert_array_equal(stored[name], compressed[name])
            return {name: stored[name] for name in stored}


class Npy(ArrayAdapter):
    def save(self, arrays, directory):
        for name, value in arrays.items():
            np.save(directory / f"{name}.npy", value)

    def load(self, directory):
        arrays = {}
        for path in directory.glob("*.npy"):
            arrays[path.stem] = plain(np.load(path, mmap_mode="r"))
        return arrays


class Gguf(ArrayAdapter):
    def save(self, arrays, directory):
        import gguf
        writer = gguf.GGUFWriter(directory / "model.gguf", "llama")
        writer.add_block_count(1)
        for name, value in arrays.items():
            writer.add_tensor(name, value)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()

    def load(self, directory):
        import gguf
        reader = gguf.GGUFReader(directory / "model.gguf")
        return {tensor.name: plain(tensor.data) for tensor in reader.tensors}
