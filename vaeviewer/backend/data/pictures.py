"""One file of pictures: opened with Pillow by an explicit list of formats, decoded whole or not at all."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile, UnidentifiedImageError

from vaeviewer.backend.data import rule
from vaeviewer.backend.data.levels import Scale
from vaeviewer.backend.data.reading import Reading
from vaeviewer.limits import MAX_PAGES, MAX_PICTURE_PIXELS

FORMATS = ("PNG", "JPEG", "BMP", "DIB", "GIF", "WEBP", "TIFF")
"""No format that runs a program (EPS) or that nobody expects to be opened."""

_TURNED = (5, 6, 7, 8)
_ORIENTATION = 0x0112
_LONGEST_REASON = 120

Image.MAX_IMAGE_PIXELS = MAX_PICTURE_PIXELS
ImageFile.LOAD_TRUNCATED_IMAGES = False
warnings.filterwarnings("error", category=Image.DecompressionBombWarning)
warnings.filterwarnings("ignore", module=r"PIL\.")  # odd metadata, which decides nothing here


class UnusableError(ValueError):
    """A file's pictures cannot be used; the text says why, to follow the file's name."""


@dataclass(frozen=True)
class Seen:
    """What the header of a file says.

    Attributes:
        size: ``(height, width)`` in pixels of its first picture, upright, or transposed where that was chosen.
        colour: Whether any of its pages is.
        pages: How many images it holds: of TIFF all its pages, else one.
        low: Darkest value, where levels are stretched.
        high: Brightest.
    """

    size: tuple[int, int]
    colour: bool
    pages: int
    low: float = 0.0
    high: float = 255.0


def look_at(path: Path, reading: Reading) -> Seen:
    """Read a file's header; all of it where levels are stretched.

    Raises:
        UnusableError: It is none of the formats, too large, or damaged in a way that shows at once.
    """
    with _opened(path) as image:
        pages = min(getattr(image, "n_frames", 1), MAX_PAGES) if image.format == "TIFF" else 1
        colour, low, high = False, np.inf, -np.inf
        size = (image.height, image.width)
        if image.format in ("JPEG", "MPO", "PNG", "WEBP") and _orientation(image) in _TURNED:
            size = size[::-1]
        for page in range(pages):
            if page:
                image.seek(page)
                _check_size(image)
            colour = colour or rule.is_colour(image)
            if reading.levels == "data":
                image.load()
                least, greatest = rule.range_of(image, reading.background_rgb)
                low, high = min(low, least), max(high, greatest)
        unverified = image.format == "PNG"
        if unverified and reading.levels == "type" and image.mode not in ("P", "PA"):
            unverified = False  # nothing was decoded yet, as Pillow wants it
            image.verify()  # its checksums, which decoding does not look at
    if unverified:
        with _opened(path) as image:
            image.verify()
    return Seen(size[::-1] if reading.transpose else size, colour, pages, float(low), float(high))


def decode(
    path: Path, pages: int, size: tuple[int, int], *, colour: bool, reading: Reading, stretch: Scale | None
) -> list[NDArray[np.uint8]]:
    """Decode all pages of a file, or none.

    Args:
        path: The file.
        pages: How many it holds.
        size: ``(height, width)`` of the images wanted.
        colour: Whether they shall be RGB.
        reading: Everything else that was chosen.
        stretch: The scale where levels are stretched.

    Returns:
        An array for each page, ``(height, width)`` or ``(height, width, 3)``.

    Raises:
        UnusableError: It cannot be decoded whole.
    """
    background = reading.background_rgb
    inner = size[::-1] if reading.transpose else size
    images = []
    with _opened(path) as file:
        for page in range(pages):
            if page:
                file.seek(page)
                _check_size(file)
            if pages == 1 and file.format in ("JPEG", "MPO"):
                # Decodes at a half, a quarter or an eighth of the size, which is twice what is needed or more.
                longest = 2 * max(size)
                file.draft(None, (longest, longest))  # None keeps the mode
            file.load()
            if file.format != "TIFF":
                rule.set_upright(file)
            image = rule.fitted(rule.plain(file, background, stretch), inner, reading.fit, background)
            image = image.convert(rule.COLOUR if colour else rule.GREY)
            levels = np.asarray(image)
            images.append(levels.swapaxes(0, 1) if reading.transpose else levels)
    return images


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """A picture of one of the formats, its size checked.

    Raises:
        UnusableError: It is none, or whatever Pillow raises while it is used.
    """
    try:
        with path.open("rb") as file, Image.open(file, formats=FORMATS) as image:
            _check_size(image)
            yield image
    except UnusableError:
        raise
    except rule.UnfitError as error:
        raise UnusableError(str(error)) from None
    # Pillow's readers raise nearly anything at damaged files, and one bad file never stops a load.
    except Exception as error:
        raise UnusableError(_why(path, error)) from None


def _check_size(image: Image.Image) -> None:
    if image.width * image.height > MAX_PICTURE_PIXELS:
        raise UnusableError(
            f"has {image.height:,}×{image.width:,} pixels, more than {MAX_PICTURE_PIXELS // 2**20} million"
        )


def _orientation(image: Image.Image) -> int:
    if image.format == "PNG" and "exif" not in image.info:
        return 1  # asking would decode all of it, in search of EXIF after the pixels
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # damaged EXIF says nothing
        return 1


def _why(path: Path, error: Exception) -> str:
    """What is wrong with a file, in words that follow its name."""
    if isinstance(error, Image.DecompressionBombError | Image.DecompressionBombWarning):
        return f"has more than {MAX_PICTURE_PIXELS // 2**20} million pixels"
    if isinstance(error, UnidentifiedImageError):
        return "is empty" if _is_empty(path) else "is no picture of a known format, whatever its name says"
    if isinstance(error, PermissionError):
        return "may not be read"
    if isinstance(error, FileNotFoundError):
        return "is gone"
    if isinstance(error, MemoryError):
        return "needs more memory than there is"
    text = str(error).splitlines()[0].strip().rstrip(".") if str(error).strip() else type(error).__name__
    if "truncated" in text.lower() or isinstance(error, EOFError):
        return "ends too early"
    return f"cannot be decoded ({text[:_LONGEST_REASON]})"


def _is_empty(path: Path) -> bool:
    try:
        return path.stat().st_size == 0
    except OSError:
        return False
