// libfuse's low-level API, in the version that mount/ is written for. Included nowhere else.
#pragma once

#define FUSE_USE_VERSION 314

#include <fuse_lowlevel.h>
