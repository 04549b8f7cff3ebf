"""What the plane shows beside the codes of images: a prior other than N(0, I), or what a model generates from it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject

from vaeviewer.analysis.generated import Generated, generated
from vaeviewer.analysis.latent_plane import LatentPlane
from vaeviewer.analysis.prior import PriorShape, prior_shape
from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.backend.snapshot import Snapshot
from vaeviewer.session.grid_decoder import GridDecoder
from vaeviewer.session.newest import Newest
from vaeviewer.session.view_state import ViewState

if TYPE_CHECKING:
    from vaeviewer.analysis.classifier import Classifier

REST = 15.0
"""Between two computations, in their own length: a prior changes slowly, and the core belongs to training."""


class PriorInPlane(Newest):
    """The shape of p(z) in the plane, of families whose prior is not N(0, I)."""

    def __init__(self, decoder: GridDecoder, parent: QObject | None = None) -> None:
        super().__init__(decoder, "prior", prior_shape, parent, REST)
        self._plane: LatentPlane | None = None

    @property
    def shape(self) -> PriorShape | None:
        """As far as it is known."""
        found: PriorShape | None = self.value
        return found

    def follow(self, snapshot: Snapshot | None, view: ViewState) -> None:
        """It is wanted of this model in this plane, if it is of use there."""
        if snapshot is None:
            return
        can = snapshot.family.capabilities
        if not can.generates or can.normal_prior:
            return
        plane = view.plane_of(snapshot.model.latent_dim)
        if self._plane is None or not plane.parallel_to(self._plane):
            self._plane = plane
        self.want(snapshot, self._plane)


class GeneratedCodes(Newest):
    """Images generated from the prior, of families that have no encoder to say where real ones lie."""

    def __init__(self, decoder: GridDecoder, parent: QObject | None = None) -> None:
        super().__init__(decoder, "generated", _generated, parent)
        self._generator: _Generator | None = None

    @property
    def shown(self) -> Generated | None:
        """As far as they are known."""
        found: Generated | None = self.value
        return found

    def follow(self, snapshot: Snapshot | None, dataset: ImageDataset | None) -> None:
        """They are wanted of this model, if it needs them; they are told apart by the classes of these images."""
        if snapshot is None or dataset is None or snapshot.family.capabilities.encodes:
            return
        if self._generator is None or self._generator.dataset is not dataset:
            self._generator = _Generator(dataset)
        self.want(snapshot, self._generator)


def _generated(snapshot: Snapshot, generator: _Generator) -> Iterator[Any]:
    return generator.generated(snapshot)


class _Generator:
    """Generates and classifies, on the decoder's thread; the classifier is trained once, before the first images."""

    def __init__(self, dataset: ImageDataset) -> None:
        self.dataset = dataset
        self._classifier: Classifier | None = None

    def generated(self, snapshot: Snapshot) -> Iterator[Any]:
        """In small steps: ``None``, and at last a :class:`~vaeviewer.analysis.generated.Generated`."""
        if self.dataset.labelled and self._classifier is None:
            from vaeviewer.analysis.classifier import Classifier  # torch

            classifier = Classifier(self.dataset)
            for _ in classifier.train():
                yield None
            self._classifier = classifier
        classify = None if self._classifier is None else self._classifier.classify
        yield from generated(snapshot, classify, self.dataset.class_names)
