"""The audit of resumed runs: what is saved and loaded when, and giving back what a checkpoint forgot.

Saving side (`keep`): at each checkpoint, or around one step, the items of `kept`
are written beside the record. Loading side (`give`): after the last thing that
the job restores, each kept item is compared with what the job has, and the
chosen ones are put in its place.
"""
import os

from repro_audit_shim import core, hooks, items, kept, position, record, seeds

_asked = {}
_taken = {}
_seen = {}
_state = {"loads": 0, "told": False, "handle": None, "looking": False, "saved": None}


def arm(torch, recorder):
    """Hooks saving, loading and building; called once torch is there."""
    _asked.update(core.state.resume)
    items.watch(torch, recorder)
    position.watch(torch, recorder)
    if _asked.get("from"):
        position.calls["batch"] = core.guarded("give back", lambda loader: _before_batch(torch, loader))
        position.calls["epoch"] = core.guarded("give back", lambda: _before_epoch(torch))
        seeds.seeded.append(core.guarded("give back", lambda: _again(torch, _generator)))
    hooks.after_import("torch.serialization", lambda module: _serialization(torch, recorder))
    hooks.after_import("torch.nn.modules.module", lambda module: _modules(torch, module, recorder))
    hooks.after_import("torch.optim.optimizer", lambda module: _optimizers(module, recorder))
    hooks.after_import("torch.optim.lr_scheduler", lambda module: _after(module.LRScheduler, "load_state_dict", recorder))
    if _asked.get("keep") and _asked.get("step") is None:
        import atexit

        atexit.register(core.guarded("keep", _at_exit), os.getpid(), recorder)


def _owner():
    """Only a process that trains, and is no loader worker, keeps or gets anything."""
    return core.worker_id() is None and bool(items.optimizers)


# -- saving ----------------------------------------------------------------------


def _serialization(torch, recorder):
    saving = core.guarded("save", _saving)
    loaded = core.guarded("load", _loaded)

    def save(original):
        def save(obj, f, *args, **kwargs):
            if not core.state.disabled and not _state["looking"]:
                saving(torch, recorder, obj, f)
            return original(obj, f, *args, **kwargs)

        return save

    def load(original):
        def load(f, *args, **kwargs):
            result = original(f, *args, **kwargs)
            if not core.state.disabled and not _state["looking"]:
                loaded(recorder, f)
            return result

        return load

    core.replace(torch, "save", save)
    core.replace(torch, "load", load)


def _path(f):
    if isinstance(f, (str, os.PathLike)):
        return os.path.abspath(os.fspath(f))
    name = getattr(f, "name", None)
    return os.path.abspath(name) if isinstance(name, str) else None


def _saving(torch, recorder, obj, f):
    if not _owner():
        return
    steps = recorder.first_steps
    taken = _taken_before(torch, obj, steps)
    record.write({"r": "save", "steps": steps, "path": _path(f), "taken": taken})
    if _asked.get("keep") and _asked.get("step") is None:
        _keep(torch, steps)
        _state["saved"] = steps
    elif _asked.get("step") == steps:
        _keep(torch, steps)


def _keep(torch, steps):
    _state["looking"] = True
    try:
        kept.write(torch, core.state.record_dir, steps)
    finally:
        _state["looking"] = False


def _at_exit(pid, recorder):
    """A job that saves by other means than torch: what there is at its end."""
    if os.getpid() == pid and _state["saved"] is None and _owner():
        _keep(recorder.torch, recorder.first_steps)


def _taken_before(torch, obj, steps):
    """The step at which a state in `obj` was taken, where it follows the live weights and is older than this save."""
    live = {p.data_ptr() for o in items.optimizers for g in o.param_groups for p in g["params"]}
    oldest = None
    for tensor in _tensors(torch, obj):
        entry = _taken.get(id(tensor))
        if entry is None or entry[0]() is not tensor or tensor.data_ptr() not in live:
            continue
        if entry[1] < steps and (oldest is None or entry[1] < oldest):
            oldest = entry[1]
    return oldest


def _tensors(torch, obj, depth=0):
    if isinstance(obj, torch.Tensor):
        yield obj
    elif depth < 6 and hasattr(obj, "values") and hasattr(obj, "keys"):
        for value in list(obj.values()):
            for tensor in _tensors(torch, value, depth + 1):
                yield tensor
    elif depth < 6 and isinstance(obj, (list, tuple)) and len(obj) < 10000:
        for value in obj:
            for tensor in _tensors(torch, value, depth + 1):
                yield tensor


# -- loading ---------------------------------------------------------------------


def _loaded(recorder, f):
    if recorder.first_steps == 0:
        record.write({"r": "load", "steps": recorder.first_steps, "path": _path(f)})
    _restored(recorder)


def _restored(recorder):
    """The job has restored something: ours comes after it."""
    if recorder.first_steps == 0 and _asked.get("from") and core.worker_id() is None:
        _state["loads"] += 1
        _give(recorder, first_forward=False)


def _give(recorder, first_forward):
    if _state["looking"] or not items.optimizers:
        return
    _state["looking"] = True
    try:
        for item in items.ITEMS:
            if first_forward and items.ITEMS[item].moved:
                continue
            adapt = None
            if first_forward and item == "optimizer":
                known = item in _seen
                adapt = lambda torch, old: items.with_set_rates(torch, old, known)
            told = kept.give(recorder.torch, _asked["from"], item, item in (_asked.get("give") or ()), adapt)
            if told is None:
                continue
            before = _seen.get(item)
            if before is not None and before.get("given") and not told["differs"]:
                told = before  # given already, and still there: the first look counts
            _seen[item] = told
    finally:
        _state["looking"] = False


def _again(torch, wanted):
    """Gives once more what was given already and what the job may have moved or set since; until training goes on."""
    if not _state["told"] and not _state["looking"]:
        for item in _seen:
            if _seen[item]["given"] and wanted(item):
                kept.put(torch, item, kept.value(torch, _asked["from"], item))


def _generator(item):
    return item.startswith("rng.")


def _place(torch):
    """The kept place in an epoch; empty at an epoch's edge."""
    return kept.value(torch, _asked["from"], "position")


def _before_batch(torch, loader):
    """In the middle of an epoch: beginning a loader and passing over batches may draw as well."""
    place = _place(torch)
    if not items.empty(place) and place["loader"] == loader:
        _again(torch, _generator)


def _before_epoch(torch):
    """At an epoch's edge: a job may seed, and count its epochs, after it has loaded."""
    if items.empty(_place(torch)):
        _again(torch, lambda item: _generator(item) or item in ("loader", "sampler"))


def _first_forward(recorder):
    """Just before the first training step computes: what is not drawn from is given once more, and told."""
    if not _state["told"] and core.worker_id() is None:
        _give(recorder, first_forward=True)
        _tell()


def _tell():
    """Says once what was looked at and given."""
    if not _state["told"]:
        _state["told"] = True
        for item in items.ITEMS:
            if item in _seen:
                line = {"r": "given", "item": item}
                line.update(_seen[item])
                record.write(line)


def _modules(torch, module, recorder):
    first = core.guarded("give back", lambda: _first_forward(recorder))
    taken = core.guarded("state taken", lambda state: _remember(torch, recorder, state))
    restored = core.guarded("give back", lambda: _restored(recorder))
    depth = [0]

    def pre(called, args):
        if torch.is_grad_enabled() and called.training and not recorder.busy():
            handle, _state["handle"] = _state["handle"], None
            if handle is not None:
                handle.remove()
            first()

    if _asked.get("from"):
        _state["handle"] = module.register_module_forward_pre_hook(pre)

    def state_dict(original):
        def state_dict(self, *args, **kwargs):
            depth[0] += 1
            try:
                result = original(self, *args, **kwargs)
            finally:
                depth[0] -= 1
            if depth[0] == 0 and not core.state.disabled and not _state["looking"]:
                taken(result)
            return result

        return state_dict

    def load_state_dict(original):
        def load_state_dict(self, *args, **kwargs):
            result = original(self, *args, **kwargs)
            if not core.state.disabled and not _state["looking"]:
                restored()
            return result

        return load_state_dict

    core.replace(module.Module, "state_dict", state_dict)
    core.replace(module.Module, "load_state_dict", load_state_dict)


def _remember(torch, recorder, state):
    import weakref

    steps = recorder.first_steps
    if len(_taken) > 100000:
        _taken.clear()
    for tensor in _tensors(torch, state):
        _taken[id(tensor)] = (weakref.ref(tensor), steps)
    if _asked.get("keep") and _asked.get("step") == steps and _owner():
        _keep(torch, steps)


def _optimizers(module, recorder):
    _after(module.Optimizer, "load_state_dict", recorder)
    if _asked.get("from") and hasattr(module, "register_optimizer_step_pre_hook"):
        tell = core.guarded("give back", _tell)
        module.register_optimizer_step_pre_hook(lambda optimizer, args, kwargs: tell())
    wanted = _asked.get("step")
    if wanted is None or not _asked.get("keep"):
        return
    reached = core.guarded("keep", lambda: _keep(recorder.torch, wanted))

    def post(optimizer, args, kwargs):
        if not core.state.disabled and recorder.first_steps == wanted and _owner() and optimizer is items.optimizers[0]:
            reached()

    if hasattr(module, "register_optimizer_step_post_hook"):
        module.register_optimizer_step_post_hook(post)


def _after(kind, name, recorder):
    """Calls us after the job has restored an optimizer or a schedule."""
    restored = core.guarded("give back", lambda: _restored(recorder))

    def make(original):
        def load_state_dict(self, *args, **kwargs):
            result = original(self, *args, **kwargs)
            if not core.state.disabled and not _state["looking"]:
                restored()
            return result

        return load_state_dict

    core.replace(kind, name, make)
