// The parsers that registry.cpp knows: one line here and one there for each.
//
// Each function returns a parser without state that lives as long as the process.
#pragma once

#include "weightfs/format/format.h"

namespace weightfs::format {

const Parser& darknet_parser();
const Parser& gguf_parser();
const Parser& ggml_legacy_parser();
const Parser& llama2c_parser();
const Parser& tesseract_parser();
const Parser& npy_parser();
const Parser& pickle_parser();
const Parser& safetensors_parser();
const Parser& safetensors_index_parser();
const Parser& torch_legacy_parser();
const Parser& torch_tar_parser();
const Parser& zip_parser();
const Parser& onnx_parser();
const Parser& onnx_data_parser();
const Parser& tf_graph_def_parser();
const Parser& tf_saved_model_parser();
const Parser& caffe_parser();
const Parser& tflite_parser();
const Parser& mnn_parser();
const Parser& hdf5_parser();
const Parser& keras_parser();
const Parser& tf_index_parser();
const Parser& tf_shard_parser();
const Parser& tfjs_manifest_parser();
const Parser& tfjs_shard_parser();
const Parser& coreml_model_parser();
const Parser& coreml_weights_parser();
const Parser& mxnet_parser();
const Parser& flax_parser();
const Parser& dlib_parser();
const Parser& ncnn_parser();
const Parser& zarr_parser();
const Parser& ocdbt_parser();

}  // namespace weightfs::format
