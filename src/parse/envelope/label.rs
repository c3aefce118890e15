//! `0: `, `node01: `: the task or host that a launcher writes before each line. They look like the beginning of many a line, so that
//! they are believed only once lines of words have shown them.

use super::super::names::{self, Meaning};
use super::shared::{may_begin, same_but_for_digits};

/// Lines that have to show a label.
const LINES: u32 = 2;
/// Lines at the very beginning that may look labelled; another one may stand before the first that is.
const LOOKED_AT: usize = 3;
/// Most labels that are told apart.
const MOST: usize = 256;
/// Longest label.
const LONGEST: usize = 64;

/// What is known of the labels of a log.
#[derive(Clone, Debug, Default)]
pub(crate) struct Labels {
    /// Each label, and how many lines of words have shown it.
    seen: Vec<(Box<[u8]>, u32)>,
}

/// Lines at the beginning of a log that are looked at all together, and the fewest of them that tell anything.
const FIRST: usize = 512;
const FEWEST: usize = 6;

/// A label at the beginning of a line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Label {
    /// Its length, the blank behind it included.
    pub(crate) length: usize,
    /// The rank, where the label is a number.
    pub(crate) rank: Option<u32>,
    /// Whether it is not certain yet that this is one: then nothing is to be learnt from the line.
    pub(crate) doubtful: bool,
}

impl Labels {
    /// The labels as text.
    pub(crate) fn words(&self) -> String {
        let seen: Vec<_> = self.seen.iter().map(|(label, _)| String::from_utf8_lossy(label)).collect();
        seen.join(" ")
    }

    /// The labels that the beginning of a log shows by itself: nearly every line has one, and it is always the same task, or
    /// several tasks take turns in lines that count something themselves.
    pub(crate) fn at_the_beginning(head: &[u8]) -> Self {
        let lines = head.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii_end).filter(|line| !line.is_empty());
        if let Some(hosts) = hosts(lines.clone()) {
            return hosts;
        }
        let (mut all, mut labelled, mut shows, mut turns) = (0, 0, 0, 0);
        let mut wordy = false;
        let mut tasks: Vec<(u32, &[u8])> = Vec::new();
        let mut before = 0;
        for line in lines.take(FIRST) {
            all += 1;
            let Some((name, rank, text)) = task(line) else { continue };
            labelled += 1;
            wordy |= is_wordy(text);
            let logged = super::strip(text).start > 0;
            shows += usize::from(logged || is_wordy(text) || counts(text) || begins_with_position(text));
            turns += usize::from(before > rank);
            before = rank;
            if tasks.len() < MOST && !tasks.iter().any(|(_, known)| *known == name) {
                tasks.push((rank, name));
            }
        }
        let counting = shows * 2 > labelled;
        let alone = matches!(tasks.as_slice(), [(rank, _)] if *rank != 1 || wordy || counting);
        let together = tasks.len() > 1 && turns > 1 && counting;
        let believed = labelled >= FEWEST && labelled * 20 >= all * 19 && (alone || together);
        let seen = tasks.into_iter().filter(|_| believed).map(|(_, name)| (name.into(), LINES)).collect();
        Self { seen }
    }

    /// Whether a line begins as one with a label does, though it is not known to be one, in a log that has labels or has just shown
    /// this one for the first time.
    pub(crate) fn may_have(&self, line: &[u8]) -> bool {
        let Some((length, _)) = label(line) else { return false };
        let name = without_blank(&line[..length]);
        self.seen.iter().any(|(known, lines)| *lines >= LINES || **known == *name)
    }

    /// The label of a line, where it is one: behind it stand words without a number or another counter, or enough such lines
    /// came before. True as well where it is believed from here on.
    pub(crate) fn of(&mut self, line: &[u8]) -> Option<(Label, bool)> {
        let (length, rank) = label(line)?;
        let (name, text) = (without_blank(&line[..length]), &line[length..]);
        let known = self.seen.iter().position(|(known, _)| **known == *name);
        // Where `node-07` is one, `node-08` is.
        let alike = |name: &[u8], known: &[u8]| known.len() == name.len() && same_but_for_digits(known, name, 0);
        let certain = known.is_some_and(|at| self.seen[at].1 >= LINES)
            || rank.is_none() && self.seen.iter().any(|(known, lines)| *lines >= LINES && alike(name, known));
        let wordy = is_wordy(text);
        // A host shows itself on lines of any kind; a number on those only that count something themselves.
        let shows = wordy || rank.is_none() && is_host(name) || rank.is_some() && counts(text);
        let label = Label { length, rank, doubtful: !certain };
        if certain || !shows {
            return certain.then_some((label, false));
        }
        let at = known.unwrap_or(self.seen.len());
        if at == self.seen.len() && at < MOST {
            self.seen.push((name.into(), 0));
        }
        let believed = self.seen.get_mut(at).is_some_and(|(_, lines)| {
            *lines += 1;
            *lines == LINES
        });
        (wordy || rank.is_some()).then_some((label, believed)).or_else(|| believed.then_some((label, true)))
    }
}

/// Whether what stands behind the number of a line says by itself that the number is not its own: words alone or nothing, another
/// counter, the prefix of a logger, an object.
pub(super) fn shows_more(text: &[u8]) -> bool {
    let inner = text.trim_ascii();
    let logged = super::strip(text).start > 0;
    inner.is_empty()
        || is_wordy(inner)
        || logged
        || counts(inner)
        || begins_with_position(inner)
        || inner.starts_with(b"{")
}

/// Whether one of the lines that a log begins with looks as one with the label of a task does.
pub(crate) fn may_be_labelled(head: &[u8]) -> bool {
    let labelled = |line: &[u8]| {
        task(line).is_some() || host(line).is_some() || super::numbering::is_numbered(line) || may_begin(line)
    };
    head.split(|byte| *byte == b'\n').take(LOOKED_AT).any(labelled)
}

/// The labels of a log in which nearly every line names its host.
fn hosts<'t>(lines: impl Iterator<Item = &'t [u8]>) -> Option<Labels> {
    let (mut all, mut labelled) = (0, 0);
    let mut seen: Vec<(Box<[u8]>, u32)> = Vec::new();
    for line in lines.take(FIRST) {
        all += 1;
        let Some(name) = host(line) else { continue };
        labelled += 1;
        if seen.len() < MOST && !seen.iter().any(|(known, _)| **known == *name) {
            seen.push((name.into(), LINES));
        }
    }
    (labelled >= FEWEST && labelled * 20 >= all * 19).then_some(Labels { seen })
}

/// The label of a host.
fn host(line: &[u8]) -> Option<&[u8]> {
    let (length, rank) = label(line)?;
    let name = without_blank(&line[..length]);
    (rank.is_none() && is_host(name)).then_some(name)
}

/// Whether a name is that of a host: `node01`, `gpu-3`, `ip-10-0-0-1`, and not that of a number.
fn is_host(name: &[u8]) -> bool {
    let name = String::from_utf8_lossy(name.trim_ascii_end().strip_suffix(b":").unwrap_or(name)).into_owned();
    let numbered = name.contains('-') || name.bytes().filter(u8::is_ascii_digit).count() > 1;
    let measured = |meaning| {
        matches!(meaning, Meaning::Loss | Meaning::Result | Meaning::Schedule | Meaning::Step(_) | Meaning::Epoch)
    };
    numbered && !measured(names::meaning(&name))
}

/// Whether a text begins with a counter of its own: `[7]`, `[1, 2000]`, `7: `.
fn counts(text: &[u8]) -> bool {
    let digits = |from: &[u8]| from.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if let Some(inner) = text.strip_prefix(b"[") {
        let close = inner.iter().take(24).position(|byte| *byte == b']');
        let counter = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b' ' | b',' | b'/');
        return close.is_some_and(|close| close > 0 && inner[..close].iter().all(counter));
    }
    let count = digits(text);
    count > 0 && text.get(count) == Some(&b':')
}

/// A label without the blank behind it, which a line without a text may lack.
fn without_blank(label: &[u8]) -> &[u8] {
    label.strip_suffix(b" ").unwrap_or(label)
}

/// Whether a text is words without a number.
fn is_wordy(text: &[u8]) -> bool {
    !text.iter().any(u8::is_ascii_digit) && !text.trim_ascii().is_empty()
}

/// Whether a text begins with the word of a position: `step 3`, `Epoch: 1`.
fn begins_with_position(text: &[u8]) -> bool {
    let word = text.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
    word > 0 && names::is_position_word(&text[..word])
}

/// The label of a task, its number and the text behind it, stamps before the label left aside.
fn task(line: &[u8]) -> Option<(&[u8], u32, &[u8])> {
    let start = if label(line).is_some() { 0 } else { super::strip(line).start };
    let line = &line[start..];
    let line = line.strip_prefix(b" ").filter(|_| start > 0).unwrap_or(line);
    let (length, rank) = label(line)?;
    Some((without_blank(&line[..length]), rank?, &line[length..]))
}

fn label(line: &[u8]) -> Option<(usize, Option<u32>)> {
    let head = &line[..line.len().min(LONGEST)];
    let colon = memchr::memchr(b':', head)?;
    let name = &line[..colon];
    // `srun -l` aligns the numbers of its tasks.
    let name = name.trim_ascii_start();
    let blank = line.get(colon + 1).map_or(Some(0), |&next| (next == b' ').then_some(1))?;
    if name.is_empty() {
        return None;
    }
    if name.len() <= 5 && name.iter().all(u8::is_ascii_digit) {
        let rank = str::from_utf8(name).ok()?.parse().ok();
        return Some((colon + 1 + blank, rank));
    }
    let numbered = name.iter().any(u8::is_ascii_digit) && name[0].is_ascii_alphabetic() && name.len() == colon;
    let plain = name.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'));
    (numbered && plain).then_some((colon + 1 + blank, None))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rests(lines: &[&str]) -> Vec<String> {
        let mut labels = Labels::default();
        let rest = |line: &&str| {
            let length = labels.of(line.as_bytes()).map_or(0, |(label, _)| label.length);
            line[length..].to_owned()
        };
        lines.iter().map(rest).collect()
    }

    #[test]
    fn the_beginning_of_a_log_shows_labels_where_tasks_take_turns_or_one_is_alone() {
        let shown = |lines: &[&str]| {
            let seen = Labels::at_the_beginning(lines.join("\n").as_bytes()).seen;
            seen.iter().map(|(name, _)| String::from_utf8_lossy(name).into_owned()).collect::<Vec<_>>()
        };
        let times = |lines: &[&'static str], count: usize| [lines; 9][..count].concat();
        assert_eq!(shown(&times(&["node-07: [1 | 2.3] loss=0.5"], 6)), ["node-07:"]);
        assert_eq!(shown(&times(&["top-1: 0.5", "loss: 0.4"], 6)), [""; 0], "not every line");
        assert_eq!(shown(&times(&["0: loss 0.5"], 6)), ["0:"]);
        assert_eq!(shown(&times(&["0: loss 0.5"], 5)), [""; 0], "too few lines");
        assert_eq!(shown(&times(&["1: loss 0.5"], 8)), [""; 0], "the first epoch, for all that is said");
        assert_eq!(shown(&times(&["1: step 1 loss 0.5"], 8)), ["1:"]);
        assert_eq!(shown(&[&["1: loading"][..], &times(&["1: loss 0.5"], 8)].concat()), ["1:"]);
        assert_eq!(shown(&times(&["0: step 1: 0.5", "1: step 1: 0.4"], 4)), ["0:", "1:"]);
        assert_eq!(
            shown(&times(&["2026-01-02T03:04:05Z 0: step 1", "2026-01-02T03:04:05Z 1: step 1"], 4)),
            ["0:", "1:"]
        );
        assert_eq!(shown(&times(&["0: loss 0.5", "1: loss 0.4", "2: loss 0.3"], 4)), [""; 0], "steps that restart");
        assert_eq!(shown(&times(&["0: step 1 loss 0.5", "Epoch done"], 8)), [""; 0], "too many other lines");
    }

    #[test]
    fn believes_a_label_once_words_have_shown_it() {
        let lines = ["0: loading", "0: 6 loss 0.5", "0: loading", "0: 6 loss 0.5", "1: 7 0.5", "step 1: 0.5"];
        assert_eq!(rests(&lines), ["loading", "0: 6 loss 0.5", "loading", "6 loss 0.5", "1: 7 0.5", "step 1: 0.5"]);
        let counters = ["0: [6] loss 0.5", "1: [1, 2000] loss: 0.5", "2: 6: loss 0.5", "3: [0.5, 0.4]"];
        assert_eq!(rests(&counters), ["[6] loss 0.5", "[1, 2000] loss: 0.5", "6: loss 0.5", "3: [0.5, 0.4]"]);
        let plain = ["node-3: 1 loss 0.5", "node-3: 2 loss 0.5", "node-3: 3 loss 0.5"];
        assert_eq!(rests(&plain)[2], "3 loss 0.5");
        let hosts = ["node01: loading", "node01: the data", "node01: 3 loss 0.5"];
        assert_eq!(rests(&hosts), ["loading", "the data", "3 loss 0.5"]);
        let classes = ["0: cat", "1: dog", "top1: x", "0: 0.5", "1: 0.4", "top1: 4"];
        assert_eq!(rests(&classes)[3..], classes[3..], "each shown once");
        let steps = ["0: loss 0.5", "1: loss 0.4", "1: 0.3", "top5: 12", "l2: 0.5"];
        assert_eq!(rests(&steps), steps, "steps and names are no labels");
    }
}
