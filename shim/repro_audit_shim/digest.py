"""Digests of memory and of nested batches.

A small native library beside this package takes arrays of pointers and lengths
and answers one 64-bit number per piece and one for all, in order. Where it does
not load, zlib's crc32 stands in (slower, 32 bits, told in the hello record).
Tensors on a card are summed there with fixed odd weights, without a sync.
"""
import os
import sys
from array import array

_native = None
_tried = False
deferred = False  # True once a digest had to wait for a card
MASK = (1 << 64) - 1
NAMES = ("librepro_audit_digest.so", "librepro_audit_digest.dylib", "repro_audit_digest.dll")


def _load():
    global _native, _tried
    _tried = True
    import ctypes

    folder = os.path.dirname(os.path.abspath(__file__))
    for name in NAMES:
        path = os.path.join(folder, name)
        if os.path.exists(path):
            try:
                function = ctypes.CDLL(path).repro_audit_digest
                function.restype = None
                function.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p]
                _native = function
                return
            except (OSError, AttributeError):
                continue


def algorithm():
    """The name of the digest in use, for the hello record."""
    folder = os.path.dirname(os.path.abspath(__file__))
    if _tried:
        return "fold64" if _native else "crc32"
    present = any(os.path.exists(os.path.join(folder, name)) for name in NAMES)
    return "fold64" if present else "crc32"


def memory(pointers, lengths):
    """Digests as many pieces of memory as there are addresses: (list of leaves, root), all as integers."""
    if not _tried:
        _load()
    n = len(pointers)
    if _native is not None:
        told, sizes, out = array("Q", pointers), array("Q", lengths), array("Q", bytes(8 * n + 8))
        _native(told.buffer_info()[0], sizes.buffer_info()[0], n, out.buffer_info()[0])
        leaves = out.tolist()
        return leaves, leaves.pop()
    import ctypes
    import zlib

    leaves = []
    for address, size in zip(pointers, lengths):
        data = (ctypes.c_char * size).from_address(address) if size else b""
        leaves.append(zlib.crc32(data, size & 0xFFFFFFFF))
    return leaves, combine(leaves)


def combine(leaves):
    """One number for an ordered list of 64-bit numbers."""
    import zlib

    text = b"".join(int(x & MASK).to_bytes(8, "little") for x in leaves)
    return zlib.crc32(text) | (zlib.crc32(text[::-1], 0x9E3779B9) << 32)


def address(data):
    """Where a bytes object keeps its bytes; it must be kept alive by whoever asks."""
    import ctypes

    return ctypes.cast(data, ctypes.c_void_p).value or 0


def text(number):
    """The written form: JSON numbers would lose bits above 2^53."""
    return "%016x" % (number & MASK)


class Gather:
    """Collects tensors, arrays and plain values in order, then digests them all at once."""

    def __init__(self, torch):
        self.torch = torch
        self.plain = (torch.Tensor, torch.nn.Parameter)
        self.strided = torch.strided
        self.pointers = []
        self.lengths = []
        self.keep = []
        self.cards = []
        self.budget = 4096

    def tensor(self, t):
        """Adds one tensor; anything but plain dense memory is made plain first."""
        if type(t) in self.plain and t.is_cpu and t.layout is self.strided and t.is_contiguous():
            return self._memory(t, t.data_ptr(), t.numel() * t.element_size())
        torch = self.torch
        if t is None:
            return self.value(None)
        local = getattr(t, "_local_tensor", None)
        if local is not None:
            t = local
        kind = type(t)
        if kind not in self.plain:
            if not isinstance(t, torch.Tensor):
                return self.value(t)
            if _foreign(t):
                return self.value("%s%s" % (kind.__name__, tuple(t.shape)))
        if t.device.type == "meta":
            return self.value("meta%s" % (tuple(t.shape),))
        if t.layout is torch.sparse_coo:
            self.tensor(t._indices())
            return self.tensor(t._values())
        if t.layout is not torch.strided:
            return self.value("%s%s" % (t.layout, tuple(t.shape)))
        if t.device.type != "cpu":
            self.cards.append((len(self.pointers), t.detach()))
            return self._memory(None, 0, 0)
        if not t.is_contiguous():
            with torch.no_grad():
                t = t.detach().resolve_conj().resolve_neg().contiguous()
        return self._memory(t, t.data_ptr(), t.numel() * t.element_size())

    def _memory(self, owner, pointer, length):
        self.keep.append(owner)
        self.pointers.append(pointer)
        self.lengths.append(length)

    def value(self, v):
        """Adds a plain value by its representation, floats by their bits."""
        if type(v) is float:
            v = v.hex()
        data = ("%s:%s" % (type(v).__name__, v)).encode("utf-8", "replace")[:65536]
        self._memory(data, address(data), len(data))

    def tree(self, item, depth=0):
        """Adds a batch: nested lists, tuples, mappings, tensors, arrays, values."""
        self.budget -= 1
        if self.budget < 0 or depth > 12:
            return
        if isinstance(item, self.torch.Tensor):
            self.tensor(item)
        elif isinstance(item, (int, float, str, bool, bytes, complex, type(None))):
            self.value(item)
        elif isinstance(item, (list, tuple)):
            self.value(len(item))
            for part in item:
                self.tree(part, depth + 1)
        elif hasattr(item, "items") and hasattr(item, "keys"):
            for key, part in item.items():
                self.tree(key, depth + 1)
                self.tree(part, depth + 1)
        elif type(item).__module__ == "numpy" and hasattr(item, "__array_interface__"):
            self.array(item)
        elif hasattr(item, "__dict__") and depth < 4:
            self.tree({k: v for k, v in vars(item).items() if not k.startswith("_")}, depth + 1)
        else:
            self.value(type(item).__name__)

    def array(self, a):
        """Adds a NumPy array or scalar."""
        data = a.tobytes() if a.dtype != object else repr(a.tolist())[:65536].encode()
        self._memory(data, address(data), len(data))

    def finish(self):
        """(leaves, root) as integers; on a card a promise instead of the root's number."""
        if not self.pointers:
            return [], None
        if self.cards:
            return _with_cards(self)
        leaves, root = memory(self.pointers, self.lengths)
        self.keep = []
        return leaves, root


def _foreign(t):
    """Is this a tensor subclass whose memory is not what it seems (fake, functional, wrapped)?"""
    name = type(t).__name__
    return name in ("FakeTensor", "FunctionalTensor", "BatchedTensor") or hasattr(t, "__torch_dispatch__") and \
        type(t).__torch_dispatch__ is not sys.modules["torch"].Tensor.__torch_dispatch__


class Promise:
    """A root digest whose card part has not arrived yet."""

    def __init__(self, leaves, places, sums, event):
        self.leaves, self.places, self.sums, self.event = leaves, places, sums, event

    def ready(self):
        """Has the card delivered? Asks without waiting."""
        return self.event is None or self.event.query()

    def root(self):
        """The root digest; call only when ready, or at the very end."""
        if self.event is not None:
            self.event.synchronize()
        for place, value in zip(self.places, self.sums.tolist()):
            self.leaves[place] = value & MASK
        return combine(self.leaves)


_weights = {}


def _odd_weights(torch, n, device):
    """Fixed odd 64-bit weights, made by arithmetic and not by a generator."""
    have = _weights.get(device)
    if have is None or have.numel() < n:
        size = max(n, 1 << 20)
        x = torch.arange(1, size + 1, dtype=torch.int64, device=device)
        x = x * -7046029254386353131
        x = (x ^ ((x >> 31) & 0x1FFFFFFFF)) * -4658895280553007687
        x = (x ^ ((x >> 29) & 0x7FFFFFFFF)) | 1
        have = _weights[device] = x
    return have[:n]


CHUNK = 1 << 24


def card_sum(torch, t):
    """The weighted integer sum of one tensor's lanes, on its own device."""
    t = t.detach()
    if t.is_complex():
        t = torch.view_as_real(t.resolve_conj())
    t = t.contiguous().reshape(-1)
    size = t.element_size()
    if t.dtype is torch.bool:
        lanes = t.view(torch.uint8)
    elif size == 8:
        lanes = t.view(torch.int32)
    elif size == 4:
        lanes = t.view(torch.int32)
    elif size == 2:
        lanes = t.view(torch.int16)
    else:
        lanes = t.view(torch.uint8)
    total = None
    for start in range(0, max(lanes.numel(), 1), CHUNK):
        part = lanes[start:start + CHUNK].to(torch.int64)
        weights = _odd_weights(torch, min(CHUNK, max(lanes.numel(), 1)), t.device)[:part.numel()]
        one = (part * weights).sum() * (2 * start + 1) + part.numel()
        total = one if total is None else total * 3 + one
    return total


def _with_cards(gather):
    global deferred
    deferred = True
    torch = gather.torch
    leaves, _ = memory(gather.pointers, gather.lengths)
    with torch.no_grad():
        sums = torch.stack([card_sum(torch, t) for _, t in gather.cards])
        event = None
        if sums.is_cuda:
            home = torch.empty(sums.shape, dtype=sums.dtype, pin_memory=True)
            home.copy_(sums, non_blocking=True)
            event = torch.cuda.Event()
            event.record()
            sums = home
    return leaves, Promise(list(leaves), [i for i, _ in gather.cards], sums, event)
