"""The items that a checkpoint should hold, as this process has them: each one read, and put back.

Optimizers, schedules, scalers, modules and loaders are noted as they are made:
in a job that is started again they are made in the same order.
"""
import sys
import weakref

from repro_audit_shim import core, hooks

optimizers, schedulers, scalers, loaders, generators, modules = [], [], [], [], [], []
_MOST_MODULES = 100000
_busy = {"recorder": None}


def watch(torch, recorder):
    """Notes what holds state as it is made."""
    _busy["recorder"] = recorder
    hooks.after_import("torch.optim.optimizer", lambda module: _note(module.Optimizer, optimizers))
    hooks.after_import("torch.optim.lr_scheduler", lambda module: _note(module.LRScheduler, schedulers))
    hooks.after_import("torch.amp.grad_scaler", lambda module: _note(module.GradScaler, scalers))
    hooks.after_import("torch.nn.modules.module", lambda module: _note_modules(module.Module))
    hooks.after_import("torch.utils.data.dataloader", _note_loaders)


def _note(kind, known):
    def make(original):
        def __init__(self, *args, **kwargs):
            if len(known) < 64 and not any(self is one for one in known):
                known.append(self)
            original(self, *args, **kwargs)

        return __init__

    core.replace(kind, "__init__", make)


def _note_modules(kind):
    """Modules that are made, and those that come out of a copy."""

    def note(self):
        if len(modules) >= _MOST_MODULES:
            modules[:] = [ref for ref in modules if ref() is not None][: _MOST_MODULES // 2]
        modules.append(weakref.ref(self))

    def make_init(original):
        def __init__(self, *args, **kwargs):
            original(self, *args, **kwargs)
            note(self)

        return __init__

    def make_setstate(original):
        def __setstate__(self, state):
            original(self, state)
            note(self)

        return __setstate__

    core.replace(kind, "__init__", make_init)
    core.replace(kind, "__setstate__", make_setstate)


def _note_loaders(module):
    def make(original):
        def __init__(self, *args, **kwargs):
            original(self, *args, **kwargs)
            if len(loaders) < 64:
                loaders.append(self)
            for holder in [self] + _samplers(self):
                generator = getattr(holder, "generator", None)
                if hasattr(generator, "get_state") and not any(generator is one for one in generators):
                    generators.append(generator)

        return __init__

    core.replace(module.DataLoader, "__init__", make)


def _samplers(loader):
    """A loader's samplers, the inner ones too."""
    found, todo = [], [getattr(loader, "batch_sampler", None), getattr(loader, "sampler", None)]
    while todo and len(found) < 8:
        one = todo.pop(0)
        if one is not None and not any(one is known for known in found):
            found.append(one)
            todo.append(getattr(one, "sampler", None))
    return found


# -- weights ---------------------------------------------------------------------


def _weights(torch):
    return [[[p.detach().clone() for p in g["params"]] for g in o.param_groups] for o in optimizers]


def _put_weights(torch, value):
    for optimizer, groups in zip(optimizers, value):
        for group, tensors in zip(optimizer.param_groups, groups):
            for p, old in zip(group["params"], tensors):
                p.data.copy_(old)


def _live():
    """The modules that still live, each with a name that another process gives it too."""
    counts = {}
    for ref in modules:
        module = ref()
        if module is not None:
            kind = type(module).__name__
            counts[kind] = counts.get(kind, 0) + 1
            yield "%s.%d" % (kind, counts[kind]), module


def _named_buffers():
    for name, module in _live():
        for own, buffer in module.__dict__.get("_buffers", {}).items():
            if buffer is not None:
                yield "%s.%s" % (name, own), buffer


def _named_untrained():
    """Weights that no optimizer trains, such as averaged ones."""
    trained = {id(p) for o in optimizers for g in o.param_groups for p in g["params"]}
    for name, module in _live():
        for own, p in module.__dict__.get("_parameters", {}).items():
            if p is not None and id(p) not in trained:
                yield "%s.%s" % (name, own), p


def _tensors(named):
    def read(torch):
        return {name: t.detach().clone() for name, t in named()}

    return read


def _put_tensors(named):
    def put(torch, value):
        for name, t in named():
            old = value.get(name)
            if old is not None and old.shape == t.shape:
                t.data.copy_(old)

    return put


def _gradients(torch):
    """What was added up so far, in the middle of an accumulation; nothing at any other time."""
    recorder = _busy["recorder"]
    if core.state.resume.get("keep") and not recorder.losses:
        return None
    return [p.grad if p.grad is None else p.grad.detach().clone()
            for o in optimizers for g in o.param_groups for p in g["params"]]


def _put_gradients(torch, value):
    params = [p for o in optimizers for g in o.param_groups for p in g["params"]]
    for p, old in zip(params, value):
        p.grad = old


# -- state dictionaries ----------------------------------------------------------


def _states(known):
    return lambda torch: [one.state_dict() for one in known]


def _put_states(known):
    def put(torch, value):
        for one, state in zip(known, value):
            if state:
                one.load_state_dict(state)

    return put


def _rates(groups):
    return [group.get("lr") for group in groups]


def _schedules(torch):
    """Each schedule with the rates in force: a schedule that is built after loading has set its own first ones."""
    return [{"state": one.state_dict(), "rates": _rates(one.optimizer.param_groups)} for one in schedulers]


def _put_schedules(torch, value):
    for one, old in zip(schedulers, value):
        if old["state"]:
            one.load_state_dict(old["state"])
        for group, rate in zip(one.optimizer.param_groups, old["rates"]):
            group["lr"] = rate


def with_set_rates(torch, old, known):
    """Kept states of optimizers, with the rates that the job has set by itself since it restored or made them.

    What sets the rate before each step has done so by the first forward pass; what was kept had the rate of the step
    before. Where the job has restored nothing (`known` is false), a rate that is still the optimizer's own is not its doing.
    """
    changed = []
    for one, state in zip(optimizers, old):
        own = one.defaults.get("lr")
        groups = [{**kept, "lr": group["lr"]} if "lr" in group and (known or group["lr"] != own) else kept
                  for kept, group in zip(state["param_groups"], one.param_groups)]
        changed.append({**state, "param_groups": groups})
    return changed


# -- generators ------------------------------------------------------------------


def _python(torch):
    module = sys.modules.get("random")
    return module and module.getstate()


def _put_python(torch, value):
    sys.modules["random"].setstate(value)


def _numpy(torch):
    module = sys.modules.get("numpy.random")
    return module and module.get_state()


def _put_numpy(torch, value):
    sys.modules["numpy.random"].set_state(value)


def _cuda(torch):
    return torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else None


def _loader(torch):
    return [g.get_state() for g in generators]


def _put_loader(torch, value):
    for generator, state in zip(generators, value):
        generator.set_state(state)


def _own(torch):
    from repro_audit_shim import own

    return own.states(torch, generators)


def _put_own(torch, value):
    from repro_audit_shim import own

    own.put(torch, generators, value)


_GENERATORS = ("rng.python", "rng.numpy", "rng.torch", "rng.cuda", "loader")


def drawn(torch):
    """The states of all generators, global and the loaders' own."""
    return {name: ITEMS[name].read(torch) for name in _GENERATORS}


def put_drawn(torch, value):
    """Puts the generators back that `drawn` read."""
    for name in _GENERATORS:
        if not empty(value[name]):
            ITEMS[name].put(torch, value[name])


# -- the order of the data -------------------------------------------------------


def _sampler(torch):
    """Plain numbers that the loaders' samplers hold, such as an epoch."""
    return [[{name: value for name, value in getattr(sampler, "__dict__", {}).items() if _plain(value)}
             for sampler in _samplers(loader)] for loader in loaders]


def _plain(value):
    return value is None or type(value) in (bool, int, float, str)


def _put_sampler(torch, value):
    for loader, kept in zip(loaders, value):
        for sampler, numbers in zip(_samplers(loader), kept):
            for name, old in numbers.items():
                if name in getattr(sampler, "__dict__", {}):
                    sampler.__dict__[name] = old


def _position(torch):
    from repro_audit_shim import position

    return position.kept_place(_busy["recorder"])


def _put_position(torch, value):
    from repro_audit_shim import position

    position.give(value)


def empty(value):
    """Is there nothing in it?"""
    return value is None or (isinstance(value, (list, tuple, dict)) and not value)


class Item:
    """How an item is read and put back, and whether what comes between restoring and the first step moves it."""

    def __init__(self, read, put, moved=False):
        self.read, self.put, self.moved = read, put, moved


ITEMS = {
    "weights": Item(_weights, _put_weights),
    "buffers": Item(_tensors(_named_buffers), _put_tensors(_named_buffers)),
    "averages": Item(_tensors(_named_untrained), _put_tensors(_named_untrained)),
    "optimizer": Item(_states(optimizers), _put_states(optimizers)),
    "scheduler": Item(_schedules, _put_schedules),
    "scaler": Item(_states(scalers), _put_states(scalers)),
    "gradients": Item(_gradients, _put_gradients),
    "rng.python": Item(_python, _put_python, moved=True),
    "rng.numpy": Item(_numpy, _put_numpy, moved=True),
    "rng.torch": Item(lambda torch: torch.get_rng_state(), lambda torch, value: torch.set_rng_state(value), moved=True),
    "rng.cuda": Item(_cuda, lambda torch, value: torch.cuda.set_rng_state_all(value), moved=True),
    "rng.own": Item(_own, _put_own, moved=True),
    "loader": Item(_loader, _put_loader, moved=True),
    "sampler": Item(_sampler, _put_sampler, moved=True),
    "position": Item(_position, _put_position, moved=True),
}
