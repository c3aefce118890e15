//! Console output in any pieces: never a panic, and the pieces never matter.
#![no_main]

use libfuzzer_sys::fuzz_target;
use repro_audit::parse::{Live, Options, read_bytes};

fuzz_target!(|data: &[u8]| {
    let Some((&size, log)) = data.split_first() else { return };
    read_bytes(log, &Options::default());
    pieces(log, usize::from(size) + 1);
});

/// A log read in pieces gives what it gives in one.
fn pieces(log: &[u8], size: usize) {
    let read = |pieces: &mut dyn Iterator<Item = &[u8]>| {
        let mut live = Live::new(Options::default());
        let mut out = Vec::new();
        for piece in pieces {
            live.push(piece, &mut out);
        }
        // The format, and what prefix all lines have, are decided by what has come so far; after that no cut may matter.
        let summary = live.finish(&mut out);
        let points: Vec<_> = out.iter().map(|o| (o.metric, o.point.text.to_string(), o.point.line)).collect();
        ((summary.format, summary.beginning), points)
    };
    let (decided, points) = read(&mut log.chunks(size));
    let (other, others) = read(&mut log.chunks(log.len().max(1)));
    if decided == other && decided.0 != "json" {
        assert_eq!(points, others);
    }
}
