//! What containers, and those who run them, write before the lines of a program.

use super::{blanks, stamp};

/// A line of a container's log, as its runtime writes it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct ContainerPiece {
    /// Where the text begins.
    pub(crate) start: usize,
    /// 0 for standard output, 1 for standard error.
    pub(crate) stream: usize,
    /// Whether the text goes on in the next line of this stream.
    pub(crate) goes_on: bool,
}

/// `2026-01-02T03:04:05.678901234Z stdout P `: a line of a container's log in which the text may go on (`P`) or end (`F`).
pub(crate) fn container_piece(line: &[u8]) -> Option<ContainerPiece> {
    let stamp = stamp(line).filter(|length| line.get(*length) == Some(&b' '))? + 1;
    let stream = [&b"stdout "[..], b"stderr "].iter().position(|stream| line[stamp..].starts_with(stream))?;
    let tag = line.get(stamp + 7..stamp + 9)?;
    matches!(tag, b"P " | b"F ").then_some(ContainerPiece { start: stamp + 9, stream, goes_on: tag == b"P " })
}

/// `trainer-1  | `, `stdout F `, as containers and their orchestrators write.
pub(super) fn container(text: &[u8]) -> Option<usize> {
    for stream in ["stdout F ", "stderr F ", "stdout P ", "stderr P "] {
        if text.starts_with(stream.as_bytes()) {
            return Some(stream.len());
        }
    }
    let name = text.iter().take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.')).count();
    let numbered = name > 2 && text[name - 1].is_ascii_digit() && matches!(text[name - 2], b'-' | b'_');
    let gap = blanks(&text[name..]);
    (numbered && gap > 0 && text[name + gap..].starts_with(b"| ")).then_some(name + gap + 2)
}
