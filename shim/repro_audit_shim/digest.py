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
    """A root digest whose card part has not arrived yet.

    `leaves` is the list that the caller got: the missing ones are filled in when the cards have delivered.
    """

    def __init__(self, leaves, parts):
        self.leaves, self.parts = leaves, parts

    def ready(self):
        """Have the cards delivered? Asks without waiting."""
        return all(event is None or event.query() for _, _, event in self.parts)

    def root(self):
        """The root digest; call only when ready, or at the very end."""
        for terms, sums, event in self.parts:
            if event is not None:
                event.synchronize()
            for (place, factor), value in zip(terms, sums.tolist()):
                self.leaves[place] = (self.leaves[place] + value * factor) & MASK
        self.parts = []
        return combine(self.leaves)


# Lanes that share one set of weights; also the most that one launch takes. 16 MiB of weights, 48 MiB beside them at work.
PERIOD = 1 << 21
_weights = {}


def weights(torch, n, device):
    """The first `n` fixed odd 64-bit weights, made by arithmetic and not by a generator."""
    have = _weights.get(device)
    if have is None or have.numel() < n:
        size = min(PERIOD, 1 << max(n - 1, (1 << 16) - 1).bit_length())
        x = torch.arange(1, size + 1, dtype=torch.int64, device=device)
        x = x * -7046029254386353131
        x = (x ^ ((x >> 31) & 0x1FFFFFFFF)) * -4658895280553007687
        x = (x ^ ((x >> 29) & 0x7FFFFFFFF)) | 1
        have = _weights[device] = x
    return have[:n]


def factor(stretch):
    """The odd number by which the weights of the stretch after so many periods are multiplied; 1 for the first."""
    if stretch == 0:
        return 1
    x = (stretch * 0x9E3779B97F4A7C15) & MASK
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & MASK
    return (x ^ (x >> 31)) | 1


def lanes(torch, t):
    """The elements of a tensor in row-major order, as whole numbers of at most 32 bits.

    The top bit of a lane times an odd weight stays the top bit: lanes as wide as the sum would lose flips of two signs.
    """
    t = t.detach()
    if t.is_complex():
        t = torch.view_as_real(t.resolve_conj())
    t = t.resolve_neg().contiguous().reshape(-1)
    size = t.element_size()
    return t.view(torch.int32 if size >= 4 else torch.int16 if size == 2 else torch.uint8)


def buckets(pieces, limit):
    """Groups [(place, factor, lanes)...] of one type into launches of at most `limit` lanes."""
    groups, full = [], {}
    for piece in pieces:
        kind, count = piece[2].dtype, piece[2].numel()
        group = full.get(kind)
        if group is None or group[1] + count > limit:
            group = full[kind] = [[], 0]
            groups.append(group[0])
        group[0].append(piece)
        group[1] += count
    return groups


_ends = {}


def _last_of_each(torch, counts, device):
    """The places of the pieces' last lanes, on the device; kept, since every step has the same pieces."""
    key = (device, counts)
    have = _ends.get(key)
    if have is None:
        if len(_ends) > 1024:
            _ends.clear()
        total, places = 0, []
        for count in counts:
            total += count
            places.append(total - 1)
        have = _ends[key] = torch.tensor(places, dtype=torch.int64, device=device)
    return have


def _bucket_sums(torch, pieces):
    """One weighted sum per piece, modulo 2^64, in a handful of launches for all of them."""
    device = pieces[0][2].device
    counts = tuple(piece[2].numel() for piece in pieces)
    if len(pieces) == 1:
        return (pieces[0][2] * weights(torch, counts[0], device)).sum().reshape(1)
    values = torch.cat([piece[2] for piece in pieces])
    whole = weights(torch, max(counts), device)
    running = (values * torch.cat([whole[:count] for count in counts])).cumsum(0)
    upto = running.index_select(0, _last_of_each(torch, counts, device))
    return torch.cat([upto[:1], upto[1:] - upto[:-1]])


def card_sums(torch, tensors, limit=PERIOD):
    """([(place, factor)...], sums): the leaf of the tensor at `place` is the sum of its terms, each times its factor.

    A leaf depends on the tensor alone: not on what is summed with it, nor on `limit`, nor on the order of additions.
    """
    pieces = []
    for place, t in tensors:
        flat = lanes(torch, t)
        for stretch in range(-(-flat.numel() // PERIOD)):
            part = flat[stretch * PERIOD:(stretch + 1) * PERIOD]
            pieces.append((place, factor(stretch), part))
    sums, terms = [], []
    for group in buckets(pieces, limit):
        terms.extend((place, by) for place, by, _ in group)
        sums.append(_bucket_sums(torch, group))
    return terms, sums


def _size_leaf(t):
    """What a leaf begins with: a tensor of zeros has a length and a type as well."""
    data = ("%s%s" % (t.dtype, tuple(t.shape))).encode()
    return memory([address(data)], [len(data)])[1]


def _with_cards(gather):
    global deferred
    deferred = True
    torch = gather.torch
    leaves, _ = memory(gather.pointers, gather.lengths)
    leaves = list(leaves)
    by_device = {}
    for place, t in gather.cards:
        leaves[place] = _size_leaf(t)
        by_device.setdefault(t.device, []).append((place, t))
    parts = [_deliver(torch, device, tensors) for device, tensors in by_device.items()]
    return leaves, Promise(leaves, [part for part in parts if part is not None])


def _deliver(torch, device, tensors):
    """Sums on one card, on their way to the host: (terms, where they land, the event after which they are there)."""
    with torch.no_grad():
        if device.type != "cuda":
            terms, sums = card_sums(torch, tensors)
            return (terms, torch.cat(sums).cpu(), None) if sums else None
        # events and launches go to the current stream of the current device, which need not be the tensors'
        with torch.cuda.device(device):
            outlive_other_streams(torch, device, [t for _, t in tensors])
            terms, sums = card_sums(torch, tensors)
            return (terms,) + landing(torch, torch.cat(sums)) if sums else None


def outlive_other_streams(torch, device, tensors):
    """Keeps the allocator from handing out memory that we still read on a stream of the job's own."""
    stream = torch.cuda.current_stream(device)
    if stream != torch.cuda.default_stream(device):
        for t in tensors:
            t.record_stream(stream)


def landing(torch, t):
    """(a copy on the host, the event after which it is there), without a wait; the tensor's device is the current one."""
    home = torch.empty(t.shape, dtype=t.dtype, pin_memory=True)
    home.copy_(t.detach(), non_blocking=True)
    event = torch.cuda.Event()
    event.record()
    return home, event
