//! Which tenants there are, and which patients are whose.

use chrono::NaiveDate;
use uuid::Uuid;

/// The biggest of 1 000 clinics has some 25 000 of a million patients, the smallest some 400.
const SKEW: f64 = 0.6;
const LEAST: u64 = 25;

/// What a load is made of: the same plan makes the same content.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    pub tenants: u32,
    pub patients: u64,
    pub seed: u32,
    /// Visits lie around it.
    pub day: NaiveDate,
    /// Patients with an address each, and nothing about them.
    pub patients_only: bool,
}

/// A tenant with its patients, whose numbers follow each other. A DSO has none of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    pub number: u32,
    pub parent: Option<u32>,
    pub dso: bool,
    pub first: u64,
    pub patients: u64,
}

impl Plan {
    pub fn tenant_id(&self, number: u32) -> Uuid {
        self.id(1, u64::from(number))
    }
    /// The service that is named as the author of a tenant's rows.
    pub fn author_id(&self, number: u32) -> Uuid {
        self.id(2, u64::from(number))
    }
    pub fn patient_id(&self, number: u64) -> Uuid {
        self.id(20, number)
    }
    pub fn policy_id(&self, number: u64) -> Uuid {
        self.id(22, number)
    }
    /// As `pg_temp.id` in helpers.sql; the kind reads the same in both.
    fn id(&self, kind: u16, number: u64) -> Uuid {
        let kind = ((kind / 10 % 10) << 4) | (kind % 10);
        let last = (100_000_000_000 + number).to_string().bytes().fold(0u64, |all, digit| all << 4 | u64::from(digit - b'0'));
        Uuid::from_u128(u128::from(self.seed) << 96 | u128::from(kind) << 80 | 0x7000 << 64 | 0x8000 << 48 | u128::from(last))
    }

    /// From 100 tenants on, one in a hundred is a DSO: a fifth of the clinics stands below the first, a fiftieth below each other.
    pub fn dsos(&self) -> u32 {
        self.tenants / 100
    }

    /// The DSOs first. Big and small clinics stand mixed, so that a DSO has both.
    pub fn shares(&self) -> Vec<Share> {
        let dsos = self.dsos();
        let clinics = self.tenants - dsos;
        let weight = |number: u32| f64::from((number.wrapping_mul(7_919)) % clinics + 1).powf(-SKEW);
        let sum: f64 = (0..clinics).map(weight).sum();
        let mut parents: Vec<Option<u32>> = vec![None; self.tenants as usize];
        let below =
            (1..=dsos).flat_map(|dso| std::iter::repeat_n(dso, (if dso == 1 { self.tenants / 5 } else { self.tenants / 50 }) as usize));
        parents.iter_mut().skip(dsos as usize).zip(below).for_each(|(parent, dso)| *parent = Some(dso));
        let mut first = 0;
        (1..=self.tenants)
            .zip(parents)
            .map(|(number, parent)| {
                let dso = number <= dsos;
                let patients = if dso { 0 } else { ((weight(number - dsos - 1) / sum * self.patients as f64) as u64).max(LEAST) };
                first += patients;
                Share { number, parent, dso, first: first - patients, patients }
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clinics_share_the_patients_and_a_fifth_stands_below_the_first_dso() {
        let plan = Plan { tenants: 1_000, patients: 1_000_000, seed: 7, day: NaiveDate::MIN, patients_only: false };
        let shares = plan.shares();
        let all: u64 = shares.iter().map(|share| share.patients).sum();
        assert!((990_000..=1_010_000).contains(&all), "{all}");
        assert_eq!(shares.iter().filter(|share| share.parent == Some(1)).count(), 200);
        assert_eq!(shares.iter().filter(|share| share.dso).count(), 10);
        assert!(shares.windows(2).all(|pair| pair[0].first + pair[0].patients == pair[1].first));
        assert_eq!(plan.patient_id(42).to_string(), "00000007-0020-7000-8000-100000000042");
    }
}
