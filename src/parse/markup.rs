//! HTML to the lines of text that a browser would show, the cells of a table's row between pipes.

/// Longest line of text, and longest tag; what goes beyond is left out.
const LONGEST: usize = 1 << 20;
const LONGEST_TAG: usize = 64 << 10;

/// Elements that begin and end a line.
const BLOCKS: [&str; 24] = [
    "address",
    "article",
    "blockquote",
    "body",
    "center",
    "dd",
    "div",
    "dl",
    "dt",
    "footer",
    "form",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "header",
    "hr",
    "li",
    "ol",
    "p",
    "section",
    "ul",
];

/// Turns a page into lines, whatever pieces it comes in.
#[derive(Clone, Debug)]
pub(crate) struct Markup {
    /// A tag or an entity that is not at its end yet.
    held: Vec<u8>,
    text: Vec<u8>,
    /// The line of the page that is being read, and the one in which the text began.
    line: u64,
    begun: u64,
    /// How many elements are open in which line ends count.
    verbatim: u32,
    /// The element whose inside is no text: a script, a style, the title.
    hidden: Option<&'static str>,
    row: bool,
    /// Where the text of the link begins that opened last.
    link: Option<usize>,
}

impl Default for Markup {
    fn default() -> Self {
        Self {
            held: Vec::new(),
            text: Vec::new(),
            line: 1,
            begun: 1,
            verbatim: 0,
            hidden: None,
            row: false,
            link: None,
        }
    }
}

/// Who takes the lines: each with the line of the page that it begins in, its line feed included.
type Each<'e> = &'e mut dyn FnMut(u64, &[u8]);

impl Markup {
    /// Reads the next bytes of the page.
    pub(crate) fn read(&mut self, bytes: &[u8], each: Each<'_>) {
        for &byte in bytes {
            match self.held.first() {
                None if byte == b'<' || byte == b'&' && self.hidden.is_none() => self.held.push(byte),
                None => self.character(byte, each),
                Some(b'<') => self.in_tag(byte, each),
                Some(_) => self.in_entity(byte, each),
            }
            self.line += u64::from(byte == b'\n');
        }
    }

    /// Says that the page is at its end.
    pub(crate) fn finish(&mut self, each: Each<'_>) {
        let held = std::mem::take(&mut self.held);
        if held.first() == Some(&b'&') {
            held.iter().for_each(|byte| self.character(*byte, each));
        }
        self.end_line(each);
    }

    fn in_tag(&mut self, byte: u8, each: Each<'_>) {
        // `2 < 3` is no tag, and what stands in a comment is none either.
        if self.held.len() == 1 && !(byte.is_ascii_alphabetic() || matches!(byte, b'/' | b'!' | b'?')) {
            self.held.clear();
            self.character(b'<', each);
            self.character(byte, each);
            return;
        }
        if self.held.len() < LONGEST_TAG {
            self.held.push(byte);
        }
        let comment = self.held.starts_with(b"<!--");
        if byte == b'>' && (!comment || self.held.ends_with(b"-->")) {
            let tag = String::from_utf8_lossy(&self.held[1..self.held.len() - 1]).into_owned();
            self.held.clear();
            self.tag(&tag, each);
        }
    }

    fn in_entity(&mut self, byte: u8, each: Each<'_>) {
        let named = byte.is_ascii_alphanumeric() || byte == b'#';
        if named && self.held.len() < 12 {
            self.held.push(byte);
            return;
        }
        let held = std::mem::take(&mut self.held);
        let meant = std::str::from_utf8(&held[1..]).ok().filter(|_| byte == b';').and_then(character);
        match meant {
            Some(meant) => meant.encode_utf8(&mut [0; 4]).bytes().for_each(|byte| self.character(byte, each)),
            None => held.iter().for_each(|byte| self.character(*byte, each)),
        }
        match byte {
            b';' if meant.is_some() => {}
            b'<' | b'&' => self.held.push(byte),
            _ => self.character(byte, each),
        }
    }

    fn character(&mut self, byte: u8, each: Each<'_>) {
        if self.hidden.is_some() {
            return;
        }
        if byte == b'\n' && self.verbatim > 0 && !self.row {
            self.feed(each);
            return;
        }
        // Elsewhere any run of blanks is one.
        let blank = byte.is_ascii_whitespace() && (self.verbatim == 0 || self.row);
        let byte = if blank { b' ' } else { byte };
        if blank && self.text.last().is_none_or(|last| *last == b' ') {
            return;
        }
        if self.text.is_empty() {
            self.begun = self.line;
        }
        if self.text.len() < LONGEST {
            self.text.push(byte);
        }
    }

    fn tag(&mut self, tag: &str, each: Each<'_>) {
        let closes = tag.starts_with('/');
        let name =
            tag.trim_start_matches('/').split(|c: char| c.is_whitespace() || c == '/').next().unwrap_or_default();
        let name = name.to_ascii_lowercase();
        if let Some(hidden) = self.hidden {
            if closes && name == hidden {
                self.hidden = None;
            }
            return;
        }
        // The cell beside a line that numbers it is as little part of the text as a script is.
        let numbers = name == "td" && ["blob-num", "line-num", "lineno"].iter().any(|class| tag.contains(class));
        let hidden = ["script", "style", "title", "noscript"].into_iter().find(|hidden| *hidden == name);
        self.hidden = hidden.or(numbers.then_some("td")).filter(|_| !closes);
        match name.as_str() {
            "pre" | "textarea" => {
                self.end_line(each);
                self.verbatim = if closes { self.verbatim.saturating_sub(1) } else { self.verbatim + 1 };
            }
            "br" if self.row => self.character(b' ', each),
            "br" => self.feed(each),
            "tr" => {
                self.end_line(each);
                self.row = !closes;
            }
            "td" | "th" if self.row => self.cell(closes),
            "table" => self.end_line(each),
            "a" if !closes => self.link = Some(self.text.len()),
            "a" => self.leave_link(),
            _ if BLOCKS.contains(&name.as_str()) && !self.row => self.end_line(each),
            _ => {}
        }
    }

    /// The pipes of a row: one before each cell, and one behind the last.
    fn cell(&mut self, closes: bool) {
        self.text.truncate(self.text.trim_ascii_end().len());
        let begun = self.text.is_empty();
        self.begun = if begun { self.line } else { self.begun };
        match closes {
            true => self.text.extend_from_slice(b" |"),
            false if begun => self.text.extend_from_slice(b"| "),
            false => self.text.push(b' '),
        }
    }

    /// The number of a line, which CI servers write as a link before it, is no part of the line.
    fn leave_link(&mut self) {
        let link = self.link.take().filter(|start| *start <= self.text.len());
        let Some(start) = link.filter(|start| self.text[..*start].trim_ascii().is_empty()) else { return };
        let inside = self.text[start..].trim_ascii();
        if !inside.is_empty() && inside.iter().all(u8::is_ascii_digit) {
            self.text.clear();
        }
    }

    /// Ends the line where there is something on it.
    fn end_line(&mut self, each: Each<'_>) {
        if self.row {
            self.text.truncate(self.text.trim_ascii_end().len());
        }
        if !self.text.trim_ascii().is_empty() {
            self.feed(each);
        }
        self.text.clear();
        self.row = false;
    }

    fn feed(&mut self, each: Each<'_>) {
        if self.text.is_empty() {
            self.begun = self.line;
        }
        self.text.push(b'\n');
        each(self.begun, &self.text);
        self.text.clear();
        self.link = None;
    }
}

/// The character that an entity stands for, by its name or number.
fn character(name: &str) -> Option<char> {
    let numbered = |digits: &str, radix| u32::from_str_radix(digits, radix).ok().and_then(char::from_u32);
    match name {
        "lt" => Some('<'),
        "gt" => Some('>'),
        "amp" => Some('&'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        "nbsp" => Some(' '),
        _ => match name.strip_prefix("#x").or_else(|| name.strip_prefix("#X")) {
            Some(digits) => numbered(digits, 16),
            None => numbered(name.strip_prefix('#')?, 10),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(html: &str, piece: usize) -> Vec<(u64, String)> {
        let mut markup = Markup::default();
        let mut lines = Vec::new();
        let mut each =
            |line, text: &[u8]| lines.push((line, String::from_utf8_lossy(text).trim_end_matches('\n').to_owned()));
        html.as_bytes().chunks(piece).for_each(|bytes| markup.read(bytes, &mut each));
        markup.finish(&mut each);
        lines
    }

    #[test]
    fn a_page_is_the_lines_that_a_browser_shows() {
        for (html, expected) in [
            ("<p>step\n 1</p>loss<br>0.5", &[(1, "step 1"), (2, "loss"), (2, "0.5")][..]),
            ("<title>x 1</title><pre>a  1\n\nb &lt; &#50;&#x33;\n</pre>", &[(1, "a  1"), (2, ""), (3, "b < 23")]),
            ("<script>var loss = '<b>';\nx</script><!-- loss > 3 --><b>y</b>", &[(2, "y")]),
            (
                "<tr style=\"a: 1\">\n <th>epoch</th>\n<th>loss</th> </tr><tr><td>0</td><td> 0.5</td></tr>",
                &[(2, "| epoch | loss |"), (3, "| 0 | 0.5 |")],
            ),
            ("<div><a href=\"#7\">7</a><span>loss 0.5</span></div>", &[(1, "loss 0.5")]),
            ("<tr><td class=\"line-numbers\">7</td><td>loss 0.5</td></tr>", &[(1, "| loss 0.5 |")]),
            ("2 < 3 &amp 4 & 5 &unknown; <tr><td>1</td", &[(1, "2 < 3 &amp 4 & 5 &unknown; "), (1, "| 1")]),
        ] {
            let expected: Vec<(u64, String)> =
                expected.iter().map(|(line, text)| (*line, (*text).to_owned())).collect();
            for piece in [1, 3, 1000] {
                assert_eq!(lines(html, piece), expected, "{html} in pieces of {piece}");
            }
        }
    }
}
