"""The items that a checkpoint should hold, as this process has them: read, written, compared, put back.

Each item is its own file, so that one that cannot be written costs no other.
"""
import os
import sys

from repro_audit_shim import core, hooks

ITEMS = ("weights", "optimizer", "scheduler", "scaler", "rng", "loader", "position")
DRAWN = ("rng", "loader", "position")  # moved by what comes between restoring and the first step

optimizers, schedulers, scalers, generators = [], [], [], []


def watch(torch):
    """Notes every optimizer, schedule, gradient scaler and loader's generator as it is made."""
    hooks.after_import("torch.optim.optimizer", lambda module: _note(module.Optimizer, optimizers))
    hooks.after_import("torch.optim.lr_scheduler", lambda module: _note(module.LRScheduler, schedulers))
    hooks.after_import("torch.amp.grad_scaler", lambda module: _note(module.GradScaler, scalers))
    hooks.after_import("torch.utils.data.dataloader", _loaders)


def _note(kind, known):
    def make(original):
        def __init__(self, *args, **kwargs):
            if len(known) < 64 and not any(self is one for one in known):
                known.append(self)
            original(self, *args, **kwargs)

        return __init__

    core.replace(kind, "__init__", make)


def _loaders(module):
    def make(original):
        def __init__(self, *args, **kwargs):
            original(self, *args, **kwargs)
            for holder in (self, getattr(self, "sampler", None)):
                generator = getattr(holder, "generator", None)
                if generator is not None and not any(generator is one for one in generators):
                    generators.append(generator)

        return __init__

    core.replace(module.DataLoader, "__init__", make)


# -- reading ---------------------------------------------------------------------


def _weights(torch):
    return [[[p.detach().clone() for p in g["params"]] for g in o.param_groups] for o in optimizers]


def _optimizer(torch):
    return [o.state_dict() for o in optimizers]


def _scheduler(torch):
    return [s.state_dict() for s in schedulers]


def _scaler(torch):
    return [s.state_dict() for s in scalers]


def _rng(torch):
    state = {"torch": torch.get_rng_state()}
    python = sys.modules.get("random")
    if python is not None:
        state["python"] = python.getstate()
    numpy = sys.modules.get("numpy.random")
    if numpy is not None:
        state["numpy"] = numpy.get_state()
    if torch.cuda.is_initialized():
        state["cuda"] = torch.cuda.get_rng_state_all()
    return state


def _loader(torch):
    return [g.get_state() for g in generators]


def _position(torch):
    from repro_audit_shim import position

    return position.kept_place(torch)


_READ = {"weights": _weights, "optimizer": _optimizer, "scheduler": _scheduler, "scaler": _scaler, "rng": _rng,
         "loader": _loader, "position": _position}


# -- putting back ----------------------------------------------------------------


def _put_weights(torch, value):
    with torch.no_grad():
        for optimizer, groups in zip(optimizers, value):
            for group, tensors in zip(optimizer.param_groups, groups):
                for p, old in zip(group["params"], tensors):
                    p.data.copy_(old)


def _put_states(known):
    def put(torch, value):
        for one, state in zip(known, value):
            one.load_state_dict(state)

    return put


def _put_rng(torch, value):
    torch.set_rng_state(value["torch"])
    if "python" in value and "random" in sys.modules:
        sys.modules["random"].setstate(value["python"])
    if "numpy" in value and "numpy.random" in sys.modules:
        sys.modules["numpy.random"].set_state(value["numpy"])
    if "cuda" in value and torch.cuda.is_initialized():
        torch.cuda.set_rng_state_all(value["cuda"])


def _put_loader(torch, value):
    for generator, state in zip(generators, value):
        generator.set_state(state)


def put_drawn(torch, value):
    """Puts the generators back that `drawn` read."""
    _put_rng(torch, value[0])
    _put_loader(torch, value[1])


def drawn(torch):
    """The states of all generators, global and the loaders' own."""
    return [_rng(torch), _loader(torch)]


def _put_position(torch, value):
    from repro_audit_shim import position

    position.give(value)


_PUT = {"weights": _put_weights, "optimizer": _put_states(optimizers), "scheduler": _put_states(schedulers),
        "scaler": _put_states(scalers), "rng": _put_rng, "loader": _put_loader,
        "position": _put_position}


# -- files -----------------------------------------------------------------------


def _file(folder, item):
    number = core.rank()
    return os.path.join(folder, "kept-%s-%s.pt" % ("main" if number is None else number, item))


def write(torch, folder, steps):
    """Keeps every item as it is now; a later look replaces an earlier one."""
    for item in ITEMS:
        path = _file(folder, item)
        try:
            with open(path + ".part", "wb") as f:
                torch.save({"steps": steps, "value": _READ[item](torch)}, f)
            os.replace(path + ".part", path)
        except Exception:
            for gone in (path, path + ".part"):  # an older look must not stand for this one
                if os.path.exists(gone):
                    os.remove(gone)


_read = {}


def give(torch, folder, item, put):
    """What became of one item: does the job's differ from the kept one, and was it put back? None: nothing kept."""
    path = _file(folder, item)
    if item not in _read:
        try:
            with open(path, "rb") as f:
                _read[item] = torch.load(f, map_location="cpu", weights_only=False)["value"]
        except Exception:
            _read[item] = None
    old = _read[item]
    if old is None:
        return None
    now = _READ[item](torch)
    if not old or (not now and item != "position"):
        return None
    told = {"differs": not same(torch, old, now), "given": False}
    if told["differs"]:
        told["rounded"] = rounded(torch, old, now)
    if put:
        import copy

        _PUT[item](torch, copy.deepcopy(old))
        told["given"] = True
    return told


# -- comparing -------------------------------------------------------------------


def same(torch, a, b):
    """Equal to the bit, through containers; NaN equals NaN."""
    if isinstance(a, torch.Tensor) or isinstance(b, torch.Tensor):
        return (isinstance(a, torch.Tensor) and isinstance(b, torch.Tensor) and a.shape == b.shape
                and a.dtype == b.dtype and bool(torch.equal(torch.nan_to_num(a.cpu()), torch.nan_to_num(b.cpu()))
                                                if a.is_floating_point() else torch.equal(a.cpu(), b.cpu())))
    if isinstance(a, dict) and isinstance(b, dict):
        return set(a) == set(b) and all(same(torch, a[k], b[k]) for k in a)
    if isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)):
        return len(a) == len(b) and all(same(torch, x, y) for x, y in zip(a, b))
    if hasattr(a, "tobytes") and hasattr(b, "tobytes"):
        return a.tobytes() == b.tobytes()
    try:
        return bool(a == b) or (a != a and b != b)
    except Exception:
        return False


def rounded(torch, old, now):
    """The lower precision that turns the kept tensors into the job's, where there is one."""
    pairs = list(_pairs(torch, old, now))
    if not pairs or any(a.shape != b.shape for a, b in pairs):
        return None
    for name in ("float16", "bfloat16", "float32"):
        kind = getattr(torch, name)
        if all(torch.equal(a.cpu().to(kind).to(b.dtype), b.cpu()) for a, b in pairs):
            return name
    return None


def _pairs(torch, a, b):
    """The tensors of two like containers that differ."""
    if isinstance(a, torch.Tensor) and isinstance(b, torch.Tensor):
        if a.is_floating_point() and b.is_floating_point() and not same(torch, a, b):
            yield a, b
    elif isinstance(a, dict) and isinstance(b, dict):
        for key in a:
            if key in b:
                for pair in _pairs(torch, a[key], b[key]):
                    yield pair
    elif isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)):
        for x, y in zip(a, b):
            for pair in _pairs(torch, x, y):
                yield pair
