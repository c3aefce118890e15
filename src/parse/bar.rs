//! Progress bars of the tqdm kind: where they stand in a line, and which step a value beside them belongs to.

use std::ops::Range;

/// A bar found in a line.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Bar {
    /// The description before it.
    pub(crate) description: Range<usize>,
    /// Steps made.
    pub(crate) done: i64,
    /// Steps to make, where known.
    pub(crate) total: Option<i64>,
    /// The text behind the rate: `loss=0.5, lr=0.01`.
    pub(crate) postfix: Range<usize>,
    /// Where the glyphs, the counter's two numbers, and the two parts before the postfix stand.
    pub(crate) places: Places,
    /// Where the bar ends; another text may follow.
    pub(crate) end: usize,
}

/// Where the changing parts of a bar stand.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Places {
    pub(crate) percent: Range<usize>,
    pub(crate) glyphs: Range<usize>,
    pub(crate) done: Range<usize>,
    pub(crate) total: Range<usize>,
    pub(crate) elapsed: Range<usize>,
    pub(crate) rate: Range<usize>,
}

/// Finds the first bar of a line: `desc:  8%|▊ | 5/60 [00:00<00:01, 68.88it/s, loss=0.5]`, or `5it [00:00, 68it/s]`.
pub(crate) fn find(line: &[u8]) -> Option<Bar> {
    with_percent(line).or_else(|| without_total(line))
}

fn with_percent(line: &[u8]) -> Option<Bar> {
    let at = memchr::memmem::find(line, b"%|").map(|p| (p, p + 2)).or_else(|| {
        // Without a total there is no percentage: `Epoch 0: |   | 0/? [00:00<?, ?it/s]`.
        let mark = memchr::memmem::find(line, b"/? [")?;
        let close = memchr::memrchr(b'|', &line[..mark])?;
        let open = memchr::memrchr(b'|', &line[..close])?;
        Some((open, open + 1))
    })?;
    let digits = line[..at.0].iter().rev().take_while(|b| b.is_ascii_digit()).count();
    let description = 0..at.0 - digits;
    let body = memchr::memchr(b'|', &line[at.1..])?;
    let counter = at.1 + body + 1;
    let rest = &line[counter..];
    let blank = rest.iter().take_while(|b| b.is_ascii_whitespace()).count();
    let (done, used) = integer(&rest[blank..])?;
    let done_at = counter + blank..counter + blank + used;
    let mut i = blank + used;
    // `12it/24.0it`: some write the unit behind both.
    let unit = rest[i..].iter().take(8).take_while(|byte| byte.is_ascii_alphabetic()).count();
    i += unit;
    if rest.get(i) != Some(&b'/') {
        return None;
    }
    i += 1;
    let total_start = counter + i;
    let total = match integer(&rest[i..]) {
        Some((total, used)) => {
            i += used;
            Some(total)
        }
        None if rest.get(i) == Some(&b'?') => {
            i += 1;
            None
        }
        // `24.0it`, `1.5k`: rounded, so that it says nothing.
        None if rest.get(i).is_some_and(u8::is_ascii_digit) => {
            i += rest[i..].iter().take(12).take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'.').count();
            None
        }
        None => return None,
    };
    let total_at = total_start..counter + i;
    let (postfix, end, elapsed, rate) = tail(line, counter + i);
    let percent = description.end..at.0;
    let places = Places { percent, glyphs: at.1..counter - 1, done: done_at, total: total_at, elapsed, rate };
    Some(Bar { description, done, total, postfix, places, end })
}

fn without_total(line: &[u8]) -> Option<Bar> {
    let at = memchr::memmem::find(line, b"it [")?;
    let digits = line[..at].iter().rev().take_while(|b| b.is_ascii_digit()).count();
    let (done, _) = integer(&line[at - digits..at])?;
    let (postfix, end, elapsed, rate) = tail(line, at + 2);
    let places = Places { done: at - digits..at, elapsed, rate, ..Places::default() };
    Some(Bar { description: 0..at - digits, done, total: None, postfix, places, end })
}

/// A plain integer; `1.50k` is a size, not a step.
fn integer(text: &[u8]) -> Option<(i64, usize)> {
    let digits = text.iter().take(18).take_while(|b| b.is_ascii_digit()).count();
    let scaled = text.get(digits).is_some_and(|b| matches!(b, b'.' | b'k' | b'M' | b'G' | b'K'));
    if digits == 0 || scaled {
        return None;
    }
    Some((std::str::from_utf8(&text[..digits]).ok()?.parse().ok()?, digits))
}

/// The postfix inside `[elapsed<left, rate, postfix]`, where the bar ends, and where its times and rate stand.
fn tail(line: &[u8], at: usize) -> (Range<usize>, usize, Range<usize>, Range<usize>) {
    let open = at + line[at..].iter().take_while(|&&b| b == b' ').count();
    if line.get(open) != Some(&b'[') {
        return (at..at, at, at..at, at..at);
    }
    let mut depth = 0;
    let mut end = line.len();
    let mut close = line.len();
    for (offset, &byte) in line[open..].iter().enumerate() {
        depth += i32::from(byte == b'[') - i32::from(byte == b']');
        if depth == 0 {
            close = open + offset;
            end = close + 1;
            break;
        }
    }
    let start = open + 1;
    let inside = &line[start..close];
    let mut parts = memchr::memchr_iter(b',', inside);
    let first = parts.next();
    let second = parts.next();
    let time_only = first.is_some_and(|f| !inside[..f].contains(&b'='));
    match (first, second) {
        (Some(first), Some(second)) if time_only => {
            (start + second + 1..close, end, start..start + first, start + first + 1..start + second)
        }
        (Some(first), None) if time_only => (close..close, end, start..start + first, start + first + 1..close),
        _ => (close..close, end, start..close, close..close),
    }
}

/// Finds out which step a bar's value belongs to.
///
/// A job that sets the postfix before it advances the bar shows the value of step n while the bar still says n-1, and
/// once more when it says n. Such a bar shows a value at 0, which no finished step can have: from there on it lags.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lag {
    behind: bool,
    seen: bool,
    key: i64,
    text: Vec<u8>,
    last_done: i64,
    total: i64,
    offset: i64,
    epoch: Option<u64>,
    /// Counts the bars.
    pub(crate) lap: u32,
}

impl Lag {
    /// The step that `text`, drawn at `done`, belongs to; `None` for a value left over from the bar before.
    pub(crate) fn step(&mut self, done: i64, total: Option<i64>, epoch: Option<f64>, text: &[u8]) -> Option<i64> {
        let epoch = epoch.map(f64::to_bits);
        let fresh = self.seen && (epoch != self.epoch || done < self.last_done);
        if fresh {
            self.offset += self.total.max(self.last_done);
            self.lap += 1;
            self.key = 0;
        }
        let stale = fresh && self.text == text;
        let first_ever = !self.seen;
        self.epoch = epoch;
        self.last_done = done;
        self.total = total.unwrap_or(0);
        self.seen = true;
        if done == 0 && self.key == 0 {
            if stale {
                return None;
            }
            self.behind |= first_ever || fresh || self.text != text;
        }
        let step = self.place(done, text)?;
        self.key = self.key.max(step);
        self.text.clear();
        self.text.extend_from_slice(text);
        Some(if self.behind { step + self.offset } else { step })
    }

    fn place(&self, done: i64, text: &[u8]) -> Option<i64> {
        if !self.behind {
            return (done > 0).then_some(done);
        }
        let at_end = self.total > 0 && done >= self.total;
        if done > self.key || at_end {
            return Some(done.max(1));
        }
        if done == self.key && self.text == text {
            return Some(done.max(1));
        }
        Some(done + 1)
    }

    /// Whether a lagging bar counts its steps over the whole log.
    pub(crate) fn lap(&self) -> u32 {
        if self.behind { 0 } else { self.lap }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_bars_and_what_is_said_beside_them() {
        let line = "Epoch 3: 100%|██████████| 20/20 [00:00<00:00, 485.73it/s, v_num=0, train_loss=0.267] then";
        let bar = find(line.as_bytes()).expect("a bar");
        assert_eq!((bar.done, bar.total), (20, Some(20)));
        assert_eq!(&line[bar.description], "Epoch 3: ");
        assert_eq!(&line[bar.postfix], " v_num=0, train_loss=0.267");
        assert_eq!(&line[bar.end..], " then");
        let scaled =
            find("train:   8%|█         | 2it/24.0it [00:01<00:10, 2.1it/s, loss=0.5]".as_bytes()).expect("a bar");
        assert_eq!((scaled.done, scaled.total), (2, None));
        assert_eq!(find(b"5it [00:00, 68.1it/s, loss=0.5]").map(|b| (b.done, b.total)), Some((5, None)));
        assert!(find(b"plain 5% text").is_none());
    }

    #[test]
    fn a_postfix_set_before_the_update_belongs_to_the_next_step() {
        let mut lag = Lag::default();
        let mut steps = Vec::new();
        for (epoch, n, text) in [
            (0, 0, "a"),
            (0, 1, "a"),
            (0, 1, "b"),
            (0, 2, "b"),
            (0, 2, "b"),
            (0, 3, "b"),
            (0, 3, "b"),
            (1, 0, "c"),
            (1, 1, "c"),
            (1, 1, "d"),
            (1, 2, "d"),
            (1, 2, "e"),
            (1, 3, "e"),
        ] {
            steps.push(lag.step(n, Some(3), Some(f64::from(epoch)), text.as_bytes()).unwrap_or(-1));
        }
        assert_eq!(steps, [1, 1, 2, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6]);
    }

    #[test]
    fn a_postfix_left_over_from_the_epoch_before_is_dropped() {
        let mut lag = Lag::default();
        let steps: Vec<_> = [(0, 1, "a"), (0, 2, "a"), (0, 2, "b"), (1, 0, "b"), (1, 1, "b"), (1, 1, "c")]
            .map(|(e, n, t)| lag.step(n, Some(2), Some(f64::from(e)), t.as_bytes()))
            .into();
        assert_eq!(steps, [Some(1), Some(2), Some(2), None, Some(1), Some(1)]);
    }
}
