"""num_workers, batch_size: arguments of every DataLoader, forced."""
from repro_audit_shim import core, frames, hooks, record, settings

ORDER = ("dataset", "batch_size", "shuffle", "sampler", "batch_sampler", "num_workers")
ONLY_WITH_WORKERS = ("prefetch_factor", "multiprocessing_context")
_seen = {"num_workers": set(), "batch_size": set()}


def arm(levels):
    """Arms the hook on DataLoader for the numbers asked for."""
    wanted = {}
    for setting, level in levels.items():
        text = str(level)
        if text.isdigit() and (setting == "num_workers" or int(text) > 0):
            wanted[setting] = int(text)
        else:
            settings.refuse(setting, level, "a number")
    if wanted:
        hooks.after_import("torch.utils.data.dataloader", lambda module: _hook(module, wanted))


def _hook(module, wanted):
    def make(original):
        def __init__(self, *args, **kwargs):
            if core.released(__name__):
                return original(self, *args, **kwargs)
            named = dict(zip(ORDER, args))
            rest = args[len(ORDER):]
            named.update(kwargs)
            notes = {}
            if "num_workers" in wanted:
                _workers(named, wanted["num_workers"])
            if "batch_size" in wanted:
                notes["batch_size"] = _batch(named, wanted["batch_size"])
            if rest:
                result = original(self, *[named.pop(n, d) for n, d in zip(ORDER, _DEFAULTS)], *rest, **named)
            else:
                result = original(self, **named)
            for setting in wanted:
                _tell(self, setting, wanted[setting], notes.get(setting))
            return result

        return __init__

    core.replace(module.DataLoader, "__init__", make)


_DEFAULTS = (None, 1, None, None, None, 0)


def _workers(named, number):
    asked = named.get("num_workers", 0)
    if asked != number:
        record.overridden("num_workers", asked, frames.site(3))
    named["num_workers"] = number
    if number == 0:
        for name in ONLY_WITH_WORKERS:
            named.pop(name, None)
        for name, neutral in (("persistent_workers", False), ("timeout", 0)):
            if named.get(name):
                named[name] = neutral


def _batch(named, number):
    if named.get("batch_sampler") is not None:
        return "this loader takes its batches from a batch_sampler"
    if "batch_size" in named and named["batch_size"] is None:
        return "this loader hands out single items"
    asked = named.get("batch_size", 1)
    if asked != number:
        record.overridden("batch_size", asked, frames.site(3))
    named["batch_size"] = number
    return None


def _tell(loader, setting, number, note):
    seen = getattr(loader, setting, None)
    key = (seen, note)
    if key in _seen[setting]:
        return
    _seen[setting].add(key)
    record.applied(setting, number, str(seen), seen == number, note, "loader")
