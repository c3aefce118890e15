"""race: whatever threads and processes decide is forced into one order.

Pools get one worker, `as_completed` and `imap_unordered` follow the order of
submission, loaders hand out batches in order. Threads that run the user's code
take turns (see `turns`). Processes that the user's code starts run one after
the other, until one of them waits for another or joins a process group.
"""
import sys

from repro_audit_shim import core, frames, hooks, record, settings

_forced = [0]
_sequence = [0]


def arm(levels):
    """Arms the hooks on pools, loaders, threads and processes."""
    level = str(levels["race"]).lower()
    if level in ("off", "no", "false"):
        return
    if level not in ("ordered", "on", "0"):
        settings.refuse("race", level, "the level is ordered")
        return
    hooks.after_import("concurrent.futures._base", _futures)
    hooks.after_import("concurrent.futures.thread", lambda m: _pool(m.ThreadPoolExecutor))
    hooks.after_import("concurrent.futures.process", lambda m: _pool(m.ProcessPoolExecutor))
    hooks.after_import("concurrent.futures", _futures_package)
    hooks.after_import("multiprocessing.pool", _multiprocessing_pool)
    hooks.after_import("torch.utils.data.dataloader", _loader)
    from repro_audit_shim.settings import turns

    hooks.after_import("threading", turns.arm)
    hooks.after_import("multiprocessing.process", _processes)
    settings.readable_in_place("race", level, lambda: (
        "%d places forced into order so far; processes only until they wait for one another" % _forced[0]),
        "race", "turns")


def _counted(value):
    _forced[0] += 1
    return value


def _pool(kind):
    def init(original):
        def __init__(self, max_workers=None, *args, **kwargs):
            if not core.released(__name__) and _from_user():
                max_workers = _counted(1)
            original(self, max_workers, *args, **kwargs)

        return __init__

    def submit(original):
        def submit(self, *args, **kwargs):
            future = original(self, *args, **kwargs)
            _sequence[0] += 1
            future._repro_audit_order = _sequence[0]
            return future

        return submit

    core.replace(kind, "__init__", init)
    core.replace(kind, "submit", submit)


def _from_user():
    return frames.user_frame(frames.caller()) is not None


def _in_order(futures):
    listed = list(futures)
    return sorted(set(listed), key=lambda f: (getattr(f, "_repro_audit_order", 1 << 60), listed.index(f)))


class _OrderedSet(set):
    """A set that is walked in the order of submission."""

    def __iter__(self):
        return iter(_in_order(list(set.__iter__(self))))

    def pop(self):
        """The first of them."""
        first = next(iter(self))
        self.discard(first)
        return first


def _futures(module):
    def completed(original):
        def as_completed(fs, timeout=None):
            if core.released(__name__):
                yield from original(fs, timeout)
                return
            _counted(None)
            end = None if timeout is None else record.monotonic() + timeout
            for future in _in_order(fs):
                left = None if end is None else max(0.0, end - record.monotonic())
                module.wait.__wrapped__([future], left)
                if not future.done():
                    raise module.TimeoutError("futures unfinished")
                yield future

        return as_completed

    def waiting(original):
        def wait(fs, timeout=None, return_when=module.ALL_COMPLETED):
            if core.released(__name__) or return_when == module.ALL_COMPLETED:
                result = original(fs, timeout, return_when)
                return result if core.released(__name__) else type(result)(_OrderedSet(result.done),
                                                                      _OrderedSet(result.not_done))
            _counted(None)
            ordered = _in_order(fs)
            original(ordered[:1], timeout)
            done = [f for f in ordered[:1] if f.done()]
            return module.DoneAndNotDoneFutures(_OrderedSet(done), _OrderedSet(f for f in ordered if f not in done))

        return wait

    core.replace(module, "wait", waiting)
    core.replace(module, "as_completed", completed)


def _futures_package(module):
    base = sys.modules["concurrent.futures._base"]
    module.wait, module.as_completed = base.wait, base.as_completed


def _multiprocessing_pool(module):
    def init(original):
        def __init__(self, processes=None, *args, **kwargs):
            if not core.released(__name__) and _from_user():
                processes = _counted(1)
            original(self, processes, *args, **kwargs)

        return __init__

    core.replace(module.Pool, "__init__", init)
    core.replace(module.ThreadPool, "__init__", init)
    core.replace(module.Pool, "imap_unordered", lambda original: module.Pool.imap)


def _loader(module):
    import inspect

    if "in_order" not in inspect.signature(module.DataLoader.__init__).parameters:
        return

    def init(original):
        def __init__(self, *args, **kwargs):
            if not core.released(__name__) and not kwargs.get("in_order", True):
                kwargs["in_order"] = _counted(True)
            original(self, *args, **kwargs)

        return __init__

    core.replace(module.DataLoader, "__init__", init)


# -- processes -----------------------------------------------------------------

_previous = []


def _processes(module):
    """A user's process starts once the one started before it has ended, or waits for others."""
    import os
    import tempfile

    def users(process):
        target = getattr(process, "_target", None)
        if target is None:
            return frames.is_user_file(type(process).run.__code__.co_filename)
        if getattr(target, "__module__", "") == "torch.multiprocessing.spawn":
            target = next((a for a in process._args if callable(a)), target)
        code = getattr(target, "__code__", None)
        return code is not None and frames.is_user_file(code.co_filename)

    def start(original):
        def start(self):
            if core.released(__name__) or not users(self):
                return original(self)
            for earlier, sign in _previous:
                while earlier.is_alive() and not os.path.exists(sign):
                    earlier.join(0.02)
            del _previous[:]
            sign = os.path.join(core.state.record_dir or tempfile.gettempdir(),
                                "yield-%d-%d" % (os.getpid(), id(self)))
            self._repro_audit_sign = sign
            original(self)
            _counted(None)
            _previous.append((self, sign))
            return None

        return start

    def boot(original):
        def _bootstrap(self, *args, **kwargs):
            sign = getattr(self, "_repro_audit_sign", None)
            if sign and not core.released(__name__):
                _watch_for_waiting(sign)
            return original(self, *args, **kwargs)

        return _bootstrap

    core.replace(module.BaseProcess, "start", start)
    core.replace(module.BaseProcess, "_bootstrap", boot)


def _watch_for_waiting(sign):
    """In a user's child: says so before it waits for another process."""
    said = [False]

    def say():
        if not said[0]:
            said[0] = True
            try:
                with open(sign, "w"):
                    pass
            except OSError:
                pass

    def make(original):
        def waits(*args, **kwargs):
            say()
            return original(*args, **kwargs)

        return waits

    hooks.after_import("multiprocessing.queues", lambda m: (
        core.replace(m.Queue, "get", make), core.replace(m.SimpleQueue, "get", make),
        core.replace(m.JoinableQueue, "join", make)))
    hooks.after_import("multiprocessing.connection", lambda m: core.replace(m.Connection, "recv", make))
    hooks.after_import("multiprocessing.synchronize", lambda m: (
        core.replace(m.Condition, "wait", make), core.replace(m.Event, "wait", make)))
    hooks.after_import("multiprocessing.managers", lambda m: core.replace(m.BaseProxy, "_callmethod", make))
    hooks.after_import("torch.distributed.distributed_c10d", lambda m: core.replace(m, "init_process_group", make))
    torch_distributed = sys.modules.get("torch.distributed")
    if torch_distributed is not None:
        core.replace(torch_distributed, "init_process_group", make)
