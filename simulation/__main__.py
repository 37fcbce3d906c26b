"""``python -m simulation [overrides]``: simulate a federated pretraining, end to end."""

import sys

from simulation.command import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
