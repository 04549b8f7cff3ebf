"""``vaeviewer export``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from io import BytesIO
from typing import TYPE_CHECKING

from vaeviewer.commands.speech import complain, note
from vaeviewer.errors import SettingsError

if TYPE_CHECKING:
    from vaeviewer.analysis.latent_plane import LatentPlane

MOST_NAMED = 20
"""Classes that a sentence lists."""


def export(options: argparse.Namespace) -> int:
    """``vaeviewer export``; returns the exit code.

    Raises:
        UserError: Something the user can mend.
    """
    from PIL import Image

    from vaeviewer.analysis.manifold import manifold_picture
    from vaeviewer.backend.runs import atomic_files
    from vaeviewer.backend.runs.folder import load_run

    if options.manifold.suffix.lower() != ".png":
        raise SettingsError(f"--manifold must name a .png file, but is {options.manifold}.")
    if options.size > 100:
        raise SettingsError(f"--size must be at most 100, but is {options.size}.")
    run = load_run(options.run, training=False)
    for sentence in run.notes:
        note(sentence)
    latent_dim = run.settings.model.latent_dim
    plane = _plane(options.axes, latent_dim)
    names = run.settings.family.class_names(run.settings.model, run.data.class_names)
    y = _class(options.y, names)
    picture = manifold_picture(run.checkpoint.snapshot, options.size, options.spacing, plane, y)
    png = BytesIO()
    Image.fromarray(picture).save(png, "PNG")
    try:
        atomic_files.write_whole(options.manifold, png.getvalue())  # or what was there stays
    except (OSError, ValueError) as error:
        raise SettingsError(
            f"{options.manifold} could not be written: {atomic_files.reason(error)}; choose another place."
        ) from None
    rows = 1 if latent_dim == 1 else options.size
    of_class = "" if y is None else f" of class {names[y]}"
    complain(f"{rows} × {options.size} images{of_class} in {options.manifold}")
    return 0


def _class(name: str | None, names: Sequence[str]) -> int | None:
    """Which class a name is, the first where none is named; ``None`` for a model that does not see it."""
    if name is None:
        return 0 if names else None
    if not names:
        raise SettingsError("--class is for models that see the class of an image; the run's does not.")
    if name not in names:
        few = ", ".join(names[:MOST_NAMED]) + (", …" if len(names) > MOST_NAMED else "")
        raise SettingsError(f"--class must be one of {few}, but is {name}.")
    return list(names).index(name)


def _plane(axes: tuple[int, int] | None, latent_dim: int) -> LatentPlane | None:
    """The plane of two axes, counted from 1; ``None`` for that of the first two."""
    if axes is None:
        return None
    if axes[0] == axes[1] or max(axes) > latent_dim:
        raise SettingsError(
            f"--axes must name two different ones of the run's {latent_dim} latent dimensions, counted from 1, "
            f"but is {axes[0]},{axes[1]}."
        )
    from vaeviewer.analysis.latent_plane import axes_plane

    return axes_plane(latent_dim, axes[0] - 1, axes[1] - 1)
