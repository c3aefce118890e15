//! Prefixes of tools that bring the lines of many processes together, each known by its own spelling.

use super::{blanks, stamp};

/// Length of such a prefix; `first` says that nothing of the line was taken off yet.
pub(super) fn prefix(text: &[u8], first: bool) -> Option<usize> {
    let known = process(text).or_else(|| pod(text)).or_else(|| priority(text)).or_else(|| julia(text));
    known.or_else(|| file(text).or_else(|| beginning(text)).filter(|_| first))
}

/// What stands behind a stamp of its own: ` :\t [Step 1/2] ` in a build of TeamCity, and GitLab's `00O `, the number of a stream.
pub(super) fn behind_stamp(text: &[u8]) -> Option<usize> {
    build_step(text).or_else(|| stream(text)).or_else(|| cloud_stream(text))
}

/// ` algo-1-x2b4c/algo-1-1767323045 ` and ` train/default/0123456789abcdef… `: the stream of a cloud's log that a line comes from.
fn cloud_stream(text: &[u8]) -> Option<usize> {
    let name = text.strip_prefix(b" ")?;
    let length = name.iter().take(160).take_while(|byte| !byte.is_ascii_whitespace()).count();
    let name = &name[..length];
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'/' | b'.');
    let last = name.rsplit(|byte| *byte == b'/').next().filter(|last| last.len() < name.len())?;
    let identity = last.iter().rev().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let named = name.first()?.is_ascii_alphabetic() && name.iter().all(plain);
    (named && identity >= 8 && text.get(1 + length) == Some(&b' ')).then_some(1 + length)
}

/// ` :\t [Step 1/2] `, and `[Step 1/2] ` where it is glued to the stamp: a step of the build that runs the training, which itself
/// counts nothing. So does the heading of such a step, ` : Step 1/2: Train (Command Line) (9m:40s)`.
fn build_step(text: &[u8]) -> Option<usize> {
    let inside = |start: usize| {
        let close = memchr::memchr(b']', text.get(start..text.len().min(start + 16))?)?;
        let step = text[start..start + close].strip_prefix(b"[Step ")?;
        let (step, of) = step.split_at(memchr::memchr(b'/', step)?);
        let digits = |text: &[u8]| !text.is_empty() && text.iter().all(u8::is_ascii_digit);
        (digits(step) && digits(&of[1..])).then_some((start + close + 1, step.len() + of.len()))
    };
    if let Some((end, length)) = inside(0) {
        return (length == b"1/2".len()).then_some(end);
    }
    let letter = usize::from(matches!(text.first(), Some(b' ' | b'W' | b'E' | b'F' | b'i')));
    let rest = text.get(letter..)?.strip_prefix(b":")?;
    if let Some(step) = rest.strip_prefix(b" Step ").filter(|step| step.ends_with(b"s)")) {
        return Some(text.len() - step.len() + memchr::memchr(b':', step)? + 1);
    }
    let start = letter + 1 + rest.strip_prefix(b"\t").map(|rest| 1 + blanks(rest))?;
    Some(inside(start).map_or(start, |(end, _)| end))
}

/// ` 00O ` and ` 01E+`.
fn stream(text: &[u8]) -> Option<usize> {
    let number = text.strip_prefix(b" ")?;
    let numbered = number.get(..2)?.iter().all(u8::is_ascii_hexdigit);
    (numbered && matches!(number.get(2..4)?, b"O " | b"E " | b"O+" | b"E+")).then_some(5)
}

/// `train.log:`, as grep writes before the lines of several files.
fn file(text: &[u8]) -> Option<usize> {
    let colon = memchr::memchr(b':', &text[..text.len().min(200)])?;
    let name = &text[..colon];
    let plain = name.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'/'));
    let ending = [&b".log"[..], b".out", b".err", b".txt"].iter().any(|ending| name.ends_with(ending));
    (plain && ending && colon > 4).then_some(colon + 1)
}

/// `(RayTrainWorker pid=4242, ip=10.0.0.1)`, `(train, pid=4242)`.
fn process(text: &[u8]) -> Option<usize> {
    if text.first() != Some(&b'(') {
        return None;
    }
    let close = memchr::memchr(b')', &text[..text.len().min(120)])?;
    let inner = &text[..close];
    let at = memchr::memmem::find(inner, b"pid=")? + b"pid=".len();
    inner.get(at).is_some_and(u8::is_ascii_digit).then_some(close + 1)
}

/// Whether several processes of one name wrote the beginning of a log under Ray, which tells them by their ids alone.
pub(crate) fn has_several_processes(head: &[u8]) -> bool {
    let mut seen: Vec<(&[u8], &[u8])> = Vec::new();
    for at in memchr::memmem::find_iter(head, b"pid=") {
        let line = memchr::memrchr(b'\n', &head[..at]).map_or(0, |end| end + 1);
        let Some(open) = memchr::memchr(b'(', &head[line..at]).filter(|open| *open < 32) else { continue };
        let name = &head[line + open..at];
        let id = &head[at + 4..];
        let id = &id[..id.iter().take_while(|byte| byte.is_ascii_digit()).count()];
        if seen.iter().any(|(other, known)| *other == name && *known != id) {
            return true;
        }
        if !id.is_empty() && seen.len() < 64 && !seen.contains(&(name, id)) {
            seen.push((name, id));
        }
    }
    false
}

/// `[pod/train-0/main]`, as kubectl writes before the lines of several pods.
fn pod(text: &[u8]) -> Option<usize> {
    let close = text.starts_with(b"[pod/").then(|| memchr::memchr(b']', &text[..text.len().min(300)]))??;
    Some(close + 1)
}

/// `[ Info: `, as Julia's logger begins a message of one line.
fn julia(text: &[u8]) -> Option<usize> {
    let inner = text.strip_prefix(b"[ ")?;
    ["Info: ", "Warning: ", "Debug: "]
        .iter()
        .find(|level| inner.starts_with(level.as_bytes()))
        .map(|level| 2 + level.len())
}

/// `<14>Jan  2 03:04:05 …` and `<14>1 2026-01-02T03:04:05Z host program 42 - - …`: the priority of a system log.
fn priority(text: &[u8]) -> Option<usize> {
    let digits = text.get(1..)?.iter().take(4).take_while(|byte| byte.is_ascii_digit()).count();
    if text[0] != b'<' || !(1..=3).contains(&digits) || text.get(digits + 1) != Some(&b'>') {
        return None;
    }
    let after = digits + 2;
    let rest = &text[after..];
    let Some(numbered) = rest.strip_prefix(b"1 ") else { return stamp(rest).map(|_| after) };
    let mut at = after + 2 + stamp(numbered)?;
    // Host, program, process, message and what else there may be to say.
    for _ in 0..5 {
        at += blanks(&text[at..]);
        at += text[at..].iter().take_while(|byte| **byte != b' ').count();
    }
    Some(at)
}

/// `> `, as mail and issues quote; and `12.3s 45 `, seconds and a count, as notebooks that run in batches write.
fn beginning(text: &[u8]) -> Option<usize> {
    if text.starts_with(b"> ") {
        return Some(2);
    }
    let digits = |at: usize| at + text[at.min(text.len())..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let whole = digits(0);
    let fraction = digits(whole + 1);
    let seconds = whole > 0 && text.get(whole) == Some(&b'.') && fraction > whole + 1;
    if !seconds || !text[fraction..].starts_with(b"s ") {
        return None;
    }
    let count = fraction + 1 + blanks(&text[fraction + 1..]);
    let end = digits(count);
    (end > count && text.get(end) == Some(&b' ')).then_some(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processes_of_one_name_are_several_by_their_ids() {
        let log = |ids: [u32; 2]| {
            ids.map(|id| format!("\u{1b}[36m(Worker pid={id}, ip=10.0.0.1)\u{1b}[0m step 1\n")).concat()
        };
        assert!(has_several_processes(log([7, 8]).as_bytes()));
        assert!(!has_several_processes(log([7, 7]).as_bytes()));
        assert!(!has_several_processes(b"(Worker pid=7) step 1\n(Trainer pid=8) step 1\n"));
    }

    #[test]
    fn knows_what_stands_behind_a_stamp() {
        for (line, text) in [
            (" :\t [Step 1/2] loss 0.5", " loss 0.5"),
            ("W:\t [Step 1/2] loss 0.5", " loss 0.5"),
            (" :\t [Step 3/10] loss", " loss"),
            (" :\tloading", "loading"),
            ("[Step 1/2] loss 0.5", " loss 0.5"),
            (" : Step 1/2: Train (Command Line) (9m:40s)", " Train (Command Line) (9m:40s)"),
            (" 00O loss", "loss"),
            (" 01E+ loss", " loss"),
            (" algo-1-x2b4c/algo-1-1767323045 loss 0.5", " loss 0.5"),
            (" train/default/0123456789abcdef loss", " loss"),
        ] {
            assert_eq!(behind_stamp(line.as_bytes()).map(|length| &line[length..]), Some(text), "{line}");
        }
        for line in [
            " : loss",
            " : Step 1/2: loss 0.5",
            "[Step 10/20] loss",
            " 00 loss",
            " loss",
            " a/b loss",
            " 10/12345678 loss",
            " train/loss=0.12345678 x",
            "",
        ] {
            assert_eq!(behind_stamp(line.as_bytes()), None, "{line}");
        }
    }

    #[test]
    fn knows_the_prefixes_of_collectors() {
        for (line, text) in [
            ("(RayTrainWorker pid=4242, ip=10.0.0.1) step 1", " step 1"),
            ("(train, pid=4000) [0]\ttrain-rmse:0.5", " [0]\ttrain-rmse:0.5"),
            ("[pod/train-0/main] [6] loss", " [6] loss"),
            ("<14>1 2026-01-02T03:04:05.678Z node1 python 4242 - - step 1", " step 1"),
            ("<14>Jan  2 03:04:05 node1 train[123]: step 1", "Jan  2 03:04:05 node1 train[123]: step 1"),
            ("12.3s 45 step 1", " step 1"),
            ("> step 1", "step 1"),
            ("[ Info: 1: 0.5", "1: 0.5"),
            ("runs/a_1/train.log:[0]\ttrain-rmse:0.5", "[0]\ttrain-rmse:0.5"),
        ] {
            assert_eq!(prefix(line.as_bytes(), true).map(|length| &line[length..]), Some(text), "{line}");
        }
        for line in [
            "(pid=x) 1",
            "val.loss:0.5",
            ".log:1",
            "the train.log: 1",
            "(step 1)",
            "[pod]",
            "<1> 2",
            "12.3s",
            "12.3s 45",
            "1.5 s 4 x",
            "",
            ">",
            "<",
        ] {
            assert_eq!(prefix(line.as_bytes(), true), None, "{line}");
        }
        assert_eq!(prefix(b"12.3s 45 step 1", false), None, "only at the very beginning");
    }
}
