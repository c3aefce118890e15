//! A cause to what to do about it: code or a command, limited to what was shown to be necessary.

use crate::model::{Cause, Grade, Remedy};

/// What to do about one cause.
pub fn remedy(cause: &str) -> Remedy {
    match cause {
        "seed.python" => "import random\nrandom.seed(0)  # first thing the program does",
        "seed.numpy" => "import numpy\nnumpy.random.seed(0)  # first thing the program does",
        "seed.torch" => {
            "import torch\ntorch.manual_seed(0)  # before the model is built; it reaches the cards and the loader's workers too"
        }
        "seed.numpy_generator" => {
            "rng = numpy.random.default_rng(0)  # give it a seed where it is made; numpy.random.seed does not reach it"
        }
        "seed.worker" => {
            "def seed_worker(worker_id):\n    seed = torch.initial_seed() % 2**32  # the run's seed plus the worker's id\n    \
             ...  # seed with it the generator that the worker uses\n\nDataLoader(..., worker_init_fn=seed_worker)"
        }
        "dataloader.generator" => {
            "g = torch.Generator()\ng.manual_seed(0)  # not g.seed(), which takes entropy\nDataLoader(..., generator=g)"
        }
        "hashseed" => "PYTHONHASHSEED=0 python ...  # before Python starts; or sort what is taken from a set",
        "order.filesystem" => "sorted(os.listdir(...))  # sort by names that do not change from run to run, and count files up when naming them",
        "leftovers" => {
            "write into a new folder for each run, or start from an empty one; let what is kept for later runs not depend on which run made it"
        }
        "clock" => "count steps instead of seconds, and take no seed from the time",
        "entropy" => "derive ids and draws from the run's seed instead of urandom, uuid4, secrets, process ids or a generator made without a seed",
        "race" => "take results in the order asked for: DataLoader(..., in_order=True), map instead of imap_unordered, one process that updates",
        "op.nondeterministic" | "cuda.atomics" => {
            "torch.use_deterministic_algorithms(True)  # with CUBLAS_WORKSPACE_CONFIG=:4096:8 on a card"
        }
        "uninitialised" => "zeros(...) instead of empty(...), of torch or of NumPy, or write every element before it is read",
        "alias.state_dict" => "best = copy.deepcopy(model.state_dict())  # state_dict() alone follows the live weights",
        "dataloader.num_workers" => "keep num_workers the same, or draw per item: a generator seeded with the run's seed and the item's index",
        "dataloader.batch_size" => "keep the batch size the same",
        "threads" => "OMP_NUM_THREADS=1 python ...  # or the same number everywhere",
        "device" => "compare runs of the same device only",
        "cudnn.benchmark" => "torch.backends.cudnn.benchmark = False",
        "cudnn.deterministic" => "torch.backends.cudnn.deterministic = True",
        "cuda.tf32" => "torch.backends.cuda.matmul.allow_tf32 = False\ntorch.backends.cudnn.allow_tf32 = False",
        "sdpa.backend" => "with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH): ...",
        "nccl.order" => "NCCL_ALGO=Ring NCCL_NVLS_ENABLE=0 ...",
        "compile" => "run eagerly, or compile in both runs with torch._inductor.config.fallback_random = True",
        "env.version" => "install the same versions of the libraries",
        "resume.rng" => {
            "# saving\nstate[\"rng\"] = (random.getstate(), numpy.random.get_state(), torch.get_rng_state(), torch.cuda.get_rng_state_all())\n\
             # loading, after everything that draws\npython, array, cpu, cards = state[\"rng\"]\nrandom.setstate(python)\n\
             numpy.random.set_state(array)\ntorch.set_rng_state(cpu)\ntorch.cuda.set_rng_state_all(cards)"
        }
        "resume.scheduler" => {
            "# saving\nstate[\"scheduler\"] = scheduler.state_dict()\n# loading, after the scheduler is built\n\
             scheduler.load_state_dict(state[\"scheduler\"])"
        }
        "resume.optimizer" => {
            "# saving\nstate[\"optimizer\"] = optimizer.state_dict()\n# loading, before the first step\n\
             optimizer.load_state_dict(state[\"optimizer\"])"
        }
        "resume.sampler" => {
            "# saving\nstate[\"epoch\"], state[\"batches_done\"] = epoch, batches_done\nstate[\"order\"] = generator.get_state()  # as it was when the epoch began\n\
             # loading: draw the same order again, then leave out the batches that were done\n\
             generator.set_state(state[\"order\"])\nbatches = itertools.islice(loader, state[\"batches_done\"], None)"
        }
        "resume.precision" => {
            "# saving: no .half() or .bfloat16() on what training goes on from\nstate[\"model\"] = model.state_dict()\n\
             # export a smaller copy for inference into another file"
        }
        "resume.state" => {
            "# saving and loading: every other state that training or evaluation reads\n\
             state[\"average\"], state[\"scaler\"], state[\"counters\"] = average, scaler.state_dict(), counters"
        }
        _ => "",
    }
    .to_owned()
}

/// What to do about a cause that was shown by holding `setting`: where that is wider than the cause, or another framework's,
/// only what was held is known to help.
pub(super) fn by_holding(setting: &str, cause: &str) -> Remedy {
    match setting {
        "deterministic_algorithms" => remedy("op.nondeterministic"),
        "threads" => "OMP_NUM_THREADS=1 python ...  # or do the operation by others, which add up in a fixed order".to_owned(),
        "cublas_workspace" => "CUBLAS_WORKSPACE_CONFIG=:4096:8 python ...".to_owned(),
        "cuda.streams" => {
            "torch.cuda.current_stream().wait_stream(side)  # before using what another stream wrote\n\
             torch.cuda.current_stream().synchronize()  # before the host reads a copy made with non_blocking=True"
                .to_owned()
        }
        "xla.deterministic_ops" => {
            "XLA_FLAGS=--xla_gpu_deterministic_ops=true python ...  # slower scatters; or sum by segments that are sorted".to_owned()
        }
        "tf.deterministic_ops" => "tf.config.experimental.enable_op_determinism()  # or TF_DETERMINISTIC_OPS=1 python ...".to_owned(),
        "tf.cudnn_deterministic" => "TF_CUDNN_DETERMINISTIC=1 python ...".to_owned(),
        "tf.cudnn_autotune" => "TF_CUDNN_USE_AUTOTUNE=0 python ...".to_owned(),
        "jax.matmul_precision" => "jax.config.update(\"jax_default_matmul_precision\", \"float32\")".to_owned(),
        _ => remedy(cause),
    }
}

/// One function that makes the run repeatable, limited to the causes that were proved or are likely; empty where none of
/// them is cured by a call at the start of the program.
pub fn function(causes: &[Cause]) -> String {
    let wanted = |id: &str| causes.iter().any(|cause| cause.grade != Grade::Suspected && cause.remedy == remedy(id));
    let parts: Vec<(&str, &str)> =
        CALLS.iter().filter(|(id, ..)| wanted(id)).map(|&(_, module, call)| (module, call)).collect();
    if parts.is_empty() {
        return String::new();
    }
    let mut modules: Vec<&str> = parts.iter().map(|&(module, _)| module).collect();
    modules.sort_unstable();
    modules.dedup();
    let imports: String = modules.iter().map(|module| format!("import {module}\n")).collect();
    let calls: String = parts.iter().map(|(_, call)| format!("    {call}\n")).collect();
    let head = "def make_repeatable(seed=0):\n    \"\"\"Call this before anything else; only what was found necessary.\"\"\"\n";
    format!("{imports}\n\n{head}{calls}")
}

/// Causes whose remedy is one call at the start of the program: the cause, the module to import, the call.
const CALLS: [(&str, &str, &str); 7] = [
    ("seed.python", "random", "random.seed(seed)"),
    ("seed.numpy", "numpy", "numpy.random.seed(seed)"),
    ("seed.torch", "torch", "torch.manual_seed(seed)"),
    ("op.nondeterministic", "torch", "torch.use_deterministic_algorithms(True)"),
    ("cudnn.benchmark", "torch", "torch.backends.cudnn.benchmark = False"),
    ("cudnn.deterministic", "torch", "torch.backends.cudnn.deterministic = True"),
    ("cuda.tf32", "torch", "torch.backends.cuda.matmul.allow_tf32 = False"),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn cause(id: &str, grade: Grade) -> Cause {
        Cause {
            id: id.to_owned(),
            grade,
            summary: String::new(),
            evidence: Vec::new(),
            remedy: remedy(id),
            location: None,
            price: None,
        }
    }

    #[test]
    fn the_function_seeds_only_what_was_found_necessary() {
        let text = function(&[cause("seed.torch", Grade::Proved), cause("seed.numpy", Grade::Suspected)]);
        assert_eq!(
            text,
            "import torch\n\n\ndef make_repeatable(seed=0):\n    \"\"\"Call this before anything else; only what was \
             found necessary.\"\"\"\n    torch.manual_seed(seed)\n"
        );
    }

    #[test]
    fn two_causes_give_one_function() {
        let text = function(&[cause("seed.torch", Grade::Proved), cause("seed.python", Grade::Proved)]);
        assert!(text.starts_with("import random\nimport torch\n"), "{text}");
    }

    #[test]
    fn a_cause_without_a_call_gives_no_function() {
        assert_eq!(function(&[cause("hashseed", Grade::Proved)]), "");
    }
}
