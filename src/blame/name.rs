//! A setting that had to be held to the cause it stands for.
//!
//! Most settings are named like the cause they cure. A few are blunt: they cure causes of several names, and what the
//! record shows decides between them.

use super::nominate;
use crate::model::{Evidence, GlobalGenerator, Library, Operation, Outside, Seeding};

/// The cause that a held setting stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Named {
    /// The cause id.
    pub id: String,
    /// What the record adds to the intervention, where the name rests on it: then the cause is `likely` at best, since
    /// the intervention proved something wider.
    pub inferred: Option<String>,
}

impl Named {
    fn sure(id: &str) -> Self {
        Self { id: id.to_owned(), inferred: None }
    }

    fn inferred(id: &str, because: &str) -> Self {
        Self { id: id.to_owned(), inferred: Some(because.to_owned()) }
    }
}

/// Names the cause behind a setting that had to be held; `could_hold` tells which settings the search was able to hold,
/// so that a specific one which was held and did not help is not named after all.
pub(super) fn name(
    setting: &str,
    cures: &[String],
    evidence: Option<&Evidence>,
    could_hold: &dyn Fn(&str) -> bool,
) -> Named {
    match setting {
        "entropy" => evidence.map_or(Named::sure("entropy"), |evidence| what_entropy_feeds(evidence, could_hold)),
        "threads" => Named::sure("op.nondeterministic"), // threads of a CPU
        "deterministic_algorithms" | "cublas_workspace" => operation(evidence),
        "cudnn.enabled" => Named::sure("cudnn.deterministic"),
        "clock" => evidence.map_or(Named::sure("clock"), |evidence| what_the_clock_feeds(evidence, could_hold)),
        other => Named::sure(cures.iter().find(|cure| *cure == other).or(cures.first()).map_or(other, String::as_str)),
    }
}

fn what_entropy_feeds(evidence: &Evidence, could_hold: &dyn Fn(&str) -> bool) -> Named {
    let mut fed: Vec<(&str, &str)> = Vec::new();
    let listings = || evidence.reads.iter().filter(|read| read.what == Outside::Listing);
    let names_differ = listings().any(|read| read.names_differ == Some(true));
    if names_differ {
        fed.push(("order.filesystem", "the names in a directory that the job lists differ from run to run"));
    } else if listings().next().is_some() && nominate::makes_names(evidence) {
        fed.push(("order.filesystem", "the job makes up names and lists a directory"));
    }
    if evidence.own_generators.iter().any(|own| own.in_worker && is_random(own.seeding))
        || evidence.reads.iter().any(|read| read.what == Outside::Entropy && read.in_worker)
    {
        fed.push(("seed.worker", "a generator in the loader's workers is seeded from entropy"));
    }
    if evidence.loaders.iter().any(|loader| loader.generator.is_some_and(is_random)) {
        fed.push(("dataloader.generator", "the loader's generator is seeded from entropy"));
    }
    if evidence
        .own_generators
        .iter()
        .any(|own| !own.in_worker && own.library == Library::Numpy && is_random(own.seeding))
    {
        fed.push(("seed.numpy_generator", "a NumPy generator of the job's own is made without a seed"));
    }
    fed.extend(unseeded_globals(evidence));
    // A listing may follow random names, which no sorting cures; all others would have been cured by their own setting.
    fed.retain(|(id, _)| (*id == "order.filesystem" && names_differ) || !could_hold(id));
    match fed.as_slice() {
        [(id, because)] => Named::inferred(id, because),
        _ => Named::sure("entropy"),
    }
}

fn unseeded_globals(evidence: &Evidence) -> impl Iterator<Item = (&'static str, &'static str)> {
    let unseeded = |global: &&GlobalGenerator| global.differs && global.drawn && is_random(global.seeding);
    evidence.generators.iter().filter(unseeded).map(|global| match global.library {
        Library::Python => ("seed.python", "Python's generator is used and never seeded"),
        Library::Numpy => ("seed.numpy", "NumPy's generator is used and never seeded"),
        Library::Torch | Library::Cuda => ("seed.torch", "torch's generator is used and never seeded"),
    })
}

fn what_the_clock_feeds(evidence: &Evidence, could_hold: &dyn Fn(&str) -> bool) -> Named {
    let loader = evidence.loaders.iter().any(|loader| loader.generator == Some(Seeding::Clock));
    if loader && !could_hold("dataloader.generator") && !nominate::is_schedule(evidence) {
        return Named::inferred("dataloader.generator", "the loader's generator is seeded from the clock");
    }
    Named::sure("clock")
}

fn is_random(seeding: Seeding) -> bool {
    matches!(seeding, Seeding::Never | Seeding::Entropy)
}

/// On a card, operations that accumulate in no fixed order have names of their own.
pub(super) fn operation(evidence: Option<&Evidence>) -> Named {
    let guilty: Option<&Operation> = evidence.and_then(|e| e.operation.as_ref().or(e.alerts.first()));
    match guilty {
        Some(op) if op.device.starts_with("cuda") && op.name.contains("conv") => {
            Named::inferred("cudnn.deterministic", &format!("the operation is {}, on a card", op.name))
        }
        Some(op) if op.device.starts_with("cuda") && op.name.contains("attention") => {
            Named::inferred("sdpa.backend", &format!("the operation is {}, on a card", op.name))
        }
        Some(op) if op.device.starts_with("cuda") => Named::sure("cuda.atomics"),
        _ => Named::sure("op.nondeterministic"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Loader, OwnGenerator, Read};

    fn with_random_names() -> Evidence {
        let read = Read {
            what: Outside::Listing,
            count: 1,
            in_worker: false,
            names_differ: Some(true),
            order_differs: None,
            location: None,
        };
        Evidence { reads: vec![read], ..Evidence::default() }
    }

    fn named(setting: &str, evidence: &Evidence) -> String {
        name(setting, &[], Some(evidence), &|_| true).id
    }

    #[test]
    fn random_file_names_are_a_file_order_and_not_mere_entropy() {
        assert_eq!(named("entropy", &with_random_names()), "order.filesystem");
    }

    #[test]
    fn entropy_is_not_called_a_worker_seed_where_holding_worker_seeds_did_not_help() {
        let own = OwnGenerator { library: Library::Python, seeding: Seeding::Never, in_worker: true, location: None };
        let evidence = Evidence { own_generators: vec![own], ..Evidence::default() };
        assert_eq!(named("entropy", &evidence), "entropy");
        assert_eq!(name("entropy", &[], Some(&evidence), &|_| false).id, "seed.worker");
    }

    #[test]
    fn two_things_that_entropy_feeds_are_called_entropy() {
        let mut evidence = with_random_names();
        evidence.loaders =
            vec![Loader { workers: 0, in_order: true, generator: Some(Seeding::Entropy), location: None }];
        assert_eq!(name("entropy", &[], Some(&evidence), &|_| false).id, "entropy");
    }

    #[test]
    fn one_thread_and_deterministic_algorithms_stand_for_the_same_cause() {
        assert_eq!(named("threads", &Evidence::default()), "op.nondeterministic");
        assert_eq!(named("deterministic_algorithms", &Evidence::default()), "op.nondeterministic");
    }

    #[test]
    fn on_a_card_the_operation_names_the_cause() {
        let on = |device: &str, name: &str| {
            let operation = Operation { name: name.to_owned(), device: device.to_owned(), location: None };
            named("deterministic_algorithms", &Evidence { operation: Some(operation), ..Evidence::default() })
        };
        assert_eq!(on("cuda", "aten.convolution_backward.default"), "cudnn.deterministic");
        assert_eq!(on("cuda", "aten._scaled_dot_product_flash_attention_backward.default"), "sdpa.backend");
        assert_eq!(on("cuda", "aten.index_add_.default"), "cuda.atomics");
        assert_eq!(on("cpu", "aten.convolution_backward.default"), "op.nondeterministic");

        let unseen = Evidence { cuda: true, ..Evidence::default() };
        assert_eq!(named("deterministic_algorithms", &unseen), "op.nondeterministic", "a CPU's is not ruled out");
    }

    #[test]
    fn a_setting_of_the_users_own_is_named_by_what_it_cures() {
        assert_eq!(name("my.flag", &["env.version".to_owned()], None, &|_| true).id, "env.version");
        assert_eq!(name("my.flag", &[], None, &|_| true).id, "my.flag");
    }
}
