"""scikit-learn through joblib."""
import joblib
import numpy as np
from sklearn.neural_network import MLPRegressor

from adapters import Adapter
from compare import plain


class SklearnJoblib(Adapter):
    def make(self, seed):
        model = MLPRegressor(hidden_layer_sizes=(640, 320), random_state=seed, solver="adam")
        return self.step(model, seed)

    def step(self, model, seed):
        x = np.random.default_rng(seed).standard_normal((64, 256))
        return model.partial_fit(x, x[:, :8])

    def train(self, model):
        return self.step(model, 5)

    def save(self, model, directory):
        joblib.dump(model, directory / "model.joblib")

    def load(self, directory):
        return joblib.load(directory / "model.joblib")

    def values(self, model):
        arrays = [*model.coefs_, *model.intercepts_, *model._optimizer.ms, *model._optimizer.vs]
        return {str(i): plain(array) for i, array in enumerate(arrays)}
