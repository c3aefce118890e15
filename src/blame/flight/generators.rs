//! What the records show of each library's global generator.

use super::item;
use super::places::Places;
use crate::model::flight::{Flight, FlightDivergence, FlightProcess, SeedCall};
use crate::model::{GlobalGenerator, Library, Seeding};

const LIBRARIES: [(Library, &str, &str); 3] = [
    (Library::Python, "python", "seed.python"),
    (Library::Numpy, "numpy", "seed.numpy"),
    (Library::Torch, "torch", "seed.torch"),
];

/// The generators of Python, NumPy and torch.
pub(super) fn generators(
    one: &FlightProcess,
    other: &FlightProcess,
    divergence: Option<&FlightDivergence>,
    places: &Places<'_>,
) -> Vec<GlobalGenerator> {
    let seen = |&(library, name, source): &(Library, &str, &'static str)| {
        let item_name = format!("rng.{name}");
        let live = divergence.is_some_and(|divergence| divergence.live_generators.contains(&item_name));
        let idle = divergence.is_some_and(|divergence| divergence.idle_generators.contains(&item_name));
        let draws = places.from(source).find(|place| place.kind == "draw");
        let seeding = seeding(name, one, other);
        // Without steps no state is recorded; one that is used and was never seeded began with entropy all the same.
        let began_with_entropy = one.start.is_none() && draws.is_some() && seeding == Seeding::Never;
        let used_first = seed_calls(name, one).next().is_some_and(|call| call.used_before == Some(true));
        let seeded_badly = seed_calls(name, one).find(|call| call.used_before == Some(true) || call.value.is_none());
        let seeded_anew = seed_calls(name, one).last();
        let at = |call: Option<&SeedCall>| call.and_then(|call| call.at.clone());
        // What was drawn before the first seeding is what differs: the line that drew it, not the one that seeds.
        let first_draw = places.from(source).filter(|place| place.kind == "draw").min_by_key(|place| place.order);
        let drew = first_draw.filter(|_| used_first).map(|place| place.at.clone());
        let location = match seeding {
            Seeding::Late | Seeding::Entropy => drew.or_else(|| at(seeded_badly)),
            Seeding::Clock => drew.or_else(|| at(seeded_badly)).or_else(|| at(seeded_anew)),
            Seeding::Never | Seeding::Fixed => None,
        };
        GlobalGenerator {
            library,
            differs: live || idle || began_with_entropy || differed_at_start(one, other, &item_name),
            drawn: live || draws.is_some(),
            seeding,
            used_first,
            seeds: seeding_values(name, one, other),
            location: location.or_else(|| draws.map(|place| place.at.clone())),
        }
    };
    LIBRARIES.iter().map(seen).collect()
}

/// Generators of other programs that the job starts, a preparation of its data, say: what is drawn there and never seeded
/// begins with entropy. Ranks and forked children go on from what they inherit, or are looked at themselves.
pub(super) fn elsewhere<'a>(flight: &'a Flight, main: &'a FlightProcess) -> impl Iterator<Item = GlobalGenerator> + 'a {
    let others =
        flight.processes.iter().filter(|other| other.role == "main" && other.rank.is_none() && other.pid != main.pid);
    others.flat_map(|process| {
        LIBRARIES.iter().filter_map(|&(library, name, source)| {
            let draw = process.trace.iter().find(|place| place.source == source && place.kind == "draw")?;
            seed_calls(name, process).next().is_none().then(|| GlobalGenerator {
                library,
                differs: true,
                drawn: true,
                seeding: Seeding::Never,
                used_first: false,
                seeds: None,
                location: Some(draw.at.clone()),
            })
        })
    })
}

fn differed_at_start(one: &FlightProcess, other: &FlightProcess, name: &str) -> bool {
    let pair = one.start.as_ref().zip(other.start.as_ref());
    pair.and_then(|(a, b)| Some(item(a, name)?.digest != item(b, name)?.digest)).unwrap_or(false)
}

fn seed_calls<'a>(generator: &str, process: &'a FlightProcess) -> impl Iterator<Item = &'a SeedCall> {
    process.seeds.iter().filter(move |call| call.generator == generator)
}

/// The call that seeds a global generator last and what it is given in either run, where that differs: `torch.manual_seed:
/// 17 and 93 at train.py:9`.
fn seeding_values(generator: &str, one: &FlightProcess, other: &FlightProcess) -> Option<String> {
    let (call, again) = seed_calls(generator, one).zip(seed_calls(generator, other)).last()?;
    let (a, b) = call.value.as_ref().zip(again.value.as_ref()).filter(|(a, b)| a != b)?;
    let at = call.at.as_ref().map(|at| format!(" at {}:{}", at.file.display(), at.line)).unwrap_or_default();
    Some(format!("{}: {a} and {b}{at}", call.how))
}

/// How a global generator was seeded, by its last seeding in both runs.
pub(super) fn seeding(generator: &str, one: &FlightProcess, other: &FlightProcess) -> Seeding {
    let calls: Vec<(&SeedCall, &SeedCall)> = seed_calls(generator, one).zip(seed_calls(generator, other)).collect();
    let Some((last, same)) = calls.last() else { return Seeding::Never };
    match (&last.value, &same.value) {
        (None, _) | (_, None) => Seeding::Entropy,
        (Some(a), Some(b)) if a != b => Seeding::Clock,
        _ if calls.first().is_some_and(|(first, _)| first.used_before == Some(true)) => Seeding::Late,
        _ => Seeding::Fixed,
    }
}
