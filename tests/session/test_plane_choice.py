"""Choosing a plane keeps the code at the handle, and dragging in it keeps all that is not in the plane."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from vaeviewer.backend.models.families.vae import VaeConfig
from vaeviewer.backend.models.interface import DataSpec, ImageSpec
from vaeviewer.backend.snapshot import PosteriorTable, Snapshot, snapshot_of
from vaeviewer.session.plane_choice import (
    choose_axes,
    follow_codes,
    rest_at_centre,
    select_image,
    shown_share,
)
from vaeviewer.session.view_state import ViewState

CODE = np.array([0.5, -1.0, 2.0, 0.25], np.float32)


def snapshot(seed: int = 0) -> Snapshot:
    """A model without weights whose codes vary most along the last two of four dimensions."""
    rng = np.random.default_rng(seed)
    loc = (rng.normal(size=(500, 4)) * [0.1, 0.2, 1.0, 3.0] + 1.0).astype(np.float32)
    table = PosteriorTable(loc, None, np.zeros(500, np.int32))
    return snapshot_of(VaeConfig(latent_dim=4), DataSpec(ImageSpec(2, 2)), {}, posterior=table)


def changed(view: ViewState, changes: dict) -> ViewState:
    return replace(view, **changes)


@pytest.mark.parametrize("axes", [(0, 1), (3, 1), None])
def test_the_handle_keeps_its_code_whatever_is_shown(axes: tuple[int, int] | None) -> None:
    view = changed(ViewState(), ViewState().at_code(CODE))
    np.testing.assert_allclose(view.code(4), CODE, atol=1e-6)
    view = changed(view, choose_axes(view, snapshot(), axes))
    assert view.axes == axes
    np.testing.assert_allclose(view.code(4), CODE, atol=1e-5)


def test_a_drag_changes_the_two_numbers_of_its_axes_alone() -> None:
    view = changed(ViewState(), ViewState().at_code(CODE))
    view = changed(view, choose_axes(view, snapshot(), (3, 1)))
    assert view.z == (0.25, -1.0)
    moved = replace(view, z=(7.0, 8.0))
    np.testing.assert_allclose(moved.code(4), [0.5, 8.0, 2.0, 7.0], atol=1e-6)
    centred = changed(moved, rest_at_centre(moved, snapshot()))
    np.testing.assert_allclose(centred.code(4), [0.0, 8.0, 0.0, 7.0], atol=1e-6)


def test_principal_axes_follow_the_codes_about_the_handle() -> None:
    view = changed(ViewState(), ViewState().at_code(CODE))
    assert follow_codes(view, snapshot()) == {}, "two axes stay"
    view = changed(view, choose_axes(view, snapshot(), None))
    assert abs(view.plane_of(4).u[3]) > 0.99
    share = shown_share(view, snapshot())
    assert share is not None
    assert share > 0.98
    later = changed(view, follow_codes(view, snapshot(1)))
    assert not later.plane_of(4).parallel_to(view.plane_of(4))
    np.testing.assert_allclose(later.code(4), CODE, atol=1e-5)
    centred = changed(view, {**rest_at_centre(view, snapshot()), "z": (0.0, 0.0)})
    off_plane = centred.code(4)
    np.testing.assert_allclose(off_plane[:2], 1.0, atol=0.2)


def test_a_plane_of_another_space_does_not_count() -> None:
    view = ViewState(axes=(5, 6))
    assert view.plane_of(3).u.tolist() == [1.0, 0.0, 0.0]
    assert view.plane_of(8).u.tolist() == [0, 0, 0, 0, 0, 1, 0, 0]
    assert ViewState(axes=None).plane_of(3).v.tolist() == [0.0, 1.0, 0.0]


def test_selecting_an_image_takes_an_own_one_away() -> None:
    drawn = replace(ViewState(), own_image=np.zeros((2, 2), np.uint8))
    for row in (3, None):
        assert changed(drawn, select_image(drawn, snapshot(), row, None)).own_image is None
