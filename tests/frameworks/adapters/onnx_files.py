"""ONNX with its weights inside and beside, run by ONNX Runtime from its path."""
import numpy as np
import onnx
import onnx.helper
import onnx.numpy_helper
import onnxruntime

from adapters import Adapter
from compare import plain


def make_model(weights):
    tensors = [onnx.numpy_helper.from_array(value, name) for name, value in weights.items()]
    nodes = [onnx.helper.make_node("MatMul", ["x", "first"], ["hidden"]),
             onnx.helper.make_node("Relu", ["hidden"], ["active"]),
             onnx.helper.make_node("MatMul", ["active", "second"], ["y"])]
    value = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(nodes, "network", [value("x", onnx.TensorProto.FLOAT, ["n", 512])],
                                   [value("y", onnx.TensorProto.FLOAT, ["n", 256])], tensors)
    return onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)


def run(model):
    """The answer of ONNX Runtime, for a path or for the bytes of a model."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return session.run(None, {"x": np.linspace(-1, 1, 1024, dtype=np.float32).reshape(2, 512)})[0]


class OnnxAdapter(Adapter):
    def make(self, seed):
        random = np.random.default_rng(seed)
        return {"first": random.standard_normal((512, 768), dtype=np.float32),
                "second": random.standard_normal((768, 256), dtype=np.float32)}

    def train(self, weights):
        return {name: value - np.float32(1e-3) * np.sin(value) for name, value in weights.items()}

    def values(self, weights):
        return {name: plain(value) for name, value in weights.items()}

    def load(self, directory):
        path = str(directory / "model.onnx")
        onnx.checker.check_model(path)
        weights = {tensor.name: plain(onnx.numpy_helper.to_array(tensor))
                   for tensor in onnx.load(path).graph.initializer}
        expected = run(make_model(weights).SerializeToString())
        np.testing.assert_array_equal(run(path), expected)
        return weights


class OnnxInline(OnnxAdapter):
    def save(self, weights, directory):
        onnx.save(make_model(weights), directory / "model.onnx")


class OnnxExternal(OnnxAdapter):
    def save(self, weights, directory):
        data = directory / "model.onnx.data"
        data.unlink(missing_ok=True)  # onnx appends to what is there
        onnx.save(make_model(weights), directory / "model.onnx", save_as_external_data=True,
                  all_tensors_to_one_file=True, location=data.name, size_threshold=1024)
