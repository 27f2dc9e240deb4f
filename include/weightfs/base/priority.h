// How a thread stands behind others.
#pragma once

namespace weightfs {

// The calling thread runs from now on only when nothing else wants the CPU or the disk (SCHED_IDLE
// of sched(7), IOPRIO_CLASS_IDLE of ioprio_set(2)). Needs no privilege; where the kernel refuses,
// the thread stays as it is. Such a thread may stand still for long: it must hold no lock and no
// write transaction that others wait for.
void run_only_when_idle();

}  // namespace weightfs
