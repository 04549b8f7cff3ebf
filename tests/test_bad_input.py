"""Damaged run folders, idx files and settings by the thousand: usable, or refused in one sentence, soon and cheaply."""

from __future__ import annotations

import argparse
import gzip
import random
import shutil
import struct
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import run_folders
from bounds import Bounds, size_on_disk
from mutators import ODD_TEXTS, damage_run, damaged_bytes, damaged_values, odd_value, put_something_else

from vaeviewer.backend.config import Settings, parse_settings, presets, updated
from vaeviewer.backend.data.base import DataSource, ImageDataset
from vaeviewer.backend.data.folder import load_folder
from vaeviewer.backend.runs import restore
from vaeviewer.backend.runs.folder import load_run
from vaeviewer.backend.training.health import NonFiniteError
from vaeviewer.backend.training.trainer import Trainer
from vaeviewer.commands import flags
from vaeviewer.errors import UserError

pytestmark = [
    pytest.mark.timeout(1200),
    pytest.mark.skipif(sys.platform == "win32", reason="puts pipes and links in the place of files"),
]


@pytest.fixture
def cases(exhaustive: bool) -> range:
    """A seed per case."""
    return range(10_000 if exhaustive else 300)


def try_all(
    what: str, cases: range, prepare: Callable[[random.Random], tuple[int, Callable[[], None]]]
) -> str:
    """Go through the cases: each works or is refused in one sentence, and costs no more than it may.

    Args:
        what: What is damaged, for the summary.
        cases: A seed per case.
        prepare: Damages something and returns its bytes on disk and what a user would do with it.

    Returns:
        A line about what was measured.
    """
    bounds, usable = Bounds(), 0
    for seed in cases:
        size, use = prepare(random.Random(seed))
        try:
            with bounds.case(size):
                try:
                    use()
                    usable += 1
                except UserError as error:
                    assert_one_sentence(str(error))
        except BaseException as error:
            error.add_note(f"seed {seed}")
            raise
    assert 0 < usable < len(cases)
    return f"{what}: {bounds}; {usable:,} usable"


def assert_one_sentence(text: str) -> None:
    assert text.endswith(".")
    assert text.isprintable()
    assert len(text) < 1500


# Run folders


@pytest.fixture(scope="module")
def leaves() -> ImageDataset:
    """Small images of two classes."""
    rng = np.random.default_rng(3)
    images, labels = rng.integers(0, 256, (60, 4, 5), dtype=np.uint8), rng.integers(0, 2, 60)
    return ImageDataset(
        name="leaves",
        source=DataSource(key="folder", path="/somewhere", checksum="ab" * 32),
        train_images=images[:50],
        train_labels=labels[:50],
        held_out_images=images[50:],
        held_out_labels=labels[50:],
        class_names=("oak", "beech"),
    )


def save_twice(dataset: ImageDataset, folder: Path, optimizer: str) -> Path:
    settings = updated(
        Settings(), hidden=(4, 3), epochs=3, batch_size=20, threads=1, device="cpu", optimizer=optimizer
    )
    trainer = Trainer(dataset, settings)
    for field, value in (("beta", 2.0), ("learning_rate", 1e-3)):
        trainer.step()
        trainer.finish_block()
        trainer.change(field, value)
        trainer.evaluate()
        run_folders.save(trainer, folder)
    return folder


def use_run(folder: Path, dataset: ImageDataset) -> None:
    """Open a run, look at its model, train on and save; all numbers shown are finite."""
    run = load_run(folder)
    images = run.checkpoint.snapshot.decode(np.zeros((1, run.settings.model.latent_dim), np.float32))
    assert np.isfinite(images).all()
    trainer = restore.trainer_of(run, dataset)
    posterior = trainer.snapshot().posterior
    assert posterior is not None
    assert np.isfinite(posterior.loc).all()
    assert np.isfinite(posterior.scale).all()
    try:
        trainer.step()
        trainer.finish_block()
        run_folders.save(trainer, folder)
    except NonFiniteError:  # numbers so odd that training fails, which the program says and undoes
        trainer.restore_good_state()


@pytest.mark.slow
@pytest.mark.parametrize(("optimizer", "share"), [("adam", 1), ("adagrad", 10)])
def test_damaged_runs(
    optimizer: str, share: int, cases: range, leaves: ImageDataset, tmp_path: Path, figures: list[str]
) -> None:
    whole, damaged = save_twice(leaves, tmp_path / "whole", optimizer), tmp_path / "damaged"

    def prepare(rng: random.Random) -> tuple[int, Callable[[], None]]:
        shutil.rmtree(damaged, ignore_errors=True)
        shutil.copytree(whole, damaged)
        damage_run(rng, damaged)
        return size_on_disk(damaged), lambda: use_run(damaged, leaves)

    figures.append(try_all(f"damaged runs, {optimizer}", cases[::share], prepare))


# idx files


def encode(array: np.ndarray) -> bytes:
    header = struct.pack(f">2x2B{array.ndim}I", 8, array.ndim, *array.shape)
    return header + array.astype(np.uint8).tobytes()


def use_images(folder: Path) -> None:
    dataset = load_folder(folder)
    assert len(dataset.train_images) == len(dataset.train_labels) > 0
    assert len(dataset.held_out_images) == len(dataset.held_out_labels) > 0
    assert dataset.train_labels.max() < len(dataset.class_names)


def damage_idx(rng: random.Random, path: Path) -> None:
    """Damage an idx file: the packed bytes as they lie, or what they hold."""
    data = path.read_bytes()
    packed = path.suffix == ".gz"
    match rng.randrange(12):
        case 0:
            put_something_else(rng, path)
        case 1:  # much from little, behind an honest header or a lying one
            path.write_bytes(
                bomb(count=rng.choice((1, 2**14, 2**20)), zeros=rng.choice((2**10, 2**22, 2**28)))
            )
        case 2 | 3 | 4 | 5 if packed:
            path.write_bytes(gzip.compress(damaged_bytes(rng, gzip.decompress(data))))
        case _:
            path.write_bytes(damaged_bytes(rng, data))


@cache
def bomb(count: int, zeros: int) -> bytes:
    return gzip.compress(struct.pack(">4I", 0x803, count, 16, 16) + bytes(zeros), 9)


@pytest.mark.slow
def test_damaged_idx_files(cases: range, leaves: ImageDataset, tmp_path: Path, figures: list[str]) -> None:
    whole, damaged = tmp_path / "whole", tmp_path / "damaged"
    whole.mkdir()
    for name, array in (
        ("train-images-idx3-ubyte", leaves.train_images),
        ("train-labels-idx1-ubyte.gz", leaves.train_labels),
        ("t10k-images-idx3-ubyte.gz", leaves.held_out_images),
        ("t10k-labels-idx1-ubyte", leaves.held_out_labels),
    ):
        data = encode(array)
        (whole / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)

    def prepare(rng: random.Random) -> tuple[int, Callable[[], None]]:
        shutil.rmtree(damaged, ignore_errors=True)
        shutil.copytree(whole, damaged)
        damage_idx(rng, rng.choice(sorted(damaged.iterdir())))
        return size_on_disk(damaged), lambda: use_images(damaged)

    figures.append(try_all("damaged idx files", cases, prepare))


# Settings


def test_damaged_settings(cases: range, figures: list[str]) -> None:
    def use(values: dict[str, object]) -> None:
        settings = parse_settings(values)
        assert parse_settings(settings.model_dump()) == settings

    def prepare(rng: random.Random) -> tuple[int, Callable[[], None]]:
        values = damaged_values(
            rng, rng.choice([*presets().values(), *presets("denoising").values()]).model_dump(mode="json")
        )
        return 0, lambda: use(values)

    figures.append(try_all("damaged settings", cases, prepare))


def test_odd_values_on_the_command_line(cases: range, figures: list[str]) -> None:
    parser = argparse.ArgumentParser()
    flags.add_settings(parser)
    odd = ("1_0", " 5 ", "٣", "1,2", ",,", "9" * 5000)

    def use(word: str) -> None:
        settings = flags.settings_of(parser.parse_args([word]))
        assert parse_settings(settings.model_dump()) == settings

    def prepare(rng: random.Random) -> tuple[int, Callable[[], None]]:
        flag = rng.choice(list(flags.FIELDS)).replace("_", "-")
        text = rng.choice((rng.choice(ODD_TEXTS), rng.choice(odd), repr(odd_value(rng))))
        return 0, lambda: use(f"--{flag}={text}")

    figures.append(try_all("odd values on the command line", cases, prepare))
