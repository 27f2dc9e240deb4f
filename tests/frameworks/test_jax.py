"""Orbax's manager, which writes in the background and renames directories when they are complete."""
import pytest

pytest.importorskip("jax", reason="jax is not installed")
orbax = pytest.importorskip("orbax.checkpoint", reason="orbax-checkpoint is not installed")

from adapters import make_adapter  # noqa: E402
from compare import assert_same_values  # noqa: E402


def test_a_manager_saves_in_the_background_and_keeps_the_last(places):
    adapter = make_adapter("orbax")
    options = orbax.CheckpointManagerOptions(max_to_keep=2, enable_async_checkpointing=True)
    state = adapter.make(1)
    with orbax.CheckpointManager(places.mounted / "run", options=options) as manager:
        for step in range(4):
            manager.save(step, args=orbax.args.StandardSave(state))
            saved, state = state, adapter.train(state)
        manager.wait_until_finished()
    places.mount.remount()
    with orbax.CheckpointManager(places.mounted / "run", options=options) as manager:
        assert sorted(manager.all_steps()) == [2, 3]
        restored = manager.restore(3, args=orbax.args.StandardRestore(adapter.make(2)))
    assert_same_values(adapter.values(restored), adapter.values(saved))
