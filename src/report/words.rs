//! The sentences of a report, in plain language; every format uses the same ones.
//!
//! What comes out may hold text of the job's (names of metrics, values): a format still has to escape it.

use super::Spread;
use crate::model::{
    Audit, Divergence, Effect, Kind, LevelPrice, Outcome, Position, Precision, Price, Run, Stage, Status,
    TreatmentResult, Verdict,
};

/// The verdict and its reason in one sentence.
pub fn headline(audit: &Audit) -> String {
    match audit.reason.trim() {
        "" => verdict(audit.verdict).to_owned(),
        reason => format!("{}: {reason}", verdict(audit.verdict)),
    }
}

/// The verdict as the first word of a report.
pub fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Agreed => "Agreed",
        Verdict::Diverged => "Diverged",
        Verdict::Unresolved => "Unresolved",
    }
}

/// The divergence that a report shows, with its treatment: the reference's, else that of the compared runs, else the
/// first treatment's that parts.
pub fn shown_divergence(audit: &Audit) -> Option<(&Divergence, Option<&TreatmentResult>)> {
    // A tensor has no steps: the reason and the rows of its checkpoint say where it parts.
    if audit.runs.is_empty() && !audit.checkpoints.is_empty() {
        return None;
    }
    if let Some(divergence) = &audit.divergence {
        return Some((divergence, None));
    }
    let parted = || audit.treatments.iter().filter_map(|treatment| Some((divergence_of(treatment)?, Some(treatment))));
    let compared = audit.comparisons.first().map(|comparison| &comparison.run);
    parted().find(|(_, of)| of.is_some_and(|of| compared.is_some_and(|run| of.runs.contains(run)))).or(parted().next())
}

/// The divergence of a treatment's replicates, where they part.
pub fn divergence_of(treatment: &TreatmentResult) -> Option<&Divergence> {
    treatment.outcome.as_ref().and_then(Outcome::divergence)
}

/// "The runs part first at step 0 (epoch 1): loss is 2.304123 in r1 and 2.300169 in r2, …".
///
/// `treatment` is given where it is not the reference.
pub fn sentence(divergence: &Divergence, treatment: Option<&TreatmentResult>) -> String {
    sentence_with(divergence, treatment, &|run| run.to_owned())
}

/// The same with names of the runs that the reader has beside it.
pub fn sentence_with(
    divergence: &Divergence,
    treatment: Option<&TreatmentResult>,
    name: &dyn Fn(&str) -> String,
) -> String {
    let place = divergence.position.told(divergence.index);
    let (a, b) = apart(divergence);
    let place = divergence.rank.map_or(place.clone(), |rank| format!("{place} of rank {rank}"));
    let mut text = match treatment {
        Some(result) => format!("With {} the runs part first at {place}: ", result.treatment.id),
        None => format!("The runs part first at {place}: "),
    };
    let named = |index: usize| -> (&str, String) {
        divergence.values.get(index).map_or(("", "the other run".to_owned()), |value| {
            (value.text.as_ref().map_or("", |text| text.as_str()), name(&value.run))
        })
    };
    let ((text_a, run_a), (text_b, run_b)) = (named(a), named(b));
    let metric = &divergence.metric;
    match divergence.kind {
        Kind::Value | Kind::Nan => {
            text += &format!("{metric} is {text_a} in {run_a} and {text_b} in {run_b}");
            match sizes(divergence) {
                Some(sizes) => text += &format!(": {sizes}."),
                None => text += ".",
            }
        }
        Kind::Missing | Kind::Extra | Kind::Length => {
            let ((have, run), lacks) = match text_a.is_empty() {
                true => ((text_b, run_b), run_a),
                false => ((text_a, run_a), run_b),
            };
            let end = if divergence.kind == Kind::Length { "has ended" } else { "has nothing there" };
            match have.is_empty() {
                true => text += &format!("one of them {end}."),
                false => text += &format!("{run} shows {metric} {have}, {lacks} {end}."),
            }
        }
    }
    if let Some(stage) = divergence.stage {
        text += &format!(" Inside that step, the first thing to differ is {}.", stage_words(stage));
    }
    text
}

/// "0.0039 absolute, 0.0017 relative, 16384 ULP (f32)", as far as known.
pub fn sizes(divergence: &Divergence) -> Option<String> {
    let values = divergence.values.iter().filter_map(|one| Some((one.text.as_ref()?.as_str(), one.value?)));
    let precision = Precision::of(values).short();
    let sizes: Vec<String> = [
        divergence.absolute.map(|size| format!("{} absolute", short(size))),
        divergence.relative.map(|size| format!("{} relative", short(size))),
        divergence.ulps.map(|ulps| format!("{ulps} ULP ({precision})")),
    ]
    .into_iter()
    .flatten()
    .collect();
    (!sizes.is_empty()).then(|| sizes.join(", "))
}

/// The two of the divergence's values that lie farthest apart, or of which only one is there, in the order of the runs.
pub fn apart(divergence: &Divergence) -> (usize, usize) {
    let values = &divergence.values;
    let kind = |index: usize| values[index].value.map(f64::is_nan);
    // A value against none, or NaN against a number, is what such a divergence is about.
    if let Some(other) = (1..values.len()).find(|&index| kind(index) != kind(0)) {
        return (0, other);
    }
    let finite = |index: usize| values[index].value.unwrap_or(f64::NAN);
    let mut widest = (0, 1);
    for a in 0..values.len() {
        for b in a + 1..values.len() {
            let (distance, best) = ((finite(a) - finite(b)).abs(), (finite(widest.0) - finite(widest.1)).abs());
            if distance > best || best.is_nan() {
                widest = (a, b);
            }
        }
    }
    widest
}

/// Where a position stands, in few letters, for a table cell.
pub fn brief_place(position: &Position) -> String {
    match (position.step, position.epoch) {
        (Some(step), Some(epoch)) => format!("step {step}, epoch {}", plain_number(epoch)),
        (Some(step), None) => format!("step {step}"),
        (None, Some(epoch)) => format!("epoch {}", plain_number(epoch)),
        (None, None) => "there".to_owned(),
    }
}

/// A whole number without its `.0`, another with its digits.
pub fn plain_number(number: f64) -> String {
    format!("{number}")
}

/// A size to two significant digits: `0.0039`, `16`, `4.8e-7`.
pub fn short(size: f64) -> String {
    if size == 0.0 || !size.is_finite() {
        return format!("{size}");
    }
    // Rounded first: 9.99e-5 has two digits as 1.0e-4.
    let rounded = format!("{size:.1e}");
    let exponent: i32 = rounded.rsplit_once('e').and_then(|(_, exponent)| exponent.parse().ok()).unwrap_or(0);
    match exponent {
        -4..=-1 => format!("{size:.*}", usize::try_from(1 - exponent).unwrap_or(1)),
        0..=5 => format!("{size:.*}", usize::try_from(1 - exponent).unwrap_or(0)),
        _ => rounded,
    }
}

/// The stage in words that fit "the first thing to differ is …".
pub fn stage_words(stage: Stage) -> &'static str {
    match stage {
        Stage::Environment => "the environment",
        Stage::Rng => "the state of a random number generator",
        Stage::Batch => "the batch that the loader gave",
        Stage::Parameters => "the parameters before the step",
        Stage::Loss => "the loss, from equal inputs",
        Stage::Gradients => "the gradients, from an equal loss",
        Stage::Optimizer => "the optimizer's update, from equal gradients",
        Stage::Output => "the output",
    }
}

/// A run's end in words.
pub fn status(run: &Run) -> String {
    match (run.status, run.exit_code, run.signal) {
        (Status::Finished, ..) => "finished".to_owned(),
        (Status::Stopped, ..) => "stopped by the audit".to_owned(),
        (Status::Crashed, _, Some(signal)) => format!("crashed, signal {signal}"),
        (Status::Crashed, Some(0), _) => "crashed in a traceback, exit code 0".to_owned(),
        (Status::Crashed, Some(code), _) => format!("crashed, exit code {code}"),
        (Status::Crashed, ..) => "crashed".to_owned(),
        (Status::TimedOut, ..) => "timed out".to_owned(),
        (Status::Lost, ..) => "lost".to_owned(),
        (Status::Skipped, ..) => "skipped".to_owned(),
    }
}

/// What a treatment's runs showed, in a table cell.
pub fn outcome(treatment: &TreatmentResult) -> String {
    match &treatment.outcome {
        Some(Outcome::Agreed) => "repeats".to_owned(),
        Some(Outcome::Diverged(divergence)) => format!("parts at {}", divergence.position.told(divergence.index)),
        Some(Outcome::Unresolved(why)) => format!("unresolved: {why}"),
        None => "skipped".to_owned(),
    }
}

/// What a setting does, in one sentence.
pub fn effect(effect: &Effect) -> String {
    let (setting, levels) = (&effect.setting, effect.levels.join(" and "));
    let from = match &effect.onset {
        Some(onset) => format!(", from {} on", brief_place(onset)),
        None => String::new(),
    };
    let mut text = match (effect.changes_repeatability, effect.changes_result) {
        (Some(true), Some(true)) => {
            format!("{setting} changes both the result and whether the job repeats (levels {levels}{from}).")
        }
        (Some(true), _) => format!("{setting} changes whether the job repeats (levels {levels}{from})."),
        (Some(false), Some(true)) => {
            format!("{setting} changes the result (levels {levels}{from}), and each level repeats.")
        }
        (None, Some(true)) => format!("{setting} changes the result (levels {levels}{from})."),
        (Some(false), Some(false)) => format!("{setting} changes nothing that was seen (levels {levels})."),
        _ => format!("What {setting} does cannot be told (levels {levels})."),
    };
    let first = effect.levels.first().map_or("", String::as_str);
    for LevelPrice { level, price } in &effect.prices {
        let Ok(Price { step_time_ratio, spread }) = price else { continue };
        text += &format!(
            " A step takes {step_time_ratio:.2} times as long at {level} as at {first} ({:.2} to {:.2} over the runs).",
            spread.0, spread.1
        );
    }
    for remark in remarks(effect) {
        text += &format!(" {remark}");
    }
    text
}

/// What no column tells of a setting, in sentences: levels whose price is not known, settings that it cannot be told from.
pub fn remarks(effect: &Effect) -> Vec<String> {
    let setting = &effect.setting;
    let unknown = effect.prices.iter().filter_map(|LevelPrice { level, price }| Some((level, price.as_ref().err()?)));
    let unknown =
        unknown.map(|(level, why)| format!("The time of a step at {setting}={level} is not measurable: {why}."));
    let others: Vec<&str> = effect.confounded_with.iter().map(|id| id.as_str()).collect();
    let confounded = (!others.is_empty()).then(|| {
        format!("{setting} always changed together with {}, so they cannot be told apart.", others.join(", "))
    });
    unknown.chain(confounded).collect()
}

/// The columns of what the settings do.
pub const EFFECTS: [&str; 6] =
    ["setting", "levels", "changes whether it repeats", "changes the result", "from", "time of a step"];

/// What a step takes at the levels of a setting against the first one: "1.24 x at on".
pub fn prices(effect: &Effect) -> String {
    let measured = effect.prices.iter().filter_map(|of| Some((&of.level, of.price.as_ref().ok()?)));
    let told = measured.map(|(level, price)| format!("{:.2} x at {level}", price.step_time_ratio));
    told.collect::<Vec<_>>().join(", ")
}

/// "yes", "no", or that it is not known.
pub fn yes(answer: Option<bool>) -> &'static str {
    match answer {
        Some(true) => "yes",
        Some(false) => "no",
        None => "not known",
    }
}

/// With its first letter as a sentence has it.
pub fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}

/// "1 run", "3 runs".
pub fn count(number: usize, noun: &str) -> String {
    let end = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{end}")
}

/// How far apart the values of a row are, in a cell.
pub fn spread(spread: Spread) -> String {
    match spread {
        Spread::Same => "same".to_owned(),
        Spread::Apart(0.0) => "sign of 0".to_owned(),
        Spread::Apart(size) => short(size),
        Spread::Missing => "missing".to_owned(),
        Spread::NotFinite => "not finite".to_owned(),
        Spread::Unknown => String::new(),
    }
}

/// What it took to find the causes, and what holding the pins does.
pub fn pins(audit: &Audit) -> Option<String> {
    let blame = audit.blame.as_ref()?;
    let pins: Vec<String> = blame.pins.iter().map(|(id, level)| format!("{id}={level}")).collect();
    let took = format!("It took {} and {} steps to find out.", count(blame.runs_used, "run"), blame.steps_used);
    Some(match pins.is_empty() {
        true => took,
        false => format!("With {} held the job repeats. {took}", pins.join(", ")),
    })
}

/// What a pin costs, in one sentence.
pub fn price(price: &Price) -> String {
    format!(
        "a step takes {:.2} times as long with it ({:.2} to {:.2} over the runs)",
        price.step_time_ratio, price.spread.0, price.spread.1
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_two_digits() {
        for (size, expected) in [
            (0.003954, "0.0040"),
            (0.0092, "0.0092"),
            (16.4, "16"),
            (1.5, "1.5"),
            (4.76e-7, "4.8e-7"),
            (9.999e-5, "0.00010"),
            (0.0, "0"),
        ] {
            assert_eq!(short(size), expected);
        }
    }

    #[test]
    fn places_speak_the_words_of_the_log() {
        let at = |segment, epoch, step| Position { segment, epoch, step }.told(17);
        assert_eq!(at(0, Some(1.0), Some(0)), "step 0 (epoch 1)");
        assert_eq!(at(0, Some(0.75), None), "epoch 0.75");
        assert_eq!(at(0, None, None), "point 18 of the log");
        assert_eq!(at(2, None, Some(5)), "step 5 (after the steps began again twice)");
    }
}
