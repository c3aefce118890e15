//! Prefixes that loggers, launchers and log collectors put before a line, taken off in layers.

mod collector;
mod columns;
mod container;
mod label;
mod numbering;
mod shared;
mod stamp;

pub(crate) use collector::has_several_processes;
pub(crate) use container::container_piece;
pub(crate) use label::{Label, Labels, may_be_labelled};
pub(crate) use numbering::Numbering;
pub(crate) use shared::Shared;

use super::names::{self, Meaning};
use super::number;
use columns::{
    columns_before_level, columns_before_stamp, function, name_before_stamp, tag_before_object, tag_before_stamp,
};
use container::container;
use numbering::numbering;
use stamp::host_and_program;
pub(crate) use stamp::stamp;

/// What stood before the text of a line.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Envelope {
    /// Where the text begins.
    pub(crate) start: usize,
    /// Rank of the process that wrote the line, where a launcher says so.
    pub(crate) rank: Option<u32>,
    /// Whether the text is indented; what a logger pads its columns with is no indentation.
    pub(crate) indented: bool,
}

/// Finds where the text of a line begins, behind time stamps, levels, logger names and rank labels.
pub(crate) fn strip(line: &[u8]) -> Envelope {
    let mut found = Envelope::default();
    let (mut logged, mut padded, mut glued, mut piped) = (false, false, false, false);
    found.start = numbering(line).unwrap_or(0);
    for _ in 0..16 {
        let start = found.start + blanks(&line[found.start..]);
        let rest = &line[start..];
        if is_tracker_talk(rest) {
            break;
        }
        let label = rank_label(rest);
        let mut at_once = label.is_some();
        if let Some((length, rank)) = label {
            found.rank = Some(rank);
            found.start = start + length;
        } else if let Some(length) = level(rest) {
            let name = glued_logger(&rest[length..]);
            found.start = start + length + name.unwrap_or(0);
            let text = &line[found.start..];
            // Where pipes part the prefix itself, the first one behind the level does so too.
            let row = !piped && is_row(text) && text.starts_with(b" ");
            let mark = if name.is_some() || row { 0 } else { separator(text) };
            found.start += mark;
            (logged, padded, glued) = (true, name.is_none() && mark == 0, name.is_some());
            continue;
        } else if let Some(length) = stamp(rest) {
            logged = true;
            let behind = &rest[length..];
            let more = collector::behind_stamp(behind).or_else(|| host_and_program(behind));
            found.start = start + length + more.unwrap_or(0);
        } else if let Some(length) = container(rest) {
            logged = true;
            found.start = start + length;
        } else if let Some(length) = collector::prefix(rest, found.start == 0) {
            at_once = rest[..length].ends_with(b":");
            found.start = start + length;
        } else if let Some(length) = logged
            .then(|| logger(rest).or_else(|| function(rest)).or_else(|| columns_before_level(rest)))
            .flatten()
            .or_else(|| tag_before_stamp(rest))
            .or_else(|| name_before_stamp(rest))
            .or_else(|| columns_before_stamp(rest))
            .or_else(|| tag_before_object(rest))
        {
            found.start = start + length;
        } else {
            break;
        }
        (glued, padded) = (at_once, false);
        // The bar at the edge of a table's row belongs to the row.
        if !is_row(&line[found.start..]) {
            found.start += separator(&line[found.start..]);
            piped |= line[found.start - 1] == b'|';
        }
    }
    let text = &line[found.start..];
    // Behind the label of a rank or a file lines begin at once, behind other prefixes after a blank.
    let parted = found.start > 0 && line[found.start - 1] != b' ' && !glued;
    let text = text.strip_prefix(b" ").filter(|_| parted).unwrap_or(text);
    found.indented = !padded && (text.starts_with(b"  ") || text.starts_with(b"\t"));
    found
}

/// Whether a tracker talks about itself: wandb prints its summary, the last losses in it, behind this label.
pub(crate) fn is_tracker_talk(text: &[u8]) -> bool {
    text.trim_ascii_start().starts_with(b"wandb: ")
}

fn blanks(text: &[u8]) -> usize {
    text.iter().take_while(|b| b.is_ascii_whitespace()).count()
}

/// `| loss | 0.5 |`, and not `| INFO | … |`.
fn is_row(text: &[u8]) -> bool {
    let inner = text.trim_ascii().strip_prefix(b"|").and_then(|text| text.strip_suffix(b"|"));
    inner.is_some_and(|inner| level(inner.trim_ascii_start()).is_none())
}

/// Length of ` - `, ` | `, `: ` after a part of a prefix.
fn separator(text: &[u8]) -> usize {
    let blank = blanks(text);
    let rest = &text[blank..];
    match rest.first() {
        Some(b'>') if rest.starts_with(b">> ") => blank + 2,
        Some(b'|' | b':' | b'>') if rest.get(1).is_none_or(|b| b.is_ascii_whitespace() || rest[0] == b':') => blank + 1,
        Some(b'-') if rest.get(1).is_none_or(u8::is_ascii_whitespace) => blank + 1,
        _ => 0,
    }
}

/// `[rank0]:`, `[Rank 0]`, `rank 3:`, `[1,0]<stdout>:`, and `[default0]:` as torchrun prints the role and local rank.
fn rank_label(text: &[u8]) -> Option<(usize, u32)> {
    let bracket = usize::from(text.first() == Some(&b'['));
    if bracket == 1
        && let Some(found) = mpi_label(text)
    {
        return Some(found);
    }
    let word = &text[bracket..];
    let names = ["rank", "gpu", "worker", "default"].iter().take(3 + bracket);
    let name = names.into_iter().find(|name| starts_with_ignoring_case(word, name))?;
    let mut at = bracket + name.len();
    at += text[at..].iter().take_while(|b| matches!(b, b' ' | b'_' | b':' | b'=')).count();
    let digits = text[at..].iter().take_while(|b| b.is_ascii_digit()).count();
    // `gpu012:` is a host.
    if digits > 1 && text[at] == b'0' {
        return None;
    }
    let rank = std::str::from_utf8(&text[at..at + digits]).ok()?.parse().ok()?;
    at += digits;
    match (bracket, text.get(at)) {
        (1, Some(b']')) => Some((at + 1, rank)),
        (0, Some(b':' | b']')) => Some((at + 1, rank)),
        _ => None,
    }
}

fn mpi_label(text: &[u8]) -> Option<(usize, u32)> {
    let close = text.iter().take(16).position(|&b| b == b']')?;
    let inner = std::str::from_utf8(&text[1..close]).ok()?;
    // Horovod names the rank alone.
    let (job, rank) = inner.split_once(',').unwrap_or(("0", inner));
    let _job: u32 = job.parse().ok()?;
    let stream = &text[close + 1..];
    let length = ["<stdout>:", "<stderr>:"].iter().find(|s| stream.starts_with(s.as_bytes()))?.len();
    Some((close + 1 + length, rank.parse().ok()?))
}

fn starts_with_ignoring_case(text: &[u8], word: &str) -> bool {
    text.len() >= word.len() && text[..word.len()].eq_ignore_ascii_case(word.as_bytes())
}

/// `INFO`, `[INFO]`, `INFO:`, `(WARNING)`, `INFO |`.
fn level(text: &[u8]) -> Option<usize> {
    const LEVELS: [&str; 14] = [
        "INFO", "DEBUG", "WARNING", "WARN", "ERROR", "CRITICAL", "TRACE", "SUCCESS", "NOTICE", "FATAL", "INF", "DBG",
        "WRN", "LOG",
    ];
    let bracket = usize::from(matches!(text.first(), Some(b'[' | b'(' | b'<')));
    let word = text[bracket..].iter().take_while(|b| b.is_ascii_alphabetic()).count();
    let name = &text[bracket..bracket + word];
    let upper = name.iter().all(u8::is_ascii_uppercase);
    let known = LEVELS.iter().any(|level| level.as_bytes().eq_ignore_ascii_case(name));
    if !known || !(upper || bracket == 1 || text.get(word) == Some(&b' ')) {
        return None;
    }
    let mut at = bracket + word;
    let gap = text[at..].iter().take(8).take_while(|b| **b == b' ').count();
    if bracket == 1 {
        at += gap;
        // `[INFO|trainer.py:2134]`, `[INFO|2026-01-02 03:04:05]`
        if text.get(at) == Some(&b'|') {
            at = memchr::memchr(b']', &text[..text.len().min(100)])?;
        }
        if !matches!(text.get(at), Some(b']' | b')' | b'>')) {
            return None;
        }
        at += 1;
    } else if !matches!(text.get(at), Some(b' ' | b':' | b'|' | b'\t')) {
        return None;
    }
    Some(at + usize::from(text.get(at) == Some(&b':')))
}

/// `__main__:` right behind `INFO:`, as Python's own format writes: whatever follows it is the text, from its first byte on.
fn glued_logger(text: &[u8]) -> Option<usize> {
    let name = text.iter().take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-')).count();
    let word = &text[..name];
    let named = word.first().is_some_and(|b| b.is_ascii_alphabetic() || *b == b'_') && text.get(name) == Some(&b':');
    let unknown = || names::meaning(&String::from_utf8_lossy(word)) == Meaning::Unknown;
    (named && !is_meaningful(word) && (word.starts_with(b"__") || unknown())).then_some(name + 1)
}

/// A logger's name or source place after a stamp or a level: `trainer -`, `__main__:train:49 -`, `[train.py:10]`, `root:`.
fn logger(text: &[u8]) -> Option<usize> {
    let bracket = usize::from(matches!(text.first(), Some(b'[' | b'(' | b'<')));
    let name = text[bracket..]
        .iter()
        .take_while(|b| {
            b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b':' | b'-' | b'/' | b'@' | b',' | b'>' | b'<')
        })
        .count();
    if name == 0 {
        return None;
    }
    let end = bracket + name;
    let word = &text[bracket..end];
    let own = trim_colon(word);
    // `__main__:train:49 -`: module, function and line.
    let line = own.iter().rposition(|&b| b == b':').map_or(&b""[..], |colon| &own[colon + 1..]);
    let place = own.iter().filter(|&&b| b == b':').count() > 1 && number::count(line).is_some();
    if place && bracket == 0 && text[end..].starts_with(b" -") {
        return Some(end);
    }
    // `train - INFO - `: whatever it is called, a level stands behind it.
    let behind = text[end..].strip_prefix(b" - ").and_then(level);
    if bracket == 0
        && own.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'))
        && behind.is_some()
    {
        return Some(end);
    }
    // `step:1 - loss:0.5` is no name.
    if own.split(|&b| b == b':').next().is_some_and(|head| head.len() < own.len() && is_meaningful(head)) {
        return None;
    }
    // `tensorflow:loss = 0.5`: the name ends at its first colon.
    if let (0, Some(colon)) = (bracket, own.iter().position(|&b| b == b':')) {
        let head = &own[..colon];
        let plain = head.iter().all(|b| b.is_ascii_alphabetic() || matches!(b, b'_' | b'.'));
        if plain && !head.is_empty() && !is_meaningful(head) && own.get(colon + 1).is_some_and(u8::is_ascii_alphabetic)
        {
            return Some(colon + 1);
        }
    }
    let worded = own.iter().any(u8::is_ascii_alphabetic);
    if is_meaningful(own) || bracket == 0 && (!worded || number::whole(own).is_some()) {
        return None;
    }
    if bracket == 1 {
        let closed = matches!(text.get(end), Some(b']' | b')'));
        let place = own.contains(&b':') || own.contains(&b'.') || !own.iter().any(u8::is_ascii_digit);
        return (closed && place).then(|| end + 1 + usize::from(text.get(end + 1) == Some(&b':')));
    }
    let rest = &text[end..];
    let gap = blanks(rest);
    let next = rest.get(gap);
    let after = rest.get(gap + 1);
    let ended = word.ends_with(b":")
        && word.len() == own.len() + 1
        && gap > 0
        && next.is_some_and(|b| !b.is_ascii_digit() && *b != b'-');
    let arrows = rest[gap..].starts_with(b">> ");
    let dashed =
        gap > 0 && (arrows || matches!(next, Some(b'-' | b'|' | b'>')) && after.is_none_or(u8::is_ascii_whitespace));
    let bracketed = word.ends_with(b"]");
    if !ended && !dashed && !bracketed {
        return None;
    }
    Some(end)
}

fn trim_colon(word: &[u8]) -> &[u8] {
    word.strip_suffix(b":").unwrap_or(word)
}

/// A word that tells which part of training a line belongs to, or names a number: no logger's name.
fn is_meaningful(word: &[u8]) -> bool {
    const WORDS: [&str; 30] = [
        "train",
        "training",
        "val",
        "valid",
        "validation",
        "eval",
        "evaluation",
        "test",
        "testing",
        "dev",
        "epoch",
        "step",
        "iter",
        "iteration",
        "batch",
        "loss",
        "acc",
        "accuracy",
        "lr",
        "it",
        "ep",
        "round",
        "episode",
        "ppl",
        "update",
        "global_step",
        "reward",
        "score",
        "nll",
        "epochs",
    ];
    let lower = word.to_ascii_lowercase();
    WORDS.iter().any(|w| w.as_bytes() == lower) || lower.windows(4).any(|w| w == b"loss") || word.contains(&b'=')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_prefixes_off_in_layers() {
        for (line, text) in [
            ("2026-11-21 09:18:33,483 - INFO - trainer - step 10/200 | loss=3.9", "step 10/200 | loss=3.9"),
            ("2026-11-21 09:18:34.670 | INFO     | __main__:train:49 - epoch=1 step=1", "epoch=1 step=1"),
            ("[11/21/2026 08:08:08] INFO: it 1 | loss 4.1897e+00", "it 1 | loss 4.1897e+00"),
            ("DLL 2026-01-02 03:04:05.678901 - (0, 12) train_loss : 0.5", "(0, 12) train_loss : 0.5"),
            ("1767323045.123 step 1 loss 0.5", "step 1 loss 0.5"),
            ("1767323045123\tstep 1 loss 0.5", "step 1 loss 0.5"),
            ("1767323045.5 step 1", "1767323045.5 step 1"),
            ("2026-01-02T03:04:05+0100 node1 python3[48213]: step 1", "step 1"),
            ("2026-01-02 03:04:05,123 - train - INFO - [1 | 2.3] loss=0.5", "[1 | 2.3] loss=0.5"),
            ("2026-01-02 03:04:05,123 INFO | loss | 0.5 |", "| loss | 0.5 |"),
            ("[rank0]:[titan] 2024-10-01 10:00:00,123 - root - INFO - step:  1  loss: 12.2", "step:  1  loss: 12.2"),
            ("[01/01 00:00:00 d2.utils.events]:  eta: 0:01:00  iter: 19", "eta: 0:01:00  iter: 19"),
            ("I0101 00:00:00.000000 123 train.py:100] train epoch: 1", "train epoch: 1"),
            ("INFO:tensorflow:loss = 0.69, step = 0", "loss = 0.69, step = 0"),
            ("INFO:root:step 1 loss 2", "step 1 loss 2"),
            ("12:00:01 step:1 - loss:0.5", "step:1 - loss:0.5"),
            ("train\tRun it\t2026-01-02T03:04:05.1234567Z [0]\ttrain-rmse:0.5", "[0]\ttrain-rmse:0.5"),
            ("2026-01-01T00:00:00.123456789Z stdout F step 1", "step 1"),
            ("trainer-1  | step 1 loss 2", "step 1 loss 2"),
            ("2022/01/01 00:00:00 - mmengine - INFO - Epoch(train)  [1][ 10/100]", "Epoch(train)  [1][ 10/100]"),
            ("[host] 2020-01-01 00:00:00,123 (trainer:705) INFO: 1epoch:train", "1epoch:train"),
            ("[LightGBM] [Info] Total Bins 1202", "Total Bins 1202"),
            ("12:00:01 loss 0.5", "loss 0.5"),
            ("[1,0]<stdout>:step 1", "step 1"),
            ("step 1 | loss 2", "step 1 | loss 2"),
            ("2026-01-02T03:04:05+00:00\tdocker.train\t{\"log\": \"step 1\"}", "{\"log\": \"step 1\"}"),
            ("0:00:15 left", "0:00:15 left"),
            ("[INFO|2026-01-02 03:04:05] app.train:143 >> {'loss': 0.5}", "{'loss': 0.5}"),
            ("[INFO|trainer.py:2134] 2026-01-02 03:04:05,123 >> step 1", "step 1"),
            ("11:[0]\ttrain-rmse:0.5", "[0]\ttrain-rmse:0.5"),
            ("     1\t[0]\ttrain-rmse:0.5", "[0]\ttrain-rmse:0.5"),
            ("      4 Epoch 1/8, loss: 0.5", "Epoch 1/8, loss: 0.5"),
            ("      4 loss 0.5", "4 loss 0.5"),
            ("4: [0.5, 0.4]", "4: [0.5, 0.4]"),
            ("2026-11-21 09:00:00\thost1:0\tcore.train:89\tINFO\t[step=1/10]", "[step=1/10]"),
            ("LOG (nnet3-train[5.5.0]:Train():nnet-training.cc:264) Average 0.5", "Average 0.5"),
            ("Jan  2 03:04:05 node1 train[123]: step 1", "step 1"),
            (
                "[2023-01-01 00:00:00,123] [INFO] [logging.py:96:log_dist] [Rank 0] step=10, skipped=0",
                "step=10, skipped=0",
            ),
            ("[2021-01-01 00:00:00,123][train_inner][INFO] - {\"epoch\": 1}", "{\"epoch\": 1}"),
            ("Epoch: [0][ 1/20]\tTime 0.1", "Epoch: [0][ 1/20]\tTime 0.1"),
            ("[00:05<00:10, 5.0it/s]", "[00:05<00:10, 5.0it/s]"),
        ] {
            let found = strip(line.as_bytes());
            let rest = String::from_utf8_lossy(&line.as_bytes()[found.start..]);
            assert_eq!(rest.trim_start(), text, "{line}");
        }
        assert_eq!(strip(b"[rank3]: step 1").rank, Some(3));
        let indented = |line: &str| strip(line.as_bytes()).indented;
        assert!(
            indented("  loss: 0.5") && indented("2026-01-02T03:04:05Z   loss: 0.5") && indented("[rank0]:  loss: 1")
        );
        let start = |line: &str| strip(line.as_bytes()).start;
        assert_eq!(start("2026-01-02T03:04:05Z | loss | 0.5 |"), 20, "the edge of a row stays");
        assert_eq!(start("12:00:01 | INFO     | a:b:7 - | loss | 0.5 |"), 29);
        assert!(!indented("12:00:01 INFO     loss: 0.5") && !indented("2026-01-02T03:04:05Z loss: 0.5"));
    }
}
