//! Text from top to bottom, over as many pages as it takes.

use super::{Paper, Style};

const MARGIN: f32 = 50.0;
/// Above the foot of the page.
const FLOOR: f32 = 70.0;
/// From line to line, in parts of the size.
const LEADING: f32 = 1.38;

/// A column of a table: where it begins, how wide it is, on which side its text stands.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    pub x: f32,
    pub width: f32,
    pub right: bool,
}

/// What a table cell says.
#[derive(Debug, Clone)]
pub struct Cell {
    pub text: String,
    pub style: Style,
}

pub struct Flow {
    pub paper: Paper,
    /// Where the next line's top is.
    y: f32,
    /// Rows set again at the head of each page while a table is under way.
    head: Option<(Vec<Column>, Vec<Cell>)>,
}

impl Flow {
    pub fn new(paper: Paper) -> Flow {
        let y = paper.size.1 - MARGIN;
        Flow { paper, y, head: None }
    }
    pub fn width(&self) -> f32 {
        self.paper.size.0 - 2.0 * MARGIN
    }
    fn page(&self) -> usize {
        self.paper.pages() - 1
    }
    pub fn space(&mut self, points: f32) {
        self.y -= points;
    }

    /// So much fits on this page, or the next begins.
    pub fn keep(&mut self, height: f32) {
        if self.y - height >= FLOOR {
            return;
        }
        self.paper.add_page();
        self.y = self.paper.size.1 - MARGIN;
        if let Some((columns, cells)) = self.head.take() {
            self.row(&columns, &cells);
            self.head = Some((columns, cells));
        }
    }

    pub fn paragraph(&mut self, style: Style, text: &str) {
        let column = Column { x: 0.0, width: self.width(), right: false };
        for line in self.lines(style, column.width, text) {
            self.row(&[column], &[Cell { text: line, style }]);
        }
    }

    /// From now on each page begins with this row; none ends the table.
    pub fn head(&mut self, head: Option<(Vec<Column>, Vec<Cell>)>) {
        if let Some((columns, cells)) = &head {
            self.keep(80.0);
            self.row(columns, cells);
        }
        self.head = head;
    }

    /// Cells side by side, each as high as its text.
    pub fn row(&mut self, columns: &[Column], cells: &[Cell]) {
        let set: Vec<Vec<String>> =
            columns.iter().zip(cells).map(|(column, cell)| self.lines(cell.style, column.width, &cell.text)).collect();
        let heights = set.iter().zip(cells).map(|(lines, cell)| lines.len() as f32 * cell.style.size * LEADING);
        let height = heights.fold(0.0, f32::max);
        // A cell longer than a page is set as far as the page goes on; texts are bounded far below that.
        self.keep(height.min(self.paper.size.1 - MARGIN - FLOOR - 40.0));
        for ((column, cell), lines) in columns.iter().zip(cells).zip(&set) {
            for (place, line) in lines.iter().enumerate() {
                let indent = if column.right { column.width - self.paper.width(cell.style, line) } else { 0.0 };
                let y = self.y - cell.style.size - place as f32 * cell.style.size * LEADING;
                self.paper.text(self.paper.pages() - 1, (MARGIN + column.x + indent, y), cell.style, line);
            }
        }
        self.y -= height;
    }

    /// A hairline over the whole width, or a part of it.
    pub fn rule(&mut self, grey: f32) {
        self.space(3.0);
        self.paper.line(self.page(), (MARGIN, self.y), self.width(), grey);
        self.space(3.0);
    }
    pub fn rule_at(&mut self, x: f32, length: f32) {
        self.paper.line(self.page(), (MARGIN + x, self.y), length, 0.3);
    }
    /// The same at the foot of every page, with its number.
    pub fn foot(mut self, style: Style, text: &str) -> Paper {
        let pages = self.paper.pages();
        for page in 0..pages {
            let number = format!("Page {} of {pages}", page + 1);
            let right = self.paper.size.0 - MARGIN - self.paper.width(style, &number);
            self.paper.line(page, (MARGIN, 48.0), self.width(), 0.7);
            self.paper.text(page, (MARGIN, 36.0), style, text);
            self.paper.text(page, (right, 36.0), style, &number);
        }
        self.paper
    }

    /// Broken between words; a word that fits no line, between letters.
    fn lines(&self, style: Style, width: f32, text: &str) -> Vec<String> {
        let mut lines = Vec::new();
        for paragraph in text.lines() {
            let mut line = String::new();
            for word in paragraph.split_whitespace() {
                let longer = if line.is_empty() { word.to_owned() } else { format!("{line} {word}") };
                if self.paper.width(style, &longer) <= width {
                    line = longer;
                    continue;
                }
                if !line.is_empty() {
                    lines.push(std::mem::take(&mut line));
                }
                for letter in word.chars() {
                    if !line.is_empty() && self.paper.width(style, &line) + self.paper.width(style, letter.encode_utf8(&mut [0; 4])) > width
                    {
                        lines.push(std::mem::take(&mut line));
                    }
                    line.push(letter);
                }
            }
            lines.push(line);
        }
        lines
    }
}
