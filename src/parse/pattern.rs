//! Lines read by the user's own expression.

use std::ops::Range;

use super::digits::Digits;
use super::expression::{Expression, Found};
use super::format::Reader;
use super::frames::{End, Frame, Frames, Reads};
use super::literal::Literal;
use super::number;
use super::options::Pattern;
use super::run::Slot;
use super::sink::{Place, Shown, Sink};
use super::stencil::Stencils;

/// Whole numbers are exact below it.
const WHOLE: f64 = 9e15;

/// Reads every match of a pattern.
#[derive(Clone, Debug)]
pub(crate) struct PatternReader {
    frames: Frames,
    matches: Matches,
}

#[derive(Clone, Debug)]
struct Matches {
    expression: Expression,
    /// The same pattern where it is a word and a number: found without the expression.
    literal: Option<Literal>,
    /// What the expression found in lines before; they have layouts where it is known which digits it tells from others.
    layouts: Stencils<Layout>,
    digits: Option<Digits>,
    /// What was found in the last frame.
    found: Vec<Found>,
    id: Option<usize>,
    count: u64,
    odd: u64,
    /// Places that were captured and are none.
    unplaced: u64,
    /// Matches without a place in lines that are drawn again.
    drawn_over: u64,
}

/// What is known of all lines that differ in nothing but digits which the expression takes alike.
#[derive(Clone, Debug)]
struct Layout {
    found: Vec<Found>,
    /// Length of the text, without blanks and the line end behind it.
    length: usize,
    end: End,
}

impl PatternReader {
    /// A reader for `pattern`.
    pub(crate) fn new(pattern: &Pattern) -> Self {
        let expression = Expression::new(&pattern.regex);
        let literal = Literal::of(pattern.as_str());
        let matches = Matches {
            expression,
            literal,
            layouts: Stencils::default(),
            digits: Digits::of(pattern.as_str()),
            found: Vec::new(),
            id: None,
            count: 0,
            odd: 0,
            unplaced: 0,
            drawn_over: 0,
        };
        Self { frames: Frames::default(), matches }
    }
}

impl Reader for PatternReader {
    fn fork(&self) -> Box<dyn Reader> {
        Box::new(self.clone())
    }

    fn push(&mut self, bytes: &[u8], sink: &mut Sink) {
        self.frames.read(bytes, &mut self.matches, sink);
    }

    fn finish(&mut self, sink: &mut Sink) {
        let matches = &mut self.matches;
        self.frames.finish(&mut |frame| matches.frame(frame, sink));
        sink.flush_all();
        if matches.odd > 0 {
            sink.warn(format!("{} matches of the pattern held no number", matches.odd));
        }
        if matches.unplaced > 0 {
            sink.warn(format!(
                "{} matches of the pattern held a step or an epoch that is no such number: their values count by their order",
                matches.unplaced
            ));
        }
        if matches.drawn_over > 0 {
            sink.warn(format!(
                "{} matches of the pattern stand in lines that are drawn again and say no step: the last of each line counts; \
                 a group (?P<step>...) keeps them apart",
                matches.drawn_over
            ));
        }
    }

    fn line(&self) -> Option<u64> {
        Some(self.frames.line())
    }

    fn detail(&self) -> String {
        format!("{} matches of the pattern", self.matches.count)
    }
}

impl Reads for Matches {
    fn skim(&mut self, bytes: &[u8], frames: &mut Frames, sink: &mut Sink) -> usize {
        let read = self.skim_literal(bytes, frames, sink);
        read + self.skim_known(&bytes[read..], frames, sink)
    }

    fn frame(&mut self, frame: Frame<'_>, sink: &mut Sink) {
        let mut found = std::mem::take(&mut self.found);
        self.expression.find_in(frame.text, &mut found);
        self.record_all(&found, frame, sink);
        self.found = found;
    }

    fn learn(&mut self, raw: &[u8], length: usize, end: End, _redrawn: bool) {
        if !self.layouts.has_room() {
            return;
        }
        let Some(matter) = self.digits.as_ref().and_then(|digits| digits.that_matter(&raw[..length])) else { return };
        self.layouts.learn(raw, |at| !matter[at], Layout { found: self.found.clone(), length, end });
    }
}

impl Matches {
    /// Reads whole lines without cutting them out, as far as no line is drawn again.
    fn skim_literal(&mut self, bytes: &[u8], frames: &mut Frames, sink: &mut Sink) -> usize {
        let plain = || memchr::memchr3(b'\r', 0x08, 0x1b, bytes).is_none();
        let (Some(literal), Some((first, false))) = (&self.literal, frames.beginning()) else { return 0 };
        let Some(end) = memchr::memrchr(b'\n', bytes).filter(|_| plain()) else { return 0 };
        let whole = &bytes[..=end];
        let (mut counted, mut line) = (0, first);
        for found in literal.find_in(whole) {
            line += memchr::memchr_iter(b'\n', &whole[counted..found.start]).count() as u64;
            counted = found.start;
            self.count += 1;
            let id = *self.id.get_or_insert_with(|| sink.asked("value"));
            let frame = Frame { text: whole, line, end: End::Line, redrawn: false };
            self.odd += u64::from(!record(frame, found, Place::default(), |_| id, sink));
        }
        line += memchr::memchr_iter(b'\n', &whole[counted..]).count() as u64;
        frames.go_to(line);
        whole.len()
    }

    /// Reads frames in which the expression finds the same as in an earlier one.
    fn skim_known(&mut self, bytes: &[u8], frames: &mut Frames, sink: &mut Sink) -> usize {
        let mut layouts = std::mem::take(&mut self.layouts);
        let mut at = 0;
        while let Some((line, redrawn)) = frames.beginning().filter(|_| !layouts.is_empty()) {
            let rest = &bytes[at..];
            let Some((length, known)) = layouts.of_line(rest) else { break };
            let known = layouts.what(known);
            // A carriage return is the end of a redraw only where no line feed follows.
            if known.end == End::Redraw && rest.get(length).is_none_or(|&next| next == b'\n') {
                break;
            }
            let frame = Frame { text: &rest[..known.length], line, end: known.end, redrawn };
            self.record_all(&known.found, frame, sink);
            frames.passed(known.end);
            at += length;
        }
        self.layouts = layouts;
        at
    }

    /// Records what was found in a frame.
    fn record_all(&mut self, all: &[Found], frame: Frame<'_>, sink: &mut Sink) {
        for found in all {
            self.count += 1;
            let number = |at: &Option<Range<usize>>| number::whole(&frame.text[at.clone()?]);
            let step = number(&found.step).filter(|step| step.fract() == 0.0 && step.abs() < WHOLE);
            let place = Place { epoch: number(&found.epoch), step: step.map(|step| step as i64), lap: 0 };
            let missed = found.step.is_some() && place.step.is_none() || found.epoch.is_some() && place.epoch.is_none();
            self.unplaced += u64::from(missed);
            self.drawn_over += u64::from(is_drawn(frame) && place.step.is_none() && place.epoch.is_none());
            let known = &mut self.id;
            let id = |sink: &mut Sink| match &found.metric {
                Some(at) => sink.asked(String::from_utf8_lossy(&frame.text[at.clone()]).trim()),
                None => *known.get_or_insert_with(|| sink.asked("value")),
            };
            self.odd += u64::from(!record(frame, found.value.clone(), place, id, sink));
        }
    }
}

/// Whether a frame is drawn in place.
fn is_drawn(frame: Frame<'_>) -> bool {
    frame.redrawn || frame.end == End::Redraw
}

/// Records a value of a frame for the metric that `id` gives; false where the text at that place is no number.
fn record(
    frame: Frame<'_>,
    at: Range<usize>,
    place: Place,
    id: impl FnOnce(&mut Sink) -> usize,
    sink: &mut Sink,
) -> bool {
    let text = &frame.text[at.clone()];
    let plain = number::lex(text, 0).filter(|number| number.end == text.len() && number.decimals.is_some());
    if let Some(number) = plain.filter(|_| !is_drawn(frame)) {
        let slot = Slot { id: id(sink), at, spelling: number.spelling, decimals: number.decimals };
        sink.record_row(place, frame.text, &[slot], frame.line);
        return true;
    }
    let Some(value) = number::whole(text) else { return false };
    let id = id(sink);
    let shown = Shown { value: value.into(), text: text.trim_ascii(), line: frame.line, redraw: is_drawn(frame) };
    sink.record(id, place, shown);
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The points that a pattern gives, with the expression alone where `slow`.
    fn points(pattern: &str, log: &[u8], slow: bool, piece: usize) -> Vec<String> {
        let mut reader = PatternReader::new(&Pattern::new(pattern).expect(pattern));
        if slow {
            (reader.matches.literal, reader.matches.digits) = (None, None);
        }
        let mut sink = Sink::default();
        log.chunks(piece).for_each(|part| reader.push(part, &mut sink));
        reader.finish(&mut sink);
        let names = sink.metrics.iter().map(|metric| metric.name.clone());
        let seen = sink.out.iter().map(|o| format!("{} {:?}", o.metric, o.point));
        names.chain(seen).chain(sink.warnings.clone()).chain([reader.detail()]).collect()
    }

    #[test]
    fn a_step_that_is_no_whole_number_is_said_to_be_none() {
        let log = b"at 1 loss 0.5\nat 1.5 loss 0.4\nat x loss 0.3\n";
        let shown = points(r"at (?P<step>\S+) loss (?P<value>[\d.]+)", log, false, 99);
        let steps: Vec<bool> =
            shown.iter().filter(|line| line.starts_with("0 ")).map(|line| line.contains("step: None")).collect();
        assert_eq!(steps, [false, true, true]);
        assert!(shown.iter().any(|line| line.starts_with("2 matches of the pattern held a step")), "{shown:?}");
    }

    /// Lines whose digits change, some of which are drawn again, coloured, or of another kind.
    fn log() -> Vec<u8> {
        let line = |step: usize| {
            let loss = 7919 * step % 1000;
            match step % 7 {
                3 => format!("\rbar {step}/900 loss=0.{loss}\rbar {step}/900 loss=1.{loss}\n"),
                4 => format!("\x1b[1mepoch {} loss\x1b[0m: {loss}e-0{}\r\n", step / 50, step % 9),
                5 => format!("2026-01-02 03:04:{:02} nothing loss {step}\n", step % 60),
                6 => "loss: n/a, loss: nan, loss: -inf\n".to_owned(),
                _ => format!("epoch {} step {step} loss: {loss}.{:03}, val loss: {step}%  \n", step / 50, step % 1000),
            }
        };
        (0..400).map(line).collect::<String>().into_bytes()
    }

    #[test]
    fn a_line_that_is_drawn_again_takes_nothing_from_the_lines_behind_it() {
        let log = b"loss 1.5\nloss 2.5\rloss 3.5\nloss 4.5\nloss 5.5\n";
        let seen = points("loss ([0-9.]+)", log, false, 7);
        let texts: Vec<_> = seen.iter().filter_map(|point| point.split('"').nth(1)).collect();
        assert_eq!(texts, ["1.5", "3.5", "4.5", "5.5"]);
        assert!(seen.iter().any(|said| said.starts_with("2 matches of the pattern stand in lines")), "{seen:?}");
    }

    #[test]
    fn known_lines_give_what_the_expression_finds_in_them() {
        for pattern in [
            r"loss[:= ]+(\S+?)(?:[,\s]|$)",
            r"(?P<metric>(?:val )?loss): (?P<value>[-\d.einfa]+)",
            r"(?:epoch (?P<epoch>\d+) )?step (?P<step>\d+) .*loss: (?P<value>[\d.]+)",
            r"(?P<metric>e\w+ \d) .*loss: (?P<value>[\d.]+)",
            r"step 1\d* loss: ([\d.]+)",
            r"(?:step|epoch) [13](?P<step>\d*) .*s[^0-4]*(?P<value>[5-9][\d.]*)",
            r"[02468] \w*:? ?loss: (?P<value>1?[\d.]+)",
            r"loss: ([\d.]+)",
            r"bar (?P<step>\d+)/\d+ (\w+)=(?P<value>.*)",
            r"$()",
        ] {
            let expected = points(pattern, &log(), true, usize::MAX);
            assert!(expected.len() > 40 || pattern.starts_with('$'), "{pattern}: {expected:?}");
            for piece in [usize::MAX, 5000, 77] {
                assert_eq!(points(pattern, &log(), false, piece), expected, "{pattern} in pieces of {piece}");
            }
        }
    }
}
