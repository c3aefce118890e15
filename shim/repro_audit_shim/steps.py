"""What each optimizer step saw, in execution order.

Generators, batch, parameters before, inputs of the root module, loss, gradients,
learning rates, parameters and optimizer state after. The parameters after one
step are those before the next, unless somebody wrote to them in between, which
their version counters tell.
"""
import os
import struct
import sys

from repro_audit_shim import card, core, digest, guards, plan, record
from repro_audit_shim.generators import Generators

_now = record.now


class Recorder:
    """One per process that trains."""

    def __init__(self, torch):
        self.torch = torch
        self.own_modes = [0]
        self.busy = guards.make(torch, self.own_modes)
        self.full = core.state.level == "full"
        self.active = core.recording()
        self.generators = Generators(torch)
        self.optimizers = {}
        self.kept = []
        self.step = 0
        self.first_steps = 0
        self.losses = []
        self.batches = []
        self.inputs = None
        self.output_number = 0
        self.forwards = 0
        self.versions = {}
        self.pending = None
        self.sent = []  # [(pages on their way, the record that waits for them)...]
        self.caught_up = False  # has a backward pass written what was complete since the last record?
        self.deferred = False
        self.pid = os.getpid()
        self.said = False

    # -- what the parts report -------------------------------------------------

    def saw_optimizer(self, optimizer):
        """First sight of the generators: when the first optimizer is built."""
        if self.kept or not self.active or self.busy():
            return
        self.kept.append(optimizer)
        item = {"r": "start", "t": _now(), "items": self._rng_items()}
        if self.full:
            item["items"].append(["params", self._params(optimizer)[1]])
        self._emit(item)

    def saw_loss(self, tensors):
        """Keeps the losses of this step; their bits are read when the step is written.

        What a card has delivered meanwhile is written now: the forward pass is on its queue, so that it has work.
        """
        for t in tensors:
            if len(self.losses) < 64 and isinstance(t, self.torch.Tensor):
                self.losses.append(self._seen(t))
        if self.sent:
            self.flush()
            self.caught_up = True

    def saw_batch(self, batch):
        """Digests a batch as it leaves its loader."""
        if not self.active or self.busy():
            return
        gather = digest.Gather(self.torch)
        gather.tree(batch)
        root = gather.finish()[1]
        self.batches.append(root)
        if len(self.batches) > 4096:
            del self.batches[:2048]

    # -- a step ----------------------------------------------------------------

    def before(self, optimizer, closure_follows):
        """Called when `optimizer.step` begins."""
        index = self._index(optimizer)
        if index == 0:
            self.first_steps += 1
        self.pending = None
        if not self.active or self.busy():
            return
        self._say_libraries()
        started = _now()
        items = self._rng_items()
        self.pending = {"items": items, "opt": index, "t": started, "leaves": {}}
        if self.batches:
            items.append(["batch", list(self.batches)])
            del self.batches[:]
        if self.full:
            leaves, root = self._params(optimizer)
            items.append(["params_before", root])
            if self._wants_leaves():
                self.pending["leaves"]["params_before"] = leaves
        if self.inputs is not None:
            items.append(["inputs", self.inputs])
            self.inputs = None
        if not closure_follows:
            self._losses_and_gradients(optimizer)

    def after_closure(self, optimizer):
        """A closure has returned: its gradients are the step's."""
        if self.pending is not None and not self.busy():
            self._losses_and_gradients(optimizer)

    def _losses_and_gradients(self, optimizer):
        items = self.pending["items"]
        if self.losses:
            items.append(["loss", self.losses])
            self.losses = []
        if self.full:
            grads = [p.grad for group in optimizer.param_groups for p in group["params"]]
            leaves, root = plan.digest_of(self.torch, ("grads", id(optimizer)), grads)
            items.append(["grads", root])
            if self._wants_leaves():
                self.pending["leaves"]["grads"] = leaves

    def after(self, optimizer):
        """Called when `optimizer.step` has returned."""
        pending, self.pending = self.pending, None
        if pending is None or self.busy():
            return
        items = pending["items"]
        items.append(["lr", [self._seen(g.get("lr")) for g in optimizer.param_groups]])
        if self.full:
            leaves, root = self._params(optimizer, fresh=True)
            items.append(["params", root])
            if self._wants_leaves():
                pending["leaves"]["params"] = leaves
            items.append(["optimizer", self._optimizer_state(optimizer)])
        item = {"r": "step", "n": self.step, "opt": pending["opt"], "t": pending["t"], "items": items}
        if pending["leaves"]:
            item["leaves"] = pending["leaves"]
        self.step += 1
        self._emit(item)

    def skipped(self, optimizer):
        """A gradient scaler left this step out."""
        if not self.active or self.busy():
            return
        items = self._rng_items()
        if self.losses:
            items.append(["loss", self.losses])
            self.losses = []
        self._emit({"r": "skipped", "n": self.step, "opt": self._index(optimizer), "t": _now(), "items": items})

    # -- pieces ----------------------------------------------------------------

    def _seen(self, value):
        """A number as it is now: its bits, or on their way from a card."""
        if isinstance(value, self.torch.Tensor) and value.is_cuda:
            self.deferred = True
            if value.numel() == 1 and value.element_size() <= 8:
                return card.Number(self.torch, value)
        return _bits(value, self.torch)

    def _index(self, optimizer):
        index = self.optimizers.get(id(optimizer))
        if index is None:
            index = self.optimizers[id(optimizer)] = len(self.optimizers)
            if len(self.kept) < 64:
                self.kept.append(optimizer)
        return index

    def _wants_leaves(self):
        return self.step == 0

    def _rng_items(self):
        return self.generators.look()

    def _params(self, optimizer, fresh=False):
        params = [p for g in optimizer.param_groups for p in g["params"]]
        return self.weights(id(optimizer), params, fresh)

    def weights(self, key, tensors, fresh=False):
        """(leaves, root) of these tensors; from memory where none was written to since."""
        try:
            version = sum([t._version for t in tensors]) + (len(tensors) << 48)
            where = tensors[0].data_ptr() if tensors else 0
        except (RuntimeError, AttributeError):
            version, where = None, 0
        known = self.versions.get(key)
        if not fresh and version is not None and known is not None and known[0] == (version, where):
            return known[1]
        result = plan.digest_of(self.torch, key, tensors)
        if len(self.versions) < 256:
            self.versions[key] = ((version, where), result)
        return result

    def _optimizer_state(self, optimizer):
        params = [p for group in optimizer.param_groups for p in group["params"]]
        state = optimizer.state
        in_order = list(map(id, state)) == list(map(id, params))  # a look at each takes longer: tensors hash slowly
        entries = state.values() if in_order else [state.get(p) for p in params]
        values = [value for entry in entries if entry for value in entry.values()]
        Tensor = self.torch.Tensor
        if all([isinstance(value, Tensor) for value in values]):
            return plan.digest_of(self.torch, ("state", id(optimizer)), values)[1]
        gather = digest.Gather(self.torch)
        for value in values:
            gather.tree(value)
        return gather.finish()[1]

    def _say_libraries(self):
        if self.said:
            return
        self.said = True
        core.tell_hash_order()
        torch = self.torch
        numpy = sys.modules.get("numpy")
        record.write({
            "r": "libraries", "torch": torch.__version__, "numpy": getattr(numpy, "__version__", None),
            "cuda": getattr(torch.version, "cuda", None), "device_available": bool(torch.cuda.is_available()),
            "cudnn": torch.backends.cudnn.version() if torch.backends.cudnn.is_available() else None,
            "flags": {
                "threads": torch.get_num_threads(),
                "deterministic_algorithms": torch.are_deterministic_algorithms_enabled(),
                "cudnn.enabled": torch._C._get_cudnn_enabled(),
                "cudnn.benchmark": torch._C._get_cudnn_benchmark(),
                "cudnn.deterministic": torch._C._get_cudnn_deterministic(),
            }})

    # -- writing ---------------------------------------------------------------

    def _emit(self, item):
        """Writes in order; what still waits for a card holds back what follows it."""
        if not digest.deferred and not self.deferred:
            record.write(self._settle(item))
            return
        if self.pid != os.getpid():
            self.sent = []  # a forked child inherits what its parent is about to write
        self.pid = os.getpid()
        self.sent.append((card.send(), item))
        if not self.caught_up:
            self.flush(wait=len(self.sent) > 512)
        self.caught_up = False

    def flush(self, wait=False):
        """Writes every record that is complete; with `wait`, all of them."""
        complete = []
        while self.sent and (wait or all([page.ready() for page in self.sent[0][0]])):
            complete.append(self.sent.pop(0)[1])
        if complete:
            record.write(*[self._settle(item) for item in complete])

    def _settle(self, item):
        if "d" in item:
            item["d"] = self._text(item["d"])
        items = item.get("items")
        if items:
            item["items"] = [self._settled(part) for part in items]
        leaves = item.get("leaves")
        if leaves:
            item["leaves"] = {k: [digest.text(x) for x in v[:4096]] for k, v in leaves.items()}
        return item

    def _settled(self, part):
        name, value = part[0], part[1]
        if name in ("loss", "lr"):
            return [name, [t if isinstance(t, list) else _bits(t, self.torch) for t in value]]
        if name == "batch" and isinstance(value, list):
            roots = [self._number(v) for v in value]
            return [name, digest.text(roots[0] if len(roots) == 1 else digest.combine(roots)), len(roots)]
        if name.startswith("rng.") or isinstance(value, str):
            return part
        return [name, self._text(value)]

    def _number(self, value):
        if isinstance(value, digest.Promise):
            return value.root()
        return 0 if value is None else value

    def _text(self, value):
        return value if value is None or isinstance(value, str) else digest.text(self._number(value))


_NUMBERS = {"float32": ">f", "float64": ">d", "float16": ">e"}


def _bits(value, torch):
    """A number's exact bits as hex and its type; a tensor's element bits."""
    if isinstance(value, card.Number):
        return ["%0*x" % (2 * value.size, value.bits()), value.kind]
    if isinstance(value, torch.Tensor):
        kind = str(value.dtype).replace("torch.", "")
        if value.device.type == "meta":
            return ["meta", kind]
        number = _NUMBERS.get(kind)
        if number is not None and value.numel() == 1 and value.is_cpu:
            seen = value.item()
            if seen == seen:  # a NaN's own bits are read from memory below
                return [struct.pack(number, seen).hex(), kind]
        flat = value.detach().reshape(-1)
        if flat.numel() != 1:
            gather = digest.Gather(torch)
            gather.tensor(flat.cpu())
            return [digest.text(gather.finish()[1]), kind + "[]"]
        raw = flat.cpu().contiguous()
        import ctypes

        size = raw.element_size()
        data = ctypes.string_at(raw.data_ptr(), size)
        return [data[::-1].hex() if sys.byteorder == "little" else data.hex(), kind]
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return [str(value)[:64], type(value).__name__]
    return [struct.pack(">d", float(value)).hex(), "float64"]


current = None


def arm(torch):
    """Hooks optimizers, backward, loaders and modules into one recorder."""
    global current
    if current is not None:
        return
    current = recorder = Recorder(torch)
    from repro_audit_shim import finish, loaders, outputs, training

    if core.state.drill:
        from repro_audit_shim import drill

        drill.arm(torch, recorder)
    training.hook(torch, recorder)
    if recorder.active:
        loaders.hook(torch, recorder)
        outputs.hook(torch, recorder)
    if core.state.resume:
        from repro_audit_shim import resume

        resume.arm(torch, recorder)
    if core.state.kill:
        from repro_audit_shim import interrupt

        interrupt.arm(torch, recorder)
    finish.arm(recorder)
