"""A Ray of our own, or the way to a cluster; errors as sentences."""

import os
import re
import socket
from pathlib import Path
from typing import Any

import ray

from fedbreath.errors import UserError
from simulation import ENVIRONMENT

#: The folder that workers import from.
_ROOT = Path(__file__).resolve().parent.parent.parent

#: A worker without a share of a GPU sees the GPU all the same, as in the other engines.
_SEE_GPU = {"RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}

#: s. How long a machine may take to accept a connection.
_PATIENCE = 10.0


def connect(address: str | None, workers: int, threads: int) -> None:
    """Begin a Ray on this machine, or join a cluster.

    Args:
        address: The cluster's; None begins one.
        workers: Clients at once, of one that is begun.
        threads: Of one client.

    Raises:
        UserError: The cluster cannot be reached, or Ray cannot begin.
    """
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ.update(_SEE_GPU)
    if address is not None and address != "auto":
        _reach(address)
    settings: dict[str, Any] = {
        "address": address or "local",
        "log_to_driver": False,
        "logging_level": "ERROR",
        "runtime_env": {"env_vars": _environment(threads)},
    }
    if address is None:
        # Ray would run clients at a priority of 15 below this process, which waits for them.
        os.environ.setdefault("RAY_worker_niceness", "0")
        settings |= {"num_cpus": workers * threads, "include_dashboard": False}
    try:
        ray.init(**settings)
    except (OSError, RuntimeError, ValueError, AssertionError, ray.exceptions.RayError) as error:
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        where = "Ray cannot begin here" if address is None else f"no Ray cluster at {address}"
        raise UserError(f"engine=ray: {where} ({reason})") from None


def disconnect() -> None:
    """End what was begun, or leave the cluster."""
    ray.shutdown()


def _environment(threads: int) -> dict[str, str]:
    """What workers must have before they import anything."""
    path = os.pathsep.join(filter(None, (str(_ROOT), os.environ.get("PYTHONPATH"))))
    own = {name: os.environ[name] for name in ENVIRONMENT}
    counts = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(threads))
    return {**own, **counts, **_SEE_GPU, "PYTHONPATH": path}


def _reach(address: str) -> None:
    """Whether anybody listens there: Ray itself would try for minutes.

    Raises:
        UserError: Nobody does.
    """
    host, port = re.sub("^ray://", "", address).rsplit(":", 1)
    try:
        socket.create_connection((host.strip("[]"), int(port)), _PATIENCE).close()
    except OSError as error:
        raise UserError(
            f"engine=ray: no Ray cluster at {address} ({error.strerror or error}): is it up, and "
            "is that its head's address?"
        ) from None
