//! What was measured, what was allowed, and whether it held: one line each.

#[derive(Clone, Copy)]
pub enum Limit {
    AtLeast(f64),
    AtMost(f64),
    Below(f64),
}

impl Limit {
    fn holds(self, measured: f64) -> bool {
        match self {
            Limit::AtLeast(limit) => measured >= limit,
            Limit::AtMost(limit) => measured <= limit,
            Limit::Below(limit) => measured < limit,
        }
    }
    fn words(self) -> String {
        match self {
            Limit::AtLeast(limit) => format!("≥ {limit}"),
            Limit::AtMost(limit) => format!("≤ {limit}"),
            Limit::Below(limit) => format!("< {limit}"),
        }
    }
}

#[derive(Default)]
pub struct Stand {
    missed: usize,
    marks: Vec<String>,
}

const HEAD: &str = "mark | measured | limit | stand\n---|---|---|---";

impl Stand {
    pub fn start() -> Stand {
        println!("{HEAD}");
        Stand::default()
    }
    pub fn judge(&mut self, name: &str, measured: f64, unit: &str, limit: Limit) {
        let holds = limit.holds(measured);
        self.missed += usize::from(!holds);
        let digits = if measured < 10.0 { 2 } else { 0 };
        let mark = format!("{name} | {measured:.digits$} {unit} | {} | {}", limit.words(), if holds { "ok" } else { "MISSED" });
        println!("{mark}");
        self.marks.push(mark);
    }
    /// What explains a line; no limit.
    pub fn note(&self, text: String) {
        println!("  {text}");
    }
    /// All marks once more, without what explains them.
    pub fn end(self) {
        println!("\n{HEAD}\n{}\n", self.marks.join("\n"));
        match self.missed {
            0 => println!("Every limit is kept."),
            missed => println!("{missed} limits are missed."),
        }
    }
}

pub fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => values[n / 2],
        n => (values[n / 2 - 1] + values[n / 2]) / 2.0,
    }
}
