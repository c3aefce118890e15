//! The bytes that lines of one shape share, and the numbers between them.

use std::ops::Range;

use super::lesson::{Lesson, MarkKind, Use};
use crate::parse::number::{self, Spelling};
use crate::parse::run::Slot;
use crate::parse::sink;

/// A piece of a shape.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Piece {
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

/// The numbers of a line that fitted.
#[derive(Clone, Debug, Default)]
pub(super) struct Found {
    pub(super) told: Told,
    pub(super) values: Vec<Slot>,
    /// Every number of the shape, with what it is for.
    pub(super) slots: Vec<(Use, Slot)>,
    /// Where else digits may change.
    pub(super) digits: Vec<Range<usize>>,
}

/// Where a line says it stands.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Told {
    pub(super) step: Option<i64>,
    pub(super) epoch: Option<f64>,
    pub(super) inner_epoch: Option<f64>,
    pub(super) total: Option<i64>,
    pub(super) done: i64,
    pub(super) bar_total: Option<i64>,
}

impl Told {
    pub(super) fn read(&mut self, purpose: Use, text: &[u8], slot: &Slot) {
        match purpose {
            Use::Step => self.step = Some(slot.count(text)),
            Use::Epoch => self.epoch = Some(slot.number(text)),
            Use::InnerEpoch => self.inner_epoch = Some(slot.number(text)),
            Use::Total => self.total = Some(slot.count(text)),
            Use::Done => self.done = slot.count(text),
            Use::BarTotal => self.bar_total = Some(slot.count(text)),
            Use::Value(_) | Use::Nothing | Use::Named => {}
        }
    }
}

/// Cuts a line into the pieces that lines of its shape share.
pub(super) fn pieces(text: &[u8], lesson: &Lesson) -> Vec<Piece> {
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

pub(super) fn flush(literal: &mut Vec<u8>, pieces: &mut Vec<Piece>) {
    if !literal.is_empty() {
        pieces.push(Piece::Text(std::mem::take(literal).into()));
    }
}

/// Ends a literal before a number: how many blanks stand there may change.
pub(super) fn gap(literal: &mut Vec<u8>, pieces: &mut Vec<Piece>) {
    let blanks = literal.iter().rev().take_while(|&&b| b == b' ').count();
    literal.truncate(literal.len() - blanks);
    let bracket = literal.last().is_some_and(|b| matches!(b, b'[' | b'(' | b'/' | b'|' | b'=' | b':'));
    flush(literal, pieces);
    if blanks > 0 || bracket {
        pieces.push(Piece::Gap(!bracket));
    }
}

/// Whether `text` has this shape; its numbers go to `found`.
pub(super) fn matches(pieces: &[Piece], text: &[u8], found: &mut Found) -> bool {
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
pub(super) fn begins_well(purpose: Use, first: u8) -> bool {
    matches!(purpose, Use::Value(_) | Use::Nothing | Use::Named) || first.is_ascii_digit()
}

/// `Train Epoch: `, `loss=`, `{'loss'`: what no logger, launcher or collector writes before a line.
pub(super) fn is_plain_start(text: &[u8]) -> bool {
    const FIRST: [&str; 9] = ["train", "epoch", "step", "iter", "iteration", "loss", "batch", "test", "global"];
    let word = text.iter().take_while(|b| b.is_ascii_alphabetic()).count();
    let whole = word < text.len() && !text[word].is_ascii_digit();
    text[0] == b'{' || whole && FIRST.iter().any(|first| first.as_bytes().eq_ignore_ascii_case(&text[..word]))
}

/// How far a changing part goes: glyphs to their pipe, a time or a rate to the very next comma or bracket.
pub(super) fn end_of_part(text: &[u8], stop: u8) -> Option<usize> {
    if stop == b'|' {
        return memchr::memchr(stop, text);
    }
    memchr::memchr3(b',', b']', b'[', text).filter(|&at| text[at] == stop)
}

/// Whether a number of another spelling may stand for the one that the shape was learnt from.
pub(super) fn suits(purpose: Use, learnt: Spelling, now: Spelling) -> bool {
    match purpose {
        Use::Value(_) => matches!(now, Spelling::Integer | Spelling::Decimal | Spelling::Special),
        Use::Epoch | Use::InnerEpoch => matches!(now, Spelling::Integer | Spelling::Decimal),
        Use::Named => matches!(now, Spelling::Integer | Spelling::Decimal | Spelling::Special),
        _ => now == learnt,
    }
}

impl Found {
    pub(super) fn take(&mut self, purpose: Use, text: &[u8], at: Range<usize>, number: number::Number) {
        let decimals = match number.decimals {
            _ if !matches!(purpose, Use::Value(_) | Use::Epoch | Use::InnerEpoch) => None,
            None => sink::decimals(&text[at.clone()]),
            known => known,
        };
        let slot = Slot { id: 0, at, spelling: number.spelling, decimals };
        match purpose {
            Use::Value(index) => self.values.push(Slot { id: index, ..slot.clone() }),
            _ => self.told.read(purpose, text, &slot),
        }
        self.slots.push((purpose, slot));
    }

    pub(super) fn reset(&mut self) {
        self.told = Told::default();
        self.values.clear();
        self.slots.clear();
        self.digits.clear();
    }

    /// Whether the byte at `at`, a digit, may be any other.
    pub(super) fn is_free(&self, at: usize) -> bool {
        // `1,234` counts, `0,234` is a decimal.
        let leads = |slot: &Slot| slot.spelling == Spelling::Thousands && slot.at.start == at;
        !self.slots.iter().any(|(_, slot)| leads(slot))
            && self.slots.iter().map(|(_, slot)| &slot.at).chain(&self.digits).any(|range| range.contains(&at))
    }
}
