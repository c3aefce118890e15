"""Does a thread or a process get on, or has it been waiting all along?

The kernel counts how often a thread went to sleep: one that sleeps at two looks
with the same count did nothing in between. Looks are counted, not seconds, so
that a job that was stopped as a whole is not taken for one that waits.
"""
import os
import sys

from repro_audit_shim import record

_read = os.read
_listdir = os.listdir
GAP = 0.05
PATIENCE = 1.0  # where it certainly waits for another of its process
LONG = 10.0  # where it may as well wait for a disk, a network or a clock


def thread(native, ident):
    """A mark that stays the same while this thread waits; None while it gets on, or where nobody knows."""
    if sys.platform.startswith("linux"):
        return _of("/proc/self/task/%d/status" % native) if native else None
    frame = sys._current_frames().get(ident)
    return None if frame is None else (id(frame), frame.f_lasti)


def process(pid):
    """The same for a process: all of its threads."""
    try:
        marks = [_of("/proc/%d/task/%s/status" % (pid, name)) for name in _listdir("/proc/%d/task" % pid)]
    except (OSError, TypeError):
        return None
    return None if None in marks or not marks else tuple(marks)


def _of(path):
    try:
        fd = record._open(path, os.O_RDONLY)
        try:
            text = _read(fd, 4096)
        finally:
            record._close(fd)
    except OSError:
        return None
    if b"\nState:\tS" not in text:
        return None
    return text[text.find(b"\nvoluntary_ctxt_switches:"):].split(b"\n")[1]


class Watch:
    """Looks at one of them again and again."""

    def __init__(self):
        self.last, self.looks, self.at = None, 0, 0.0

    def due(self):
        """Is it time to look? At most every `GAP` seconds."""
        now = record.monotonic()
        if now - self.at < GAP:
            return False
        self.at = now
        return True

    def stuck(self, key, mark, patience=PATIENCE):
        """Has this mark been the same for so long?"""
        if mark is None or (key, mark) != self.last:
            self.last, self.looks = (key, mark), 0
            return False
        self.looks += 1
        return self.looks * GAP >= patience
