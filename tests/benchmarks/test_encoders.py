"""The benchmark of encoders: what it compares with, and what it writes."""

import pytest
import torch
from torch import nn

from benchmarks import encoders as benchmark
from fedbreath import encoders
from fedbreath.config import component
from fedbreath.encoders import Encoder
from fedbreath.encoders.transformer import Block


def build(name: str) -> Encoder:
    return encoders.build(component("encoder", name), 64, 0)


def test_the_straightforward_network_has_other_layers_and_the_same_weights() -> None:
    ours = build("vit_narrow")
    plain = benchmark.straightforward(ours)
    layers = [m for m in plain.modules() if isinstance(m, nn.TransformerEncoderLayer)]
    assert len(layers) == 4
    assert plain.parameter_count() == ours.parameter_count()


def test_a_network_that_computes_something_else_is_no_comparison(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def wrong(block: nn.Module) -> nn.Module:
        assert isinstance(block, Block)
        layer = right(block)
        nn.init.normal_(layer.get_parameter("linear1.weight"))
        return layer

    right = benchmark.torch_layer
    monkeypatch.setattr(benchmark, "torch_layer", wrong)
    with pytest.raises(RuntimeError, match="straightforward Vit is another network"):
        benchmark.straightforward(build("vit_narrow"))


@pytest.mark.parametrize("layout", list(benchmark.LAYOUTS.values()))
def test_a_layout_changes_the_memory_and_not_the_numbers(layout: torch.memory_format) -> None:
    encoder = build("opera_ce").eval()
    made = benchmark.in_layout(encoder, layout).eval()
    weight = made.get_parameter("stem.1.weight")
    assert weight.is_contiguous(memory_format=layout)
    window = torch.randn(1, 64, 62)
    with torch.no_grad():
        torch.testing.assert_close(made(window), encoder(window), rtol=1e-3, atol=1e-8)


def test_a_row_holds_every_column(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(benchmark, "MOST", 1)
    found = benchmark.measure("cnn_narrow", 2)
    assert found["parameters"] == 245_104
    assert found["step_ms"] > found["forward_ms"] > 0
    assert benchmark.row(found).count("|") == len(benchmark.HEADINGS) + 1
    without = {k: v for k, v in found.items() if k not in ("plain_ms", "channels_last_ms")}
    assert "|  |  |" in benchmark.row(without)


def test_what_has_nothing_to_train_has_a_pass_and_no_step() -> None:
    found = benchmark.measure("descriptors", 2)
    assert (found["parameters"], found["dim"]) == (0, 1984)
    assert "step_ms" not in found
    assert found["forward_ms"] > 0
    cells = benchmark.row(found).split("|")[1:-1]
    assert len(cells) == len(benchmark.HEADINGS)
    assert [cell.strip() for cell in cells[6:]] == [""] * 4
