"""Inputs of the root module for every step; its outputs where nothing is trained."""
from repro_audit_shim import core, digest, plan, record
from repro_audit_shim.guards import compiling

LIMIT = 100000


def hook(torch, recorder):
    """Replaces `nn.Module.__call__`, with a flag so that only the outermost call is looked at."""
    module = torch.nn.Module
    original = module.__call__
    depth = [0]
    saw_inputs = core.guarded("inputs", _inputs)
    saw_outputs = core.guarded("outputs", _outputs)
    enabled = torch.is_grad_enabled

    def __call__(self, *args, **kwargs):
        if compiling[0]() or depth[0]:
            return original(self, *args, **kwargs)
        depth[0] = 1
        try:
            watch = not core.state.disabled and not recorder.busy()
            trains = watch and enabled()
            before = None
            if watch:
                if trains:
                    recorder.forwards += 1
                    # where a loader's batch was digested, what the module was given follows from it
                    if recorder.inputs is None and (recorder.full or not recorder.batches):
                        saw_inputs(recorder, args, kwargs)
                else:
                    before = True
            result = original(self, *args, **kwargs)
            if before:
                saw_outputs(recorder, self, args, kwargs, result)
            return result
        finally:
            depth[0] = 0

    module.__call__ = core.dress(__call__, original)


def _inputs(recorder, args, kwargs):
    Tensor = recorder.torch.Tensor
    if args and not kwargs and all([type(one) is Tensor and one.is_cuda for one in args]):
        recorder.inputs = plan.digest_of(recorder.torch, "inputs", list(args))[1]
        return
    gather = digest.Gather(recorder.torch)
    gather.tree(list(args))
    if kwargs:
        gather.tree(kwargs)
    recorder.inputs = gather.finish()[1]


def _outputs(recorder, module, args, kwargs, result):
    if recorder.output_number >= LIMIT:
        return
    items = recorder._rng_items()
    if recorder.batches:
        items.append(["batch", list(recorder.batches)])
        del recorder.batches[:]
    if recorder.full:
        tensors = list(module.parameters()) + list(module.buffers())
        items.append(["params_before", recorder.weights(("module", id(module)), tensors)[1]])
    gather = digest.Gather(recorder.torch)
    gather.tree(list(args))
    gather.tree(kwargs)
    items.append(["inputs", gather.finish()[1]])
    gather = digest.Gather(recorder.torch)
    gather.tree(result)
    items.append(["output", gather.finish()[1]])
    recorder._say_libraries()
    recorder._emit({"r": "output", "n": recorder.output_number, "after_step": recorder.step,
                    "t": record.now(), "module": type(module).__name__, "training": module.training,
                    "items": items})
    recorder.output_number += 1
