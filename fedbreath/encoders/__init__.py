"""Encoders: one file per architecture, (B, mels, frames) -> (B, D).

An encoder is a module with a ``Config`` dataclass and one subclass of `Encoder` that
takes the configuration and the number of mel bands. It maps a window to a feature map
(`Encoder.features`) and pools that to the embedding (`Encoder.pool`), which an objective
trains. Whoever uses the encoder afterwards reads it (`Encoder.read`). ``Config.init`` may
name a file of weights to start from instead of the seeded ones (`warm_start`).

Any number of frames is taken, and every encoder handles it by the same three rules
(`lengths`): a window shorter than the network can take is repeated from its start; one
longer than its fixed grid is cut into windows that stand end to end, the last moved back
to the end, and their embeddings are averaged; what happens between is stated by the class.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

from fedbreath.audio import FrontEnd
from fedbreath.config import Component
from fedbreath.encoders import adapters
from fedbreath.encoders.warm_start import PREFIX, Start, load
from fedbreath.errors import ConfigError

#: What counts as a normalisation layer when parameters are grouped.
NORMS = (nn.GroupNorm, nn.LayerNorm, nn.modules.batchnorm._BatchNorm)

#: The groups that every encoder's parameters are in; ``adapters`` come beside them.
GROUPS = ("stem", "blocks", "norm")


@dataclass(frozen=True)
class EncoderFacts:
    """What an encoder is and costs, for a report.

    Attributes:
        parameters: Trainable scalars.
        dim: Length D of the embedding.
        receptive_field: s of audio that one place of the feature map depends on; None is
            the whole window.
        mmac: Millions of multiply-accumulates for a second of audio, forward.
    """

    parameters: int
    dim: int
    receptive_field: float | None
    mmac: float


class Encoder(nn.Module):
    """Normalised log-mels to one embedding a window.

    Attributes:
        dim: Length D of the embedding, which an objective trains.
        receptive_frames: Frames that one place of the feature map depends on; None is the
            whole window.
        start: The file that the weights came from; None when the seed gave them.
        frozen: Groups that stand still (`freeze`).
    """

    dim: int
    receptive_frames: int | None = None
    start: Start | None = None
    frozen: tuple[str, ...] = ()

    #: Whether a window has the frame tracks below its log-mels.
    tracks: ClassVar[bool] = False

    #: Beginnings of the parameter names that form the stem.
    STEM: ClassVar[tuple[str, ...]] = ("stem.",)

    def features(self, log_mel: Tensor) -> Tensor:  # noqa: ARG002 - the contract
        """(B, mels, frames) -> (B, C, F', T'): the map before pooling, low bands first."""
        raise TypeError(f"{type(self).__name__} does not say how it encodes")

    def pool(self, features: Tensor) -> Tensor:  # noqa: ARG002 - the contract
        """(B, C, F', T') -> (B, D)."""
        raise TypeError(f"{type(self).__name__} does not say how it pools")

    def forward(self, log_mel: Tensor) -> Tensor:
        """(B, mels, frames) -> (B, D)."""
        return self.pool(self.features(log_mel))

    @property
    def read_dim(self) -> int:
        """Length R of what `read` gives."""
        return self.dim

    def read(self, log_mel: Tensor) -> Tensor:
        """(B, mels, frames) -> (B, R): what is used of a trained encoder, the embedding or more."""
        embedding: Tensor = self(log_mel)
        return embedding

    @property
    def device(self) -> torch.device:
        """Where it computes; what has no weights computes on the CPU."""
        first = next(self.parameters(), None)
        return torch.device("cpu") if first is None else first.device

    def parameter_count(self) -> int:
        """Number of trainable scalars."""
        return sum(p.numel() for p in self.parameters() if p.requires_grad)

    def groups(self) -> dict[str, list[str]]:
        """Names of all parameters, each in exactly one group, so that a part can be frozen.

        ``norm`` holds the scales and shifts of every normalisation layer wherever it
        stands, ``adapters`` what was put between the blocks, where anything was, ``stem``
        what turns the spectrogram into the first feature map, ``blocks`` everything else.
        """
        norms = {
            f"{place}.{name}"
            for place, module in self.named_modules()
            if isinstance(module, NORMS)
            for name, _ in module.named_parameters(recurse=False)
        }
        grouped: dict[str, list[str]] = {group: [] for group in GROUPS}
        for name, _ in self.named_parameters():
            if name.startswith(adapters.PREFIX):
                grouped.setdefault(adapters.GROUP, []).append(name)
                continue
            stem = "stem" if name.startswith(self.STEM) else "blocks"
            grouped["norm" if name in norms else stem].append(name)
        return grouped

    def members(self, asked: Collection[str]) -> frozenset[str]:
        """Names of all arrays of these groups: parameters, and with ``norm`` the statistics."""
        groups = self.groups()
        found = {name for group in asked for name in groups.get(group, ())}
        if "norm" in asked:
            found |= {
                f"{place}.{name}"
                for place, module in self.named_modules()
                if isinstance(module, nn.modules.batchnorm._BatchNorm)
                for name, _ in module.named_buffers(recurse=False)
            }
        return frozenset(found)

    @classmethod
    def group_names(cls, config: Any) -> tuple[str, ...]:
        """The names that `groups` will give, without building anything."""
        return (*GROUPS, adapters.GROUP) if getattr(config, "adapter", 0) else GROUPS

    @staticmethod
    def check_freeze(
        asked: Collection[str], groups: Collection[str], local: Collection[str] = ()
    ) -> None:
        """Refuse to freeze or to keep at the sites what is not there, or all that is.

        Args:
            asked: Groups to freeze.
            groups: Groups that exist.
            local: Groups that each site keeps to itself.

        Raises:
            ConfigError: A name of no group, one that is both, or nothing would be left to
                train together.
        """
        for key, names in (("freeze", asked), ("local", local)):
            for name in names:
                if name not in groups:
                    raise ConfigError(
                        f"training.{key} names {name!r}, but this encoder's groups are "
                        f"{', '.join(groups)}"
                    )
        both = sorted(set(asked) & set(local))
        if both:
            raise ConfigError(
                f"training.freeze and training.local both name {both[0]}: what stands still is "
                "the same at every site"
            )
        if set(groups) <= {*asked, *local}:
            keys = "training.local and training.freeze name" if local else "training.freeze names"
            what = "one to train together" if local else "one to train"
            raise ConfigError(
                f"{keys} all groups of this encoder ({', '.join(groups)}): leave {what}"
            )

    def freeze(self, asked: Collection[str]) -> None:
        """Let groups of parameters stand still: they get no gradient from here on.

        BatchNorm's running statistics belong to the group ``norm``, wherever the layer
        stands, as its scale and shift do: they move with these and stand with these. A
        BatchNorm that stands normalises by its statistics, in training too.

        Args:
            asked: Names of groups.

        Raises:
            ConfigError: As for `check_freeze`.
        """
        groups = {name: members for name, members in self.groups().items() if members}
        self.check_freeze(asked, groups)
        self.frozen = tuple(asked)
        parameters = dict(self.named_parameters())
        for name in (n for group in asked for n in groups[group]):
            parameters[name].requires_grad_(False)
        self.train(self.training)

    def train(self, mode: bool = True) -> Self:
        """Training mode or evaluation mode, which a frozen BatchNorm is always in."""
        super().train(mode)
        if "norm" in self.frozen:
            for module in self.modules():
                if isinstance(module, nn.modules.batchnorm._BatchNorm):
                    module.eval()
        return self

    def facts(self, front_end: FrontEnd, seconds: float = 1.0) -> EncoderFacts:
        """Parameters, receptive field and cost.

        Args:
            front_end: Gives mels and hop.
            seconds: Window that the cost is counted on, s. It matters where a network
                has a fixed grid.
        """
        # Imported here: a client that only trains has no need of it.
        from torch.utils.flop_counter import FlopCounterMode  # noqa: PLC0415

        frames = front_end.frames(seconds)
        rows = front_end.rows if self.tracks else front_end.mels
        window = torch.zeros(1, rows, frames, device=self.device)
        training = self.training
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            self.eval()(window)
        self.train(training)
        seen = self.receptive_frames
        return EncoderFacts(
            parameters=self.parameter_count(),
            dim=self.dim,
            receptive_field=seen and (seen - 1) * front_end.hop + front_end.window,
            # The counter counts a multiplication and an addition as two.
            mmac=counter.get_total_flops() / 2e6 / (frames * front_end.hop),
        )


def restore(encoder: Encoder, weights: Mapping[str, Tensor]) -> None:
    """Give an encoder a federation's weights, where it is called ``encoder.*``."""
    named = {n.removeprefix(PREFIX): t for n, t in weights.items() if n.startswith(PREFIX)}
    encoder.load_state_dict(named)


def build(component: Component, mels: int, seed: int, *, warm: bool = True) -> Encoder:
    """An encoder with the weights that `seed` gives, or those of the file ``init`` names.

    The global generator is left alone. A file replaces every seeded weight; which file it
    was stands in `Encoder.start`.

    Args:
        component: The run's ``encoder``.
        mels: Mel bands of the front end.
        seed: Seed of the initial weights.
        warm: Whether ``init`` is read. A process that is sent the weights anyway has not
            the file, and should not read one that somebody else names.

    Raises:
        UserError: The file cannot be read or does not fit.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        encoder: Encoder = component.build(mels)
    init = getattr(component.config, "init", None)  # what has no weights has no start
    if warm and init is not None:
        encoder.start = load(encoder, init)
    return encoder
