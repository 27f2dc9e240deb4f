"""TensorFlow and Keras: managed checkpoints, callbacks that write while training, records, TFLite."""
import numpy as np
import pytest

tf = pytest.importorskip("tensorflow", reason="tensorflow-cpu is not installed")
keras = pytest.importorskip("keras", reason="keras is not installed")

from adapters import make_adapter  # noqa: E402
from compare import assert_same_files, assert_same_values  # noqa: E402


def test_a_checkpoint_manager_keeps_the_last_ones(places):
    adapter = make_adapter("tensorflow-checkpoint")
    network = adapter.make(1)
    manager = tf.train.CheckpointManager(tf.train.Checkpoint(network=network), str(places.mounted), max_to_keep=2)
    for _ in range(4):
        manager.save()
        adapter.train(network)
    assert len(list(places.mounted.glob("*.index"))) == 2
    places.mount.remount()
    restored = adapter.make(2)
    status = tf.train.Checkpoint(network=restored).restore(tf.train.latest_checkpoint(str(places.mounted)))
    status.assert_existing_objects_matched()
    assert int(restored.step) == 3


def test_keras_callbacks_write_while_training(places):
    adapter = make_adapter("keras")
    x = np.random.default_rng(0).standard_normal((32, 512), dtype=np.float32)
    for directory in [places.local, places.mounted]:
        model = adapter.make(1)
        callbacks = [keras.callbacks.ModelCheckpoint(str(directory / "{epoch}.weights.h5"), save_weights_only=True),
                     keras.callbacks.BackupAndRestore(str(directory / "backup")),
                     keras.callbacks.CSVLogger(str(directory / "log.csv"), append=True)]
        model.fit(x, x[:, :256], batch_size=16, epochs=3, shuffle=False, verbose=0, callbacks=callbacks)
    assert_same_files(places.mounted, places.local)
    places.mount.remount()
    assert_same_files(places.mounted, places.local)


def test_reads_and_writes_records(places):
    path = str(places.mounted / "examples.tfrecord")
    records = [np.random.default_rng(i).bytes(50_000) for i in range(40)]
    with tf.io.TFRecordWriter(path) as writer:
        for record in records:
            writer.write(record)
    places.mount.remount()
    assert [record.numpy() for record in tf.data.TFRecordDataset(path)] == records


def test_tensorflow_lists_copies_and_renames(places):
    source, target = str(places.mounted / "a" / "b"), str(places.mounted / "c")
    tf.io.gfile.makedirs(source)
    with tf.io.gfile.GFile(source + "/data", "wb") as file:
        file.write(b"x" * 300_000)
    tf.io.gfile.copy(source + "/data", source + "/copy")
    tf.io.gfile.rename(source, target)
    assert sorted(tf.io.gfile.listdir(target)) == ["copy", "data"]
    assert tf.io.gfile.stat(target + "/copy").length == 300_000
    tf.io.gfile.rmtree(target)
    assert not tf.io.gfile.exists(target)


def test_exports_and_serves(places):
    model = make_adapter("keras").make(1)
    model.export(str(places.mounted / "served"), verbose=False)
    x = np.ones((2, 512), np.float32)
    expected = model(x).numpy()
    places.mount.remount()
    served = tf.saved_model.load(str(places.mounted / "served"))
    assert_same_values({"y": served.serve(x).numpy()}, {"y": expected})
    del served
