"""A process of the planner does not outlive the one that started it, whatever ended that."""

import os
import signal
import threading
from multiprocessing import parent_process
from multiprocessing.process import BaseProcess


def end_with_parent() -> None:
    """End this process when its parent has ended: one that is killed stops nobody, and a search goes on for long."""
    parent = parent_process()
    if parent is not None:
        threading.Thread(target=_end_after, args=[parent], name="parent-watch", daemon=True).start()


def _end_after(parent: BaseProcess) -> None:
    parent.join()
    os.kill(os.getpid(), signal.SIGKILL)
