//! Amounts in minor units of an ISO 4217 currency.

/// Decimal places of a currency (ISO 4217, table A.1).
pub fn digits(currency: &str) -> u32 {
    match currency {
        "BIF" | "CLP" | "DJF" | "GNF" | "ISK" | "JPY" | "KMF" | "KRW" | "PYG" | "RWF" | "UGX" | "VND" | "VUV" | "XAF" | "XOF" | "XPF" => 0,
        "BHD" | "IQD" | "JOD" | "KWD" | "LYD" | "OMR" | "TND" => 3,
        _ => 2,
    }
}

/// `1250` of `USD` as `12.50`.
pub fn decimal(minor: i64, currency: &str) -> String {
    let places = digits(currency) as usize;
    let (sign, units) = (if minor < 0 { "-" } else { "" }, minor.unsigned_abs().to_string());
    if places == 0 {
        return format!("{sign}{units}");
    }
    let padded = format!("{units:0>width$}", width = places + 1);
    let (whole, part) = padded.split_at(padded.len() - places);
    format!("{sign}{whole}.{part}")
}

/// A decimal text in minor units; None: it is none, has more places than the currency, or is too large.
pub fn minor(text: &str, currency: &str) -> Option<i64> {
    let places = digits(currency) as usize;
    let (sign, plain) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    let (whole, part) = plain.split_once('.').unwrap_or((plain, ""));
    let part = part.trim_end_matches('0');
    let is_number = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || part.len() > places || !is_number(whole) || !is_number(part) {
        return None;
    }
    format!("{whole}{part:0<places$}").parse::<i64>().ok().map(|units| sign * units)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn amounts_are_written_with_their_places() {
        for (minor, currency, text) in [(1250, "USD", "12.50"), (-5, "EUR", "-0.05"), (1250, "JPY", "1250"), (7, "KWD", "0.007")] {
            assert_eq!(decimal(minor, currency), text);
        }
        assert_eq!(super::minor("12.5", "USD"), Some(1250));
        for bad in ["12.505", "", ".5", "1e3", "--1", "99999999999999999999"] {
            assert_eq!(super::minor(bad, "USD"), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(minor in -(1i64 << 62)..1i64 << 62, currency in prop::sample::select(vec!["USD", "JPY", "TND"])) {
            prop_assert_eq!(super::minor(&decimal(minor, currency), currency), Some(minor));
        }
    }
}
