//! Lines of a shape that was read before, read again without looking at names.
//!
//! Most lines of a log differ from an earlier one in their digits alone. When a line has been read the slow way, its shape
//! is kept: the bytes that must be the same, and which of the numbers between them are the step, the epoch, a value, or
//! nothing. The next line of that shape is matched against it, and only its numbers are looked at. Whatever does not
//! match to the last byte is read the slow way, so that a recipe can only be quicker, never say something else.

use std::ops::Range;

use super::bars::BarSaid;
use super::pairs::{Value, is_drawn};
use super::{Console, Here, Said, is_bar_like};
use crate::parse::bar::Bar;
use crate::parse::envelope;
use crate::parse::frames::{End, Frame, Frames};
use crate::parse::names::Split;
use crate::parse::number::{self, Spelling};
use crate::parse::run::Slot;
use crate::parse::scan::Scan;
use crate::parse::sink::{self, Place, Shown, Sink};
use crate::parse::stencil::Stencils;

/// How many shapes are kept.
const MOST: usize = 24;
/// Longer lines are read the slow way.
const LONGEST: usize = 4096;

/// What a number of a line is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Use {
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

/// A piece of a shape.
#[derive(Clone, Debug, PartialEq)]
enum Piece {
    /// These very bytes.
    Text(Box<[u8]>),
    /// So many digits, whatever they are.
    Digits(usize),
    /// Blanks before a number; at least one where true.
    Gap(bool),
    /// A number of this spelling.
    Number(Use, Spelling),
    /// Anything up to this byte.
    Until(u8),
}

/// A part of a line that is not compared byte by byte.
#[derive(Clone, Debug)]
struct Mark {
    at: Range<usize>,
    what: MarkKind,
}

#[derive(Clone, Copy, Debug)]
enum MarkKind {
    Number(Use, Spelling),
    Until(u8),
}

/// A metric of a line, with its ids by split and by whether the line has a step.
#[derive(Clone, Debug)]
struct Named {
    name: String,
    group: String,
    ids: [Option<usize>; 4],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Nothing,
    Pairs,
    Object,
    Bar,
}

/// What the slow reading of a line found out.
#[derive(Clone, Debug)]
pub(super) struct Lesson {
    kind: Kind,
    /// Address of the text that the marks count from; the same bytes as the frame's, or the lesson is void.
    base: usize,
    marks: Vec<Mark>,
    names: Vec<Named>,
    split: Split,
    rank: Option<u32>,
    /// Whether a bare counter `n/N` gave the step.
    counter: bool,
    drawn: bool,
    nameless: bool,
    /// Where the marks' text began in the frame.
    offset: usize,
    /// Names: here a digit is no more free than a letter.
    fixed: Vec<Range<usize>>,
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
    pub(super) fn nothing(here: Here<'_>) -> Self {
        Self::new(Kind::Nothing, here)
    }

    /// A key-value line.
    pub(super) fn pairs(
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
    pub(super) fn object(here: Here<'_>, said: &Said, numbers: &[(Range<usize>, Option<String>)]) -> Option<Self> {
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
    pub(super) fn bar(here: Here<'_>, bar: &Bar, said: &Said, inner: &Said, values: Vec<Value>) -> Self {
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
            if !self.names.iter().any(|n| n.name == value.name && n.group == value.group) {
                self.names.push(Named { name: value.name.clone(), group: value.group.clone(), ids: [None; 4] });
            }
        }
    }

    /// The index of a value's name; of two values of one name only the first counts.
    fn index(&self, value: &Value) -> Option<usize> {
        let index = self.names.iter().position(|n| n.name == value.name && n.group == value.group)?;
        let taken = self.marks.iter().any(|m| matches!(m.what, MarkKind::Number(Use::Value(i), _) if i == index));
        (!taken).then_some(index)
    }

    fn number(&mut self, at: Range<usize>, purpose: Use, spelling: Spelling) {
        if !at.is_empty() {
            self.marks.push(Mark { at, what: MarkKind::Number(purpose, spelling) });
        }
    }
}

/// The digits of `N` in `n / N`.
fn denominator(text: &[u8], at: usize) -> Option<Range<usize>> {
    let start = at + text[at..].iter().position(u8::is_ascii_digit)?;
    let length = text[start..].iter().take_while(|b| b.is_ascii_digit()).count();
    (length > 0).then_some(start..start + length)
}

/// A shape, and what to do with a line of it.
#[derive(Clone, Debug)]
struct Recipe {
    pieces: Vec<Piece>,
    lesson: Lesson,
    /// It begins with a word or a brace that no prefix begins with.
    plain_start: bool,
    hits: u64,
    /// The recipe that the line after fitted last time.
    next: usize,
}

/// The shapes seen so far, and room for the numbers of a line.
#[derive(Clone, Debug, Default)]
pub(super) struct Recipes {
    all: Vec<Recipe>,
    last: usize,
    found: Found,
    layouts: Stencils<Layout>,
    row: Vec<Slot>,
    places: Vec<Option<Place>>,
    /// The recipe that the frame just read was read by.
    followed: Option<usize>,
    /// Read everything the slow way.
    #[cfg(test)]
    off: bool,
}

/// What is known of all lines of one layout.
#[derive(Clone, Debug)]
struct Layout {
    recipe: usize,
    /// Length of the text, without blanks and the line end behind it.
    length: usize,
    end: End,
    /// Whether the frame was drawn in place.
    drawn: bool,
    /// Where the line says its place.
    positions: Vec<(Use, Slot)>,
    values: Vec<Slot>,
    /// All bits of the bytes that say the place and the values, none of any other.
    told: Box<[u8]>,
    /// The values with their metrics, for each kind of place.
    rows: [Vec<Slot>; 4],
}

/// The numbers of a line that fitted.
#[derive(Clone, Debug, Default)]
struct Found {
    step: Option<i64>,
    epoch: Option<f64>,
    inner_epoch: Option<f64>,
    total: Option<i64>,
    done: i64,
    bar_total: Option<i64>,
    values: Vec<Slot>,
    /// Every number of the shape, with what it is for.
    slots: Vec<(Use, Slot)>,
    /// Where else digits may change.
    digits: Vec<Range<usize>>,
}

impl Recipes {
    /// Forgets everything: names may mean something else from here on.
    pub(super) fn clear(&mut self) {
        self.all.clear();
        self.last = 0;
        self.layouts.clear();
    }

    /// Forgets by which recipe the last frame was read.
    pub(super) fn forget_followed(&mut self) {
        self.followed = None;
    }

    /// Keeps the shape of `text`, which taught `lesson`.
    pub(super) fn learn(&mut self, text: &[u8], mut lesson: Lesson) {
        let start = text.as_ptr() as usize;
        let Some(offset) = lesson.base.checked_sub(start).filter(|o| *o <= text.len()) else { return };
        lesson.offset = offset;
        lesson.marks.sort_by_key(|m| m.at.start);
        for mark in &mut lesson.marks {
            mark.at = mark.at.start + offset..mark.at.end + offset;
        }
        for fixed in &mut lesson.fixed {
            *fixed = fixed.start + offset..fixed.end + offset;
        }
        let ordered = lesson.marks.windows(2).all(|pair| pair[0].at.end <= pair[1].at.start);
        let inside = lesson.marks.last().is_none_or(|m| m.at.end <= text.len());
        if text.len() > LONGEST || !ordered || !inside {
            return;
        }
        let pieces = pieces(text, &lesson);
        let plain_start = matches!(pieces.first(), Some(Piece::Text(text)) if is_plain_start(text));
        let recipe = Recipe { pieces, lesson, plain_start, hits: 1, next: 0 };
        let at = if self.all.len() < MOST {
            self.all.push(recipe);
            self.all.len() - 1
        } else {
            // What has been of least use makes room.
            let weakest = (0..self.all.len()).min_by_key(|&i| self.all[i].hits).unwrap_or(0);
            for kept in &mut self.all {
                kept.hits /= 2;
            }
            self.all[weakest] = recipe;
            self.layouts.clear();
            weakest
        };
        self.step_to(at);
    }

    /// The layout that the bytes begin with, and the length of the frame.
    fn laid_out(&mut self, bytes: &[u8]) -> Option<(usize, usize)> {
        #[cfg(test)]
        if self.off {
            return None;
        }
        self.layouts.of_line(bytes)
    }

    fn step_to(&mut self, at: usize) {
        if let Some(last) = self.all.get_mut(self.last) {
            last.next = at;
        }
        self.last = at;
    }

    /// Finds a recipe that `text` fits, with its numbers in `found`.
    fn fit(&mut self, text: &[u8]) -> Option<usize> {
        #[cfg(test)]
        if self.off {
            return None;
        }
        let expected = self.all.get(self.last)?.next;
        let found = &mut self.found;
        let mut fits = |recipe: &Recipe| matches(&recipe.pieces, text, found);
        let at = match self.all.get(expected) {
            Some(recipe) if fits(recipe) => expected,
            _ => (0..self.all.len()).find(|&i| i != expected && fits(&self.all[i]))?,
        };
        self.all[at].hits += 1;
        self.step_to(at);
        Some(at)
    }
}

/// Cuts a line into the pieces that lines of its shape share.
fn pieces(text: &[u8], lesson: &Lesson) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut literal: Vec<u8> = Vec::new();
    let mut marks = lesson.marks.iter().peekable();
    let mut numbered = false;
    let mut at = 0;
    while at < text.len() {
        if let Some(mark) = marks.next_if(|m| m.at.start == at) {
            numbered = true;
            match mark.what {
                MarkKind::Number(purpose, spelling) => {
                    // A bar writes its total right behind the stroke.
                    if purpose == Use::BarTotal {
                        flush(&mut literal, &mut pieces)
                    } else {
                        gap(&mut literal, &mut pieces)
                    }
                    pieces.push(Piece::Number(purpose, spelling));
                }
                MarkKind::Until(stop) => {
                    flush(&mut literal, &mut pieces);
                    pieces.push(Piece::Until(stop));
                }
            }
            at = mark.at.end;
            continue;
        }
        let attached = at > 0 && (text[at - 1].is_ascii_alphabetic() || text[at - 1] == b'_' || text[at - 1] >= 0x80);
        let fixed = || lesson.fixed.iter().any(|f| f.contains(&at));
        if text[at].is_ascii_digit() && !attached && !fixed() && !literal.last().is_some_and(u8::is_ascii_digit) {
            let run = text[at..].iter().take_while(|b| b.is_ascii_digit()).count();
            let shown = &text[at..at + run];
            // The rank in front of a line is part of its shape.
            let rank = lesson.rank.is_some_and(|r| !numbered && shown == r.to_string().as_bytes());
            if rank {
                literal.extend_from_slice(shown);
            } else {
                flush(&mut literal, &mut pieces);
                pieces.push(Piece::Digits(run));
            }
            at += run;
            continue;
        }
        literal.push(text[at]);
        at += 1;
    }
    flush(&mut literal, &mut pieces);
    pieces
}

fn flush(literal: &mut Vec<u8>, pieces: &mut Vec<Piece>) {
    if !literal.is_empty() {
        pieces.push(Piece::Text(std::mem::take(literal).into()));
    }
}

/// Ends a literal before a number: how many blanks stand there may change.
fn gap(literal: &mut Vec<u8>, pieces: &mut Vec<Piece>) {
    let blanks = literal.iter().rev().take_while(|&&b| b == b' ').count();
    literal.truncate(literal.len() - blanks);
    let bracket = literal.last().is_some_and(|b| matches!(b, b'[' | b'(' | b'/' | b'|' | b'=' | b':'));
    flush(literal, pieces);
    if blanks > 0 || bracket {
        pieces.push(Piece::Gap(!bracket));
    }
}

/// Whether `text` has this shape; its numbers go to `found`.
fn matches(pieces: &[Piece], text: &[u8], found: &mut Found) -> bool {
    found.reset();
    let mut at = 0;
    for piece in pieces {
        match piece {
            Piece::Text(literal) => {
                if !text[at..].starts_with(literal) {
                    return false;
                }
                at += literal.len();
            }
            Piece::Digits(count) => {
                let Some(digits) = text.get(at..at + count) else { return false };
                if !digits.iter().all(u8::is_ascii_digit) {
                    return false;
                }
                found.digits.push(at..at + count);
                at += count;
            }
            Piece::Gap(needed) => {
                let blanks = text[at..].iter().take_while(|&&b| b == b' ').count();
                if *needed && blanks == 0 {
                    return false;
                }
                at += blanks;
            }
            Piece::Until(stop) => match end_of_part(&text[at..], *stop) {
                Some(length) => {
                    found.digits.push(at..at + length);
                    at += length;
                }
                None => return false,
            },
            Piece::Number(purpose, spelling) => match number::lex(text, at) {
                Some(number) if suits(*purpose, *spelling, number.spelling) && begins_well(*purpose, text[at]) => {
                    found.take(*purpose, text, at..number.end, number);
                    at = number.end;
                }
                _ => return false,
            },
        }
    }
    at == text.len()
}

/// A counter has no sign.
fn begins_well(purpose: Use, first: u8) -> bool {
    matches!(purpose, Use::Value(_) | Use::Nothing | Use::Named) || first.is_ascii_digit()
}

/// `Train Epoch: `, `loss=`, `{'loss'`: what no logger, launcher or collector writes before a line.
fn is_plain_start(text: &[u8]) -> bool {
    const FIRST: [&str; 9] = ["train", "epoch", "step", "iter", "iteration", "loss", "batch", "test", "global"];
    let word = text.iter().take_while(|b| b.is_ascii_alphabetic()).count();
    let whole = word < text.len() && !text[word].is_ascii_digit();
    text[0] == b'{' || whole && FIRST.iter().any(|first| first.as_bytes().eq_ignore_ascii_case(&text[..word]))
}

/// How far a changing part goes: glyphs to their pipe, a time or a rate to the very next comma or bracket.
fn end_of_part(text: &[u8], stop: u8) -> Option<usize> {
    if stop == b'|' {
        return memchr::memchr(stop, text);
    }
    memchr::memchr3(b',', b']', b'[', text).filter(|&at| text[at] == stop)
}

/// Whether a number of another spelling may stand for the one that the shape was learnt from.
fn suits(purpose: Use, learnt: Spelling, now: Spelling) -> bool {
    match purpose {
        Use::Value(_) => matches!(now, Spelling::Integer | Spelling::Decimal | Spelling::Special),
        Use::Epoch | Use::InnerEpoch => matches!(now, Spelling::Integer | Spelling::Decimal),
        Use::Named => matches!(now, Spelling::Integer | Spelling::Decimal | Spelling::Special),
        _ => now == learnt,
    }
}

impl Found {
    fn take(&mut self, purpose: Use, text: &[u8], at: Range<usize>, number: number::Number) {
        let decimals = match number.decimals {
            _ if !matches!(purpose, Use::Value(_) | Use::Epoch | Use::InnerEpoch) => None,
            None => sink::decimals(&text[at.clone()]),
            known => known,
        };
        let slot = Slot { id: 0, at, spelling: number.spelling, decimals };
        self.read(purpose, text, &slot);
        self.slots.push((purpose, slot));
    }

    fn read(&mut self, purpose: Use, text: &[u8], slot: &Slot) {
        match purpose {
            Use::Value(index) => self.values.push(Slot { id: index, ..slot.clone() }),
            Use::Step => self.step = Some(slot.count(text)),
            Use::Epoch => self.epoch = Some(slot.number(text)),
            Use::InnerEpoch => self.inner_epoch = Some(slot.number(text)),
            Use::Total => self.total = Some(slot.count(text)),
            Use::Done => self.done = slot.count(text),
            Use::BarTotal => self.bar_total = Some(slot.count(text)),
            Use::Nothing | Use::Named => {}
        }
    }

    fn reset(&mut self) {
        self.step = None;
        self.epoch = None;
        self.inner_epoch = None;
        self.total = None;
        self.bar_total = None;
        self.done = 0;
        self.values.clear();
        self.slots.clear();
        self.digits.clear();
    }

    /// Whether the byte at `at`, a digit, may be any other.
    fn is_free(&self, at: usize) -> bool {
        self.slots.iter().map(|(_, slot)| &slot.at).chain(&self.digits).any(|range| range.contains(&at))
    }
}

impl Console {
    /// Reads a frame by a recipe; false where none fits.
    pub(super) fn follow(&mut self, frame: Frame<'_>, redraw: bool, sink: &mut Sink) -> bool {
        let Some(at) = self.recipes.fit(frame.text) else { return false };
        // A line learnt without a prefix must not have one now: `.9:18:02` is a number, `09:18:02` a time.
        let recipe = &self.recipes.all[at];
        let offset = recipe.lesson.offset;
        if !recipe.plain_start
            && frame.text[..offset.min(frame.text.len())].trim_ascii().is_empty()
            && envelope::strip(frame.text).start > 0
        {
            return false;
        }
        if self.borrows(at) {
            return false;
        }
        let found = std::mem::take(&mut self.recipes.found);
        self.apply(at, &found, frame, redraw, sink);
        self.recipes.found = found;
        self.recipes.followed = Some(at);
        true
    }

    /// Whether a line of this shape takes its step from an earlier line with values: then it may be about something else.
    fn borrows(&self, recipe: usize) -> bool {
        let lesson = &self.recipes.all[recipe].lesson;
        let placed = |mark: &Mark| matches!(mark.what, MarkKind::Number(Use::Step | Use::Epoch, _));
        self.context.step.is_some()
            && self.context.epoch.is_none()
            && !self.context.header
            && lesson.kind == Kind::Pairs
            && !lesson.names.is_empty()
            && !lesson.marks.iter().any(placed)
    }

    /// Reads as many frames of a known layout as the bytes begin with, and gives their length. The frames may not be told
    /// from others by anything that the console remembers.
    pub(super) fn skim_known(&mut self, bytes: &[u8], frames: &mut Frames, sink: &mut Sink) -> usize {
        let mut at = 0;
        while let Some((line, redrawn)) = frames.beginning() {
            if self.recipes.layouts.is_empty() || self.holds() {
                break;
            }
            let rest = &bytes[at..];
            let Some((length, layout)) = self.recipes.laid_out(rest) else { break };
            let known = self.recipes.layouts.what(layout);
            // A carriage return is the end of a redraw only where no line feed follows.
            if self.borrows(known.recipe)
                || known.drawn != is_bar_like(redrawn, known.end, known.length)
                || known.end == End::Redraw && rest.get(length).is_none_or(|&next| next == b'\n')
            {
                break;
            }
            let end = known.end;
            let frame = Frame { text: &rest[..known.length], line, end, redrawn };
            self.apply_layout(layout, frame, sink);
            frames.passed(end);
            at += length;
        }
        at
    }

    /// Reads frames of two logs that say the same, as long as both have a known layout. Gives the bytes read of each.
    pub(in crate::parse) fn skim_alike(
        &mut self,
        logs: [&[u8]; 2],
        frames: &mut Frames,
        sink: &mut Sink,
    ) -> [usize; 2] {
        let mut at = [0, 0];
        while let Some((line, redrawn)) = frames.beginning() {
            if self.recipes.layouts.is_empty() || self.holds() {
                break;
            }
            let rest = [&logs[0][at[0]..], &logs[1][at[1]..]];
            let Some((length, layout)) = self.recipes.laid_out(rest[0]) else { break };
            // Most often the two lines have the very same layout.
            let twin = self.recipes.layouts.has(layout, rest[1]);
            let Some((other_length, other)) = twin.or_else(|| self.recipes.laid_out(rest[1])) else { break };
            let (known, twin) = (self.recipes.layouts.what(layout), self.recipes.layouts.what(other));
            let drawn = is_bar_like(redrawn, known.end, known.length);
            let next = |side: usize, length: usize| rest[side].get(length).is_none_or(|&next| next == b'\n');
            if self.borrows(known.recipe)
                || known.drawn != drawn
                || twin.drawn != drawn
                || known.end != twin.end
                || known.recipe != twin.recipe
                || known.end == End::Redraw && (next(0, length) || next(1, other_length))
                || !says_the_same(known, rest[0], twin, rest[1])
            {
                break;
            }
            let end = known.end;
            let frame = Frame { text: &rest[0][..known.length], line, end, redrawn };
            self.apply_layout(layout, frame, sink);
            frames.passed(end);
            at = [at[0] + length, at[1] + other_length];
        }
        at
    }

    /// Whether two lines, in full and without control codes, say the same; the layout of the second is learnt where they do.
    /// `None` where one of them is of a kind that was not read before.
    pub(in crate::parse) fn says_the_same(&mut self, lines: [&[u8]; 2], redrawn: bool) -> Option<bool> {
        let texts = lines.map(<[u8]>::trim_ascii_end);
        let ends = lines.map(|line| if line.ends_with(b"\n") { End::Line } else { End::Redraw });
        if self.holds() || ends[0] != ends[1] || texts.iter().any(|text| text.is_empty()) {
            return Some(false);
        }
        let recipe = self.recipes.fit(texts[0])?;
        let first = std::mem::take(&mut self.recipes.found.slots);
        let other = self.recipes.fit(texts[1])?;
        let starts = texts.map(|text| envelope::strip(text).start);
        let plain = self.recipes.all[recipe].plain_start;
        let told = |slots: &[(Use, Slot)], text: &[u8]| -> Vec<(Use, Vec<u8>)> {
            let counts = slots.iter().filter(|(purpose, _)| !matches!(purpose, Use::Nothing | Use::Named));
            counts.map(|(purpose, slot)| (*purpose, text[slot.at.clone()].to_vec())).collect()
        };
        // The recipe may be followed only where `follow` would do so.
        let offset = self.recipes.all[recipe].lesson.offset;
        let bare = |text: &[u8]| text[..offset.min(text.len())].trim_ascii().is_empty();
        let prefixed = |side: usize| bare(texts[side]) && starts[side] > 0;
        if recipe != other
            || self.borrows(recipe)
            || !plain && (starts[0] != starts[1] || prefixed(0) || prefixed(1))
            || told(&first, texts[0]) != told(&self.recipes.found.slots, texts[1])
        {
            return Some(false);
        }
        self.recipes.followed = Some(recipe);
        self.learn_layout(lines[1], texts[1].len(), ends[1], redrawn);
        Some(true)
    }

    fn apply_layout(&mut self, layout: usize, frame: Frame<'_>, sink: &mut Sink) {
        let known = self.recipes.layouts.what(layout);
        let (recipe, drawn) = (known.recipe, known.drawn);
        let lesson = &self.recipes.all[recipe].lesson;
        match lesson.kind {
            Kind::Nothing => self.recipes.all[recipe].hits += 1,
            Kind::Pairs | Kind::Object if !drawn && !lesson.drawn && self.main_bar.is_none() => {
                self.apply_row(layout, frame, sink);
            }
            kind => {
                let mut found = std::mem::take(&mut self.recipes.found);
                found.reset();
                for (purpose, slot) in &known.positions {
                    found.read(*purpose, frame.text, slot);
                }
                if kind == Kind::Bar {
                    let row = self.bar_row(layout, sink);
                    self.recipes.all[recipe].hits += 1;
                    self.follow_bar(recipe, &found, &row, frame, sink);
                    self.recipes.layouts.what_mut(layout).rows[0] = row;
                } else {
                    found.values.extend_from_slice(&known.values);
                    self.apply(recipe, &found, frame, drawn, sink);
                }
                self.recipes.found = found;
            }
        }
    }

    /// The values of a bar of this layout, with their metrics; to be put back.
    fn bar_row(&mut self, layout: usize, sink: &mut Sink) -> Vec<Slot> {
        let known = self.recipes.layouts.what_mut(layout);
        let row = std::mem::take(&mut known.rows[0]);
        if row.len() == known.values.len() {
            return row;
        }
        let (recipe, values) = (known.recipe, known.values.clone());
        self.bar_values(recipe, &values, sink)
    }

    /// Values of a bar with their metrics.
    fn bar_values(&mut self, recipe: usize, values: &[Slot], sink: &mut Sink) -> Vec<Slot> {
        let lesson = &self.recipes.all[recipe].lesson;
        let split = if lesson.split == Split::Held { Split::Held } else { Split::Unsaid };
        let said = Said { rank: lesson.rank, split, ..Said::default() };
        let place = Place { step: Some(0), ..Place::default() };
        let known = values.iter().cloned();
        known.map(|slot| Slot { id: self.known_id(recipe, slot.id, &said, place, sink), ..slot }).collect()
    }

    /// A line of pairs or an object in its usual place: the values go on as a row.
    fn apply_row(&mut self, layout: usize, frame: Frame<'_>, sink: &mut Sink) {
        let known = self.recipes.layouts.what(layout);
        let recipe = known.recipe;
        let lesson = &self.recipes.all[recipe].lesson;
        let mut said = Said { rank: lesson.rank, split: lesson.split, ..Said::default() };
        for (purpose, slot) in &known.positions {
            match purpose {
                Use::Step => said.step = Some(slot.count(frame.text)),
                Use::Epoch => said.epoch = Some(slot.number(frame.text)),
                Use::Total => said.total = Some(slot.count(frame.text)),
                _ => {}
            }
        }
        let any = !known.values.is_empty();
        let pairs = lesson.kind == Kind::Pairs;
        if pairs {
            let complete = lesson.counter && said.total == said.step;
            self.under_heading(&mut said);
            self.whole_epoch(&mut said, complete, false);
        }
        let place = self.place(&said, any);
        self.recipes.all[recipe].hits += 1;
        if !any {
            return;
        }
        *(if pairs { &mut self.styles.pairs } else { &mut self.styles.objects }) += 1;
        let kind = kind_of_place(&said, place);
        if self.recipes.layouts.what(layout).rows[kind].is_empty() {
            let values = self.recipes.layouts.what(layout).values.clone();
            let row =
                values.into_iter().map(|slot| Slot { id: self.known_id(recipe, slot.id, &said, place, sink), ..slot });
            self.recipes.layouts.what_mut(layout).rows[kind] = row.collect();
        }
        sink.record_row(place, frame.text, &self.recipes.layouts.what(layout).rows[kind], frame.line);
    }

    fn apply(&mut self, recipe: usize, found: &Found, frame: Frame<'_>, redraw: bool, sink: &mut Sink) {
        self.recipes.all[recipe].hits += 1;
        match self.recipes.all[recipe].lesson.kind {
            Kind::Nothing => {}
            Kind::Bar => {
                let row = self.bar_values(recipe, &found.values, sink);
                self.follow_bar(recipe, found, &row, frame, sink);
            }
            Kind::Pairs | Kind::Object => self.follow_pairs(recipe, found, frame, redraw, sink),
        }
    }

    /// Keeps the layout of a frame that was just followed; its text is the first `length` bytes of `raw`.
    pub(super) fn learn_layout(&mut self, raw: &[u8], length: usize, end: End, redrawn: bool) {
        let Some(recipe) = self.recipes.followed.take().filter(|_| self.recipes.layouts.has_room()) else { return };
        let drawn = is_bar_like(redrawn, end, length);
        let found = &self.recipes.found;
        let positions =
            found.slots.iter().filter(|(purpose, _)| !matches!(purpose, Use::Nothing | Use::Named | Use::Value(_)));
        let (positions, values): (Vec<_>, _) = (positions.cloned().collect(), found.values.clone());
        let mut told = vec![0; length].into_boxed_slice();
        for slot in positions.iter().map(|(_, slot)| slot).chain(&values) {
            told[slot.at.clone()].fill(u8::MAX);
        }
        let layout = Layout { recipe, length, end, drawn, positions, values, told, rows: Default::default() };
        self.recipes.layouts.learn(raw, |at| found.is_free(at), layout);
    }

    fn follow_pairs(&mut self, at: usize, found: &Found, frame: Frame<'_>, redraw: bool, sink: &mut Sink) {
        let lesson = &self.recipes.all[at].lesson;
        let pairs = lesson.kind == Kind::Pairs;
        let drawn = redraw || lesson.drawn;
        let complete = lesson.counter && found.total == found.step;
        let mut said = Said {
            epoch: found.epoch,
            step: found.step,
            rank: lesson.rank,
            split: lesson.split,
            total: found.total,
            ..Said::default()
        };
        let any = !found.values.is_empty();
        if pairs {
            self.under_heading(&mut said);
            self.whole_epoch(&mut said, complete, drawn);
        }
        let place = self.place(&said, any);
        if !any {
            return;
        }
        if pairs {
            self.styles.pairs += 1;
        } else {
            self.styles.objects += 1;
        }
        if self.main_bar.is_some() {
            let values = found.values.iter().map(|slot| {
                let id = self.known_id(at, slot.id, &said, place, sink);
                let text = &frame.text[slot.at.clone()];
                let value = number::value(text, slot.spelling, false);
                (id, place, value, String::from_utf8_lossy(text).into_owned(), frame.line)
            });
            let values = values.collect();
            let start = self.recipes.all[at].lesson.offset.min(frame.text.len());
            let here = Here {
                text: &frame.text[start..],
                indented: false,
                line: frame.line,
                redraw: drawn,
                cut: false,
                rank: said.rank,
            };
            self.deliver(values, &said, place, here, sink);
            return;
        }
        let mut row = std::mem::take(&mut self.recipes.row);
        row.clear();
        for slot in &found.values {
            row.push(Slot { id: self.known_id(at, slot.id, &said, place, sink), ..slot.clone() });
        }
        if drawn {
            sink.record_drawn_row(place, frame.text, &row, frame.line);
        } else {
            sink.record_row(place, frame.text, &row, frame.line);
        }
        self.recipes.row = row;
    }

    fn follow_bar(&mut self, at: usize, found: &Found, row: &[Slot], frame: Frame<'_>, sink: &mut Sink) {
        let lesson = &self.recipes.all[at].lesson;
        let bar = BarSaid {
            done: found.done,
            total: found.bar_total,
            epoch: found.epoch.or(found.inner_epoch),
            outer_epoch: found.epoch,
            step: found.step,
            held: lesson.split == Split::Held,
            nameless: lesson.nameless,
        };
        let epoch = self.bar_epoch(&bar);
        if let [slot] = row {
            if let Some(place) = self.bar_place(slot.id, &bar, epoch, &frame.text[slot.at.clone()]) {
                sink.record_drawn_row(place, frame.text, row, frame.line);
            }
        } else {
            self.follow_bar_values(&bar, epoch, row, frame, sink);
        }
        self.bar_end(&bar, !row.is_empty(), sink);
    }

    /// Several values beside a bar: together where the bar lags as far behind one as behind the other.
    fn follow_bar_values(
        &mut self,
        bar: &BarSaid,
        epoch: Option<f64>,
        row: &[Slot],
        frame: Frame<'_>,
        sink: &mut Sink,
    ) {
        let mut places = std::mem::take(&mut self.recipes.places);
        places.clear();
        for slot in row {
            places.push(self.bar_place(slot.id, bar, epoch, &frame.text[slot.at.clone()]));
        }
        match places.first() {
            Some(Some(place)) if places.iter().all(|other| *other == Some(*place)) => {
                sink.record_drawn_row(*place, frame.text, row, frame.line);
            }
            _ => {
                for (slot, place) in row.iter().zip(&places) {
                    let text = &frame.text[slot.at.clone()];
                    let shown = Shown { value: slot.worth(), text, line: frame.line, redraw: true };
                    place.iter().for_each(|place| sink.record(slot.id, *place, shown));
                }
            }
        }
        self.recipes.places = places;
    }

    /// The metric of a value, looked up by name once for each kind of place.
    fn known_id(&mut self, at: usize, index: usize, said: &Said, place: Place, sink: &mut Sink) -> usize {
        let kind = kind_of_place(said, place);
        if let Some(id) = self.recipes.all[at].lesson.names[index].ids[kind] {
            return id;
        }
        let named = &self.recipes.all[at].lesson.names[index];
        let (name, group) = (named.name.clone(), named.group.clone());
        let id = self.metric(&name, &group, said.split, said.rank, place, sink);
        self.recipes.all[at].lesson.names[index].ids[kind] = Some(id);
        id
    }
}

/// Whether two lines show the same place and the same values, to the last byte.
fn says_the_same(known: &Layout, line: &[u8], other: &Layout, other_line: &[u8]) -> bool {
    if std::ptr::eq(known, other) {
        return agree_where(&known.told, line, other_line);
    }
    let position = |((purpose, a), (other, b)): (&(Use, Slot), &(Use, Slot))| {
        purpose == other && line[a.at.clone()] == other_line[b.at.clone()]
    };
    let value = |(a, b): (&Slot, &Slot)| a.id == b.id && line[a.at.clone()] == other_line[b.at.clone()];
    known.positions.len() == other.positions.len()
        && known.values.len() == other.values.len()
        && known.positions.iter().zip(&other.positions).all(position)
        && known.values.iter().zip(&other.values).all(value)
}

/// Whether two lines have the same bytes wherever `told` has a bit.
fn agree_where(told: &[u8], line: &[u8], other: &[u8]) -> bool {
    let bytes = told.iter().zip(line).zip(other);
    bytes.fold(0, |odd, ((told, a), b)| odd | (a ^ b) & told) == 0
}

/// Values of held-out data, and values without a step, are other metrics than those of the same name.
fn kind_of_place(said: &Said, place: Place) -> usize {
    usize::from(said.split == Split::Held) * 2 + usize::from(place.step.is_some())
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::*;
    use crate::parse::frames::Reads;

    fn read(bytes: &[u8], off: bool) -> Sink {
        let mut console = Console::default();
        console.recipes.off = off;
        let mut sink = Sink::default();
        let mut frames = Frames::default();
        frames.read(bytes, &mut console, &mut sink);
        frames.finish(&mut |frame| console.frame(frame, &mut sink));
        console.finish(&mut sink);
        sink
    }

    fn same(bytes: &[u8], name: &Path) {
        let (quick, slow) = (read(bytes, false), read(bytes, true));
        let shown = |sink: &Sink| -> Vec<String> {
            let name = |id: usize| &sink.metrics[id].name;
            sink.out
                .iter()
                .map(|o| format!("{} {:?} {} {}", name(o.metric), o.point.position, o.point.text, o.point.line))
                .collect()
        };
        let (quick_points, slow_points) = (shown(&quick), shown(&slow));
        for (a, b) in quick_points.iter().zip(&slow_points) {
            let line = b.rsplit(' ').next().and_then(|l| l.parse::<usize>().ok()).unwrap_or(1);
            let text = bytes
                .split(|b| *b == b'\n')
                .take(line)
                .map(|l| String::from_utf8_lossy(l))
                .collect::<Vec<_>>()
                .join("\n");
            assert_eq!(a, b, "{}\n{text}", name.display());
        }
        assert_eq!(quick_points.len(), slow_points.len(), "{}", name.display());
    }

    fn logs(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).expect("a folder").filter_map(Result::ok) {
            let path = entry.path();
            if path.is_dir() { logs(&path, found) } else { found.push(path) }
        }
    }

    #[test]
    fn a_recipe_never_says_anything_else_than_the_slow_reading() {
        let mut found = Vec::new();
        logs(&Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/logs"), &mut found);
        found.sort();
        for path in found {
            let bytes = std::fs::read(&path).expect("a log");
            same(&bytes, &path);
            // The same log again behind itself, and with digits and blanks disturbed.
            same(&[&bytes[..], &bytes[..]].concat(), &path);
            let mut state = 12345u64;
            for round in 0..6 {
                let mut other = bytes.clone();
                for _ in 0..other.len() / 40 + 1 {
                    state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                    let at = (state >> 33) as usize % other.len().max(1);
                    let new = b"0123456789 .-,:[]()eE/%ax|\n\r"[(state >> 20) as usize % 28];
                    if let Some(byte) = other.get_mut(at) {
                        if round % 2 == 0 && !byte.is_ascii_digit() {
                            continue;
                        }
                        *byte = new;
                    }
                }
                same(&other, &path);
            }
        }
    }
}
