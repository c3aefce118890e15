//! How likely the name of a number is to be that of the loss that is minimised.

use super::words::{LOSSES, MINIMISED};
use super::{Meaning, Split, any, meaning, split, tokens};

/// How likely a name is to be the loss that is minimised; higher wins. `None` for what is no loss at all.
pub(crate) fn loss_rank(name: &str) -> Option<LossRank> {
    let tokens = tokens(name);
    if meaning(name) != Meaning::Loss {
        return None;
    }
    // `SmoothL1Loss` is no mean.
    let kind = tokens.windows(2).any(|pair| pair[0] == "smooth" && pair[1].starts_with("l1"));
    let smoothed = !kind
        && any(
            &tokens,
            &[
                "avg",
                "average",
                "mean",
                "running",
                "smooth",
                "smoothed",
                "ema",
                "ewa",
                "ewma",
                "median",
                "tot",
                "moving",
                "avr",
                "平均损失",
            ],
        );
    let strength = strength(&tokens, smoothed);
    Some(LossRank { strength, split: split(&tokens), smoothed })
}

/// A loss by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LossRank {
    /// How sure the name is.
    pub(crate) strength: u8,
    /// Which data.
    pub(crate) split: Split,
    /// Whether it is a mean over steps.
    pub(crate) smoothed: bool,
}

fn strength(tokens: &[String], smoothed: bool) -> u8 {
    const PLAIN: [&str; 22] = [
        "loss",
        "train",
        "training",
        "step",
        "batch",
        "iter",
        "lm",
        "total",
        "log",
        "the",
        "tr",
        "value",
        "val",
        "valid",
        "validation",
        "eval",
        "test",
        "losses",
        "is",
        "epoch",
        "minibatch",
        "trainer",
    ];
    let word_loss =
        tokens.iter().any(|t| t.ends_with("loss") || t == "losses" || LOSSES.contains(&t.as_str()) && t != "learn");
    let rest: Vec<&String> = tokens
        .iter()
        .filter(|t| {
            !PLAIN.contains(&t.as_str())
                && !matches!(
                    t.as_str(),
                    "avg"
                        | "average"
                        | "mean"
                        | "running"
                        | "smooth"
                        | "smoothed"
                        | "ema"
                        | "ewa"
                        | "ewma"
                        | "tot"
                        | "moving"
                        | "avr"
                )
        })
        .collect();
    let value_loss = tokens == ["value", "loss"] || any(tokens, &["value"]) && word_loss && tokens.len() == 3;
    let plain = rest.is_empty()
        || rest.iter().all(|t| {
            (LOSSES.contains(&t.as_str()) || MINIMISED.contains(&t.as_str()))
                && t.as_str() != "learn"
                && !["l1", "l2", "ce", "bce", "kl"].contains(&t.as_str())
                && word_loss
                && !t.is_ascii()
        });
    let base = match (word_loss, plain && !value_loss) {
        (true, true) => 90,
        (true, false) => 60,
        (false, _) => 50,
    };
    let total = any(tokens, &["total"]) && word_loss;
    let epoch = tokens.len() > 1 && tokens.last().is_some_and(|t| t == "epoch");
    // A term beside the loss proper.
    let named = [
        "entropy",
        "ent",
        "kl",
        "approxkl",
        "clipfrac",
        "aux",
        "reg",
        "commit",
        "z",
        "regloss",
        "balance",
        "balancing",
    ];
    let term = any(tokens, &named) && !any(tokens, &["cross"]);
    let base = if base == 60 && term { 57 } else { base };
    base + u8::from(total) * 4 - if smoothed { 20 } else { 0 } - u8::from(epoch) * 5
}
