"""One file for each dataset format, each with a ``load``."""
