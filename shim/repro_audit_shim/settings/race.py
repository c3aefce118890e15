"""race: whatever threads and processes decide is forced into one order.

Pools get one worker, and more only where a task waits for one that has not begun; `as_completed` and `imap_unordered` follow the order of
submission, loaders hand out batches in order. Threads that run the user's code
take turns (see `turns`). Processes that the user's code starts run one after
the other, until one of them waits for another or joins a process group.
"""
import os
import sys
import time

from repro_audit_shim import core, frames, hooks, record, settings
from repro_audit_shim.settings import progress

_forced = [0]
_real_sleep = time.sleep
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
    hooks.after_import("concurrent.futures.thread", lambda m: _pool(m.ThreadPoolExecutor, True))
    hooks.after_import("concurrent.futures.process", lambda m: _pool(m.ProcessPoolExecutor))
    hooks.after_import("concurrent.futures", _futures_package)
    hooks.after_import("multiprocessing.pool", _multiprocessing_pool)
    hooks.after_import("joblib.parallel", _joblib)
    hooks.after_import("torch.utils.data.dataloader", _loader)
    from repro_audit_shim.settings import turns

    batons = []
    hooks.after_import("threading", lambda m: batons.append(turns.arm(m)))
    hooks.after_import("multiprocessing.process", _processes)

    def note():
        passed = sum(baton.passed for baton in batons) + _grown[0]
        return "%d places forced into order so far; processes only until they wait for one another%s" % (
            _forced[0], "; %d waits that no order could be kept in" % passed if passed else "")

    settings.readable_in_place("race", level, note, "race", "turns")


def _counted(value):
    _forced[0] += 1
    return value


def _pool(kind, threads=False):
    def init(original):
        def __init__(self, max_workers=None, *args, **kwargs):
            if not core.released(__name__) and _from_user():
                asked, max_workers = max_workers, _counted(1)
                if threads:
                    _may_grow(self, asked or min(32, (os.cpu_count() or 1) + 4), _Executor)
            original(self, max_workers, *args, **kwargs)

        return __init__

    def shutdown(original):
        def shutdown(self, wait=True, **kwargs):
            if not wait or not hasattr(self, "_repro_audit_asked"):
                return original(self, wait, **kwargs)
            original(self, False, **kwargs)
            while True:  # threads may still be added, which the original's walk over them could not bear
                alive = [thread for thread in list(self._threads) if thread.is_alive()]
                if not alive:
                    return None
                alive[0].join(0.05)

        return shutdown

    def submit(original):
        def submit(self, *args, **kwargs):
            future = original(self, *args, **kwargs)
            _sequence[0] += 1
            future._repro_audit_order = _sequence[0]
            return future

        return submit

    core.replace(kind, "__init__", init)
    core.replace(kind, "submit", submit)
    if threads:
        core.replace(kind, "shutdown", shutdown)


# -- pools whose tasks wait for one another ---------------------------------------

_growing = []
_grown = [0]
_looking = [None]


def _may_grow(pool, asked, kind):
    """One worker is too few where its task waits for one behind it: such a pool gets another, up to what was asked for."""
    import _thread

    if asked < 2 or hasattr(pool, "_repro_audit_asked"):
        return
    pool._repro_audit_asked = asked
    _growing.append(kind(pool))
    if _looking[0] != record._getpid():
        _looking[0] = record._getpid()
        del _growing[:-1]  # a forked child's parent looks after the others
        _thread.start_new_thread(_look_after, (_looking[0],))  # unseen by `threading`


def _look_after(pid):
    while _growing and record._getpid() == pid:
        _real_sleep(progress.GAP)
        for grower in list(_growing):
            try:
                if not grower.look():
                    _growing.remove(grower)
            except Exception as error:
                _growing.remove(grower)
                core.fault("pool", error, __name__)
    if _looking[0] == pid:
        _looking[0] = None


class _Grower:
    """Looks whether all workers of a pool wait while tasks are queued."""

    def __init__(self, pool):
        import weakref

        self.pool, self.watch, self.begun = weakref.ref(pool), progress.Watch(), False

    def look(self):
        """False where the pool is gone."""
        pool = self.pool()
        if pool is None:
            return False
        workers = self.workers(pool)
        if not workers:
            return not self.begun
        self.begun = True
        if self.queued(pool) and len(workers) < pool._repro_audit_asked:
            marks = [self.mark(worker) for worker in workers]
            patience = progress.PATIENCE if all(map(self.certain, workers)) else progress.LONG
            if self.watch.stuck(len(workers), None if None in marks else tuple(marks), patience):
                _grown[0] += 1
                self.grow(pool)
        return True

    @staticmethod
    def mark(worker):
        if not hasattr(worker, "native_id"):
            return progress.process(worker.pid)
        frame = sys._current_frames().get(worker.ident)
        if frame is not None and frame.f_code.co_name == "sleep":
            return None
        return progress.thread(worker.native_id, worker.ident)

    @staticmethod
    def certain(worker):
        """Does it wait for another thread, as far as Python shows?"""
        frame = sys._current_frames().get(getattr(worker, "ident", None)) if hasattr(worker, "native_id") else None
        return frame is not None and os.path.basename(frame.f_code.co_filename) in ("threading.py", "queue.py")


class _Executor(_Grower):
    @staticmethod
    def workers(pool):
        return [thread for thread in list(getattr(pool, "_threads", ())) if thread.is_alive()]

    @staticmethod
    def queued(pool):
        return pool._work_queue.qsize() > 0 and not (pool._shutdown and pool._work_queue.qsize() == 1)

    @staticmethod
    def grow(pool):
        pool._max_workers += 1
        pool._adjust_thread_count()


class _Pool(_Grower):
    @staticmethod
    def workers(pool):
        return [worker for worker in list(getattr(pool, "_pool", ())) if worker.is_alive()]

    @staticmethod
    def queued(pool):
        return not pool._inqueue.empty() and pool._state != "TERMINATE"

    @staticmethod
    def grow(pool):
        pool._processes += 1
        pool._repopulate_pool()


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
                asked, processes = processes, _counted(1)
                _may_grow(self, asked or os.cpu_count() or 1, _Pool)
            original(self, processes, *args, **kwargs)

        return __init__

    core.replace(module.Pool, "__init__", init)
    core.replace(module.ThreadPool, "__init__", init)
    core.replace(module.Pool, "imap_unordered", lambda original: module.Pool.imap)


def _joblib(module):
    def init(original):
        def __init__(self, *args, **kwargs):
            if not core.released(__name__) and kwargs.get("return_as") == "generator_unordered":
                kwargs["return_as"] = _counted("generator")
            original(self, *args, **kwargs)

        return __init__

    core.replace(module.Parallel, "__init__", init)


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
                watch = progress.Watch()
                while earlier.is_alive() and not os.path.exists(sign):
                    earlier.join(0.02)
                    if watch.due() and watch.stuck(earlier.pid, progress.process(earlier.pid), progress.LONG):
                        break  # it may wait for the very one that is to be started
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
