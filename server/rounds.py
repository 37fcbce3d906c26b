"""The rounds of a federation: call, collect, combine, advance, record, checkpoint.

Flower's ``Strategy.start`` always begins at round one and keeps no checkpoint, so the
loop is ours; whom to call, how to combine replies and how to go on from there stay the
strategy's. The order at the end
of a round is: look for signs of collapse where it is time to, append the round to
``rounds.jsonl``, then replace the checkpoint. A kill between the last two leaves a line too
many, which the next start takes away.
"""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import torch
from flwr.app import ArrayRecord
from flwr.serverapp import Grid
from torch import Tensor

from fedbreath import collapse
from fedbreath.atomic import write_text
from fedbreath.collapse import Signs
from fedbreath.config import Config
from fedbreath.monitor import Monitor
from fedbreath.pretraining import Learner, distance
from fedbreath.report import folder as records
from fedbreath.report.records import Participant, RoundRecord, SimulatedRound
from server import checkpoints
from server.central import CENTRAL, Central, central_of
from server.checkpoints import Checkpoint
from server.clock import Clocked
from server.collecting import Collector, wait_for_clients
from strategies import Strategy
from strategies.replies import Reply

log = logging.getLogger("fedbreath.server")

#: Told the round's number and the global weights after it; round 0 is the start.
Observer = Callable[[int, Mapping[str, Tensor]], None]


def federate(
    grid: Grid, strategy: Strategy, config: Config, folder: Path, observe: Observer
) -> Checkpoint:
    """Run the rounds that are still to be run.

    Args:
        grid: Flower's connection to the clients.
        strategy: Whom to call and what to make of the replies; its state is the
            checkpoint's.
        config: The run.
        folder: Where ``rounds.jsonl`` and the checkpoint lie; a checkpoint found there
            is gone on with.
        observe: Called after every round, and before the first one.

    Raises:
        UserError: Too few clients connect in time, or too few updates can be used in a
            round; the rounds before it are kept.
    """
    folder.mkdir(parents=True, exist_ok=True)
    state = checkpoints.read(folder, config.digest)
    learner = Learner(config, warm=state is None)
    if state is None:
        state = Checkpoint(0, config.digest, learner.shared_state())
    strategy.buffers = frozenset(name for name, _ in learner.model.named_buffers())
    kept = {name: tensor.numpy() for name, tensor in state.strategy.items()}
    central = central_of(config, folder)
    if central is not None:
        central.restore(kept)
    strategy.restore({n: array for n, array in kept.items() if not n.startswith(CENTRAL)})
    exchange = learner.exchange
    del learner
    _forget_after(folder / "rounds.jsonl", state.number)
    monitor = Monitor(config)
    start = monitor.look(state.weights) if state.number == 0 else _signs_at_start(folder)
    observe(state.number, state.weights)
    world = grid if isinstance(grid, Clocked) else None
    collector = Collector(strategy, config, exchange, world)
    time_now = _simulated_until(folder)
    for number in range(state.number + 1, config.rounds + 1):
        if world is None or world.begin(number, time_now, strategy.min_available_nodes):
            wait_for_clients(grid, strategy, config.patience.connect)
            reached = grid if central is None else central.call(number, grid)
            weights, record = _round(reached, collector, number, state.weights, central)
        else:
            weights, record = state.weights, RoundRecord(number, (), (), 0.0, 0.0, 0, 0)
        if world is not None:
            record = _in_time(record, world.told())
            time_now = world.told().finished
        signs = monitor.look(weights) if monitor.due(number) else None
        before = start if number == 1 else None
        records.append(folder, replace(record, signs=signs, signs_before=before))
        if signs is not None:
            _tell(folder, number, signs, start)
        own = {**strategy.state(), **(central.state() if central else {})}
        arrays = {name: torch.from_numpy(array) for name, array in own.items()}
        state = Checkpoint(number, config.digest, weights, arrays)
        checkpoints.write(folder, state)
        if central is not None:
            central.commit(folder / checkpoints.NAME)
        observe(number, weights)
    return state


def _round(
    grid: Grid,
    collector: Collector,
    number: int,
    weights: dict[str, Tensor],
    central: Central | None,
) -> tuple[dict[str, Tensor], RoundRecord]:
    started = time.perf_counter()
    strategy, exchange = collector.strategy, collector.exchange
    travelling = exchange.narrow(weights)
    weights = exchange.widen(travelling)
    found = collector.collect(grid, number, ArrayRecord(travelling))
    usable = found.replies
    if central is None and len(usable) < strategy.least:
        # In simulated time too few came through: the round is skipped, as a real one would be.
        seconds = time.perf_counter() - started
        return weights, RoundRecord(number, (), found.failures, 0.0, seconds, 0, 0)
    old = {name: tensor.numpy() for name, tensor in exchange.moving(weights).items()}
    if central is None:
        combined = strategy.combine(number, old, usable)
    else:
        combined = central.combine(old, usable)
    advanced = strategy.advance(number, old, combined)
    new = weights | {name: torch.from_numpy(array) for name, array in advanced.items()}
    return new, RoundRecord(
        number=number,
        participants=tuple(_participant(reply) for reply in usable),
        failures=found.failures,
        norm=distance(new, weights),
        seconds=time.perf_counter() - started,
        bytes_down=found.bytes_down,
        bytes_up=sum(reply.size for reply in usable),
        repeats=found.repeats,
    )


def _in_time(record: RoundRecord, simulated: SimulatedRound) -> RoundRecord:
    """A round's record with what it would have needed, and the bytes of all who were reached."""
    down = sum(c.bytes_down for c in simulated.clients)
    up = sum(c.bytes_up for c in simulated.clients)
    return replace(record, simulated=simulated, bytes_down=down, bytes_up=up)


def _simulated_until(folder: Path) -> float:
    """When the last round in a folder was over, s of simulated time."""
    last = records.last_round(folder)
    return last.simulated.finished if last and last.simulated else 0.0


def _signs_at_start(folder: Path) -> Signs | None:
    """What the first round's record says of the start, None in one that does not."""
    first = records.first_round(folder)
    return first.signs_before if first else None


def _tell(folder: Path, number: int, signs: Signs, start: Signs | None) -> None:
    """Log an encoder's signs, and a warning where it has collapsed."""
    why = collapse.warning(signs, start)
    if why:
        log.warning(
            "%s, after round %d: the representations have COLLAPSED (%s)", folder, number, why
        )
    else:
        log.info("%s, after round %d: %s", folder, number, signs)


def _participant(reply: Reply) -> Participant:
    told = reply.metrics
    return Participant(
        name=reply.site,
        recordings=int(told["num-examples"]) if "num-examples" in told else None,
        steps=int(told["steps"]) if "steps" in told else None,
        loss=told.get("loss"),
        update_norm=told.get("norm"),
        seconds=told.get("seconds"),
    )


def _forget_after(path: Path, number: int) -> None:
    """Take away lines of rounds after `number`: their checkpoint was never written."""
    # Not splitlines: a site's name may hold U+2028, which JSON need not escape.
    *whole, torn = path.read_text(encoding="utf-8").split("\n") if path.exists() else [""]
    if torn or len(whole) > number:
        write_text(path, "".join(f"{line}\n" for line in whole[:number]))
