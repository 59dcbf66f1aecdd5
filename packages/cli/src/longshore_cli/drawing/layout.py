"""Where boxes stand and arrows run, by layers: everybody below all that they wait for.

The usual four steps: layers by longest path, bends where an arrow crosses a layer, order within layers by the
neighbours' mean places so that few arrows cross, and places as near to the neighbours' as their order and width allow.
Iterative and about linear, so that a chain of 10,000 boxes is drawn too.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from attrs import frozen

__all__ = ["Layout", "Point", "lay_out"]

Point = tuple[float, float]

_SWEEPS = 8
_MOST_BENDS = 20_000
"""A graph with more is no picture any more; its arrows then run straight."""


@frozen(kw_only=True)
class Layout:
    """Centres of boxes by position, points of arrows from first to last, and the size of it all."""

    centres: tuple[Point, ...]
    routes: tuple[tuple[Point, ...], ...]
    width: float
    height: float


def lay_out(
    widths: Sequence[float], arrows: Sequence[tuple[int, int]], *, height: float, gap: float, rise: float
) -> Layout:
    """Place boxes of these widths and one height, ``gap`` apart in a layer, layers ``rise`` apart.

    ``arrows`` are pairs of positions without a cycle.
    """
    if not widths:
        return Layout(centres=(), routes=(), width=0.0, height=0.0)
    layers_of = _layers(len(widths), arrows)
    chains, bend_layers = _chains(arrows, layers_of)
    all_layers = [*layers_of, *bend_layers]
    all_widths = [*widths, *([0.0] * len(bend_layers))]
    edges = [edge for chain in chains for edge in pairwise(chain)]
    above, below = _neighbours(len(all_layers), edges)
    layers = _ordered(all_layers, above, below)
    places = _places(layers, all_widths, above, below, gap)
    left = min(place - width / 2 for place, width in zip(places, all_widths, strict=True))
    right = max(place + width / 2 for place, width in zip(places, all_widths, strict=True))

    def point(node: int) -> Point:
        return places[node] - left, height / 2 + all_layers[node] * (height + rise)

    return Layout(
        centres=tuple(point(node) for node in range(len(widths))),
        routes=tuple(tuple(point(node) for node in chain) for chain in chains),
        width=right - left,
        height=len(layers) * (height + rise) - rise,
    )


def _layers(count: int, arrows: Sequence[tuple[int, int]]) -> list[int]:
    """Put every box one layer below the lowest that it waits for."""
    below: list[list[int]] = [[] for _ in range(count)]
    waits = [0] * count
    for start, end in arrows:
        below[start].append(end)
        waits[end] += 1
    layers = [0] * count
    ready = [node for node in range(count) if not waits[node]]
    while ready:
        node = ready.pop()
        for reader in below[node]:
            layers[reader] = max(layers[reader], layers[node] + 1)
            waits[reader] -= 1
            if not waits[reader]:
                ready.append(reader)
    return layers


def _chains(arrows: Sequence[tuple[int, int]], layers: Sequence[int]) -> tuple[list[list[int]], list[int]]:
    """Give each arrow a node in every layer that it crosses: the chains, and the layers of those new nodes."""
    bends = sum(max(0, layers[end] - layers[start] - 1) for start, end in arrows)
    if bends > _MOST_BENDS:
        return [[start, end] for start, end in arrows], []
    chains: list[list[int]] = []
    bend_layers: list[int] = []
    for start, end in arrows:
        chain = [start]
        for layer in range(layers[start] + 1, layers[end]):
            chain.append(len(layers) + len(bend_layers))
            bend_layers.append(layer)
        chains.append([*chain, end])
    return chains, bend_layers


def _neighbours(count: int, edges: Sequence[tuple[int, int]]) -> tuple[list[list[int]], list[list[int]]]:
    above: list[list[int]] = [[] for _ in range(count)]
    below: list[list[int]] = [[] for _ in range(count)]
    for start, end in edges:
        below[start].append(end)
        above[end].append(start)
    return above, below


def _ordered(all_layers: Sequence[int], above: Sequence[list[int]], below: Sequence[list[int]]) -> list[list[int]]:
    """Order each layer by the mean position of its neighbours, downwards and upwards in turn."""
    layers: list[list[int]] = [[] for _ in range(max(all_layers) + 1)]
    for node, depth in enumerate(all_layers):
        layers[depth].append(node)
    position = [0.0] * len(all_layers)
    for layer in layers:
        _number(layer, position)
    for sweep in range(_SWEEPS):
        down = sweep % 2 == 0
        neighbours = above if down else below
        for layer in layers if down else reversed(layers):
            wished = {node: _mean(neighbours[node], position, position[node]) for node in layer}
            layer.sort(key=wished.__getitem__)
            _number(layer, position)
    return layers


def _number(layer: Sequence[int], position: list[float]) -> None:
    # Relative to the layer's middle, so that layers of different sizes compare.
    for number, node in enumerate(layer):
        position[node] = number - (len(layer) - 1) / 2


def _mean(nodes: Sequence[int], position: Sequence[float], otherwise: float) -> float:
    return sum(position[node] for node in nodes) / len(nodes) if nodes else otherwise


def _places(
    layers: Sequence[Sequence[int]],
    widths: Sequence[float],
    above: Sequence[list[int]],
    below: Sequence[list[int]],
    gap: float,
) -> list[float]:
    """Give each node the centre that is nearest to its neighbours' while none of a layer touch."""
    places = [0.0] * len(widths)
    offsets = [_offsets(layer, widths, gap) for layer in layers]
    for layer, offset in zip(layers, offsets, strict=True):
        for node, shift in zip(layer, offset, strict=True):
            places[node] = shift - offset[-1] / 2
    for sweep in range(_SWEEPS):
        pairs = list(zip(layers, offsets, strict=True))
        for layer, offset in pairs if sweep % 2 == 0 else reversed(pairs):
            wished = [_mean(above[node] + below[node], places, places[node]) for node in layer]
            free = _rising([wish - shift for wish, shift in zip(wished, offset, strict=True)])
            for node, place, shift in zip(layer, free, offset, strict=True):
                places[node] = place + shift
    return places


def _offsets(layer: Sequence[int], widths: Sequence[float], gap: float) -> list[float]:
    """Say how far each node's centre is at least from the first one's."""
    offsets = [0.0]
    for left, right in pairwise(layer):
        offsets.append(offsets[-1] + (widths[left] + widths[right]) / 2 + gap)
    return offsets


def _rising(values: Sequence[float]) -> list[float]:
    """Give the sequence that never falls and is nearest to these values (pool adjacent violators)."""
    blocks: list[tuple[float, int]] = []
    for value in values:
        total, count = value, 1
        while blocks and blocks[-1][0] / blocks[-1][1] > total / count:
            more, size = blocks.pop()
            total, count = total + more, count + size
        blocks.append((total, count))
    return [total / count for total, count in blocks for _ in range(count)]
