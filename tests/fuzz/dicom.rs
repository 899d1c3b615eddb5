//! Headers of DICOM files: little and big endian, implicit, deflated, with sequences.

use super::Target;
use enamel::dicom::read;

const SYNTAXES: [&str; 5] =
    ["1.2.840.10008.1.2.1", "1.2.840.10008.1.2", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.4.50"];

fn element(group: u16, number: u16, vr: &str, value: &[u8], syntax: &str) -> Vec<u8> {
    let big = syntax == SYNTAXES[2];
    let short = |value: u16| if big { value.to_be_bytes() } else { value.to_le_bytes() };
    let long = |value: u32| if big { value.to_be_bytes() } else { value.to_le_bytes() };
    let padded = [value, if value.len() % 2 == 1 { b" ".as_slice() } else { b"" }].concat();
    let length = padded.len() as u32;
    let head = match (syntax == SYNTAXES[1], vr) {
        (true, _) => long(length).to_vec(),
        (_, "SQ" | "OW" | "OB" | "UN") => [vr.as_bytes(), &[0, 0], &long(length)].concat(),
        _ => [vr.as_bytes(), &short(length as u16)].concat(),
    };
    [short(group).as_slice(), &short(number), &head, &padded].concat()
}

/// A small periapical image by hand.
fn file(syntax: &str) -> Vec<u8> {
    let explicit = SYNTAXES[0];
    let meta = [
        element(2, 2, "UI", b"1.2.840.10008.5.1.4.1.1.1.3", explicit),
        element(2, 3, "UI", b"1.2.3.4", explicit),
        element(2, 0x10, "UI", syntax.as_bytes(), explicit),
    ]
    .concat();
    let item = element(8, 0x100, "SH", b"T-00", syntax);
    let sequence = [[0xFE, 0xFF, 0x00, 0xE0].as_slice(), &(item.len() as u32).to_le_bytes(), &item].concat();
    let data = [
        element(8, 5, "CS", b"ISO_IR 100", syntax),
        element(8, 0x16, "UI", b"1.2.840.10008.5.1.4.1.1.1.3", syntax),
        element(8, 0x18, "UI", b"1.2.3.4", syntax),
        element(8, 0x20, "DA", b"20261121", syntax),
        element(8, 0x2A, "DT", b"20261121090000.000000+0100", syntax),
        element(8, 0x60, "CS", b"IO", syntax),
        element(8, 0x1110, "SQ", &sequence, syntax),
        element(0x10, 0x10, "PN", b"M\xfcller^Anna", syntax),
        element(0x10, 0x30, "DA", b"19800101", syntax),
        element(0x20, 0xD, "UI", b"1.2.3", syntax),
        element(0x20, 0xE, "UI", b"1.2.3.1", syntax),
        element(0x28, 8, "IS", b"1", syntax),
        element(0x28, 0x10, "US", &[2, 0], syntax),
        element(0x28, 0x11, "US", &[2, 0], syntax),
        element(0x7FE0, 0x10, "OW", &[0; 8], syntax),
    ]
    .concat();
    let data = if syntax == SYNTAXES[3] { deflated(&data) } else { data };
    [[0; 128].as_slice(), b"DICM", &element(2, 0, "UL", &(meta.len() as u32).to_le_bytes(), explicit), &meta, &data].concat()
}

fn deflated(data: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut writer = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
    writer.write_all(data).unwrap();
    writer.finish().unwrap()
}

#[test]
fn fuzz_dicom_headers_are_read_or_refused() {
    let run = |bytes: &[u8]| {
        let sizes = [bytes.len() as u64, bytes.len() as u64 * 1_000, u64::MAX];
        sizes
            .map(|size| read(bytes, size).map_or_else(|refusal| format!("{refusal:?}"), |header| format!("{:?}", header.warnings)))
            .join("; ")
    };
    assert!(SYNTAXES.iter().all(|syntax| read(&file(syntax), file(syntax).len() as u64).is_ok()), "the seeds are no DICOM");
    // A bomb: a megabyte of one byte in a thousand.
    let bomb = [&file(SYNTAXES[3])[..file(SYNTAXES[3]).len() - 40], &deflated(&vec![0; 64 << 20])].concat();
    let seeds = SYNTAXES.iter().map(|syntax| file(syntax)).chain([bomb]).collect();
    let words = &["DICM", "SQ\0\0\u{7f}", "UN\0\0", "\u{1}\0\0\0", "1.2.840.10008.1.2", "ISO 2022 IR 87", "\\", "OW\0\0"];
    Target { name: "dicom", seeds, words, memory: (48 << 20, 64), run: &run }.fuzz();
}
