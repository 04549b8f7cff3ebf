"""Typed, validated settings. Each field carries its bounds, label and help; forms and flags derive from them.

Imports no torch: the form is on screen before torch is.
"""

from __future__ import annotations

import reprlib
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, PlainValidator, SerializeAsAny, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails, PydanticCustomError

from vaeviewer.backend.models import registry
from vaeviewer.backend.models.fields import ADVANCED, LIVE, FamilyConfig, Group, marked
from vaeviewer.backend.models.interface import ImageSpec
from vaeviewer.backend.models.registry import AnyFamily
from vaeviewer.errors import SettingsError

DEFAULT_FAMILY = "vae"


class TrainConfig(Group):
    """How a model is trained, whatever its family."""

    epochs: int = Field(
        20,
        ge=1,
        le=100_000,
        title="Epochs",
        description="Passes over the training images that Train makes.",
        json_schema_extra=LIVE,
    )
    batch_size: int = Field(
        128, ge=1, le=65_536, title="Batch size", description="Images in each gradient step."
    )
    learning_rate: float = Field(
        3e-3,
        gt=0.0,
        le=10.0,
        title="Learning rate",
        description="Step size of the optimizer at the start; the schedule scales it from there.",
        json_schema_extra=LIVE,
    )
    schedule: Literal["cosine", "constant"] = Field(
        "cosine",
        title="Schedule",
        description="How the learning rate changes: constant, or falling along half a cosine "
        "over the epochs.",
    )
    optimizer: Literal["adam", "sgd", "adagrad"] = Field(
        "adam", title="Optimizer", description="How gradients change the weights; the paper used Adagrad."
    )
    protocol: Literal["grey", "dynamic", "threshold"] = Field(
        "grey",
        title="Pixels",
        description="Grey levels taken as probabilities, binarised at random anew at each use (dynamic), "
        "or thresholded at one half. ELBOs of different protocols cannot be compared.",
    )
    seed: int = Field(
        0,
        ge=0,
        le=2**32 - 1,
        title="Seed",
        description="Fixes the initial weights, the order of images and all noise.",
    )


class ComputeConfig(Group):
    """What computes, which is no part of what is learned and does not travel to another machine."""

    device: Literal["auto", "cpu", "cuda", "mps"] = Field(
        "auto",
        title="Device",
        description="Where training computes; auto takes CUDA, then MPS, then the CPU, "
        "whichever really works.",
        json_schema_extra=ADVANCED,
    )
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto",
        title="Precision",
        description="Of the large matrix products; auto takes bfloat16 where the hardware multiplies it natively. "
        "Weights, sums and the posterior are float32 always.",
        json_schema_extra=ADVANCED,
    )
    engine: Literal["auto", "eager", "captured", "compiled", "fused"] = Field(
        "auto",
        title="Engine",
        description="How a step is computed: eager is PyTorch as everyone writes it and serves every model; captured "
        "replays the same as one CUDA graph; compiled is the same through torch.compile; fused is hand-made for the "
        "fully connected VAE on a processor. auto takes captured or fused where one serves, else eager.",
        json_schema_extra=ADVANCED,
    )
    threads: int = Field(
        0,
        ge=0,
        le=1024,
        title="Threads",
        description="Processor threads for training; 0 takes one per core, or as many as a "
        "container may use.",
        json_schema_extra=ADVANCED,
    )


def _of_its_family(value: Any) -> FamilyConfig:
    """The settings of a model, read as its family's own."""
    if isinstance(value, FamilyConfig):
        return value
    if not isinstance(value, Mapping):
        raise PydanticCustomError("model_type", "a model is a group of named values")
    key = value.get("family", DEFAULT_FAMILY)
    try:
        config: type[FamilyConfig] = registry.family(key).Config
    except (KeyError, TypeError):
        known = ", ".join(registry.families())
        raise PydanticCustomError(
            "told", "{told}", {"told": f"family must be one of {known}, but is {_short(key)}"}
        ) from None
    try:
        return config.model_validate(dict(value))
    except ValidationError as error:
        told = describe(error).removesuffix(".")
        raise PydanticCustomError("told", "{told}", {"told": told}) from None


class Settings(Group):
    """All settings of a run: what is learned, how, and what computes it.

    Attributes:
        model: Of the family that its field ``family`` names.
    """

    model: Annotated[SerializeAsAny[FamilyConfig], PlainValidator(_of_its_family)] = Field(
        default_factory=lambda: _of_its_family({})
    )
    train: TrainConfig = TrainConfig()
    compute: ComputeConfig = ComputeConfig()

    @property
    def family(self) -> AnyFamily:
        """The family of the model."""
        return registry.family(self.model.family)


GROUPS = ("model", "train", "compute")

DEFAULT = "default"
"""Every family's first preset: its settings as they are declared."""


def presets(family: str = DEFAULT_FAMILY, image: ImageSpec | None = None) -> Mapping[str, Settings]:
    """A family's named starting points, ``default`` first, as they suit images of that size."""
    plain = suited(Settings(model=_of_its_family({"family": family})), image)
    named = registry.family(family).presets
    return {DEFAULT: plain} | {name: updated(plain, **preset.values) for name, preset in named.items()}


def suited(settings: Settings, image: ImageSpec | None, before: ImageSpec | None = None) -> Settings:
    """Settings of which what is at its default is as it suits images of that size, or small ones.

    Args:
        settings: To start from.
        image: Size of the images to be trained on.
        before: Of those that they were made to suit, whose default is theirs, too.
    """
    model = settings.model.suited(image.values if image else 0, before.values if before else 0)
    return settings.model_copy(update={"model": model})


def fields(settings: Settings) -> Iterator[tuple[str, str, FieldInfo]]:
    """Each setting that has an editor and a flag: its group, its name and what is declared of it."""
    for group in GROUPS:
        for name, info in type(getattr(settings, group)).model_fields.items():
            if name != "family":
                yield group, name, info


def value_of(settings: Settings, name: str) -> Any:
    """The value of a setting of any group.

    Raises:
        KeyError: There is none of that name.
    """
    for group in GROUPS:
        if name in type(getattr(settings, group)).model_fields:
            return getattr(getattr(settings, group), name)
    raise KeyError(name)


def live_fields(settings: Settings) -> frozenset[str]:
    """Names of the settings that may change while training runs."""
    return frozenset(name for _, name, info in fields(settings) if marked(info, "live"))


def value_problem(field: FieldInfo, value: Any) -> str:
    """Why ``value`` cannot be what a setting declares, as a sentence; empty where it can.

    Such as ``"Learning rate must be at most 10, but is 99."``.
    """
    kind: TypeAdapter[Any] = TypeAdapter(
        Annotated[field.annotation, field],  # type: ignore[arg-type]  # made at run time
        config=ConfigDict(allow_inf_nan=False),
    )
    try:
        kind.validate_python(value)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        label = field.title or "It"
        if first["loc"] and isinstance(first["loc"][-1], int):
            label = f"Value {first['loc'][-1] + 1} of {label.lower()}"
        return f"{label} {problem(first)}."
    return ""


def protocol_text(settings: Settings) -> str:
    """The protocol of a run's figures, in words. Figures of different protocols are never compared."""
    return settings.family.protocol(settings.model, pixels_text(settings.train.protocol))


def pixels_text(protocol: Literal["grey", "dynamic", "threshold"]) -> str:
    """How a model sees pixels, in words."""
    return {
        "grey": "grey levels",
        "dynamic": "dynamically binarised",
        "threshold": "thresholded at one half",
    }[protocol]


def parse_settings(values: Mapping[str, Any]) -> Settings:
    """Validate nested plain values, as read from JSON, ``{"model": {...}, "train": {...}}``.

    Raises:
        SettingsError: One sentence naming the first field that cannot be used and why.
    """
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        raise SettingsError(describe(error)) from None


def updated(settings: Settings, **changes: Any) -> Settings:
    """A copy of ``settings`` with some fields, of any group, replaced and everything validated again.

    Another ``family`` is taken as :func:`of_family` does.

    Raises:
        SettingsError: A field does not exist or its value is out of bounds.
    """
    if changes.get("family", settings.model.family) != settings.model.family:
        settings = of_family(settings, changes["family"])
    values = settings.model_dump()
    for name, value in changes.items():
        for group in GROUPS:
            if name in values[group]:
                values[group][name] = value
                break
        else:
            raise SettingsError(f"there is no setting named {shown(name)}.")
    return parse_settings(values)


def of_family(settings: Settings, key: str, image: ImageSpec | None = None) -> Settings:
    """These settings for another family, which brings its own fields.

    Of those that both have, what was set keeps its value where it is valid there, and what was at its default gets that
    of the new family.

    Args:
        settings: To start from.
        key: The family.
        image: Size of the images that defaults suit.

    Raises:
        SettingsError: There is no such family.
    """
    settings_there = suited(parse_settings({**settings.model_dump(), "model": {"family": key}}), image)
    there = type(settings_there.model).model_fields
    plain = presets(settings.model.family, image)[DEFAULT].model
    for name, value in settings.model.model_dump().items():
        if name in there and name != "family" and value != getattr(plain, name):
            try:
                settings_there = updated(settings_there, **{name: value})
            except SettingsError:
                continue  # a value that means nothing there
    return settings_there


def describe(error: ValidationError) -> str:
    """One plain sentence for the first thing wrong, such as "epochs must be at least 1, but is 0."."""
    first = error.errors(include_url=False)[0]
    if first["type"] == "told":
        return f"{first['msg']}."
    groups = first["loc"][:1] in tuple((group,) for group in GROUPS)
    path = first["loc"][1:] if groups and len(first["loc"]) > 1 else first["loc"]
    name = _spoken(path) or "settings"
    if first["type"] in ("extra_forbidden", "invalid_key"):
        return f"there is no setting named {name}."
    return f"{name} {problem(first)}."


def problem(details: ErrorDetails) -> str:
    """What is wrong with a value, to follow its name: ``must be at least 1, but is 0``."""
    bounds = details.get("ctx", {})
    match details["type"]:
        case "told":  # by a group that knows which of its fields it was
            return f"cannot be used: {details['msg']}"
        case "missing":
            return "is missing"
        case "extra_forbidden":
            return "is not known to this version"
        case "too_long" | "too_short" as kind:
            limit, words = ("max_length", "at most") if kind == "too_long" else ("min_length", "at least")
            values = "value" if bounds[limit] == 1 else "values"
            return f"must hold {words} {bounds[limit]} {values}, but holds {bounds['actual_length']}"
        case "literal_error":
            must = "be one of " + str(bounds["expected"]).replace("'", "").replace(" or ", ", ")
        case kind if kind in _MUST:
            must = _MUST[kind].format(**{key: _whole(bound) for key, bound in bounds.items()})
        case _:
            return f"cannot be used ({details['msg'][0].lower() + details['msg'][1:]})"
    return f"must {must}, but is {_short(details.get('input'))}"


_MUST: Mapping[str, str] = {
    "greater_than_equal": "be at least {ge}",
    "greater_than": "be more than {gt}",
    "less_than_equal": "be at most {le}",
    "less_than": "be less than {lt}",
    "int_type": "be a whole number",
    "int_parsing": "be a whole number",
    "int_parsing_size": "be a whole number of fewer digits",
    "int_from_float": "be a whole number",
    "float_type": "be a number",
    "float_parsing": "be a number",
    "finite_number": "be a finite number",
    "bool_type": "be true or false",
    "tuple_type": "be a list of values",
    "list_type": "be a list of values",
    "dict_type": "be a group of named values",
    "model_type": "be a group of named values",
    "model_attributes_type": "be a group of named values",
    "string_type": "be text",
    "string_too_long": "be at most {max_length} characters long",
    "string_too_short": "be at least {min_length} characters long",
    "string_pattern_mismatch": "be of the form {pattern}",
}
"""What pydantic's kinds of error ask for, in words a user can act on."""


def _spoken(path: tuple[int | str, ...]) -> str:
    """``("hidden", 1)`` as ``"value 2 of hidden"``: users count from one."""
    if len(path) > 1 and isinstance(path[-1], int):
        return f"value {path[-1] + 1} of {_spoken(path[:-1])}"
    return ".".join(shown(part) for part in path)


def shown(name: int | str) -> str:
    """A name out of a file, fit for one line: as it is where it is short and printable."""
    text = str(name)
    return text if text.isprintable() and len(text) <= 60 else _short(name)


def _whole(bound: Any) -> Any:
    return int(bound) if isinstance(bound, float) and bound.is_integer() else bound


def _short(value: Any) -> str:
    try:
        text = reprlib.repr(value)  # bounded in depth and length, whatever a file held
    except ValueError:  # a whole number too long for Python to write out
        text = "a very large number"
    return text if len(text) <= 60 else text[:57] + "…"
