//! Bytes as hex digits.

/// Lower case.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}

/// None for anything but pairs of hex digits.
pub fn unhex(hex: &str) -> Option<Vec<u8>> {
    // from_str_radix takes a sign.
    if !hex.len().is_multiple_of(2) || !hex.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_nothing_else_is() {
        assert_eq!(hex(&[0, 255, 122]), "00ff7a");
        assert_eq!(unhex("00ff7A"), Some(vec![0, 255, 122]));
        assert_eq!((unhex("0"), unhex("+1"), unhex("é")), (None, None, None));
    }
}
