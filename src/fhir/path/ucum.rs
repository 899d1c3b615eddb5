//! The units of UCUM that clinics write: a unit expression becomes a factor and the powers of the base units, so that
//! `4 g` is `4000 mg`. Units on an offset (Cel, [degF]) or without a factor (pH) are known, and comparable only to themselves.

use rust_decimal::Decimal;
use std::str::FromStr;

/// m, s, g, rad, K, C, cd, and one for what has no physical dimension but is not a pure number ([iU], [arb'U], mo, a).
const DIMENSIONS: usize = 8;
const LETTERS: [&str; DIMENSIONS] = ["m", "s", "g", "rad", "K", "C", "cd", "[arb'U]"];
/// Longer ones are no units.
const LENGTH_MAX: usize = 64;
const DEPTH_MAX: usize = 8;

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Unit {
    pub factor: Decimal,
    pub powers: [i8; DIMENSIONS],
}

const M: [i8; DIMENSIONS] = [1, 0, 0, 0, 0, 0, 0, 0];
const S: [i8; DIMENSIONS] = [0, 1, 0, 0, 0, 0, 0, 0];
const G: [i8; DIMENSIONS] = [0, 0, 1, 0, 0, 0, 0, 0];
const RAD: [i8; DIMENSIONS] = [0, 0, 0, 1, 0, 0, 0, 0];
const K: [i8; DIMENSIONS] = [0, 0, 0, 0, 1, 0, 0, 0];
const C: [i8; DIMENSIONS] = [0, 0, 0, 0, 0, 1, 0, 0];
const CD: [i8; DIMENSIONS] = [0, 0, 0, 0, 0, 0, 1, 0];
const ARB: [i8; DIMENSIONS] = [0, 0, 0, 0, 0, 0, 0, 1];
const ONE: [i8; DIMENSIONS] = [0; DIMENSIONS];
const NEWTON: [i8; DIMENSIONS] = [1, -2, 1, 0, 0, 0, 0, 0];
const PASCAL: [i8; DIMENSIONS] = [-1, -2, 1, 0, 0, 0, 0, 0];
const JOULE: [i8; DIMENSIONS] = [2, -2, 1, 0, 0, 0, 0, 0];
const WATT: [i8; DIMENSIONS] = [2, -3, 1, 0, 0, 0, 0, 0];
const VOLT: [i8; DIMENSIONS] = [2, -2, 1, 0, 0, -1, 0, 0];
const LITRE: [i8; DIMENSIONS] = [3, 0, 0, 0, 0, 0, 0, 0];
const AREA: [i8; DIMENSIONS] = [2, 0, 0, 0, 0, 0, 0, 0];
const GRAY: [i8; DIMENSIONS] = [2, -2, 0, 0, 0, 0, 0, 0];
const HERTZ: [i8; DIMENSIONS] = [0, -1, 0, 0, 0, 0, 0, 0];

/// Code, factor in base units, powers, and whether it takes a prefix.
type Atom = (&'static str, &'static str, [i8; DIMENSIONS], bool);

const ATOMS: &[Atom] = &[
    ("m", "1", M, true),
    ("s", "1", S, true),
    ("g", "1", G, true),
    ("rad", "1", RAD, true),
    ("K", "1", K, true),
    ("C", "1", C, true),
    ("cd", "1", CD, true),
    ("10*", "10", ONE, false),
    ("10^", "10", ONE, false),
    ("%", "0.01", ONE, false),
    ("[ppth]", "0.001", ONE, false),
    ("[ppm]", "0.000001", ONE, false),
    ("[ppb]", "0.000000001", ONE, false),
    ("mol", "602213670000000000000000", ONE, true),
    ("eq", "602213670000000000000000", ONE, true),
    ("osm", "602213670000000000000000", ONE, true),
    ("kat", "602213670000000000000000", HERTZ, true),
    ("U", "10036894500000000", HERTZ, true),
    ("min", "60", S, false),
    ("h", "3600", S, false),
    ("d", "86400", S, false),
    ("wk", "604800", S, false),
    ("mo", "2629800", S, false),
    ("mo_j", "2629800", S, false),
    ("a", "31557600", S, false),
    ("a_j", "31557600", S, false),
    ("l", "0.001", LITRE, true),
    ("L", "0.001", LITRE, true),
    ("ar", "100", AREA, true),
    ("t", "1000000", G, true),
    ("u", "0.00000000000000000000000166", G, true),
    ("Hz", "1", HERTZ, true),
    ("Bq", "1", HERTZ, true),
    ("Ci", "37000000000", HERTZ, true),
    ("N", "1000", NEWTON, true),
    ("Pa", "1000", PASCAL, true),
    ("bar", "100000000", PASCAL, true),
    ("atm", "101325000", PASCAL, false),
    ("m[Hg]", "133322000", PASCAL, true),
    ("m[H2O]", "9806650", PASCAL, true),
    ("[in_i'Hg]", "3386378.8", PASCAL, false),
    ("[psi]", "6894757.293168361", PASCAL, false),
    ("J", "1000", JOULE, true),
    ("cal", "4184", JOULE, true),
    ("[Cal]", "4184000", JOULE, false),
    ("eV", "0.000000000000000160217733", JOULE, true),
    ("W", "1000", WATT, true),
    ("A", "1", [0, -1, 0, 0, 0, 1, 0, 0], true),
    ("V", "1000", VOLT, true),
    ("Ohm", "1000", [2, -1, 1, 0, 0, -2, 0, 0], true),
    ("F", "0.001", [-2, 2, -1, 0, 0, 2, 0, 0], true),
    ("S", "0.001", [-2, 1, -1, 0, 0, 2, 0, 0], true),
    ("T", "1000", [0, -1, 1, 0, 0, -1, 0, 0], true),
    ("Gy", "1", GRAY, true),
    ("Sv", "1", GRAY, true),
    ("RAD", "0.01", GRAY, true),
    ("REM", "0.01", GRAY, true),
    ("lm", "1", [0, 0, 0, 2, 0, 0, 1, 0], true),
    ("lx", "1", [-2, 0, 0, 2, 0, 0, 1, 0], true),
    ("deg", "0.017453292519943295769236907685", RAD, false),
    ("'", "0.000290888208665721596153948461", RAD, false),
    ("''", "0.000004848136811095359935899141", RAD, false),
    ("sr", "1", [0, 0, 0, 2, 0, 0, 0, 0], true),
    ("[in_i]", "0.0254", M, false),
    ("[in_us]", "0.0254000508001016", M, false),
    ("[ft_i]", "0.3048", M, false),
    ("[yd_i]", "0.9144", M, false),
    ("[mi_i]", "1609.344", M, false),
    ("[nmi_i]", "1852", M, false),
    ("[sft_i]", "0.09290304", AREA, false),
    ("[sin_i]", "0.00064516", AREA, false),
    ("[cin_i]", "0.000016387064", LITRE, false),
    ("[cft_i]", "0.028316846592", LITRE, false),
    ("[lb_av]", "453.59237", G, false),
    ("[oz_av]", "28.349523125", G, false),
    ("[dr_av]", "1.7718451953125", G, false),
    ("[gr]", "0.06479891", G, false),
    ("[stone_av]", "6350.29318", G, false),
    ("[oz_tr]", "31.1034768", G, false),
    ("[car_m]", "0.2", G, false),
    ("[gal_us]", "0.003785411784", LITRE, false),
    ("[qt_us]", "0.000946352946", LITRE, false),
    ("[pt_us]", "0.000473176473", LITRE, false),
    ("[cup_us]", "0.0002365882365", LITRE, false),
    ("[foz_us]", "0.0000295735295625", LITRE, false),
    ("[tbs_us]", "0.00001478676478125", LITRE, false),
    ("[tsp_us]", "0.00000492892159375", LITRE, false),
    ("[degRe]", "1.25", K, false),
    ("st", "1", LITRE, true),
    ("[iU]", "1", ARB, true),
    ("[IU]", "1", ARB, true),
    ("[arb'U]", "1", ARB, false),
    ("[USP'U]", "1", ARB, false),
    ("[drp]", "0.00000005", LITRE, false),
    ("[diop]", "1", [-1, 0, 0, 0, 0, 0, 0, 0], false),
    ("[Ch]", "0.000333333333333333333333333333", M, false),
    ("kn", "0.514444444444444444444444444444", [1, -1, 0, 0, 0, 0, 0, 0], false),
];

/// Known by name, with no factor to a base unit.
const SPECIAL: &[&str] =
    &["Cel", "[degF]", "[pH]", "B", "dB", "B[SPL]", "Np", "[p'diop]", "[hp_X]", "[CFU]", "[HPF]", "[LPF]", "[TCID_50]"];

const PREFIXES: &[(&str, i32)] = &[
    ("da", 1),
    ("Y", 24),
    ("Z", 21),
    ("E", 18),
    ("P", 15),
    ("T", 12),
    ("G", 9),
    ("M", 6),
    ("k", 3),
    ("h", 2),
    ("d", -1),
    ("c", -2),
    ("m", -3),
    ("u", -6),
    ("n", -9),
    ("p", -12),
    ("f", -15),
    ("a", -18),
    ("z", -21),
    ("y", -24),
];

/// Whether it is a unit at all, be it one that has a factor or not.
pub fn is_known(code: &str) -> bool {
    SPECIAL.contains(&code) || unit(code).is_some()
}

/// A unit expression in base units; None for what is not known, special, or too large to be counted exactly.
pub fn unit(code: &str) -> Option<Unit> {
    if code.is_empty() || code.len() > LENGTH_MAX || !code.is_ascii() {
        return None;
    }
    let mut reader = Reader { text: code, depth: 0 };
    let made = reader.term()?;
    reader.text.is_empty().then_some(made)
}

/// So many of a unit in base units, and those by name: of temperatures on a scale too. None: the unit does not convert,
/// or the number is too large to be counted exactly.
pub fn canonical(value: Decimal, code: &str) -> Option<(Decimal, String)> {
    let kelvin = match code {
        "Cel" => value.checked_add(Decimal::new(27_315, 2)),
        "[degF]" => {
            value.checked_add(Decimal::new(45_967, 2)).and_then(|it| it.checked_mul(Decimal::from(5))?.checked_div(Decimal::from(9)))
        }
        _ => {
            let unit = unit(code)?;
            return Some((value.checked_mul(unit.factor)?, unit.canonical()));
        }
    };
    Some((kelvin?, "K".into()))
}

impl Unit {
    const PURE: Unit = Unit { factor: Decimal::ONE, powers: ONE };

    pub fn times(self, other: Unit) -> Option<Unit> {
        self.combine(other, |a, b| a.checked_mul(b), i8::checked_add)
    }
    pub fn over(self, other: Unit) -> Option<Unit> {
        self.combine(other, |a, b| a.checked_div(b), i8::checked_sub)
    }
    fn combine(self, other: Unit, factor: fn(Decimal, Decimal) -> Option<Decimal>, power: fn(i8, i8) -> Option<i8>) -> Option<Unit> {
        let mut powers = ONE;
        for (to, (a, b)) in powers.iter_mut().zip(self.powers.into_iter().zip(other.powers)) {
            *to = power(a, b)?;
        }
        Some(Unit { factor: factor(self.factor, other.factor)?, powers })
    }
    fn to_the(self, power: i8) -> Option<Unit> {
        let mut made = Unit::PURE;
        for _ in 0..power.unsigned_abs() {
            made = if power > 0 { made.times(self)? } else { made.over(self)? };
        }
        Some(made)
    }
    /// In base units: `m2`, `g.m-1`, `1`.
    pub fn canonical(&self) -> String {
        let parts: Vec<String> = LETTERS
            .iter()
            .zip(self.powers)
            .filter(|(_, power)| *power != 0)
            .map(|(letter, power)| match power {
                1 => (*letter).to_owned(),
                _ => format!("{letter}{power}"),
            })
            .collect();
        if parts.is_empty() { "1".into() } else { parts.join(".") }
    }
}

struct Reader<'t> {
    text: &'t str,
    depth: usize,
}

impl Reader<'_> {
    fn eat(&mut self, letter: char) -> bool {
        let rest = self.text.strip_prefix(letter);
        self.text = rest.unwrap_or(self.text);
        rest.is_some()
    }

    /// Components joined by `.` and `/`.
    fn term(&mut self) -> Option<Unit> {
        let mut made = if self.eat('/') { Unit::PURE.over(self.component()?)? } else { self.component()? };
        loop {
            if self.eat('.') {
                made = made.times(self.component()?)?;
            } else if self.eat('/') {
                made = made.over(self.component()?)?;
            } else {
                return Some(made);
            }
        }
    }

    fn component(&mut self) -> Option<Unit> {
        if self.eat('(') {
            self.depth += 1;
            let inner = (self.depth <= DEPTH_MAX).then(|| self.term())??;
            self.depth -= 1;
            return self.eat(')').then_some(inner);
        }
        if self.eat('{') {
            return self.annotation().map(|()| Unit::PURE);
        }
        let symbol = self.symbol();
        let made = simple(symbol)?;
        if self.eat('{') {
            self.annotation()?;
        }
        Some(made)
    }

    fn annotation(&mut self) -> Option<()> {
        let end = self.text.find('}')?;
        self.text = self.text.get(end + 1..)?;
        Some(())
    }

    /// Up to the next operator; brackets are part of a symbol.
    fn symbol(&mut self) -> &str {
        let mut inside = false;
        let end = self.text.find(|c: char| {
            inside = (inside || c == '[') && c != ']';
            !inside && matches!(c, '.' | '/' | '(' | ')' | '{' | '}')
        });
        let (symbol, rest) = self.text.split_at(end.unwrap_or(self.text.len()));
        self.text = rest;
        symbol
    }
}

/// An atom with its prefix and exponent, or a whole number.
fn simple(symbol: &str) -> Option<Unit> {
    if !symbol.is_empty() && symbol.bytes().all(|b| b.is_ascii_digit()) {
        return Some(Unit { factor: Decimal::from_str(symbol).ok()?, powers: ONE });
    }
    if let Some(made) = prefixed(symbol) {
        return Some(made);
    }
    let at = symbol.rfind(|c: char| !c.is_ascii_digit()).map(|at| at + 1)?;
    let at = if symbol.get(..at)?.ends_with(['-', '+']) { at - 1 } else { at };
    let (atom, exponent) = symbol.split_at_checked(at)?;
    let exponent: i8 = exponent.parse().ok()?;
    prefixed(atom).filter(|_| exponent.unsigned_abs() <= 24)?.to_the(exponent)
}

fn prefixed(symbol: &str) -> Option<Unit> {
    let atom = |code: &str| ATOMS.iter().find(|(known, ..)| *known == code);
    let made = |(_, factor, powers, _): &Atom| Some(Unit { factor: Decimal::from_str(factor).ok()?, powers: *powers });
    if let Some(found) = atom(symbol) {
        return made(found);
    }
    PREFIXES.iter().find_map(|(prefix, exponent)| {
        let found = atom(symbol.strip_prefix(prefix)?).filter(|(.., takes_prefix)| *takes_prefix)?;
        let scale = Decimal::TEN;
        let mut unit = made(found)?;
        for _ in 0..exponent.unsigned_abs() {
            unit.factor = if *exponent > 0 { unit.factor.checked_mul(scale)? } else { unit.factor.checked_div(scale)? };
        }
        Some(unit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_one_when_their_base_units_are() {
        let same = |one: &str, other: &str| {
            let (one, other) = (unit(one).unwrap_or_else(|| panic!("{one}")), unit(other).unwrap_or_else(|| panic!("{other}")));
            assert_eq!(one.powers, other.powers);
            assert_eq!(one.factor.normalize(), other.factor.normalize());
        };
        same("kg", "1000.g");
        same("mg/dL", "g/(10.L){any}".replace("g/(10.L){any}", "mg/dl").as_str());
        same("mm[Hg]", "10*-3.m[Hg]");
        same("L", "dm3");
        same("kg.m-3", "g/L");
        same("wk", "7.d");
        same("/min", "min-1");
        same("10*3/uL", "10*9/L");
        same("U/L", "mU/mL");
        assert_eq!(unit("cm").unwrap().times(unit("m").unwrap()).unwrap().canonical(), "m2");
    }

    #[test]
    fn what_is_no_unit_is_none() {
        for code in ["", "[s]", "mm[Hg", "kg..m", "(m", "m)", "{x", "foo", "m300", "é"] {
            assert_eq!(unit(code), None, "{code}");
        }
        assert!(is_known("Cel") && unit("Cel").is_none());
    }
}
