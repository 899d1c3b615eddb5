//! The header of a DICOM file (PS3.10): what imaging keeps of it, out of bytes nobody vouches for.
//!
//! Two steps: [`super::walk`] finds the few elements of the top level inside the bytes at hand, and dicom-object decodes
//! their texts from a copy that holds nothing else. It never meets a sequence or a length that was not checked.

use super::time::{Acquired, date, offset_of};
use super::walk::{Broken, Encoding, Tag, Walked, walk};
use chrono::NaiveDate;
use dicom_object::OpenFileOptions;
use dicom_object::file::ReadPreamble;
use std::collections::BTreeSet;
use std::io::Read;

/// How much of an object is read for its header. Tags of patient and study stand far before private bulk and pixels.
pub const HEADER_BYTES_MAX: u64 = 16 * 1024 * 1024;
const VALUE_BYTES_MAX: usize = 1_024;
const PREAMBLE: usize = 128;
const MARK: &[u8] = b"DICM";
/// The last group that holds something we keep; what breaks behind it is a warning.
const LAST_GROUP: u16 = 0x0028;

#[derive(Debug, Clone, PartialEq)]
pub struct Header {
    pub sop_class_uid: Option<String>,
    pub sop_instance_uid: String,
    pub study_uid: String,
    pub series_uid: String,
    pub transfer_syntax_uid: String,
    pub modality: Option<String>,
    /// Components of the alphabetic group: family, given, middle, prefix, suffix.
    pub patient_name: Vec<String>,
    pub patient_id: Option<String>,
    pub patient_birth_date: Option<NaiveDate>,
    pub acquired: Option<Acquired>,
    pub accession_number: Option<String>,
    pub study_description: Option<String>,
    pub series_description: Option<String>,
    pub series_number: Option<i32>,
    pub body_part: Option<String>,
    pub laterality: Option<&'static str>,
    pub manufacturer: Option<String>,
    pub device: Option<String>,
    pub scan_options: Option<String>,
    pub acquisition_type: Option<String>,
    pub rows: Option<i32>,
    pub columns: Option<i32>,
    pub frames: Option<i32>,
    pub pixel_spacing_mm: Option<f64>,
    pub is_calibrated: bool,
    pub is_original: bool,
    pub warnings: BTreeSet<Warning>,
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($variant:ident $word:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $name { $($variant),* }
        impl $name {
            pub fn word(self) -> &'static str {
                match self { $($name::$variant => $word),* }
            }
        }
    };
}

words!(
    /// Why a header is refused.
    Unreadable {
        NotDicom "NOT_DICOM",
        Truncated "TRUNCATED",
        HeaderTooLarge "HEADER_TOO_LARGE",
        Malformed "MALFORMED",
        TooDeep "TOO_DEEP",
        TooManyElements "TOO_MANY_ELEMENTS",
        NoTransferSyntax "NO_TRANSFER_SYNTAX",
        TransferSyntax "TRANSFER_SYNTAX_UNKNOWN",
        NoUid "NO_UID",
        BadUid "BAD_UID",
    }
);

words!(
    /// Where a file departs from the standard and is taken all the same.
    Warning {
        MetaLength "META_GROUP_LENGTH_WRONG",
        MetaSopDiffers "META_SOP_UID_DIFFERS",
        UidZeros "UID_LEADING_ZERO",
        OddLength "ODD_LENGTH",
        Disorder "TAGS_OUT_OF_ORDER",
        TailBroken "DATA_SET_BROKEN_BEHIND_HEADER",
        PixelsTruncated "PIXEL_DATA_TRUNCATED",
        ValueUnreadable "VALUE_UNREADABLE",
        ModalityMissing "MODALITY_MISSING",
        SopClassMissing "SOP_CLASS_MISSING",
    }
);

const CHARACTER_SET: Tag = (0x0008, 0x0005);
const SOP_CLASS: Tag = (0x0008, 0x0016);
const SOP_INSTANCE: Tag = (0x0008, 0x0018);
const STUDY: Tag = (0x0020, 0x000D);
const SERIES: Tag = (0x0020, 0x000E);
const ROWS: Tag = (0x0028, 0x0010);
const COLUMNS: Tag = (0x0028, 0x0011);

/// The texts that are kept, with the VR the standard gives them (PS3.6), whatever the file says.
const TEXTS: &[(Tag, &[u8; 2])] = &[
    (CHARACTER_SET, b"CS"),
    ((0x0008, 0x0008), b"CS"),
    (SOP_CLASS, b"UI"),
    (SOP_INSTANCE, b"UI"),
    ((0x0008, 0x0020), b"DA"),
    ((0x0008, 0x0022), b"DA"),
    ((0x0008, 0x002A), b"DT"),
    ((0x0008, 0x0030), b"TM"),
    ((0x0008, 0x0032), b"TM"),
    ((0x0008, 0x0050), b"SH"),
    ((0x0008, 0x0060), b"CS"),
    ((0x0008, 0x0070), b"LO"),
    ((0x0008, 0x0201), b"SH"),
    ((0x0008, 0x1030), b"LO"),
    ((0x0008, 0x103E), b"LO"),
    ((0x0008, 0x1090), b"LO"),
    ((0x0010, 0x0010), b"PN"),
    ((0x0010, 0x0020), b"LO"),
    ((0x0010, 0x0030), b"DA"),
    ((0x0018, 0x0015), b"CS"),
    ((0x0018, 0x0022), b"CS"),
    ((0x0018, 0x1164), b"DS"),
    ((0x0018, 0x9302), b"CS"),
    (STUDY, b"UI"),
    (SERIES, b"UI"),
    ((0x0020, 0x0011), b"IS"),
    ((0x0020, 0x0060), b"CS"),
    ((0x0020, 0x0062), b"CS"),
    ((0x0028, 0x0008), b"IS"),
    ((0x0028, 0x0030), b"DS"),
];

/// Reads the header out of the first bytes of an object of `size` bytes.
pub fn read(prefix: &[u8], size: u64) -> Result<Header, Unreadable> {
    if prefix.get(PREAMBLE..PREAMBLE + MARK.len()) != Some(MARK) {
        return Err(Unreadable::NotDicom);
    }
    let mut warnings = BTreeSet::new();
    let meta = meta(prefix, &mut warnings)?;
    let behind = prefix.get(meta.end..).unwrap_or_default();
    let (inflated, encoding) = match meta.encoding {
        Some(encoding) => (None, encoding),
        None => (Some(inflate(behind)?), Encoding::EXPLICIT),
    };
    let data = inflated.as_deref().unwrap_or(behind);
    let whole = inflated.is_some() || prefix.len() as u64 >= size;
    let wanted: Vec<Tag> = TEXTS.iter().map(|(tag, _)| *tag).chain([ROWS, COLUMNS]).collect();
    let walked = walk(data, 0, encoding, &wanted, |_| true);
    judge(&walked, whole, &mut warnings)?;
    if let Some((at, declared)) = walked.pixels {
        let there = if inflated.is_some() { data.len() as u64 } else { size.saturating_sub(meta.end as u64) };
        if (at as u64).saturating_add(u64::from(declared)) > there {
            warnings.insert(Warning::PixelsTruncated);
        }
    }
    let number = |tag| walked.found.get(&tag).and_then(|value| value.first_chunk::<2>()).map(|two| i32::from(encoding.u16(*two)));
    let mut texts = Texts::of(&walked, &mut warnings)?;
    texts.header(meta, number(ROWS), number(COLUMNS), warnings)
}

struct Meta {
    end: usize,
    /// None: deflated.
    encoding: Option<Encoding>,
    transfer_syntax: String,
    sop_instance: Option<String>,
}

/// The file meta group: always explicit little endian, read to its end whatever its length says.
fn meta(prefix: &[u8], warnings: &mut BTreeSet<Warning>) -> Result<Meta, Unreadable> {
    const GROUP_LENGTH: Tag = (2, 0);
    const MEDIA_SOP_INSTANCE: Tag = (2, 3);
    const TRANSFER_SYNTAX: Tag = (2, 0x10);
    let start = PREAMBLE + MARK.len();
    let walked = walk(prefix, start, Encoding::EXPLICIT, &[GROUP_LENGTH, MEDIA_SOP_INSTANCE, TRANSFER_SYNTAX], |group| group == 2);
    if let Some(broken) = walked.broken {
        return Err(refusal(broken, true));
    }
    let declared =
        walked.found.get(&GROUP_LENGTH).and_then(|value| value.first_chunk::<4>()).map(|four| u32::from_le_bytes(*four) as usize);
    // The length counts from behind its own element of 12 bytes.
    if declared.and_then(|length| length.checked_add(start + 12)) != Some(walked.end) {
        warnings.insert(Warning::MetaLength);
    }
    let uid = |tag| walked.found.get(&tag).map(|value| ascii(value)).filter(|uid| !uid.is_empty());
    let transfer_syntax = uid(TRANSFER_SYNTAX).ok_or(Unreadable::NoTransferSyntax)?;
    let encoding = match transfer_syntax.as_str() {
        "1.2.840.10008.1.2" => Some(Encoding { implicit: true, big_endian: false }),
        "1.2.840.10008.1.2.2" => Some(Encoding { implicit: false, big_endian: true }),
        // Deflated, and JPIP with a deflated data set.
        "1.2.840.10008.1.2.1.99" | "1.2.840.10008.1.2.4.95" | "1.2.840.10008.1.2.4.205" => None,
        // PS3.5 A.4: every encapsulated one is explicit little endian outside its frames.
        standard if standard.starts_with("1.2.840.10008.1.2.") => Some(Encoding::EXPLICIT),
        _ => return Err(Unreadable::TransferSyntax),
    };
    Ok(Meta { end: walked.end, encoding, transfer_syntax, sop_instance: uid(MEDIA_SOP_INSTANCE) })
}

/// A bomb is cut off at the same size as a plain header; what follows it is pixels or nothing we want.
fn inflate(deflated: &[u8]) -> Result<Vec<u8>, Unreadable> {
    let mut plain = Vec::new();
    let read = flate2::read::DeflateDecoder::new(deflated).take(HEADER_BYTES_MAX).read_to_end(&mut plain);
    match read {
        Ok(_) => Ok(plain),
        // Cut short: what came out may hold the header whole.
        Err(_) if !plain.is_empty() => Ok(plain),
        Err(_) => Err(Unreadable::Malformed),
    }
}

fn judge(walked: &Walked, whole: bool, warnings: &mut BTreeSet<Warning>) -> Result<(), Unreadable> {
    if walked.odd_length {
        warnings.insert(Warning::OddLength);
    }
    if walked.disorder {
        warnings.insert(Warning::Disorder);
    }
    match walked.broken {
        None => Ok(()),
        Some(_) if walked.last.0 > LAST_GROUP => {
            if whole {
                warnings.insert(Warning::TailBroken);
            }
            Ok(())
        }
        Some(broken) => Err(refusal(broken, whole)),
    }
}

fn refusal(broken: Broken, whole: bool) -> Unreadable {
    match broken {
        Broken::Short if whole => Unreadable::Truncated,
        Broken::Short => Unreadable::HeaderTooLarge,
        Broken::Misplaced => Unreadable::Malformed,
        Broken::TooDeep => Unreadable::TooDeep,
        Broken::TooMany => Unreadable::TooManyElements,
    }
}

/// UIDs are padded by NUL, and by blanks in files of those who read the standard late.
fn ascii(value: &[u8]) -> String {
    let text: String = value.iter().take(VALUE_BYTES_MAX).map(|byte| if byte.is_ascii() { char::from(*byte) } else { '?' }).collect();
    text.trim_matches(|c: char| c == '\0' || c.is_whitespace()).to_owned()
}

/// The texts, decoded.
struct Texts {
    texts: std::collections::BTreeMap<Tag, String>,
}

impl Texts {
    fn of(walked: &Walked, warnings: &mut BTreeSet<Warning>) -> Result<Texts, Unreadable> {
        let mut copy = Vec::with_capacity(2_048);
        copy.extend(MARK);
        copy.extend(META_OF_COPY);
        for (tag, vr) in TEXTS {
            let Some(value) = walked.found.get(tag) else { continue };
            match u16::try_from(value.len()).ok().filter(|length| usize::from(*length) <= VALUE_BYTES_MAX) {
                Some(length) => put(&mut copy, *tag, vr, length, value),
                None => {
                    warnings.insert(Warning::ValueUnreadable);
                }
            }
        }
        let object = OpenFileOptions::new().read_preamble(ReadPreamble::Never).from_reader(copy.as_slice());
        let object = object.map_err(|_| Unreadable::Malformed)?;
        let mut texts = std::collections::BTreeMap::new();
        for (tag, _) in TEXTS {
            let Some(element) = object.get(dicom_object::Tag(tag.0, tag.1)) else { continue };
            match element.to_str() {
                Ok(text) => texts.insert(*tag, clean(&text)),
                Err(_) => {
                    warnings.insert(Warning::ValueUnreadable);
                    None
                }
            };
        }
        Ok(Texts { texts })
    }

    fn take(&mut self, group: u16, element: u16) -> Option<String> {
        self.texts.remove(&(group, element)).filter(|text| !text.is_empty())
    }

    fn uid(&mut self, tag: Tag, warnings: &mut BTreeSet<Warning>) -> Result<Option<String>, Unreadable> {
        let Some(uid) = self.take(tag.0, tag.1) else { return Ok(None) };
        let parts = || uid.split('.');
        if uid.len() > 64 || !parts().all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit())) {
            return Err(Unreadable::BadUid);
        }
        if parts().any(|part| part.len() > 1 && part.starts_with('0')) {
            warnings.insert(Warning::UidZeros);
        }
        Ok(Some(uid))
    }

    fn header(
        &mut self,
        meta: Meta,
        rows: Option<i32>,
        columns: Option<i32>,
        mut warnings: BTreeSet<Warning>,
    ) -> Result<Header, Unreadable> {
        let stored = self.uid(SOP_INSTANCE, &mut warnings)?;
        if stored.is_some() && stored != meta.sop_instance {
            warnings.insert(Warning::MetaSopDiffers);
        }
        let sop_class_uid = self.uid(SOP_CLASS, &mut warnings)?;
        if sop_class_uid.is_none() {
            warnings.insert(Warning::SopClassMissing);
        }
        let modality = self.take(8, 0x60).map(|code| code.to_ascii_uppercase());
        if modality.is_none() {
            warnings.insert(Warning::ModalityMissing);
        }
        let (calibrated, raw) = (self.take(0x28, 0x30), self.take(0x18, 0x1164));
        let spacing = calibrated.as_deref().and_then(first_number);
        Ok(Header {
            sop_class_uid,
            sop_instance_uid: stored.ok_or(Unreadable::NoUid)?,
            study_uid: self.uid(STUDY, &mut warnings)?.ok_or(Unreadable::NoUid)?,
            series_uid: self.uid(SERIES, &mut warnings)?.ok_or(Unreadable::NoUid)?,
            transfer_syntax_uid: meta.transfer_syntax,
            modality,
            patient_name: self.take(0x10, 0x10).map(|name| components(&name)).unwrap_or_default(),
            patient_id: self.take(0x10, 0x20),
            patient_birth_date: self.take(0x10, 0x30).as_deref().and_then(date),
            acquired: self.acquired(),
            accession_number: self.take(8, 0x50),
            study_description: self.take(8, 0x1030),
            series_description: self.take(8, 0x103E),
            series_number: self.take(0x20, 0x11).and_then(|number| number.parse().ok()),
            body_part: self.take(0x18, 0x15),
            laterality: self.laterality(),
            manufacturer: self.take(8, 0x70),
            device: self.take(8, 0x1090),
            scan_options: self.take(0x18, 0x22),
            acquisition_type: self.take(0x18, 0x9302),
            rows: rows.filter(|count| *count > 0),
            columns: columns.filter(|count| *count > 0),
            frames: self.take(0x28, 8).and_then(|number| number.parse().ok()).filter(|count| *count > 0),
            pixel_spacing_mm: spacing.or_else(|| raw.as_deref().and_then(first_number)),
            is_calibrated: spacing.is_some(),
            is_original: self.take(8, 8).is_none_or(|kind| !kind.starts_with("DERIVED")),
            warnings,
        })
    }

    fn acquired(&mut self) -> Option<Acquired> {
        let offset = self.take(8, 0x201).as_deref().and_then(offset_of);
        let (exact, day, clock) = (self.take(8, 0x2A), self.take(8, 0x22), self.take(8, 0x32));
        let (study_day, study_clock) = (self.take(8, 0x20), self.take(8, 0x30));
        exact
            .and_then(|text| Acquired::of_dt(&text, offset))
            .or_else(|| Acquired::of(&day?, clock.as_deref(), offset))
            .or_else(|| Acquired::of(&study_day?, study_clock.as_deref(), offset))
    }

    fn laterality(&mut self) -> Option<&'static str> {
        let (series, image) = (self.take(0x20, 0x60), self.take(0x20, 0x62));
        match series.or(image)?.as_str() {
            "L" => Some("LEFT"),
            "R" => Some("RIGHT"),
            "B" => Some("BOTH"),
            _ => None,
        }
    }
}

/// File meta of the copy: explicit little endian; the UIDs are needed by its form only.
const META_OF_COPY: &[u8] = b"\x02\x00\x00\x00UL\x04\x00\x40\x00\x00\x00\
    \x02\x00\x02\x00UI\x04\x001.2\0\
    \x02\x00\x03\x00UI\x04\x001.2\0\
    \x02\x00\x10\x00UI\x14\x001.2.840.10008.1.2.1\0\
    \x02\x00\x12\x00UI\x04\x001.2\0";

fn put(copy: &mut Vec<u8>, tag: Tag, vr: &[u8; 2], length: u16, value: &[u8]) {
    copy.extend(tag.0.to_le_bytes());
    copy.extend(tag.1.to_le_bytes());
    copy.extend(vr);
    copy.extend((length + length % 2).to_le_bytes());
    copy.extend(value);
    if length % 2 == 1 {
        copy.push(b' ');
    }
}

/// Without padding and without what PostgreSQL and logs cannot hold.
fn clean(text: &str) -> String {
    let text: String = text.chars().filter(|c| !c.is_control()).take(300).collect();
    text.trim().to_owned()
}

/// PS3.5 §6.2.1: three groups parted by `=`, five components parted by `^`.
fn components(name: &str) -> Vec<String> {
    let alphabetic = name.split('=').next().unwrap_or_default();
    let parts: Vec<String> = alphabetic.split('^').map(|part| part.trim().to_owned()).collect();
    if parts.iter().all(String::is_empty) { Vec::new() } else { parts }
}

fn first_number(text: &str) -> Option<f64> {
    text.split('\\').next()?.trim().parse::<f64>().ok().filter(|number| number.is_finite() && *number > 0.0)
}
