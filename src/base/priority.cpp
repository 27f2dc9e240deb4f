#include "weightfs/base/priority.h"

#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace weightfs {
namespace {

// linux/ioprio.h, which older kernel headers lack.
constexpr int kWhoProcess = 1;  // and 0 for who: the calling thread
constexpr int kClassIdle = 3;
constexpr int kClassShift = 13;

}  // namespace

void run_only_when_idle() {
  const sched_param parameter{};
  (void)::sched_setscheduler(0, SCHED_IDLE, &parameter);
  (void)::syscall(SYS_ioprio_set, kWhoProcess, 0, kClassIdle << kClassShift);
}

}  // namespace weightfs
