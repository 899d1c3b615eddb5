//! The 52 teeth of ISO 3950 and the three ways to write them (catalogue C51). What is stored is always the FDI code; a
//! tooth number without its system is ambiguous, so nothing here guesses one. `kernel.tooth_of` and `kernel.tooth_in` in
//! the database say the same (a test compares all of them).

use std::fmt;

/// One of 32 permanent and 20 primary teeth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tooth {
    /// 1 upper right, 2 upper left, 3 lower left, 4 lower right; 5 to 8 the same of the primary teeth.
    quadrant: u8,
    /// From the midline: 1 to 8, of primary teeth 1 to 5.
    position: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum System {
    Fdi,
    Universal,
    Palmer,
}

impl System {
    pub const WORDS: &[&str] = &["FDI", "UNIVERSAL", "PALMER"];

    pub fn of(word: &str) -> Option<System> {
        match word {
            "FDI" => Some(System::Fdi),
            "UNIVERSAL" => Some(System::Universal),
            "PALMER" => Some(System::Palmer),
            _ => None,
        }
    }
}

/// What somebody wrote for a tooth, or for one too many beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Designation {
    pub tooth: Tooth,
    pub is_supernumerary: bool,
}

const QUADRANTS: [&str; 4] = ["UR", "UL", "LL", "LR"];

impl Tooth {
    pub fn all() -> impl Iterator<Item = Tooth> {
        (1..=8).flat_map(|quadrant| (1..=8).filter_map(move |position| Tooth::at(quadrant, position)))
    }

    pub fn at(quadrant: u8, position: u8) -> Option<Tooth> {
        let positions = match quadrant {
            1..=4 => 1..=8,
            5..=8 => 1..=5,
            _ => return None,
        };
        positions.contains(&position).then_some(Tooth { quadrant, position })
    }

    pub fn from_fdi(code: &str) -> Option<Tooth> {
        let [quadrant @ b'1'..=b'8', position @ b'1'..=b'8'] = *code.as_bytes() else { return None };
        Tooth::at(quadrant - b'0', position - b'0')
    }

    pub fn is_primary(self) -> bool {
        self.quadrant > 4
    }
    pub fn is_maxillary(self) -> bool {
        matches!(self.quadrant, 1 | 2 | 5 | 6)
    }
    /// Incisors and canines: they have an edge, the others a chewing surface.
    pub fn is_anterior(self) -> bool {
        self.position <= 3
    }
    pub fn is_molar(self) -> bool {
        if self.is_primary() { self.position >= 4 } else { self.position >= 6 }
    }
    pub fn is_first_premolar(self) -> bool {
        !self.is_primary() && self.position == 4
    }

    /// The tooth that stands or will stand in the same place: 55 and 15 share one.
    pub fn counterpart(self) -> Option<Tooth> {
        if self.is_primary() { Tooth::at(self.quadrant - 4, self.position) } else { Tooth::at(self.quadrant + 4, self.position) }
    }

    /// Place in its arch, from the patient's right to the left: neighbours differ by one.
    pub fn place(self) -> i8 {
        let position = self.position.cast_signed();
        if matches!(self.quadrant, 1 | 4 | 5 | 8) { -position } else { position - 1 }
    }

    /// Universal number 1 to 32, or letter A to T.
    fn universal(self) -> u8 {
        let (quadrant, position) = (self.quadrant, self.position);
        match quadrant {
            1 => 9 - position,
            2 => 8 + position,
            3 => 25 - position,
            4 => 24 + position,
            5 => b'A' + 5 - position,
            6 => b'E' + position,
            7 => b'O' + 1 - position,
            _ => b'O' + position,
        }
    }

    pub fn written(self, system: System) -> String {
        Designation { tooth: self, is_supernumerary: false }.written(system)
    }
}

impl fmt::Display for Tooth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.quadrant, self.position)
    }
}

impl Designation {
    /// Reads what was written in that system: `16`, `3`, `A`, `UR6`, and in Universal `53` or `AS` for one too many.
    pub fn read(system: System, text: &str) -> Option<Designation> {
        let plain = |tooth| Designation { tooth, is_supernumerary: false };
        match system {
            System::Fdi => Tooth::from_fdi(text).map(plain),
            System::Palmer => {
                let (quadrant, position) = (text.get(..2)?, text.get(2..)?);
                let quadrant = u8::try_from(QUADRANTS.iter().position(|known| *known == quadrant)?).ok()? + 1;
                match *position.as_bytes() {
                    [digit @ b'1'..=b'8'] => Tooth::at(quadrant, digit - b'0').map(plain),
                    [letter @ b'A'..=b'E'] => Tooth::at(quadrant + 4, letter - b'A' + 1).map(plain),
                    _ => None,
                }
            }
            System::Universal => {
                let (code, is_supernumerary) = match *text.as_bytes() {
                    [letter @ b'A'..=b'T'] => (letter, false),
                    [letter @ b'A'..=b'T', b'S'] => (letter, true),
                    [b'1'..=b'9'] | [b'1'..=b'9', b'0'..=b'9'] => match text.parse().ok()? {
                        number @ 1..=32 => (number, false),
                        number @ 51..=82 => (number - 50, true),
                        _ => return None,
                    },
                    _ => return None,
                };
                let tooth = Tooth::all().find(|tooth| tooth.universal() == code)?;
                Some(Designation { tooth, is_supernumerary })
            }
        }
    }

    /// Only Universal has codes for supernumerary teeth; the others name the tooth beside it.
    pub fn written(self, system: System) -> String {
        let Tooth { quadrant, position } = self.tooth;
        match system {
            System::Fdi => self.tooth.to_string(),
            System::Palmer => {
                let side = QUADRANTS[usize::from((quadrant - 1) % 4)];
                if self.tooth.is_primary() { format!("{side}{}", char::from(b'A' + position - 1)) } else { format!("{side}{position}") }
            }
            System::Universal if self.tooth.is_primary() => {
                let letter = char::from(self.tooth.universal());
                if self.is_supernumerary { format!("{letter}S") } else { letter.to_string() }
            }
            System::Universal => {
                let number = self.tooth.universal();
                if self.is_supernumerary { number + 50 } else { number }.to_string()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SYSTEMS: [System; 3] = [System::Fdi, System::Universal, System::Palmer];

    #[test]
    fn there_are_fifty_two_teeth() {
        assert_eq!(Tooth::all().count(), 52);
        assert_eq!(Tooth::all().filter(|tooth| tooth.is_primary()).count(), 20);
        for code in ["", "1", "10", "19", "56", "91", "00", "111", "１1"] {
            assert_eq!(Tooth::from_fdi(code), None, "{code}");
        }
    }

    #[test]
    fn every_tooth_comes_back_from_every_system() {
        for system in SYSTEMS {
            let mut seen = std::collections::HashSet::new();
            for tooth in Tooth::all() {
                let text = tooth.written(system);
                assert_eq!(Designation::read(system, &text), Some(Designation { tooth, is_supernumerary: false }), "{text}");
                assert!(seen.insert(text), "two teeth are written alike");
            }
        }
    }

    #[test]
    fn a_tooth_too_many_comes_back_in_universal() {
        for tooth in Tooth::all() {
            let extra = Designation { tooth, is_supernumerary: true };
            assert_eq!(Designation::read(System::Universal, &extra.written(System::Universal)), Some(extra));
        }
    }

    /// The printed table: corners of every range.
    #[test]
    fn the_published_pairs_hold() {
        for (fdi, universal, palmer) in [
            ("18", "1", "UR8"),
            ("11", "8", "UR1"),
            ("21", "9", "UL1"),
            ("28", "16", "UL8"),
            ("38", "17", "LL8"),
            ("31", "24", "LL1"),
            ("41", "25", "LR1"),
            ("48", "32", "LR8"),
            ("55", "A", "URE"),
            ("51", "E", "URA"),
            ("61", "F", "ULA"),
            ("65", "J", "ULE"),
            ("75", "K", "LLE"),
            ("71", "O", "LLA"),
            ("81", "P", "LRA"),
            ("85", "T", "LRE"),
        ] {
            let tooth = Tooth::from_fdi(fdi).unwrap();
            assert_eq!((tooth.written(System::Universal).as_str(), tooth.written(System::Palmer).as_str()), (universal, palmer));
        }
    }

    #[test]
    fn the_same_digits_are_two_teeth_in_two_systems() {
        let fdi = Designation::read(System::Fdi, "51").unwrap();
        let universal = Designation::read(System::Universal, "51").unwrap();
        assert_eq!((fdi.tooth.to_string().as_str(), fdi.is_supernumerary), ("51", false));
        assert_eq!((universal.tooth.to_string().as_str(), universal.is_supernumerary), ("18", true));
    }

    #[test]
    fn neighbours_stand_side_by_side() {
        let place = |code| Tooth::from_fdi(code).unwrap().place();
        assert_eq!(place("11") + 1, place("21"));
        assert_eq!(place("12") + 1, place("11"));
        assert_eq!(place("37") - 1, place("36"));
        assert_eq!(place("55"), place("15"));
    }

    proptest! {
        #[test]
        fn nothing_else_is_a_tooth(text in ".{0,4}", system in prop::sample::select(SYSTEMS.to_vec())) {
            if let Some(read) = Designation::read(system, &text) {
                prop_assert_eq!(read.written(system), text);
            }
        }
        #[test]
        fn places_are_shared_with_the_counterpart_only(quadrant in 1u8..=8, position in 1u8..=8) {
            if let Some(tooth) = Tooth::at(quadrant, position) {
                match tooth.counterpart() {
                    Some(other) => prop_assert!(other.counterpart() == Some(tooth) && other.place() == tooth.place() && other.is_primary() != tooth.is_primary()),
                    None => prop_assert!(!tooth.is_primary() && position > 5),
                }
            }
        }
    }
}
