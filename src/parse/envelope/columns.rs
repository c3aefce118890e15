//! Tags and columns whose only merit is what follows them: a stamp, a level, an object, the text itself.

use super::{blanks, level, stamp};

/// `[titan] 2026-01-02 …`: a tag whose only merit is that a stamp or level follows.
pub(super) fn tag_before_stamp(text: &[u8]) -> Option<usize> {
    if !matches!(text.first(), Some(b'[' | b'(')) {
        return None;
    }
    let close = text.iter().take(64).position(|&b| matches!(b, b']' | b')'))?;
    let next = close + 1 + blanks(&text[close + 1..]);
    let rest = text.get(next..)?;
    (stamp(rest).is_some() || level(rest).is_some()).then_some(close + 1)
}

/// `DLL 2026-01-02 03:04:05.678 - `: a logger's name in capitals.
pub(super) fn name_before_stamp(text: &[u8]) -> Option<usize> {
    let name = text.iter().take(9).take_while(|byte| byte.is_ascii_uppercase()).count();
    let stamped = text.get(name) == Some(&b' ') && stamp(&text[name + 1..]).is_some_and(|length| length >= 19);
    ((2..=8).contains(&name) && stamped).then_some(name)
}

/// `train\tRun training\t2026-01-02T03:04:05Z …`: job and step of a CI run, as its client prints them before each line.
pub(super) fn columns_before_stamp(text: &[u8]) -> Option<usize> {
    let head = &text[..text.len().min(200)];
    let first = memchr::memchr(b'\t', head)?;
    let second = first + 1 + memchr::memchr(b'\t', &head[first + 1..])?;
    stamp(&text[second + 1..]).map(|_| second + 1)
}

/// `host1:0\tcore.train:89\tINFO\t…`: columns of a logger, the last of which is the level.
pub(super) fn columns_before_level(text: &[u8]) -> Option<usize> {
    let head = &text[..text.len().min(200)];
    let mut start = 0;
    for tab in memchr::memchr_iter(b'\t', head).take(5) {
        if level(&head[start..=tab]).is_some_and(|length| start + length == tab) {
            return Some(tab);
        }
        start = tab + 1;
    }
    None
}

/// `docker.train\t{"log": …}`: the tag of a collector that forwards objects.
pub(super) fn tag_before_object(text: &[u8]) -> Option<usize> {
    let tab = memchr::memchr(b'\t', &text[..text.len().min(100)])?;
    let tag = !text[..tab].contains(&b' ') && !text[..tab].contains(&b'{');
    (tag && text[tab + 1..].starts_with(b"{\"")).then_some(tab + 1)
}

/// `(nnet3-train[5.5]:Train():nnet-training.cc:264)`: program, function and source line, as Kaldi writes behind the level.
pub(super) fn function(text: &[u8]) -> Option<usize> {
    let head = text.strip_prefix(b"(").map(|_| &text[..text.len().min(200)])?;
    memchr::memchr_iter(b')', head).find_map(|close| {
        let digits = head[..close].iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
        let file = head[..close - digits].strip_suffix(b":")?;
        let name = file.rsplit(|byte| *byte == b':').next()?;
        (digits > 0 && name.contains(&b'.')).then_some(close + 1)
    })
}
