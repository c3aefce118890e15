"""Seeds every generator otherwise than the job or a level asks for: a comparison that notices nothing would be blind.

The lowest bit of each seed is flipped. Loader workers are left alone: what they
draw follows from the seeds of their parent, which are disturbed already.
"""
from repro_audit_shim import core, frames, hooks, record

LIMIT = 16
_count = [0]
_inside = [False]


def arm():
    """Watches the seeding functions of each library once it is there; armed last, so that the job's call comes here first."""
    hooks.after_import("random", _python)
    hooks.after_import("numpy.random", _numpy)
    hooks.after_import("torch", _torch)


def other(seed):
    """Another seed of the same kind; the same one where it is of a kind not known here."""
    if isinstance(seed, str):
        return seed + "'"
    if isinstance(seed, (bytes, bytearray)):
        return bytes(seed) + b"'"
    if isinstance(seed, (list, tuple)) and seed:
        return type(seed)([other(seed[0]), *seed[1:]])
    try:
        return seed.__index__() ^ 1
    except AttributeError:
        return seed


_levels = {}


def level(setting, asked):
    """Another level for a setting that seeds; told once."""
    if setting not in _levels:
        _levels[setting] = other(asked)
        _note(setting, asked, _levels[setting])
    return _levels[setting]


def _of_worker_loop():
    caller = frames.caller()
    return caller is not None and caller.f_code.co_filename.endswith("torch/utils/data/_utils/worker.py")


def _note(how, old, new):
    if _count[0] >= LIMIT:
        return
    _count[0] += 1
    item = {"r": "disturbed", "how": how, "asked": repr(old)[:80], "given": repr(new)[:80]}
    place = frames.site(3)
    if place:
        item["file"], item["line"], item["function"] = place
    record.write(item, even_disabled=True)


def _disturbed(how, at=0):
    """Wraps a function whose argument number `at` is a seed; what it calls in turn is left alone."""

    def make(original):
        def seed(*args, **kwargs):
            if core.released(__name__) or _inside[0] or core.worker_id() is not None or _of_worker_loop():
                return original(*args, **kwargs)
            name = next(iter(kwargs), None) if len(args) <= at else None
            old = args[at] if len(args) > at else kwargs.get(name)
            new = other(old)
            if old is None or new is old:
                return original(*args, **kwargs)
            _note(how, old, new)
            _inside[0] = True
            try:
                if name is None:
                    return original(*args[:at], new, *args[at + 1:], **kwargs)
                return original(*args, **dict(kwargs, **{name: new}))
            finally:
                _inside[0] = False

        return seed

    return make


def _python(module):
    core.replace(module, "seed", _disturbed("random.seed"))
    core.replace(module.Random, "seed", _disturbed("random.Random", 1))


def _numpy(module):
    core.replace(module, "seed", _disturbed("numpy.random.seed"))
    core.replace(module, "default_rng", _disturbed("numpy.random.default_rng"))


def _torch(module):
    if core.replace(module, "manual_seed", _disturbed("torch.manual_seed")):
        module.random.manual_seed = module.manual_seed
    for name in ("manual_seed", "manual_seed_all"):
        core.replace(module.cuda, name, _disturbed("torch.cuda." + name))
    core.replace_in_type(module._C.Generator, "manual_seed", _disturbed("torch.Generator.manual_seed", 1))
