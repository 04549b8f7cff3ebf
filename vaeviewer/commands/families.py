"""``vaeviewer families``."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from itertools import groupby
from typing import Any

from vaeviewer.backend.config import presets
from vaeviewer.backend.models import registry
from vaeviewer.backend.models.interface import KIN
from vaeviewer.commands.speech import say

CAPABILITIES = {
    "encodes": "has an encoder",
    "has_density": "has a density p(x|z)",
    "uses_labels": "sees labels",
    "generates": "generates from its prior",
    "normal_prior": "prior N(0, I)",
}
"""What a family can do, in the order and the words of the listing."""


def families(options: argparse.Namespace) -> int:
    """``vaeviewer families``; returns the exit code."""
    found = [_described(key) for key in registry.families()]
    if options.json:
        say(json.dumps(found))
        return 0
    for kin, members in groupby(found, key=lambda family: family["kin"]):
        say(f"{KIN[kin]}\n")
        for family in members:
            _tell(family)
    return 0


def _tell(family: dict[str, Any]) -> None:
    metrics = ", ".join(f"{metric['title']} ({metric['unit']})" for metric in family["metrics"])
    can = [words for key, words in CAPABILITIES.items() if family["capabilities"][key]]
    if not family["capabilities"]["generates"]:
        can = [words for words in can if not words.startswith("prior")]  # no code is drawn from one
    say(f"  {family['key']}: {family['title']} ({family['source']})")
    say(f"    {family['sentence']}")
    say(f"    measured: {metrics}")
    say(f"    {'; '.join(can)}; presets: {', '.join(family['presets'])}\n")


def _described(key: str) -> dict[str, Any]:
    family = registry.family(key)
    return {
        "key": key,
        "title": family.title,
        "kin": family.kin,
        "sentence": family.sentence,
        "source": family.source,
        "metrics": [
            {"key": m.key, "title": m.title, "unit": m.unit, "better": m.better, "stored": m.of is None}
            for m in family.metrics
        ],
        "capabilities": asdict(family.capabilities),
        "presets": list(presets(key)),
    }
