//! From a table of metrics to roles: which series is the training loss, which are worth comparing.

use super::metric::Metric;
use super::names::{self, Meaning, Split};
use crate::model::Role;

/// The roles of all metrics, which of them are kept, and the primary one.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Selection {
    /// One role for each metric.
    pub(crate) roles: Vec<Role>,
    /// Whether the metric is worth a series.
    pub(crate) kept: Vec<bool>,
    /// Index of the primary metric.
    pub(crate) primary: Option<usize>,
}

/// Chooses among `metrics`; `asked` is the metric that the user named.
pub(crate) fn select(metrics: &[Metric], asked: Option<&str>) -> Selection {
    let most = metrics.iter().map(|m| m.points).max().unwrap_or(0);
    let roles: Vec<Role> = metrics.iter().map(|m| role(m, metrics)).collect();
    let tells = |m: &Metric| m.asked || matches!(m.meaning, Meaning::Loss | Meaning::Result) || is_curve(m);
    let told = metrics.iter().any(|m| tells(m) && m.points > 0);
    let lossless = !metrics.iter().any(|m| m.meaning == Meaning::Loss) && !roles.contains(&Role::TrainingLoss);
    let bare = !metrics
        .iter()
        .any(|m| m.points > 0 && (m.meaning == Meaning::Result || m.meaning == Meaning::Unknown && is_curve(m)));
    let keeps = |m: &Metric| keeps(m, told, lossless) && (bare && lossless && is_curve(m) || !is_nameless(m));
    let kept: Vec<bool> = metrics.iter().map(keeps).collect();
    let mut selection = Selection { roles, kept, primary: None };
    if let Some(asked) = asked {
        selection.primary = by_name(metrics, asked);
        if let Some(primary) = selection.primary {
            selection.kept[primary] = true;
        }
        return selection;
    }
    selection.primary = best(metrics, most).filter(|&i| selection.kept[i]);
    selection
}

/// What is read of rows without names.
pub(crate) const NAMELESS: &str = "column 2";

fn is_nameless(metric: &Metric) -> bool {
    metric.meaning == Meaning::Output && metric.name.starts_with(NAMELESS)
}

/// Fractions under an unknown name, or none, at every step: a curve, where nothing better is there.
fn is_curve(metric: &Metric) -> bool {
    (metric.meaning == Meaning::Unknown || is_nameless(metric))
        && metric.points >= 3
        && metric.fractions * 2 > metric.points
        && metric.placed * 10 > metric.points * 9
}

fn keeps(metric: &Metric, told: bool, lossless: bool) -> bool {
    metric.points > 0
        && told
        && match metric.meaning {
            Meaning::Loss | Meaning::Result | Meaning::Schedule => true,
            _ if metric.asked => true,
            Meaning::Output => lossless,
            Meaning::Config | Meaning::Noise => false,
            _ => metric.points > 1,
        }
}

fn by_name(metrics: &[Metric], asked: &str) -> Option<usize> {
    let plain =
        |name: &str| name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect::<String>();
    let exact = metrics.iter().position(|m| m.name == asked);
    exact
        .or_else(|| metrics.iter().position(|m| m.name.eq_ignore_ascii_case(asked)))
        .or_else(|| metrics.iter().position(|m| plain(&m.name) == plain(asked)))
}

fn role(metric: &Metric, all: &[Metric]) -> Role {
    match metric.meaning {
        Meaning::Schedule => Role::Schedule,
        Meaning::Noise => Role::Noise,
        Meaning::Loss => match names::loss_rank(base(&metric.name)) {
            _ if metric.split == Split::Held => Role::ValidationLoss,
            Some(rank) if rank.smoothed || metric.smoothed => Role::SmoothedLoss,
            _ if metric.smoothed || is_summary(metric, all) => Role::SmoothedLoss,
            Some(_) => Role::TrainingLoss,
            None => Role::Other,
        },
        _ if is_objective(metric, all) => Role::TrainingLoss,
        _ => Role::Other,
    }
}

/// What stands for the loss where a log has none: perplexity, and the bare value of an optimiser that shows nothing else.
fn is_objective(metric: &Metric, all: &[Metric]) -> bool {
    let others = || all.iter().filter(|other| other.name != metric.name && other.points > 1);
    let tokens = names::tokens(&metric.name);
    let word: Vec<&str> =
        tokens.iter().map(String::as_str).filter(|word| !matches!(*word, "train" | "training")).collect();
    let named = match word.as_slice() {
        ["perplexity" | "ppl"] => metric.split != Split::Held,
        // RNNLM's `TRAIN entropy` beside its `VALID entropy`, where that of a policy is measured on no part of the data.
        ["entropy"] => {
            let held = |other: &Metric| {
                other.split == Split::Held && names::tokens(&other.name).contains(&"entropy".to_owned())
            };
            metric.split == Split::Train && others().any(held)
        }
        // What an optimiser calls its objective; beside a detector's other terms it is one of them.
        ["obj"] if others().any(|other| matches!(other.name.as_str(), "box" | "cls")) => false,
        // What descends along a gradient is minimised: t-SNE's `error = 84.1, gradient norm = 0.02`.
        // And what has an accuracy of its own beside it is no rate of errors: Torch's `Err 6.9  top1 99.1`.
        ["error" | "err"] => others().any(|other| {
            names::tokens(&other.name).iter().any(|word| matches!(word.as_str(), "gradient" | "top1" | "top5"))
        }),
        ["f" | "obj"] => others().all(|other| other.meaning != Meaning::Result),
        // The value of a study's trials may be anything: they show parameters beside it.
        ["value"] => !others().any(|other| other.may_count() && other.meaning != Meaning::Output),
        _ => false,
    };
    named && metric.points > 1 && !all.iter().any(|other| other.meaning == Meaning::Loss)
}

/// Whether a name is that of the highest, the lowest or the spread of what another one is the mean of.
fn is_edge(name: &str) -> bool {
    names::tokens(name).iter().any(|word| matches!(word.as_str(), "max" | "min" | "std" | "stddev"))
}

fn base(name: &str) -> &str {
    name.strip_prefix("Test ").unwrap_or(name)
}

/// A loss shown once at the end of a log that shows another loss all along: the mean over the run.
fn is_summary(metric: &Metric, all: &[Metric]) -> bool {
    let longer = |m: &&Metric| m.meaning == Meaning::Loss && m.split != Split::Held && m.points >= 3;
    metric.points == 1 && all.iter().filter(longer).count() > 0
}

fn best(metrics: &[Metric], most: u64) -> Option<usize> {
    let mut chosen: Option<(i64, usize)> = None;
    for (index, metric) in metrics.iter().enumerate().filter(|(_, m)| m.points > 0) {
        let Some(score) = score(metric, most, metrics) else { continue };
        if chosen.is_none_or(|(best, _)| score > best) {
            chosen = Some((score, index));
        }
    }
    let chosen = chosen.map(|(_, index)| index)?;
    Some(own_value(metrics, chosen).unwrap_or(chosen))
}

/// Where the best name is that of a mean (`loss_mean`), the one loss beside it that is none (`gpt_loss`): the step's own value.
fn own_value(metrics: &[Metric], chosen: usize) -> Option<usize> {
    let mean = &metrics[chosen];
    if role(mean, metrics) != Role::SmoothedLoss {
        return None;
    }
    let own = |metric: &Metric| {
        role(metric, metrics) == Role::TrainingLoss
            && metric.meaning == Meaning::Loss
            && metric.points >= mean.points
            && names::loss_rank(base(&metric.name)).is_some_and(|rank| rank.strength >= 60)
    };
    let mut owns = metrics.iter().enumerate().filter(|(_, metric)| own(metric)).map(|(index, _)| index);
    owns.next().filter(|_| owns.next().is_none())
}

fn score(metric: &Metric, most: u64, all: &[Metric]) -> Option<i64> {
    let many = metric.points.min(most) as i64;
    // Among names of the same strength the one with more points wins, before the one that came first.
    let size = 64 - i64::from(many.leading_zeros());
    match (metric.meaning, role(metric, all)) {
        (Meaning::Loss, Role::ValidationLoss) => Some(10_000 + size),
        (Meaning::Loss, role) => {
            let rank = names::loss_rank(base(&metric.name))?;
            let mut strength = i64::from(rank.strength);
            if role == Role::SmoothedLoss && !rank.smoothed {
                strength -= 25;
            }
            if metric.points * 3 < most {
                strength -= 5;
            }
            if metric.name.contains("[rank ") {
                strength -= 3;
            }
            Some(100_000 + strength * 100 + size)
        }
        (_, Role::TrainingLoss) => Some(50_000 + size),
        (Meaning::Result, _) if metric.points > 1 && !names::tokens(&metric.name).iter().any(|t| t == "best") => {
            let held = i64::from(metric.split == Split::Held);
            Some(1_000 + size * 4 - held - 2 * i64::from(is_edge(&metric.name)))
        }
        _ if metric.asked => Some(size),
        _ if is_curve(metric) => Some(size),
        _ => None,
    }
}
