"""seed.python, seed.numpy, seed.torch: the global generator of one library.

Seeded when the job imports the library, before its own first draw, and held
against a later reseed without an argument (which asks the operating system).
A seed that the job gives as a number keeps its meaning, so does everything a
library's worker loop seeds. A forked child, whose `random` Python reseeds from
entropy, gets a seed that follows from its place among the forks.
"""
import os

from repro_audit_shim import core, frames, hooks, record, settings

_forks = [0]
_reseeded = {}


def arm(levels):
    """Arms the hook of each library asked for."""
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


def _held(setting, level):
    """`seed()` without an argument asks for entropy: give it the level instead."""

    def make(original):
        def seed(*args, **kwargs):
            value = args[0] if args else next(iter(kwargs.values()), None)
            if value is None and not core.released(__name__):
                count = _reseeded[setting] = _reseeded.get(setting, 0) + 1
                if count <= 8:
                    record.overridden(setting, None, frames.site(2))
                return original(level + count)
            return original(*args, **kwargs)

        return seed

    return make


def _tell(setting, level, read):
    if core.asked(setting) is not None:
        settings.readable(setting, level, read, note="seeded on import; reseeds from entropy are held")


def _python(module, level=None):
    level = core.seed_level("seed.python") if level is None else level
    module.seed(level)
    expected = hash(module.getstate())
    core.replace(module, "seed", _held("seed.python", level))
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=lambda: core.released(__name__) or module.seed(child_seed(level)))
    took = [expected == hash(module.getstate())]
    _tell("seed.python", level, lambda: str(level) if took[0] else None)


def _numpy(module, level=None):
    level = core.seed_level("seed.numpy") if level is None else level
    module.seed(level)
    seeded = module.get_state()[1][0]
    core.replace(module, "seed", _held("seed.numpy", level))
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

    core.replace_in_type(module._C.Generator, "seed", for_default)
    _tell("seed.torch", level, lambda: str(level) if took[0] else None)
