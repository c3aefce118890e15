"""What loaders were asked for and what they handed out."""
from repro_audit_shim import core, frames, hooks, record

LIMIT = 32
_count = [0]


def hook(torch, recorder):
    """Watches `DataLoader` and its iterators; builds none of its own."""
    hooks.after_import("torch.utils.data.dataloader", lambda module: _hook(module, recorder))


def _hook(module, recorder):
    saw = core.guarded("batch", recorder.saw_batch)
    built = core.guarded("loader record", _describe)

    def wrap_next(original):
        def __next__(self):
            batch = original(self)
            if not core.state.disabled:
                saw(batch)
            return batch

        return __next__

    def wrap_init(original):
        def __init__(self, *args, **kwargs):
            original(self, *args, **kwargs)
            built(self, frames.site(2))

        return __init__

    core.replace(module._BaseDataLoaderIter, "__next__", wrap_next)
    core.replace(module.DataLoader, "__init__", wrap_init)


def _generator(loader):
    """The generator of torch's that was handed to the loader, or else to what gives its order."""
    sampler = getattr(loader, "sampler", None)
    for holder in (loader, sampler, getattr(getattr(loader, "batch_sampler", None), "sampler", None)):
        generator = getattr(holder, "generator", None)
        if hasattr(generator, "initial_seed"):
            return generator
    return None


def _describe(loader, place):
    if _count[0] >= LIMIT:
        return
    _count[0] += 1
    generator = _generator(loader)
    item = {"r": "loader", "n": _count[0] - 1, "dataset": type(loader.dataset).__name__,
            "num_workers": loader.num_workers, "batch_size": getattr(loader, "batch_size", None),
            "sampler": type(loader.sampler).__name__ if getattr(loader, "sampler", None) is not None else None,
            "drop_last": getattr(loader, "drop_last", None), "worker_init_fn": loader.worker_init_fn is not None,
            "generator": None if generator is None else str(generator.initial_seed()),
            "in_order": getattr(loader, "in_order", True),
            "persistent_workers": getattr(loader, "persistent_workers", False)}
    if place:
        item["file"], item["line"], item["function"] = place
    record.write(item)
