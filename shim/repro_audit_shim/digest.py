"""Digests of memory and of nested batches.

A small native library beside this package takes arrays of pointers and lengths
and answers one 64-bit number per piece and one for all, in order. Where it does
not load, zlib's crc32 stands in (slower, 32 bits, told in the hello record).
Tensors on a card are summed there, without a sync: see `card`.
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

    words = array("Q", [x & MASK for x in leaves])
    if sys.byteorder == "big":
        words.byteswap()
    text = words.tobytes()
    return zlib.crc32(text) | (zlib.crc32(text[::-1], 0x9E3779B9) << 32)


def address(data):
    """Where a bytes object keeps its bytes; it must be kept alive by whoever asks."""
    import ctypes

    return ctypes.cast(data, ctypes.c_void_p).value or 0


def text(number):
    """The written form: JSON numbers would lose bits above 2^53."""
    return "%016x" % (number & MASK)


def _told(v):
    """A plain value's representation, a float's by its bits."""
    if type(v) is float:
        v = v.hex()
    return ("%s:%s" % (type(v).__name__, v)).encode("utf-8", "replace")[:65536]


def value_leaf(v):
    """The leaf of a plain value."""
    data = _told(v)
    return memory([address(data)], [len(data)])[0][0]


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
        if type(t) in self.plain and t.layout is self.strided:
            if t.is_cuda:
                self.cards.append((len(self.pointers), t))
                return self._memory(None, 0, 0)
            if t.is_cpu and t.is_contiguous():
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
            self.cards.append((len(self.pointers), t))
            return self._memory(None, 0, 0)
        if not t.is_contiguous():
            with torch.no_grad():
                t = t.detach().resolve_conj().resolve_neg().contiguous()
        return self._memory(t, t.data_ptr(), t.numel() * t.element_size())

    def tensors(self, some):
        """Adds tensors, of which there may be many: those of a card, which are many in every step, without ceremony."""
        plain, strided = self.plain, self.strided
        pointers, lengths, keep, cards = self.pointers, self.lengths, self.keep, self.cards
        for t in some:
            if type(t) in plain and t.is_cuda and t.layout is strided:
                cards.append((len(pointers), t))
                pointers.append(0)
                lengths.append(0)
                keep.append(None)
            else:
                self.tensor(t)

    def _memory(self, owner, pointer, length):
        self.keep.append(owner)
        self.pointers.append(pointer)
        self.lengths.append(length)

    def value(self, v):
        """Adds a plain value by its representation, floats by their bits."""
        data = _told(v)
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


_size_leaves = {}


def size_leaf(t):
    """What a leaf begins with: a tensor of zeros has a length and a type as well."""
    key = (t.dtype, t.shape)
    leaf = _size_leaves.get(key)
    if leaf is None:
        if len(_size_leaves) > 65536:
            _size_leaves.clear()
        data = ("%s%s" % (t.dtype, tuple(t.shape))).encode()
        leaf = _size_leaves[key] = memory([address(data)], [len(data)])[1]
    return leaf


def _with_cards(gather):
    from repro_audit_shim import card

    global deferred
    deferred = True
    leaves = list(memory(gather.pointers, gather.lengths)[0])
    by_device = {}
    for place, t in gather.cards:
        leaves[place] = size_leaf(t)
        by_device.setdefault(t.device, []).append((place, t))
    parts = [card.deliver(gather.torch, device, tensors) for device, tensors in by_device.items()]
    return leaves, Promise(leaves, [part for part in parts if part is not None])


class Promise:
    """A root digest whose card part has not arrived yet.

    `leaves` is the list that the caller got: the missing ones are filled in when the cards have delivered.
    """

    def __init__(self, leaves, parts):
        self.leaves, self.parts = leaves, parts

    def ready(self):
        """Have the cards delivered? Asks without waiting."""
        return all(sums.ready() for _, sums in self.parts)

    def root(self):
        """The root digest; waits where the cards have not delivered."""
        leaves = self.leaves
        for terms, sums in self.parts:
            for (place, factor), value in zip(terms, sums.read()):
                leaves[place] = leaves[place] + value * factor & MASK
        self.parts = []
        return combine(self.leaves)
