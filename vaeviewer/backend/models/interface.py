"""What the program knows of a model: one small interface in the field's words. Imports no torch.

A *family* is one file below ``families/``: its settings, its metrics, and the objective its players descend. The form,
the flags of the command line, the curves and the columns of a run folder all derive from it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, Protocol, TypeVar

from vaeviewer.backend.models.fields import FamilyConfig
from vaeviewer.backend.models.symptoms import Symptom

if TYPE_CHECKING:  # families are known, and their settings shown, before torch is there
    import torch
    from torch import Tensor
    from torch.distributions import Distribution

    from vaeviewer.backend.models.latent_model import LatentModel
    from vaeviewer.backend.models.networks.numpy_mlp import NumpyForm

ConfigT = TypeVar("ConfigT", bound=FamilyConfig)

Kin = Literal["variational", "autoencoder", "adversarial", "linear"]

KIN: Mapping[Kin, str] = {
    "variational": "Variational inference",
    "autoencoder": "Autoencoders",
    "adversarial": "Adversarial training",
    "linear": "Linear",
}
"""Groups of families, as lists have them, and their titles."""


@dataclass(frozen=True)
class ImageSpec:
    """The size of images: pixels high, pixels wide, and 1 (grey) or 3 (colour) channels."""

    height: int
    width: int
    channels: int = 1

    @property
    def values(self) -> int:
        """Numbers in an image."""
        return self.height * self.width * self.channels

    def __str__(self) -> str:
        """As sentences have it: ``28×28 pixels``."""
        return f"{self.height}×{self.width} pixels" + (" in colour" if self.channels == 3 else "")


@dataclass(frozen=True)
class DataSpec:
    """What a model may know of its data before it sees them; a run folder notes it.

    Attributes:
        image: Size of an image.
        classes: How many classes there are; 0 where images have none.
        images: How many images are trained on.
    """

    image: ImageSpec
    classes: int = 0
    images: int = 0


class TrainingImages(Protocol):
    """All images trained on, of which some are asked for at a time: as floats all may be more than memory holds."""

    def __len__(self) -> int:
        """How many there are."""

    def __getitem__(self, rows: slice | Tensor) -> Tensor:
        """Pixels in 0 … 1 of some, ``(k, C, H, W)``; without draws, so that dynamic binarisation cuts at one half."""


@dataclass(frozen=True)
class Metric:
    """One column of a history: what is stored, drawn and printed.

    Attributes:
        key: Name in files, such as ``"kl"``.
        title: What a user reads, such as ``"KL"``.
        unit: Such as ``"nats per image"``.
        better: Whether higher or lower values are better, or neither says so.
        help: A sentence for a student.
        plot: Metrics that name the same plot share its axis; an empty one is not drawn. It stands above where there is
            no room for their titles.
        loss_title: What its negative is called where losses are drawn, for a metric of which higher is better.
        of: Derives the metric from columns by key instead of storing it; works on numbers and on arrays.
    """

    key: str
    title: str
    unit: str
    better: Literal["higher", "lower", "neither"] = "neither"
    help: str = ""
    plot: str = ""
    loss_title: str = ""
    of: Callable[[Mapping[str, Any]], Any] | None = None


class Metrics(tuple[Metric, ...]):
    """A family's metrics in order; the first is the one that says how good a model is."""

    @property
    def stored(self) -> tuple[str, ...]:
        """Keys of those that are stored; the others are derived from them."""
        return tuple(metric.key for metric in self if metric.of is None)

    @property
    def headline(self) -> Metric:
        """The one that says how good a model is."""
        return self[0]

    def complete(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """All metrics by key, in order, from the stored ones (numbers or arrays)."""
        return {m.key: values[m.key] if m.of is None else m.of(values) for m in self}


@dataclass(frozen=True)
class Capabilities:
    """What a family's models can do; panels ask for what they need.

    Attributes:
        encodes: It has an inference network q(z|x), so that images have a place in the plane.
        has_density: p(x|z) is a density, so that log-likelihoods mean something.
        uses_labels: Its networks see the class y of images, which therefore need labels.
        generates: Codes drawn from p(z) decode to images like those trained on.
        trains: It takes gradient steps; else :meth:`Family.prepare` solves all and there are no players.
        per_image: It keeps something for each image it is trained on, and goes on with these images alone.
        normal_prior: p(z) is N(0, I), of which panels draw circles, shares and quantiles where codes follow it.
        gaussian_posterior: q(z|x) is a diagonal Gaussian or a point, which a mean and a deviation say all of; else
            it has ``at(noise)``, as ``networks.flows.FlowPosterior`` does.
    """

    encodes: bool = True
    has_density: bool = True
    uses_labels: bool = False
    generates: bool = True
    trains: bool = True
    per_image: bool = False
    normal_prior: bool = True
    gaussian_posterior: bool = True

    @property
    def follows_normal(self) -> bool:
        """Whether codes follow N(0, I)."""
        return self.generates and self.normal_prior


@dataclass(frozen=True)
class Batch:
    """What a step trains on.

    Attributes:
        x: Pixels in 0 … 1 as the model sees them, ``(n, C, H, W)``.
        y: Classes, int64 ``(n,)``, or ``None`` where the data have none.
        rows: Which training images these are, int64 ``(n,)``; −1 where they are not trained on.
        generator: Of this run's noise, on the images' device.
        step: Steps taken before this one, for what changes as training goes on.
    """

    x: Tensor
    y: Tensor | None
    rows: Tensor
    generator: torch.Generator | None
    step: int = 0

    def noise(self, *shape: int) -> Tensor:
        """Standard normal draws of a shape, repeatable."""
        import torch

        return torch.randn(*shape, generator=self.generator, device=self.x.device)

    def uniform(self, *shape: int) -> Tensor:
        """Draws from 0 … 1 of a shape, repeatable."""
        import torch

        return torch.rand(*shape, generator=self.generator, device=self.x.device)


@dataclass(frozen=True)
class Objective:
    """What a player's loss answers.

    Attributes:
        loss: What its optimizer descends, 0-d.
        terms: Stored metrics by key, 0-d, means over the batch.
        posterior: q(z|x) of the batch if it was computed on the way: the live plane shows it.
    """

    loss: Tensor
    terms: Mapping[str, Tensor]
    posterior: Distribution | None = None


@dataclass(frozen=True)
class Player(Generic[ConfigT]):
    """One optimizer and what it descends: a VAE has one, a GAN two, an AAE three.

    Attributes:
        name: In files, such as ``"discriminator"``.
        parameters: What its optimizer changes.
        loss: Its objective on a batch, with the settings in force.
        steps: Steps it takes per batch.
        momentum: β1 of Adam. Whoever plays against somebody does better with little of it, as the other's last move
            says little about the next (Radford et al. 2015, section 4).
    """

    name: str
    parameters: Sequence[torch.nn.Parameter]
    loss: Callable[[Batch, ConfigT], Objective]
    steps: int = 1
    momentum: float = 0.9


@dataclass(frozen=True)
class Preset:
    """A named starting point: settings by name that differ from the defaults, and a sentence on what it is."""

    sentence: str
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Page:
    """What the window's help says under "What you see" of a family, as HTML: two short paragraphs and a formula.

    Attributes:
        see: What the plane and the images show, and what to look for there.
        why: What in the objective makes it so, and what to try.
        objective: What training raises or lowers; symbols in ``<i>``, ``<sub>`` and ``<sup>``, a second line after
            ``<br>``.
    """

    see: str = ""
    why: str = ""
    objective: str = ""


class Family(ABC, Generic[ConfigT]):
    """A kind of model: what the registry holds and everything else asks.

    At module level a family's file imports no torch: its methods do, or the networks they use.

    Attributes:
        key: Name in files and flags, such as ``"vae"``.
        title: What a user reads.
        sentence: What it is, in one line for a student.
        source: Paper and year, which comes last.
        kin: The group it stands in, in lists.
        Config: Its settings.
        metrics: Its columns.
        capabilities: What its models can do.
        presets: Named starting points; ``default`` is the plain Config.
        page: What a student reads about what is seen of it.
        class_title: What a user calls the ``y`` that :meth:`class_names` names.
        bounds_given_class: Whether its ELBO is a bound on log p(x|y), how probable an image is given its class.
    """

    key: ClassVar[str]
    title: ClassVar[str]
    sentence: ClassVar[str]
    source: ClassVar[str]
    kin: ClassVar[Kin] = "autoencoder"
    Config: type[ConfigT]
    metrics: ClassVar[Metrics]
    capabilities: ClassVar[Capabilities] = Capabilities()
    presets: ClassVar[Mapping[str, Preset]] = {}
    page: ClassVar[Page] = Page()
    class_title: ClassVar[str] = "Class"
    bounds_given_class: ClassVar[bool] = False

    @abstractmethod
    def build(self, config: ConfigT, data: DataSpec) -> LatentModel:
        """A model with fresh weights, drawn by :meth:`LatentModel.initialize`."""

    def prepare(
        self,
        model: LatentModel,
        images: TrainingImages,
        labels: Tensor | None,
        config: ConfigT,
        generator: torch.Generator,
    ) -> None:
        """Let a fresh model take from the training images what it begins with; called once, without gradients.

        Whatever it takes goes into parameters and buffers, in place.

        Args:
            model: On its device.
            images: Those trained on, there.
            labels: Their classes, int64 ``(n,)``, or ``None`` where the family uses none or the data have none.
            config: The settings.
            generator: For draws, on the CPU, so that every device makes the same.
        """

    @abstractmethod
    def players(self, model: LatentModel, config: ConfigT) -> Sequence[Player[ConfigT]]:
        """Who descends what, in the order of their steps; nobody where the family does not train."""

    @abstractmethod
    def evaluate(
        self, model: LatentModel, batch: Batch, noise: Tensor, config: ConfigT
    ) -> Mapping[str, Tensor]:
        """Stored metrics of held-out images by key, each ``(n,)``; called without gradients, in ``eval()``.

        Args:
            model: The model.
            batch: Held-out images.
            noise: Standard normal, the same at every evaluation, ``(samples, n, latent_dim)``.
            config: The settings in force.
        """

    def sees_labels(self, config: ConfigT) -> bool:
        """Whether training with these settings needs the class of each image; where it does not, there is no ``y``."""
        return self.capabilities.uses_labels

    def class_names(self, config: ConfigT, of_images: Sequence[str]) -> Sequence[str]:
        """What the ``y`` of ``decode`` can be, by name, of which a user chooses one; empty where it has none.

        Args:
            config: The settings.
            of_images: Names of the images' classes, which ``y`` is where the family uses labels.
        """
        return of_images if self.capabilities.uses_labels else ()

    def numpy_form(self, config: ConfigT) -> NumpyForm | None:
        """How NumPy computes these networks, fast enough for the thread that draws; ``None``: torch decodes."""
        return None

    def no_density(self, config: ConfigT) -> str:
        """Why log p(x|z) can't be had of a model with these settings, in a sentence; empty where it can."""
        if self.capabilities.has_density:
            return ""
        return f"{self.title}: it has no likelihood p(x|z), which would say how probable an image is."

    def objective(self, config: ConfigT, terms: Mapping[str, Any]) -> Any:
        """What training raises, of stored metrics (numbers or arrays); the headline, unless a setting weighs terms."""
        best = self.metrics.headline
        value = self.metrics.complete(terms)[best.key]
        return -value if best.better == "lower" else value

    def collapsed(self, config: ConfigT, terms: Mapping[str, Any]) -> bool:
        """Whether the metrics of some steps, arrays, show that codes no longer depend on the images."""
        return False

    def symptoms(self, config: ConfigT, terms: Mapping[str, float], step: int) -> Sequence[Symptom]:
        """What these stored metrics, means over steps up to ``step``, show to be wrong; mostly nothing."""
        return ()

    def suspect(self, config: ConfigT) -> str:
        """Name of a setting so large that it may be why training makes no sense, or nothing: the learning rate is."""
        return ""

    def derived(
        self, config: ConfigT, image: ImageSpec, held_out: Mapping[str, float]
    ) -> Mapping[str, float]:
        """Further held-out figures by key, of metrics; they mean something under some settings only."""
        return {}

    def protocol(self, config: ConfigT, pixels: str) -> str:
        """What the figures are a density or an error of, given what the pixels are, such as ``grey levels``."""
        return pixels
