"""Semi-supervised learning from 100 labels: M2 and M1+M2 beside the classifier of M2 on those labels alone."""

from __future__ import annotations

from figures import Figure, trained


def measure(data: str) -> dict[str, Figure]:
    """Held-out accuracies; Kingma et al. (2014), table 1, have 88.0 % with M2 and 96.7 % with M1+M2, of 50-D codes."""
    alone, _ = trained(data, "semi-supervised", "supervised", epochs=2 if data else 10)
    images, seconds = trained(data, "semi-supervised", "images", epochs=6 if data else 20)
    features, seconds_of_features = trained(data, "semi-supervised", epochs=14 if data else 20)
    assert alone.held_out is not None
    assert images.held_out is not None
    assert features.held_out is not None
    known = alone.held_out.values["accuracy"]
    return {
        "accuracy of the classifier on the labels alone": Figure(known),
        "accuracy of M2": Figure(images.held_out.values["accuracy"]),
        "seconds of training of M2": Figure(seconds),
        "accuracy of M1+M2": Figure(features.held_out.values["accuracy"], at_least=known + 0.1),
        "seconds of training of M1+M2": Figure(seconds_of_features),
    }
