"""The embedded dataset: digits scattered over painted scenes."""
