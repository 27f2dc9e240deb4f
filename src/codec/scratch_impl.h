// What a Scratch holds: one part for each codec that needs memory.
#pragma once

#include "delta_codec.h"
#include "derived_codec.h"
#include "float_codec.h"
#include "ints_codec.h"
#include "weightfs/codec/codec.h"
#include "zero_mask_codec.h"

namespace weightfs::codec {

struct Scratch::Impl {
  ScratchBuffer stream;  // the encoded block
  ByteVector zstd;       // the same, by zstd
  FloatScratch floats;
  ZeroMaskScratch zero_mask;
  IntsScratch ints;
  DeltaScratch deltas;
  DerivedScratch derived;
};

}  // namespace weightfs::codec
