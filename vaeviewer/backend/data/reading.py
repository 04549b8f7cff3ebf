"""How pictures become images of one size: what a user chooses before training, and what a run remembers of it."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.fields import FieldInfo

from vaeviewer.errors import DataError
from vaeviewer.limits import MAX_IMAGE_SIDE, MIN_IMAGE_SIDE

Side = Annotated[int, Field(ge=MIN_IMAGE_SIDE, le=MAX_IMAGE_SIDE)]


class Reading(BaseModel):
    """The choices in reading pictures, arrays and idx files. The same reading of the same files gives the same data."""

    model_config = ConfigDict(defer_build=True, frozen=True, extra="forbid")

    size: tuple[Side, Side] | None = Field(
        None,
        title="Size",
        description="Height and width of every image, pixels, such as 64x48. Left out, images of one size keep it "
        "and others get a size that suits most of them, 64 pixels at most.",
    )
    channels: Literal["auto", "grey", "colour"] = Field(
        "auto",
        title="Channels",
        description="Grey or colour; auto takes colour as soon as one image has any.",
    )
    background: str = Field(
        "#ffffff",
        pattern="^#[0-9a-f]{6}$",
        title="Background",
        description="Colour behind what is transparent and beside what is padded, such as #ffffff (white).",
    )
    fit: Literal["crop", "pad"] = Field(
        "crop",
        title="Fit",
        description="Images of another shape are scaled and cropped around their middle, or padded to be seen whole.",
    )
    levels: Literal["type", "data"] = Field(
        "type",
        title="Levels",
        description="Black and white are the ends of the type's range, or (data) the darkest and the brightest "
        "value there is, which stretches faint images.",
    )
    transpose: bool = Field(
        False,
        title="Transpose",
        description="Swap rows and columns, of files that store images lying on their side.",
    )
    held_out: float = Field(
        0.1,
        ge=0.0,
        le=0.9,
        title="Held out",
        description="Share of the images of each class that is kept from training, where the data bring no split.",
    )
    split_seed: int = Field(
        0,
        ge=0,
        le=2**32 - 1,
        title="Split seed",
        description="Which images are held out.",
    )

    @property
    def background_rgb(self) -> tuple[int, int, int]:
        """Red, green and blue of the background, 0 … 255."""
        red, green, blue = bytes.fromhex(self.background[1:])
        return red, green, blue


FIELDS: dict[str, FieldInfo] = dict(Reading.model_fields)
"""The choices by name, for flags and forms."""


def parse_size(text: str) -> tuple[int, int]:
    """``(height, width)`` of ``"64x48"``, or of ``"64"`` for a square.

    Raises:
        DataError: It is not of that form, or a side is out of bounds.
    """
    match = re.fullmatch(r"(\d{1,6})(?:[x×](\d{1,6}))?", text.strip().lower(), re.ASCII)
    height, width = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
    if not (MIN_IMAGE_SIDE <= height <= MAX_IMAGE_SIDE and MIN_IMAGE_SIDE <= width <= MAX_IMAGE_SIDE):
        raise DataError(
            f"size must be HEIGHTxWIDTH such as 64x48, each from {MIN_IMAGE_SIDE} to {MAX_IMAGE_SIDE} pixels, "
            f"but is {text[:60]!r}."
        )
    return height, width


def parse_reading(**choices: Any) -> Reading:
    """A reading from plain values or text, as flags and forms have them.

    Raises:
        DataError: A choice does not exist or cannot be used; the sentence begins with its name.
    """
    if isinstance(choices.get("size"), str):
        choices["size"] = parse_size(choices["size"])
    try:
        return Reading.model_validate(choices)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = str(first["loc"][0])
        field = FIELDS.get(name)
        if field is None:
            raise DataError(f"there is no choice named {name[:60]!r} in reading images.") from None
        options = getattr(field.annotation, "__args__", ())
        if first["type"] == "literal_error":
            expected = "one of " + ", ".join(map(str, options))
        elif name == "background":
            expected = "a colour such as #ffffff"
        elif name == "size":
            expected = f"a height and a width of {MIN_IMAGE_SIDE} to {MAX_IMAGE_SIDE} pixels"
        elif name == "transpose":
            expected = "true or false"
        elif name == "held_out":
            expected = "a share from 0 to 0.9"
        else:
            expected = "a whole number from 0 on"
        raise DataError(f"{name} must be {expected}, but is {str(first['input'])[:60]!r}.") from None
