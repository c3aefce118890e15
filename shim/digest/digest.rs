//! A fast 64-bit digest of memory, called once per batch of tensors.
//!
//! Sixteen bytes at a time are folded by a full 64 × 64 → 128 bit product into one of six chains, so that the order of
//! every word, its sign and its lowest bit reach the result. Not cryptographic: it tells numbers apart, not enemies.
//! Plain C interface, no dependencies: built with `rustc --crate-type cdylib`.

const KEYS: [u64; 8] = [
    0x2d35_8dcc_aa6c_78a5,
    0x8bb8_4b93_962e_acc9,
    0x4b33_a62e_d433_d4a3,
    0x4d5a_2da5_1de1_aa47,
    0xa076_1d64_78bd_642f,
    0xe703_7ed1_a0b4_28db,
    0x9006_3de9_9b0b_2b3f,
    0xc3b1_75d7_2e87_7a15,
];

/// Both halves of the product, folded.
#[inline(always)]
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    (product as u64) ^ ((product >> 64) as u64)
}

#[inline(always)]
fn word(bytes: &[u8], at: usize) -> u64 {
    let mut eight = [0; 8];
    eight.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(eight)
}

/// The digest of one piece of memory; its length takes part.
fn digest(bytes: &[u8]) -> u64 {
    let mut chains = [KEYS[7]; 6];
    let mut blocks = bytes.chunks_exact(96);
    for block in &mut blocks {
        for lane in 0..6 {
            let at = lane * 16;
            chains[lane] = fold(word(block, at) ^ KEYS[lane], word(block, at + 8) ^ chains[lane]);
        }
    }
    let mut whole = KEYS[6];
    for (lane, chain) in chains.iter().enumerate() {
        whole = fold(whole ^ KEYS[lane], chain ^ KEYS[7].rotate_left(lane as u32));
    }
    let mut rest = blocks.remainder().chunks_exact(16);
    for pair in &mut rest {
        whole = fold(word(pair, 0) ^ KEYS[1], word(pair, 8) ^ whole);
    }
    let mut last = [0; 16];
    last[..rest.remainder().len()].copy_from_slice(rest.remainder());
    whole = fold(word(&last, 0) ^ KEYS[2], word(&last, 8) ^ whole);
    fold(whole ^ KEYS[3], bytes.len() as u64 ^ KEYS[4])
}

/// Digests `n` pieces of memory into `out[0..n]` and their ordered combination into `out[n]`.
///
/// # Safety
/// `pointers` and `lengths` must hold `n` entries that describe readable memory, `out` room for `n + 1`.
#[no_mangle]
pub unsafe extern "C" fn repro_audit_digest(pointers: *const *const u8, lengths: *const u64, n: usize, out: *mut u64) {
    let mut root = KEYS[5] ^ n as u64;
    for i in 0..n {
        let length = *lengths.add(i) as usize;
        let pointer = *pointers.add(i);
        let bytes = if length == 0 || pointer.is_null() { &[] } else { std::slice::from_raw_parts(pointer, length) };
        let leaf = digest(bytes);
        *out.add(i) = leaf;
        root = fold(root ^ KEYS[0], leaf ^ KEYS[1]).rotate_left(17) ^ leaf;
    }
    *out.add(n) = fold(root ^ KEYS[2], n as u64 ^ KEYS[3]);
}
