//! What may be stored, and how its first bytes give it away.

/// The media types that are taken. A name or a browser's guess decides nothing: [`is`] does.
pub const TYPES: &[&str] = &[
    "image/jpeg",
    "image/png",
    "image/tiff",
    "image/webp",
    "application/dicom",
    "application/pdf",
    "model/stl",
    "model/obj",
    "video/mp4",
    "text/csv",
    "application/json",
    NDJSON,
];
pub const DICOM: &str = "application/dicom";
pub const CSV: &str = "text/csv";
pub const JSON: &str = "application/json";
/// FHIR resources, one a line.
pub const NDJSON: &str = "application/fhir+ndjson";
/// One PUT of S3 carries no more.
pub const SIZE_MAX: i64 = 5 * 1024 * 1024 * 1024;

/// Whether an object of `size` bytes that begins like this is of that type.
pub fn is(media_type: &str, first: &[u8], size: u64) -> bool {
    let at = |place: usize, mark: &[u8]| first.get(place..place + mark.len()) == Some(mark);
    match media_type {
        "image/jpeg" => at(0, &[0xFF, 0xD8, 0xFF]),
        "image/png" => at(0, b"\x89PNG\r\n\x1a\n"),
        "image/tiff" => at(0, b"II*\0") || at(0, b"MM\0*"),
        "image/webp" => at(0, b"RIFF") && at(8, b"WEBP"),
        DICOM => at(128, b"DICM"),
        "application/pdf" => at(0, b"%PDF-"),
        "video/mp4" => at(4, b"ftyp"),
        "model/stl" => is_stl(first, size),
        "model/obj" => is_obj(first),
        CSV => is_csv(first),
        JSON | NDJSON => is_json(first),
        _ => false,
    }
}

/// Binary: 80 bytes of anything, the count of triangles, 50 bytes each. Text: `solid`, later `facet`.
fn is_stl(first: &[u8], size: u64) -> bool {
    let count = first.get(80..84).and_then(|four| four.first_chunk::<4>()).map(|four| u64::from(u32::from_le_bytes(*four)));
    let binary = count.is_some_and(|count| size == 84 + 50 * count);
    binary || first.starts_with(b"solid") && first.windows(5).any(|word| word == b"facet")
}

/// Text without a mark: every line that is whole begins with a word of the format.
fn is_obj(first: &[u8]) -> bool {
    const WORDS: &[&[u8]] = &[b"#", b"v", b"vt", b"vn", b"vp", b"f", b"l", b"p", b"o", b"g", b"s", b"mtllib", b"usemtl"];
    let mut lines: Vec<&[u8]> = first.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).collect();
    // The last may be cut.
    if lines.len() > 1 {
        lines.pop();
    }
    let word = |line: &&[u8]| line.split(|byte| byte.is_ascii_whitespace()).next().unwrap_or_default().to_vec();
    let known = |line: &&[u8]| line.is_empty() || line.starts_with(b"#") || WORDS.contains(&word(line).as_slice());
    !first.contains(&0) && lines.iter().all(known) && lines.iter().any(|line| !line.is_empty())
}

/// Text without a mark: a first line of cells, all of it letters.
fn is_csv(first: &[u8]) -> bool {
    let line = first.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let letters = std::str::from_utf8(line).is_ok_and(|line| !line.trim_end().chars().any(|letter| letter.is_control() || letter == '<'));
    letters && !is_json(first) && line.iter().any(|byte| matches!(byte, b',' | b';'))
}

/// An object, as every document of ours is.
fn is_json(first: &[u8]) -> bool {
    let letters = first.trim_ascii_start();
    letters.first() == Some(&b'{') && matches!(letters[1..].trim_ascii_start().first(), Some(b'"' | b'}') | None) && !first.contains(&0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_knows_its_own_and_no_other() {
        let mut dicom = vec![0; 128];
        dicom.extend(b"DICM\x02\0");
        let mut stl = vec![0; 80];
        stl.extend(2u32.to_le_bytes());
        stl.resize(184, 1);
        let samples: &[(&str, &[u8])] = &[
            ("image/jpeg", &[0xFF, 0xD8, 0xFF, 0xE0]),
            ("image/png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"),
            ("image/tiff", b"II*\0\x08"),
            ("image/webp", b"RIFF\0\0\0\0WEBPVP8 "),
            (DICOM, &dicom),
            ("application/pdf", b"%PDF-1.7\n"),
            ("model/stl", &stl),
            ("model/stl", b"solid tooth\n facet normal 0 0 1\n"),
            ("model/obj", b"# scan\nv 0 0 1\nv 1 0 0\nf 1 2 3\ncut of"),
            ("video/mp4", b"\0\0\0\x18ftypmp42"),
            (JSON, b"{\n  \"resourceType\": \"CodeSystem\", \"concept\": [{\"code\": \"T1\""),
            ("text/html", b"<script>"),
        ];
        for (of, bytes) in samples {
            for media_type in TYPES {
                // A JSON text is a line of JSON too.
                let fits = of == media_type || *of == JSON && *media_type == NDJSON;
                assert_eq!(is(media_type, bytes, bytes.len() as u64), fits, "{of} as {media_type}");
            }
        }
        assert!(TYPES.iter().all(|media_type| !is(media_type, b"", 0)));
        assert!(!is("model/stl", &stl, 185));
    }
}
