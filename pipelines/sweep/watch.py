"""A trial ends with its sweep, however that ends."""

import os
import signal
import threading
import time

from pipelines.sweep.places import Places

_LOOK = 0.5  # seconds between looks at whether to end
_PATIENCE = 15.0  # seconds that a stage has to end before it is killed


class Watch:
    """Ends this process group, from a thread, when the sweep is to stop or the process ``starter`` is gone.

    The parent of this process may be another one by the time it looks, so its starter says its own number.
    """

    def __init__(self, places: Places, starter: int) -> None:
        self.stop, self.starter, self.ending = places.stop, starter, False
        threading.Thread(target=self._look, daemon=True).start()

    def _look(self) -> None:
        while os.getppid() == self.starter and not self.stop.exists():
            time.sleep(_LOOK)
        self.ending = True
        os.killpg(os.getpgrp(), signal.SIGINT)  # the stage at work, and whatever it started, end in an orderly way
        time.sleep(_PATIENCE)
        os.killpg(os.getpgrp(), signal.SIGKILL)
