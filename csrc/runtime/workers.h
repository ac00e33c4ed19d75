// Threads that wait for work, by POSIX alone. They are created when first needed, survive no fork,
// and take no signals. Unlike a runtime's, whose behaviour at a fork or where the system refuses a
// thread is its own, they are counted: who asks for more gets those that there are.
#pragma once

#include <sched.h>

namespace gyaku {

using WorkerBody = void (*)(int rank, void* context) noexcept;

// Creates workers up to a number, which run on `cpus` if given, and returns how many there are:
// fewer if the system refuses. One caller at a time, here and below.
int hire_workers(int wanted, const cpu_set_t* cpus) noexcept;

// Calls body(0, context) on this thread, and body(rank, context) on each worker of a rank up to
// `count` that begins before the first call has returned; returns when all that began are done.
// `awake`: whether workers spin for some milliseconds before they sleep.
void run_with_workers(int count, bool awake, WorkerBody body, void* context) noexcept;

// The number of threads that there were when the system refused another one; 0 if it did not. Each
// refusal is told once.
int threads_when_refused() noexcept;

// Tells the CPU that this thread waits.
void relax() noexcept;

} // namespace gyaku
