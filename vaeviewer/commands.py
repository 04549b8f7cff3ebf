"""The commands that need no window: train, evaluate, export. They never import Qt."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vaeviewer.backend.config import PRESETS, ModelConfig, Settings, TrainConfig, protocol_text, updated
from vaeviewer.errors import RunFolderError, SettingsError, UserError

if TYPE_CHECKING:
    from vaeviewer.backend.datasets.base import ImageDataset
    from vaeviewer.backend.run_folder import HeldOut
    from vaeviewer.backend.trainer import Trainer

INTERRUPTED = 130
FIELDS = {**ModelConfig.model_fields, **TrainConfig.model_fields}


def add_settings(parser: argparse.ArgumentParser) -> None:
    """Add ``--preset`` and a flag for each setting, named and explained by the field."""
    parser.add_argument(
        "--preset", default="default", metavar="NAME", help=f"where settings start: {', '.join(PRESETS)}"
    )
    group = parser.add_argument_group("settings, in place of the preset's")
    for name, field in FIELDS.items():
        # Values stay text here: the settings themselves know what they accept, and say it in a sentence.
        group.add_argument(
            _flag(name),
            dest=f"set_{name}",
            metavar="VALUE",
            help=(field.description or "").replace("%", "%%"),
        )


def settings_of(options: argparse.Namespace) -> Settings:
    """The settings that a command line asks for.

    Raises:
        SettingsError: A preset or value cannot be used; the sentence names the flag.
    """
    if options.preset not in PRESETS:
        raise SettingsError(f"--preset must be one of {', '.join(PRESETS)}, but is {options.preset!r}.")
    settings = PRESETS[options.preset]
    for name in FIELDS:
        text: str | None = getattr(options, f"set_{name}")
        if text is None:
            continue
        value: Any = text.split(",") if name == "hidden" else text
        try:
            settings = updated(settings, **{name: value})
        except SettingsError as error:
            raise SettingsError(str(error).replace(name, _flag(name), 1)) from None
    return settings


def train(options: argparse.Namespace) -> int:
    """``vaeviewer train``; returns the exit code.

    Raises:
        UserError: Something the user can mend.
    """
    settings = settings_of(options)
    from vaeviewer.backend.run_folder import prepare_folder

    new = not options.out.exists()
    out = prepare_folder(options.out)
    try:
        dataset = _load(options.dataset, options.data)
    except UserError:
        if new:
            out.rmdir()
        raise
    with _interrupt_flag() as interrupted:
        from vaeviewer.backend import loop, restore  # takes seconds; mistakes above are told first
        from vaeviewer.backend.trainer import NonFiniteError, Trainer

        trainer = Trainer(dataset, settings)
        start = time.perf_counter()
        with _progress_bar(trainer) as after_block:
            try:
                loop.train(trainer, go_on=lambda: not interrupted, after_block=after_block)
            except NonFiniteError as error:
                kept = trainer.restore_good_state()
                restore.save(trainer, out)
                raise SettingsError(
                    f"{error}; step {kept:,} is saved in {out}. Try a lower --learning-rate."
                ) from None
        seconds = time.perf_counter() - start
        if not trainer.held_out_is_current:
            trainer.evaluate()
        restore.save(trainer, out)

    held_out = trainer.held_out
    assert held_out is not None, "evaluated above"
    report = {
        "run": str(out),
        "dataset": dataset.name,
        "images": len(dataset.train_images),
        "device": trainer.device.type,
        "threads": trainer.threads,
        "epochs": round(trainer.epoch, 4),
        "steps": trainer.step_count,
        "seconds": round(seconds, 3),
        "images_per_s": round(trainer.step_count * trainer.batch_size / seconds, 1) if seconds else 0.0,
        "protocol": settings.train.protocol,
        "likelihood": settings.model.likelihood,
        "latent_dim": settings.model.latent_dim,
        "seed": settings.train.seed,
        "held_out": {
            "elbo": held_out.elbo,
            "reconstruction": held_out.reconstruction,
            "kl": held_out.kl,
            "images": len(dataset.held_out_images),
            "samples": held_out.samples,
        },
        "interrupted": bool(interrupted),
    }
    if options.json:
        print(json.dumps(report))
    else:
        print(
            f"{trainer.epoch:g} epochs, {trainer.step_count:,} steps in {seconds:.1f} s "
            f"({report['images_per_s']:,.0f} images/s on {trainer.device.type}, {trainer.threads} threads)"
        )
        print(_terms_line(held_out, settings))
        print(f"saved in {out}")
    return INTERRUPTED if interrupted else 0


def evaluate(options: argparse.Namespace) -> int:
    """``vaeviewer evaluate``; returns the exit code.

    Raises:
        UserError: Something the user can mend.
    """
    from vaeviewer.backend.run_folder import load_run

    run = load_run(options.run)
    from vaeviewer.analysis.neighbours import knn_accuracy
    from vaeviewer.backend import restore

    dataset = restore.find_data(run, options.data)
    trainer = restore.trainer_of(run, dataset, device="auto")
    held_out = trainer.evaluate()
    snapshot = trainer.snapshot()
    assert snapshot.posterior is not None, "a trainer's snapshots have one"
    queries, _ = snapshot.encode(dataset.held_out_images)
    accuracy = knn_accuracy(
        snapshot.posterior.loc, dataset.train_labels, queries, dataset.held_out_labels, k=5
    )
    settings = trainer.settings
    report = {
        "run": str(run.folder),
        "step": trainer.step_count,
        "dataset": dataset.name,
        "images": len(dataset.held_out_images),
        "latent_dim": settings.model.latent_dim,
        "protocol": settings.train.protocol,
        "likelihood": settings.model.likelihood,
        "samples": held_out.samples,
        "elbo": held_out.elbo,
        "reconstruction": held_out.reconstruction,
        "kl": held_out.kl,
        "knn5_accuracy": accuracy,
        "data_as_trained": dataset.source.checksum == run.data.source.checksum,
    }
    if options.json:
        print(json.dumps(report))
    else:
        if not report["data_as_trained"]:
            print(f"note: {dataset.name} differs from the data of the run", file=sys.stderr)
        print(
            f"step {trainer.step_count:,}, {len(dataset.held_out_images):,} held-out images of {dataset.name}"
        )
        print(_terms_line(held_out, settings))
        print(f"5-nearest-neighbour accuracy of posterior means {accuracy:.4f}")
    return 0


def export(options: argparse.Namespace) -> int:
    """``vaeviewer export``; returns the exit code.

    Raises:
        UserError: Something the user can mend.
    """
    from PIL import Image

    from vaeviewer.analysis import manifold
    from vaeviewer.backend.run_folder import load_run
    from vaeviewer.backend.snapshot import as_grey_levels

    if options.manifold.suffix.lower() != ".png":
        raise SettingsError(f"--manifold must name a .png file, but is {options.manifold}.")
    if options.size > 100:
        raise SettingsError(f"--size must be at most 100, but is {options.size}.")
    run = load_run(options.run)
    if run.settings.model.latent_dim != 2:
        dim = run.settings.model.latent_dim
        raise RunFolderError(
            f"{run.folder} has {dim} latent dimensions; a manifold is drawn for models with 2."
        )
    z = manifold.grid_points(*manifold.grid(options.size, options.spacing))
    picture = manifold.mosaic(as_grey_levels(run.checkpoint.snapshot.decode(z)), columns=options.size)
    try:
        Image.fromarray(picture).save(options.manifold)
    except OSError as error:
        raise SettingsError(f"{options.manifold} could not be written: {error.strerror or error}.") from None
    print(f"{options.size} × {options.size} images in {options.manifold}", file=sys.stderr)
    return 0


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _load(key: str | None, folder: Path | None) -> ImageDataset:
    from vaeviewer.backend.datasets import load_dataset

    if key is None:
        key = "mnist-10k" if folder is None else "folder"
    return load_dataset(key, folder)


def _terms_line(held_out: HeldOut, settings: Settings) -> str:
    return (
        f"held-out ELBO {held_out.elbo:.2f} = reconstruction {held_out.reconstruction:.2f} "
        f"− KL {held_out.kl:.2f} nats per image ({protocol_text(settings)})"
    )


@contextmanager
def _interrupt_flag() -> Iterator[list[bool]]:
    """Yields a list that a Ctrl-C makes true; a second Ctrl-C interrupts at once."""
    flag: list[bool] = []

    def note(_signal: int, _frame: object) -> None:
        if flag:
            raise KeyboardInterrupt
        flag.append(True)

    before = signal.signal(signal.SIGINT, note)
    try:
        yield flag
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _progress_bar(trainer: Trainer) -> Iterator[Any]:
    """A bar over the planned steps, with the newest held-out ELBO beside it, on standard error if it is a screen."""
    from tqdm import tqdm

    total = trainer.planned_epochs * trainer.steps_per_epoch
    with tqdm(
        total=total, initial=trainer.step_count, unit=" steps", disable=None, leave=False, file=sys.stderr
    ) as bar:

        def after_block() -> None:
            if trainer.held_out is not None:
                bar.set_postfix_str(f"held-out ELBO {trainer.held_out.elbo:.2f}", refresh=False)
            bar.update(trainer.step_count - bar.n)

        yield after_block
