"""Applies the levels asked for, one family per file, each alone.

A family is imported only when one of its settings is asked for. A setting whose
level cannot be applied answers `ok: false` with the reason; nothing is guessed.
"""
from repro_audit_shim import core, hooks, record

FAMILIES = {
    "seed.python": "seeds",
    "seed.numpy": "seeds",
    "seed.torch": "seeds",
    "seed.numpy_generator": "entropy",
    "seed.worker": "entropy",
    "dataloader.generator": "entropy",
    "entropy": "entropy",
    "clock": "clock",
    "order.filesystem": "files",
    "race": "race",
    "cuda.streams": "streams",
    "num_workers": "loader",
    "batch_size": "loader",
    "threads": "flags",
    "cudnn.enabled": "flags",
    "cudnn.benchmark": "flags",
    "cudnn.deterministic": "flags",
    "deterministic_algorithms": "flags",
    "cuda.tf32": "flags",
    "sdpa.backend": "flags",
    "compile": "flags",
    "device": "flags",
    "hashseed": "variables",
    "cublas_workspace": "variables",
    "uninitialised": "memory",
}
ALIASES = {"dataloader.num_workers": "num_workers", "dataloader.batch_size": "batch_size",
           "op.nondeterministic": "deterministic_algorithms"}
OUTSIDE = ("env.", "arg.")
SHARED = {"turns": ("race",), "progress": ("race",), "clock": ("seed.worker",), "seeds": ("entropy",)}  # families that others use as well

_readers = {}
_read_in = set()


def arm():
    """Imports the families needed and lets each arm its hooks; reads again at the first step and at the end."""
    asked = {}
    for name, level in list(core.state.settings.items()):
        known = ALIASES.get(name, name)
        if known != name:
            core.state.settings[known] = core.state.settings.pop(name)
        if known.startswith(OUTSIDE):
            continue
        family = FAMILIES.get(known)
        if family is None:
            record.applied(known, level, None, False, "the shim knows no such setting", "start")
            continue
        asked.setdefault(family, {})[known] = level
    for family in sorted(asked):
        module = __import__("repro_audit_shim.settings." + family, fromlist=["arm"])
        module.arm(asked[family])
    if asked:
        import atexit

        hooks.after_import("torch.optim.optimizer", _before_first_step)
        atexit.register(_at_exit, record._getpid())


def _before_first_step(module):
    from repro_audit_shim import guards, training

    hooks.after_import("torch", guards.arm)
    compiling = guards.compiling

    def pre(optimizer, args, kwargs):
        if not compiling[0]() and not stepped():
            read_back_again("step")

    training.around_steps(module, pre)


def _at_exit(pid):
    if record._getpid() == pid:
        read_back_again("end")


def held_by(module):
    """The settings asked for that this module of ours holds or helps to hold: this one here, all of them."""
    family = module.split(".")[-1]
    return sorted(name for name in core.state.settings
                  if module == __name__ or FAMILIES.get(name) == family or name in SHARED.get(family, ()))


def readable(setting, level, read, expected=None, note=None, by_job=None):
    """Records the first read-back now and remembers how to read again at the first step and the end.

    `read()` answers the level in effect as text, None where there is none; `expected` is
    what it should say; `note` is a remark, or a function that makes one; `by_job()` says
    where the job has put a fixed level of its own in place of ours, None where it has not.
    """
    _readers[setting] = (level, read, expected, note, by_job)
    _read(setting, "import")


def readable_in_place(setting, level, note, *families):
    """As `readable`, for a level that is nothing but what these modules put in place: is all of it still there?"""

    def gone():
        return [name for family in families for name in core.displaced("%s.%s" % (__name__, family))]

    def read():
        return None if gone() else level

    def told():
        return "the job itself replaces " + ", ".join(gone()[:4]) if gone() else note()

    readable(setting, level, read, note=told)


def refuse(setting, level, why):
    """Says that this level cannot be applied here."""
    record.applied(setting, level, None, False, why)


def stepped():
    """Has an optimizer of this process begun its first step?"""
    return ("step", record._getpid()) in _read_in


def read_back_again(phase):
    """Reads every level again, once in each phase."""
    if (phase, record._getpid()) in _read_in:
        return
    _read_in.add((phase, record._getpid()))
    for setting in list(_readers):
        _read(setting, phase)


def _read(setting, phase):
    level, read, expected, note, by_job = _readers[setting]
    try:
        own = by_job and by_job()
        seen = None if own else read()
    except Exception as error:
        record.applied(setting, level, None, False, "read-back failed: %r" % (error,), phase)
        return
    ok = seen is not None and (expected is None or str(seen) == str(expected))
    note = own or (note() if callable(note) else note)
    record.applied(setting, level, seen, ok, note, phase, by_job=bool(own))
