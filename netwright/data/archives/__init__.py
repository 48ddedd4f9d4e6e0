"""A dataset given as a zip or tar file."""
