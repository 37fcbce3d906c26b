"""A simulation that says "first step" at its first optimiser step, for `benchmarks.engine`."""

import sys
from multiprocessing.connection import Connection


def announce() -> None:
    """Say so in this process."""
    from fedbreath.optimizer import AdamW  # noqa: PLC0415 - a worker imports this module first

    step = AdamW.step

    def stepped(self: AdamW) -> None:
        step(self)
        print("first step", flush=True)
        AdamW.step = step  # type: ignore[method-assign]

    AdamW.step = stepped  # type: ignore[method-assign]


def work(calls: Connection) -> None:
    """A worker that says so."""
    from simulation.pool import worker  # noqa: PLC0415

    announce()
    worker.work(calls)


def main() -> None:
    """Run the simulation of these arguments."""
    from simulation.command import main as simulate  # noqa: PLC0415
    from simulation.engines import process_pool  # noqa: PLC0415
    from simulation.pool.crew import Crew  # noqa: PLC0415

    announce()
    vars(process_pool)["Crew"] = lambda count: Crew(count, work)
    sys.exit(simulate(sys.argv[1:]))
