//! Baselines: what is read is written the same again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use repro_audit::gate::baseline::Baseline;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(baseline) = Baseline::parse(text) {
        let again = Baseline::parse(&baseline.text()).expect("what was written is read");
        assert_eq!(again.text(), baseline.text());
    }
});
