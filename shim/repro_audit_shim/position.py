"""The place in an epoch: how many batches of an order were handed out, and the generators that the order came from.

To give it back, the order is drawn again as it was at the epoch's beginning, the
batches that were done are taken out of it, and the generators go on from where
the job had restored them: their states are items of their own.
"""
from repro_audit_shim import core, hooks, items

_loaders = []
_now = {"loader": None, "before": None, "done": 0, "iterator": None, "forwards": 0}
_wanted = {}
# Called before a loader is begun, and before each of its batches with the number of the loader.
calls = {"epoch": lambda: None, "batch": lambda loader: None}


def watch(torch, recorder):
    """Counts the batches of the loader that was begun last."""
    hooks.after_import("torch.utils.data.dataloader", lambda module: _hook(torch, recorder, module))


def _hook(torch, recorder, module):
    began = core.guarded("position", lambda loader, before: _began(recorder, loader, before))
    look = core.guarded("position", lambda: items.drawn(torch))
    skip = core.guarded("position", lambda loader, iterator: _skip(torch, recorder, loader, iterator))
    prepare = core.guarded("position", lambda loader: _prepare(torch, loader))

    def wrap_init(original):
        def __init__(self, *args, **kwargs):
            original(self, *args, **kwargs)
            _loaders.append(self)

        return __init__

    def wrap_iter(original):
        def __iter__(self):
            if core.state.disabled or core.worker_id() is not None:
                return original(self)
            calls["epoch"]()
            prepare(self)
            before = look()
            iterator = original(self)
            began(self, before)
            skip(self, iterator)
            _now["iterator"] = iterator
            return iterator

        return __iter__

    def wrap_next(original):
        def __next__(self):
            if self is not _now["iterator"]:
                return original(self)
            calls["batch"](_index(_now["loader"]))
            try:
                batch = original(self)
            except StopIteration:
                _now["loader"] = _now["iterator"] = None
                raise
            _now["done"] += 1
            return batch

        return __next__

    core.replace(module.DataLoader, "__init__", wrap_init)
    core.replace(module.DataLoader, "__iter__", wrap_iter)
    core.replace(module._BaseDataLoaderIter, "__next__", wrap_next)


def _index(loader):
    for index, known in enumerate(_loaders):
        if known is loader:
            return index
    return None


def _began(recorder, loader, before):
    _now.update(loader=loader, before=before, done=0, forwards=recorder.forwards)


def kept_place(recorder):
    """What is kept: which loader, the generators of its order, batches done.

    A job that fetches a batch ahead has had more of them than it used: what went through the model tells.
    """
    if _now["loader"] is None or not _now["done"]:
        return None
    used = recorder.forwards - _now["forwards"]
    done = min(_now["done"], used) if used > 0 else _now["done"]
    return {"loader": _index(_now["loader"]), "before": _now["before"], "done": done}


def give(value):
    """Remembers what to do when the job begins to iterate."""
    _wanted.update(value)


def _prepare(torch, loader):
    if _wanted and _index(loader) == _wanted["loader"]:
        _wanted["own"] = items.drawn(torch)
        items.put_drawn(torch, _wanted["before"])


def _skip(torch, recorder, loader, iterator):
    if not _wanted or _index(loader) != _wanted["loader"]:
        return
    value = dict(_wanted)
    _wanted.clear()
    for _ in range(value["done"]):
        next(iterator)
    items.put_drawn(torch, value["own"])
    del recorder.batches[:]
