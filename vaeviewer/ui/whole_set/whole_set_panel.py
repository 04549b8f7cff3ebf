"""The panel on all images together: what their codes tell, where they lie, and where the prior has holes."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QSize, Qt
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QWidget

from vaeviewer.analysis.surgery import HOLE
from vaeviewer.analysis.whole_set import NEIGHBOURS, QUERIES, WholeSet
from vaeviewer.counts import counted
from vaeviewer.session.whole_set import WholeSetOverTraining
from vaeviewer.ui.images.decoded_image_view import number_text
from vaeviewer.ui.panel import Frame, Host
from vaeviewer.ui.plane.axis_names import dimension_name
from vaeviewer.ui.whole_set.density_maps import DensityMaps
from vaeviewer.ui.whole_set.term_curves import TermCurves, colors_of
from vaeviewer.ui.widgets.theme import theme_of

_WAITING = "The figures of all images are being computed…"
_NO_MODEL = "The figures appear with the model."

_MANY, _TELLING = 100, 0.05  # images of which one adds so large a share of the mean KL that one should know
_TIP = (
    "<p>The mean KL is computed in closed form, I(x; z) from draws of all posteriors, KL(q(z) ‖ p(z)) by quadrature: "
    "the first is the sum of the others, whatever the model. log N is reached where each code tells which of the N "
    "images it is of. Neighbours: the share of "
    f"{QUERIES:,} images that have the class of most of the {NEIGHBOURS} codes nearest to theirs.</p>"
)


class WholeSetPanel(QWidget):
    """Words and legend on the left, then the maps and the curves.

    Args:
        host: The window.
    """

    def __init__(self, host: Host) -> None:
        super().__init__()
        self.setObjectName("wholeSet")
        self.setAccessibleName("Aggregate posterior")
        self._host = host
        self.figures = WholeSetOverTraining(host.decoder, host.past, self)
        self.figures.found.connect(self._show)
        host.decoder.forgotten.connect(self._show)
        self.words = QLabel(_NO_MODEL)
        self.words.setObjectName("wholeSetWords")
        self.words.setTextFormat(Qt.TextFormat.RichText)
        self.words.setAlignment(Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft)
        self.words.setToolTip(_TIP)
        self.reason = QLabel()
        self.reason.setObjectName("wholeSetReason")
        self.reason.setTextFormat(Qt.TextFormat.PlainText)
        self.reason.setWordWrap(True)
        self.reason.hide()
        self.maps = DensityMaps()
        self.maps.place_chosen.connect(lambda a, b: host.set_view(z=(a, b)))
        self.curves = TermCurves()
        layout = QHBoxLayout(self)
        layout.setContentsMargins(10, 4, 8, 6)
        layout.setSpacing(12)
        layout.addWidget(self.words)
        layout.addWidget(self.reason, 5)
        layout.addWidget(self.maps, 5)
        layout.addWidget(self.curves, 6)

    def update_frame(self, frame: Frame) -> None:
        """Have the figures of the newest model computed, less often while hidden."""
        snapshot, dataset = frame.snapshot, frame.dataset
        if snapshot is None or dataset is None:
            return
        self.figures.follow(snapshot, dataset, frame.view.axes, seen=self.isVisible())
        if self.isVisible():
            self._show_maps(frame)

    def follow_handle(self, frame: Frame) -> None:
        """The handle moved."""
        if self.isVisible():
            self._show_maps(frame)

    def sizeHint(self) -> QSize:
        """Wide and short."""
        return QSize(1280, 240)

    def showEvent(self, event: QShowEvent) -> None:
        """Catch up with what changed while hidden."""
        super().showEvent(event)
        self.update_frame(self._host.frame())
        self._show()

    def changeEvent(self, event: QEvent) -> None:
        """Take over the colours of a new scheme."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and self.isVisible():
            self._show()

    def _show(self) -> None:
        """Draw what is known."""
        if not self.isVisible():
            return
        frame, last = self._host.frame(), self.figures.last
        theme = theme_of(self.palette())
        colors = {key: f'<span style="color:{color}">■</span> ' for key, color in colors_of(theme).items()}
        waiting = _NO_MODEL if frame.snapshot is None else _WAITING
        self.words.setText(waiting if last is None else words_of(last, colors))
        self.reason.setText("" if last is None else last.reason)
        self._show_maps(frame)
        self.curves.show_terms(not self.reason.text())
        self.curves.show_times(self.figures.times, frame.history)

    def _show_maps(self, frame: Frame) -> None:
        last = self.figures.last
        found = None if last is None else last.densities
        self.maps.setVisible(found is not None)
        self.reason.setVisible(last is not None and bool(last.reason))
        if last is not None and found is not None:
            of = "z" if last.axes is None else ", ".join(map(dimension_name, last.axes))
            self.maps.show_densities(found, of, frame.view.z)


def words_of(figures: WholeSet, marks: dict[str, str]) -> str:
    """The figures in words, as rich text, each with the mark of its curve."""
    rows, notes, terms = [], [f"Step {figures.step:,}"], figures.terms
    if terms is not None:
        notes[0] += f", {counted(terms.images, 'image')}, nats per image"
        rows += [
            _row("", marks["kl"] + "Mean KL(q(z|x)&nbsp;‖&nbsp;p(z))", number_text(terms.kl)),
            _row("=", marks["information"] + "I(x;&nbsp;z)", number_text(terms.information)),
            _row("+", marks["marginal"] + "KL(q(z)&nbsp;‖&nbsp;p(z))", number_text(terms.marginal)),
            _row("", marks["ceiling"] + "log N, the most I can be", number_text(terms.ceiling)),
        ]
        if terms.holes is not None:
            rows.append(_row("", marks["holes"] + f"Prior in holes, q &lt; {HOLE:g} p", _share(terms.holes)))
    if figures.accuracy is not None:
        rows.append(
            _row("", marks["accuracy"] + f"Class told by {NEIGHBOURS} neighbours", _share(figures.accuracy))
        )
    if terms is not None and terms.exact:
        notes.append(f"Both sides computed: {number_text(abs(terms.difference), 3)} apart")
    elif terms is not None:
        notes.append(f"From draws, ± {number_text(2.0 * terms.error)}")
    if terms is not None and terms.images >= _MANY and terms.largest > _TELLING * terms.kl:
        notes.append(f"One image adds {number_text(terms.largest)} nats by itself")
    return f"<table cellspacing='1'>{''.join(rows)}</table>" + "<br>".join(notes)


def _row(sign: str, name: str, value: str) -> str:
    return f"<tr><td>{sign}</td><td>{name}&nbsp;</td><td align='right'><b>{value}</b></td></tr>"


def _share(value: float) -> str:
    return f"{100.0 * value:.1f}&nbsp;%"
