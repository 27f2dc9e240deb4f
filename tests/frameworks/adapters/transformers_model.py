"""A tiny transformer with random weights, saved in shards as the hub has them."""
import torch
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

from adapters import Adapter
from compare import plain


class Transformers(Adapter):
    def make(self, seed):
        torch.manual_seed(seed)
        torch.set_num_threads(1)
        return LlamaForCausalLM(LlamaConfig(vocab_size=1024, hidden_size=256, intermediate_size=512,
                                            num_hidden_layers=2, num_attention_heads=4))

    def train(self, model):
        tokens = torch.arange(32).reshape(1, 32)
        optimizer = torch.optim.SGD(model.parameters(), lr=1e-2)
        model(input_ids=tokens, labels=tokens).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return model

    def save(self, model, directory):
        model.save_pretrained(directory, max_shard_size="3MB")
        assert len(list(directory.glob("*.safetensors"))) > 2

    def load(self, directory):
        return AutoModelForCausalLM.from_pretrained(directory, local_files_only=True)

    def values(self, model):
        return {name: plain(tensor) for name, tensor in model.state_dict().items()}
