from __future__ import annotations

from vaeviewer.backend.config import ModelConfig
from vaeviewer.backend.models.shapes import expected_weights


def test_networks_mirror_each_other() -> None:
    shapes = expected_weights(ModelConfig(latent_dim=3, hidden=(7, 5)), (4, 6))
    assert shapes == {
        "encoder.0.weight": (7, 24),
        "encoder.0.bias": (7,),
        "encoder.1.weight": (5, 7),
        "encoder.1.bias": (5,),
        "encoder.2.weight": (6, 5),
        "encoder.2.bias": (6,),
        "decoder.0.weight": (5, 3),
        "decoder.0.bias": (5,),
        "decoder.1.weight": (7, 5),
        "decoder.1.bias": (7,),
        "decoder.2.weight": (24, 7),
        "decoder.2.bias": (24,),
    }


def test_only_a_learned_gaussian_variance_is_a_weight() -> None:
    def names(**values: str) -> set[str]:
        return set(expected_weights(ModelConfig(hidden=(4,), **values), (2, 2)))

    plain = names(likelihood="bernoulli", gaussian_variance="learned")
    assert names(likelihood="gaussian", gaussian_variance="fixed") == plain
    learned = names(likelihood="gaussian", gaussian_variance="learned")
    assert learned - plain == {"likelihood.log_variance"}
    assert expected_weights(ModelConfig(likelihood="gaussian"), (2, 2))["likelihood.log_variance"] == (1,)
