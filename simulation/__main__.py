"""``python -m simulation [overrides]``: simulate a federated pretraining, end to end."""

import os
import sys

# Before torch and Flower are imported: one thread a process, and no telemetry.
for _name, _value in {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_WAIT_POLICY": "PASSIVE",
    "FLWR_TELEMETRY_ENABLED": "0",
    "FLWR_DISABLE_UPDATE_CHECK": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
}.items():
    os.environ.setdefault(_name, _value)

if __name__ == "__main__":
    from simulation.command import main

    sys.exit(main(sys.argv[1:]))
