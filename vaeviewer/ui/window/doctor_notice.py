"""Says above the plane what goes wrong in training, with a press that does something about it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from PySide6.QtCore import QObject, Signal

from vaeviewer.analysis.doctor import Case, examine
from vaeviewer.backend.models.symptoms import Trouble
from vaeviewer.backend.training.findings import Finding, Origin, Remedy
from vaeviewer.session.grid_decoder import GridDecoder
from vaeviewer.session.messages import Opened
from vaeviewer.session.newest import Newest
from vaeviewer.session.session import Session
from vaeviewer.ui.widgets.plain_text import menu_text
from vaeviewer.ui.window.message_bar import MessageBar
from vaeviewer.ui.window.messages import Answer, Kind

KEY = "health"
"""Of the message that training makes no sense any more, which waits for an answer. Others can wait for all else."""

DOCTOR_SECONDS = 1.0
"""Time between two looks at a run while it trains, at least …"""

REST = 100.0
"""… and in terms of what a look takes, on the decoder's thread: training loses a hundredth of a processor to it."""


class Doctor(QObject):
    """Looks at a run in the background and tells of each trouble once, as long as it lasts.

    Args:
        session: Whose run it is, and what takes a remedy.
        message: Where it is said; this becomes its child.
        decoder: On whose thread it looks.

    Signals:
        images_wanted(): Other images are to be chosen.
    """

    images_wanted = Signal()

    def __init__(self, session: Session, message: MessageBar, decoder: GridDecoder) -> None:
        super().__init__(message)
        self._session, self._message = session, message
        self._told: set[Trouble] = set()  # of this run
        self._told_images: set[str] = set()  # by checksum, as other runs may have the same
        self._senseless = False
        self._looked: tuple[object, ...] = ()
        self._newest = Newest(decoder, "doctor", examine, self, REST)
        self._newest.found.connect(self._on_found)
        session.exploding.connect(self._on_exploding)
        session.opened.connect(self._on_opened)

    def look(self) -> None:
        """Look at the newest model, if there is anything new."""
        session = self._session
        snapshot, progress, dataset = session.snapshot, session.progress, session.dataset
        if snapshot is None or progress is None or dataset is None:
            return
        seen = (id(snapshot), progress.step, progress.best_step)
        if seen == self._looked or snapshot.model.family != session.settings.model.family:
            return
        self._looked = seen
        self._newest.want(snapshot, Case(session.settings, dataset, progress.history, progress.best_step))

    def _on_opened(self, _opened: Opened) -> None:
        for trouble in Trouble:
            self._message.take_back(_key(trouble))
        self._message.take_back(KEY)
        self._told, self._senseless, self._looked = set(), False, ()
        self._newest.forget()

    def _on_exploding(self, finding: Finding | None) -> None:
        """Training makes no sense any more, or does again: that comes from training itself, within a few steps."""
        self._senseless = finding is not None
        if finding is None:
            self._message.take_back(KEY)
            return
        self._told.add(finding.trouble)
        self._message.show_message(finding.sentence, self._answers(finding), key=KEY, kind=Kind.QUESTION)

    def _on_found(self) -> None:
        findings: dict[Trouble, Finding] = {finding.trouble: finding for finding in self._newest.value}
        for trouble in Trouble:
            if trouble not in findings or self._senseless:
                self._message.take_back(_key(trouble))
        if self._senseless:
            return  # all else follows from that
        for finding in findings.values():
            if self._is_new(finding):
                self._message.show_message(
                    finding.sentence, self._answers(finding), key=_key(finding.trouble), kind=Kind.OFFER
                )

    def _is_new(self, finding: Finding) -> bool:
        """Whether it was not told yet; it is from here on."""
        told, dataset = finding.trouble in self._told, self._session.dataset
        self._told.add(finding.trouble)
        if finding.trouble is Trouble.ONE_CLASS and dataset is not None:
            told = dataset.source.checksum in self._told_images
            self._told_images.add(dataset.source.checksum)
        return not told

    def _answers(self, finding: Finding) -> list[Answer]:
        """A button for each remedy; each has another letter to press."""

        def text(place: int, label: str) -> str:
            return f"{menu_text(label[:place])}&{menu_text(label[place:])}"

        def act(remedy: Remedy) -> Callable[[], object]:
            if remedy.origin is Origin.IMAGES:
                return self.images_wanted.emit
            return partial(self._session.treat, remedy)

        return [(text(place, remedy.label), act(remedy)) for place, remedy in enumerate(finding.remedies)]


def _key(trouble: Trouble) -> str:
    return f"doctor: {trouble.value}"
