"""Snapshot: a frozen model at one training step. Everything on screen is a function of one."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any, ClassVar, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from vaeviewer.backend import densities
from vaeviewer.backend.asked import Array, Classes, OneOrEach, as_seen, each
from vaeviewer.backend.chunks import parts, rows_at_once
from vaeviewer.backend.models import registry
from vaeviewer.backend.models.fields import FamilyConfig
from vaeviewer.backend.models.interface import DataSpec, ImageSpec
from vaeviewer.backend.models.likelihood_table import LikelihoodTable
from vaeviewer.backend.models.networks.numpy_densities import PixelDensity
from vaeviewer.backend.models.networks.numpy_mlp import DensityForm, MlpForm, NumpyForm

Answer = TypeVar("Answer")


@dataclass(frozen=True, eq=False)
class PosteriorTable:
    """q(z|x) of the training images, a row each, with the step at which each row was computed.

    Attributes:
        loc: Means, shape ``(n, latent_dim)``.
        log_variance: Logarithms of the variances, shape ``(n, latent_dim)``; ``None`` where the encoder gives points.
        row_steps: int32, shape ``(n,)``; rows of a live table may be of different steps.
        drawn: A code drawn from each, always from the same noise, shape ``(n, latent_dim)``; ``None`` where mean and
            variance say all.
    """

    loc: Array
    log_variance: Array | None
    row_steps: NDArray[np.int32]
    drawn: Array | None = None

    def __post_init__(self) -> None:
        for array in (self.loc, self.log_variance, self.row_steps, self.drawn):
            if array is not None:
                array.setflags(write=False)

    @property
    def scale(self) -> Array | None:
        """Standard deviations, shape ``(n, latent_dim)``, computed at each call; ``None`` for points."""
        return None if self.log_variance is None else standard_deviations(self.log_variance)


@dataclass(frozen=True, eq=False)
class Snapshot(ABC):
    """A frozen model at one step. Never changes; takes and returns NumPy arrays; any thread may ask it.

    Attributes:
        step: Gradient steps taken.
        epoch: Passes over the training images so far, fractional.
        model: The settings of its family.
        data: What it knows of the data it is trained on.
        weights: The model's ``state_dict``, parameters and buffers by name; read-only.
        posterior: q(z|x) of the training images, or ``None`` where it was not computed or there is no encoder.
        protocol: How the model saw pixels; binarised protocols encode images thresholded at one half.
        instant: Whether one image is decoded fast enough for the thread that draws.
    """

    step: int
    epoch: float
    model: FamilyConfig
    data: DataSpec
    weights: Mapping[str, NDArray[Any]]
    posterior: PosteriorTable | None = None
    protocol: Literal["grey", "dynamic", "threshold"] = "grey"

    instant: ClassVar[bool] = False

    def __post_init__(self) -> None:
        for array in self.weights.values():
            array.setflags(write=False)
        object.__setattr__(self, "weights", MappingProxyType(dict(self.weights)))

    @property
    def family(self) -> registry.AnyFamily:
        """The kind of model it is."""
        return registry.family(self.model.family)

    @property
    def image(self) -> ImageSpec:
        """Size of the images."""
        return self.data.image

    @property
    def image_shape(self) -> tuple[int, ...]:
        """Shape of an image's array: ``(height, width)``, and ``3`` behind it in colour."""
        size = (self.image.height, self.image.width)
        return size if self.image.channels == 1 else (*size, self.image.channels)

    @property
    def key(self) -> tuple[FamilyConfig, DataSpec]:
        """What a module for the weights is built from."""
        return self.model, self.data

    @cached_property
    def tensors(self) -> Mapping[str, Any]:
        """The weights as torch has them, copied once."""
        import torch

        return {name: torch.tensor(array) for name, array in self.weights.items()}

    def encode(
        self, images: NDArray[np.uint8] | Array, y: OneOrEach = None
    ) -> tuple[Array, Array | None] | None:
        """``loc`` and ``scale`` of q(z|x), each ``(n, latent_dim)``; ``scale`` is ``None`` where it is a point.

        Args:
            images: ``(n, *image_shape)``, grey levels as uint8 in 0 … 255 or as floats in 0 … 1.
            y: Their classes.

        Returns:
            ``None`` where the family has no encoder.

        Raises:
            ValueError: The model needs a class and is given none.
        """
        classes = each(y, len(images))
        found = [
            self._encode(self.seen(images[part]), None if classes is None else classes[part])
            for part in self.parts(len(images))
        ]
        if not found or found[0] is None:
            return None if found else self._encode(self.seen(images), classes)
        locs, scales = zip(*(pair for pair in found if pair is not None), strict=True)
        return np.concatenate(locs), None if scales[0] is None else np.concatenate(scales)

    def seen(self, images: NDArray[np.uint8] | Array) -> Array:
        """Images ``(n, *image_shape)`` as the model sees them: pixels in 0 … 1; those seen already stay the same."""
        return as_seen(images, self.protocol).reshape(len(images), *self.image_shape)

    def parts(self, rows: int) -> Iterator[slice]:
        """So many images or codes, as many at a time as memory is for."""
        return parts(rows, rows_at_once(self.model.widest(self.image.values)))

    def decode_levels(self, z: Array, y: OneOrEach = None) -> NDArray[np.uint8]:
        """As :meth:`decode`, in grey levels 0 … 255, and with the memory that these take alone."""
        levels = np.empty((len(z), *self.image_shape), np.uint8)
        for part in self.parts(len(z)):
            levels[part] = as_grey_levels(self.decode(z[part], y[part] if isinstance(y, np.ndarray) else y))
        return levels

    def decode(self, z: Array, y: OneOrEach = None) -> Array:
        """Mean images of p(x|z), values in 0 … 1, shape ``(n, *image_shape)``, for ``z`` of ``(n, latent_dim)``.

        Raises:
            ValueError: The model needs a class and is given none.
        """
        images = self._decode(np.ascontiguousarray(z, dtype=np.float32), each(y, len(z)))
        return images.reshape(len(z), *self.image_shape)

    def log_prior(self, z: Array) -> Array:
        """Log p(z) of codes ``(m, latent_dim)``, ``(m,)``, nats.

        Raises:
            NoDensityError: There is no prior, or it has no density.
        """
        return densities.log_prior(self, np.ascontiguousarray(z, dtype=np.float32))

    def likelihood_table(self, z: Array, y: OneOrEach = None) -> LikelihoodTable:
        """Log p(x|z) at codes ``(m, latent_dim)``, ready for any images; it keeps ``m`` decoded images.

        Args:
            z: The codes.
            y: The class of all of them, or of each, ``(m,)``, for a model that sees it.

        Raises:
            NoDensityError: p(x|z) is no density.
            ValueError: The model needs a class and is given none.
        """
        return densities.table(self, z, y)

    def log_likelihood(self, images: NDArray[np.uint8] | Array, z: Array, y: OneOrEach = None) -> Array:
        """Log p(x|z) of every image at every code, ``(n, m)``, nats, summed over pixels: :meth:`likelihood_table`."""
        classes = each(y, len(z))
        return np.concatenate(
            [
                self.likelihood_table(z[part], classes if classes is None else classes[part]).log_likelihood(
                    images
                )
                for part in self.parts(max(1, len(z)))
            ],
            axis=1,
        )

    def log_joint(self, images: NDArray[np.uint8] | Array, z: Array, y: OneOrEach = None) -> Array:
        """Log p(x|z) + log p(z) of every image at every code, ``(n, m)``, nats, as :meth:`log_likelihood`."""
        return self.log_likelihood(images, z, y) + self.log_prior(z)

    def score(self, image: NDArray[np.uint8] | Array, z: Array, y: OneOrEach = None) -> Array:
        """The derivative in z of log p(x|z) + log p(z) of one image at codes, both ``(m, latent_dim)``."""
        return self.densities(image[None], z, y).score

    def densities(
        self, images: NDArray[np.uint8] | Array, z: Array, y: OneOrEach = None
    ) -> densities.Densities:
        """Log p(x|z), log p(z) and their derivatives in z at ``m`` codes, of an image for each, or of one for all."""
        return densities.at_codes(self, images, z, y)

    def ask(self, question: Callable[[Any], Answer]) -> Answer:
        """What a torch model with these weights answers; see :func:`latent_model.ask`."""
        from vaeviewer.backend.models.latent_model import ask

        return ask(self.key, self.tensors, question)

    @property
    def density_form(self) -> tuple[DensityForm, PixelDensity] | None:
        """How NumPy computes p(x|z) as a density, and what pixels are; ``None``: torch does."""
        return None

    @abstractmethod
    def _encode(self, x: Array, y: Classes | None) -> tuple[Array, Array | None] | None: ...

    @abstractmethod
    def _decode(self, z: Array, y: Classes | None) -> Array: ...


@dataclass(frozen=True, eq=False)
class NumpySnapshot(Snapshot):
    """Fully connected networks, in NumPy: fast enough to decode on the thread that draws, and no torch there.

    Attributes:
        form: How to compute them.
    """

    form: NumpyForm = field(default_factory=MlpForm)

    instant: ClassVar[bool] = True

    @cached_property  # asked at every code, and protocols take long to look at
    def density_form(self) -> tuple[DensityForm, PixelDensity] | None:
        """As there."""
        if not isinstance(self.form, DensityForm):
            return None
        pixels = self.form.pixels(self.model, self.weights)
        return None if pixels is None else (self.form, pixels)

    def _encode(self, x: Array, y: Classes | None) -> tuple[Array, Array | None] | None:
        if not self.family.capabilities.encodes:
            return None
        flat = x.reshape(len(x), math.prod(self.image_shape))
        loc, log_variance = self.form.encode(self.weights, flat, y)
        return loc, None if log_variance is None else standard_deviations(log_variance)

    def _decode(self, z: Array, y: Classes | None) -> Array:
        return self.form.decode(self.weights, z, y)


@dataclass(frozen=True, eq=False)
class TorchSnapshot(Snapshot):
    """Any other networks, computed by torch on the thread that asks, which should allow itself one core."""

    def _encode(self, x: Array, y: Classes | None) -> tuple[Array, Array | None] | None:
        from vaeviewer.backend.models.latent_model import Point

        def moments(found: Any) -> tuple[Array, Array | None] | None:
            if found is None:
                return None
            return found.mean.numpy(), None if isinstance(found, Point) else found.stddev.numpy()

        return self._ask("encode", self._first(x), y, moments)

    def _decode(self, z: Array, y: Classes | None) -> Array:
        import torch

        return self._ask("decode", torch.tensor(z), y, lambda found: found.mean.permute(0, 2, 3, 1).numpy())

    def draw_posterior(self, image: NDArray[np.uint8] | Array, noise: Array, y: int | None = None) -> Array:
        """Codes ``(m, latent_dim)`` that standard normal noise of that shape becomes under q(z|x) of one image.

        For families without ``Capabilities.gaussian_posterior``.
        """
        import torch

        draws = torch.tensor(noise)[:, None]
        return self._of_one(image, y, lambda found: found.at(draws)[0][:, 0].numpy())

    def log_posterior(self, image: NDArray[np.uint8] | Array, z: Array, y: int | None = None) -> Array:
        """Log q(z|x) of one image at codes ``(m, latent_dim)``, in nats, ``(m,)``; likewise."""
        import torch

        codes = torch.tensor(z)[:, None]
        return self._of_one(image, y, lambda found: found.log_prob(codes)[:, 0].numpy())

    def _of_one(self, image: NDArray[np.uint8] | Array, y: int | None, told: Callable[[Any], Array]) -> Array:
        return self._ask("encode", self._first(self.seen(image[None])), each(y, 1), told)

    def _first(self, x: Array) -> Any:
        """Images as torch has them, channels first."""
        import torch

        last = torch.tensor(x.reshape(len(x), self.image.height, self.image.width, self.image.channels))
        return last.permute(0, 3, 1, 2).contiguous()

    def _ask(self, method: str, tensor: Any, y: Classes | None, told: Callable[[Any], Answer]) -> Answer:
        """What ``told`` makes of a distribution, while the model still has these weights."""
        import torch

        classes = None if y is None else torch.tensor(y)
        return self.ask(lambda model: told(getattr(model, method)(tensor, classes)))


def snapshot_of(
    model: FamilyConfig,
    data: DataSpec,
    weights: Mapping[str, NDArray[Any]],
    *,
    step: int = 0,
    epoch: float = 0.0,
    posterior: PosteriorTable | None = None,
    protocol: Literal["grey", "dynamic", "threshold"] = "grey",
) -> Snapshot:
    """A snapshot of the kind that serves this model; arguments as :class:`Snapshot` has them."""
    form = registry.family(model.family).numpy_form(model)
    if form is None:
        return TorchSnapshot(step, epoch, model, data, weights, posterior, protocol)
    return NumpySnapshot(step, epoch, model, data, weights, posterior, protocol, form)


@dataclass(frozen=True, eq=False)
class TrainingState:
    """What training needs beyond a Snapshot to go on exactly as it would have.

    Attributes:
        tensors: Optimizer and generator states by name, NumPy arrays of any dtype.
        values: Numbers and words that JSON can hold: position, timeline of changes.
    """

    tensors: Mapping[str, NDArray[Any]]
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """Snapshot + TrainingState: where training can resume. Made on the training thread at save cadence only."""

    snapshot: Snapshot
    training: TrainingState


def standard_deviations(log_variance: Array) -> Array:
    """σ of log σ², of the same shape."""
    scale: Array = np.exp(np.float32(0.5) * log_variance)
    return scale


def as_grey_levels(images: Array) -> NDArray[np.uint8]:
    """Values in 0 … 1 as uint8 grey levels 0 … 255, rounded; any shape."""
    levels: NDArray[np.uint8] = np.clip(np.rint(images * 255.0), 0, 255).astype(np.uint8)
    return levels
