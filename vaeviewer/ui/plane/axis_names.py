"""What the axes of the latent plane are called."""

from __future__ import annotations

from vaeviewer.session.view_state import ViewState

_SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


def dimension_name(dimension: int) -> str:
    """A dimension, counted from 0, as it is written: ``"z₁"`` for the first."""
    return f"z{str(dimension + 1).translate(_SUBSCRIPTS)}"


def axis_names(view: ViewState, latent_dim: int) -> tuple[str, str]:
    """The names of the plane's horizontal and vertical axis; a line has only the first."""
    if latent_dim == 1:
        return "z", ""
    if latent_dim > 2 and view.axes is None:
        return "PC 1", "PC 2"
    first, second = view.axes if view.axes is not None and max(view.axes) < latent_dim else (0, 1)
    return dimension_name(first), dimension_name(second)
