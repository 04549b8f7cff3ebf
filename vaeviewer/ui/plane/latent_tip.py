"""What the plane's tool tip says: what its points are, and what mouse and keys do."""

from __future__ import annotations

from vaeviewer.analysis.generated import Generated
from vaeviewer.backend.snapshot import PosteriorTable

AT_THE_MEAN = "Each point is an image, at the mean of its approximate posterior q(z|x)."
AT_THE_CODE = "Each point is an image, at its code z."
DRAWN = (
    "This kind of model has no encoder, so images of the data have no place here. Each point is a code drawn from the "
    "prior p(z){classes}."
)
BY_CLASS = (
    ", in the colour of the class that a small classifier, trained on the data's labels, sees in its image"
)

_WAYS = (
    "<p>{what} Press anywhere to decode "
    "that z; click a point to select its image.</p><p>Wheel: zoom. Right or middle drag: pan. F: fit. "
    "Arrow keys: move the handle (Shift: faster). H: bring it here. Enter: select the image nearest to it; "
    "N and P: the next and the previous one, outwards from there. Esc: clear the selection.</p>"
)


def tip_of(posterior: PosteriorTable | None, generated: Generated | None) -> str:
    """The tool tip for points at these codes, which are those of generated images where there are such."""
    if generated is not None:
        what = DRAWN.format(classes=BY_CLASS if generated.classified else "")
    else:
        what = AT_THE_CODE if posterior is not None and posterior.log_variance is None else AT_THE_MEAN
    return _WAYS.format(what=what)
