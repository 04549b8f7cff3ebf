"""Teams of threads: everything is done once and in order, whatever keeps a thread from running."""

from __future__ import annotations

import gc
import os
import sys
import threading
import time
from collections.abc import Iterator

import pytest
import torch

from vaeviewer.backend.training.engines.fused import torch_functions
from vaeviewer.backend.training.engines.fused.program import Program
from vaeviewer.backend.training.engines.fused.step import step_code
from vaeviewer.backend.training.engines.fused.team import HELPER, Team
from vaeviewer.native.object_code import available

pytestmark = pytest.mark.skipif(
    not (available() and torch_functions.available()), reason="no compiler is installed"
)

SIDE = 96


def team_of(threads: int) -> Team:
    code = step_code(torch.float32, "silu")
    code.prepare()
    code.wait(100)
    assert code.addresses is not None
    return Team(code.addresses, threads)


def helpers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith(HELPER)]


def wait_until_gone(threads: list[threading.Thread]) -> None:
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()


class Chain:
    """A program whose result is right only if every product comes after those before it, and none is done twice."""

    def __init__(self, team: Team, threads: int, length: int = 40) -> None:
        generator = torch.Generator().manual_seed(1)
        self.start = torch.randn(2 * SIDE, SIDE, generator=generator)
        turn = torch.linalg.qr(torch.randn(SIDE, SIDE, generator=generator)).Q
        self.state = self.start.clone()
        self.program = Program(team, threads)
        other = torch.empty_like(self.state)
        for _ in range(length):
            self.program.multiply(self.state, turn, other)
            self.program.multiply(other, turn.t() @ turn, self.state)
        self.expected = self.start @ torch.linalg.matrix_power(turn, length)

    def check(self) -> None:
        self.state.copy_(self.start)
        self.program()
        torch.testing.assert_close(self.state, self.expected, rtol=1e-3, atol=1e-4)


@pytest.fixture
def burning() -> Iterator[None]:
    """Threads that want every core, as a window would, in bursts of a millisecond."""
    over = threading.Event()
    numbers = torch.rand(1000, 100)

    def burn() -> None:
        torch.set_num_threads(1)
        while not over.is_set():
            end = time.perf_counter() + 0.001
            while time.perf_counter() < end:
                numbers @ numbers.t()
            time.sleep(0.001)

    threads = [threading.Thread(target=burn) for _ in range(os.cpu_count() or 1)]
    for thread in threads:
        thread.start()
    yield
    over.set()
    for thread in threads:
        thread.join()


@pytest.mark.parametrize("threads", [1, 2, 3, 5])
def test_stages_follow_each_other_on_any_number_of_threads(threads: int) -> None:
    chain = Chain(team_of(threads), threads)
    for _ in range(20):
        chain.check()


def test_a_team_goes_through_several_programs_in_turn() -> None:
    team = team_of(3)
    chains = [Chain(team, 3, length) for length in (1, 7, 20)]
    for _ in range(30):
        for chain in chains:
            chain.check()


@pytest.mark.slow
def test_a_team_outlives_the_numbers_of_its_runs() -> None:
    team = team_of(2)
    program, numbers, out = Program(team, 2), torch.zeros(8), torch.zeros(8)
    program.copy(numbers, out)
    program.copy(out, numbers)
    for _ in range(2**16 + 10):
        program()
    numbers.fill_(3)
    program()
    assert out.tolist() == [3] * 8


@pytest.mark.slow
def test_helpers_sleep_while_there_is_nothing_to_do_and_wake_again() -> None:
    chain = Chain(team_of(3), 3)
    chain.check()
    ids = [thread.ident for thread in helpers() if thread.ident is not None]
    assert len(ids) >= 2
    clocks = [time.pthread_getcpuclockid(ident) for ident in ids]

    def stand_still() -> bool:
        before = [time.clock_gettime(clock) for clock in clocks]
        time.sleep(0.3)
        return [time.clock_gettime(clock) for clock in clocks] == before

    end = time.perf_counter() + 10  # on a busy machine they come late to see that there is nothing to do
    while not stand_still():
        assert time.perf_counter() < end, "helpers do not sleep"
    chain.check()


def test_helpers_go_with_their_team() -> None:
    gc.collect()
    before = helpers()
    chain = Chain(team_of(3), 3)
    chain.check()
    mine = [thread for thread in helpers() if thread not in before]
    assert len(mine) == 2
    del chain
    gc.collect()
    wait_until_gone(mine)


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux alone lets threads be moved")
@pytest.mark.usefixtures("burning")
def test_threads_lend_each_other_their_cores_and_end_on_one_each() -> None:
    everywhere = os.sched_getaffinity(0)
    if len(everywhere) < 2:
        pytest.skip("one core leaves nothing to lend")
    failures: list[BaseException] = []

    def work() -> None:
        try:
            before = helpers()
            chain = Chain(team := team_of(len(everywhere)), len(everywhere))
            team.stay_on_cores(give_way_to_window=True)
            end = time.perf_counter() + 3.0
            while time.perf_counter() < end:
                chain.check()
            ids = [
                threading.get_native_id(),
                *(thread.native_id for thread in helpers() if thread not in before),
            ]
            cores = [os.sched_getaffinity(ident) for ident in ids if ident is not None]
            assert sorted(min(core) for core in cores) == sorted(everywhere)
            assert all(len(core) == 1 for core in cores)
            kinds = [os.sched_getscheduler(ident) for ident in ids if ident is not None]
            assert kinds == [os.SCHED_OTHER] + [os.SCHED_IDLE] * (len(kinds) - 1), "they give way to a window"
        except BaseException as error:  # told to the test's own thread
            failures.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(60)
    assert not thread.is_alive()
    assert not failures, failures
    assert os.sched_getaffinity(0) == everywhere


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux alone lets threads be moved")
def test_helpers_that_give_way_take_no_task_while_they_are_to_rest() -> None:
    everywhere = os.sched_getaffinity(0)
    if len(everywhere) < 2:
        pytest.skip("one core leaves nobody to rest")
    found: list[tuple[bool, set[int]]] = []

    def work() -> None:
        before = helpers()
        chain = Chain(team := team_of(len(everywhere)), len(everywhere))
        team.stay_on_cores(give_way_to_window=True)
        clocks = [
            time.pthread_getcpuclockid(helper.ident or 0) for helper in helpers() if helper not in before
        ]
        for rest in (True, False):
            team.rest(rest)
            chain.check()
            time.sleep(0.1)  # until they sleep
            times = [time.clock_gettime(clock) for clock in clocks]
            for _ in range(300):
                chain.check()
            worked = any(
                time.clock_gettime(clock) != before for clock, before in zip(clocks, times, strict=True)
            )
            found.append((worked, os.sched_getaffinity(0)))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(60)
    (resting, anywhere), (working, here) = found
    assert not resting
    assert anywhere == everywhere
    assert working
    assert len(here) == 1


def test_with_cores_to_spare_threads_stay_free() -> None:
    everywhere = {thread.native_id: os.sched_getaffinity(thread.native_id or 0) for thread in helpers()}
    team = team_of((os.cpu_count() or 1) + 1)
    team.stay_on_cores(give_way_to_window=True)
    for thread in helpers():
        if thread.native_id not in everywhere:
            assert os.sched_getaffinity(thread.native_id or 0) == os.sched_getaffinity(0)
