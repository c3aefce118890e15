//! What the words around the numbers of a key-value line say.

use crate::parse::names::{self, Meaning};
use crate::parse::number::Spelling;
use crate::parse::scan::{Item, Link, Scan};
use crate::parse::units;

/// `Train loss 12 0.5`: a whole number between the name of a loss and its value counts steps.
pub(super) fn is_count_before(text: &[u8], item: &Item, next: Option<&Item>) -> bool {
    let whole = item.link == Link::Blank && item.spelling == Spelling::Integer && item.of.is_none();
    whole
        && next.is_some_and(|next| {
            let between = text[item.text.end..next.text.start].trim_ascii();
            next.key.is_empty() && next.spelling == Spelling::Decimal && matches!(between, b"" | b":" | b"]:")
        })
}

/// Whether a number without a name goes on the list of the one before: `iou: [0.1, 0.2]`, `loss 0.51/0.2`.
pub(super) fn goes_on_list(items: &[Item], index: usize, text: &[u8], bracketed: bool) -> bool {
    let Some(before) = index.checked_sub(1).map(|before| &items[before]) else { return false };
    let between = text[before.text.end..items[index].text.start].trim_ascii();
    // The numbers of a list may be texts: `['0.1', '0.2']`.
    let between = match between {
        b"', '" | b"\", \"" | b"','" => b",",
        other => other,
    };
    let plain = before.of.is_none() && items[index].of.is_none();
    plain && (between == b"/" || matches!(between, b"," | b"") && bracketed)
}

/// Whether a number without a name goes on a row of numbers that only blanks part: `iou: 0.1 0.2 0.4`. Behind a loss a lone one may be
/// anything, a time above all; further ones with as many decimals are of its kind.
pub(super) fn goes_on_row(items: &[Item], index: usize, text: &[u8], begun: bool, meaning: Meaning) -> bool {
    let decimals = |item: &Item| text[item.text.clone()].iter().rev().position(|byte| *byte == b'.');
    let goes_on = |at: usize| {
        let (Some(before), Some(item)) = (items.get(at - 1), items.get(at)) else { return false };
        let glued = !item.unit.is_empty() && item.unit.start == item.text.end;
        let plain = item.key.is_empty() && item.bracket == 0 && item.of.is_none() && !glued && !is_measured(text, item);
        let alike = item.spelling == Spelling::Decimal && decimals(item) == decimals(before);
        plain && alike && text[before.text.end..item.text.start].iter().all(|byte| *byte == b' ')
    };
    index > 0 && goes_on(index) && (begun || meaning == Meaning::Result || goes_on(index + 1))
}

/// `Accuracy of the network` in `Accuracy of the network on the 10000 test images`: a result, and on how many of what.
pub(super) fn on_counted(raw: &[u8], item: &Item) -> Option<String> {
    let text =
        std::str::from_utf8(raw).ok().filter(|_| item.spelling == Spelling::Integer && item.link == Link::Blank)?;
    let name = text.strip_suffix(" on the").or(text.strip_suffix(" on"))?;
    matches!(names::meaning(name), Meaning::Loss | Meaning::Result).then(|| name.to_owned())
}

/// Whether one of the numbers may end a range. Whether `0-99` is one shows in its numbers, which the lines of a shape have each their
/// own of, so that nothing is to be learnt from the line.
pub(super) fn has_range(scan: &Scan, text: &[u8]) -> bool {
    let ends = |item: &Item| matches!(text[..item.text.start].trim_ascii_end(), [.., b'0'..=b'9', b'-']);
    scan.items.iter().any(ends)
}

/// Whether a pair is worth a series.
pub(super) fn acceptable(name: &str, meaning: Meaning, link: Link, known: bool, placed: bool) -> bool {
    let words = name.split_whitespace().count();
    match (meaning, link) {
        _ if name.len() > 80 || !name.chars().any(char::is_alphanumeric) => false,
        (Meaning::Unknown, _) if ends_in_a_small_word(name) => false,
        (_, Link::Blank) if name == "is" => false,
        // R's optimisers: `iter  10 value 2.5`.
        (Meaning::Unknown, Link::Blank) if name == "value" => placed,
        (Meaning::Loss, Link::Mark) => true,
        (Meaning::Loss, _) => words <= 6,
        (Meaning::Result | Meaning::Schedule, Link::Mark) => words <= 6,
        (Meaning::Result | Meaning::Schedule, _) => words <= 3,
        (_, Link::Mark) => (known || placed) && words <= 5,
        _ => (known && placed) && words <= 2,
    }
}

/// `Mean action noise std`, `posterior p0`: whether a name says that its number is a statistic.
pub(super) fn is_statistic(name: &str) -> bool {
    const STATISTICS: [&str; 12] = [
        "mean",
        "average",
        "avg",
        "std",
        "stddev",
        "median",
        "variance",
        "posterior",
        "probability",
        "prob",
        "fraction",
        "ratio",
    ];
    let statistic = |word: &String| STATISTICS.contains(&word.as_str());
    let (found, of): (Vec<String>, Vec<String>) = names::tokens(name).into_iter().partition(statistic);
    // `Avg forward: 0.03` is a time.
    !found.is_empty() && !of.is_empty() && names::meaning(&of.join(" ")) != Meaning::Noise
}

/// `reducing learning rate of group`, `Updating learning rate to`: the rate that a sentence speaks of.
pub(super) fn rate_in_sentence(raw: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(raw).ok().filter(|text| text.contains("ing "))?;
    let at = text.find("learning rate")?;
    let tail = &text[at + "learning rate".len()..];
    matches!(tail, " to" | " of group" | " of parameter group").then(|| "learning rate".to_owned())
}

/// `over`, `kept in`: a sentence, not a name.
fn ends_in_a_small_word(name: &str) -> bool {
    const SMALL: [&str; 24] = [
        "over", "in", "of", "with", "for", "at", "to", "from", "than", "after", "by", "and", "or", "is", "was", "are",
        "the", "a", "on", "about", "every", "took", "has", "all",
    ];
    name.split_whitespace().last().is_some_and(|last| SMALL.contains(&last.to_ascii_lowercase().as_str()))
}

/// `avg loss`: whether a name is that of the mean of a loss.
pub(super) fn is_mean_of_loss(name: &str) -> bool {
    let own = name.strip_prefix("avg ").or_else(|| name.strip_prefix("average "));
    own.is_some_and(|own| names::meaning(own) == Meaning::Loss)
}

/// Whether the unit says that a number is a time, a rate or a size.
pub(super) fn is_measured(text: &[u8], item: &Item) -> bool {
    let unit = &text[item.unit.clone()];
    if unit.is_empty() {
        return false;
    }
    let shown = String::from_utf8_lossy(unit);
    units::UNITS.contains(&shown.as_ref())
        || shown.ends_with("/s")
        || shown.ends_with("/sec")
        || shown.starts_with("ms/")
        || shown.starts_with("s/")
        || shown.contains("/second")
}

/// A key without the words and marks that do not belong to the name.
pub(super) fn trimmed_name(raw: &[u8]) -> String {
    let text = String::from_utf8_lossy(raw);
    let mut name = text.trim().trim_matches(['"', '\'', '`', '*', '-', '>', '#', '.', ',', '!', '?', '~', '&']).trim();
    // The end of the sentence before: `10.1 s. Mean Reward`.
    if let Some((unit, rest)) = name.split_once(". ")
        && matches!(unit, "s" | "ms" | "sec" | "secs" | "seconds" | "min" | "h" | "hours" | "it/s")
    {
        name = rest.trim_start();
    }
    // An emoji is no part of a name.
    name = name.trim_start_matches(|c: char| !c.is_ascii() && !c.is_alphanumeric()).trim_start();
    // The word of the counter before: `第1/24轮 训练损失`.
    if let Some((counter, rest)) = name.split_once(' ')
        && matches!(counter, "轮" | "步" | "回合" | "周期" | "批次")
    {
        name = rest.trim_start();
    }
    if let Some((_, end)) = name.rsplit_once(" with ") {
        name = end;
    }
    // `After 3 epochs the loss is 0.5`: what was counted is no part of the name.
    if let Some((counted, rest)) = name.split_once(" the ")
        && names::is_position_word(counted.as_bytes())
    {
        name = rest;
    }
    name = name.strip_prefix("with ").unwrap_or(name);
    name = name.strip_prefix("the ").unwrap_or(name);
    name = name.strip_suffix(['为', '是']).unwrap_or(name);
    for tail in [" is", " was", " of", " at", " after", " value"] {
        // `Current function value` is a name as a whole.
        if let Some(short) = name.strip_suffix(tail).filter(|short| !short.ends_with("function")) {
            name = short.trim_end();
        }
    }
    let joined: Vec<&str> =
        name.split_whitespace().map(|w| w.trim_matches(['"', '\'', '<', '>'])).filter(|w| !w.is_empty()).collect();
    // Composer prints `Train loss/train/total`: the path is the name.
    if let [first, path] = joined[..]
        && matches!(first, "Train" | "Eval")
        && path.contains('/')
    {
        return path.to_owned();
    }
    joined.join(" ")
}

/// `Average loss at step 100: 4.5`: the length of the name before ` at step`.
pub(super) fn loss_before_step(raw: &[u8]) -> Option<usize> {
    let text = std::str::from_utf8(raw).ok()?;
    let lower = text.to_ascii_lowercase();
    let joints = || [" at ", " after ", " in ", " for ", " on "].into_iter();
    // `Average loss for 'output' for minibatches`: the name ends right before the counter's word.
    let last = joints().filter_map(|joint| Some((lower.rfind(joint)?, joint))).max();
    let counter = last.filter(|(at, joint)| names::is_position_word(&raw[at + joint.len()..]));
    let at = counter.map(|(at, _)| at).or_else(|| joints().filter_map(|joint| lower.find(joint)).min())?;
    let known = matches!(names::meaning(&text[..at]), Meaning::Loss | Meaning::Result);
    known.then_some(names::without_aside(&text[..at]).len())
}

/// Whether a line is a command as a shell or a launcher shows it: `python train.py --epochs 3` tells what was asked for.
pub(super) fn is_command(text: &[u8]) -> bool {
    let flag = |at: usize| text.get(at + 2).is_some_and(u8::is_ascii_lowercase);
    let flags = memchr::memmem::find_iter(text, b" --").filter(|at| flag(at + 1)).take(2).count();
    if text.starts_with(b"--") && flag(0) {
        let words = text.split(|byte| matches!(byte, b' ' | b'=')).filter(|word| !word.is_empty() && *word != b"\\");
        return flags > 0 || words.count() <= 2;
    }
    let called = |name: &[u8]| memchr::memmem::find(text, name).is_some();
    flags > 1 || flags == 1 && (text.starts_with(b"+ ") || called(b"$ ") || called(b".py ") || called(b"python"))
}

/// Whether a line is one drawing of a bar, printed line by line: it holds bar glyphs or `[====>...]`.
pub(super) fn is_drawn(text: &[u8]) -> bool {
    let glyph = |t: &[u8]| matches!(t, [0xE2, 0x94, 0x81] | [0xE2, 0x95, 0xB8] | [0xE2, 0x96, _]);
    text.windows(3).any(glyph)
        || memchr::memmem::find(text, b"[==").is_some()
        || memchr::memmem::find(text, b"[>..").is_some()
        || memchr::memmem::find(text, b"....]").is_some()
}
