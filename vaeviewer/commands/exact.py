"""``vaeviewer evaluate --exact``: log p(x) of held-out images, and what the ELBO falls short of it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from vaeviewer.analysis.smoothness import DISTANCE, smoothness
from vaeviewer.commands.progress import share_bar
from vaeviewer.counts import counted
from vaeviewer.errors import NoDensityError

if TYPE_CHECKING:
    from vaeviewer.backend.config import Settings
    from vaeviewer.backend.data.base import ImageDataset
    from vaeviewer.backend.runs.folder import Run
    from vaeviewer.backend.snapshot import Snapshot

Answer = TypeVar("Answer")

FEW_SAMPLES, MANY_SAMPLES = 100, 1_000
"""Codes drawn for each image by importance weighting: beside the exact value, and where there is none."""


def require_density(run: Run) -> None:
    """Refuse a run of which log p(x) can't be had, before anything is computed.

    Raises:
        NoDensityError: Its model has no density, or no prior.
    """
    family = run.settings.family
    if reason := family.no_density(run.settings.model):
        raise NoDensityError(reason)
    run.checkpoint.snapshot.log_prior(np.zeros((1, run.settings.model.latent_dim), np.float32))


def exact(
    snapshot: Snapshot, settings: Settings, dataset: ImageDataset, elbo: float | None, *, annealed: bool
) -> dict[str, Any]:
    """Log p(x) averaged over the held-out images, as the model's protocol binarises them for its other figures.

    Args:
        snapshot: The model.
        settings: Of its run, at the end.
        dataset: Its held-out images are meant.
        elbo: Their ELBO, where the family has one.
        annealed: Whether annealed importance sampling estimates it, too.

    Returns:
        What the command's JSON adds. ``log_px``, ``log_px_error`` and ``gap`` are ``None`` with more than two latent
        dimensions.

    Raises:
        NoDensityError: The model has no density, or no prior.
    """
    import torch
    from threadpoolctl import threadpool_limits

    from vaeviewer.analysis.annealed import CHAINS, DISTRIBUTIONS, annealed_in_steps
    from vaeviewer.analysis.evidence import MOST_DIMENSIONS, evidence_in_steps
    from vaeviewer.analysis.importance import importance_in_steps
    from vaeviewer.backend.training.evaluation import HeldOutImages
    from vaeviewer.native.cores import available_cores

    images = HeldOutImages(dataset, settings, torch.device("cpu")).images
    given = snapshot.family.bounds_given_class
    y = dataset.held_out_labels if given else None
    few = snapshot.model.latent_dim <= MOST_DIMENSIONS
    found: dict[str, Any] = {
        "log_px": None,
        "log_px_error": None,
        "elbo": elbo,
        "gap": None,
        "given_class": given,
    }
    began = time.perf_counter()
    if few:
        by_hand = snapshot.density_form is not None
        # Products are small: threads that share one would wait for each other longer than they compute.
        with threadpool_limits(limits=1, user_api="blas"):
            steps = evidence_in_steps(snapshot, images, y, workers=available_cores() if by_hand else 1)
            log_px = _last(steps, "log p(x)")
        found |= {"log_px": float(log_px.log_px.mean()), "log_px_error": float(log_px.error.mean())}
        found["gap"] = None if elbo is None else found["log_px"] - elbo
    found["seconds"] = time.perf_counter() - began
    found["smoothness"] = _smoothness(snapshot)
    sees = snapshot.family.capabilities.uses_labels
    if snapshot.family.capabilities.encodes and (given or not sees):
        samples = FEW_SAMPLES if few else MANY_SAMPLES
        weighted = _last(importance_in_steps(snapshot, images, samples, y), "importance weighting")
        found["importance"] = {"samples": samples, "log_px": float(weighted.mean())}
    if annealed and (given or not sees):
        estimates = _last(annealed_in_steps(snapshot, images, y), "annealed importance sampling")
        found["annealed"] = {
            "chains": CHAINS,
            "distributions": DISTRIBUTIONS,
            "log_px": float(estimates.mean()),
        }
    return found


def exact_lines(found: dict[str, Any], protocol: str) -> list[str]:
    """The same in words."""
    what = "log p(x|y)" if found["given_class"] else "log p(x)"
    lines = []
    if found["log_px"] is not None:
        gap = "" if found["gap"] is None else f", {found['gap']:.2f} above the ELBO: KL(q(z|x) ‖ p(z|x))"
        lines.append(
            f"{what} {found['log_px']:.3f} ± {found['log_px_error']:.3f} nats per image by quadrature ({protocol})"
            f"{gap}; {found['seconds']:.1f} s"
        )
    if found["smoothness"] is not None:
        lines.append(
            f"smoothness {found['smoothness']:.2f} nats, the median KL between images decoded {DISTANCE:g} apart in z: "
            "log p(x) can be bought by folding the plane"
        )
    if "importance" in found:
        by = found["importance"]
        lines.append(
            f"{what} {by['log_px']:.2f} nats per image by importance weighting, {counted(by['samples'], 'sample')} each"
        )
    if "annealed" in found:
        by = found["annealed"]
        lines.append(
            f"{what} {by['log_px']:.2f} nats per image by annealed importance sampling, {by['chains']} chains through "
            f"{by['distributions']} distributions"
        )
    return lines


def _smoothness(snapshot: Snapshot) -> float | None:
    """``None`` where the divergence of two pixels' distributions has no closed form."""
    try:
        return smoothness(snapshot)
    except NoDensityError:
        return None


def _last(steps: Iterator[float | Answer], title: str) -> Answer:
    """What the steps yield at last, with a bar meanwhile."""
    with share_bar(title) as show:
        for step in steps:
            if not isinstance(step, float):
                return step
            show(step)
    raise AssertionError("steps end with an answer")
