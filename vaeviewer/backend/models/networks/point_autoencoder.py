"""An autoencoder of which each image's code is a point, with the choices that its kin have."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.distributions import Distribution, Independent
from torch.nn import functional

from vaeviewer.backend.models.fields import ImageNetworks
from vaeviewer.backend.models.interface import ImageSpec
from vaeviewer.backend.models.latent_model import LatentModel, Point
from vaeviewer.backend.models.likelihoods import Likelihood
from vaeviewer.backend.models.networks.choice import generative_network, inference_network
from vaeviewer.backend.models.networks.mlp import ACTIVATIONS, GAINS, OUTPUT_GAIN, MlpEncoder, in_float32


class PointAutoencoder(LatentModel):
    """z = f(x) and p(x|z) with mean g(z).

    Args:
        config: Which networks, and the latent dimension.
        image: Size of the images.
        likelihood: What the decoder's outputs mean.
        decoder_hidden: Hidden layers of the decoder from z outwards; none: the encoder's, mirrored.
        code: What the encoder's outputs go through to become the code, a name in ``ACTIVATIONS``.
        code_bias: Where the biases before that start, unless it is ``linear``.
        tied: Whether a fully connected decoder has the encoder's weights, transposed.
    """

    def __init__(
        self,
        config: ImageNetworks,
        image: ImageSpec,
        likelihood: Likelihood,
        *,
        decoder_hidden: Sequence[int] = (),
        code: str = "linear",
        code_bias: float = 0.0,
        tied: bool = False,
    ) -> None:
        super().__init__(config.latent_dim)
        self._code, self._code_bias = code, code_bias
        self.encoder = inference_network(config, image, config.latent_dim)
        self.decoder: nn.Module
        if tied:
            self.decoder = TiedDecoder(self.encoder, image)
        else:
            hidden = tuple(reversed(decoder_hidden)) or config.hidden
            mirrored = config.model_copy(update={"hidden": hidden})
            self.decoder = generative_network(mirrored, image, config.latent_dim)
        self.likelihood = likelihood

    def initialize(self, generator: torch.Generator) -> None:
        """Draw new weights; those of a code that goes through something so that they vary as hidden units do."""
        super().initialize(generator)
        if self._code != "linear":
            *_, last = (module for module in self.encoder.modules() if isinstance(module, nn.Linear))
            with torch.no_grad():
                last.weight.mul_(GAINS[self._code] / OUTPUT_GAIN)
                last.bias.fill_(self._code_bias)

    def code_of(self, x: Tensor) -> Tensor:
        """f(x) of images ``(n, C, H, W)``, ``(n, latent_dim)``."""
        return ACTIVATIONS[self._code](self.encoder(x))

    def encode(self, x: Tensor, y: Tensor | None = None) -> Point:
        """The code, as a distribution all at one place."""
        return Point(self.code_of(x))

    def decode(self, z: Tensor, y: Tensor | None = None) -> Distribution:
        """p(x|z), pixels independent given z."""
        outputs = self.decoder(z)
        if outputs.dtype == torch.bfloat16:  # of autocast: errors are summed over pixels in float32
            outputs = outputs.float()
        return Independent(self.likelihood(outputs), 3, validate_args=False)


class TiedDecoder(nn.Module):
    """The mirror of a fully connected encoder, with its weights transposed and biases of its own.

    Args:
        encoder: Whose weights they are; they stay its own and are not in this module's ``state_dict``.
        image: Size of the images.
    """

    def __init__(self, encoder: nn.Module, image: ImageSpec) -> None:
        assert isinstance(encoder, MlpEncoder), "only fully connected networks can be tied"
        super().__init__()
        self._encoder = (encoder,)  # in a tuple, so that it is no part of this module
        self._shape = (image.height, image.width, image.channels)
        self.biases = nn.ParameterList(torch.zeros(weight.shape[1]) for weight in self._weights())

    def _weights(self) -> list[Tensor]:
        """Of the layers from z outwards, each ``(inputs, outputs)``."""
        return [layer.weight for layer in reversed(self._encoder[0]) if isinstance(layer, nn.Linear)]

    def forward(self, z: Tensor) -> Tensor:
        """Outputs ``(..., C, H, W)`` for ``(..., latent_dim)``."""
        (first, *others), (bias, *biases) = self._weights(), self.biases
        # What touches z is float32 always, so that codes are never rounded.
        x = in_float32(lambda z: functional.linear(z, first.t(), bias), z)
        activate = ACTIVATIONS[self._encoder[0].activation]
        for weight, bias in zip(others, biases, strict=True):
            x = functional.linear(activate(x), weight.t(), bias)
        return x.reshape(*z.shape[:-1], *self._shape).movedim(-1, -3)

    @torch.no_grad()
    def initialize(self, generator: torch.Generator) -> None:
        """Draw biases as :meth:`MLP.initialize` does."""
        for weight, bias in zip(self._weights(), self.biases, strict=True):
            spread = 1.0 / math.sqrt(weight.shape[0])
            bias.uniform_(-spread, spread, generator=generator)
