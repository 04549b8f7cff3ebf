"""A panel of a test's own, by one entry in the list: dock, menu, redraws, "?", layout, and families it is not for."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, Literal

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QDockWidget, QLabel, QMenu, QTabBar, QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from vaeviewer.backend.config import Settings, updated
from vaeviewer.backend.models import registry
from vaeviewer.backend.models.families.vae import FAMILY, VaeConfig
from vaeviewer.backend.models.interface import Capabilities
from vaeviewer.session.states import Action, State
from vaeviewer.ui.panel import Explanation, Frame, Host, Panel
from vaeviewer.ui.window import panels
from vaeviewer.ui.window.main_window import MainWindow
from vaeviewer.ui.window.panel_help import HelpPopup

MakeWindow = Callable[[Settings], MainWindow]

CADENCE = 0.2


class Norms(QWidget):
    """Writes how large the newest weights are, and where the handle is."""

    def __init__(self, host: Host) -> None:
        super().__init__()
        self.host = host
        self.text = QLabel()
        self.handle = QLabel()
        self.drawn_at: list[float] = []
        layout = QVBoxLayout(self)
        layout.addWidget(self.text)
        layout.addWidget(self.handle)

    def update_frame(self, frame: Frame) -> None:
        self.drawn_at.append(time.perf_counter())
        weights = frame.snapshot.weights if frame.snapshot is not None else {}
        self.text.setText(f"{sum(float((w * w).sum()) for w in weights.values()):.6f}")

    def follow(self, frame: Frame) -> None:
        self.handle.setText(f"{frame.view.z[0]:.2f}")

    def mousePressEvent(self, _event: object) -> None:
        self.host.set_view(z=(1.5, 0.5))


OWN: Panel[Any] = Panel(
    key="norms",
    title="Norms",
    letter="o",
    place="right",
    make=Norms,
    update_frame=Norms.update_frame,
    cadence=CADENCE,
    needs=("has_density",),
    explanation=lambda family: Explanation("What weights come to.", "Train.", family.title),
    follow_handle=Norms.follow,
)


@pytest.fixture
def listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(panels, "PANELS", (*panels.PANELS, OWN))


class PointConfig(VaeConfig):
    family: Literal["point"] = "point"  # type: ignore[assignment]


class PointFamily(type(FAMILY)):  # type: ignore[misc]
    """The VAE again, as if its decoder gave no density."""

    key, title = "point", "Point model"
    Config = PointConfig
    capabilities = Capabilities(has_density=False)


@pytest.fixture
def point_family() -> Iterator[str]:
    registry.register(PointFamily())
    yield PointFamily.key
    registry.unregister(PointFamily.key)


def dock(window: MainWindow, name: str = "norms-dock") -> QDockWidget:
    found = window.findChild(QDockWidget, name)
    assert isinstance(found, QDockWidget)
    return found


def entry(window: MainWindow) -> QAction:
    view = next(top.menu() for top in window.menuBar().actions() if top.text() == "&View")
    return next(action for action in view.actions() if action.text() == "N&orms")


@pytest.mark.usefixtures("listed")
@pytest.mark.qt_log_ignore("This plugin does not support", extend=True)
def test_dock_menu_redraws_and_question_mark_follow_from_an_entry(
    qtbot: QtBot, make_window: MakeWindow, small: Settings
) -> None:
    window = make_window(updated(small, epochs=100_000))
    norms = window.findChild(Norms)
    assert norms is not None
    assert dock(window).isAncestorOf(norms)
    assert norms.isVisible()
    assert window.dockWidgetArea(dock(window)) == Qt.DockWidgetArea.RightDockWidgetArea

    first = norms.text.text()
    window.session.request(Action.TRAIN)
    qtbot.waitUntil(lambda: norms.text.text() != first)
    norms.drawn_at.clear()
    qtbot.waitUntil(lambda: len(norms.drawn_at) == 8, timeout=20_000)
    mean = (norms.drawn_at[-1] - norms.drawn_at[0]) / 7
    assert mean > 0.7 * CADENCE, "no more often than it says"

    count = len(norms.drawn_at)
    qtbot.mouseClick(norms, Qt.MouseButton.LeftButton)
    assert norms.handle.text() == "1.50", "within the event"
    assert window.plane._z == (1.5, 0.5)
    assert len(norms.drawn_at) == count, "a move of the handle alone draws no frame"
    window.session.request(Action.STOP)
    qtbot.waitUntil(lambda: window.session.state is State.FINISHED)

    entry(window).trigger()
    assert not dock(window).isVisible()
    entry(window).trigger()
    assert dock(window).isVisible()
    norms.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    norms.setFocus()
    help_button = dock(window).findChild(QWidget, "helpButton")
    assert help_button is not None
    qtbot.mouseClick(help_button, Qt.MouseButton.LeftButton)
    popup = window.findChild(HelpPopup)
    assert popup is not None
    assert "What weights come to." in popup.findChild(QLabel, "helpText").text()
    popup.close()


def test_a_layout_saved_before_there_was_the_panel_is_kept_and_the_panel_finds_its_place(
    qtbot: QtBot, make_window: MakeWindow, small: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = make_window(small)
    names = {found.objectName() for found in first.docks}
    assert names >= {
        "reconstructions-dock",
        "settings-dock",
        "decoded-image-dock",
        "manifold-dock",
        "elbo-terms-dock",
        "traversal-dock",
        "dimensions-dock",
        "samples-over-time-dock",
        "nearest-images-dock",
        "aggregate-posterior-dock",
    }, "what layouts on users' disks name"
    dock(first, "manifold-dock").hide()
    first.addDockWidget(Qt.DockWidgetArea.LeftDockWidgetArea, dock(first, "decoded-image-dock"))
    first.close()

    monkeypatch.setattr(panels, "PANELS", (*panels.PANELS, OWN))
    second = make_window(small)
    area = second.dockWidgetArea
    assert area(dock(second, "decoded-image-dock")) == Qt.DockWidgetArea.LeftDockWidgetArea
    assert not dock(second, "manifold-dock").isVisible()
    assert area(dock(second)) == Qt.DockWidgetArea.RightDockWidgetArea
    assert dock(second).isVisible()
    dock(second).hide()
    second.close()
    third = make_window(small)
    assert not dock(third).isVisible(), "from then on it is remembered as the others are"


def test_one_on_demand_waits_in_a_menu_of_its_own_and_comes_to_the_front(
    qtbot: QtBot, make_window: MakeWindow, small: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = replace(OWN, behind="manifold", on_demand=True, letter="n")  # as "Class names" has in the View menu
    monkeypatch.setattr(panels, "PANELS", (*panels.PANELS, own))
    window = make_window(small)
    assert not dock(window).isVisible()
    assert window.findChild(Norms) is None, "a window starts without what most never open"
    window.session.use_settings(updated(window.session.settings, latent_dim=3))
    qtbot.waitUntil(lambda: dock(window, "traversal-dock").isVisible(), timeout=20_000)
    assert not dock(window).isVisible(), "whatever the model"
    menu = window.menuBar().findChild(QMenu, "onDemand")
    entry = next(action for action in menu.actions() if action.text() == "&Norms")
    entry.trigger()
    qtbot.waitUntil(lambda: window.findChild(Norms) is not None)
    norms = window.findChild(Norms)
    assert norms is not None
    assert norms.text.text(), "it draws what there is at once"
    qtbot.waitUntil(lambda: not norms.visibleRegion().isEmpty())
    window.set_view(z=(0.75, 0.0))
    assert norms.handle.text() == "0.75"
    dock(window, "manifold-dock").raise_()
    qtbot.waitUntil(lambda: not norms.isVisible())  # behind another's tab it rests
    dock(window).raise_()
    qtbot.waitUntil(norms.isVisible)
    bars = [bar for bar in window.findChildren(QTabBar) if bar.geometry().intersects(window.rect())]
    assert sum(bar.tabText(n) == "Norms" for bar in bars for n in range(bar.count())) == 1, (
        "none is left over"
    )
    window.reset_layout()
    assert not dock(window).isVisible()


@pytest.mark.usefixtures("listed")
def test_a_sentence_stands_where_the_family_lacks_what_it_needs(
    qtbot: QtBot, make_window: MakeWindow, small: Settings, point_family: str
) -> None:
    window = make_window(small)
    norms = window.findChild(Norms)
    assert norms is not None
    said = dock(window).findChild(QLabel, "whyNot")
    assert norms.isVisible()
    assert not said.isVisible()

    window.session.use_settings(updated(window.session.settings, family=point_family))
    qtbot.waitUntil(said.isVisible, timeout=20_000)
    assert said.text() == (
        "Norms: this needs a likelihood p(x|z), which says how probable an image is. "
        "The model “Point model” has none."
    )
    assert not norms.isVisible()
    drawn = len(norms.drawn_at)
    window._frames.draw()
    assert len(norms.drawn_at) == drawn, "nothing is drawn for nobody"
    shown = dock(window, "reconstructions-dock").findChild(QLabel, "whyNot")
    assert shown.text() == "", "it has an encoder"

    window.session.use_settings(updated(window.session.settings, family="vae"))
    qtbot.waitUntil(norms.isVisible, timeout=20_000)
    assert not said.isVisible()
