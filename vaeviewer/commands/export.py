"""``vaeviewer export``."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from vaeviewer.commands.speech import note
from vaeviewer.errors import RunFolderError, SettingsError

if TYPE_CHECKING:
    pass


def export(options: argparse.Namespace) -> int:
    """``vaeviewer export``; returns the exit code.

    Raises:
        UserError: Something the user can mend.
    """
    from PIL import Image

    from vaeviewer.analysis.manifold import manifold_picture
    from vaeviewer.backend.runs.folder import load_run

    if options.manifold.suffix.lower() != ".png":
        raise SettingsError(f"--manifold must name a .png file, but is {options.manifold}.")
    if options.size > 100:
        raise SettingsError(f"--size must be at most 100, but is {options.size}.")
    run = load_run(options.run)
    for sentence in run.notes:
        note(sentence)
    if run.settings.model.latent_dim != 2:
        dim = run.settings.model.latent_dim
        raise RunFolderError(
            f"{run.folder} has {dim} latent dimensions; a manifold is drawn for models with 2."
        )
    picture = manifold_picture(run.checkpoint.snapshot, options.size, options.spacing)
    try:
        Image.fromarray(picture).save(options.manifold)
    except OSError as error:
        raise SettingsError(f"{options.manifold} could not be written: {error.strerror or error}.") from None
    print(f"{options.size} × {options.size} images in {options.manifold}", file=sys.stderr)
    return 0
