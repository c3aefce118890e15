//! A user's expression in the first line, a log in the others: never a panic, and no cut of the log matters.
#![no_main]

use libfuzzer_sys::fuzz_target;
use repro_audit::parse::{Live, Options, Pattern};

fuzz_target!(|data: &[u8]| {
    let Some(end) = data.iter().take(80).position(|&byte| byte == b'\n') else { return };
    let (expression, log) = (&data[..end], &data[end + 1..]);
    let Ok(expression) = std::str::from_utf8(expression) else { return };
    let Ok(pattern) = Pattern::new(expression) else { return };
    let options = Options { pattern: Some(pattern), ..Options::default() };
    let read = |size: usize| {
        let mut live = Live::new(options.clone());
        let mut out = Vec::new();
        for piece in log.chunks(size.max(1)) {
            live.push(piece, &mut out);
        }
        let summary = live.finish(&mut out);
        let points: Vec<_> = out
            .iter()
            .map(|o| (o.metric, o.point.position, o.point.value.to_bits(), o.point.text.to_string(), o.point.line))
            .collect();
        (points, summary.warnings)
    };
    let whole = read(log.len());
    for size in [1, 7 + end] {
        assert_eq!(read(size), whole);
    }
});
