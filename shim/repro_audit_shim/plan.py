"""What was found out once about a list of tensors that comes again at every step: on a card, where the time goes.

To ask each tensor by itself what it is takes longer than the card takes to sum it, and while the card has nothing to do
the job waits for us. So every question is put to all tensors at once, and where the answers are those of the last time
only the addresses are new. Of tensors that are the very same ones as last time little has to be asked.
"""
import weakref
from operator import attrgetter

from repro_audit_shim import card, digest, kernel

_MOST = 256
_plans = {}


def digest_of(torch, key, tensors):
    """(leaves, root) of a list of tensors or None, as `digest.Gather` gives them. `key` names the list from step to step."""
    if torch.cuda.is_initialized():
        found = _by_plan(torch, key, tensors)
        if found is not None:
            return found
    gather = digest.Gather(torch)
    gather.tensors(tensors)
    return gather.finish()


def _by_plan(torch, key, tensors):
    plan = _plans.get(key)
    same = plan is not None and plan.last.same(tensors)
    if not same:
        kinds = list(map(type, tensors))
        if plan is None or plan.kinds != kinds:
            if len(_plans) >= _MOST and key not in _plans:
                return None
            plan = _plans[key] = Plan(torch, kinds)
    return plan.digest(torch, tensors, same)


class Same:
    """Are these the tensors of the last time? Known where all of them have lived on."""

    def __init__(self):
        self.ids, self.known, self.refs, self.left = None, False, (), 3

    def same(self, tensors):
        """True where they certainly are."""
        ids = list(map(id, tensors))
        if ids != self.ids:
            self.ids, self.known, self.refs = ids, False, ()
            return False
        if self.known:
            return True
        # Met twice. Those that are made anew at every step often have the numbers of the ones before.
        if self.left and not self.refs:
            self.left -= 1
            self.refs = [weakref.ref(t, self._gone) for t in tensors if t is not None]
            self.known = True
        return False

    def _gone(self, _):
        self.known = False


class Plan:
    """How the tensors of one list are summed, all of them on one card or beside it on the CPU; unusable for any other."""

    def __init__(self, torch, kinds):
        self.kinds, self.tensor = kinds, torch.Tensor
        self.places = [place for place, kind in enumerate(kinds) if kind is not type(None)]
        plain = (torch.Tensor, torch.nn.Parameter)
        self.usable = bool(self.places) and all(kinds[place] in plain for place in self.places)
        self.asks = [torch.Tensor.get_device, torch.Tensor.size, torch.Tensor.is_neg, torch.Tensor.is_conj]
        self.looks = attrgetter("dtype", "layout")
        self.last = Same()
        self.answers = self.device = self.addresses = self.sizes = None

    def digest(self, torch, tensors, same):
        """(leaves, root), or None where this is no list for a plan. `same`: these are the very tensors of the last time."""
        if not self.usable:
            return None
        if len(self.places) < len(tensors):
            tensors = [tensors[place] for place in self.places]
        addresses = self._addresses(torch, tensors, same)
        if addresses is None:
            return None
        leaves = list(self.leaves)
        if self.on_cpu:
            some = digest.memory([addresses[at] for at in self.on_cpu], self.lengths)[0]
            for at, leaf in zip(self.on_cpu, some):
                leaves[self.places[at]] = leaf
        slots = self._launch(torch, tensors, addresses)
        if slots is None:
            return None
        digest.deferred = True
        return leaves, digest.Promise(leaves, [(self.terms, slots)])

    def _addresses(self, torch, tensors, same):
        """Where the tensors lie; None where they cannot be summed together."""
        known, self.addresses = self.addresses, None
        try:
            addresses, sizes = list(map(self.tensor.data_ptr, tensors)), list(map(self.tensor.numel, tensors))
            if not same or addresses != known or sizes != self.sizes:
                answers = [list(map(ask, tensors)) for ask in self.asks]
                answers.append(list(map(self.looks, tensors)))
                if answers != self.answers:
                    self._learn(torch, tensors, answers)
                if self.device is None or not all(map(self.tensor.is_contiguous, tensors)):
                    return None
        except (RuntimeError, NotImplementedError):  # no memory of their own: sparse ones
            return None
        self.addresses, self.sizes = addresses, sizes
        return addresses

    def _learn(self, torch, tensors, answers):
        """Takes in what the tensors are; `device` stays None where they cannot be summed together."""
        self.answers, self.device = answers, None
        on_card = {number for number in answers[0] if number >= 0}
        strided = all(layout is torch.strided for _, layout in answers[-1])
        if len(on_card) != 1 or not strided or any(answers[2]) or any(answers[3]) or any(map(torch.is_complex, tensors)):
            return
        self.leaves = [digest.value_leaf(None)] * len(self.kinds)
        self.terms, self.first, self.pieces, self.on_cpu, self.lengths = [], [], [], [], []
        for at, (place, t, number) in enumerate(zip(self.places, tensors, answers[0])):
            size = t.element_size()
            if number < 0:
                if not t.is_cpu:
                    return
                self.on_cpu.append(at)
                self.lengths.append(t.numel() * size)
                continue
            self.leaves[place] = digest.size_leaf(t)
            for factor, begun, piece in card.stretches(t.numel(), size):
                self.terms.append((place, factor))
                self.first.append((at, begun))
                self.pieces.append(piece)
        if self.pieces:
            self.whole = [at for at, begun in self.first] if not any(begun for _, begun in self.first) else None
            self.batches = kernel.batches(self.pieces)
            self.device = torch.device("cuda", on_card.pop())

    def _launch(self, torch, tensors, addresses):
        """The slots in which the sums will be; None where the kernel cannot be had."""
        with card.current(torch, self.device):
            launch = kernel.of(self.device.index)
            if launch is None:
                return None
            stream = card.stream(torch, self.device)
            if stream:
                card.outlive_other_streams(torch, self.device, [t for t in tensors if t.is_cuda])
            slots = card.take(torch, self.device, len(self.pieces), stream)
            if self.whole is not None:
                starts = [addresses[at] for at in self.whole]
            else:
                starts = [addresses[at] + begun for at, begun in self.first]
            if launch(slots.address(), starts, self.batches, stream):
                return slots
            kernel.give_up(self.device.index)
            return None
