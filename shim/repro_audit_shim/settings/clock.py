"""clock: the time that the user's own code reads moves by a fixed amount per call and per step.

Libraries keep the real time: time-outs, logs and progress bars work as before.
Each thread counts its own calls, so that racing threads do not disturb it; what
the user's code sleeps is added. Level `on`, or the seconds that one optimizer
step is to take.
"""
import sys
import time

from repro_audit_shim import core, frames, hooks, settings

START = 1_700_000_000.0
TICK_NS = 1_000_000
STEP_NS = 5_000_000
_steps = [0]
_step_ns = [STEP_NS]
_calls = {}
_only_workers = [False]
_armed = [False]
_reads = [0]

SECONDS = ("time", "perf_counter", "monotonic", "process_time", "thread_time")
NANOSECONDS = tuple(name + "_ns" for name in SECONDS)
CALENDAR = {"localtime": 0, "gmtime": 0, "ctime": 0, "asctime": 0, "strftime": 1}


def arm(levels):
    """Replaces the clocks of `time` and `datetime`."""
    level = str(levels["clock"]).lower()
    if level in ("off", "no", "false"):
        return
    try:
        _step_ns[0] = max(0, int(float(level) * 1e9))
    except ValueError:
        pass
    _only_workers[0] = False
    _install()
    settings.readable_in_place("clock", level, lambda: "%d reads held so far in this process" % _reads[0], "clock")


def arm_for_workers():
    """For `seed.worker`: the same, in loader workers only."""
    if not _armed[0]:
        _only_workers[0] = True
        _install()


def _install():
    if _armed[0]:
        return
    _armed[0] = True
    for name in SECONDS:
        core.replace(time, name, lambda original: _clock(original, lambda ns: ns / 1e9))
    for name in NANOSECONDS:
        core.replace(time, name, lambda original: _clock(original, lambda ns: ns))
    for name, where in CALENDAR.items():
        core.replace(time, name, _calendar(where))
    core.replace(time, "sleep", _sleep)
    hooks.after_import("datetime", _datetime)
    hooks.after_import("torch.optim.optimizer", _count_steps)


def _held():
    if core.released(__name__) or (_only_workers[0] and core.worker_id() is None):
        return False
    return frames.caller_is_user()


def _thread_id():
    thread = sys.modules.get("_thread")
    return thread.get_ident()


def _read(advance=True):
    """The held time in nanoseconds since the epoch."""
    mine = _calls.setdefault(_thread_id(), [0])
    if advance:
        mine[0] += TICK_NS
        _reads[0] += 1
    return int(START) * 1_000_000_000 + mine[0] + _steps[0] * _step_ns[0]


def _clock(original, convert):
    def clock():
        return convert(_read()) if _held() else original()

    return clock


def _calendar(where):
    def make(original):
        def read(*args):
            if len(args) > where or not _held():
                return original(*args)
            if original.__name__ in ("strftime", "asctime"):
                return original(*args, real_localtime(_read() / 1e9))
            return original(*args, _read() / 1e9)

        return read

    return make


real_localtime = time.localtime


def _sleep(original):
    def sleep(seconds):
        if _held():
            _calls.setdefault(_thread_id(), [0])[0] += int(seconds * 1e9)
        return original(seconds)

    return sleep


def _datetime(module):
    """The class methods of the C types are replaced in place, so that pickles and isinstance keep working."""

    def now(original):
        def now(cls, tz=None):
            if not _held():
                return original.__get__(None, cls)(tz)
            return cls.fromtimestamp(_read() / 1e9, tz)

        return classmethod(now)

    def utcnow(original):
        def utcnow(cls):
            if not _held():
                return original.__get__(None, cls)()
            return cls(1970, 1, 1) + module.timedelta(microseconds=_read() // 1000)

        return classmethod(utcnow)

    def today(original):
        def today(cls):
            if not _held():
                return original.__get__(None, cls)()
            return cls.fromtimestamp(_read() / 1e9)

        return classmethod(today)

    core.replace_in_type(module.datetime, "now", now)
    core.replace_in_type(module.datetime, "utcnow", utcnow)
    core.replace_in_type(module.date, "today", today)


def _count_steps(module):
    def post(optimizer, args, kwargs):
        _steps[0] += 1

    if hasattr(module, "register_optimizer_step_post_hook"):
        module.register_optimizer_step_post_hook(post)
