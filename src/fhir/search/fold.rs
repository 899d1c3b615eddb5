//! Folding for string search (R4 §3.1.1.4.8): without case, accents and other marks. A domain stores the folded text
//! in its own column and compares with the folded search value, so both sides must come through here.

/// Base letters of U+00C0..=U+017F in order, in lower case; `*` stays as it is. Letters that fold to two follow below.
const LATIN: &str = "aaaaaa*ceeeeiiiidnooooo*ouuuuy**aaaaaa*ceeeeiiiidnooooo*ouuuuy*y\
aaaaaaccccccccddddeeeeeeeeeegggggggghhhhiiiiiiiiii**jj\
kkkllllllllllnnnnnn***oooooo**rrrrrrssssssssttttttuuuuuuuuuuuuwwyyyzzzzzzs";
const FIRST: u32 = 0xC0;
/// Vietnamese and other precomposed letters, U+1E00..=U+1EFF: ranges of code points and their base.
const ADDITIONAL: &[(u32, u32, char)] = &[
    (0x1E00, 0x1E01, 'a'),
    (0x1E02, 0x1E07, 'b'),
    (0x1E08, 0x1E09, 'c'),
    (0x1E0A, 0x1E13, 'd'),
    (0x1E14, 0x1E1D, 'e'),
    (0x1E1E, 0x1E1F, 'f'),
    (0x1E20, 0x1E21, 'g'),
    (0x1E22, 0x1E2B, 'h'),
    (0x1E2C, 0x1E2F, 'i'),
    (0x1E30, 0x1E35, 'k'),
    (0x1E36, 0x1E3D, 'l'),
    (0x1E3E, 0x1E43, 'm'),
    (0x1E44, 0x1E4B, 'n'),
    (0x1E4C, 0x1E53, 'o'),
    (0x1E54, 0x1E57, 'p'),
    (0x1E58, 0x1E5F, 'r'),
    (0x1E60, 0x1E69, 's'),
    (0x1E6A, 0x1E71, 't'),
    (0x1E72, 0x1E7B, 'u'),
    (0x1E7C, 0x1E7F, 'v'),
    (0x1E80, 0x1E89, 'w'),
    (0x1E8A, 0x1E8D, 'x'),
    (0x1E8E, 0x1E8F, 'y'),
    (0x1E90, 0x1E95, 'z'),
    (0x1EA0, 0x1EB7, 'a'),
    (0x1EB8, 0x1EC7, 'e'),
    (0x1EC8, 0x1ECB, 'i'),
    (0x1ECC, 0x1EE3, 'o'),
    (0x1EE4, 0x1EF1, 'u'),
    (0x1EF2, 0x1EF9, 'y'),
    (0x01A0, 0x01A1, 'o'),
    (0x01AF, 0x01B0, 'u'),
    (0x01CD, 0x01CE, 'a'),
    (0x01CF, 0x01D0, 'i'),
    (0x01D1, 0x01D2, 'o'),
    (0x01D3, 0x01DC, 'u'),
    (0x0218, 0x0219, 's'),
    (0x021A, 0x021B, 't'),
];

pub fn fold(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            // Combining marks say what the precomposed letters say.
            '\u{300}'..='\u{36F}' => {}
            'ß' | 'ẞ' => out.push_str("ss"),
            'Æ' | 'æ' => out.push_str("ae"),
            'Œ' | 'œ' => out.push_str("oe"),
            'Þ' | 'þ' => out.push_str("th"),
            'Ĳ' | 'ĳ' => out.push_str("ij"),
            _ => match base(letter) {
                Some(base) => out.push(base),
                None => out.extend(letter.to_lowercase().filter(|c| !('\u{300}'..='\u{36F}').contains(c))),
            },
        }
    }
    out
}

fn base(letter: char) -> Option<char> {
    let code = u32::from(letter);
    let at = usize::try_from(code.checked_sub(FIRST)?).ok()?;
    match LATIN.as_bytes().get(at) {
        Some(b'*') => None,
        Some(base) => Some(char::from(*base)),
        None => ADDITIONAL.iter().find(|(first, last, _)| (*first..=*last).contains(&code)).map(|(_, _, base)| *base),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn case_and_accents_do_not_count() {
        for (text, folded) in [
            ("Müller-Lüdenscheidt", "muller-ludenscheidt"),
            ("STRAßE", "strasse"),
            ("Ødegård", "odegard"),
            ("Łukasz Żółć", "lukasz zolc"),
            ("Đặng Thị", "dang thi"),
            ("Ștefan Țară", "stefan tara"),
            ("Šimůnková Ž", "simunkova z"),
            ("José\u{301}", "jose"),
            ("İSTANBUL ığ", "istanbul ig"),
            ("Æsir Œuvre Þór", "aesir oeuvre thor"),
            ("Γιώργος", "γιώργος"),
            ("李小龍", "李小龍"),
            ("ŷ Ÿ ÿ ſ", "y y y s"),
            ("×÷", "×÷"),
        ] {
            assert_eq!(fold(text), folded, "{text}");
        }
        assert_eq!(LATIN.len(), 0x180 - 0xC0);
    }

    proptest! {
        #[test]
        fn folding_twice_is_folding_once(text in "\\PC{0,20}") {
            let once = fold(&text);
            prop_assert_eq!(fold(&once), once);
        }
    }
}
