"""Hydra multirun over the whole pipeline: every trial in a workspace of its own, on one shared cache."""
