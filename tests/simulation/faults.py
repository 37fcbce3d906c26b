"""A worker process that does what a file says before it runs a client: wait, die, hang, fail.

The file maps ``round/node`` (a star stands for every round) to one word and a number.
"""

import json
import os
import signal
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

#: The environment's name for the file's path.
NAME = "FEDBREATH_TEST_FAULTS"


def work(calls: Connection) -> None:
    """As `simulation.pool.worker.work`, with faults."""
    from simulation.pool import worker  # not above: `dies` is to die soon
    from simulation.pool.worker import Desk, Done, Job

    plain = Desk.do

    def do(self: Desk, job: Job) -> Done:
        planned: dict[str, Any] = json.loads(Path(os.environ[NAME]).read_text())
        number = job.parcel.configs["config"]["server-round"]
        what = planned.get(f"{number}/{job.head.node}", planned.get(f"*/{job.head.node}", ""))
        word, _, amount = what.partition(" ")
        if word == "wait":
            time.sleep(float(amount))
        elif word == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        elif word == "hang":
            os.kill(os.getpid(), signal.SIGSTOP)
        elif word == "fail":
            app, self._app = self._app, _fails  # type: ignore[assignment]
            try:
                return plain(self, job)
            finally:
                self._app = app
        return plain(self, job)

    Desk.do = do  # type: ignore[method-assign]
    worker.work(calls)


def _fails(*_: object) -> None:
    raise ZeroDivisionError("a defect")


def dies(_: Connection) -> None:
    """A worker that dies as it starts."""
    os._exit(3)
