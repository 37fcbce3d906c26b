"""The server application: rounds, checkpoints. Knows Flower."""
