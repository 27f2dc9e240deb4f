// NumPy arrays in pickles, and between the opcodes of joblib's.
//
// An array is numpy.core.multiarray._reconstruct with a state of (version, shape, dtype, is Fortran
// order, bytes), numpy.core.numeric._frombuffer, or joblib's NumpyArrayWrapper, behind whose BUILD
// the bytes lie raw (joblib/numpy_pickle.py).
#pragma once

#include <string_view>

#include "layout_builder.h"
#include "pickle_heap.h"
#include "source_reader.h"

namespace weightfs::format {

// Reads one pickle and adds its arrays, named by their path below `name`; the reader is left behind
// the pickle. Arrays whose bytes are escaped or compressed become tensors without bytes and with a
// note. Code::invalid for a broken pickle, and for an array that has not the bytes that its shape
// asks for.
Status add_numpy_pickle(SourceReader& in, std::string_view name, LayoutBuilder& builder);

// The arrays of a pickle that was read already, with the same names and failures.
Status add_numpy_arrays(const PickleHeap& heap, PickleRef root, LayoutBuilder& builder);

}  // namespace weightfs::format
