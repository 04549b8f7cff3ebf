"""Maximum likelihood, with the integral over z computed: Bishop, Svensén & Williams, "GTM" (1998).

The generative topographic mapping, with a deep decoder for their linear one, and codes drawn anew at each step for
their fixed grid, which a deep decoder would learn to serve alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from vaeviewer.backend.models.bound import ELBO, KL, NATS, RECONSTRUCTION, DensityFamily
from vaeviewer.backend.models.families.vae import elbo_terms
from vaeviewer.backend.models.fields import LIVE, ImageNetworks, PixelLikelihood
from vaeviewer.backend.models.fixed import fixed
from vaeviewer.backend.models.interface import (
    Batch,
    DataSpec,
    Metric,
    Metrics,
    Objective,
    Page,
    Player,
    Preset,
)
from vaeviewer.backend.models.networks.numpy_mlp import MlpForm, WavesForm

if TYPE_CHECKING:
    from torch import Tensor

    from vaeviewer.backend.models.latent_model import LatentModel

FINER = 4
"""Images are judged by so many times the codes of a step, always the same ones …"""

MOST_DECODED = 2**26
"""… whose decoded images have at most so many numbers in all, but as many codes as a step has."""

NEAR, FAR = 0.02, 0.05
"""Distances in z between which images are to be alike, and between which they are compared."""

PAIRED = 4
"""One in so many codes has a neighbour to be compared with."""

LOG_PX = Metric(
    "log_px",
    "log p(x)",
    NATS,
    better="higher",
    help="The evidence: the logarithm of the mean of p(x|z) over codes spread evenly under p(z). Training raises it. "
    "With few codes it comes out a little low.",
    plot="objective",
    loss_title="Loss (−log p(x))",
)
GAP = Metric(
    "gap",
    "KL(q‖p)",
    NATS,
    better="lower",
    help="log p(x) − ELBO: how far the inference network's q(z|x) is from the posterior p(z|x). What a VAE would lose.",
    plot="gap",
    of=lambda terms: terms["log_px"] - terms["reconstruction"] + terms["kl"],
)


class ExactConfig(PixelLikelihood, ImageNetworks):
    """Settings of exact maximum likelihood."""

    family: Literal["exact"] = "exact"
    latent_dim: int = Field(
        2,
        ge=1,
        le=2,
        title="Latent dimension",
        description="Numbers in z. The codes have to be so dense that some lie within every posterior p(z|x): a "
        "hundred for each number of z make 10,000 in two dimensions and a million in three. So two at most.",
    )
    likelihood: Literal["bernoulli", "gaussian"] = Field(
        "bernoulli",
        title="Likelihood",
        description="p(x|z) of a pixel's values. Bernoulli with probability sigmoid(f(z)), or Gaussian with mean "
        "sigmoid(f(z)): both are exponential families, so that all images meet all codes in one matrix product.",
    )
    codes: int = Field(
        1024,
        ge=16,
        le=16_384,
        title="Codes per step",
        description="How many z the evidence is averaged over, drawn anew at each step and shared by all images of the "
        "batch. A posterior narrower than the space between codes is often missed, which training avoids: fewer "
        "codes, smoother pictures.",
        json_schema_extra=LIVE,
    )
    smoothness: float = Field(
        0.0,
        ge=0.0,
        le=1000.0,
        title="Smoothness",
        description="λ: training raises log p(x) − λ · KL(p(x|z) ‖ p(x|z′)) with z′ a step of 0.02 from z. At 0 it is "
        "the likelihood alone, which is bought by folding the plane until neighbours differ.",
        json_schema_extra=LIVE,
    )
    waves: int = Field(
        64,
        ge=0,
        le=1024,
        title="Waves of z",
        description="The decoder sees so many sines and cosines of z beside z itself (Tancik et al. 2020): with them "
        "it can change within a short way in the plane; 0: z alone.",
    )
    wave_scale: float = Field(
        1.0,
        gt=0.0,
        le=100.0,
        title="Scale of waves",
        description="Deviation of the waves' frequencies, in radians per unit of z. The larger it is, the more images "
        "the plane holds, and the less neighbours resemble each other.",
    )


class ExactLikelihood(DensityFamily[ExactConfig]):
    """A decoder that learns by EM over codes, and an inference network that learns what came out."""

    key = "exact"
    title = "Exact maximum likelihood"
    sentence = "With two numbers in z the evidence can be computed: nothing is approximated."
    source = "Bishop, Svensén & Williams 1998"
    kin = "variational"
    Config = ExactConfig
    metrics = Metrics((LOG_PX, ELBO, RECONSTRUCTION, KL, GAP))
    presets = {  # noqa: RUF012  # read only, as the interface says
        "smooth": Preset(
            "A plane that is held smooth, so that a higher log p(x) is not bought by tearing it.",
            {"codes": 512, "smoothness": 8.0},
        ),
        "binarised": Preset(
            "Smooth, for all 60,000 images of MNIST, binarised: batches of 512 make the most of each step's codes.",
            {"batch_size": 512, "protocol": "dynamic", "epochs": 30, "codes": 512, "smoothness": 8.0},
        ),
        "grid": Preset(
            "Few codes and no waves: as coarse as the grids of Bishop et al. (1998), and a calmer plane.",
            {"codes": 256, "waves": 0},
        ),
    }
    page = Page(
        see="No cloud <i>q</i>(<i>z</i>|<i>x</i>) takes part in what the decoder learns. The plane is used as images "
        "need it: classes lie in many places, neighbours change within a short way, and log <i>p</i>(<i>x</i>) comes "
        "out higher than a VAE's. Points and ellipses are of an inference network that learns beside it, and has a "
        "hard time: often an image has several good places, of which it finds one.",
        why="In a VAE the decoder is made for what the encoder can say: the ELBO is log <i>p</i>(<i>x</i>) less "
        "KL( <i>q</i> ‖ <i>p</i>(<i>z</i>|<i>x</i>) ), so posteriors that a Gaussian fits are paid for with evidence. "
        "Here nothing is paid, and the curve KL(q‖p) shows what was. A higher log <i>p</i>(<i>x</i>) is no better "
        "plane: raise the scale of the waves and watch the likelihood rise while the images tear.",
        objective="max &nbsp;log <i>p</i>(<i>x</i>) ≈ log <sup>1</sup>⁄<sub><i>M</i></sub> Σ<sub><i>m</i></sub> "
        "<i>p</i>(<i>x</i>|<i>z<sub>m</sub></i>), &nbsp; <i>z</i><sub>1</sub> … <i>z<sub>M</sub></i> spread over "
        "<i>p</i>(<i>z</i>) <br>and beside it &nbsp;max ELBO over <i>q</i> alone",
    )

    def build(self, config: ExactConfig, data: DataSpec) -> LatentModel:
        """A VAE's networks, but for the waves."""
        from vaeviewer.backend.models.likelihoods import build_likelihood
        from vaeviewer.backend.models.networks.wave_autoencoder import WaveAutoencoder
        from vaeviewer.backend.models.networks.waves import Waves

        waves = Waves(config.latent_dim, config.waves, config.wave_scale)
        return WaveAutoencoder(config, data.image, build_likelihood(config), waves)

    def players(self, model: LatentModel, config: ExactConfig) -> Sequence[Player[ExactConfig]]:
        """The generative network raises log p(x); then the inference network the ELBO, under what that learned."""
        from vaeviewer.backend.models.latent_model import Autoencoder
        from vaeviewer.backend.models.networks.evidence import mixture_of, spread_codes

        assert isinstance(model, Autoencoder), "this family builds one"

        def generation(batch: Batch, config: ExactConfig) -> Objective:
            z = spread_codes(config.codes, batch.uniform(config.latent_dim).to(batch.x.dtype))
            mixture = mixture_of(model.decode(z))
            log_px, weights = mixture.infer(batch.x)
            expected = mixture.expected(batch.x, weights)
            rough = roughness(model, z[::PAIRED], batch) if config.smoothness else 0.0
            # Its value is that of log p(x), its gradient that of the expectation: the same, by Fisher's identity.
            mean = log_px.mean()
            loss = config.smoothness * rough - (mean + expected - expected.detach())
            return Objective(loss, {"log_px": mean})

        def inference(batch: Batch, config: ExactConfig) -> Objective:
            with fixed(model.decoder, model.likelihood):
                terms, q = elbo_terms(model, batch.x, batch.noise(1, len(batch.x), config.latent_dim))
            means = {key: values.mean() for key, values in terms.items()}
            return Objective(means["kl"] - means["reconstruction"], means, q)

        generative = [*model.decoder.parameters(), *model.likelihood.parameters()]
        return [
            Player("generation", generative, generation),
            Player("inference", list(model.encoder.parameters()), inference),
        ]

    def evaluate(
        self, model: LatentModel, batch: Batch, noise: Tensor, config: ExactConfig
    ) -> Mapping[str, Tensor]:
        """Log p(x) over more codes than a step has, which stay the same, and the inference network's ELBO."""
        import torch

        from vaeviewer.backend.models.networks.evidence import mixture_of, spread_codes

        few_enough = min(FINER * config.codes, MOST_DECODED // batch.x[0].numel())
        count = max(config.codes, few_enough)
        z = spread_codes(count, torch.full((config.latent_dim,), 0.5 / count).to(batch.x))
        log_px, _ = mixture_of(model.decode(z)).infer(batch.x)
        return {"log_px": log_px, **elbo_terms(model, batch.x, noise)[0]}

    def numpy_form(self, config: ExactConfig) -> MlpForm | None:
        """Where it is fully connected NumPy decodes."""
        return WavesForm(config.activation) if config.network == "mlp" else None


def roughness(model: LatentModel, z: Tensor, batch: Batch) -> Tensor:
    """KL(p(x|z) ‖ p(x|z′)) in nats, 0-d, a mean over codes ``(m, latent_dim)`` and z′ 0.02 from them anywhere around.

    Computed farther away, where rounding to bfloat16 counts less, and scaled: near z it grows with ‖z − z′‖².
    """
    from vaeviewer.backend.models.likelihoods import divergence

    step = batch.noise(*z.shape).to(z.dtype)
    step = step * (FAR / step.norm(dim=1, keepdim=True))
    return divergence(model.decode(z), model.decode(z + step)).mean() * (NEAR / FAR) ** 2


FAMILY = ExactLikelihood()
