"""Ray workers that do what a file says before they run a client: wait, die, hang, fail."""

import json
import os
import signal
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest


def plant(patch: pytest.MonkeyPatch, plan: Path) -> None:
    """Put the plan in the way of all workers; it maps ``round/node`` to a word and a number."""
    from simulation.cluster import delivery

    patch.setattr(delivery, "desk", partial(desk, plan))


def desk(plan: Path, federation: Any) -> Any:
    """As `simulation.cluster.desk.desk`, with faults."""
    from simulation.cluster.desk import desk as plain

    found = plain(federation)
    return partial(_answer, plan, found)


def _answer(plan: Path, found: Any, message: Any, context: Any) -> Any:
    import ray

    planned: dict[str, str] = json.loads(plan.read_text())
    number = ray.get(message.content).config_records["config"]["server-round"]
    node = message.head.node
    word, _, amount = planned.get(f"{number}/{node}", planned.get(f"*/{node}", "")).partition(" ")
    if word == "wait":
        time.sleep(float(amount))
    elif word == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    elif word == "hang":
        time.sleep(1000)
    elif word == "fail":
        raise ZeroDivisionError("a defect")
    return found(message=message, context=context)
