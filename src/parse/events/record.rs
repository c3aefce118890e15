//! The frame of a record: its length, its data, and a checksum of each.

use super::checksum;

/// Records longer than this hold images or graphs, never a scalar; their bytes are checked and dropped.
pub(super) const LONGEST: usize = 4 << 20;

/// The length of the record at the start of `bytes`, and whether its checksum holds.
pub(super) fn length(bytes: &[u8]) -> Option<(u64, bool)> {
    let length = bytes.get(..8)?;
    let sum = bytes.get(8..12)?;
    let value = u64::from_le_bytes(length.try_into().ok()?);
    let sum = u32::from_le_bytes(sum.try_into().ok()?);
    Some((value, masked(checksum::crc32c(length)) == sum))
}

/// The checksum as event files store it.
pub(super) fn masked(sum: u32) -> u32 {
    sum.rotate_right(15).wrapping_add(0xa282_ead8)
}

/// A record that is all there, the checksum of its length found right.
pub(super) struct Record<'a> {
    pub(super) data: &'a [u8],
    sum: &'a [u8],
}

impl<'a> Record<'a> {
    /// The bytes around the data: its length, and two checksums.
    const FRAME: usize = 16;

    /// The record at the start of `bytes`; `None` where it is not whole, too long, or its length not sound.
    pub(super) fn at_start_of(bytes: &'a [u8]) -> Option<Self> {
        let (long, true) = length(bytes)? else { return None };
        let long = usize::try_from(long).ok().filter(|long| *long <= LONGEST)?;
        let (data, sum) = bytes.get(12..Self::FRAME + long)?.split_at(long);
        Some(Self { data, sum })
    }

    /// Whether its checksum holds.
    pub(super) fn is_sound(&self) -> bool {
        masked(checksum::crc32c(self.data)).to_le_bytes() == self.sum
    }

    /// Bytes that it takes in the file.
    pub(super) fn length(&self) -> usize {
        Self::FRAME + self.data.len()
    }

    /// Whether two records say the same, whenever they were written: the first field, eight bytes, is the wall time.
    pub(super) fn says_the_same_as(&self, other: &Self) -> bool {
        const TIME: usize = 9;
        let timed = |data: &[u8]| data.len() >= TIME && data[0] == 1 << 3 | 1;
        let from = if timed(self.data) && timed(other.data) { TIME } else { 0 };
        self.data[from..] == other.data[from..]
    }
}
