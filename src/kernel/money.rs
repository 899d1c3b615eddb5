//! Amounts as columns count them, in the currency's smallest unit, and as decimals say them (ISO 4217).

use serde_json::{Number, Value as Json};

/// Currencies without a smaller unit, and those with one of a thousandth.
pub const WHOLE: &[&str] =
    &["BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF"];
pub const THOUSANDTHS: &[&str] = &["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"];

/// Digits behind the point.
pub fn digits(currency: &str) -> u32 {
    match currency {
        currency if WHOLE.contains(&currency) => 0,
        currency if THOUSANDTHS.contains(&currency) => 3,
        _ => 2,
    }
}

/// With the digits the currency has.
pub fn amount(minor: i64, currency: &str) -> Json {
    let places = digits(currency) as usize;
    let text = format!("{:0>width$}", minor.unsigned_abs(), width = places + 1);
    let (whole, rest) = text.split_at(text.len() - places);
    let sign = if minor < 0 { "-" } else { "" };
    let point = if places == 0 { "" } else { "." };
    format!("{sign}{whole}{point}{rest}").parse::<Number>().map_or(Json::Null, Json::Number)
}

/// None: it has parts smaller than the smallest unit.
pub fn minor(value: &Json, currency: &str) -> Option<i64> {
    let text = value.as_number()?.to_string();
    let (whole, rest) = text.split_once('.').unwrap_or((&text, ""));
    let places = digits(currency) as usize;
    let (kept, dropped) = rest.split_at_checked(places).unwrap_or((rest, ""));
    let is_exact = dropped.bytes().all(|digit| digit == b'0');
    is_exact.then(|| format!("{whole}{kept:0<places$}").parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_has_its_currencys_digits() {
        for (minor_units, currency, text) in
            [(12_345, "EUR", "123.45"), (5, "USD", "0.05"), (-5, "USD", "-0.05"), (700, "JPY", "700"), (1, "KWD", "0.001")]
        {
            let value = amount(minor_units, currency);
            assert_eq!(value.to_string(), text);
            assert_eq!(minor(&value, currency), Some(minor_units), "{text}");
        }
        assert_eq!(minor(&serde_json::json!(1.005), "EUR"), None);
        assert_eq!(minor(&serde_json::json!(12.5), "EUR"), Some(1_250));
        assert_eq!(minor(&serde_json::json!(3), "EUR"), Some(300));
    }
}
