"""The networks of a generative adversarial network."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.distributions import Distribution, Independent
from torch.nn.utils import parametrizations

from vaeviewer.backend.models.fields import at_most
from vaeviewer.backend.models.interface import ImageSpec
from vaeviewer.backend.models.latent_model import LatentModel
from vaeviewer.backend.models.likelihoods import BernoulliPixels
from vaeviewer.backend.models.networks.average import as_buffers, follow
from vaeviewer.backend.models.networks.choice import generative_network, inference_network
from vaeviewer.backend.models.networks.waves import Waves

if TYPE_CHECKING:
    from vaeviewer.backend.models.families.gan import GameConfig

MOST_DRAWN = 128
"""Among so many generated images the nearest is looked for."""


class GanNetworks(LatentModel):
    """A generator, the running average of its weights, which draws what one sees, and a discriminator.

    Args:
        config: Which networks.
        image: Size of the images.
        waves: What the generator sees of z; ``None``: z itself.
        spectral_norm: Whether the discriminator's weights are divided by their largest singular value.
        categories: Of how many categories the generator sees which one y is, one-hot; 0: it sees none.
        outputs: Numbers the discriminator says beside its logit.

    Attributes:
        categories: As given.
        waves: As given; both generators have the same.
        generator: From what it sees to pixels' logits; the one that learns.
        decoder: Its average, of buffers.
        discriminator: Images to a logit and the other outputs, ``(n, 1 + outputs)``.
    """

    def __init__(
        self,
        config: GameConfig,
        image: ImageSpec,
        *,
        waves: Waves | None = None,
        spectral_norm: bool = False,
        categories: int = 0,
        outputs: int = 0,
    ) -> None:
        super().__init__(config.latent_dim)
        self.categories = categories
        # Normalised over a batch, D(x) would depend on the other images: no penalty on its gradient has a meaning there
        # (Gulrajani et al. 2017, section 4).
        plain = config.model_copy(update={"normalisation": "none"})
        self.waves = waves
        inputs = (waves.outputs if waves else config.latent_dim) + categories
        self.generator = generative_network(config, image, inputs)
        self.decoder = as_buffers(generative_network(config, image, inputs))
        self.discriminator = inference_network(plain, image, 1 + outputs)
        if spectral_norm:
            for layer in self.discriminator.modules():
                if isinstance(layer, (nn.Linear, nn.Conv2d)):
                    parametrizations.spectral_norm(layer)
        self.pixels = BernoulliPixels()

    def judge(self, x: Tensor) -> Tensor:
        """The discriminator's logits, ``(n, 1)``, that images ``(n, C, H, W)`` are real."""
        found: Tensor = self.discriminator(x)
        return found[:, :1]

    def generate(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """Images ``(n, C, H, W)`` by the generator that learns, from z ``(n, latent_dim)`` and categories ``(n,)``."""
        return _in_float32(self.generator(self._seen(z, y))).sigmoid()

    def decode(self, z: Tensor, y: Tensor | None = None) -> Distribution:
        """Images by the average, as probabilities."""
        return Independent(self.pixels(_in_float32(self.decoder(self._seen(z, y)))), 3, validate_args=False)

    def _seen(self, z: Tensor, y: Tensor | None) -> Tensor:
        seen: Tensor = self.waves(z) if self.waves else z
        if not self.categories:
            return seen
        if y is None:
            raise ValueError("these networks need the category y")
        one_hot = nn.functional.one_hot(y, self.categories).to(seen)
        return torch.cat([seen, one_hot.expand(*z.shape[:-1], self.categories)], -1)

    def initialize(self, generator: torch.Generator) -> None:
        """Draw weights; the average begins as the generator does.

        Of a layer that is spectrally normalised the drawn weight is a product that nothing keeps: it stays as it was
        built, which differs by a factor that the normalisation takes out.
        """
        super().initialize(generator)
        self.decoder.load_state_dict(self.generator.state_dict())

    def train(self, mode: bool = True) -> GanNetworks:
        """Batch normalisation of the average never sees batches: its statistics are the generator's."""
        super().train(mode)
        self.decoder.eval()
        return self


# It would be compiled anew for each step.
@torch.compiler.disable  # type: ignore[untyped-decorator]
def follow_generator(model: GanNetworks, averaging: float, step: int) -> None:
    """Let the average move towards the generator, of which it keeps the share ``averaging``, less at first.

    A run begins with a shorter memory, as its first weights are worth nothing.
    """
    follow(model.decoder, model.generator, at_most((1 + step) / (10 + step), averaging))


def nearest(x: Tensor, drawn: Tensor) -> Tensor:
    """Squared distance of each image to the nearest of some drawn ones, ``(n,)``."""
    a, b = x.flatten(1), drawn[:MOST_DRAWN].flatten(1)
    squares = a.square().sum(1, keepdim=True) - 2.0 * a @ b.T + b.square().sum(1)
    return squares.min(1).values.clamp(min=0.0)


def _in_float32(outputs: Tensor) -> Tensor:
    return outputs.float() if outputs.dtype == torch.bfloat16 else outputs
