//! Pictures the demo world draws itself: a bitewing of four teeth with a shadow in one, as PNG and as DICOM.

use flate2::{Compression, Crc, write::ZlibEncoder};
use std::io::Write;

pub const WIDTH: u16 = 320;
pub const HEIGHT: u16 = 240;
/// Where the shadow lies: left, top, width, height.
pub const SHADOW: [u16; 4] = [136, 80, 18, 24];

/// Whose picture it is, as the header of an image says it.
pub struct Subject<'a> {
    pub family: &'a str,
    pub given: &'a str,
    pub born: &'a str,
    pub chart: &'a str,
    pub study: u128,
    pub taken: &'a str,
}

/// Shades of grey, row by row. `seed` moves the teeth a little, so that no two pictures are the same bytes.
pub fn bitewing(seed: u8) -> Vec<u8> {
    let lean = i32::from(seed % 7) - 3;
    let mut pixels = Vec::with_capacity(usize::from(WIDTH) * usize::from(HEIGHT));
    for y in 0..i32::from(HEIGHT) {
        for x in 0..i32::from(WIDTH) {
            let grain = ((x * 31 + y * 17 + i32::from(seed) * 13) % 11) - 5;
            pixels.push(u8::try_from((shade(x, y, lean) + grain).clamp(0, 255)).unwrap_or(u8::MAX));
        }
    }
    pixels
}

fn shade(x: i32, y: i32, lean: i32) -> i32 {
    let bone = if y > 150 { 95 + (x / 9 + y / 7) % 9 } else { 22 };
    let middle = 40 + (x / 80) * 80 + lean * (y - 120) / 60;
    let (across, down) = ((x - middle).abs(), y - 60);
    let [left, top, width, height] = SHADOW.map(i32::from);
    let (sx, sy) = (x - left - width / 2, y - top - height / 2);
    if 4 * (sx * sx * height * height + sy * sy * width * width) < width * width * height * height {
        return 70;
    }
    match down {
        ..0 => 18,
        0..60 if across < (30 + down / 8).min(18 + down * 2) => {
            if across < 6 && down > 25 {
                120
            } else {
                215 - across
            }
        }
        60..165 if across < 24 - (down - 60) / 6 => {
            if across < 4 {
                105
            } else {
                165 - across
            }
        }
        _ => bone,
    }
}

/// 8 bits of grey (RFC 2083).
pub fn png(pixels: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut packed = ZlibEncoder::new(Vec::new(), Compression::default());
    for row in pixels.chunks(usize::from(WIDTH)) {
        packed.write_all(&[0])?;
        packed.write_all(row)?;
    }
    let mut head = Vec::new();
    head.extend(u32::from(WIDTH).to_be_bytes());
    head.extend(u32::from(HEIGHT).to_be_bytes());
    head.extend([8, 0, 0, 0, 0]);
    let mut out = b"\x89PNG\r\n\x1a\n".to_vec();
    for (name, data) in [(b"IHDR", head), (b"IDAT", packed.finish()?), (b"IEND", Vec::new())] {
        let mut crc = Crc::new();
        crc.update(name);
        crc.update(&data);
        out.extend(u32::try_from(data.len()).map_err(std::io::Error::other)?.to_be_bytes());
        out.extend(name);
        out.extend(data);
        out.extend(crc.sum().to_be_bytes());
    }
    Ok(out)
}

/// An intraoral radiograph (PS3.3 A.26), explicit little endian.
pub fn dicom(pixels: &[u8], of: &Subject<'_>) -> Vec<u8> {
    const CLASS: &str = "1.2.840.10008.5.1.4.1.1.1.3";
    let uid = |part: u128| format!("2.25.{}", of.study.wrapping_add(part));
    let mut meta = Vec::new();
    element(&mut meta, (0x0002, 0x0001), b"OB", &[0, 1]);
    text(&mut meta, (0x0002, 0x0002), b"UI", CLASS);
    text(&mut meta, (0x0002, 0x0003), b"UI", &uid(2));
    text(&mut meta, (0x0002, 0x0010), b"UI", "1.2.840.10008.1.2.1");
    text(&mut meta, (0x0002, 0x0012), b"UI", "2.25.1");
    let mut out = vec![0; 128];
    out.extend(b"DICM");
    element(&mut out, (0x0002, 0x0000), b"UL", &u32::try_from(meta.len()).unwrap_or(u32::MAX).to_le_bytes());
    out.extend(meta);
    for (tag, vr, value) in [
        ((0x0008, 0x0005), b"CS", "ISO_IR 192"),
        ((0x0008, 0x0008), b"CS", "ORIGINAL\\PRIMARY"),
        ((0x0008, 0x0016), b"UI", CLASS),
        ((0x0008, 0x0018), b"UI", &uid(2)),
        ((0x0008, 0x0020), b"DA", of.taken),
        ((0x0008, 0x0030), b"TM", "090000"),
        ((0x0008, 0x0060), b"CS", "IO"),
        ((0x0008, 0x0070), b"LO", "Demo"),
        ((0x0008, 0x1030), b"LO", "Bitewing"),
        ((0x0010, 0x0010), b"PN", &format!("{}^{}", of.family, of.given)),
        ((0x0010, 0x0020), b"LO", of.chart),
        ((0x0010, 0x0030), b"DA", &of.born.replace('-', "")),
        ((0x0020, 0x000D), b"UI", &uid(0)),
        ((0x0020, 0x000E), b"UI", &uid(1)),
        ((0x0020, 0x0011), b"IS", "1"),
        ((0x0020, 0x0013), b"IS", "1"),
    ] {
        text(&mut out, tag, vr, value);
    }
    element(&mut out, (0x0028, 0x0002), b"US", &1u16.to_le_bytes());
    text(&mut out, (0x0028, 0x0004), b"CS", "MONOCHROME2");
    for (tag, number) in [(0x0010, HEIGHT), (0x0011, WIDTH), (0x0100, 8), (0x0101, 8), (0x0102, 7), (0x0103, 0)] {
        element(&mut out, (0x0028, tag), b"US", &number.to_le_bytes());
    }
    element(&mut out, (0x7FE0, 0x0010), b"OB", pixels);
    out
}

fn text(out: &mut Vec<u8>, tag: (u16, u16), vr: &[u8; 2], value: &str) {
    let mut bytes = value.as_bytes().to_vec();
    if !bytes.len().is_multiple_of(2) {
        bytes.push(if vr == b"UI" { 0 } else { b' ' });
    }
    element(out, tag, vr, &bytes);
}

fn element(out: &mut Vec<u8>, (group, element): (u16, u16), vr: &[u8; 2], value: &[u8]) {
    out.extend(group.to_le_bytes());
    out.extend(element.to_le_bytes());
    out.extend(vr);
    if vr == b"OB" {
        out.extend([0, 0]);
        out.extend(u32::try_from(value.len()).unwrap_or(u32::MAX).to_le_bytes());
    } else {
        out.extend(u16::try_from(value.len()).unwrap_or(u16::MAX).to_le_bytes());
    }
    out.extend(value);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_drawn_is_read_as_what_it_is() {
        let pixels = bitewing(3);
        assert_eq!(pixels.len(), 320 * 240);
        assert_ne!(pixels, bitewing(4));
        let png = png(&pixels).unwrap();
        assert!(crate::imaging::media::is("image/png", &png, png.len() as u64));
        let subject = Subject { family: "Lindqvist", given: "Mara", born: "1938-01-01", chart: "NORTH-1", study: 7, taken: "20260105" };
        let dicom = dicom(&pixels, &subject);
        let header = crate::dicom::read(&dicom, dicom.len() as u64).unwrap();
        assert_eq!((header.study_uid.as_str(), header.modality.as_deref(), header.rows), ("2.25.7", Some("IO"), Some(240)));
        assert_eq!(header.patient_name[..2], ["Lindqvist", "Mara"]);
        assert!(header.warnings.is_empty(), "{:?}", header.warnings);
    }
}
