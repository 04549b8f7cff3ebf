from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vaeviewer.backend.config import (
    Settings,
    TrainConfig,
    fields,
    live_fields,
    parse_settings,
    presets,
    suited,
    updated,
    value_of,
)
from vaeviewer.backend.models.families.vae import VaeConfig
from vaeviewer.backend.models.interface import ImageSpec
from vaeviewer.backend.models.registry import families, family
from vaeviewer.errors import SettingsError


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("latent_dim", 0, "latent_dim must be at least 1, but is 0."),
        ("latent_dim", 257, "latent_dim must be at most 256, but is 257."),
        ("latent_dim", None, "latent_dim must be a whole number, but is None."),
        ("hidden", (), "hidden must hold at least 1 value, but holds 0."),
        ("hidden", (1,) * 9, "hidden must hold at most 8 values, but holds 9."),
        ("hidden", (8, 0), "value 2 of hidden must be at least 1, but is 0."),
        ("hidden", (8, "x"), "value 2 of hidden must be a whole number, but is 'x'."),
        ("hidden", 5, "hidden must be a list of values, but is 5."),
        ("activation", "gelu", "activation must be one of tanh, relu, silu, but is 'gelu'."),
        ("gaussian_scale", 0.0, "gaussian_scale must be at least 0.01, but is 0.0."),
        ("epochs", 0, "epochs must be at least 1, but is 0."),
        ("epochs", "x", "epochs must be a whole number, but is 'x'."),
        ("epochs", 1.5, "epochs must be a whole number, but is 1.5."),
        ("epochs", float("nan"), "epochs must be a finite number, but is nan."),
        pytest.param(
            "epochs", 10**5000, "epochs must be at most 100000, but is a very large number.", id="huge"
        ),
        ("batch_size", 65_537, "batch_size must be at most 65536, but is 65537."),
        ("learning_rate", 0, "learning_rate must be more than 0, but is 0."),
        ("learning_rate", "fast", "learning_rate must be a number, but is 'fast'."),
        ("learning_rate", float("inf"), "learning_rate must be a finite number, but is inf."),
        ("optimizer", "foo", "optimizer must be one of adam, sgd, adagrad, but is 'foo'."),
        ("beta", -1, "beta must be at least 0, but is -1."),
        ("beta", [], "beta must be a number, but is []."),
        ("seed", 2**32, "seed must be at most 4294967295, but is 4294967296."),
        ("momentum", 0.9, "there is no setting named momentum."),
    ],
)
def test_a_value_that_cannot_be_used_is_refused_in_one_sentence(name: str, value: Any, sentence: str) -> None:
    with pytest.raises(SettingsError) as caught:
        updated(Settings(), **{name: value})
    assert str(caught.value) == sentence


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (3, "settings must be a group of named values, but is 3."),
        (None, "settings must be a group of named values, but is None."),
        ({"model": 3}, "model must be a group of named values, but is 3."),
        ({"modle": {}}, "there is no setting named modle."),
        ({"train": {"momentum": 1}}, "there is no setting named momentum."),
        ({"a\nb": {}}, r"there is no setting named 'a\nb'."),
        ({"x" * 99: {}}, "there is no setting named 'xxxxxxxxxxxx...xxxxxxxxxxxxx'."),
        ({"train": {1: 1}}, "there is no setting named 1."),
        (
            {"model": {"beta": "9" * 400}},
            "beta must be a finite number, but is '999999999999...9999999999999'.",
        ),
    ],
)
def test_groups_that_cannot_be_used_are_refused_in_one_sentence(values: Any, sentence: str) -> None:
    with pytest.raises(SettingsError) as caught:
        parse_settings(values)
    assert str(caught.value) == sentence


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8) | st.just("x"), inner, max_size=3)
    ),
    max_leaves=6,
)
field_names = st.sampled_from([*VaeConfig.model_fields, *TrainConfig.model_fields, "other"])


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(
    json_values
    | st.fixed_dictionaries(
        {},
        optional={
            "model": st.dictionaries(field_names, json_values, max_size=2),
            "train": st.dictionaries(field_names, json_values, max_size=2),
        },
    )
)
def test_any_json_becomes_settings_or_one_sentence(values: Any) -> None:
    sentence = ""
    try:
        assert isinstance(parse_settings(values), Settings)
    except SettingsError as error:
        sentence = str(error)
    assert sentence == "" or sentence.endswith(".")
    assert "\n" not in sentence
    assert len(sentence) < 300


def test_settings_survive_json() -> None:
    changed = updated(Settings(), hidden=(3, 2), beta=0.1, likelihood="gaussian", seed=2**32 - 1)
    assert parse_settings(json.loads(changed.model_dump_json())) == changed
    assert Settings.model_validate_json(changed.model_dump_json()) == changed


@pytest.mark.parametrize("key", families())
def test_presets_are_valid_and_explained(key: str) -> None:
    found = presets(key)
    assert next(iter(found)) == "default"
    for preset in found.values():
        assert preset.model.family == key
        assert parse_settings(preset.model_dump()) == preset
    assert all(preset.sentence.endswith(".") for preset in family(key).presets.values())


def test_another_family_keeps_what_both_have() -> None:
    before = updated(Settings(), hidden=(3, 2), beta=4.0, epochs=7)
    after = updated(before, family="denoising", noise_level=0.5)
    assert after.model.family == "denoising"
    assert value_of(after, "hidden") == (3, 2)
    assert value_of(after, "noise_level") == 0.5
    assert after.train == before.train
    back = updated(after, family="vae")
    assert value_of(back, "hidden") == (3, 2)
    assert value_of(back, "beta") == 1.0
    with pytest.raises(SettingsError, match="no setting named beta"):
        updated(after, beta=2.0)


def test_another_family_has_its_own_defaults_for_what_was_not_set() -> None:
    assert value_of(updated(Settings(), family="sparse"), "latent_dim") == 64
    assert value_of(updated(Settings(), latent_dim=3, family="sparse"), "latent_dim") == 3
    there_and_back = updated(updated(Settings(), family="sparse"), family="vae")
    assert there_and_back == Settings()


@pytest.mark.parametrize(
    ("image", "hidden"),
    [
        (None, (512, 256, 128)),
        (ImageSpec(28, 28), (512, 256, 128)),
        (ImageSpec(64, 64), (512, 256, 128)),
        (ImageSpec(256, 256), (64, 64, 64)),
        (ImageSpec(256, 256, 3), (32, 32, 32)),
        (ImageSpec(4096, 4096, 3), (32, 32, 32)),
    ],
)
def test_by_default_large_images_have_narrower_layers(
    image: ImageSpec | None, hidden: tuple[int, ...]
) -> None:
    for key in ("vae", "iwae", "autoencoder"):
        assert value_of(presets(key, image)["default"], "hidden") == hidden
    assert value_of(presets("vae", image)["paper"], "hidden") == (500,), "which says what the paper had"
    assert value_of(presets("sparse", image)["default"], "hidden") == ()
    assert suited(presets("pca")["default"], image) == presets("pca")["default"], "which has no layers"


@given(
    st.sampled_from([(28, 28), (256, 256), (64, 64, 3), (1, 1)]),
    st.sampled_from([(28, 28), (256, 256), (64, 64, 3), (1, 1)]),
    st.lists(st.integers(1, 64), min_size=1, max_size=4) | st.just([512, 256, 128]),
)
def test_only_what_nobody_set_suits_the_images(
    one: tuple[int, ...], other: tuple[int, ...], hidden: list[int]
) -> None:
    first, second = ImageSpec(*one), ImageSpec(*other)
    default = presets("vae", first)["default"]
    assert suited(default, second, first) == presets("vae", second)["default"]
    if hidden != list(value_of(default, "hidden")):
        own = updated(default, hidden=hidden, beta=3.0)
        assert suited(own, second, first) == own


def test_what_may_change_in_training_is_marked() -> None:
    assert live_fields(Settings()) == {"epochs", "learning_rate", "beta"}
    assert live_fields(updated(Settings(), family="denoising")) == {"epochs", "learning_rate", "noise_level"}


def test_updated_leaves_the_original() -> None:
    before = Settings()
    after = updated(before, latent_dim=5, epochs=3)
    assert (before.model.latent_dim, before.train.epochs) == (2, 20)
    assert (after.model.latent_dim, after.train.epochs) == (5, 3)


def test_every_field_has_a_label_and_help() -> None:
    for key in families():
        found = [field for _, _, field in fields(presets(key)["default"])]
        assert len(found) > 10
        for field in found:
            assert field.title
            assert field.description is not None
            assert field.description.endswith(".")


def test_importing_the_settings_loads_no_torch() -> None:
    code = "import sys, vaeviewer.backend.config; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0
