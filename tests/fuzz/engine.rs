//! A small mutation fuzzer: seeds are spliced, flipped, cut and repeated until the time is over. An input that makes a
//! parser say something new (another verdict than any before) becomes a seed itself.
//!
//! `FUZZ_SECONDS` bounds each parser (default 1), `FUZZ_SEED` repeats a run. An input that breaks a law is stored below
//! tests/fixtures/fuzz/ and replayed first in every later run.

use super::memory;
use sha2::{Digest, Sha256};
use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// One input of any parser is done within this, in the dev profile on a busy machine.
const INPUT_TIME_MAX: Duration = Duration::from_millis(1000);
const INPUT_BYTES_MAX: usize = 64 * 1024;
const POOL_MAX: usize = 512;

pub struct Target<'t> {
    pub name: &'static str,
    pub seeds: Vec<Vec<u8>>,
    /// Words of the format, put in where a mutation inserts.
    pub words: &'static [&'static str],
    /// Memory one input may take: a fixed part, and so many bytes for each byte of it.
    pub memory: (usize, usize),
    /// Parses, checks the laws by assertions, and says in a few words what came out.
    pub run: &'t dyn Fn(&[u8]) -> String,
}

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

fn folder(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/fuzz").join(name)
}

impl Target<'_> {
    pub fn fuzz(mut self) {
        let found = std::fs::read_dir(folder(self.name)).into_iter().flatten().map(|entry| std::fs::read(entry.unwrap().path()).unwrap());
        self.seeds.extend(found);
        let mut verdicts = HashSet::new();
        for seed in self.seeds.clone() {
            verdicts.insert(self.check(&seed, "a seed"));
        }
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos() as u64;
        let chosen = number("FUZZ_SEED").unwrap_or(now) | 1;
        let until = Instant::now() + Duration::from_secs(number("FUZZ_SECONDS").unwrap_or(1));
        let (mut random, mut runs) = (Random(chosen), 0u64);
        while Instant::now() < until {
            let input = self.mutated(&mut random);
            let verdict = self.check(&input, &format!("FUZZ_SEED={chosen}, run {runs}"));
            if verdicts.insert(verdict) && self.seeds.len() < POOL_MAX {
                self.seeds.push(input);
            }
            runs += 1;
        }
        println!("{}: {runs} inputs, {} verdicts", self.name, verdicts.len());
    }

    /// Runs one input under all bounds.
    fn check(&self, input: &[u8], origin: &str) -> String {
        let broken = |why: String| -> ! {
            let file = folder(self.name).join(format!("{:x}", u64::from_be_bytes(Sha256::digest(input)[..8].try_into().unwrap())));
            std::fs::create_dir_all(folder(self.name)).unwrap();
            std::fs::write(&file, input).unwrap();
            panic!("{}: {why} ({origin}); the input is in {}", self.name, file.display());
        };
        let mut least = Duration::MAX;
        // A slow run may be the machine's doing; three in a row are the parser's.
        for _ in 0..3 {
            let began = Instant::now();
            let (outcome, peak) = memory::peak(|| catch_unwind(AssertUnwindSafe(|| (self.run)(input))));
            least = least.min(began.elapsed());
            let verdict = match outcome {
                Ok(verdict) => verdict,
                Err(panic) => broken(format!("it panicked: {}", message(&*panic))),
            };
            let allowed = self.memory.0 + self.memory.1 * input.len();
            if peak > allowed {
                broken(format!("it took {peak} bytes of memory for {} of input", input.len()));
            }
            if least <= INPUT_TIME_MAX {
                return verdict;
            }
        }
        broken(format!("it took {least:?}"))
    }

    fn mutated(&self, random: &mut Random) -> Vec<u8> {
        let mut input = self.seeds[random.below(self.seeds.len())].clone();
        for _ in 0..=random.below(4) {
            let at = random.below(input.len() + 1);
            let length = 1 + random.below(16);
            let end = (at + length).min(input.len());
            match random.below(9) {
                0 if at < input.len() => input[at] ^= 1 << random.below(8),
                1 if at < input.len() => input[at] = random.next() as u8,
                2 => drop(input.drain(at..end)),
                3 => drop(input.splice(at..at, (0..length).map(|_| random.next() as u8))),
                4 => {
                    let part = input[at..end].to_vec();
                    let times = 1 + random.below(64);
                    input.splice(at..at, part.repeat(times));
                }
                5 => {
                    let other = &self.seeds[random.below(self.seeds.len())];
                    let from = random.below(other.len() + 1);
                    let to = (from + random.below(256)).min(other.len());
                    input.splice(at..end, other[from..to].iter().copied());
                }
                6 => input.truncate(at),
                _ if !self.words.is_empty() => drop(input.splice(at..end, self.words[random.below(self.words.len())].bytes())),
                _ => {}
            }
            input.truncate(INPUT_BYTES_MAX);
        }
        input
    }
}

fn message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("without a word").to_owned()
}
