"""The door of every stage: ``stage`` makes a function a command, ``Host`` tells it about the machine."""

from stages._entry.app import Host, stage

__all__ = ["Host", "stage"]
