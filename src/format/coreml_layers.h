// Where the layers of Core ML's neural networks have their weights: field numbers of
// coremltools/mlmodel/format/NeuralNetwork.proto.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <utility>

namespace weightfs::format {

// What a weight's shape follows from: fields of the layer's parameters.
enum class CoremlShape { flat, convolution, inner_product, embedding, constant };

// A WeightParams in a layer: the layer's field, the message inside of it (0: none), the weight's.
struct CoremlWeight {
  std::uint32_t layer;
  std::uint32_t inner;
  std::uint32_t field;
  std::string_view name;
  CoremlShape shape = CoremlShape::flat;
};

inline constexpr std::array kCoremlWeights = {
    CoremlWeight{100, 0, 90, "weights", CoremlShape::convolution},
    CoremlWeight{100, 0, 91, "bias"},
    CoremlWeight{130, 25, 1, "alpha"},
    CoremlWeight{130, 71, 1, "alpha"},
    CoremlWeight{130, 71, 2, "beta"},
    CoremlWeight{140, 0, 20, "weights", CoremlShape::inner_product},
    CoremlWeight{140, 0, 21, "bias"},
    CoremlWeight{150, 0, 20, "weights", CoremlShape::embedding},
    CoremlWeight{150, 0, 21, "bias"},
    CoremlWeight{160, 0, 15, "gamma"},
    CoremlWeight{160, 0, 16, "beta"},
    CoremlWeight{160, 0, 17, "mean"},
    CoremlWeight{160, 0, 18, "variance"},
    CoremlWeight{245, 0, 2, "scale"},
    CoremlWeight{245, 0, 5, "bias"},
    CoremlWeight{250, 0, 2, "bias"},
    CoremlWeight{290, 0, 2, "data", CoremlShape::constant},
    CoremlWeight{400, 0, 30, "weightMatrix"},
    CoremlWeight{400, 0, 31, "recursionMatrix"},
    CoremlWeight{400, 0, 32, "biasVector"},
    CoremlWeight{410, 0, 30, "updateGateWeightMatrix"},
    CoremlWeight{410, 0, 31, "resetGateWeightMatrix"},
    CoremlWeight{410, 0, 32, "outputGateWeightMatrix"},
    CoremlWeight{410, 0, 50, "updateGateRecursionMatrix"},
    CoremlWeight{410, 0, 51, "resetGateRecursionMatrix"},
    CoremlWeight{410, 0, 52, "outputGateRecursionMatrix"},
    CoremlWeight{410, 0, 70, "updateGateBiasVector"},
    CoremlWeight{410, 0, 71, "resetGateBiasVector"},
    CoremlWeight{410, 0, 72, "outputGateBiasVector"},
    CoremlWeight{500, 0, 20, "weights"},
    CoremlWeight{1040, 0, 20, "weights", CoremlShape::embedding},
    CoremlWeight{1040, 0, 21, "bias"},
    CoremlWeight{1045, 0, 8, "weights"},
    CoremlWeight{1045, 0, 9, "bias"},
    CoremlWeight{1070, 0, 2, "data", CoremlShape::constant},
    CoremlWeight{1350, 0, 3, "gamma"},
    CoremlWeight{1350, 0, 4, "beta"},
    CoremlWeight{1471, 0, 60, "weights"},
    CoremlWeight{1471, 0, 61, "bias"},
};

// LSTMWeightParams, in layers 420 and 430 (both directions) the message 20.
inline constexpr std::uint32_t kCoremlLstmParameters = 20;
inline constexpr std::array kCoremlLstmWeights = {
    std::pair{1U, "inputGateWeightMatrix"},      std::pair{2U, "forgetGateWeightMatrix"},
    std::pair{3U, "blockInputWeightMatrix"},     std::pair{4U, "outputGateWeightMatrix"},
    std::pair{20U, "inputGateRecursionMatrix"},  std::pair{21U, "forgetGateRecursionMatrix"},
    std::pair{22U, "blockInputRecursionMatrix"}, std::pair{23U, "outputGateRecursionMatrix"},
    std::pair{40U, "inputGateBiasVector"},       std::pair{41U, "forgetGateBiasVector"},
    std::pair{42U, "blockInputBiasVector"},      std::pair{43U, "outputGateBiasVector"},
    std::pair{60U, "inputGatePeepholeVector"},   std::pair{61U, "forgetGatePeepholeVector"},
    std::pair{62U, "outputGatePeepholeVector"},
};

inline bool is_coreml_lstm(std::uint32_t layer) {
  return layer == 420 || layer == 430;
}

}  // namespace weightfs::format
