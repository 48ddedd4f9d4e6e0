"""``python -m pipelines.compare``: results side by side, and what made the difference."""
