#include "rans_kernels.h"

namespace weightfs::codec {

const RansKernels& rans_kernels(Isa isa) {
#if defined(__x86_64__)
  if (isa == Isa::avx512) return kRansAvx512;
  if (isa == Isa::avx2) {
    static const RansKernels kernels = {.decode = kRansAvx2Decode,
                                        .encode = kRansScalar.encode,
                                        .decode_contexts = kRansAvx2DecodeContexts,
                                        .encode_contexts = kRansScalar.encode_contexts};
    return kernels;
  }
#endif
  (void)isa;
  return kRansScalar;
}

}  // namespace weightfs::codec
