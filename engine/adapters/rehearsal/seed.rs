//! Chance that can be had again: everything that a simulated world leaves open is drawn from one number.
//!
//! The generator is `SplitMix64` (Steele, Lea, Flood: "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014; the constants are
//! those of the public-domain C code of Vigna, <https://prng.di.unimi.it/splitmix64.c>). It is small, has a full period of 2^64, and needs no state
//! but a number. It is no source of secrets.

/// The golden ratio's fraction in 64 bits, odd.
const GAMMA: u64 = 0x9E37_79B9_7F4A_7C15;

/// The seed of a world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seed(pub u64);

impl Seed {
    /// The numbers for one purpose. Each purpose has its own, so that one fault more does not change what all others do.
    pub fn stream(self, purpose: &str) -> Stream {
        // FNV-1a, 64 bits.
        let hash = purpose.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        Stream { state: mix(self.0 ^ mix(hash)) }
    }
}

/// A sequence of numbers.
#[derive(Clone, Debug)]
pub struct Stream {
    state: u64,
}

impl Stream {
    /// The next number.
    pub fn next_number(&mut self) -> u64 {
        self.state = self.state.wrapping_add(GAMMA);
        mix(self.state)
    }

    /// A number of at least `low` and at most `high`, each as likely as 2^64 allows.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        match high.saturating_sub(low).checked_add(1) {
            Some(width) => low + self.next_number() % width,
            None => self.next_number(),
        }
    }

    /// True in so many of so many cases.
    pub fn chance(&mut self, cases: u64, of: u64) -> bool {
        self.next_number() % of.max(1) < cases
    }
}

const fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_those_of_the_published_code() {
        let mut stream = Stream { state: 1_234_567 };
        let numbers: Vec<u64> = (0..5).map(|_| stream.next_number()).collect();
        let published = [
            6_457_827_717_110_365_317,
            3_203_168_211_198_807_973,
            9_817_491_932_198_370_423,
            4_593_380_528_125_082_431,
            16_408_922_859_458_223_821,
        ];
        assert_eq!(numbers, published);
    }

    #[test]
    fn purposes_have_numbers_of_their_own() {
        let first = |seed, purpose| Seed(seed).stream(purpose).next_number();
        assert_eq!(first(1, "a"), first(1, "a"));
        assert!(first(1, "a") != first(1, "b") && first(1, "a") != first(2, "a"));
        let mut stream = Seed(3).stream("bounds");
        assert!((0..1000).map(|_| stream.between(5, 9)).all(|number| (5..=9).contains(&number)));
    }
}
