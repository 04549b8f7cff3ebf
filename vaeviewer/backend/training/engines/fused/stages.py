"""How several threads go through a program together, to be compiled.

A program is a list of tasks in stages: a task may begin when all of the stages before its own are done. Whoever is free
takes one, so a thread that the system keeps from running delays the one task it is at, and no more.

Half of the threads take from the front of a stage and half from its back. So a thread mostly meets the memory that it
has worked on at the step before, and finds it in its own cache: caches that lie far apart take several times as long
for what the other one holds.

A ticket says which tasks are left. One is taken by putting the next ticket in place of the one that was read, which
fails where anything changed meanwhile.

Where each thread has a core of its own, that one task is not waited for either. A window that draws takes a core for
milliseconds, many times a second. A thread with nothing to do that finds another at a task but not running lends it its
own core, and sleeps until the task is done. The calling thread then has the core that is free, and the helper the one
where the window is: without a task it delays nobody.
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
"""Looks for something to do before a helper sleeps, some tenths of a millisecond: more than there is between two runs,
as waking takes time."""

LOOK_EVERY = 200
"""Looks for something to do between two looks whether the others run, some microseconds."""

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
    """Nanoseconds that a thread has run; they stand still while it does not."""
    _clock_gettime(load(member + CLOCK), me + TIME)
    time = words_at(me + TIME, 0, 2)
    return time[0] * 1_000_000_000 + time[1]


@compiled
def _sleep(member: int) -> None:
    while _sem_wait(member + WAKE) != 0:  # but for a signal
        pass


@compiled
def _lend_core(team: int, me: int, member: int) -> None:
    """Let a thread finish its task on this one's core, one at a time."""
    if exchange(team + RESCUE, 1) != 0:
        return
    cores = load(me + CORES)  # before the other thread may change it
    exchange(member + HOST, me)
    if replace(member + BUSY, AT_WORK, GUEST):
        _move(member, cores)
        _sleep(me)
        if member != _member(team, 0):
            _move(member, load(member + CORES))
    exchange(team + RESCUE, 0)


@compiled
def _thank(team: int, me: int) -> None:
    """Go on as a guest whose task is done: a helper makes room, the calling thread stays and its host moves."""
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
    add(team + DONE, 1)
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
    """The ticket, or that of the next stage if there is nothing left to take of the present one."""
    first = _first(ticket)
    if first < load(program + TASK_COUNT):
        end = load(load(program + ENDS) + 8 * first)
        if first + _taken(ticket) == end:
            return ticket >> _RUN << _RUN | end << 2 * TAKEN_BITS
    return ticket


@compiled
def _work(team: int, number: int) -> None:
    """Do tasks until all of this run are done, or this thread is to rest."""
    me, front = _member(team, number), number & 1 == 0
    looks, other = 0, 0
    late, taken = me, 0  # a thread at work, and how long it had run by the last look
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
    """Do so many tasks of a program, all of each stage; for one calling thread at a time."""
    first = (((load(team + TICKET) >> _RUN) + 1) & _RUNS) << _RUN
    exchange(
        team + TICKET, first | _FIRSTS << 2 * TAKEN_BITS
    )  # none left, for who still looks at the run before
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
    """Help with every run until the team is dismissed; for the thread of member ``number``."""
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
            # Who takes the note that this thread sleeps has woken it, or will.
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
