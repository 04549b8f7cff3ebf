"""What kinds of model with a bound on log p(x) share: its terms, β, what their figures mean. Imports no torch."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

from vaeviewer.backend.models.fields import ElboObjective, PixelLikelihood
from vaeviewer.backend.models.interface import Family, ImageSpec, Metric, Metrics
from vaeviewer.backend.models.symptoms import Symptom, Trouble
from vaeviewer.counts import number

DensityT = TypeVar("DensityT", bound=PixelLikelihood)
ElboT = TypeVar("ElboT", bound=ElboObjective)

NATS = "nats per image"

COLLAPSED_KL = 0.05
"""A posterior has collapsed when the median KL of many steps is below this, in nats per image: nothing that could tell
images apart …"""

LARGE_BETA = 10.0
"""… and β is so large that it is the likely reason. Below it a small KL has other ones, such as few images."""

NEAR_ZERO_KL = 0.1
"""KL, in nats per image, below which q(z|x) hardly depends on x, whatever the reason."""

FAR_KL = 10.0
"""KL, in nats for each number of z, above which codes have left the prior: means lie three of its deviations away."""

USUAL_WARM_UP = 2_000
"""Steps over which β may rise where a posterior has collapsed without one that is large."""

ELBO = Metric(
    "elbo",
    "ELBO",
    NATS,
    better="higher",
    help="Evidence lower bound: reconstruction − KL, at most log p(x). Training raises it.",
    plot="objective",
    loss_title="Loss (−ELBO)",
    of=lambda terms: terms["reconstruction"] - terms["kl"],
)
RECONSTRUCTION = Metric(
    "reconstruction",
    "Reconstruction",
    NATS,
    better="higher",
    help="E_q[log p(x|z)]: how well z drawn from the posterior decodes to the image, summed over pixels.",
    plot="objective",
    loss_title="Reconstruction error",
)
KL = Metric(
    "kl",
    "KL",
    NATS,
    help="KL(q(z|x) ‖ p(z)): how far the posterior is from the prior, what an image's place in the plane costs.",
    plot="kl",
)


def kl_symptoms(kl: float, latent_dim: int, *, beta: float, warmed: bool | None) -> Sequence[Symptom]:
    """What a mean KL(q(z|x) ‖ p(z)) says of a model that has trained for a while.

    Args:
        kl: Nats per image.
        latent_dim: Numbers in z.
        beta: Its weight in the objective.
        warmed: Whether that weight rose from 0; ``None`` where the family has no such setting.
    """
    if kl < NEAR_ZERO_KL:
        if beta > 1.0:
            why, changes = (
                f"β = {beta:g} weighs the KL so much that q(z|x) says nothing of the image",
                {"beta": 1.0},
            )
        else:
            why, changes = (
                "q(z|x) says nothing of the image",
                {"warm_up": USUAL_WARM_UP} if warmed is False else {},
            )
        sentence = f"{why}: the KL is {kl:.3f} nats per image (posterior collapse)."
        title = "KL near zero: posterior collapse — q(z|x) ignores x"
        return (Symptom(Trouble.COLLAPSED, title, sentence, changes),)
    if kl > FAR_KL * latent_dim:
        sentence = (
            f"the KL has grown to {number(kl, 0)} nats per image, {number(kl / latent_dim, 0)} for each number of z: "
            "codes lie far outside the prior, and what is drawn from there is no image."
        )
        title = f"KL of {number(kl, 0)} nats: codes have left the prior"
        return (Symptom(Trouble.KL, title, sentence, {"beta": 1.0} if beta < 1.0 else {}),)
    return ()


class DensityFamily(Family[DensityT]):
    """A kind of model whose pixels have a likelihood p(x|z) of the user's choice."""

    def derived(
        self, config: DensityT, image: ImageSpec, held_out: Mapping[str, float]
    ) -> Mapping[str, float]:
        """Bits per dimension, where pixels have probabilities of bytes."""
        if config.likelihood != "logistic":
            return {}
        return {"bits_per_dim": -held_out[self.metrics.headline.key] / (image.values * math.log(2.0))}

    def protocol(self, config: DensityT, pixels: str) -> str:
        """Whether pixels have probabilities or a density."""
        if config.likelihood == "gaussian":
            return f"{pixels}, Gaussian density"
        if config.likelihood == "logistic":
            return f"{pixels}, discretised logistic"
        return f"{pixels} as Bernoulli probabilities" if pixels == "grey levels" else pixels


class ElboFamily(DensityFamily[ElboT]):
    """A kind of model that training makes better by raising reconstruction − β·KL."""

    metrics = Metrics((ELBO, RECONSTRUCTION, KL))

    def objective(self, config: ElboT, terms: Mapping[str, Any]) -> Any:
        """Reconstruction − β·KL; a β that warms up counts as 1 at most, as the KL may be large while it is free."""
        beta = min(config.beta, 1.0) if config.warm_up else config.beta
        return terms["reconstruction"] - beta * terms["kl"]

    def collapsed(self, config: ElboT, terms: Mapping[str, Any]) -> bool:
        """Whether a large β has made the posterior the prior."""
        return config.beta >= LARGE_BETA and bool(np.median(terms["kl"]) < COLLAPSED_KL)

    def symptoms(self, config: ElboT, terms: Mapping[str, float], step: int) -> Sequence[Symptom]:
        """Posterior collapse, whatever the reason, and codes that left the prior."""
        if config.beta_at(step) < config.beta:  # while it warms up, the KL is anything
            return ()
        return kl_symptoms(terms["kl"], config.latent_dim, beta=config.beta, warmed=bool(config.warm_up))

    def suspect(self, config: ElboT) -> str:
        """β, where it is large."""
        return "beta" if config.beta >= LARGE_BETA else ""
