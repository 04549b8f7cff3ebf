"""Fused steps change weights, optimizer and terms as plain ones do. Real machine code, compiled here."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
from torch import Tensor

from vaeviewer.backend.config import Settings, updated
from vaeviewer.backend.data.pixels import to_unit
from vaeviewer.backend.models.families.vae import FAMILY
from vaeviewer.backend.models.interface import DataSpec, ImageSpec
from vaeviewer.backend.training.engines.fused.adam import Adam
from vaeviewer.backend.training.engines.fused.gradient import ElboGradient, StepTerms
from vaeviewer.backend.training.engines.fused.step import FusedSteps, step_code
from vaeviewer.backend.training.engines.fused.step_writer import Training
from vaeviewer.backend.training.randomness import named_generator
from vaeviewer.backend.training.rows import TrainingRows
from vaeviewer.native.object_code import available

PIXELS = 200  # no multiple of what a kernel takes at once

pytestmark = pytest.mark.skipif(not available(), reason="no compiler is installed")


class Model:
    """A model with biases, so that a mistake there shows, and its optimizer."""

    def __init__(self, settings: Settings, dtype: torch.dtype) -> None:
        self.settings, self.dtype = settings, dtype
        vae = FAMILY.build(settings.model, DataSpec(ImageSpec(1, PIXELS)))
        vae.initialize(named_generator(4, "weights"))
        with torch.no_grad():
            for parameter in vae.parameters():
                parameter.add_(0.1 * torch.randn(parameter.shape, generator=named_generator(4, "more")))
        self.gradient = ElboGradient(settings.model, vae, dtype)
        self.weights = self.gradient.parameters.values.detach()
        self.optimizer = Adam(self.weights, self.gradient.parameters.grad)
        self._fused: FusedSteps | None = None
        self._rows: TrainingRows | None = None
        self._taken = 0
        self.threads = torch.get_num_threads()

    def plain(self, levels: Tensor, noise: Tensor, beta: float, rate: float) -> StepTerms:
        terms = self.gradient(to_unit(levels), noise, beta)
        self.optimizer.step(rate)
        return terms

    def steps(self, images: Tensor, size: int, protocol: str = "grey") -> FusedSteps:
        """What steps this model on batches of some images."""
        code = step_code(self.dtype, self.settings.model.activation)
        code.prepare()
        code.wait(100)
        assert code.addresses is not None
        self._rows = TrainingRows(images, None, ImageSpec(1, PIXELS), self.settings.model.latent_dim)
        training = Training(self.gradient, self.optimizer, self._rows, len(self.settings.model.hidden))
        self.gradient.round_weights()
        return FusedSteps(training, code.addresses, size, self.threads, protocol)

    def fused(self, levels: Tensor, noise: Tensor, beta: float, rate: float) -> StepTerms:
        if self._fused is None or self._fused.batch != len(levels):
            self._fused = self.steps(levels.clone(), len(levels))
        assert self._rows is not None
        self._rows.images.copy_(levels)
        self._fused.noise[0] = noise[0]
        terms = self._fused(self._taken, torch.arange(len(levels)), beta, [rate])
        self._taken += 1
        return StepTerms(terms[0, 0], terms[0, 1], self._rows.loc, self._rows.log_variance)


def batch(rows: int, dim: int, seed: int = 1) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    levels = torch.randint(0, 256, (rows, PIXELS), generator=generator, dtype=torch.uint8)
    levels[:, ::3] = 0
    return levels, torch.randn(1, rows, dim, generator=generator)


def pair(dtype: torch.dtype = torch.float32, **changes: Any) -> tuple[Model, Model]:
    settings = updated(Settings(), **changes)
    return Model(settings, dtype), Model(settings, dtype)


@pytest.fixture(params=[1, 2])
def threads(request: pytest.FixtureRequest) -> Any:
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("activation", "hidden", "dim"),
    [
        *itertools.product(["silu"], [(40,), (150, 33), (40, 24, 7)], [2, 5]),
        ("tanh", (150, 33), 2),  # compiling takes seconds, and relu has its own tests beside the vector math
    ],
)
def test_a_step_is_the_plain_one(activation: str, hidden: tuple[int, ...], dim: int, threads: int) -> None:
    plain, fused = pair(activation=activation, hidden=hidden, latent_dim=dim)
    levels, noise = batch(130, dim)  # more rows than factors of one logarithm
    expected = plain.plain(levels, noise, 1.5, 1e-3)
    found = fused.fused(levels, noise, 1.5, 1e-3)
    for name, value in expected._asdict().items():
        torch.testing.assert_close(getattr(found, name), value, rtol=2e-5, atol=2e-6, msg=name)
    # After one step the mean holds a tenth of the gradient, and the square a thousandth of its square.
    names = plain.gradient.parameters.views
    means = (names(plain.optimizer.state["exp_avg"]), names(fused.optimizer.state["exp_avg"]))
    squares = (names(plain.optimizer.state["exp_avg_sq"]), names(fused.optimizer.state["exp_avg_sq"]))
    for name, value in means[0].items():
        scale = float(value.abs().max())
        torch.testing.assert_close(means[1][name], value, rtol=1e-4, atol=1e-5 * scale, msg=name)
        torch.testing.assert_close(squares[1][name], squares[0][name], rtol=1e-3, atol=1e-6 * scale**2)
    # Where a gradient is all but zero its sign decides about a whole step of Adam.
    large = plain.optimizer.state["exp_avg"].abs() > 1e-4 * plain.optimizer.state["exp_avg"].abs().max()
    torch.testing.assert_close(fused.weights[large], plain.weights[large], rtol=1e-5, atol=1e-6)


def test_many_steps_stay_together_while_rate_beta_and_batch_change() -> None:
    plain, fused = pair(hidden=(64, 32))
    for number in range(30):
        levels, noise = batch(60 if number < 20 else 31, 2, seed=number)
        beta, rate = 1.0 + number / 10, 1e-3 / (1 + number)
        expected = plain.plain(levels, noise, beta, rate)
        found = fused.fused(levels, noise, beta, rate)
        torch.testing.assert_close(found.reconstruction, expected.reconstruction, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(found.kl, expected.kl, rtol=1e-3, atol=1e-3)
    assert float(fused.optimizer.state["step"]) == 30
    assert (fused.weights - plain.weights).abs().mean() < 1e-6


@pytest.mark.slow
def test_bfloat16_products_are_as_far_from_float32_as_the_plain_ones() -> None:
    exact, plain = pair(hidden=(96, 48))[0], pair(torch.bfloat16, hidden=(96, 48))[0]
    fused = pair(torch.bfloat16, hidden=(96, 48))[1]
    levels, noise = batch(128, 2)
    terms = [exact.plain(levels, noise, 1.0, 1e-3), plain.plain(levels, noise, 1.0, 1e-3)]
    terms.append(fused.fused(levels, noise, 1.0, 1e-3))
    means = [model.optimizer.state["exp_avg"] for model in (exact, plain, fused)]
    far = [float((mean - means[0]).norm() / means[0].norm()) for mean in means]
    assert far[1] < 0.02
    assert far[2] < 1.2 * far[1]
    torch.testing.assert_close(terms[2].reconstruction, terms[0].reconstruction, rtol=1e-3, atol=0.1)
    torch.testing.assert_close(terms[2].loc, terms[0].loc, rtol=0.02, atol=0.02)
    count = len(fused.gradient.rounded)
    assert torch.equal(fused.gradient.rounded, fused.weights[:count].bfloat16())


def test_it_is_the_same_again_bit_for_bit() -> None:
    torch.set_num_threads(2)
    models = pair(torch.bfloat16, hidden=(150, 70))
    for number in range(10):
        for model in models:
            model.fused(*batch(100, 2, seed=number), 1.0, 1e-3)
    assert torch.equal(models[0].weights, models[1].weights)


@pytest.mark.slow
@pytest.mark.parametrize("activation", ["silu", "tanh"])
@pytest.mark.parametrize(
    "place", ["encoder.0.bias", "encoder.2.weight", "decoder.0.weight", "decoder.2.bias"]
)
def test_what_is_not_finite_is_never_hidden(activation: str, place: str) -> None:
    model = pair(activation=activation, hidden=(64, 32))[0]
    model.gradient.parameters.views(model.weights)[place].view(-1)[3] = float("nan")
    terms = model.fused(*batch(20, 2), 1.0, 1e-3)
    assert not torch.isfinite(terms.reconstruction)


def test_log_variances_are_cut_off_and_pass_no_gradient_there() -> None:
    plain, fused = pair(hidden=(16,))
    for model in (plain, fused):
        bias = model.gradient.parameters.views(model.weights)["encoder.1.bias"]
        bias[2:] = torch.tensor([50.0, -50.0])
    levels, noise = batch(20, 2)
    expected, found = (plain.plain(levels, noise, 1.0, 1e-3), fused.fused(levels, noise, 1.0, 1e-3))
    assert set(found.log_variance.view(-1).tolist()) == {12.0, -12.0}
    torch.testing.assert_close(found.kl, expected.kl)
    views = fused.gradient.parameters.views(fused.optimizer.state["exp_avg"])
    assert (views["encoder.1.bias"][2:] == 0).all()
    assert (views["encoder.1.bias"][:2] != 0).all()


@pytest.mark.parametrize("protocol", ["grey", "dynamic"])
def test_steps_taken_together_are_those_taken_one_by_one(protocol: str) -> None:
    models = pair(torch.bfloat16, hidden=(150, 70))
    generator = torch.Generator().manual_seed(3)
    images = torch.randint(0, 256, (400, PIXELS), generator=generator, dtype=torch.uint8)
    order = torch.randperm(400, generator=generator)
    noise = torch.randn(8, 50, 2, generator=generator)
    seen = (torch.rand(8, 50, PIXELS, generator=generator) * 255 < images[order].view(8, 50, -1)).byte() * 255
    rates = [1e-3 / (1 + step) for step in range(8)]
    terms = []
    for model, together in zip(models, (1, 3), strict=True):
        steps = model.steps(images, 50, protocol)
        assert steps.most >= 8
        found = []
        for first in range(0, 8, together):
            some = slice(first, min(8, first + together))
            count = some.stop - first
            steps.noise[:count] = noise[some]
            if steps.levels is not None:
                steps.levels[:count] = seen[some]
            found.append(steps(first, order[first * 50 : some.stop * 50], 1.3, rates[some]).clone())
        terms.append(torch.cat(found))
    assert torch.equal(terms[0], terms[1])
    assert torch.equal(models[0].weights, models[1].weights)
    tables = [model._rows for model in models]
    assert tables[0] is not None
    assert tables[1] is not None
    assert torch.equal(tables[0].loc, tables[1].loc)
    assert torch.equal(tables[0].log_variance, tables[1].log_variance)
    assert torch.equal(tables[1].steps[order].view(8, 50), torch.arange(8).view(8, 1).expand(8, 50).int())
    assert float(models[1].optimizer.state["step"]) == 8


def test_how_many_steps_are_taken_together_depends_on_their_size() -> None:
    small, large = pair(hidden=(8,))[0], pair(hidden=(900, 900))[0]
    images = torch.zeros(5000, PIXELS, dtype=torch.uint8)
    assert small.steps(images, 10).most == 24
    assert large.steps(images, 128).most in range(8, 24)
    assert large.steps(images, 512).most in range(2, 7)
    assert large.steps(images, 5000).most == 1
