"""One rule for every kind of picture: how whatever Pillow opens becomes grey levels or RGB of one size.

EXIF orientation is obeyed, transparency is composited on the background, palettes become true colours, CMYK is
converted, deep pictures are scaled by their type's range, other sizes are scaled with antialiasing and cropped or
padded.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from vaeviewer.backend.data.levels import Scale, scale_of

GREY = "L"
COLOUR = "RGB"

_DEEP = ("I", "F", "I;16", "I;16L", "I;16B", "I;16N")
_TRANSPARENT = ("RGBA", "RGBa", "LA", "La", "PA")
_BITS_PER_SAMPLE, _SAMPLE_FORMAT, _SIGNED = 258, 339, 2  # of TIFF


class UnfitError(ValueError):
    """A picture has numbers or a colour mode that no rule covers; the text says which, to follow the file's name."""


def is_colour(image: Image.Image) -> bool:
    """Whether a picture counts as colour by its mode, and by its palette; needs no pixels."""
    if image.mode in ("1", "L", "LA", "La", *_DEEP):
        return False
    if image.mode in ("P", "PA"):
        # Looked at in a copy: asking for colours may change the picture's own mode.
        palette = image.getpalette("RGB") or []
        rgb = np.array(palette[: len(palette) // 3 * 3]).reshape(-1, 3)
        return bool((rgb != rgb[:, :1]).any())
    return True


def set_upright(image: Image.Image) -> None:
    """Turn a loaded picture as its EXIF orientation says it is meant. Of TIFF, Pillow does so at loading."""
    # Damaged EXIF says nothing; the pixels are whole.
    with suppress(Exception):
        ImageOps.exif_transpose(image, in_place=True)


def deep_values(image: Image.Image) -> NDArray[Any] | None:
    """The numbers of a picture of more than 8 bits, shape ``(height, width)``; ``None`` for any other.

    Raises:
        UnfitError: Some are NaN or infinite.
    """
    if image.mode not in _DEEP:
        return None
    values = np.asarray(image)
    if image.mode == "F":
        if not np.isfinite(values).all():
            raise UnfitError("holds NaN or infinite values")
        return values
    if image.mode != "I":
        return values.astype(np.uint16, copy=False)
    tags: Any = getattr(image, "tag_v2", {})
    bits, signed = _of_tag(tags, _BITS_PER_SAMPLE, 16), _of_tag(tags, _SAMPLE_FORMAT, 1) == _SIGNED
    if signed:
        return values.astype(np.int16) if bits == 16 else values
    return values.view(np.uint32) if bits == 32 else values.astype(np.uint16)


def _of_tag(tags: Any, tag: int, default: int) -> int:
    value = tags.get(tag, default)
    return int(value[0]) if isinstance(value, tuple) else int(value)


def range_of(image: Image.Image, background: tuple[int, int, int]) -> tuple[float, float]:
    """Darkest and brightest value in a loaded picture: its own numbers if it is deep, else levels 0 … 255."""
    values = deep_values(image)
    if values is not None:
        return float(values.min()), float(values.max())
    extrema = plain(image, background).getextrema()
    pairs: Any = extrema if isinstance(extrema[0], tuple) else (extrema,)
    return float(min(low for low, _ in pairs)), float(max(high for _, high in pairs))


def plain(image: Image.Image, background: tuple[int, int, int], stretch: Scale | None = None) -> Image.Image:
    """A loaded picture in the mode ``L`` or ``RGB``, whatever it was.

    Args:
        image: The picture.
        background: What shows through where it is transparent, RGB.
        stretch: The scale of a whole data set that is stretched to its range, or ``None`` for the type's range.

    Raises:
        UnfitError: No rule covers its numbers or its mode.
    """
    values = deep_values(image)
    if values is not None:
        return Image.fromarray((stretch or _type_scale(values)).levels(values))
    image = _eight_bits(image, background)
    if stretch is not None:
        table = stretch.levels(np.arange(256, dtype=np.float32)).tolist()
        image = image.point(table * len(image.getbands()))
    return image


def _type_scale(values: NDArray[Any]) -> Scale:
    if values.dtype.kind in "iu":
        bounds = np.iinfo(values.dtype)
        return Scale(float(bounds.min), float(bounds.max))
    scale = scale_of(values.dtype, float(values.min()), float(values.max()), "type")
    if scale is None:
        raise UnfitError(
            f"has values from {values.min():g} to {values.max():g}, which fit no known range; stretch the levels"
        )
    return scale


def _eight_bits(image: Image.Image, background: tuple[int, int, int]) -> Image.Image:
    colour = is_colour(image)
    if image.mode in _TRANSPARENT or "transparency" in image.info:
        rgba = image.convert("RGBA")
        behind = Image.new("RGBA", image.size, (*background, 255))
        image = Image.alpha_composite(behind, rgba).convert(COLOUR)
        colour = colour or len(set(background)) > 1
    mode = COLOUR if colour else GREY
    if image.mode == mode:
        return image
    try:
        return image.convert(mode)
    except ValueError:
        raise UnfitError(f"has the colour mode {image.mode}, which no rule covers") from None


def fitted(
    image: Image.Image, size: tuple[int, int], fit: str, background: tuple[int, int, int]
) -> Image.Image:
    """A plain picture scaled to ``(height, width)``: its middle at ``crop``, all of it on the background at ``pad``."""
    height, width = size
    if image.size == (width, height):
        return image
    if fit == "pad":
        scale = min(width / image.width, height / image.height)
        inner = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        scaled = image.resize(inner, Image.Resampling.LANCZOS, reducing_gap=3.0)
        ground: Any = background if image.mode == COLOUR else _grey_of(background)
        padded = Image.new(image.mode, (width, height), ground)
        padded.paste(scaled, ((width - inner[0]) // 2, (height - inner[1]) // 2))
        return padded
    scale = min(image.width / width, image.height / height)
    left, top = (image.width - width * scale) / 2, (image.height - height * scale) / 2
    box = (left, top, left + width * scale, top + height * scale)
    return image.resize((width, height), Image.Resampling.LANCZOS, box=box, reducing_gap=3.0)


def _grey_of(rgb: tuple[int, int, int]) -> int:
    """The grey level of a colour, as Pillow converts it (ITU-R 601-2)."""
    return (rgb[0] * 299 + rgb[1] * 587 + rgb[2] * 114 + 500) // 1000
