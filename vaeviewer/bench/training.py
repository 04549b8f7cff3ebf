"""How fast training is, beside the loop everyone writes and beside the matrix products that no loop can avoid."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset

from vaeviewer.backend.config import Settings, updated
from vaeviewer.backend.data import load_dataset
from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.backend.models.families.vae import VaeConfig
from vaeviewer.backend.training.device import use_threads
from vaeviewer.backend.training.loop import BLOCK_SECONDS, FREELY
from vaeviewer.backend.training.trainer import Trainer
from vaeviewer.bench import machine
from vaeviewer.bench.common import MNIST_IMAGES, median, paired, say, tiled

FOREVER = 100_000
"""Epochs that no measurement reaches the end of; the learning rate then hardly falls."""

COMPARED_NETWORK = (512, 256)
"""Hidden layers of the two rows of fixed batch size, a common choice; the third row is the default preset as it is."""

Contender = Callable[[float], float]
"""Trains for about so many seconds and returns its images per second."""


def measure(quick: bool) -> dict[str, Any]:
    """The figures ``training``, and the machine's description under ``machine``."""
    description = machine.describe()
    dataset = tiled(load_dataset(), MNIST_IMAGES)
    preset = Settings()
    settings = {
        "batch_128": updated(preset, hidden=COMPARED_NETWORK, batch_size=128),
        "batch_512": updated(preset, hidden=COMPARED_NETWORK, batch_size=512),
        "default": preset,
    }
    if quick:  # each row compiles a step of its own
        settings = {"default": preset}
    figures = {name: _compare(dataset, chosen, quick) for name, chosen in settings.items()}
    return {"machine": description, "training": figures}


def trainer_speed(trainer: Trainer, seconds: float) -> float:
    """Images per second of steps in blocks as training takes them, without evaluations or a window."""
    _synchronise(trainer.device)
    first = trainer.step_count
    start = block_start = now = time.perf_counter()
    while now - start < seconds:
        trainer.step(FREELY)
        now = time.perf_counter()
        if trainer.block_full or now - block_start >= BLOCK_SECONDS:
            trainer.finish_block()
            block_start = now = time.perf_counter()
    trainer.finish_block()
    use_threads(trainer.threads)
    _synchronise(trainer.device)
    return (trainer.step_count - first) * trainer.batch_size / (time.perf_counter() - start)


def warm_up(trainer: Trainer) -> None:
    """Take steps until they are as fast as they become, whatever has to be compiled first."""
    trainer.engine.prepare(wait=True)
    while trainer.step_count < trainer.engine.fast_from:
        trainer.step()
        trainer.finish_block()
    trainer.step()  # makes what the fast steps need
    trainer.finish_block()


def _compare(dataset: ImageDataset, settings: Settings, quick: bool) -> dict[str, Any]:
    rounds, seconds = (2, 0.3) if quick else (20, 0.65)
    settings = updated(settings, epochs=FOREVER)
    model = settings.model
    assert isinstance(model, VaeConfig), "the default family"
    batch_size, hidden = settings.train.batch_size, list(model.hidden)
    ours = Trainer(dataset, updated(settings, precision="auto"))
    fp32 = Trainer(dataset, updated(settings, precision="float32"))
    eager = Trainer(dataset, updated(settings, engine="eager"))
    contenders: dict[str, Contender] = {
        "ours": lambda seconds: trainer_speed(ours, seconds),
        "plain": _plain_loop(dataset, settings, ours.device),
        "eager": lambda seconds: trainer_speed(eager, seconds),
        "fp32": lambda seconds: trainer_speed(fp32, seconds),
        "limit": _products_alone(model, dataset.image_shape, batch_size, ours.device),
    }
    if not quick:  # compiling takes up to a minute
        compiled = Trainer(dataset, updated(settings, engine="compiled"))
        contenders["compiled"] = lambda seconds: trainer_speed(compiled, seconds)
    ours.engine.prepare(wait=False)
    fp32.engine.prepare(wait=False)
    for trainer in (ours, fp32):
        warm_up(trainer)
    for contender in contenders.values():
        contender(0.15)  # allocations, thread pools and caches before anything counts
    speeds: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(rounds):
        say(f"training {'-'.join(map(str, hidden))}, batch {batch_size}, round {number + 1} of {rounds}")
        for name, contender in contenders.items():
            speeds[name].append(contender(seconds))
    middle = {name: median(values) for name, values in speeds.items()}
    return {
        "mode": ours.mode,
        "hidden": hidden,
        "batch_size": batch_size,
        "images_per_s": middle["ours"],
        "plain_images_per_s": middle["plain"],
        "ratio_plain": paired(speeds["ours"], speeds["plain"]),
        "eager_images_per_s": middle["eager"],
        "compiled_images_per_s": middle.get("compiled"),
        "ratio_eager": paired(speeds["ours"], speeds["eager"]),
        "fp32_images_per_s": middle["fp32"],
        "limit_images_per_s": middle["limit"],
        "fraction_of_limit": paired(speeds["fp32"], speeds["limit"]),
    }


class _Digits(Dataset[tuple[Tensor, int]]):
    """The images as torchvision's data sets give them: one at a time, from an array by way of PIL."""

    def __init__(self, dataset: ImageDataset, transform: Callable[[Image.Image], Tensor]) -> None:
        self.data = torch.tensor(dataset.train_images)
        self.targets = torch.tensor(dataset.train_labels)
        self.transform = transform

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        image = Image.fromarray(self.data[index].numpy())
        return self.transform(image), int(self.targets[index])


class _PlainVAE(nn.Module):
    """The network as a tutorial writes it."""

    def __init__(self, model: VaeConfig, image_shape: tuple[int, ...]) -> None:
        super().__init__()
        widths = layer_widths(model, image_shape)
        self.encoder = _stack(widths["encoder"], model.activation)
        self.decoder = _stack(widths["decoder"], model.activation)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        mu, log_variance = self.encoder(x).chunk(2, dim=1)
        std = torch.exp(0.5 * log_variance)
        z = mu + std * torch.randn_like(std)
        return self.decoder(z), mu, log_variance


def _stack(widths: tuple[int, ...], activation: str) -> nn.Sequential:
    kinds = {"tanh": nn.Tanh, "relu": nn.ReLU, "silu": nn.SiLU}
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(widths):
        layers += [nn.Linear(inputs, outputs), kinds[activation]()]
    return nn.Sequential(*layers[:-1])


def layer_widths(model: VaeConfig, image_shape: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
    """Units of both networks from input to output."""
    pixels = math.prod(image_shape)
    return {
        "encoder": (pixels, *model.hidden, 2 * model.latent_dim),
        "decoder": (model.latent_dim, *reversed(model.hidden), pixels),
    }


def _plain_loop(dataset: ImageDataset, settings: Settings, device: torch.device) -> Contender:
    """The loop everyone writes: a DataLoader over PIL images, autograd, Adam, and ``.item()`` each step."""
    from torchvision.transforms import ToTensor

    batch_size = settings.train.batch_size
    assert isinstance(settings.model, VaeConfig), "the default family"
    loader = DataLoader(_Digits(dataset, ToTensor()), batch_size=batch_size, shuffle=True)
    model = _PlainVAE(settings.model, dataset.image_shape).to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=settings.train.learning_rate)
    batches = iter(loader)

    def train(seconds: float) -> float:
        nonlocal batches
        images, total = 0, 0.0
        start = time.perf_counter()
        while time.perf_counter() - start < seconds:
            batch = next(batches, None)
            if batch is None:
                batches = iter(loader)
                batch = next(batches)
            x = batch[0].to(device).view(len(batch[0]), -1)
            optimizer.zero_grad()
            logits, mu, log_variance = model(x)
            bce = functional.binary_cross_entropy_with_logits(logits, x, reduction="sum")
            kl = -0.5 * torch.sum(1 + log_variance - mu.pow(2) - log_variance.exp())
            loss = (bce + kl) / len(x)
            loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it so
            optimizer.step()
            total += loss.item()
            images += len(x)
        return images / (time.perf_counter() - start)

    return train


def _products_alone(
    model: VaeConfig, image_shape: tuple[int, ...], batch_size: int, device: torch.device
) -> Contender:
    """One step's matrix products in float32, into arrays made beforehand, and nothing else."""
    products: list[tuple[Tensor, Tensor, Tensor]] = []
    widths = layer_widths(model, image_shape)
    for network in ("encoder", "decoder"):
        for number, (inputs, outputs) in enumerate(pairwise(widths[network])):
            x = torch.rand(batch_size, inputs, device=device)
            weight = torch.rand(outputs, inputs, device=device)
            gradient = torch.rand(batch_size, outputs, device=device)
            products.append((x, weight.T, torch.empty_like(gradient)))
            products.append((gradient.T, x, torch.empty_like(weight)))
            if network == "decoder" or number > 0:  # nobody needs the gradient of the images
                products.append((gradient, weight, torch.empty_like(x)))

    def multiply(seconds: float) -> float:
        steps = 0
        _synchronise(device)
        start = time.perf_counter()
        while time.perf_counter() - start < seconds:
            for left, right, out in products:
                torch.mm(left, right, out=out)
            steps += 1
            if steps % 256 == 0:
                _synchronise(device)  # else a GPU is handed hours of work in seconds
        _synchronise(device)
        return steps * batch_size / (time.perf_counter() - start)

    return multiply


def _synchronise(device: torch.device) -> None:
    """Wait for what the device was told to do, so that the clock sees it."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
