from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from helpers_images import grabbed, holds_enlarged, make_dataset, make_snapshot
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QPushButton
from pytestqt.qtbot import QtBot

from vaeviewer.backend.snapshot import as_grey_levels
from vaeviewer.session.view_state import ViewState
from vaeviewer.ui.images.reconstruction_panel import ReconstructionPanel
from vaeviewer.ui.widgets.theme import DARK, LIGHT, build_palette

VIEW = ViewState(examples=(4, 7, 1, 12, 0, 3, 9, 15, 2, 6), selected=11)


@pytest.fixture
def panel(qtbot: QtBot) -> ReconstructionPanel:
    panel = ReconstructionPanel()
    qtbot.addWidget(panel)
    panel.resize(280, 300)
    with qtbot.waitExposed(panel):
        panel.show()
    return panel


def text(panel: ReconstructionPanel, name: str) -> str:
    label = panel.findChild(QLabel, name)
    assert label is not None
    return label.text() if label.isVisible() else ""


def reconstruction(snapshot, image: np.ndarray) -> np.ndarray:
    loc, _ = snapshot.encode(image[None])
    return as_grey_levels(snapshot.decode(loc))[0]


@pytest.mark.parametrize("theme", [LIGHT, DARK])
def test_images_stand_crisply_above_their_reconstructions(panel: ReconstructionPanel, theme) -> None:
    panel.setPalette(build_palette(theme))
    snapshot, dataset = make_snapshot(), make_dataset()
    panel.update_frame(snapshot, dataset, VIEW)
    picture = grabbed(panel)
    for row in VIEW.examples[:4]:  # four pairs fit, twice enlarged
        image = dataset.held_out_images[row]
        assert holds_enlarged(picture, image, 2)
        assert holds_enlarged(picture, reconstruction(snapshot, image), 2)


def test_the_selected_image_its_posterior_and_its_reconstruction(panel: ReconstructionPanel) -> None:
    snapshot, dataset = make_snapshot(), make_dataset()
    panel.update_frame(snapshot, dataset, VIEW)
    image = dataset.train_images[11]
    assert text(panel, "selectedTitle") == "Class coat, training image 11"
    loc, scale = snapshot.encode(image[None])
    signs = ["−" if value < 0 else "" for value in loc[0]]
    assert text(panel, "selectedPosterior").splitlines() == [
        "q(z|x)",
        f"z₁ = {signs[0]}{abs(loc[0, 0]):.2f} ±\u00a0{scale[0, 0]:.2f}",
        f"z₂ = {signs[1]}{abs(loc[0, 1]):.2f} ±\u00a0{scale[0, 1]:.2f}",
    ]
    picture = grabbed(panel)
    assert holds_enlarged(picture, image, 2)
    assert holds_enlarged(picture, reconstruction(snapshot, image), 2)


def test_a_hint_until_something_is_selected(panel: ReconstructionPanel) -> None:
    snapshot, dataset = make_snapshot(), make_dataset()
    hint = "Click a point in the plane to see its image here."
    assert text(panel, "selectionHint") == hint
    panel.update_frame(snapshot, dataset, VIEW)
    assert text(panel, "selectionHint") == ""
    panel.update_frame(snapshot, dataset, ViewState(selected=1000))  # a row of another data set
    assert text(panel, "selectionHint") == hint


def test_it_recomputes_only_what_changed(panel: ReconstructionPanel) -> None:
    snapshot, dataset = make_snapshot(), make_dataset()
    panel.update_frame(snapshot, dataset, VIEW)
    assert snapshot.encoded == [4, 1]
    panel.update_frame(snapshot, dataset, ViewState(z=(1.0, 1.0), examples=VIEW.examples, selected=11))
    assert snapshot.encoded == [4, 1]
    panel.update_frame(snapshot, dataset, ViewState(examples=VIEW.examples, selected=5))
    assert snapshot.encoded == [4, 1, 1]
    panel.update_frame(snapshot, dataset, ViewState(examples=(1, 2), selected=5))
    assert snapshot.encoded == [4, 1, 1, 2]
    later = make_snapshot(seed=1)
    panel.update_frame(later, dataset, VIEW)
    assert later.encoded == [4, 1]


def test_hidden_it_computes_nothing_and_catches_up_when_shown(qtbot: QtBot) -> None:
    panel = ReconstructionPanel()
    qtbot.addWidget(panel)
    snapshot, dataset = make_snapshot(), make_dataset()
    panel.update_frame(snapshot, dataset, VIEW)
    assert snapshot.encoded == []
    with qtbot.waitExposed(panel):
        panel.show()
    pairs, selected = snapshot.encoded
    assert 1 <= pairs <= 10
    assert selected == 1
    panel.hide()
    panel.show()
    assert snapshot.encoded == [pairs, 1]


@pytest.mark.slow
def test_pairs_that_do_not_fit_are_reconstructed_once_they_do(panel: ReconstructionPanel) -> None:
    snapshot, dataset = make_snapshot(), make_dataset()
    panel.update_frame(snapshot, dataset, VIEW)
    panel.resize(900, 700)
    panel.resize(300, 300)
    assert snapshot.encoded == [4, 1, 10]
    panel.resize(900, 700)
    assert snapshot.encoded == [4, 1, 10]
    picture = grabbed(panel)
    factor = next(
        k for k in range(2, 12) if holds_enlarged(picture, dataset.held_out_images[VIEW.examples[0]], k)
    )
    for row in VIEW.examples:
        assert holds_enlarged(picture, reconstruction(snapshot, dataset.held_out_images[row]), factor)


def test_before_a_model_there_are_the_images_alone(panel: ReconstructionPanel) -> None:
    dataset = make_dataset()
    panel.update_frame(None, dataset, VIEW)
    picture = grabbed(panel)
    assert holds_enlarged(picture, dataset.held_out_images[4], 2)
    assert holds_enlarged(picture, dataset.train_images[11], 2)
    assert text(panel, "selectedPosterior") == ""


def test_a_snapshot_for_other_shapes_counts_as_none(panel: ReconstructionPanel) -> None:
    snapshot, dataset = make_snapshot(shape=(8, 8)), make_dataset()
    panel.update_frame(snapshot, dataset, VIEW)
    assert snapshot.encoded == []
    assert holds_enlarged(grabbed(panel), dataset.held_out_images[4], 2)


def test_nothing_to_show_and_rows_that_do_not_exist(panel: ReconstructionPanel) -> None:
    button = panel.findChild(QPushButton, "examplesButton")
    panel.update_frame(None, None, VIEW)
    assert not button.isEnabled()
    assert not panel.grab().isNull()
    snapshot, dataset = make_snapshot(), make_dataset(held_out=5)
    panel.update_frame(snapshot, dataset, ViewState(examples=(2, 99)))
    assert snapshot.encoded == [1]
    panel.update_frame(snapshot, dataset, ViewState(examples=()))
    assert snapshot.encoded == [1]
    assert button.isEnabled()


def test_where_no_images_are_held_out_it_says_so(panel: ReconstructionPanel) -> None:
    snapshot, dataset = make_snapshot(), make_dataset()
    none = replace(
        dataset, held_out_images=dataset.held_out_images[:0], held_out_labels=dataset.held_out_labels[:0]
    )
    panel.update_frame(snapshot, none, ViewState())
    other = panel.findChild(QPushButton)
    assert other is not None
    assert not other.isEnabled()
    assert "No images are held out" in [label.text() for label in panel.findChildren(QLabel)]
    panel.update_frame(snapshot, dataset, VIEW)
    assert other.isEnabled()
    assert "Held-out images" in [label.text() for label in panel.findChildren(QLabel)]


def test_other_examples_are_asked_for(qtbot: QtBot, panel: ReconstructionPanel) -> None:
    panel.update_frame(None, make_dataset(), VIEW)
    button = panel.findChild(QPushButton, "examplesButton")
    assert button.text() == "Other examples"
    with qtbot.waitSignal(panel.examples_requested):
        qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


@pytest.mark.parametrize("size", [(200, 220), (280, 300), (280, 700), (700, 300), (900, 900)])
def test_it_can_be_made_any_size_and_small_again(panel: ReconstructionPanel, size: tuple[int, int]) -> None:
    panel.update_frame(make_snapshot(), make_dataset(), VIEW)
    panel.resize(*size)
    assert not panel.grab().isNull()
    panel.resize(280, 300)
    assert (panel.width(), panel.height()) == (280, 300)


def test_large_images_are_reduced(panel: ReconstructionPanel) -> None:
    snapshot, dataset = make_snapshot(shape=(200, 150)), make_dataset(shape=(200, 150))
    panel.update_frame(snapshot, dataset, VIEW)
    assert not panel.grab().isNull()


def test_shown_again_larger_with_images_of_another_size_it_reconstructs_those(
    panel: ReconstructionPanel,
) -> None:
    panel.update_frame(make_snapshot(), make_dataset(), VIEW)
    grabbed(panel)
    panel.hide()
    wide = (20, 48)
    snapshot, dataset = make_snapshot(shape=wide), make_dataset(shape=wide)
    panel.update_frame(snapshot, dataset, VIEW)
    panel.resize(900, 700)
    panel.show()
    panel.resize(1000, 800)
    assert [image.size().toTuple() for image in panel._pairs._drawn] == [(48, 20)] * len(VIEW.examples)
    picture = grabbed(panel)
    wanted = reconstruction(snapshot, dataset.held_out_images[VIEW.examples[0]])
    assert any(holds_enlarged(picture, wanted, k) for k in range(1, 8))
