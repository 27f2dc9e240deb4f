"""One adapter a framework and container: how it makes, trains, saves and loads a small model.

test_conformance.py runs one suite over all of them. An adapter's module is imported only when the packages that it
names can be imported; otherwise its tests are skipped, with the package's name.
"""
import importlib

# Adapter -> (module, class, the packages that it needs).
ADAPTERS = {
    "torch-zip": ("torch_files", "TorchZip", ["torch"]),
    "torch-legacy": ("torch_files", "TorchLegacy", ["torch"]),
    "torch-distributed-checkpoint": ("torch_files", "TorchDistributedCheckpoint", ["torch"]),
    "safetensors": ("torch_files", "Safetensors", ["torch", "safetensors"]),
    "transformers": ("transformers_model", "Transformers", ["torch", "transformers"]),
    "tensorflow-checkpoint": ("tensorflow_files", "TensorflowCheckpoint", ["tensorflow"]),
    "tensorflow-saved-model": ("tensorflow_files", "SavedModel", ["tensorflow"]),
    "keras": ("keras_files", "KerasZip", ["tensorflow", "keras"]),
    "keras-h5": ("keras_files", "KerasHdf5", ["tensorflow", "keras"]),
    "keras-weights-h5": ("keras_files", "KerasWeights", ["tensorflow", "keras"]),
    "flax-msgpack": ("jax_files", "FlaxMsgpack", ["jax", "flax", "optax"]),
    "orbax": ("jax_files", "Orbax", ["jax", "optax", "orbax.checkpoint"]),
    "onnx": ("onnx_files", "OnnxInline", ["onnx", "onnxruntime"]),
    "onnx-external": ("onnx_files", "OnnxExternal", ["onnx", "onnxruntime"]),
    "sklearn-joblib": ("sklearn_files", "SklearnJoblib", ["sklearn", "joblib"]),
    "h5py": ("array_files", "Hdf5", ["h5py"]),
    "numpy-npz": ("array_files", "Npz", ["numpy"]),
    "numpy-npy": ("array_files", "Npy", ["numpy"]),
    "gguf": ("array_files", "Gguf", ["gguf"]),
}


def make_adapter(name):
    """The adapter; raises ImportError where one of its packages is missing."""
    module, class_name, packages = ADAPTERS[name]
    for package in packages:
        importlib.import_module(package)
    return getattr(importlib.import_module(f"adapters.{module}"), class_name)()


class Adapter:
    """What each adapter is. Directories are there; a state is the framework's own object.

    make(seed) -> state         random weights of a few megabytes, the same for the same seed
    train(state) -> state       one step, the same wherever it runs
    save(state, directory)      over what was saved there before
    load(directory) -> state    with nothing left open or mapped once the state is gone
    values(state) -> {name: numpy array}   copies
    """

    # Whether two saves of one state write the same bytes into the file of this name.
    def is_exact(self, name):
        return True
