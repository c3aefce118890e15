//! A digest that stays the same from release to release, for what outlives them.

/// FNV-1a with 64 bits, as Fowler, Noll and Vo give it: the standard library's own hash may change with every release.
#[derive(Clone, Copy, Debug)]
pub struct Fnv(pub u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Fnv {
    /// Takes bytes in.
    pub fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Vectors of the draft that describes it (draft-eastlake-fnv, test vectors of FNV-1a with 64 bits).
    #[test]
    fn is_the_published_one() {
        let of = |text: &str| {
            let mut digest = Fnv::default();
            digest.add(text.as_bytes());
            digest.0
        };
        assert_eq!(of(""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(of("a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(of("foobar"), 0x8594_4171_f739_67e8);
    }
}
