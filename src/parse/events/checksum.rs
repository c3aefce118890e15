//! CRC-32C of short records.

/// Records longer than this are worth a call that asks the processor what it can do.
const SHORT: usize = 256;

/// Eight bytes at a time: `TABLES[k][b]` is what byte `b` does with `k` bytes behind it.
static TABLES: [[u32; 256]; 8] = tables();

const fn tables() -> [[u32; 256]; 8] {
    let mut tables = [[0; 256]; 8];
    let mut byte = 0;
    while byte < 256 {
        let mut sum = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            sum = (sum >> 1) ^ (0x82f6_3b78 & (sum & 1).wrapping_neg());
            bit += 1;
        }
        tables[0][byte] = sum;
        byte += 1;
    }
    let mut behind = 1;
    while behind < 8 {
        let mut byte = 0;
        while byte < 256 {
            let before = tables[behind - 1][byte];
            tables[behind][byte] = (before >> 8) ^ tables[0][(before & 0xff) as usize];
            byte += 1;
        }
        behind += 1;
    }
    tables
}

/// The checksum of `bytes`. For the few bytes of a record, tables in place cost less than a call into a library.
pub(super) fn crc32c(bytes: &[u8]) -> u32 {
    if bytes.len() > SHORT {
        return crc32c::crc32c(bytes);
    }
    let mut sum = !0u32;
    let mut chunks = bytes.chunks_exact(8);
    for chunk in &mut chunks {
        let low = sum ^ u32::from_le_bytes([chunk[0], chunk[1], chunk[2], chunk[3]]);
        let [a, b, c, d] = low.to_le_bytes();
        sum = TABLES[7][usize::from(a)]
            ^ TABLES[6][usize::from(b)]
            ^ TABLES[5][usize::from(c)]
            ^ TABLES[4][usize::from(d)]
            ^ TABLES[3][usize::from(chunk[4])]
            ^ TABLES[2][usize::from(chunk[5])]
            ^ TABLES[1][usize::from(chunk[6])]
            ^ TABLES[0][usize::from(chunk[7])];
    }
    let mut rest = chunks.remainder();
    if let Some((four, fewer)) = rest.split_first_chunk() {
        let [a, b, c, d] = (sum ^ u32::from_le_bytes(*four)).to_le_bytes();
        sum = TABLES[3][usize::from(a)]
            ^ TABLES[2][usize::from(b)]
            ^ TABLES[1][usize::from(c)]
            ^ TABLES[0][usize::from(d)];
        rest = fewer;
    }
    for byte in rest {
        sum = (sum >> 8) ^ TABLES[0][usize::from(sum as u8 ^ byte)];
    }
    !sum
}

#[cfg(test)]
mod tests {
    #[test]
    fn is_the_checksum_of_the_library_for_every_length() {
        let bytes: Vec<u8> = (0..600u32).map(|n| (n * 7 + n / 5) as u8).collect();
        for length in 0..bytes.len() {
            assert_eq!(super::crc32c(&bytes[..length]), crc32c::crc32c(&bytes[..length]), "{length} bytes");
        }
    }
}
