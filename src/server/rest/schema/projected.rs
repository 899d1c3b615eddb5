//! Records in the words of the requirement texts.

use super::parameters::{doc_of, of_filter, page_parameters, parameter};
use super::{Shape, base, example, inline, of_field, page_of};
use crate::kernel::table::{Projection, Ty, Verb};
use crate::server::rest::projections::{parameters, sorts};
use poem_openapi::registry::{MetaOperationParam, MetaParamIn, MetaSchema, Registry};

pub fn projection(registry: &mut Registry, projection: &'static Projection) {
    let shapes = [(Shape::Read, None), (Shape::Create, Some(Verb::Create)), (Shape::Update, Some(Verb::Update))];
    for (shape, verb) in shapes {
        if verb.is_none_or(|verb| projection.verbs.contains(&verb)) {
            registry.schemas.insert(shape.name(projection.schema), of(projection, shape));
        }
    }
    if projection.verbs.contains(&Verb::List) {
        registry.schemas.insert(Shape::Page.name(projection.schema), page_of(projection.schema, projection.doc));
    }
}

/// What is only held against the record can be given too: a whole object that was read may come back.
fn of(projection: &'static Projection, shape: Shape) -> MetaSchema {
    let mut schema = MetaSchema { description: Some(projection.doc), ..MetaSchema::new("object") };
    let shaped = projection.shaped();
    for field in &shaped.fields {
        schema.properties.push((field.name, inline(of_field(field, !field.required && !field.defaulted))));
        if shape == Shape::Create && field.required && field.on_create() {
            schema.required.push(field.name);
        }
    }
    schema.example = Some(match shape {
        Shape::Create => example::of_create(&shaped.fields, &[]),
        Shape::Update => {
            let plain = shaped.fields.iter().zip(projection.names).filter(|(_, name)| name.is_plain()).map(|(field, _)| field);
            example::of_update(plain, &shaped.fields)
        }
        _ => example::of_shown(&shaped.fields),
    });
    schema
}

pub fn list_parameters(projection: &'static Projection) -> Vec<MetaOperationParam> {
    let mut out = page_parameters(sorts(projection).into_iter().map(|(name, _)| name), projection.table.soft_delete);
    for found in parameters(projection) {
        let filter = projection.table.filters.iter().find(|filter| filter.name == found.of);
        let words = found.words.and_then(|name| projection.shaped().fields.iter().find(|field| field.name == name.name));
        let schema = match (words, filter) {
            (Some(field), _) => base(field.ty),
            (None, Some(filter)) => of_filter(projection.table, filter),
            (None, None) => base(Ty::Text),
        };
        out.push(parameter(&found.name, MetaParamIn::Query, schema, false, filter.map_or("", doc_of)));
    }
    out
}
