//! TensorBoard event files, with the checksums set right so that what they cover is read.
#![no_main]

use libfuzzer_sys::fuzz_target;
use repro_audit::parse::{Options, read_bytes};

fuzz_target!(|data: &[u8]| {
    read_bytes(data, &Options::default());
    let mut log = Vec::new();
    for part in data.split(|&byte| byte == 0xff) {
        let length = (part.len() as u64).to_le_bytes();
        log.extend(length);
        log.extend(masked(&length));
        log.extend(part);
        log.extend(masked(part));
    }
    read_bytes(&log, &Options::default());
});

/// CRC-32C as event files store it.
fn masked(bytes: &[u8]) -> [u8; 4] {
    let mut sum = !0u32;
    for byte in bytes {
        sum ^= u32::from(*byte);
        for _ in 0..8 {
            sum = (sum >> 1) ^ (0x82f6_3b78 & (sum & 1).wrapping_neg());
        }
    }
    (!sum).rotate_right(15).wrapping_add(0xa282_ead8).to_le_bytes()
}
