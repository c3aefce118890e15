//! Progress bars of the tqdm kind: where they stand in a line, and which step a value beside them belongs to.

use std::ops::Range;

use super::number;
use super::sink::Shown;
use crate::model::{Point, Position, Token};

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
    with_percent(line).or_else(|| without_total(line)).or_else(|| without_glyphs(line))
}

/// `loss=0.5:  30% 30/100 [00:03<00:07, 9.8it/s]`: a bar with a layout of its own, in which nothing is drawn.
fn without_glyphs(line: &[u8]) -> Option<Bar> {
    memchr::memmem::find_iter(line, b"% ").take(8).find_map(|percent| counted_behind(line, percent))
}

/// The bar whose percentage ends at `percent`.
fn counted_behind(line: &[u8], percent: usize) -> Option<Bar> {
    let digits = line[..percent].iter().rev().take_while(|b| b.is_ascii_digit()).count();
    let start = percent + 2 + line[percent + 2..].iter().take_while(|b| **b == b' ').count();
    let (done, used) = integer(&line[start..]).filter(|_| digits > 0)?;
    let stroke = start + used;
    let (total, length) = line[stroke..].strip_prefix(b"/").and_then(integer)?;
    let end = stroke + 1 + length;
    // Times are what makes it a bar.
    let inside = line[end..].strip_prefix(b" [")?;
    let timed = inside.iter().take(12).take_while(|b| b.is_ascii_digit() || **b == b':').count();
    if timed < 4 || inside.get(timed) != Some(&b'<') {
        return None;
    }
    let description = 0..percent - digits;
    let (postfix, close, elapsed, rate) = tail(line, end);
    let places = Places {
        percent: description.end..percent,
        done: start..stroke,
        total: stroke + 1..end,
        elapsed,
        rate,
        ..Places::default()
    };
    Some(Bar { description, done, total: Some(total), postfix, places, end: close })
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

/// Most drawings that are held until the bar goes on.
const MOST_HELD: usize = 4096;

/// Finds out which step a bar's value belongs to.
///
/// A job that sets the postfix before it advances the bar shows the value of step n while the bar still says n-1, and
/// once more when it says n. Such a bar shows a value at 0, which no finished step can have: from there on it lags. Where
/// the bar goes on by the clock alone, several values are drawn before it does. The k-th of them belongs k steps further,
/// once the bar has gone on as far; where it has not, only what it shows again as it goes on has a step.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lag {
    behind: bool,
    seen: bool,
    text: Vec<u8>,
    line: u64,
    last_done: i64,
    total: i64,
    offset: i64,
    epoch: Option<u64>,
    /// How far the bar goes on for one value, once that is known.
    stride: Option<i64>,
    /// Values drawn since the bar went on, and the latest of them: all but the first where that has its step already.
    ahead: i64,
    held: Vec<Point>,
    /// The first of them may be left over from the bar before.
    left_over: bool,
    /// The bar did not go on as far as values were drawn.
    clocked: bool,
    /// Counts the bars.
    lap: u32,
}

/// What is known of earlier drawings as a bar goes on.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Settled {
    /// Those that were held, at their steps.
    pub(crate) points: Vec<Point>,
    /// The drawing that was placed last stands at the wrong step.
    pub(crate) withdraws: bool,
    /// From here on the clock decides which steps are seen.
    pub(crate) clocked: bool,
}

impl Lag {
    /// The step that a value drawn at `done` belongs to; `None` where it is held, or left over from the bar before.
    pub(crate) fn step(
        &mut self,
        done: i64,
        total: Option<i64>,
        epoch: Option<f64>,
        shown: Shown<'_>,
    ) -> (Option<Settled>, Option<i64>) {
        let (fresh, first_ever) = (self.is_fresh(done, epoch), !self.seen);
        let same = self.seen && self.text == shown.text;
        let advanced = first_ever || fresh || done != self.last_done;
        let settled = if advanced && !fresh && self.went_on_by_one(done) {
            self.ahead = 0;
            None
        } else if advanced || self.held.len() >= MOST_HELD {
            self.settle(done, fresh, same)
        } else {
            None
        };
        if fresh {
            self.offset = self.offset.saturating_add(self.total.max(self.last_done));
            self.lap += 1;
        }
        self.epoch = epoch.map(f64::to_bits);
        self.last_done = done;
        self.total = total.unwrap_or(0);
        self.behind |= done == 0 && (first_ever || !same);
        self.seen = true;
        self.line = shown.line;
        let step = self.place(done, advanced, (fresh, same), shown);
        self.text.clear();
        self.text.extend_from_slice(shown.text);
        (settled, step.map(|step| if self.behind { step.saturating_add(self.offset) } else { step }))
    }

    /// What is known of the drawings that are held where nothing more is drawn.
    pub(crate) fn finish(&mut self) -> Option<Settled> {
        self.settle(self.last_done, true, true)
    }

    /// Whether a lagging bar counts its steps over the whole log.
    pub(crate) fn lap(&self) -> u32 {
        if self.behind { 0 } else { self.lap }
    }

    fn is_fresh(&self, done: i64, epoch: Option<f64>) -> bool {
        self.seen && (epoch.map(f64::to_bits) != self.epoch || done < self.last_done)
    }

    /// Whether the bar has gone on by one value, which has its step already: nothing is to be settled then, as nearly always.
    fn went_on_by_one(&self, done: i64) -> bool {
        let by_one = self.stride.is_some_and(|stride| self.last_done.saturating_add(stride) == done);
        by_one && self.ahead == 1 && self.held.is_empty() && !self.left_over && !self.clocked
    }

    fn place(&mut self, done: i64, advanced: bool, (fresh, same): (bool, bool), shown: Shown<'_>) -> Option<i64> {
        if !self.behind {
            return (done > 0).then_some(done);
        }
        // As it goes on, a bar shows again what it showed last.
        let again = advanced && done > 0 && same && !fresh;
        if self.clocked {
            return again.then_some(done);
        }
        if again || self.total > 0 && done >= self.total {
            return Some(done);
        }
        self.left_over |= fresh && same;
        self.ahead += 1;
        if let Some(stride) = self.stride.filter(|_| self.ahead == 1 && !self.left_over) {
            return Some(done.saturating_add(stride));
        }
        self.held.push(shown.point(Position { epoch: self.epoch.map(f64::from_bits), ..Position::default() }));
        None
    }

    /// The bar goes on to `done`, where it shows what it showed last (`same`), or a new one has begun.
    fn settle(&mut self, done: i64, fresh: bool, same: bool) -> Option<Settled> {
        let (ahead, held) = (std::mem::take(&mut self.ahead), std::mem::take(&mut self.held));
        let left_over = std::mem::take(&mut self.left_over);
        if !self.behind || self.clocked {
            return None;
        }
        let drawn = self.last_done.saturating_add(ahead.saturating_mul(self.stride.unwrap_or(1)));
        // A bar that was left before its end has made as many steps as it has shown values.
        let end = if !fresh {
            done
        } else if self.total > 0 {
            drawn.min(self.total)
        } else {
            drawn
        };
        let made = end.saturating_sub(self.last_done);
        if ahead == 0 && (fresh || made == 0) {
            return None;
        }
        let stride = *self.stride.get_or_insert(if ahead == 1 { made.max(1) } else { 1 });
        let placed = ahead - held.len() as i64;
        let steps = if made % stride == 0 { made / stride } else { 0 };
        let each = self.drawings_of_a_step(ahead, steps, left_over);
        if each > 0 || steps == 1 {
            let points = if ahead == 0 && !same { vec![self.shown_once(stride)] } else { Vec::new() };
            let due = (1..=steps).filter_map(|nth| {
                // The first drawing is not held where it has its step already.
                let index = usize::try_from(ahead - (steps - nth) * each - 1 - placed).ok()?;
                Some(Point { position: self.position(nth.saturating_mul(stride)), ..held.get(index)?.clone() })
            });
            let points: Vec<Point> = points.into_iter().chain(due).collect();
            return (!points.is_empty()).then(|| Settled { points, ..Settled::default() });
        }
        self.clocked = true;
        Some(Settled { points: Vec::new(), withdraws: placed > 0, clocked: true })
    }

    /// How often each of so many steps was drawn, of which the last drawing has its value; 0 where that does not come out even.
    fn drawings_of_a_step(&self, ahead: i64, steps: i64, left_over: bool) -> i64 {
        if ahead == 0 || steps <= 0 {
            return 0;
        }
        let spare = i64::from(left_over && ahead % steps != 0);
        if (ahead - spare) % steps == 0 {
            return (ahead - spare) / steps;
        }
        // The first drawings of a bar show no value yet: a job may set its description before its postfix.
        let each = ahead / steps + 1;
        if self.last_done == 0 && ahead > (steps - 1).saturating_mul(each) { each } else { 0 }
    }

    /// So many steps behind where the bar stands.
    fn position(&self, steps: i64) -> Position {
        let step = self.last_done.saturating_add(steps).saturating_add(self.offset);
        Position { segment: 0, epoch: self.epoch.map(f64::from_bits), step: Some(step) }
    }

    /// A value that was the same as the one before, so that the bar seemed to have gone on without one.
    fn shown_once(&self, stride: i64) -> Point {
        let value = number::whole(&self.text).unwrap_or(f64::NAN);
        Point { position: self.position(stride), value, text: Token::from_bytes(&self.text), line: self.line }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::sink::{Observation, Place, Sink};

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
        let bare = find(b"loss=0.5:  30% 30/100 [00:03<00:07, 9.8it/s, lr=1]").expect("a bar");
        assert_eq!((bare.done, bare.total, bare.description, bare.end), (30, Some(100), 0..11, 50));
        assert!(find(b"Acc: 45% 45/100 [0.5]").is_none());
    }

    /// Where the values of bars of so many steps turn out to stand: epoch, n and text of each drawing. The last value of a step counts.
    fn steps(total: i64, drawn: &[(u8, i64, &str)]) -> (Vec<(i64, String)>, bool) {
        let (mut lag, mut sink) = (Lag::default(), Sink::default());
        let id = sink.plain("loss");
        for (epoch, n, text) in drawn {
            let shown = Shown { value: 0.0.into(), text: text.as_bytes(), line: 1, redraw: true };
            let (settled, step) = lag.step(*n, Some(total), Some(f64::from(*epoch)), shown);
            settled.into_iter().for_each(|settled| sink.settle(id, settled));
            let place = Place { epoch: Some(f64::from(*epoch)), step, lap: lag.lap() };
            step.iter().for_each(|_| sink.record(id, place, shown));
        }
        lag.finish().into_iter().for_each(|settled| sink.settle(id, settled));
        sink.flush_all();
        let point = |seen: &Observation| (seen.point.position.step.unwrap_or(-1), seen.point.text.as_str().to_owned());
        (sink.out.iter().map(point).collect(), sink.metrics[id].sampled)
    }

    fn assert_steps(total: i64, drawn: &[(u8, i64, &str)], expected: &str, sampled: bool) {
        let (points, seen) = steps(total, drawn);
        let points: Vec<String> = points.iter().map(|(step, text)| format!("{step}{text}")).collect();
        assert_eq!((points.join(" ").as_str(), seen), (expected, sampled), "{drawn:?}");
    }

    #[test]
    fn a_postfix_set_before_the_update_belongs_to_the_next_step() {
        let bars = [
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
        ];
        assert_steps(3, &bars, "1a 2b 3b 4c 5d 6e", false);
    }

    #[test]
    fn values_drawn_before_the_bar_goes_on_belong_to_the_steps_that_it_goes_on_by() {
        let quick = [(0, 0, "a"), (0, 0, "b"), (0, 0, "c"), (0, 3, "c"), (0, 3, "d"), (0, 3, "e"), (0, 5, "e")];
        assert_steps(5, &quick, "1a 2b 3c 4d 5e", false);
        let slow = [(0, 0, "a"), (0, 1, "a"), (0, 1, "b"), (0, 1, "c"), (0, 3, "c"), (0, 3, "d"), (0, 3, "e")];
        assert_steps(5, &slow, "1a 2b 3c 4d 5e", false);
        // The next bar begins where the last values of this one were drawn.
        let left = [(0, 0, "a"), (0, 2, "a"), (0, 2, "b"), (0, 4, "b")];
        assert_steps(4, &left, "2a 4b", false);
        let two_a_step = [(0, 0, "x"), (0, 0, "a"), (0, 0, "a"), (0, 0, "b"), (0, 2, "b"), (0, 2, "b"), (0, 2, "c")];
        assert_steps(3, &two_a_step, "1a 2b 3c", false);
        let described_before =
            [(0, 0, "a"), (0, 0, "a"), (0, 0, "b"), (0, 2, "b"), (0, 2, "b"), (0, 2, "c"), (0, 3, "c")];
        assert_steps(3, &described_before, "1a 2b 3c", false);
        let next_bar = [(0, 0, "a"), (0, 0, "a"), (0, 2, "a"), (1, 0, "a"), (1, 0, "a"), (1, 2, "a"), (1, 2, "a")];
        assert_steps(2, &next_bar, "1a 2a 3a 4a", false);
        let updated_by_the_job = [(0, 0, "a"), (0, 1, "b"), (0, 2, "b"), (0, 3, "c"), (0, 3, "c"), (0, 4, "c")];
        assert_steps(9, &updated_by_the_job, "1a 2b 3b 4c", false);
    }

    #[test]
    fn values_that_are_not_set_at_every_step_count_where_the_bar_goes_on() {
        let tenth = [(0, 0, "a"), (0, 4, "a"), (0, 7, "a"), (0, 7, "b"), (0, 12, "b"), (0, 19, "b"), (0, 19, "c")];
        assert_steps(60, &tenth, "4a 7a 12b 19b", true);
    }

    #[test]
    fn a_postfix_left_over_from_the_epoch_before_is_dropped() {
        let bars = [(0, 1, "a"), (0, 2, "a"), (0, 2, "b"), (1, 0, "b"), (1, 1, "b"), (1, 1, "c")];
        assert_steps(2, &bars, "1a 2b 1c", false);
    }
}
