"""What goes wrong in a run, found from a Snapshot, the history and the images: each with evidence and a remedy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from vaeviewer.analysis.dead_units import LayerUnits, dead_units, may_die
from vaeviewer.analysis.dimensions import dimensions_of
from vaeviewer.backend.config import Settings, TrainConfig
from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.backend.models.symptoms import Symptom, Trouble
from vaeviewer.backend.snapshot import Snapshot
from vaeviewer.backend.training.findings import (
    Finding,
    Origin,
    Remedy,
    remedy_by,
    within_sentence,
)
from vaeviewer.backend.training.health import LARGE_RATE
from vaeviewer.backend.training.history import History, MetricsView
from vaeviewer.backend.training.overfitting import Figures, has_best, overfitting
from vaeviewer.counts import number

JUDGED_STEPS = 1_000
"""Steps after which what networks do counts: many begin on a plateau where codes say little."""

RECENT_ROWS = 64
"""Training steps, at least, whose mean a family judges."""

FEW_ACTIVE = 0.25
"""Most latent dimensions carry nothing where at most this share of them, or a single one, is active."""

DEAD_SHARE = 0.75
"""Of a layer's units: fewer dead ones are usual, and others do their work."""


@dataclass(frozen=True, eq=False)
class Case:
    """What is looked at beside a Snapshot.

    Attributes:
        settings: Those in force.
        dataset: What it is trained on.
        history: The run's metrics.
        best_step: Of the state with the best held-out figures, to which one can go back, or ``None``.
    """

    settings: Settings
    dataset: ImageDataset
    history: History
    best_step: int | None


def examine(snapshot: Snapshot, case: Case) -> Iterator[tuple[Finding, ...] | None]:
    """Look for all that may be wrong, in small steps: ``None`` between them, at last what was found."""
    found = [*_of_one_class(case.dataset)]
    if snapshot.step >= JUDGED_STEPS:
        found += _by_family(snapshot, case)
        if not any(finding.trouble is Trouble.COLLAPSED for finding in found):
            found += _inactive(snapshot, case.settings)
    found += _overfitting(case)
    yield None
    if snapshot.step >= JUDGED_STEPS and may_die(snapshot):
        labels = case.dataset.train_labels if case.settings.family.sees_labels(case.settings.model) else None
        for layers in dead_units(snapshot, case.dataset.train_images, labels):
            if layers is None:
                yield None
            else:
                found += _dead(layers, snapshot, case.settings)
    yield tuple(found)


def _of_one_class(dataset: ImageDataset) -> Iterator[Finding]:
    labels = dataset.train_labels
    if dataset.labelled and len(labels) > 1 and (labels == labels[0]).all():
        name = dataset.class_names[int(labels[0])]
        sentence = (
            f"all {len(labels):,} images are of one class, “{name}”: there are no classes to tell apart."
        )
        yield Finding(Trouble.ONE_CLASS, sentence, (Remedy("Choose other images", Origin.IMAGES),))


def _by_family(snapshot: Snapshot, case: Case) -> Iterator[Finding]:
    """What the family sees in its metrics."""
    training = case.history.training.view()
    if training.metrics != case.settings.family.metrics or not len(training):
        return
    rows = slice(-max(RECENT_ROWS, len(training) // 20), None)
    terms = {key: float(column[rows].mean(dtype=np.float64)) for key, column in training.stored.items()}
    for symptom in case.settings.family.symptoms(snapshot.model, terms, snapshot.step):
        remedy = _against(symptom, case.settings)
        yield Finding(symptom.trouble, symptom.sentence, (remedy,) if remedy else (), snapshot.step)


def _against(symptom: Symptom, settings: Settings) -> Remedy | None:
    """A lower learning rate where that is high or nothing else is known, as networks that it broke stay broken."""
    usual, rate = TrainConfig.model_fields["learning_rate"].default, settings.train.learning_rate
    if rate >= LARGE_RATE or (not symptom.changes and rate > usual):
        return Remedy(f"Start again with learning rate {usual:g}", Origin.NEW, {"learning_rate": usual})
    return remedy_by(settings, symptom.changes) if symptom.changes else None


def _inactive(snapshot: Snapshot, settings: Settings) -> Iterator[Finding]:
    """Dimensions that carry nothing: Burda et al. 2015, section 5.2, where they are most of all."""
    able = snapshot.family.capabilities
    if snapshot.posterior is None or not (able.gaussian_posterior and able.normal_prior):
        return
    dimensions = dimensions_of(snapshot.posterior)
    active, d = int(dimensions.active.sum()), len(dimensions.variance)
    if dimensions.kl is None or not 0 < active <= max(1, FEW_ACTIVE * d) or active == d:
        return
    kl = dimensions.kl[~dimensions.active].max()
    sentence = (
        f"only {active} of {d} latent dimensions {'is' if active == 1 else 'are'} active: the posterior means of the "
        f"others hardly differ between images, and their KL is at most {kl:.3f} nats."
    )
    remedies = [remedy_by(settings, {"latent_dim": active})]
    suspect = settings.family.suspect(settings.model)
    if suspect:
        usual = type(settings.model).model_fields[suspect].default
        remedies.insert(0, remedy_by(settings, {suspect: usual}))
    yield Finding(Trouble.INACTIVE, sentence, tuple(remedies), snapshot.step)


def _overfitting(case: Case) -> Iterator[Finding]:
    family, held_out = case.settings.family, case.history.held_out.view()
    if not has_best(family) or held_out.metrics != family.metrics:
        return
    headline = family.metrics.headline
    found = overfitting(headline, _figures(case.history.training.view()), _figures(held_out))
    if found is None:
        return
    worse = "fallen" if headline.better == "higher" else "risen"
    better = "risen" if headline.better == "higher" else "fallen"
    name = within_sentence(headline.title)
    sentence = (
        f"overfitting: the held-out {name} has {worse} for {found.epochs:,} epochs, from {number(found.then)} after "
        f"epoch {found.epoch:,} to {number(found.now)}, while that of the images trained on has {better} by "
        f"{number(found.learned)}."
    )
    remedies = []
    if case.best_step == int(held_out.step[found.best]):
        remedies.append(Remedy(f"Go back to epoch {found.epoch:,}, the best", Origin.BEST))
    yield Finding(Trouble.OVERFITTING, sentence, tuple(remedies), int(held_out.step[-1]))


def _figures(view: MetricsView) -> Figures:
    with np.errstate(all="ignore"):  # of a ratio with 0
        return Figures(view.epoch, view[view.metrics.headline.key])


def _dead(layers: tuple[LayerUnits, ...], snapshot: Snapshot, settings: Settings) -> Iterator[Finding]:
    worst = max(layers, key=lambda layer: layer.dead / layer.units, default=None)
    if worst is None or worst.dead < DEAD_SHARE * worst.units:
        return
    sentence = (
        f"{worst.dead:,} of the {worst.units:,} units in rectified layer {worst.layer} of the {worst.network} are "
        f"dead: zero for every one of {worst.images:,} images, so that no gradient reaches them."
    )
    usual, rate = TrainConfig.model_fields["learning_rate"].default, settings.train.learning_rate
    remedies = [remedy_by(settings, {"activation": "silu"})]
    if rate > usual:
        remedies.insert(
            0, Remedy(f"Start again with learning rate {usual:g}", Origin.NEW, {"learning_rate": usual})
        )
    yield Finding(Trouble.DEAD, sentence, tuple(remedies), snapshot.step)
