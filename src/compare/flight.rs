//! Two flight records to the first item that differs: the stage of the step at which the runs part.

use crate::model::flight::{
    ExactLoss, Flight, FlightDivergence, FlightItem, FlightProcess, FlightStep, GuiltyOperation,
};
use crate::model::{Point, Reading, Role, Series, Source, name_of_rank};

/// Where two runs first part, over all ranks; `None` where everything that matters agrees as far as both go.
pub fn flights(a: &Flight, b: &Flight) -> Option<FlightDivergence> {
    let pairs = pairs(a, b);
    pairs.into_iter().filter_map(|(a, b)| processes(a, b)).min_by_key(|found| (found.step, found.index, found.rank))
}

/// The same, per rank: the first difference of each process that both runs have.
pub fn by_rank(a: &Flight, b: &Flight) -> Vec<FlightDivergence> {
    pairs(a, b).into_iter().filter_map(|(a, b)| processes(a, b)).collect()
}

/// The losses of each rank's first process that trained, to the bit, as a reading that compares like a log; `None` without
/// any. Steps are those of its first optimizer, counted from 0.
pub fn exact_losses(flight: &Flight) -> Option<Reading> {
    let mut found: Vec<Series> = Vec::new();
    for process in flight.trained() {
        let rank = process.rank.map_or(0, |rank| u32::try_from(rank).unwrap_or(u32::MAX));
        let metric = name_of_rank("loss", rank);
        let losses = process.losses();
        if losses.is_empty() || found.iter().any(|known| known.metric == metric) {
            continue;
        }
        let points = losses.iter().zip(0..);
        let points =
            points.map(|(loss, step)| Point { value: loss.value, ..Point::printed(step, &text(loss), 0) }).collect();
        found.push(Series { source: Source::Exact, points, ..Series::new(&metric, Role::TrainingLoss) });
    }
    let first = found.iter().position(|series| series.metric == "loss").unwrap_or(0);
    let reading = Reading { primary: Some(first), warnings: Vec::new(), ..Reading::nothing("binary", "") };
    (!found.is_empty()).then_some(Reading { series: found, ..reading })
}

/// The shortest digits that name the value in its own precision.
fn text(loss: &ExactLoss) -> String {
    if loss.precision == "float64" { format!("{:?}", loss.value) } else { format!("{:?}", loss.value as f32) }
}

/// The processes of two runs that stand for one another: same rank, same role, in order.
fn pairs<'a>(a: &'a Flight, b: &'a Flight) -> Vec<(&'a FlightProcess, &'a FlightProcess)> {
    let mut left: Vec<&FlightProcess> = b.trained().collect();
    let mut found = Vec::new();
    for one in a.trained() {
        if let Some(at) = left.iter().position(|other| (other.rank, &other.role) == (one.rank, &one.role)) {
            found.push((one, left.remove(at)));
        }
    }
    found
}

/// Where two processes first part.
///
/// A generator's state counts only where something else differs too, and only if it moved since training began: one
/// that was never drawn from is innocent, however it was seeded.
pub fn processes(a: &FlightProcess, b: &FlightProcess) -> Option<FlightDivergence> {
    let trains = !a.steps.is_empty() && !b.steps.is_empty();
    let steps = trains.then(|| series(&a.steps, &b.steps, false)).flatten();
    let outputs = series(&a.outputs, &b.outputs, true);
    let mut found = match (steps, outputs) {
        (Some(step), Some(output)) if trains => {
            let before = a.outputs.get(output.index).map_or(u64::MAX, |seen| seen.at);
            let at = a.steps.get(step.index).map_or(0, |seen| seen.at);
            if before < at { output } else { step }
        }
        (step, output) => step.or(output)?,
    };
    found.rank = a.rank;
    Some(found)
}

/// The first differing step of two sequences.
fn series(a: &[FlightStep], b: &[FlightStep], output: bool) -> Option<FlightDivergence> {
    let mut live: Vec<String> = Vec::new();
    let mut own = 0;
    for (index, (one, other)) in a.iter().zip(b).enumerate() {
        let differing = differing(one, other);
        for item in differing.iter().filter(|item| item.name.starts_with("rng.")) {
            let moved = item.moved || find(other, &item.name).is_some_and(|same| same.moved);
            if moved && !live.contains(&item.name) {
                live.push(item.name.clone());
            }
        }
        live.retain(|name| differing.iter().any(|item| item.name == *name));
        if let Some(first) = differing.iter().find(|item| !item.name.starts_with("rng.")) {
            let guilty = differing.iter().find(|item| live.contains(&item.name)).unwrap_or(first);
            let names = |keep: &dyn Fn(&FlightItem) -> bool| -> Vec<String> {
                differing.iter().filter(|item| keep(item)).map(|item| item.name.clone()).collect()
            };
            return Some(FlightDivergence {
                rank: None,
                index,
                step: if output { index as u64 } else { own },
                output,
                stage: guilty.stage(),
                item: guilty.name.clone(),
                differing: names(&|_| true),
                idle_generators: names(&|item| item.name.starts_with("rng.") && !live.contains(&item.name)),
                live_generators: live,
                tensors: tensors(one, other, &first.name),
            });
        }
        if one.optimizer == 0 {
            own += 1;
        }
    }
    None
}

/// The items of `one` that `other` has with another digest, in order of execution.
fn differing<'a>(one: &'a FlightStep, other: &FlightStep) -> Vec<&'a FlightItem> {
    one.items.iter().filter(|item| find(other, &item.name).is_some_and(|same| same.digest != item.digest)).collect()
}

fn find<'a>(step: &'a FlightStep, name: &str) -> Option<&'a FlightItem> {
    step.items.iter().find(|item| item.name == name)
}

/// Which tensors of an item differ, where both runs kept single digests.
fn tensors(one: &FlightStep, other: &FlightStep, item: &str) -> Vec<usize> {
    let leaves = |step: &FlightStep| step.leaves.iter().find(|(name, _)| name == item).map(|(_, all)| all.clone());
    let (Some(one), Some(other)) = (leaves(one), leaves(other)) else { return Vec::new() };
    one.iter().zip(&other).enumerate().filter(|(_, (a, b))| a != b).map(|(at, _)| at).collect()
}

/// The first operation of a drilled step whose inputs agree and whose output does not.
///
/// The operations are followed while both runs do the same ones; one that draws from a generator is not to blame.
pub fn guilty_operation(a: &FlightProcess, b: &FlightProcess) -> Option<GuiltyOperation> {
    let both = a.operations.iter().zip(&b.operations).take_while(|(one, other)| one.name == other.name);
    let found = both
        .filter(|(one, other)| one.inputs == other.inputs && one.outputs != other.outputs)
        .find(|(one, _)| !one.random)?;
    Some(GuiltyOperation { number: found.0.number, name: found.0.name.clone(), at: found.0.at.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::{End, Member, group};
    use crate::model::Stage;
    use crate::model::Tolerance;
    use crate::model::flight::{ExactNumber, Operation};

    fn item(name: &str, digest: &str, moved: bool) -> FlightItem {
        FlightItem { name: name.into(), digest: digest.into(), moved, numbers: Vec::new() }
    }

    fn process(steps: &[&[(&str, &str, bool)]]) -> FlightProcess {
        let step = |(number, items): (usize, &&[(&str, &str, bool)])| FlightStep {
            number: number as u64,
            items: items.iter().map(|(name, digest, moved)| item(name, digest, *moved)).collect(),
            ..FlightStep::default()
        };
        FlightProcess { steps: steps.iter().enumerate().map(step).collect(), ..FlightProcess::default() }
    }

    #[test]
    fn acquits_a_generator_that_never_moved() {
        let a = process(&[&[("rng.numpy", "1", false), ("batch", "1", false), ("loss", "1", false)]]);
        let b = process(&[&[("rng.numpy", "2", false), ("batch", "2", false), ("loss", "2", false)]]);
        let found = processes(&a, &b).expect("they part");
        assert_eq!((found.stage, found.item.as_str()), (Stage::Batch, "batch"));
        assert_eq!(found.idle_generators, ["rng.numpy"]);
    }

    #[test]
    fn names_the_generator_that_moved_before_the_batch_it_chose() {
        let a = process(&[&[("rng.numpy", "1", true), ("batch", "1", false)]]);
        let b = process(&[&[("rng.numpy", "2", true), ("batch", "2", false)]]);
        assert_eq!(processes(&a, &b).expect("they part").stage, Stage::Rng);
    }

    #[test]
    fn says_nothing_where_only_an_unused_result_differs() {
        let a = process(&[&[("rng.python", "1", true), ("loss", "1", false)]]);
        let b = process(&[&[("rng.python", "2", true), ("loss", "1", false)]]);
        assert_eq!(processes(&a, &b), None);
    }

    #[test]
    fn names_the_first_step_not_the_largest() {
        let a = process(&[&[("loss", "1", false)], &[("grads", "1", false)], &[("loss", "1", false)]]);
        let b = process(&[&[("loss", "1", false)], &[("grads", "2", false)], &[("loss", "9", false)]]);
        let found = processes(&a, &b).expect("they part");
        assert_eq!((found.step, found.stage), (1, Stage::Gradients));
    }

    #[test]
    fn compares_losses_that_differ_in_the_last_bit_alone() {
        let flight = |last: f32| {
            let loss = |value: f32| FlightItem {
                name: "loss".into(),
                numbers: vec![ExactNumber {
                    bits: value.to_bits().into(),
                    precision: "float32".into(),
                    value: Some(value.into()),
                }],
                ..FlightItem::default()
            };
            let steps = [0.5, last].map(|value| FlightStep { items: vec![loss(value)], ..FlightStep::default() });
            Flight {
                processes: vec![FlightProcess { steps: steps.into(), ..FlightProcess::default() }],
                ..Flight::default()
            }
        };
        let [a, b] = [0.1_f32, 0.1_f32.next_up()].map(|last| exact_losses(&flight(last)).expect("it has losses"));
        let members = [("r1", &a), ("r2", &b)].map(|(name, reading)| Member { name, reading, end: End::Complete });
        let outcome = group(&members, Tolerance::Exact, None).outcome;
        let parts = outcome.divergence().expect("they part");
        assert_eq!((parts.position.step, parts.ulps), (Some(1), Some(1)));
        assert_eq!(exact_losses(&Flight::default()), None);
        let ranks = |rank| flight(0.1).processes.into_iter().map(move |process| FlightProcess { rank, ..process });
        let two = Flight { processes: ranks(Some(1)).chain(ranks(Some(0))).collect(), ..Flight::default() };
        let reading = exact_losses(&two).expect("it has losses");
        assert_eq!((reading.series.len(), reading.primary().map(|loss| loss.metric.as_str())), (2, Some("loss")));
    }

    #[test]
    fn blames_the_operation_whose_inputs_agree() {
        let op = |number, inputs: &str, outputs: &str| Operation {
            number,
            name: "aten.mm".into(),
            inputs: inputs.into(),
            outputs: outputs.into(),
            random: false,
            at: None,
        };
        let a = FlightProcess { operations: vec![op(0, "1", "1"), op(1, "1", "2")], ..FlightProcess::default() };
        let b = FlightProcess { operations: vec![op(0, "1", "1"), op(1, "1", "3")], ..FlightProcess::default() };
        assert_eq!(guilty_operation(&a, &b).expect("one is guilty").number, 1);
    }
}
