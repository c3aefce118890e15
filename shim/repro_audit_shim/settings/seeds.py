"""seed.python, seed.numpy, seed.torch: the global generator of one library.

Seeded when the job imports the library, before its own first draw, and held
against a later reseed without an argument (which asks the operating system).
A seed that the job gives as a number keeps its meaning, so does everything a
library's worker loop seeds: the level is not in effect then, until the job puts
the state back that it found. A forked child, whose `random` Python reseeds from
entropy, gets a seed that follows from its place among the forks.
"""
import os

from repro_audit_shim import core, frames, guards, hooks, record, settings
from repro_audit_shim.guards import compiling

_forks = [0]
_reseeded = {}
_own = {}
_told = {}
_inside = [False]


def arm(levels):
    """Arms the hook of each library asked for."""
    hooks.after_import("torch", guards.arm)
    if "seed.python" in levels:
        hooks.after_import("random", _python)
        _count_forks()
    if "seed.numpy" in levels:
        hooks.after_import("numpy.random", _numpy)
    if "seed.torch" in levels:
        hooks.after_import("torch", _torch)


def hold_all(level):
    """All three at once, for `entropy`."""
    hooks.after_import("random", lambda m: _python(m, level))
    hooks.after_import("numpy.random", lambda m: _numpy(m, level))
    hooks.after_import("torch", lambda m: _torch(m, level))
    _count_forks()


def _count_forks():
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(before=_before_fork)


def _before_fork():
    _forks[0] += 1


def child_seed(level):
    """A seed for a forked child: the same in every run, different among siblings."""
    return level + 1000003 * _forks[0]


def _of_worker_loop():
    """Is this a seeding by a loader worker's own loop?"""
    frame = frames.caller()
    for _ in range(4):
        if frame is None:
            return False
        if frame.f_code.co_filename.replace("\\", "/").endswith("torch/utils/data/_utils/worker.py"):
            return True
        frame = frame.f_back
    return False


def _given(setting, level, value, state):
    """The job gives this generator a number: unless it is the level, the level is not in effect from here on."""
    if core.asked(setting) is None or _inside[0] or core.worker_id() is not None or _of_worker_loop():
        return
    if isinstance(value, int) and value == level:
        _own.pop(setting, None)
    elif setting not in _own:
        place = frames.site(3)
        note = "the job seeds it itself" + (" at %s:%d" % place[:2] if place else "")
        _own[setting] = note, state(), level
        _told[setting] = _told.get(setting, 0) + 1
        if _told[setting] <= 8:
            record.applied(setting, level, None, False, note, "job", by_job=True)


def _put_back(setting, state):
    """A state was restored: if it is the one that the job's own seed replaced, the level is in effect again."""
    if setting in _own and _own[setting][1] == state():
        level = _own.pop(setting)[2]
        if _told[setting] <= 8:
            record.applied(setting, level, str(level), True, "the job put the state back that it found", "job")


def _restoring(setting, state, default=None):
    """Watches a function that restores the global generator, or a method that does where it is called on it."""

    def make(original):
        def restore(*args, **kwargs):
            result = original(*args, **kwargs)
            if _own and (default is None or args and args[0] is default):
                _put_back(setting, state)
            return result

        return restore

    return make


class _Ours:
    """What is seeded in here is our doing."""

    def __enter__(self):
        self.before, _inside[0] = _inside[0], True

    def __exit__(self, *error):
        _inside[0] = self.before


def _held(setting, level, state):
    """`seed()` without an argument asks for entropy: give it the level instead."""

    def make(original):
        def seed(*args, **kwargs):
            if compiling[0]():
                return original(*args, **kwargs)
            value = args[0] if args else next(iter(kwargs.values()), None)
            if value is None and not core.released(__name__):
                count = _reseeded[setting] = _reseeded.get(setting, 0) + 1
                if count <= 8:
                    record.overridden(setting, None, frames.site(2))
                _own.pop(setting, None)
                return original(level + count)
            _given(setting, level, value, state)
            return original(*args, **kwargs)

        return seed

    return make


def _tell(setting, level, read):
    if core.asked(setting) is not None:
        settings.readable(setting, level, read, note="seeded on import; reseeds from entropy are held",
                          by_job=lambda: setting in _own and _own[setting][0])


def _python(module, level=None):
    level = core.seed_level("seed.python") if level is None else level
    module.seed(level)
    expected = hash(module.getstate())

    def state():
        return hash(module.getstate())

    def in_child():
        if not core.released(__name__):
            with _Ours():
                module.seed(child_seed(level))
            _own.pop("seed.python", None)

    core.replace(module, "seed", _held("seed.python", level, state))
    core.replace(module, "setstate", _restoring("seed.python", state))
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=in_child)
    took = [expected == hash(module.getstate())]
    _tell("seed.python", level, lambda: str(level) if took[0] else None)


def _numpy(module, level=None):
    level = core.seed_level("seed.numpy") if level is None else level
    module.seed(level)
    seeded = module.get_state()[1][0]

    def state():
        kept = module.get_state()
        return kept[0], kept[1].tobytes(), kept[2:]

    core.replace(module, "seed", _held("seed.numpy", level, state))
    core.replace(module, "set_state", _restoring("seed.numpy", state))
    took = [module.RandomState(level).get_state()[1][0] == seeded]
    _tell("seed.numpy", level, lambda: str(level) if took[0] else None)


def _torch(module, level=None):
    level = core.seed_level("seed.torch") if level is None else level
    module.manual_seed(level)
    took = [module.initial_seed() == level]

    def entropic(original):
        def seed():
            if core.released(__name__):
                return original()
            count = _reseeded["seed.torch"] = _reseeded.get("seed.torch", 0) + 1
            if count <= 8:
                record.overridden("seed.torch", None, frames.site(2))
            _own.pop("seed.torch", None)
            with _Ours():
                module.manual_seed(level + count)
            return level + count

        return seed

    if core.replace(module, "seed", entropic):
        module.random.seed = module.seed
    default = module.default_generator

    def for_default(original):
        def seed(self):
            if self is default and not core.released(__name__):
                return module.seed()
            return original(self)

        return seed

    def state():
        return default.get_state().numpy().tobytes()

    def with_number(original):
        def manual_seed(self, *args, **kwargs):
            if not compiling[0]() and self is default:
                _given("seed.torch", level, args[0] if args else kwargs.get("seed"), state)
            return original(self, *args, **kwargs)

        return manual_seed

    core.replace_in_type(module._C.Generator, "seed", for_default)
    core.replace_in_type(module._C.Generator, "manual_seed", with_number)
    core.replace_in_type(module._C.Generator, "set_state", _restoring("seed.torch", state, default))
    _tell("seed.torch", level, lambda: str(level) if took[0] else None)
