#include "plane_kernels.h"

namespace weightfs::codec {

const PlaneKernels& plane_kernels(Isa isa) {
#if defined(__x86_64__)
  if (isa == Isa::avx512) return kPlanesAvx512;
  if (isa == Isa::avx2) return kPlanesAvx2;
#endif
  (void)isa;
  return kPlanesScalar;
}

}  // namespace weightfs::codec
