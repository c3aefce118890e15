"""Sums of the memory of a card, made there and brought home without a wait.

A tensor is read as lanes, whole numbers of at most 32 bits, each times an odd
64-bit weight that its place decides; their sum modulo 2^64 does not depend on
the order of additions. One launch takes many tensors (`kernel`; torch's own
operations where the kernel cannot be had), and what one step gave comes home
in one copy: a page.
"""
import contextlib
import os

from repro_audit_shim import kernel
from repro_audit_shim.digest import MASK

# Lanes that share one set of weights. 16 MiB of weights, and 48 MiB beside them, where torch's operations are used.
PERIOD = 1 << 21
SLOTS = 1 << 14


def deliver(torch, device, tensors):
    """(terms, sums) of [(place, tensor)...] on one device: the leaf at a place is the sum of its terms, each sum times its
    factor. None where there is nothing to sum.
    """
    with torch.no_grad():
        if device.type != "cuda":
            terms, sums = card_sums(torch, tensors)
            return (terms, Known(torch.cat(sums).tolist())) if sums else None
        with current(torch, device):
            outlive_other_streams(torch, device, [t for _, t in tensors])
            return _kernel_sums(torch, device, tensors) or _torch_sums(torch, device, tensors)


class Known:
    """Sums that are at home already."""

    def __init__(self, values):
        self.values = values

    def ready(self):
        """They are."""
        return True

    def read(self):
        """The sums."""
        return self.values


class Slots:
    """Some slots of a page."""

    def __init__(self, page, first, count):
        self.page, self.first, self.count = page, first, count

    def address(self):
        """Where the first of them lies on the card."""
        return self.page.block.there.data_ptr() + 8 * self.first

    def ready(self):
        """Has the page come home? Asks without waiting."""
        return self.page.ready()

    def read(self):
        """What is in the slots; waits where the page has not come home."""
        first = self.first - self.page.first
        return self.page.read()[first:first + self.count]


class Block:
    """Slots of 64 bits on a card, zeros at first, for one stream, with as many at home that its copies go to.

    What is made once for many pages: memory on both sides costs more time than a step has to spare.
    """

    def __init__(self, torch, device, size):
        self.size, self.used = size, 0
        with torch.no_grad():
            self.there = torch.zeros(size, dtype=torch.int64, device=device)
            self.home = torch.empty(size, dtype=torch.int64, pin_memory=True)


class Page:
    """The slots of a block that come home together."""

    def __init__(self, torch, device, block):
        self.torch, self.device, self.block = torch, device, block
        self.first, self.pid = block.used, os.getpid()
        self.end = self.event = self.values = None

    def send(self):
        """Starts the copy home; the page is full from now on."""
        if self.end is not None:
            return
        self.end = self.block.used
        with self.torch.no_grad(), current(self.torch, self.device):
            there, home = (side[self.first:self.end] for side in (self.block.there, self.block.home))
            home.copy_(there, non_blocking=True)
            self.event = self.torch.cuda.Event()
            self.event.record()

    def ready(self):
        """Has it come home? Asks without waiting."""
        return self.values is not None or self.event is not None and self.event.query()

    def read(self):
        """Every slot's number; waits where they have not come home."""
        if self.values is None:
            if self.event is None:
                send()
            self.event.synchronize()
            self.values = self.block.home[self.first:self.end].tolist()
            self.block = self.event = None
        return self.values


_blocks, _open, _sent = {}, {}, []


def stream(torch, device):
    """The number of the current stream of a card; 0 for its default one."""
    raw = getattr(torch._C, "_cuda_getCurrentRawStream", None)
    return raw(device.index) if raw is not None else torch.cuda.current_stream(device).cuda_stream


_NOTHING = contextlib.nullcontext()


def current(torch, device):
    """Within it launches go to this card."""
    ask = getattr(torch._C, "_cuda_getDevice", torch.cuda.current_device)
    return _NOTHING if ask() == device.index else torch.cuda.device(device)


def take(torch, device, count, stream):
    """Free slots on the open page of a card's current stream; to be called with `device` as the current one."""
    key = (device.index, stream)
    block, page = _blocks.get(key), _open.get(key)
    if block is None or block.used + count > block.size:
        if page is not None:
            _send(key)
        block, page = Block(torch, device, max(SLOTS, count)), None
        _blocks[key] = block
    if page is None:
        page = _open[key] = Page(torch, device, block)
    slots = Slots(page, block.used, count)
    block.used += count
    return slots


def send():
    """Starts the copy home of everything summed since the last call; the pages on their way since then."""
    for key in list(_open):
        _send(key)
    sent = list(_sent)
    del _sent[:]
    return sent


def _send(key):
    page = _open.pop(key)
    torch, number = page.torch, key[1]
    if page.pid != os.getpid():
        _blocks.pop(key, None)  # a forked child inherits what its parent is about to send, and has no card
        return
    if stream(torch, page.device) == number:
        page.send()
    else:
        with torch.cuda.stream(torch.cuda.ExternalStream(number, device=page.device)):
            page.send()
    _sent.append(page)


def outlive_other_streams(torch, device, tensors):
    """Keeps the allocator from handing out memory that we still read on a stream of the job's own."""
    if stream(torch, device):
        own = torch.cuda.current_stream(device)
        for t in tensors:
            t.record_stream(own)


_ONE = {size: kernel.batches([kernel.piece(1, size)]) for size in (1, 2, 4)}


class Number:
    """The one element of a tensor on a card as it is now, on its way home."""

    def __init__(self, torch, t):
        self.size, self.kind = t.element_size(), str(t.dtype)[len("torch."):]
        with torch.no_grad(), current(torch, t.device):
            t, number = t.detach(), stream(torch, t.device)
            if number:
                outlive_other_streams(torch, t.device, [t])
            launch = kernel.of(t.device.index) if self.size <= 4 and not t.is_neg() else None
            self.slots, self.summed = take(torch, t.device, 1, number), False
            if launch is not None:
                self.summed = launch(self.slots.address(), [t.data_ptr()], _ONE[self.size], number)
            if not self.summed:
                there = self.slots.page.block.there[self.slots.first:self.slots.first + 1]
                there.view(t.dtype)[:1].copy_(t.reshape(1))

    def bits(self):
        """Its bits as a whole number; waits where it has not arrived."""
        value = self.slots.read()[0]
        if self.summed:
            value *= _UNDO
        return value & (1 << 8 * self.size) - 1


# -- one launch for many tensors ----------------------------------------------------


def _kernel_sums(torch, device, tensors):
    """(terms, slots) by our own kernel; None where it cannot be had."""
    launch = kernel.of(device.index)
    if launch is None:
        return None
    terms, starts, pieces, copies = [], [], [], []
    for place, t in tensors:
        if not t.is_contiguous() or t.is_complex() or t.is_neg():
            t = _row_major(torch, t)
            copies.append(t)  # held until the launch is on its stream
        address = t.data_ptr()
        for times, begun, piece in stretches(t.numel(), t.element_size()):
            terms.append((place, times))
            starts.append(address + begun)
            pieces.append(piece)
    if not pieces:
        return None
    number = stream(torch, device)
    slots = take(torch, device, len(pieces), number)
    if launch(slots.address(), starts, kernel.batches(pieces), number):
        return terms, slots
    kernel.give_up(device.index)
    return None


def stretches(numel, size):
    """[(factor, bytes before it, piece)...] of a tensor of so many elements, each of `size` bytes: see `kernel.piece`."""
    lane = 4 if size >= 4 else size
    count = numel * size // lane
    if count <= PERIOD:
        return [(1, 0, kernel.piece(count, lane))] if count else []
    return [(factor(at // PERIOD), at * lane, kernel.piece(min(PERIOD, count - at), lane)) for at in range(0, count, PERIOD)]


def _row_major(torch, t):
    t = t.detach()
    if t.is_complex():
        t = torch.view_as_real(t.resolve_conj())
    return t.resolve_neg().contiguous()


# -- torch's own operations -----------------------------------------------------------


def _torch_sums(torch, device, tensors):
    terms, sums = card_sums(torch, tensors)
    if not sums:
        return None
    slots = take(torch, device, len(terms), stream(torch, device))
    slots.page.block.there[slots.first:slots.first + slots.count].copy_(torch.cat(sums))
    return terms, slots


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


_FIRST = 0x9E3779B97F4A7C15  # the first weight, before its bits are mixed
_FIRST = ((_FIRST ^ (_FIRST >> 31)) * 0xBF58476D1CE4E5B9) & MASK
_FIRST = (_FIRST ^ (_FIRST >> 29)) | 1
# A sum of one lane is that lane times the first weight, which is odd: what undoes it.
_UNDO = pow(_FIRST, -1, 1 << 64)


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
    t = _row_major(torch, t).reshape(-1)
    size = t.element_size()
    return t.view(torch.int32 if size >= 4 else torch.int16 if size == 2 else torch.uint8)


def card_sums(torch, tensors):
    """([(place, factor)...], sums): the leaf of the tensor at `place` is the sum of its terms, each times its factor.

    A leaf depends on the tensor alone, and not on what is summed with it.
    """
    sums, terms = [], []
    for place, t in tensors:
        flat = lanes(torch, t)
        for stretch in range(-(-flat.numel() // PERIOD)):
            part = flat[stretch * PERIOD:(stretch + 1) * PERIOD]
            terms.append((place, factor(stretch)))
            sums.append((part * weights(torch, part.numel(), part.device)).sum().reshape(1))
    return terms, sums
