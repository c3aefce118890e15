//! What the slow reading of a line teaches about other lines of its shape.

use std::ops::Range;

use super::super::pairs::Value;
use super::super::wording::is_drawn;
use super::super::{Here, Said};
use crate::parse::bar::Bar;
use crate::parse::names::Split;
use crate::parse::number::{self, Spelling};
use crate::parse::scan::Scan;

/// What a number of a line is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    Step,
    Epoch,
    InnerEpoch,
    Total,
    Done,
    BarTotal,
    /// The value with this index.
    Value(usize),
    /// A number with a name that is not compared.
    Named,
    Nothing,
}

/// A part of a line that is not compared byte by byte.
#[derive(Clone, Debug)]
pub(super) struct Mark {
    pub(super) at: Range<usize>,
    pub(super) what: MarkKind,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum MarkKind {
    Number(Use, Spelling),
    Until(u8),
}

/// A metric of a line, with its ids by split and by whether the line has a step.
#[derive(Clone, Debug)]
pub(super) struct Named {
    pub(super) name: String,
    pub(super) group: String,
    pub(super) ids: [Option<usize>; 4],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Nothing,
    Pairs,
    Object,
    Bar,
}

/// What the slow reading of a line found out.
#[derive(Clone, Debug)]
pub(in crate::parse::console) struct Lesson {
    pub(super) kind: Kind,
    /// Address of the text that the marks count from; the same bytes as the frame's, or the lesson is void.
    pub(super) base: usize,
    pub(super) marks: Vec<Mark>,
    pub(super) names: Vec<Named>,
    pub(super) split: Split,
    pub(super) rank: Option<u32>,
    /// Whether a bare counter `n/N` gave the step.
    pub(super) counter: bool,
    pub(super) drawn: bool,
    pub(super) nameless: bool,
    /// Where the marks' text began in the frame.
    pub(super) offset: usize,
    /// Names: here a digit is no more free than a letter.
    pub(super) fixed: Vec<Range<usize>>,
}

impl Lesson {
    fn new(kind: Kind, here: Here<'_>) -> Self {
        Self {
            kind,
            base: here.text.as_ptr() as usize,
            marks: Vec::new(),
            names: Vec::new(),
            split: Split::Unsaid,
            rank: here.rank,
            counter: false,
            drawn: false,
            nameless: false,
            offset: 0,
            fixed: Vec::new(),
        }
    }

    /// A line without numbers, which says nothing.
    pub(in crate::parse::console) fn nothing(here: Here<'_>) -> Self {
        Self::new(Kind::Nothing, here)
    }

    /// A key-value line.
    pub(in crate::parse::console) fn pairs(
        here: Here<'_>,
        scan: &Scan,
        said: &Said,
        split: Split,
        complete: bool,
        values: &[Value],
    ) -> Option<Self> {
        if said.rank != here.rank {
            return None;
        }
        let mut lesson = Self::new(Kind::Pairs, here);
        lesson.rank = said.rank;
        lesson.split = split;
        lesson.drawn = is_drawn(here.text);
        lesson.name(values);
        for item in &scan.items {
            let value = values.iter().find(|v| v.text == item.text && !v.noise);
            let purpose = if item.text == said.step_at && !item.text.is_empty() {
                lesson.counter = complete || item.key.is_empty() && item.of.is_some();
                if let Some(total) = item.of.and_then(|_| denominator(here.text, item.text.end)) {
                    lesson.number(total, Use::Total, Spelling::Integer);
                }
                Use::Step
            } else if item.text == said.epoch_at {
                Use::Epoch
            } else {
                value
                    .and_then(|v| lesson.index(v))
                    .map_or(if item.key.is_empty() { Use::Nothing } else { Use::Named }, Use::Value)
            };
            if matches!(item.spelling, Spelling::DecimalComma | Spelling::Thousands) && purpose != Use::Step {
                return None;
            }
            if !matches!(purpose, Use::Nothing | Use::Named) {
                lesson.fixed.extend([item.key.clone(), item.group.clone(), item.unit.clone()]);
            }
            // A bare integer may be part of a date: only as many digits are the same shape.
            let behind = here.text.get(item.text.end);
            let bare = item.key.is_empty()
                && item.spelling == Spelling::Integer
                && !matches!(behind, Some(b'%' | b')' | b']'));
            if purpose != Use::Nothing || !bare {
                lesson.number(item.text.clone(), purpose, item.spelling);
            }
        }
        Some(lesson)
    }

    /// A JSON object; each number comes with its name and where it stands.
    pub(in crate::parse::console) fn object(
        here: Here<'_>,
        said: &Said,
        numbers: &[(Range<usize>, Option<String>)],
    ) -> Option<Self> {
        let mut lesson = Self::new(Kind::Object, here);
        lesson.rank = said.rank;
        for (at, name) in numbers {
            let spelling = number::lex(&here.text[at.clone()], 0).map_or(Spelling::Special, |n| n.spelling);
            let purpose = match name {
                _ if *at == said.step_at => Use::Step,
                _ if *at == said.epoch_at => Use::Epoch,
                Some(name) => {
                    lesson.names.push(Named { name: name.clone(), group: String::new(), ids: [None; 4] });
                    Use::Value(lesson.names.len() - 1)
                }
                None => Use::Named,
            };
            if matches!(spelling, Spelling::DecimalComma | Spelling::Thousands) {
                return None;
            }
            lesson.number(at.clone(), purpose, spelling);
        }
        Some(lesson)
    }

    /// A progress bar; `values` stand where the whole line shows them.
    pub(in crate::parse::console) fn bar(
        here: Here<'_>,
        bar: &Bar,
        said: &Said,
        inner: &Said,
        values: Vec<Value>,
    ) -> Self {
        let mut lesson = Self::new(Kind::Bar, here);
        lesson.split = said.split;
        lesson.nameless = here.text[bar.description.clone()].trim_ascii().is_empty();
        lesson.name(&values);
        let shifted = |at: &Range<usize>, by: usize| at.start + by..at.end + by;
        for (said, by, epoch) in
            [(said, bar.description.start, Use::Epoch), (inner, bar.postfix.start, Use::InnerEpoch)]
        {
            for (at, purpose) in [(&said.epoch_at, epoch), (&said.step_at, Use::Step)] {
                if !at.is_empty() {
                    lesson.number(shifted(at, by), purpose, Spelling::Integer);
                }
            }
        }
        for value in &values {
            let purpose = match lesson.index(value).filter(|_| !value.noise) {
                Some(index) => Use::Value(index),
                None => Use::Named,
            };
            lesson.number(value.text.clone(), purpose, Spelling::Decimal);
        }
        let places = &bar.places;
        lesson.number(places.percent.clone(), Use::Nothing, Spelling::Integer);
        lesson.number(places.done.clone(), Use::Done, Spelling::Integer);
        if bar.total.is_some() {
            lesson.number(places.total.clone(), Use::BarTotal, Spelling::Integer);
        }
        for (at, stop) in [(&places.glyphs, b'|'), (&places.elapsed, b','), (&places.rate, b',')] {
            let stop = if here.text.get(at.end) == Some(&b']') { b']' } else { stop };
            if !at.is_empty() {
                lesson.marks.push(Mark { at: at.clone(), what: MarkKind::Until(stop) });
            }
        }
        lesson
    }

    fn name(&mut self, values: &[Value]) {
        for value in values.iter().filter(|v| !v.noise) {
            self.names.push(Named { name: value.name.clone(), group: value.group.clone(), ids: [None; 4] });
        }
    }

    /// The index of a value's name, which no other value of the line has.
    fn index(&self, value: &Value) -> Option<usize> {
        self.names.iter().position(|n| n.name == value.name && n.group == value.group)
    }

    fn number(&mut self, at: Range<usize>, purpose: Use, spelling: Spelling) {
        if !at.is_empty() {
            self.marks.push(Mark { at, what: MarkKind::Number(purpose, spelling) });
        }
    }
}

/// The digits of `N` in `n / N`.
pub(super) fn denominator(text: &[u8], at: usize) -> Option<Range<usize>> {
    let start = at + text[at..].iter().position(u8::is_ascii_digit)?;
    let length = text[start..].iter().take_while(|b| b.is_ascii_digit()).count();
    (length > 0).then_some(start..start + length)
}
