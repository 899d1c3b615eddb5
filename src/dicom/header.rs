//! The header of a DICOM file (PS3.10): what imaging keeps of it, out of bytes nobody vouches for.
//!
//! Two steps: [`super::walk`] finds the few elements of the top level inside the bytes at hand, and dicom-object decodes
//! their texts from a copy that holds nothing else. It never meets a sequence or a length that was not checked.

use super::texts::{TEXTS, Texts};
use super::time::Acquired;
use super::walk::{Broken, Encoding, Tag, Walked, walk};
use chrono::NaiveDate;
use std::collections::BTreeSet;
use std::io::Read;

/// How much of an object is read for its header. Tags of patient and study stand far before private bulk and pixels.
pub const HEADER_BYTES_MAX: u64 = 16 * 1024 * 1024;
pub(super) const VALUE_BYTES_MAX: usize = 1_024;
const PREAMBLE: usize = 128;
pub(super) const MARK: &[u8] = b"DICM";
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

const ROWS: Tag = (0x0028, 0x0010);
const COLUMNS: Tag = (0x0028, 0x0011);

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

pub(super) struct Meta {
    end: usize,
    /// None: deflated.
    encoding: Option<Encoding>,
    pub transfer_syntax: String,
    pub sop_instance: Option<String>,
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
