//! Lines that a container's runtime has cut because they were long: put together again before they are read.

use std::borrow::Cow;

use crate::parse::envelope;
use crate::parse::frames::{End, Frame, LONGEST};

/// What has come of lines that are not at their end yet.
#[derive(Clone, Debug, Default)]
pub(super) struct Pieces {
    /// The pieces so far, on standard output and on standard error.
    held: [Vec<u8>; 2],
    /// The line of the log that goes on in another one, and its stream.
    open: Option<(u64, usize)>,
    /// Messages of this log end in a line feed, so that one without it goes on.
    ends_seen: bool,
}

impl Pieces {
    /// Whether nothing is waited for.
    pub(super) fn is_empty(&self) -> bool {
        self.open.is_none() && self.held.iter().all(Vec::is_empty)
    }

    /// The text of a frame with the pieces before it; `None` where it goes on in another line.
    pub(super) fn join<'t>(&mut self, frame: Frame<'t>) -> Option<Cow<'t, [u8]>> {
        self.open = self.open.filter(|(line, _)| *line == frame.line);
        let (start, stream) = match (envelope::container_piece(frame.text), self.open) {
            (Some(piece), _) if piece.goes_on || !self.held[piece.stream].is_empty() => {
                self.open = piece.goes_on.then_some((frame.line, piece.stream));
                (piece.start, piece.stream)
            }
            (None, Some((_, stream))) => (0, stream),
            _ => return Some(Cow::Borrowed(frame.text)),
        };
        let mut whole = std::mem::take(&mut self.held[stream]);
        whole.extend_from_slice(&frame.text[start..]);
        if self.open.is_none() || frame.end != End::Line || whole.len() > LONGEST {
            return Some(Cow::Owned(whole));
        }
        self.held[stream] = whole;
        None
    }

    /// The part of a message that is at its end, with the pieces before it: each line of docker's own log is one, with its line feed.
    pub(super) fn join_message(&mut self, text: String, stream: usize) -> String {
        let ended = text.ends_with('\n');
        self.ends_seen |= ended;
        let held = std::mem::take(&mut self.held[stream]);
        let whole = if held.is_empty() { text } else { String::from_utf8_lossy(&held).into_owned() + &text };
        if ended || !self.ends_seen || whole.len() > LONGEST {
            return whole;
        }
        let shown = whole.rfind(['\n', '\r']).map_or(0, |at| at + 1);
        self.held[stream] = whole.as_bytes()[shown..].to_vec();
        whole[..shown].to_owned()
    }

    /// What never came to its end.
    pub(super) fn take(&mut self) -> [Vec<u8>; 2] {
        self.open = None;
        std::mem::take(&mut self.held)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(lines: &[(&str, End)]) -> Vec<String> {
        let mut pieces = Pieces::default();
        let mut number = 0;
        let join = |(text, end): &(&str, End)| {
            let frame = Frame { text: text.as_bytes(), line: number, end: *end, redrawn: false };
            number += u64::from(*end == End::Line);
            pieces.join(frame).map(|text| String::from_utf8_lossy(&text).into_owned())
        };
        lines.iter().filter_map(join).collect()
    }

    #[test]
    fn a_line_goes_on_until_its_last_piece_on_the_same_stream() {
        let stamp = |text: &str| format!("2026-01-01T00:00:00.123456789Z {text}");
        let [a, b, c, d] = ["stdout P loss 0.", "stderr F oops 1", "stdout P 1", "stdout F 25 lr 1"].map(stamp);
        let lines = [(a.as_str(), End::Line), (&b, End::Line), (&c, End::Line), (&d, End::Line), (&d, End::Line)];
        assert_eq!(joined(&lines), [b.as_str(), "loss 0.125 lr 1", &d]);
        let drawn = [(a.as_str(), End::Redraw), ("loss 0.3", End::Line), (&d, End::Line)];
        assert_eq!(joined(&drawn), ["loss 0.", "loss 0.325 lr 1"], "a bar that is drawn in place");
    }

    #[test]
    fn a_message_without_a_line_feed_goes_on_where_others_have_one() {
        let mut pieces = Pieces::default();
        let mut join = |text: &str, stream| pieces.join_message(text.to_owned(), stream);
        assert_eq!(join("loss 0.5", 0), "loss 0.5", "nothing says yet how messages end");
        assert_eq!(join("loss 0.5\n", 0), "loss 0.5\n");
        assert_eq!(join(" 1%\r 2%\rloss 0.", 0), " 1%\r 2%\r");
        assert_eq!(join("oops\n", 1), "oops\n");
        assert_eq!(join("25\n", 0), "loss 0.25\n");
    }
}
