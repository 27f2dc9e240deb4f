"""One model's weights in every container, in one store: only the first takes space.

What is not asked for here is what a container compresses itself (npz and HDF5 with deflate, Orbax by default) or holds
in another order (Keras's own convolutions are HWIO where PyTorch's are OIHW): the same values, but not the same bytes.
"""
import json
import os
import pathlib
import pickle

import numpy as np
import pytest

from compare import files_of
from mounted import weightfs

MOST_OF_FIRST = 0.02
CORPUS = pathlib.Path(os.environ.get("WEIGHTFS_CORPUS", pathlib.Path(__file__).parents[3] / "shared" / "corpus"))
TRAINED = CORPUS / "trained" / "cnn2m_sgd_step300.pt"


def arrays_in(value, prefix=""):
    """The tensors of nested dictionaries by name."""
    found = {}
    for name, item in value.items():
        if isinstance(item, dict):
            found |= arrays_in(item, f"{prefix}{name}.")
        elif hasattr(item, "numpy") and item.ndim > 0:
            found[f"{prefix}{name}"] = np.ascontiguousarray(item.numpy())
    return found


def generated_weights():
    random = np.random.default_rng(1)
    shapes = [(256, 3, 7, 7), (512, 256, 3, 3), (512, 512, 1, 1), (2048, 512), (512,), (1000, 512)]
    return {f"layer{i}.weight": random.normal(0, 0.02, shape).astype(np.float32) for i, shape in enumerate(shapes)}


@pytest.fixture(scope="module", params=["trained", "generated"])
def weights(request):
    """fp32 weights: of the corpus, trained; and made here, so that the test has some where there is no corpus."""
    if request.param == "generated":
        return generated_weights()
    if not TRAINED.exists():
        pytest.skip(f"{TRAINED} is not there")
    torch = pytest.importorskip("torch", reason="torch is not installed")
    arrays = arrays_in(torch.load(TRAINED, weights_only=True))
    return {name: value for name, value in arrays.items() if value.dtype == np.float32}


def save_safetensors(weights, directory):
    from safetensors.numpy import save_file
    save_file(weights, directory / "model.safetensors")


def state_dict(weights):
    import torch
    return {name: torch.from_numpy(value) for name, value in weights.items()}


def save_torch_zip(weights, directory):
    import torch
    torch.save(state_dict(weights), directory / "model.pt")


def save_torch_legacy(weights, directory):
    import torch
    torch.save(state_dict(weights), directory / "legacy.pt", _use_new_zipfile_serialization=False)


def save_torchscript(weights, directory):
    import torch

    class Holder(torch.nn.Module):
        def forward(self, x):
            return x

    module = Holder()
    for name, tensor in state_dict(weights).items():
        module.register_buffer(name.replace(".", "_"), tensor)
    torch.jit.script(module).save(str(directory / "model.ts"))


def save_distributed_checkpoint(weights, directory):
    import torch.distributed.checkpoint as checkpoint
    checkpoint.save(state_dict(weights), checkpoint_id=directory / "distributed", no_dist=True)


def save_npz(weights, directory):
    np.savez(directory / "model.npz", **weights)


def save_npy(weights, directory):
    for name, value in weights.items():
        np.save(directory / f"{name}.npy", value)


def save_pickle(weights, directory):
    with open(directory / "model.pkl", "wb") as file:
        pickle.dump(weights, file, protocol=4)


def save_joblib(weights, directory):
    import joblib
    joblib.dump(weights, directory / "model.joblib")


def save_hdf5(weights, directory):
    import h5py
    with h5py.File(directory / "model.h5", "w") as file:
        for name, value in weights.items():
            file[name.replace(".", "/")] = value


def keras_model(weights):
    import keras

    class Holder(keras.layers.Layer):
        def build(self, shape):
            self.values = [self.add_weight(shape=value.shape, name=name.replace(".", "_"))
                           for name, value in weights.items()]

        def call(self, x):
            return x

    model = keras.Sequential([keras.Input((4,)), Holder(name="holder")])
    model.set_weights(list(weights.values()))
    return model


def save_keras(weights, directory):
    keras_model(weights).save(directory / "model.keras")


def save_keras_weights(weights, directory):
    keras_model(weights).save_weights(directory / "model.weights.h5")


def save_onnx(weights, directory):
    import onnx
    onnx.save(onnx_model(weights), directory / "model.onnx")


def save_onnx_external(weights, directory):
    import onnx
    onnx.save(onnx_model(weights), directory / "external.onnx", save_as_external_data=True,
              all_tensors_to_one_file=True, location="external.onnx.data", size_threshold=1024)


def onnx_model(weights):
    import onnx
    value = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["n"])
    tensors = [onnx.numpy_helper.from_array(array, name) for name, array in weights.items()]
    return onnx.helper.make_model(onnx.helper.make_graph([], "weights", [value], [value], tensors))


def save_gguf(weights, directory):
    import gguf
    writer = gguf.GGUFWriter(directory / "model.gguf", "llama")
    for name, value in weights.items():
        writer.add_tensor(name, value)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def tensorflow_module(weights):
    import tensorflow as tf
    module = tf.Module()
    for name, value in weights.items():
        setattr(module, name.replace(".", "_"), tf.Variable(value))
    return module


def save_tensorflow_checkpoint(weights, directory):
    import tensorflow as tf
    tf.train.Checkpoint(model=tensorflow_module(weights)).write(str(directory / "ckpt"))


def save_saved_model(weights, directory):
    import tensorflow as tf
    tf.saved_model.save(tensorflow_module(weights), str(directory / "saved_model"))


def save_flax(weights, directory):
    import flax.serialization
    (directory / "flax_model.msgpack").write_bytes(flax.serialization.msgpack_serialize(weights))


# In this order; with the package that each needs.
CONTAINERS = {
    "safetensors": (save_safetensors, "safetensors"),
    "PyTorch": (save_torch_zip, "torch"),
    "PyTorch before 1.6": (save_torch_legacy, "torch"),
    "TorchScript": (save_torchscript, "torch"),
    "PyTorch distributed checkpoint": (save_distributed_checkpoint, "torch"),
    "npz": (save_npz, "numpy"),
    "npy": (save_npy, "numpy"),
    "pickle": (save_pickle, "numpy"),
    "joblib": (save_joblib, "joblib"),
    "HDF5": (save_hdf5, "h5py"),
    "Keras": (save_keras, "keras"),
    "Keras weights": (save_keras_weights, "keras"),
    "ONNX": (save_onnx, "onnx"),
    "ONNX with external data": (save_onnx_external, "onnx"),
    "GGUF": (save_gguf, "gguf"),
    "TensorFlow checkpoint": (save_tensorflow_checkpoint, "tensorflow"),
    "SavedModel": (save_saved_model, "tensorflow"),
    "Flax": (save_flax, "flax"),
}


def shown_shapes(directory):
    """The shapes of all fp32 tensors that `weightfs inspect` shows with their bytes in the files of a directory."""
    shapes = []
    for path in files_of(directory).values():
        tensors = json.loads(weightfs("inspect", path, "--json"))["tensors"]
        shapes += [tuple(tensor["shape"]) for tensor in tensors if tensor["dtype"] == "F32" and tensor["bytes"] > 0]
    return sorted(shapes)


def test_the_same_weights_take_their_space_once(weights, fresh_mount):
    for _, package in CONTAINERS.values():
        pytest.importorskip(package, reason=f"{package} is not installed")
    raw_bytes = sum(value.nbytes for value in weights.values())
    costs = {}
    shown = {}
    before = fresh_mount.stored_bytes()
    for container, (save, _) in CONTAINERS.items():
        directory = fresh_mount.root / container
        directory.mkdir()
        save(weights, directory)
        after = fresh_mount.stored_bytes()
        costs[container] = after - before
        shown[container] = shown_shapes(directory)
        before = after
    expected = sorted(value.shape for value in weights.values())
    assert {container: shapes for container, shapes in shown.items() if shapes != expected} == {}
    first = costs.pop("safetensors")
    table = "\n".join(f"{container}: {cost} bytes, {cost / first:.2%}" for container, cost in costs.items())
    print(f"safetensors: {first} of {raw_bytes} bytes\n{table}")
    assert first > raw_bytes / 3
    assert all(cost < MOST_OF_FIRST * first for cost in costs.values()), table
