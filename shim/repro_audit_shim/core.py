"""What every part shares: the instructions, the levels, and how we fail.

A fault of ours leaves a `fault` record and never reaches the job. One of the
recorder ends the recording and leaves every hold in place; one of a hold ends
that hold alone, and the record says which levels are no longer in effect.
"""
import os
import sys

LEFT_ALONE = ("as-is", "", None)


class State:
    """One per process; forked children inherit it."""

    def __init__(self):
        self.disabled = False
        self.released = set()
        self.version = 1
        self.record_dir = None
        self.level = "off"
        self.settings = {}
        self.trace = ()
        self.began = None
        self.told = None
        self.drill = None
        self.resume = None
        self.kill = None
        self.disturb = False


state = State()


def finish_trace():
    """Replaced by `trace` when it is armed."""


def tell_hash_order():
    """Replaced by `trace` when hash order is traced."""


class _Plainly:
    """How the C scanner of `json` is to read: as `json.loads` does."""

    strict = True
    object_hook = object_pairs_hook = None
    parse_float, parse_int, parse_constant = float, int, None
    memo = {}


def parse(text):
    """`json.loads`, without its 5 ms of imports where the interpreter allows it."""
    try:
        from _json import make_scanner

        return make_scanner(_Plainly)(text.strip(), 0)[0]
    except (ImportError, AttributeError, TypeError, StopIteration):
        import json

        return json.loads(text)


def load(path):
    """Reads the instructions. Raises on anything unexpected; the door catches it."""
    with open(path, encoding="utf-8") as f:
        told = parse(f.read())
    if told.get("version") != 1:
        raise ValueError("instructions of another version")
    state.record_dir = told.get("record")
    state.level = told.get("level") or "full"
    state.settings = {
        k: v for k, v in (told.get("settings") or {}).items() if v not in LEFT_ALONE
    }
    state.trace = tuple(told.get("trace") or ())
    state.began, state.told = told.get("began"), path
    state.drill = told.get("drill")
    state.resume = told.get("resume")
    state.kill = told.get("kill")
    state.disturb = bool(told.get("disturb"))


def recording():
    """Are steps to be recorded in this process?"""
    return state.level in ("light", "full") and not state.disabled


def tracing(source):
    """Is this source of variation to be traced to the user's lines?"""
    return source in state.trace


def asked(setting):
    """The level asked for, or None where the setting is left alone."""
    return state.settings.get(setting)


def held(setting):
    """Is the source of this id to be held still?"""
    level = asked(setting)
    return level is not None and str(level).lower() not in ("off", "false", "no")


def seed_level(setting, default=0):
    """The level of a `seed.*` setting as the integer to seed with; another one in a disturbed run."""
    try:
        level = int(asked(setting))
    except (TypeError, ValueError):
        level = default
    return disturbed(setting, level)


def disturbed(setting, level):
    """The level as it is, or another one in a run whose seeds are to be disturbed."""
    if not state.disturb:
        return level
    from repro_audit_shim import disturb

    return disturb.level(setting, level)


_HOLDS = ("repro_audit_shim.settings", "repro_audit_shim.disturb")


def released(module):
    """Has a fault ended what this module of ours holds?"""
    return module in state.released


def over(module):
    """Has a fault ended what this module of ours is for, a hold or the recording?"""
    return module in state.released if _is_hold(module) else state.disabled


def _is_hold(module):
    return module.startswith(_HOLDS)


def fault(where, error, of=""):
    """Records an error of our own: of a hold, whose module `of` names, or else of the recorder. It ends that one alone."""
    if over(of):
        return
    item = {"r": "fault", "where": where, "error": repr(error)[:500]}
    try:
        if _is_hold(of):
            state.released.add(of)
            from repro_audit_shim import settings

            item["settings"] = settings.held_by(of)
        else:
            state.disabled = True
        from repro_audit_shim import record

        record.write(item, even_disabled=True)
    except Exception:
        pass


def guarded(where, function):
    """`function` wrapped so that its errors become a fault and None is returned."""

    def call(*args, **kwargs):
        if state.disabled:
            return None
        try:
            return function(*args, **kwargs)
        except Exception as error:
            fault(where, error)
            return None

    return call


class Plain:
    """Stands in for a builtin function: unlike a Python function, it does not bind in a class body."""

    def __init__(self, function):
        self._function = function

    def __call__(self, *args, **kwargs):
        return self._function(*args, **kwargs)

    def __repr__(self):
        return repr(getattr(self, "__wrapped__", self._function))

    def __reduce__(self):
        return self.__name__


def dress(replacement, original):
    """Makes a replacement look like what it replaces: pickle and help() see the original."""
    for name in ("__module__", "__name__", "__qualname__", "__doc__"):
        try:
            setattr(replacement, name, getattr(original, name))
        except (AttributeError, TypeError):
            pass
    try:
        replacement.__wrapped__ = original
    except (AttributeError, TypeError):
        pass
    return replacement


# What `os` says of its functions: others, `shutil.rmtree` among them, choose their way by it.
_ABLE = [getattr(os, name) for name in ("supports_fd", "supports_dir_fd", "supports_follow_symlinks",
                                        "supports_effective_ids") if hasattr(os, name)]


def replace(owner, name, make):
    """Replaces `owner.name` by `make(original)`; False where there is no such name."""
    original = getattr(owner, name, None)
    if original is None:
        return False
    replacement = make(original)
    if not isinstance(original, (type(fault), type)) and not isinstance(owner, type):
        replacement = Plain(replacement)
    setattr(owner, name, dress(replacement, original))
    for able in _ABLE if owner is os else ():
        if original in able:
            able.add(replacement)
    _placed.setdefault(make.__module__, {})[id(owner), name] = owner, replacement
    return True


def replace_in_type(kind, name, make):
    """Replaces a method of a C type, which setattr refuses.

    The type's own dictionary is reached through the garbage collector; the
    interpreter is then told that cached lookups are stale. True if it took.
    """
    import ctypes
    import gc

    original = kind.__dict__.get(name)
    if original is None:
        return False
    replacement = make(original)
    for candidate in gc.get_referents(kind.__dict__):
        if isinstance(candidate, dict) and candidate.get(name) is original:
            candidate[name] = replacement
            ctypes.pythonapi.PyType_Modified(ctypes.py_object(kind))
            _placed.setdefault(make.__module__, {})[id(kind), name] = kind, replacement
            return kind.__dict__.get(name) is replacement
    return False


_placed = {}  # by module of ours: what it put where


def displaced(module):
    """The names behind which this module of ours no longer stands, because the job put something of its own there."""
    gone = []
    for (_, name), (owner, replacement) in _placed.get(module, {}).items():
        now = vars(owner).get(name) if isinstance(owner, type) else getattr(owner, name, None)
        if not _leads_to(now, replacement):
            gone.append("%s.%s" % (owner.__name__, name))
    return gone


def _leads_to(now, replacement):
    """Does what stands there call our replacement in the end, as far as a wrapper shows what it wraps?"""
    queue, seen = [now], 0
    while queue and seen < 64:
        one = queue.pop(0)
        if one is replacement:
            return True
        seen += 1
        for name in ("__wrapped__", "_function", "__func__", "func"):
            inner = getattr(one, name, None)
            if inner is not None:
                queue.append(inner)
        for cell in getattr(one, "__closure__", None) or ():
            try:
                if callable(cell.cell_contents) or isinstance(cell.cell_contents, classmethod):
                    queue.append(cell.cell_contents)
            except ValueError:  # not filled yet
                pass
    return False


def rank():
    """This process's rank as the launcher set it, or None."""
    for name in ("RANK", "SLURM_PROCID", "OMPI_COMM_WORLD_RANK", "PMI_RANK"):
        value = os.environ.get(name)
        if value is not None and value.isdigit():
            return int(value)
    return None


def worker_id():
    """The DataLoader worker number of this process, or None outside of one."""
    module = sys.modules.get("torch.utils.data._utils.worker")
    info = getattr(module, "_worker_info", None)
    return None if info is None else getattr(info, "id", None)


def lineage():
    """A name for this process that is the same in every run of the job."""
    worker = worker_id()
    if worker is not None:
        return "w%d" % worker
    module = sys.modules.get("multiprocessing.process")
    identity = getattr(getattr(module, "_current_process", None), "_identity", ())
    own = "c" + ".".join(str(i) for i in identity) if identity else "main"
    number = rank()
    return own if number is None else "r%d.%s" % (number, own)
