"""How, when and from which line each global generator was seeded; read only."""
import sys

from repro_audit_shim import core, frames, guards, hooks, record
from repro_audit_shim.guards import compiling

LIMIT = 64
_count = [0]
seeded = []  # called after each seeding


def arm():
    """Watches the seeding functions of each library once it is there."""
    hooks.after_import("torch", guards.arm)
    hooks.after_import("random", _python)
    hooks.after_import("numpy.random", _numpy)
    hooks.after_import("torch", _torch)


def note(generator, how, value):
    """Writes one `seed` record: which generator, through what, with what, from where."""
    if core.state.disabled or _count[0] >= LIMIT or core.worker_id() is not None:
        return
    try:
        _count[0] += 1
        place = frames.site(2)
        caller = frames.caller()
        if caller is not None and caller.f_code.co_filename.endswith("torch/utils/data/_utils/worker.py"):
            return
        item = {"r": "seed", "generator": generator, "how": how, "value": None if value is None else repr(value)[:80],
                "by": "user" if caller is not None and frames.is_user(caller) else "library", "used_before": _used(generator)}
        if place:
            item["file"], item["line"], item["function"] = place
        record.write(item)
    except Exception as error:
        core.fault("seed record", error)


_baseline = {}


def _state(generator):
    if generator == "python":
        return hash(sys.modules["random"].getstate())
    if generator == "numpy":
        return sys.modules["numpy.random.mtrand"]._rand._bit_generator.state["state"]["key"].tobytes()
    return sys.modules["torch"].get_rng_state().numpy().tobytes() if generator == "torch" else None


def _remember(generator):
    try:
        _baseline[generator] = _state(generator)
    except Exception:
        _baseline[generator] = None


def _used(generator):
    """Was it drawn from before this seeding? None where unknown."""
    before = _baseline.get(generator)
    try:
        used = None if before is None else _state(generator) != before
    except Exception:
        used = None
    return used


def _wrap(generator, how):
    def make(original):
        def seed(*args, **kwargs):
            if compiling[0]():
                return original(*args, **kwargs)
            value = args[0] if args else next(iter(kwargs.values()), None)
            note(generator, how, value)
            try:
                return original(*args, **kwargs)
            finally:
                if not core.state.disabled and core.worker_id() is None and _count[0] < LIMIT:
                    _remember(generator)
                for call in seeded:
                    call()

        return seed

    return make


def _python(module):
    core.replace(module, "seed", _wrap("python", "random.seed"))
    _remember("python")


def _numpy(module):
    core.replace(module, "seed", _wrap("numpy", "numpy.random.seed"))
    _remember("numpy")


def _torch(module):
    for name in ("manual_seed", "seed"):
        if core.replace(module, name, _wrap("torch", "torch." + name)):
            setattr(module.random, name, getattr(module, name))
    for name in ("manual_seed", "manual_seed_all"):
        core.replace(module.cuda, name, _wrap("cuda", "torch.cuda." + name))
    _remember("torch")
