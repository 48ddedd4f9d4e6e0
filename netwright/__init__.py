"""netwright: train, prune, quantize, export and prove small vision models."""

__version__ = "0.1.0"
