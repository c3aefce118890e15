//! A cause to one plain line.

/// The line for a cause that was shown by holding `setting`, where that tells more than the cause.
pub(super) fn summary_of_holding(setting: &str) -> Option<&'static str> {
    (setting == "cuda.streams").then_some("streams of the card, or the host, read what nobody waited for")
}

/// One line that says what the cause is, as a statement about the job.
pub fn summary(cause: &str) -> String {
    let text = match cause {
        "seed.python" => "Python's random is not seeded, or too late",
        "seed.numpy" => "NumPy's global generator is not seeded, or too late",
        "seed.torch" => "torch is not seeded, or only after it was used",
        "seed.numpy_generator" => "a NumPy generator of the job's own is made without a seed",
        "seed.worker" => "a generator used in loader workers is not derived from the run's seed",
        "dataloader.generator" => "the loader's generator is seeded from entropy or the clock",
        "hashseed" => "an order or split depends on the hashes of strings, which differ in every process",
        "order.filesystem" => "the order of the data follows the names or order of files, which differ from run to run",
        "leftovers" => "a run reads files that an earlier run left",
        "clock" => "the time enters training",
        "entropy" => "random bytes or ids of the operating system enter training",
        "race" => "threads or processes decide an order",
        "op.nondeterministic" => "an operation adds up in no fixed order",
        "cuda.atomics" => "an operation on the card adds up in no fixed order",
        "uninitialised" => "memory is read before it is written",
        "alias.state_dict" => "a kept state shares storage with the live weights",
        "dataloader.num_workers" => "the result depends on num_workers",
        "dataloader.batch_size" => "the result depends on batch_size",
        "threads" => "the result depends on the number of threads",
        "device" => "the result depends on the device",
        "cudnn.benchmark" => "cuDNN chooses convolution algorithms by timing",
        "cudnn.deterministic" => "a cuDNN convolution adds up in no fixed order",
        "cuda.tf32" => "matrix products round to TF32",
        "sdpa.backend" => "the attention backend does not repeat",
        "nccl.order" => "cards are added up in an order that changes",
        "compile" => "the compiled program differs from the eager one",
        "env.version" => "a library has another version",
        "resume.rng" => "the checkpoint lacks generator states",
        "resume.scheduler" => "the checkpoint lacks the schedule's state",
        "resume.optimizer" => "the checkpoint lacks the optimizer's state",
        "resume.sampler" => "the checkpoint lacks the position in the data",
        "resume.precision" => "the checkpoint holds the weights in lower precision",
        "resume.state" => "the checkpoint lacks other state that training reads",
        "unknown" => "nothing in the catalogue makes the runs agree",
        other => return format!("the result depends on {other}"),
    };
    text.to_owned()
}
