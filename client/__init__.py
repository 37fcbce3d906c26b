"""The client application: one site's side of a federation. Knows Flower."""
