"""Dividing pictures between the splits without leaks, and looking for leaks."""
