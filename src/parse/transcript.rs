//! Console output kept inside a JSON document: a notebook's outputs, and arrays of messages as log services export them.

use super::console::Console;
use super::frames::{Frames, Reads};
use super::markup::Markup;
use super::sink::Sink;
use super::walk::Part;

/// Keys under which a document keeps what a program printed.
const KEYS: [&str; 13] = [
    "log",
    "message",
    "msg",
    "text",
    "line",
    "body",
    "out",
    "textPayload",
    "@message",
    "output",
    "text/plain",
    "text/html",
    // Kaggle keeps what a notebook printed under this name.
    "data",
];

/// One string of the document.
#[derive(Debug)]
struct Piece {
    /// Where the strings stand that belong together.
    parent: String,
    text: String,
    line: u64,
    html: bool,
}

/// The printed text of a document, in the order in which it stands there.
#[derive(Debug, Default)]
pub(crate) struct Transcript {
    pieces: Vec<Piece>,
}

impl Transcript {
    /// Takes a string in, where its path says that a program printed it; `line` is that of the document.
    pub(crate) fn take(&mut self, path: &[Part], text: String, line: u64) {
        let keys = path.iter().rposition(|part| matches!(part, Part::Key(_)));
        let Some((at, Part::Key(key))) = keys.map(|at| (at, &path[at])) else { return };
        let notebook = path.first() == Some(&Part::Key("cells".into()));
        let printed = !notebook || path.contains(&Part::Key("outputs".into()));
        if !printed || !KEYS.contains(&key.as_str()) {
            return;
        }
        let html = key == "text/html";
        let parent = super::walk::name(&path[..at]);
        // The same table as plain text, behind the one with tags.
        let twice = key == "text/plain"
            && self.pieces.iter().rev().take_while(|piece| piece.parent == parent).any(|piece| piece.html);
        if !twice {
            self.pieces.push(Piece { parent, text, line, html });
        }
    }

    /// Whether nothing was printed.
    pub(crate) fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Reads it as a console's output.
    pub(crate) fn read(&self, sink: &mut Sink) {
        let (mut console, mut frames) = (Console::default(), Frames::default());
        for together in self.pieces.chunk_by(|a, b| a.parent == b.parent && a.html == b.html) {
            let mut feed = |text: &str, line: u64| {
                frames.go_to(line);
                frames.read(text.as_bytes(), &mut console, sink);
            };
            if together[0].html {
                let whole: String = together.iter().map(|piece| piece.text.as_str()).collect();
                feed(&rows_of(&whole), together[0].line);
            } else {
                together.iter().for_each(|piece| feed(&piece.text, piece.line));
            }
            let ended = together.last().is_some_and(|piece| piece.text.ends_with('\n') && !piece.html);
            if !ended {
                frames.read(b"\n", &mut console, sink);
            }
        }
        frames.finish(&mut |frame| console.frame(frame, sink));
        console.finish(sink);
    }
}

/// The tables of a piece of HTML with a line for each row, cells between pipes.
fn rows_of(html: &str) -> String {
    let mut rows = Vec::new();
    let mut keep = |_, line: &[u8]| {
        if line.starts_with(b"| ") {
            rows.extend_from_slice(line);
        }
    };
    let mut markup = Markup::default();
    markup.read(html.as_bytes(), &mut keep);
    markup.finish(&mut keep);
    String::from_utf8_lossy(&rows).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_of_tags_is_a_row_between_pipes() {
        let html =
            "<p>x 1<table><tr style=\"a: 1\">\n <th>epoch</th>\n<th>loss</th> </tr><tr><td>0</td><td> 0.5</td></tr>";
        assert_eq!(rows_of(html), "| epoch | loss |\n| 0 | 0.5 |\n");
        assert_eq!(rows_of("2 < 3"), "");
    }
}
