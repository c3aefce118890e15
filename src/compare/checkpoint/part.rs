//! What of the training a path belongs to, by the words in it.

use crate::model::Part;

/// The words of a path's segments that tell what it belongs to; the first rule with such a word wins.
const RULES: &[(Part, &[&str])] = &[
    (Part::Generator, &["rng", "generator", "random_state", "np_random", "torch_random"]),
    (Part::Scaler, &["scaler", "grad_scaler", "gradscaler", "amp"]),
    (Part::Scheduler, &["scheduler", "lr_scheduler", "lr_schedulers", "sched", "last_epoch"]),
    (Part::Optimizer, &["optimizer", "optimizers", "optim", "opt", "exp_avg", "momentum_buffer", "param_groups"]),
    (Part::Average, &["ema", "swa", "averaged", "n_averaged", "shadow_params"]),
    (Part::Loader, &["sampler", "loader", "dataloader", "train_loader", "loops", "iterator"]),
];

/// Names of counters.
const COUNTERS: &[&str] =
    &["epoch", "epochs", "step", "steps", "global_step", "iteration", "iter", "it", "num_updates"];

/// Names under which a checkpoint keeps its weights; what stands below is a module's own business.
const WEIGHTS: &[&str] = &["model", "module", "state_dict", "model_state_dict", "net", "network", "weights"];

/// What a path belongs to.
pub fn of(path: &str) -> Part {
    let lower = path.to_lowercase();
    let segments: Vec<&str> = lower.split('.').collect();
    if segments.len() > 1 && WEIGHTS.contains(&segments[0]) {
        return Part::Weights;
    }
    let is = |segment: &str, word: &str| format!("_{segment}_").contains(&format!("_{word}_"));
    // The outermost segment that means something decides: an optimizer's `step` is the optimizer's.
    for segment in &segments {
        let rule = RULES.iter().find(|(_, words)| words.iter().any(|word| is(segment, word)));
        if let Some((part, _)) = rule {
            return *part;
        }
    }
    let last = segments.last().copied().unwrap_or_default();
    if COUNTERS.contains(&last) && segments.len() <= 2 {
        return Part::Counter;
    }
    if segments.first() == Some(&"__metadata__") { Part::Other } else { Part::Weights }
}

/// What an entry that is no tensor belongs to.
pub fn of_state(path: &str) -> Part {
    match of(path) {
        Part::Weights => Part::Other,
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_tell_what_they_belong_to() {
        for (path, part) in [
            ("model.layer.0.weight", Part::Weights),
            ("optimizer.state.0.exp_avg", Part::Optimizer),
            ("optimizer_state_dict.param_groups.0.lr", Part::Optimizer),
            ("state.0.exp_avg", Part::Optimizer),
            ("optimizer.state.0.step", Part::Optimizer),
            ("lr_scheduler.last_epoch", Part::Scheduler),
            ("scheduler.last_epoch", Part::Scheduler),
            ("rng_state", Part::Generator),
            ("torch_rng", Part::Generator),
            ("cuda_rng_state.0", Part::Generator),
            ("scaler.scale", Part::Scaler),
            ("ema.weight", Part::Average),
            ("sampler.index", Part::Loader),
            ("epoch", Part::Counter),
            ("global_step", Part::Counter),
            ("amplifier.weight", Part::Weights),
            ("model.loader.weight", Part::Weights),
            ("model.options.weight", Part::Weights),
        ] {
            assert_eq!(of(path), part, "{path}");
        }
        assert_eq!(of_state("note"), Part::Other);
    }
}
