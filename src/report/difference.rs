//! Two texts as a unified difference.

use std::io::{self, Write};

use similar::TextDiff;

use super::untrusted;

/// Writes what changes from the first of `texts` to the second, with the names of both; nothing where they are the same.
pub fn difference(names: [&str; 2], texts: [&str; 2], out: &mut dyn Write) -> io::Result<()> {
    if texts[0] == texts[1] {
        return Ok(());
    }
    let difference = TextDiff::from_lines(texts[0], texts[1]);
    let shown = difference.unified_diff().context_radius(2).header(names[0], names[1]).to_string();
    for line in shown.lines() {
        writeln!(out, "{}", untrusted::plain(line))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_what_changes_and_obeys_none_of_it() {
        let mut out = Vec::new();
        difference(["a", "b"], ["x = 1\ny = 2\n", "x = 1\ny = \u{1b}[2J\n"], &mut out).expect("memory takes it");
        let text = String::from_utf8(out).expect("it is text");
        assert!(text.contains("--- a") && text.contains("-y = 2") && !text.contains('\u{1b}'), "{text}");
    }
}
