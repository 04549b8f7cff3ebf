"""Points coloured by something else than their class: chosen by mouse and keys, read off the scale and the cards."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from helpers_images import pixels_of
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QComboBox, QLabel, QPushButton
from pytestqt.qtbot import QtBot
from test_latent_view import make_dataset, make_snapshot, ring
from test_unlabelled import hover

from vaeviewer.backend.config import Settings, updated
from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.backend.data.columns import Column
from vaeviewer.backend.training.evaluation import metrics_by_image
from vaeviewer.session.states import Action, State
from vaeviewer.session.view_state import ViewState
from vaeviewer.ui.plane.color_scale import STEPS, density, number_text, palette, scale_of, steps_of
from vaeviewer.ui.plane.latent_view import LatentView
from vaeviewer.ui.widgets.theme import DARK, LIGHT, build_palette, class_colors
from vaeviewer.ui.window.main_window import MainWindow

SPOTS = ring(12, 1.5)  # between two circles of the prior
AGES = np.arange(12, dtype=np.float32)


def with_columns() -> ImageDataset:
    ages = AGES.copy()
    ages[5] = np.nan
    sites = Column("site", np.arange(12, dtype=np.int64) % 2, ("Oslo", "Rome"))
    return replace(make_dataset(12), columns=(Column("age", ages), sites))


class Stage:
    """A plane whose choices are taken as the window takes them."""

    def __init__(self, qtbot: QtBot, data: ImageDataset) -> None:
        self.plane, self.view = LatentView(), ViewState()
        qtbot.addWidget(self.plane)
        self.plane.resize(640, 560)
        self.snapshot = make_snapshot(SPOTS)
        self.plane.set_dataset(data)
        with qtbot.waitExposed(self.plane):
            self.plane.show()
        self.plane.color_chosen.connect(self.color)
        self.plane.hidden_classes_changed.connect(lambda hidden: self.change(hidden_classes=hidden))
        self.change()

    def color(self, key: str, same: bool) -> None:
        self.change(color_by=key, hidden_classes=self.view.hidden_classes if same else frozenset())

    def change(self, **changes: object) -> None:
        self.view = replace(self.view, **changes)
        self.plane.update_frame(self.snapshot, self.view)

    @property
    def choice(self) -> QComboBox:
        found = self.plane.findChild(QComboBox, "colorBy")
        assert isinstance(found, QComboBox)
        return found

    def choose(self, title: str) -> None:
        """By keys, as somebody would who has no mouse."""
        self.choice.setFocus()
        for _ in range(self.choice.count()):
            QTest.keyClick(self.choice, Qt.Key.Key_Home)
        while self.choice.currentText() != title:
            QTest.keyClick(self.choice, Qt.Key.Key_Down)

    def painted(self, row: int) -> tuple[int, ...]:
        """The colour in the middle of a point."""
        at = self.plane.viewport_position(*map(float, SPOTS[row])).toPoint()
        return tuple(pixels_of(self.plane.viewport().grab().toImage())[at.y(), at.x()].tolist())

    def text(self, name: str) -> str:
        label = self.plane.findChild(QLabel, name)
        assert isinstance(label, QLabel)
        return label.text() if label.isVisible() else ""


def near(color: tuple[int, ...], wanted: np.ndarray, canvas: str = LIGHT.canvas) -> bool:
    """Whether a disc of that colour, which is not quite opaque, was painted."""
    ground = np.array([int(canvas[i : i + 2], 16) for i in (1, 3, 5)])
    return bool(np.abs(np.array(color) - (0.85 * wanted + 0.15 * ground)).max() < 16)


def test_a_column_of_numbers_is_a_scale_and_one_of_words_is_a_legend(qtbot: QtBot) -> None:
    stage = Stage(qtbot, with_columns())
    assert [stage.choice.itemText(n) for n in range(stage.choice.count()) if stage.choice.itemText(n)] == [
        "Class",
        "Density",
        "age",
        "site",
    ]
    stage.choose("age")
    assert stage.view.color_by == "column:age"
    colors = palette(False)
    assert near(stage.painted(0), colors[0])
    assert near(stage.painted(11), colors[STEPS - 1])
    assert near(stage.painted(5), colors[STEPS]), "grey: it has no age"
    bar = stage.plane._colors.column.scale._bar
    assert bar.isVisible()
    assert bar.texts == ("0", "5.5", "11")
    assert "1 without a value" in stage.text("scaleNote")
    assert stage.plane._colors.value_text(3) == "age 3"

    stage.choose("site")
    assert stage.plane._legend.list.listed() == ["Oslo", "Rome"]
    assert near(stage.painted(0), class_colors(2)[0])
    assert near(stage.painted(1), class_colors(2)[1])
    assert stage.plane._colors.value_text(3) == "site: Rome"
    qtbot.waitUntil(lambda: [m.name for m in stage.plane._marks_item._classes] == ["Oslo", "Rome"])
    entries = stage.plane._legend.list
    QTest.keyClick(entries, Qt.Key.Key_Space)
    assert stage.view.hidden_classes == {0}
    assert near(stage.painted(0), np.array([255, 255, 255])), "Oslo is hidden"
    stage.choose("Class")
    assert stage.view.hidden_classes == frozenset(), "they were words, not classes"
    assert near(stage.painted(0), class_colors(3)[0])


def test_a_card_that_is_shown_follows_the_choice_of_colour(qtbot: QtBot) -> None:
    stage = Stage(qtbot, with_columns())
    card = stage.plane._hover.card
    hover(stage.plane, stage.plane.viewport_position(*map(float, SPOTS[4])))
    qtbot.waitUntil(card.isVisible)
    assert card._text.text().splitlines()[1:] == []
    stage.choose("age")
    qtbot.waitUntil(lambda: card._text.text().splitlines()[1:] == ["age 4"])


@pytest.mark.parametrize(
    ("value", "text"),
    [(2.28e15, "2.3 × 10¹⁵"), (-3189.4, "−3,189"), (3.3082, "3.308"), (-0.0, "0"), (72.84, "72.84")],
)
def test_numbers_of_a_scale_are_short(value: float, text: str) -> None:
    assert number_text(value) == text


def test_hidden_classes_stay_hidden_under_a_scale_which_says_so(qtbot: QtBot) -> None:
    stage = Stage(qtbot, with_columns())
    stage.change(hidden_classes=frozenset({0}))
    stage.choose("age")
    assert stage.view.hidden_classes == {0}
    assert near(stage.painted(0), np.array([255, 255, 255]))
    assert stage.text("scaleHidden") == "1 of 3 classes hidden"
    button = stage.plane.findChild(QPushButton, "scaleShowAll")
    assert isinstance(button, QPushButton)
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)
    assert stage.view.hidden_classes == frozenset()
    assert near(stage.painted(0), palette(False)[0])
    assert stage.text("scaleHidden") == ""


def test_a_scale_takes_the_colours_of_the_scheme(qtbot: QtBot) -> None:
    stage = Stage(qtbot, with_columns())
    stage.choose("age")
    stage.plane.setPalette(build_palette(DARK))
    assert near(stage.painted(11), palette(True)[STEPS - 1], DARK.canvas)


def test_the_plane_says_why_it_is_empty(qtbot: QtBot) -> None:
    stage = Stage(qtbot, with_columns())
    stage.change(hidden_classes=frozenset({0, 1, 2}))
    assert "is hidden" in stage.plane._marks_item.hint.text
    stage.change(hidden_classes=frozenset({0, 1}))
    assert stage.plane._marks_item.hint.text == ""


def test_density_is_counted_as_points_lie() -> None:
    draws = np.random.default_rng(0)
    cloud = draws.standard_normal((200_000, 2)).astype(np.float32)
    cloud[0] = np.nan
    found = density(cloud, line=False)
    assert np.isnan(found[0])
    middle = np.hypot(*cloud.T) < 0.2
    assert found[middle].mean() == pytest.approx(200_000 / (2 * np.pi), rel=0.05)
    along = density(cloud, line=True)
    assert along[np.abs(cloud[:, 0]) < 0.1].mean() == pytest.approx(200_000 / np.sqrt(2 * np.pi), rel=0.05)
    assert density(np.zeros((1, 2), np.float32), line=False)[0] < 1e4, "a single point is no peak"
    for few in (np.zeros((0, 2)), np.zeros((3, 2)), np.full((2, 2), np.nan)):
        assert len(density(few.astype(np.float32), line=False)) == len(few)


@pytest.mark.parametrize(
    "values", [[], [np.nan], [2.0, 2.0], [np.inf, 1.0, 3.0], [-3e38, 3e38], [0.0] * 999 + [5]]
)
def test_any_numbers_have_colours(values: list[float]) -> None:
    array = np.array(values, np.float32)
    rows = steps_of(array, scale_of(array))
    assert ((rows == STEPS) == ~np.isfinite(array)).all()
    assert ((rows >= 0) & (rows <= STEPS)).all()


def test_neighbouring_colours_of_the_palette_are_evenly_apart_and_visible() -> None:
    for dark, theme in ((False, LIGHT), (True, DARK)):
        colors = palette(dark)[:-1].astype(float)
        ground = np.array([int(theme.canvas[i : i + 2], 16) for i in (1, 3, 5)])
        luminance = colors @ [0.2126, 0.7152, 0.0722]
        assert (np.diff(luminance) * (1 if dark else -1) > -0.5).all(), "high numbers stand out most"
        assert np.abs(colors - ground).max(axis=1).min() > 60


def test_every_image_has_its_metrics_once_they_are_wanted(
    qtbot: QtBot, make_window: Callable[[Settings], MainWindow], small: Settings, digits: ImageDataset
) -> None:
    window = make_window(updated(small, epochs=3))
    window.session.request(Action.TRAIN)
    qtbot.waitUntil(lambda: window.session.state is State.FINISHED, timeout=30_000)
    box = window.plane.findChild(QComboBox, "colorBy")
    assert isinstance(box, QComboBox)
    row = box.findText("KL")
    box.setCurrentIndex(row)
    box.activated.emit(row)
    metrics = window.plane._colors._metrics
    assert metrics is not None
    snapshot = window.session.snapshot
    assert snapshot is not None
    qtbot.waitUntil(lambda: metrics.values is not None and metrics.step == snapshot.step, timeout=20_000)
    expected = np.concatenate([values["kl"] for _, values in metrics_by_image(snapshot, digits, 64)])
    np.testing.assert_array_equal(metrics.values["kl"], expected)
    assert window.plane._colors.value_text(3).startswith("KL ")
    assert window.plane._colors.value_text(3).endswith("nats per image")
    note = window.plane.findChild(QLabel, "scaleNote")
    assert isinstance(note, QLabel)
    qtbot.waitUntil(lambda: note.text() == f"of step {snapshot.step:,}")
