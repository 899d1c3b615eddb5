//! What is promised when something breaks: real processes, killed and starved, and afterwards what is true in PostgreSQL.

mod bad_input;
mod book;
mod database_gone;
mod grants;
pub mod ground;
mod killed;
mod load;
pub mod people;
pub mod process;
mod refusals;
mod statements;
mod store_gone;
mod up;

/// Small, reproducible randomness: the seed of a run is printed, ENAMEL_TEST_SEED repeats it.
pub struct Dice(u64);

impl Dice {
    pub fn seed() -> u64 {
        let told = std::env::var("ENAMEL_TEST_SEED").ok().and_then(|text| text.parse().ok());
        told.unwrap_or_else(|| uuid::Uuid::new_v4().as_u64_pair().0 >> 1)
    }
    pub fn new(seed: u64) -> Dice {
        Dice(seed | 1)
    }
    /// xorshift64.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}
