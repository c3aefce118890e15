//! The user's own expression: what it finds in a line, and whether it tells one digit from another.

use std::ops::Range;

use regex::bytes::{CaptureLocations, Regex};
use regex_syntax::hir::{Class, Hir, HirKind};

/// An expression, and the numbers of its groups.
#[derive(Clone, Debug)]
pub(crate) struct Expression {
    regex: Regex,
    value: Option<usize>,
    step: Option<usize>,
    epoch: Option<usize>,
    metric: Option<usize>,
    locations: CaptureLocations,
}

/// Where the groups of one match stand.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Found {
    pub(crate) value: Range<usize>,
    pub(crate) step: Option<Range<usize>>,
    pub(crate) epoch: Option<Range<usize>>,
    pub(crate) metric: Option<Range<usize>>,
}

impl Expression {
    /// The expression with its named groups `value`, `step`, `epoch` and `metric`; without `value` the first group is it.
    pub(crate) fn new(regex: &Regex) -> Self {
        let group = |name| regex.capture_names().position(|known| known == Some(name));
        Self {
            value: group("value"),
            step: group("step"),
            epoch: group("epoch"),
            metric: group("metric"),
            locations: regex.capture_locations(),
            regex: regex.clone(),
        }
    }

    /// Finds every match in `text` that has a value.
    pub(crate) fn find_in(&mut self, text: &[u8], into: &mut Vec<Found>) {
        into.clear();
        let (mut at, mut last) = (0, None);
        while at <= text.len() {
            let Some(found) = self.regex.captures_read_at(&mut self.locations, text, at) else { return };
            if found.is_empty() && last == Some(found.end()) {
                // As everywhere: no empty match right behind another match.
                (at, last) = (at + 1, None);
                continue;
            }
            (at, last) = (found.end(), Some(found.end()));
            let group = |number: Option<usize>| self.locations.get(number?).map(|(start, end)| start..end);
            let Some(value) = group(self.value).or_else(|| group(Some(1))) else { continue };
            into.push(Found { value, step: group(self.step), epoch: group(self.epoch), metric: group(self.metric) });
        }
    }

    /// Whether any digit may stand for any other: then lines that differ in nothing but their digits match alike.
    pub(crate) fn takes_all_digits_alike(&self) -> bool {
        let parser = regex_syntax::ParserBuilder::new().utf8(false).build().parse(self.regex.as_str());
        parser.is_ok_and(|parsed| digits_alike(&parsed))
    }
}

fn digits_alike(hir: &Hir) -> bool {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => true,
        HirKind::Literal(literal) => !literal.0.iter().any(u8::is_ascii_digit),
        HirKind::Class(class) => {
            let digits = (b'0'..=b'9').filter(|digit| takes(class, *digit)).count();
            digits == 0 || digits == 10
        }
        HirKind::Repetition(repetition) => digits_alike(&repetition.sub),
        HirKind::Capture(capture) => digits_alike(&capture.sub),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => parts.iter().all(digits_alike),
    }
}

fn takes(class: &Class, byte: u8) -> bool {
    match class {
        Class::Bytes(class) => class.ranges().iter().any(|range| (range.start()..=range.end()).contains(&byte)),
        Class::Unicode(class) => {
            class.ranges().iter().any(|range| (range.start()..=range.end()).contains(&char::from(byte)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expression(pattern: &str) -> Expression {
        Expression::new(&Regex::new(pattern).expect(pattern))
    }

    #[test]
    fn finds_what_the_expression_finds() {
        let text = b"step 12 loss 0.5 acc=.25, loss 3 loss x 007 \xff loss 1e-3";
        for pattern in
            [r"loss ([\d.e-]+)", r"l?o*(\d*)", r"()", r"(?:step (?P<step>\d+).*?)?loss (?P<value>\S*)", r"(x)?"]
        {
            let mut mine = Vec::new();
            expression(pattern).find_in(text, &mut mine);
            let regex = Regex::new(pattern).expect(pattern);
            let theirs: Vec<_> = regex
                .captures_iter(text)
                .filter_map(|found| Some(found.name("value").or_else(|| found.get(1))?.range()))
                .collect();
            assert_eq!(mine.into_iter().map(|found| found.value).collect::<Vec<_>>(), theirs, "{pattern}");
        }
    }

    #[test]
    fn tells_whether_digits_are_told_apart() {
        for alike in [r"Train.*Loss: ?([-+\d.eE]+)", r"(?i)\bloss\W+(\S{3,9})$", r"[^a-z,]+(.)", r"(?-u)x(\d+|nan)"] {
            assert!(expression(alike).takes_all_digits_alike(), "{alike}");
        }
        for apart in [r"loss1: (\d+)", r"loss ([1-9]\d*)", r"[^0](\d+)", r"x{2}(\d|7)", r"a|rank 0 (\d+)"] {
            assert!(!expression(apart).takes_all_digits_alike(), "{apart}");
        }
    }
}
