//! Noto Sans (fonts/LICENSE.md), cut down to the letters a document uses (ISO 32000-1, 9.7: a composite font, its codes
//! the glyphs of the cut font).

use super::packed;
use crate::kernel::error::{Error, Result};
use pdf_writer::types::{CidFontType, FontFlags, SystemInfo, UnicodeCmap};
use pdf_writer::{Filter, Finish, Name, Pdf, Rect, Ref, Str};
use std::collections::BTreeMap;
use subsetter::GlyphRemapper;
use ttf_parser::GlyphId;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Face {
    Regular,
    Bold,
}

const SYSTEM: SystemInfo<'static> = SystemInfo { registry: Str(b"Adobe"), ordering: Str(b"Identity"), supplement: 0 };
/// Drawn for what the font has no letter for.
const UNKNOWN: char = '?';

pub struct Font {
    pub face: Face,
    data: &'static [u8],
    tables: ttf_parser::Face<'static>,
    cut: GlyphRemapper,
    /// Letters by the glyphs of the cut font.
    letters: BTreeMap<u16, char>,
}

impl Font {
    pub fn new(face: Face) -> Result<Font> {
        let data: &'static [u8] = match face {
            Face::Regular => include_bytes!("fonts/NotoSans-Regular.ttf"),
            Face::Bold => include_bytes!("fonts/NotoSans-Bold.ttf"),
        };
        let tables = ttf_parser::Face::parse(data, 0).map_err(Error::internal)?;
        Ok(Font { face, data, tables, cut: GlyphRemapper::new(), letters: BTreeMap::new() })
    }

    fn glyph(&self, letter: char) -> (char, GlyphId) {
        let letter = if letter.is_whitespace() { ' ' } else { letter };
        let found = self.tables.glyph_index(letter).map(|glyph| (letter, glyph));
        found.unwrap_or_else(|| (UNKNOWN, self.tables.glyph_index(UNKNOWN).unwrap_or_default()))
    }
    fn advance(&self, glyph: GlyphId) -> f32 {
        f32::from(self.tables.glyph_hor_advance(glyph).unwrap_or_default()) / f32::from(self.tables.units_per_em())
    }
    pub fn width(&self, text: &str, size: f32) -> f32 {
        text.chars().filter(|letter| !letter.is_control()).map(|letter| self.advance(self.glyph(letter).1) * size).sum()
    }
    /// The codes of a text's glyphs.
    pub fn set(&mut self, text: &str) -> Vec<u8> {
        let mut codes = Vec::with_capacity(text.len() * 2);
        for letter in text.chars().filter(|letter| !letter.is_control()) {
            let (letter, glyph) = self.glyph(letter);
            let code = self.cut.remap(glyph.0);
            self.letters.entry(code).or_insert(letter);
            codes.extend(code.to_be_bytes());
        }
        codes
    }

    pub fn embed(&self, pdf: &mut Pdf, id: Ref, next: &mut Ref) -> Result<()> {
        let [descendant, descriptor, letters, data] = [next.bump(), next.bump(), next.bump(), next.bump()];
        let name: &[u8] = match self.face {
            Face::Regular => b"ENAMEL+NotoSans-Regular",
            Face::Bold => b"ENAMEL+NotoSans-Bold",
        };
        let name = Name(name);
        pdf.type0_font(id).base_font(name).encoding_predefined(Name(b"Identity-H")).descendant_font(descendant).to_unicode(letters);
        let mut cid = pdf.cid_font(descendant);
        cid.subtype(CidFontType::Type2).base_font(name).system_info(SYSTEM).font_descriptor(descriptor);
        cid.cid_to_gid_map_predefined(Name(b"Identity")).default_width(0.0);
        cid.widths().consecutive(0, self.cut.remapped_gids().map(|glyph| self.advance(GlyphId(glyph)) * 1_000.0));
        cid.finish();
        self.describe(pdf, descriptor, name, data);
        let mut map: UnicodeCmap<u16> = UnicodeCmap::new(Name(b"letters"), SYSTEM);
        self.letters.iter().for_each(|(code, letter)| map.pair(*code, *letter));
        pdf.stream(letters, &packed(&map.finish())?).filter(Filter::FlateDecode);
        let cut = subsetter::subset(self.data, 0, &self.cut).map_err(Error::internal)?;
        let length = i32::try_from(cut.len()).map_err(Error::internal)?;
        pdf.stream(data, &packed(&cut)?).filter(Filter::FlateDecode).pair(Name(b"Length1"), length);
        Ok(())
    }

    fn describe(&self, pdf: &mut Pdf, id: Ref, name: Name<'_>, data: Ref) {
        let per_em = f32::from(self.tables.units_per_em());
        let scaled = |units: i16| f32::from(units) / per_em * 1_000.0;
        let frame = self.tables.global_bounding_box();
        pdf.font_descriptor(id)
            .name(name)
            .flags(FontFlags::NON_SYMBOLIC)
            .bbox(Rect::new(scaled(frame.x_min), scaled(frame.y_min), scaled(frame.x_max), scaled(frame.y_max)))
            .italic_angle(0.0)
            .ascent(scaled(self.tables.ascender()))
            .descent(scaled(self.tables.descender()))
            .cap_height(scaled(self.tables.capital_height().unwrap_or_default()))
            .stem_v(if self.face == Face::Bold { 140.0 } else { 80.0 })
            .font_file2(data);
    }
}
