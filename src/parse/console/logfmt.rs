//! Lines in logfmt, `time=… level=info msg="step 1 loss 0.5"`, whose message is the line that the program meant.

use crate::parse::walk;

/// Keys with which such a line begins.
const FIRST: [&[u8]; 5] = [b"time=", b"ts=", b"t=", b"timestamp=", b"level="];

/// The message of a line, and the pairs behind it; `None` where it is no such line or the message says nothing that counts.
pub(super) fn message(text: &[u8]) -> Option<Vec<u8>> {
    if !FIRST.iter().any(|key| text.starts_with(key)) {
        return None;
    }
    let start =
        [&b" msg=\""[..], b" message=\""].iter().find_map(|key| Some(memchr::memmem::find(text, key)? + key.len()))?;
    let length = closing_quote(&text[start..])?;
    let (message, rest) = (&text[start..start + length], &text[start + length + 1..]);
    let alone = rest.trim_ascii().is_empty();
    if !alone && !message.iter().any(u8::is_ascii_digit) {
        return None;
    }
    let mut line = walk::unescape(message).into_bytes();
    line.extend_from_slice(rest);
    Some(line)
}

/// Where a string ends: at the first quotation mark that no backslash stands before.
fn closing_quote(text: &[u8]) -> Option<usize> {
    let mut escaped = false;
    text.iter().position(|&byte| {
        let closes = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        closes
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_of_a_line_is_what_the_program_meant() {
        for (line, expected) in [
            (r#"time="2026-01-02T03:04:05Z" level=info msg="[1 | 2.5] loss=\"0.5\"""#, Some(r#"[1 | 2.5] loss="0.5""#)),
            (r#"time=2026-01-02T03:04:05Z level=INFO msg="\titers: 1" run=a"#, Some("\titers: 1 run=a")),
            (r#"time=2026-01-02T03:04:05Z level=INFO msg="step done" step=1 loss=0.5"#, None),
            (r#"loss=0.5 msg="saved 1""#, None),
            (r#"level=info msg="cut"#, None),
        ] {
            assert_eq!(message(line.as_bytes()).as_deref(), expected.map(str::as_bytes), "{line}");
        }
    }
}
