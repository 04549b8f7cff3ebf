"""``vaeviewer evaluate``."""

from __future__ import annotations

import argparse
from dataclasses import replace

from vaeviewer.backend.config import protocol_text
from vaeviewer.commands.exact import exact, exact_lines, require_density
from vaeviewer.commands.speech import as_json, note, say, terms_line
from vaeviewer.counts import counted
from vaeviewer.errors import DataError


def evaluate(options: argparse.Namespace) -> int:
    """``vaeviewer evaluate``; returns the exit code.

    Raises:
        UserError: Something the user can mend.
    """
    from vaeviewer.backend.runs.folder import load_run

    run = load_run(options.run, training=False)
    for sentence in run.notes:
        note(sentence)
    from vaeviewer.analysis.neighbours import knn_accuracy
    from vaeviewer.backend.runs.judging import judge
    from vaeviewer.backend.runs.restore import find_data

    dataset = find_data(run, options.data)
    if options.exact:
        require_density(run)
        if not len(dataset.held_out_images):
            raise DataError(
                f"{dataset.name}: no images are held out, so there are none to compute log p(x) of."
            )
    if options.limit is not None:
        dataset = replace(
            dataset,
            held_out_images=dataset.held_out_images[: options.limit],
            held_out_labels=dataset.held_out_labels[: options.limit],
            held_out_files=dataset.held_out_files[: options.limit],
        )
    judged = judge(run, dataset)
    settings, held_out, snapshot, accuracy = judged.settings, judged.held_out, run.checkpoint.snapshot, None
    if judged.loc is not None and len(dataset.held_out_images):
        codes = snapshot.encode(dataset.held_out_images, dataset.held_out_labels)
        if codes is not None:
            accuracy = knn_accuracy(judged.loc, dataset.train_labels, codes[0], dataset.held_out_labels, k=5)
    report = {
        "run": str(run.folder),
        "step": snapshot.step,
        "dataset": dataset.name,
        "images": len(dataset.held_out_images),
        "family": snapshot.family.key,
        "latent_dim": settings.model.latent_dim,
        "protocol": settings.train.protocol,
        "likelihood": getattr(settings.model, "likelihood", None),
        "samples": held_out and held_out.samples,
        **(held_out.values if held_out else {}),
        **(snapshot.family.derived(settings.model, dataset.image, held_out.values) if held_out else {}),
        "knn5_accuracy": accuracy,
        "data_as_trained": dataset.source.checksum == run.data.source.checksum,
    }
    if options.exact and held_out is not None:  # there are images
        report |= exact(snapshot, settings, dataset, held_out.values.get("elbo"), annealed=options.annealed)
    if options.json:
        say(as_json(report))
    else:
        if not report["data_as_trained"]:
            note(f"{dataset.name} differs from the data of the run")
        say(
            f"step {snapshot.step:,}, {counted(len(dataset.held_out_images), 'held-out image')} of {dataset.name}"
        )
        say(terms_line(held_out, settings, dataset.image))
        if "log_px_error" in report:
            say("\n".join(exact_lines(report, protocol_text(settings))))
        if not dataset.labelled:
            say("the images have no labels, so there is no nearest-neighbour accuracy")
        elif accuracy is not None:
            say(f"5-nearest-neighbour accuracy of posterior means {accuracy:.4f}")
    return 0
