//! The user's own expression: what it finds in a line.

use std::ops::Range;

use regex::bytes::{CaptureLocations, Regex};

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
}
