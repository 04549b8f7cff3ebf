"""Selecting an image: what changes in the view, for one trained on and for one that is held out."""

from __future__ import annotations

from typing import Any

from vaeviewer.analysis.latent_plane import Array
from vaeviewer.session.plane_choice import select_image
from vaeviewer.session.view_state import in_plane
from vaeviewer.ui.panel import Frame, Host


def selecting(frame: Frame, row: int | None) -> dict[str, Any]:
    """The changes that select an image trained on, or none; the handle stays where it is in the plane."""
    snapshot, dataset, generated = frame.snapshot, frame.dataset, frame.generated
    codes = snapshot.posterior if snapshot is not None else None
    if generated is not None and codes is None:
        codes = generated.table
    changes = select_image(frame.view, snapshot, row, codes)
    if row is not None:  # so that what is decoded there is this image's
        if generated is not None and generated.y is not None:
            changes["y"] = int(generated.y[row])
        elif dataset is not None and snapshot is not None and snapshot.family.capabilities.uses_labels:
            changes["y"] = int(dataset.train_labels[row])
    return changes


def go_to_trained(host: Host, row: int) -> None:
    """Select an image trained on, and take the handle to the mean of its posterior."""
    frame = host.frame()
    changes = selecting(frame, row)
    table = frame.snapshot.posterior if frame.snapshot is not None else None
    if table is not None and row < len(table.loc):
        changes.update(_at(frame, table.loc[row]))
    host.set_view(**changes)


def go_to_held_out(host: Host, row: int) -> None:
    """Take the handle to the mean of a held-out image's posterior, and show it in place of a selected one."""
    frame = host.frame()
    snapshot, dataset = frame.snapshot, frame.dataset
    if snapshot is None or dataset is None:
        return
    image, y = dataset.held_out_images[row], int(dataset.held_out_labels[row])

    def take(codes: tuple[Array, Array | None] | None) -> None:
        changes: dict[str, Any] = {"selected": None, "own_image": image, "held_out": row}
        if codes is not None:
            changes.update(_at(frame, codes[0][0]))
        if snapshot.family.capabilities.uses_labels:
            changes["y"] = y
        host.set_view(**changes)

    host.decoder.ask("held-out image", snapshot, lambda model: model.encode(image[None], y), take)


def _at(frame: Frame, code: Array) -> dict[str, Any]:
    return in_plane(frame.view.plane_of(len(code)), code)
