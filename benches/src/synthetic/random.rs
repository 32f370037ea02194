//! Numbers that look random and are the same everywhere.
//!
//! In: a seed and the name of what is generated. Out: a sequence of their own for each name, so that
//! threads can generate in any order. It must not be used for anything that has to be unpredictable.
//!
//! Source: Sebastiano Vigna, splitmix64 (public domain).

pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64, name: &str) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&seed.to_le_bytes());
        hasher.update(name.as_bytes());
        let mut start = [0; 8];
        hasher.finalize_xof().fill(&mut start);
        Self(u64::from_le_bytes(start))
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `limit`, or 0 where there is none.
    pub(super) fn below(&mut self, limit: u32) -> u32 {
        // Of two 32-bit numbers' product, the upper half is below the second.
        u32::try_from(((self.next() >> 32) * u64::from(limit)) >> 32).unwrap_or(0)
    }
}
