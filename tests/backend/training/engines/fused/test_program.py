"""Programs of torch's own functions and of compiled kernels, checked against torch."""

from __future__ import annotations

import gc
import threading
import time

import pytest
import torch

from vaeviewer.backend.training.engines.fused import torch_functions
from vaeviewer.backend.training.engines.fused.program import Program
from vaeviewer.backend.training.engines.fused.step import step_code
from vaeviewer.backend.training.engines.fused.team import Team
from vaeviewer.native.object_code import available

pytestmark = pytest.mark.skipif(
    not (available() and torch_functions.available()), reason="no compiler is installed"
)


@pytest.fixture
def program() -> Program:
    code = step_code(torch.float32, "silu")
    code.prepare()
    code.wait(100)
    assert code.addresses is not None
    return Program(Team(code.addresses, 2), 2)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_products_and_copies_are_those_of_torch(program: Program, dtype: torch.dtype) -> None:
    generator = torch.Generator().manual_seed(0)
    a, b = (torch.randn(shape, generator=generator).to(dtype) for shape in ((30, 40), (50, 40)))
    product, turned, again = a.new_empty(30, 50), a.new_empty(50, 30), a.new_empty(50, 50)
    program.multiply(a, b.t(), product)
    program.copy(product.t(), turned)
    program.multiply(turned, product, again)  # of what the operations before have left
    for _ in range(2):
        a.mul_(2)
        program()
        assert torch.equal(product, a @ b.t())
        assert torch.equal(turned, product.t())
        assert torch.equal(again, turned @ product)


@pytest.mark.parametrize("shape", [(512, 30, 700), (700, 30, 512), (130, 8, 200), (3, 5, 2)])
def test_products_are_parted_without_a_gap(program: Program, shape: tuple[int, int, int]) -> None:
    rows, inner, columns = shape
    generator = torch.Generator().manual_seed(0)
    a, b = torch.randn(rows, inner, generator=generator), torch.randn(inner, columns, generator=generator)
    out = torch.full((rows, columns), torch.nan)
    program.multiply(a, b, out)
    assert program.length == (2 if max(rows, columns) >= 128 else 1)
    program()
    torch.testing.assert_close(out, a @ b)


def test_products_of_one_stage_share_the_threads(program: Program) -> None:
    a, first, second = torch.rand(200, 200), torch.empty(200, 200), torch.empty(200, 200)
    program.multiply(a, a, first, one_of=2)
    program.multiply(a.t(), a, second, beside=True, one_of=2)
    assert program.length == 2
    program()
    torch.testing.assert_close(first, a @ a)
    torch.testing.assert_close(second, a.t() @ a)


def test_kernels_take_part_chunk_by_chunk(program: Program) -> None:
    code = step_code(torch.float32, "silu").addresses
    assert code is not None
    images = torch.arange(50, dtype=torch.uint8).view(-1, 1).expand(50, 10).contiguous()
    order = torch.arange(49, 9, -1)
    grey, x, total = torch.empty(40, 10, dtype=torch.uint8), torch.empty(40, 10), torch.empty(10, 10)
    program.kernel(code["levels"], 3, 40, 10, images, order, grey, x)  # 16 rows, 16 and 8
    program.multiply(x.t(), x, total)
    program()
    torch.testing.assert_close(x, images[order] / 255)
    assert torch.equal(grey, images[order])
    torch.testing.assert_close(total, x.t() @ x)
    images.fill_(255)
    program()
    torch.testing.assert_close(total, torch.full((10, 10), 40.0))


def test_more_tasks_than_a_stage_holds_make_several(program: Program) -> None:
    code = step_code(torch.float32, "silu").addresses
    assert code is not None
    rows = 16 * 40_000 + 5
    images = torch.randint(0, 256, (rows, 2), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    order, x = torch.arange(rows).flip(0), torch.full((rows, 2), torch.nan)
    program.kernel(code["levels"], 40_001, rows, 2, images, order, torch.empty_like(images), x)
    program()
    torch.testing.assert_close(x, images.flip(0) / 255)
    assert len(set(program._starts)) == 3


def test_what_is_beside_may_be_done_at_once_and_what_follows_comes_after(program: Program) -> None:
    a, first, second = torch.rand(200, 200), torch.empty(200, 200), torch.empty(200, 200)
    program.multiply(a, a, first)
    program.multiply(a, a.t(), second, beside=True)
    both = program.length
    program.multiply(first, second, a)
    expected = (a @ a) @ (a @ a.t())
    program()
    torch.testing.assert_close(a, expected)

    first.zero_()
    kept = a.clone()
    program(both)
    torch.testing.assert_close(first, a @ a)
    assert torch.equal(a, kept)
    assert program._starts[: both + 1] == [0] * both + [both]


def test_memory_is_kept_for_as_long_as_it_is_used(program: Program) -> None:
    out = torch.empty(300, 300)
    program.multiply(torch.full((300, 300), 2.0), torch.full((300, 300), 3.0), out)
    gc.collect()
    others = [torch.full((300, 300), 7.0) for _ in range(20)]  # would take the place of what was let go
    program()
    assert torch.equal(out, torch.full((300, 300), 1800.0))
    assert len(others) == 20


def test_what_torch_refuses_is_an_error_once(program: Program) -> None:
    a, out = torch.ones(2, 3), torch.empty(2, 2)
    program.multiply(a, a, out)
    program.multiply(a, a.t(), out)
    for _ in range(2):
        with pytest.raises(RuntimeError, match="matrix product"):
            program()
        assert torch.equal(out, torch.full((2, 2), 3.0))


@pytest.mark.slow
def test_other_threads_go_on_meanwhile(program: Program) -> None:
    a, out = torch.ones(600, 600), torch.empty(600, 600)
    for _ in range(200):
        program.multiply(a, a, out)
    begun, done = threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        program()
        done.set()

    thread = threading.Thread(target=work)
    thread.start()
    begun.wait(10)
    turns = 0
    while not done.is_set():
        time.sleep(0)
        turns += 1
    thread.join()
    assert turns > 20
