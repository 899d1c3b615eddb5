//! Paper: pages of text and lines as PDF 1.7, with the letters that occur embedded, so a name looks the same everywhere and can
//! be searched and copied. The same calls give the same bytes. Letters are set one by one: scripts that join or turn
//! them (Arabic, Devanagari) and letters Noto Sans has not (Chinese, Japanese) are not set.
mod flow;
mod font;

pub use flow::{Cell, Column, Flow};
pub use font::Face;

use crate::kernel::error::{Error, Result};
use chrono::{DateTime, Datelike, Timelike, Utc};
use flate2::Compression;
use flate2::write::ZlibEncoder;
use font::Font;
use pdf_writer::{Content, Date, Filter, Finish, Name, Pdf, Rect, Ref, Str, TextStr};
use std::io::Write;

/// Width and height in points.
pub type Size = (f32, f32);
pub const A4: Size = (595.0, 842.0);
pub const LETTER: Size = (612.0, 792.0);

/// How a text looks.
#[derive(Debug, Clone, Copy)]
pub struct Style {
    pub face: Face,
    pub size: f32,
    /// 0 is black.
    pub grey: f32,
}

impl Style {
    pub const fn plain(size: f32) -> Style {
        Style { face: Face::Regular, size, grey: 0.0 }
    }
    pub const fn bold(size: f32) -> Style {
        Style { face: Face::Bold, size, grey: 0.0 }
    }
    pub const fn pale(size: f32) -> Style {
        Style { face: Face::Regular, size, grey: 0.38 }
    }
}

pub struct Paper {
    pub size: Size,
    pages: Vec<Content>,
    fonts: [Font; 2],
}

impl Paper {
    pub fn new(size: Size) -> Result<Paper> {
        Ok(Paper { size, pages: vec![Content::new()], fonts: [Font::new(Face::Regular)?, Font::new(Face::Bold)?] })
    }
    pub fn add_page(&mut self) {
        self.pages.push(Content::new());
    }
    pub fn pages(&self) -> usize {
        self.pages.len()
    }
    pub fn width(&self, style: Style, text: &str) -> f32 {
        self.fonts[style.face as usize].width(text, style.size)
    }

    /// A line of text on that page, its foot at (x, y) from the lower left corner.
    pub fn text(&mut self, page: usize, (x, y): (f32, f32), style: Style, text: &str) {
        let glyphs = self.fonts[style.face as usize].set(text);
        let Some(content) = self.pages.get_mut(page) else { return };
        content.set_fill_gray(style.grey).begin_text().set_font(style.face.name(), style.size).next_line(x, y);
        content.show(Str(&glyphs)).end_text();
    }
    /// A hairline from (x, y), that long.
    pub fn line(&mut self, page: usize, (x, y): (f32, f32), length: f32, grey: f32) {
        if let Some(content) = self.pages.get_mut(page) {
            content.set_line_width(0.6).set_stroke_gray(grey).move_to(x, y).line_to(x + length, y).stroke();
        }
    }
    /// The bytes of the file. `at` is the moment the content is of.
    pub fn finish(self, title: &str, at: DateTime<Utc>) -> Result<Vec<u8>> {
        let mut pdf = Pdf::new();
        let mut next = Ref::new(1);
        let (catalog, tree, info) = (next.bump(), next.bump(), next.bump());
        let mut catalog = pdf.catalog(catalog);
        catalog.pages(tree).lang(TextStr("en"));
        catalog.viewer_preferences().display_doc_title(true);
        catalog.finish();
        let date = Date::new(u16::try_from(at.year()).unwrap_or_default())
            .month(two(at.month()))
            .day(two(at.day()))
            .hour(two(at.hour()))
            .minute(two(at.minute()))
            .second(two(at.second()))
            .utc_offset_hour(0);
        pdf.document_info(info).title(TextStr(title)).producer(TextStr("Enamel")).creation_date(date);
        let faces = [next.bump(), next.bump()];
        let ids: Vec<(Ref, Ref)> = self.pages.iter().map(|_| (next.bump(), next.bump())).collect();
        pdf.pages(tree).kids(ids.iter().map(|(page, _)| *page)).count(i32::try_from(ids.len()).map_err(Error::internal)?);
        for (content, (page, stream)) in self.pages.into_iter().zip(ids) {
            let mut page = pdf.page(page);
            page.media_box(Rect::new(0.0, 0.0, self.size.0, self.size.1)).parent(tree).contents(stream);
            let mut resources = page.resources();
            let mut fonts = resources.fonts();
            for (font, id) in self.fonts.iter().zip(faces) {
                fonts.pair(font.face.name(), id);
            }
            fonts.finish();
            resources.finish();
            page.finish();
            pdf.stream(stream, &packed(&content.finish())?).filter(Filter::FlateDecode);
        }
        for (font, id) in self.fonts.iter().zip(faces) {
            font.embed(&mut pdf, id, &mut next)?;
        }
        Ok(pdf.finish())
    }
}

fn two(number: u32) -> u8 {
    u8::try_from(number).unwrap_or_default()
}

fn packed(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut packer = ZlibEncoder::new(Vec::new(), Compression::default());
    packer.write_all(bytes).and_then(|()| packer.finish()).map_err(Error::internal)
}

impl Face {
    fn name(self) -> Name<'static> {
        match self {
            Face::Regular => Name(b"R"),
            Face::Bold => Name(b"B"),
        }
    }
}
