"""A run's configuration made small: the same code in numbers that a search can afford.

The bound must hold for any weights and any network, so a network of a few hundred parameters
in double precision is not a weaker test than the real one: it is a quicker one, in which
rounding hides nothing.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from fedbreath.config import Component, Config, component
from fedbreath.encoders import cnn, vit

#: Mel bands, and frames of a crop.
MELS, FRAMES = 16, 20

#: Sizes of heads and of a public bank, and crops of a recording, at most.
SIZES = {"projection": 16, "hidden": 16, "bottleneck": 8, "size": 8, "crops": 2}


def miniature(config: Config) -> tuple[Config, str]:
    """The configuration with a small network and no privacy, and what is small about it.

    Objective, views, freezing and front end stay what they are, but for their sizes.
    """
    encoder, said = _encoder(config.encoder)
    seconds = min(config.views.seconds, (FRAMES + 0.5) * config.front_end.hop)
    small = dataclasses.replace(
        config,
        privacy=component("privacy", "none"),
        device="cpu",
        front_end=dataclasses.replace(config.front_end, mels=MELS),
        views=dataclasses.replace(config.views, seconds=seconds),
        encoder=encoder,
        objective=changed(
            config.objective,
            lambda name, value: min(value, SIZES[name]) if name in SIZES else value,
        ),
    )
    return small, said


def changed(chosen: Component, change: Callable[[str, Any], Any]) -> Component:
    """A component, and those that it holds, with each value as `change` (name, value) says."""
    values: dict[str, Any] = {}
    for field in dataclasses.fields(chosen.config):
        value = getattr(chosen.config, field.name)
        if isinstance(value, Mapping) and any(isinstance(v, Component) for v in value.values()):
            values[field.name] = {k: changed(v, change) for k, v in value.items()}
        else:
            values[field.name] = change(field.name, value)
    return Component(chosen.target, dataclasses.replace(chosen.config, **values))


def _encoder(chosen: Component) -> tuple[Component, str]:
    """A tiny encoder of the same architecture where there is one, and a sentence on it."""
    config = chosen.config
    adapter = min(getattr(config, "adapter", 0), 2)
    if isinstance(config, vit.Config):
        small = vit.Config(8, 1, 2, patch_mels=8, patch_frames=8, adapter=adapter)
        return Component(vit.Vit, small), "a ViT of one block of width 8"
    norm: Any = getattr(config, "norm", "group")
    tiny = Component(cnn.Cnn, cnn.Config((8, 8), 2, norm=norm, adapter=adapter))
    said = f"a CNN of two blocks of 8 channels, {norm} norm"
    if isinstance(config, cnn.Config):
        return tiny, said
    return tiny, f"{said}, in place of encoder={chosen.name}, which has no small form"
