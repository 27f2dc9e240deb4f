"""PyTorch's own files, its distributed checkpoints, and safetensors."""
import torch
import torch.distributed.checkpoint as checkpoint

from adapters import Adapter
from compare import plain


class Training:
    """A small network with its optimizer, as a training loop has them."""

    def __init__(self):
        self.model = torch.nn.Sequential(torch.nn.Embedding(512, 256), torch.nn.Linear(256, 768), torch.nn.ReLU(),
                                         torch.nn.Linear(768, 512))
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-3)

    def step(self, seed):
        tokens = torch.arange(64).remainder(512).add(seed).remainder(512)
        loss = torch.nn.functional.cross_entropy(self.model(tokens), tokens)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()

    def state_dict(self):
        return {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()}

    def load_state_dict(self, state):
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])


class TorchAdapter(Adapter):
    def make(self, seed):
        torch.manual_seed(seed)
        torch.set_num_threads(1)
        training = Training()
        training.step(seed)  # so that the optimizer has its moments
        return training

    def train(self, training):
        training.step(7)
        return training

    def values(self, training):
        values = {name: plain(tensor) for name, tensor in training.model.state_dict().items()}
        for index, state in training.optimizer.state_dict()["state"].items():
            values |= {f"{index}.{name}": plain(tensor) for name, tensor in state.items()}
        return values


class TorchZip(TorchAdapter):
    def save(self, training, directory):
        torch.save(training.state_dict(), directory / "checkpoint.pt")

    def load(self, directory):
        training = Training()
        training.load_state_dict(torch.load(directory / "checkpoint.pt", weights_only=True))
        return training


class TorchLegacy(TorchAdapter):
    def save(self, training, directory):
        torch.save(training.state_dict(), directory / "checkpoint.pt", _use_new_zipfile_serialization=False)

    def load(self, directory):
        training = Training()
        training.load_state_dict(torch.load(directory / "checkpoint.pt", weights_only=True))
        return training

    def is_exact(self, name):
        return False  # storages are named after their addresses


class TorchDistributedCheckpoint(TorchAdapter):
    def save(self, training, directory):
        writer = checkpoint.FileSystemWriter(directory, overwrite=True)
        checkpoint.save(training.state_dict(), storage_writer=writer, no_dist=True)

    def load(self, directory):
        training = self.make(0)
        state = training.state_dict()
        checkpoint.load(state, storage_reader=checkpoint.FileSystemReader(directory), no_dist=True)
        training.load_state_dict(state)
        return training

    def is_exact(self, name):
        return not name.endswith(".metadata")  # has the directory's path and an id of the save


class Safetensors(TorchAdapter):
    def save(self, training, directory):
        import safetensors.torch
        safetensors.torch.save_file(training.model.state_dict(), directory / "model.safetensors", {"format": "pt"})

    def load(self, directory):
        import safetensors.torch
        training = Training()
        training.model.load_state_dict(safetensors.torch.load_file(directory / "model.safetensors"))
        return training

    def values(self, training):
        return {name: plain(tensor) for name, tensor in training.model.state_dict().items()}
