"""llama.cpp's Python binding over a GGUF file in the mount; its package has no wheel, so it is not among the requirements."""
import pytest

llama_cpp = pytest.importorskip(
    "llama_cpp", reason="llama-cpp-python is not installed: PyPI has no wheel of it, and it compiles for many minutes")


def test_lists_the_metadata_of_a_gguf_file(places):
    from adapters import make_adapter
    adapter = make_adapter("gguf")
    adapter.save(adapter.make(1), places.mounted)
    places.mount.remount()
    with pytest.raises(ValueError, match="Failed to load model"):  # it is no whole llama; it must not crash
        llama_cpp.Llama(str(places.mounted / "model.gguf"), verbose=False)
