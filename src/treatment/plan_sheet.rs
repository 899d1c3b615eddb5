//! A plan's revision on paper: what was offered, what it costs, what insurance may pay, what the patient pays, and the answer.

use crate::charting::tooth::{Designation, System};
use crate::kernel::error::Result;
use crate::kernel::money;
use crate::pdf::{A4, Cell, Column, Flow, LETTER, Paper, Style};
use chrono::{DateTime, NaiveDate, Utc};
use serde_json::Value as Json;

/// What stands on it: the frozen content, and whose it is.
pub struct Sheet<'a> {
    pub content: &'a Json,
    pub details: &'a Json,
    pub hash: &'a str,
    pub presented_at: DateTime<Utc>,
}

const BODY: Style = Style::plain(9.0);
const SMALL: Style = Style::pale(7.5);
const LABEL: Style = Style::pale(8.0);
const HEAD: Style = Style::bold(8.0);
const COUNTRIES_OF_LETTER: [&str; 3] = ["US", "CA", "MX"];

/// The columns of the items, by their widths in parts of the line.
const WIDTHS: [(f32, bool); 8] =
    [(0.04, false), (0.10, false), (0.30, false), (0.10, false), (0.12, true), (0.11, true), (0.115, true), (0.115, true)];
const HEADS: [&str; 8] = ["#", "Code", "Treatment", "Tooth", "Fee", "Discount", "Insurance*", "You pay*"];
const GAP: f32 = 6.0;

pub fn render(sheet: &Sheet<'_>) -> Result<Vec<u8>> {
    let country = text(sheet.details, "jurisdiction").split('-').next().unwrap_or_default();
    let size = if COUNTRIES_OF_LETTER.contains(&country) { LETTER } else { A4 };
    let mut flow = Flow::new(Paper::new(size)?);
    sheet.letterhead(&mut flow);
    sheet.items(&mut flow);
    sheet.totals(&mut flow);
    sheet.answer(&mut flow);
    let foot =
        format!("Treatment plan, revision {} · content SHA-256 {}", sheet.plan("revision_no"), sheet.hash.get(..32).unwrap_or(sheet.hash));
    flow.foot(Style::pale(7.0), &foot).finish("Treatment plan", sheet.presented_at)
}

impl Sheet<'_> {
    fn plan(&self, name: &str) -> &Json {
        &self.content["plan"][name]
    }
    fn currency(&self) -> &str {
        text(&self.content["plan"], "currency")
    }
    fn amount(&self, minor: &Json) -> String {
        minor.as_i64().map_or(String::from("–"), |minor| grouped(&money::amount(minor, self.currency()).to_string()))
    }
    fn day(&self, at: DateTime<Utc>) -> String {
        let zone = text(self.details, "time_zone").parse().unwrap_or(chrono_tz::UTC);
        at.with_timezone(&zone).format("%-d %B %Y").to_string()
    }
    fn instant(&self, of: &Json, name: &str) -> Option<String> {
        of[name].as_str()?.parse().ok().map(|at| self.day(at))
    }

    fn letterhead(&self, flow: &mut Flow) {
        flow.paragraph(Style::bold(13.0), text(self.details, "clinic"));
        let place = self.details["place"].as_array().into_iter().flatten().filter_map(Json::as_str).filter(|line| !line.is_empty());
        flow.paragraph(LABEL, &place.collect::<Vec<_>>().join(" · "));
        flow.rule(0.2);
        flow.space(14.0);
        flow.paragraph(Style::bold(18.0), "Treatment plan");
        if let Some(title) = self.plan("title").as_str() {
            flow.paragraph(Style::plain(11.0), title);
        }
        flow.space(10.0);
        let expires = self.plan("expires_on").as_str().and_then(|day| day.parse().ok()).map(plain_day);
        let facts = [
            ("Patient", Some(text(self.details, "patient").to_owned())),
            ("Date of birth", self.details["dob"].as_str().and_then(|day| day.parse().ok()).map(plain_day)),
            ("Dentist", self.details["provider"].as_str().map(str::to_owned)),
            ("Revision", Some(self.plan("revision_no").to_string())),
            ("Presented", Some(self.day(self.presented_at))),
            ("Valid until", expires),
        ];
        let half = flow.width() / 2.0;
        let told: Vec<_> = facts.into_iter().filter_map(|(name, fact)| Some((name, fact?))).collect();
        for pair in told.chunks(2) {
            let columns = [(0.0, 78.0), (80.0, half - 90.0), (half, 78.0), (half + 80.0, half - 80.0)];
            let columns = columns.map(|(x, width)| Column { x, width, right: false });
            let cells = pair.iter().flat_map(|(name, fact)| [cell(LABEL, name), cell(Style::bold(9.0), fact)]);
            flow.row(&columns, &cells.collect::<Vec<_>>());
        }
        flow.space(12.0);
    }

    fn items(&self, flow: &mut Flow) {
        let columns = columns(flow.width());
        flow.head(Some((columns.clone(), HEADS.map(|head| cell(HEAD, head)).to_vec())));
        flow.rule(0.2);
        let items = self.content["items"].as_array().map(Vec::as_slice).unwrap_or_default();
        let phases = items.iter().any(|item| item["phase"] != items[0]["phase"]);
        let mut phase = &Json::Null;
        for (place, item) in items.iter().enumerate() {
            if phases && &item["phase"] != phase {
                phase = &item["phase"];
                flow.space(4.0);
                flow.keep(40.0);
                flow.paragraph(HEAD, &format!("Phase {phase}"));
            }
            self.item(flow, &columns, place + 1, item);
        }
        flow.head(None);
    }

    fn item(&self, flow: &mut Flow, columns: &[Column], number: usize, item: &Json) {
        let quantity = item["quantity"].as_i64().filter(|quantity| *quantity != 1);
        let name = match quantity {
            Some(quantity) => format!("{} × {quantity}", text(item, "description")),
            None => text(item, "description").to_owned(),
        };
        let plain = |text: String| Cell { text, style: BODY };
        flow.keep(30.0);
        flow.space(2.0);
        flow.row(
            columns,
            &[
                plain(number.to_string()),
                plain(text(item, "cdt_code").to_owned()),
                plain(name),
                plain(place_of(item)),
                plain(self.amount(&item["estimated_fee_minor"])),
                plain(self.amount(&item["estimated_write_off_minor"])),
                plain(self.amount(&item["estimated_insurance_minor"])),
                plain(self.amount(&item["estimated_patient_portion_minor"])),
            ],
        );
        let treatment = columns.get(2).map_or(0.0, |column| column.x);
        let beneath = [Column { x: treatment, width: flow.width() - treatment, right: false }];
        let choice = item["option_group"].as_str().map(|group| format!("Alternative {group}: one of these is chosen"));
        let notes = item["notes"].as_str().map(str::to_owned);
        for line in [choice, notes, self.accepted(item)].into_iter().flatten() {
            flow.row(&beneath, &[cell(SMALL, &line)]);
        }
    }

    /// When an item was accepted, and how.
    fn accepted(&self, item: &Json) -> Option<String> {
        let answer = &self.details["answers"][text(item, "id")];
        let how = match text(answer, "method") {
            "PORTAL" => "in the patient portal",
            "PAPER" => "on paper",
            "PHONE" => "by telephone",
            _ => "in the clinic",
        };
        Some(format!("Accepted on {} {how}", self.instant(answer, "at")?))
    }

    fn totals(&self, flow: &mut Flow) {
        flow.rule(0.2);
        flow.keep(70.0);
        flow.space(4.0);
        let amount = |name: &str| format!("{} {}", self.amount(self.plan(name)), self.currency());
        let columns = [
            Column { x: flow.width() * 0.45, width: flow.width() * 0.33, right: true },
            Column { x: flow.width() * 0.80, width: flow.width() * 0.20, right: true },
        ];
        let sums = [
            (BODY, "Total estimated cost", amount("total_estimated_cost_minor")),
            (BODY, "Estimated insurance part*", amount("estimated_insurance_coverage_minor")),
            (Style::bold(10.5), "Your estimated part*", amount("estimated_patient_portion_minor")),
        ];
        for (style, name, sum) in sums {
            flow.row(&columns, &[cell(style, name), cell(style, &sum)]);
        }
        flow.space(8.0);
        if let Some(notes) = self.plan("notes").as_str() {
            flow.paragraph(HEAD, "Notes");
            flow.paragraph(BODY, notes);
            flow.space(6.0);
        }
        flow.paragraph(SMALL, "* Estimates: what insurance pays is decided by the insurer when a claim is settled. Findings during treatment may change the plan; a changed plan is a new revision and is shown to you before it is carried out.");
        flow.space(12.0);
    }

    fn answer(&self, flow: &mut Flow) {
        flow.keep(110.0);
        flow.paragraph(Style::bold(11.0), "Answer");
        flow.space(2.0);
        let of_this = self.details["accepted_revision_no"] == *self.plan("revision_no");
        let said =
            match (text(self.details, "status"), self.instant(self.details, "accepted_at"), self.instant(self.details, "declined_at")) {
                (_, Some(day), _) if of_this => {
                    let all = self.details["all_accepted"] == Json::Bool(true);
                    Some(format!("{} on {day}.", if all { "Accepted as a whole" } else { "Accepted in part, as marked above," }))
                }
                ("DECLINED", _, Some(day)) => Some(format!("Declined on {day}.")),
                _ => None,
            };
        match said {
            Some(said) => flow.paragraph(BODY, &said),
            None => flow
                .paragraph(BODY, "I have read this plan, my questions were answered, and I accept the treatment and its estimated cost."),
        }
        flow.space(34.0);
        let half = flow.width() / 2.0;
        for (x, _) in SIGNERS {
            flow.rule_at(x * half, half - 24.0);
        }
        flow.space(3.0);
        let columns = SIGNERS.map(|(x, _)| Column { x: x * half, width: half - 24.0, right: false });
        flow.row(&columns, &SIGNERS.map(|(_, who)| cell(SMALL, who)));
    }
}

const SIGNERS: [(f32, &str); 2] = [(0.0, "Date and signature of the patient"), (1.0, "Date and signature of the clinic")];

fn text<'a>(of: &'a Json, name: &str) -> &'a str {
    of[name].as_str().unwrap_or_default()
}

fn cell(style: Style, text: &str) -> Cell {
    Cell { text: text.to_owned(), style }
}

fn columns(line: f32) -> Vec<Column> {
    let mut x = 0.0;
    let parts = WIDTHS.iter().map(|(part, right)| {
        let column = Column { x: if *right { x + GAP } else { x }, width: part * line - GAP, right: *right };
        x += part * line;
        column
    });
    parts.collect()
}

/// Tooth and surfaces as the clinic writes teeth, or the area of the mouth.
fn place_of(item: &Json) -> String {
    let fdi = text(item, "tooth_number");
    let system = System::of(text(item, "tooth_system")).unwrap_or(System::Fdi);
    let tooth = Designation::read(System::Fdi, fdi).map(|tooth| tooth.written(system));
    let surfaces: String = item["surface"].as_array().into_iter().flatten().filter_map(Json::as_str).collect();
    match tooth {
        Some(tooth) => format!("{tooth} {surfaces}").trim_end().to_owned(),
        None => item["oral_area"].as_str().map(|area| format!("area {area}")).unwrap_or_default(),
    }
}

fn plain_day(day: NaiveDate) -> String {
    day.format("%-d %B %Y").to_string()
}

/// 1234567.50 as 1,234,567.50.
fn grouped(number: &str) -> String {
    let (whole, rest) = number.split_once('.').map_or((number, None), |(whole, rest)| (whole, Some(rest)));
    let (sign, digits) = whole.strip_prefix('-').map_or(("", whole), |digits| ("-", digits));
    let mut out = String::from(sign);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    if let Some(rest) = rest {
        out.push('.');
        out.push_str(rest);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::grouped;

    #[test]
    fn amounts_are_grouped() {
        for (number, shown) in [("0.05", "0.05"), ("999", "999"), ("1000", "1,000"), ("-1234567.50", "-1,234,567.50")] {
            assert_eq!(grouped(number), shown);
        }
    }
}
