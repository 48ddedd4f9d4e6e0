"""The door of every stage: ``stage`` makes a function a command, ``Host`` tells it about the machine.

``Job`` tells of one job of a multirun.
"""

from stages._entry.app import Host, Job, stage

__all__ = ["Host", "Job", "stage"]
