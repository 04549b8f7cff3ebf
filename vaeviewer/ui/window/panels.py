"""The panels of the window, in one list: docks, View menu, "?", redraws and remembered places derive from it."""

from __future__ import annotations

from functools import partial
from typing import Any

from PySide6.QtWidgets import QWidget

from vaeviewer.ui.curves.curves_panel import CurvesPanel
from vaeviewer.ui.images.decoded_image_view import DecodedImageView
from vaeviewer.ui.images.manifold_panel import MANIFOLD, ManifoldPanel
from vaeviewer.ui.images.reconstruction_panel import ReconstructionPanel
from vaeviewer.ui.images.samples_panel import SamplesPanel
from vaeviewer.ui.images.traversal_panel import TraversalPanel
from vaeviewer.ui.panel import EACH_SNAPSHOT, Frame, Host, Panel
from vaeviewer.ui.plane.dimensions_panel import DimensionsPanel
from vaeviewer.ui.plane.latent_view import LatentView
from vaeviewer.ui.plane.lens_overlay import LensInPlane
from vaeviewer.ui.plane.lens_panel import LensPanel
from vaeviewer.ui.plane.selection import selecting
from vaeviewer.ui.settings.config_form import ConfigForm
from vaeviewer.ui.window.explanations import explanation_of


def _make_plane(host: Host) -> LatentView:
    plane = LatentView(decoder=host.decoder)
    plane.handle_moved.connect(lambda a, b: host.set_view(z=(a, b)))

    plane.image_selected.connect(
        lambda row: host.set_view(**selecting(host.frame(), row if row >= 0 else None))
    )

    def color(key: str, same_classes: bool) -> None:
        hidden = host.frame().view.hidden_classes if same_classes else frozenset()
        host.set_view(color_by=key, hidden_classes=hidden)

    plane.color_chosen.connect(color)
    plane.second.moved.connect(lambda a, b: host.set_view(second=(a, b)))
    plane.second.removed.connect(lambda: host.set_view(second=None))
    plane.hidden_classes_changed.connect(lambda hidden: host.set_view(hidden_classes=hidden))
    return plane


def _draw_plane(plane: LatentView, frame: Frame) -> None:
    plane.update_frame(frame.snapshot, frame.view, frame.prior, frame.generated, frame.ledger)


def _make_reconstructions(host: Host) -> ReconstructionPanel:
    return ReconstructionPanel(host.decoder.ask)


def _make_decoded(host: Host) -> DecodedImageView:
    view = DecodedImageView(host.decoder.ask)
    view.code_typed.connect(lambda code: host.set_view(**host.frame().view.at_code(code)))
    return view


def _make_manifold(host: Host) -> ManifoldPanel:
    panel, decoder = ManifoldPanel(host.decoder.request), host.decoder
    panel.handle_moved.connect(lambda a, b: host.set_view(z=(a, b)))
    panel.spacing_changed.connect(lambda spacing: host.set_view(manifold_spacing=spacing))
    panel.size_changed.connect(lambda size: host.set_view(manifold_size=size))
    panel.images_wanted.connect(lambda: _draw_manifold(panel, host.frame()))
    decoder.decoded.connect(
        lambda kind, images, grid: panel.show_images(images, *grid) if kind == MANIFOLD else None
    )
    decoder.forgotten.connect(lambda: panel.show_images(None))
    return panel


def _make_lens(host: Host) -> LensPanel:
    panel = LensPanel(host)
    LensInPlane(host.widget(LatentView), panel)
    return panel


def _make_geometry(host: Host) -> QWidget:
    from vaeviewer.ui.plane.geometry_panel import GeometryPanel

    return GeometryPanel(host, host.widget(LatentView))


def _draw_manifold(panel: ManifoldPanel, frame: Frame) -> None:
    panel.update_frame(frame.view, frame.snapshot, frame.prior)


def _make_whole_set(host: Host) -> QWidget:
    from vaeviewer.ui.whole_set.whole_set_panel import WholeSetPanel  # no start waits for it

    return WholeSetPanel(host)


def _make_ledger(host: Host) -> QWidget:
    from vaeviewer.ui.ledger.ledger_panel import LedgerPanel  # when it is wanted

    return LedgerPanel(host)


def _make_nearest(host: Host) -> QWidget:
    from vaeviewer.ui.images.nearest_panel import NearestPanel  # likewise

    return NearestPanel(host)


def _make_draw(host: Host) -> QWidget:
    from vaeviewer.ui.draw.draw_panel import DrawPanel  # no start waits for it

    return DrawPanel(host)


PANELS: tuple[Panel[Any], ...] = (
    Panel(
        key="plane",
        title="Latent plane",
        place="centre",
        make=_make_plane,
        update_frame=_draw_plane,
        cadence=EACH_SNAPSHOT,
        explanation=partial(explanation_of, "Latent plane"),
        follow_handle=lambda plane, frame: plane.follow_handle(
            frame.snapshot, frame.view, frame.prior, frame.generated, frame.ledger
        ),
    ),
    Panel(
        key="reconstructions",
        title="Reconstructions",
        letter="c",
        place="left",
        make=_make_reconstructions,
        update_frame=lambda panel, frame: panel.update_frame(frame.snapshot, frame.dataset, frame.view),
        cadence=0.42,
        needs=("encodes",),
        explanation=partial(explanation_of, "Reconstructions"),
    ),
    Panel(
        key="settings",
        title="Settings",
        letter="t",
        place="left",
        make=lambda _host: ConfigForm(),
        update_frame=lambda _panel, _frame: None,
        explanation=partial(explanation_of, "Settings"),
    ),
    Panel(
        key="decoded",
        title="Decoded image",
        letter="d",
        place="right",
        make=_make_decoded,
        update_frame=lambda panel, frame: panel.update_frame(frame.snapshot, frame.view),
        cadence=0.19,
        explanation=partial(explanation_of, "Decoded image"),
        follow_handle=lambda panel, frame: panel.follow_handle(frame.snapshot, frame.view),
    ),
    Panel(
        key="manifold",
        title="Manifold",
        letter="m",
        place="right",
        make=_make_manifold,
        update_frame=_draw_manifold,
        cadence=0.8,
        explanation=partial(explanation_of, "Manifold"),
        follow_handle=lambda panel, frame: panel.follow_handle(frame.view, frame.snapshot),
    ),
    Panel(
        key="traversal",
        title="Traversal",
        letter="v",
        place="right",
        make=TraversalPanel,
        update_frame=TraversalPanel.update_frame,
        cadence=1.1,
        explanation=partial(explanation_of, "Traversal"),
        follow_handle=TraversalPanel.follow_handle,
        behind="manifold",
        from_dimensions=3,
    ),
    Panel(
        key="dimensions",
        title="Dimensions",
        letter="i",
        place="right",
        make=DimensionsPanel,
        update_frame=DimensionsPanel.update_frame,
        cadence=0.9,
        needs=("encodes",),
        explanation=partial(explanation_of, "Dimensions"),
        behind="manifold",
        from_dimensions=3,
    ),
    Panel(
        key="samples",
        title="Samples over time",
        letter="p",
        place="right",
        make=SamplesPanel,
        update_frame=SamplesPanel.update_frame,
        cadence=1.3,
        needs=("generates",),
        explanation=partial(explanation_of, "Samples over time"),
        behind="manifold",
        without_encoder=True,
    ),
    Panel(
        key="lens",
        title="Posterior lens",
        letter="l",
        place="right",
        make=_make_lens,
        update_frame=LensPanel.update_frame,
        cadence=EACH_SNAPSHOT,  # the follower keeps its own pace
        needs=("has_density",),
        explanation=partial(explanation_of, "Posterior lens"),
        follow_handle=LensPanel.update_frame,
        behind="manifold",
        on_demand=True,
    ),
    Panel(
        key="nearest",
        title="Nearest images",
        letter="n",
        place="right",
        make=_make_nearest,
        update_frame=lambda panel, frame: panel.update_frame(frame),
        cadence=0.6,
        explanation=partial(explanation_of, "Nearest images"),
        follow_handle=lambda panel, frame: panel.update_frame(frame),
        behind="manifold",
        on_demand=True,
    ),
    Panel(
        key="geometry",
        title="Geometry",
        letter="g",
        place="right",
        make=_make_geometry,
        update_frame=lambda panel, frame: panel.update_frame(frame),
        cadence=EACH_SNAPSHOT,
        explanation=partial(explanation_of, "Geometry"),
        follow_handle=lambda panel, frame: panel.follow_handle(frame),
        behind="manifold",
        on_demand=True,
    ),
    Panel(
        key="curves",
        title="ELBO terms",
        letter="e",
        place="bottom",
        make=lambda _host: CurvesPanel(),
        update_frame=lambda panel, frame: panel.update_frame(frame.history, timeline=frame.timeline),
        cadence=0.23,
        explanation=partial(explanation_of, "ELBO terms"),
    ),
    Panel(
        key="whole-set",
        title="Aggregate posterior",
        letter="a",
        place="bottom",
        make=_make_whole_set,
        update_frame=lambda panel, frame: panel.update_frame(frame),
        cadence=EACH_SNAPSHOT,
        needs=("encodes",),
        explanation=partial(explanation_of, "Aggregate posterior"),
        follow_handle=lambda panel, frame: panel.follow_handle(frame),
        behind="curves",
        on_demand=True,
    ),
    Panel(
        key="ledger",
        title="Ledger",
        letter="d",
        place="bottom",
        make=_make_ledger,
        update_frame=lambda panel, frame: panel.update_frame(frame),
        cadence=1.7,
        needs=("encodes",),
        explanation=partial(explanation_of, "Ledger"),
        behind="curves",
        on_demand=True,
    ),
    Panel(
        key="draw",
        title="Draw",
        letter="r",
        place="right",
        make=_make_draw,
        update_frame=lambda panel, frame: panel.update_frame(frame),
        cadence=0.31,
        needs=("encodes",),
        explanation=partial(explanation_of, "Draw"),
        behind="manifold",
        on_demand=True,
    ),
)
