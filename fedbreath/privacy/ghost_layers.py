"""Per-unit gradients of one layer from its inputs and the gradients of its outputs.

For a weight (d, p) that is applied at N places of a unit (its rows, tokens or pixels, over
all calls of the layer), with a_n (p,) what it is applied to and e_n (d,) the gradient there,

    g_u = sum_n e_n a_n^T,
    |g_u|^2 = sum_{n, m} (e_n . e_m) (a_n . a_m).

The right-hand side, two Gram matrices (N, N) and never a gradient (d, p), is the ghost norm
(Goodfellow 2015, arXiv 1510.01799, for N = 1; Li et al., ICLR 2022, arXiv 2110.05679). Bu et
al. (NeurIPS 2022, arXiv 2205.10683) mix it with gradients that are written out, layer by
layer. Each layer gives `Share`s, one a parameter.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fedbreath.privacy.unit_gradients import squared_norms, weighted

#: A gradient written out passes through memory three times (written, its norm, its sum), p d
#: numbers each, where Gram matrices cost N^2 (p + d) multiplications. A core does about so
#: many multiplications in the time of that traffic (measured, float32).
TRAFFIC = 32


@dataclass(frozen=True)
class Share:
    """What one parameter adds to the units' squared norms, and its weighted sum.

    Attributes:
        squared: (U,), float64.
        total: Weights (U,) -> sum_u w_u g_u, in the shape of the parameter.
    """

    squared: Tensor
    total: Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Flow:
    """One call: the layer's input and the gradient of its output, each (U * R, ...)."""

    value: Tensor
    error: Tensor


def shares(layer: nn.Module, flows: Sequence[Flow], units: int) -> dict[str, Share]:
    """The shares of a layer's trainable parameters, ``weight`` and ``bias``.

    Args:
        layer: One of `fedbreath.privacy.layer_calls.SERVED`.
        flows: Its calls.
        units: U.
    """
    wanted = {name for name, p in layer.named_parameters(recurse=False) if p.requires_grad}
    found: dict[str, Share] = {}
    if "bias" in wanted:
        found["bias"] = _written(_sum([_bias(layer, flow.error, units) for flow in flows]))
    if "weight" in wanted:
        if isinstance(layer, nn.Linear):
            found["weight"] = _linear(flows, units)
        elif isinstance(layer, nn.Conv1d | nn.Conv2d):
            found["weight"] = _convolution(layer, flows, units)
        else:
            scales = [_scale(layer, flow, units) for flow in flows]
            found["weight"] = _written(_sum(scales))
    return found


def _written(gradient: Tensor) -> Share:
    """A share whose gradients (U, ...) are there: what is measured is what is summed."""
    return Share(squared_norms(gradient), lambda weights: weighted(weights, gradient))


def _weight(inner: Tensor, outer: Tensor) -> Share:
    """The share of a weight (d, p) that is applied to (U, N, p), with gradients (U, N, d)."""
    (places, sources), outs = inner.shape[1:], outer.shape[2]
    if places**2 * (sources + outs) < TRAFFIC * sources * outs:
        return _gram(inner, outer)
    return _written(torch.bmm(outer.transpose(1, 2), inner))


def _gram(inner: Tensor, outer: Tensor) -> Share:
    """A share whose gradients are not written out.

    Where a unit's terms cancel, rounding leaves of its squared norm nothing but an error of
    the order of eps sum |e_n|^2 sum |a_n|^2, and the sum, which is rounded differently, holds
    more than C of it: a crafted unit of 32 tokens added 10^6 C in float32. That much is added,
    so that no unit is taken for smaller than it is (at most 1.000001 C was then found). A
    norm whose N terms neither cancel nor agree grows by the share N eps / 2.
    """
    inners, outers = (torch.bmm(t, t.transpose(1, 2)) for t in (inner, outer))
    sizes = [t.diagonal(dim1=1, dim2=2).sum(1).double() for t in (inners, outers)]
    slack = torch.finfo(inner.dtype).eps * sizes[0] * sizes[1]
    squared = torch.linalg.vecdot(inners.flatten(1), outers.flatten(1)).double()

    def total(weights: Tensor) -> Tensor:
        scaled = outer * weights.to(outer.dtype)[:, None, None]
        return scaled.flatten(0, 1).T @ inner.flatten(0, 1)

    return Share(squared.clamp(min=0) + slack, total)


def _linear(flows: Sequence[Flow], units: int) -> Share:
    inner = _joined([_by_unit(flow.value, units) for flow in flows])
    outer = _joined([_by_unit(flow.error, units) for flow in flows])
    return _weight(inner, outer)


def _convolution(layer: nn.Conv1d | nn.Conv2d, flows: Sequence[Flow], units: int) -> Share:
    """A convolution is a linear layer on patches, one of its own for each group of channels."""
    outs, ins, *kernel = layer.weight.shape
    inner = _joined([_by_unit(_patches(layer, flow.value), units) for flow in flows])
    outer = _joined([_by_unit(f.error.flatten(2).transpose(1, 2), units) for f in flows])
    if layer.groups == 1:
        share = _weight(inner, outer)
    else:
        inner = torch.unflatten(inner, 2, (-1, layer.groups, ins))
        outer = torch.unflatten(outer, 2, (layer.groups, -1))
        share = _written(torch.einsum("unkgi,ungo->ugoki", inner, outer))

    def total(weights: Tensor) -> Tensor:
        return share.total(weights).reshape(outs, *kernel, ins).movedim(-1, 1)

    return Share(share.squared, total)


def _patches(layer: nn.Conv1d | nn.Conv2d, value: Tensor) -> Tensor:
    """What the kernel is applied to at each place, (B, C, ...) -> (B, places, kernel * C).

    Channels come last: they stay together in memory, so that this is written several times
    as fast as by ``F.unfold``.
    """
    sizes, edges = value.shape[2:], [int(edge) for edge in layer.padding]
    grown = [size + 2 * edge for size, edge in zip(sizes, edges, strict=True)]
    windows = value.new_zeros(len(value), *grown, value.shape[1])
    inside = windows
    for axis, (size, edge) in enumerate(zip(sizes, edges, strict=True), 1):
        inside = inside.narrow(axis, edge, size)
    inside.copy_(value.movedim(1, -1))
    steps = zip(layer.kernel_size, layer.stride, layer.dilation, strict=True)
    for axis, (size, stride, dilation) in enumerate(steps, 1):
        windows = windows.unfold(axis, dilation * (size - 1) + 1, stride)[..., ::dilation]
    axes = len(sizes)  # now (B, places ..., C, kernel ...)
    places, kernel = range(1, axes + 1), range(axes + 2, 2 * axes + 2)
    if value.shape[1] == 1:  # no channels to keep together: keep the places together
        rows = windows.squeeze(axes + 1).permute(0, *(k - 1 for k in kernel), *places)
        return rows.flatten(1, axes).flatten(2).transpose(1, 2)
    rows = windows.permute(0, *places, *kernel, axes + 1)
    return rows.flatten(1, axes).flatten(2)


def _scale(layer: nn.Module, flow: Flow, units: int) -> Tensor:
    """Per-unit gradients of the weight of a GroupNorm or LayerNorm, (U, ...)."""
    value, error = flow.value, flow.error
    if isinstance(layer, nn.LayerNorm):
        shape = list(layer.normalized_shape)
        plain = F.layer_norm(value, shape, eps=layer.eps)
        return (plain * error).reshape(units, -1, *shape).sum(1)
    assert isinstance(layer, nn.GroupNorm)
    plain = F.group_norm(value, layer.num_groups, eps=layer.eps)
    channels: Tensor = torch.linalg.vecdot(plain.flatten(2), error.flatten(2))
    return channels.reshape(units, -1, channels.shape[1]).sum(1)


def _bias(layer: nn.Module, error: Tensor, units: int) -> Tensor:
    """Per-unit gradients of a bias, (U, ...)."""
    if isinstance(layer, nn.Linear | nn.LayerNorm):
        shape = layer.normalized_shape if isinstance(layer, nn.LayerNorm) else error.shape[-1:]
        return error.reshape(units, -1, *shape).sum(1)
    channels = error.flatten(2).sum(2)
    return channels.reshape(units, -1, channels.shape[1]).sum(1)


def _by_unit(rows: Tensor, units: int) -> Tensor:
    """(U * R, ..., p) -> (U, N, p): a unit's rows are some more of its places."""
    return rows.reshape(units, -1, rows.shape[-1])


def _sum(parts: Sequence[Tensor]) -> Tensor:
    """Of the calls of one layer: they add up within a unit before it is clipped."""
    return parts[0] if len(parts) == 1 else torch.stack(list(parts)).sum(0)


def _joined(parts: Sequence[Tensor]) -> Tensor:
    """The places of all calls of one layer, without a copy where there is one."""
    return parts[0] if len(parts) == 1 else torch.cat(list(parts), dim=1)
