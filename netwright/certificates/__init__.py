"""Certificates: what a model is, how it was made and measured, signed so that anybody can check it."""
