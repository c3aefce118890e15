//! A straight run and a resumed one to the part that both show: by the log's own epochs and steps, and step by step inside.

use std::collections::BTreeMap;

use crate::model::flight::{FlightDivergence, FlightProcess, FlightStep};
use crate::model::{Point, Reading, Role, Series, Stage};

/// The part of both logs that can be compared: the straight one from where the resumed one begins, and the resumed one
/// with its places told as the straight one tells them.
pub fn align(straight: &Reading, resumed: &Reading) -> (Reading, Reading) {
    let (mut left, mut right) = (without_points(straight), without_points(resumed));
    let told = |series: &&Series| series.role != Role::Noise && !only_of_the_part(series);
    let leading = straight.primary().and_then(|whole| Leading::of(whole, same_metric(resumed, whole)?));
    for whole in straight.series.iter().filter(told) {
        let Some(part) = same_metric(resumed, whole) else { continue };
        let led = leading.as_ref().and_then(|leading| leading.lead(whole, part));
        if let Some((tail, rebased)) = led.or_else(|| series(whole, part)) {
            put(&mut left, whole, tail);
            put(&mut right, part, rebased);
        }
    }
    left.primary = primary(straight, &left);
    right.primary = primary(straight, &right);
    (left, right)
}

fn same_metric<'r>(reading: &'r Reading, like: &Series) -> Option<&'r Series> {
    reading.series.iter().find(|series| series.metric == like.metric)
}

/// The primary metric, told with steps that never come back. It leads metrics that have one value for each of its own and
/// no steps: their epochs may be counted anew by a run that begins an interrupted epoch's data again.
struct Leading {
    points: (usize, usize),
    start: usize,
}

impl Leading {
    fn of(whole: &Series, part: &Series) -> Option<Self> {
        let places @ Places::Steps(_) = Places::of(&whole.points)? else { return None };
        let start = part.points.first().and_then(|point| places.find(point))?;
        Some(Self { points: (whole.points.len(), part.points.len()), start })
    }

    fn lead(&self, whole: &Series, part: &Series) -> Option<(Vec<Point>, Vec<Point>)> {
        let stepless = |series: &Series| series.points.iter().all(|point| point.position.step.is_none());
        let alike = (whole.points.len(), part.points.len()) == self.points && stepless(whole) && stepless(part);
        let tail = whole.points.get(self.start..).filter(|_| alike)?;
        Some((tail.to_vec(), moved(&part.points, tail)))
    }
}

/// Points, as many as there are places for, at the places of others.
fn moved(points: &[Point], places: &[Point]) -> Vec<Point> {
    points.iter().zip(places).map(|(point, place)| Point { position: place.position, ..point.clone() }).collect()
}

/// Metrics that the resumed run takes over its own part alone, such as the mean loss that the Hugging Face Trainer prints
/// once, at the end: another one by nature, and not compared.
pub fn left_out<'a>(straight: &'a Reading, resumed: &Reading) -> Vec<&'a str> {
    let both = |series: &&Series| resumed.series.iter().any(|part| part.metric == series.metric);
    straight.series.iter().filter(|series| only_of_the_part(series)).filter(both).map(|s| s.metric.as_str()).collect()
}

/// Whether a metric is one mean over all that a process did.
fn only_of_the_part(series: &Series) -> bool {
    series.role == Role::SmoothedLoss && series.points.len() == 1
}

fn without_points(reading: &Reading) -> Reading {
    Reading { series: Vec::new(), primary: None, ..reading.clone() }
}

fn put(reading: &mut Reading, like: &Series, points: Vec<Point>) {
    reading.series.push(Series { points, ..Series::new(&like.metric, like.role) });
    if let Some(added) = reading.series.last_mut() {
        added.source = like.source;
        added.sampled = like.sampled;
        added.stream = like.stream;
    }
}

fn primary(straight: &Reading, aligned: &Reading) -> Option<usize> {
    let name = &straight.primary()?.metric;
    let found = aligned.series.iter().position(|series| series.metric == *name);
    found.or((!aligned.series.is_empty()).then_some(0))
}

/// A place in a log as it tells it itself, whatever came before.
type Key = (Option<u64>, Option<i64>);

fn key(point: &Point) -> Key {
    (point.position.epoch.map(f64::to_bits), point.position.step)
}

/// The places of a straight run, by what tells them apart.
enum Places {
    /// Steps that never come back. An epoch must not contradict, but it may be told on one side only: the first line
    /// after a resume often comes before the first epoch is named.
    Steps(BTreeMap<i64, (usize, Option<u64>)>),
    /// Epochs with or without steps in them.
    Keys(BTreeMap<Key, usize>),
}

impl Places {
    fn of(points: &[Point]) -> Option<Self> {
        let steps: Option<BTreeMap<i64, (usize, Option<u64>)>> =
            points.iter().enumerate().map(|(at, point)| Some((point.position.step?, (at, key(point).0)))).collect();
        if let Some(steps) = steps.filter(|steps| steps.len() == points.len()) {
            return Some(Self::Steps(steps));
        }
        let keys: BTreeMap<Key, usize> = points.iter().enumerate().map(|(at, point)| (key(point), at)).collect();
        (keys.len() == points.len() && !keys.contains_key(&(None, None))).then_some(Self::Keys(keys))
    }

    fn find(&self, point: &Point) -> Option<usize> {
        match self {
            Self::Keys(keys) => keys.get(&key(point)).copied(),
            Self::Steps(steps) => {
                let (at, epoch) = *steps.get(&point.position.step?)?;
                let contradicts = epoch.zip(key(point).0).is_some_and(|(a, b)| a != b);
                (!contradicts).then_some(at)
            }
        }
    }
}

/// One metric: the straight run's points from the first common one on, and the resumed run's in the same terms.
fn series(whole: &Series, part: &Series) -> Option<(Vec<Point>, Vec<Point>)> {
    match Places::of(&whole.points) {
        Some(places) => by_place(whole, part, &places),
        None => by_tail(whole, part),
    }
}

fn by_place(whole: &Series, part: &Series, places: &Places) -> Option<(Vec<Point>, Vec<Point>)> {
    let start = part.points.iter().find_map(|point| places.find(point))?;
    let mut segment = whole.points.get(start)?.position.segment;
    let rebased = part.points.iter().map(|point| {
        let mut point = point.clone();
        match places.find(&point).and_then(|at| whole.points.get(at)) {
            Some(same) => {
                segment = same.position.segment;
                point.position = same.position;
            }
            None => point.position.segment = segment,
        }
        point
    });
    let rebased = rebased.collect();
    Some((whole.points.get(start..)?.to_vec(), rebased))
}

/// Steps that come back in every epoch, or none: the last place from which both count alike, else both ends together.
fn by_tail(whole: &Series, part: &Series) -> Option<(Vec<Point>, Vec<Point>)> {
    if part.points.is_empty() {
        return None;
    }
    let last = whole.points.len().checked_sub(part.points.len())?;
    let alike = |start: &usize| whole.points[*start..].iter().zip(&part.points).all(|(a, b)| key(a).1 == key(b).1);
    let start = (0..=last).rev().find(alike).unwrap_or(last);
    let tail = whole.points.get(start..)?;
    Some((tail.to_vec(), moved(&part.points, tail)))
}

/// How many steps the straight run had made where the resumed one begins. Both are taken to end together where they
/// ended by themselves and leave no step out (`complete`); else the weights before the first resumed step tell, else the
/// file that was loaded. Of several steps with these weights the one of the file is meant.
pub fn offset(straight: &FlightProcess, resumed: &FlightProcess, complete: bool, saved: Option<u64>) -> Option<usize> {
    let saved = saved.and_then(|steps| usize::try_from(steps).ok());
    let by_end = straight.steps.len().checked_sub(resumed.steps.len()).filter(|_| complete);
    let by_weights = || {
        let held = steps_with_weights(straight, &weights(resumed)?);
        saved.filter(|steps| held.contains(steps)).or(held.first().copied())
    };
    by_end.or_else(by_weights).or(saved).filter(|at| *at <= straight.steps.len())
}

/// The steps of a run before which it had these weights; one past its last step where it ended with them.
pub fn steps_with_weights(run: &FlightProcess, digest: &str) -> Vec<usize> {
    let has = |step: &FlightStep, name: &str| step.items.iter().any(|item| item.name == name && item.digest == digest);
    let before = run.steps.iter().enumerate().filter(|(_, step)| has(step, "params_before")).map(|(at, _)| at);
    let last = run.steps.last().filter(|step| has(step, "params")).map(|_| run.steps.len());
    before.chain(last).collect()
}

/// The digest of the weights before a run's first step.
pub fn weights(run: &FlightProcess) -> Option<String> {
    let item = run.steps.first()?.items.iter().find(|item| item.name == "params_before")?;
    Some(item.digest.clone())
}

/// Where the resumed run parts from the straight one inside; `None` where every common step agrees. Only generators that
/// the straight run draws from count: restoring moves the others too.
pub fn flights(straight: &FlightProcess, resumed: &FlightProcess, offset: usize) -> Option<FlightDivergence> {
    let outputs = straight.outputs.len().saturating_sub(resumed.outputs.len());
    let shifted = FlightProcess {
        steps: straight.steps.get(offset..).unwrap_or_default().to_vec(),
        outputs: straight.outputs.get(outputs..).unwrap_or_default().to_vec(),
        ..straight.clone()
    };
    let mut resumed = resumed.clone();
    for item in resumed.steps.iter_mut().chain(&mut resumed.outputs).flat_map(|step| &mut step.items) {
        item.moved = false;
    }
    let found = super::flight::processes(&shifted, &resumed)?;
    let differs = |name: &str| found.differing.iter().any(|item| item == name);
    let has_inputs = shifted.steps.get(found.index).is_some_and(|step| step.items.iter().any(|i| i.name == "inputs"));
    if !found.output && has_inputs && differs("batch") && !differs("inputs") {
        // Both began the step with the same inputs, and one of them left a step out that the other made: what was fed later
        // is another batch for that reason alone, and the gradients differed before.
        return Some(FlightDivergence { stage: Stage::Loss, item: "loss".to_owned(), ..found });
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::{End, Pair, compare};
    use crate::model::flight::FlightItem;
    use crate::model::{Position, Tolerance};

    fn point(segment: u32, epoch: Option<f64>, step: Option<i64>, text: &str) -> Point {
        Point { position: Position { segment, epoch, step }, ..Point::printed(0, text, 1) }
    }

    fn reading(points: Vec<Point>) -> Reading {
        let mut reading = Reading::nothing("utf-8", "");
        reading.series.push(Series { points, ..Series::new("loss", Role::TrainingLoss) });
        reading.primary = Some(0);
        reading
    }

    fn parts(straight: &Reading, resumed: &Reading) -> (usize, Option<usize>) {
        let (left, right) = align(straight, resumed);
        let pair = |name, reading| Pair { name, reading, end: End::Complete };
        let compared = compare(pair("straight", &left), pair("resumed", &right), Tolerance::Exact, None);
        (compared.points, compared.divergences.first().map(|divergence| divergence.index))
    }

    #[test]
    fn lines_a_resumed_epoch_up_with_the_same_epoch() {
        let at = |segment, epoch, step, text| point(segment, Some(epoch), Some(step), text);
        let straight = reading(vec![at(0, 1.0, 1, "4"), at(0, 1.0, 2, "3"), at(1, 2.0, 1, "2"), at(1, 2.0, 2, "1")]);
        let same = reading(vec![at(0, 2.0, 1, "2"), at(0, 2.0, 2, "1")]);
        assert_eq!(parts(&straight, &same), (2, None));
        let late = reading(vec![at(0, 2.0, 1, "2"), at(0, 2.0, 2, "9")]);
        assert_eq!(parts(&straight, &late), (2, Some(1)));
        let short = reading(vec![at(0, 2.0, 1, "2")]);
        assert_eq!(parts(&straight, &short), (1, Some(1)));
    }

    #[test]
    fn the_first_line_may_come_before_an_epoch_is_named() {
        let at = |epoch, step, text| point(0, epoch, Some(step), text);
        let straight = reading(vec![at(None, 1, "4"), at(Some(0.5), 2, "3"), at(Some(1.0), 3, "2")]);
        assert_eq!(parts(&straight, &reading(vec![at(None, 2, "3"), at(Some(1.0), 3, "2")])), (2, None));
        assert_eq!(parts(&straight, &reading(vec![at(None, 2, "3"), at(Some(1.0), 3, "9")])), (2, Some(1)));
        let counted_anew = reading(vec![at(Some(1.5), 2, "1"), at(Some(2.0), 3, "1")]);
        assert_eq!(parts(&straight, &counted_anew), (0, None));
    }

    #[test]
    fn a_metric_without_steps_goes_with_the_one_that_has_them() {
        let with = |points: &[(i64, f64, &str)]| {
            let mut reading = reading(points.iter().map(|(step, _, text)| point(0, None, Some(*step), text)).collect());
            let other = points.iter().map(|(_, epoch, text)| point(0, Some(*epoch), None, text)).collect();
            reading.series.push(Series { points: other, ..Series::new("loss (2)", Role::Other) });
            reading
        };
        let straight = with(&[(1, 0.5, "4"), (2, 1.0, "3"), (3, 1.5, "2"), (4, 2.0, "1")]);
        let counted_anew = with(&[(3, 1.0, "2"), (4, 1.5, "1")]);
        assert_eq!(parts(&straight, &counted_anew), (4, None));
        assert_eq!(parts(&straight, &with(&[(3, 1.0, "2"), (4, 1.5, "9")])), (4, Some(1)));
    }

    #[test]
    fn a_mean_over_the_resumed_part_alone_is_not_compared() {
        let with = |mean: &str| {
            let mut reading = reading(vec![point(0, None, Some(1), "4")]);
            let points = vec![point(0, None, Some(1), mean)];
            reading.series.push(Series { points, ..Series::new("train_loss", Role::SmoothedLoss) });
            reading
        };
        assert_eq!(parts(&with("4"), &with("2")), (1, None));
        assert_eq!(left_out(&with("4"), &with("2")), ["train_loss"]);
    }

    #[test]
    fn steps_that_come_back_are_lined_up_from_the_end() {
        let at = |segment, step, text| point(segment, None, Some(step), text);
        let straight = reading(vec![at(0, 0, "4"), at(0, 1, "3"), at(1, 0, "2"), at(1, 1, "1")]);
        assert_eq!(parts(&straight, &reading(vec![at(0, 0, "2"), at(0, 1, "1")])), (2, None));
    }

    fn process(steps: &[&[(&str, &str, bool)]]) -> FlightProcess {
        let item = |&(name, digest, moved): &(&str, &str, bool)| FlightItem {
            name: name.into(),
            digest: digest.into(),
            moved,
            numbers: Vec::new(),
        };
        let step = |items: &&[(&str, &str, bool)]| FlightStep {
            items: items.iter().map(item).collect(),
            ..FlightStep::default()
        };
        FlightProcess { steps: steps.iter().map(step).collect(), ..FlightProcess::default() }
    }

    #[test]
    fn a_generator_counts_only_where_the_straight_run_draws_from_it() {
        let step = |state, moved, batch| [("rng.python", state, moved), ("batch", batch, false)];
        let straight = process(&[&step("1", true, "a"), &step("1", false, "b")]);
        let resumed = process(&[&step("9", true, "c")]);
        assert_eq!(flights(&straight, &resumed, 1).expect("they part").item, "batch");
        let drawing = process(&[&step("1", true, "a"), &step("2", true, "b")]);
        assert_eq!(flights(&drawing, &resumed, 1).expect("they part").item, "rng.python");
    }

    #[test]
    fn a_step_left_out_in_one_run_is_no_other_batch() {
        let run = |batch, inputs, loss| {
            process(&[&[
                ("rng.numpy", batch, true),
                ("batch", batch, false),
                ("inputs", inputs, false),
                ("loss", loss, false),
            ]])
        };
        let stage = |a, b| flights(&a, &b, 0).expect("they part").stage;
        assert_eq!(stage(run("1", "1", "1"), run("2", "2", "2")), Stage::Rng);
        assert_eq!(stage(run("1", "1", "1"), run("2", "1", "2")), Stage::Loss);
    }

    #[test]
    fn the_weights_tell_where_a_cut_run_goes_on() {
        let straight = process(&[
            &[("params_before", "a", false), ("params", "b", false)],
            &[("params_before", "b", false), ("params", "c", false)],
        ]);
        let resumed = process(&[&[("params_before", "b", false)]]);
        assert_eq!(offset(&straight, &resumed, false, None), Some(1));
        assert_eq!(steps_with_weights(&straight, "c"), [2]);
        assert_eq!(offset(&straight, &process(&[&[("params_before", "x", false)]]), false, Some(2)), Some(2));
    }

    #[test]
    fn logs_without_a_common_step_have_nothing_to_compare() {
        let at = |step, text| point(0, None, Some(step), text);
        let straight = reading(vec![at(0, "4"), at(1, "3")]);
        assert_eq!(parts(&straight, &reading(vec![at(7, "4")])), (0, None));
    }
}
