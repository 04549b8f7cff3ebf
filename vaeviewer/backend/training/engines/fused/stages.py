"""The scheduler: how several threads go through a program's task list together. Numba compiles it.

A program is a list of tasks in stages with a barrier between them: a task may start once all tasks of the stages before
its own are done. Within a stage idle threads steal work: whoever is free claims the next task, so a thread that the
system preempts delays the one task it is at, and no more. Even members claim from the front of a stage and odd ones
from its back, so each mostly meets the data of the step before in its own L1/L2 cache.

**Claiming.** ``TICKET`` packs run number, first task of the current stage, tasks claimed from the front, and tasks
claimed from the back into one int64. A thread reads the ticket, computes the task it stands for, and publishes the
successor by compare-and-swap. The CAS succeeds for exactly one thread per ticket value, so each task runs exactly once;
a thread that read a stale ticket loses the CAS and reads again. The run number keeps a ticket of an earlier run from
coming back (the ABA problem): it would take 2^16 runs during one iteration of a loop. ``DONE`` is an atomic counter of
finished tasks; a task is claimed only if ``DONE`` has reached the stage's first task, which is the barrier. All atomics
are sequentially consistent, so a thread that sees ``DONE`` count a task also sees what that task wrote.

**Who writes what.** Ticket: anyone, by CAS; the caller by exchange between runs. ``DONE``, ``ERRORS``: fetch-and-add.
Program pointer and task count: the caller alone, while the ticket has no task left. ``BUSY`` of a member: itself, and
by CAS one rescuer. ``CORES``: its owner, and a guest that is done, while the owner sleeps. A task writes memory that no
other task of its stage touches, and each reduction adds up partial sums in an order that the chunk sizes fix, never in
the order in which tasks finish. So results are bitwise the same for any schedule and any number of active threads; how
matrix products are split is fixed when the program is written.

**Preempted threads.** With each thread pinned to a core (affinity mask), a window that draws takes a core for
milliseconds, many times a second. An idle thread that finds a member ``AT_WORK`` whose thread CPU clock stands still
lends it its own core (sets its affinity mask) and sleeps on its semaphore until that task is done. If the guest is the
calling thread it keeps the core, and the helper moves to the one where the window runs: without a task it delays
nobody.
"""

from __future__ import annotations

from typing import Any

from numba import types

from vaeviewer.backend.training.engines.fused.layout import (
    ACTIVE,
    ASLEEP,
    AT_WORK,
    BUSY,
    CLOCK,
    CORES,
    CORES_BYTES,
    DONE,
    ENDS,
    ERRORS,
    FIRST_BITS,
    FREE,
    GUEST,
    HOST,
    MEMBER_BYTES,
    MEMBER_COUNT,
    MEMBERS,
    PROGRAM,
    RESCUE,
    RUN_BITS,
    STOP,
    TAKEN_BITS,
    TASK_BYTES,
    TASK_COUNT,
    TASKS,
    THREAD,
    TICKET,
    TIME,
    WAKE,
)
from vaeviewer.native.atomics import add, exchange, load, relax, replace
from vaeviewer.native.memory import call, compiled, words_at

SPINS = 30_000
"""Iterations of the spin loop before a helper blocks on its semaphore, some tenths of a millisecond: longer than the
gap between two runs, as a futex wake-up costs tens of microseconds."""

LOOK_EVERY = 200
"""Iterations of the spin loop between two checks for preempted members, some microseconds."""

_TAKEN = (1 << TAKEN_BITS) - 1
_FIRSTS = (1 << FIRST_BITS) - 1
_RUNS = (1 << RUN_BITS) - 1
_RUN = FIRST_BITS + 2 * TAKEN_BITS  # the place of the run's number

_sem_post = types.ExternalFunction("sem_post", types.int32(types.int64))
_sem_wait = types.ExternalFunction("sem_wait", types.int32(types.int64))
_sched_yield = types.ExternalFunction("sched_yield", types.int32())
_clock_gettime = types.ExternalFunction("clock_gettime", types.int32(types.int64, types.int64))
_sched_setaffinity = types.ExternalFunction(
    "sched_setaffinity", types.int32(types.int64, types.int64, types.int64)
)


@compiled
def _member(team: int, number: int) -> Any:
    return team + MEMBERS + MEMBER_BYTES * number


@compiled
def _move(member: int, cores: int) -> None:
    _sched_setaffinity(load(member + THREAD), CORES_BYTES, cores)


@compiled
def _time_taken(me: int, member: int) -> Any:
    """CPU time of a thread, nanoseconds: stands still while it is preempted."""
    _clock_gettime(load(member + CLOCK), me + TIME)
    time = words_at(me + TIME, 0, 2)
    return time[0] * 1_000_000_000 + time[1]


@compiled
def _sleep(member: int) -> None:
    while _sem_wait(member + WAKE) != 0:  # but for a signal
        pass


@compiled
def _lend_core(team: int, me: int, member: int) -> None:
    """Let a preempted thread finish its task on this one's core; ``RESCUE`` is the try-lock, one rescue at a time.

    The CAS from ``AT_WORK`` to ``GUEST`` fails if the task is done by now; if it succeeds, the guest will post this
    thread's semaphore (``_do`` sees ``GUEST`` in its exchange), so the wait below always ends.
    """
    if exchange(team + RESCUE, 1) != 0:
        return
    cores = load(me + CORES)  # before the CAS: from then on the guest may swap it
    exchange(member + HOST, me)
    if replace(member + BUSY, AT_WORK, GUEST):
        _move(member, cores)
        _sleep(me)
        if member != _member(team, 0):
            _move(member, load(member + CORES))
    exchange(team + RESCUE, 0)


@compiled
def _thank(team: int, me: int) -> None:
    """The guest's task is done: a helper yields the core; the calling thread keeps it and its host gets the other."""
    host = load(me + HOST)
    if me == _member(team, 0):
        exchange(me + CORES, exchange(host + CORES, load(me + CORES)))
        _move(host, load(host + CORES))
        _sem_post(host + WAKE)
    else:
        _sem_post(host + WAKE)
        _sched_yield()


@compiled
def _do(team: int, me: int, program: int, number: int) -> None:
    exchange(me + BUSY, AT_WORK)
    task = words_at(load(program + TASKS) + TASK_BYTES * number, 0, 4)
    if call(task[0], task[1], task[2], task[3]) != 0:
        add(program + ERRORS, 1)
    add(team + DONE, 1)  # after the task's writes: publishes them to who waits for the stage
    if exchange(me + BUSY, FREE) == GUEST:
        _thank(team, me)


@compiled
def _first(ticket: int) -> Any:
    return ticket >> 2 * TAKEN_BITS & _FIRSTS


@compiled
def _taken(ticket: int) -> Any:
    return (ticket >> TAKEN_BITS & _TAKEN) + (ticket & _TAKEN)


@compiled
def _at_next_stage(program: int, ticket: int) -> Any:
    """The ticket, or the first one of the next stage if all tasks of this stage are claimed."""
    first = _first(ticket)
    if first < load(program + TASK_COUNT):
        end = load(load(program + ENDS) + 8 * first)
        if first + _taken(ticket) == end:
            return ticket >> _RUN << _RUN | end << 2 * TAKEN_BITS
    return ticket


@compiled
def _work(team: int, number: int) -> None:
    """Claim and do tasks until all of this run are done, or this thread is no longer active.

    The ticket is read before everything it is checked against. Whatever the program pointer and count are by then, a
    CAS from that ticket fails if another run began in between.
    """
    me, front = _member(team, number), number & 1 == 0
    looks, other = 0, 0
    late, taken = me, 0  # a member at work, and its CPU time at the last check
    while number < load(team + ACTIVE):
        ticket = load(team + TICKET)
        program = load(team + PROGRAM)
        done = load(team + DONE)
        here = _at_next_stage(program, ticket)
        first, count = _first(here), load(program + TASK_COUNT)
        if first >= count and done >= count:
            break
        if first < count and done >= first:
            if front:
                task, following = first + (here >> TAKEN_BITS & _TAKEN), here + (1 << TAKEN_BITS)
            else:
                task, following = load(load(program + ENDS) + 8 * first) - 1 - (here & _TAKEN), here + 1
            if replace(team + TICKET, ticket, following):
                _do(team, me, program, task)
                looks, late = 0, me
                continue
        relax()
        looks += 1
        if looks % LOOK_EVERY == 0 and load(me + CORES) != 0:
            if late != me and load(late + BUSY) == AT_WORK and _time_taken(me, late) == taken:
                _lend_core(team, me, late)
            late, members = me, load(team + MEMBER_COUNT)
            for _ in range(members):
                other = (other + 1) % members
                if _member(team, other) != me and load(_member(team, other) + BUSY) == AT_WORK:
                    late = _member(team, other)
                    taken = _time_taken(me, late)
                    break


def _run(team: int, program: int, length: int) -> int:
    """Run the first ``length`` tasks of a program, whole stages; for one calling thread at a time."""
    first = (((load(team + TICKET) >> _RUN) + 1) & _RUNS) << _RUN
    # First a ticket with no task left, so that a helper late from the run before claims nothing while these change.
    exchange(team + TICKET, first | _FIRSTS << 2 * TAKEN_BITS)
    exchange(program + TASK_COUNT, length)
    exchange(team + PROGRAM, program)
    exchange(team + DONE, 0)
    exchange(team + TICKET, first)
    for number in range(1, load(team + ACTIVE)):
        _wake(_member(team, number))
    _work(team, 0)
    return 0


@compiled
def _wake(helper: int) -> None:
    if exchange(helper + ASLEEP, 0) != 0:
        _sem_post(helper + WAKE)


@compiled
def _is_wanted(team: int, number: int) -> Any:
    ticket, program = load(team + TICKET), load(team + PROGRAM)
    return number < load(team + ACTIVE) and _first(_at_next_stage(program, ticket)) < load(
        program + TASK_COUNT
    )


def _serve(team: int, number: int, _: int) -> int:
    """A helper's loop until the team is dismissed: work, else spin, else block; for the thread of member ``number``."""
    me = _member(team, number)
    spins = 0
    while load(team + STOP) == 0:
        if _is_wanted(team, number):
            _work(team, number)
            spins = 0
        elif spins < SPINS:
            relax()
            spins += 1
        else:
            exchange(me + ASLEEP, 1)
            wanted = load(team + STOP) != 0 or _is_wanted(team, number)
            # Checked again after ASLEEP is set, against lost wake-ups. Whoever exchanges ASLEEP back to 0 owns the
            # wake-up: this thread by going on, or a waker by posting the semaphore, once.
            if not (wanted and exchange(me + ASLEEP, 0) != 0):
                _sleep(me)
            spins = 0
    return 0


def _dismiss(team: int, _: int, _unused: int) -> int:
    """Have every helper leave for good."""
    exchange(team + STOP, 1)
    for number in range(1, load(team + MEMBER_COUNT)):
        _wake(_member(team, number))
    return 0


KERNELS: dict[str, Any] = {"run": _run, "serve": _serve, "dismiss": _dismiss}
