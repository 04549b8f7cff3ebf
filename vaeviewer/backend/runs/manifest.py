"""What ``manifest.json`` of a run folder says: typed, bounded and refused where it is anything else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    Field,
    JsonValue,
    ValidationError,
)

from vaeviewer.backend.config import Settings, problem, shown
from vaeviewer.backend.data.base import DataSource
from vaeviewer.backend.models.interface import DataSpec, ImageSpec
from vaeviewer.backend.runs.formats import FORMAT, upgraded_manifest
from vaeviewer.backend.training.records import STRICT, Change, HeldOut, Name, Step
from vaeviewer.limits import (
    MAX_CHANGES,
    MAX_CLASSES,
    MAX_DESCRIBED_SIDE,
    MAX_MANIFEST_BYTES,
    MAX_TENSOR_FILE_BYTES,
)

FILE_NAME = r"^step-[0-9]{8,10}(-[0-9]{1,6})?\.(weights|training|metrics)\.safetensors$"

Side = Annotated[int, Field(ge=1, le=MAX_DESCRIBED_SIDE)]


def _grey_or_colour(shape: tuple[int, ...]) -> tuple[int, ...]:
    if shape[2:] not in ((), (3,)):
        raise ValueError("an image has one channel or three")
    return shape


ImageShape = Annotated[tuple[Side, ...], Field(min_length=2, max_length=3), AfterValidator(_grey_or_colour)]


@dataclass(frozen=True)
class DataDescription:
    """The data of a run: how to find them again, and what is shown and checked without them.

    Attributes:
        source: How to find them.
        name: What a user sees.
        class_names: A name per class.
        image_shape: ``(height, width)``, pixels; and ``3`` behind them in colour.
        train_count: Images trained on.
        held_out_count: Images held out.
    """

    __pydantic_config__ = STRICT

    source: DataSource
    name: Name
    class_names: Annotated[tuple[Name, ...], Field(max_length=MAX_CLASSES)]
    image_shape: ImageShape
    train_count: Annotated[int, Field(ge=0, le=2**40)]
    held_out_count: Annotated[int, Field(ge=0, le=2**40)]

    @property
    def image(self) -> ImageSpec:
        """Size of an image."""
        return ImageSpec(*self.image_shape)

    @property
    def spec(self) -> DataSpec:
        """What the model knew of them before it saw them."""
        return DataSpec(self.image, len(self.class_names), self.train_count)


class _Part(BaseModel):
    model_config = STRICT


class FileEntry(_Part):
    """A file of a checkpoint: a plain name in the run folder, its length in bytes and its SHA-256."""

    name: str = Field(pattern=FILE_NAME, max_length=64)
    size: int = Field(ge=0, le=MAX_TENSOR_FILE_BYTES)
    sha256: str = Field(pattern="^[0-9a-f]{64}$")


class Files(_Part):
    """The files of a checkpoint by kind."""

    weights: FileEntry
    training: FileEntry
    metrics: FileEntry

    @property
    def names(self) -> set[str]:
        """The three names."""
        return {self.weights.name, self.training.name, self.metrics.name}


def _finite_json(values: dict[str, Any]) -> dict[str, Any]:
    json.dumps(values, allow_nan=False)  # JSON has no word for NaN, but parsers read one; raises ValueError
    return values


class CheckpointEntry(_Part):
    """A checkpoint: where training was, and the files that hold it."""

    step: Step
    epoch: float = Field(ge=0.0)
    held_out: HeldOut | None
    training_values: Annotated[dict[str, JsonValue], AfterValidator(_finite_json)]
    files: Files


class BestEntry(_Part):
    """The state with the best held-out figures so far; its files may be a checkpoint's."""

    step: Step
    epoch: float = Field(ge=0.0)
    held_out: HeldOut
    training_values: Annotated[dict[str, JsonValue], AfterValidator(_finite_json)]
    weights: FileEntry
    training: FileEntry

    @property
    def names(self) -> set[str]:
        """Its two files' names."""
        return {self.weights.name, self.training.name}


class Manifest(_Part):
    """All of ``manifest.json``. ``checkpoints`` are newest first; times are of the form of ISO 8601.

    ``in_training`` says that the run was being trained when it was saved: where nobody holds its lock, it did not
    end cleanly.
    """

    format: Literal[1, 2, 3, 4]
    program: str = Field(max_length=64)
    created: AwareDatetime
    saved: AwareDatetime
    in_training: bool = False
    settings: Settings
    data: DataDescription
    device: str = Field(max_length=500)
    threads: int = Field(ge=0, le=65_536)
    timeline: tuple[Change, ...] = Field(max_length=MAX_CHANGES)
    checkpoints: tuple[CheckpointEntry, ...] = Field(min_length=1, max_length=2)
    best: BestEntry | None = None

    @property
    def names(self) -> set[str]:
        """The names of all its files."""
        found = self.best.names if self.best is not None else set()
        return found.union(*(entry.files.names for entry in self.checkpoints))


class NewerFormatError(ValueError):
    """A manifest was written by a newer program."""


class _Format(BaseModel):
    format: int = Field(strict=True)


def parse_manifest(data: bytes) -> Manifest:
    """A manifest from the bytes of its file.

    Raises:
        NewerFormatError: A newer program wrote it.
        ValueError: It is no manifest; the text names the field and what is wrong with it.
    """
    if len(data) > MAX_MANIFEST_BYTES:
        raise ValueError(f"it holds {len(data):,} bytes, more than the {MAX_MANIFEST_BYTES:,} allowed")
    try:
        written = _Format.model_validate_json(data).format
        if written > FORMAT:
            raise NewerFormatError("it was written by a newer vaeviewer")
        if written < FORMAT:
            data = upgraded_manifest(data)
        return Manifest.model_validate_json(data)
    except RecursionError:
        raise ValueError("its values lie too deep in each other") from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        if first["type"] == "json_invalid":
            raise ValueError(f"it is not valid JSON ({first['ctx']['error']})") from None
        field = ".".join(shown(part) for part in first["loc"][:8])
        raise ValueError(
            f"{field} {problem(first)}" if field else "it is not a group of named values"
        ) from None


def manifest_bytes(manifest: Mapping[str, Any]) -> bytes:
    """JSON for plain values, dataclasses and models, checked by reading it back.

    Raises:
        ValueError: Something in it could not be read again; the text names the field.
    """
    try:
        text = json.dumps(manifest, default=_plain, ensure_ascii=False, allow_nan=False, indent=1)
        data = text.encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"its description cannot be written as JSON ({error})") from None
    parse_manifest(data)
    return data


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, Change | HeldOut | DataDescription):
        return {name: getattr(value, name) for name in value.__dataclass_fields__}
    raise TypeError(f"{type(value).__name__} has no form in JSON")
