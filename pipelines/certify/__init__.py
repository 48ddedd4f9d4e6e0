"""Signed releases: issuing, verifying and replaying them."""
