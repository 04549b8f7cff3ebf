from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from helpers_images import grabbed, holds_enlarged, make_snapshot, pixels_of
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from vaeviewer.backend.snapshot import as_grey_levels
from vaeviewer.session.view_state import ViewState
from vaeviewer.ui.images.decoded_image_view import DecodedImageView, number_text, percent_text, z_text
from vaeviewer.ui.widgets.labels import LiveLabel
from vaeviewer.ui.widgets.theme import DARK, LIGHT, build_palette

VIEW = ViewState(z=(0.456, -1.634))


@pytest.fixture
def view(qtbot: QtBot) -> DecodedImageView:
    view = DecodedImageView()
    qtbot.addWidget(view)
    view.resize(200, 240)
    with qtbot.waitExposed(view):
        view.show()
    return view


def text(view: DecodedImageView, name: str) -> str:
    label = view.findChild(QLabel, name)
    assert label is not None
    return label.text()


def at(snapshot, z) -> np.ndarray:
    return as_grey_levels(snapshot.decode(np.array([z], dtype=np.float32))[0])


@pytest.mark.parametrize("theme", [LIGHT, DARK])
def test_it_draws_what_the_decoder_gives_at_the_handle_crisply(view: DecodedImageView, theme) -> None:
    view.setPalette(build_palette(theme))
    snapshot = make_snapshot()
    view.update_frame(snapshot, VIEW)
    # 200 pixels less the margins: six times 28
    assert holds_enlarged(grabbed(view), at(snapshot, VIEW.z), 6)


def test_the_caption_names_z_and_its_distance(view: DecodedImageView) -> None:
    view.update_frame(make_snapshot(), VIEW)
    assert text(view, "decodedCaption") == "z = (0.46, −1.63)"
    assert text(view, "decodedDistance") == "Distance 1.70 from the centre:"
    assert text(view, "decodedShare") == "farther out than 76 % of the prior's codes"


def test_with_little_room_it_still_says_of_what_the_share_is(view: DecodedImageView, qtbot: QtBot) -> None:
    view.update_frame(make_snapshot(), VIEW)
    share = view.findChild(LiveLabel, "decodedShare")
    share.setFixedWidth(share.fontMetrics().horizontalAdvance(share.text()) - 10)
    alone = LiveLabel("farther out than 76 % of p(z)")
    qtbot.addWidget(alone)
    alone.setPalette(share.palette())
    alone.setForegroundRole(share.foregroundRole())
    alone.setAlignment(share.alignment())
    alone.resize(share.size())
    assert share.grab().toImage() == alone.grab().toImage()


def test_the_share_of_the_prior_is_right(view: DecodedImageView) -> None:
    rng = np.random.default_rng(0)
    share = np.mean(np.hypot(*rng.standard_normal((2, 200_000))) < math.hypot(*VIEW.z))
    view.update_frame(make_snapshot(), VIEW)
    assert f"{round(100 * share)} %" in text(view, "decodedShare")


def test_the_numbers_change_no_faster_than_one_can_read(view: DecodedImageView, qtbot: QtBot) -> None:
    snapshot, seen = make_snapshot(), []
    for i in range(40):
        view.update_frame(snapshot, replace(VIEW, z=(0.01 * i, 0.0)))
        seen.append(text(view, "decodedCaption"))
    assert len(snapshot.decoded) == 40
    assert len(set(seen)) < 20
    qtbot.waitUntil(lambda: text(view, "decodedCaption") == "z = (0.39, 0.00)")


def test_it_decodes_only_what_changed(view: DecodedImageView) -> None:
    snapshot = make_snapshot()
    view.update_frame(snapshot, VIEW)
    view.update_frame(snapshot, replace(VIEW, selected=3))
    assert len(snapshot.decoded) == 1
    view.update_frame(snapshot, replace(VIEW, z=(1.0, 1.0)))
    assert len(snapshot.decoded) == 2
    other = make_snapshot(seed=1)
    view.update_frame(other, replace(VIEW, z=(1.0, 1.0)))
    assert len(other.decoded) == 1
    assert holds_enlarged(grabbed(view), at(other, (1.0, 1.0)), 6)


def test_hidden_it_computes_nothing_and_catches_up_when_shown(qtbot: QtBot) -> None:
    view = DecodedImageView()
    qtbot.addWidget(view)
    view.resize(200, 240)
    snapshot = make_snapshot()
    for z1 in (0.0, 1.0, 2.0):
        view.update_frame(snapshot, replace(VIEW, z=(z1, 0.0)))
    assert snapshot.decoded == []
    with qtbot.waitExposed(view):
        view.show()
    assert [z.tolist() for z in snapshot.decoded] == [[[2.0, 0.0]]]
    assert text(view, "decodedCaption") == "z = (2.00, 0.00)"
    view.hide()
    view.show()
    assert len(snapshot.decoded) == 1


def test_without_a_snapshot_it_says_what_it_waits_for(view: DecodedImageView) -> None:
    view.update_frame(make_snapshot(), VIEW)
    view.update_frame(None, VIEW)
    assert text(view, "decodedCaption") == ""
    assert text(view, "decodedDistance") == text(view, "decodedShare") == ""
    assert not view.copy_action.isEnabled()
    blank = grabbed(view)
    view.set_hint("Loading…")
    assert (grabbed(view) != blank).any()


def test_further_latent_dimensions_are_zero(view: DecodedImageView) -> None:
    snapshot = make_snapshot(latent_dim=5)
    view.update_frame(snapshot, ViewState(z=(3.0, -4.0)))
    assert snapshot.decoded[0].tolist() == [[3, -4, 0, 0, 0]]
    assert text(view, "decodedCaption") == "z = (3.00, −4.00, 0.00, …)"
    assert text(view, "decodedDistance") == "Distance 5.00 from the centre"
    assert text(view, "decodedShare") == ""


@pytest.mark.parametrize(
    ("dimensions", "expected"),
    [(1, "3.00"), (2, "(3.00, −4.00)"), (3, "(3.00, −4.00, 0.50)"), (4, "(3.00, −4.00, 0.50, …)")],
)
def test_z_in_words(dimensions: int, expected: str) -> None:
    assert z_text((3.0, -4.0, 0.5, 1.0)[:dimensions]) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0.456, "0.46"), (-1.634, "−1.63"), (-0.001, "0.00"), (0.0, "0.00"), (-0.0, "0.00"), (-12.5, "−12.50")],
)
def test_numbers_in_words(value: float, expected: str) -> None:
    assert number_text(value) == expected


@pytest.mark.parametrize(
    ("share", "expected"),
    [(0.0, "0 %"), (0.76, "76 %"), (0.9961, "99.6 %"), (0.99999, "99.9 %"), (1.0, "100 %")],
)
def test_shares_in_words(share: float, expected: str) -> None:
    assert percent_text(share) == expected


def test_the_image_can_be_copied(view: DecodedImageView) -> None:
    snapshot = make_snapshot()
    view.update_frame(snapshot, VIEW)
    view.copy_action.trigger()
    copied = pixels_of(QGuiApplication.clipboard().image())[..., 0]
    assert (copied == np.repeat(np.repeat(at(snapshot, VIEW.z), 6, 0), 6, 1)).all()


def test_the_image_can_be_saved(qtbot: QtBot, view: DecodedImageView) -> None:
    snapshot = make_snapshot()
    view.update_frame(snapshot, VIEW)
    with qtbot.waitSignal(view.save_wanted) as wanted:
        view.save_action.trigger()
    saved = pixels_of(wanted.args[0])[..., 0]
    assert (saved[::6, ::6] == at(snapshot, VIEW.z)).all()


def test_words_for_those_who_ask(view: DecodedImageView) -> None:
    assert view.objectName() == "decodedImage"
    assert view.accessibleName() == "Decoded image"
    assert "p(x|z)" in view.toolTip()
