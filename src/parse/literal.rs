//! Patterns that are a literal and a number behind it, found in whole blocks and without an expression.

use std::ops::Range;

use memchr::memmem::Finder;
use regex_syntax::hir::{Class, Hir, HirKind};

/// A literal, then a group of classes of bytes, each repeated as often as it goes.
#[derive(Clone, Debug)]
pub(crate) struct Literal {
    finder: Finder<'static>,
    length: usize,
    parts: Vec<Part>,
    /// What has to stand behind the group.
    behind: Vec<u8>,
}

/// A class of bytes, repeated.
#[derive(Clone, Debug)]
struct Part {
    bytes: Box<[bool; 256]>,
    least: u32,
    most: Option<u32>,
}

impl Literal {
    /// The pattern, where it is of this kind and no way to match it but the longest exists; `None` for any other.
    pub(crate) fn of(pattern: &str) -> Option<Self> {
        let parsed = regex_syntax::ParserBuilder::new().utf8(false).build().parse(pattern).ok()?;
        let HirKind::Concat(pieces) = parsed.kind() else { return None };
        let (first, group, behind) = match pieces.as_slice() {
            [first, group] => (first, group, Vec::new()),
            [first, group, last] => (first, group, literal(last)?),
            _ => return None,
        };
        let HirKind::Capture(capture) = group.kind() else { return None };
        if capture.name.as_deref().is_some_and(|name| name != "value") {
            return None;
        }
        let parts = match capture.sub.kind() {
            HirKind::Concat(subs) => subs.iter().map(part).collect::<Option<Vec<_>>>()?,
            _ => vec![part(&capture.sub)?],
        };
        let text = literal(first)?;
        let line_ends = |part: &Part| part.bytes[usize::from(b'\n')] || part.bytes[usize::from(b'\r')];
        if text.contains(&b'\n')
            || behind.contains(&b'\n')
            || parts.iter().any(line_ends)
            || !is_settled(&parts, &behind)
        {
            return None;
        }
        Some(Self { length: text.len(), finder: Finder::new(&text).into_owned(), parts, behind })
    }

    /// Where the group matches in `text`, one match behind the other.
    pub(crate) fn find_in<'t>(&'t self, text: &'t [u8]) -> impl Iterator<Item = Range<usize>> + 't {
        let mut at = 0;
        std::iter::from_fn(move || {
            loop {
                let start = at + self.finder.find(text.get(at..)?)?;
                match self.group_at(text, start + self.length) {
                    Some((group, end)) => {
                        at = end;
                        return Some(group);
                    }
                    None => at = start + 1,
                }
            }
        })
    }

    fn group_at(&self, text: &[u8], start: usize) -> Option<(Range<usize>, usize)> {
        let mut end = start;
        for part in &self.parts {
            let most = part.most.map_or(usize::MAX, |most| most as usize);
            let count = text[end..].iter().take(most).take_while(|byte| part.bytes[usize::from(**byte)]).count();
            if count < part.least as usize {
                return None;
            }
            end += count;
        }
        text[end..].starts_with(&self.behind).then_some((start..end, end + self.behind.len()))
    }
}

/// Whether taking as much as goes, part after part, finds what an expression finds: a part that may be longer or shorter must
/// not be able to take what the one behind it needs.
fn is_settled(parts: &[Part], behind: &[u8]) -> bool {
    let mut nonempty = false;
    for (index, part) in parts.iter().enumerate() {
        nonempty |= part.least > 0;
        if Some(part.least) == part.most {
            continue;
        }
        for next in &parts[index + 1..] {
            if (0..256).any(|byte| part.bytes[byte] && next.bytes[byte]) {
                return false;
            }
            if next.least > 0 {
                break;
            }
        }
        let last = parts[index + 1..].iter().all(|next| next.least == 0);
        if last && behind.first().is_some_and(|byte| part.bytes[usize::from(*byte)]) {
            return false;
        }
    }
    nonempty
}

fn literal(hir: &Hir) -> Option<Vec<u8>> {
    match hir.kind() {
        HirKind::Literal(literal) => Some(literal.0.to_vec()),
        _ => None,
    }
}

fn part(hir: &Hir) -> Option<Part> {
    let (sub, least, most) = match hir.kind() {
        HirKind::Repetition(repetition) if repetition.greedy => (&*repetition.sub, repetition.min, repetition.max),
        HirKind::Repetition(_) => return None,
        _ => (hir, 1, Some(1)),
    };
    let mut bytes = Box::new([false; 256]);
    match sub.kind() {
        HirKind::Literal(literal) if literal.0.len() == 1 => bytes[usize::from(literal.0[0])] = true,
        HirKind::Class(Class::Bytes(class)) => {
            class
                .ranges()
                .iter()
                .for_each(|range| (range.start()..=range.end()).for_each(|b| bytes[usize::from(b)] = true));
        }
        HirKind::Class(Class::Unicode(class)) => {
            // Beyond ASCII a character is several bytes: a class that says what may not stand there takes them all.
            let takes = |wide: char| class.ranges().iter().any(|range| (range.start()..=range.end()).contains(&wide));
            bytes[128..].fill(takes('€') && takes('中'));
            for range in class.ranges() {
                let ascii = u32::from(range.start())..=u32::from(range.end()).min(127);
                ascii.for_each(|c| bytes[c as usize] = true);
            }
        }
        _ => return None,
    }
    Some(Part { bytes, least, most })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_the_expression_finds() {
        let text =
            "Loss: 0.25, Loss: 1.5e-3 Loss: nan\nloss=12 loss=.5x loss=-1.0|loss=2€| Loss: 7Loss: 8.\nLoss: 1.\n";
        for pattern in [
            r"Loss: ([\d.]+)",
            r"Loss: ([0-9.eE+-]+)",
            r"Loss: (\d+\.\d+)",
            r"loss=(?P<value>-?[0-9.]+)",
            r"loss=([^\s|]+)\|",
            r"loss=(\d*\.\d+)",
            r"Loss: ([0-9]+)",
        ] {
            let literal = Literal::of(pattern).expect(pattern);
            let expression = regex::bytes::Regex::new(pattern).expect(pattern);
            let expected: Vec<Range<usize>> = expression
                .captures_iter(text.as_bytes())
                .filter_map(|found| found.get(1).map(|group| group.range()))
                .collect();
            let found: Vec<Range<usize>> = literal.find_in(text.as_bytes()).collect();
            assert_eq!(found, expected, "{pattern}");
            assert!(!found.is_empty(), "{pattern}");
        }
    }

    #[test]
    fn leaves_other_patterns_to_the_expression() {
        for pattern in [
            r"step (?P<step>\d+) loss (?P<value>\S+)",
            r"loss (\d+|nan)",
            r"(?i)loss: ([\d.]+)",
            r"loss: (\d+?)",
            r"loss: (\d+[.]?\d+)",
            r"loss: ([\d.]*)",
            r"^loss: (\d+)",
            r"loss: ([\d\s]+)",
            r"loss: (\d+)\d",
        ] {
            assert!(Literal::of(pattern).is_none(), "{pattern}");
        }
    }
}
