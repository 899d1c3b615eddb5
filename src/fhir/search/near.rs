//! `near` of Location: latitude|longitude|distance|unit (R4 §8.7.4).

use super::value::split;
use crate::fhir::path::ucum;
use rust_decimal::prelude::ToPrimitive;

/// What is near where nothing is said: ten kilometres.
const DISTANCE: f64 = 10_000.0;
/// A mean radius of the Earth, in metres.
pub const EARTH: f64 = 6_371_008.8;

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Near {
    pub latitude: f64,
    pub longitude: f64,
    /// In metres.
    pub distance: f64,
}

/// Kilometres where no unit is given, which is what R4 says.
pub(super) fn read(raw: &str) -> Result<Near, &'static str> {
    const FORM: &str = "The value is latitude|longitude, and then |distance|unit, the unit being one of length of UCUM.";
    let parts = split(raw, '|');
    let number = |text: &str| text.parse::<f64>().ok().filter(|number| number.is_finite()).ok_or(FORM);
    let (latitude, longitude, distance, unit) = match parts.as_slice() {
        [latitude, longitude] => (latitude, longitude, None, "km"),
        [latitude, longitude, distance] => (latitude, longitude, Some(distance), "km"),
        [latitude, longitude, distance, unit] => (latitude, longitude, Some(distance), *unit),
        _ => return Err(FORM),
    };
    let metre = ucum::unit("m").ok_or(FORM)?;
    let unit = ucum::unit(if unit.is_empty() { "km" } else { unit }).filter(|unit| unit.powers == metre.powers).ok_or(FORM)?;
    let metres = unit.factor.to_f64().ok_or(FORM)?;
    let distance = distance.filter(|text| !text.is_empty()).map_or(Ok(DISTANCE), |text| number(text).map(|count| count * metres))?;
    let near = Near { latitude: number(latitude)?, longitude: number(longitude)?, distance };
    let is_on_earth = near.latitude.abs() <= 90.0 && near.longitude.abs() <= 180.0 && near.distance >= 0.0;
    if is_on_earth { Ok(near) } else { Err(FORM) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_has_a_distance_around_it() {
        let near = |latitude, longitude, distance| Ok(Near { latitude, longitude, distance });
        assert_eq!(read("42.25|-83.69|11.2|km"), near(42.25, -83.69, 11_200.0));
        assert_eq!(read("42.25|-83.69"), near(42.25, -83.69, DISTANCE));
        assert_eq!(read("42.25|-83.69|5"), near(42.25, -83.69, 5_000.0));
        assert!((read("0|0|1|[mi_i]").map_or(0.0, |near| near.distance) - 1609.344).abs() < 0.01);
        for bad in ["", "1", "91|0", "0|181", "x|0", "0|0|-1|km", "0|0|1|kg", "0|0|1|km|x", "NaN|0", "inf|0"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
