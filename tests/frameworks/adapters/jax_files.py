"""JAX: Flax's msgpack and Orbax."""
import jax
import jax.numpy as jnp
import optax

from adapters import Adapter
from compare import plain

OPTIMIZER = optax.adam(1e-3)


class JaxAdapter(Adapter):
    def make(self, seed):
        keys = jax.random.split(jax.random.key(seed), 3)
        params = {"dense": {"kernel": jax.random.normal(keys[0], (512, 768)), "bias": jnp.zeros(768)},
                  "head": {"kernel": jax.random.normal(keys[1], (768, 256)).astype(jnp.bfloat16)}}
        return {"params": params, "optimizer": OPTIMIZER.init(params), "step": jnp.array(1)}

    def train(self, state):
        def loss(params):
            x = jnp.full((4, 512), 0.01) @ params["dense"]["kernel"] + params["dense"]["bias"]
            return jnp.mean(jnp.square(x @ params["head"]["kernel"].astype(jnp.float32)))

        gradients = jax.grad(loss)(state["params"])
        updates, optimizer = OPTIMIZER.update(gradients, state["optimizer"])
        return {"params": optax.apply_updates(state["params"], updates), "optimizer": optimizer,
                "step": state["step"] + 1}

    def values(self, state):
        leaves = jax.tree_util.tree_flatten_with_path(state)[0]
        return {jax.tree_util.keystr(path): plain(jax.device_get(leaf)) for path, leaf in leaves}


class FlaxMsgpack(JaxAdapter):
    def save(self, state, directory):
        import flax.serialization
        (directory / "flax_model.msgpack").write_bytes(flax.serialization.to_bytes(state))

    def load(self, directory):
        import flax.serialization
        return flax.serialization.from_bytes(self.make(0), (directory / "flax_model.msgpack").read_bytes())


class Orbax(JaxAdapter):
    def save(self, state, directory):
        import orbax.checkpoint
        with orbax.checkpoint.StandardCheckpointer() as checkpointer:
            checkpointer.save(directory / "checkpoint", state, force=True)

    def load(self, directory):
        import orbax.checkpoint
        with orbax.checkpoint.StandardCheckpointer() as checkpointer:
            return checkpointer.restore(directory / "checkpoint", self.make(0))

    def is_exact(self, name):
        return False  # data files have random names, metadata the time
