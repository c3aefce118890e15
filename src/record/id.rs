//! Names that come from a record and become part of a path.

/// Whether `name` is safe as the name of a file or folder: short, of plain characters, and not hidden.
pub fn is_plain(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    (1..=128).contains(&name.len()) && !name.starts_with(['.', '-']) && name.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_leaves_its_folder() {
        for name in ["", ".", "..", "../r1", "a/b", "/etc", ".hidden", "-rf", "a b", "a\0", "r\n1"] {
            assert!(!is_plain(name), "{name:?}");
        }
        for name in ["r1", "r10000", "report.json", "node_cal-1"] {
            assert!(is_plain(name), "{name:?}");
        }
    }
}
