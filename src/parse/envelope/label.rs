//! `0: `, `node01: `: the task or host that a launcher writes before each line. They look like the beginning of many a line, so that
//! they are believed only once lines of words have shown them.

use super::super::names::{self, Meaning};

/// Lines that have to show a label.
const LINES: u32 = 2;
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
    /// The label of a line, where it is one: behind it stand words without a number or another counter, or enough such lines
    /// came before. True as well where it is believed from here on.
    pub(crate) fn of(&mut self, line: &[u8]) -> Option<(Label, bool)> {
        let (length, rank) = label(line)?;
        let (name, text) = line.split_at(length);
        let known = self.seen.iter().position(|(known, _)| **known == *name);
        let certain = known.is_some_and(|at| self.seen[at].1 >= LINES);
        let wordy = !text.iter().any(u8::is_ascii_digit) && !text.trim_ascii().is_empty();
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

fn label(line: &[u8]) -> Option<(usize, Option<u32>)> {
    let head = &line[..line.len().min(LONGEST)];
    let colon = memchr::memchr(b':', head)?;
    let name = &line[..colon];
    // `srun -l` aligns the numbers of its tasks.
    let name = name.trim_ascii_start();
    if name.is_empty() || line.get(colon + 1) != Some(&b' ') {
        return None;
    }
    if name.len() <= 5 && name.iter().all(u8::is_ascii_digit) {
        let rank = str::from_utf8(name).ok()?.parse().ok();
        return Some((colon + 2, rank));
    }
    let numbered = name.iter().any(u8::is_ascii_digit) && name[0].is_ascii_alphabetic() && name.len() == colon;
    let plain = name.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'));
    (numbered && plain).then_some((colon + 2, None))
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
