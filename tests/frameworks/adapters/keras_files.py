"""Keras 3: .keras, .h5 and .weights.h5."""
import keras
import numpy as np

from adapters import Adapter
from compare import plain


def make_model():
    # Named, since names that Keras counts up are in the files.
    model = keras.Sequential([keras.Input((512,), name="x"), keras.layers.Dense(768, activation="relu", name="first"),
                              keras.layers.BatchNormalization(name="norm"), keras.layers.Dense(256, name="second")],
                             name="network")
    model.compile(optimizer=keras.optimizers.Adam(1e-3, name="adam"), loss=keras.losses.MeanSquaredError())
    return model


class KerasAdapter(Adapter):
    def make(self, seed):
        keras.utils.set_random_seed(seed)
        model = make_model()
        self.fit(model, seed)
        return model

    def fit(self, model, seed):
        random = np.random.default_rng(seed)
        x = random.standard_normal((32, 512), dtype=np.float32)
        model.fit(x, x[:, :256], batch_size=16, epochs=1, shuffle=False, verbose=0)

    def train(self, model):
        keras.utils.set_random_seed(3)
        self.fit(model, 3)
        return model

    def values(self, model):
        values = {f"weight {i}": plain(value) for i, value in enumerate(model.get_weights())}
        for i, variable in enumerate(model.optimizer.variables):
            values[f"optimizer {i}"] = plain(variable.numpy())
        return values


class KerasZip(KerasAdapter):
    def save(self, model, directory):
        model.save(directory / "model.keras")

    def load(self, directory):
        return keras.models.load_model(directory / "model.keras")

    def is_exact(self, name):
        return False  # has the time of the save


class KerasHdf5(KerasAdapter):
    """Keras 3 writes the optimizer into this format and does not find it again: the weights only."""

    def save(self, model, directory):
        model.save(directory / "model.h5")

    def load(self, directory):
        model = make_model()
        model.set_weights(keras.models.load_model(directory / "model.h5", compile=False).get_weights())
        return model

    def values(self, model):
        return {f"weight {i}": plain(value) for i, value in enumerate(model.get_weights())}


class KerasWeights(KerasAdapter):
    def save(self, model, directory):
        model.save_weights(directory / "model.weights.h5", overwrite=True)

    def load(self, directory):
        model = self.make(0)
        model.load_weights(directory / "model.weights.h5")
        return model
