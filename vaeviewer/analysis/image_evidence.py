"""log p(x) of every image by quadrature and what its ELBO falls short of that: for the ledger, beside the metrics."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vaeviewer.analysis.evidence import MOST_DIMENSIONS, Evidence, evidence_in_steps
from vaeviewer.analysis.gaps import standard_nodes
from vaeviewer.backend.chunks import parts, rows_at_once
from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.backend.models.bound import NATS
from vaeviewer.backend.models.interface import Metric
from vaeviewer.backend.snapshot import Snapshot

if TYPE_CHECKING:
    from torch import Tensor

    from vaeviewer.backend.models.latent_model import LatentModel

AT_ONCE = {True: 10_000, False: 2_500}
"""Images that share points, where a drag does not wait for a step of theirs, and where it does."""

MOST_QUICK = 20_000 * 28 * 28
"""Pixels of all images, for each class that is summed over, whose log p(x) takes a minute at most on one core."""

NODES = 4
"""Along each axis of the quadrature that takes the ELBO's expectation under q(z|x). Of 1,000 held-out MNIST digits it
is off by 0.0002 nats on average and by 0.03 at most; with 3 nodes by 0.001 and 0.18."""

CODES = {True: 2048, False: 256}
"""Decoded at a time for it, likewise."""

LOG_PX = Metric(
    "exact_log_px",
    "log p(x)",
    NATS,
    better="higher",
    help="The evidence log ∫ p(x|z) p(z) dz by quadrature, right to about 0.01 nats.",
)
GAP = Metric(
    "exact_gap",
    "Gap",
    NATS,
    better="lower",
    help="KL(q(z|x) ‖ p(z|x)) = log p(x) − ELBO: what q costs. This ELBO is the mean over q, right to about 0.05 nats, "
    "where the other columns have one draw of z.",
)


def why_no_evidence(snapshot: Snapshot) -> str:
    """Why log p(x) of all images can't be had, one sentence; empty where it can."""
    family, d = snapshot.family, snapshot.model.latent_dim
    if reason := family.no_density(snapshot.model):
        return reason
    if not family.capabilities.generates:
        return f"{family.title}: its codes have no prior p(z)."
    if d > MOST_DIMENSIONS:
        return f"With {d} latent dimensions log p(x) is an integral over as many numbers: quadrature takes one or two."
    return ""


def why_no_gap(snapshot: Snapshot) -> str:
    """Why there is no gap beside log p(x), one sentence; empty where there is."""
    can = snapshot.family.capabilities
    if not can.gaussian_posterior or (can.uses_labels and not snapshot.family.bounds_given_class):
        return "There is no gap: q(z|x) is no Gaussian here."
    return ""


def is_quick(snapshot: Snapshot, images: int) -> bool:
    """Whether log p(x) of so many images takes a minute at most, and not many."""
    if snapshot.density_form is None:  # torch decodes, at each code a hundred times as long
        return False
    summed = snapshot.family.capabilities.uses_labels and not snapshot.family.bounds_given_class
    return images * snapshot.image.values * (snapshot.data.classes if summed else 1) <= MOST_QUICK


def evidence_metrics(snapshot: Snapshot) -> tuple[Metric, ...]:
    """What :func:`evidence_of_images` finds of a model: log p(x) and the gap, the former alone, or nothing."""
    if why_no_evidence(snapshot):
        return ()
    log_px, family = LOG_PX, snapshot.family
    if family.bounds_given_class:
        log_px = replace(log_px, title="log p(x|y)", help=log_px.help.replace("p(x|z)", "p(x|z, y)"))
    if any(metric.title == log_px.title for metric in family.metrics):
        log_px = replace(log_px, title=f"{log_px.title} by quadrature")
    if reason := why_no_gap(snapshot):
        return (replace(log_px, help=f"{log_px.help} {reason}"),)
    return (log_px, GAP)


def evidence_of_images(
    snapshot: Snapshot, dataset: ImageDataset, workers: Callable[[], int] = lambda: 1
) -> Iterator[float | Mapping[str, NDArray[np.float32]]]:
    """Log p(x) and the gap of each image trained on and of each held out, in small steps.

    Images are those that the family's metrics by image are of: a dynamic protocol has binarised them by the same draws.

    Args:
        snapshot: The model, for which :func:`why_no_evidence` has no reason.
        dataset: The images, as it was trained on.
        workers: Threads, asked from time to time.

    Yields:
        About the share done, 0 … 1; at last the numbers by the keys of :func:`evidence_metrics`, each ``(n + m,)``,
        those trained on first.
    """
    from vaeviewer.backend.training.evaluation import levels_by_image  # torch

    total = len(dataset.train_images) + len(dataset.held_out_images)
    found = {metric.key: np.empty(total, np.float32) for metric in evidence_metrics(snapshot)}
    of_evidence = 0.85 if GAP.key in found else 1.0  # share of the time
    start = 0
    for held_out in (False, True):
        labels = dataset.held_out_labels if held_out else dataset.train_labels
        for part, levels in levels_by_image(snapshot, dataset, AT_ONCE[snapshot.instant], held_out=held_out):
            count, y = len(levels), labels[part]
            images = levels.permute(0, 2, 3, 1).numpy().reshape(count, *snapshot.image_shape)
            given = y if snapshot.family.bounds_given_class else None
            for step in evidence_in_steps(snapshot, images, given, workers=_threads(snapshot, workers)):
                if isinstance(step, Evidence):
                    log_px = step.log_px
                else:
                    yield (start + of_evidence * step * count) / total
            found[LOG_PX.key][start : start + count] = log_px
            if GAP.key in found:
                rows = None if held_out else np.arange(part.start, part.stop)
                for some, elbo in _elbos(snapshot, levels, y, rows):
                    there = slice(start + some.start, start + some.start + len(elbo))
                    found[GAP.key][there] = log_px[some] - elbo
                    yield (start + of_evidence * count + (1 - of_evidence) * some.start) / total
            start += count
    yield found


def _threads(snapshot: Snapshot, workers: Callable[[], int]) -> int:
    return workers() if snapshot.density_form is not None else 1  # torch's own would come between


def _elbos(
    snapshot: Snapshot, levels: Tensor, y: NDArray[np.int64], rows: NDArray[np.int64] | None
) -> Iterator[tuple[slice, NDArray[np.float64]]]:
    """The ELBO of images of these grey levels, of some at a time; ``rows`` are those trained on."""
    import torch

    from vaeviewer.backend.data.pixels import to_unit
    from vaeviewer.backend.models.latent_model import ask

    nodes, weights = standard_nodes(snapshot.model.latent_dim, NODES)
    codes = min(CODES[snapshot.instant], rows_at_once(snapshot.model.widest(snapshot.image.values)))
    for part in parts(len(levels), max(1, codes // len(weights))):
        x, labels = to_unit(levels[part]), torch.tensor(y[part])
        trained_on = None if rows is None else torch.tensor(rows[part])

        def question(
            model: LatentModel, x: Tensor = x, labels: Tensor = labels, rows: Tensor | None = trained_on
        ) -> Tensor:
            return expected_elbo(model, x, labels, rows, nodes, weights)

        yield part, ask(snapshot.key, snapshot.tensors, question).numpy()


def expected_elbo(
    model: LatentModel,
    x: Tensor,
    y: Tensor,
    rows: Tensor | None,
    nodes: NDArray[np.float64],
    weights: NDArray[np.float64],
) -> Tensor:
    """E_q[log p(x, z) − log q(z|x)] of images, float64 ``(n,)``, nats; Kingma & Welling 2013, equation 3.

    Args:
        model: With a Gaussian q(z|x).
        x: ``(n, C, H, W)``.
        y: Their classes, ``(n,)``.
        rows: Which training images they are, ``(n,)``, or ``None``.
        nodes: Of a standard normal, ``(m, latent_dim)``.
        weights: Of the nodes, ``(m,)``.
    """
    import torch

    kept = None if rows is None else model.remembered(rows)
    q: Any = model.encode(x, y) if kept is None else kept
    z = q.mean + q.stddev * torch.tensor(nodes, dtype=x.dtype)[:, None]  # (m, n, latent_dim)
    joint = model.decode(z, y).log_prob(x) + model.prior().log_prob(z)
    entropy = q.stddev.double().log().sum(-1) + 0.5 * nodes.shape[1] * math.log(2.0 * math.pi * math.e)
    elbo: Tensor = torch.tensor(weights) @ joint.double() + entropy
    return elbo
