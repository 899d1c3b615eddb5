//! Parts that live inside a whole, read through it: the items of a plan, the lines of a claim, the annotations of a picture. The
//! same rows as under the part's own path, where they are written and filtered in other ways.

use crate::billing::invoice::INVOICE;
use crate::billing::invoice_line_item::INVOICE_LINE_ITEM;
use crate::charting::perio_exam::PERIO_EXAM;
use crate::charting::perio_measurement::PERIO_MEASUREMENT;
use crate::claims::claim::CLAIM;
use crate::claims::claim_line::CLAIM_LINE;
use crate::claims::remittance::REMITTANCE;
use crate::claims::remittance_line::REMITTANCE_LINE;
use crate::imaging::image_annotation::IMAGE_ANNOTATION;
use crate::imaging::imaging_object::IMAGING_OBJECT;
use crate::kernel::context::Plane;
use crate::kernel::error::{self, Error, Result};
use crate::kernel::operation::{Answer, Call, Gives, Method, Operation, Run};
use crate::kernel::page::{CURSOR, LIMIT, page};
use crate::kernel::table::list::sort_of;
use crate::kernel::table::{List, Table, Value};
use crate::messaging::conversation::CONVERSATION;
use crate::messaging::message::MESSAGE;
use crate::treatment::treatment_plan::TREATMENT_PLAN;
use crate::treatment::treatment_plan_item::TREATMENT_PLAN_ITEM;

/// A whole, its parts, and how they are read.
struct Inside {
    read: Operation,
    whole: &'static Table,
    part: &'static Table,
    /// The part's filter that names the whole.
    of: &'static str,
    sort: &'static str,
}

const fn inside(
    (id, path, doc): (&'static str, &'static str, &'static str),
    (whole, part): (&'static Table, &'static Table),
    (of, sort): (&'static str, &'static str),
    planes: &'static [Plane],
) -> Inside {
    let read = Operation {
        id,
        method: Method::Get,
        path,
        tag: whole.tag,
        doc,
        takes: &[LIMIT, CURSOR],
        gives: Gives::Page(part),
        planes,
        permission: part.read,
        run: Run::Apart(|call| Box::pin(list(call))),
    };
    Inside { read, whole, part, of, sort }
}

const CARE: &[Plane] = &[Plane::Staff, Plane::Patient];

static INSIDE: &[Inside] = &[
    inside(
        ("listItemsOfTreatmentPlan", "/treatment-plans/{id}/items", "The items of a plan in their order"),
        (&TREATMENT_PLAN, &TREATMENT_PLAN_ITEM),
        ("plan_id", "sequence_order"),
        CARE,
    ),
    inside(
        ("listLinesOfClaim", "/claims/{id}/lines", "The lines of a claim in their order"),
        (&CLAIM, &CLAIM_LINE),
        ("claim_id", "line_no"),
        CARE,
    ),
    inside(
        ("listAnnotationsOfImagingObject", "/imaging-objects/{id}/annotations", "The annotations of a picture, as they were made"),
        (&IMAGING_OBJECT, &IMAGE_ANNOTATION),
        ("imaging_object_id", "id"),
        CARE,
    ),
    inside(
        ("listMeasurementsOfPerioExam", "/perio-exams/{id}/measurements", "The measurements of an exam, as they were made"),
        (&PERIO_EXAM, &PERIO_MEASUREMENT),
        ("exam_id", "id"),
        CARE,
    ),
    inside(
        ("listMessagesOfConversation", "/conversations/{id}/messages", "The messages of a conversation, the first one first"),
        (&CONVERSATION, &MESSAGE),
        ("conversation_id", "sent_at"),
        CARE,
    ),
    inside(
        ("listLinesOfRemittance", "/remittances/{id}/lines", "The lines of an advice, as they were read"),
        (&REMITTANCE, &REMITTANCE_LINE),
        ("remittance_id", "id"),
        &[Plane::Staff],
    ),
    inside(
        ("listLineItemsOfInvoice", "/invoices/{id}/line-items", "The lines of an invoice in their order"),
        (&INVOICE, &INVOICE_LINE_ITEM),
        ("invoice_id", "line_no"),
        &[Plane::Staff, Plane::Platform],
    ),
];

pub fn operations() -> impl Iterator<Item = &'static Operation> {
    INSIDE.iter().map(|inside| &inside.read)
}

async fn list(call: Call) -> Result<Answer> {
    let (caller, id) = (&call.caller, call.id()?);
    let inside = INSIDE.iter().find(|inside| inside.read.id == call.operation.id);
    let Inside { whole, part, of, sort, .. } = inside.ok_or_else(|| Error::internal("an operation over parts of nothing"))?;
    let found = caller.glance(&caller.reading(whole)?, whole, id).await?;
    if found.deleted() {
        return Err(Error::new(&error::NOT_FOUND));
    }
    let filter = part.filters.iter().find(|filter| filter.name == *of);
    let (Some(filter), Some(sort)) = (filter, sort_of(part, sort)) else {
        return Err(Error::internal("parts without a filter for their whole"));
    };
    let list = List { filters: vec![(filter, Value::Uuid(id))], sort, ..List::new(part) };
    let (records, next) = page(&call, &caller.reading(part)?, list).await?;
    Ok(Answer::Page(records, next))
}
