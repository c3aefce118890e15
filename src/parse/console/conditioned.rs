//! A result with the conditions that it was taken under: ` Average Precision (AP) @[ IoU=0.50:0.95 | area= all ] = 0.5`.

use std::ops::Range;

use super::{Console, Here, Said};
use crate::parse::number;
use crate::parse::sink::Sink;

impl Console {
    /// Reads such a line, whose conditions are a part of the name; false for any other.
    pub(super) fn conditioned(&mut self, here: Here<'_>, sink: &mut Sink) -> bool {
        let Some((name, at)) = parts(here.text) else { return false };
        let Some(value) = number::whole(&here.text[at.clone()]) else { return false };
        self.styles.pairs += 1;
        let mut said = Said { rank: here.rank, ..Said::default() };
        self.under_heading(&mut said);
        let place = self.place(&said, true);
        let id = self.metric(&name, "", said.split, said.rank, place, sink);
        self.give(id, place, value, &here.text[at], here.cut, here, sink);
        true
    }
}

/// The name, conditions included and blanks aside, and where its number stands.
fn parts(text: &[u8]) -> Option<(String, Range<usize>)> {
    let open = memchr::memmem::find(text, b"@[")?;
    let close = open + memchr::memchr(b']', &text[open..])?;
    let behind = text[close + 1..].trim_ascii_start().strip_prefix(b"=")?.trim_ascii_start();
    let name = String::from_utf8_lossy(&text[..=close]);
    let name: Vec<&str> = name.split_whitespace().collect();
    Some((name.join(" "), text.len() - behind.len()..text.trim_ascii_end().len()))
}
