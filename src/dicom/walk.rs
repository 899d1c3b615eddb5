//! Walks a data set (PS3.5 §7) without believing it: no recursion, no memory asked for by a declared length, every step
//! inside the bytes at hand. What has a defined length is skipped unread; only what has none is walked through.

use std::collections::BTreeMap;

pub type Tag = (u16, u16);

const UNDEFINED: u32 = 0xFFFF_FFFF;
const ITEM: Tag = (0xFFFE, 0xE000);
const ITEM_END: Tag = (0xFFFE, 0xE00D);
const SEQUENCE_END: Tag = (0xFFFE, 0xE0DD);
/// Float, double and integer pixels: nothing behind them is header.
const PIXELS: u16 = 0x7FE0;
const DEPTH_MAX: usize = 32;
const ELEMENTS_MAX: usize = 200_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Encoding {
    pub implicit: bool,
    pub big_endian: bool,
}

impl Encoding {
    pub const EXPLICIT: Encoding = Encoding { implicit: false, big_endian: false };

    pub fn u16(self, bytes: [u8; 2]) -> u16 {
        if self.big_endian { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) }
    }
    fn u32(self, bytes: [u8; 4]) -> u32 {
        if self.big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }
    }
}

/// Why the walk ended before its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broken {
    /// An element reaches behind the bytes at hand.
    Short,
    Misplaced,
    TooDeep,
    TooMany,
}

/// The top level, as far as it was read.
#[derive(Debug, Default)]
pub struct Walked<'a> {
    /// The first of each tag that was asked for.
    pub found: BTreeMap<Tag, &'a [u8]>,
    /// Where the walk ended.
    pub end: usize,
    /// The highest tag that was passed whole.
    pub last: Tag,
    /// Declared length of the pixels and where they begin, when they were reached and have a length.
    pub pixels: Option<(usize, u32)>,
    pub odd_length: bool,
    pub disorder: bool,
    pub broken: Option<Broken>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Inside {
    /// Items, or their end.
    Sequence,
    /// Elements, or the item's end; and where it ends when it says so.
    Item(Option<usize>),
    /// Encapsulated frames: items of plain bytes.
    Fragments,
}

struct Level {
    inside: Inside,
    encoding: Encoding,
}

struct Walk<'a, 'w> {
    bytes: &'a [u8],
    at: usize,
    encoding: Encoding,
    levels: Vec<Level>,
    wanted: &'w [Tag],
    walked: Walked<'a>,
}

/// From `at` to the pixels, the end, or the first element whose group `goes_on` refuses.
pub fn walk<'a>(bytes: &'a [u8], at: usize, encoding: Encoding, wanted: &[Tag], goes_on: fn(u16) -> bool) -> Walked<'a> {
    let mut walk = Walk { bytes, at, encoding, levels: Vec::new(), wanted, walked: Walked::default() };
    let ended = walk.run(goes_on);
    walk.walked.broken = ended.err();
    walk.walked.end = walk.at;
    walk.walked
}

impl<'a> Walk<'a, '_> {
    fn run(&mut self, goes_on: fn(u16) -> bool) -> Result<(), Broken> {
        for _ in 0..ELEMENTS_MAX {
            self.leave_full_items()?;
            if self.levels.is_empty() && self.at == self.bytes.len() {
                return Ok(());
            }
            let start = self.at;
            let tag = self.tag()?;
            let more = match self.levels.last().map(|level| level.inside) {
                None if !goes_on(tag.0) => {
                    self.at = start;
                    false
                }
                None => self.top(tag)?,
                Some(Inside::Item(_)) if tag == ITEM_END => self.close(true)?,
                Some(Inside::Item(_)) => self.element(tag).map(|_| true)?,
                Some(Inside::Sequence | Inside::Fragments) if tag == SEQUENCE_END => self.close(false)?,
                Some(inside) if tag == ITEM => self.item(inside)?,
                Some(_) => return Err(Broken::Misplaced),
            };
            if !more {
                return Ok(());
            }
        }
        Err(Broken::TooMany)
    }

    /// Items of a defined length end without a mark.
    fn leave_full_items(&mut self) -> Result<(), Broken> {
        while let Some(Level { inside: Inside::Item(Some(end)), .. }) = self.levels.last() {
            match self.at.cmp(end) {
                std::cmp::Ordering::Less => break,
                std::cmp::Ordering::Equal => self.levels.pop(),
                std::cmp::Ordering::Greater => return Err(Broken::Misplaced),
            };
        }
        Ok(())
    }

    /// Whether there is more to walk behind this element of the top level.
    fn top(&mut self, tag: Tag) -> Result<bool, Broken> {
        if tag.0 == 0xFFFE {
            return Err(Broken::Misplaced);
        }
        if tag.0 >= PIXELS {
            let declared = self.length_of(tag)?.0;
            if tag.0 == PIXELS {
                self.walked.pixels = (declared != UNDEFINED).then_some((self.at, declared));
            }
            return Ok(false);
        }
        self.walked.disorder |= tag < self.walked.last;
        if let Some(value) = self.element(tag)? {
            if self.wanted.contains(&tag) {
                self.walked.found.entry(tag).or_insert(value);
            }
            self.walked.last = self.walked.last.max(tag);
        }
        Ok(true)
    }

    /// The value, or nothing when it is a sequence to be walked through.
    fn element(&mut self, tag: Tag) -> Result<Option<&'a [u8]>, Broken> {
        let (length, vr) = self.length_of(tag)?;
        if length != UNDEFINED {
            self.walked.odd_length |= length % 2 == 1;
            return self.take(length as usize).map(Some);
        }
        let (inside, encoding) = match vr {
            Some(b"SQ") => (Inside::Sequence, self.current()),
            // PS3.5 §6.2.2: behind an unknown VR without a length is an implicit little endian sequence.
            Some(b"UN") => (Inside::Sequence, Encoding { implicit: true, big_endian: false }),
            Some(b"OB" | b"OW") => (Inside::Fragments, self.current()),
            None => (Inside::Sequence, self.current()),
            Some(_) => return Err(Broken::Misplaced),
        };
        self.enter(Level { inside, encoding })?;
        Ok(None)
    }

    fn item(&mut self, inside: Inside) -> Result<bool, Broken> {
        let encoding = self.current();
        let length = encoding.u32(self.four()?);
        if inside == Inside::Fragments {
            self.take(length as usize)?;
            return Ok(true);
        }
        let end = match length {
            UNDEFINED => None,
            length => {
                let end = self.at.checked_add(length as usize).filter(|end| *end <= self.bytes.len());
                Some(end.ok_or(Broken::Short)?)
            }
        };
        self.enter(Level { inside: Inside::Item(end), encoding })?;
        Ok(true)
    }

    /// The end mark of an item or a sequence, which has a length of no meaning.
    fn close(&mut self, item: bool) -> Result<bool, Broken> {
        self.four()?;
        match self.levels.pop().map(|level| level.inside) {
            Some(Inside::Item(None)) if item => Ok(true),
            Some(Inside::Sequence | Inside::Fragments) if !item => Ok(true),
            _ => Err(Broken::Misplaced),
        }
    }

    fn enter(&mut self, level: Level) -> Result<(), Broken> {
        if self.levels.len() == DEPTH_MAX {
            return Err(Broken::TooDeep);
        }
        self.levels.push(level);
        Ok(())
    }

    fn current(&self) -> Encoding {
        self.levels.last().map_or(self.encoding, |level| level.encoding)
    }

    fn length_of(&mut self, tag: Tag) -> Result<(u32, Option<&'a [u8; 2]>), Broken> {
        let encoding = self.current();
        // Item marks have no VR, also where everything else has one.
        if encoding.implicit || tag.0 == 0xFFFE {
            return Ok((encoding.u32(self.four()?), None));
        }
        let vr: &'a [u8; 2] = self.take(2)?.try_into().map_err(|_| Broken::Short)?;
        if has_short_length(vr) {
            let length: [u8; 2] = self.take(2)?.try_into().map_err(|_| Broken::Short)?;
            return Ok((u32::from(encoding.u16(length)), Some(vr)));
        }
        self.take(2)?;
        Ok((encoding.u32(self.four()?), Some(vr)))
    }

    fn tag(&mut self) -> Result<Tag, Broken> {
        let encoding = self.current();
        let bytes = self.four()?;
        Ok((encoding.u16([bytes[0], bytes[1]]), encoding.u16([bytes[2], bytes[3]])))
    }

    fn four(&mut self) -> Result<[u8; 4], Broken> {
        self.take(4)?.try_into().map_err(|_| Broken::Short)
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], Broken> {
        let end = self.at.checked_add(count).ok_or(Broken::Short)?;
        let taken = self.bytes.get(self.at..end).ok_or(Broken::Short)?;
        self.at = end;
        Ok(taken)
    }
}

/// PS3.5 table 7.1-2. VRs that are no VR have the short form in the files seen, whatever later editions may add.
fn has_short_length(vr: &[u8; 2]) -> bool {
    !matches!(vr, b"OB" | b"OD" | b"OF" | b"OL" | b"OV" | b"OW" | b"SQ" | b"SV" | b"UC" | b"UN" | b"UR" | b"UT" | b"UV")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn element(tag: Tag, vr: &[u8; 2], value: &[u8]) -> Vec<u8> {
        let mut out = [tag.0.to_le_bytes(), tag.1.to_le_bytes(), *vr].concat();
        out.extend((value.len() as u16).to_le_bytes());
        out.extend(value);
        out
    }
    fn open(vr: &[u8; 2]) -> Vec<u8> {
        [&[0x08, 0x00, 0x40, 0x11][..], vr, &[0, 0, 0xFF, 0xFF, 0xFF, 0xFF]].concat()
    }
    const ITEM_OPEN: [u8; 8] = [0xFE, 0xFF, 0x00, 0xE0, 0xFF, 0xFF, 0xFF, 0xFF];
    const ITEM_CLOSE: [u8; 8] = [0xFE, 0xFF, 0x0D, 0xE0, 0, 0, 0, 0];
    const CLOSE: [u8; 8] = [0xFE, 0xFF, 0xDD, 0xE0, 0, 0, 0, 0];
    fn walked<'a>(bytes: &'a [u8]) -> Walked<'a> {
        walk(bytes, 0, Encoding::EXPLICIT, &[(0x10, 0x20)], |_| true)
    }

    #[test]
    fn only_the_top_level_is_found() {
        let inner = element((0x10, 0x20), b"LO", b"INNER ");
        let outer = element((0x10, 0x20), b"LO", b"OUTER ");
        let bytes = [&open(b"SQ")[..], &ITEM_OPEN, &inner, &ITEM_CLOSE, &CLOSE, &outer].concat();
        let walked = walked(&bytes);
        assert_eq!((walked.broken, walked.found.get(&(0x10, 0x20))), (None, Some(&&b"OUTER "[..])));
    }

    #[test]
    fn depth_is_bounded_and_marks_have_their_place() {
        let deep: Vec<u8> = std::iter::repeat_n([&open(b"SQ")[..], &ITEM_OPEN].concat(), 100_000).flatten().collect();
        assert_eq!(walked(&deep).broken, Some(Broken::TooDeep));
        assert_eq!(walked(&CLOSE).broken, Some(Broken::Misplaced));
        assert_eq!(walked(&[&open(b"SQ")[..], &ITEM_CLOSE].concat()).broken, Some(Broken::Misplaced));
        assert_eq!(walked(&open(b"LO")[..8]).broken, Some(Broken::Short));
        let huge = [&[0x09, 0, 0, 0x10][..], b"OB", &[0, 0, 0xFE, 0xFF, 0xFF, 0xFF]].concat();
        assert_eq!(walked(&huge).broken, Some(Broken::Short));
        let empty: Vec<u8> = std::iter::repeat_n(element((0x09, 0x10), b"LO", b""), ELEMENTS_MAX + 1).flatten().collect();
        assert_eq!(walked(&empty).broken, Some(Broken::TooMany));
    }
}
