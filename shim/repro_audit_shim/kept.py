"""The items of a checkpoint beside the record: written, compared with what the job has, put in its place.

Each item is its own file, so that one that cannot be written costs no other.
"""
import os

from repro_audit_shim import core
from repro_audit_shim.items import ITEMS, empty

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
                torch.save({"steps": steps, "value": ITEMS[item].read(torch)}, f)
            os.replace(path + ".part", path)
        except Exception:
            for gone in (path, path + ".part"):  # an older look must not stand for this one
                if os.path.exists(gone):
                    os.remove(gone)


_read = {}


def value(torch, folder, item):
    """What was kept of an item; None where nothing was."""
    if item not in _read:
        try:
            with open(_file(folder, item), "rb") as f:
                _read[item] = torch.load(f, map_location="cpu", weights_only=False)["value"]
        except Exception:
            _read[item] = None
    return _read[item]


def put(torch, item, old):
    """Puts a copy of what was kept in the place of what the job has."""
    import copy

    with torch.no_grad():
        ITEMS[item].put(torch, copy.deepcopy(old))


def give(torch, folder, item, wanted, adapt=None):
    """What became of one item: does the job's differ from the kept one, and was it put back? None: nothing kept.

    `adapt` makes what was kept into what is right by now.
    """
    old = value(torch, folder, item)
    if old is None:
        return None
    if adapt is not None:
        old = adapt(torch, old)
    now = ITEMS[item].read(torch)
    if empty(old) or (empty(now) and item != "position") or (isinstance(old, dict) and not _alike(old, now)):
        return None
    told = {"differs": not same(torch, old, now), "given": wanted}
    if told["differs"]:
        told["rounded"] = rounded(torch, old, now)
    if wanted:
        put(torch, item, old)
    return told


# -- comparing -------------------------------------------------------------------


def _alike(old, now):
    """Do both hold the same things, under the same names? A place in the data is there or not."""
    return now is None or set(old) == set(now)


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
