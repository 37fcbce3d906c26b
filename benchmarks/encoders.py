"""``python -m benchmarks.encoders``: what each encoder is, and what a step of it costs.

One thread, processor time, windows of 1 s at the default front end. For every choice of
``encoder``: trainable parameters, length of the embedding, receptive field and
multiply-accumulates for a second of audio; the time of a forward pass and of a training
step (forward, backward) of a batch; the step with feature maps in either memory layout
where convolutions do the work; and the step against a straightforward implementation that
gives the same embeddings: torch's default layout, torch's own transformer layers. Times
are the least of the turns, the ratio is the median of the turns' own ratios. What has nothing
to train has no step. The table is
Markdown, as in ``docs/encoders.md``; the last line is one JSON object.
"""

import argparse
import copy
import json
import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

import simulation  # noqa: F401 - first: it sets the number of threads

# isort: split
import torch
from torch import Tensor, nn

from fedbreath import encoders
from fedbreath.audio import FrontEnd
from fedbreath.composition import choices
from fedbreath.config import component
from fedbreath.encoders import Encoder
from fedbreath.encoders.cnn import Cnn
from fedbreath.encoders.opera_ce import OperaCe
from fedbreath.encoders.transformer import Block

FRONT_END = FrontEnd()
SECONDS = 1.0

#: A measurement ends after the most turns, or after so many seconds and the fewest.
MOST, ENOUGH, FEWEST = 15, 12.0, 3

LAYOUTS = {"plain": torch.contiguous_format, "channels_last": torch.channels_last}

HEADINGS = (
    "encoder", "parameters", "D", "receptive field, s", "MMAC/s", "forward, ms", "step, ms",
    "plain, ms", "channels last, ms", "step / straightforward",
)  # fmt: skip


def in_layout(encoder: Encoder, layout: torch.memory_format) -> Encoder:
    """A copy whose convolutions work in a memory layout."""
    made = copy.deepcopy(encoder)
    for part in made.modules():
        if isinstance(part, nn.Conv2d):
            part.weight.data = part.weight.data.contiguous(memory_format=layout)
    if isinstance(made, OperaCe):
        made.layout = layout
    return made


def torch_layer(block: Block) -> nn.Module:
    """Torch's own transformer layer with a block's weights."""
    width = block.attention.proj.in_features
    layer = nn.TransformerEncoderLayer(
        width, block.attention.heads, 4 * width, dropout=0.0, activation="gelu",
        layer_norm_eps=block.norm1.eps, batch_first=True, norm_first=True,
    )  # fmt: skip
    pairs = (
        (layer.norm1, block.norm1), (layer.norm2, block.norm2), (layer.linear1, block.hidden),
        (layer.linear2, block.out), (layer.self_attn.out_proj, block.attention.proj),
    )  # fmt: skip
    for theirs, ours in pairs:
        theirs.load_state_dict(ours.state_dict())
    with torch.no_grad():
        layer.self_attn.in_proj_weight.copy_(block.attention.qkv.weight)
        layer.self_attn.in_proj_bias.copy_(block.attention.qkv.bias)
    return layer


def straightforward(encoder: Encoder) -> Encoder:
    """The same network as one would write it first.

    Raises:
        RuntimeError: It does not give the same embeddings.
    """
    made = in_layout(encoder, torch.contiguous_format)
    blocks = made.get_submodule("blocks")
    for name, part in list(blocks.named_children()):
        if isinstance(part, Block):
            setattr(blocks, name, torch_layer(part))
    window = torch.randn(2, FRONT_END.mels, FRONT_END.frames(SECONDS))
    with torch.no_grad():
        ours, theirs = encoder.eval()(window), made.eval()(window)
    if not torch.allclose(ours, theirs, rtol=1e-3, atol=1e-4):
        raise RuntimeError(f"the straightforward {type(encoder).__name__} is another network")
    return made


def step(encoder: Encoder, batch: Tensor) -> Callable[[], None]:
    """One training step without the optimiser."""
    encoder.train()

    def run() -> None:
        encoder.zero_grad()
        torch.autograd.backward(encoder(batch).square().mean())

    return run


def forward(encoder: Encoder, batch: Tensor) -> Callable[[], None]:
    """One pass of a frozen encoder."""

    def run() -> None:
        with torch.no_grad():
            encoder(batch)

    return run


def milliseconds(runs: Mapping[str, Callable[[], None]]) -> dict[str, list[float]]:
    """Processor time of each, the runs taking turns so that all meet the same machine."""
    found: dict[str, list[float]] = {name: [] for name in runs}
    for run in runs.values():
        run()
    began = time.process_time()
    for turn in range(MOST):
        if turn >= FEWEST and time.process_time() - began > ENOUGH:
            break
        for name, run in runs.items():
            start = time.process_time()
            run()
            found[name].append(1e3 * (time.process_time() - start))
    return found


def measure(name: str, size: int) -> dict[str, Any]:
    """Everything of one encoder; no step of what has nothing to train."""
    torch.manual_seed(0)
    encoder = encoders.build(component("encoder", name), FRONT_END.mels, 0)
    facts = encoder.facts(FRONT_END, SECONDS)
    rows = FRONT_END.rows if encoder.tracks else FRONT_END.mels
    batch = torch.randn(size, rows, FRONT_END.frames(SECONDS))
    runs: dict[str, Callable[[], None]] = {}
    if encoder.parameter_count():
        runs["step"] = step(encoder, batch)
        runs["straightforward"] = step(straightforward(encoder), batch)
    if isinstance(encoder, Cnn | OperaCe):
        runs |= {n: step(in_layout(encoder, layout), batch) for n, layout in LAYOUTS.items()}
    encoder.train()
    times = milliseconds(runs) if runs else {}
    times |= milliseconds({"forward": forward(encoder.eval(), batch)})
    found = {
        "encoder": name,
        "parameters": facts.parameters,
        "dim": facts.dim,
        "receptive_field_s": facts.receptive_field,
        "mmac_per_s": round(facts.mmac, 1),
        **{f"{kind}_ms": round(min(turns), 1) for kind, turns in times.items()},
    }
    if runs:
        ratios = [a / b for a, b in zip(times["step"], times["straightforward"], strict=True)]
        found["step_over_straightforward"] = round(statistics.median(ratios), 2)
    return found


def row(found: Mapping[str, Any]) -> str:
    """A line of the Markdown table."""
    field = found["receptive_field_s"]
    cells = [
        f"`{found['encoder']}`",
        f"{found['parameters'] / 1e6:.2f} M",
        found["dim"],
        "window" if field is None else f"{field:.2f}",
        f"{found['mmac_per_s']:,.0f}",
        *(_cell(found, f"{n}_ms", ",.0f") for n in ("forward", "step", *LAYOUTS)),
        _cell(found, "step_over_straightforward", ".2f"),
    ]
    return f"| {' | '.join(map(str, cells))} |"


def _cell(found: Mapping[str, Any], key: str, form: str) -> str:
    return format(found[key], form) if key in found else ""


def main() -> None:
    """Measure, print the table, print JSON."""
    parser = argparse.ArgumentParser(description="What each encoder is, and what a step costs.")
    parser.add_argument("--encoders", nargs="+", default=choices("encoder"), metavar="NAME")
    parser.add_argument("--batch", type=int, default=16, metavar="N", help="windows of 1 s")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print(f"| {' | '.join(HEADINGS)} |\n|---|{'---:|' * (len(HEADINGS) - 1)}", flush=True)
    rows = []
    for name in arguments.encoders:
        found = measure(name, arguments.batch)
        rows.append(found)
        print(row(found), flush=True)
    print(json.dumps({"batch": arguments.batch, "torch": torch.__version__, "encoders": rows}))


if __name__ == "__main__":
    main()
