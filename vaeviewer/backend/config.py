"""Typed, validated settings. Each field carries its bounds, label and help; forms and flags derive from them.

Imports no torch: the form is on screen before torch is.
"""

from __future__ import annotations

import reprlib
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, FailFast, Field, ValidationError
from pydantic.config import JsonDict
from pydantic_core import ErrorDetails

from vaeviewer.errors import SettingsError

HiddenWidth = Annotated[int, Field(ge=1, le=8192)]

LIVE: JsonDict = {"live": True}
"""Marks a field that may change while training runs."""

ADVANCED: JsonDict = {"advanced": True}
"""Marks a field that few need: forms fold it away."""


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class ModelConfig(_Settings):
    """What the model is: the shapes of its networks and its likelihood p(x|z)."""

    latent_dim: int = Field(
        2,
        ge=1,
        le=256,
        title="Latent dimension",
        description="Number of latent variables z. The plane shows models with two.",
    )
    hidden: Annotated[tuple[HiddenWidth, ...], FailFast()] = Field(
        (512, 256, 128),
        min_length=1,
        max_length=8,
        title="Hidden layers",
        description="Units in each hidden layer of the inference network, from the image inwards; "
        "the generative network mirrors them.",
    )
    activation: Literal["tanh", "relu", "silu"] = Field(
        "silu", title="Activation", description="The nonlinearity after each hidden layer."
    )
    likelihood: Literal["bernoulli", "gaussian"] = Field(
        "bernoulli",
        title="Likelihood",
        description="p(x|z) of a pixel: Bernoulli with probability sigmoid(f(z)), "
        "or Gaussian with mean sigmoid(f(z)).",
    )
    gaussian_variance: Literal["fixed", "learned"] = Field(
        "learned",
        title="Gaussian variance",
        description="Whether the Gaussian likelihood keeps its variance or learns it, "
        "one value for all pixels.",
        json_schema_extra=ADVANCED,
    )
    gaussian_scale: float = Field(
        0.25,
        ge=0.01,
        le=10.0,
        title="Gaussian scale",
        description="Standard deviation of a pixel under the Gaussian likelihood: fixed, "
        "or where learning starts.",
        json_schema_extra=ADVANCED,
    )


class TrainConfig(_Settings):
    """How the model is trained."""

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
    beta: float = Field(
        1.0,
        ge=0.0,
        le=1000.0,
        title="β",
        description="Weight of the KL term in the training objective: reconstruction − β·KL. "
        "The ELBO shown is always the true one, with β = 1.",
        json_schema_extra=LIVE,
    )
    samples: int = Field(
        1,
        ge=1,
        le=100,
        title="Samples per image",
        description="L: how many z are drawn from q(z|x) per image and step.",
        json_schema_extra=ADVANCED,
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
    cuda_graph: Literal["off", "on"] = Field(
        "off",
        title="CUDA graph",
        description="On CUDA with Adam: replay each step as one captured graph, which spares a small network the "
        "launching of its kernels.",
        json_schema_extra=ADVANCED,
    )
    repeatable: Literal["off", "on"] = Field(
        "off",
        title="Repeatable",
        description="Whether the same settings and seed give the same weights again, bit for bit: the fast mode then "
        "takes over at a fixed step, not as soon as it is compiled.",
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


class Settings(_Settings):
    """All settings of a run."""

    model: ModelConfig = ModelConfig()
    train: TrainConfig = TrainConfig()


PRESETS: Mapping[str, Settings] = {
    "default": Settings(),
    "paper": Settings(
        model=ModelConfig(hidden=(500,), activation="tanh"),
        train=TrainConfig(batch_size=100, learning_rate=1e-3, schedule="constant", optimizer="adam"),
    ),
}
"""Named starting points. ``paper`` is one hidden layer of 500 tanh units, batches of 100 and L = 1 as in
Kingma & Welling (2013), section 5, with Adam for Adagrad."""


def field_label(name: str) -> str:
    """The label a user sees for the setting ``name`` of either group, such as ``"Batch size"``."""
    for group in (ModelConfig, TrainConfig):
        if name in group.model_fields:
            return group.model_fields[name].title or name
    return name


def value_problem(name: str, value: Any) -> str:
    """Why ``value`` cannot be the setting ``name`` of either group, as a sentence; empty where it can.

    Such as ``"Learning rate must be at most 10, but is 99."``.
    """
    group = ModelConfig if name in ModelConfig.model_fields else TrainConfig
    try:
        group.model_validate({name: value})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        label = field_label(name)
        if len(first["loc"]) > 1 and isinstance(first["loc"][-1], int):
            label = f"Value {first['loc'][-1] + 1} of {label.lower()}"
        return f"{label} {problem(first)}."
    return ""


def protocol_text(settings: Settings) -> str:
    """The protocol of a run's figures, in words. Figures of different protocols are never compared."""
    pixels = {
        "grey": "grey levels",
        "dynamic": "dynamically binarised",
        "threshold": "thresholded at one half",
    }
    words = pixels[settings.train.protocol]
    if settings.model.likelihood == "gaussian":
        return f"{words}, Gaussian density"
    return f"{words} as Bernoulli probabilities" if settings.train.protocol == "grey" else words


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
    """A copy of ``settings`` with some fields, of either group, replaced and everything validated again.

    Raises:
        SettingsError: A field does not exist or its value is out of bounds.
    """
    values = settings.model_dump()
    for name, value in changes.items():
        for group in ("model", "train"):
            if name in values[group]:
                values[group][name] = value
                break
        else:
            raise SettingsError(f"there is no setting named {name}.")
    return parse_settings(values)


def describe(error: ValidationError) -> str:
    """One plain sentence for the first thing wrong, such as "epochs must be at least 1, but is 0."."""
    first = error.errors(include_url=False)[0]
    groups = first["loc"][:1] in (("model",), ("train",))
    path = first["loc"][1:] if groups and len(first["loc"]) > 1 else first["loc"]
    name = _spoken(path) or "settings"
    if first["type"] in ("extra_forbidden", "invalid_key"):
        return f"there is no setting named {name}."
    return f"{name} {problem(first)}."


def problem(details: ErrorDetails) -> str:
    """What is wrong with a value, to follow its name: ``must be at least 1, but is 0``."""
    bounds = details.get("ctx", {})
    match details["type"]:
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
