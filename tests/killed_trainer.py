"""Trains and saves without pause, to be killed in the middle: run as a script by tests/test_kills.py.

Each line on standard input, ``RUN<tab>ANNOUNCED``, forks a child of this process, which has imported everything
and runs one thread only. The child opens the run folder if there is a run, trains on, saves after each block,
and appends the saved step to the file ANNOUNCED. Standard output gets the child's number, and a line when it is gone.
"""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path

import run_folders

from vaeviewer.backend.config import Settings, updated
from vaeviewer.backend.data import load_dataset
from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.backend.runs import restore
from vaeviewer.backend.runs.folder import load_run
from vaeviewer.backend.training import loop
from vaeviewer.backend.training.trainer import Trainer


def train(dataset: ImageDataset, settings: Settings, folder: Path, announced: Path) -> None:
    if (folder / "manifest.json").exists():
        trainer = restore.trainer_of(load_run(folder), dataset)
    else:
        trainer = Trainer(dataset, settings)

    def save() -> None:
        run_folders.save(trainer, folder)
        with announced.open("a") as file:
            file.write(f"{trainer.step_count}\n")

    loop.train(trainer, go_on=lambda: True, after_block=save)


def main() -> None:
    whole = load_dataset()
    dataset = replace(
        whole,
        train_images=whole.train_images[:200],
        train_labels=whole.train_labels[:200],
        held_out_images=whole.held_out_images[:20],
        held_out_labels=whole.held_out_labels[:20],
    )
    settings = updated(
        Settings(), hidden=(64,), epochs=100_000, batch_size=50, threads=1, device="cpu", schedule="constant"
    )
    Trainer(dataset, settings).step()  # whatever is imported late is imported now
    print("ready", flush=True)
    for line in sys.stdin:
        folder, announced = map(Path, line.rstrip("\n").split("\t"))
        child = os.fork()
        if child == 0:
            train(dataset, settings, folder, announced)
            os._exit(1)
        print(child, flush=True)
        os.waitpid(child, 0)
        print("gone", flush=True)


if __name__ == "__main__":
    main()
