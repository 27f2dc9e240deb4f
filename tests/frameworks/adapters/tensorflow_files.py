"""TensorFlow's checkpoints and SavedModels."""
import numpy as np
import tensorflow as tf

from adapters import Adapter
from compare import plain


class Network(tf.Module):
    def __init__(self, seed):
        super().__init__()
        random = np.random.default_rng(seed)
        self.first = tf.Variable(random.standard_normal((512, 768), dtype=np.float32), name="first")
        self.second = tf.Variable(random.standard_normal((768, 256), dtype=np.float32), name="second")
        self.step = tf.Variable(0, dtype=tf.int64, name="step")

    @tf.function(input_signature=[tf.TensorSpec((None, 512), tf.float32)])
    def __call__(self, x):
        return tf.nn.relu(x @ self.first) @ self.second


class TensorflowAdapter(Adapter):
    def make(self, seed):
        return Network(seed)

    def train(self, network):
        x = tf.ones((4, 512)) * 0.01
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(network(x)))
        variables = [network.first, network.second]
        for variable, gradient in zip(variables, tape.gradient(loss, variables)):
            variable.assign_sub(1e-3 * gradient)
        network.step.assign_add(1)
        return network

    def values(self, network):
        return {name: plain(getattr(network, name).numpy()) for name in ["first", "second", "step"]}


class TensorflowCheckpoint(TensorflowAdapter):
    def save(self, network, directory):
        tf.train.Checkpoint(network=network).write(str(directory / "ckpt"))

    def load(self, directory):
        network = Network(99)
        tf.train.Checkpoint(network=network).read(str(directory / "ckpt")).assert_consumed()
        return network


class SavedModel(TensorflowAdapter):
    def save(self, network, directory):
        tf.saved_model.save(network, str(directory / "model"))

    def load(self, directory):
        loaded = tf.saved_model.load(str(directory / "model"))
        network = Network(99)
        for name in ["first", "second", "step"]:
            getattr(network, name).assign(getattr(loaded, name))
        x = tf.ones((2, 512))
        np.testing.assert_array_equal(loaded(x).numpy(), network(x).numpy())
        return network

    def is_exact(self, name):
        return "variables.data" in name  # graphs and fingerprints name their functions by a counter
